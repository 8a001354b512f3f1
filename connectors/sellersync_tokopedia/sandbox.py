"""A strict simulator of the TikTok Shop Open API as an Indonesian shop sees it ("Tokopedia & Shop").

Written from the wire contract alone; it shares no code with the connector. Here: the common checks (signature, clock window, token,
`shop_cipher`, known parameters), the token endpoints and the hands of the outside world. The endpoints are in `sandbox_*.py`.

Remote keys are "<product_id>:<sku_id>". `TokopediaSandbox.SWITCHES` names the facts that no source confirms; the first is the default.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import httpx

from sellersync.sandbox.kit import Event, MarketplaceSimulator, Product, Refusal, small_pdf

from . import sandbox_finance, sandbox_fulfilment, sandbox_orders, sandbox_products
from .sandbox_call import Call, Json, Route, bad_parameter, refusal
from .sandbox_rows import CaseRow
from .sandbox_tokens import TokenOffice
from .sandbox_world import World

APP_KEY = "6demo0appkey"
APP_SECRET = "s3ll3rsync0demo0secret0not0real0000000001"
SHOP_CIPHER = "ROW_demoCipherAAAA1234"
SHOP_ID = "7490000000000000001"
CLOCK_BEHIND_S_MAX = 300
CLOCK_AHEAD_S_MAX = 30
COMMON_QUERY = frozenset({"app_key", "timestamp", "sign", "shop_cipher"})
STOREFRONTS = {"": "TOKOPEDIA", "tokopedia": "TOKOPEDIA", "tiktok_shop": "TIKTOK_SHOP"}


def _shops(sim: TokopediaSandbox, call: Call) -> Json:
    return {"shops": sim.shops}


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/authorization/202309/shops"): Route(_shops, shop=False),
    **sandbox_orders.ROUTES,
    **sandbox_products.ROUTES,
    **sandbox_fulfilment.ROUTES,
    **sandbox_finance.ROUTES,
}
_PATTERNS = [
    (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]+)", path)), path, route)
    for (method, path), route in ROUTES.items()
]
_UNVERSIONED = {re.sub(r"/\d{6}/", "/v/", path) for _, path in ROUTES}


class TokopediaSandbox(MarketplaceSimulator):
    """One Indonesian shop with two storefronts and one stock number."""

    provider = "tokopedia"
    OMITS_WHEN_EMPTY = frozenset({"data", "statements"})
    SWITCHES: Mapping[str, Sequence[Any]] = {
        "level_zero": ("accepted", "refused_item", "refused_call"),  # quantity 0 in an inventory update
        "unpaid_counted": (True, False),  # an unpaid order lowers the available number
        "cancel_restocks": (True, False),  # enable_auto_restock of the SKUs
        "old_refresh_token": ("dead", "works_once"),  # the refresh token after it was used
        "campaign_pot": ("outside", "inside"),  # campaign units beside or within the available number
        "bad_id_fails_batch": (False, True),  # one unknown id sinks an order detail call
        "page_token": ("keyset", "offset"),  # what a page token remembers
        "search_results_max": (0, 5000),  # order search delivers no more than this (0: no cap)
        "request_flag_sticks": (False, True),  # is_buyer_request_cancel stays true after the request was answered
        "cancel_request_moves_update_time": (True, False),
        "costs_shown": ("negative", "positive"),  # fees and shipping in the lines of statements
        "expired_http_status": (401, 200),  # HTTP status of 105002
    }

    def __init__(self, *, clock: Callable[[], float], rng: Random, switches: Mapping[str, Any] | None = None) -> None:
        super().__init__(clock=clock, rng=rng, switches=switches)
        self.waybill_delay_s = 3.0
        self.visibility_delay_s = 0.0
        self.booking_read_lag_s = 0.0
        self.label_delay_s = 0.0
        self.can_pickup = True
        self.can_drop_off = True
        self.finance_allowed = True
        self.world = World(self)
        self.finance = sandbox_finance.Finance()
        self.answered: dict[str, tuple[str, bool]] = {}
        self.shops: list[Json] = [
            {
                "id": SHOP_ID,
                "name": "Toko Contoh",
                "region": "ID",
                "seller_type": "LOCAL",
                "cipher": SHOP_CIPHER,
                "code": "IDLCDEMO1",
            }
        ]
        uses = 1 if self.switches["old_refresh_token"] == "dead" else 2
        self.tokens = TokenOffice(APP_KEY, APP_SECRET, self.now_s, rng, uses)

    # -- the wire

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.world.settle()
        path = request.url.path
        if path.startswith("/api/v2/token/"):
            return self._token_endpoint(request)
        if path.startswith("/labels/"):
            return self._label(request)
        route, parameters = self._route(request.method, path)
        query = self._query(request)
        self._check_call(request, route, query)
        own = {name: value for name, value in query.items() if name not in COMMON_QUERY}
        for name in own:
            if name not in route.query:
                raise bad_parameter(f"query {name} is not expected")
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        data = route.handler(self, Call(parameters, own, self._body(request, route), origin))
        return _success(data)

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        path_known = False
        for known_method, pattern, _, route in _PATTERNS:
            found = pattern.fullmatch(path)
            if found and known_method == method:
                return route, found.groupdict()
            path_known = path_known or bool(found)
        if path_known:
            raise refusal(36009010, "Invalid method")
        if re.sub(r"/\d{6}/", "/v/", path) in _UNVERSIONED:
            raise refusal(36009014, "Invalid API version")
        raise refusal(36009009, "Invalid path")

    @staticmethod
    def _query(request: httpx.Request) -> dict[str, str]:
        pairs = list(request.url.params.multi_items())
        query = dict(pairs)
        if len(pairs) != len(query):
            raise bad_parameter("a parameter is given twice")
        if "" in query.values():
            raise bad_parameter("an empty parameter")
        return query

    def _check_call(self, request: httpx.Request, route: Route, query: dict[str, str]) -> None:
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            raise refusal(36009022, "Invalid content type")
        if query.get("app_key") != APP_KEY:
            raise refusal(36009004, "Invalid app_key")
        stamp = query.get("timestamp", "")
        if not re.fullmatch(r"\d{10}", stamp):
            raise refusal(36009004, "Invalid timestamp")
        if not -CLOCK_BEHIND_S_MAX <= int(stamp) - self.now_s() <= CLOCK_AHEAD_S_MAX:
            raise refusal(36009004, "Invalid timestamp: it must lie within 5 minutes before and 30 seconds after now")
        if query.get("sign") != _sign(request, query):
            raise refusal(106001, "The signature is invalid")
        token = request.headers.get("x-tts-access-token", "")
        if not token:
            raise refusal(36009004, "'x-tts-access-token' is missing")
        if not self.tokens.valid(token):
            expired = refusal(105002, "The access token is expired")
            expired.response.status_code = self.switches["expired_http_status"]
            raise expired
        cipher = query.get("shop_cipher")
        if route.shop and cipher is None:
            raise refusal(106013, "shop_cipher is missing")
        if not route.shop and cipher is not None:
            raise refusal(36009004, "'shop_cipher' is not expected")
        if route.shop and cipher not in {shop["cipher"] for shop in self.shops}:
            raise refusal(101000, "The token does not match the shop")

    @staticmethod
    def _body(request: httpx.Request, route: Route) -> Json | None:
        """The JSON body. An empty object is refused: no source says how the gateway signs it."""
        if not request.content:
            if route.body_required:
                raise refusal(36009023, "Invalid body")
            return None
        try:
            body = json.loads(request.content)
        except ValueError:
            raise refusal(36009023, "Invalid body") from None
        if not isinstance(body, dict) or not body or request.method == "GET":
            raise refusal(36009023, "Invalid body")
        return body

    def _label(self, request: httpx.Request) -> httpx.Response:
        """A pre-signed document: no token, no signature, 24 hours."""
        package = self.world.packages.get(request.url.path.removeprefix("/labels/").removesuffix(".pdf"))
        if request.method != "GET" or package is None or int(request.url.params.get("expires", "0")) < self.now_s():
            raise Refusal("403", httpx.Response(403, text="<Error>AccessDenied</Error>"))
        content = small_pdf([f"label of package {package.id}", f"waybill {package.tracking}"])
        return httpx.Response(200, headers={"content-type": "application/pdf"}, content=content)

    # -- tokens

    def _token_endpoint(self, request: httpx.Request) -> httpx.Response:
        kind = request.url.path.removeprefix("/api/v2/token/")
        if kind not in ("get", "refresh"):
            raise refusal(36009009, "Invalid path")
        if request.method != "GET":
            raise refusal(36009010, "Invalid method")
        pair = self.tokens.answer(kind, self._query(request))
        self.record(Event.TOKEN_ROTATED, serial=self.tokens.serial)
        return _success(pair, "success")

    def expire_access_tokens(self) -> None:
        """Every access token ends now."""
        self.tokens.expire_access()

    def expire_refresh_tokens(self) -> None:
        """The authorisation ends now: only the seller can renew it."""
        self.tokens.expire_grants()

    def consent(self) -> str:
        """The seller agrees on the consent page; returns the code (30 minutes, single use)."""
        return self.tokens.code()

    def configuration(self, base_url: str) -> dict[str, Any]:
        return {
            "app_key": APP_KEY,
            "app_secret": APP_SECRET,
            "service_id": "7412345678901234567",
            "remote_shop_id": SHOP_ID,
            "base_url": base_url,
            "auth_base_url": base_url,
        }

    def first_grant(self) -> bytes:
        return json.dumps({"code": 0, "message": "success", "request_id": "GRANT", "data": self.tokens.pair()}).encode()

    # -- the outside world

    def add_warehouse(self) -> str:
        """A further sales warehouse. Call it before the first product: with two, every number belongs to a warehouse id."""
        if self.world.skus:
            raise ValueError("add warehouses before products")
        warehouse_id = str(int(self.world.warehouses[-1]) + 1)
        self.world.warehouses.append(warehouse_id)
        return warehouse_id

    def add_product(
        self, seller_sku: str, title: str, *, price: int, stock: int, weight_g: int = 250, **extra: Any
    ) -> Product:
        """`variant_of=<remote_key>` adds a SKU to an existing product, `shown={warehouse_id: units}` replaces `stock` in a shop with
        several warehouses, `platforms=("TOKOPEDIA",)` lists it on one storefront only."""
        shown = extra.pop("shown", None) or {self.world.location(self.world.warehouses[0]): stock}
        variant_of, platforms = extra.pop("variant_of", ""), extra.pop("platforms", ("TIKTOK_SHOP", "TOKOPEDIA"))
        if extra:
            raise ValueError(f"unknown product facts {sorted(extra)}")
        with self.lock:
            return self.world.add_sku(
                seller_sku,
                title,
                price=price,
                shown=shown,
                weight_g=weight_g,
                variant_of=variant_of,
                platforms=platforms,
            )

    def products(self) -> Sequence[Product]:
        return list(self.world.skus.values())

    def place_order(
        self,
        items: Sequence[tuple[str, int]],
        *,
        paid: bool = True,
        cod: bool = False,
        storefront: str = "",
        on_hold: bool = False,
        split: bool = False,
        fulfillment_type: str = "FULFILLMENT_BY_SELLER",
        shipping_type: str = "TIKTOK",
    ) -> str:
        """Items are [("<product_id>:<sku_id>", quantity)]; storefront "tokopedia" (default) or "tiktok_shop". `split` makes one
        package per SKU."""
        with self.lock:
            self.world.settle()
            order = self.world.place(
                items,
                STOREFRONTS[storefront],
                paid_at=self.now_s() if paid and not cod else 0,
                cod=cod,
                on_hold=on_hold,
                fulfillment_type=fulfillment_type,
                shipping_type=shipping_type,
            )
            if split:
                self.world.split(order)
            return order.id

    def pay(self, order_id: str) -> None:
        with self.lock:
            self.world.settle()
            self.world.pay(self.world.orders[order_id])

    def release_hold(self, order_id: str) -> None:
        """The time in which the buyer may cancel freely is over."""
        with self.lock:
            self.world.release_hold(self.world.orders[order_id])

    def cancel(self, order_id: str, *, by: str = "buyer", items: Sequence[tuple[str, int]] | None = None) -> None:
        with self.lock:
            self.world.settle()
            order = self.world.orders[order_id]
            alive = [unit for unit in order.units if unit.status != "CANCELLED"]
            if items is None:
                units = alive
            else:
                units = []
                for key, quantity in items:
                    of_key = [unit for unit in alive if unit.sku.remote_key == key]
                    if len(of_key) < quantity:
                        raise ValueError(f"order {order_id} has only {len(of_key)} of {key}")
                    units += of_key[:quantity]
            self.world.cancel_units(order, units, by)
            self.world.add_cancellation(order, units, by.upper())

    def request_cancel(self, order_id: str) -> str:
        """The buyer asks to cancel a paid order; returns the cancellation id, pending until the seller answers."""
        with self.lock:
            self.world.settle()
            order = self.world.orders[order_id]
            order.cancel_requested = True
            case = self.world.add_cancellation(order, order.units, "BUYER", pending=True)
            self.world.touch(order, moves_time=bool(self.switches["cancel_request_moves_update_time"]))
            return case.id

    def withdraw_cancel(self, cancel_id: str) -> None:
        """The buyer takes the request back."""
        with self.lock:
            self.world.close_cancellation(self.world.cancellations[cancel_id], "CANCELLATION_REQUEST_CANCEL")

    def combine(self, order_ids: Sequence[str]) -> str:
        """The platform puts several orders of one buyer into one package; returns its id."""
        with self.lock:
            return self.world.combine([self.world.orders[order_id] for order_id in order_ids]).id

    def hand_over(self, parcel_id: str) -> None:
        with self.lock:
            self.world.settle()
            self.world.hand_over(self.world.packages[parcel_id])

    def deliver(self, parcel_id: str) -> None:
        with self.lock:
            self.world.settle()
            self.world.deliver(self.world.packages[parcel_id])

    def complete(self, parcel_id: str) -> None:
        """The time for returns is over."""
        with self.lock:
            self.world.deliver(self.world.packages[parcel_id], "COMPLETED")

    def open_return(self, order_id: str, *, kind: str = "RETURN_AND_REFUND", units: int = 1) -> str:
        """The buyer wants to return the first `units` units."""
        with self.lock:
            order = self.world.orders[order_id]
            case_id = self.world.next_id("return", 4_035_000_000_000_000_000)
            ids = [unit.id for unit in order.units[:units]]
            now = self.now_s()
            case = CaseRow(case_id, order_id, kind, "", "BUYER", ids, now, now, now + 2 * 86_400)
            self.world.set_return(case, "RETURN_OR_REFUND_REQUEST_PENDING")
            return case_id

    def advance_return(self, return_id: str, status: str) -> None:
        """Move a return to a status in the provider's vocabulary."""
        with self.lock:
            self.world.set_return(self.world.returns[return_id], status)

    def settle_order(self, order_id: str) -> None:
        """The order's money is settled; the statement of the day shows it at the next 00:00 UTC."""
        with self.lock:
            self.finance.settle(self.world.orders[order_id], self.now_s())

    def correct_settlement(self, order_id: str, amount: int) -> None:
        """An adjustment: a line of its own in the statement of the day."""
        with self.lock:
            self.finance.adjust(self.world.orders[order_id], amount, self.now_s())

    def settlements(self) -> Mapping[str, tuple[str, int]]:
        with self.lock:
            return self.finance.books()

    def lock_campaign(self, remote_key: str, units: int, location: str = "") -> None:
        """A campaign takes units aside: they leave the available number, or stay inside it (switch)."""
        with self.lock:
            product = self.world.by_key[remote_key]
            product.extra["pot"][location] += units
            if self.switches["campaign_pot"] == "outside":
                self.world.change_shown(product, location, -units)

    def shown(self, remote_key: str, location: str = "") -> int:
        with self.lock:
            return self.world.visible(self.world.by_key[remote_key], location)

    def arranged_parcels(self) -> list[str]:
        with self.lock:
            self.world.settle()
            return [package.id for package in self.world.packages.values() if package.sub_status == "RTS"]


def _success(data: Json | None, message: str = "Success") -> httpx.Response:
    return httpx.Response(
        200, json={"code": 0, "message": message, "request_id": "20261121060000SANDBOX", "data": data or {}}
    )


def _sign(request: httpx.Request, query: Mapping[str, str]) -> str:
    """HMAC-SHA256 over secret + path + sorted key/value pairs (decoded) + body + secret, lower-case hex."""
    pairs = "".join(key + query[key] for key in sorted(query) if key not in ("sign", "access_token"))
    text = APP_SECRET.encode() + (request.url.path + pairs).encode() + request.content + APP_SECRET.encode()
    return hmac.new(APP_SECRET.encode(), text, hashlib.sha256).hexdigest()
