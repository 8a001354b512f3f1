"""Couriers' offers kept for a while, accounts that cannot pay, cancellations: what the trips and the commands rely on, on both engines."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from ledger_bench import START, Bench, line, order, units
from sqlalchemy import text

from sellersync.domain.errors import BadInput, LeaseLost
from sellersync.domain.orders import Buyer, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.store import balances, bookings, cancels, grading, manifests, quotes, reads_bookings
from sellersync.store.bookings import CourierFacts
from sellersync.store.cancels import BookedParcel
from sellersync.store.ledger import Session


@pytest.fixture
def site(bench: Bench) -> Bench:
    """Order A of two KOPI on a channel whose parcels a courier account of ours carries."""
    bench.add_channel("biteship", kind="courier")
    bench.stocked("KOPI", 10)
    bench.record(order("A", line("KOPI", 2), buyer=Buyer(name="Siti"), total=100_000, cod=True))
    return bench


def bookable(bench: Bench, *, only: int | None = None) -> list[reads_bookings.BookableParcel]:
    return bench.write(
        lambda session: reads_bookings.bookable_parcels(
            session, bench.channels["shopee"], now_ms=bench.now_ms(), limit=10, only=only
        )
    )


def claimed(bench: Bench, *, attempt: int = 1, cod_amount: int | None = 100_000) -> int:
    [parcel] = bookable(bench)
    return bench.write(
        lambda session: bookings.open_claim(
            session, parcel_id=parcel.parcel_id, attempt=attempt, reference=f"REF-{parcel.number}-{attempt}", step="book",
            owner="test", request={}, not_before_settle_ms=bench.now_ms(), now_ms=bench.now_ms(), vault=bench.ledger.vault,
            courier_channel_id=bench.channels["biteship"], cod_amount=cod_amount,
        )
    )  # fmt: skip


def shown(state: ParcelState = ParcelState.BOOKED) -> RemoteParcel:
    return RemoteParcel("B1", ("A",), state, state.value, waybill="JNE1", courier="jne")


def booked(bench: Bench, *, cod_amount: int | None = 100_000) -> int:
    claim_id = claimed(bench)
    facts = CourierFacts(cod_amount=cod_amount)
    bench.write(lambda session: bookings.settle_booked(session, claim_id, shown(), now_ms=bench.now_ms(), facts=facts))
    return int(bench.value("SELECT id FROM parcel"))


def ask(bench: Bench, parcel_id: int = 1, *, rebook: bool = False) -> BookedParcel:
    return bench.write(
        lambda session: cancels.ask_cancel(session, parcel_id, reason="why", rebook=rebook, now_ms=bench.now_ms())
    )


def read(bench: Bench, state: ParcelState, parcel_id: int = 1) -> None:
    bench.write(lambda session: cancels.note_read(session, parcel_id, shown(state), now_ms=bench.now_ms()))


def cancel_of(bench: Bench) -> tuple[str, str]:
    return tuple(bench.query("SELECT state, cancel FROM parcel WHERE id = 1")[0])  # type: ignore[return-value]


# --------------------------------------------------------------------------------------------------------------------------- offers


def test_offers_are_believed_for_a_while(bench: Bench) -> None:
    bench.write(lambda session: quotes.keep_offers(session, "k", "one", now_ms=bench.now_ms()))
    bench.write(lambda session: quotes.keep_offers(session, "k", "two", now_ms=bench.now_ms()))
    kept = bench.now_ms()

    def found(since_ms: int) -> str | None:
        return bench.read(lambda session: quotes.kept_offers(session, "k", since_ms=since_ms))

    assert found(kept) == "two"
    assert found(kept + 1) is None
    bench.write(lambda session: quotes.drop_offers(session, "k"))
    assert found(0) is None


def test_offers_that_nobody_believes_any_more_are_forgotten(bench: Bench) -> None:
    bench.write(lambda session: quotes.keep_offers(session, "old", "x", now_ms=bench.now_ms()))
    bench.clock.advance(hours=25)
    bench.write(lambda session: quotes.keep_offers(session, "new", "x", now_ms=bench.now_ms()))
    assert bench.query("SELECT key FROM quote") == [("new",)]


# -------------------------------------------------------------------------------------------------------------------------- balance


def test_an_empty_account_is_one_finding_until_it_can_pay_what_it_could_not(site: Bench) -> None:
    account = site.channels["biteship"]
    for _ in range(3):
        site.write(lambda s: balances.note_empty(s, account, "no balance", needed=20_000, now_ms=site.now_ms()))
    assert site.findings("courier_balance") == [balances.SUBJECT]
    site.write(lambda s: balances.keep_balance(s, account, 19_999, now_ms=site.now_ms()))
    empty = site.read(lambda s: balances.empty_account(s, account))
    assert empty is not None
    assert (empty.needed, empty.why) == (20_000, "no balance")
    site.write(lambda s: balances.keep_balance(s, account, 20_000, now_ms=site.now_ms()))
    assert site.findings("courier_balance") == []
    told = site.read(balances.told_balances)
    assert {slug: one.amount for slug, one in told.items()} == {"biteship": 20_000}


def test_an_account_without_a_balance_is_never_empty(site: Bench) -> None:
    account = site.channels["biteship"]
    site.write(lambda s: balances.note_empty(s, account, "odd", needed=0, now_ms=site.now_ms()))
    site.write(lambda s: balances.keep_balance(s, account, 0, now_ms=site.now_ms()))
    assert site.findings("courier_balance") == [balances.SUBJECT]
    site.write(lambda s: balances.keep_balance(s, account, None, now_ms=site.now_ms()))
    assert site.findings("courier_balance") == []


# ------------------------------------------------------------------------------------------------------------------------------ COD


@pytest.mark.parametrize("amount", [None, 99_999, 0])
def test_a_claim_that_would_collect_another_amount_is_refused(site: Bench, amount: int | None) -> None:
    with pytest.raises(LeaseLost, match="owes has changed"):
        claimed(site, cod_amount=amount)
    assert site.value("SELECT COUNT(*) FROM claim") == 0


def test_a_booking_that_collects_another_amount_is_shown_until_it_is_cancelled(site: Bench) -> None:
    booked(site, cod_amount=90_000)
    assert site.findings("cod_differs") == ["A/1"]
    details = json.loads(site.value("SELECT details FROM finding WHERE kind = 'cod_differs'"))
    assert (details["collects"], details["due"]) == (90_000, 100_000)
    ask(site)
    read(site, ParcelState.CANCELLED)
    assert site.findings("cod_differs") == []


# -------------------------------------------------------------------------------------------------------------------------- waiting


def test_after_a_refusal_the_trips_wait_and_a_person_does_not(site: Bench) -> None:
    claim_id = claimed(site)
    site.write(lambda s: bookings.settle_dead(s, claim_id, "no", now_ms=site.now_ms(), wait_ms=60_000))
    assert bookable(site) == []
    assert [one.last_attempt for one in bookable(site, only=site.order_id("A"))] == [1]
    assert bookable(site, only=site.order_id("A") + 1) == []
    site.clock.advance(seconds=61)
    assert [one.last_attempt for one in bookable(site)] == [1]


# ----------------------------------------------------------------------------------------------------------------------- cancelling


def test_a_wish_goes_from_asked_to_sent_to_done_and_frees_the_units_last(site: Bench) -> None:
    booked(site)
    assert ask(site).cancel == "asked"
    channel = site.channels["shopee"]
    assert [one.name for one in site.read(lambda s: cancels.open_cancels(s, channel, limit=5))] == ["A/1"]
    assert site.write(lambda s: cancels.begin_send(s, 1, now_ms=site.now_ms())) is True
    assert site.write(lambda s: cancels.begin_send(s, 1, now_ms=site.now_ms())) is False
    assert cancel_of(site) == ("booked", "sent")
    assert site.value("SELECT COUNT(*) FROM parcel_unit WHERE live") == 2
    site.write(lambda s: cancels.note_done(s, 1, now_ms=site.now_ms()))
    assert cancel_of(site) == ("cancelled", "done")
    assert site.value("SELECT COUNT(*) FROM parcel_unit WHERE live") == 0
    assert site.read(lambda s: cancels.open_cancels(s, channel, limit=5)) == []
    assert site.position("A", "KOPI") == (2, 0)  # the order still wants its goods


def test_a_cancelled_parcel_s_goods_wait_until_somebody_wants_them_sent(site: Bench) -> None:
    booked(site)
    ask(site)
    site.write(lambda s: cancels.note_done(s, 1, now_ms=site.now_ms()))
    assert bookable(site) == []
    site.write(lambda s: cancels.want_again(s, site.order_id("A")))
    assert [(one.number, one.last_attempt) for one in bookable(site)] == [(2, 0)]


def test_asking_again_changes_only_what_happens_afterwards(site: Bench) -> None:
    booked(site)
    ask(site)
    site.write(lambda s: cancels.begin_send(s, 1, now_ms=site.now_ms()))
    again = ask(site, rebook=True)
    assert (again.cancel, again.rebook, again.cancel_sends) == ("sent", True, 1)


def test_a_parcel_whose_booking_is_open_is_not_cancelled(site: Bench) -> None:
    claimed(site)
    with pytest.raises(BadInput, match="has no known outcome yet"):
        ask(site)


def test_a_parcel_on_its_way_is_not_cancelled_and_a_wish_that_came_too_late_is_shown(site: Bench) -> None:
    booked(site)
    ask(site)
    read(site, ParcelState.PICKED_UP)
    assert cancel_of(site) == ("picked_up", "refused")
    assert site.findings("cancel_refused") == ["A/1"]
    assert site.position("A", "KOPI") == (0, 2)
    with pytest.raises(BadInput, match="is picked up"):
        ask(site)
    read(site, ParcelState.DELIVERED)
    assert site.findings("cancel_refused") == []


def test_a_parcel_that_we_handed_over_is_not_cancelled_while_its_goods_are_out(site: Bench) -> None:
    """The courier has not noticed it yet and would agree: the goods would be in no parcel that anybody watches."""
    parcel_id = booked(site)

    def hand_over(session: Session) -> None:
        number = manifests.prepare_manifest(session, "JNE", [parcel_id], who="sari", now_ms=site.now_ms())
        manifests.hand_over(session, number, at_ms=site.now_ms(), now_ms=site.now_ms())

    site.write(hand_over)
    with pytest.raises(BadInput, match="take them in first: sellersync returns receive A --units N"):
        ask(site)
    assert cancel_of(site) == ("booked", "")

    def take_in(session: Session) -> None:
        line_id = int(session.execute(text("SELECT id FROM order_line")).scalar_one())
        one = grading.receive_unexpected(session, site.order_id("A"), line_id, 2, now_ms=site.now_ms(), who="sari")
        grading.receive(session, one, 2, warehouse_id=None, now_ms=site.now_ms(), who="sari")

    site.write(take_in)
    assert ask(site).cancel == "asked"


def test_a_pending_cancellation_is_done_when_it_is_shown_and_refused_when_it_is_forgotten(site: Bench) -> None:
    booked(site)
    ask(site)
    site.write(lambda s: cancels.begin_send(s, 1, now_ms=site.now_ms()))
    site.write(lambda s: cancels.note_pending(s, 1, now_ms=site.now_ms()))
    site.clock.advance(hours=49)
    read(site, ParcelState.PROBLEM)
    assert cancel_of(site) == ("problem", "pending")
    site.clock.advance(hours=2)
    read(site, ParcelState.PROBLEM)
    assert cancel_of(site) == ("problem", "refused")
    ask(site)
    read(site, ParcelState.CANCELLED)
    assert cancel_of(site) == ("cancelled", "done")
    assert site.findings("cancel_refused") == []


def test_a_booking_that_ended_by_itself_asks_a_person_unless_its_order_is_over(site: Bench) -> None:
    booked(site)
    site.record(order("B", line("KOPI", 1)))
    read(site, ParcelState.CANCELLED)
    assert site.findings("booking_ended") == ["A"]
    assert [one.order_remote_id for one in bookable(site)] == ["B"]


def test_a_booking_that_ended_with_its_order_asks_nobody(site: Bench) -> None:
    booked(site)
    cancelled = line("KOPI", units(2, UnitStage.CANCELLED))
    site.record(
        order("A", cancelled, at=START + timedelta(minutes=1), state=OrderState.CANCELLED, total=100_000, cod=True)
    )
    assert site.findings("cancelled_but_booked") == ["A/1"]
    read(site, ParcelState.CANCELLED)
    assert (site.findings("booking_ended"), site.findings("cancelled_but_booked")) == ([], [])


def test_what_nobody_booked_is_given_up_at_once(site: Bench) -> None:
    [parcel] = bookable(site)
    assert ask(site, parcel.parcel_id).cancel == "done"
    assert cancel_of(site) == ("cancelled", "done")
    assert bookable(site) == []


# --------------------------------------------------------------------------------------------------------------------------- quoting


def test_what_would_be_sent_is_known_before_there_is_a_parcel_and_with_it(site: Bench) -> None:
    site.execute("UPDATE sku SET weight_g = 250 WHERE code = 'KOPI'")

    def quotable(number: int | None = None) -> reads_bookings.BookableParcel | None:
        return site.read(lambda s: reads_bookings.quotable_parcel(s, site.order_id("A"), number))

    before = quotable()
    assert before is not None
    assert [(one.count, one.weight_g) for one in before.lines] == [(2, 250)]
    assert site.value("SELECT COUNT(*) FROM parcel") == 0
    bookable(site)
    after = quotable()
    assert after is not None
    assert (after.lines, after.cod, after.order_total) == (before.lines, True, 100_000)
    assert quotable(7) is None


def test_why_an_order_is_not_booked(site: Bench) -> None:
    def why() -> str:
        return site.read(lambda s: reads_bookings.why_not_booked(s, site.order_id("A")))

    assert why() == ""
    claim_id = claimed(site)
    assert why() == "its outcome is not known yet"
    site.write(lambda s: bookings.settle_dead(s, claim_id, "no", now_ms=site.now_ms()))
    site.write(lambda s: bookings.note_refusal(s, 1, "postal code", now_ms=site.now_ms(), order="A", reject="bad_data"))
    assert why() == "postal code"
