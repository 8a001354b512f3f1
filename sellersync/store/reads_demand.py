"""What buyers wanted of each SKU, day by day, and when it was sold out: read-only functions of a session for the forecast.

Units are of our SKUs, bundles counted as their components by the frozen recipes. Times are unix milliseconds, windows half open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

DAY_MS = 86_400_000
NOT_WANTED = ("cancelled", "unpaid")
"""States of orders that are no demand: nobody took or takes these goods."""


@dataclass(frozen=True, slots=True)
class SkuState:
    """A SKU as it stands now. `available` and `short` are units over all warehouses: what is there, and what was sold beyond it.

    `first_count_ms` is its first count anywhere, `None` while it has none: before it nobody knows when the SKU was sold out.
    """

    id: int
    code: str
    title: str
    barcode: str
    available: int
    short: int
    first_count_ms: int | None


def sku_states(session: Session) -> list[SkuState]:
    """Every SKU of the ledger by code."""
    rows = session.execute(
        text(
            "SELECT sku.id, sku.code, sku.title, sku.barcode, "
            "COALESCE(SUM(CASE WHEN balance.quantity > 0 THEN balance.quantity ELSE 0 END), 0) AS available, "
            "COALESCE(SUM(CASE WHEN balance.quantity < 0 THEN -balance.quantity ELSE 0 END), 0) AS short, "
            "(SELECT MIN(at_ms) FROM count_line WHERE count_line.sku_id = sku.id) AS first_count_ms "
            "FROM sku LEFT JOIN balance ON balance.sku_id = sku.id AND balance.account = 'available' "
            "GROUP BY sku.id, sku.code, sku.title, sku.barcode"
        )
    )
    found = [
        SkuState(row.id, row.code, row.title, row.barcode, int(row.available), int(row.short), row.first_count_ms)
        for row in rows
    ]
    return sorted(found, key=lambda sku: sku.code)


def first_order_ms(session: Session) -> int | None:
    """When the oldest order of the ledger was placed; nothing is known of the days before."""
    found = session.execute(text("SELECT MIN(created_ms) FROM sales_order")).scalar()
    return None if found is None else int(found)


def units_sold(session: Session, days: Sequence[tuple[int, int]]) -> dict[int, dict[int, int]]:
    """SKU id -> number of the day -> units that buyers ordered on it, without days of none.

    `days` are the bounds of consecutive days in order. An order counts on the day on which it was placed. Cancelled and unpaid orders
    are left out, and so are units that were cancelled before they left the shelf. One query for every run of days of 24 hours: a
    zone without summer time needs one.
    """
    found: dict[int, dict[int, int]] = {}
    states = ", ".join(f"'{state}'" for state in NOT_WANTED)
    for first, last in _runs(days):
        since, until = days[first][0], days[last][1]
        rows = session.execute(
            text(
                "SELECT order_position.sku_id, "
                + ("(sales_order.created_ms - :a) / :d AS day, " if last > first else "0 AS day, ")
                + "SUM(order_position.reserved + order_position.shipped) AS units FROM sales_order "
                "JOIN order_position ON order_position.order_id = sales_order.id "
                f"WHERE sales_order.created_ms >= :a AND sales_order.created_ms < :b AND sales_order.state NOT IN ({states}) "
                "AND order_position.reserved + order_position.shipped > 0 GROUP BY 1, 2"
            ),
            {"a": since, "b": until, "d": DAY_MS} if last > first else {"a": since, "b": until},
        )
        for sku_id, day, units in rows:
            found.setdefault(sku_id, {})[first + int(day)] = int(units)
    return found


def _runs(days: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(first, last) numbers of the longest runs of days of exactly 24 hours; any other day stands alone."""
    runs: list[tuple[int, int]] = []
    for number, (start, end) in enumerate(days):
        whole = end - start == DAY_MS
        if whole and runs and runs[-1][1] == number - 1 and days[runs[-1][0]][1] - days[runs[-1][0]][0] == DAY_MS:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


@dataclass(frozen=True, slots=True)
class Shelf:
    """When a SKU was there in one warehouse: whether it was at the start of the window, and each moment at which that changed."""

    at_start: bool
    turns: tuple[int, ...]


_CHANGES = (
    "WITH change AS (SELECT id, sku_id, destination_warehouse_id AS warehouse_id, occurred_ms, quantity AS delta FROM movement "
    "WHERE destination = 'available' AND occurred_ms >= :a "
    "UNION ALL SELECT id, sku_id, source_warehouse_id, occurred_ms, -quantity FROM movement "
    "WHERE source = 'available' AND occurred_ms >= :a), "
    "walked AS (SELECT change.sku_id, change.warehouse_id, change.occurred_ms, change.id, change.delta, "
    "balance.quantity - COALESCE(SUM(change.delta) OVER (PARTITION BY change.sku_id, change.warehouse_id "
    "ORDER BY change.occurred_ms DESC, change.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS held "
    "FROM change JOIN balance ON balance.sku_id = change.sku_id AND balance.warehouse_id = change.warehouse_id "
    "AND balance.account = 'available') "
    "SELECT sku_id, warehouse_id, occurred_ms, held > 0 AS there FROM walked "
    "WHERE (held > 0) <> (held - delta > 0) ORDER BY sku_id, warehouse_id, occurred_ms, id"
)
"""Moments at which available crossed zero, reckoned backwards from today's balance, so that only the window's movements are read."""


def shelves(session: Session, *, since_ms: int) -> dict[int, list[Shelf]]:
    """SKU id -> its shelf in every warehouse that ever held it, from a moment until now, by when the movements happened."""
    turns: dict[tuple[int, int], list[tuple[int, bool]]] = {}
    for row in session.execute(text(_CHANGES), {"a": since_ms}):
        turns.setdefault((row.sku_id, row.warehouse_id), []).append((row.occurred_ms, bool(row.there)))
    found: dict[int, list[Shelf]] = {}
    now = session.execute(
        text(
            "SELECT sku_id, warehouse_id, quantity > 0 AS there FROM balance WHERE account = 'available' ORDER BY sku_id, warehouse_id"
        )
    )
    for row in now:
        changes = turns.get((row.sku_id, row.warehouse_id), [])
        at_start = not changes[0][1] if changes else bool(row.there)
        found.setdefault(row.sku_id, []).append(Shelf(at_start, tuple(moment for moment, _ in changes)))
    return found
