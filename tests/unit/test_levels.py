"""Which number to show and what may be sent, as pure functions (semantics: what number to push)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.domain.errors import RejectClass
from sellersync.domain.levels import (
    OwnOrderChange,
    PushPlan,
    PushPolicy,
    TargetFacts,
    UnitsBeyond,
    expected_after,
    level_of,
    plan_pushes,
    units_beyond,
)
from sellersync.domain.listings import Effect, TargetKey

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
POLICY = PushPolicy()
EVERYTHING = frozenset(Effect)


def target(number: int = 1, sellable: int | None = 10, **more: Any) -> TargetFacts:
    location = more.pop("location", "")
    return TargetFacts(number, TargetKey(more.pop("item", f"K{number:03}"), location), sellable, **more)


def plan(*targets: TargetFacts, fresh: bool = True, policy: PushPolicy = POLICY) -> PushPlan:
    return plan_pushes(targets, policy, fresh=fresh)


def sent(made: PushPlan) -> dict[int, int]:
    return {decision.target_id: decision.level for decision in made.send}


small = st.integers(0, 30)
maybe = st.none() | small
any_target = st.builds(
    target,
    sellable=st.none() | st.integers(-10, 30),
    expected=maybe,
    acked=maybe,
    held_outside=small,
    pot=maybe,
    pot_stale=st.booleans(),
    pot_inside=st.booleans(),
    buffer=st.integers(0, 5),
    floor=maybe,
    caused=st.booleans(),
    agreed_zero=st.booleans(),
    blind_buffer=st.integers(0, 5),
    blocked=st.none() | st.sampled_from(RejectClass),
    blocked_level=maybe,
    at_risk=small,
    last_shown=maybe,
    locked=st.booleans(),
    wanted_at=st.none() | st.just(T0),
    version=small,
)
targets = st.lists(any_target, max_size=30).map(
    lambda found: [renumbered(one, n) for n, one in enumerate(found, start=1)]
)
policies = st.builds(
    PushPolicy,
    level_max=st.sampled_from([20, 999_999]),
    can_decrease=st.booleans(),
    zero_guard_share=st.sampled_from([0.0, 0.2, 1.0]),
    zero_guard_min=st.sampled_from([1, 10]),
)


def renumbered(facts: TargetFacts, number: int) -> TargetFacts:
    return replace(facts, target_id=number, key=TargetKey(f"K{number:03}"))


# ------------------------------------------------------------------------------------------------------------------------- the level


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (target(sellable=None), None),  # never counted, or unmapped
        (target(sellable=0), 0),
        (target(sellable=-3), 0),  # a shortage
        (target(sellable=10, buffer=3), 7),
        (target(sellable=2, buffer=3), 0),
        (target(sellable=8, held_outside=2), 10),
        (target(sellable=10, pot=4), 6),
        (target(sellable=10, pot=4, pot_inside=True), 10),
        (target(sellable=10, pot=None), 10),
        (target(sellable=-3, held_outside=2), 0),
        (target(sellable=2_000_000), 999_999),
    ],
)
def test_the_level_of_a_target(facts: TargetFacts, level: int | None) -> None:
    assert level_of(facts) == level


@given(facts=any_target)
def test_a_level_is_never_negative_and_never_more_than_what_buyers_may_take(facts: TargetFacts) -> None:
    level = level_of(facts)
    if facts.sellable is None:
        assert level is None
    else:
        assert level is not None
        assert 0 <= level <= max(facts.sellable + facts.held_outside, 0)


@given(facts=any_target, more=st.integers(1, 5))
def test_one_more_on_the_shelf_never_lowers_the_level(facts: TargetFacts, more: int) -> None:
    before, after = (
        level_of(facts),
        level_of(replace(facts, sellable=None if facts.sellable is None else facts.sellable + more)),
    )
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert before <= after <= before + more


# -------------------------------------------------------------------------------------------------------------------------- the plan


@given(found=targets, policy=policies, fresh=st.booleans())
def test_every_target_has_exactly_one_fate(found: list[TargetFacts], policy: PushPolicy, fresh: bool) -> None:
    made = plan(*found, fresh=fresh, policy=policy)
    fates = [
        *(one.target_id for group in (made.send, made.need_pull, made.zero_held, made.undecreasable) for one in group),
        *made.uncounted,
        *made.refused,
    ]
    assert len(fates) == len(set(fates))
    settled = {facts.target_id for facts in found} - set(fates)
    for facts in found:
        if facts.target_id in settled:  # left alone: the number shown is the one wanted, as far as it may be known
            assert facts.expected is not None


@given(found=targets, policy=policies)
def test_without_a_fresh_pull_a_number_is_only_lowered(found: list[TargetFacts], policy: PushPolicy) -> None:
    for decision in plan(*found, fresh=False, policy=policy).send:
        assert decision.expected is not None
        assert decision.level < decision.expected


@given(found=targets, policy=policies, fresh=st.booleans())
def test_nothing_without_a_level_and_nothing_already_shown_is_sent(
    found: list[TargetFacts], policy: PushPolicy, fresh: bool
) -> None:
    by_id = {facts.target_id: facts for facts in found}
    for decision in plan(*found, fresh=fresh, policy=policy).send:
        assert by_id[decision.target_id].sellable is not None
        assert decision.level != decision.expected


@given(found=targets, policy=policies, fresh=st.booleans())
def test_an_unread_or_stale_pot_never_lets_a_number_rise(
    found: list[TargetFacts], policy: PushPolicy, fresh: bool
) -> None:
    by_id = {facts.target_id: facts for facts in found}
    for decision in plan(*found, fresh=fresh, policy=policy).send:
        facts = by_id[decision.target_id]
        if (facts.pot is None or facts.pot_stale) and not facts.pot_inside:
            assert decision.expected is not None
            assert decision.level < decision.expected


@given(found=targets, fresh=st.booleans())
def test_a_channel_that_cannot_go_down_is_never_asked_to(found: list[TargetFacts], fresh: bool) -> None:
    made = plan(*found, fresh=fresh, policy=PushPolicy(can_decrease=False, zero_guard_min=1_000))
    assert all(one.expected is None or one.level > one.expected for one in made.send)
    assert all(one.expected is not None and one.level < one.expected for one in made.undecreasable)


@given(found=targets, fresh=st.booleans())
def test_lowerings_go_first_and_among_them_the_lowest_cover(found: list[TargetFacts], fresh: bool) -> None:
    order = [(one.expected is None or one.level > one.expected, one.level) for one in plan(*found, fresh=fresh).send]
    assert order == sorted(order)


@given(found=targets, fresh=st.booleans())
def test_what_was_sent_and_applied_is_not_sent_again(found: list[TargetFacts], fresh: bool) -> None:
    first = plan(*found, fresh=fresh)
    shown = {one.target_id: one.level for one in first.send}
    after = [
        replace(
            facts,
            expected=shown.get(facts.target_id, facts.expected),
            blind_buffer=0 if facts.target_id in shown else facts.blind_buffer,
        )
        for facts in found
    ]
    raised_later = {facts.target_id for facts in found if facts.blind_buffer}
    assert not (set(sent(plan(*after, fresh=fresh))) & set(shown)) - raised_later


def test_a_lowering_goes_at_once_and_a_raise_or_an_unknown_number_waits_for_a_pull() -> None:
    lower, rise, unknown = target(1, 3, expected=5), target(2, 9, expected=5), target(3, 9)
    old = plan(lower, rise, unknown, fresh=False)
    assert sent(old) == {1: 3}
    assert [one.target_id for one in old.need_pull] == [2, 3]
    assert sent(plan(lower, rise, unknown)) == {1: 3, 2: 9, 3: 9}


def test_a_refused_level_waits_until_another_is_wanted() -> None:
    refused = target(1, 9, expected=10, blocked=RejectClass.CAMPAIGN_LOCKED, blocked_level=9)
    assert plan(refused).refused == (1,)
    assert sent(plan(replace(refused, sellable=8))) == {1: 8}


def test_a_raise_keeps_back_what_blind_channels_probably_sold_and_a_lowering_does_not() -> None:
    assert sent(plan(target(1, 10, expected=4, blind_buffer=2))) == {1: 8}
    assert sent(plan(target(1, 5, expected=4, blind_buffer=2))) == {}
    assert sent(plan(target(1, 3, expected=4, blind_buffer=2))) == {1: 3}


@pytest.mark.parametrize(
    ("sellable", "expected", "goes_out", "named"),
    [(2, 10, {1: 5}, True), (2, 5, {}, True), (7, 10, {1: 7}, False), (2, None, {1: 5}, True)],
    ids=["the floor lowers", "the floor is shown already", "above the floor", "unknown number"],
)
def test_below_the_providers_floor_the_floor_is_sent_and_named(
    sellable: int, expected: int | None, goes_out: dict[int, int], named: bool
) -> None:
    made = plan(target(1, sellable, expected=expected, floor=5))
    assert sent(made) == goes_out
    assert bool(made.below_floor) is named


def test_a_floor_above_the_number_shown_does_not_raise_it() -> None:
    """The floor is sent when it lowers what is shown; a raise beyond the shelf would sell what is not there."""
    made = plan(target(1, 2, expected=4, floor=5))
    assert sent(made) == {}
    assert made.below_floor == ((1, 2),)


def test_where_a_write_carries_every_location_the_others_go_along_with_their_present_numbers() -> None:
    """TikTok Shop replaces the numbers of all warehouses of a SKU with each write."""
    here, there = (
        target(1, 3, item="SKU", location="JKT", expected=5),
        target(2, 8, item="SKU", location="BDG", expected=8),
    )
    other = target(3, 4, item="OTHER", location="JKT", expected=4)
    assert sent(plan(here, there, other, policy=PushPolicy(whole_item_writes=True))) == {1: 3, 2: 8}
    assert sent(plan(here, there, other)) == {1: 3}


# -------------------------------------------------------------------------------------------------------------- the suddenly-zero guard


def sudden(number: int, *, of: int, **more: Any) -> list[TargetFacts]:
    """`of` targets that show 5, of which the first `number` would go to zero without a cause."""
    return [
        target(one, 0, **{"expected": 5, "caused": False, **more}) if one <= number else target(one, 5, expected=5)
        for one in range(1, of + 1)
    ]


@pytest.mark.parametrize(
    ("number", "of", "held"),
    [(10, 40, True), (9, 40, False), (10, 50, False), (11, 50, True), (12, 12, True)],
    ids=["ten of forty", "nine are few", "a fifth is not more than a fifth", "more than a fifth", "all"],
)
def test_the_guard_needs_more_than_a_fifth_and_at_least_ten(number: int, of: int, held: bool) -> None:
    made = plan(*sudden(number, of=of))
    assert len(made.zero_held) == (number if held else 0)
    assert len(made.send) == (0 if held else number)


@pytest.mark.parametrize(
    "more", [{"caused": True}, {"agreed_zero": True}, {"expected": 0}, {"expected": None, "acked": None}]
)
def test_what_is_explained_agreed_or_shown_already_is_not_held(more: dict[str, Any]) -> None:
    assert plan(*sudden(20, of=20, **more)).zero_held == ()


def test_a_number_that_is_unknown_now_counts_by_the_last_acknowledged_one() -> None:
    assert len(plan(*sudden(20, of=20, expected=None, acked=5)).zero_held) == 20


def test_the_guard_holds_just_the_sudden_ones() -> None:
    made = plan(*sudden(12, of=30), target(99, 0, expected=7, caused=True))
    assert [one.target_id for one in made.zero_held] == list(range(1, 13))
    assert sent(made) == {99: 0}


@given(found=targets, policy=policies, fresh=st.booleans())
def test_the_guard_never_holds_an_explained_lowering(found: list[TargetFacts], policy: PushPolicy, fresh: bool) -> None:
    by_id = {facts.target_id: facts for facts in found}
    held = plan(*found, fresh=fresh, policy=policy).zero_held
    assert not any(by_id[one.target_id].caused or by_id[one.target_id].agreed_zero for one in held)
    assert len(held) == 0 or len(held) >= policy.zero_guard_min


# -------------------------------------------------------------------------------------------------------------------- the campaign pot


def test_a_campaign_from_its_lock_to_its_end() -> None:
    """Ten on the shelf. A campaign locks four aside; two of them sell; the campaign ends and the rest comes back.

    At every moment the number shown plus what buyers can take from the pot is never more than what lies on the shelf.
    """
    before = target(1, 10, expected=10)
    assert sent(plan(before)) == {}

    locked = replace(before, pot=4)  # the lock was read with the levels
    assert sent(plan(locked, fresh=False)) == {1: 6}
    shown = replace(locked, expected=6)
    assert sent(plan(shown)) == {}

    sold = replace(shown, sellable=8, pot=2)  # two campaign sales, both in the ledger
    assert sent(plan(sold)) == {}

    stale = replace(
        sold, sellable=9, pot_stale=True
    )  # one came back; the pot was not read for too long: nothing may rise
    assert sent(plan(stale)) == {}
    assert [one.target_id for one in plan(stale).need_pull] == [1]
    assert sent(plan(replace(stale, sellable=5), fresh=False)) == {
        1: 3
    }  # a lowering still leaves room for what was in it

    over = replace(sold, pot=0)
    assert sent(plan(over, fresh=False)) == {}
    assert sent(plan(over)) == {1: 8}


def test_a_pot_inside_the_number_is_not_subtracted_and_its_floor_is_respected() -> None:
    """A refusal "below reserved" proved that the number contains the pot."""
    proved = target(1, 3, expected=10, pot=4, pot_inside=True, floor=4)
    made = plan(proved)
    assert sent(made) == {1: 4}
    assert made.below_floor == ((1, 3),)


@given(
    shelf=small,
    pot=small,
    steps=st.lists(st.tuples(st.sampled_from(["sale", "campaign sale", "lock", "unlock"]), st.integers(1, 5))),
)
def test_whatever_a_campaign_does_the_shelf_is_never_promised_twice(
    shelf: int, pot: int, steps: list[tuple[str, int]]
) -> None:
    """After every push, number shown plus pot is at most the shelf, unless the pot alone is more."""
    facts = target(1, shelf, pot=pot)
    for kind, quantity in steps:
        left, aside = facts.sellable or 0, facts.pot or 0
        if kind == "sale":
            taken = min(quantity, facts.expected or 0)
            facts = replace(facts, sellable=left - taken, expected=(facts.expected or 0) - taken)
        elif kind == "campaign sale":
            taken = min(quantity, aside)
            facts = replace(facts, sellable=left - taken, pot=aside - taken)
        else:
            facts = replace(facts, pot=max(aside + (quantity if kind == "lock" else -quantity), 0))
        facts = replace(facts, expected=sent(plan(facts)).get(1, facts.expected))
        assert facts.expected is not None
        assert facts.expected == max((facts.sellable or 0) - (facts.pot or 0), 0)


# ------------------------------------------------------------------------------------------ units beyond the level, kept back elsewhere


@pytest.mark.parametrize(
    ("facts", "beyond"),
    [
        (target(sellable=10, expected=40), UnitsBeyond(0, 40, 10)),  # the lowering is merely under way
        (target(sellable=10, expected=40, locked=True), UnitsBeyond(30, 40, 10)),
        (target(sellable=10, expected=8, locked=True), UnitsBeyond(0, 8, 10)),  # a raise was refused
        (target(sellable=-2, expected=40, locked=True), UnitsBeyond(40, 40, 0)),
        (target(sellable=10, last_shown=40, locked=True), UnitsBeyond(30, 40, 10)),  # unknown now: as it was last seen
        (target(sellable=10, expected=12, last_shown=40, locked=True), UnitsBeyond(2, 12, 10)),
        (target(sellable=10, floor=25, locked=True), UnitsBeyond(15, None, 10)),  # never seen: at least its floor
        (target(sellable=10, locked=True), UnitsBeyond(0, None, 10)),
        (target(sellable=10, expected=40, floor=25), UnitsBeyond(15, 40, 10)),  # it can be lowered to its floor
        (target(sellable=10, expected=20, floor=25), UnitsBeyond(10, 20, 10)),
        (target(sellable=10, expected=10, floor=5), UnitsBeyond(0, 10, 10)),
        (target(sellable=10, expected=0, pot=30), UnitsBeyond(20, 0, 0)),  # the pot alone is more than the shelf
        (target(sellable=10, expected=6, pot=4), UnitsBeyond(0, 6, 6)),
        (target(sellable=10, expected=9, pot=4, locked=True), UnitsBeyond(3, 9, 6)),
        (target(sellable=10, expected=30, pot=30, floor=30, pot_inside=True), UnitsBeyond(20, 30, 10)),
        (target(sellable=10, expected=12, held_outside=2, locked=True), UnitsBeyond(0, 12, 12)),
        (target(sellable=10, expected=12, buffer=3, locked=True), UnitsBeyond(5, 12, 7)),
        (target(sellable=None, expected=40, locked=True), UnitsBeyond()),
    ],
)
def test_what_a_target_sells_beyond_its_level(facts: TargetFacts, beyond: UnitsBeyond) -> None:
    assert units_beyond(facts) == beyond


def test_where_numbers_never_go_down_the_difference_is_beyond_the_level() -> None:
    assert units_beyond(target(sellable=10, expected=12), can_decrease=False) == UnitsBeyond(2, 12, 10)


@given(facts=any_target, more=st.integers(1, 9))
def test_units_at_risk_lower_a_level_and_never_below_zero(facts: TargetFacts, more: int) -> None:
    before, after = level_of(facts), level_of(replace(facts, at_risk=facts.at_risk + more))
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert max(before - more, 0) <= after <= before


@given(
    shelf=st.integers(-5, 30),
    shown=small,
    pot=small,
    rounds=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6),
)
def test_b34_a_sale_beyond_the_level_of_a_locked_target_is_never_a_second_oversell(
    shelf: int, shown: int, pot: int, rounds: list[tuple[int, int]]
) -> None:
    """Between two pulls the locked channel sells of what it shows beyond its level, and another channel all that it shows.

    Nobody is short by more than the locked channel alone took beyond the shelf: the other channel adds nothing to it.
    """
    for taken, wanted in rounds:
        locked = target(1, shelf, expected=shown, pot=pot, locked=True)
        beyond = units_beyond(locked).at_risk
        other = level_of(target(2, shelf, at_risk=beyond))
        assert other is not None
        sold = min(taken, beyond)
        elsewhere = min(wanted, other)
        assert max(sold + elsewhere - max(shelf, 0), 0) == max(sold - max(shelf, 0), 0)
        if not beyond:
            assert other == max(shelf, 0)
        from_pot = min(sold, pot)
        shelf, pot, shown = shelf - sold - elsewhere, pot - from_pot, shown - (sold - from_pot)


def test_what_a_locked_target_takes_to_zero_is_explained() -> None:
    """The suddenly-zero guard asks nobody about it."""
    found = [target(n, 5, expected=5, caused=False, at_risk=5) for n in range(1, 13)]
    assert plan(*found).zero_held == ()
    assert set(sent(plan(*found, fresh=False)).values()) == {0}


# ---------------------------------------------------------------------------------------------------------------- the expected number


def change(effect: Effect, units: int = 1, minutes: float = 0) -> OwnOrderChange:
    return OwnOrderChange(effect, units, T0 + timedelta(minutes=minutes))


changes = st.lists(st.builds(change, st.sampled_from(Effect), st.integers(0, 5), st.integers(-10, 10)), max_size=6)
certainties = st.frozensets(st.sampled_from(Effect))


@pytest.mark.parametrize(
    ("effect", "certain", "after"),
    [
        (Effect.CREATED, EVERYTHING, 7),
        (Effect.CANCELLED, EVERYTHING, 13),
        (Effect.PAID, EVERYTHING, 10),
        (Effect.CREATED, frozenset({Effect.CANCELLED, Effect.PAID}), None),
        (Effect.CANCELLED, frozenset({Effect.CREATED, Effect.PAID}), None),
        (Effect.PAID, frozenset({Effect.CREATED, Effect.CANCELLED}), None),
    ],
)
def test_only_a_certain_effect_moves_the_expected_number(
    effect: Effect, certain: frozenset[Effect], after: int | None
) -> None:
    assert expected_after(10, [change(effect, 3)], certain=certain, window_to=None) == after


@pytest.mark.parametrize(("minutes", "after"), [(-1, None), (0, None), (1, 9)])
def test_a_change_up_to_the_end_of_the_window_may_have_been_swallowed(minutes: float, after: int | None) -> None:
    assert expected_after(10, [change(Effect.CREATED, 1, minutes)], certain=EVERYTHING, window_to=T0) == after


@given(found=changes, certain=certainties, window=st.none() | st.just(T0))
def test_unknown_stays_unknown_until_it_is_read_or_sent(
    found: list[OwnOrderChange], certain: frozenset[Effect], window: datetime | None
) -> None:
    assert expected_after(None, found, certain=certain, window_to=window) is None


@given(found=changes, certain=certainties, window=st.none() | st.just(T0), split=st.integers(0, 6))
def test_changes_in_one_page_or_in_two_lead_to_the_same_number(
    found: list[OwnOrderChange], certain: frozenset[Effect], window: datetime | None, split: int
) -> None:
    whole = expected_after(20, found, certain=certain, window_to=window)
    first = expected_after(20, found[:split], certain=certain, window_to=window)
    assert expected_after(first, found[split:], certain=certain, window_to=window) == whole


@given(found=changes, certain=certainties)
def test_one_uncertain_change_makes_the_number_unknown(found: list[OwnOrderChange], certain: frozenset[Effect]) -> None:
    after = expected_after(20, found, certain=certain, window_to=None)
    assert (after is None) == any(one.effect not in certain for one in found)
