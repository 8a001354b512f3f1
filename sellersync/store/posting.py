"""Posting: movements, balances and order positions change here and nowhere else, in one transaction (L1).

`post_orders` takes orders from what is posted to what `domain.stock.project` wants; `post_document` posts what people do. Both write
their movements with a cause, a revision and a leg, so that the same cause can never be posted twice (L3).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.orders import Excluded, OrderLine, Unit, UnitStage
from sellersync.domain.stock import (
    NOTHING,
    Account,
    Component,
    Left,
    Leg,
    Position,
    PositionKey,
    demand,
    late_correction,
    legs,
    line_stock,
    shelf_change,
)

from .bulk import run_many, select_in, update_in
from .findings import keep_findings
from .tables import NO_WAREHOUSE


@dataclass(slots=True)
class LineWork:
    """An order line with its database row: the sticky fact and the frozen resolution beside the newest version."""

    id: int
    line: OrderLine
    left: Left
    components: tuple[Component, ...] | None
    warehouse_id: int | None
    held_outside: int = 0
    on_shelf: int = 0
    return_due: int = 0
    target_id: int | None = None


@dataclass(slots=True)
class OrderWork:
    """An order that may need posting. `occurred_ms` is the version's time, `left_ms` when units left the shelf (if told)."""

    id: int
    revision: int
    occurred_ms: int
    left_ms: int | None
    hold_expired: bool
    lines: list[LineWork]
    posted: dict[PositionKey, Position] = field(default_factory=dict)
    new: bool = False  # first seen in this very transaction


@dataclass(slots=True)
class Posted:
    """What a posting did."""

    movements: int = 0
    orders: int = 0
    sku_ids: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Row:
    leg: Leg
    occurred_ms: int
    cause_kind: str
    cause_id: int
    revision: int
    number: int
    who: str


def post_orders(session: Session, works: Sequence[OrderWork], *, now_ms: int, who: str = "sync") -> Posted:
    """Post the difference between what these orders want of the shelf and what is posted for them."""
    rows: list[_Row] = []
    positions: list[tuple[int, ...]] = []
    revisions: dict[int, list[int]] = {}  # new revision -> orders
    for work in works:
        wanted = _wanted(work)
        steps = legs(work.posted, wanted)
        if not steps:
            continue
        revision = work.revision + 1
        for number, leg in enumerate(steps):
            occurred = work.left_ms if leg.destination is Account.SHIPPED and work.left_ms else work.occurred_ms
            rows.append(_Row(leg, occurred, "order", work.id, revision, number, who))
        for key in sorted({*wanted, *work.posted}):
            position = wanted.get(key, NOTHING)
            if position != work.posted.get(key, NOTHING):
                positions.append((work.id, *key, position.reserved, position.shipped))
        revisions.setdefault(revision, []).append(work.id)
        work.revision = revision
        work.posted = wanted
    if not rows:
        return Posted()
    posted = _write(session, rows, now_ms)
    posted.orders = sum(len(ids) for ids in revisions.values())
    run_many(session, _UPSERT_POSITION, positions)
    for revision, ids in revisions.items():
        update_in(session, "UPDATE sales_order SET posted_rev = ? WHERE id IN", ids, revision)
    return posted


def post_document(
    session: Session,
    document_id: int,
    steps: Sequence[Leg],
    *,
    occurred_ms: int,
    now_ms: int,
    who: str,
    kind: str = "document",
    revision: int = 1,
) -> Posted:
    """Post what a person's document does to stock."""
    rows = [_Row(leg, occurred_ms, kind, document_id, revision, number, who) for number, leg in enumerate(steps)]
    return _write(session, rows, now_ms) if rows else Posted()


def _wanted(work: OrderWork) -> dict[PositionKey, Position]:
    wanted: dict[PositionKey, Position] = {}
    for line in work.lines:
        line.left = line.left.grown_by(line.line)
        stock = line_stock(line.line, line.left, hold_expired=work.hold_expired)
        line.on_shelf = stock.reserved
        line.return_due = stock.return_due
        line.held_outside = min(stock.reserved, line.line.kept_outside)
        if line.components is not None and line.warehouse_id is not None:
            demand(wanted, stock, line.components, line.warehouse_id)
    # What is posted and no longer wanted by any line stays shipped: goods come back only by a return document.
    for key, position in work.posted.items():
        if position.shipped > wanted.get(key, NOTHING).shipped:
            wanted[key] = Position(wanted.get(key, NOTHING).reserved, position.shipped)
    return wanted


