"""The Shopee simulator: the gate (signature, clock, tokens), the routes, the token calls.

Refuses as the API reference and the developer guides say the service refuses. Nothing here is shared with the connector.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import httpx

from sellersync.sandbox.kit import Event, Refusal

from .sandbox_logistics import LogisticsEndpoints
from .sandbox_orders import OrderEndpoints
from .sandbox_payments import PaymentEndpoints
from .sandbox_products import ProductEndpoints
from .sandbox_returns import ReturnEndpoints
from .sandbox_wire import Query, refuse, reply

PARTNER_ID = 2009999
PARTNER_KEY = "6d616465757073656c6c657273796e6b65796e6f74666f7270726f6430303031"
SHOP_ID = 700000001
CLOCK_WINDOW_S = 300
ACCESS_LIFE_S = 4 * 3600
OLD_ACCESS_LIFE_S = 300
REFRESH_LIFE_S = 30 * 86_400
CODE_LIFE_S = 600


@dataclass(slots=True)
class Injected:
    """A provider's refusal to give to the next `times` calls of an endpoint, before or after the effect."""

    endpoint: str
    code: str
    message: str
    times: int = 1
    processed: bool = False
    status: int = 200


class ShopeeSandbox(OrderEndpoints, ProductEndpoints, LogisticsEndpoints, ReturnEndpoints, PaymentEndpoints):
    """A marketplace with one Indonesian shop. See `Market` for its hands and attributes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.access_life_s = ACCESS_LIFE_S
        self.injected: list[Injected] = []
        self.token_serial = 0
        self._access: dict[str, float] = {}
        self._refresh = ""
        self._refresh_ends_at = 0.0
        self._spent: dict[str, int] = {}
        self._codes: dict[str, float] = {}
        self._gets: dict[str, Callable[[Query], httpx.Response]] = {
            "/api/v2/shop/get_shop_info": self.get_shop_info,
            "/api/v2/shop/get_shop_holiday_mode": self.get_shop_holiday_mode,
            "/api/v2/shop/get_warehouse_detail": self.get_warehouse_detail,
            "/api/v2/order/get_order_list": self.get_order_list,
            "/api/v2/order/get_order_detail": self.get_order_detail,
            "/api/v2/order/get_package_detail": self.get_package_detail,
            "/api/v2/product/get_item_list": self.get_item_list,
            "/api/v2/product/get_item_base_info": self.get_item_base_info,
            "/api/v2/product/get_model_list": self.get_model_list,
            "/api/v2/logistics/get_shipping_parameter": self.get_shipping_parameter,
            "/api/v2/logistics/get_tracking_number": self.get_tracking_number,
            "/api/v2/returns/get_return_list": self.get_return_list,
            "/api/v2/payment/get_escrow_list": self.get_escrow_list,
        }
        self._posts: dict[str, Callable[[Mapping[str, Any]], httpx.Response]] = {
            "/api/v2/order/handle_buyer_cancellation": self.handle_buyer_cancellation,
            "/api/v2/product/update_stock": self.update_stock,
            "/api/v2/payment/get_escrow_detail_batch": self.get_escrow_detail_batch,
            "/api/v2/logistics/ship_order": self.ship_order,
            "/api/v2/logistics/update_shipping_order": self.update_shipping_order,
            "/api/v2/logistics/get_mass_tracking_number": self.get_mass_tracking_number,
            "/api/v2/logistics/create_shipping_document": self.create_shipping_document,
            "/api/v2/logistics/get_shipping_document_result": self.get_shipping_document_result,
            "/api/v2/logistics/download_shipping_document": self.download_shipping_document,
        }
        self._public: dict[str, Callable[[Mapping[str, Any]], httpx.Response]] = {
            "/api/v2/auth/token/get": self.exchange_code,
            "/api/v2/auth/access_token/get": self.refresh_token,
        }

    def configuration(self, base_url: str) -> dict[str, Any]:
        """Settings for this simulator. Nobody uses the free-cancel hour here unless a test does, so bookings need not wait."""
        return {
            "partner_id": PARTNER_ID,
            "partner_key": PARTNER_KEY,
            "remote_shop_id": str(SHOP_ID),
            "base_url": base_url,
            "consent_page_url": f"{base_url}/auth",
            "booking_wait_s": 0,
            "booking_read_lag_s": int(self.booking_read_lag_s),
            "rate_per_s": 50.0,
            "burst": 50,
        }

    def first_grant(self) -> bytes:
        with self.lock:
            return reply({**self._new_pair(), "shop_id_list": [SHOP_ID], "merchant_id_list": []}).content

    def consent(self) -> str:
        """The seller agrees; answers the code that comes back in the redirect."""
        code = f"{self.rng.getrandbits(128):032x}"
        self._codes[code] = self.clock() + CODE_LIFE_S
        return code

    def inject(
        self, endpoint: str, code: str, message: str = "", *, times: int = 1, processed: bool = False, status: int = 200
    ) -> None:
        """Refuse the next calls of an endpoint (last part of its path) with a code; `processed`: after the effect."""
        self.injected.append(Injected(endpoint, code, message, times, processed, status))

    def expire_tokens(self) -> None:
        """Every access token is dead from now on."""
        self._access.clear()

    # -- the gate

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        query = parse_qs(request.url.query.decode(), keep_blank_values=True)
        self.tick()
        if path in self._public:
            self._check_gate(path, query, "")
            return self._routed(request, lambda: self._public[path](_body(request)))
        if path not in (self._gets if request.method == "GET" else self._posts if request.method == "POST" else ()):
            refuse("error_not_found", "no such endpoint", status=404)
        self._check_shop_call(path, query)
        if request.method == "GET":
            return self._routed(request, lambda: self._gets[path](query))
        return self._routed(request, lambda: self._posts[path](_body(request)))

    def _routed(self, request: httpx.Request, run: Callable[[], httpx.Response]) -> httpx.Response:
        endpoint = request.url.path.rpartition("/")[2]
        for injected in self.injected:
            if injected.endpoint == endpoint and injected.times > 0:
                injected.times -= 1
                if injected.processed:
                    run()
                refuse(injected.code, injected.message, status=injected.status)
        return run()

    def _check_gate(self, path: str, query: Query, tail: str) -> None:
        status = int(self.switches["refused_status"])
        partner, stamp, sign = (query.get(name, [""])[0] for name in ("partner_id", "timestamp", "sign"))
        for name, value in (("partner_id", partner), ("timestamp", stamp), ("sign", sign)):
            if not value:
                refuse("error_param", f"There is no {name} in query.", status=status)
        if partner != str(PARTNER_ID):
            refuse("error_param", "Invalid partner_id.", status=status)
        if not stamp.isdigit():
            refuse("error_param", "Invalid timestamp", status=status)
        if abs(int(stamp) - self.clock()) > CLOCK_WINDOW_S:
            refuse("error_param", "Timestamp is expired.", status=status)
        base = f"{partner}{path}{stamp}{tail}"
        expected = hmac.new(PARTNER_KEY.encode(), base.encode(), hashlib.sha256).hexdigest()
        if sign != expected:
            refuse("error_sign", "Wrong sign.", status=status)

    def _check_shop_call(self, path: str, query: Query) -> None:
        status = int(self.switches["refused_status"])
        token, shop = query.get("access_token", [""])[0], query.get("shop_id", [""])[0]
        if not token:
            refuse("error_param", "There is no access_token in query.", status=status)
        self._check_gate(path, query, token + shop)
        if shop != str(SHOP_ID):
            refuse("error_auth", "Invalid partner_id or shopid.", status=status)
        if self._access.get(token, 0.0) <= self.clock():
            refuse("invalid_acceess_token", "Invalid access_token, please have a check.", status=status)

    # -- tokens

    def exchange_code(self, body: Mapping[str, Any]) -> httpx.Response:
        _check_partner(body)
        if len({"shop_id", "main_account_id"} & set(body)) != 1:
            refuse("error_param", "exactly one of shop_id and main_account_id is needed")
        if self._codes.pop(str(body.get("code")), 0.0) <= self.clock():
            refuse("invalid_code", "Invalid code.")
        if body.get("shop_id", SHOP_ID) != SHOP_ID:
            refuse("invalid_shop_id", "Invalid shop_id.")
        return reply({**self._new_pair(), "shop_id_list": [SHOP_ID], "merchant_id_list": []})

    def refresh_token(self, body: Mapping[str, Any]) -> httpx.Response:
        _check_partner(body)
        if body.get("shop_id") != SHOP_ID:
            refuse("error_param", "shop_id is needed")
        token = str(body.get("refresh_token"))
        if token != self._refresh:
            uses = self._spent.get(token)
            if uses is None:
                refuse("error_auth", "Invalid refresh_token.")
            if self.switches["old_refresh_token"] == "dead" or uses > 1:
                refuse("error_shop_refresh_token", "Your refresh_token is wrong or used.")
        elif self.clock() > self._refresh_ends_at:
            refuse("refresh_token_expired", "Your refresh_token expired.")
        self._spent[token] = self._spent.get(token, 0) + 1
        return reply({**self._new_pair(), "partner_id": PARTNER_ID, "shop_id": SHOP_ID})

    def _new_pair(self) -> dict[str, Any]:
        now = self.clock()
        for old, ends_at in self._access.items():
            self._access[old] = min(ends_at, now + OLD_ACCESS_LIFE_S)
        if self._refresh:
            self._spent.setdefault(self._refresh, 1)
        access, refresh = f"{self.rng.getrandbits(128):032x}", f"{self.rng.getrandbits(128):032x}"
        self._access[access] = now + self.access_life_s
        self._refresh, self._refresh_ends_at = refresh, now + REFRESH_LIFE_S
        self.token_serial += 1
        self.record(Event.TOKEN_ROTATED, serial=self.token_serial)
        return {"access_token": access, "refresh_token": refresh, "expire_in": self.access_life_s}


def _body(request: httpx.Request) -> Mapping[str, Any]:
    if request.method != "POST":
        raise Refusal("error_not_found", reply({"error": "error_not_found", "message": "no such endpoint"}, 404))
    if not request.headers.get("content-type", "").startswith("application/json"):
        refuse("error_param", "Content-Type must be application/json")
    try:
        body = json.loads(request.content)
    except ValueError:
        refuse("error_data", "parse data failed")
    if not isinstance(body, dict):
        refuse("error_data", "parse data failed")
    return body


def _check_partner(body: Mapping[str, Any]) -> None:
    if body.get("partner_id") != PARTNER_ID:
        refuse("error_param", "partner_id is needed in the body")
