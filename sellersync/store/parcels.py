"""Parcels: rows of their own, many-to-many to units; a unit is in at most one live parcel (a partial unique index holds it).

Parcels that the provider shows are adopted page by page; parcels that we must create ourselves (own site, providers that make a
package only when shipment is arranged) come from `make_parcels`. Facts that a parcel tells about its units (they left the shelf)
flow back into the order's sticky facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session

from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.stock import Left
from sellersync.domain.times import to_epoch_ms

from .bulk import insert_many, select_in
from .findings import raise_finding
from .posting import LineWork, OrderWork, in_list, load_works, post_orders, save_lines
from .tables import ParcelRow, ParcelUnit

_PARCEL = ParcelRow.__table__  # type: ignore[attr-defined]
_UNIT = ParcelUnit.__table__  # type: ignore[attr-defined]
_NOTHING_TO_SHIP = tuple(
    state.value
    for state in (
        OrderState.CANCELLED,
        OrderState.SHIPPED,
        OrderState.DELIVERED,
        OrderState.COMPLETED,
        OrderState.RETURNING,
    )
)
UnitKey = tuple[int, str]  # (line id, provider's unit id or "#n")


def left_by_parcels(work: OrderWork, parcels: Iterable[RemoteParcel]) -> None:
    """Units in a parcel that was picked up left the shelf, whatever the order itself says."""
    gone = [parcel for parcel in parcels if parcel.state.left_shelf]
    if not gone:
        return
    names = frozenset(key for parcel in gone for key in parcel.unit_keys)
    for line in work.lines:
        own, most = _can_have_left(work, line)
        count = sum(
            number for parcel in gone for key, number in parcel.units if not line.line.named and _is_line(line, key)
        )
        line.left = Left(max(line.left.count, min(count, most)), line.left.keys | (own & names))


def _can_have_left(work: OrderWork, line: LineWork) -> tuple[frozenset[str], int]:
    """The units of a line (their names, and how many) that a picked-up parcel can have taken along.

    While others of the order are still wanted, a cancelled unit was cancelled before the pickup: nobody cancels one of several on the
    road. Once all are cancelled the goods may be under way, and stock is never invented.
    """
    units = [unit for line in work.lines for unit in line.line.units]
    under_way = all(unit.stage is UnitStage.CANCELLED for unit in units)
    taken = [unit for unit in line.line.units if under_way or unit.stage is not UnitStage.CANCELLED]
    return frozenset(unit.key for unit in taken if unit.key), sum(unit.count for unit in taken)


def _is_line(line: LineWork, key: str) -> bool:
    return key == line.line.key or key in line.line.aliases


@dataclass(slots=True)
class _Known:
    """Parcels that the ledger holds already, as far as a page may touch them."""

    by_remote: dict[str, Any] = field(default_factory=dict)
    by_order: dict[int, list[Any]] = field(default_factory=dict)
    units: dict[int, dict[str, int]] = field(default_factory=dict)  # line id -> its live units -> parcel id


def adopt_parcels(session: Session, channel_id: int, items: Sequence[tuple[OrderWork, Order]], *, now_ms: int) -> int:
    """Bring the parcels that the provider shows for these orders into the ledger. Returns how many changed."""
    items = [(work, order) for work, order in items if order.parcels]
    if not items:
        return 0
    known = _load_known(session, channel_id, items)
    updates: list[dict[str, Any]] = []
    inserts: list[tuple[dict[str, Any], list[UnitKey]]] = []
    unit_rows: list[dict[str, Any]] = []
    for work, order in items:
        for remote in order.parcels:
            row = known.by_remote.get(remote.remote_id) or _own_candidate(known, work, remote)
            if row is None:
                row = {"channel_id": channel_id, "order_id": work.id, **_values(remote, now_ms), **_FIXED,
                       "number": len(known.by_order.get(work.id, ())) + 1, "created_ms": now_ms}  # fmt: skip
                known.by_order.setdefault(work.id, []).append(None)
                units = _units_of(session, known, work, remote, -len(inserts) - 1, now_ms) if remote.state.live else []
                inserts.append((row, units))
                known.by_remote[remote.remote_id] = row
                continue
            if isinstance(row, dict):  # a combined package, first seen with another order of this very page
                units = _units_of(session, known, work, remote, 0, now_ms) if remote.state.live else []
                next(own for values, own in inserts if values is row).extend(units)
                continue
            if _differs(row, remote):
                updates.append({"i": row.id, **_values(remote, now_ms)})
                if not remote.state.live:
                    session.execute(_FREE_UNITS, {"p": row.id})
            if remote.state.live:
                added = _units_of(session, known, work, remote, row.id, now_ms)
                unit_rows.extend(
                    {"parcel_id": row.id, "line_id": line, "unit_key": key, "live": True} for line, key in added
                )
    if updates:
        session.connection().execute(_UPDATE_PARCEL, updates)
    if inserts:
        insert_many(session, _PARCEL, [values for values, _ in inserts])
        orders = list({values["order_id"] for values, _ in inserts})
        rows = select_in(session, "SELECT order_id, remote_id, id FROM parcel WHERE order_id IN", orders)
        ids = {(order_id, remote_id): parcel_id for order_id, remote_id, parcel_id in sorted(rows)}
        for values, units in inserts:
            parcel_id = ids[values["order_id"], values["remote_id"]]
            unit_rows.extend(
                {"parcel_id": parcel_id, "line_id": line, "unit_key": key, "live": True} for line, key in units
            )
    insert_many(session, _UNIT, unit_rows)
    return len(updates) + len(inserts)


def _load_known(session: Session, channel_id: int, items: Sequence[tuple[OrderWork, Order]]) -> _Known:
    known = _Known()
    remote_ids = sorted({remote.remote_id for _, order in items for remote in order.parcels})
    for row in select_in(session, "SELECT * FROM parcel WHERE channel_id = ? AND remote_id IN", remote_ids, channel_id):
        known.by_remote[row.remote_id] = row
    old = [work for work, _ in items if not work.new]
    own = select_in(session, "SELECT * FROM parcel WHERE order_id IN", [work.id for work in old])
    for row in sorted(own, key=lambda row: row.id):
        known.by_order.setdefault(row.order_id, []).append(row)
    lines = [line.id for work in old for line in work.lines]
    for row in select_in(
        session, "SELECT parcel_id, line_id, unit_key FROM parcel_unit WHERE live AND line_id IN", lines
    ):
        known.units.setdefault(row.line_id, {})[row.unit_key] = row.parcel_id
    return known


def _own_candidate(known: _Known, work: OrderWork, remote: RemoteParcel) -> Any:
    """Our own parcel that the provider now shows under its number: same order, not yet named, sharing a unit (or the only one)."""
    waiting = [
        row
        for row in known.by_order.get(work.id, ())
        if row is not None and row.remote_id == "" and row.courier_channel_id is None and ParcelState(row.state).live
    ]
    if not waiting:
        return None
    names = set(remote.unit_keys)
    for row in waiting:
        held = {key for units in known.units.values() for key, parcel_id in units.items() if parcel_id == row.id}
        if not names or held & names or not any(unit.key for line in work.lines for unit in line.line.units):
            return row
    return None


def _units_of(
    session: Session, known: _Known, work: OrderWork, remote: RemoteParcel, parcel_id: int, now_ms: int
) -> list[UnitKey]:
    """The units of this order that are in the remote parcel and not yet noted there; conflicts become a finding."""
    added: list[UnitKey] = []
    for line in work.lines:
        held = known.units.setdefault(line.id, {})
        for key in _wanted_units(line, remote, held, parcel_id):
            holder = held.get(key)
            if holder is None:
                held[key] = parcel_id
                added.append((line.id, key))
            elif holder != parcel_id:
                raise_finding(session, "unit_in_two_parcels", f"{remote.remote_id}", now_ms=now_ms,
                              details={"parcel": remote.remote_id, "other_parcel": holder})  # fmt: skip
    return added


def _wanted_units(line: LineWork, remote: RemoteParcel, held: Mapping[str, int], parcel_id: int) -> list[str]:
    """The units of a line that the remote parcel holds; counted ones as far as `parcel_id` does not hold enough of them yet."""
    units = line.line.units
    names = [unit.key for unit in units if unit.key]
    if names:
        return [name for name in names if name in remote.unit_keys] if remote.unit_keys or remote.units else names
    if remote.units:
        count = sum(number for key, number in remote.units if _is_line(line, key))
    else:
        count = sum(unit.count for unit in units if unit.stage is not UnitStage.CANCELLED)
    missing = max(count - list(held.values()).count(parcel_id), 0)
    free = (f"#{number}" for number in range(1, line.line.quantity + 1) if f"#{number}" not in held)
    return list(islice(free, missing))


def _differs(row: Any, remote: RemoteParcel) -> bool:
    return (row.state, row.remote_status, row.waybill, row.courier, row.pickup_code, row.remote_id) != (
        remote.state.value, remote.remote_status, remote.waybill or row.waybill, remote.courier or row.courier,
        remote.pickup_code or row.pickup_code, remote.remote_id,
    )  # fmt: skip


def _values(remote: RemoteParcel, now_ms: int) -> dict[str, Any]:
    state = remote.state
    return {
        "remote_id": remote.remote_id,
        "state": state.value,
        "remote_status": remote.remote_status,
        "waybill": remote.waybill,
        "courier": remote.courier,
        "pickup_code": remote.pickup_code,
        "ship_by_ms": _ms(remote.ship_by),
        "booked_ms": now_ms if state.booked else None,
        "waybill_ms": now_ms if remote.waybill else None,
        "picked_up_ms": (_ms(remote.picked_up_at) or now_ms) if state.left_shelf else None,
        "delivered_ms": now_ms if state is ParcelState.DELIVERED else None,
        "updated_ms": now_ms,
    }


_FIXED = {"courier_channel_id": None, "adopted": True, "service": "", "why_chosen": "", "quoted": None, "charged": None,
          "cod_amount": None, "routing_code": "", "tracked_ms": None}  # fmt: skip


def update_parcel(session: Session, parcel_id: int, remote: RemoteParcel, *, now_ms: int) -> bool:
    """Bring one parcel to what the provider or courier shows now; goods that left the shelf leave the ledger's shelf too.

    Returns whether anything changed. `remote.remote_id` may be "" (unchanged).
    """
    row = session.execute(text("SELECT * FROM parcel WHERE id = :p"), {"p": parcel_id}).one()
    values = _values(remote, now_ms)
    values["remote_id"] = remote.remote_id or row.remote_id
    if ParcelState(row.state).left_shelf and not remote.state.left_shelf and remote.state is not ParcelState.PROBLEM:
        values["state"] = row.state  # an older view never takes goods back to the shelf
    changed = _differs(row, remote)
    session.connection().execute(_UPDATE_PARCEL, [{"i": parcel_id, **values}])
    if not remote.state.live:
        session.execute(_FREE_UNITS, {"p": parcel_id})
    if remote.state.left_shelf:
        note_left(session, parcel_id, left_ms=values["picked_up_ms"], now_ms=now_ms)
    return changed


def note_left(session: Session, parcel_id: int, *, left_ms: int, now_ms: int) -> None:
    """The parcel's units left the shelf: note the sticky fact and post it."""
    units = session.execute(
        text(
            "SELECT order_line.order_id, parcel_unit.line_id, parcel_unit.unit_key FROM parcel_unit "
            "JOIN order_line ON order_line.id = parcel_unit.line_id WHERE parcel_unit.parcel_id = :p"
        ),
        {"p": parcel_id},
    ).all()
    if not units:
        return
    works = load_works(session, sorted({unit.order_id for unit in units}))
    line_ids = {unit.line_id for unit in units}
    held = session.execute(
        text(
            f"SELECT parcel_unit.line_id, COUNT(*) AS units FROM parcel_unit JOIN parcel ON parcel.id = parcel_unit.parcel_id "
            f"WHERE parcel_unit.line_id IN ({in_list(line_ids)}) AND parcel.picked_up_ms IS NOT NULL AND parcel_unit.live "
            "GROUP BY parcel_unit.line_id"
        )
    )
    counts: dict[int, int] = {row.line_id: row.units for row in held}
    for work in works.values():
        work.left_ms = left_ms
        for line in work.lines:
            if line.id not in line_ids:
                continue
            own, most = _can_have_left(work, line)
            names = own & {unit.unit_key for unit in units if unit.line_id == line.id}
            count = 0 if line.line.named else min(counts.get(line.id, 0), most)
            line.left = Left(max(line.left.count, count), line.left.keys | names)
    post_orders(session, list(works.values()), now_ms=now_ms)
    save_lines(session, (line for work in works.values() for line in work.lines))


