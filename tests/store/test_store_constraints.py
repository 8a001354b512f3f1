"""Rules that the database itself holds, whatever the code above it does (L1, L3)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from ledger_bench import Bench, line, order, units
from sqlalchemy.exc import IntegrityError

from sellersync.domain.orders import OrderState, UnitStage


@pytest.fixture
def sold(bench: Bench) -> Bench:
    """Ten counted, two of them reserved by order A."""
    bench.stocked("KOPI", 10)
    bench.record(order("A", line("KOPI", 2)))
    assert bench.balances("KOPI") == {"available": 8, "reserved": 2, "adjustment": -10}
    return bench


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE balance SET quantity = quantity - 3 WHERE account = 'reserved'",
        "INSERT INTO balance (sku_id, warehouse_id, account, quantity) SELECT sku_id, 0, 'shipped', -1 FROM balance LIMIT 1",
        "UPDATE order_position SET reserved = -1",
        "INSERT INTO recipe_item (recipe_id, sku_id, quantity) SELECT id, 1, 0 FROM recipe",
        "UPDATE count_line SET counted = -1",
    ],
    ids=["reserved below zero", "shipped below zero", "position below zero", "recipe of nothing", "negative count"],
)
def test_a_number_that_cannot_be_is_refused(sold: Bench, statement: str) -> None:
    with pytest.raises(IntegrityError):
        sold.execute(statement)
    assert sold.balances("KOPI") == {"available": 8, "reserved": 2, "adjustment": -10}


COPY_MOVEMENT = (
    "INSERT INTO movement (sku_id, quantity, source, source_warehouse_id, destination, destination_warehouse_id, occurred_ms, "
    "recorded_ms, cause_kind, cause_id, revision, leg, reason, who) SELECT sku_id, {quantity}, source, source_warehouse_id, "
    "destination, destination_warehouse_id, occurred_ms, recorded_ms, cause_kind, cause_id, {revision}, leg, reason, who "
    "FROM movement WHERE cause_kind = 'order'"
)


@pytest.mark.parametrize("quantity", [0, -2])
def test_a_movement_of_nothing_is_refused(sold: Bench, quantity: int) -> None:
    with pytest.raises(IntegrityError):
        sold.execute(COPY_MOVEMENT.format(quantity=quantity, revision="revision + 1"))


def test_the_same_cause_revision_and_leg_is_refused_a_second_time(sold: Bench) -> None:
    with pytest.raises(IntegrityError):
        sold.execute(COPY_MOVEMENT.format(quantity="quantity", revision="revision"))
    sold.execute(COPY_MOVEMENT.format(quantity="quantity", revision="revision + 1"))  # only the identity was the reason


def test_available_may_fall_below_zero(sold: Bench) -> None:
    """L5: an oversell is a fact."""
    sold.execute("UPDATE balance SET quantity = -5 WHERE account = 'available'")


def test_a_second_row_of_the_same_order_is_refused(sold: Bench) -> None:
    columns = (
        "channel_id, remote_id, number, storefront, state, remote_status, created_ms, updated_ms, read_started_ms, digest, seen_ms, "
        "changed_ms, hold_expired, cod, payment_method, courier_service, cancel_by, cancel_reason, problems, posted_rev, gone"
    )
    with pytest.raises(IntegrityError):
        sold.execute(f"INSERT INTO sales_order ({columns}) SELECT {columns} FROM sales_order WHERE remote_id = 'A'")


def test_the_same_order_id_on_another_channel_is_another_order(bench: Bench) -> None:
    """Remote ids are unique per channel: Lazada repeats order ids between shops."""
    bench.stocked("KOPI", 10)
    bench.listing("KOPI", {"KOPI": 1}, channel="lazada")
    bench.record(order("7001", line("KOPI", 1)))
    bench.record(order("7001", line("KOPI", 1)), channel="lazada")
    assert bench.balances("KOPI") == {"available": 8, "reserved": 2, "adjustment": -10}


# -------------------------------------------------------------------------------------------------------------- races in one process


def all_at_once(count: int, run: Callable[[int], object]) -> list[Exception]:
    """Run in `count` threads that start together; returns what they raised."""
    failures: list[Exception] = []
    gate = threading.Barrier(count)

    def body(number: int) -> None:
        gate.wait(timeout=10)
        try:
            run(number)
        except Exception as failure:  # every failure is the test's to judge
            failures.append(failure)

    threads = [threading.Thread(target=body, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    return failures


def test_b1_two_threads_import_the_same_page(bench: Bench) -> None:
    bench.stocked("KOPI", 100)
    page = [order(f"A{number}", line("KOPI", 2)) for number in range(10)]
    failures = all_at_once(2, lambda _: bench.record(*page))
    assert failures == []
    assert bench.value("SELECT COUNT(*) FROM sales_order") == 10
    assert bench.value("SELECT COUNT(*) FROM movement WHERE cause_kind = 'order'") == 10
    assert bench.balances("KOPI") == {"available": 80, "reserved": 20, "adjustment": -100}
    bench.assert_proven()


def test_b15_twenty_threads_take_the_last_unit(bench: Bench) -> None:
    bench.stocked("KOPI", 1)
    failures = all_at_once(20, lambda number: bench.record(order(f"A{number}", line("KOPI", 1))))
    assert failures == []
    assert bench.value("SELECT COUNT(*) FROM sales_order") == 20
    assert bench.balances("KOPI") == {"available": -19, "reserved": 20, "adjustment": -1}
    assert bench.value("SELECT details FROM finding WHERE kind = 'shortage' AND closed_ms IS NULL") == '{"short": 19}'
    bench.assert_proven()


def test_b16_a_cancellation_replayed_leaves_nothing_reserved(bench: Bench) -> None:
    bench.stocked("KOPI", 10)
    bench.record(order("A", line("KOPI", 2)))
    cancelled = order(
        "A", line("KOPI", units(2, UnitStage.CANCELLED)), at=bench.clock.advance(minutes=1), state=OrderState.CANCELLED
    )
    failures = all_at_once(4, lambda _: bench.record(cancelled))
    assert failures == []
    bench.record(cancelled, read_at=bench.clock.advance(minutes=1))
    assert bench.balances("KOPI") == {"available": 10, "adjustment": -10}
    assert bench.position("A", "KOPI") == (0, 0)
    bench.assert_proven()
