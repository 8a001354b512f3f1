"""Pushes: which numbers are wanted, sent, answered and sent again (L2, L11)."""

from __future__ import annotations

import pytest
from ledger_bench import Bench, keys_of, line, order, units

from sellersync.domain.errors import RejectClass
from sellersync.domain.levels import PushPolicy
from sellersync.domain.listings import PushOutcome, RemoteListing, ShownLevel, TargetKey
from sellersync.domain.orders import OrderState, UnitStage
from sellersync.store import listings, pages, pushes, work

APPLIED, REJECTED, UNCLEAR = PushOutcome.APPLIED, PushOutcome.REJECTED, PushOutcome.UNCLEAR


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """KOPI: ten on the shelf, sold on both channels; nothing is certain about what orders do to the numbers."""
    bench.certain = frozenset()
    bench.stocked("KOPI", 10)
    bench.listing("KOPI-LZD", {"KOPI": 1}, channel="lazada")
    return bench


def buy(shop: Bench, remote_id: str, quantity: int, *, channel: str = "lazada", listing: str = "KOPI-LZD") -> None:
    now = shop.clock.advance(seconds=1)
    shop.record(order(remote_id, line(listing, quantity), at=now), channel=channel)


def read_back(shop: Bench, key: str, shown: int | None, *, held_aside: int | None = 0, clear_after_ms: int = 0) -> int:
    level = ShownLevel(TargetKey(key), shown, shop.clock.now(), held_aside)
    recorded = shop.write(
        lambda session: pushes.record_shown(
            session, shop.channels["shopee"], [level], now_ms=shop.now_ms(), clear_after_ms=clear_after_ms
        )
    )
    return recorded.differed


# ------------------------------------------------------------------------------------------------------------------ what is sent again


def test_nothing_is_sent_when_wanted_is_expected(shop: Bench) -> None:
    assert shop.push() == {"KOPI": 10}
    assert shop.push() == {}
    assert shop.target("KOPI") == 10


def test_b4_five_four_five_is_pushed_three_times_with_three_keys(shop: Bench) -> None:
    shop.count("KOPI", 5)
    assert shop.push() == {"KOPI": 5}
    buy(shop, "L1", 1)
    assert shop.push() == {"KOPI": 4}
    shop.receive("KOPI", 1)
    assert shop.push() == {"KOPI": 5}
    keys = [row[0] for row in shop.query("SELECT key FROM push ORDER BY id")]
    assert len(set(keys)) == 3


def test_the_same_want_once_more_has_another_idempotency_key(shop: Bench) -> None:
    """An unclear push is repeated with the same ledger version; the provider must not take it for the old one."""
    wants = []
    for _ in range(2):
        sent = shop.send(shop.plan())
        shop.answer(sent, UNCLEAR)
        wants += [one.want for one in sent]
    assert [want.level for want in wants] == [10, 10]
    assert wants[0].key != wants[1].key


def test_b5_a_movement_between_read_and_push_is_pushed_in_the_next_cycle(shop: Bench) -> None:
    shop.push()
    buy(shop, "L1", 1)
    sent = shop.send(shop.plan())
    buy(shop, "L2", 2)  # after the number was computed, before the channel answered
    shop.answer(sent)
    assert [one.want.level for one in sent] == [9]
    assert shop.push() == {"KOPI": 7}


def test_b25_the_sale_of_the_last_unit_is_pushed_as_zero(shop: Bench) -> None:
    shop.count("KOPI", 1)
    assert shop.push() == {"KOPI": 1}
    assert shop.push(channel="lazada") == {"KOPI-LZD": 1}
    buy(shop, "L1", 1)
    assert shop.push() == {"KOPI": 0}
    buy(shop, "L2", 1)  # oversold: still zero, and zero is shown already
    assert shop.push() == {}
    assert shop.available("KOPI") == -1


