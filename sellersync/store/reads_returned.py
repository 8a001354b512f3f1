"""What the report reads of goods that come back: read-only functions of a session that answer frozen values.

Windows are half open, [since, until), in unix milliseconds. Units are those of the listing; of the SKU where goods belong to no order.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class ReturnEvent:
    """Units of a return. `what`: opened | received | sellable | damaged | lost. `channel_id` is `None` for goods of no order; `name` is
    how people call the return."""

    what: str
    name: str
    channel_id: int | None
    storefront: str
    order: str
    units: int
    at_ms: int


def return_events(session: Session, *, since_ms: int, until_ms: int) -> list[ReturnEvent]:
    """What happened to returns in a window. A return counts as received when its first parcel came in, with all units that have come in
    until now; one that was withdrawn counts nowhere."""
    window = {"a": since_ms, "b": until_ms}
    rows = [*session.execute(_EVENTS, window), *session.execute(_UNSHIPPED, window)]
    found = [ReturnEvent(row[0], row[1], row[2], row[3], row[4], int(row[5]), row[6]) for row in rows]
    return sorted(found, key=lambda event: (event.at_ms, event.name, event.what))


_OF_ORDER = (
    "FROM return_document JOIN sales_order ON sales_order.id = return_document.order_id "
    "{join}WHERE return_document.state <> 'withdrawn' AND {moment} >= :a AND {moment} < :b"
)
_OWN = "'R' || CAST(return_document.id AS TEXT) AS name, sales_order.channel_id, sales_order.storefront, sales_order.remote_id"
_EVENTS = text(
    f"SELECT 'opened' AS what, {_OWN}, return_document.quantity AS units, return_document.opened_ms AS at_ms "
    + _OF_ORDER.format(join="", moment="return_document.opened_ms")
    + f" UNION ALL SELECT 'received', {_OWN}, return_document.received, return_document.received_ms "
    + _OF_ORDER.format(join="", moment="return_document.received_ms")
    + f" UNION ALL SELECT return_grade.grade, {_OWN}, return_grade.quantity, return_grade.graded_ms "
    + _OF_ORDER.format(
        join="JOIN return_grade ON return_grade.return_id = return_document.id ", moment="return_grade.graded_ms"
    )
)
_UNSHIPPED = text(
    "SELECT CASE WHEN movement.destination = 'inspect' THEN 'received' WHEN movement.destination = 'available' THEN 'sellable' "
    "ELSE movement.destination END AS what, 'D' || CAST(document.id AS TEXT) AS name, NULL AS channel_id, '' AS storefront, "
    "'' AS remote_id, movement.quantity AS units, movement.recorded_ms AS at_ms FROM document "
    "JOIN movement ON movement.cause_kind = 'document' AND movement.cause_id = document.id "
    "WHERE document.kind = 'return' AND (movement.destination = 'inspect' OR movement.source = 'inspect') "
    "AND movement.recorded_ms >= :a AND movement.recorded_ms < :b ORDER BY movement.id"
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A return that waits: for `awaited` units to come in, for a grade of `ungraded` ones."""

    name: str
    channel_id: int | None
    order: str
    title: str
    awaited: int
    ungraded: int
    waybill: str
    opened_ms: int


def waiting_returns(session: Session) -> list[Waiting]:
    """Every return that is not settled, the oldest first."""
    rows = [*session.execute(_WAITING), *session.execute(_UNSHIPPED_WAITING)]
    found = [Waiting(row[0], row[1], row[2], row[3], int(row[4]), int(row[5]), row[6], row[7]) for row in rows]
    return sorted(found, key=lambda one: (one.opened_ms, one.name))


_WAITING = text(
    "SELECT 'R' || CAST(return_document.id AS TEXT) AS name, sales_order.channel_id, "
    "CASE WHEN sales_order.number <> '' THEN sales_order.number ELSE sales_order.remote_id END AS of_order, order_line.title, "
    "CASE WHEN return_document.state = 'open' THEN return_document.quantity - return_document.received ELSE 0 END AS awaited, "
    "return_document.received - (SELECT COALESCE(SUM(quantity), 0) FROM return_grade "
    "WHERE return_grade.return_id = return_document.id) AS ungraded, "
    "CASE WHEN return_document.waybill <> '' THEN return_document.waybill ELSE COALESCE(parcel.waybill, '') END AS waybill, "
    "return_document.opened_ms FROM return_document JOIN sales_order ON sales_order.id = return_document.order_id "
    "JOIN order_line ON order_line.id = return_document.line_id LEFT JOIN parcel ON parcel.id = return_document.parcel_id "
    "WHERE return_document.state IN ('open', 'received') ORDER BY return_document.id"
)
_UNSHIPPED_WAITING = text(
    "SELECT 'D' || CAST(document.id AS TEXT) AS name, NULL AS channel_id, '' AS of_order, MIN(sku.code) AS title, 0 AS awaited, "
    "SUM(CASE WHEN movement.destination = 'inspect' THEN movement.quantity ELSE -movement.quantity END) AS ungraded, "
    "'' AS waybill, document.created_ms FROM document "
    "JOIN movement ON movement.cause_kind = 'document' AND movement.cause_id = document.id JOIN sku ON sku.id = movement.sku_id "
    "WHERE document.kind = 'return' AND (movement.destination = 'inspect' OR movement.source = 'inspect') "
    "GROUP BY document.id, document.created_ms "
    "HAVING SUM(CASE WHEN movement.destination = 'inspect' THEN movement.quantity ELSE -movement.quantity END) > 0 ORDER BY document.id"
)