def make_parcels(session: Session, channel_id: int, order_ids: Sequence[int], *, now_ms: int) -> int:
    """Make a parcel of all shippable units that are in no live parcel yet, one per order. Returns how many were made."""
    made = 0
    works = load_works(session, order_ids)
    for work in works.values():
        taken = {
            (row.line_id, row.unit_key)
            for row in session.execute(
                text(
                    f"SELECT line_id, unit_key FROM parcel_unit WHERE live AND line_id IN ({in_list(line.id for line in work.lines)})"
                )
            )
        }
        units: list[UnitKey] = []
        for line in work.lines:
            if line.line.ours:
                units.extend((line.id, name) for name in _shippable(line, taken))
        if not units:
            continue
        order = session.execute(
            text(
                "SELECT ship_by_ms, (SELECT COUNT(*) FROM parcel WHERE order_id = :o) AS parcels FROM sales_order WHERE id = :o"
            ),
            {"o": work.id},
        ).one()
        parcel_id = session.execute(
            insert(_PARCEL).returning(_PARCEL.c.id),
            {"channel_id": channel_id, "order_id": work.id, "number": order.parcels + 1, "state": ParcelState.READY.value,
             "remote_status": "", "remote_id": "", "waybill": "", "courier": "", "pickup_code": "", "ship_by_ms": order.ship_by_ms,
             "created_ms": now_ms, **_FIXED, "adopted": False},
        ).scalar_one()  # fmt: skip
        session.execute(
            insert(_UNIT),
            [{"parcel_id": parcel_id, "line_id": line, "unit_key": key, "live": True} for line, key in units],
        )
        made += 1
    return made


