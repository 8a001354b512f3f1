"""KiriminAja's simulator refuses what the service refuses."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import httpx
import pytest

from sellersync.sandbox.kit import Event
from sellersync_kiriminaja.sandbox import KiriminAjaSandbox
from sellersync_kiriminaja.sandbox_parcels import STATUSES

SATURDAY_0800 = 1_795_222_800.0  # 2026-11-21 08:00 in Bandung


class Time:
    now = SATURDAY_0800

    def __call__(self) -> float:
        return self.now


def simulator(**switches: Any) -> KiriminAjaSandbox:
    return KiriminAjaSandbox(clock=Time(), rng=Random(1), switches=switches)


def call(
    sim: KiriminAjaSandbox, path: str, body: Any = None, *, method: str = "POST", key: str | None = None, **options: Any
) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {key or sim.api_key}"}
    request = httpx.Request(method, f"https://kj.example/api/mitra/{path}", headers=headers, json=body, **options)
    request.read()
    response = sim.handle(request)
    return response.status_code, json.loads(response.content)


def package(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": "SS-1",
        "destination_name": "Rani",
        "destination_phone": "081200000002",
        "destination_address": "Jl. Misal 3 RT 2",
        "destination_kecamatan_id": 6161,
        "weight": 440,
        "length": 25,
        "width": 20,
        "height": 8,
        "qty": 2,
        "item_name": "Kaos",
        "item_value": 185_000,
        "shipping_cost": 12_000,
        "service": "jne",
        "service_type": "REG23",
        "package_type_id": 7,
        "insurance_amount": 0,
        "cod": 0,
        **changes,
    }


def pickup(*packages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "name": "Toko Angin",
        "phone": "081200000001",
        "address": "Jl. Contoh 12, Coblong",
        "kecamatan_id": 1207,
        "zipcode": "40132",
        "schedule": "2026-11-21 14:00:00",
        "packages": list(packages or (package(),)),
        **changes,
    }


def credit(sim: KiriminAjaSandbox, *packages: dict[str, Any], **changes: Any) -> tuple[int, Any]:
    body = pickup(*packages, payment_method="credit", **{"pin": sim.pin, **changes})
    return call(sim, "v6.2/request_pickup", body)


def test_keys_methods_and_paths() -> None:
    sim = simulator()
    assert call(sim, "couriers", {}, key="wrong") == (401, {"status": False, "text": "Unauthenticated."})
    assert call(sim, "couriers", method="GET")[0] == 405
    assert call(sim, "v6.2/credit/balance", {})[0] == 405
    assert call(sim, "province", {})[0] == 404
    assert call(sim, "couriers", {})[0] == 200
    refused = [entry.data["refused"] for entry in sim.journal.entries(Event.REQUEST)]
    assert refused == ["401", "405", "405", "404", ""]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"order_id": "731"}, "string prefix"),
        ({"order_id": "SS-0123456789012345678"}, "string prefix"),
        ({"destination_name": "N" * 51}, "destination name"),
        ({"destination_phone": "+62812"}, "destination phone"),
        ({"destination_address": "Jl. X"}, "destination address"),
        ({"destination_kecamatan_id": 1}, "destination kecamatan id"),
        ({"destination_kecamatan_id": "6161"}, "destination kecamatan id"),
        ({"weight": 0}, "weight"),
        ({"height": 0}, "height"),
        ({"item_value": 999}, "item_value"),
        ({"shipping_cost": "12000"}, "shipping_cost"),
        ({"cod": None}, "cod"),
        ({"note": "n" * 51}, "note"),
        ({"package_type_id": 9}, "package type"),
        ({"service_type": "HALU"}, "service type"),
        ({"service": "lion", "service_type": "REGPACK"}, "latitude"),
        ({"service_type": "YES23", "cod": 200_000}, "COD"),
        ({"service": "jnt", "service_type": "EZ", "drop": True}, "drop off"),
        ({"destination_subdistrict_id": 6161}, "unknown"),
    ],
)
def test_a_wrong_package_is_refused(changes: dict[str, Any], words: str) -> None:
    sim = simulator()
    status, answer = call(sim, "v6.1/request_pickup", pickup(package(**changes)))
    assert (status, answer["status"], answer["code"]) == (200, False, 422)
    assert words in answer["text"]
    assert sim.bookings() == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "name"),
        ({"address": "Jl. X"}, "address"),
        ({"phone": "1"}, "phone"),
        ({"kecamatan_id": None}, "kecamatan"),
        ({"packages": []}, "packages"),
        ({"schedule": "besok"}, "format"),
        ({"schedule": "2026-11-20 14:00:00"}, "after now"),
        ({"payment_method": "credit"}, "unknown"),  # v6.1 does not know it
    ],
)
def test_a_wrong_sender_is_refused(changes: dict[str, Any], words: str) -> None:
    status, answer = call(simulator(validation_status=422), "v6.1/request_pickup", pickup(**changes))
    assert (status, answer["status"]) == (422, False)
    assert words in answer["text"]


def test_pickups_end_at_four_in_the_afternoon() -> None:
    sim = simulator()
    sim.clock.now = SATURDAY_0800 + 8 * 3600  # type: ignore[attr-defined]
    assert "after now" in call(sim, "v6.1/request_pickup", pickup())[1]["text"]
    assert call(sim, "v6.1/request_pickup", pickup(schedule="2026-11-22 08:00:00"))[1]["status"]


def test_credit_pays_the_shipping_cost_and_others_wait_for_a_payment() -> None:
    sim = simulator()
    _, paid = credit(sim, package(package_type_id=9))
    assert (paid["payment_status"], paid["credit_balance_after"], sim.balance) == ("paid", 9_988_000, 9_988_000)
    assert [(row["order_id"], row["awb"]) for row in paid["details"]] == [("SS-1", None)]
    _, unpaid = call(sim, "v6.1/request_pickup", pickup(package(order_id="SS-2")))
    assert unpaid["payment_status"] == "unpaid"
    assert unpaid["qr_url"]
    sim.clock.now += 3600  # type: ignore[attr-defined]
    assert [bool(one["waybill"]) for one in sim.bookings().values()] == [True, False]
    sim.pay(unpaid["pickup_number"])
    sim.clock.now += 60  # type: ignore[attr-defined]
    assert all(one["waybill"] for one in sim.bookings().values())


def test_refusals_of_a_payment_by_credit() -> None:
    sim = simulator()
    assert credit(sim, package(cod=204_500))[1]["code"] == 4003
    sim.balance = 11_999
    assert credit(sim)[1]["code"] == 4002
    sim.balance = 12_000
    assert [credit(sim, pin="000000")[1]["code"] for _ in range(3)] == [4001] * 3
    assert credit(sim)[1]["code"] == 4001, "locked"
    named = simulator(refusal_codes="names")
    named.balance = 0
    assert credit(named)[1]["results"] == {"error": "BALANCE_NOT_ENOUGH"}
    ignoring = simulator(cod_with_credit="ignored")
    assert credit(ignoring, package(cod=204_500))[1]["payment_status"] == "paid"
    assert ignoring.balance == 10_000_000


def test_a_used_order_id_is_refused_or_books_again() -> None:
    sim = simulator()
    assert credit(sim)[1]["status"]
    assert "already been taken" in credit(sim)[1]["text"]
    assert len(sim.bookings()) == 1
    careless = simulator(repeated_order_id="accepted")
    assert credit(careless)[1]["status"]
    assert credit(careless)[1]["status"]
    assert list(careless.bookings()) == ["SS-1", "SS-1#2"]
    freeing = simulator(cancelled_frees_order_id=True)
    credit(freeing)
    freeing.advance("SS-1", "300")
    assert credit(freeing)[1]["status"]
    assert freeing.balance == 10_000_000 - 12_000, "the cancelled one was refunded"


def test_tracking_takes_an_order_id_or_a_waybill() -> None:
    sim = simulator()
    assert call(sim, "tracking", {"order_id": "SS-1"})[1]["status"] is False
    credit(sim)
    _, fresh = call(sim, "tracking", {"order_id": "SS-1"})
    assert (fresh["status_code"], fresh["details"]["awb"]) == (100, None)
    sim.clock.now += 60  # type: ignore[attr-defined]
    awb = call(sim, "tracking", {"order_id": "SS-1"})[1]["details"]["awb"]
    assert call(sim, "tracking", {"order_id": awb})[1]["details"]["order_id"] == "SS-1"
    assert call(sim, "tracking", {"order_id": "S" * 21})[1]["code"] == 422


def test_what_402_means_and_what_histories_show() -> None:
    for meaning, refunded in (("warehouse", False), ("sender", True)):
        sim = simulator(code_402=meaning, history_codes="real" if refunded else "always_100")
        credit(sim)
        sim.advance("SS-1", "106")
        sim.advance("SS-1", "402")
        _, shown = call(sim, "tracking", {"order_id": "SS-1"})
        assert shown["details"]["refunded"] is refunded
        assert {row["status_code"] for row in shown["histories"]} == ({100, 106, 402} if refunded else {100})


def test_every_status_can_be_reached_and_no_other() -> None:
    sim = simulator(repeated_order_id="accepted")
    for code in STATUSES:
        credit(sim, package(order_id=f"SS-{code}"))
        sim.advance(f"SS-{code}", str(code))
        assert call(sim, "tracking", {"order_id": f"SS-{code}"})[1]["status_code"] == code
    for wrong in ("999", "picked"):
        with pytest.raises(ValueError, match="no status"):
            sim.advance("SS-100", wrong)


def test_addresses_need_three_letters_and_search_loosely() -> None:
    sim = simulator()
    assert call(sim, "v2/get_address_by_name", {"search": "ng"})[1]["code"] == 422
    assert [row["id"] for row in call(sim, "v2/get_address_by_name", {"search": "Ngemplak"})[1]["data"]] == [1251, 5789]
    _, loose = call(sim, "v6.1/addresses", method="GET", params={"search": "40132"})
    assert len(loose["data"]) > 1


def test_parcels_move_by_themselves_in_the_demo() -> None:
    sim = simulator()
    sim.auto_advance = (("103", 60.0), ("200", 600.0))
    credit(sim)
    seen = []
    for _ in range(3):
        seen.append(sim.bookings()["SS-1"]["status"])
        sim.clock.now += 400  # type: ignore[attr-defined]
    assert seen == ["100", "103", "200"]
    events = [entry.event for entry in sim.journal.entries() if entry.event is not Event.REQUEST]
    assert events == [Event.PARCEL_ARRANGED, Event.WAYBILL_ISSUED, Event.HANDED_OVER, Event.DELIVERED]


def test_unknown_switches_are_refused() -> None:
    with pytest.raises(ValueError, match="no switch"):
        simulator(halu=True)
