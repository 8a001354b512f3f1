"""Goods that come back: one document for them, whoever tells of it, and stock only by a person's receipt and grading."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from ledger_bench import START, Bench, line, open_ledger, order, parcel, unit, units
from returns_bench import announced, documents, grade, keep, newest, receive, tell, track

from sellersync.domain.errors import BadInput
from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import Grade, ReturnState
from sellersync.store import grading, reads_stock
from sellersync.store.ledger import Ledger
from sellersync.store.stock import find_sku

LEFT, CANCELLED, BACK, OPEN = UnitStage.LEFT, UnitStage.CANCELLED, UnitStage.COMING_BACK, UnitStage.OPEN
DELIVERED = UnitStage.DELIVERED


@pytest.fixture
def shop(bench: Bench) -> Bench:
    bench.stocked("KOPI", 10)
    return bench


def later(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


def sent(shop: Bench, units_sent: int = 2, *, with_parcel: bool = False) -> Order:
    """An order that left the shelf."""
    parcels = (
        (parcel("P1", "A", ParcelState.IN_TRANSIT, ("line-KOPI", units_sent), waybill="WB1"),) if with_parcel else ()
    )
    shipped = order("A", line("KOPI", units(units_sent, LEFT)), state=OrderState.SHIPPED, parcels=parcels)
    shop.record(shipped)
    return shipped


def test_a_return_goes_from_shipped_over_the_desk_to_the_shelf(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 2)))
    assert shop.balances("KOPI") == {"available": 8, "returning": 2, "adjustment": -10}
    assert receive(shop) == 2
    assert shop.balances("KOPI") == {"available": 8, "inspect": 2, "adjustment": -10}
    grade(shop, Grade.SELLABLE, 1)
    grade(shop, Grade.DAMAGED)
    assert shop.balances("KOPI") == {"available": 9, "damaged": 1, "adjustment": -10}
    assert documents(shop) == [(2, "graded")]
    assert shop.position("A", "KOPI") == (0, 2)
    shop.assert_proven()


def test_order_parcel_and_providers_return_share_one_document(shop: Bench) -> None:
    sent(shop, with_parcel=True)
    shop.record(
        order("A", line("KOPI", units(2, BACK)), at=START + later(1), state=OrderState.RETURNING,
              parcels=(parcel("P1", "A", ParcelState.RETURNING, ("line-KOPI", 2), waybill="WB1"),))
    )  # fmt: skip
    tell(shop, announced("R1", "A", ("line-KOPI", 2), waybill="BACK1"))
    track(shop, parcel("P1", "A", ParcelState.RETURNED, ("line-KOPI", 2)))
    shop.record(order("A", line("KOPI", units(2, CANCELLED)), at=START + later(2), state=OrderState.CANCELLED))
    assert documents(shop) == [(2, "open")]
    assert shop.query("SELECT remote_id, waybill, parcel_id IS NOT NULL FROM return_document") == [
        ("R1", "BACK1", True)
    ]
    assert shop.balances("KOPI") == {"available": 8, "returning": 2, "adjustment": -10}


def test_a_parcel_that_nobody_could_deliver_opens_a_return_by_itself(shop: Bench) -> None:
    sent(shop, with_parcel=True)
    track(shop, parcel("P1", "A", ParcelState.RETURNING, ("line-KOPI", 2)))
    track(shop, parcel("P1", "A", ParcelState.RETURNED, ("line-KOPI", 2)))
    assert documents(shop) == [(2, "open")]
    assert shop.findings("return_due") == [f"order {shop.order_id('A')} line 1"]


def test_a_parcel_delivered_after_all_takes_its_return_back(shop: Bench) -> None:
    sent(shop, with_parcel=True)
    track(shop, parcel("P1", "A", ParcelState.RETURNING, ("line-KOPI", 2)))
    track(shop, parcel("P1", "A", ParcelState.DELIVERED, ("line-KOPI", 2)))
    assert documents(shop) == [(2, "withdrawn")]
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}
    assert shop.findings("return_due") == []


def test_a_withdrawn_request_moves_the_units_back_and_a_new_one_opens_again(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 1)))
    tell(shop, announced("R1", "A", ("line-KOPI", 1), at=START + later(1), state=ReturnState.WITHDRAWN))
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}
    tell(shop, announced("R2", "A", ("line-KOPI", 2), at=START + later(2)))
    assert documents(shop) == [(1, "withdrawn"), (2, "open")]
    assert shop.balances("KOPI") == {"available": 8, "returning": 2, "adjustment": -10}
    shop.assert_proven()


@pytest.mark.parametrize(
    ("state", "comes_back"),
    [(ReturnState.REQUESTED, True), (ReturnState.REFUND_ONLY, False), (ReturnState.CLOSED, True), (ReturnState.UNKNOWN, True)],
)  # fmt: skip
def test_no_goods_are_awaited_before_the_return_is_agreed(shop: Bench, state: ReturnState, comes_back: bool) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 1), state=state, goods_come_back=comes_back))
    assert documents(shop) == []
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}


def test_a_return_closed_by_the_provider_still_awaits_its_goods(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 1)))
    tell(shop, announced("R1", "A", ("line-KOPI", 1), at=START + later(1), state=ReturnState.CLOSED))
    assert documents(shop) == [(1, "open")]


def test_the_return_may_be_known_before_its_order(shop: Bench) -> None:
    tell(shop, announced("R1", "A", ("line-KOPI", 1)))
    sent(shop)
    assert documents(shop) == [(1, "open")]
    assert shop.balances("KOPI") == {"available": 8, "shipped": 1, "returning": 1, "adjustment": -10}


def test_two_returns_of_one_line_are_about_different_units_but_never_more_than_shipped(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 1)), announced("R2", "A", ("line-KOPI", 1)))
    assert documents(shop) == [(1, "open"), (1, "open")]
    tell(shop, announced("R3", "A", ("line-KOPI", 1)))
    assert documents(shop) == [(1, "open"), (1, "open")]


def test_named_units_of_different_facts_add_up(shop: Bench) -> None:
    there = line("KOPI", unit("u1", LEFT), unit("u2", LEFT), unit("u3", LEFT))
    parcels = (parcel("P1", "A", ParcelState.IN_TRANSIT, unit_keys=("u1",)),)
    shop.record(order("A", there, state=OrderState.SHIPPED, parcels=parcels))
    track(shop, parcel("P1", "A", ParcelState.RETURNING, unit_keys=("u1",)))
    tell(shop, announced("R1", "A", ("u2", 1)))
    assert documents(shop) == [(1, "open"), (1, "open")]
    shop.record(
        order("A", line("KOPI", unit("u1", BACK), unit("u2", BACK), unit("u3", DELIVERED)), at=START + later(1),
              state=OrderState.RETURNING)
    )  # fmt: skip
    assert documents(shop) == [(1, "open"), (1, "open")]


def test_a_return_after_another_one_was_settled_is_a_new_one(shop: Bench) -> None:
    sent(shop, 3)
    tell(shop, announced("R1", "A", ("line-KOPI", 1)))
    receive(shop)
    grade(shop, Grade.SELLABLE)
    tell(shop, announced("R1", "A", ("line-KOPI", 1), at=START + later(1), state=ReturnState.CLOSED))
    tell(shop, announced("R2", "A", ("line-KOPI", 1), at=START + later(2)))
    assert documents(shop) == [(1, "graded"), (1, "open")]


def test_a_later_completed_does_not_undo_a_grading(shop: Bench) -> None:
    sent(shop)
    shop.record(order("A", line("KOPI", units(2, BACK)), at=START + later(1), state=OrderState.RETURNING))
    receive(shop)
    grade(shop, Grade.SELLABLE)
    shop.record(order("A", line("KOPI", units(2, DELIVERED)), at=START + later(2), state=OrderState.COMPLETED))
    assert shop.balances("KOPI") == {"available": 10, "adjustment": -10}
    assert documents(shop) == [(2, "graded")]
    shop.assert_proven()


def test_a_completed_order_still_awaits_its_goods(shop: Bench) -> None:
    sent(shop)
    shop.record(order("A", line("KOPI", units(2, BACK)), at=START + later(1), state=OrderState.RETURNING))
    shop.record(order("A", line("KOPI", units(2, DELIVERED)), at=START + later(2), state=OrderState.COMPLETED))
    assert documents(shop) == [(2, "open")]


def test_a_cancellation_that_was_none_takes_its_return_back(shop: Bench) -> None:
    sent(shop)
    shop.record(order("A", line("KOPI", units(2, CANCELLED)), at=START + later(1), state=OrderState.CANCELLED))
    shop.record(order("A", line("KOPI", units(2, LEFT)), at=START + later(2), state=OrderState.SHIPPED))
    assert documents(shop) == [(2, "withdrawn")]
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}


def test_part_of_a_return_comes_in_and_the_buyer_keeps_the_rest(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 2)))
    returned = newest(shop)
    assert receive(shop, returned, 1) == 1
    grade(shop, Grade.SELLABLE, return_id=returned)
    assert shop.balances("KOPI") == {"available": 9, "returning": 1, "adjustment": -10}
    assert keep(shop, returned) == 1
    assert documents(shop) == [(1, "graded"), (1, "kept")]
    assert shop.balances("KOPI") == {"available": 9, "shipped": 1, "adjustment": -10}
    tell(shop, announced("R1", "A", ("line-KOPI", 2), at=START + later(1), state=ReturnState.ARRIVED))
    assert documents(shop) == [(1, "graded"), (1, "kept")]
    shop.assert_proven()


def test_a_parcel_lost_on_its_way_back_is_given_up_without_a_receipt(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 2)))
    grade(shop, Grade.LOST)
    assert shop.balances("KOPI") == {"available": 8, "lost": 2, "adjustment": -10}
    assert documents(shop) == [(2, "graded")]
    shop.assert_proven()


def test_nothing_is_graded_or_received_twice(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 2)))
    with pytest.raises(BadInput, match="not come in yet"):
        grade(shop, Grade.SELLABLE)
    receive(shop)
    with pytest.raises(BadInput, match="0 units are awaited"):
        receive(shop, units=1)
    with pytest.raises(BadInput, match="2 units can be graded, not 3"):
        grade(shop, Grade.SELLABLE, 3)
    grade(shop, Grade.SELLABLE)
    with pytest.raises(BadInput, match="settled"):
        grade(shop, Grade.DAMAGED)
    assert shop.balances("KOPI") == {"available": 10, "adjustment": -10}


def test_a_grading_that_a_person_saw_is_not_posted_over_a_newer_one(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 2)))
    receive(shop)
    seen = shop.read(lambda session: grading.plan_grading(session, newest(shop), Grade.LOST, 2))
    grade(shop, Grade.SELLABLE, 1)
    with pytest.raises(BadInput, match="1 units can be graded"):
        shop.write(lambda session: grading.grade(session, seen, note="", now_ms=shop.now_ms(), who="test"))


def test_findings_close_when_all_is_graded(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 2)))
    receive(shop)
    assert len(shop.findings("return_due")) == len(shop.findings("return_open")) == 1
    grade(shop, Grade.DAMAGED, 1)
    assert len(shop.findings("return_due")) == len(shop.findings("return_open")) == 1
    grade(shop, Grade.DAMAGED, 1)
    assert shop.findings("return_due") == shop.findings("return_open") == []


def test_a_bundle_comes_back_as_what_it_is_made_of(shop: Bench) -> None:
    shop.stocked("TEH", 5)
    shop.listing("PAKET", {"KOPI": 2, "TEH": 1})
    shop.record(order("A", line("PAKET", units(1, LEFT))))
    tell(shop, announced("R1", "A", ("PAKET", 1)))
    receive(shop)
    grade(shop, Grade.SELLABLE)
    assert (shop.available("KOPI"), shop.available("TEH")) == (10, 5)
    shop.assert_proven()


def test_goods_of_an_unmapped_listing_wait_for_its_recipe(shop: Bench) -> None:
    shop.listing("BARU")
    shop.record(order("A", line("BARU", units(1, LEFT))))
    tell(shop, announced("R1", "A", ("line-BARU", 1)))
    assert documents(shop) == [(1, "open")]
    with pytest.raises(BadInput, match="map it first"):
        receive(shop)
    shop.map("BARU", {"KOPI": 1})
    receive(shop)
    assert shop.balances("KOPI") == {"available": 9, "inspect": 1, "adjustment": -10}
    shop.assert_proven()


def test_a_late_count_has_seen_what_was_put_back_before_it(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 2)))
    receive(shop)
    grade(shop, Grade.SELLABLE)
    shop.clock.advance(minutes=1)
    shop.count("KOPI", 10)
    assert shop.available("KOPI") == 10
    shop.assert_proven()


def test_goods_that_were_never_shipped_come_in_on_receipt_only(shop: Bench) -> None:
    def write(units_in: int, note: str) -> int:
        return shop.write(
            lambda session: grading.receive_unknown(
                session,
                find_sku(session, "KOPI"),
                shop.warehouse,
                units_in,
                note=note,
                now_ms=shop.now_ms(),
                who="test",
            )
        )

    with pytest.raises(BadInput, match="--note"):
        write(1, " ")
    document = write(3, "sold at the bazaar")
    assert shop.balances("KOPI") == {"available": 10, "inspect": 3, "adjustment": -13}
    for verdict, count in ((Grade.SELLABLE, 2), (Grade.LOST, None)):
        leg = shop.read(lambda session: grading.plan_unknown_grading(session, document, verdict, count))  # noqa: B023
        shop.write(
            lambda session: grading.grade_unknown(
                session, document, verdict, leg, note="", now_ms=shop.now_ms(), who="test"  # noqa: B023
            )
        )  # fmt: skip
    assert shop.balances("KOPI") == {"available": 12, "lost": 1, "adjustment": -13}
    with pytest.raises(BadInput, match="settled"):
        shop.read(lambda session: grading.plan_unknown_grading(session, document, Grade.LOST, None))
    shop.assert_proven()


def test_a_person_brings_what_nobody_announced_and_the_announcement_finds_that_document(shop: Bench) -> None:
    sent(shop)
    line_id = shop.value("SELECT id FROM order_line")
    order_id = shop.order_id("A")

    def bring(count: int) -> int:
        return shop.write(
            lambda session: grading.receive_unexpected(
                session, order_id, line_id, count, now_ms=shop.now_ms(), who="test"
            )
        )

    with pytest.raises(BadInput, match="2 shipped units can still come back, not 3"):
        bring(3)
    receive(shop, bring(1))
    tell(shop, announced("R1", "A", ("line-KOPI", 1)))
    assert documents(shop) == [(1, "received")]
    with pytest.raises(BadInput, match="1 shipped units"):
        bring(2)


def test_two_people_who_grade_at_once_grade_once(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 2)))
    receive(shop)
    chosen, ledgers = (
        newest(shop),
        [open_ledger(shop.ledger.url.render_as_string(hide_password=False)) for _ in range(4)],
    )
    together = threading.Barrier(len(ledgers))

    def one(ledger: Ledger) -> bool:
        planned = ledger.read_now(lambda session: grading.plan_grading(session, chosen, Grade.SELLABLE, 2))
        together.wait()
        try:
            ledger.write_now(
                lambda session: grading.grade(session, planned, note="", now_ms=ledger.now_ms(), who="test")
            )
        except BadInput:
            return False
        return True

    try:
        with ThreadPoolExecutor(len(ledgers)) as people:
            assert sorted(people.map(one, ledgers)) == [False, False, False, True]
    finally:
        for ledger in ledgers:
            ledger.close()
    assert shop.balances("KOPI") == {"available": 10, "adjustment": -10}
    shop.assert_proven()


def test_a_replacement_is_another_order(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 1)))
    shop.record(order("B", line("KOPI", 1)))
    shop.write(lambda session: grading.replace_with(session, newest(shop), shop.order_id("B")))
    assert shop.value("SELECT replacement_order_id FROM return_document") == shop.order_id("B")
    with pytest.raises(BadInput, match="that very order"):
        shop.write(lambda session: grading.replace_with(session, newest(shop), shop.order_id("A")))


def test_the_order_shows_the_movements_of_its_returns(shop: Bench) -> None:
    sent(shop)
    tell(shop, announced("R1", "A", ("line-KOPI", 1)))
    receive(shop)
    moves = shop.read(lambda session: reads_stock.order_movements(session, shop.order_id("A")))
    assert [(move.source, move.destination) for move in moves][-2:] == [
        ("shipped", "returning"),
        ("returning", "inspect"),
    ]
