"""What the daily report reads: read-only functions of a session that answer frozen values.

Days and windows are half open, [since, until), in unix milliseconds. Amounts are whole rupiah, `None` when unknown. What tells how
fast sales reached the other channels is read in `reads_exposure`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.orders import UnitStage

from .posting import in_list, unpack_units

CHUNK_IDS_MAX = 500


# ------------------------------------------------------------------------------------------------------------------------- channels


@dataclass(frozen=True, slots=True)
class ChannelFact:
    """A channel or courier account as the ledger knows it."""

    id: int
    slug: str
    provider: str
    kind: str
    state: str
    trouble: str
    created_ms: int
    first_walk_done_ms: int | None
    trouble_since_ms: int | None
    last_pull_ms: int | None
    last_push_ms: int | None


def channels(session: Session) -> list[ChannelFact]:
    """Every channel and courier account ever configured, sales channels first, by slug."""
    rows = session.execute(
        text(
            "SELECT id, slug, provider, kind, state, trouble, created_ms, first_walk_done_ms, trouble_since_ms, last_pull_ms, "
            "last_push_ms FROM channel ORDER BY kind, slug"
        )
    )
    return [ChannelFact(*row) for row in rows]


# ------------------------------------------------------------------------------------------------------------------------- findings


@dataclass(frozen=True, slots=True)
class FindingFact:
    """One open finding. `channel` is a slug, "" when it concerns none."""

    kind: str
    channel: str
    subject: str
    details: Mapping[str, Any]
    since_ms: int
    deadline_ms: int | None


@dataclass(frozen=True, slots=True)
class FindingKind:
    """The open findings of one kind: how many per channel slug, and the first few, the nearest deadline and the oldest first."""

    kind: str
    total: int
    by_channel: tuple[tuple[str, int], ...]
    first: tuple[FindingFact, ...]


def open_findings(session: Session, *, per_kind_max: int) -> list[FindingKind]:
    """All open findings by kind, with the first `per_kind_max` of each in full."""
    counts: dict[str, list[tuple[str, int]]] = {}
    for row in session.execute(
        text(
            "SELECT finding.kind, COALESCE(channel.slug, '') AS slug, COUNT(*) AS open FROM finding "
            "LEFT JOIN channel ON channel.id = finding.channel_id WHERE finding.closed_ms IS NULL "
            "GROUP BY finding.kind, COALESCE(channel.slug, '') ORDER BY finding.kind, slug"
        )
    ):
        counts.setdefault(row.kind, []).append((row.slug, int(row.open)))
    first = _first_findings(session, per_kind_max)
    return [
        FindingKind(kind, sum(count for _, count in by_channel), tuple(by_channel), tuple(first.get(kind, ())))
        for kind, by_channel in counts.items()
    ]


def _first_findings(session: Session, per_kind_max: int) -> dict[str, list[FindingFact]]:
    rows = session.execute(
        text(
            "SELECT kind, slug, subject, details, since_ms, deadline_ms FROM (SELECT finding.kind, COALESCE(channel.slug, '') AS slug, "
            "finding.subject, finding.details, finding.since_ms, finding.deadline_ms, ROW_NUMBER() OVER (PARTITION BY finding.kind "
            "ORDER BY CASE WHEN finding.deadline_ms IS NULL THEN 1 ELSE 0 END, finding.deadline_ms, finding.since_ms, finding.id) AS place "
            "FROM finding LEFT JOIN channel ON channel.id = finding.channel_id WHERE finding.closed_ms IS NULL) AS ranked "
            "WHERE place <= :n ORDER BY kind, place"
        ),
        {"n": per_kind_max},
    )
    found: dict[str, list[FindingFact]] = {}
    for row in rows:
        details = json.loads(row.details)
        slug, more = _named(session, row.kind, row.subject, details)
        fact = FindingFact(row.kind, row.slug or slug, row.subject, {**details, **more}, row.since_ms, row.deadline_ms)
        found.setdefault(row.kind, []).append(fact)
    return found


_OWN_ORDER = re.compile(r"order (\d+) line \d+")


def _named(session: Session, kind: str, subject: str, details: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(channel slug, details) that people know a finding by, where it holds only the ledger's own row ids."""
    if kind == "return_due" and (own := _OWN_ORDER.fullmatch(subject)):
        row = session.execute(
            text(
                "SELECT channel.slug, sales_order.remote_id FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
                "WHERE sales_order.id = :o"
            ),
            {"o": int(own[1])},
        ).first()
        return (row.slug, {"order": row.remote_id}) if row else ("", {})
    if kind in ("booking_refused", "booking_unsettled") and subject.isdecimal():
        row = _parcel_names(session, int(subject))
        return (row.slug, {}) if row else ("", {})
    if kind == "unit_in_two_parcels" and isinstance(details.get("other_parcel"), int):
        row = _parcel_names(session, details["other_parcel"])
        return (
            (row.slug, {"order": row.order_remote, "other_parcel": row.remote_id or row.waybill}) if row else ("", {})
        )
    if kind == "cancelled_but_booked":
        order = subject.rpartition("/")[0]
        row = session.execute(
            text(
                "SELECT channel.slug FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
                "WHERE sales_order.remote_id = :o ORDER BY sales_order.id DESC"
            ),
            {"o": order},
        ).first()
        return (row.slug if row else "", {"order": order})
    return "", {}


