"""KiriminAja against its simulator: districts, quotes, one-step booking, tracking, cancelling."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import (
    BookingRequest,
    CourierCancel,
    Handover,
    ParcelItem,
    Place,
    QuoteRequest,
)
from sellersync.domain.errors import AuthNeeded, NotSupported, RejectClass, Rejected, Uncertain
from sellersync.domain.parcels import ParcelState
from sellersync.sandbox.kit import Event
from sellersync.testing.rig import Rig, on_rig
from sellersync_kiriminaja import KiriminAja, KiriminAjaSettings
from sellersync_kiriminaja.sandbox import KiriminAjaSandbox

KiriminAjaRig = Rig[KiriminAja, KiriminAjaSandbox]

SHOP = Place(name="Gudang Angin", phone="0812-0000-0001", address="Jl. Contoh 12, Coblong", postal_code="40132")
BUYER = Place(
    name="Rani",
    phone="+62 812 0000 0002",
    address="Jl. Misal 3 RT 2 RW 4",
    district="Kec. Sukolilo",
    city="Surabaya",
    province="Jawa Timur",
    postal_code="60111",
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
        service="REG",
    )
    return replace(request, **changes)


def sent(rig: KiriminAjaRig, path: str) -> list[Any]:
    """Bodies of the requests to a path, in order."""
    return [json.loads(one.content or b"{}") for one in rig.requests if one.url.path.endswith(path)]


# ------------------------------------------------------------------------------------------------------------------- districts


def test_a_district_is_found_by_name_and_city_once() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        for _ in range(3):
            await rig.connector.quote(QuoteRequest(SHOP, BUYER, (SHIRTS,), ("jne",)))
        assert sent(rig, "get_address_by_name") == [{"search": "sukolilo"}]
        assert [one.url.params["search"] for one in rig.requests if one.url.path.endswith("addresses")] == ["40132"]
        rates = sent(rig, "shipping_price")
        assert {(one["origin"], one["destination"]) for one in rates} == {(1207, 6161)}

    on_rig("kiriminaja", test)


def test_without_a_district_the_postal_code_tells_it() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        bare = replace(BUYER, district="", city="Jakarta Selatan", province="DKI Jakarta", postal_code="12430")
        await rig.connector.quote(QuoteRequest(SHOP, bare, (SHIRTS,), ("jne",)))
        assert sent(rig, "shipping_price")[0]["destination"] == 2121
        assert sent(rig, "get_address_by_name") == []

    on_rig("kiriminaja", test)


def test_a_district_id_of_the_place_itself_is_taken() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        places = [replace(place, area_id="5789") for place in (SHOP, BUYER)]
        await rig.connector.quote(QuoteRequest(places[0], places[1], (SHIRTS,), ("jne",)))
        assert [one.url.path for one in rig.requests] == ["/api/mitra/v6.1/shipping_price"]

    on_rig("kiriminaja", test)


@pytest.mark.parametrize(
    ("changes", "candidates"),
    [
        # two districts of that name, and nothing else to tell them apart
        (
            {"district": "Ngemplak", "city": "", "province": "", "postal_code": ""},
            ("Ngemplak, Kabupaten Boyolali", "Ngemplak, Kabupaten Sleman"),
        ),
        # one postal code of two districts
        ({"district": "", "city": "Bandung Barat", "province": "", "postal_code": "40391"}, ("Lembang", "Parongpong")),
        # the city contradicts the postal code
        ({"district": "", "city": "Medan", "province": "", "postal_code": "12430"}, ("Cilandak",)),
        # the district contradicts the city
        ({"district": "Coblong", "city": "Surabaya", "province": "", "postal_code": ""}, ("Coblong, Kota Bandung",)),
        ({"district": "Antah Berantah", "city": "", "province": "", "postal_code": "99999"}, ("knows no such",)),
        ({"district": "Ng", "city": "Sleman", "province": "", "postal_code": ""}, ("three letters or more",)),
    ],
)
def test_an_unclear_address_is_refused_and_names_the_candidates(
    changes: dict[str, str], candidates: tuple[str, ...]
) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        request = QuoteRequest(SHOP, replace(BUYER, **changes), (SHIRTS,), ("jne",))
        for _ in range(2):
            with pytest.raises(Rejected) as refused:
                await rig.connector.quote(request)
            assert refused.value.reject is RejectClass.BAD_DATA
            assert set(refused.value.details) == {"destination.district"}
            for candidate in candidates:
                assert candidate in refused.value.why
        searches = [one for one in rig.requests if one.url.path.endswith(("addresses", "get_address_by_name"))]
        assert len(searches) <= 3, "a bad address is not searched for again"
        assert sent(rig, "shipping_price") == []

    on_rig("kiriminaja", test)


def test_the_city_or_the_postal_code_tells_districts_of_one_name_apart() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        by_city = replace(BUYER, district="Ngemplak", city="Kab. Sleman", province="", postal_code="")
        by_code = replace(BUYER, district="ngemplak", city="", province="", postal_code="57375")
        for place in (by_city, by_code):
            await rig.connector.quote(QuoteRequest(SHOP, place, (SHIRTS,), ("jne",)))
        assert [one["destination"] for one in sent(rig, "shipping_price")] == [5789, 1251]

    on_rig("kiriminaja", test)


# ---------------------------------------------------------------------------------------------------------------------- quotes


def test_quotes_come_from_the_companies_asked_cheapest_first() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        companies = ("jne", "sicepat", "idexpress", "lion", "pos")
        quotes = await rig.connector.quote(QuoteRequest(SHOP, BUYER, (SHIRTS,), companies))
        assert [(quote.company, quote.service, quote.price) for quote in quotes] == [
            ("idexpress", "STD", 10_000),
            ("sicepat", "REG", 10_500),
            ("jne", "REG23", 12_000),
            ("jne", "YES23", 19_000),
        ], "lion collects only where the sender's coordinates are known; pos is booked through another API"
        assert sent(rig, "shipping_price")[0]["courier"] == ["jne", "sicepat", "idx", "lion"]
        jne = quotes[2]
        assert (jne.name, jne.days, jne.cod, jne.cod_fee) == ("JNE Express Reguler", (2, 3), True, None)
        assert jne.handovers == (Handover.PICKUP, Handover.DROP_OFF)
        assert not jne.instant_waybill
        located = replace(SHOP, latitude=-6.89, longitude=107.61)
        assert (await rig.connector.quote(QuoteRequest(located, BUYER, (SHIRTS,), ("lion",))))[0].price == 9_500

    on_rig("kiriminaja", test)


def test_companies_of_another_api_are_not_asked_for() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        assert await rig.connector.quote(QuoteRequest(SHOP, BUYER, (SHIRTS,), ("pos", "paxel"))) == ()
        assert sent(rig, "shipping_price") == []

    on_rig("kiriminaja", test)


@pytest.mark.parametrize(("vat", "fee"), [(True, 6_511), (False, 5_865)])
def test_a_cod_fee_is_the_larger_of_our_rule_and_the_quoted_one(vat: bool, fee: int) -> None:
    """3 % of goods and shipping (Rp195,500); the published sample adds 11 % VAT to the fee (unconfirmed)."""

    async def test(rig: KiriminAjaRig) -> None:
        request = QuoteRequest(SHOP, BUYER, (SHIRTS,), ("sicepat",), cod_amount=210_000)
        quote = (await rig.connector.quote(request))[0]
        assert (quote.cod_fee, quote.price) == (fee, 10_500 + fee)

    on_rig("kiriminaja", test, switches={"cod_fee_vat": vat})


@pytest.mark.parametrize(("least_fee", "insurance"), [(True, 2_500), (False, 400)])
def test_insurance_is_rounded_up_to_a_hundred_and_has_the_couriers_least_fee(least_fee: bool, insurance: int) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        request = QuoteRequest(SHOP, BUYER, (SHIRTS,), ("sicepat",), insured_amount=185_000)  # 0.2 % is Rp370
        assert (await rig.connector.quote(request))[0].insurance_fee == insurance
        booked = await rig.connector.book(booking_request(insured_amount=185_000))
        package = sent(rig, "request_pickup")[0]["packages"][0]
        assert (package["insurance_amount"], package["item_value"]) == (insurance, 185_000)
        assert booked.price == 10_500 + insurance

    on_rig("kiriminaja", test, switches={"insurance_least_fee": least_fee})


def test_a_light_big_parcel_weighs_its_volume() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        pillow = ParcelItem("Bantal", "B", 3, 50_000, 400, length_cm=40, width_cm=30, height_cm=10)
        await rig.connector.quote(QuoteRequest(SHOP, BUYER, (pillow,), ("jne",)))
        body = sent(rig, "shipping_price")[0]
        assert (body["length"], body["width"], body["height"], body["weight"]) == (40, 30, 30, 6_000)

    on_rig("kiriminaja", test)


# -------------------------------------------------------------------------------------------------------------------- bookings


@pytest.mark.parametrize("codes", ["always_100", "real"])
def test_from_booking_to_delivery(codes: str) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        booked = await rig.connector.book(booking_request())
        assert (booked.booking_id, booked.reference, booked.waybill) == ("SSABCDEF-1", "SSABCDEF-1", "")
        assert (booked.state, booked.company, booked.service) == (ParcelState.BOOKED, "sicepat", "REG")
        assert booked.price == 10_500 == 10_000_000 - await rig.connector.balance()

        await rig.clock.sleep(rig.sim.waybill_delay_s)
        numbered = await rig.connector.booking("SSABCDEF-1")
        assert len(numbered.waybill) == 12
        assert numbered.waybill.startswith("00")
        assert (numbered.state, numbered.remote_status) == (ParcelState.BOOKED, "105")
        assert (numbered.price, numbered.cod_amount, numbered.destination_postal_code) == (10_500, 0, "60111")
        assert numbered.routing_code

        await rig.clock.sleep(3600 - rig.sim.waybill_delay_s)
        seen = []
        for status in ("103", "106", "200"):
            rig.sim.advance(booked.booking_id, status)
            seen.append((await rig.connector.booking(booked.booking_id)).state)
        assert seen == [ParcelState.PICKED_UP, ParcelState.IN_TRANSIT, ParcelState.DELIVERED]
        final = await rig.connector.booking(booked.booking_id)
        assert final.picked_up_at == datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
        assert final.updated_at == final.picked_up_at
        events = [entry.event for entry in rig.sim.journal.entries() if entry.event is not Event.REQUEST]
        assert events == [Event.PARCEL_ARRANGED, Event.WAYBILL_ISSUED, Event.HANDED_OVER, Event.DELIVERED]

    on_rig("kiriminaja", test, switches={"history_codes": codes})


def test_a_booking_carries_prices_and_districts_of_ours() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        note = "Titip di pos satpam, jangan ditinggal di depan pintu rumah"
        await rig.connector.book(booking_request(recipient=replace(BUYER, note=note)))
        body = sent(rig, "request_pickup")[0]
        package = body.pop("packages")[0]
        assert rig.requests[-1].url.path == "/api/mitra/v6.2/request_pickup"
        assert body == {
            "name": "Gudang Angin",
            "phone": "081200000001",
            "address": "Jl. Contoh 12, Coblong",
            "kecamatan_id": 1207,
            "zipcode": "40132",
            "schedule": "2026-11-21 08:00:00",
            "platform_name": "sellersync",
            "payment_method": "credit",
            "pin": rig.sim.pin,
        }
        assert package == {
            "order_id": "SSABCDEF-1",
            "destination_name": "Rani",
            "destination_phone": "081200000002",
            "destination_address": "Jl. Misal 3 RT 2 RW 4",
            "destination_kecamatan_id": 6161,
            "destination_zipcode": "60111",
            "weight": 440,
            "length": 10,
            "width": 10,
            "height": 20,
            "qty": 2,
            "item_name": "Kaos Polos L",
            "item_value": 185_000,
            "shipping_cost": 10_500,
            "service": "sicepat",
            "service_type": "REG",
            "package_type_id": 9,
            "insurance_amount": 0,
            "cod": 0,
            "drop": False,
            "note": note[:50],
        }

    on_rig("kiriminaja", test, settings={"default_side_cm": 10})


@pytest.mark.parametrize("with_credit", ["refused", "ignored"])
def test_cod_is_what_the_buyer_owes_and_never_paid_from_the_balance(with_credit: str) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        booked = await rig.connector.book(booking_request(cod_amount=204_500))
        assert (booked.state, booked.cod_amount, rig.sim.balance) == (ParcelState.BOOKED, 204_500, 10_000_000)
        body = sent(rig, "request_pickup")[0]
        assert rig.requests[-1].url.path == "/api/mitra/v6.1/request_pickup"
        assert not {"payment_method", "pin"} & set(body)
        assert (body["packages"][0]["cod"], body["packages"][0]["package_type_id"]) == (204_500, 7)
        await rig.clock.sleep(rig.sim.waybill_delay_s)
        shown = await rig.connector.booking("SSABCDEF-1")
        assert (shown.cod_amount, shown.price) == (204_500, booked.price)

    on_rig("kiriminaja", test, switches={"cod_with_credit": with_credit})


def test_cod_must_pay_for_itself_and_be_offered() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        for changes, reject in (
            ({"cod_amount": 12_000}, RejectClass.BAD_DATA),  # shipping and fee are more
            ({"cod_amount": 200_000, "company": "jne", "service": "YES23"}, RejectClass.NO_ROUTE),
            ({"company": "jne", "service": "HALU"}, RejectClass.NO_ROUTE),
            ({"company": "pos", "service": "901979"}, RejectClass.NO_ROUTE),
        ):
            with pytest.raises(Rejected) as refused:
                await rig.connector.book(booking_request(**changes))
            assert refused.value.reject is reject
        assert sent(rig, "request_pickup") == []

    on_rig("kiriminaja", test)


def test_a_terms_of_payment_account_pays_by_invoice() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.terms = True
        assert (await rig.connector.book(booking_request())).state is ParcelState.BOOKED
        assert "pin" not in sent(rig, "request_pickup")[0]
        await rig.clock.sleep(rig.sim.waybill_delay_s)
        assert (await rig.connector.booking("SSABCDEF-1")).waybill
        with pytest.raises(Rejected):
            await rig.connector.balance()

    on_rig("kiriminaja", test, settings={"payment": "terms", "pin": ""})


def test_an_unpaid_booking_is_a_problem_until_somebody_pays() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        booked = await rig.connector.book(booking_request())
        assert (booked.state, booked.remote_status) == (ParcelState.PROBLEM, "unpaid")
        await rig.clock.sleep(3600)
        assert (await rig.connector.booking("SSABCDEF-1")).waybill == ""
        number = next(iter(rig.sim._depot.parcels.values())).pickup_number
        rig.sim.pay(number)
        await rig.clock.sleep(rig.sim.waybill_delay_s)
        assert (await rig.connector.booking("SSABCDEF-1")).waybill

    on_rig("kiriminaja", test, settings={"payment": "terms", "pin": ""})


def test_a_drop_off_needs_no_pickup_window() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.holidays = frozenset({date(2026, 11, 21), date(2026, 11, 22)})
        with pytest.raises(Rejected) as refused:
            await rig.connector.book(booking_request())
        assert refused.value.reject is RejectClass.NOT_NOW
        await rig.connector.book(booking_request(handover=Handover.DROP_OFF))
        assert sent(rig, "request_pickup")[0]["packages"][0]["drop"] is True

    on_rig("kiriminaja", test)


def test_holidays_and_closed_windows_are_passed_over() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.holidays = frozenset({date(2026, 11, 22)})
        await rig.connector.book(booking_request("SSAAAAAA-1"))
        await rig.clock.sleep(2 * 3600)  # 09:00 in Bandung: the morning's window has begun
        await rig.connector.book(booking_request("SSBBBBBB-1"))
        await rig.clock.sleep(25 * 3600)  # a day later, 10:00 on the holiday
        await rig.connector.book(booking_request("SSCCCCCC-1"))
        assert [one["schedule"] for one in sent(rig, "request_pickup")] == [
            "2026-11-21 08:00:00",
            "2026-11-21 14:00:00",
            "2026-11-23 08:00:00",
        ]

    on_rig("kiriminaja", test)


# ------------------------------------------------------------------------------------------------------- references and look-up


@pytest.mark.parametrize("repeated", ["refused", "accepted"])
@pytest.mark.parametrize("unknown", ["200_text", "404"])
def test_a_reference_is_looked_up_before_it_is_booked(repeated: str, unknown: str) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        assert await rig.connector.find("SSABCDEF-1") is None
        await rig.connector.book(booking_request())
        again = await rig.connector.book(booking_request())
        assert again.booking_id == "SSABCDEF-1"
        assert len(sent(rig, "request_pickup")) == len(rig.sim.bookings()) == 1
        found = await rig.connector.find("SSABCDEF-1")
        assert found is not None
        assert found.reference == "SSABCDEF-1"

    on_rig("kiriminaja", test, switches={"repeated_order_id": repeated, "tracking_unknown": unknown})


@pytest.mark.parametrize("status", [200, 422])
def test_a_used_reference_that_is_not_visible_yet_names_itself(status: int) -> None:
    """While tracking lags the look-up finds nothing; the refusal is then the proof of the booking."""

    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.booking_read_lag_s = 30
        await rig.connector.book(booking_request())
        with pytest.raises(Rejected) as refused:
            await rig.connector.book(booking_request())
        assert refused.value.reject is RejectClass.REFERENCE_USED
        assert refused.value.details == {"booking_id": "SSABCDEF-1"}
        await rig.clock.sleep(30)
        assert (await rig.connector.booking("SSABCDEF-1")).state is ParcelState.BOOKED

    on_rig("kiriminaja", test, switches={"validation_status": status})


@pytest.mark.parametrize("freed", [False, True])
def test_a_cancelled_booking_is_shown_instead_of_booking_its_reference_again(freed: bool) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        await rig.connector.book(booking_request(cod_amount=204_500))
        await rig.clock.sleep(rig.sim.waybill_delay_s)
        assert (await rig.connector.cancel("SSABCDEF-1", "stok habis")).done
        assert (await rig.connector.book(booking_request(cod_amount=204_500))).state is ParcelState.CANCELLED
        assert (await rig.connector.book(booking_request("SSABCDEF-2"))).state is ParcelState.BOOKED
        assert set(rig.sim.bookings()) == {"SSABCDEF-1", "SSABCDEF-2"}

    on_rig("kiriminaja", test, switches={"cancelled_frees_order_id": freed})


# ------------------------------------------------------------------------------------------------------------------- cancelling


@pytest.mark.parametrize("arguments", ["body", "query"])
def test_cod_is_cancelled_at_once_others_within_two_days(arguments: str) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        await rig.connector.book(booking_request("SSPREPAID-1"))
        await rig.connector.book(booking_request("SSCOD-1", cod_amount=204_500))
        assert rig.sim.balance == 10_000_000 - 10_500
        await rig.clock.sleep(rig.sim.waybill_delay_s)
        assert await rig.connector.cancel("SSCOD-1", "stok habis") == CourierCancel(done=True)
        assert await rig.connector.cancel("SSPREPAID-1", "x") == CourierCancel(done=False, pending=True)
        waiting = await rig.connector.booking("SSPREPAID-1")
        assert (waiting.state, waiting.remote_status) == (ParcelState.PROBLEM, "350")
        assert rig.sim.balance == 10_000_000 - 10_500
        calls = len(rig.requests)
        assert await rig.connector.cancel("SSPREPAID-1", "stok habis") == CourierCancel(done=False, pending=True)
        assert len(rig.requests) == calls + 1, "a queued cancellation is read, not asked for again"
        await rig.clock.sleep(48 * 3600)
        assert (await rig.connector.booking("SSPREPAID-1")).state is ParcelState.CANCELLED
        assert rig.sim.balance == 10_000_000, "refunded"
        assert await rig.connector.cancel("SSPREPAID-1", "stok habis") == CourierCancel(done=True)

    on_rig("kiriminaja", test, switches={"cancel_arguments": arguments})


def test_a_cancellation_may_be_impossible() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        await rig.connector.book(booking_request())
        early = await rig.connector.cancel("SSABCDEF-1", "stok habis")
        assert (early.done, early.pending) == (False, False)
        assert "waybill" in early.why
        await rig.clock.sleep(rig.sim.waybill_delay_s)
        rig.sim.advance("SSABCDEF-1", "106")
        late = await rig.connector.cancel("SSABCDEF-1", "stok habis")
        assert late == CourierCancel(done=False, why="Paket tidak dapat dibatalkan")
        with pytest.raises(Rejected) as refused:
            await rig.connector.cancel("SSNONE-1", "stok habis")
        assert refused.value.reject is RejectClass.UNKNOWN_ORDER

    on_rig("kiriminaja", test)


# ------------------------------------------------------------------------------------------------------------------------ money


@pytest.mark.parametrize("codes", ["numbers", "names"])
def test_too_little_balance_is_a_clear_no(codes: str) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.balance = 10_499
        with pytest.raises(Rejected) as refused:
            await rig.connector.book(booking_request())
        assert refused.value.reject is RejectClass.INSUFFICIENT_BALANCE
        assert await rig.connector.find("SSABCDEF-1") is None
        rig.sim.balance = 10_500
        assert (await rig.connector.book(booking_request())).state is ParcelState.BOOKED
        assert await rig.connector.balance() == 0

    on_rig("kiriminaja", test, switches={"refusal_codes": codes})


@pytest.mark.parametrize("codes", ["numbers", "names"])
def test_a_wrong_pin_is_tried_once(codes: str) -> None:
    """Three wrong tries lock the PIN, so the second booking does not even ask."""

    async def test(rig: KiriminAjaRig) -> None:
        for _ in range(3):
            with pytest.raises(AuthNeeded, match="pin"):
                await rig.connector.book(booking_request())
        assert len(sent(rig, "request_pickup")) == 1
        assert (await rig.connector.book(booking_request(cod_amount=204_500))).state is ParcelState.BOOKED

    wrong = {"pin": "000000"}
    on_rig("kiriminaja", test, switches={"refusal_codes": codes}, settings=wrong)


def test_the_price_is_provisional() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        await rig.connector.book(booking_request())
        rig.sim.reweigh("SSABCDEF-1", 10_500)
        assert (await rig.connector.booking("SSABCDEF-1")).price == 21_000

    on_rig("kiriminaja", test)


# ------------------------------------------------------------------------------------------------------- checks and capabilities


def test_every_bad_field_is_named_before_anything_is_sent() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        nowhere = Place(name="N" * 51, phone="rahasia-123", address="Jl. X", postal_code="6024", district="Coblong")
        request = booking_request(
            "1SS-TOO-LONG-FOR-KIRIMINAJA", recipient=nowhere, items=(replace(SHIRTS, weight_g=0),), company="lion"
        )
        with pytest.raises(Rejected) as refused:
            await rig.connector.book(request)
        assert set(refused.value.details) == {
            "recipient.name",
            "recipient.phone",
            "recipient.address",
            "recipient.postal_code",
            "items[0].weight_g",
            "reference",
            "sender.latitude",
        }
        assert "rahasia" not in str(refused.value)
        assert rig.requests == []

    on_rig("kiriminaja", test)


def test_worthless_goods_are_declared_at_the_least_value() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        await rig.connector.book(booking_request(items=(replace(SHIRTS, value=0),)))
        assert sent(rig, "request_pickup")[0]["packages"][0]["item_value"] == 1_000

    on_rig("kiriminaja", test)


def test_what_is_not_declared_is_refused_before_any_call() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        with pytest.raises(NotSupported):
            await rig.connector.draft(booking_request())
        assert rig.requests == []

    on_rig("kiriminaja", test)


def test_health_reads_one_cheap_list() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        health = await rig.connector.health()
        assert (health.remote_shop_id, health.notes) == ("kiriminaja", ())
        assert [one.url.path for one in rig.requests] == ["/api/mitra/couriers"]

    on_rig("kiriminaja", test)


@pytest.mark.parametrize("pin", ["", "12345", "abcdef"])
def test_paying_from_the_balance_needs_a_pin(pin: str) -> None:
    with pytest.raises(ValueError, match="six digits"):
        KiriminAjaSettings.model_validate({"api_key": "kaj-0123456789", "pin": pin})
    assert KiriminAjaSettings.model_validate({"api_key": "kaj-0123456789", "payment": "terms"}).payment == "terms"


def test_pickups_are_sent_one_after_the_other() -> None:
    """A second pickup while one is being made is refused with 409 (an integrator's guide)."""

    async def test(rig: KiriminAjaRig) -> None:
        async def slow(request: httpx.Request) -> httpx.Response:
            await request.aread()
            if request.url.path.endswith("request_pickup") and not rig.sim.busy:
                rig.sim.busy = True
                await rig.clock.sleep(3)
                rig.sim.busy = False
            return rig.sim.handle(request)

        rig.wire._transport = httpx.MockTransport(slow)
        references = [f"SSABCDE{letter}-1" for letter in "ABCD"]
        booked = await asyncio.gather(*(rig.connector.book(booking_request(one)) for one in references))
        assert [one.state for one in booked] == [ParcelState.BOOKED] * 4
        assert set(rig.sim.bookings()) == set(references)

    on_rig("kiriminaja", test)


def test_a_pickup_refused_for_another_one_is_settled_by_reading() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.busy = True
        with pytest.raises(Uncertain, match="409"):
            await rig.connector.book(booking_request())
        assert await rig.connector.find("SSABCDEF-1") is None

    on_rig("kiriminaja", test)
