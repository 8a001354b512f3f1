"""Walking Shopee's lists: windows of at most 15 days, cursors, batches that one bad id must not sink."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sellersync.domain.errors import CapExceeded, RejectClass, Rejected, Temporary
from sellersync.domain.times import from_epoch_s

from .api import ORDER_WINDOW_S_MAX, RETURN_WINDOW_S_MAX, Answer, ShopeeApi

T = TypeVar("T")
Json = dict[str, Any]

PAGES_PER_WINDOW_MAX = 1_000
RETURN_PAGES_MAX = 50
EMPTY_PAGES_MAX = 5
CLOCK_GAP_MAX = timedelta(seconds=60)
"""A window planned on a clock that turns out to lag by more is not the last one."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list. `closes` is set on a window's last page: everything changed before it has been listed."""

    rows: list[Json]
    read_started_at: datetime
    provider_now: datetime
    cursor: str = ""
    closes: datetime | None = None


async def order_pages(
    api: ShopeeApi, since: datetime, *, overlap: timedelta, provider_clock: Callable[[], datetime]
) -> AsyncIterator[ListPage]:
    """All pages of orders changed since `since`, oldest window first; each window reaches back by `overlap`.

    A clock that was never corrected may lie before `since`: the first answer corrects it, and the walk goes on to the present.
    """
    while True:
        asked_at = max(provider_clock(), since)
        start = since - overlap
        end = min(start + timedelta(seconds=ORDER_WINDOW_S_MAX), asked_at + timedelta(seconds=1))
        closes = min(end, asked_at)
        async for page in _order_window(api, int(start.timestamp()), int(end.timestamp()), closes):
            yield page
        if end > asked_at and provider_clock() - asked_at < CLOCK_GAP_MAX:
            return
        since = closes


async def _order_window(api: ShopeeApi, time_from: int, time_to: int, closes: datetime) -> AsyncIterator[ListPage]:
    cursor, seen, empty = "", {""}, 0
    for _ in range(PAGES_PER_WINDOW_MAX):
        try:
            answer = await api.get_order_list(time_from=time_from, time_to=time_to, cursor=cursor)
        except Rejected as refused:
            if not cursor:
                raise
            raise Temporary(f"Shopee get_order_list: the cursor died ({refused.code}), walk the window again") from None
        rows, more = answer.rows("order_list", always=True), answer.response.get("more") is True
        # A clock of ours that runs ahead must not close a window on a time that the provider has not reached.
        closes = min(closes, answer.provider_now) if cursor == "" else closes
        cursor = str(answer.response.get("next_cursor") or "") if more else ""
        yield ListPage(rows, answer.started_at, answer.provider_now, cursor, closes=None if more else closes)
        if not more:
            return
        empty = 0 if rows else empty + 1
        if cursor in seen or empty > EMPTY_PAGES_MAX:
            raise Temporary("Shopee get_order_list: the cursor stands still, the window is walked again")
        seen.add(cursor)
    raise CapExceeded(f"Shopee get_order_list: more than {PAGES_PER_WINDOW_MAX} pages from {time_from} to {time_to}")


async def return_pages(
    api: ShopeeApi, since: datetime, *, overlap: timedelta, provider_clock: Callable[[], datetime]
) -> AsyncIterator[ListPage]:
    """All pages of returns changed since `since`.

    Page numbers lose rows that change between two pages, so a window with more than one page is halved until one page holds it;
    only a window of one second is paged.
    """
    width_s = RETURN_WINDOW_S_MAX
    while True:
        asked_at = provider_clock()
        start = since - overlap
        end = min(start + timedelta(seconds=width_s), asked_at + timedelta(seconds=1))
        time_from, time_to = int(start.timestamp()), int(end.timestamp())
        answer = await _first_return_page(api, time_from, time_to)
        if answer.response.get("more") is True and time_to - time_from > 1:
            width_s = (time_to - time_from) // 2
            overlap = timedelta(0)
            since = from_epoch_s(time_from, where="return window")
            continue
        closes = min(end, asked_at, answer.provider_now)
        rows = answer.rows("return")
        if answer.response.get("more") is True:
            rows = rows + await _more_returns(api, time_from, time_to)
        yield ListPage(rows, answer.started_at, answer.provider_now, closes=closes)
        if end > asked_at:
            return
        since = from_epoch_s(time_to, where="return window")
        width_s = RETURN_WINDOW_S_MAX


async def _first_return_page(api: ShopeeApi, time_from: int, time_to: int) -> Answer:
    """The first page is documented as 0 and sampled as 1: 0 is asked first, 1 when that is refused or empty."""
    try:
        answer = await api.get_return_list(page_no=0, update_time_from=time_from, update_time_to=time_to)
        if answer.rows("return"):
            return answer
    except Rejected as refused:
        if refused.reject is not RejectClass.BAD_DATA:
            raise
    return await api.get_return_list(page_no=1, update_time_from=time_from, update_time_to=time_to)


async def _more_returns(api: ShopeeApi, time_from: int, time_to: int) -> list[Json]:
    rows: list[Json] = []
    for page_no in range(1, RETURN_PAGES_MAX):
        answer = await api.get_return_list(page_no=page_no, update_time_from=time_from, update_time_to=time_to)
        rows += answer.rows("return")
        if answer.response.get("more") is not True:
            return rows
    raise CapExceeded(f"Shopee get_return_list: more than {RETURN_PAGES_MAX} pages in one second")


async def in_batches(
    ids: Sequence[T], size_max: int, call: Callable[[Sequence[T]], Awaitable[list[Json]]]
) -> tuple[list[Json], list[T]]:
    """Rows of all ids in the largest legal batches, and the ids that were refused as unknown.

    Whether one unknown id fails a whole batch is not documented: a refused batch is halved until the bad id stands alone.
    """
    rows: list[Json] = []
    unknown: list[T] = []
    work = [list(ids[first : first + size_max]) for first in range(0, len(ids), size_max)]
    work.reverse()
    while work:
        batch = work.pop()
        try:
            rows += await call(batch)
        except Rejected as refused:
            if refused.reject not in (RejectClass.UNKNOWN_ORDER, RejectClass.UNKNOWN_LISTING):
                raise
            if len(batch) == 1:
                unknown += batch
                continue
            middle = len(batch) // 2
            work += [batch[middle:], batch[:middle]]
    return rows, unknown
