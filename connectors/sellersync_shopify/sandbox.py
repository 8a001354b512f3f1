"""A Shopify shop in memory, as strict as the real one: the judge of tests and of the demo.

Written from Shopify's own pages and public recordings (2026), never from the connector. `remote_key` is the number of the inventory item,
`location` the number of the location; every level belongs to both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from random import Random
from typing import Any, TypeVar, cast
from urllib.parse import parse_qs

import httpx

from sellersync.sandbox.kit import Event, MarketplaceSimulator, Product, Refusal, SoldOut

from .sandbox_document import GraphQLError, Parser
from .sandbox_graphql import Request, size_cost
from .sandbox_root import Root
from .sandbox_schema import SCHEMA
from .sandbox_shop import BANK_GATEWAY, CARD_GATEWAY, COD_GATEWAY, Item, Level, Shop, ShopOrder

VERSIONS = ("2025-10", "2026-01", "2026-04", "2026-07", "2026-10")
SERVED_VERSION = "2026-07"
SCOPES = (
    "read_orders",
    "read_products",
    "read_inventory",
    "write_inventory",
    "read_locations",
    "read_merchant_managed_fulfillment_orders",
    "write_merchant_managed_fulfillment_orders",
)
BUYER_FIELDS = frozenset({("Order", "shippingAddress"), ("Order", "email"), ("Order", "phone")})
QUERY_COST_MAX = 1_000
BUYERS = (
    ("Siti Rahma", "Jl. Melati 5", "Bandung", "Jawa Barat", "40115", "081200000001"),
    ("Budi Santoso", "Jl. Kenanga 9", "Surabaya", "Jawa Timur", "60241", "081200000002"),
    ("Dewi Lestari", "Jl. Anggrek 12", "Jakarta Selatan", "DKI Jakarta", "12430", "081200000003"),
)
_PATH = re.compile(r"/admin/api/(20[0-9]{2}-[0-9]{2}|unstable)/graphql\.json")
F = TypeVar("F", bound=Callable[..., Any])


def _locked(act: F) -> F:
    """Buyers and requests come in threads of their own: what one act changes is journalled together."""

    @wraps(act)
    def locked(self: ShopifySandbox, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return act(self, *args, **kwargs)

    return cast(F, locked)


class ShopifySandbox(MarketplaceSimulator):
    """See the module. `visibility_delay_s`, `token_life_s`, `bucket_max`, `restore_rate` and `scopes` may be tuned."""

    provider = "shopify"
    SWITCHES: Mapping[str, Sequence[Any]] = {
        "one_bad_row": ("sinks_the_call", "alone"),  # what becomes of the other rows of a stock call
        "unstocked": ("refused", "ignored"),  # a level at a location that does not stock the item: reports differ
        "unchanged_level": ("no_change", "zero_delta"),  # what the answer names for a level that was right already
        "cancel_restocks": (True, False),  # whoever cancels chooses
        "cancelled_quantities": ("zero", "kept"),  # `currentQuantity` of a cancelled order
        "old_token": ("lives_on", "dies"),  # a token after another one was asked for
        "connection_cost": ("scaled", "per_row"),  # how connections count
        "buyer_data": ("given", "withheld"),  # approval for protected customer data
    }

    def __init__(self, *, clock: Callable[[], float], rng: Random, switches: Mapping[str, Any] | None = None) -> None:
        super().__init__(clock=clock, rng=rng, switches=switches)
        self.shop = Shop(clock=clock, record=self.record)
        self.scopes = set(SCOPES)
        self.root = Root(self.shop, self.switches, self.scopes)
        self.client_id = f"{rng.getrandbits(128):032x}"
        self.client_secret = f"shpss_{rng.getrandbits(128):032x}"
        self.token_life_s = 86_399
        self.bucket_max, self.restore_rate = 2_000.0, 100.0
        self.installed = True
        self._tokens: dict[str, float] = {}
        self._bucket = (clock(), self.bucket_max)
        self._last_version = SERVED_VERSION
        self.main_location = self.shop.add_location("Gudang utama")

    @property
    def visibility_delay_s(self) -> float:
        return self.root.visibility_delay_s

    @visibility_delay_s.setter
    def visibility_delay_s(self, seconds: float) -> None:
        self.root.visibility_delay_s = seconds

    def configuration(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": base_url,
            "remote_shop_id": self.root.domain,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }

    def first_grant(self) -> bytes:
        return json.dumps(self._grant()).encode()

    # -- the wire

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/admin/oauth/access_token":
            if request.method != "POST":
                raise _page(404)
            return self._token_answer(request)
        match = _PATH.fullmatch(path)
        if match is None:
            raise _page(404)
        if request.method != "POST":
            raise Refusal("method", httpx.Response(405, json={"errors": "Method Not Allowed"}))
        self._check_token(request.headers.get("x-shopify-access-token", ""))
        if match[1] not in VERSIONS:
            if match[1] > VERSIONS[-1]:
                raise Refusal("version", httpx.Response(404, json={"errors": "Not Found"}))
            self._last_version = VERSIONS[0]  # an old version is answered by the oldest that still lives
        else:
            self._last_version = match[1]
        return self._graphql(request)

    def _token_answer(self, request: httpx.Request) -> httpx.Response:
        kind = request.headers.get("content-type", "")
        if kind.startswith("application/json"):
            form = json.loads(request.content)
        else:
            form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if form.get("grant_type") != "client_credentials":
            raise _oauth("unsupported_grant_type", "The authorization grant type is not supported.")
        if form.get("client_id") != self.client_id:
            raise _oauth("application_cannot_be_found", "The application cannot be found.")
        if form.get("client_secret") != self.client_secret:
            raise _oauth("invalid_client", "Client authentication failed.")
        if not self.installed:
            raise _oauth("app_not_installed", "The application is not installed on this shop.")
        return httpx.Response(200, json=self._grant())

    def _grant(self) -> dict[str, Any]:
        if self.switches["old_token"] == "dies":
            self._tokens.clear()
        token = f"shpat_{self.rng.getrandbits(128):032x}"
        self._tokens[token] = self.clock() + self.token_life_s
        self.record(Event.TOKEN_ROTATED, serial=len(self._tokens))
        return {"access_token": token, "scope": ",".join(sorted(self.scopes)), "expires_in": self.token_life_s}

    def _check_token(self, token: str) -> None:
        if self._tokens.get(token, 0.0) <= self.clock():
            text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            raise Refusal("invalid_token", httpx.Response(401, json={"errors": text}))

    def expire_tokens(self) -> None:
        """All tokens end now."""
        self._tokens.clear()

    def _graphql(self, request: httpx.Request) -> httpx.Response:
        try:
            body = json.loads(request.content)
        except ValueError:
            raise Refusal(
                "json", self._reply({"errors": {"query": "Required parameter missing or invalid"}}, 400)
            ) from None
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            raise Refusal("query", self._reply({"errors": {"query": "Required parameter missing or invalid"}}, 400))
        cost: int | None = None
        try:
            run = Request(
                SCHEMA,
                Parser(body["query"]).operation(),
                body.get("variables") or {},
                self.root.fields(),
                per_row=self.switches["connection_cost"] == "per_row",
                withheld=BUYER_FIELDS if self.switches["buyer_data"] == "withheld" else frozenset(),
            )
            cost = run.check()
            self._charge(cost)
        except GraphQLError as refused:
            found: dict[str, Any] = {"errors": [refused.entry()]}
            if refused.code == "THROTTLED":
                found["errors"] = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
            if cost is not None:
                found["extensions"] = self._extensions(cost, None)
            raise Refusal(refused.code, self._reply(found)) from None
        data = run.run()
        actual = 10 if run.operation.kind == "mutation" else min(cost, size_cost(run.objects, per_row=run.per_row))
        self._bucket = (self._bucket[0], min(self.bucket_max, self._bucket[1] + cost - actual))
        answer: dict[str, Any] = {"data": data, "extensions": self._extensions(cost, actual)}
        if run.errors:
            answer["errors"] = [error.entry() for error in run.errors]
            if all(value is None for value in data.values()):
                raise Refusal(run.errors[0].code, self._reply(answer))
        return self._reply(answer)

    def _reply(self, body: Mapping[str, Any], status: int = 200) -> httpx.Response:
        return httpx.Response(status, json=body, headers={"x-shopify-api-version": self._last_version})

    def _charge(self, cost: int) -> None:
        if cost > QUERY_COST_MAX:
            text = f"Query cost is {cost}, which exceeds the single query max cost limit ({QUERY_COST_MAX})."
            raise GraphQLError(text, "MAX_COST_EXCEEDED")
        at, level = self._bucket
        now = self.clock()
        level = min(self.bucket_max, level + (now - at) * self.restore_rate)
        if cost > level:
            self._bucket = (now, level)
            raise GraphQLError("Throttled", "THROTTLED")
        self._bucket = (now, level - cost)

    def _extensions(self, requested: int, actual: int | None) -> dict[str, Any]:
        return {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": actual,
                "throttleStatus": {
                    "maximumAvailable": self.bucket_max,
                    "currentlyAvailable": int(self._bucket[1]),
                    "restoreRate": self.restore_rate,
                },
            }
        }

    def drain(self) -> None:
        """Another app of the seller's, or a burst, has used up all points."""
        self._bucket = (self.clock(), 0.0)

    # -- products

    @_locked
    def add_location(self, name: str) -> str:
        """Another active location; items are stocked there only when they are added with a number for it."""
        return self.shop.add_location(name)

    @_locked
    def add_product(
        self, seller_sku: str, title: str, *, price: int, stock: int, weight_g: int = 250, **extra: Any
    ) -> Product:
        """A listing that shows `stock` at the main location. Extra: `elsewhere={location: units}`, `tracked=False`."""
        elsewhere, tracked = dict(extra.pop("elsewhere", {})), bool(extra.pop("tracked", True))
        if extra:
            raise ValueError(f"shopify: unknown product options {sorted(extra)}")
        numbers = {self.main_location: stock, **elsewhere}
        number = 4_400_000 + self.shop.next_id()
        listing = Product(str(number), seller_sku, title, price, weight_g, dict(numbers))
        item = Item(
            number=number,
            variant=3_300_000 + self.shop.next_id(),
            product=2_200_000 + self.shop.next_id(),
            sku=seller_sku,
            title=title,
            price=price,
            weight_g=weight_g,
            tracked=tracked,
            levels={location: Level(units) for location, units in numbers.items()},
            listing=listing,
        )
        self.shop.items[number] = item
        return listing

    @_locked
    def products(self) -> Sequence[Product]:
        return [item.listing for item in self.shop.items.values()]

    @_locked
    def shown(self, remote_key: str, location: str = "") -> int:
        """`available` at a location; "" sums all of them."""
        levels = self._item(remote_key).levels
        return levels[location].available if location else sum(level.available for level in levels.values())

    @_locked
    def edit_stock(self, remote_key: str, level: int, location: str = "") -> None:
        """A person changes the number in the shop's admin."""
        item, place = self._item(remote_key), location or self.main_location
        before = self.shop.set_available(item, place, level)
        self.record(
            Event.LEVEL_SET, remote_key=item.key, location=place, seller_sku=item.sku, level=level, before=before
        )

    def _item(self, remote_key: str) -> Item:
        return self.shop.items[int(remote_key)]

    # -- buyers and staff

    @_locked
    def place_order(
        self,
        items: Sequence[tuple[str, int]],
        *,
        paid: bool = True,
        cod: bool = False,
        storefront: str = "",
    ) -> str:
        """`paid`: PAID; `cod`: PENDING by cash on delivery; else PENDING by bank transfer. `storefront` may name the location that ships;
        without it the first one with enough units does, or several together."""
        wanted = [part for remote_key, units in items for part in self._allocate(remote_key, units, storefront)]
        name, street, city, province, code, phone = self.rng.choice(BUYERS)
        address = {
            "name": name,
            "phone": phone,
            "address1": street,
            "address2": "",
            "city": city,
            "province": province,
            "zip": code,
            "countryCodeV2": "ID",
        }
        gateway = COD_GATEWAY if cod else CARD_GATEWAY if paid else BANK_GATEWAY
        financial = "PAID" if paid and not cod else "PENDING"
        email = f"{name.split()[0].lower()}@example.test"
        order = self.shop.place(wanted, gateway=gateway, financial=financial, address=address, email=email)
        bought = self.shop.bought(order)
        self.record(Event.ORDER_PLACED, order_id=str(order.id), items=bought, paid=paid and not cod, cod=cod)
        return str(order.id)

    def _allocate(self, remote_key: str, units: int, location: str) -> list[tuple[Item, str, int]]:
        item = self._item(remote_key)
        levels = {place: level.available for place, level in item.levels.items() if location in ("", place)}
        if not item.tracked:
            return [(item, next(iter(levels)), units)]
        if sum(max(level, 0) for level in levels.values()) < units:
            shown = sum(levels.values())
            self.record(Event.SOLD_OUT, remote_key=item.key, seller_sku=item.sku, wanted=units, shown=shown)
            raise SoldOut(f"{item.sku}: {units} wanted, {shown} left")
        for place, level in levels.items():
            if level >= units:
                return [(item, place, units)]
        parts = []
        for place, level in levels.items():
            taken = min(units, max(level, 0))
            if taken:
                parts.append((item, place, taken))
                units -= taken
        return parts

    def order_of(self, order_id: str) -> ShopOrder:
        """The order itself, for tests that change what the shop says about it; `touch` it afterwards."""
        return self.shop.orders[int(order_id)]

    @_locked
    def touch(self, order_id: str) -> None:
        """Something about the order changed."""
        self.shop.touch(self.order_of(order_id))

    @_locked
    def pay(self, order_id: str) -> None:
        """The gateway or the seller confirms the money."""
        order = self.order_of(order_id)
        if order.financial != "PENDING" or order.cancelled_s is not None:
            raise ValueError(f"order {order_id} is {order.financial}")
        self.record(Event.ORDER_PAID, order_id=order_id)
        self.shop.pay(order)

    @_locked
    def cancel(self, order_id: str, *, by: str = "buyer", items: Sequence[tuple[str, int]] | None = None) -> None:
        """The whole order, or some units of it that are not fulfilled yet; restocked as the switch says."""
        order = self.order_of(order_id)
        if order.cancelled_s is not None or order.fulfilments:
            raise ValueError(f"order {order_id} cannot be cancelled")
        restock = bool(self.switches["cancel_restocks"])
        if items is None:
            self.record(Event.ORDER_CANCELLED, order_id=order_id, items=self.shop.bought(order), by=by)
            kept = self.switches["cancelled_quantities"] == "kept"
            self.shop.cancel(order, reason="CUSTOMER", restock=restock, keep_quantities=kept)
            return
        rows = [(remote_key, self._item(remote_key).sku, units) for remote_key, units in items]
        self.record(Event.ORDER_CANCELLED, order_id=order_id, items=rows, by=by)
        for remote_key, units in items:
            self.shop.remove(order, self._item(remote_key), units, restock=restock)

    @_locked
    def hold(self, order_id: str, status: str = "ON_HOLD") -> None:
        """Staff or an app hold the order back; "OPEN" releases it."""
        order = self.order_of(order_id)
        for work in order.work:
            work.status = status
        self.shop.touch(order)

    @_locked
    def hand_over(self, parcel_id: str) -> None:
        """`parcel_id` is the order id: staff give the goods to the courier; what is not marked as fulfilled yet is."""
        order = self.order_of(parcel_id)
        self.record(Event.HANDED_OVER, parcel_id=parcel_id, order_id=parcel_id)
        waiting = [work for work in order.work if work.status in ("OPEN", "IN_PROGRESS")]
        if waiting:
            self.shop.fulfil(order, waiting)

    @_locked
    def deliver(self, parcel_id: str) -> None:
        """The carrier reports the delivery."""
        order = self.order_of(parcel_id)
        self.record(Event.DELIVERED, parcel_id=parcel_id, order_id=parcel_id)
        for fulfilment in order.fulfilments:
            fulfilment.display = "DELIVERED"
        self.shop.touch(order)

    def shown_waybills(self, order_id: str) -> list[str]:
        return [number for number, _, _ in self.waybills(order_id) if number]

    def waybill_mails(self, order_id: str) -> list[str]:
        """One shipping confirmation a fulfilment, where one was asked for."""
        return [number for number, _, mailed in self.waybills(order_id) if mailed]

    @_locked
    def waybills(self, order_id: str) -> list[tuple[str, str, bool]]:
        """(number, company, was the buyer mailed) of each fulfilment, oldest first."""
        return [(done.number, done.company, done.notified) for done in self.order_of(order_id).fulfilments]


def _page(status: int) -> Refusal:
    page = "<!DOCTYPE html><html><body>Not found</body></html>"
    return Refusal(str(status), httpx.Response(status, headers={"content-type": "text/html"}, text=page))


def _oauth(code: str, text: str) -> Refusal:
    return Refusal(code, httpx.Response(400, json={"error": code, "error_description": text}))