def test_an_uncounted_component_is_reported_and_never_pushed(shop: Bench) -> None:
    shop.listing("PAKET", {"KOPI": 1, "SENDOK": 1})
    shop.receive("SENDOK", 5)
    plan = shop.plan()
    assert keys_of(plan.send) == ["KOPI"]
    assert shop.read(lambda session: pushes.names_of(session, plan.uncounted)) == ["PAKET"]
    shop.count("SENDOK", 5)
    assert {decision.key.remote_key: decision.level for decision in shop.plan().send} == {"KOPI": 10, "PAKET": 5}


def test_a_target_with_an_unmapped_listing_is_never_pushed(shop: Bench) -> None:
    shop.listing("BARU")
    assert keys_of(shop.plan().send) == ["KOPI"]


def test_a_target_that_serves_several_listings_shows_the_lowest_of_them(shop: Bench) -> None:
    """A WooCommerce parent that manages stock is one number for all its variations."""
    parent = (TargetKey("induk"),)
    shop.listing("isi-1", {"KOPI": 1}, targets=parent)
    shop.listing("isi-3", {"KOPI": 3}, targets=parent)
    assert {decision.key.remote_key: decision.level for decision in shop.plan().send} == {"KOPI": 10, "induk": 3}


def test_a_listing_that_the_channel_keeps_no_number_for_has_no_target(shop: Bench) -> None:
    shop.listing("jasa", {"KOPI": 1}, managed=False)
    assert keys_of(shop.plan().send) == ["KOPI"]


def test_the_level_is_what_can_be_made_and_never_below_zero(shop: Bench) -> None:
    shop.listing("PAKET", {"KOPI": 3, "MADU": 2})
    shop.count("MADU", 5)
    assert shop.push() == {"KOPI": 10, "PAKET": 2}
    buy(shop, "L1", 14)
    assert shop.push() == {"KOPI": 0, "PAKET": 0}


def test_the_buffer_of_a_sku_and_of_the_shop_are_kept_back(shop: Bench) -> None:
    shop.execute("UPDATE sku SET buffer = 2 WHERE code = 'KOPI'")
    assert shop.push(extra_buffer=1) == {"KOPI": 7}


def test_b26_stock_of_a_second_warehouse_is_pushed_to_its_own_location_and_an_unmapped_one_is_not(shop: Bench) -> None:
    attic = shop.write(lambda session: work.ensure_warehouse(session, "attic", "Loteng"))
    shop.listing("MADU", {"MADU": 1}, targets=(TargetKey("MADU", "JKT"), TargetKey("MADU", "BDG")))
    channel = shop.channels["shopee"]
    shop.write(lambda session: work.set_locations(session, channel, {"JKT": attic}))
    main, shop.warehouse = shop.warehouse, attic
    shop.count("MADU", 4)
    shop.warehouse = main
    shop.count("MADU", 9)
    plan = shop.plan()
    levels = {(decision.key.remote_key, decision.key.location): decision.level for decision in plan.send}
    assert levels == {("KOPI", ""): 10, ("MADU", "JKT"): 4}
    assert len(plan.uncounted) == 1


def test_two_locations_without_a_map_are_not_given_the_same_stock_twice(shop: Bench) -> None:
    shop.listing("MADU", {"MADU": 1}, targets=(TargetKey("MADU", "JKT"), TargetKey("MADU", "BDG")))
    shop.count("MADU", 9)
    assert keys_of(shop.plan().send) == ["KOPI"]


# -------------------------------------------------------------------------------------------------------------------------- answers


def test_a_want_is_committed_as_sent_and_the_number_unknown_before_the_call(shop: Bench) -> None:
    shop.push()
    buy(shop, "L1", 1)
    shop.send(shop.plan())
    assert shop.target("KOPI") is None
    assert shop.query("SELECT level, expected, outcome FROM push ORDER BY id DESC LIMIT 1") == [(9, 10, "sent")]


def test_the_number_that_the_channel_confirms_is_the_expected_one(shop: Bench) -> None:
    shop.answer(shop.send(shop.plan()), shown=8)
    assert shop.target("KOPI") == 8
    assert shop.push() == {"KOPI": 10}