def _shippable(line: LineWork, taken: set[UnitKey]) -> list[str]:
    names = [unit.key for unit in line.line.units if unit.key and unit.stage is UnitStage.OPEN]
    if not names:
        wanted = sum(unit.count for unit in line.line.units if not unit.key and unit.stage is not UnitStage.CANCELLED)
        held = sum(1 for line_id, _ in taken if line_id == line.id)
        free = [f"#{number}" for number in range(1, line.line.quantity + 1) if (line.id, f"#{number}") not in taken]
        return free[: max(wanted - max(held, line.left.count), 0)]
    return [name for name in names if (line.id, name) not in taken and name not in line.left.keys]


def tidy_own_parcels(session: Session, works: Sequence[OrderWork], *, now_ms: int) -> None:
    """Parcels of our own making follow their orders while nobody booked them: cancelled units leave them, an empty or finished one is
    given up. A booked parcel with a cancelled order needs a person."""
    ids = [work.id for work in works]
    if not ids:
        return
    rows = session.execute(
        text(
            "SELECT parcel.id, parcel.order_id, parcel.state, parcel.number, sales_order.remote_id AS order_remote, "
            "sales_order.state AS order_state, "
            "EXISTS (SELECT 1 FROM claim WHERE claim.parcel_id = parcel.id AND claim.state IN ('open', 'person')) AS claimed "
            "FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id "
            f"WHERE parcel.order_id IN ({in_list(ids)}) AND NOT parcel.adopted "
            "AND parcel.state IN ('ready', 'waiting', 'booked')"
        )
    ).all()
    by_id = {work.id: work for work in works}
    for row in rows:
        if row.state == ParcelState.BOOKED.value:
            if row.order_state == OrderState.CANCELLED.value:
                raise_finding(session, "cancelled_but_booked", f"{row.order_remote}/{row.number}", now_ms=now_ms)
            continue
        if row.claimed:
            continue
        left = _trim(session, row.id, by_id[row.order_id])
        if left == 0 or row.order_state in _NOTHING_TO_SHIP:
            session.execute(_GIVE_UP, {"p": row.id, "now": now_ms})
            session.execute(_FREE_UNITS, {"p": row.id})


