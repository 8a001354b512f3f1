"""A strict simulator of the Lazada Open Platform for one Indonesian shop, written from the platform's documentation.

It checks what the platform checks (signature over the raw parameters, clock window, tokens, page and batch limits, item states) and
refuses in the platform's words. Facts that no source confirms are switches. Codes for an unknown path, a wrong method and the bounds of
`/products/get` are not documented; the ones used here are placeholders.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx

from sellersync.sandbox.kit import Event

from . import sandbox_finance, sandbox_fulfil, sandbox_orders, sandbox_reverse, sandbox_stock
from .sandbox_aftersales import LazadaAfterSales
from .sandbox_replies import quoted, refuse, required

CLOCK_WINDOW_S = 7200
CODE_LIFE_S = 1800
Parameters = Mapping[str, str]
Handler = Callable[[LazadaAfterSales, Parameters], Any]

DATA_CALLS: Mapping[tuple[str, str], Handler] = {
    ("GET", "/orders/get"): sandbox_orders.orders_get,
    ("GET", "/order/get"): sandbox_orders.order_get,
    ("GET", "/order/items/get"): sandbox_orders.order_items_get,
    ("GET", "/orders/items/get"): sandbox_orders.orders_items_get,
    ("GET", "/products/get"): sandbox_stock.products_get,
    ("GET", "/product/item/get"): sandbox_stock.product_item_get,
    ("POST", "/product/stock/sellable/update"): sandbox_stock.sellable_update,
    ("GET", "/order/reverse/cancel/seller/decide"): sandbox_reverse.cancel_decide,
    ("GET", "/finance/transaction/details/get"): sandbox_finance.transaction_details,
}
"""Calls that answer `{"code": "0", "data": ...}`."""
RESULT_CALLS: Mapping[tuple[str, str], Handler] = {
    ("POST", "/order/fulfill/pack"): sandbox_fulfil.pack,
    ("POST", "/order/package/rts"): sandbox_fulfil.ready_to_ship,
}
"""Calls that answer `{"code": "0", "result": {"success": true, "data": ...}}`."""
WHOLE_RESULT_CALLS: Mapping[tuple[str, str], Handler] = {
    ("GET", "/reverse/getreverseordersforseller"): sandbox_reverse.reverse_orders,
    ("POST", "/reverse/getreverseordersforseller"): sandbox_reverse.reverse_orders,
    ("GET", "/seller/warehouse/get"): sandbox_stock.seller_warehouses,
}
"""Calls whose `result` has a form of its own."""
BOTH_METHODS = frozenset({"/auth/token/create", "/auth/token/refresh", "/order/package/document/get"})
PATHS = (
    frozenset(path for _, path in [*DATA_CALLS, *RESULT_CALLS, *WHOLE_RESULT_CALLS]) | {"/seller/get"} | BOTH_METHODS
)


class LazadaSandbox(LazadaAfterSales):
    """The API side: routing, signatures, tokens. Token lifetimes in seconds may be changed before the first grant."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        rng: Random,
        switches: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(clock=clock, rng=rng, switches=switches)
        self.app_key = "900100"
        self.app_secret = "s3llersync-made-up-secret"
        self.access_life_s = 604_800
        self.refresh_life_s = 1_209_600
        self.seller_status, self.verified = "ACTIVE", True
        self.throttle_next = 0
        """So many API calls are refused with ApiCallLimit, a ban of `ban_s` seconds."""
        self.ban_s = 1
        self._access: dict[str, float] = {}
        self._refresh: dict[str, tuple[float, int]] = {}  # token -> (end, times used)
        self._codes: dict[str, float] = {}
        self._serial = 0

    # -- what the rig needs

    def configuration(self, base_url: str) -> dict[str, Any]:
        root = base_url.rstrip("/")
        return {
            "app_key": self.app_key,
            "app_secret": self.app_secret,
            "remote_shop_id": self.seller_id,
            "base_url": f"{root}/rest",
            "auth_base_url": f"{root}/rest",
            "booking_read_lag_s": max(60, self.switches["read_lag_s"]),
        }

    def first_grant(self) -> bytes:
        with self.lock:
            return json.dumps(self._grant(self.clock() + self.refresh_life_s)).encode()

    def new_code(self) -> str:
        """The code that a finished consent brings back; single-use, valid 30 minutes."""
        with self.lock:
            code = f"0_{self.app_key}_{self.rng.randrange(16**12):012x}"
            self._codes[code] = self.clock() + CODE_LIFE_S
            return code

    def kill_access_tokens(self) -> None:
        """Every access token dies at once; refresh tokens live on."""
        with self.lock:
            self._access.clear()

    def kill_all_tokens(self) -> None:
        """The seller withdraws the consent."""
        with self.lock:
            self._access.clear()
            self._refresh.clear()

    # -- one request

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        query = dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
        if path.startswith("/oss/proxy/") and request.method == "GET":
            return sandbox_fulfil.download(self, path, query)
        if path == "/oauth/authorize" and request.method == "GET":
            return self._authorise(query)
        api = path.removeprefix("/rest")
        if api == path or api not in PATHS:
            raise refuse("InvalidApiPath", "The specified API path is invalid", kind="ISV")
        parameters = {**query, **self._form(request)}
        self._check_signature(api, parameters)
        if api.startswith("/auth/"):
            return httpx.Response(200, json=self._token_call(api, parameters))
        self._check_access(parameters)
        if self.throttle_next > 0:
            self.throttle_next -= 1
            message = f"Api access frequency exceeds the limit. this ban will last {self.ban_s} seconds"
            raise refuse("ApiCallLimit", message, kind="SYSTEM")
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        body = {
            "code": "0",
            **self._dispatch(request.method, api, parameters, origin),
            "request_id": self._request_id(),
        }
        if self.switches["scalars"] == "quoted":
            body = quoted(body)
        return httpx.Response(200, json=body)

    def _form(self, request: httpx.Request) -> dict[str, str]:
        if request.method != "POST" or not request.content:
            return {}
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise refuse(
                "IncompleteSignature", "The request signature does not conform to platform standards", kind="ISV"
            )
        return dict(parse_qsl(request.content.decode(), keep_blank_values=True))

    def _dispatch(self, method: str, api: str, parameters: Parameters, origin: str) -> dict[str, Any]:
        if (method, api) in DATA_CALLS:
            return {"data": DATA_CALLS[method, api](self, parameters)}
        if (method, api) in RESULT_CALLS:
            return {"result": {"success": True, "data": RESULT_CALLS[method, api](self, parameters)}}
        if api == "/order/package/document/get":
            data = sandbox_fulfil.print_awb(self, parameters, origin=origin)
            return {"result": {"success": True, "data": data}}
        if (method, api) in WHOLE_RESULT_CALLS:
            return {"result": WHOLE_RESULT_CALLS[method, api](self, parameters)}
        if api == "/seller/get" and method == "GET":
            return {"data": self._seller()}
        raise refuse("UnsupportedHTTPMethod", f"{method} is not supported by this API", kind="ISV")

    def _seller(self) -> dict[str, Any]:
        return {
            "seller_id": int(self.seller_id),
            "name": "Toko Contoh",
            "short_code": "ID1AB2CD3E",
            "email": "toko.contoh@example.id",
            "cb": False,
            "status": self.seller_status,
            "verified": self.verified,
        }

    def _request_id(self) -> str:
        return f"0a1b2c3d{self.rng.randrange(16**16):016x}"

    # -- signature and tokens

    def _check_signature(self, api: str, parameters: Mapping[str, str]) -> None:
        for name in ("app_key", "timestamp", "sign_method", "sign"):
            required(parameters, name)
        base = api + "".join(name + value for name, value in sorted(parameters.items()) if name != "sign")
        wanted = hmac.new(self.app_secret.encode(), base.encode(), hashlib.sha256).hexdigest().upper()
        stamp = parameters["timestamp"]
        late = not stamp.isdigit() or abs(int(stamp) / 1000 - self.clock()) > CLOCK_WINDOW_S
        if (
            late
            or parameters["app_key"] != self.app_key
            or parameters["sign_method"] != "sha256"
            or "" in parameters.values()
            or not hmac.compare_digest(wanted, parameters["sign"])
        ):
            raise refuse(
                "IncompleteSignature", "The request signature does not conform to platform standards", kind="ISV"
            )

    def _check_access(self, parameters: Parameters) -> None:
        token = required(parameters, "access_token")
        if self._access.get(token, 0.0) <= self.clock():
            raise refuse("IllegalAccessToken", "The specified access token is invalid or expired", kind="ISV")

    def _authorise(self, query: Mapping[str, str]) -> httpx.Response:
        """The consent page of a seller who agrees at once."""
        if (
            query.get("response_type") != "code"
            or query.get("client_id") != self.app_key
            or not query.get("redirect_uri")
        ):
            return httpx.Response(400, text="the app or its callback address is wrong")
        back = {"code": self.new_code()}
        if "state" in query:
            back["state"] = query["state"]
        return httpx.Response(302, headers={"location": f"{query['redirect_uri']}?{urlencode(back)}"})

    def _token_call(self, api: str, parameters: Parameters) -> dict[str, Any]:
        if api == "/auth/token/create":
            if self._codes.pop(required(parameters, "code"), 0.0) <= self.clock():
                raise refuse("InvalidCode", "Invalid authorization code")
            return self._grant(self.clock() + self.refresh_life_s)
        old = required(parameters, "refresh_token")
        ends, used = self._refresh.get(old, (0.0, 0))
        uses_max = 2 if self.switches["refresh_reuse"] == "once" else 1
        if ends <= self.clock() or used >= uses_max:
            raise refuse("IllegalRefreshToken", "The specified refresh token is invalid or expired", kind="ISV")
        self._refresh[old] = (ends, used + 1)
        if self.switches["old_access"] == "dead":
            self._access.clear()
        grant = self._grant(self.clock() + self.refresh_life_s if self.switches["refresh_extends"] == "yes" else ends)
        # The refresh page of the reference spells this key differently.
        grant["country_user_info_list"] = grant.pop("country_user_info")
        self.record(Event.TOKEN_ROTATED, serial=self._serial)
        return grant

    def _grant(self, refresh_ends: float) -> dict[str, Any]:
        self._serial += 1
        access = f"50000700a{self.rng.randrange(16**24):024x}"
        refresh = f"50001700b{self.rng.randrange(16**24):024x}"
        self._access[access] = self.clock() + self.access_life_s
        self._refresh[refresh] = (refresh_ends, 0)
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": self.access_life_s,
            "refresh_expires_in": int(refresh_ends - self.clock()),
            "country": "id",
            "account_platform": "seller_center",
            "account_id": None,
            "account": "toko.contoh@example.id",
            "country_user_info": [
                {
                    "country": "id",
                    "user_id": self.seller_id,
                    "seller_id": self.seller_id,
                    "short_code": "ID1AB2CD3E",
                }
            ],
            "code": "0",
            "request_id": self._request_id(),
        }
