"""Parcels: rows of their own, many-to-many to units; a unit is in at most one live parcel (a partial unique index holds it).

Parcels that the provider shows are adopted page by page (`adoption`); parcels that we must create ourselves (own site, providers that
make a package only when shipment is arranged) come from `make_parcels`. Facts that a parcel tells about its units (they left the shelf)
flow back into the order's sticky facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session

from sellersync.domain.orders import OrderState, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.stock import Left
from sellersync.domain.times import to_epoch_ms

from .findings import raise_finding
from .parcel_events import keep_events
from .posting import LineWork, OrderWork, in_list, load_works, post_orders, save_lines
from .returns import settle_returns_of_parcel
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
_COMING_BACK = {ParcelState.RETURNING.value, ParcelState.RETURNED.value}
UnitKey = tuple[int, str]  # (line id, provider's unit id or "#n")


def left_by_parcels(work: OrderWork, parcels: Sequence[RemoteParcel]) -> None:
    """Units in a parcel that was picked up left the shelf, whatever the order itself says.

    The only live parcel of an order holds all of it where the provider lists no units.
    """
    gone = [parcel for parcel in parcels if parcel.left_shelf]
    if not gone:
        return
    whole = not gone[0].units and not gone[0].unit_keys and sum(parcel.state.live for parcel in parcels) == 1
    names = frozenset(key for parcel in gone for key in parcel.unit_keys)
    for line in work.lines:
        own, most = _can_have_left(work, line)
        count = sum(number for parcel in gone for key, number in parcel.units if is_line(line, key))
        if whole:
            count, names = most, names | own
        counted = 0 if line.line.named else min(count, most)
        line.left = Left(max(line.left.count, counted), line.left.keys | (own & names))


def _can_have_left(work: OrderWork, line: LineWork) -> tuple[frozenset[str], int]:
    """The units of a line (their names, and how many) that a picked-up parcel can have taken along.

    While others of the order are still wanted, a cancelled unit was cancelled before the pickup: nobody cancels one of several on the
    road. Once all are cancelled the goods may be under way, and stock is never invented.
    """
    units = [unit for line in work.lines for unit in line.line.units]
    under_way = all(unit.stage is UnitStage.CANCELLED for unit in units)
    taken = [unit for unit in line.line.units if under_way or unit.stage is not UnitStage.CANCELLED]
    return frozenset(unit.key for unit in taken if unit.key), sum(unit.count for unit in taken)


def is_line(line: LineWork, key: str) -> bool:
    return key == line.line.key or key in line.line.aliases


def differs(row: Any, remote: RemoteParcel) -> bool:
    """Does the provider show something else than the ledger's row of the parcel?"""
    return (row.state, row.remote_status, row.waybill, row.courier, row.pickup_code, row.remote_id) != (
        remote.state.value, remote.remote_status, remote.waybill or row.waybill, remote.courier or row.courier,
        remote.pickup_code or row.pickup_code, remote.remote_id,
    )  # fmt: skip


def looks_different(row: Any, values: Mapping[str, Any]) -> bool:
    """Is this the first time that the parcel is seen in this state, by our word or the provider's?"""
    return bool((row.state, row.remote_status) != (values["state"], values["remote_status"]))


def parcel_values(remote: RemoteParcel, now_ms: int) -> dict[str, Any]:
    """A parcel's columns as far as the provider tells them."""
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
        "picked_up_ms": (_ms(remote.picked_up_at) or now_ms) if remote.left_shelf else None,
        "delivered_ms": now_ms if state is ParcelState.DELIVERED else None,
        "updated_ms": now_ms,
    }


NOT_YET_KNOWN = {"courier_channel_id": None, "adopted": True, "service": "", "why_chosen": "", "quoted": None, "charged": None,
          "cod_amount": None, "routing_code": "", "tracked_ms": None}  # fmt: skip


