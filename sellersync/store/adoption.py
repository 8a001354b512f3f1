"""Parcels that the provider shows, brought into the ledger page by page. The provider's newest view decides which unit is in which.

Parcels are split, combined and replaced in the seller centre: a unit goes over to the parcel that shows it, from one that no longer
does. A unit that two parcels of one view claim needs a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.orders import Order, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel

from .bulk import insert_many, new_ids, run_many, select_in
from .findings import raise_finding
from .parcel_events import Seen, keep_events
from .parcels import (
    FREE_UNITS,
    NOT_YET_KNOWN,
    UPDATE_PARCEL,
    UnitKey,
    differs,
    is_line,
    looks_different,
    parcel_values,
)
from .posting import LineWork, OrderWork
from .tables import ParcelRow

_PARCEL = ParcelRow.__table__  # type: ignore[attr-defined]


@dataclass(slots=True)
class _New:
    """A parcel that this page shows for the first time; it may hold units of several orders of the page. Its id comes later."""

    number: int
    values: dict[str, Any]
    units: list[UnitKey] = field(default_factory=list)

    @property
    def id(self) -> int:
        return -self.number


@dataclass(slots=True)
class _Known:
    """Parcels that the ledger holds already, as far as a page may touch them, and what the page changes."""

    by_id: dict[int, Any] = field(default_factory=dict)
    by_remote: dict[str, Any] = field(default_factory=dict)
    by_order: dict[int, list[Any]] = field(default_factory=dict)
    units: dict[int, dict[str, int]] = field(default_factory=dict)  # line id -> its live units -> parcel id
    updates: list[dict[str, Any]] = field(default_factory=list)
    inserts: list[_New] = field(default_factory=list)
    freed: list[tuple[int, int, str]] = field(default_factory=list)  # parcel, line, unit
    added: list[tuple[int, int, str]] = field(default_factory=list)
    emptied: set[int] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)

    def keep(self, row: Any) -> None:
        self.by_id[row.id] = row
        if row.remote_id:
            self.by_remote[row.remote_id] = row

    def free(self, line_id: int, key: str) -> None:
        self.freed.append((self.units[line_id].pop(key), line_id, key))


def adopt_parcels(session: Session, channel_id: int, items: Sequence[tuple[OrderWork, Order]], *, now_ms: int) -> int:
    """Bring the parcels that the provider shows for these orders into the ledger. Returns how many changed."""
    items = [(work, order) for work, order in items if order.parcels]
    if not items:
        return 0
    known = _load_known(session, channel_id, items)
    for work, order in items:
        shown = [(remote, _row_of(known, work, remote, now_ms)) for remote in order.parcels]
        for remote, row in shown:
            _let_go(session, known, work, remote, row, now_ms)
        kept = {row.id for _, row in shown}
        absent = {
            parcel_id
            for line in work.lines
            for parcel_id in known.units.get(line.id, {}).values()
            if parcel_id not in kept and parcel_id in known.by_id and not _has_left(known.by_id[parcel_id])
        }
        for remote, row in shown:
            if remote.state.live:
                _take(session, known, work, remote, row, absent, now_ms)
        known.emptied |= absent
    _write(session, channel_id, known, now_ms)
    return len(known.updates) + len(known.inserts)


def _load_known(session: Session, channel_id: int, items: Sequence[tuple[OrderWork, Order]]) -> _Known:
    known = _Known()
    remote_ids = sorted({remote.remote_id for _, order in items for remote in order.parcels if remote.remote_id})
    for row in select_in(session, _BY_REMOTE_ID, remote_ids, channel_id):
        known.keep(row)
    old = [work for work, _ in items if not work.new]
    own = select_in(session, "SELECT * FROM parcel WHERE order_id IN", [work.id for work in old])
    for row in sorted(own, key=lambda row: row.id):
        known.keep(row)
        known.by_order.setdefault(row.order_id, []).append(row)
    lines = [line.id for work in old for line in work.lines]
    for row in select_in(
        session, "SELECT parcel_id, line_id, unit_key FROM parcel_unit WHERE live AND line_id IN", lines
    ):
        known.units.setdefault(row.line_id, {})[row.unit_key] = row.parcel_id
    others = {parcel_id for held in known.units.values() for parcel_id in held.values()} - set(known.by_id)
    for row in select_in(session, "SELECT * FROM parcel WHERE id IN", sorted(others)):
        known.keep(row)
    return known


def _row_of(known: _Known, work: OrderWork, remote: RemoteParcel, now_ms: int) -> Any:
    """The ledger's row of a parcel that the provider shows: known by its number, one of our own making, or new."""
    row = known.by_remote.get(remote.remote_id) or _own_candidate(known, work, remote)
    if row is None:
        siblings = known.by_order.setdefault(work.id, [])
        values = {"order_id": work.id, "number": len(siblings) + 1, **parcel_values(remote, now_ms)}
        row = _New(len(known.inserts) + 1, values)
        known.inserts.append(row)
        siblings.append(row)
    elif not isinstance(row, _New) and differs(row, remote):
        values = parcel_values(remote, now_ms)
        known.updates.append({"i": row.id, **values})
        if looks_different(row, values):
            known.seen.append((row.id, values["state"], remote.remote_status, now_ms))
    known.by_remote[remote.remote_id] = row
    return row


def _own_candidate(known: _Known, work: OrderWork, remote: RemoteParcel) -> Any:
    """Our own parcel that the provider now shows under its number: same order, not yet named, sharing a unit (or the only one)."""
    waiting = [
        row
        for row in known.by_order.get(work.id, ())
        if not isinstance(row, _New)
        and row.remote_id == ""
        and row.courier_channel_id is None
        and ParcelState(row.state).live
    ]
    if not waiting:
        return None
    named_already = {row.id for row in known.by_remote.values()}
    names = set(remote.unit_keys)
    for row in waiting:
        if row.id in named_already:
            continue
        held = {key for units in known.units.values() for key, parcel_id in units.items() if parcel_id == row.id}
        if not names or held & names or not any(unit.key for line in work.lines for unit in line.line.units):
            return row
    return None