def test_a_refused_level_is_named_waits_and_is_tried_again_when_another_is_wanted(shop: Bench) -> None:
    shop.push()
    buy(shop, "L1", 1)
    shop.answer(shop.send(shop.plan()), REJECTED, reject=RejectClass.CAMPAIGN_LOCKED, why="stock is locked")
    assert shop.target("KOPI") == 10  # the number was not changed by a refusal
    assert shop.findings("push_refused") == ["KOPI"]
    plan = shop.plan()
    assert plan.send == ()
    assert len(plan.refused) == 1
    buy(shop, "L2", 1)
    assert shop.push() == {"KOPI": 8}
    assert shop.findings("push_refused") == []


def test_a_refused_level_is_tried_again_after_an_hour(shop: Bench) -> None:
    shop.push()
    buy(shop, "L1", 1)
    shop.answer(shop.send(shop.plan()), REJECTED, reject=RejectClass.OTHER)
    shop.clock.advance(minutes=59)
    assert shop.plan().send == ()
    shop.clock.advance(minutes=2)
    assert shop.push() == {"KOPI": 9}


def test_a_refusal_does_not_restore_a_number_that_an_order_has_changed_meanwhile(shop: Bench) -> None:
    shop.push()
    buy(shop, "L1", 1)
    sent = shop.send(shop.plan())
    buy(shop, "S1", 1, channel="shopee", listing="KOPI")
    shop.answer(sent, REJECTED, reject=RejectClass.OTHER)
    assert shop.target("KOPI") is None


def test_a_refusal_below_the_reserved_units_proves_that_the_number_contains_the_pot(shop: Bench) -> None:
    read_back(shop, "KOPI", None, held_aside=4)
    assert shop.plan(pots=True).send[0].level == 6
    sent = shop.send(shop.plan(pots=True))
    shop.answer(sent, REJECTED, reject=RejectClass.BELOW_RESERVED, floor=4)
    assert shop.target("KOPI", column="pot_inside")
    assert shop.plan(pots=True).send[0].level == 10


def test_below_the_floor_the_floor_is_sent_when_it_lowers_and_named(shop: Bench) -> None:
    shop.push()
    buy(shop, "L1", 8)
    shop.answer(shop.send(shop.plan()), REJECTED, reject=RejectClass.BELOW_RESERVED, floor=5)
    plan = shop.plan()
    assert [decision.level for decision in plan.send] == [5]
    assert [level for _, level in plan.below_floor] == [2]


def test_an_unclear_answer_is_read_back_after_the_longest_processing_time(shop: Bench) -> None:
    shop.answer(shop.send(shop.plan()), UNCLEAR, why="time-out")
    assert shop.target("KOPI") is None
    assert due_read_backs(shop) == []
    assert shop.push() == {"KOPI": 10}  # meanwhile the number is sent again, and applied
    shop.clock.advance(seconds=61)
    assert due_read_backs(shop) == [TargetKey("KOPI")]
    read_back(shop, "KOPI", 7, clear_after_ms=shop.now_ms())  # the lost write came after the new one
    assert due_read_backs(shop) == []
    assert shop.push() == {"KOPI": 10}


def due_read_backs(shop: Bench) -> list[TargetKey]:
    return shop.read(lambda session: pushes.due_read_backs(session, shop.channels["shopee"], now_ms=shop.now_ms()))


def test_a_push_without_an_answer_after_a_kill_is_unclear_and_read_back(shop: Bench) -> None:
    shop.push()
    buy(shop, "L1", 1)
    shop.send(shop.plan())  # and here the process is killed
    channel = shop.channels["shopee"]

    def forget() -> int:
        return shop.write(
            lambda session: pushes.forget_unanswered(session, channel, now_ms=shop.now_ms(), write_settles_s=60.0)
        )

    assert (forget(), forget()) == (1, 0)
    assert shop.query("SELECT outcome FROM push ORDER BY id") == [("applied",), ("unclear",)]
    assert shop.target("KOPI") is None
    assert shop.push() == {"KOPI": 9}
    shop.clock.advance(seconds=61)
    assert due_read_backs(shop) == [TargetKey("KOPI")]


