"""The Shopee simulator refuses what the service refuses; asked with requests made here, without the connector."""

from __future__ import annotations

import hashlib
import hmac
import json
from random import Random
from typing import Any

import httpx
import pytest

from sellersync.sandbox.kit import Event, SoldOut
from sellersync_shopee.sandbox import PARTNER_ID, PARTNER_KEY, SHOP_ID, ShopeeSandbox

DAY_S = 86_400


class Bench:
    """A simulator, its clock and a token."""

    def __init__(self, **switches: Any) -> None:
        self.now = 1_795_219_200.0
        self.sim = ShopeeSandbox(clock=lambda: self.now, rng=Random(3), switches=switches)
        self.grant = json.loads(self.sim.first_grant())
        self.product = self.sim.add_product("KOPI", "Kopi", price=45_000, stock=50)

    def send(
        self,
        method: str,
        path: str,
        parameters: Any = (),
        body: Any = None,
        *,
        key: str = PARTNER_KEY,
        token: str | None = None,
        late_s: int = 0,
        shop_id: int = SHOP_ID,
    ) -> httpx.Response:
        stamp = int(self.now) - late_s
        public = path.startswith("/api/v2/auth/")
        token = self.grant["access_token"] if token is None else token
        base = f"{PARTNER_ID}{path}{stamp}" + ("" if public else f"{token}{shop_id}")
        sign = hmac.new(key.encode(), base.encode(), hashlib.sha256).hexdigest()
        query: list[Any] = [("partner_id", PARTNER_ID), ("timestamp", stamp), ("sign", sign)]
        if not public:
            query += [("access_token", token), ("shop_id", shop_id)]
        request = httpx.Request(method, "https://sim.example" + path, params=[*query, *parameters], json=body)
        return self.sim.transport_handler(request)

    def code(self, *arguments: Any, **options: Any) -> str:
        return str(self.send(*arguments, **options).json()["error"]).strip()


LIST = "/api/v2/order/get_order_list"
DETAIL = "/api/v2/order/get_order_detail"
STOCK = "/api/v2/product/update_stock"
SHIP = "/api/v2/logistics/ship_order"


def window(bench: Bench, span_s: int = DAY_S, **changes: Any) -> list[tuple[str, Any]]:
    query = {
        "time_range_field": "update_time",
        "time_from": int(bench.now) - span_s,
        "time_to": int(bench.now),
        "page_size": 100,
    }
    return list({**query, **changes}.items())


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"key": "0" * 64}, "error_sign"),
        ({"late_s": 301}, "error_param"),
        ({"late_s": -301}, "error_param"),
        ({"token": "f" * 32}, "invalid_acceess_token"),
        ({"shop_id": 42}, "error_auth"),
    ],
)
def test_the_gate(options: dict[str, Any], code: str) -> None:
    bench = Bench()
    assert bench.send("GET", LIST, window(bench), late_s=299).json()["error"] == ""
    answer = bench.send("GET", LIST, window(bench), **options)
    assert (answer.status_code, answer.json()["error"]) == (403, code)
    assert bench.sim.journal.entries(Event.REQUEST)[-1].data["refused"] == code


def test_unknown_paths_and_wrong_methods_are_not_found() -> None:
    bench = Bench()
    for method, path in (
        ("GET", SHIP),
        ("POST", LIST),
        ("GET", "/api/v2/order/get_everything"),
        ("GET", "/"),
        ("PUT", STOCK),
    ):
        assert bench.send(method, path).status_code == 404
    assert bench.send("GET", "/api/v2/auth/access_token/get").status_code == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"page_size": 101}, "error_param"),
        ({"page_size": 0}, "error_param"),
        ({"time_range_field": "pay_time"}, "error_param"),
        ({"cursor": "###"}, "error_param"),
        ({"order_status": "RETRY_SHIP"}, "error_param"),
        ({"made_up": 1}, "error_param"),
        ({"time_from": 2_000_000_000}, "order.order_list_invalid_time"),
    ],
)
def test_bad_lists(changes: dict[str, Any], code: str) -> None:
    bench = Bench()
    assert bench.code("GET", LIST, window(bench, **changes)) == code


