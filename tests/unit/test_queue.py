"""The queue of the packing desk: every unit on the shelf in exactly one entry, every entry in exactly one group."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import ParcelState
from sellersync.domain.queue import (
    DeskRules,
    Facts,
    Group,
    Reason,
    held_because,
    last_collection,
    place,
    promise,
    split,
)

WIB = ZoneInfo("Asia/Jakarta")
RULES = DeskRules(zone=WIB, cut_off=time(16, 0), cut_offs={"j&t express": time(14, 0)})
READY = Facts(OrderState.READY, ParcelState.BOOKED)


def wib(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=WIB).astimezone(UTC)


NOON = wib(21, 12)


@pytest.mark.parametrize(
    ("deadline", "now", "group", "leave_by"),
    [
        (wib(21, 11, 59), NOON, Group.LATE, wib(21, 11, 59)),
        (wib(21, 23, 59), NOON, Group.TODAY, wib(21, 16)),
        (wib(21, 14), NOON, Group.TODAY, wib(21, 14)),  # before today's collection: only the counter is left
        (wib(22, 9), NOON, Group.TODAY, wib(21, 16)),  # tomorrow's collection would be too late
        (wib(22, 9), wib(21, 17), Group.TODAY, wib(22, 9)),
        (wib(22, 16), NOON, Group.LATER, wib(22, 16)),  # collected exactly at the deadline
        (wib(22, 23, 59), NOON, Group.LATER, wib(22, 16)),
        (wib(23, 9), NOON, Group.LATER, wib(22, 16)),
    ],
)
def test_what_must_leave_today(deadline: datetime, now: datetime, group: Group, leave_by: datetime) -> None:
    placed = place(replace(READY, deadline=deadline), RULES, now)
    assert (placed.group, placed.leave_by) == (group, leave_by)


def test_a_missed_collection_is_told() -> None:
    before, after = (place(replace(READY, deadline=wib(22, 9)), RULES, now) for now in (wib(21, 15, 59), wib(21, 16)))
    assert (before.cut_off_missed, after.cut_off_missed) == (False, True)


def test_couriers_collect_at_their_own_times() -> None:
    deadline = wib(22, 15)
    assert place(replace(READY, deadline=deadline, courier="J&T Express"), RULES, NOON).group is Group.LATER
    assert place(replace(READY, deadline=deadline, courier="SPX"), RULES, NOON).group is Group.TODAY


def test_without_a_deadline_it_is_later_and_no_day_is_guessed() -> None:
    placed = place(READY, RULES, NOON)
    assert (placed.group, placed.leave_by, placed.day, placed.late) == (Group.LATER, None, None, False)


def test_a_day_is_the_shops_day() -> None:
    """23:30 UTC is the next morning in Jakarta."""
    placed = place(replace(READY, deadline=wib(22, 16)), RULES, datetime(2026, 11, 21, 23, 30, tzinfo=UTC))
    assert (placed.group, placed.day) == (Group.TODAY, date(2026, 11, 22))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(OrderState.READY, ParcelState.READY), None),
        (Facts(OrderState.READY), None),
        (Facts(OrderState.BOOKED, ParcelState.PICKUP_RETRY), None),
        (Facts(OrderState.HELD), Reason.CHANNEL_HOLD),
        (Facts(OrderState.HELD, ParcelState.READY), Reason.CHANNEL_HOLD),
        (Facts(OrderState.HELD, ParcelState.BOOKED), None),  # another parcel of the order waits, not this one
        (Facts(OrderState.READY, ParcelState.WAITING), Reason.PENDING_TERMS),
        (Facts(OrderState.CANCEL_REQUESTED, ParcelState.BOOKED), Reason.CANCEL_REQUESTED),
        (Facts(OrderState.UNPAID), Reason.UNPAID),
        (Facts(OrderState.UNKNOWN), Reason.UNREADABLE),
        (Facts(OrderState.READY, ParcelState.BOOKED, unreadable=True), Reason.UNREADABLE),
        (Facts(OrderState.READY, ParcelState.READY, claim="open"), Reason.CLAIM_OPEN),
        (Facts(OrderState.READY, ParcelState.READY, claim="person", refused=True), Reason.CLAIM_PERSON),
        (Facts(OrderState.READY, ParcelState.PROBLEM), Reason.PROBLEM),
        (Facts(OrderState.READY, ParcelState.READY, parked_line=True, short=True), Reason.PARKED_LINE),
        (Facts(OrderState.READY, ParcelState.BOOKED, parked_line=True), None),
        (Facts(OrderState.READY, ParcelState.BOOKED, short=True), Reason.SHORT),
        (Facts(OrderState.READY, ParcelState.READY, balance=True), Reason.BALANCE),
        (Facts(OrderState.READY, ParcelState.BOOKED, balance=True, refused=True), None),
        (Facts(OrderState.READY, ParcelState.READY, refused=True), Reason.REFUSED),
        (Facts(OrderState.READY, ParcelState.BOOKED, cancelling=True), Reason.CANCELLING),
    ],
)
def test_why_it_is_held(facts: Facts, reason: Reason | None) -> None:
    assert held_because(facts) is reason


def test_what_is_held_past_its_deadline_is_held_and_late() -> None:
    placed = place(Facts(OrderState.READY, ParcelState.READY, wib(21, 9), short=True), RULES, NOON)
    assert (placed.group, placed.reason, placed.late) == (Group.HELD, Reason.SHORT, True)


def test_the_own_sites_promise_counts_from_the_payment() -> None:
    placed_at, paid_at = wib(20, 9), wib(20, 21)
    assert promise(OrderState.READY, paid_at=paid_at, placed_at=placed_at, rules=RULES) == wib(21, 21)
    assert promise(OrderState.READY, paid_at=None, placed_at=placed_at, rules=RULES) == wib(21, 9)  # COD
    for waiting in (OrderState.UNPAID, OrderState.HELD):
        assert promise(waiting, paid_at=None, placed_at=placed_at, rules=RULES) is None


# ------------------------------------------------------------------------------------------------------------------------ properties

LINES = st.dictionaries(st.integers(1, 5), st.integers(0, 6), max_size=5)
PARCELS = st.lists(st.tuples(st.integers(1, 9), LINES), max_size=4)
MOMENTS = st.integers(-5 * 1440, 5 * 1440).map(lambda minutes: NOON + timedelta(minutes=minutes))
ANY_FACTS = st.builds(
    Facts,
    st.sampled_from(OrderState),
    st.none() | st.sampled_from(ParcelState),
    st.none() | MOMENTS,
    st.sampled_from(["", "J&T Express", "SPX"]),
    claim=st.sampled_from(["", "open", "person"]),
)


@given(LINES, PARCELS)
def test_every_unit_is_in_exactly_one_entry(
    on_shelf: dict[int, int], parcels: list[tuple[int, dict[int, int]]]
) -> None:
    entries = split(on_shelf, parcels)
    assert len(entries) == len(parcels) + 1
    total: dict[int, int] = {}
    for held in entries:
        for line, count in held.items():
            assert count > 0
            total[line] = total.get(line, 0) + count
    assert total == {line: count for line, count in on_shelf.items() if count}
    for (_, claimed), held in zip(parcels, entries, strict=False):
        assert all(count <= claimed[line] for line, count in held.items())


@given(ANY_FACTS, MOMENTS)
def test_every_entry_is_in_exactly_one_group(facts: Facts, now: datetime) -> None:
    placed = place(facts, RULES, now)
    assert (placed.group is Group.HELD) == (placed.reason is not None)
    assert (placed.group is Group.LATE) == (placed.late and placed.reason is None)
    assert placed.late == (facts.deadline is not None and facts.deadline < now)


@given(MOMENTS, MOMENTS, MOMENTS)
def test_an_entry_only_becomes_more_urgent(deadline: datetime, one: datetime, other: datetime) -> None:
    order = list(Group)
    facts = replace(READY, deadline=deadline)
    earlier, later = sorted((one, other))
    before, after = (place(facts, RULES, now) for now in (earlier, later))
    assert order.index(after.group) <= order.index(before.group)
    assert before.leave_by is not None
    assert before.leave_by <= deadline


@given(MOMENTS, st.times())
def test_the_last_collection_keeps_the_deadline_and_the_next_would_not(deadline: datetime, cut_off: time) -> None:
    collection = last_collection(deadline, cut_off.replace(second=0, microsecond=0), WIB)
    assert collection <= deadline < collection + timedelta(days=1)