def test_another_channels_unanswered_pushes_are_left_alone(shop: Bench) -> None:
    shop.send(shop.plan())
    forgotten = shop.write(
        lambda session: pushes.forget_unanswered(
            session, shop.channels["lazada"], now_ms=shop.now_ms(), write_settles_s=60.0
        )
    )
    assert forgotten == 0


@pytest.mark.parametrize(("shown", "known", "differed"), [(10, 10, 0), (12, None, 1), (None, 10, 0)])
def test_a_number_other_than_the_expected_one_makes_it_unknown(
    shop: Bench, shown: int | None, known: int | None, differed: int
) -> None:
    """L4: a quantity seen on a channel is evidence of drift, never a movement."""
    shop.push()
    moved = shop.movements()
    assert read_back(shop, "KOPI", shown) == differed
    assert shop.target("KOPI") == known
    assert shop.movements() == moved


# --------------------------------------------------------------------------------------------------------------- pots, blind channels


def test_an_unread_or_stale_pot_lets_the_number_fall_and_never_rise(shop: Bench) -> None:
    def plan() -> tuple[list[int], list[int]]:
        made = shop.plan(pots=True)
        return [decision.level for decision in made.send], [decision.level for decision in made.need_pull]

    assert plan() == ([], [10])  # unread
    read_back(shop, "KOPI", None, held_aside=3)
    assert plan() == ([7], [])
    shop.push(pots=True)
    shop.clock.advance(minutes=31)
    shop.receive("KOPI", 2)
    assert plan()[0] == []  # stale
    shop.count("KOPI", 4)
    assert plan() == ([1], [])  # what was in the pot may still be there


def test_a_blind_channels_probable_sales_are_kept_back_from_a_raise(shop: Bench) -> None:
    """Six units a day, blind for two hours: half a unit, so one."""
    for number in range(3):
        buy(shop, f"L{number}", 2)
    blind = {shop.channels["lazada"]: 2 * 3600 * 1000}
    sold = shop.read(lambda session: pages.blind_sales(session, blind, now_ms=shop.now_ms()))
    assert sold == {shop.sku("KOPI"): 1}
    assert shop.push() == {"KOPI": 4}
    shop.receive("KOPI", 3)
    assert shop.push(blind_sold=sold) == {"KOPI": 6}
    buy(shop, "L9", 3)
    assert shop.push(blind_sold=sold) == {"KOPI": 4}  # a lowering is never held back


def test_no_blind_channel_keeps_nothing_back(shop: Bench) -> None:
    assert shop.read(lambda session: pages.blind_sales(session, {}, now_ms=shop.now_ms())) == {}


# ----------------------------------------------------------------------------------------------------------------------- the guard


def many(shop: Bench, number: int) -> list[str]:
    """`number` listings at level 5, pushed; the recipes then turn to a SKU of which there is nothing."""
    keys = [f"K{one:02}" for one in range(number)]
    channel = shop.channels["shopee"]
    shop.count("TEH", 5)
    found = [RemoteListing(key, "TEH", f"Teh {key}", (TargetKey(key),)) for key in keys]
    shop.write(
        lambda session: listings.record_listings(session, channel, found, now_ms=shop.now_ms(), adopt_skus=False)
    )
    assert shop.push() == {"KOPI": 10, **dict.fromkeys(keys, 5)}
    shop.sku("HABIS")
    shop.count("HABIS", 0)
    shop.execute("UPDATE recipe_item SET sku_id = :new WHERE sku_id = :old", new=shop.sku("HABIS"), old=shop.sku("TEH"))
    return keys