def _write(session: Session, rows: list[_Row], now_ms: int) -> Posted:
    rows.extend(_late_corrections(session, rows))
    movements: list[tuple[Any, ...]] = []
    deltas: dict[tuple[int, int, str], int] = {}
    for row in rows:
        leg = row.leg
        sku_id, quantity = leg.sku_id, leg.quantity
        source_warehouse_id, source = leg.source_warehouse_id or NO_WAREHOUSE, str(leg.source)
        warehouse_id, destination = leg.destination_warehouse_id or NO_WAREHOUSE, str(leg.destination)
        movements.append(
            (sku_id, quantity, source, source_warehouse_id, destination, warehouse_id, row.occurred_ms, now_ms,
             row.cause_kind, row.cause_id, row.revision, row.number, leg.reason, row.who)
        )  # fmt: skip
        for key, change in (
            ((sku_id, source_warehouse_id, source), -quantity),
            ((sku_id, warehouse_id, destination), quantity),
        ):
            deltas[key] = deltas.get(key, 0) + change
    run_many(session, _ADD_MOVEMENT, movements)
    newest = session.connection().execute(_NEWEST_MOVEMENT).scalar_one()
    changes = [(key, delta) for key, delta in sorted(deltas.items()) if delta]
    run_many(session, _ENSURE_BALANCE, [(*key, now_ms, newest) for key, _ in changes])
    run_many(session, _CHANGE_BALANCE, [(delta, now_ms, newest, *key) for key, delta in changes])
    sku_ids = {row.leg.sku_id for row in rows}
    _note_shortages(session, sku_ids, now_ms)
    return Posted(movements=len(rows), sku_ids=sku_ids)


def _late_corrections(session: Session, rows: Sequence[_Row]) -> list[_Row]:
    """A movement that crossed the shelf before a count and is recorded after it had already been seen by the count.

    A count that is entered late is such a movement too: the newer count knew better. At one and the same moment a count sees what was
    recorded before it.
    """
    crossing = [row for row in rows if shelf_change(row.leg)]
    if not crossing:
        return []
    first_after = _counts(session, {row.leg.sku_id for row in crossing})
    corrections: list[_Row] = []
    number = max(row.number for row in rows)
    for row in crossing:
        opposite = late_correction(row.leg)
        assert opposite is not None
        warehouse = row.leg.source_warehouse_id or row.leg.destination_warehouse_id
        counted_at = min(
            (at for at in first_after.get((row.leg.sku_id, warehouse or 0), ()) if at > row.occurred_ms), default=None
        )
        if counted_at is not None:
            number += 1
            corrections.append(_Row(opposite, counted_at, row.cause_kind, row.cause_id, row.revision, number, row.who))
    return corrections


def _counts(session: Session, sku_ids: Iterable[int]) -> Mapping[tuple[int, int], list[int]]:
    found: dict[tuple[int, int], list[int]] = {}
    counts = text(f"SELECT sku_id, warehouse_id, at_ms FROM count_line WHERE sku_id IN ({in_list(sku_ids)})")
    for sku_id, warehouse_id, at_ms in session.connection().execute(counts):
        found.setdefault((sku_id, warehouse_id), []).append(at_ms)
    return found


def _note_shortages(session: Session, sku_ids: set[int], now_ms: int) -> None:
    """Available below zero is a fact with a name (L5): exactly the short SKUs have an open finding."""
    short = {row[0]: {"short": -row[1]} for row in session.connection().execute(_SHORT)}
    open_now = session.connection().execute(_OPEN_SHORTAGES).scalar_one()
    if short or open_now:
        keep_findings(session, "shortage", short, now_ms=now_ms)


# ------------------------------------------------------------------------------------------------------- order lines to and from rows


pack: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode


def pack_keys(keys: Iterable[str]) -> str:
    """Keys as the ledger stores them: what `pack` makes of their list. The encoder is quick for a text only."""
    return f"[{','.join(map(pack, keys))}]"


def pack_units(units: Iterable[Unit]) -> str:
    """Units as the ledger stores them: what `pack` makes of a list of [stage, count, key, excluded]."""
    rows = [f'["{unit.stage}",{unit.count},{pack(unit.key)},"{unit.excluded}"]' for unit in units]
    return f"[{','.join(rows)}]"


def unpack_units(packed: str) -> tuple[Unit, ...]:
    return tuple(
        Unit(UnitStage(stage), count, key, Excluded(excluded)) for stage, count, key, excluded in json.loads(packed)
    )


