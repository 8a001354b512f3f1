"""What the daily report reads of parcels and stock: read-only functions of a session that answer frozen values.

Windows are half open, [since, until), in unix milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

# -------------------------------------------------------------------------------------------------------------------------- parcels


@dataclass(frozen=True, slots=True)
class ParcelEvent:
    """Something that happened to a parcel. `what`: booked | picked_up | delivered; `late`: picked up after its deadline."""

    what: str
    parcel_id: int
    channel_id: int
    order: str
    number: str
    waybill: str
    at_ms: int
    late: bool


def parcel_events(session: Session, *, since_ms: int, until_ms: int) -> list[ParcelEvent]:
    """What happened to parcels in a window. A parcel that was first seen booked or delivered during its channel's first walk was so
    before: that is no event of that day."""
    rows = session.execute(_PARCEL_EVENTS, {"a": since_ms, "b": until_ms})
    return [ParcelEvent(row[0], row[1], row[2], row[3], row[4], row[5], row[6], bool(row[7])) for row in rows]


def _event(what: str) -> str:
    moment = f"parcel.{what}_ms"
    return (
        f"SELECT '{what}' AS what, parcel.id AS parcel_id, parcel.channel_id, sales_order.remote_id, sales_order.number, parcel.waybill, "
        f"{moment} AS at_ms, CASE WHEN {moment} > COALESCE(parcel.ship_by_ms, sales_order.ship_by_ms) THEN 1 ELSE 0 END AS late "
        "FROM parcel JOIN channel ON channel.id = parcel.channel_id JOIN sales_order ON sales_order.id = parcel.order_id "
        f"WHERE {moment} >= :a AND {moment} < :b AND NOT (parcel.created_ms = {moment} "
        "AND parcel.created_ms <= COALESCE(channel.first_walk_done_ms, parcel.created_ms))"
    )


_PARCEL_EVENTS = text(
    " UNION ALL ".join(_event(what) for what in ("booked", "picked_up", "delivered"))
    + " ORDER BY at_ms, parcel_id, what"
)


@dataclass(frozen=True, slots=True)
class StandingParcel:
    """A parcel as it stands now. `what`: waiting_waybill | trouble (stopped, coming back or unreadable)."""

    what: str
    parcel_id: int
    channel_id: int
    order: str
    number: str
    waybill: str
    since_ms: int


def standing_parcels(session: Session) -> list[StandingParcel]:
    """Parcels that wait for a waybill, and those in trouble."""
    rows = session.execute(
        text(
            "SELECT CASE WHEN parcel.state = 'booked' THEN 'waiting_waybill' ELSE 'trouble' END AS what, parcel.id, parcel.channel_id, "
            "sales_order.remote_id, sales_order.number, parcel.waybill, "
            "COALESCE(parcel.state_since_ms, parcel.booked_ms, parcel.created_ms) AS since_ms FROM parcel "
            "JOIN sales_order ON sales_order.id = parcel.order_id "
            "WHERE (parcel.state = 'booked' AND parcel.waybill = '' AND parcel.pickup_code = '') "
            "OR parcel.state IN ('problem', 'pickup_retry', 'returning', 'unknown') ORDER BY parcel.id"
        )
    )
    return [StandingParcel(*row) for row in rows]


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


@dataclass(frozen=True, slots=True)
class Entered:
    """A movement of `units` that a person's document put on the shelf (or, negative, took off it)."""

    document_id: int
    kind: str
    code: str
    units: int
    at_ms: int
    who: str
    reason: str


def entered(session: Session, *, since_ms: int, until_ms: int) -> list[Entered]:
    """What people's documents of a window did to the shelf, movement by movement; a document that moved nothing has one of 0 units."""
    rows = session.execute(
        text(
            "SELECT document.id, document.kind, COALESCE(sku.code, '') AS code, COALESCE(CASE WHEN movement.destination = 'available' "
            "THEN movement.quantity WHEN movement.source = 'available' THEN -movement.quantity ELSE 0 END, 0) AS units, "
            "document.created_ms, document.who, COALESCE(movement.reason, document.note) AS reason FROM document "
            "LEFT JOIN movement ON movement.cause_kind = 'document' AND movement.cause_id = document.id "
            "LEFT JOIN sku ON sku.id = movement.sku_id WHERE document.created_ms >= :a AND document.created_ms < :b "
            "ORDER BY document.id, movement.id"
        ),
        {"a": since_ms, "b": until_ms},
    )
    return [Entered(row[0], row[1], row[2], int(row[3]), *row[4:]) for row in rows]


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
