"""Queries of the packing desk: parcels that have not left the shelf, with what is in them and where it lies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.desk import DeskLine, DeskParcel, DeskPart, ManifestHead
from sellersync.domain.orders import OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.times import from_epoch_ms

from .bulk import select_in
from .posting import unpack_units
from .reads import at

PROMISE_MS = 24 * 3_600_000
"""Where neither the parcel nor the order has a deadline: this long after it was paid, or placed."""

_PARCELS = (
    "SELECT parcel.*, channel.slug, sales_order.remote_id AS order_remote, sales_order.number AS order_number, "
    "sales_order.state AS order_state, sales_order.cod AS order_cod, sales_order.total AS order_total, "
    "sales_order.ship_by_ms AS order_ship_by_ms, COALESCE(sales_order.paid_ms, sales_order.created_ms) AS begun_ms, "
    "COALESCE((SELECT MAX(claim.state) FROM claim WHERE claim.parcel_id = parcel.id AND claim.state IN ('open', 'person')), '') "
    "AS claim_state FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id JOIN channel ON channel.id = parcel.channel_id "
)
_ON_THE_DESK = (
    "parcel.picked_up_ms IS NULL AND parcel.handed_ms IS NULL "
    "AND parcel.state IN ('waiting', 'ready', 'packed', 'booked', 'problem', 'pickup_retry', 'unknown')"
)


def desk_parcels(session: Session, *, channel: str | None = None, promise_ms: int = PROMISE_MS) -> list[DeskParcel]:
    """Parcels that have not left the shelf, the most urgent first."""
    rows = session.execute(
        text(f"{_PARCELS} WHERE {_ON_THE_DESK} AND (CAST(:c AS TEXT) IS NULL OR channel.slug = CAST(:c AS TEXT))"),
        {"c": channel},
    ).all()
    rows = sorted(rows, key=lambda row: (_deadline_ms(row, promise_ms), row.id))
    return _filled(session, rows, promise_ms)


def parcels_by_id(session: Session, parcel_ids: Sequence[int], *, promise_ms: int = PROMISE_MS) -> list[DeskParcel]:
    """These parcels, wherever they are by now, in the order of the ids."""
    found = {row.id: row for row in select_in(session, f"{_PARCELS} WHERE parcel.id IN", list(parcel_ids))}
    return _filled(session, [found[one] for one in parcel_ids if one in found], promise_ms)


def find_parcels(session: Session, name: str) -> list[DeskParcel]:
    """Parcels by what a person or a scanner names: waybill, pickup code, package number, order id or number, or ORDER/N.

    A waybill decides over an order that happens to have the same number; cancelled and failed parcels are found only when no other is.
    """
    if not name:
        return []
    order, slash, number = name.rpartition("/")
    at_number = int(number) if slash and number.isascii() and number.isdecimal() else None
    ways = [
        "parcel.waybill = :n OR parcel.pickup_code = :n OR parcel.remote_id = :n",
        "sales_order.remote_id = :n OR sales_order.number = :n",
    ]
    for where in ways:
        rows = session.execute(text(f"{_PARCELS} WHERE {where} ORDER BY parcel.id"), {"n": name}).all()
        if rows:
            return _filled(session, _living(rows), PROMISE_MS)
    if at_number is None:
        return []
    rows = session.execute(
        text(f"{_PARCELS} WHERE ({ways[1]}) AND parcel.number = :k ORDER BY parcel.id"), {"n": order, "k": at_number}
    ).all()
    return _filled(session, _living(rows), PROMISE_MS)


def _living(rows: Sequence[Any]) -> list[Any]:
    return [row for row in rows if ParcelState(row.state).live] or list(rows)


def _deadline_ms(row: Any, promise_ms: int) -> int:
    return int(row.ship_by_ms or row.order_ship_by_ms or row.begun_ms + promise_ms)


def _filled(session: Session, rows: Sequence[Any], promise_ms: int) -> list[DeskParcel]:
    lines = _lines(session, [row.id for row in rows])
    return [_parcel(row, lines.get(row.id, ()), promise_ms) for row in rows]


def _parcel(row: Any, lines: Sequence[DeskLine], promise_ms: int) -> DeskParcel:
    cod = bool(row.order_cod) or bool(row.cod_amount)
    return DeskParcel(
        id=row.id,
        channel_id=row.channel_id,
        channel=row.slug,
        order=row.order_remote,
        order_number=row.order_number,
        number=row.number,
        state=ParcelState(row.state),
        order_state=OrderState(row.order_state),
        own=row.courier_channel_id is not None,
        remote_id=row.remote_id,
        remote_status=row.remote_status,
        courier=row.courier,
        service=row.service,
        waybill=row.waybill,
        pickup_code=row.pickup_code,
        cod=cod,
        cod_amount=(row.cod_amount if row.cod_amount is not None else row.order_total) if cod else None,
        ship_by=from_epoch_ms(_deadline_ms(row, promise_ms), where="parcel"),
        weight_g=row.weight_g,
        packed_at=at(row.packed_ms),
        packed_as=json.loads(row.packed_as) if row.packed_as else None,
        manifest_id=row.manifest_id,
        gone=row.picked_up_ms is not None or row.handed_ms is not None or ParcelState(row.state).left_shelf,
        claim=row.claim_state,
        cancel=row.cancel,
        lines=tuple(lines),
    )


def _lines(session: Session, parcel_ids: Sequence[int]) -> dict[int, list[DeskLine]]:
    """Parcel id -> its lines, without the units that were cancelled since."""
    rows = [
        row
        for row in select_in(
            session,
            "SELECT parcel_unit.parcel_id, parcel_unit.unit_key, parcel_unit.live, order_line.id, order_line.title, "
            "order_line.seller_sku, order_line.recipe_id, order_line.warehouse_id, order_line.units, warehouse.code FROM parcel_unit "
            "JOIN order_line ON order_line.id = parcel_unit.line_id "
            "LEFT JOIN warehouse ON warehouse.id = order_line.warehouse_id WHERE parcel_unit.parcel_id IN",
            list(parcel_ids),
        )
        if row.live
    ]
    grouped: dict[int, dict[int, list[Any]]] = {}
    for row in rows:
        grouped.setdefault(row.parcel_id, {}).setdefault(row.id, []).append(row)
    cancelled = {row.id: _cancelled(row.units) for row in rows}
    room = _room(session, [line_id for line_id, units in cancelled.items() if units.counted])
    recipes = _recipes(session, sorted({row.recipe_id for row in rows if row.recipe_id is not None}))
    bins = bin_codes(session)
    filled: dict[int, list[DeskLine]] = {}
    for parcel_id, lines in grouped.items():
        for line_id in sorted(lines):
            wanted = [row for row in lines[line_id] if row.unit_key not in cancelled[line_id].keys]
            wanted = wanted[: room.get((parcel_id, line_id), len(wanted))]
            if wanted:
                filled.setdefault(parcel_id, []).append(_line(wanted, recipes, bins))
    return filled


@dataclass(frozen=True, slots=True)
class _Cancelled:
    """The cancelled units of a line: by the provider's names, and whether some are only counted."""

    keys: frozenset[str]
    counted: bool