def _trim(session: Session, parcel_id: int, work: OrderWork) -> int:
    """Take units that nobody wants any more out of an unbooked parcel; returns how many stay."""
    units = session.execute(
        text("SELECT line_id, unit_key FROM parcel_unit WHERE parcel_id = :p AND live"), {"p": parcel_id}
    ).all()
    stay = 0
    for line in work.lines:
        mine = [unit.unit_key for unit in units if unit.line_id == line.id]
        wanted = [unit for unit in line.line.units if unit.stage is not UnitStage.CANCELLED]
        names = {unit.key for unit in wanted if unit.key}
        if names or line.line.named:
            drop = [key for key in mine if key not in names]
        else:
            room = max(sum(unit.count for unit in wanted) - line.left.count, 0)
            drop = sorted(mine, key=lambda key: int(key.removeprefix("#")))[room:]
        for key in drop:
            session.execute(
                text("UPDATE parcel_unit SET live = FALSE WHERE parcel_id = :p AND line_id = :l AND unit_key = :k"),
                {"p": parcel_id, "l": line.id, "k": key},
            )
        stay += len(mine) - len(drop)
    return stay


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_epoch_ms(instant)


_FREE_UNITS = text("UPDATE parcel_unit SET live = FALSE WHERE parcel_id = :p")
_GIVE_UP = text("UPDATE parcel SET state = 'cancelled', updated_ms = :now WHERE id = :p")
_UPDATE_PARCEL = text(
    "UPDATE parcel SET state = :state, remote_status = :remote_status, remote_id = :remote_id, "
    "waybill = CASE WHEN :waybill <> '' THEN :waybill ELSE waybill END, courier = CASE WHEN :courier <> '' THEN :courier ELSE courier END, "
    "pickup_code = CASE WHEN :pickup_code <> '' THEN :pickup_code ELSE pickup_code END, "
    "ship_by_ms = COALESCE(:ship_by_ms, ship_by_ms), booked_ms = COALESCE(booked_ms, :booked_ms), "
    "waybill_ms = COALESCE(waybill_ms, :waybill_ms), picked_up_ms = COALESCE(picked_up_ms, :picked_up_ms), "
    "delivered_ms = COALESCE(delivered_ms, :delivered_ms), updated_ms = :updated_ms WHERE id = :i"
)
