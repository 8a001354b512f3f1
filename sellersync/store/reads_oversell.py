"""The facts behind units sold beyond the stock: read-only functions that answer frozen values. `domain.oversell` decides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import RejectClass
from sellersync.domain.oversell import (
    Beyond,
    Change,
    ChangeKind,
    Facts,
    Number,
    Oversell,
    SaleFacts,
    SaleOfUnit,
    SentLevel,
    cause_of,
    level_with,
    not_included,
    shares,
    timeline,
    units_beyond,
)
from sellersync.domain.times import from_epoch_ms

from .posting import in_list

LOOK_BACK_MS = 2 * 86_400_000
"""Earlier sales and levels are looked at for so long before an oversell."""
ORDERS_MAX = 500
RUNS_BACK_MS = 3_600_000
"""A channel that is well looks at all its numbers many times in this time."""
LOCKS = frozenset({RejectClass.CAMPAIGN_LOCKED, RejectClass.CANNOT_DECREASE, RejectClass.BELOW_RESERVED})
LOCK_FINDINGS = ("cannot_decrease", "below_floor", "kept_back")


def oversells(session: Session, *, since_ms: int, until_ms: int) -> list[Oversell]:
    """Every unit sold beyond the stock by orders placed, or by counts entered for a moment, in a window; the oldest first."""
    return _autopsy(session, _skus_touched(session, since_ms, until_ms), since_ms, until_ms, only=None)


def oversells_of_order(session: Session, order_id: int) -> list[Oversell]:
    """The units of one order that were sold beyond the stock, whenever that showed."""
    skus = session.execute(
        text("SELECT DISTINCT sku_id FROM movement WHERE cause_kind = 'order' AND cause_id = :o"), {"o": order_id}
    )
    placed = session.execute(text("SELECT created_ms FROM sales_order WHERE id = :o"), {"o": order_id}).scalar_one()
    return _autopsy(session, list(skus.scalars()), placed, None, only=order_id)


def _skus_touched(session: Session, since_ms: int, until_ms: int) -> list[int]:
    """SKUs that orders took, or corrections changed, about this window."""
    rows = session.execute(
        text(
            "SELECT DISTINCT movement.sku_id FROM movement LEFT JOIN sales_order ON movement.cause_kind = 'order' "
            "AND sales_order.id = movement.cause_id WHERE movement.source = 'available' AND ("
            "(movement.occurred_ms >= :a AND movement.occurred_ms < :b) "
            "OR (sales_order.created_ms >= :a AND sales_order.created_ms < :b))"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return list(rows.scalars())


def _autopsy(
    session: Session, sku_ids: Sequence[int], since_ms: int, until_ms: int | None, *, only: int | None
) -> list[Oversell]:
    found: list[tuple[int, Oversell]] = []
    for place, shelf in _shelves(session, sku_ids, since_ms - LOOK_BACK_MS).items():
        case = _Case(session, place[0], shelf)
        for beyond in units_beyond(
            shelf.opening, shelf.changes, since_ms=shelf.counted_ms, reserved=_reserved(session, place, shelf)
        ):
            inside = beyond.at_ms >= since_ms and (until_ms is None or beyond.at_ms < until_ms)
            if inside and only in (None, beyond.order_id):
                found += [(beyond.at_ms, one) for one in case.opened(beyond)]
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].sku, pair[1].second.order))]


# ----------------------------------------------------------------------------------------------------------------------- the shelf


@dataclass(frozen=True, slots=True)
class _Shelf:
    """One SKU in one warehouse: units at the beginning of the window, what changed them since, and its first count."""

    opening: int
    changes: list[Change]
    counted_ms: int
    released: Mapping[int, int]
    """Sale after which a hold had run out (its change) -> when it had."""


def _shelves(session: Session, sku_ids: Sequence[int], since_ms: int) -> dict[tuple[int, int], _Shelf]:
    """(SKU, warehouse) -> its shelf from `since_ms` on, worked out backwards from today's balance."""
    if not sku_ids:
        return {}
    skus = in_list(sku_ids)
    available = session.execute(
        text(f"SELECT sku_id, warehouse_id, quantity FROM balance WHERE account = 'available' AND sku_id IN ({skus})")
    )
    now = {(row.sku_id, row.warehouse_id): int(row.quantity) for row in available}
    counts = session.execute(
        text(
            f"SELECT sku_id, warehouse_id, MIN(at_ms) FROM count_line WHERE sku_id IN ({skus}) GROUP BY sku_id, warehouse_id"
        )
    )
    counted = {(row[0], row[1]): int(row[2]) for row in counts}
    rows = session.execute(
        text(
            "SELECT movement.*, sales_order.created_ms AS placed_ms, sales_order.paid_ms FROM movement LEFT JOIN sales_order "
            "ON movement.cause_kind = 'order' AND sales_order.id = movement.cause_id "
            f"WHERE movement.sku_id IN ({skus}) AND 'available' IN (movement.source, movement.destination) "
            "AND movement.occurred_ms >= :since ORDER BY movement.id"
        ),
        {"since": since_ms},
    )
    reading = _Reading({place: [] for place in now}, {place: {} for place in now}, since_ms)
    for row in rows:
        reading.add(row)
    shelves = {}
    for place, quantity in now.items():
        inside = [change for change in reading.changes[place] if change.at_ms >= since_ms]
        opening = quantity - sum(change.units for change in inside)
        if place in counted:
            shelves[place] = _Shelf(opening, inside, counted[place] - 1, reading.released[place])
    return shelves