def test_many_targets_that_would_go_to_zero_without_a_cause_wait_for_a_person(shop: Bench) -> None:
    keys = many(shop, 12)
    channel = shop.channels["shopee"]
    plan = shop.plan()
    assert plan.send == ()
    assert keys_of(plan.zero_held) == keys
    shop.write(lambda session: pushes.hold_zeroes(session, channel, plan.zero_held, now_ms=shop.now_ms()))
    assert shop.findings("sudden_zero") == ["targets"]
    buy(shop, "L1", 1)
    assert shop.push() == {"KOPI": 9}  # what is explained goes out all the while
    assert shop.write(lambda session: pushes.agree_zeroes(session, channel)) == 12
    assert shop.push() == dict.fromkeys(keys, 0)
    shop.write(lambda session: pushes.hold_zeroes(session, channel, (), now_ms=shop.now_ms()))
    assert shop.findings("sudden_zero") == []


def test_few_targets_at_zero_are_not_held(shop: Bench) -> None:
    keys = many(shop, 9)
    assert shop.push() == dict.fromkeys(keys, 0)


def test_many_targets_that_sold_out_are_not_held(shop: Bench) -> None:
    keys = [f"K{one:02}" for one in range(12)]
    shop.count("TEH", 5)
    for key in keys:
        shop.listing(key, {"TEH": 1})
    shop.push()
    shop.listing("TEH-LZD", {"TEH": 1}, channel="lazada")
    buy(shop, "L1", 5, listing="TEH-LZD")
    assert shop.push() == dict.fromkeys(keys, 0)


# --------------------------------------------------------------------------------------------------------------------- epochs, walks


def test_a_new_epoch_forgets_every_number_and_gives_every_push_a_new_key(shop: Bench) -> None:
    shop.push()
    old = shop.value("SELECT key FROM push")
    assert shop.write(lambda session: pages.new_epoch(session, now_ms=shop.now_ms())) == 2
    assert shop.target("KOPI") is None
    assert shop.push() == {"KOPI": 10}
    assert [row[0] for row in shop.query("SELECT key FROM push ORDER BY id")] == [old, old.replace("e1-", "e2-")]


def test_pushes_wait_until_the_unreadable_orders_of_the_first_walk_were_named(shop: Bench) -> None:
    channel = shop.channels["shopee"]

    def finish() -> bool:
        return shop.write(lambda session: pages.finish_walk(session, channel, now_ms=shop.now_ms()))

    shop.record(order("A", line("KOPI", units(1, UnitStage.UNKNOWN)), state=OrderState.UNKNOWN, problems=("what?",)))
    assert finish() is False
    assert shop.findings("first_walk_unclear") == ["channel"]
    shop.write(lambda session: pages.accept_first_walk(session, channel, now_ms=shop.now_ms()))
    assert finish() is True
    assert shop.findings("first_walk_unclear") == []


def test_lowerings_go_out_first_and_raises_wait_for_a_fresh_pull(shop: Bench) -> None:
    shop.stocked("MADU", 3)
    shop.push()
    buy(shop, "L1", 4)
    shop.receive("MADU", 2)
    old = shop.plan(fresh=False)
    assert (keys_of(old.send), keys_of(old.need_pull)) == (["KOPI"], ["MADU"])
    assert keys_of(shop.plan(fresh=True).send) == ["KOPI", "MADU"]


def test_b35_a_channel_that_cannot_go_down_is_not_asked_to(shop: Bench) -> None:
    shop.push()
    buy(shop, "L1", 4)
    plan = shop.plan(policy=PushPolicy(can_decrease=False))
    assert (keys_of(plan.send), keys_of(plan.undecreasable)) == ([], ["KOPI"])


def test_a_want_tells_when_the_ledger_first_wanted_it(shop: Bench) -> None:
    shop.push()
    buy(shop, "L1", 1)
    caused = shop.now_ms()
    shop.clock.advance(seconds=40)
    shop.push()
    wanted, sent = shop.query("SELECT wanted_ms, sent_ms FROM push ORDER BY id DESC LIMIT 1")[0]
    assert (wanted, sent - wanted) == (caused, 40_000)