def _let_go(session: Session, known: _Known, work: OrderWork, remote: RemoteParcel, row: Any, now_ms: int) -> None:
    """Units that the parcel no longer holds are free for another; what left the shelf in it stays noted there."""
    if isinstance(row, _New) or _has_left(row):
        return
    if not remote.state.live:
        session.execute(FREE_UNITS, {"p": row.id})
    for line in work.lines:
        held = known.units.get(line.id, {})
        mine = [key for key, parcel_id in held.items() if parcel_id == row.id]
        for key in mine if not remote.state.live else _surplus(line, remote, mine):
            known.free(line.id, key)


def _has_left(row: Any) -> bool:
    """The courier has it, by the provider's word or by our own hand-over."""
    return row.picked_up_ms is not None or row.handed_ms is not None


def _surplus(line: LineWork, remote: RemoteParcel, mine: list[str]) -> list[str]:
    if line.line.named:
        return [key for key in mine if key not in remote.unit_keys] if remote.unit_keys else []
    if not remote.units:
        return []
    count = sum(number for key, number in remote.units if is_line(line, key))
    return sorted(mine, key=_number)[count:]


def _number(key: str) -> int:
    return int(key.removeprefix("#")) if key.startswith("#") else 0


def _take(
    session: Session, known: _Known, work: OrderWork, remote: RemoteParcel, row: Any, absent: set[int], now_ms: int
) -> None:
    """Note the units of this order that are in the parcel, also those of a parcel that the provider no longer shows."""
    for line in work.lines:
        held = known.units.setdefault(line.id, {})
        for key in _wanted(line, remote, held, row.id, absent):
            holder = held.get(key)
            if holder == row.id:
                continue
            if holder in absent:
                known.free(line.id, key)
            elif holder is not None:
                raise_finding(session, "unit_in_two_parcels", f"{remote.remote_id}", now_ms=now_ms,
                              details={"parcel": remote.remote_id, "other_parcel": holder})  # fmt: skip
                continue
            held[key] = row.id
            if isinstance(row, _New):
                row.units.append((line.id, key))
            else:
                known.added.append((row.id, line.id, key))


def _wanted(
    line: LineWork, remote: RemoteParcel, held: Mapping[str, int], parcel_id: int, absent: set[int]
) -> Iterable[str]:
    """The units of a line that the remote parcel holds; counted ones as far as `parcel_id` does not hold enough of them yet."""
    units = line.line.units
    names = [unit.key for unit in units if unit.key]
    if names:
        return [name for name in names if name in remote.unit_keys] if remote.unit_keys or remote.units else names
    if remote.units:
        count = sum(number for key, number in remote.units if is_line(line, key))
    else:
        count = sum(unit.count for unit in units if unit.stage is not UnitStage.CANCELLED)
    if not held:
        return [f"#{number}" for number in range(1, min(count, line.line.quantity) + 1)]
    missing = max(count - list(held.values()).count(parcel_id), 0)
    free = (f"#{number}" for number in range(1, line.line.quantity + 1) if f"#{number}" not in held)
    left_over = [key for key, holder in held.items() if holder in absent]
    return list(islice(chain(free, left_over), missing))


def _write(session: Session, channel_id: int, known: _Known, now_ms: int) -> None:
    connection = session.connection()
    if known.updates:
        connection.execute(UPDATE_PARCEL, known.updates)
    run_many(session, _FREE_UNIT, known.freed)
    if known.inserts:
        for new, parcel_id in zip(known.inserts, new_ids(session, _PARCEL, len(known.inserts)), strict=True):
            new.values["id"] = parcel_id
            known.seen.append((parcel_id, new.values["state"], new.values["remote_status"], now_ms))
            known.added += [(parcel_id, line_id, key) for line_id, key in new.units]
        fixed = {"channel_id": channel_id, "created_ms": now_ms, "state_since_ms": now_ms, **NOT_YET_KNOWN}
        insert_many(session, _PARCEL, [new.values for new in known.inserts], fixed)
    run_many(session, _ADD_UNIT, known.added)
    for parcel_id in sorted(known.emptied):
        if connection.execute(_GIVE_UP_EMPTY, {"p": parcel_id, "now": now_ms}).rowcount:
            known.seen.append((parcel_id, ParcelState.CANCELLED.value, "", now_ms))
    keep_events(session, known.seen)


# SQLite takes the partial index only where the query says that no remote id is empty.
_BY_REMOTE_ID = "SELECT * FROM parcel WHERE channel_id = ? AND remote_id <> '' AND remote_id IN"
_FREE_UNIT = "UPDATE parcel_unit SET live = FALSE WHERE parcel_id = ? AND line_id = ? AND unit_key = ?"
_ADD_UNIT = (
    "INSERT INTO parcel_unit (parcel_id, line_id, unit_key, live) VALUES (?, ?, ?, TRUE) "
    "ON CONFLICT (parcel_id, line_id, unit_key) DO UPDATE SET live = TRUE"
)
_GIVE_UP_EMPTY = text(
    "UPDATE parcel SET state = 'cancelled', state_since_ms = :now, updated_ms = :now WHERE id = :p "
    "AND NOT EXISTS (SELECT 1 FROM parcel_unit WHERE parcel_id = :p AND live) "
    "AND NOT EXISTS (SELECT 1 FROM claim WHERE parcel_id = :p AND state IN ('open', 'person'))"
)
