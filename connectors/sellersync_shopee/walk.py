"""Walking Shopee's lists: windows of at most 15 days, cursors, batches that one bad id must not sink."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import TypeVar

from sellersync.domain.errors import CapExceeded, RejectClass, Rejected, Temporary, Unrecognised
from sellersync.domain.times import from_epoch_s

from .api import ESCROW_WINDOW_S_MAX, ORDER_WINDOW_S_MAX, RETURN_WINDOW_S_MAX, ShopeeApi
from .calls import Answer, Json
from .fields import text_of

T = TypeVar("T")

PAGES_PER_WINDOW_MAX = 1_000
NUMBERED_PAGES_MAX = 50
REFUSED_WINDOW_S_MIN = 3600
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


async def order_sns_created(api: ShopeeApi, since: datetime, until: datetime) -> tuple[str, ...]:
    """All orders with a creation time in [since, until), by `create_time`.

    Both ends of a listed window belong to it and it is at least a second long, so orders of one single second are those of two
    seconds without those of the second one.
    """
    first, last = ceil(since.timestamp()), ceil(until.timestamp()) - 1
    if first > last:
        return ()
    if first == last:
        later = set(await _sns_created(api, last + 1, last + 2))
        return tuple(sn for sn in await _sns_created(api, first, last + 1) if sn not in later)
    found: dict[str, None] = {}
    for start in range(first, last, ORDER_WINDOW_S_MAX):
        found |= dict.fromkeys(await _sns_created(api, start, min(start + ORDER_WINDOW_S_MAX, last)))
    return tuple(found)


async def _sns_created(api: ShopeeApi, time_from: int, time_to: int) -> list[str]:
    found: list[str] = []
    cursor, seen = "", {""}
    for _ in range(PAGES_PER_WINDOW_MAX):
        try:
            answer = await api.get_order_list(time_from=time_from, time_to=time_to, cursor=cursor, field="create_time")
        except Rejected as refused:
            if not cursor:
                raise
            raise Temporary(f"Shopee get_order_list: the cursor died ({refused.code}), count again") from None
        for row in answer.rows("order_list", always=True):
            if not (sn := text_of(row.get("order_sn"))):
                raise Unrecognised("Shopee get_order_list: an order without its order_sn", repr(row)[:200])
            found.append(sn)
        if answer.response.get("more") is not True:
            return found
        cursor = str(answer.response.get("next_cursor") or "")
        if cursor in seen:
            raise Temporary("Shopee get_order_list: the cursor stands still, count again")
        seen.add(cursor)
    raise CapExceeded(f"Shopee get_order_list: more than {PAGES_PER_WINDOW_MAX} pages from {time_from} to {time_to}")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A list with page numbers: `first` reads the first page of a window (first second, last second), `page` one of the others, whose
    numbers start at `second_no`; `key` names its rows."""

    first: Callable[[int, int], Awaitable[Answer]]
    page: Callable[[int, int, int], Awaitable[Answer]]
    second_no: int
    key: str
    window_s_max: int


def returns_of(api: ShopeeApi) -> Numbered:
    """Returns by the time of their last change."""

    async def page(number: int, start: int, end: int) -> Answer:
        return await api.get_return_list(page_no=number, update_time_from=start, update_time_to=end)

    async def first(start: int, end: int) -> Answer:
        """The first page is documented as 0 and sampled as 1: 0 is asked first, 1 when that is refused or empty."""
        try:
            answer = await page(0, start, end)
            if answer.rows("return"):
                return answer
        except Rejected as refused:
            if refused.reject is not RejectClass.BAD_DATA:
                raise
        return await page(1, start, end)

    return Numbered(first, page, 1, "return", RETURN_WINDOW_S_MAX)


def escrows_of(api: ShopeeApi) -> Numbered:
    """Orders by the time at which their money was released."""

    async def page(number: int, start: int, end: int) -> Answer:
        return await api.get_escrow_list(page_no=number, release_time_from=start, release_time_to=end)

    async def first(start: int, end: int) -> Answer:
        return await page(1, start, end)

    return Numbered(first, page, 2, "escrow_list", ESCROW_WINDOW_S_MAX)


async def numbered_pages(
    listing: Numbered, since: datetime, *, overlap: timedelta, provider_clock: Callable[[], datetime]
) -> AsyncIterator[ListPage]:
    """All rows since `since` less `overlap`, window by window.

    Page numbers lose rows that change between two pages, so a window with more than one page is halved until one page holds it;
    only a window of one second is paged. A window that is refused as too long is halved, too.
    """
    start, limit_s = since - overlap, listing.window_s_max
    width_s, border = limit_s, set[str]()
    while True:
        asked_at = max(provider_clock(), since)
        end = min(start + timedelta(seconds=width_s), asked_at + timedelta(seconds=1))
        time_from, time_to = int(start.timestamp()), int(end.timestamp())
        try:
            answer = await listing.first(time_from, time_to)
        except Rejected as refused:
            if refused.reject is not RejectClass.BAD_DATA or width_s <= REFUSED_WINDOW_S_MIN:
                raise
            limit_s = width_s = width_s // 2
            continue
        more = answer.response.get("more") is True
        if more and time_to - time_from > 1:
            width_s = (time_to - time_from) // 2
            continue
        rows = answer.rows(listing.key)
        if more:
            rows = rows + await _other_pages(listing, time_from, time_to)
        closes = max(since, min(end, asked_at, answer.provider_now))
        # Both ends belong to a window: what the one before showed of the second between them comes once.
        shown, rows = {repr(row) for row in rows}, [row for row in rows if repr(row) not in border]
        border = shown
        yield ListPage(rows, answer.started_at, answer.provider_now, closes=closes)
        if end > asked_at:
            return
        start, width_s = from_epoch_s(time_to, where="window"), limit_s


async def _other_pages(listing: Numbered, time_from: int, time_to: int) -> list[Json]:
    rows: list[Json] = []
    for number in range(listing.second_no, listing.second_no + NUMBERED_PAGES_MAX):
        answer = await listing.page(number, time_from, time_to)
        rows += answer.rows(listing.key)
        if answer.response.get("more") is not True:
            return rows
    raise CapExceeded(f"Shopee {listing.key}: more than {NUMBERED_PAGES_MAX} pages in one second")


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
