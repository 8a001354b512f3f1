"""Aware UTC inside, the shop's day outside; every instant lies in exactly one day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sellersync.domain.errors import Unrecognised
from sellersync.domain.times import EPOCH, day_bounds, from_epoch_ms, from_epoch_s, shop_day, to_epoch_ms

JAKARTA = ZoneInfo("Asia/Jakarta")
ZONES = st.sampled_from(
    # WIB, WITA, WIT, and zones whose midnight is skipped or repeated by daylight saving
    [
        "Asia/Jakarta",
        "Asia/Makassar",
        "Asia/Jayapura",
        "Africa/Cairo",
        "America/Sao_Paulo",
        "America/Havana",
        "Asia/Beirut",
    ]
).map(ZoneInfo)
INSTANTS = st.integers(0, 130 * 365 * 86_400_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 11, 21, 16, 59, 59, 999999, UTC), date(2026, 11, 21)),  # 23:59:59.999999 WIB
        (datetime(2026, 11, 21, 17, 0, 0, 0, UTC), date(2026, 11, 22)),  # midnight WIB
        (datetime(2026, 11, 30, 17, 0, tzinfo=UTC), date(2026, 12, 1)),  # month
        (datetime(2026, 12, 31, 16, 59, 59, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 17, 0, tzinfo=UTC), date(2027, 1, 1)),  # year
        (datetime(2028, 2, 28, 17, 0, tzinfo=UTC), date(2028, 2, 29)),  # leap day
    ],
)
def test_the_day_of_a_jakarta_shop(instant: datetime, day: date) -> None:
    assert shop_day(instant, JAKARTA) == day


def test_the_bounds_of_a_jakarta_day() -> None:
    start, end = day_bounds(date(2027, 1, 1), JAKARTA)
    assert start == datetime(2026, 12, 31, 17, 0, tzinfo=UTC)
    assert end == datetime(2027, 1, 1, 17, 0, tzinfo=UTC)
    assert start.tzinfo is UTC


@given(INSTANTS, ZONES)
@example(datetime(2024, 4, 25, 22, 0, tzinfo=UTC), ZoneInfo("Africa/Cairo"))  # midnight does not exist
@example(datetime(2024, 10, 31, 20, 30, tzinfo=UTC), ZoneInfo("Africa/Cairo"))  # 23:30 for the first time
@example(datetime(2024, 10, 31, 21, 30, tzinfo=UTC), ZoneInfo("Africa/Cairo"))  # 23:30 for the second time
def test_every_instant_is_in_exactly_one_day(instant: datetime, zone: ZoneInfo) -> None:
    day = shop_day(instant, zone)
    near = [day + timedelta(days=shift) for shift in (-1, 0, 1)]
    containing = [d for d in near if day_bounds(d, zone)[0] <= instant < day_bounds(d, zone)[1]]
    assert containing == [day]


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), ZONES)
def test_days_follow_each_other_without_gap(day: date, zone: ZoneInfo) -> None:
    assert day_bounds(day, zone)[1] == day_bounds(day + timedelta(days=1), zone)[0]


@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_survive(ms: int) -> None:
    instant = from_epoch_ms(ms, where="")
    assert to_epoch_ms(instant) == ms
    assert from_epoch_ms(str(ms), where="") == instant


@given(INSTANTS, ZONES)
def test_the_zone_of_an_instant_does_not_matter(instant: datetime, zone: ZoneInfo) -> None:
    assert to_epoch_ms(instant.astimezone(zone)) == to_epoch_ms(instant)


def test_seconds() -> None:
    assert from_epoch_s("1700000000", where="") == EPOCH + timedelta(seconds=1_700_000_000)
    assert from_epoch_s(1700000000.5, where="") - from_epoch_s(1700000000, where="") == timedelta(seconds=0.5)


@pytest.mark.parametrize("wire", [None, "", "soon", "nan", "inf", "1e30", True, []])
def test_what_is_no_time_is_refused_by_name(wire: object) -> None:
    with pytest.raises(Unrecognised, match="update_time: "):
        from_epoch_s(wire, where="update_time")
    with pytest.raises(Unrecognised, match="update_time: "):
        from_epoch_ms(wire, where="update_time")


def test_a_naive_time_is_a_bug() -> None:
    with pytest.raises(ValueError, match="naive"):
        to_epoch_ms(datetime(2026, 1, 1))  # noqa: DTZ001
