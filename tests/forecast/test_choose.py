"""Methods are tried on what was not shown to them, and the simple one stays unless another is clearly better."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import date
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sellersync.forecast import Candidate, Method, SkuForecast, Unknown
from sellersync.forecast.choose import HORIZON_DAYS_MAX, MARGIN, choose
from sellersync.forecast.methods import NAIVE, REGULAR, SELDOM, forecast, library
from sellersync.forecast.series import DemandClass, Series

MONDAY = date(2026, 5, 25)


def series(units: list[int], *, out: range = range(0)) -> Series:
    return Series(MONDAY, tuple(units), tuple(number in out for number in range(len(units))))


def tried(found: SkuForecast) -> dict[Method, Candidate]:
    return {one.method: one for one in found.candidates}


def chosen(found: SkuForecast) -> Candidate:
    assert found.chosen is not None
    return found.chosen


def noise(days: int, mean: float, seed: int = 1) -> list[int]:
    """Evenly scattered whole numbers around a mean."""
    rng = Random(seed)
    return [round(mean + rng.uniform(-0.4, 0.4) * mean) for _ in range(days)]


def test_errors_by_hand() -> None:
    """126 days of 2, then two weeks of 5, tried over periods of two weeks from 14, 21, ... 56 days before the end."""
    units = [2] * 140
    for number in range(140 - 14, 140):
        units[number] = 5
    found = choose(series(units), period_days=14)
    assert (found.horizon_days, found.origins) == (14, 7)
    four_weeks = tried(found)[Method.FOUR_WEEKS]
    # Each of the seven says 2: the newest misses fourteen days of 5 by 3, the one before has seven of them and misses by 1.5.
    assert four_weeks.error == pytest.approx((3 + 1.5) / 7, abs=1e-3)
    assert four_weeks.bias == pytest.approx(-(3 + 1.5) / 7, abs=1e-3)
    assert four_weeks.per_day == pytest.approx(3.5)
    assert tried(found)[Method.SAME_WEEKDAY].per_day == pytest.approx(5)


def test_steady_demand_keeps_the_naive_forecast() -> None:
    found = choose(series([4] * 150), period_days=21)
    assert chosen(found) == Candidate(Method.FOUR_WEEKS, 4.0, 0.0, 0.0)
    assert found.naive == found.chosen
    assert found.unknown is None


def test_growing_demand_is_better_followed_than_averaged() -> None:
    found = choose(series([round(5 + number * 0.15) for number in range(170)]), period_days=21)
    assert found.kind is DemandClass.SMOOTH
    assert chosen(found).method in REGULAR
    assert found.naive is not None
    assert chosen(found).error < MARGIN * found.naive.error
    assert found.naive.bias < -1  # the mean of four weeks always comes late
    assert chosen(found).per_day > found.naive.per_day


def test_a_shop_closed_on_sundays_is_known_by_its_weekdays() -> None:
    """Over 10 days the number of Sundays matters."""
    units = [0 if number % 7 == 6 else 8 for number in range(170)]
    found = choose(series(units), period_days=10)
    assert [tried(found)[method].error for method in REGULAR] == [0, 0]
    assert tried(found)[Method.FOUR_WEEKS].error > 0.4
    assert tried(found)[Method.SAME_WEEKDAY].error == 0


def test_demand_with_many_days_of_none_has_its_own_methods() -> None:
    rng = Random(3)
    found = choose(series([rng.choice([0, 0, 0, 0, 1, 2]) for _ in range(170)]), period_days=21)
    assert not found.kind.regular
    assert set(tried(found)) == {*NAIVE, *SELDOM}


def test_the_simple_method_stays_where_the_gain_is_small() -> None:
    for seed in range(6):
        found = choose(series(noise(170, 9, seed)), period_days=21)
        assert found.naive is not None
        best = min(one.error for one in found.candidates)
        assert chosen(found) == found.naive or best < MARGIN * found.naive.error
        assert found.naive.method is Method.FOUR_WEEKS or found.naive.error < MARGIN * tried(found)[NAIVE[0]].error


def test_days_sold_out_change_nothing() -> None:
    """Three weeks without stock in the middle of the trials: neither the forecast nor the error sees the zeros."""
    units = [6] * 170
    gap = range(130, 151)
    for number in gap:
        units[number] = 0
    left_out, counted = choose(series(units, out=gap), period_days=14), choose(series(units), period_days=14)
    assert left_out.left_out_days == 21
    assert chosen(left_out).per_day == 6
    assert chosen(left_out).error == 0
    for method in (*NAIVE, *REGULAR):
        assert tried(left_out)[method].error == pytest.approx(0, abs=0.05)
    assert tried(counted)[Method.FOUR_WEEKS].error > 1


@pytest.mark.parametrize("method", [*NAIVE, *REGULAR, *SELDOM])
def test_no_method_looks_ahead(method: Method) -> None:
    units = noise(120, 5)
    otherwise = units[:100] + [unit + 40 for unit in units[100:]]
    assert forecast(method, series(units), 100, 14) == forecast(method, series(otherwise), 100, 14)


def test_a_new_sku_is_unknown_and_not_zero() -> None:
    for days in (1, 14, 34):
        found = choose(series([3] * days), period_days=21)
        assert (found.unknown, found.chosen, found.naive, found.demand) == (Unknown.NEW, None, None, None)


def test_a_short_history_is_tried_over_shorter_periods() -> None:
    found = choose(series([3] * 35), period_days=21)
    assert (found.horizon_days, found.origins, chosen(found).per_day) == (7, 3, 3.0)
    assert choose(series([3] * 49), period_days=21).horizon_days == 21


def test_what_was_not_there_for_weeks_is_unknown() -> None:
    found = choose(series([5] * 120 + [0] * 50, out=range(120, 170)), period_days=21)
    assert (found.unknown, found.chosen) == (Unknown.SOLD_OUT, None)


def test_nothing_sold_for_long_is_a_forecast_of_nothing_with_its_error() -> None:
    found = choose(series([0] * 100), period_days=21)
    assert found.kind is DemandClass.NONE
    assert chosen(found) == Candidate(Method.FOUR_WEEKS, 0.0, 0.0, 0.0)


def test_long_periods_are_measured_over_four_weeks() -> None:
    assert choose(series([3] * 170), period_days=120).horizon_days == HORIZON_DAYS_MAX


def test_many_skus_may_have_the_naive_methods_alone() -> None:
    found = choose(series(noise(170, 6)), period_days=21, simple_only=True)
    assert set(tried(found)) == set(NAIVE)


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine where the extra is not installed."""
    library.cache_clear()
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    yield
    library.cache_clear()


@pytest.mark.usefixtures("without_library")
def test_without_the_library_the_naive_methods_work() -> None:
    assert library() is None
    found = choose(series([round(5 + number * 0.15) for number in range(170)]), period_days=21)
    assert set(tried(found)) == set(NAIVE)
    assert found.chosen is not None


def test_the_same_series_gives_the_same_forecast() -> None:
    units = noise(170, 7)
    assert choose(series(units), period_days=21) == choose(series(units), period_days=21)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 60) | st.just(0), min_size=1, max_size=100),
    st.sets(st.integers(0, 99)),
    st.integers(1, 60),
)
def test_whatever_sold_the_figures_are_figures(units: list[int], out: set[int], period: int) -> None:
    what = Series(MONDAY, tuple(units), tuple(number in out for number in range(len(units))))
    found = choose(what, period_days=period)
    assert (found.chosen is None) == (found.naive is None) == (found.unknown is not None)
    assert found.known_days + found.left_out_days == len(units)
    for one in found.candidates:
        assert all(math.isfinite(value) for value in (one.per_day, one.error, one.bias))
        assert one.per_day >= 0
        assert one.error >= abs(one.bias) - 1e-3
