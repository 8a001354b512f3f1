"""Listings and levels between the wire and the domain, pure in both directions.

A listing's key is "<product id>" or "<product id>:<variation id>"; its target is the same, except for a variation that inherits the
parent's number: its target is "<product id>". Facts: measured on WooCommerce 10.0.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sellersync.connector.contract import LevelAnswer, PushOutcome, RemoteListing, TargetKey, Want
from sellersync.domain.errors import RejectClass, Unrecognised
from sellersync.domain.money import rupiah_or_none

from .answers import REJECT_CLASSES, plain_text

_KEY = re.compile(r"([0-9]{1,18})(?::([0-9]{1,18}))?")
GRAMS = {"g": 1.0, "kg": 1000.0, "lbs": 453.59237, "oz": 28.349523125}


def listing_key(product_id: int, variation_id: int = 0) -> str:
    """ "" once the product is deleted."""
    if not product_id:
        return ""
    return f"{product_id}:{variation_id}" if variation_id else str(product_id)


def split_key(key: str) -> tuple[int, int] | None:
    """(product id, variation id or 0); `None` for a key that is not ours."""
    match = _KEY.fullmatch(key)
    return None if match is None else (int(match[1]), int(match[2] or 0))


def inherits_stock(row: Mapping[str, Any]) -> bool:
    """Does this variation show its parent's number?"""
    return row.get("manage_stock") == "parent"


def shown(row: Mapping[str, Any]) -> int | None:
    """The number of a product or variation that keeps one of its own; below zero means oversold."""
    number = row.get("stock_quantity")
    return number if row.get("manage_stock") is True and type(number) is int else None


def simple_listing(row: Mapping[str, Any], weight_unit: str) -> RemoteListing:
    """A product without variations."""
    key = listing_key(row["id"])
    return _listing(row, key, (TargetKey(key),), str(row.get("name") or ""), "", weight_unit)


def variation_listing(row: Mapping[str, Any], parent: Mapping[str, Any], weight_unit: str) -> RemoteListing:
    """A variation; its own name is the option alone, an empty weight is the parent's."""
    key = listing_key(parent["id"], row["id"])
    target = listing_key(parent["id"]) if inherits_stock(row) else key
    options = ", ".join(str(a.get("option", "")) for a in row.get("attributes") or ())
    full = {**row, "weight": row.get("weight") or parent.get("weight")}
    if parent.get("status") != "publish":
        full["status"] = parent.get("status")
    return _listing(full, key, (TargetKey(target),), str(parent.get("name") or ""), options, weight_unit)


def _listing(
    row: Mapping[str, Any], key: str, targets: tuple[TargetKey, ...], title: str, variation: str, weight_unit: str
) -> RemoteListing:
    price, problem = None, ""
    try:
        price = rupiah_or_none(row.get("price"), where="price")
    except Unrecognised as unreadable:
        problem = str(unreadable)
    number = row.get("stock_quantity")
    return RemoteListing(
        key=key,
        seller_sku=str(row.get("sku") or "").strip(),
        title=title,
        targets=targets,
        active=row.get("status") == "publish",
        managed=row.get("manage_stock") in (True, "parent"),
        variation=variation,
        barcode=str(row.get("global_unique_id") or ""),
        price=price,
        weight_g=_grams(row.get("weight"), weight_unit),
        shown=number if type(number) is int else None,
        problem=problem,
    )


def _grams(weight: object, unit: str) -> int | None:
    if weight in (None, "") or unit not in GRAMS:
        return None
    try:
        return round(float(str(weight)) * GRAMS[unit])
    except ValueError:
        return None


def batch_row(want: Want) -> dict[str, int]:
    """A stock row: JSON integers only, since a batch turns text into a real 0. `manage_stock` is never switched on here."""
    ids = split_key(want.target.remote_key)
    assert ids is not None
    return {"id": ids[1] or ids[0], "stock_quantity": int(want.level)}


def level_answer(want: Want, row: object) -> LevelAnswer:
    """What one entry of a batch reply says. A 200 proves nothing: the echoed number does."""
    target = want.target
    expected_id = batch_row(want)["id"]
    if not isinstance(row, dict) or row.get("id") != expected_id:
        return LevelAnswer(target, PushOutcome.UNCLEAR, why="the shop's answer has no entry for this row")
    error = row.get("error")
    if isinstance(error, dict):
        code = str(error.get("code", ""))
        reject = REJECT_CLASSES.get(code, RejectClass.OTHER)
        return LevelAnswer(
            target, PushOutcome.REJECTED, reject=reject, why=f"{plain_text(error.get('message'))} [{code}]"
        )
    if row.get("manage_stock") == "parent":
        why = "this variation shows its parent's number: push the parent"
        return LevelAnswer(target, PushOutcome.REJECTED, reject=RejectClass.NOT_MANAGED, why=why)
    if row.get("manage_stock") is False:
        why = 'the shop keeps no number for it: switch on "Track stock quantity" in the product'
        return LevelAnswer(target, PushOutcome.REJECTED, reject=RejectClass.NOT_MANAGED, why=why)
    number = shown(row)
    if number != want.level:
        return LevelAnswer(target, PushOutcome.UNCLEAR, why=f"{want.level} was sent, the shop shows {number}")
    return LevelAnswer(target, PushOutcome.APPLIED, shown=number)


def group_by_parent(wants: Sequence[Want], rows_max: int) -> list[tuple[Want, ...]]:
    """Batches of at most `rows_max`: products together, variations by parent (one parent a call), in the order of first wants."""
    groups: dict[int, list[Want]] = {}
    for want in wants:
        ids = split_key(want.target.remote_key)
        groups.setdefault(ids[0] if ids and ids[1] else 0, []).append(want)
    batches = [tuple(group[at : at + rows_max]) for group in groups.values() for at in range(0, len(group), rows_max)]
    place = {id(want): index for index, want in enumerate(wants)}
    return sorted(batches, key=lambda batch: place[id(batch[0])])