def _cancelled(packed: str) -> _Cancelled:
    units = [unit for unit in unpack_units(packed) if unit.stage is UnitStage.CANCELLED]
    return _Cancelled(frozenset(unit.key for unit in units if unit.key), any(not unit.key for unit in units))


def _room(session: Session, line_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    """(parcel id, line id) -> how many counted units are in it, for lines of which some were cancelled: nobody says which of them, so
    the earliest parcels keep theirs, as far as the order still holds goods on the shelf."""
    rows = select_in(
        session,
        "SELECT parcel_unit.line_id, parcel_unit.parcel_id, order_line.on_shelf FROM parcel_unit "
        "JOIN parcel ON parcel.id = parcel_unit.parcel_id JOIN order_line ON order_line.id = parcel_unit.line_id "
        "WHERE parcel_unit.live AND parcel.picked_up_ms IS NULL AND parcel.handed_ms IS NULL "
        "AND order_line.recipe_id IS NOT NULL AND parcel_unit.line_id IN",
        list(line_ids),
    )
    left: dict[int, int] = {}
    room: dict[tuple[int, int], int] = {}
    for row in sorted(rows, key=lambda row: (row.line_id, row.parcel_id)):
        key = (row.parcel_id, row.line_id)
        room.setdefault(key, 0)
        if left.setdefault(row.line_id, row.on_shelf) > 0:
            left[row.line_id] -= 1
            room[key] += 1
    return room


def _line(units: Sequence[Any], recipes: Mapping[int, list[Any]], bins: Mapping[tuple[int, int], str]) -> DeskLine:
    first = units[0]
    parts = (
        [
            DeskPart(
                sku.code,
                sku.title,
                sku.barcode,
                sku.quantity * len(units),
                first.code,
                bins.get((sku.sku_id, first.warehouse_id), ""),
            )
            for sku in recipes.get(first.recipe_id, [])
        ]
        if first.warehouse_id is not None
        else []
    )
    return DeskLine(first.title, first.seller_sku, len(units), tuple(parts))


def _recipes(session: Session, recipe_ids: list[int]) -> dict[int, list[Any]]:
    rows = select_in(
        session,
        "SELECT recipe_item.recipe_id, recipe_item.sku_id, recipe_item.quantity, sku.code, sku.title, sku.barcode FROM recipe_item "
        "JOIN sku ON sku.id = recipe_item.sku_id WHERE recipe_item.recipe_id IN",
        recipe_ids,
    )
    found: dict[int, list[Any]] = {}
    for row in sorted(rows, key=lambda row: (row.recipe_id, row.code)):
        found.setdefault(row.recipe_id, []).append(row)
    return found


def bin_codes(session: Session) -> dict[tuple[int, int], str]:
    """(SKU id, warehouse id) -> bin code."""
    return {(row.sku_id, row.warehouse_id): row.code for row in session.execute(text("SELECT * FROM bin"))}


def manifests(session: Session, *, limit: int, open_only: bool = False) -> list[ManifestHead]:
    """Manifests, the newest first."""
    rows = session.execute(
        text(
            "SELECT manifest.*, (SELECT COUNT(*) FROM parcel WHERE parcel.manifest_id = manifest.id) AS parcels FROM manifest "
            f"{'WHERE handed_ms IS NULL' if open_only else ''} ORDER BY id DESC LIMIT :n"
        ),
        {"n": limit},
    )
    return [
        ManifestHead(
            row.id,
            row.courier,
            from_epoch_ms(row.created_ms, where="manifest"),
            row.who,
            at(row.handed_ms),
            row.parcels,
            row.note,
        )
        for row in rows
    ]


def manifest_parcels(session: Session, manifest_id: int) -> list[DeskParcel]:
    """The parcels on a manifest, in the order in which they were put on it."""
    ids = session.execute(text("SELECT id FROM parcel WHERE manifest_id = :m ORDER BY id"), {"m": manifest_id})
    return parcels_by_id(session, [row.id for row in ids])
