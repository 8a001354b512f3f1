"""Mails in the ledger, on both databases: due once, taken once, and every outcome kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_bench import START, Bench, line, order, parcel, units

from sellersync.domain.errors import BadInput
from sellersync.domain.orders import Buyer, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.store import mails

MINUTE_MS = 60_000


@pytest.fixture
def shop(bench: Bench) -> Bench:
    bench.stocked("KOPI", 10)
    bench.write(lambda session: mails.note_switch(session, on=True, now_ms=bench.now_ms()))
    return bench


def queue(shop: Bench, *, limit: int = 50) -> int:
    return shop.write(
        lambda session: mails.queue_due(
            session, [shop.channels["shopee"]], language="id", message_id=lambda order, kind, parcel: f"<{order}-{kind}-{parcel}@x>",
            now_ms=shop.now_ms(), limit=limit,
        )
    )  # fmt: skip


def take(shop: Bench, mail_id: int) -> mails.DueMail | None:
    return shop.write(
        lambda session: mails.begin_sending(
            session, mail_id, now_ms=shop.now_ms(), deadline_ms=shop.now_ms() + MINUTE_MS, vault=shop.ledger.vault
        )
    )


def placed(shop: Bench, **more: object) -> None:
    at = START + timedelta(seconds=1)
    there = line("KOPI", 1, units(1, UnitStage.CANCELLED), title="Kopi Gayo", unit_price=48_000)
    shop.record(
        order("A", there, at=at, total=58_000, shipping_fee=10_000, buyer=Buyer(name="Siti", email="siti@example.com"), **more)
    )  # fmt: skip


def test_each_mail_is_due_once_and_tells_of_what_is_wanted(shop: Bench) -> None:
    placed(shop, parcels=(parcel("P1", "A", ParcelState.BOOKED, ("line-KOPI", 1), waybill="JX1", courier="jne"),))
    assert (queue(shop), queue(shop)) == (2, 0)
    first, second = take(shop, 1), take(shop, 2)
    assert first is not None
    assert second is not None
    assert (first.items, first.total, first.still_wanted) == ((("Kopi Gayo", 1, 48_000),), 58_000, True)
    assert (second.items, second.waybill, second.courier) == ((("Kopi Gayo", 1, None),), "JX1", "JNE")
    assert first.buyer is not None
    assert first.buyer.email == "siti@example.com"
    assert "siti" not in repr(first)
    assert take(shop, 1) is None, "somebody has it"


def test_what_is_due_is_limited_and_goes_on_next_time(shop: Bench) -> None:
    placed(shop, parcels=(parcel("P1", "A", ParcelState.BOOKED, ("line-KOPI", 1), waybill="JX1"),))
    assert (queue(shop, limit=1), queue(shop, limit=1), queue(shop, limit=1)) == (1, 1, 0)


def test_outcomes_are_kept_with_their_findings(shop: Bench) -> None:
    placed(shop)
    queue(shop)
    take(shop, 1)
    shop.write(lambda session: mails.note_unclear(session, 1, "lost", now_ms=shop.now_ms()))
    assert shop.findings("mail_unclear") == ["1"]
    shop.write(lambda session: mails.send_again(session, 1, now_ms=shop.now_ms()))
    assert shop.findings("mail_unclear") == []
    take(shop, 1)
    state = shop.write(
        lambda session: mails.note_later(session, 1, "451", "s***@x", now_ms=shop.now_ms(), give_up_after_ms=MINUTE_MS)
    )
    assert state == mails.QUEUED
    assert shop.read(lambda session: mails.next_due(session, now_ms=shop.now_ms())) is None
    shop.clock.advance(minutes=2)
    assert shop.read(lambda session: mails.next_due(session, now_ms=shop.now_ms())) == 1
    take(shop, 1)
    state = shop.write(
        lambda session: mails.note_later(session, 1, "451", "s***@x", now_ms=shop.now_ms(), give_up_after_ms=MINUTE_MS)
    )
    assert state == mails.REFUSED
    assert shop.findings("mail_not_sent") == ["1"]
    (seen,) = shop.read(lambda session: mails.mails(session, order="A", limit=5))
    assert (seen.state, seen.attempts, seen.detail) == ("refused", 2, "given up: 451")


def test_a_sending_that_never_ended_is_unclear_after_its_deadline(shop: Bench) -> None:
    placed(shop)
    queue(shop)
    take(shop, 1)
    cut = lambda: shop.write(lambda session: mails.settle_cut_off(session, now_ms=shop.now_ms()))  # noqa: E731
    assert cut() == 0
    shop.clock.advance(minutes=2)
    assert cut() == 1
    assert shop.value("SELECT state FROM mail") == "unclear"


def test_a_cancelled_order_is_no_longer_wanted(shop: Bench) -> None:
    placed(shop)
    queue(shop)
    gone = line("KOPI", units(2, UnitStage.CANCELLED))
    shop.record(order("A", gone, at=START + timedelta(minutes=1), state=OrderState.CANCELLED))
    mail = take(shop, 1)
    assert mail is not None
    assert not mail.still_wanted


def test_switched_off_and_on_again_the_moment_is_a_new_one(shop: Bench) -> None:
    placed(shop)
    shop.clock.advance(hours=1)
    for on in (False, True, True):
        shop.write(lambda session: mails.note_switch(session, on=on, now_ms=shop.now_ms()))  # noqa: B023
    assert queue(shop) == 0


def test_only_what_exists_and_ended_can_be_sent_again(shop: Bench) -> None:
    placed(shop)
    queue(shop)
    for mail_id, said in ((1, "is queued"), (9, "no mail 9")):
        with pytest.raises(BadInput, match=said):
            shop.write(lambda session: mails.send_again(session, mail_id, now_ms=shop.now_ms()))  # noqa: B023
    with pytest.raises(BadInput, match="no mail is 'gone'"):
        shop.read(lambda session: mails.mails(session, state="gone", limit=1))
