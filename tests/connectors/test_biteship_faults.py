"""Biteship when the network lies: a booking is settled by reading its draft and never bought twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sellersync.connector.contract import Booking, BookingRequest, ParcelItem, Place
from sellersync.domain.errors import RejectClass, Rejected, Temporary, Uncertain, Unrecognised
from sellersync.domain.parcels import ParcelState
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig
from sellersync_biteship import Biteship
from sellersync_biteship.sandbox import BiteshipSandbox

BiteshipRig = Rig[Biteship, BiteshipSandbox]

DONE = [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.PHP_NOTICE]
NOT_DONE = [FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.HTML]

REQUEST = BookingRequest(
    reference="SSABCDEF-1",
    order_number="731",
    sender=Place("Gudang Angin", "081200000001", "Jl. Contoh 12, Coblong", postal_code="40132"),
    recipient=Place("Rani", "081200000002", "Jl. Misal 3 RT 2 RW 4", postal_code="60243"),
    items=(ParcelItem("Kaos Polos L", "KP-L", 2, 92_500, 220),),
    company="sicepat",
    service="reg",
)


def strike(rig: BiteshipRig, kind: FaultKind, path_end: str, times: int = 1) -> None:
    rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith(path_end), times))


def confirms_seen(rig: BiteshipRig) -> int:
    return sum(entry.data["path"].endswith("/confirm") for entry in rig.sim.journal.entries(Event.REQUEST))


async def settled(rig: BiteshipRig, draft_id: str, reference: str) -> Booking:
    """What the core does with an unclear confirm: read the draft, confirm again only when it shows that nothing was booked."""
    draft = await rig.connector.read_draft(draft_id)
    if draft.confirmed:
        return await rig.connector.booking(draft.booking_id)
    return await rig.connector.confirm(draft_id, reference)


@pytest.mark.parametrize("kind", DONE + NOT_DONE)
def test_an_unclear_confirm_is_sent_once_and_settled_by_the_draft(kind: FaultKind) -> None:
    async def test(rig: BiteshipRig) -> None:
        draft = await rig.connector.draft(REQUEST)
        strike(rig, kind, "/confirm")
        with pytest.raises(Uncertain) as unclear:
            await rig.connector.confirm(draft.draft_id, REQUEST.reference)
        assert unclear.value.reference == REQUEST.reference
        assert confirms_seen(rig) == 1

        booked = await settled(rig, draft.draft_id, REQUEST.reference)
        assert confirms_seen(rig) == (1 if kind in DONE else 2)
        assert (booked.state, booked.reference) == (ParcelState.BOOKED, REQUEST.reference)
        assert list(rig.sim.bookings()) == [booked.booking_id]
        assert rig.sim.balance == 10_000_000 - (booked.price or 0), "paid once"

    on_rig("biteship", test)


def test_a_draft_that_still_reads_as_ready_is_refused_a_second_confirm() -> None:
    async def test(rig: BiteshipRig) -> None:
        rig.sim.booking_read_lag_s = 60.0
        draft = await rig.connector.draft(REQUEST)
        strike(rig, FaultKind.DROP_AFTER, "/confirm")
        for _ in range(2):  # lost, then refused as confirmed already
            with pytest.raises(Uncertain):
                await settled(rig, draft.draft_id, REQUEST.reference)
        assert not (await rig.connector.read_draft(draft.draft_id)).confirmed
        await rig.clock.sleep(60)
        booked = await settled(rig, draft.draft_id, REQUEST.reference)
        assert list(rig.sim.bookings()) == [booked.booking_id]

    on_rig("biteship", test)


@pytest.mark.parametrize("kind", DONE)
def test_a_lost_draft_costs_nothing_and_the_next_attempt_books(kind: FaultKind) -> None:
    async def test(rig: BiteshipRig) -> None:
        strike(rig, kind, "/v1/draft_orders")
        with pytest.raises(Uncertain):
            await rig.connector.draft(REQUEST)
        assert list(rig.sim.drafts().values()) == ["ready"]
        with pytest.raises(Rejected) as taken:
            await rig.connector.draft(REQUEST)
        assert taken.value.reject is RejectClass.REFERENCE_USED
        second = replace(REQUEST, reference="SSABCDEF-2")
        draft = await rig.connector.draft(second)
        await rig.connector.confirm(draft.draft_id, second.reference)
        assert [booking["reference"] for booking in rig.sim.bookings().values()] == ["SSABCDEF-2"]

    on_rig("biteship", test)


def test_nobody_home_is_temporary_everywhere() -> None:
    async def test(rig: BiteshipRig) -> None:
        draft = await rig.connector.draft(REQUEST)
        rig.sim.off = True
        for call in (
            rig.connector.draft(replace(REQUEST, reference="SSABCDEF-2")),
            rig.connector.confirm(draft.draft_id, REQUEST.reference),
            rig.connector.read_draft(draft.draft_id),
            rig.connector.cancel("0" * 24, "others"),
        ):
            with pytest.raises(Temporary):
                await call

    on_rig("biteship", test)


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.DROP_AFTER])
def test_reads_are_repeated(kind: FaultKind) -> None:
    async def test(rig: BiteshipRig) -> None:
        draft = await rig.connector.draft(REQUEST)
        strike(rig, kind, draft.draft_id, times=2)
        assert (await rig.connector.read_draft(draft.draft_id)).reference == REQUEST.reference

    on_rig("biteship", test)


def test_a_web_page_instead_of_an_answer_is_not_read() -> None:
    async def test(rig: BiteshipRig) -> None:
        strike(rig, FaultKind.HTML, "/v1/couriers")
        with pytest.raises(Unrecognised):
            await rig.connector.health()

    on_rig("biteship", test)


@pytest.mark.parametrize("kind", DONE + NOT_DONE)
def test_an_unclear_cancellation_is_repeated_harmlessly(kind: FaultKind) -> None:
    async def test(rig: BiteshipRig) -> None:
        draft = await rig.connector.draft(REQUEST)
        booked = await rig.connector.confirm(draft.draft_id, REQUEST.reference)
        strike(rig, kind, "/cancel")
        with pytest.raises(Uncertain):
            await rig.connector.cancel(booked.booking_id, "change_address")
        assert (await rig.connector.cancel(booked.booking_id, "change_address")).done
        assert rig.sim.balance == 10_000_000, "refunded once"
        assert len(rig.sim.journal.entries(Event.PARCEL_CANCELLED)) == 1

    on_rig("biteship", test)


def test_an_answer_about_another_reference_is_not_taken_for_ours() -> None:
    async def test(rig: BiteshipRig) -> None:
        draft = await rig.connector.draft(REQUEST)
        with pytest.raises(Uncertain, match="another draft or reference"):
            await rig.connector.confirm(draft.draft_id, "SSABCDEF-9")

    on_rig("biteship", test)