def _parcel_names(session: Session, parcel_id: int) -> Any:
    return session.execute(
        text(
            "SELECT channel.slug, parcel.remote_id, parcel.waybill, sales_order.remote_id AS order_remote FROM parcel "
            "JOIN channel ON channel.id = parcel.channel_id JOIN sales_order ON sales_order.id = parcel.order_id WHERE parcel.id = :p"
        ),
        {"p": parcel_id},
    ).first()


def findings_between(session: Session, *, since_ms: int, until_ms: int) -> tuple[int, int]:
    """(how many findings were opened, how many were closed) in a window."""
    row = session.execute(
        text(
            "SELECT SUM(CASE WHEN since_ms >= :a AND since_ms < :b THEN 1 ELSE 0 END) AS opened, "
            "SUM(CASE WHEN closed_ms >= :a AND closed_ms < :b THEN 1 ELSE 0 END) AS closed FROM finding"
        ),
        {"a": since_ms, "b": until_ms},
    ).one()
    return int(row.opened or 0), int(row.closed or 0)


# --------------------------------------------------------------------------------------------------------------------------- orders


@dataclass(frozen=True, slots=True)
class OrderFact:
    """An order by when it was placed. `units` are those not cancelled; `goods` is their price without shipping, `None` when a price
    is unknown."""

    id: int
    channel_id: int
    storefront: str
    state: str
    placed_ms: int
    units: int
    goods: int | None


def orders_placed(session: Session, *, since_ms: int, until_ms: int) -> list[OrderFact]:
    """Orders placed in a window, by the provider's time, as the ledger holds them now."""
    rows = session.execute(
        text(
            "SELECT id, channel_id, storefront, state, created_ms, goods_total FROM sales_order "
            "WHERE created_ms >= :a AND created_ms < :b ORDER BY created_ms, id"
        ),
        {"a": since_ms, "b": until_ms},
    ).all()
    lines = _lines_of(session, [row.id for row in rows])
    facts = []
    for row in rows:
        units, goods = _goods(lines.get(row.id, []), row.goods_total)
        facts.append(OrderFact(row.id, row.channel_id, row.storefront, row.state, row.created_ms, units, goods))
    return facts


def _lines_of(session: Session, order_ids: Sequence[int]) -> dict[int, list[tuple[int | None, str]]]:
    lines: dict[int, list[tuple[int | None, str]]] = {}
    for chunk in _chunks(order_ids):
        query = f"SELECT order_id, unit_price, units FROM order_line WHERE order_id IN ({in_list(chunk)}) ORDER BY id"
        for row in session.execute(text(query)):
            lines.setdefault(row.order_id, []).append((row.unit_price, row.units))
    return lines


def _goods(lines: Sequence[tuple[int | None, str]], goods_total: int | None) -> tuple[int, int | None]:
    """(units not cancelled, their price). Where a line has no price the order's own total stands in, unless units were cancelled."""
    kept = cancelled = 0
    goods: int | None = 0
    for price, packed in lines:
        units = unpack_units(packed)
        wanted = sum(unit.count for unit in units if unit.stage is not UnitStage.CANCELLED)
        cancelled += sum(unit.count for unit in units) - wanted
        kept += wanted
        if wanted:
            goods = None if goods is None or price is None else goods + price * wanted
    if goods is None and not cancelled:
        goods = goods_total
    return kept, goods