@dataclass(slots=True)
class _Reading:
    """Movements, in the order of recording, become changes in the order in which buyers and people made them."""

    changes: dict[tuple[int, int], list[Change]]
    released: dict[tuple[int, int], dict[int, int]]
    since_ms: int
    taken: dict[tuple[int, int, int], int] = field(default_factory=dict)
    """(SKU, warehouse, order) -> time of the version by which it last took units."""
    given_back: dict[tuple[int, int, int], int] = field(default_factory=dict)
    """The same -> when it gave units back unpaid."""

    def add(self, row: Any) -> None:
        out = row.source == "available"
        place = (row.sku_id, row.source_warehouse_id if out else row.destination_warehouse_id)
        units = -row.quantity if out else row.quantity
        if row.cause_kind != "order" or (row.destination if out else row.source) not in ("reserved", "shipped"):
            change = Change(row.id, row.occurred_ms, units, ChangeKind.CORRECTION)
        elif out:
            change = Change(row.id, self._sold_ms(row, (*place, row.cause_id)), units, ChangeKind.SALE, row.cause_id)
            if (*place, row.cause_id) in self.given_back:
                self.released[place][row.id] = self.given_back.pop((*place, row.cause_id))
            self.taken[*place, row.cause_id] = row.occurred_ms
        else:
            at_ms = row.occurred_ms
            if at_ms <= self.taken.get((*place, row.cause_id), at_ms - 1):
                at_ms = row.recorded_ms  # no newer version gave them back: its hold had run out
            if row.paid_ms is None or row.paid_ms >= at_ms:
                self.given_back[*place, row.cause_id] = at_ms
            change = Change(row.id, at_ms, units, ChangeKind.RELEASE, row.cause_id)
        self.changes[place].append(change)

    def _sold_ms(self, row: Any, order: tuple[int, int, int]) -> int:
        """An order takes units when it is placed; more of them, or again, when it is changed."""
        known = order in self.taken or order in self.given_back or (row.revision > 1 and row.placed_ms < self.since_ms)
        return int(row.occurred_ms if known else min(row.placed_ms, row.occurred_ms))


def _reserved(session: Session, place: tuple[int, int], shelf: _Shelf) -> list[tuple[int, int]]:
    """(order, units) that wait on the shelf for orders from before the window, the oldest first."""
    known = {change.order_id for change in shelf.changes}
    rows = session.execute(
        text(
            "SELECT order_position.order_id, order_position.reserved FROM order_position "
            "JOIN sales_order ON sales_order.id = order_position.order_id WHERE sku_id = :s AND order_position.warehouse_id = :w "
            "AND order_position.reserved > 0 ORDER BY sales_order.created_ms DESC, sales_order.id DESC LIMIT :n"
        ),
        {"s": place[0], "w": place[1], "n": ORDERS_MAX},
    )
    return [(row.order_id, row.reserved) for row in rows if row.order_id not in known][::-1]