def load_works(session: Session, order_ids: Sequence[int]) -> dict[int, OrderWork]:
    """Orders with their lines and posted positions, ready to be posted again (one query per kind, not per order)."""
    works: dict[int, OrderWork] = {}
    connection = session.connection()
    for chunk_start in range(0, len(order_ids), 500):
        ids = in_list(order_ids[chunk_start : chunk_start + 500])
        orders = text(
            f"SELECT id, posted_rev, updated_ms, shipped_ms, hold_expired FROM sales_order WHERE id IN ({ids})"
        )
        for row in connection.execute(orders):
            works[row.id] = OrderWork(
                row.id, row.posted_rev, row.updated_ms, row.shipped_ms, bool(row.hold_expired), []
            )
        lines = (
            connection.execute(text(f"SELECT * FROM order_line WHERE order_id IN ({ids}) ORDER BY id")).mappings().all()
        )
        recipes = load_components(session, {line["recipe_id"] for line in lines if line["recipe_id"] is not None})
        for line in lines:
            works[line["order_id"]].lines.append(line_from_row(line, recipes))
        for row in connection.execute(
            text(
                f"SELECT order_id, sku_id, warehouse_id, reserved, shipped FROM order_position WHERE order_id IN ({ids})"
            )
        ):
            works[row.order_id].posted[(row.sku_id, row.warehouse_id)] = Position(row.reserved, row.shipped)
    return works


def line_from_row(row: Mapping[Any, Any], recipes: Mapping[int, tuple[Component, ...]]) -> LineWork:
    line = OrderLine(
        key=row["line_key"],
        listing=row["listing_key"],
        units=unpack_units(row["units"]),
        aliases=tuple(json.loads(row["aliases"])),
        target=row["target_key"],
        seller_sku=row["seller_sku"],
        title=row["title"],
        unit_price=row["unit_price"],
        ours=bool(row["ours"]),
        location=row["location"],
    )
    left = Left(row["left_count"], frozenset(json.loads(row["left_keys"])))
    components = recipes[row["recipe_id"]] if row["recipe_id"] is not None else None
    return LineWork(
        row["id"], line, left, components, row["warehouse_id"], row["held_outside"], row["on_shelf"], row["return_due"],
        row["target_id"],
    )  # fmt: skip


def load_components(session: Session, recipe_ids: Iterable[int]) -> dict[int, tuple[Component, ...]]:
    """Recipe id -> its components."""
    found: dict[int, list[Component]] = {recipe_id: [] for recipe_id in recipe_ids}
    rows = select_in(session, "SELECT recipe_id, sku_id, quantity FROM recipe_item WHERE recipe_id IN", list(found))
    for recipe_id, sku_id, quantity in sorted(rows):
        found[recipe_id].append(Component(sku_id, quantity))
    return {recipe_id: tuple(components) for recipe_id, components in found.items()}


def save_lines(session: Session, lines: Iterable[LineWork]) -> None:
    """Write back what posting computed for these lines."""
    values = [
        {
            "i": line.id,
            "units": pack_units(line.line.units),
            "left_count": line.left.count,
            "left_keys": pack_keys(sorted(line.left.keys)),
            "return_due": line.return_due,
            "held_outside": line.held_outside,
            "on_shelf": line.on_shelf,
        }
        for line in lines
    ]
    if values:
        session.connection().execute(_SAVE_LINE, values)


def in_list(ids: Iterable[int]) -> str:
    """Integers as the inside of an SQL IN list (integers only: nothing to escape). None at all becomes a list that matches nothing."""
    return ",".join(str(int(value)) for value in ids) or "NULL"


_NEWEST_MOVEMENT = text("SELECT COALESCE(MAX(id), 0) FROM movement")
_ADD_MOVEMENT = (
    "INSERT INTO movement (sku_id, quantity, source, source_warehouse_id, destination, destination_warehouse_id, "
    "occurred_ms, recorded_ms, cause_kind, cause_id, revision, leg, reason, who) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ENSURE_BALANCE = (
    "INSERT INTO balance (sku_id, warehouse_id, account, quantity, changed_ms, movement_id) VALUES (?, ?, ?, 0, ?, ?) "
    "ON CONFLICT (sku_id, warehouse_id, account) DO NOTHING"
)
_CHANGE_BALANCE = (
    "UPDATE balance SET quantity = quantity + ?, changed_ms = ?, movement_id = ? "
    "WHERE sku_id = ? AND warehouse_id = ? AND account = ?"
)
_UPSERT_POSITION = (
    "INSERT INTO order_position (order_id, sku_id, warehouse_id, reserved, shipped) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (order_id, sku_id, warehouse_id) DO UPDATE SET reserved = excluded.reserved, shipped = excluded.shipped"
)
_SHORT = text(
    "SELECT sku.code, SUM(balance.quantity) AS quantity FROM balance JOIN sku ON sku.id = balance.sku_id "
    "WHERE balance.account = 'available' AND balance.quantity < 0 GROUP BY sku.code"
)
_OPEN_SHORTAGES = text("SELECT COUNT(*) FROM finding WHERE kind = 'shortage' AND closed_ms IS NULL")
_SAVE_LINE = text(
    "UPDATE order_line SET units = :units, left_count = :left_count, left_keys = :left_keys, return_due = :return_due, "
    "held_outside = :held_outside, on_shelf = :on_shelf WHERE id = :i"
)