def test_windows_of_fifteen_days_and_batches_of_fifty() -> None:
    bench = Bench()
    assert bench.code("GET", LIST, window(bench, 15 * DAY_S)) == ""
    assert bench.code("GET", LIST, window(bench, 15 * DAY_S + 1)) == "order.order_list_invalid_time"
    sns = [bench.sim.place_order([(bench.product.remote_key, 1)]) for _ in range(50)]
    assert bench.code("GET", DETAIL, [("order_sn_list", ",".join(sns))]) == ""
    assert bench.code("GET", DETAIL, [("order_sn_list", ",".join([*sns, "X"]))]) == "error_param"
    assert bench.code("GET", DETAIL, [("order_sn_list", sns[0]), ("response_optional_fields", "x")]) == "error_param"
    bare = bench.send("GET", DETAIL, [("order_sn_list", sns[0])]).json()["response"]["order_list"][0]
    assert "item_list" not in bare, "what is not asked for is absent"


@pytest.mark.parametrize(
    ("stock_list", "code"),
    [
        ([{"model_id": 0, "seller_stock": [{"stock": -1}]}], "error_param"),
        ([{"model_id": 0, "seller_stock": [{"stock": "5"}]}], "error_param"),
        ([{"model_id": 7, "seller_stock": [{"stock": 5}]}], "error_param"),
        ([{"model_id": 0, "seller_stock": [{"stock": 5}]}] * 2, "error_param"),
        ([{"model_id": 0, "seller_stock": [{"stock": 5, "location_id": "IDZ"}]}], "error_auth"),
        ([{"model_id": n, "seller_stock": [{"stock": 5}]} for n in range(51)], "error_param"),
        ([], "error_param"),
    ],
)
def test_bad_stock_calls_change_nothing(stock_list: list[Any], code: str) -> None:
    bench = Bench()
    body = {"item_id": bench.product.extra["item_id"], "stock_list": stock_list}
    assert bench.code("POST", STOCK, body=body) == code
    assert bench.sim.shown(bench.product.remote_key) == 50
    assert not bench.sim.journal.entries(Event.LEVEL_SET)


def test_every_accepted_level_is_journalled_with_what_stood_before() -> None:
    bench = Bench()
    body = {"item_id": bench.product.extra["item_id"], "stock_list": [{"seller_stock": [{"stock": 0}]}]}
    assert bench.code("POST", STOCK, body=body) == ""
    (entry,) = bench.sim.journal.entries(Event.LEVEL_SET)
    assert (entry.data["before"], entry.data["level"], entry.data["remote_key"]) == (50, 0, bench.product.remote_key)
    with pytest.raises(SoldOut):
        bench.sim.place_order([(bench.product.remote_key, 1)])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "logistics.ship_order_only_support_one_type"),
        ({"pickup": {}, "dropoff": {}}, "logistics.ship_order_only_support_one_type"),
        ({"pickup": {}}, "logistics.ship_order_need_address_pickup_time"),
        (
            {"pickup": {"address_id": 118454205, "pickup_time_id": "1_1"}},
            "logistics.ship_order_pickup_time_invalid",
        ),
        ({"non_integrated": {}}, "logistics.ship_order_unsupport_non_integrated"),
        ({"dropoff": {}, "package_number": ""}, "error_param"),
        ({"dropoff": {}, "package_number": "OFG1"}, "logistics.ship_order_not_need_pacakge_number"),
        ({"dropoff": {}, "order_sn": "NOSUCH"}, "error_not_found"),
    ],
)
def test_bad_shipments_arrange_nothing(body: dict[str, Any], code: str) -> None:
    bench = Bench()
    sn = bench.sim.place_order([(bench.product.remote_key, 1)])
    assert bench.code("POST", SHIP, body={"order_sn": sn, **body}) == code
    assert not bench.sim.journal.entries(Event.PARCEL_ARRANGED)


