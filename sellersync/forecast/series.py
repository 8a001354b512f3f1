"""Demand as a series of shop days: units sold a day, and the days that say nothing because the SKU was not there to be bought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sellersync.store.reads_demand import Shelf

SOLD_OUT_SHARE = 0.8
"""A day on which the SKU was sold out for at least this share of the time is left out: its sales are no demand."""
_INTERVAL_DAYS = 1.32  # borders of Syntetos, Boylan and Croston (2005)
_VARIATION = 0.49


class DemandClass(StrEnum):
    """How a SKU sells: often or seldom, in even or uneven quantities."""

    NONE = "none"
    SMOOTH = "smooth"
    ERRATIC = "erratic"
    INTERMITTENT = "intermittent"
    LUMPY = "lumpy"

    @property
    def regular(self) -> bool:
        return self in (DemandClass.SMOOTH, DemandClass.ERRATIC)


@dataclass(frozen=True, slots=True)
class Series:
    """Consecutive shop days from `start`: units sold on each, and whether the SKU was sold out for (nearly) the whole day."""

    start: date
    units: tuple[int, ...]
    sold_out: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.units)

    def day(self, number: int) -> date:
        return self.start + timedelta(days=number)

    def weekday(self, number: int) -> int:
        """0 is Monday; also of days after the end."""
        return (self.start.weekday() + number) % 7

    def known(self, first: int, end: int) -> list[int]:
        """Numbers of the days in [first, end) that are not left out."""
        return [number for number in range(max(first, 0), min(end, len(self))) if not self.sold_out[number]]

    @property
    def known_days(self) -> int:
        return len(self) - sum(self.sold_out)

    @property
    def last_sale(self) -> date | None:
        """The newest day with a sale, `None` when there is none in the series."""
        return next((self.day(number) for number in reversed(range(len(self))) if self.units[number]), None)

    @property
    def quiet_days(self) -> int:
        """Days since the last sale (all when there is none) on which it could have been bought."""
        last = next((number for number in reversed(range(len(self))) if self.units[number]), -1)
        return len(self.known(last + 1, len(self)))


def make_series(
    first_day: date,
    days: Sequence[tuple[int, int]],
    sold: Mapping[int, int],
    shelves: Sequence[Shelf],
    *,
    first_count_ms: int | None,
    known_from: int,
) -> Series | None:
    """The series of one SKU over `days` (bounds of consecutive days in ms, the first is `first_day`), `None` when it has no history.

    It begins with the first sale or the first count, whichever is earlier, and not before day number `known_from`, since which the
    ledger knows orders. Before its first count nobody knows when the SKU was sold out; no day is left out then.
    """
    counted = next((n for n, (_, end) in enumerate(days) if first_count_ms is not None and first_count_ms < end), None)
    begins = [number for number in (min(sold, default=None), counted) if number is not None]
    if not begins:
        return None
    begin = max(min(begins), known_from)
    if begin >= len(days):
        return None
    shares = list(_sold_out_shares(days, shelves, first_count_ms))
    return Series(
        start=first_day + timedelta(days=begin),
        units=tuple(sold.get(number, 0) for number in range(begin, len(days))),
        sold_out=tuple(share >= SOLD_OUT_SHARE for share in shares[begin:]),
    )


def _sold_out_shares(
    days: Sequence[tuple[int, int]], shelves: Sequence[Shelf], first_count_ms: int | None
) -> Iterator[float]:
    """Share of each day during which no warehouse had the SKU."""
    gaps = _gaps(shelves, days[0][0], days[-1][1])
    counted_ms = days[-1][1] if first_count_ms is None else first_count_ms
    for start, end in days:
        missing = sum(max(min(until, end) - max(since, start, counted_ms), 0) for since, until in gaps)
        yield missing / (end - start)


def _gaps(shelves: Sequence[Shelf], since: int, until: int) -> list[tuple[int, int]]:
    """The times in [since, until) at which no shelf held a unit."""
    holding = sum(shelf.at_start for shelf in shelves)
    turns: list[tuple[int, int]] = []
    for shelf in shelves:
        there = shelf.at_start
        for moment in shelf.turns:
            there = not there
            turns.append((moment, 1 if there else -1))
    gaps: list[tuple[int, int]] = []
    empty_since = since if holding == 0 else None
    for moment, change in sorted(turns):
        holding += change
        if holding == 0 and empty_since is None:
            empty_since = moment
        elif holding > 0 and empty_since is not None:
            gaps.append((empty_since, moment))
            empty_since = None
    if empty_since is not None:
        gaps.append((empty_since, until))
    return [(start, end) for start, end in gaps if start < until and end > start]


def demand_class(units: Sequence[int]) -> DemandClass:
    """The class of the known days: by the mean interval between days with sales, and by how uneven the quantities are."""
    sizes = [size for size in units if size > 0]
    if not sizes:
        return DemandClass.NONE
    mean = sum(sizes) / len(sizes)
    variation = sum((size - mean) ** 2 for size in sizes) / len(sizes) / mean**2
    often, even = len(units) / len(sizes) < _INTERVAL_DAYS, variation < _VARIATION
    if often:
        return DemandClass.SMOOTH if even else DemandClass.ERRATIC
    return DemandClass.INTERMITTENT if even else DemandClass.LUMPY
