"""Walking orders by update time so that nothing is lost.

Plain offsets lose rows when orders change between two pages. So the walk steps by time: each page starts at the last row's second
(the bound is inclusive) with offset 0, and rows already seen are dropped. Only when one second fills a whole page does the offset
move, by four fifths of a page: the rows that overlap prove that nothing slipped through, else that second is read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from sellersync.connector.contract import Mark, Page
from sellersync.domain.errors import CapExceeded, RejectClass, Rejected, Temporary, Unrecognised
from sellersync.domain.orders import Order
from sellersync.domain.times import from_epoch_s

from .api import ORDER_ITEMS_BATCH_MAX, ORDERS_OFFSET_MAX, ORDERS_PAGE_SIZE_MAX, LazadaApi
from .mapping import order_from
from .values import moment, request_time, text
from .warehouses import Warehouses

WireRow = Mapping[str, Any]

WINDOW_MAX = timedelta(days=15)  # another connector's bound; one of the platform's own is not documented
WINDOW_PAGES_MAX = 5_000
TIE_STEP = ORDERS_PAGE_SIZE_MAX * 4 // 5
TIE_RESTARTS_MAX = 5


@dataclass(slots=True)
class Window:
    """One window of a walk. `before` is its upper bound on the platform's clock, `None` until the first answer tells the time."""

    after: datetime
    before: datetime | None
    offset: int = 0
    restarts: int = 0
    seen: set[tuple[str, str]] = field(default_factory=set)
    last_page: frozenset[tuple[str, str]] = frozenset()

    def progress(self) -> str:
        """Where to go on after a crash: the last row's second and the window's bound, as unix seconds."""
        return f"{int(self.after.timestamp())}/{int(self.before.timestamp()) if self.before else ''}"


def resumed(progress: str) -> Window | None:
    """The unfinished window that `progress` describes; `None` when there is none or the text is not ours."""
    after, slash, before = progress.partition("/")
    if not (slash and after.isdigit() and before.isdigit()):
        return None
    return Window(from_epoch_s(after, where="progress"), from_epoch_s(before, where="progress"))


async def walk_orders(
    api: LazadaApi, mark: Mark, *, now: datetime, overlap: timedelta, warehouses: Warehouses
) -> AsyncIterator[Page]:
    """All orders changed since `mark`, window by window, oldest first. `now` is the platform's clock as far as it is known."""
    window = resumed(mark.progress)
    closed = mark.at
    while True:
        if window is None:
            start = closed - overlap
            window = Window(start, start + WINDOW_MAX if now - start > WINDOW_MAX else None)
        bound = window.before
        async for page in _walk_window(api, window, warehouses):
            yield page
            closed = page.closes or closed
        if bound is None or closed < bound:
            return  # the window ended at the platform's present
        window = None


async def _walk_window(api: LazadaApi, window: Window, warehouses: Warehouses) -> AsyncIterator[Page]:
    for _ in range(WINDOW_PAGES_MAX):
        rows, _total, reply = await api.orders_get(
            after=request_time(window.after),
            before=request_time(window.before) if window.before else "",
            offset=window.offset,
        )
        # The first answer bounds the window: what changes from now on has a later time and belongs to the next one.
        window.before = min(window.before or reply.provider_now, reply.provider_now)
        skipped: list[str] = []
        timed = list(_timed(rows, "updated_at", skipped))
        fresh = _unseen(window, timed)
        finished = not _advance(window, timed, full=len(rows) == ORDERS_PAGE_SIZE_MAX)
        orders = await read_orders(api, fresh, warehouses=warehouses, skipped=skipped)
        yield Page(
            rows=tuple(orders),
            read_started_at=reply.started_at,
            progress="" if finished else window.progress(),
            closes=window.before if finished else None,
            skipped=tuple(skipped),
        )
        if finished:
            return
    raise CapExceeded(f"a window of orders did not end within {WINDOW_PAGES_MAX} pages")


async def order_ids_created(api: LazadaApi, since: datetime, until: datetime) -> tuple[str, ...]:
    """All orders created in [since, until), stepping by their time of creation as the walk steps by that of their change.

    Raises `Temporary` when the list tells of more orders than it delivers, `Unrecognised` for a row that names none.
    """
    start, last = from_epoch_s(ceil(since.timestamp()), where="since"), ceil(until.timestamp()) - 1
    found: dict[str, None] = {}
    while start.timestamp() <= last:
        window = Window(start, from_epoch_s(min(last, int((start + WINDOW_MAX).timestamp())), where="until"))
        found |= dict.fromkeys(await _created_in(api, window))
        assert window.before is not None
        start = window.before + timedelta(seconds=1)
    return tuple(found)


