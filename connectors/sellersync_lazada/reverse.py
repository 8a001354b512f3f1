"""Walking reverse orders (cancellations and returns) by modification time.

The platform pages them by number, in an order that it does not document: a page that shifts while being read shows as a total that
changes, and the window is read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sellersync.connector.contract import Mark, Page, Row
from sellersync.domain.errors import CapExceeded, Temporary, Unrecognised
from sellersync.domain.times import to_epoch_ms

from .api import RETURNS_PAGE_SIZE, LazadaApi
from .mapping import Item, items_of
from .values import text
from .walk import WINDOW_MAX, read_items
from .warehouses import Warehouses

WireRow = Mapping[str, Any]
ReadRows = Callable[[Sequence[WireRow], list[str]], Awaitable[Sequence[Row]]]
"""Turns wire rows into rows of the stream; what cannot be read becomes a sentence in the list."""

CLOCK_MARGIN = timedelta(days=1)  # the range needs an end; ours lies safely behind the platform's present
REVERSE_PAGES_MAX = 1_000
REVERSE_RESTARTS_MAX = 5


async def walk_reverse_orders(
    api: LazadaApi, mark: Mark, *, now: datetime, overlap: timedelta, read: ReadRows, request_type: str = ""
) -> AsyncIterator[Page]:
    """All reverse orders changed since `mark`, window by window; only those of `request_type` where one is given. A window is one page of
    rows, however many calls it took: an unfinished one is simply read again."""
    closed = mark.at
    while True:
        start = closed - overlap
        bound = start + WINDOW_MAX if now - start > WINDOW_MAX else None
        page = await _window(api, start, bound, now, read, request_type)
        yield page
        assert page.closes is not None
        closed = page.closes
        if bound is None or closed < bound:
            return


async def _window(
    api: LazadaApi, start: datetime, bound: datetime | None, now: datetime, read: ReadRows, request_type: str
) -> Page:
    for _ in range(REVERSE_RESTARTS_MAX):
        rows: dict[str, WireRow] = {}
        first_total: int | None = None
        for page_no in range(1, REVERSE_PAGES_MAX + 1):
            found, total, reply = await api.reverse_orders(
                modified_from_ms=to_epoch_ms(start),
                modified_to_ms=to_epoch_ms(bound or now + CLOCK_MARGIN),
                page_no=page_no,
                request_type=request_type,
            )
            if first_total is None:
                first_total, opened = total, reply
            rows.update((text(row.get("reverse_order_id")), row) for row in found)
            if total != first_total or not found or page_no * RETURNS_PAGE_SIZE >= total:
                break
        else:
            raise CapExceeded(f"a window of reverse orders did not end within {REVERSE_PAGES_MAX} pages")
        if total == first_total and len(rows) >= total:
            skipped: list[str] = []
            result = await read(list(rows.values()), skipped)
            closes = min(bound or opened.provider_now, opened.provider_now)
            return Page(tuple(result), opened.started_at, closes=closes, skipped=tuple(skipped))
    raise Temporary("the list of reverse orders changes faster than it can be read")


async def units_of(
    api: LazadaApi, rows: Sequence[WireRow], warehouses: Warehouses, skipped: list[str]
) -> dict[str, dict[str, Item]]:
    """The units of the orders that these reverse orders are about: order id -> item id -> unit."""
    order_ids = dict.fromkeys(text(row.get("trade_order_id")) for row in rows)
    found = await read_items(api, [order_id for order_id in order_ids if order_id.isdigit()])
    units: dict[str, dict[str, Item]] = {}
    for order_id, items in found.items():
        try:
            units[order_id] = {unit.item_id: unit for unit in items_of(items, warehouses=warehouses)}
        except Unrecognised as unreadable:
            skipped.append(f"order {order_id}: {unreadable}")
    return units
