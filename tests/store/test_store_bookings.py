"""Bookings: one attempt at a time, committed before its call, settled afterwards; a reference is used once (L3, L9)."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from ledger_bench import START, Bench, line, order, parcel, units
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from sellersync.domain.errors import LeaseLost
from sellersync.domain.ids import booking_reference
from sellersync.domain.orders import Buyer, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.store import bookings, reads_bookings, tracking
from sellersync.store.bookings import CourierFacts

REQUEST = {"to": "Jalan Melati 5", "phone": "081234567890", "weight_g": 400}
CANCELLED = UnitStage.CANCELLED


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """Order A of two KOPI is ready, and so is its parcel."""
    bench.stocked("KOPI", 10)
    bench.record(order("A", line("KOPI", 2), buyer=Buyer(name="Siti"), ship_by=START + timedelta(hours=8)))
    assert [one.order_remote_id for one in bookable(bench)] == ["A"]
    return bench


def bookable(bench: Bench) -> list[reads_bookings.BookableParcel]:
    return bench.write(
        lambda session: reads_bookings.bookable_parcels(
            session, bench.channels["shopee"], now_ms=bench.now_ms(), limit=10
        )
    )


def claim(bench: Bench, *, attempt: int = 1, reference: str = "", parcel_id: int = 1, **more: Any) -> int:
    return bench.write(
        lambda session: bookings.open_claim(
            session,
            parcel_id=parcel_id,
            attempt=attempt,
            reference=reference or f"SSREF-{attempt}",
            step="book",
            owner="test",
            request=REQUEST,
            not_before_settle_ms=bench.now_ms() + 60_000,
            now_ms=bench.now_ms(),
            vault=bench.ledger.vault,
            **more,
        )
    )


def due(bench: Bench) -> list[reads_bookings.OpenClaim]:
    return bench.read(
        lambda session: reads_bookings.due_claims(
            session, bench.channels["shopee"], now_ms=bench.now_ms(), vault=bench.ledger.vault
        )
    )


def booked(bench: Bench, claim_id: int, state: ParcelState = ParcelState.BOOKED, **more: Any) -> None:
    shown = parcel("P1", "A", state, waybill="JNE123", courier="jne")
    bench.write(lambda session: bookings.settle_booked(session, claim_id, shown, now_ms=bench.now_ms(), **more))


def dead(bench: Bench, claim_id: int) -> None:
    bench.write(lambda session: bookings.settle_dead(session, claim_id, "refused", now_ms=bench.now_ms()))


# ------------------------------------------------------------------------------------------------------------------ one at a time


def test_a_parcel_with_an_open_claim_is_offered_to_nobody_else(shop: Bench) -> None:
    claim(shop)
    assert bookable(shop) == []


def test_b13_a_second_open_claim_of_a_parcel_is_refused_by_the_database(shop: Bench) -> None:
    claim(shop)
    with pytest.raises(IntegrityError):
        shop.execute(
            "INSERT INTO claim (parcel_id, attempt, reference, state, step, sends, draft_id, booking_id, owner, sealed, created_ms, "
            "not_before_settle_ms, looks, detail) SELECT parcel_id, 2, 'other', state, step, sends, draft_id, booking_id, owner, sealed, "
            "created_ms, not_before_settle_ms, looks, detail FROM claim"
        )


def test_b13_two_threads_claim_one_parcel_and_one_gets_it(shop: Bench) -> None:
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def run(number: int) -> None:
        gate.wait(timeout=10)
        try:
            claim(shop, reference=f"SSREF-{number}")
            outcomes.append("claimed")
        except IntegrityError:
            outcomes.append("refused")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["claimed", "refused"]
    assert shop.value("SELECT COUNT(*) FROM claim") == 1


def test_a_reference_is_used_once_for_ever(shop: Bench) -> None:
    dead(shop, claim(shop, reference="SSREF"))
    with pytest.raises(IntegrityError):
        claim(shop, attempt=2, reference="SSREF")


def test_references_come_from_facts_and_not_from_a_counter() -> None:
    """A restored backup derives the same reference again instead of reissuing another parcel's."""
    facts = ("install", 3, "ORDER-9", 1)
    one = booking_reference(*facts, 1, length_max=20)
    assert one == booking_reference(*facts, 1, length_max=20)
    others = {
        booking_reference(*facts, 2, length_max=20),
        booking_reference("install", 3, "ORDER-9", 2, 1, length_max=20),
    }
    assert one not in others
    assert len(others) == 2
    assert all(len(reference) <= 20 for reference in {one, *others})