async def _created_in(api: LazadaApi, window: Window) -> list[str]:
    assert window.before is not None
    bound, told, found = request_time(window.before), None, dict[str, None]()
    for _ in range(WINDOW_PAGES_MAX):
        rows, total, _reply = await api.orders_get(
            after=request_time(window.after), before=bound, offset=window.offset, created=True
        )
        told = total if told is None else told
        ids = [text(row.get("order_id")) for row in rows]
        if not all(ids):
            raise Unrecognised("/orders/get: an order without its id", f"{ids.count('')} of {len(ids)}")
        found |= dict.fromkeys(ids)
        timed = _timed(rows, "created_at", [])
        if not _advance(window, timed, full=len(rows) == ORDERS_PAGE_SIZE_MAX):
            if told is not None and len(found) < told:
                raise Temporary(f"the order list tells of {told} orders and delivers {len(found)}")
            return list(found)
    raise CapExceeded(f"a window of orders did not end within {WINDOW_PAGES_MAX} pages")


def _timed(rows: Sequence[WireRow], field: str, skipped: list[str]) -> list[tuple[WireRow, datetime]]:
    timed = []
    for row in rows:
        try:
            timed.append((row, moment(row.get(field), where=field)))
        except Unrecognised as unreadable:
            skipped.append(f"order {text(row.get('order_id')) or '?'}: {unreadable}")
    return timed


def _version(row: WireRow) -> tuple[str, str]:
    return text(row.get("order_id")), text(row.get("updated_at"))


def _unseen(window: Window, timed: Sequence[tuple[WireRow, datetime]]) -> list[WireRow]:
    fresh = [row for row, _ in timed if _version(row) not in window.seen]
    window.seen.update(_version(row) for row, _ in timed)
    return fresh


def _advance(window: Window, timed: Sequence[tuple[WireRow, datetime]], *, full: bool) -> bool:
    """Move the window behind a page; False when nothing is left in it.

    Raises `CapExceeded` when one second holds more orders than the platform pages through, `Temporary` when the order list never
    holds still.
    """
    here = frozenset(_version(row) for row, _ in timed)
    if window.offset and not here & window.last_page:
        window.restarts += 1
        if window.restarts > TIE_RESTARTS_MAX:
            raise Temporary("the order list changes faster than it can be read")
        window.offset, window.last_page = 0, frozenset()
        return True
    if not full:
        return False
    if not timed:
        raise CapExceeded("a full page of orders without one readable time")
    last = max(at for _, at in timed)
    assert window.before is not None
    if last > window.after:
        window.seen = {_version(row) for row, at in timed if at == last}
        window.after, window.offset, window.last_page, window.restarts = last, 0, frozenset(), 0
        return last <= window.before
    window.offset += TIE_STEP
    window.last_page = here
    if window.offset > ORDERS_OFFSET_MAX:
        raise CapExceeded(f"more than {ORDERS_OFFSET_MAX} orders changed in the second {window.after.astimezone(UTC)}")
    return True


async def read_orders(
    api: LazadaApi, headers: Sequence[WireRow], *, warehouses: Warehouses, skipped: list[str]
) -> list[Order]:
    """Order headers -> full orders, the items read 50 orders at a time. What cannot be read is told in `skipped`."""
    by_id = {text(header.get("order_id")): header for header in headers}
    for order_id in [order_id for order_id in by_id if not order_id.isdigit()]:
        skipped.append(f"an order with the unreadable id {order_id!r}")
        del by_id[order_id]
    items = await read_items(api, list(by_id))
    orders = []
    for order_id, header in by_id.items():
        try:
            orders.append(order_from(header, items.get(order_id, []), warehouses=warehouses))
        except Unrecognised as unreadable:
            skipped.append(f"order {order_id}: {unreadable}")
    return orders


async def read_items(api: LazadaApi, order_ids: Sequence[str]) -> dict[str, list[WireRow]]:
    """Item rows of orders by id, 50 orders a call. One wrong id refuses a whole batch: those are then read one by one, and an
    order that the platform does not know is left out."""
    found: dict[str, list[WireRow]] = {}
    for start in range(0, len(order_ids), ORDER_ITEMS_BATCH_MAX):
        batch = order_ids[start : start + ORDER_ITEMS_BATCH_MAX]
        try:
            found.update(await api.orders_items_get(batch))
        except (Rejected, Unrecognised) as refused:
            if isinstance(refused, Rejected) and refused.reject is not RejectClass.UNKNOWN_ORDER:
                raise
        for order_id in batch:
            if not found.get(order_id):
                rows = await _read_items_of_one(api, order_id)
                if rows:
                    found[order_id] = rows
    return found


async def _read_items_of_one(api: LazadaApi, order_id: str) -> list[WireRow]:
    try:
        return await api.order_items_get(order_id)
    except Unrecognised:
        return []
    except Rejected as refused:
        if refused.reject is RejectClass.UNKNOWN_ORDER:
            return []
        raise
