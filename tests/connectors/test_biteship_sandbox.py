"""The Biteship simulator by itself: it refuses what the published rules refuse, and keeps an honest journal."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

import httpx
import pytest

from sellersync.sandbox.kit import Event
from sellersync_biteship.sandbox import BiteshipSandbox

DRAFT: dict[str, Any] = {
    "reference_id": "SS-000731-1",
    "shipper_contact_name": "Toko Angin",
    "shipper_contact_phone": "081200000001",
    "shipper_organization": "Toko Angin",
    "origin_contact_name": "Gudang Angin",
    "origin_contact_phone": "081200000001",
    "origin_address": "Jl. Contoh 12, Coblong",
    "origin_postal_code": 40132,
    "origin_collection_method": "pickup",
    "destination_contact_name": "Rani",
    "destination_contact_phone": "081200000002",
    "destination_address": "Jl. Misal 3 RT 2 RW 4, Sukolilo",
    "destination_postal_code": 60243,
    "destination_cash_on_delivery": 204_500,
    "destination_cash_on_delivery_type": "7_days",
    "courier_company": "sicepat",
    "courier_type": "reg",
    "delivery_type": "now",
    "items": [{"name": "Kaos Polos L", "sku": "KP-L", "value": 92_500, "quantity": 2, "weight": 220}],
}
"""The sample order of the API reference (2026): field names real, values invented."""


class Desk:
    """The simulator on a clock that only the test moves."""

    def __init__(self, **switches: Any) -> None:
        self.now = 1_795_000_000.5
        self.sim = BiteshipSandbox(clock=lambda: self.now, rng=Random(7), switches=switches)

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> tuple[int, Any]:
        headers = {"authorization": self.sim.api_key if key is None else key}
        response = self.sim.transport_handler(httpx.Request(method, f"https://x{path}", headers=headers, json=body))
        return response.status_code, response.json()

    def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """(HTTP status, code) of a refusal in the published envelope."""
        status, answer = self.call(method, path, body, **options)
        assert answer["success"] is False
        assert answer["error"]
        return status, answer.get("code")

    def book(self, **changes: Any) -> str:
        _, draft = self.call("POST", "/v1/draft_orders", DRAFT | changes)
        _, order = self.call("POST", f"/v1/draft_orders/{draft['id']}/confirm")
        return str(order["id"])


def test_the_documented_sample_is_accepted_and_priced() -> None:
    desk = Desk()
    status, draft = desk.call("POST", "/v1/draft_orders", DRAFT)
    assert (status, draft["success"], draft["status"], draft["order_id"]) == (200, True, "ready", None)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", draft["id"])
    _, order = desk.call("POST", f"/v1/draft_orders/{draft['id']}/confirm")
    assert (order["object"], order["draft_order_id"], order["reference_id"]) == ("order", draft["id"], "SS-000731-1")
    assert (order["status"], order["price"]) == ("confirmed", 10_500 + 8_180)
    assert re.fullmatch(r"[0-9a-f]{24}", order["id"])
    assert re.fullmatch(r"00\d{10}", order["courier"]["waybill_id"])
    assert order["destination"]["cash_on_delivery"]["fee"] == 8_180


def test_unknown_paths_and_methods_and_keys() -> None:
    desk = Desk()
    assert desk.refused("GET", "/v1/orders") == (404, None)
    assert desk.refused("GET", "/v1/orders?reference_id=SS-000731-1") == (404, None)
    assert desk.refused("GET", "/v1/balance") == (404, None)
    assert desk.refused("DELETE", "/v1/draft_orders") == (405, None)
    assert desk.refused("GET", "/v1/couriers", key="") == (401, 40101001)
    assert desk.refused("GET", "/v1/couriers", key=f"Basic {desk.sim.api_key}") == (401, 40101001)
    refused = [entry.data["refused"] for entry in desk.sim.journal.entries(Event.REQUEST)]
    assert refused == ["404", "404", "404", "405", "40101001", "40101001"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"origin_contact_name": ""}, (400, 40000000)),
        ({"destination_address": None}, (400, 40000000)),
        ({"destination_postal_code": "60243"}, (422, 42211013)),  # a number is wanted
        ({"destination_postal_code": None}, (400, 40000000)),
        ({"origin_latitude": -6.9}, (400, 40011001)),  # that is a field of rates
        ({"origin": {"contact_name": "nested"}}, (400, 40011001)),
        ({"origin_coordinate": {"lat": 1, "lng": 2}}, (400, 40000000)),
        ({"delivery_type": "later"}, (400, 40000000)),
        ({"courier_company": "halu"}, (400, 40002026)),
        ({"courier_type": "halu"}, (400, 40002027)),
        ({"courier_company": "jne", "courier_type": "yes"}, (422, 42211012)),  # no COD
        ({"courier_company": "wahana", "courier_type": "normal"}, (400, 40002008)),  # drop-off only
        ({"courier_company": "gojek", "courier_type": "instant"}, (400, 40002020)),
        ({"destination_cash_on_delivery": 15_000_001}, (422, 42211011)),
        ({"destination_cash_on_delivery_type": "1_day"}, (422, 42211010)),
        ({"items": []}, (400, 40000000)),
        ({"items": [{"name": "x", "value": 1, "quantity": 1}]}, (400, 40000000)),
        ({"items": [{"name": "x", "value": 1, "quantity": 1, "weight": 0.5}]}, (400, 40000000)),
    ],
)
def test_bad_drafts_are_refused_with_the_field(changes: dict[str, Any], expected: tuple[int, int]) -> None:
    desk = Desk()
    assert desk.refused("POST", "/v1/draft_orders", DRAFT | changes) == expected
    assert not desk.sim.drafts()


def test_a_draft_without_a_courier_is_placed_and_cannot_be_confirmed() -> None:
    desk = Desk()
    body = {key: value for key, value in DRAFT.items() if not key.startswith("courier_")}
    _, draft = desk.call("POST", "/v1/draft_orders", body)
    assert draft["status"] == "placed"
    assert desk.refused("POST", f"/v1/draft_orders/{draft['id']}/confirm") == (422, 42211008)


def test_two_confirms_book_once() -> None:
    desk = Desk()
    _, draft = desk.call("POST", "/v1/draft_orders", DRAFT)
    path = f"/v1/draft_orders/{draft['id']}"
    desk.call("POST", f"{path}/confirm")
    assert desk.refused("POST", f"{path}/confirm") == (422, 42211006)
    assert len(desk.sim.bookings()) == 1
    assert len(desk.sim.journal.entries(Event.PARCEL_ARRANGED)) == 1


def test_what_may_be_cancelled() -> None:
    desk = Desk()
    for number, status in enumerate(("confirmed", "scheduled", "allocated", "picking_up", "picked", "delivered")):
        order_id = desk.book(reference_id=f"SS-{number}")
        desk.sim.advance(order_id, status)
        http, answer = desk.call("POST", f"/v1/orders/{order_id}/cancel", {"cancellation_reason_code": "pickup_delay"})
        allowed = status not in ("picked", "delivered")
        assert (http == 200) is allowed, status
        assert (answer.get("status") == "cancelled") is allowed
    other = desk.book(reference_id="SS-9")
    assert desk.refused("POST", f"/v1/orders/{other}/cancel", {"cancellation_reason_code": "others"})[0] == 400


def test_late_waybills_and_own_moves_come_with_time() -> None:
    desk = Desk()
    desk.sim.waybill_delay_s = 10.0
    desk.sim.auto_advance = (("picked", 60.0), ("delivered", 120.0))
    order_id = desk.book(courier_company="lion", courier_type="reg_pack", destination_cash_on_delivery=None)
    assert desk.sim.bookings()[order_id]["waybill"] == ""
    desk.now += 10
    assert desk.sim.bookings()[order_id]["waybill"].startswith("88LP")
    desk.now += 1000
    assert desk.sim.bookings()[order_id]["status"] == "delivered"
    _, order = desk.call("GET", f"/v1/orders/{order_id}")
    assert [step["status"] for step in order["courier"]["history"]] == ["confirmed", "picked", "delivered"]
    assert order["courier"]["history"][1]["updated_at"].endswith("+07:00")
    kinds = [entry.event for entry in desk.sim.journal.entries() if entry.event is not Event.REQUEST]
    assert kinds == [Event.PARCEL_ARRANGED, Event.WAYBILL_ISSUED, Event.HANDED_OVER, Event.DELIVERED]


def test_a_cancelled_parcel_does_not_move_by_itself() -> None:
    desk = Desk()
    desk.sim.auto_advance = (("picked", 60.0),)
    order_id = desk.book()
    desk.call("POST", f"/v1/orders/{order_id}/cancel", {"cancellation_reason_code": "change_courier"})
    desk.now += 1000
    assert desk.sim.bookings()[order_id]["status"] == "cancelled"
    assert not desk.sim.journal.entries(Event.HANDED_OVER)


def test_the_same_seed_gives_the_same_answers_and_no_two_waybills_are_equal() -> None:
    def run() -> list[Any]:
        desk = Desk()
        for number in range(50):
            desk.book(reference_id=f"SS-{number}")
        return [desk.sim.api_key, dict(desk.sim.bookings())]

    first = run()
    assert first == run()
    assert len({booking["waybill"] for booking in first[1].values()}) == 50


def test_weight_makes_the_price() -> None:
    desk = Desk()
    prices = {}
    for weight in (220, 1_300, 1_301, 2_300, 2_301):
        item = {"name": "x", "value": 1, "quantity": 1, "weight": weight}
        body = {"origin_postal_code": 40132, "destination_postal_code": 60243, "couriers": "sicepat", "items": [item]}
        prices[weight] = desk.call("POST", "/v1/rates/couriers", body)[1]["pricing"][0]["price"]
    assert prices == {220: 10_500, 1_300: 10_500, 1_301: 21_000, 2_300: 21_000, 2_301: 31_500}
    bulky = {"name": "x", "value": 1, "quantity": 1, "weight": 100, "length": 40, "width": 30, "height": 20}
    body["items"] = [bulky]  # 24,000 cm3 are 4 kg
    assert desk.call("POST", "/v1/rates/couriers", body)[1]["pricing"][0]["price"] == 42_000


def test_switches_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="no switch"):
        Desk(auth="basic")
    with pytest.raises(ValueError, match="no status"):
        Desk().sim.advance("x", "in_transit")


def test_a_body_that_is_no_json_object() -> None:
    desk = Desk()
    assert desk.refused("POST", "/v1/draft_orders", ["list"]) == (400, 40011001)
    request = httpx.Request(
        "POST", "https://x/v1/draft_orders", headers={"authorization": desk.sim.api_key}, content=b"{"
    )
    assert json.loads(desk.sim.transport_handler(request).content)["code"] == 40011001