def cancelled_from_before(session: Session, *, since_ms: int, until_ms: int) -> dict[tuple[int, str], int]:
    """(channel id, storefront) -> orders cancelled in a window that had been placed before it."""
    rows = session.execute(
        text(
            "SELECT channel_id, storefront, COUNT(*) AS orders FROM sales_order WHERE state = 'cancelled' AND created_ms < :a "
            "AND COALESCE(cancelled_ms, updated_ms) >= :a AND COALESCE(cancelled_ms, updated_ms) < :b GROUP BY channel_id, storefront"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return {(row.channel_id, row.storefront): int(row.orders) for row in rows}


# -------------------------------------------------------------------------------------------------------------------------- parcels


@dataclass(frozen=True, slots=True)
class ParcelCounts:
    """Parcels of one selling channel: what happened in the window, and how they stand now."""

    channel_id: int
    booked: int
    handed_over: int
    handed_over_late: int
    delivered: int
    waiting_waybill: int
    trouble: int
    """Stopped, coming back, lost or unreadable."""


def parcel_counts(session: Session, *, since_ms: int, until_ms: int) -> list[ParcelCounts]:
    """Per selling channel. A parcel that was first seen booked or delivered during the channel's first walk was so before: it is not
    counted as an event of that day."""
    rows = session.execute(_PARCEL_COUNTS, {"a": since_ms, "b": until_ms})
    return [
        ParcelCounts(
            row.channel_id,
            int(row.booked),
            int(row.handed_over),
            int(row.handed_over_late),
            int(row.delivered),
            int(row.waiting_waybill),
            int(row.trouble),
        )
        for row in rows
    ]


_OLD = "(parcel.created_ms = {event} AND parcel.created_ms <= COALESCE(channel.first_walk_done_ms, parcel.created_ms))"
_PARCEL_COUNTS = text(
    "SELECT parcel.channel_id, "
    "SUM(CASE WHEN parcel.booked_ms >= :a AND parcel.booked_ms < :b AND NOT "
    + _OLD.format(event="parcel.booked_ms")
    + " THEN 1 ELSE 0 END) AS booked, "
    "SUM(CASE WHEN parcel.picked_up_ms >= :a AND parcel.picked_up_ms < :b AND NOT "
    + _OLD.format(event="parcel.picked_up_ms")
    + " THEN 1 ELSE 0 END) AS handed_over, "
    "SUM(CASE WHEN parcel.picked_up_ms >= :a AND parcel.picked_up_ms < :b AND NOT "
    + _OLD.format(event="parcel.picked_up_ms")
    + " AND parcel.picked_up_ms > COALESCE(parcel.ship_by_ms, sales_order.ship_by_ms) THEN 1 ELSE 0 END) AS handed_over_late, "
    "SUM(CASE WHEN parcel.delivered_ms >= :a AND parcel.delivered_ms < :b AND NOT "
    + _OLD.format(event="parcel.delivered_ms")
    + " THEN 1 ELSE 0 END) AS delivered, "
    "SUM(CASE WHEN parcel.state = 'booked' AND parcel.waybill = '' AND parcel.pickup_code = '' THEN 1 ELSE 0 END) AS waiting_waybill, "
    "SUM(CASE WHEN parcel.state IN ('problem', 'pickup_retry', 'returning', 'unknown') THEN 1 ELSE 0 END) AS trouble "
    "FROM parcel JOIN channel ON channel.id = parcel.channel_id JOIN sales_order ON sales_order.id = parcel.order_id "
    "GROUP BY parcel.channel_id ORDER BY parcel.channel_id"
)


@dataclass(frozen=True, slots=True)
class Shipment:
    """Something to hand over: a live parcel on the shelf, or an order that has none yet (`state` is "" then)."""

    channel_id: int
    order: str
    number: str
    state: str
    waybill: str
    ship_by_ms: int


def shipments_due(session: Session, *, before_ms: int) -> list[Shipment]:
    """What is still on the shelf and has to leave it before a moment, the most urgent first."""
    rows = session.execute(
        text(
            "SELECT sales_order.channel_id, sales_order.remote_id, sales_order.number, parcel.state, parcel.waybill, "
            "COALESCE(parcel.ship_by_ms, sales_order.ship_by_ms) AS ship_by FROM parcel "
            "JOIN sales_order ON sales_order.id = parcel.order_id WHERE parcel.picked_up_ms IS NULL AND parcel.state IN "
            "('waiting', 'ready', 'packed', 'booked', 'problem', 'pickup_retry', 'unknown') "
            "AND sales_order.state IN ('held', 'ready', 'booked', 'unknown') "
            "AND COALESCE(parcel.ship_by_ms, sales_order.ship_by_ms) < :b "
            "UNION ALL SELECT sales_order.channel_id, sales_order.remote_id, sales_order.number, '', '', sales_order.ship_by_ms "
            "FROM sales_order WHERE sales_order.state IN ('held', 'ready', 'booked', 'unknown') AND sales_order.ship_by_ms < :b "
            "AND NOT EXISTS (SELECT 1 FROM parcel WHERE parcel.order_id = sales_order.id "
            "AND parcel.state NOT IN ('cancelled', 'failed')) "
            "AND NOT EXISTS (SELECT 1 FROM parcel_unit JOIN order_line ON order_line.id = parcel_unit.line_id "
            "WHERE order_line.order_id = sales_order.id AND parcel_unit.live) "
            "ORDER BY 6, 1, 2, 5"
        ),
        {"b": before_ms},
    )
    return [Shipment(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class StuckClaim:
    """A booking whose outcome nobody knows yet. `for_person`: only a person can settle it."""

    channel_id: int
    order: str
    reference: str
    for_person: bool
    opened_ms: int


def stuck_claims(session: Session, *, settle_before_ms: int) -> list[StuckClaim]:
    """Claims that wait for a person, and open ones that could have been settled before a moment and are not."""
    rows = session.execute(
        text(
            "SELECT parcel.channel_id, sales_order.remote_id, claim.reference, claim.state, claim.created_ms FROM claim "
            "JOIN parcel ON parcel.id = claim.parcel_id JOIN sales_order ON sales_order.id = parcel.order_id "
            "WHERE claim.state = 'person' OR (claim.state = 'open' AND claim.not_before_settle_ms < :b) ORDER BY claim.created_ms, claim.id"
        ),
        {"b": settle_before_ms},
    )
    return [StuckClaim(row[0], row[1], row[2], row[3] == "person", row[4]) for row in rows]


# ---------------------------------------------------------------------------------------------------------------------------- stock


@dataclass(frozen=True, slots=True)
class SkuFact:
    """A counted SKU: units available over all warehouses, and units that orders of the window took."""

    id: int
    code: str
    title: str
    available: int
    sold: int
    on_sale: bool
    changed_ms: int


def skus(session: Session, *, sold_since_ms: int, sold_until_ms: int) -> list[SkuFact]:
    """Every SKU that was ever counted, by code. `on_sale`: an active listing is made of it."""
    sold = session.execute(
        text(
            "SELECT order_position.sku_id, SUM(order_position.reserved + order_position.shipped) AS units FROM order_position "
            "JOIN sales_order ON sales_order.id = order_position.order_id "
            "WHERE sales_order.created_ms >= :a AND sales_order.created_ms < :b GROUP BY order_position.sku_id"
        ),
        {"a": sold_since_ms, "b": sold_until_ms},
    )
    units = {row.sku_id: int(row.units) for row in sold}
    on_sale = set(
        session.execute(
            text(
                "SELECT DISTINCT recipe_item.sku_id FROM listing JOIN recipe_item ON recipe_item.recipe_id = listing.recipe_id "
                "WHERE listing.active"
            )
        ).scalars()
    )
    rows = session.execute(
        text(
            "SELECT sku.id, sku.code, sku.title, COALESCE(SUM(balance.quantity), 0) AS available, "
            "COALESCE(MAX(balance.changed_ms), 0) AS changed FROM sku "
            "LEFT JOIN balance ON balance.sku_id = sku.id AND balance.account = 'available' "
            "WHERE sku.id IN (SELECT sku_id FROM count_line) GROUP BY sku.id, sku.code, sku.title"
        )
    )
    facts = [
        SkuFact(row.id, row.code, row.title, int(row.available), units.get(row.id, 0), row.id in on_sale, row.changed)
        for row in rows
    ]
    return sorted(facts, key=lambda fact: fact.code)


@dataclass(frozen=True, slots=True)
class ShortOrder:
    """An order that waits for units that are not there."""

    channel_id: int
    order: str
    number: str
    units: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """`short` units of a SKU were sold beyond what a warehouse has; `orders` are the newest that hold it, as many as are concerned."""

    code: str
    title: str
    warehouse: str
    short: int
    orders: tuple[ShortOrder, ...]


def shortages(session: Session, *, limit: int, orders_max: int) -> tuple[int, list[Shortage]]:
    """(how many there are, the largest `limit` of them with their orders)."""
    rows = session.execute(
        text(
            "SELECT sku.id, sku.code, sku.title, balance.warehouse_id, warehouse.code AS warehouse, -balance.quantity AS short "
            "FROM balance JOIN sku ON sku.id = balance.sku_id LEFT JOIN warehouse ON warehouse.id = balance.warehouse_id "
            "WHERE balance.account = 'available' AND balance.quantity < 0 ORDER BY balance.quantity, sku.code, balance.warehouse_id"
        )
    ).all()
    found = []
    for row in rows[:limit]:
        concerned = session.execute(
            text(
                "SELECT sales_order.channel_id, sales_order.remote_id, sales_order.number, order_position.reserved FROM order_position "
                "JOIN sales_order ON sales_order.id = order_position.order_id WHERE order_position.sku_id = :s "
                "AND order_position.warehouse_id = :w AND order_position.reserved > 0 "
                "ORDER BY sales_order.created_ms DESC, sales_order.id DESC LIMIT :n"
            ),
            {"s": row.id, "w": row.warehouse_id, "n": orders_max},
        )
        orders, uncovered = [], int(row.short)
        for order in concerned:
            if uncovered <= 0:
                break
            orders.append(ShortOrder(order.channel_id, order.remote_id, order.number, int(order.reserved)))
            uncovered -= order.reserved
        found.append(Shortage(row.code, row.title, row.warehouse or "", int(row.short), tuple(orders)))
    return len(rows), found


@dataclass(frozen=True, slots=True)
class HandWork:
    """What people entered in the window: documents of a kind, and units they put on and took off the shelf."""

    kind: str
    documents: int
    units_in: int
    units_out: int


def hand_work(session: Session, *, since_ms: int, until_ms: int) -> list[HandWork]:
    """Receipts, counts and adjustments entered in a window, by kind."""
    rows = session.execute(
        text(
            "SELECT document.kind, COUNT(DISTINCT document.id) AS documents, "
            "COALESCE(SUM(CASE WHEN movement.destination = 'available' THEN movement.quantity ELSE 0 END), 0) AS units_in, "
            "COALESCE(SUM(CASE WHEN movement.source = 'available' THEN movement.quantity ELSE 0 END), 0) AS units_out FROM document "
            "LEFT JOIN movement ON movement.cause_kind = 'document' AND movement.cause_id = document.id "
            "WHERE document.created_ms >= :a AND document.created_ms < :b GROUP BY document.kind ORDER BY document.kind"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return [HandWork(row.kind, int(row.documents), int(row.units_in), int(row.units_out)) for row in rows]


# --------------------------------------------------------------------------------------------------------------- pushes and the proof


def push_outcomes(session: Session, *, since_ms: int, until_ms: int) -> dict[int, dict[str, int]]:
    """Channel id -> outcome -> levels sent in a window."""
    rows = session.execute(
        text(
            "SELECT target.channel_id, push.outcome, COUNT(*) AS levels FROM push JOIN target ON target.id = push.target_id "
            "WHERE push.sent_ms >= :a AND push.sent_ms < :b GROUP BY target.channel_id, push.outcome"
        ),
        {"a": since_ms, "b": until_ms},
    )
    found: dict[int, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.channel_id, {})[row.outcome] = int(row.levels)
    return found


@dataclass(frozen=True, slots=True)
class LedgerSize:
    """How much the ledger holds, and when it was last sealed."""

    orders: int
    order_lines: int
    skus: int
    listings: int
    counts: int
    last_sealed_ms: int | None


def ledger_size(session: Session) -> LedgerSize:
    row = session.execute(
        text(
            "SELECT (SELECT COUNT(*) FROM sales_order), (SELECT COUNT(*) FROM order_line), (SELECT COUNT(*) FROM sku), "
            "(SELECT COUNT(*) FROM listing), (SELECT COUNT(*) FROM document WHERE kind = 'count'), (SELECT MAX(sealed_ms) FROM seal)"
        )
    ).one()
    return LedgerSize(*row)


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + CHUNK_IDS_MAX] for start in range(0, len(ids), CHUNK_IDS_MAX))
