"""The queue of the packing desk: everything that lies on the shelf for an open order, with its deadline, over all channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import ParcelState
from sellersync.domain.queue import DeskRules, Facts, Group, Reason, place, promise, split
from sellersync.domain.times import from_epoch_ms


@dataclass(frozen=True, slots=True)
class Item:
    """Units of one order line."""

    title: str
    seller_sku: str
    units: int


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """The units of one order that lie in one parcel, or in none yet (`parcel_id`, `parcel` and `state` are `None` then).

    `units` are listing units. `deadline` is the ship-by time, `leave_by` the
    collection that keeps it, `due` the shop's day on which that is; `None` where no deadline is known.
    """

    channel: str
    order: str
    number: str
    parcel_id: int | None
    parcel: int | None
    state: ParcelState | None
    order_state: OrderState
    remote_status: str
    courier: str
    service: str
    waybill: str
    units: int
    contents: tuple[Item, ...]
    packed: bool
    group: Group
    reason: Reason | None
    late: bool
    deadline: datetime | None
    leave_by: datetime | None
    cut_off_missed: bool
    due: date | None
    placed: datetime

    @property
    def subject(self) -> str:
        """What a finding calls it."""
        return self.order if self.parcel is None else f"{self.order}/{self.parcel}"


_GROUPS = {group: index for index, group in enumerate(Group)}


def queue(session: Session, rules: DeskRules, *, now: datetime, channel_id: int | None = None) -> list[QueueEntry]:
    """Every unit that an open order holds on the shelf, in exactly one entry: by group, then by deadline."""
    only = {"c": channel_id}
    orders: dict[int, list[Any]] = {}
    for line in session.execute(_LINES, only):
        orders.setdefault(line.order_id, []).append(line)
    parcels: dict[int, dict[int, tuple[Any, dict[int, int]]]] = {}
    for row in session.execute(_PARCELS, only):
        own = parcels.setdefault(row.order_id, {})
        own.setdefault(row.parcel_id, (row, {}))[1][row.line_id] = int(row.units)
    context = _Context(session, rules, now)
    entries = [
        entry for order_id, lines in orders.items() for entry in context.entries(lines, parcels.get(order_id, {}))
    ]
    entries.sort(key=_urgency)
    return entries


def _urgency(entry: QueueEntry) -> tuple[Any, ...]:
    known = entry.deadline is not None
    return (
        _GROUPS[entry.group],
        not known,
        entry.deadline or entry.placed,
        entry.placed,
        entry.order,
        entry.parcel or 0,
    )


class _Context:
    """What concerns many entries, read once."""

    def __init__(self, session: Session, rules: DeskRules, now: datetime) -> None:
        self.rules = rules
        self.now = now
        self.claims: dict[int, str] = {row.parcel_id: row.state for row in session.execute(_CLAIMS)}
        self.short = _short_lines(session.execute(_SHORT))
        self.refused: set[int] = set()
        self.no_balance = False
        for row in session.execute(_REFUSALS):
            if row.kind == "courier_balance":
                self.no_balance = True
            elif row.subject.isdecimal():
                self.refused.add(int(row.subject))

    def entries(self, lines: list[Any], parcels: dict[int, tuple[Any, dict[int, int]]]) -> Iterable[QueueEntry]:
        on_shelf = {line.line_id: line.on_shelf for line in lines}
        held = split(on_shelf, [(parcel_id, claimed) for parcel_id, (_, claimed) in parcels.items()])
        for parcel, units in zip([*(row for row, _ in parcels.values()), None], held, strict=True):
            if units:
                yield self._entry([line for line in lines if line.line_id in units], parcel, units)

    def _entry(self, lines: list[Any], parcel: Any, units: dict[int, int]) -> QueueEntry:
        order = lines[0]
        deadline = self._deadline(order, parcel)
        own_site = order.slug in self.rules.own_sites
        facts = Facts(
            OrderState(order.state),
            None if parcel is None else ParcelState(parcel.state),
            deadline,
            "" if parcel is None else parcel.courier,
            unreadable=order.problems not in ("", "[]"),
            parked_line=any(line.parked for line in lines),
            short=any(line.line_id in self.short for line in lines),
            claim="" if parcel is None else self.claims.get(parcel.parcel_id, ""),
            cancelling=parcel is not None and parcel.cancel in ("asked", "sent", "pending"),
            balance=self.no_balance and own_site,
            refused=parcel is not None and parcel.parcel_id in self.refused,
        )
        placed = place(facts, self.rules, self.now)
        return QueueEntry(
            channel=order.slug,
            order=order.remote_id,
            number=order.number,
            parcel_id=None if parcel is None else parcel.parcel_id,
            parcel=None if parcel is None else parcel.number,
            state=facts.parcel_state,
            order_state=facts.order_state,
            remote_status=order.remote_status if parcel is None else parcel.remote_status,
            courier=facts.courier,
            service=order.courier_service if parcel is None else parcel.service or order.courier_service,
            waybill="" if parcel is None else parcel.waybill or parcel.pickup_code,
            units=sum(units.values()),
            contents=tuple(Item(line.title, line.seller_sku, units[line.line_id]) for line in lines),
            packed=parcel is not None and parcel.packed_ms is not None,
            group=placed.group,
            reason=placed.reason,
            late=placed.late,
            deadline=deadline,
            leave_by=placed.leave_by,
            cut_off_missed=placed.cut_off_missed,
            due=placed.day,
            placed=_at(order.created_ms),
        )

    def _deadline(self, order: Any, parcel: Any) -> datetime | None:
        """The parcel's own deadline, else the order's; the own site's is the seller's promise."""
        told = parcel.ship_by_ms if parcel is not None and parcel.ship_by_ms is not None else order.ship_by_ms
        if told is not None:
            return _at(told)
        if order.slug not in self.rules.own_sites:
            return None
        paid_at = None if order.paid_ms is None else _at(order.paid_ms)
        return promise(OrderState(order.state), paid_at=paid_at, placed_at=_at(order.created_ms), rules=self.rules)


def _short_lines(rows: Iterable[Any]) -> set[int]:
    """The lines that the shortage of a SKU hits: the newest orders', as many as are missing."""
    missing: dict[tuple[int, int], int] = {}
    short: set[int] = set()
    for row in rows:
        key = (row.sku_id, row.warehouse_id)
        left = missing.setdefault(key, -int(row.available))
        if left > 0:
            short.add(row.line_id)
            missing[key] = left - int(row.units)
    return short


