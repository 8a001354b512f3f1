"""Settlements in: released orders with what their money is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.settlements import Settlement

from .api import ESCROW_DETAIL_IDS_MAX, ShopeeApi
from .fields import Json, text_of
from .mapping_settlements import read_settlement
from .walk import in_batches


async def read_settlements(api: ShopeeApi, listed: Sequence[Json]) -> tuple[tuple[Settlement, ...], tuple[str, ...]]:
    """The settlements of a page of `get_escrow_list`, and a sentence for each that cannot be read."""

    async def details(batch: Sequence[str]) -> list[dict[str, Any]]:
        found = (await api.get_escrow_detail_batch(batch)).listed
        return [_detail(entry) for entry in found if isinstance(entry, dict)]

    names = list(dict.fromkeys(name for row in listed if (name := text_of(row.get("order_sn")))))
    rows, _ = await in_batches(names, ESCROW_DETAIL_IDS_MAX, details)
    known = {text_of(row.get("order_sn")): row for row in rows}
    settled: dict[str, Settlement] = {}
    skipped = []
    for row in listed:
        name = text_of(row.get("order_sn"))
        try:
            if name and name not in known:
                raise Unrecognised("no escrow detail is answered", name)
            settled[name] = read_settlement(row, known.get(name, {}))
        except Unrecognised as failure:
            skipped.append(f"settlement of {name or 'an order without order_sn'} cannot be read: {failure}")
    return tuple(settled.values()), tuple(skipped)


def _detail(entry: dict[str, Any]) -> dict[str, Any]:
    """Rows of the batch call wrap the detail (recorded by integrators); the reference only says that they are objects."""
    inner = entry.get("escrow_detail")
    return inner if isinstance(inner, dict) else entry
