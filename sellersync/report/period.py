"""What a report is about: a day, a week or a month of the shop, named as in ISO 8601 (2026-11-20, 2026-W47, 2026-11)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from sellersync.domain.errors import BadInput
from sellersync.domain.times import day_bounds

Kind = Literal["day", "week", "month"]
WEEK_DAYS = 7
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_MONTH = re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of the shop, `first` to `last`. Weeks begin on Monday."""

    kind: Kind
    first: date
    last: date

    @property
    def name(self) -> str:
        if self.kind == "day":
            return self.first.isoformat()
        if self.kind == "week":
            year, week, _ = self.first.isocalendar()
            return f"{year}-W{week:02d}"
        return f"{self.first:%Y-%m}"

    @property
    def week(self) -> int:
        """The number of its first day's week."""
        return self.first.isocalendar().week

    def before(self) -> Period:
        """What it is compared with: the same weekday a week before, the week or the month before."""
        if self.kind == "day":
            return of_day(self.first - timedelta(days=WEEK_DAYS))
        ending = self.first - timedelta(days=1)
        return of_week(ending) if self.kind == "week" else of_month(ending)

    def days(self) -> Iterator[date]:
        for number in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=number)

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """[local midnight of the first day, local midnight after the last), in UTC."""
        return day_bounds(self.first, zone)[0], day_bounds(self.last, zone)[1]


def of_day(day: date) -> Period:
    return Period("day", day, day)


def of_week(day: date) -> Period:
    """The week of a day."""
    monday = day - timedelta(days=day.weekday())
    return Period("week", monday, monday + timedelta(days=WEEK_DAYS - 1))


def of_month(day: date) -> Period:
    """The month of a day."""
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return Period("month", first, following - timedelta(days=1))


def read_week(text: str) -> Period:
    """`2026-W47`. Raises `BadInput`."""
    found = _WEEK.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        return of_week(date.fromisocalendar(int(found[1]), int(found[2]), 1))
    except ValueError:
        raise BadInput(f"{text!r} is no week; expected is a year and its week, like 2026-W47") from None


def read_month(text: str) -> Period:
    """`2026-11`. Raises `BadInput`."""
    found = _MONTH.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        return of_month(date(int(found[1]), int(found[2]), 1))
    except ValueError:
        raise BadInput(f"{text!r} is no month; expected is a year and a month, like 2026-11") from None
