"""What decides about a number: several warehouses behind one number, and what locked numbers elsewhere keep back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ledger_bench import Bench, line, order

from sellersync.domain.errors import BadInput, RejectClass
from sellersync.domain.levels import TargetFacts, level_of
from sellersync.domain.listings import PushOutcome, ShownLevel, TargetKey
from sellersync.store import differences, pushes, reads_stock, stock, work
from sellersync.store.target_facts import target_facts, units_beyond_levels


def facts(bench: Bench, channel: str = "shopee", **more: Any) -> dict[str, TargetFacts]:
    found = bench.read(
        lambda session: target_facts(session, bench.channels[channel], now_ms=bench.now_ms(), pots=False, **more)
    )
    return {one.key.remote_key: one for one in found}


def levels(bench: Bench, channel: str = "shopee", **more: Any) -> dict[str, int | None]:
    return {key: level_of(one) for key, one in facts(bench, channel, **more).items()}


# -------------------------------------------------------------------------------------------------------------- several warehouses


def warehouse(bench: Bench, code: str) -> int:
    return bench.write(lambda session: work.ensure_warehouse(session, code, code))


def sells_also_from(bench: Bench, *warehouses: int, channel: str = "shopee") -> None:
    bench.write(lambda session: work.set_further_warehouses(session, bench.channels[channel], warehouses))


def count_in(bench: Bench, place: int, numbers: Mapping[str, int]) -> None:
    entries = [stock.CountEntry(bench.sku(code), place, number) for code, number in numbers.items()]
    bench.write(
        lambda session: stock.record_count(session, entries, at_ms=bench.now_ms(), now_ms=bench.now_ms(), who="test")
    )


def test_a_number_is_the_sum_over_the_channels_warehouses_and_a_buffer_counts_once(bench: Bench) -> None:
    bench.stocked("KOPI", 10)
    bench.listing("KOPI-LZD", {"KOPI": 1}, channel="lazada")
    garut, solo = warehouse(bench, "garut"), warehouse(bench, "solo")
    count_in(bench, garut, {"KOPI": 4})
    count_in(bench, solo, {"KOPI": 1})
    sells_also_from(bench, garut, solo)
    assert levels(bench) == {"KOPI": 15}
    assert levels(bench, extra_buffer=3) == {"KOPI": 12}
    assert levels(bench, "lazada") == {"KOPI-LZD": 10}
    sells_also_from(bench, garut)
    assert levels(bench) == {"KOPI": 14}


def test_a_bundle_is_made_within_one_warehouse(bench: Bench) -> None:
    """Three of each: two bundles in one warehouse, none across the two."""
    bench.listing("SET", {"KOPI": 1, "TEH": 1})
    garut = warehouse(bench, "garut")
    bench.count("KOPI", 2)
    bench.count("TEH", 3)
    count_in(bench, garut, {"KOPI": 1, "TEH": 0})
    sells_also_from(bench, garut)
    assert levels(bench) == {"SET": 2}


def test_orders_are_taken_from_the_first_warehouse_and_its_shortage_lowers_the_sum(bench: Bench) -> None:
    bench.stocked("KOPI", 3)
    garut = warehouse(bench, "garut")
    count_in(bench, garut, {"KOPI": 4})
    sells_also_from(bench, garut)
    bench.record(order("A1", line("KOPI", 5), created_at=bench.clock.advance(seconds=1), at=bench.clock.now()))
    by_place = dict(
        bench.query("SELECT warehouse_id, quantity FROM balance WHERE account = 'available' AND quantity <> 0")
    )
    assert by_place == {bench.warehouse: -2, garut: 4}
    assert levels(bench) == {"KOPI": 2}


def test_a_further_warehouse_adds_nothing_before_its_first_count(bench: Bench) -> None:
    bench.listing("KOPI", {"KOPI": 1})
    garut = warehouse(bench, "garut")
    sells_also_from(bench, garut)
    count_in(bench, garut, {"KOPI": 4})
    assert levels(bench) == {"KOPI": None}  # never counted where orders are taken from
    bench.count("KOPI", 6)
    assert levels(bench) == {"KOPI": 10}
    bench.listing("TEH", {"TEH": 1})
    bench.count("TEH", 2)
    sku = bench.sku("TEH")
    bench.write(
        lambda session: stock.record_receipt(
            session, sku, garut, 9, at_ms=bench.now_ms(), now_ms=bench.now_ms(), who="test"
        )
    )
    assert levels(bench)["TEH"] == 2  # nine came in there, and nobody ever counted what was there before


def test_a_change_in_any_warehouse_is_a_new_version_and_explains_the_level(bench: Bench) -> None:
    bench.stocked("KOPI", 10)
    garut = warehouse(bench, "garut")
    count_in(bench, garut, {"KOPI": 4})
    sells_also_from(bench, garut)
    bench.push()
    before = facts(bench)["KOPI"]
    assert not before.caused
    bench.clock.advance(seconds=5)
    count_in(bench, garut, {"KOPI": 1})
    after = facts(bench)["KOPI"]
    assert after.caused
    assert after.version > before.version
    assert after.wanted_at == bench.clock.now()


def test_the_number_of_several_warehouses_is_no_count_of_one(bench: Bench) -> None:
    bench.stocked("KOPI", 10)
    sells_also_from(bench, warehouse(bench, "garut"))
    bench.push()
    channel = bench.channels["shopee"]
    assert bench.read(lambda session: reads_stock.countable_targets(session, channel)) == ([], ["KOPI"])
    with pytest.raises(BadInput, match="several warehouses"):
        bench.read(lambda session: differences.adoptable(session, channel, "KOPI"))


# ------------------------------------------------------------------------------------------------------------- kept back elsewhere


@pytest.fixture
def market(bench: Bench) -> Bench:
    """KOPI: forty on the shelf, shown on both channels; then thirty are gone, and Lazada does not let its number go down."""
    bench.stocked("KOPI", 40)
    bench.listing("KOPI-LZD", {"KOPI": 1}, channel="lazada")
    bench.push()
    bench.push(channel="lazada")
    bench.count("KOPI", 10)
    refuse(bench)
    return bench


def refuse(bench: Bench, reject: RejectClass = RejectClass.CAMPAIGN_LOCKED, **more: Any) -> None:
    bench.clock.advance(seconds=1)
    sent = bench.send(bench.plan(channel="lazada"))
    bench.clock.advance(seconds=1)
    bench.answer(sent, PushOutcome.REJECTED, channel="lazada", reject=reject, **more)


def test_b34_what_a_locked_channel_shows_beyond_its_level_is_kept_back_by_the_others(market: Bench) -> None:
    assert levels(market) == {"KOPI": 0}  # thirty may still be sold there, and ten are left
    assert levels(market, "lazada") == {"KOPI-LZD": 10}  # a number is not kept back from itself
    market.count("KOPI", 35)
    assert levels(market) == {"KOPI": 30}
    market.count("KOPI", 45)
    assert levels(market) == {"KOPI": 45}  # nothing is shown beyond the shelf any more


def test_b34_it_ends_when_the_channel_takes_the_level(market: Bench) -> None:
    market.clock.advance(minutes=61)
    assert levels(market) == {
        "KOPI": 0
    }  # an hour later the refused level is tried again, and the lock counts until it is taken
    market.push(channel="lazada")
    assert levels(market) == {"KOPI": 10}


@pytest.mark.parametrize("reject", [RejectClass.UNKNOWN_LISTING, RejectClass.HOLIDAY, RejectClass.BAD_DATA])
def test_b34_a_refusal_that_is_no_lock_keeps_nothing_back(market: Bench, reject: RejectClass) -> None:
    market.count("KOPI", 9)
    refuse(market, reject)
    assert levels(market) == {"KOPI": 9}


def test_b34_a_floor_keeps_back_what_it_holds_up(bench: Bench) -> None:
    bench.stocked("KOPI", 40)
    bench.listing("KOPI-LZD", {"KOPI": 1}, channel="lazada")
    bench.push(channel="lazada")
    bench.count("KOPI", 10)
    refuse(bench, RejectClass.BELOW_RESERVED, floor=15)
    assert levels(bench) == {"KOPI": 0}  # refused: until something is taken, forty are shown
    bench.clock.advance(seconds=1)
    assert bench.push(channel="lazada") == {"KOPI-LZD": 15}
    bench.execute("UPDATE target SET floor = 15 WHERE remote_key = 'KOPI-LZD'")  # read again with the levels
    assert levels(bench) == {"KOPI": 5}


def test_b34_a_pot_larger_than_the_shelf_is_kept_back(bench: Bench) -> None:
    bench.stocked("KOPI", 40)
    bench.listing("KOPI-LZD", {"KOPI": 1}, channel="lazada")
    bench.push(channel="lazada")
    bench.execute("UPDATE target SET pot = 12 WHERE remote_key = 'KOPI-LZD'")
    assert levels(bench) == {"KOPI": 40}
    bench.count("KOPI", 10)
    assert levels(bench) == {"KOPI": 8}


def test_b34_bundles_keep_back_their_components(bench: Bench) -> None:
    """A locked set of two KOPI and one TEH is shown four times too often: eight KOPI and four TEH."""
    bench.stocked("KOPI", 40)
    bench.stocked("TEH", 40)
    bench.listing("PAIR", {"KOPI": 2})
    bench.listing("SET-LZD", {"KOPI": 2, "TEH": 1}, channel="lazada")
    bench.push(channel="lazada")
    bench.count("KOPI", 32)
    assert bench.value("SELECT expected FROM target WHERE remote_key = 'SET-LZD'") == 20
    refuse(bench)
    assert levels(bench) == {"KOPI": 32 - 8, "TEH": 40 - 4, "PAIR": 12}
    only = [one.target_id for one in facts(bench).values() if one.key.remote_key == "TEH"]
    assert levels(bench, only=only) == {"TEH": 36}


def test_b34_warehouses_that_the_locked_channel_does_not_sell_from_keep_nothing_back(market: Bench) -> None:
    garut = warehouse(market, "garut")
    count_in(market, garut, {"KOPI": 7})
    sells_also_from(market, garut)
    assert levels(market) == {"KOPI": 0}  # 10 - 30 there, and 7 in Garut: still more may be sold than is there
    market.execute("UPDATE channel SET warehouse_id = :w WHERE slug = 'shopee'", w=garut)
    sells_also_from(market)
    assert levels(market) == {"KOPI": 7}


def test_b34_an_unknown_number_counts_as_it_was_last_seen_or_confirmed(market: Bench) -> None:
    market.execute("UPDATE target SET expected = NULL WHERE remote_key = 'KOPI-LZD'")
    market.count("KOPI", 35)
    assert levels(market) == {"KOPI": 30}  # by the last acknowledged forty
    market.clock.advance(seconds=1)
    level = ShownLevel(TargetKey("KOPI-LZD"), 37, market.clock.now())
    market.write(
        lambda session: pushes.record_shown(
            session, market.channels["lazada"], [level], now_ms=market.now_ms(), clear_after_ms=0
        )
    )
    assert levels(market) == {"KOPI": 33}


def test_b34_only_channels_at_work_count(market: Bench) -> None:
    shopee, lazada = market.channels["shopee"], market.channels["lazada"]
    assert levels(market, sellers={shopee: True, lazada: True}) == {"KOPI": 0}
    assert levels(market, sellers={shopee: True}) == {"KOPI": 10}


def test_b35_a_channel_that_cannot_go_down_is_kept_back_without_a_refusal(bench: Bench) -> None:
    bench.stocked("KOPI", 40)
    bench.listing("KOPI-LZD", {"KOPI": 1}, channel="lazada")
    bench.push(channel="lazada")
    bench.count("KOPI", 35)
    shopee, lazada = bench.channels["shopee"], bench.channels["lazada"]
    assert levels(bench, sellers={shopee: True, lazada: True}) == {"KOPI": 35}
    assert levels(bench, sellers={shopee: True, lazada: False}) == {"KOPI": 30}


def test_b34_what_is_kept_back_is_named(market: Bench) -> None:
    lazada = market.channels["lazada"]
    [one] = market.read(
        lambda session: units_beyond_levels(session, {lazada: True}, now_ms=market.now_ms(), extra_buffer=0)
    )
    assert (one.key.remote_key, one.shown, one.level, one.units) == ("KOPI-LZD", 40, 10, 30)
    assert dict(one.skus) == {(market.sku("KOPI"), market.warehouse): 30}


# ------------------------------------------------------------------------------------------------------------------------------ pots


def test_a_pot_that_ended_is_left_to_a_comparison(bench: Bench) -> None:
    """What was there before must still be known when the number is looked at."""
    bench.stocked("KOPI", 40)
    bench.push()

    def read(shown: int, held_aside: int) -> pushes.ShownRecorded:
        level = ShownLevel(TargetKey("KOPI"), shown, bench.clock.now(), held_aside)
        return bench.write(
            lambda session: pushes.record_shown(
                session, bench.channels["shopee"], [level], now_ms=bench.now_ms(), clear_after_ms=0
            )
        )

    def due() -> list[TargetKey]:
        return bench.read(lambda session: pushes.due_pots(session, bench.channels["shopee"], now_ms=bench.now_ms()))

    assert read(40, 5).pots_ended == ()
    assert due() == []
    bench.clock.advance(seconds=pushes.POT_READ_MS / 1000)
    assert due() == [TargetKey("KOPI")]
    target = bench.value("SELECT id FROM target")
    assert read(45, 0) == pushes.ShownRecorded(0, (target,))
    assert (bench.target("KOPI"), bench.target("KOPI", column="pot")) == (40, 5)
