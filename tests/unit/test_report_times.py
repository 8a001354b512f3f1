"""When reports are due: by the shop's clock, the newest alone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.domain.report_times import in_quiet_hours, newest_due

JAKARTA, JAYAPURA = ZoneInfo("Asia/Jakarta"), ZoneInfo("Asia/Jayapura")
SEVEN = time(7, 0)


def wib(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=JAKARTA).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "name", "due"),
    [
        (wib(21, 7), "2026-11-20", wib(21, 7)),
        (wib(21, 6, 59), "2026-11-19", wib(20, 7)),
        (wib(21, 23, 59), "2026-11-20", wib(21, 7)),
        (wib(22, 0, 30), "2026-11-20", wib(21, 7)),
    ],
)
def test_the_day_before(now: datetime, name: str, due: datetime) -> None:
    found = newest_due("day", SEVEN, JAKARTA, now)
    assert (found.name, found.due, found.subject) == (name, due, f"day {name}")


def test_the_week_and_the_month_before() -> None:
    monday = wib(23, 7)
    assert newest_due("week", SEVEN, JAKARTA, monday).name == "2026-W47"
    assert newest_due("week", SEVEN, JAKARTA, monday - timedelta(minutes=1)).name == "2026-W46"
    assert newest_due("month", SEVEN, JAKARTA, monday).name == "2026-10"
    assert newest_due("month", SEVEN, JAKARTA, monday).due == wib(1, 7)
    assert newest_due("week", SEVEN, JAKARTA, datetime(2027, 1, 4, 3, tzinfo=UTC)).name == "2026-W53"


def test_it_is_the_shops_clock() -> None:
    """07:00 in Jayapura is 22:00 UTC of the day before."""
    now = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
    assert newest_due("day", SEVEN, JAYAPURA, now).name == "2026-11-20"
    assert newest_due("day", SEVEN, JAKARTA, now).name == "2026-11-19"


@given(
    now=st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    at=st.times(),
    kind=st.sampled_from(["day", "week", "month"]),
)
def test_the_newest_due_is_past_and_nothing_lies_between(now: datetime, at: time, kind: str) -> None:
    found = newest_due(kind, at, JAKARTA, now)  # type: ignore[arg-type]
    assert found.due <= now
    again = newest_due(kind, at, JAKARTA, found.due)  # type: ignore[arg-type]
    assert again == found
    assert newest_due(kind, at, JAKARTA, found.due - timedelta(microseconds=1)).name < found.name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "end", "hour", "quiet"),
    [(22, 6, 21, False), (22, 6, 22, True), (22, 6, 5, True), (22, 6, 6, False), (12, 13, 12, True), (12, 13, 13, False), (5, 5, 5, False)],
)  # fmt: skip
def test_quiet_hours_may_go_over_midnight(start: int, end: int, hour: int, quiet: bool) -> None:
    assert in_quiet_hours(time(start), time(end), JAKARTA, wib(21, hour)) is quiet
    assert not in_quiet_hours(None, None, JAKARTA, wib(21, hour))
