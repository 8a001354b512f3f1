"""Waybills for the own site: due when they come or change, told once, refused ones shown to a person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_bench import START, Bench, line, order, units
from sqlalchemy import text

from sellersync.domain.orders import OrderState, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.store import handback, reads_bookings
from sellersync.store.handback import DueHandBack
from sellersync.store.parcels import update_parcel


@pytest.fixture
def site(bench: Bench) -> Bench:
    bench.stocked("KOPI", 10)
    bench.record(order("A", line("KOPI", 2), paid_at=START))
    bench.write(lambda s: reads_bookings.bookable_parcels(s, channel(bench), now_ms=bench.now_ms(), limit=9))
    return bench


def channel(bench: Bench) -> int:
    return bench.channels["shopee"]


def shown(bench: Bench, waybill: str, state: ParcelState = ParcelState.BOOKED) -> None:
    """The courier shows the parcel like this."""
    remote = RemoteParcel("BK1", ("A",), state, state.value, waybill=waybill, courier="jne")
    bench.write(lambda session: update_parcel(session, 1, remote, now_ms=bench.now_ms()))


def due(bench: Bench) -> list[DueHandBack]:
    bench.write(lambda session: handback.note_due(session, channel(bench), now_ms=bench.now_ms()))
    return bench.read(lambda session: handback.due(session, channel(bench), now_ms=bench.now_ms(), limit=9))


def done(bench: Bench, one: DueHandBack) -> None:
    bench.write(lambda s: handback.note_done(s, one, channel_id=channel(bench), now_ms=bench.now_ms()))


def test_due_with_its_waybill_and_done_once(site: Bench) -> None:
    shown(site, "")
    assert due(site) == []
    shown(site, "JP1")
    [one] = due(site)
    assert (one.order_remote_id, one.waybill, one.courier, one.attempts) == ("A", "JP1", "jne", 0)
    done(site, one)
    assert due(site) == []


def test_a_changed_waybill_is_due_again(site: Bench) -> None:
    shown(site, "JP1")
    [first] = due(site)
    done(site, first)
    shown(site, "JP2")
    [second] = due(site)
    assert second.waybill == "JP2"
    done(site, first)  # a late answer about the old one settles nothing
    assert [one.waybill for one in due(site)] == ["JP2"]
    done(site, second)
    assert due(site) == []


def test_later_means_not_before(site: Bench) -> None:
    shown(site, "JP1")
    [one] = due(site)
    next_ms = site.now_ms() + 60_000
    site.write(lambda session: handback.note_later(session, one, "no answer", next_ms=next_ms))
    site.clock.advance(seconds=59)
    assert due(site) == []
    site.clock.advance(seconds=1)
    assert [one.attempts for one in due(site)] == [1]


def test_refused_is_a_finding_until_the_parcel_is_at_its_end(site: Bench) -> None:
    shown(site, "JP1")
    [one] = due(site)
    site.write(
        lambda s: handback.note_refused(s, one, "order is locked", channel_id=channel(site), now_ms=site.now_ms())
    )
    assert due(site) == []
    assert site.findings("hand_back_refused") == ["1"]
    shown(site, "JP1", ParcelState.DELIVERED)
    assert due(site) == []
    assert site.findings("hand_back_refused") == []


def test_a_refused_waybill_that_changes_is_told_again(site: Bench) -> None:
    shown(site, "JP1")
    [one] = due(site)
    site.write(lambda s: handback.note_refused(s, one, "no", channel_id=channel(site), now_ms=site.now_ms()))
    shown(site, "JP2")
    [again] = due(site)
    done(site, again)
    assert site.findings("hand_back_refused") == []


def test_cancelled_bookings_and_old_news_are_not_told(site: Bench) -> None:
    shown(site, "JP1", ParcelState.FAILED)
    assert due(site) == []
    shown(site, "JP1")
    site.clock.advance(hours=8 * 24)
    assert due(site) == []


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.CANCEL_REQUESTED])
def test_nobody_hears_that_a_called_off_order_is_shipped(site: Bench, state: OrderState) -> None:
    """Its courier may be booked still, and its waybill come late."""
    shown(site, "JP1")
    stage = UnitStage.CANCELLED if state is OrderState.CANCELLED else UnitStage.OPEN
    site.record(order("A", line("KOPI", units(2, stage)), at=START + timedelta(hours=1), state=state))
    assert due(site) == []
    if state is OrderState.CANCEL_REQUESTED:  # the buyer takes it back
        site.record(order("A", line("KOPI", 2), at=START + timedelta(hours=2), paid_at=START))
        assert [one.waybill for one in due(site)] == ["JP1"]


def test_a_waybill_that_is_being_cancelled_is_not_told(site: Bench) -> None:
    shown(site, "JP1")
    site.write(lambda session: session.execute(text("UPDATE parcel SET cancel = 'pending'")))
    assert due(site) == []
    site.write(lambda session: session.execute(text("UPDATE parcel SET cancel = 'refused'")))
    assert [one.waybill for one in due(site)] == ["JP1"]