@pytest.mark.parametrize(
    "state", [OrderState.CANCELLED, OrderState.CANCEL_REQUESTED, OrderState.HELD, OrderState.UNKNOWN]
)
def test_a_claim_on_an_order_that_may_not_be_shipped_any_more_is_refused(shop: Bench, state: OrderState) -> None:
    stage = CANCELLED if state is OrderState.CANCELLED else UnitStage.OPEN
    shop.record(order("A", line("KOPI", units(2, stage)), at=START + timedelta(minutes=1), state=state))
    assert bookable(shop) == []
    with pytest.raises(LeaseLost, match="may not be booked any more"):
        claim(shop)
    assert shop.value("SELECT COUNT(*) FROM claim") == 0


def test_a_claim_on_a_parcel_that_is_booked_already_is_refused(shop: Bench) -> None:
    booked(shop, claim(shop))
    with pytest.raises(LeaseLost):
        claim(shop, attempt=2)


# ------------------------------------------------------------------------------------------------------------------------- settling


def test_a_claim_is_settled_by_nobody_before_its_time(shop: Bench) -> None:
    claim(shop)
    assert due(shop) == []
    shop.clock.advance(seconds=61)
    found = due(shop)
    assert [(one.reference, one.order_remote_id, one.attempt, one.request) for one in found] == [
        ("SSREF-1", "A", 1, REQUEST)
    ]


def test_the_request_of_a_claim_is_sealed(shop: Bench) -> None:
    claim(shop)
    assert "Melati" not in repr([bytes(row[0]) for row in shop.query("SELECT sealed FROM claim")])


def test_a_claim_is_due_again_after_a_restart_with_everything_it_knew(shop: Bench) -> None:
    claim_id = claim(shop)
    shop.write(
        lambda session: bookings.advance_claim(
            session, claim_id, step="confirm", not_before_settle_ms=shop.now_ms(), draft_id="D1", sending=True,
            request={"confirm": "D1"}, vault=shop.ledger.vault, now_ms=shop.now_ms(),
        )
    )  # fmt: skip
    [one] = due(shop)
    assert (one.step, one.draft_id, one.sends, one.request) == ("confirm", "D1", 2, {"confirm": "D1"})


def test_a_look_that_saw_nothing_is_repeated_later(shop: Bench) -> None:
    claim_id = claim(shop)
    shop.clock.advance(seconds=61)
    until = shop.now_ms() + 30_000
    shop.write(lambda session: bookings.postpone_claim(session, claim_id, not_before_settle_ms=until, detail="not yet"))
    assert due(shop) == []
    shop.clock.advance(seconds=31)
    assert due(shop)[0].looks == 1


def test_a_dead_attempt_frees_the_parcel_and_the_next_attempt_is_higher(shop: Bench) -> None:
    dead(shop, claim(shop))
    [one] = bookable(shop)
    assert one.last_attempt == 1
    second = claim(shop, attempt=one.last_attempt + 1)
    dead(shop, second)
    assert bookable(shop)[0].last_attempt == 2
    assert [row[0] for row in shop.query("SELECT state FROM claim ORDER BY id")] == ["dead", "dead"]


def test_a_booking_settles_its_claim_and_its_parcel(shop: Bench) -> None:
    facts = CourierFacts(charged=9_000, quoted=9_500, service="reg", zone="JAWA BARAT", weight_g=400, promised_days=3)
    booked(shop, claim(shop), facts=facts)
    assert bookable(shop) == []
    assert due(shop) == []
    row = shop.query("SELECT state, remote_id, waybill, courier, charged, quoted, service, zone, weight_g FROM parcel")[
        0
    ]
    assert row == ("booked", "P1", "JNE123", "jne", 9_000, 9_500, "reg", "JAWA BARAT", 400)
    assert (
        shop.value("SELECT promised_ms - claim.sent_ms FROM parcel JOIN claim ON parcel_id = parcel.id")
        == 3 * 86_400_000
    )
    assert shop.query("SELECT state, booking_id FROM claim") == [("booked", "P1")]


def test_settling_twice_changes_nothing_more(shop: Bench) -> None:
    claim_id = claim(shop)
    booked(shop, claim_id, facts=CourierFacts(charged=9_000))
    booked(shop, claim_id)
    dead(shop, claim_id)  # a late opinion to the contrary
    assert shop.query("SELECT state FROM claim") == [("booked",)]
    assert shop.query("SELECT state, charged FROM parcel") == [("booked", 9_000)]