def update_parcel(session: Session, parcel_id: int, remote: RemoteParcel, *, now_ms: int) -> bool:
    """Bring one parcel to what the provider or courier shows now; goods that left the shelf leave the ledger's shelf too.

    Returns whether anything changed. `remote.remote_id` may be "" (unchanged).
    """
    row = session.execute(text("SELECT * FROM parcel WHERE id = :p"), {"p": parcel_id}).one()
    values = parcel_values(remote, now_ms)
    values["remote_id"] = remote.remote_id or row.remote_id
    left = ParcelState(row.state).left_shelf or (
        row.state == ParcelState.PROBLEM.value and row.picked_up_ms is not None
    )
    if left and not remote.state.left_shelf and remote.state is not ParcelState.PROBLEM:
        values["state"] = row.state  # an older view never takes goods back to the shelf
    changed = differs(row, remote)
    session.connection().execute(UPDATE_PARCEL, [{"i": parcel_id, **values}])
    if looks_different(row, values):
        keep_events(session, [(parcel_id, values["state"], remote.remote_status, now_ms)])
    if not ParcelState(values["state"]).live:
        session.execute(FREE_UNITS, {"p": parcel_id})
    if remote.left_shelf:
        note_left(session, parcel_id, left_ms=values["picked_up_ms"], now_ms=now_ms)
    if _COMING_BACK & {row.state, values["state"]}:
        settle_returns_of_parcel(session, parcel_id, now_ms=now_ms)
    return changed


def note_left(session: Session, parcel_id: int, *, left_ms: int, now_ms: int) -> None:
    """The parcel's units left the shelf: note the sticky fact and post it."""
    units = session.execute(
        text(
            "SELECT order_line.order_id, parcel_unit.line_id, parcel_unit.unit_key, parcel_unit.live FROM parcel_unit "
            "JOIN order_line ON order_line.id = parcel_unit.line_id WHERE parcel_unit.parcel_id = :p "
            "AND (parcel_unit.live OR NOT EXISTS (SELECT 1 FROM parcel_unit AS elsewhere WHERE elsewhere.live "
            "AND elsewhere.line_id = parcel_unit.line_id AND elsewhere.unit_key = parcel_unit.unit_key))"
        ),
        {"p": parcel_id},
    ).all()
    units = [
        unit for unit in units if unit.live
    ] or units  # one that was given up and left all the same took what it had
    if not units:
        return
    works = load_works(session, sorted({unit.order_id for unit in units}))
    line_ids = {unit.line_id for unit in units}
    held = session.execute(
        text(
            f"SELECT parcel_unit.line_id, COUNT(*) AS units FROM parcel_unit JOIN parcel ON parcel.id = parcel_unit.parcel_id "
            f"WHERE parcel_unit.line_id IN ({in_list(line_ids)}) AND parcel_unit.live "
            "AND (parcel.picked_up_ms IS NOT NULL OR parcel.handed_ms IS NOT NULL) "
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
             "created_ms": now_ms, "state_since_ms": now_ms, **NOT_YET_KNOWN, "adopted": False},
        ).scalar_one()  # fmt: skip
        keep_events(session, [(parcel_id, ParcelState.READY.value, "", now_ms)])
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
            session.execute(FREE_UNITS, {"p": row.id})
            keep_events(session, [(row.id, ParcelState.CANCELLED.value, "", now_ms)])


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


FREE_UNITS = text("UPDATE parcel_unit SET live = FALSE WHERE parcel_id = :p")
_GIVE_UP = text("UPDATE parcel SET state = 'cancelled', state_since_ms = :now, updated_ms = :now WHERE id = :p")
UPDATE_PARCEL = text(
    "UPDATE parcel SET "
    "state_since_ms = CASE WHEN state <> :state OR state_since_ms IS NULL THEN :updated_ms ELSE state_since_ms END, "
    "state = :state, remote_status = :remote_status, remote_id = :remote_id, "
    "waybill = CASE WHEN :waybill <> '' THEN :waybill ELSE waybill END, courier = CASE WHEN :courier <> '' THEN :courier ELSE courier END, "
    "pickup_code = CASE WHEN :pickup_code <> '' THEN :pickup_code ELSE pickup_code END, "
    "ship_by_ms = COALESCE(:ship_by_ms, ship_by_ms), booked_ms = COALESCE(booked_ms, :booked_ms), "
    "waybill_ms = COALESCE(waybill_ms, :waybill_ms), picked_up_ms = COALESCE(picked_up_ms, :picked_up_ms), "
    "delivered_ms = COALESCE(delivered_ms, :delivered_ms), updated_ms = :updated_ms WHERE id = :i"
)
