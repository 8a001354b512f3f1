"""Biteship's words and codes, row by row, from its published lists."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import sellersync_biteship
from sellersync.connector.contract import Handover
from sellersync.connector.http import Reply
from sellersync.domain.errors import (
    AuthNeeded,
    RejectClass,
    Rejected,
    SellersyncError,
    Temporary,
    Uncertain,
    Unrecognised,
)
from sellersync.domain.parcels import ParcelState
from sellersync_biteship import mapping
from sellersync_biteship.api import CODES, Kind, check_read, check_write
from sellersync_biteship.auth import authorization
from sellersync_biteship.checks import local_phone

PAYLOADS = Path(sellersync_biteship.__file__).parent / "payloads"
NOW = datetime(2026, 11, 21, tzinfo=UTC)

# The status table of the API reference (2026), with what follows for a parcel.
STATUSES = {
    "confirmed": "booked",
    "scheduled": "booked",
    "allocated": "booked",
    "picking_up": "booked",
    "picked": "picked_up",
    "dropping_off": "out_for_delivery",
    "on_hold": "problem",
    "return_in_transit": "returning",
    "delivered": "delivered",
    "returned": "returned",
    "rejected": "failed",
    "courier_not_found": "failed",
    "cancelled": "cancelled",
    "disposed": "lost",
}


def payload(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    assert content.pop("_provenance")
    return content


def reply(status: int, body: Any) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, httpx.Headers(), content, NOW, NOW)


def test_every_documented_status_has_a_state() -> None:
    assert {status: mapping.parcel_state(status).value for status in STATUSES} == STATUSES
    assert set(mapping.PARCEL_STATES) == set(STATUSES)


@pytest.mark.parametrize(
    ("camel", "state"),
    [
        ("pickingUp", ParcelState.BOOKED),
        ("droppingOff", ParcelState.OUT_FOR_DELIVERY),
        ("onHold", ParcelState.PROBLEM),
        ("returnInTransit", ParcelState.RETURNING),
        ("courierNotFound", ParcelState.FAILED),
    ],
)
def test_camel_case_is_folded(camel: str, state: ParcelState) -> None:
    assert mapping.parcel_state(camel) is state


@pytest.mark.parametrize("status", ["delivering", "in_transit", "", None, 7, "Picked up"])
def test_anything_else_is_unknown(status: object) -> None:
    assert mapping.parcel_state(status) is ParcelState.UNKNOWN


def test_quotes_of_old_and_new_shape() -> None:
    offers, problems = mapping.quotes(payload("rates"), ("jne", "sicepat"))
    assert problems == ()
    sicepat, jne = offers
    assert (jne.price, jne.insurance_fee, jne.cod_fee, jne.days, jne.cod) == (19_500, 500, 0, (2, 3), True)
    assert (jne.name, jne.handovers, jne.instant_waybill) == ("JNE Reguler", (Handover.PICKUP,), True)
    assert (sicepat.price, sicepat.insurance_fee, sicepat.days, sicepat.cod) == (18_000, None, None, False)


def test_quotes_of_other_companies_are_dropped_and_one_bad_row_sinks_nothing() -> None:
    raw = payload("rates")
    raw["pricing"] += [{"company": "jnt", "type": "ez"}, {"company": "pos", "type": "reguler", "price": 1}]
    offers, problems = mapping.quotes(raw, ("jne", "jnt"))
    assert [offer.company for offer in offers] == ["jne"]
    assert len(problems) == 1
    assert "jnt ez" in problems[0]
    with pytest.raises(Unrecognised):
        mapping.quotes({"pricing": [{"company": "jnt"}]}, ("jnt",))


def test_an_order_as_documented() -> None:
    booking = mapping.booking(payload("order"), booking_id="66f0aa11bb22cc33dd44ee55")
    assert (booking.reference, booking.waybill, booking.price) == ("SS-000731-1", "004412345678", 27_180)
    assert (booking.state, booking.cod_amount, booking.company) == (ParcelState.BOOKED, 204_500, "sicepat")
    assert (booking.tracking_id, booking.routing_code) == ("66f0aa12bb22cc33dd44ee56", "")


def test_every_field_of_an_order_may_be_null() -> None:
    full = payload("order")
    nothing = mapping.booking(dict.fromkeys(full), booking_id="x")
    assert (nothing.state, nothing.remote_status, nothing.waybill) == (ParcelState.UNKNOWN, "", "")
    assert (nothing.price, nothing.cod_amount, nothing.updated_at) == (None, None, None)
    odd = full | {"price": "27180.50", "courier": {"waybill_id": 4412345678, "history": [None, {"updated_at": 7}]}}
    assert mapping.booking(odd, booking_id="x").price is None
    assert mapping.booking(odd, booking_id="x").waybill == "4412345678"


def test_the_history_tells_when_it_was_picked_up() -> None:
    raw = payload("order") | {"courier": {"history": payload("history")["history"]}}
    booking = mapping.booking(raw, booking_id="x")
    assert booking.picked_up_at == booking.updated_at == datetime(2026, 11, 20, 8, 41, tzinfo=UTC)


def test_a_confirmed_draft_must_name_its_order() -> None:
    with pytest.raises(Temporary):
        mapping.draft_state({"id": "d", "status": "confirmed", "order_id": None})
    assert mapping.draft_state({"id": "d", "status": "placed"}).confirmed is False


# ------------------------------------------------------------------------------------------------------------ refusal codes

# (codes, what a read raises, what a draft raises, what a confirm raises): the published list, row by row.
ROWS: list[tuple[tuple[int, ...], str, str, str]] = [
    ((40000001, 40101001, 40101002, 40101003, 40301001, 40301002), "auth", "auth", "auth"),
    ((40002001, 40002002, 40002003), "auth", "auth", "auth"),
    ((40001001, 40001002, 40000000, 40011001), "bad_data", "bad_data", "bad_data"),
    ((40001010,), "no_route", "no_route", "no_route"),
    ((40002004, 40002007, 40002009, 40002011, 40002019, 40002025), "bad_data", "bad_data", "bad_data"),
    ((40002026, 40002027, 40002030, 40002034, 40002037, 40002061, 40002062), "bad_data", "bad_data", "bad_data"),
    ((42211008, 42211010, 42211011, 42211013), "bad_data", "bad_data", "bad_data"),
    ((40002031, 42211012), "seller_must_act", "seller_must_act", "seller_must_act"),
    ((40002021, 40002038, 40002040, 40002041, 40002999), "temporary", "uncertain", "uncertain"),
    (
        (40002039, 40009001, 40009002, 40009003, 40009004),
        "insufficient_balance",
        "insufficient_balance",
        "insufficient_balance",
    ),
    ((40002057, 40411007), "unknown_order", "unknown_order", "unknown_order"),
    ((40002043, 40002056, 40002058, 40002059), "not_now", "not_now", "uncertain"),
    ((42211006, 42211009), "other", "uncertain", "uncertain"),
    ((40002060, 42211015), "reference_used", "reference_used", "reference_used"),
    ((40009999, 42299999), "other", "other", "uncertain"),
]


def verdict(body: object, *, status: int = 400, mode: str) -> str:
    try:
        if mode == "read":
            check_read(reply(status, body), item="x")
        else:
            check_write(reply(status, body), item="x", reference="r", pays=mode == "confirm")
    except Rejected as refused:
        return refused.reject.value
    except AuthNeeded:
        return "auth"
    except (Temporary, Uncertain, Unrecognised) as failure:
        return type(failure).__name__.lower()
    return "accepted"


@pytest.mark.parametrize(("codes", "read", "draft", "confirm"), ROWS)
@pytest.mark.parametrize("spell", [int, str])
def test_every_code_row(codes: tuple[int, ...], read: str, draft: str, confirm: str, spell: type) -> None:
    for code in codes:
        body = {"success": False, "error": "no", "code": spell(code)}
        assert [verdict(body, mode=mode) for mode in ("read", "draft", "confirm")] == [read, draft, confirm], code


def test_the_published_list_is_complete() -> None:
    published = {*range(40002001, 40002063), 40002999, *range(40009001, 40009005)}
    assert published <= set(CODES)
    assert set(CODES.values()) == set(Kind) - {Kind.UNLISTED}


@pytest.mark.parametrize(
    "text",
    [
        "Failed due to no sufficient balance to call rates API",
        "Insufficient balance",
        "your balance is not enough",
        "Saldo tidak mencukupi",
    ],
)
def test_a_lack_of_balance_is_known_by_its_text(text: str) -> None:
    assert verdict({"success": False, "error": text}, mode="confirm") == "insufficient_balance"
    assert verdict({"success": False, "error": text}, status=402, mode="read") == "insufficient_balance"


@pytest.mark.parametrize("text", ["The parcel is out of balance", "Request failed", ""])
def test_other_texts_without_a_code_stay_unexplained(text: str) -> None:
    assert verdict({"success": False, "error": text}, mode="confirm") == "uncertain"
    assert verdict({"success": False, "error": text}, mode="draft") == "other"


def test_documented_envelopes() -> None:
    samples = payload("refusals")
    with pytest.raises(Rejected) as used:
        check_write(reply(400, samples["reference_used"]), item="x", reference="r", pays=True)
    assert used.value.details == {
        "booking_id": "66f0aa11bb22cc33dd44ee55",
        "waybill": "004412345678",
        "reference": "SS-000731-1",
    }
    assert verdict(samples["no_balance_without_code"], mode="read") == "insufficient_balance"
    with pytest.raises(Rejected, match="origin_area_id: invalid area id") as bad:
        check_read(reply(400, samples["bad_field"]), item="x")
    assert bad.value.reject is RejectClass.BAD_DATA


@pytest.mark.parametrize("status", [500, 503])
def test_server_trouble_in_json_is_never_a_refusal(status: int) -> None:
    body = {"success": False, "error": "down", "code": 40002010}
    assert verdict(body, status=status, mode="read") == "temporary"
    assert verdict(body, status=status, mode="draft") == verdict(body, status=status, mode="confirm") == "uncertain"


def test_success_false_with_status_200_is_a_refusal_and_a_404_without_a_code_proves_nothing() -> None:
    assert verdict({"success": False, "code": 40002039, "error": "no"}, status=200, mode="confirm") == (
        "insufficient_balance"
    )
    assert verdict({"success": False, "error": "Route not found"}, status=404, mode="read") == "unrecognised"
    assert verdict({"success": False, "error": "Route not found"}, status=404, mode="confirm") == "uncertain"
    assert verdict(["list"], status=200, mode="read") == "unrecognised"


def test_refusals_are_errors_with_a_next_step_and_bounded() -> None:
    with pytest.raises(SellersyncError) as refused:
        check_read(reply(400, {"success": False, "error": "x" * 9000, "code": 40002010}), item="y")
    assert len(str(refused.value)) < 300


def test_the_authorization_header() -> None:
    assert authorization("biteship_test.k", "raw") == "biteship_test.k"
    assert authorization("biteship_test.k", "bearer") == "Bearer biteship_test.k"


@pytest.mark.parametrize("phone", ["081200000001", "+62 812-0000-0001", "6281200000001", "(0812) 0000.0001"])
def test_phones_are_spelled_one_way(phone: str) -> None:
    assert local_phone(phone) == "081200000001"
