"""Demand by day, and the days that say nothing."""

from __future__ import annotations

from datetime import date

import pytest

from sellersync.forecast.series import DemandClass, Series, demand_class, make_series
from sellersync.store.reads_demand import Shelf

HOUR = 3_600_000
DAY = 24 * HOUR
FIRST = date(2026, 11, 2)  # a Monday
DAYS = [(number * DAY, (number + 1) * DAY) for number in range(10)]


def series(sold: dict[int, int], *shelves: Shelf, counted: int | None = 0, known_from: int = 0) -> Series:
    found = make_series(FIRST, DAYS, sold, shelves, first_count_ms=counted, known_from=known_from)
    assert found is not None
    return found


def out(found: Series) -> list[int]:
    return [number for number, gone in enumerate(found.sold_out) if gone]


def test_a_sku_that_is_always_there_has_every_day() -> None:
    found = series({0: 3, 4: 1}, Shelf(True, ()))
    assert found.units == (3, 0, 0, 0, 1, 0, 0, 0, 0, 0)
    assert out(found) == []
    assert found.last_sale == date(2026, 11, 6)
    assert found.quiet_days == 5


def test_days_without_stock_are_left_out() -> None:
    """Sold out from noon of the third day until the morning of the seventh: the half days stay."""
    found = series({0: 3, 2: 9}, Shelf(True, (2 * DAY + 12 * HOUR, 6 * DAY + 9 * HOUR)))
    assert out(found) == [3, 4, 5]
    assert found.known_days == 7
    assert found.quiet_days == 4  # days 6 to 9


@pytest.mark.parametrize(("hours", "left_out"), [(19, []), (20, [2])])
def test_nearly_the_whole_day_is_four_fifths(hours: int, left_out: list[int]) -> None:
    found = series({0: 1}, Shelf(True, (2 * DAY + HOUR, 2 * DAY + (1 + hours) * HOUR)))
    assert out(found) == left_out


def test_several_short_gaps_of_a_day_add_up() -> None:
    turns = [2 * DAY, 2 * DAY + 10 * HOUR, 2 * DAY + 11 * HOUR, 2 * DAY + 22 * HOUR]
    assert out(series({0: 1}, Shelf(True, tuple(turns)))) == [2]


def test_one_warehouse_that_has_it_is_enough() -> None:
    empty, late = Shelf(False, ()), Shelf(False, (5 * DAY,))
    assert out(series({0: 1}, empty, late)) == [0, 1, 2, 3, 4]
    assert out(series({0: 1}, Shelf(True, (7 * DAY,)), late)) == []


def test_handed_from_one_warehouse_to_the_other_at_one_moment() -> None:
    assert out(series({0: 1}, Shelf(True, (5 * DAY,)), Shelf(False, (5 * DAY,)))) == []


def test_before_the_first_count_nobody_knows() -> None:
    """Orders pulled before the first count drive the ledger's shelf below zero; the goods were there all the same."""
    found = series({0: 2, 1: 2}, Shelf(False, (4 * DAY, 8 * DAY)), counted=4 * DAY)
    assert out(found) == [8, 9]
    assert out(series({0: 2}, Shelf(False, ()), counted=None)) == []


def test_counted_to_nothing_is_sold_out() -> None:
    assert out(series({0: 1}, counted=3 * DAY)) == [3, 4, 5, 6, 7, 8, 9]


def test_it_begins_with_the_first_sale_or_count_but_not_before_the_ledger_knows_orders() -> None:
    assert series({4: 1}, Shelf(True, ()), counted=None).start == date(2026, 11, 6)
    assert series({4: 1}, Shelf(True, ()), counted=2 * DAY).start == date(2026, 11, 4)
    assert len(series({4: 1}, Shelf(True, ()), counted=2 * DAY)) == 8
    assert series({0: 9, 4: 1}, Shelf(True, ()), known_from=3).units == (0, 1, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(("sold", "counted", "known_from"), [({}, None, 0), ({3: 1}, None, 10), ({}, 10 * DAY, 0)])
def test_without_history_there_is_no_series(sold: dict[int, int], counted: int | None, known_from: int) -> None:
    assert make_series(FIRST, DAYS, sold, (), first_count_ms=counted, known_from=known_from) is None


@pytest.mark.parametrize(
    ("units", "kind"),
    [
        ([0] * 9, DemandClass.NONE),
        ([2, 3, 2, 3], DemandClass.SMOOTH),
        ([1, 1, 1, 20], DemandClass.ERRATIC),
        ([2, 0, 0, 2, 0, 0], DemandClass.INTERMITTENT),
        ([1, 0, 0, 30, 0, 1], DemandClass.LUMPY),
    ],
)
def test_classes_of_demand(units: list[int], kind: DemandClass) -> None:
    assert demand_class(units) is kind
