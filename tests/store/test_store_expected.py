"""What a channel should show now, as one of its own orders changes (semantics: the expected number)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from ledger_bench import START, Bench, line, order, unit, units

from sellersync.domain.listings import Effect, PushOutcome, TargetKey
from sellersync.domain.orders import Excluded, Order, OrderLine, OrderState, UnitStage

OPEN, CANCELLED, LEFT = UnitStage.OPEN, UnitStage.CANCELLED, UnitStage.LEFT
NOTHING: frozenset[Effect] = frozenset()
CREATED = frozenset({Effect.CREATED})
ALL = frozenset(Effect)
UNPAID, READY, SHIPPED, OVER = OrderState.UNPAID, OrderState.READY, OrderState.SHIPPED, OrderState.CANCELLED


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """KOPI shows ten, pushed an hour ago."""
    bench.stocked("KOPI", 10)
    assert bench.push() == {"KOPI": 10}
    bench.clock.advance(minutes=60)
    return bench


def version(shop: Bench, *lines: OrderLine, state: OrderState = READY, paid: bool = True) -> Order:
    now = shop.clock.advance(minutes=1)
    return order("A", *lines, at=now, state=state, paid_at=now if paid else None)


def kopi(*what: object, **more: object) -> OrderLine:
    return line("KOPI", *what, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """A first version and a second one of an order, and the number expected after each when nothing, only creating, or all is certain."""

    name: str
    first: tuple[OrderLine, OrderState, bool]
    second: tuple[OrderLine, OrderState, bool] | None
    nothing: int | None
    created: int | None
    all: int | None


CASES = [
    Case("a new order", (kopi(2), READY, True), None, None, 8, 8),
    Case("a new unpaid order", (kopi(2), UNPAID, False), None, None, 8, 8),
    Case("a payment", (kopi(2), UNPAID, False), (kopi(2), READY, True), None, None, 8),
    Case("a cancellation", (kopi(2), READY, True), (kopi(units(2, CANCELLED)), OVER, True), None, None, 10),
    Case("one of three cancelled", (kopi(3), READY, True), (kopi(2, units(1, CANCELLED)), READY, True), None, None, 8),
    Case("fewer units", (kopi(3), READY, True), (kopi(2), READY, True), None, None, 8),
    Case("more units", (kopi(2), READY, True), (kopi(3), READY, True), None, 7, 7),
    Case("new, cancelled already", (kopi(units(2, CANCELLED)), OVER, False), None, None, None, 10),
    Case("the goods leave", (kopi(2), READY, True), (kopi(units(2, LEFT)), SHIPPED, True), None, 8, 8),
    Case("shipped by the platform", (kopi(2, ours=False), READY, True), None, 10, 10, 10),
    Case("kept outside the number", (kopi(units(2, OPEN, Excluded.NO)), UNPAID, False), None, None, 10, 10),
]


@pytest.mark.parametrize("certain", ["nothing", "created", "all"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_change_of_an_order_does_to_the_expected_number(shop: Bench, case: Case, certain: str) -> None:
    shop.certain = {"nothing": NOTHING, "created": CREATED, "all": ALL}[certain]
    what, state, paid = case.first
    shop.record(version(shop, what, state=state, paid=paid))
    if case.second is not None:
        what, state, paid = case.second
        shop.record(version(shop, what, state=state, paid=paid))
    assert shop.target("KOPI") == getattr(case, certain)


def test_a_cancellation_reversed_lowers_the_number_again(shop: Bench) -> None:
    shop.record(version(shop, kopi(2)))
    shop.record(version(shop, kopi(units(2, CANCELLED)), state=OVER))
    shop.record(version(shop, kopi(2)))
    assert shop.target("KOPI") == 8


def test_a_line_that_vanished_may_have_given_its_units_back(shop: Bench) -> None:
    shop.stocked("TEH", 5)
    shop.push()
    shop.clock.advance(minutes=60)
    shop.record(version(shop, kopi(2), line("TEH", 1)))
    shop.certain = CREATED
    shop.record(version(shop, kopi(2)))
    assert (shop.target("KOPI"), shop.target("TEH")) == (8, None)


def test_named_units_are_judged_by_their_stages(shop: Bench) -> None:
    shop.record(version(shop, kopi(unit("u1"), unit("u2"))))
    shop.record(version(shop, kopi(unit("u1"), unit("u2", CANCELLED))))
    assert shop.target("KOPI") == 9


def test_an_order_of_another_channel_does_not_touch_this_ones_number(shop: Bench) -> None:
    shop.certain = NOTHING
    shop.listing("KOPI-LZD", {"KOPI": 1}, channel="lazada")
    shop.record(order("L1", line("KOPI-LZD", 1), at=shop.clock.now()), channel="lazada")
    assert shop.target("KOPI") == 10


def test_the_number_of_the_listing_that_was_bought_falls_and_no_other_of_the_same_goods(shop: Bench) -> None:
    shop.listing("KOPI-2", {"KOPI": 1}, targets=(TargetKey("KOPI-2"),))
    shop.push()
    shop.clock.advance(minutes=60)
    shop.record(version(shop, kopi(1)))
    assert (shop.target("KOPI"), shop.target("KOPI-2")) == (9, 10)


def test_more_units_than_the_channel_showed_make_the_number_unknown(shop: Bench) -> None:
    shop.record(version(shop, kopi(11)))
    assert shop.target("KOPI") is None


# ------------------------------------------------------------------------------------------------- changes that a push may have swallowed


@pytest.mark.parametrize(("placed_after_answer_s", "known"), [(-3, None), (0, None), (29, None), (30, None), (31, 9)])
def test_an_order_placed_before_the_push_could_be_seen_may_have_been_swallowed(
    bench: Bench, placed_after_answer_s: float, known: int | None
) -> None:
    """Between the pull before the push and the acknowledgement plus the visibility delay (here 30 s) nobody can tell."""
    bench.stocked("KOPI", 10)
    sent = bench.send(bench.plan(), window_from=bench.clock.now())
    answered = bench.clock.advance(seconds=5)
    bench.answer(sent, visibility_delay_s=30)
    bench.clock.advance(minutes=2)
    bench.record(order("A", line("KOPI", 1), at=answered + timedelta(seconds=placed_after_answer_s)))
    assert bench.target("KOPI") == known


def test_an_order_recorded_while_the_push_was_under_way_makes_the_number_unknown(shop: Bench) -> None:
    shop.receive("KOPI", 5)
    sent = shop.send(shop.plan())
    shop.record(version(shop, kopi(1)))
    shop.answer(sent)
    assert shop.target("KOPI") is None
    shop.clock.advance(minutes=2)
    assert shop.push() == {"KOPI": 14}


def test_an_order_that_appears_after_an_unclear_answer_leaves_the_number_unknown(shop: Bench) -> None:
    shop.receive("KOPI", 5)
    shop.answer(shop.send(shop.plan()), PushOutcome.UNCLEAR)
    shop.record(version(shop, kopi(1)))
    assert shop.target("KOPI") is None


def test_a_replayed_version_moves_the_number_once(shop: Bench) -> None:
    one = version(shop, kopi(2))
    shop.record(one)
    shop.record(one)
    shop.record(order("A", line("KOPI", 2), at=START))  # and an older one not at all
    assert shop.target("KOPI") == 8