# ------------------------------------------------------------------------------------------------------------------- one shelf's cases


class _Case:
    """Opens the cases of one SKU in one warehouse; what several of them need is read once."""

    def __init__(self, session: Session, sku_id: int, shelf: _Shelf) -> None:
        self._session = session
        self._sku_id = sku_id
        self._shelf = shelf
        self._known: dict[int, SaleFacts] = {}
        sku = session.execute(text("SELECT code, title FROM sku WHERE id = :s"), {"s": sku_id}).one()
        self._code, self._title = sku.code, sku.title

    def opened(self, beyond: Beyond) -> list[Oversell]:
        """The units of one order, one row for each earlier sale that they met."""
        second = self._sale(beyond.order_id)
        if beyond.kind is ChangeKind.CORRECTION:
            facts = Facts(second, corrected_ms=beyond.at_ms, first_count=beyond.at_ms <= self._shelf.counted_ms + 1)
            return [self._told(facts, beyond.units)]
        released_ms = self._shelf.released.get(beyond.change_id)
        if released_ms is not None:
            return [self._told(Facts(second, released_ms=released_ms), beyond.units)]
        targets = _targets(self._session, self._sku_id, beyond.order_id)
        numbers = _numbers(self._session, targets, second.placed_ms)
        pending = not_included(second, self._earlier(beyond), numbers)
        edited, locked = _troubles(self._session, targets, second.placed_ms)
        return [
            self._told(
                Facts(
                    second, first, None if first is None else level_with(first, numbers), edited=edited, locked=locked
                ),
                units,
            )
            for first, units in shares(beyond.units, pending)
        ]

    def _earlier(self, beyond: Beyond) -> list[SaleFacts]:
        """The sales that stood when the unit was sold."""
        net: dict[int, int] = {}
        for change in self._shelf.changes:
            before = (change.at_ms, change.id) < (beyond.at_ms, beyond.change_id)
            if change.order_id is not None and change.order_id != beyond.order_id and before:
                net[change.order_id] = net.get(change.order_id, 0) - change.units
        standing = [order_id for order_id, units in net.items() if units > 0][-ORDERS_MAX:]
        return [replace(self._sale(order_id), units=net[order_id]) for order_id in standing]

    def _sale(self, order_id: int) -> SaleFacts:
        if order_id not in self._known:
            self._known[order_id] = _sale(self._session, self._sku_id, order_id)
        return self._known[order_id]

    def _told(self, facts: Facts, units: int) -> Oversell:
        first, second = facts.first, facts.second
        at_ms = facts.corrected_ms if facts.corrected_ms is not None else second.placed_ms
        return Oversell(
            self._code,
            self._title,
            units,
            cause_of(facts),
            None if first is None else _name(self._session, first.order_id),
            _name(self._session, second.order_id),
            from_epoch_ms(at_ms, where="oversell"),
            timeline(facts),
        )


def _sale(session: Session, sku_id: int, order_id: int) -> SaleFacts:
    row = session.execute(
        text(
            "SELECT sales_order.channel_id, sales_order.created_ms, sales_order.paid_ms, sales_order.seen_ms, "
            "MIN(movement.recorded_ms) AS moved_ms, MIN(movement.id) AS version, "
            "(SELECT MAX(recipe.created_ms) FROM order_line JOIN recipe ON recipe.id = order_line.recipe_id "
            "JOIN recipe_item ON recipe_item.recipe_id = recipe.id "
            "WHERE order_line.order_id = :o AND recipe_item.sku_id = :s) AS mapped_ms "
            "FROM sales_order JOIN movement ON movement.cause_kind = 'order' AND movement.cause_id = sales_order.id "
            "AND movement.sku_id = :s AND movement.source = 'available' WHERE sales_order.id = :o "
            "GROUP BY sales_order.channel_id, sales_order.created_ms, sales_order.paid_ms, sales_order.seen_ms"
        ),
        {"o": order_id, "s": sku_id},
    ).one()
    unmapped = row.mapped_ms is not None and row.mapped_ms > row.seen_ms and row.moved_ms > row.seen_ms
    return SaleFacts(
        order_id, row.channel_id, row.created_ms, row.paid_ms, row.seen_ms, row.moved_ms, row.version, unmapped=unmapped
    )


