"""When a report is due, and what it is about: the day, week or month that is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

PeriodKind = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True)
class DueReport:
    """A report that should have been made at `due` (aware UTC). `name` as in ISO 8601: 2026-11-20, 2026-W47, 2026-11."""

    kind: PeriodKind
    name: str
    due: datetime

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.name}"


def newest_due(kind: PeriodKind, at: time, zone: ZoneInfo, now: datetime) -> DueReport:
    """The newest report whose time has come: of the day before each day's `at`; of the week before, on Mondays; of the month before, on
    each first. `at` is a time of the shop's clock."""
    local = now.astimezone(zone)
    today = local.date() if local.time() >= at else local.date() - timedelta(days=1)
    on = {"day": today, "week": today - timedelta(days=today.weekday()), "month": today.replace(day=1)}[kind]
    due = datetime.combine(on, at, tzinfo=zone)
    return DueReport(kind, _name(kind, on - timedelta(days=1)), due.astimezone(now.tzinfo))


def _name(kind: PeriodKind, day: date) -> str:
    if kind == "day":
        return day.isoformat()
    if kind == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02d}"
    return f"{day:%Y-%m}"


def in_quiet_hours(start: time | None, end: time | None, zone: ZoneInfo, now: datetime) -> bool:
    """Is it between two times of the shop's clock, over midnight where the first is the later one?"""
    if start is None or end is None or start == end:
        return False
    clock = now.astimezone(zone).time()
    return start <= clock < end if start < end else clock >= start or clock < end
