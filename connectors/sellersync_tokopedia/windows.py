"""Walks a time-ordered search window by window, and never trusts a page token with the completeness of a window.

What a page token remembers is undocumented (a position in time, or a count of rows). A window that moved while it was read, that is
larger than what the search may deliver, or that ended early is split in half and read again; a window of one page needs no trust.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

from sellersync.domain.errors import CapExceeded, Temporary

WINDOW_S_MAX = 86_400
"""No maximum is documented; a day keeps a window's pages few."""
RESULTS_MAX = 5000
"""An older client note speaks of 5,000 results a query (unconfirmed): larger windows are split before that."""
PAGES_MAX = 120
CLOCK_GAP_S_MAX = 60
"""A walk planned on a clock that turns out to lag by more goes on to the provider's present."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search. `total` is what the provider says the whole window holds, `None` when it does not say."""

    rows: list[Any]
    next_token: str
    total: int | None
    provider_now: datetime
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one page; `closes` on the last page of a window."""

    rows: list[Any]
    started_at: datetime
    closes: datetime | None = None


Search = Callable[[int, int, str], Awaitable[Found]]
"""(first second, end second (exclusive), page token) -> page."""


async def walk(
    search: Search, *, mark: datetime, now: datetime, overlap_s: float, results_max: int = RESULTS_MAX
) -> AsyncIterator[Chunk]:
    """Everything that changed since `mark` minus the overlap, oldest window first. `now` is the provider's clock.

    Raises `CapExceeded` when one second holds more than the search delivers, `Temporary` when one second does not keep still.
    """
    windows = _windows(int(mark.timestamp() - overlap_s), int(now.timestamp()) + 1)
    async for chunk in _read(search, windows, mark=mark, results_max=results_max, to_present=True):
        yield chunk


async def rows_between(
    search: Search, since: datetime, until: datetime, *, results_max: int = RESULTS_MAX
) -> AsyncIterator[Any]:
    """All rows with a time in [since, until), some of them twice. Raises as `walk`."""
    first, end = ceil(since.timestamp()), ceil(until.timestamp())
    if first < end:
        async for chunk in _read(search, _windows(first, end), mark=since, results_max=results_max, to_present=False):
            for row in chunk.rows:
                yield row


async def _read(
    search: Search, windows: deque[tuple[int, int]], *, mark: datetime, results_max: int, to_present: bool
) -> AsyncIterator[Chunk]:
    """Read windows from the left. `to_present`: the last one is followed by others up to the provider's clock."""
    while windows:
        first, end = windows.popleft()
        token, seen, rows_read, told = "", {""}, 0, None
        closes: datetime | None = None
        trouble = f"more than {PAGES_MAX} pages"
        for page_no in range(PAGES_MAX):
            found = await search(first, end, token)
            if closes is None:
                start_s = int(found.provider_now.timestamp())
                closes = max(mark, datetime.fromtimestamp(min(end, start_s), UTC))
            rows_read += len(found.rows)
            trouble = _trouble(found, page_no, rows_read, told, results_max)
            if trouble:
                break
            told = found.total
            if not found.rows or not found.next_token:
                yield Chunk(found.rows, found.started_at, closes)
                present = int(found.provider_now.timestamp()) + 1
                if to_present and not windows and present - end > CLOCK_GAP_S_MAX:
                    windows.extend(_windows(end, present))
                break
            if found.next_token in seen:
                raise Temporary("the provider repeats a page token")
            seen.add(token := found.next_token)
            yield Chunk(found.rows, found.started_at)
            trouble = f"more than {PAGES_MAX} pages"
        if trouble:
            windows.extendleft(reversed(_halves(first, end, trouble)))


def _windows(first: int, end: int) -> deque[tuple[int, int]]:
    end = max(end, first + 1)
    starts = range(first, end, WINDOW_S_MAX)
    return deque((start, min(start + WINDOW_S_MAX, end)) for start in starts)


def _trouble(found: Found, page_no: int, rows_read: int, told: int | None, results_max: int) -> str:
    """Why this window cannot be believed ("" when it can)."""
    if found.total is not None and found.total > results_max:
        return f"{found.total} results, more than {results_max}"
    if told is not None and found.total is not None and found.total < told:
        return f"the window shrank from {told} to {found.total} while it was read"
    over = not found.rows or not found.next_token
    if over and (page_no > 0 or not found.rows) and found.total is not None and rows_read < found.total:
        return f"{rows_read} of {found.total} results delivered"
    return ""


def _halves(first: int, end: int, trouble: str) -> list[tuple[int, int]]:
    if end - first <= 1:
        if "shrank" in trouble:
            raise Temporary(f"one second of changes does not keep still: {trouble}")
        raise CapExceeded(f"one second of changes cannot be read whole: {trouble}")
    middle = (first + end) // 2
    return [(first, middle), (middle, end)]
