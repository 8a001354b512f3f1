"""A page of orders costs the same in a ledger of any age: nothing in it reads a whole table that grows with the orders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from ledger_bench import START, Bench, line, order, parcel, units
from sqlalchemy import Engine, event

from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState

GROWING = "sales_order|order_line|order_position|movement|parcel|parcel_unit|parcel_event|buyer|return_document|finding"
LATER = START + timedelta(minutes=5)


@contextmanager
def statements_seen() -> Iterator[dict[str, Any]]:
    """Every statement that is run meanwhile, with the values of its first row."""
    seen: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        seen.setdefault(statement, values[0] if many else values)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_no_statement_of_a_page_scans_a_table_that_grows(sqlite_url: str) -> None:
    with Bench.open(sqlite_url) as shop:
        shop.stocked("KOPI", 100)
        shop.record(*(sold(number, ParcelState.READY) for number in range(20)))
        with statements_seen() as seen:
            shop.record(
                sold(1, ParcelState.PICKED_UP, at=LATER),
                sold(2, ParcelState.CANCELLED, at=LATER),
                sold(30, ParcelState.READY),
            )
        assert len(seen) > 20
        scans = {
            statement: row[0]
            for statement, values in seen.items()
            if statement.startswith(("SELECT", "UPDATE", "DELETE"))
            for row in explained(shop, statement, values)
            if re.match(rf"SCAN ({GROWING})\b", row[0])
        }
        assert scans == {}


def sold(number: int, state: ParcelState, **more: Any) -> Order:
    name = f"O-{number}"
    contents = parcel(f"P-{number}", name, state, ("line-KOPI", 1))
    if state is ParcelState.CANCELLED:
        return order(name, line("KOPI", units(1, UnitStage.CANCELLED)), state=OrderState.CANCELLED, **more)
    return order(name, line("KOPI", 1), parcels=(contents,), **more)


def explained(shop: Bench, statement: str, values: Any) -> list[tuple[str]]:
    def ask(session: Any) -> list[tuple[str]]:
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))
        return [(row.detail,) for row in rows]

    return shop.read(ask)