def _name(session: Session, order_id: int) -> SaleOfUnit:
    row = session.execute(
        text(
            "SELECT channel.slug, remote_id, number FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
            "WHERE sales_order.id = :o"
        ),
        {"o": order_id},
    ).one()
    return SaleOfUnit(row.slug, row.remote_id, row.number)


@dataclass(frozen=True, slots=True)
class _Target:
    id: int
    channel_id: int
    remote_key: str
    subject: str


def _targets(session: Session, sku_id: int, order_id: int) -> list[_Target]:
    """The numbers through which an order bought a SKU."""
    rows = session.execute(
        text(
            "SELECT DISTINCT target.id, target.channel_id, target.remote_key, target.location FROM order_line "
            "JOIN recipe_item ON recipe_item.recipe_id = order_line.recipe_id JOIN target ON target.id = order_line.target_id "
            "WHERE order_line.order_id = :o AND recipe_item.sku_id = :s ORDER BY target.id"
        ),
        {"o": order_id, "s": sku_id},
    )
    return [
        _Target(row.id, row.channel_id, row.remote_key, f"{row.remote_key}@{row.location}".rstrip("@")) for row in rows
    ]


def _numbers(session: Session, targets: Sequence[_Target], at_ms: int) -> list[Number]:
    found = []
    for target in targets:
        sent = session.execute(
            text(
                "SELECT ledger_version, wanted_ms, sent_ms, answered_ms, outcome, level FROM push WHERE target_id = :t "
                "AND (sent_ms >= :since OR id = (SELECT MAX(id) FROM push WHERE target_id = :t AND outcome = 'applied' "
                "AND answered_ms <= :at)) ORDER BY id"
            ),
            {"t": target.id, "since": at_ms - LOOK_BACK_MS, "at": at_ms},
        )
        runs = session.execute(
            text(
                "SELECT started_ms, ended_ms, counts FROM job_run WHERE job = 'push_stock' AND outcome = 'ok' "
                "AND channel_id = :c AND started_ms >= :since AND started_ms <= :at AND ended_ms IS NOT NULL ORDER BY id"
            ),
            {"c": target.channel_id, "since": at_ms - RUNS_BACK_MS, "at": at_ms},
        )
        orders = session.execute(
            text("SELECT DISTINCT order_id FROM order_line WHERE target_id = :t ORDER BY order_id DESC LIMIT :n"),
            {"t": target.id, "n": ORDERS_MAX},
        )
        found.append(
            Number(
                target.channel_id,
                [
                    SentLevel(row.ledger_version, row.wanted_ms, row.sent_ms, row.answered_ms, row.outcome == "applied", row.level)
                    for row in sent
                ],
                [(row.started_ms, row.ended_ms) for row in runs if "waiting_for_pull" not in json.loads(row.counts)],
                frozenset(orders.scalars()),
            )
        )  # fmt: skip
    return found


def _troubles(session: Session, targets: Sequence[_Target], at_ms: int) -> tuple[bool, bool]:
    """(Was one of these numbers found edited by hand about then? Did the channel keep us from lowering one of them?)"""
    edited = locked = False
    for target in targets:
        rows = session.execute(
            text(
                "SELECT kind, details, since_ms, closed_ms FROM finding WHERE channel_id = :c AND subject IN (:s, :k) "
                "AND kind IN ('difference', 'push_refused', 'cannot_decrease', 'below_floor', 'kept_back') "
                "AND since_ms <= :at AND (closed_ms IS NULL OR closed_ms >= :at)"
            ),
            {"c": target.channel_id, "s": target.subject, "k": target.remote_key, "at": at_ms},
        )
        for row in rows:
            details = json.loads(row.details)
            if row.kind == "difference":
                edited = edited or (details.get("class") == "edited_by_hand" and _raised(details))
                locked = locked or details.get("class") == "campaign_return"
            else:
                locked = locked or row.kind in LOCK_FINDINGS or details.get("class") in LOCKS
    return edited, locked


def _raised(details: Mapping[str, object]) -> bool:
    shown, expected = details.get("shown"), details.get("expected")
    return not (isinstance(shown, int) and isinstance(expected, int) and shown < expected)
