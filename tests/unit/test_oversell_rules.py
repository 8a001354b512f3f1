"""Units beyond the stock and their one cause: the rules as stories and as properties."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.domain.oversell import (
    Cause,
    Change,
    ChangeKind,
    Facts,
    Number,
    SaleFacts,
    SentLevel,
    cause_of,
    level_with,
    not_included,
    shares,
    timeline,
    units_beyond,
)

SALE, RELEASE, CORRECTION = ChangeKind.SALE, ChangeKind.RELEASE, ChangeKind.CORRECTION


def sale(order_id: int, at: int, *, seen: int | None = None, version: int | None = None, units: int = 1) -> SaleFacts:
    seen = at + 100 if seen is None else seen
    return SaleFacts(order_id, 1, at, at, seen, seen + 1, version or order_id, units)


def sent(version: int, at: int, *, answered: int | None = None, applied: bool = True) -> SentLevel:
    return SentLevel(version, at, at, at + 10 if answered is None else answered, applied)


# ------------------------------------------------------------------------------------------------------------------ which units


def beyond(opening: int, *changes: tuple[int, ChangeKind, int, int | None]) -> list[tuple[int, int]]:
    """(order, units) beyond the stock; changes are (time, kind, units, order)."""
    made = [Change(number, at, units, kind, order) for number, (at, kind, units, order) in enumerate(changes, 1)]
    return [(one.order_id, one.units) for one in units_beyond(opening, made, since_ms=0)]


def test_the_sale_that_came_second_is_the_one_beyond_whatever_was_recorded_first() -> None:
    assert beyond(1, (20, SALE, -1, 7), (10, SALE, -1, 8)) == [(7, 1)]


def test_only_the_units_beyond_count() -> None:
    assert beyond(2, (10, SALE, -1, 1), (20, SALE, -3, 2), (30, SALE, -1, 3)) == [(2, 2), (3, 1)]


def test_what_was_given_back_in_time_can_be_sold_again() -> None:
    assert beyond(1, (10, SALE, -1, 1), (20, RELEASE, 1, 1), (30, SALE, -1, 2)) == []
    assert beyond(1, (10, SALE, -1, 1), (20, SALE, -1, 2), (30, RELEASE, 1, 1)) == [(2, 1)]


def test_a_count_takes_from_the_newest_sales_that_still_stand() -> None:
    assert beyond(3, (10, SALE, -1, 1), (20, SALE, -1, 2), (25, RELEASE, 1, 2), (30, SALE, -1, 3), (40, CORRECTION, -3, None)) == [
        (3, 1),
        (1, 1),
    ]  # fmt: skip
    assert beyond(3, (10, SALE, -1, 1), (40, CORRECTION, -2, None)) == []


def test_sales_from_before_the_window_answer_for_a_count_too() -> None:
    change = [Change(1, 40, -2, CORRECTION)]
    found = units_beyond(0, change, since_ms=0, reserved=[(1, 5), (2, 1)])
    assert [(one.order_id, one.units) for one in found] == [(2, 1), (1, 1)]


def test_what_happened_before_the_first_count_is_no_oversell() -> None:
    made = [Change(1, 10, -2, SALE, 1), Change(2, 20, 5, CORRECTION), Change(3, 30, -4, SALE, 2)]
    assert [(one.order_id, one.units) for one in units_beyond(0, made, since_ms=19)] == [(2, 1)]


def test_a_count_may_take_units_that_were_sold_before_anything_was_counted() -> None:
    made = [Change(1, 10, -2, SALE, 1), Change(2, 20, 10, CORRECTION), Change(3, 30, -9, CORRECTION)]
    assert [(one.order_id, one.units) for one in units_beyond(0, made, since_ms=19)] == [(1, 1)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[Change]]:
    """Sales, releases of no more than was sold, corrections."""
    opening, taken, changes = draw(st.integers(0, 6)), Counter[int](), list[Change]()
    for number in range(1, draw(st.integers(1, 14)) + 1):
        kind, order, units = draw(st.sampled_from(ChangeKind)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
        if kind is SALE:
            taken[order] += units
            changes.append(Change(number, number, -units, kind, order))
        elif kind is RELEASE and taken[order]:
            given = min(units, taken[order])
            taken[order] -= given
            changes.append(Change(number, number, given, kind, order))
        elif kind is CORRECTION:
            changes.append(Change(number, number, draw(st.integers(-3, 3)), kind))
    return opening, changes


@given(histories())
def test_every_unit_below_zero_has_at_most_one_order_and_every_sale_at_most_its_units(
    history: tuple[int, list[Change]],
) -> None:
    opening, changes = history
    found = units_beyond(opening, changes, since_ms=0)
    level = lowest = opening
    for change in changes:
        level += change.units
        lowest = min(lowest, level)
    assert sum(one.units for one in found) >= 0
    if lowest >= 0:
        assert not found
    sold = Counter[int]()
    for change in changes:
        if change.kind is SALE and change.order_id:
            sold[change.order_id] -= change.units
    per_order = Counter[int]()
    for one in found:
        assert one.units > 0
        per_order[one.order_id] += one.units
    assert all(per_order[order] <= sold[order] for order in per_order)
    if all(change.kind is not CORRECTION for change in changes) and lowest < 0:
        assert sum(per_order.values()) >= -lowest


# ------------------------------------------------------------------------------------------------------------------- the one cause

B = sale(2, 1_000)
SEEN, UNSEEN = sale(1, 500), sale(1, 500, seen=1_001)


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (Facts(B, UNSEEN), Cause.PULL_LAG),
        (Facts(B, UNSEEN, sent(1, 600)), Cause.PULL_LAG),
        (Facts(B, sale(1, 500, seen=1_000)), Cause.PUSH_LAG),
        (Facts(B, SEEN), Cause.PUSH_LAG),
        (Facts(B, SEEN, sent(1, 900, answered=1_001)), Cause.PUSH_LAG),
        (Facts(B, SEEN, sent(1, 600, applied=False)), Cause.PUSH_LAG),
        (Facts(B, SEEN, SentLevel(1, 600, 600, None, True)), Cause.PUSH_LAG),
        (Facts(B, SEEN, sent(1, 600)), Cause.UNKNOWN),
        (Facts(B), Cause.UNKNOWN),
        (Facts(B, UNSEEN, locked=True), Cause.CAMPAIGN_LOCK),
        (Facts(B, UNSEEN, locked=True, edited=True), Cause.EDITED_BY_HAND),
        (Facts(B, SaleFacts(1, 1, 500, 500, 600, 700, 1, unmapped=True), edited=True), Cause.MAPPING),
        (Facts(SaleFacts(2, 1, 1_000, 1_000, 1_100, 1_200, 2, unmapped=True), SEEN), Cause.MAPPING),
        (Facts(B, UNSEEN, corrected_ms=2_000), Cause.COUNT_ERROR),
        (Facts(B, corrected_ms=2_000, first_count=True), Cause.UNKNOWN),
        (Facts(B, corrected_ms=2_000, released_ms=700), Cause.UNPAID_HOLD),
    ],
)
def test_causes(facts: Facts, cause: Cause) -> None:
    assert cause_of(facts) is cause


moments = st.integers(0, 2_000)
sales = st.builds(
    SaleFacts,
    st.integers(1, 3), st.integers(1, 2), moments, st.none() | moments, moments, moments, st.integers(1, 9), st.integers(1, 3),
    st.booleans(),
)  # fmt: skip
levels = st.builds(SentLevel, st.integers(1, 9), moments, moments, st.none() | moments, st.booleans())
facts = st.builds(
    Facts,
    second=sales,
    first=st.none() | sales,
    sent=st.none() | levels,
    corrected_ms=st.none() | moments,
    first_count=st.booleans(),
    released_ms=st.none() | moments,
    edited=st.booleans(),
    locked=st.booleans(),
)


@given(facts)
def test_every_case_has_exactly_one_cause_and_a_timeline(case: Facts) -> None:
    assert cause_of(case) in Cause
    assert cause_of(case) is cause_of(case)
    steps = timeline(case)
    assert len(steps) == 8
    known = [step for step in steps if step.at is not None]
    assert known[0].after_ms == 0
    assert {step.name for step in known} >= {"second_paid", "second_seen"}


@given(facts)
def test_a_lag_is_named_only_where_an_earlier_sale_stands_behind_it(case: Facts) -> None:
    if cause_of(case) in (Cause.PULL_LAG, Cause.PUSH_LAG):
        assert case.first is not None
        late = case.first.seen_ms > case.second.placed_ms
        assert (cause_of(case) is Cause.PULL_LAG) is late


# ------------------------------------------------------------------------------------------------------- what a number did not include


def missing(
    *earlier: SaleFacts,
    sent: tuple[SentLevel, ...] = (),
    runs: tuple[tuple[int, int], ...] = (),
    own: frozenset[int] = frozenset(),
) -> list[int]:
    return [one.order_id for one in not_included(B, earlier, [Number(1, sent, runs, own)])]


def test_an_accepted_level_includes_what_was_recorded_before_it() -> None:
    assert missing(sale(1, 500, version=5), sale(3, 600, version=6), sent=(sent(5, 700),)) == [3]
    assert missing(sale(1, 500, version=5), sent=(sent(5, 700, answered=1_200),)) == [1], "accepted too late"
    assert missing(sale(1, 500, version=5), sent=(sent(5, 700, applied=False),)) == [1]


def test_a_look_that_found_nothing_to_send_includes_what_it_knew() -> None:
    assert missing(sale(1, 500, seen=550), runs=((600, 650),)) == []
    assert missing(sale(1, 500, seen=700), runs=((600, 650),)) == [1], "it was not known yet"
    refused = (sent(1, 620, applied=False),)
    assert missing(sale(1, 500, seen=550), sent=refused, runs=((600, 650),)) == [1], "it was tried and not taken"


def test_the_channel_lowers_its_number_for_its_own_orders() -> None:
    own = frozenset({1})
    assert missing(sale(1, 500), own=own) == []
    assert missing(sale(1, 500, version=9), sent=(sent(5, 400),), own=own) == []
    assert missing(sale(1, 500, version=9), sent=(sent(5, 600),), own=own) == [1], "a level was written over it"


def test_the_newest_sales_took_the_last_units() -> None:
    first, last = sale(1, 500, units=2), sale(3, 600, units=1)
    assert shares(2, [first, last]) == [(last, 1), (first, 1)]
    assert shares(5, [first, last]) == [(last, 1), (first, 2), (None, 2)]
    assert shares(1, []) == [(None, 1)]


def test_the_level_that_told_of_a_sale_is_the_first_accepted_one() -> None:
    numbers = [Number(1, (sent(5, 700, applied=False), sent(6, 800), sent(7, 900)))]
    found = level_with(sale(1, 500, version=5), numbers)
    assert found is not None
    assert found.sent_ms == 800
    assert level_with(sale(1, 500, version=8), numbers) is None
