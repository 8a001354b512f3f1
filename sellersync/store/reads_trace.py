"""Rows behind figures that are only counted elsewhere: read-only functions of a session that answer frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from .bulk import select_in


@dataclass(frozen=True, slots=True)
class HeldPart:
    """So many rows of one kind."""

    name: str
    rows: int


_HELD = {
    "movements": "SELECT cause_kind AS name, COUNT(*) AS number FROM movement GROUP BY cause_kind",
    "balances": "SELECT account AS name, COUNT(*) AS number FROM balance GROUP BY account",
    "sealed": "SELECT 'seal' AS name, COUNT(*) AS number FROM seal",
    "orders": "SELECT channel.slug AS name, COUNT(*) AS number FROM sales_order "
    "JOIN channel ON channel.id = sales_order.channel_id GROUP BY channel.slug",
    "order_lines": "SELECT channel.slug AS name, COUNT(*) AS number FROM order_line "
    "JOIN sales_order ON sales_order.id = order_line.order_id JOIN channel ON channel.id = sales_order.channel_id GROUP BY channel.slug",
    "skus": "SELECT 'sku' AS name, COUNT(*) AS number FROM sku",
    "listings": "SELECT channel.slug AS name, COUNT(*) AS number FROM listing "
    "JOIN channel ON channel.id = listing.channel_id GROUP BY channel.slug",
    "counts": "SELECT who AS name, COUNT(*) AS number FROM document WHERE kind = 'count' GROUP BY who",
}


def held(session: Session, what: str) -> list[HeldPart]:
    """What the ledger holds of something, by kind or channel."""
    return [HeldPart(row.name, int(row.number)) for row in session.execute(text(f"{_HELD[what]} ORDER BY 1"))]


@dataclass(frozen=True, slots=True)
class SkuMovement:
    """A movement of a SKU: `units` onto the shelf, negative when they left it."""

    id: int
    units: int
    source: str
    destination: str
    cause_kind: str
    cause_id: int
    reason: str
    who: str
    occurred_ms: int
    recorded_ms: int


def shelf_movements(session: Session, code: str) -> list[SkuMovement]:
    """Everything that ever changed what is available of a SKU, the oldest first."""
    rows = session.execute(
        text(
            "SELECT movement.id, CASE WHEN destination = 'available' THEN quantity ELSE -quantity END AS units, source, destination, "
            "cause_kind, cause_id, reason, who, occurred_ms, recorded_ms FROM movement JOIN sku ON sku.id = movement.sku_id "
            "WHERE sku.code = :c AND (source = 'available' OR destination = 'available') AND source <> destination ORDER BY movement.id"
        ),
        {"c": code},
    )
    return [SkuMovement(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class SoldUnits:
    """Units of a SKU that an order took."""

    order_id: int
    channel_id: int
    order: str
    number: str
    units: int
    placed_ms: int
    changed_ms: int


def sold_units(session: Session, code: str, *, since_ms: int, until_ms: int) -> list[SoldUnits]:
    """Orders placed in a window that hold or took a SKU."""
    rows = session.execute(
        text(
            "SELECT sales_order.id, sales_order.channel_id, sales_order.remote_id, sales_order.number, "
            "SUM(order_position.reserved + order_position.shipped) AS units, sales_order.created_ms, sales_order.changed_ms "
            "FROM sales_order JOIN order_position ON order_position.order_id = sales_order.id "
            "JOIN sku ON sku.id = order_position.sku_id WHERE sku.code = :c AND sales_order.created_ms >= :a "
            "AND sales_order.created_ms < :b AND order_position.reserved + order_position.shipped > 0 "
            "GROUP BY sales_order.id, sales_order.channel_id, sales_order.remote_id, sales_order.number, sales_order.created_ms, "
            "sales_order.changed_ms ORDER BY sales_order.created_ms, sales_order.id"
        ),
        {"c": code, "a": since_ms, "b": until_ms},
    )
    return [SoldUnits(row[0], row[1], row[2], row[3], int(row[4]), row[5], row[6]) for row in rows]


def order_names(session: Session, order_ids: list[int]) -> dict[int, tuple[str, str, int]]:
    """Order id -> (remote id, number, when the ledger last recorded a newer version)."""
    query = "SELECT id, remote_id, number, changed_ms FROM sales_order WHERE id IN"
    return {row.id: (row.remote_id, row.number, row.changed_ms) for row in select_in(session, query, order_ids)}
