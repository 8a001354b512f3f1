"""KiriminAja's wire words: money rules, statuses, addresses, and the documentation's own samples."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from test_kiriminaja import BUYER, SHIRTS, SHOP, booking_request

from sellersync.connector.contract import QuoteRequest
from sellersync.connector.http import Reply
from sellersync.domain.errors import AuthNeeded, RejectClass, Rejected, Uncertain, Unrecognised
from sellersync.domain.ids import booking_reference
from sellersync.domain.parcels import ParcelState
from sellersync_kiriminaja import mapping, rates
from sellersync_kiriminaja.api import check_pickup, check_tracking
from sellersync_kiriminaja.checks import REFERENCE, REFERENCE_LENGTH_MAX
from sellersync_kiriminaja.districts import districts_by_name, districts_by_postal_code
from sellersync_kiriminaja.money import cod_fee, insurance_amount
from sellersync_kiriminaja.sandbox_parcels import STATUSES

PAYLOADS = Path(mapping.__file__).parent / "payloads"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def payload(name: str) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads((PAYLOADS / name).read_text("utf-8"))
    return raw


def reply(body: Any, status: int = 200) -> Reply:
    return Reply(status, httpx.Headers(), json.dumps(body).encode(), NOW, NOW)


# ----------------------------------------------------------------------------------------------------------------------- money


def test_the_documented_example_of_insurance_and_cod() -> None:
    """Goods Rp20,000, shipping Rp15,000, insurance Rp500 make a subtotal of Rp35,500."""
    assert insurance_amount(20_000, Decimal("0.025")) == 500
    assert cod_fee(20_000, 15_000, 500, Decimal("0.03")) == 1_065


@pytest.mark.parametrize(
    ("value", "percent", "amount"),
    [(100_000, "0.002", 200), (100_001, "0.002", 300), (149_990, "0.002", 300), (1, "0.002", 100), (50_000, "0", 0)],
)
def test_insurance_is_rounded_up_to_a_hundred(value: int, percent: str, amount: int) -> None:
    assert insurance_amount(value, Decimal(percent)) == amount


@pytest.mark.parametrize(
    ("subtotal", "percent", "fee"), [(100_000, "0.03", 3_000), (100_001, "0.03", 3_001), (164_130, "0.0333", 5_466)]
)
def test_a_cod_fee_is_rounded_up_to_the_rupiah(subtotal: int, percent: str, fee: int) -> None:
    """The last one is the published rates sample with 11 % VAT on the fee."""
    assert cod_fee(subtotal - 15_000, 12_000, 3_000, Decimal(percent)) == fee


def test_the_published_rates_sample() -> None:
    request = QuoteRequest(SHOP, BUYER, (replace(SHIRTS, quantity=1, value=149_990),), ("jne",), cod_amount=170_000)
    (offer,), problems = rates.offers(payload("rates.json"), replace(request, insured_amount=149_990))
    assert problems == ()
    assert (offer.company, offer.service, offer.cost, offer.insurance, offer.cod_fee) == (
        "jne",
        "REG23",
        12_000,
        2_500,
        5_466,
    )
    assert (offer.days, offer.drop_off, offer.cod) == ((2, 3), True, True)
    (bare,), _ = rates.offers(payload("rates.json"), replace(request, cod_amount=None))
    assert (bare.insurance, bare.cod_fee, bare.quote(with_cod=False).price) == (0, 0, 12_000)


def test_an_unreadable_offer_leaves_the_others_and_forced_insurance_is_paid() -> None:
    raw = payload("rates.json")
    good = raw["results"][0]
    forced = {**good, "service_type": "CTC", "force_insurance": True}
    raw["results"] = [{**good, "cost": "12.000"}, forced, {"service": "jne"}]
    request = QuoteRequest(SHOP, BUYER, (SHIRTS,), ("jne",))
    offers, problems = rates.offers(raw, request)
    assert [(one.service, one.insurance) for one in offers] == [("CTC", 2_500)]
    assert len(problems) == 2
    raw["results"] = [{"service": "jne"}]
    with pytest.raises(Unrecognised):
        rates.offers(raw, request)
    with pytest.raises(Unrecognised):
        rates.offers({"status": True}, request)


# --------------------------------------------------------------------------------------------------------------------- statuses


def test_every_documented_status_has_a_state() -> None:
    """The simulator's list is written from the documentation apart from the connector's."""
    assert set(mapping.PARCEL_STATES) == set(STATUSES)
    assert len(STATUSES) == 38


@pytest.mark.parametrize(
    ("code", "flags", "state"),
    [
        (100, "", ParcelState.BOOKED),
        (100, "shipped", ParcelState.IN_TRANSIT),
        (100, "shipped delivered", ParcelState.DELIVERED),
        (105, "shipped", ParcelState.IN_TRANSIT),
        (103, "", ParcelState.PICKED_UP),
        (200, "shipped", ParcelState.DELIVERED),
        (300, "", ParcelState.CANCELLED),
        (350, "", ParcelState.PROBLEM),
        (402, "shipped", ParcelState.RETURNING),
        (402, "shipped refunded", ParcelState.RETURNED),
        (403, "shipped delivered", ParcelState.RETURNING),
        (500, "shipped", ParcelState.PROBLEM),
        (701, "shipped", ParcelState.LOST),
        (900, "", ParcelState.UNKNOWN),
        (999, "shipped", ParcelState.UNKNOWN),
        (None, "", ParcelState.UNKNOWN),
    ],
)
def test_flags_go_before_the_number(code: int | None, flags: str, state: ParcelState) -> None:
    told = {name: name in flags.split() for name in ("shipped", "delivered", "refunded")}
    assert mapping.parcel_state(code, **told) is state


def test_the_published_tracking_sample() -> None:
    booking = mapping.tracked(payload("tracking.json"), "OID-8793949106")
    assert (booking.state, booking.remote_status, booking.waybill) == (ParcelState.DELIVERED, "200", "DEVEL-000000004")
    assert (booking.price, booking.cod_amount, booking.routing_code) == (10_000, 0, "JOG-JOG1000-JKT2020")
    assert booking.picked_up_at == datetime(2021, 7, 13, 10, 44, 4, tzinfo=UTC)
    assert booking.updated_at == datetime(2021, 7, 14, 9, 0, tzinfo=UTC)
    assert booking.destination_postal_code == "55715"


def test_tracking_survives_missing_fields_but_not_another_parcel() -> None:
    bare = mapping.tracked({"status": True, "details": {"order_id": "SS-1", "awb": None, "shipped_at": "soon"}}, "SS-1")
    assert (bare.state, bare.waybill, bare.price, bare.picked_up_at) == (ParcelState.UNKNOWN, "", None, None)
    for details in ({"order_id": "SS-2"}, {}, None):
        with pytest.raises(Unrecognised, match="another order id"):
            mapping.tracked({"status": True, "details": details}, "SS-1")


# -------------------------------------------------------------------------------------------------------------------- addresses


def test_the_published_address_samples() -> None:
    samples = payload("addresses.json")
    assert [(one.id, str(one)) for one in districts_by_name(samples["by_name"])] == [
        (1251, "Ngemplak, Kabupaten Boyolali, Jawa Tengah"),
        (5789, "Ngemplak, Kabupaten Sleman, DI Yogyakarta"),
    ]
    found = districts_by_postal_code(samples["by_postal_code"], "60143")
    assert [(one.id, one.name, one.city) for one in found] == [(6152, "Simokerto", "Surabaya")]
    with pytest.raises(Unrecognised):
        districts_by_name({"status": True, "data": None})


# --------------------------------------------------------------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        # the window under way is taken only when none is to come
        ([("07:00", 2, False), ("14:00", 9, False)], "2026-11-21 14:00:00"),
        ([("06:00", 2, False)], "2026-11-21 06:00:00"),
        ([("14:00", 9, True), ("15:00", 9, False)], "2026-11-21 15:00:00"),
    ],
)
def test_the_next_open_window_is_chosen(rows: list[tuple[str, int, bool]], chosen: str) -> None:
    now = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)  # 07:30 in Bandung
    raw = {
        "schedules": [
            {"clock": f"2026-11-21 {clock}:00", "expired": int(now.timestamp()) + hours * 3600, "libur": holiday}
            for clock, hours, holiday in rows
        ]
    }
    assert mapping.pickup_schedule(raw, now) == chosen
    with pytest.raises(Rejected) as refused:
        mapping.pickup_schedule({"schedules": [{**row, "expired": 1} for row in raw["schedules"]]}, now)
    assert refused.value.reject is RejectClass.NOT_NOW


# ---------------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "reject"),
    [
        ("balance", RejectClass.INSUFFICIENT_BALANCE),
        ("named", RejectClass.INSUFFICIENT_BALANCE),
        ("cod_with_credit", RejectClass.NOT_SUPPORTED),
        ("field", RejectClass.BAD_DATA),
    ],
)
def test_published_refusals(name: str, reject: RejectClass) -> None:
    with pytest.raises(Rejected) as refused:
        check_pickup(reply(payload("refusals.json")[name]), reference="SS-1")
    assert refused.value.reject is reject


def test_a_wrong_pin_and_a_wrong_key_need_the_seller() -> None:
    with pytest.raises(AuthNeeded, match="pin"):
        check_pickup(reply(payload("refusals.json")["pin"]), reference="SS-1")
    with pytest.raises(AuthNeeded, match="api_key"):
        check_pickup(reply({"status": False, "text": "Unauthenticated."}, 401), reference="SS-1")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"status": False, "text": "Terjadi kesalahan"}, 200),
        ({"status": False, "code": 4999, "text": "?"}, 200),
        ({"status": False, "text": "another pickup request"}, 409),
        ({"status": False, "text": "Server Error"}, 500),
        ({"message": "The route could not be found."}, 404),
    ],
)
def test_refusals_that_no_list_explains_are_uncertain(body: dict[str, Any], status: int) -> None:
    with pytest.raises(Uncertain):
        check_pickup(reply(body, status), reference="SS-1")


def test_field_errors_in_a_list_are_read_and_a_balance_by_its_words() -> None:
    listed = {"status": False, "text": "Gagal", "errors": {"packages.0.order_id": ["Order id sudah digunakan."]}}
    with pytest.raises(Rejected) as used:
        check_pickup(reply(listed), reference="SS-1")
    assert (used.value.reject, used.value.details) == (RejectClass.REFERENCE_USED, {"booking_id": "SS-1"})
    with pytest.raises(Rejected) as poor:
        check_pickup(reply({"status": False, "text": "Saldo anda tidak cukup"}), reference="SS-1")
    assert poor.value.reject is RejectClass.INSUFFICIENT_BALANCE


@pytest.mark.parametrize("text", ["Order tidak ditemukan", "Data not found", "order id tidak terdaftar"])
def test_tracking_knows_no_such_order(text: str) -> None:
    assert check_tracking(reply({"status": False, "text": text}), order_id="SS-1") is None


@pytest.mark.parametrize("text", ["Terjadi gangguan", "Tracking belum tersedia", "Too busy", ""])
def test_any_other_refusal_of_tracking_proves_nothing(text: str) -> None:
    with pytest.raises(Unrecognised):
        check_tracking(reply({"status": False, "text": text}), order_id="SS-1")


# -------------------------------------------------------------------------------------------------------------------- references


@pytest.mark.parametrize("attempt", [1, 99])
def test_our_references_fit(attempt: int) -> None:
    reference = booking_reference("install", 3, "731", 1, attempt, length_max=REFERENCE_LENGTH_MAX)
    assert len(reference) == 20
    assert REFERENCE.fullmatch(reference)
    assert booking_request(reference).reference == reference
