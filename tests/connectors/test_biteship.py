"""Biteship against its simulator: quotes, two-step booking, tracking, cancelling."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sellersync.connector.contract import (
    Booking,
    BookingRequest,
    CourierCancel,
    DraftState,
    Handover,
    ParcelItem,
    Place,
    QuoteRequest,
)
from sellersync.domain.errors import AuthNeeded, NotSupported, RateLimited, RejectClass, Rejected, Uncertain
from sellersync.domain.parcels import ParcelState
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig
from sellersync_biteship import Biteship, BiteshipSettings
from sellersync_biteship.sandbox import BiteshipSandbox

BiteshipRig = Rig[Biteship, BiteshipSandbox]

SHOP = Place(
    name="Gudang Angin",
    phone="0812-0000-0001",
    address="Jl. Contoh 12, Coblong",
    postal_code="40132",
    latitude=-6.8915,
    longitude=107.6107,
)
BUYER = Place(
    name="Rani",
    phone="+62 812 0000 0002",
    address="Jl. Misal 3 RT 2 RW 4, Sukolilo",
    postal_code="60243",
    latitude=-7.2892,
    longitude=112.7965,
)
SHIRTS = ParcelItem(name="Kaos Polos L", sku="KP-L", quantity=2, value=92_500, weight_g=220)


def booking_request(reference: str = "SSABCDEF-1", **changes: Any) -> BookingRequest:
    request = BookingRequest(
        reference=reference,
        order_number="731",
        sender=SHOP,
        recipient=BUYER,
        items=(SHIRTS,),
        company="sicepat",
        service="reg",
    )
    return replace(request, **changes)


async def book(rig: BiteshipRig, reference: str = "SSABCDEF-1", **changes: Any) -> Booking:
    draft = await rig.connector.draft(booking_request(reference, **changes))
    return await rig.connector.confirm(draft.draft_id, reference)


# ---------------------------------------------------------------------------------------------------------------------- quotes


def test_quotes_come_from_the_companies_asked_cheapest_first() -> None:
    async def test(rig: BiteshipRig) -> None:
        request = QuoteRequest(SHOP, BUYER, (SHIRTS,), companies=("jne", "sicepat", "lion"), cod_amount=204_500)
        quotes = await rig.connector.quote(request)
        assert [(quote.company, quote.service) for quote in quotes] == [
            ("lion", "reg_pack"),
            ("sicepat", "reg"),
            ("jne", "yes"),
            ("jne", "reg"),
        ]
        lion, sicepat, *_ = quotes
        assert (sicepat.price, sicepat.cod, sicepat.cod_fee, sicepat.days) == (10_500 + 8_180, True, 8_180, (1, 2))
        assert (sicepat.instant_waybill, lion.instant_waybill, lion.cod) == (True, False, False)
        assert lion.handovers == (Handover.PICKUP, Handover.DROP_OFF)
        body = json.loads(rig.requests[0].content)
        assert (body["origin_postal_code"], body["origin_latitude"]) == (40132, -6.8915)
        assert (body["couriers"], body["destination_cash_on_delivery_type"]) == ("jne,sicepat,lion", "7_days")

    on_rig("biteship", test)


def test_quotes_weigh_the_parcel_and_are_charged() -> None:
    async def test(rig: BiteshipRig) -> None:
        heavy = replace(SHIRTS, quantity=6)  # 1,320 g are two kilograms
        light = await rig.connector.quote(QuoteRequest(SHOP, BUYER, (SHIRTS,), ("sicepat",)))
        double = await rig.connector.quote(QuoteRequest(SHOP, BUYER, (heavy,), ("sicepat",)))
        assert (light[0].price, double[0].price) == (10_500, 21_000)
        assert rig.sim.balance == 10_000_000 - 10

    on_rig("biteship", test)


def test_instant_couriers_are_quoted_by_coordinates_alone() -> None:
    async def test(rig: BiteshipRig) -> None:
        by_coordinates = await rig.connector.quote(QuoteRequest(SHOP, BUYER, (SHIRTS,), ("gojek",)))
        assert [(quote.company, quote.days) for quote in by_coordinates] == [("gojek", (0, 0))]
        nowhere = replace(BUYER, latitude=None, longitude=None)
        with pytest.raises(Rejected) as refused:
            await rig.connector.quote(QuoteRequest(SHOP, nowhere, (SHIRTS,), ("gojek",)))
        assert refused.value.reject is RejectClass.NO_ROUTE

    on_rig("biteship", test)


def test_an_empty_balance_refuses_quotes_by_text_without_a_code() -> None:
    async def test(rig: BiteshipRig) -> None:
        rig.sim.balance = 4
        with pytest.raises(Rejected) as refused:
            await rig.connector.quote(QuoteRequest(SHOP, BUYER, (SHIRTS,), ("jne",)))
        assert (refused.value.reject, refused.value.code) == (RejectClass.INSUFFICIENT_BALANCE, "")

    on_rig("biteship", test)


def test_an_unknown_postal_code_names_the_field() -> None:
    async def test(rig: BiteshipRig) -> None:
        with pytest.raises(Rejected, match="destination_postal_code") as refused:
            await rig.connector.quote(QuoteRequest(SHOP, replace(BUYER, postal_code="99999"), (SHIRTS,), ("jne",)))
        assert (refused.value.reject, refused.value.code) == (RejectClass.BAD_DATA, "40001001")

    on_rig("biteship", test)


# -------------------------------------------------------------------------------------------------------------------- bookings


@pytest.mark.parametrize("spelling", ["snake", "camel"])
def test_from_draft_to_delivery(spelling: str) -> None:
    async def test(rig: BiteshipRig) -> None:
        draft = await rig.connector.draft(booking_request(cod_amount=204_500))
        assert draft == DraftState(draft.draft_id, confirmed=False, reference="SSABCDEF-1")
        assert rig.sim.balance == 10_000_000, "a draft costs nothing"
        assert not rig.sim.bookings()

        booked = await rig.connector.confirm(draft.draft_id, "SSABCDEF-1")
        assert (booked.state, booked.reference, booked.cod_amount) == (ParcelState.BOOKED, "SSABCDEF-1", 204_500)
        assert len(booked.waybill) == 12
        assert booked.waybill.startswith("00")
        assert booked.price == 10_500 + 8_180 == 10_000_000 - rig.sim.balance
        assert booked.destination_postal_code == "60243"
        assert await rig.connector.read_draft(draft.draft_id) == DraftState(
            draft.draft_id, confirmed=True, booking_id=booked.booking_id, reference="SSABCDEF-1"
        )

        await rig.clock.sleep(3600)
        seen = []
        for status in ("allocated", "picking_up", "picked", "dropping_off", "delivered"):
            rig.sim.advance(booked.booking_id, status)
            seen.append((await rig.connector.booking(booked.booking_id)).state)
        assert seen == [
            ParcelState.BOOKED,
            ParcelState.BOOKED,
            ParcelState.PICKED_UP,
            ParcelState.OUT_FOR_DELIVERY,
            ParcelState.DELIVERED,
        ]
        final = await rig.connector.booking(booked.booking_id)
        assert final.picked_up_at == datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
        events = [(entry.event, entry.data["parcel_id"], entry.data["order_id"]) for entry in _parcel_events(rig)]
        assert events == [
            (event, booked.booking_id, "SSABCDEF-1")
            for event in (Event.PARCEL_ARRANGED, Event.WAYBILL_ISSUED, Event.HANDED_OVER, Event.DELIVERED)
        ]
        assert _parcel_events(rig)[0].data["items"] == [("KP-L", "KP-L", 2)]

    on_rig("biteship", test, switches={"status_spelling": spelling})


def _parcel_events(rig: BiteshipRig) -> list[Any]:
    return [entry for entry in rig.sim.journal.entries() if entry.event is not Event.REQUEST]


def test_a_draft_is_flat_and_carries_what_the_label_needs() -> None:
    async def test(rig: BiteshipRig) -> None:
        await rig.connector.draft(booking_request(handover=Handover.DROP_OFF, insured_amount=185_000))
        body = json.loads(rig.requests[0].content)
        assert (body["origin_contact_phone"], body["destination_contact_phone"]) == ("081200000001", "081200000002")
        assert (body["shipper_organization"], body["origin_collection_method"]) == ("Toko Angin", "drop_off")
        assert (body["destination_postal_code"], body["courier_insurance"]) == (60243, 185_000)
        assert body["destination_coordinate"] == {"latitude": -7.2892, "longitude": 112.7965}
        assert not any(isinstance(body.get(side), dict) for side in ("origin", "destination"))

    on_rig("biteship", test, settings={"brand": "Toko Angin"})


@pytest.mark.parametrize(("company", "service", "switch"), [("lion", "reg_pack", "at_booking"), ("jne", "reg", "late")])
def test_a_late_waybill_is_read_later_and_may_change(company: str, service: str, switch: str) -> None:
    async def test(rig: BiteshipRig) -> None:
        booked = await book(rig, company=company, service=service)
        assert booked.waybill == ""
        await rig.clock.sleep(rig.sim.waybill_delay_s)
        first = (await rig.connector.booking(booked.booking_id)).waybill
        assert first
        second, third = (rig.sim.change_waybill(booked.booking_id) for _ in range(2))
        assert len({first, second, third}) == 3
        assert (await rig.connector.booking(booked.booking_id)).waybill == third

    on_rig("biteship", test, switches={"instant_waybill": switch})


def test_the_price_is_provisional() -> None:
    async def test(rig: BiteshipRig) -> None:
        booked = await book(rig)
        rig.sim.reweigh(booked.booking_id, 21_000)
        assert (await rig.connector.booking(booked.booking_id)).price == 21_000
        assert rig.sim.balance == 10_000_000 - 21_000

    on_rig("biteship", test)


def test_parcels_move_by_themselves_in_the_demo() -> None:
    async def test(rig: BiteshipRig) -> None:
        rig.sim.auto_advance = (("allocated", 5.0), ("picked", 30.0), ("delivered", 120.0))
        booked = await book(rig)
        states = []
        for _ in range(4):
            states.append((await rig.connector.booking(booked.booking_id)).remote_status)
            await rig.clock.sleep(40)
        assert states == ["confirmed", "picked", "picked", "delivered"]

    on_rig("biteship", test)


# ---------------------------------------------------------------------------------------------------- references and drafts


@pytest.mark.parametrize("code_type", ["number", "text"])
def test_a_used_reference_refuses_the_draft(code_type: str) -> None:
    async def test(rig: BiteshipRig) -> None:
        await book(rig)
        with pytest.raises(Rejected) as refused:
            await rig.connector.draft(booking_request())
        assert (refused.value.reject, refused.value.code) == (RejectClass.REFERENCE_USED, "42211015")
        assert refused.value.details == {}, "Biteship does not say who holds it"

    on_rig("biteship", test, switches={"code_type": code_type})


def test_a_used_reference_at_confirm_names_the_order() -> None:
    async def test(rig: BiteshipRig) -> None:
        first = await rig.connector.draft(booking_request())
        second = await rig.connector.draft(booking_request())
        booked = await rig.connector.confirm(first.draft_id, "SSABCDEF-1")
        with pytest.raises(Rejected) as refused:
            await rig.connector.confirm(second.draft_id, "SSABCDEF-1")
        assert (refused.value.reject, refused.value.code) == (RejectClass.REFERENCE_USED, "40002060")
        assert refused.value.details == {
            "booking_id": booked.booking_id,
            "waybill": booked.waybill,
            "reference": "SSABCDEF-1",
        }
        assert len(rig.sim.bookings()) == 1

    on_rig("biteship", test, switches={"reference_checked_at": "confirm"})


@pytest.mark.parametrize("freed", [False, True])
def test_a_cancelled_booking_may_or_may_not_free_its_reference(freed: bool) -> None:
    async def test(rig: BiteshipRig) -> None:
        booked = await book(rig)
        await rig.connector.cancel(booked.booking_id, "change_courier")
        if freed:
            assert (await book(rig)).booking_id != booked.booking_id
        else:
            with pytest.raises(Rejected) as refused:
                await rig.connector.draft(booking_request())
            assert refused.value.reject is RejectClass.REFERENCE_USED
        assert (await book(rig, "SSABCDEF-2")).state is ParcelState.BOOKED

    on_rig("biteship", test, switches={"cancelled_frees_reference": freed})


@pytest.mark.parametrize("used_up", [False, True])
def test_a_refused_draft_may_or_may_not_use_up_its_reference(used_up: bool) -> None:
    async def test(rig: BiteshipRig) -> None:
        with pytest.raises(Rejected) as refused:
            await rig.connector.draft(booking_request(recipient=replace(BUYER, postal_code="99999")))
        assert (refused.value.reject, refused.value.code) == (RejectClass.BAD_DATA, "42211013")
        assert refused.value.details["field"] == "destination_postal_code"
        if used_up:
            with pytest.raises(Rejected) as again:
                await rig.connector.draft(booking_request())
            assert again.value.reject is RejectClass.REFERENCE_USED
        else:
            assert not (await rig.connector.draft(booking_request())).confirmed

    on_rig("biteship", test, switches={"failed_create_uses_reference": used_up})


def test_a_confirmed_draft_is_not_confirmed_again_but_read() -> None:
    async def test(rig: BiteshipRig) -> None:
        draft = await rig.connector.draft(booking_request())
        booked = await rig.connector.confirm(draft.draft_id, "SSABCDEF-1")
        with pytest.raises(Uncertain, match="42211006"):
            await rig.connector.confirm(draft.draft_id, "SSABCDEF-1")
        assert (await rig.connector.read_draft(draft.draft_id)).booking_id == booked.booking_id
        assert len(rig.sim.bookings()) == 1

    on_rig("biteship", test)


def test_an_unknown_draft_does_not_exist_and_cannot_be_confirmed() -> None:
    async def test(rig: BiteshipRig) -> None:
        assert await rig.connector.read_draft("nothing") == DraftState("nothing", confirmed=False, exists=False)
        with pytest.raises(Rejected) as refused:
            await rig.connector.confirm("nothing", "SSABCDEF-1")
        assert refused.value.reject is RejectClass.UNKNOWN_ORDER

    on_rig("biteship", test)


def test_cod_rules() -> None:
    async def test(rig: BiteshipRig) -> None:
        for company, service, amount, reject in (
            ("jne", "yes", 200_000, RejectClass.SELLER_MUST_ACT),  # not offered
            ("jne", "reg", 24_999, RejectClass.BAD_DATA),  # below the courier's least
            ("sicepat", "reg", 2_500_001, RejectClass.BAD_DATA),  # above its most
        ):
            with pytest.raises(Rejected) as refused:
                await rig.connector.draft(booking_request(company=company, service=service, cod_amount=amount))
            assert refused.value.reject is reject
        booked = await book(rig, company="sicepat", cod_amount=2_500_000)
        assert booked.price == 10_500 + 150_000, "3_days costs 6 %"

    on_rig("biteship", test, settings={"cod_payout": "3_days"})


@pytest.mark.parametrize("shape", ["402_coded", "400_coded", "400_text"])
def test_too_little_balance_leaves_a_draft_that_can_be_confirmed_later(shape: str) -> None:
    async def test(rig: BiteshipRig) -> None:
        rig.sim.balance = 10_000
        draft = await rig.connector.draft(booking_request())
        with pytest.raises(Rejected) as refused:
            await rig.connector.confirm(draft.draft_id, "SSABCDEF-1")
        assert refused.value.reject is RejectClass.INSUFFICIENT_BALANCE
        assert not (await rig.connector.read_draft(draft.draft_id)).confirmed
        rig.sim.balance = 20_000
        assert (await rig.connector.confirm(draft.draft_id, "SSABCDEF-1")).state is ParcelState.BOOKED

    on_rig("biteship", test, switches={"balance_refusal": shape})


def test_courier_and_service_must_exist() -> None:
    async def test(rig: BiteshipRig) -> None:
        for changes, code in (({"company": "halu"}, "40002026"), ({"service": "halu"}, "40002027")):
            with pytest.raises(Rejected) as refused:
                await rig.connector.draft(booking_request(**changes))
            assert (refused.value.reject, refused.value.code) == (RejectClass.BAD_DATA, code)

    on_rig("biteship", test)


# ---------------------------------------------------------------------------------------------------- checks before the call


def test_every_bad_field_is_named_before_anything_is_sent() -> None:
    async def test(rig: BiteshipRig) -> None:
        nowhere = Place(name=" ", phone="rahasia-123", address="Jl. X", postal_code="6024")
        request = booking_request(
            recipient=nowhere,
            items=(replace(SHIRTS, weight_g=0),),
            cod_amount=15_000_001,
            company="gojek",
            service="instant",
        )
        with pytest.raises(Rejected) as refused:
            await rig.connector.draft(request)
        assert refused.value.reject is RejectClass.BAD_DATA
        assert set(refused.value.details) == {
            "recipient.name",
            "recipient.phone",
            "recipient.address",
            "recipient.postal_code",
            "recipient.latitude",
            "items[0].weight_g",
            "cod_amount",
        }
        assert "rahasia" not in str(refused.value)
        with pytest.raises(Rejected, match="companies"):
            await rig.connector.quote(QuoteRequest(SHOP, BUYER, (SHIRTS,), ()))
        assert rig.requests == []

    on_rig("biteship", test)


@pytest.mark.parametrize("form", [{"area_id": "IDNP9IDNC022IDND210IDZ40132"}, {"latitude": -7.2, "longitude": 112.7}])
def test_one_form_of_the_place_is_enough(form: dict[str, Any]) -> None:
    async def test(rig: BiteshipRig) -> None:
        bare = Place(name="Rani", phone="6281200000002", address=BUYER.address)
        assert (await book(rig, recipient=replace(bare, **form))).state is ParcelState.BOOKED
        with pytest.raises(Rejected, match=r"recipient\.postal_code"):
            await rig.connector.draft(booking_request("SSABCDEF-2", recipient=bare))

    on_rig("biteship", test)


# ------------------------------------------------------------------------------------------------------------------- cancelling


def test_cancel_until_the_courier_has_it() -> None:
    async def test(rig: BiteshipRig) -> None:
        booked = await book(rig)
        assert await rig.connector.cancel(booked.booking_id, "buyer changed her mind") == CourierCancel(done=True)
        body = json.loads(rig.requests[-1].content)
        assert body == {"cancellation_reason_code": "others", "cancellation_reason": "buyer changed her mind"}
        assert rig.sim.balance == 10_000_000, "refunded"
        assert (await rig.connector.booking(booked.booking_id)).state is ParcelState.CANCELLED
        again = await rig.connector.cancel(booked.booking_id, "others")
        assert again == CourierCancel(done=True), "a repeated cancellation is refused and has happened"

        gone = await book(rig, "SSABCDEF-2")
        rig.sim.advance(gone.booking_id, "picked")
        refused = await rig.connector.cancel(gone.booking_id, "change_address")
        assert not refused.done
        assert not refused.pending
        assert "in process" in refused.why

        with pytest.raises(Rejected) as unknown:
            await rig.connector.cancel("0" * 24, "others")
        assert unknown.value.reject is RejectClass.UNKNOWN_ORDER

    on_rig("biteship", test)


def test_a_courier_may_refuse_a_cancellation() -> None:
    async def test(rig: BiteshipRig) -> None:
        booked = await book(rig)
        rig.sim.refuse_cancellations = True
        assert not (await rig.connector.cancel(booked.booking_id, "pickup_delay")).done
        assert (await rig.connector.booking(booked.booking_id)).state is ParcelState.BOOKED

    on_rig("biteship", test)


# ----------------------------------------------------------------------------------------------------------------- keys, health


def test_health_warns_of_a_test_key() -> None:
    async def test(rig: BiteshipRig) -> None:
        health = await rig.connector.health()
        assert (health.remote_shop_id, health.shop_name) == ("biteship", "Biteship")
        assert "test key" in health.notes[0]

    on_rig("biteship", test)


@pytest.mark.parametrize("scheme", ["raw", "bearer"])
@pytest.mark.parametrize("accepted", ["raw", "bearer", "both"])
def test_the_key_is_sent_as_set(scheme: str, accepted: str) -> None:
    async def test(rig: BiteshipRig) -> None:
        if accepted in (scheme, "both"):
            await rig.connector.health()
        else:
            with pytest.raises(AuthNeeded, match="auth_scheme"):
                await rig.connector.health()

    on_rig("biteship", test, switches={"auth": accepted}, settings={"auth_scheme": scheme})


def test_a_wrong_key_and_a_key_that_is_not_activated_need_the_seller() -> None:
    async def test(rig: BiteshipRig) -> None:
        draft = await rig.connector.draft(booking_request())
        rig.sim.activated = False
        with pytest.raises(AuthNeeded, match="activation form"):
            await rig.connector.confirm(draft.draft_id, "SSABCDEF-1")
        rig.sim.activated = True
        rig.sim.api_key = "biteship_test.another"
        with pytest.raises(AuthNeeded, match="refuses the API key"):
            await rig.connector.confirm(draft.draft_id, "SSABCDEF-1")
        assert not rig.sim.bookings()

    on_rig("biteship", test)


def test_the_key_appears_in_no_error_log_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def test(rig: BiteshipRig) -> None:
        key = rig.sim.api_key
        texts = [repr(rig.connector.context.settings)]
        rig.sim.api_key = "another key"
        for kind in (None, FaultKind.HTML, FaultKind.DROP_AFTER, FaultKind.HTTP_500, FaultKind.TRUNCATED):
            if kind:
                rig.sim.faults.append(Fault(kind))
            with pytest.raises(Exception) as failure:
                await rig.connector.draft(booking_request())
            texts.append(str(failure.value))
        assert all(key not in text for text in texts)
        assert key not in caplog.text
        assert BUYER.phone not in caplog.text

    on_rig("biteship", test)


def test_no_balance_and_one_step_bookings() -> None:
    async def test(rig: BiteshipRig) -> None:
        assert not rig.connector.capabilities.balance
        for call in (
            rig.connector.balance(),
            rig.connector.book(booking_request()),
            rig.connector.find("SSABCDEF-1"),
        ):
            with pytest.raises(NotSupported):
                await call
        assert rig.requests == []

    on_rig("biteship", test)


def test_settings_are_checked_and_explained() -> None:
    for name, field in BiteshipSettings.model_fields.items():
        assert field.description, name
    with pytest.raises(ValueError, match="auth_scheme"):
        BiteshipSettings.model_validate({"api_key": "biteship_test.x", "auth_scheme": "basic"})


@pytest.mark.parametrize(("header", "wait_s"), [("sent", 1.0), ("absent", 5.0)])
def test_a_rate_limit_is_waited_for_by_reads_and_told_by_writes(header: str, wait_s: float) -> None:
    async def test(rig: BiteshipRig) -> None:
        rig.sim.rate_limits = True
        booked = await book(rig)
        for _ in range(5):
            await rig.connector.booking(booked.booking_id)
        began = rig.clock.monotonic()
        assert (await rig.connector.booking(booked.booking_id)).state is ParcelState.BOOKED
        assert rig.clock.monotonic() - began == wait_s
        for number in range(2, 7):
            await rig.connector.draft(booking_request(f"SSABCDEF-{number}"))
        with pytest.raises(RateLimited) as limited:
            await rig.connector.draft(booking_request("SSABCDEF-9"))
        assert (limited.value.until - rig.clock.now()).total_seconds() == wait_s
        assert len(rig.sim.drafts()) == 6

    on_rig("biteship", test, switches={"retry_after": header})