def test_a_second_shipment_is_refused_and_a_cancelled_order_too() -> None:
    bench = Bench()
    sn, gone = (bench.sim.place_order([(bench.product.remote_key, 1)]) for _ in range(2))
    bench.sim.cancel(gone)
    assert bench.code("POST", SHIP, body={"order_sn": sn, "dropoff": {}}) == ""
    assert bench.code("POST", SHIP, body={"order_sn": sn, "dropoff": {}}) == "logistics.package_already_shipped"
    assert bench.code("POST", SHIP, body={"order_sn": gone, "dropoff": {}}) == "error_status"
    assert len(bench.sim.journal.entries(Event.PARCEL_ARRANGED)) == 1


def test_a_rotated_refresh_token_is_dead_and_the_old_access_token_lives_five_minutes() -> None:
    bench = Bench()
    path = "/api/v2/auth/access_token/get"
    body = {"refresh_token": bench.grant["refresh_token"], "partner_id": PARTNER_ID, "shop_id": SHOP_ID}
    fresh = bench.send("POST", path, body=body).json()
    assert fresh["refresh_token"] != bench.grant["refresh_token"]
    assert bench.code("POST", path, body=body) == "error_shop_refresh_token"
    assert bench.code("POST", path, body={**body, "refresh_token": "x"}) == "error_auth"
    bench.now += 299
    assert bench.code("GET", "/api/v2/shop/get_shop_info") == ""
    bench.now += 2
    assert bench.code("GET", "/api/v2/shop/get_shop_info") == "invalid_acceess_token"
    assert bench.code("GET", "/api/v2/shop/get_shop_info", token=fresh["access_token"]) == ""
    bench.now += 4 * 3600
    assert bench.code("GET", "/api/v2/shop/get_shop_info", token=fresh["access_token"]) == "invalid_acceess_token"


def test_a_code_works_once() -> None:
    bench = Bench()
    body = {"code": bench.sim.consent(), "partner_id": PARTNER_ID, "shop_id": SHOP_ID}
    assert bench.code("POST", "/api/v2/auth/token/get", body=body) == ""
    assert bench.code("POST", "/api/v2/auth/token/get", body=body) == "invalid_code"
    late = {**body, "code": bench.sim.consent()}
    bench.now += 601
    assert bench.code("POST", "/api/v2/auth/token/get", body=late) == "invalid_code"


def test_the_waybill_comes_later_and_moves_the_order() -> None:
    bench = Bench()
    sn = bench.sim.place_order([(bench.product.remote_key, 1)])
    bench.now += 100
    assert bench.code("POST", SHIP, body={"order_sn": sn, "dropoff": {}}) == ""
    assert bench.sim.arranged_parcels() == []
    before = bench.sim.orders[sn].updated
    bench.now += 10
    (number,) = bench.sim.arranged_parcels()
    order = bench.sim.orders[sn]
    assert (order.status, order.updated - before) == ("PROCESSED", 103)
    (entry,) = bench.sim.journal.entries(Event.WAYBILL_ISSUED)
    assert entry.data["waybill"]
    bench.sim.hand_over(number)
    with pytest.raises(ValueError, match="cannot be cancelled"):
        bench.sim.cancel(sn)


def test_unknown_switches_are_refused() -> None:
    with pytest.raises(ValueError, match="no switch"):
        Bench(weather="fine")


def test_one_seed_gives_one_run() -> None:
    def run() -> list[Any]:
        bench = Bench()
        for _ in range(5):
            bench.sim.place_order([(bench.product.remote_key, 1)])
        return [(entry.at, entry.event, dict(entry.data)) for entry in bench.sim.journal.entries()]

    assert run() == run()
