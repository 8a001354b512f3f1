"""The facts behind units sold twice, read alike from both databases."""

from __future__ import annotations

from datetime import timedelta

from ledger_bench import START, Bench, line, order

from sellersync.domain.oversell import Cause, Oversell
from sellersync.domain.times import to_epoch_ms
from sellersync.store import reads_order_desk, reads_oversell


def oversells(bench: Bench) -> list[Oversell]:
    since_ms = to_epoch_ms(START) - 1
    return bench.read(lambda session: reads_oversell.oversells(session, since_ms=since_ms, until_ms=bench.now_ms() + 1))


def sold_twice(bench: Bench) -> None:
    """One unit, counted; bought on Shopee, then on Lazada before anybody knew."""
    bench.stocked("KOPI", 1)
    bench.listing("L-KOPI", {"KOPI": 1}, channel="lazada")
    bench.clock.advance(minutes=10)
    at = bench.clock.now()
    bench.clock.advance(seconds=5)
    second = order("B", line("L-KOPI", 1), at=at + timedelta(seconds=2), paid_at=at + timedelta(seconds=2))
    bench.record(second, channel="lazada")
    bench.clock.advance(seconds=5)
    bench.record(order("A", line("KOPI", 1), at=at, paid_at=at), channel="shopee")
    bench.clock.advance(seconds=5)


def test_the_second_buyer_is_the_one_beyond_although_it_was_recorded_first(bench: Bench) -> None:
    sold_twice(bench)
    [one] = oversells(bench)
    assert (one.sku, one.units, one.cause) == ("KOPI", 1, Cause.PULL_LAG)
    assert one.first is not None
    assert (one.first.order, one.second.order) == ("A", "B")
    assert [step.after_ms for step in one.timeline] == [0, 10_000, 10_000, None, None, None, 2_000, 5_000]
    order_id = bench.order_id("B")
    assert bench.read(lambda session: reads_oversell.oversells_of_order(session, order_id)) == [one]
    assert bench.read(lambda session: reads_oversell.oversells_of_order(session, bench.order_id("A"))) == []


def test_a_later_count_that_finds_the_unit_changes_nothing_about_it(bench: Bench) -> None:
    sold_twice(bench)
    bench.clock.advance(hours=1)
    bench.count("KOPI", 5)
    assert [one.cause for one in oversells(bench)] == [Cause.PULL_LAG]


def test_days_without_one_are_empty(bench: Bench) -> None:
    bench.stocked("KOPI", 3)
    bench.clock.advance(minutes=10)
    bench.record(order("A", line("KOPI", 3), at=bench.clock.now()))
    assert oversells(bench) == []


def test_a_phone_and_a_way_are_found_alike(bench: Bench) -> None:
    bench.stocked("KOPI", 3)
    bench.record(order("A", line("KOPI", 1)))
    order_id = bench.order_id("A")
    sealed = bench.ledger.vault.seal_json({"phone": "081299887766"}, "buyer")
    bench.execute(
        "INSERT INTO buyer (order_id, sealed, masked, stored_ms) VALUES (:o, :s, FALSE, 1)", o=order_id, s=sealed
    )
    found = bench.read(
        lambda session: reads_order_desk.orders_by_phone(
            session, "7766", now_ms=bench.now_ms(), vault=bench.ledger.vault
        )
    )
    assert (found.order_ids, found.searched) == ((order_id,), 1)
    assert bench.read(lambda session: reads_order_desk.tracking_of_order(session, order_id)) == ()
