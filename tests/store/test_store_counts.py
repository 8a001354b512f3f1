"""Counts, receipts and adjustments: what people say about the shelf, while orders move, and whenever it is entered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_bench import START, Bench, line, order, units

from sellersync.domain.errors import BadInput
from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.times import to_epoch_ms
from sellersync.store import stock

LEFT = UnitStage.LEFT


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def shipped(remote_id: str, quantity: int, *, left_at: datetime) -> Order:
    """An order of KOPI whose parcel was picked up at `left_at`."""
    return order(
        remote_id,
        line("KOPI", units(quantity, LEFT)),
        at=left_at,
        created_at=START,
        state=OrderState.SHIPPED,
        shipped_at=left_at,
    )


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """Ten KOPI counted at the start; an hour has passed."""
    bench.stocked("KOPI", 10)
    bench.clock.advance(minutes=60)
    return bench


# ---------------------------------------------------------------------------------------------------------------------- first counts


@pytest.mark.parametrize("counted", [0, 7])
def test_the_first_count_gives_a_level_and_zero_is_a_count(bench: Bench, counted: int) -> None:
    bench.listing("KOPI", {"KOPI": 1})
    plan = bench.plan()
    assert plan.send == ()
    assert len(plan.uncounted) == 1
    bench.receive("KOPI", 5)
    assert bench.plan().send == ()  # goods received are no count of the shelf
    bench.count("KOPI", counted, at=START)
    plan = bench.plan()
    assert plan.uncounted == ()
    assert [decision.level for decision in plan.send] == [counted]


def test_a_first_count_after_the_first_orders_counts_what_is_reserved(bench: Bench) -> None:
    bench.listing("KOPI", {"KOPI": 1})
    bench.record(order("A", line("KOPI", 3)))
    assert bench.available("KOPI") == -3
    bench.count("KOPI", 10)
    assert bench.balances("KOPI") == {"available": 7, "reserved": 3, "adjustment": -10}


def test_a_count_includes_packed_parcels_that_were_not_handed_over(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2)))
    result = shop.count("KOPI", 9)
    assert (result.expected, result.counted) == (10, 9)
    assert shop.balances("KOPI") == {"available": 7, "reserved": 2, "adjustment": -9}
    shop.assert_proven()


# ------------------------------------------------------------------------------------------------------- recorded later, happened before


def test_a_late_pickup_before_the_count_posts_its_opposite(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 1)))
    shop.count(
        "KOPI", 9, at=START + minutes(50)
    )  # the parcel had been picked up already, and nobody had told the ledger
    assert shop.balances("KOPI") == {"available": 8, "reserved": 1, "adjustment": -9}
    shop.record(shipped("A", 1, left_at=START + minutes(40)))
    assert shop.balances("KOPI") == {"available": 9, "shipped": 1, "adjustment": -10}
    shop.assert_proven()


def test_a_pickup_after_the_count_has_no_opposite(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 1)))
    shop.count("KOPI", 10, at=START + minutes(50))
    shop.record(shipped("A", 1, left_at=START + minutes(55)))
    assert shop.balances("KOPI") == {"available": 9, "shipped": 1, "adjustment": -10}


def test_an_order_of_the_first_walk_that_left_before_the_first_count_changes_no_level(shop: Bench) -> None:
    shop.record(shipped("old", 4, left_at=START - minutes(600)))
    assert shop.balances("KOPI") == {"available": 10, "shipped": 4, "adjustment": -14}
    shop.assert_proven()


def test_a_late_mapping_of_goods_that_left_before_the_count_changes_no_level(shop: Bench) -> None:
    shop.listing("KOPI-LAMA")
    shop.record(
        order("A", line("KOPI-LAMA", units(2, LEFT)), at=START + minutes(20), shipped_at=START + minutes(20)),
    )
    shop.count("KOPI", 8)
    shop.map("KOPI-LAMA", {"KOPI": 1})
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}
    shop.assert_proven()


def test_a_receipt_entered_late_was_already_seen_by_the_count(shop: Bench) -> None:
    shop.count("KOPI", 15, at=START + minutes(50))
    shop.receive("KOPI", 5, at=START + minutes(40))
    assert shop.balances("KOPI") == {"available": 15, "supplier": -5, "adjustment": -10}
    shop.receive("KOPI", 3, at=START + minutes(55))
    assert shop.available("KOPI") == 18
    shop.assert_proven()


def test_an_adjustment_entered_late_was_already_seen_by_the_count(shop: Bench) -> None:
    shop.count("KOPI", 8, at=START + minutes(50))
    adjust(shop, -2, at=START + minutes(40))
    assert shop.available("KOPI") == 8
    adjust(shop, -2, at=START + minutes(55))
    assert shop.available("KOPI") == 6
    shop.assert_proven()


def test_a_count_entered_late_does_not_overrule_a_newer_one(shop: Bench) -> None:
    shop.count("KOPI", 12, at=START + minutes(50))
    late = shop.count("KOPI", 3, at=START + minutes(30))
    assert (late.expected, late.counted) == (10, 3)
    assert shop.available("KOPI") == 12
    shop.assert_proven()


def test_a_count_dated_back_keeps_what_happened_since(shop: Bench) -> None:
    shop.record(shipped("A", 3, left_at=START + minutes(50)))
    shop.count("KOPI", 9, at=START + minutes(40))  # one was missing before the three left
    assert shop.balances("KOPI") == {"available": 6, "shipped": 3, "adjustment": -9}


def test_at_one_moment_a_count_sees_what_was_recorded_before_it(shop: Bench) -> None:
    now = shop.clock.now()
    shop.receive("KOPI", 5, at=now)
    shop.count("KOPI", 15, at=now)
    assert shop.available("KOPI") == 15
    shop.receive("KOPI", 2, at=now)
    assert shop.available("KOPI") == 17


def adjust(shop: Bench, change: int, *, at: datetime) -> None:
    shop.write(
        lambda session: stock.record_adjustment(
            session,
            shop.sku("KOPI"),
            shop.warehouse,
            change,
            reason="broken",
            at_ms=to_epoch_ms(at),
            now_ms=shop.now_ms(),
            who="test",
        )
    )


@dataclass(frozen=True)
class Happening:
    """Something that happened to the shelf `at` minutes: "in" and "out" are recorded some day, "theft" never, "count" sees the truth."""

    kind: str
    at: int
    quantity: int


happenings = st.lists(
    st.tuples(st.sampled_from(["in", "out", "theft", "count"]), st.integers(1, 4)), min_size=1, max_size=8
).map(lambda pairs: [Happening(kind, minute, quantity) for minute, (kind, quantity) in enumerate(pairs, start=1)])


@given(story=happenings, data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_entered_when_the_shelf_is_the_last_count_and_what_happened_since(
    sqlite_bench: Bench, story: list[Happening], data: st.DataObject
) -> None:
    bench = sqlite_bench
    bench.clock.advance(hours=24)
    begin = bench.clock.now() - timedelta(hours=2)
    sku = f"S{bench.now_ms()}"
    bench.listing(sku, {sku: 1})
    shelf = expected = 50
    seen: dict[int, int] = {0: shelf}
    for one in story:
        change = {"in": one.quantity, "out": -one.quantity, "theft": -one.quantity, "count": 0}[one.kind]
        shelf += change
        expected += change if one.kind != "theft" else 0
        if one.kind == "count":
            seen[one.at] = expected = shelf
    entries = data.draw(st.permutations([Happening("count", 0, 0), *(one for one in story if one.kind != "theft")]))
    for one in entries:
        at = begin + minutes(one.at)
        if one.kind == "in":
            bench.receive(sku, one.quantity, at=at)
        elif one.kind == "count":
            bench.count(sku, seen[one.at], at=at)
        else:
            left = line(sku, units(one.quantity, LEFT))
            bench.record(order(f"{sku}-{one.at}", left, at=at, shipped_at=at, state=OrderState.SHIPPED))
    assert bench.available(sku) == expected
    bench.assert_proven()


# ------------------------------------------------------------------------------------------------------------------- what is refused


def test_entries_that_cannot_be_are_refused_with_the_way_out(shop: Bench) -> None:
    kopi, now_ms = shop.sku("KOPI"), shop.now_ms()
    with pytest.raises(BadInput, match="future"):
        shop.count("KOPI", 1, at=shop.clock.now() + minutes(1))
    twice = [stock.CountEntry(kopi, shop.warehouse, 1), stock.CountEntry(kopi, shop.warehouse, 2)]
    with pytest.raises(BadInput, match="KOPI is counted twice"):
        shop.write(lambda session: stock.record_count(session, twice, at_ms=now_ms, now_ms=now_ms, who="test"))
    with pytest.raises(BadInput, match="positive quantity"):
        shop.receive("KOPI", 0)
    with pytest.raises(BadInput, match="changes nothing"):
        adjust(shop, 0, at=shop.clock.now())
    with pytest.raises(BadInput, match=r"no SKU 'kopi'.*did you mean KOPI"):
        shop.read(lambda session: stock.find_sku(session, "kopi"))
    with pytest.raises(BadInput, match="no warehouse 'attic'; there are: main"):
        shop.read(lambda session: stock.find_warehouse(session, "attic"))
    assert shop.balances("KOPI") == {"available": 10, "adjustment": -10}
    assert shop.value("SELECT COUNT(*) FROM document") == 1