def test_what_no_machine_can_tell_waits_for_a_person_and_is_not_booked_again(shop: Bench) -> None:
    claim_id = claim(shop)
    shop.write(lambda session: bookings.settle_by_person(session, claim_id, "two bookings match", now_ms=shop.now_ms()))
    assert bookable(shop) == []
    assert due(shop) == []
    assert shop.findings("booking_unsettled") == ["1"]
    booked(shop, claim_id)  # the person found it
    assert shop.findings("booking_unsettled") == []


def test_a_booking_of_an_order_that_was_cancelled_meanwhile_needs_a_person(shop: Bench) -> None:
    claim_id = claim(shop)
    shop.record(
        order("A", line("KOPI", units(2, CANCELLED)), at=START + timedelta(minutes=1), state=OrderState.CANCELLED)
    )
    assert shop.value("SELECT state FROM parcel") == "ready"  # a claim is open: nobody gives it up
    booked(shop, claim_id)
    assert shop.findings("cancelled_but_booked") == ["A/1"]
    assert shop.available("KOPI") == 10


def test_a_booking_that_was_collected_before_anybody_looked_ships_the_goods(shop: Bench) -> None:
    booked(shop, claim(shop), ParcelState.PICKED_UP)
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}


def test_a_refusal_is_named_until_the_parcel_is_booked(shop: Bench) -> None:
    dead(shop, claim(shop))
    shop.write(
        lambda session: bookings.note_refusal(
            session, 1, "postal code", now_ms=shop.now_ms(), order="A", reject="bad_data"
        )
    )
    assert shop.findings("booking_refused") == ["1"]
    booked(shop, claim(shop, attempt=2))
    assert shop.findings("booking_refused") == []


# --------------------------------------------------------------------------------------------------------------- what may be booked


def test_the_most_urgent_parcel_comes_first(shop: Bench) -> None:
    shop.record(order("B", line("KOPI", 1), ship_by=START + timedelta(hours=2)), order("C", line("KOPI", 1)))
    assert [one.order_remote_id for one in bookable(shop)][:2] == ["B", "A"]


def test_a_parcel_weighs_what_is_in_it_or_nobody_knows(shop: Bench) -> None:
    shop.listing("PAKET", {"KOPI": 2, "MADU": 1})
    shop.record(order("B", line("PAKET", 3)))
    shop.execute("UPDATE sku SET weight_g = 250 WHERE code = 'KOPI'")
    weights = {one.order_remote_id: one.lines[0].weight_g for one in bookable(shop)}
    assert weights == {"A": 250, "B": None}
    shop.execute("UPDATE sku SET weight_g = 100 WHERE code = 'MADU'")
    weights = {one.order_remote_id: one.lines[0].weight_g for one in bookable(shop)}
    assert weights == {"A": 250, "B": 600}


def test_units_that_the_platform_ships_are_in_no_parcel_of_ours(shop: Bench) -> None:
    shop.record(
        order("B", line("KOPI", 1), line("KOPI", 4, key="theirs", ours=False)), order("C", line("KOPI", 1, ours=False))
    )
    found = {one.order_remote_id: [(what.line_key, what.count) for what in one.lines] for one in bookable(shop)}
    assert found == {"A": [("line-KOPI", 2)], "B": [("line-KOPI", 1)]}


def test_booked_parcels_are_looked_at_often_while_they_are_fresh(shop: Bench) -> None:
    booked(shop, claim(shop))
    day = 24 * 3600 * 1000

    def tracked() -> list[str]:
        def look(session: Session) -> list[str]:
            found = tracking.parcels_to_track(
                session, shop.channels["shopee"], now_ms=shop.now_ms(), fresh_ms=day, every_ms=300_000, limit=10
            )
            for one in found:
                tracking.note_tracked(session, one.parcel_id, None, now_ms=shop.now_ms())
            return [one.remote_id for one in found]

        return shop.write(look)

    assert tracked() == ["P1"]
    assert tracked() == []
    shop.clock.advance(minutes=6)
    assert tracked() == ["P1"]
    shop.clock.advance(hours=25)
    assert tracked() == ["P1"]
    shop.clock.advance(minutes=30)
    assert tracked() == []
    shop.clock.advance(minutes=31)
    assert tracked() == ["P1"]