def _at(ms: int) -> datetime:
    return from_epoch_ms(ms, where="queue")


_OPEN = (
    "sales_order.state IN ('unpaid', 'held', 'ready', 'booked', 'shipped', 'delivered', 'cancel_requested', 'returning', 'unknown') "
    "AND (CAST(:c AS BIGINT) IS NULL OR sales_order.channel_id = CAST(:c AS BIGINT))"
)
_LINES = text(
    "SELECT sales_order.id AS order_id, channel.slug, sales_order.remote_id, sales_order.number, sales_order.state, "
    "sales_order.remote_status, sales_order.problems, sales_order.ship_by_ms, sales_order.paid_ms, sales_order.created_ms, "
    "sales_order.courier_service, order_line.id AS line_id, order_line.on_shelf, order_line.title, order_line.seller_sku, "
    "CASE WHEN order_line.recipe_id IS NULL OR order_line.warehouse_id IS NULL THEN 1 ELSE 0 END AS parked "
    "FROM sales_order JOIN channel ON channel.id = sales_order.channel_id JOIN order_line ON order_line.order_id = sales_order.id "
    f"WHERE {_OPEN} AND order_line.on_shelf > 0 ORDER BY sales_order.id, order_line.id"
)
_PARCELS = text(
    "SELECT sales_order.id AS order_id, parcel.id AS parcel_id, parcel.number, parcel.state, parcel.remote_status, parcel.courier, "
    "parcel.service, parcel.waybill, parcel.pickup_code, parcel.ship_by_ms, parcel.packed_ms, parcel.cancel, parcel_unit.line_id, "
    "COUNT(*) AS units FROM sales_order JOIN order_line ON order_line.order_id = sales_order.id "
    "JOIN parcel_unit ON parcel_unit.line_id = order_line.id JOIN parcel ON parcel.id = parcel_unit.parcel_id "
    f"WHERE {_OPEN} AND order_line.on_shelf > 0 AND parcel_unit.live AND parcel.picked_up_ms IS NULL AND parcel.handed_ms IS NULL "
    "GROUP BY sales_order.id, parcel.id, parcel.number, parcel.state, parcel.remote_status, parcel.courier, parcel.service, "
    "parcel.waybill, parcel.pickup_code, parcel.ship_by_ms, parcel.packed_ms, parcel.cancel, parcel_unit.line_id "
    "ORDER BY parcel.id, parcel_unit.line_id"
)
_CLAIMS = text("SELECT parcel_id, state FROM claim WHERE state IN ('open', 'person')")
_SHORT = text(
    "SELECT balance.sku_id, balance.warehouse_id, balance.quantity AS available, order_line.id AS line_id, "
    "order_line.on_shelf * recipe_item.quantity AS units FROM balance "
    "JOIN order_position ON order_position.sku_id = balance.sku_id AND order_position.warehouse_id = balance.warehouse_id "
    "JOIN sales_order ON sales_order.id = order_position.order_id "
    "JOIN order_line ON order_line.order_id = sales_order.id AND order_line.warehouse_id = balance.warehouse_id "
    "JOIN recipe_item ON recipe_item.recipe_id = order_line.recipe_id AND recipe_item.sku_id = balance.sku_id "
    "WHERE balance.account = 'available' AND balance.quantity < 0 AND order_line.on_shelf > 0 "
    "ORDER BY balance.sku_id, balance.warehouse_id, sales_order.created_ms DESC, order_line.id DESC"
)
_REFUSALS = text(
    "SELECT kind, subject FROM finding WHERE kind IN ('booking_refused', 'courier_balance') AND closed_ms IS NULL"
)
