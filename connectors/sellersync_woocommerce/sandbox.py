"""A WooCommerce shop in memory, as strict as the real one: the judge of tests and of the demo.

Written from the wire contract (measured on WooCommerce 10.0.2, WordPress 6.8.8) and never from the connector. `remote_key` is
"<product id>" or "<product id>:<variation id>"; a variation that inherits its parent's number is bought by its own key, and its
number is journalled under the parent's.

What buyers can take is `stock_quantity` minus the holds of unpaid checkouts; the REST number does not subtract them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from random import Random
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import httpx

from sellersync.sandbox.kit import Event, MarketplaceSimulator, Product, SoldOut

from .sandbox_auth import Doorman, Key, json_refusal
from .sandbox_grant import Grants
from .sandbox_rest import Rest
from .sandbox_rest_products import PREFIX
from .sandbox_rows import Item, ShopOrder
from .sandbox_shop import Shop

BUYERS = (
    ("Siti", "Rahma", "Jl. Melati 5", "RT 02/RW 03", "Bandung", "JB", "40115", "081200000001"),
    ("Budi", "Santoso", "Jl. Kenanga 9", "", "Surabaya", "JI", "60241", "081200000002"),
    ("Dewi", "Lestari", "Jl. Anggrek 12", "", "Jakarta Selatan", "JK", "12430", "081200000003"),
)
SHIPPING_FEE = 18000
F = TypeVar("F", bound=Callable[..., Any])


def _locked(act: F) -> F:
    """Buyers and requests come in threads of their own: what one act changes is journalled together."""

    @wraps(act)
    def locked(self: WooCommerceSandbox, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return act(self, *args, **kwargs)

    return cast(F, locked)


class WooCommerceSandbox(MarketplaceSimulator):
    """See the module. `hold_minutes`, `visibility_delay_s`, `checkout` and `home` may be tuned."""

    provider = "woocommerce"
    SWITCHES: Mapping[str, Sequence[Any]] = {
        "tie_break": (False, True),  # releases after 10.0.2 order rows of one second by id
        "cancels_store_api": (False, True),  # releases after 10.0.2 also cancel unpaid block-checkout orders
        "inheriting_batch_push": ("ignored", "taken"),  # a batch row for a variation on its parent's stock (not tried)
    }

    def __init__(self, *, clock: Callable[[], float], rng: Random, switches: Mapping[str, Any] | None = None) -> None:
        super().__init__(clock=clock, rng=rng, switches=switches)
        self.shop = Shop(clock=clock, rng=rng, record=self.record, cancels_store_api=self.switches["cancels_store_api"])
        self.rest = Rest(self.shop, self.switches)
        self.key = Key(f"ck_{rng.getrandbits(160):040x}", f"cs_{rng.getrandbits(160):040x}")
        self.doorman = Doorman([self.key])
        self.grants = Grants(self.doorman.keys, rng)
        self.checkout = "checkout"
        """Which checkout buyers use: `checkout` (classic) or `store-api` (blocks)."""
        self._parents: dict[str, Item] = {}

    # -- what tests tune

    @property
    def home(self) -> str:
        """What the shop believes its own address is; signatures are checked against it."""
        return self.rest.home

    @home.setter
    def home(self, address: str) -> None:
        self.rest.home = address.rstrip("/")
        for order in self.shop.orders.values():
            order.rendered.clear()

    @property
    def hold_minutes(self) -> int:
        return self.shop.hold_minutes

    @hold_minutes.setter
    def hold_minutes(self, minutes: int) -> None:
        self.shop.hold_minutes = minutes

    @property
    def visibility_delay_s(self) -> float:
        return self.rest.visibility_delay_s

    @visibility_delay_s.setter
    def visibility_delay_s(self, seconds: float) -> None:
        self.rest.visibility_delay_s = seconds

    def configuration(self, base_url: str) -> dict[str, Any]:
        self.home = base_url
        return {
            "base_url": base_url,
            "remote_shop_id": base_url,
            "consumer_key": self.key.consumer_key,
            "consumer_secret": self.key.consumer_secret,
        }

    # -- the wire

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.shop.run_cron()
        path = request.url.path
        method = request.method
        if path in ("/wp-json", "/wp-json/") and method == "GET":
            return self.rest.index()
        if not path.startswith("/wp-json/"):
            page = "<!DOCTYPE html><html><body>Page not found</body></html>"
            return httpx.Response(404, headers={"content-type": "text/html; charset=UTF-8"}, text=page)
        query = parse_qsl(request.url.query.decode(), keep_blank_values=True)
        key = None
        if path.startswith("/wp-json/wc/"):  # keys are looked at only on such addresses
            key = self.doorman.authenticate(request, query, home=self.home, now_s=self.now_s())
        if not path.startswith(PREFIX):
            raise json_refusal(
                404, "rest_no_route", "No route was found matching the URL and request method.", self.home
            )
        if method == "POST":
            method = dict(query).get("_method", "POST").upper()
        below = path.removeprefix(PREFIX).rstrip("/")
        handler, ids = self.rest.route(method, below)
        body = self.rest.body(request) if method in ("POST", "PUT", "PATCH") else {}
        if key is None:
            raise self.rest.refuse_stranger(method, below)
        return handler(query, body, *ids)

    # -- products

    @_locked
    def add_product(
        self, seller_sku: str, title: str, *, price: int, stock: int, weight_g: int = 250, **extra: Any
    ) -> Product:
        """A listing. Extra: `parent` and `option` make it a variation ("Kaos Batik", "M"); `inherits=True` leaves the number to the
        parent, which then shows `stock`; `managed=False` keeps no number at all; `backorders` as the shop words it."""
        parent_name, option = str(extra.pop("parent", "")), str(extra.pop("option", ""))
        inherits, managed = bool(extra.pop("inherits", False)), bool(extra.pop("managed", True))
        backorders = str(extra.pop("backorders", "no"))
        if extra:
            raise ValueError(f"woocommerce: unknown product options {sorted(extra)}")
        parent = self._parent(parent_name, price) if parent_name else None
        if parent is not None and inherits and not parent.manage:
            parent.manage, parent.stock = True, stock
        own = managed and not inherits
        item = self.shop.add_item(
            type="variation" if parent else "simple",
            name=option if parent else title,
            sku=seller_sku,
            price=price,
            weight=str(weight_g),
            manage=own,
            stock=stock if own else None,
            parent_id=parent.id if parent else 0,
            option=option,
            backorders=backorders,
        )
        number = self.shop.number(item)
        item.listing = Product(item.key, seller_sku, title, price, weight_g, {} if number is None else {"": number})
        self.shop.listings.append(item)
        return item.listing

    def _parent(self, name: str, price: int) -> Item:
        if name not in self._parents:
            self._parents[name] = self.shop.add_item(
                type="variable", name=name, sku="", price=price, weight="", manage=False, stock=None
            )
        return self._parents[name]

    @_locked
    def products(self) -> Sequence[Product]:
        return [item.listing for item in self.shop.listings if item.listing is not None]

    @_locked
    def shown(self, remote_key: str, location: str = "") -> int:
        """`stock_quantity`, as the REST interface tells it."""
        return self.shop.number(self._item(remote_key)) or 0

    @_locked
    def buyable(self, remote_key: str) -> int:
        """What a buyer can put through the checkout now: the number minus the holds of other unpaid checkouts."""
        owner = self.shop.stock_item(self._item(remote_key))
        if owner is None:
            return 1_000_000
        return (owner.stock or 0) - self.shop.held(owner)

    @_locked
    def edit_stock(self, remote_key: str, level: int) -> None:
        """A person changes the number in the back office."""
        owner = self.shop.stock_item(self._item(remote_key))
        if owner is None:
            raise ValueError(f"{remote_key} keeps no stock")
        self.shop.push_stock(owner, level)

    def _item(self, remote_key: str) -> Item:
        return self.shop.items[int(remote_key.rpartition(":")[2])]

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
        """`paid`: `processing` with a payment date; `cod`: `processing` without one; else `pending`, holding its units.

        `storefront` names another way in than `checkout`: `store-api`, `admin` or `rest-api` (the last two neither check nor hold).
        """
        via = storefront or self.checkout
        self.shop.run_cron()
        if via in ("checkout", "store-api"):
            self._turn_away(items)
        payment = ("cod", "COD") if cod else ("midtrans", "Midtrans")
        order = self._order(items, via, payment)
        self._placed(order, paid=paid and not cod, cod=cod)
        if cod:
            self.shop.transition(order, "processing")
        elif paid:
            self.shop.pay(order, f"MT-{order.id}")
        elif via in ("checkout", "store-api"):
            self.shop.hold_checkout(order)
        return str(order.id)

    @_locked
    def place_bank_transfer(self, items: Sequence[tuple[str, int]]) -> str:
        """A buyer chooses bank transfer: `on-hold`, stock reduced, not paid."""
        self.shop.run_cron()
        self._turn_away(items)
        order = self._order(items, self.checkout, ("bacs", "Transfer bank"))
        self._placed(order, paid=False, cod=False)
        self.shop.transition(order, "on-hold")
        return str(order.id)

    @_locked
    def start_checkout(self, items: Sequence[tuple[str, int]]) -> str:
        """A basket on the checkout page: a `checkout-draft` that is no order yet and keeps nothing from anybody."""
        order = self._order(items, "store-api", ("", ""))
        self.shop.transition(order, "checkout-draft")
        return str(order.id)

    def _turn_away(self, items: Sequence[tuple[str, int]]) -> None:
        wanted: dict[int, tuple[Item, str, int]] = {}
        for remote_key, quantity in items:
            item = self._item(remote_key)
            owner = self.shop.stock_item(item)
            if owner is not None and owner.backorders == "no":
                before = wanted.get(owner.id, (item, remote_key, 0))[2]
                wanted[owner.id] = (item, remote_key, before + quantity)
        for item, remote_key, quantity in wanted.values():
            free = self.buyable(remote_key)
            if free < quantity:
                self.record(Event.SOLD_OUT, remote_key=remote_key, seller_sku=item.sku, wanted=quantity, shown=free)
                raise SoldOut(f"{item.sku}: {quantity} wanted, {free} left")

    def _order(self, items: Sequence[tuple[str, int]], via: str, payment: tuple[str, str]) -> ShopOrder:
        first, last, street, extra, city, state, postcode, phone = self.rng.choice(BUYERS)
        shipping = {
            "first_name": first,
            "last_name": last,
            "company": "",
            "address_1": street,
            "address_2": extra,
            "city": city,
            "state": state,
            "postcode": postcode,
            "country": "ID",
            "phone": phone,
        }
        billing = {**shipping, "email": f"{first.lower()}@example.test"}
        return self.shop.create_order(
            [(self._item(remote_key), quantity) for remote_key, quantity in items],
            created_via=via,
            payment=payment,
            billing=billing,
            shipping=shipping,
            shipping_total=SHIPPING_FEE,
            shipping_title="JNE REG",
        )

    def _placed(self, order: ShopOrder, *, paid: bool, cod: bool) -> None:
        self.record(Event.ORDER_PLACED, order_id=str(order.id), items=self.shop.bought(order), paid=paid, cod=cod)

    def _known(self, order_id: str) -> ShopOrder:
        self.shop.run_cron()
        return self.shop.orders[int(order_id)]

    @_locked
    def pay(self, order_id: str) -> None:
        """The gateway or the seller confirms the money of a `pending`, `on-hold` or `failed` order; stock is reduced without looking."""
        order = self._known(order_id)
        if order.status not in ("pending", "on-hold", "failed"):
            raise ValueError(f"order {order_id} is {order.status}")
        self.record(Event.ORDER_PAID, order_id=order_id)
        self.shop.pay(order, f"MT-{order.id}")

    @_locked
    def fail(self, order_id: str) -> None:
        """The payment is declined: nothing is given back, whatever went before."""
        self.shop.transition(self._known(order_id), "failed")

    @_locked
    def cancel(self, order_id: str, *, by: str = "buyer", items: Sequence[tuple[str, int]] | None = None) -> None:
        """The whole order: `cancelled`. Some units of a paid order: a refund of those with restock; of an unpaid one: edited lines."""
        order = self._known(order_id)
        if order.status not in ("pending", "on-hold", "processing"):
            raise ValueError(f"order {order_id} is {order.status} and cannot be cancelled")
        if items is None:
            self.record(Event.ORDER_CANCELLED, order_id=order_id, items=self.shop.bought(order), by=by)
            self.shop.transition(order, "cancelled")
        elif order.paid_s is not None:
            self.refund(order_id, items, by=by)
        else:
            self._journal_partial(order_id, items, by)
            for remote_key, quantity in items:
                line = next(line for line in order.lines if line.item_id == self._item(remote_key).id)
                self.shop.change_quantity(order, line, line.quantity - quantity)

    @_locked
    def refund(
        self, order_id: str, items: Sequence[tuple[str, int]], *, by: str = "seller", restock: bool = True
    ) -> None:
        """Give money back for some units; the order's status and line quantities stay as they are."""
        order = self._known(order_id)
        lines = []
        for remote_key, quantity in items:
            line = next(line for line in order.lines if line.item_id == self._item(remote_key).id)
            lines.append((line, quantity, line.total // line.quantity * quantity))
        self._journal_partial(order_id, items, by)
        self.shop.refund(order, sum(money for _, _, money in lines), lines, reason=by, restock=restock)

    @_locked
    def refund_money(self, order_id: str, amount: int) -> None:
        """Give money back for no units: restocks nothing; the whole sum makes the order `refunded`."""
        self.shop.refund(self._known(order_id), amount, [], reason="", restock=False)

    def _journal_partial(self, order_id: str, items: Sequence[tuple[str, int]], by: str) -> None:
        rows = [(remote_key, self._item(remote_key).sku, quantity) for remote_key, quantity in items]
        self.record(Event.ORDER_CANCELLED, order_id=order_id, items=rows, by=by)

    @_locked
    def set_status(self, order_id: str, status: str, *, name: str = "") -> None:
        """Staff or a plugin move an order; a new slug becomes known to the shop under `name`."""
        if status not in self.shop.statuses():
            self.shop.custom_statuses[status] = name or status.capitalize()
        self.shop.transition(self._known(order_id), status)

    @_locked
    def trash(self, order_id: str) -> None:
        """The bin."""
        self.shop.trash(self._known(order_id))

    @_locked
    def delete(self, order_id: str) -> None:
        """Gone for good."""
        self.shop.delete_order(self._known(order_id))

    @_locked
    def shown_waybills(self, order_id: str) -> list[str]:
        """What stands in the order's meta."""
        return [str(row["value"]) for row in self._known(order_id).meta if row["key"] == "_sellersync_waybill"]

    def waybill_mails(self, order_id: str) -> list[str]:
        """Notes to the customer; the shop mails each."""
        return self.customer_notes(order_id)

    @_locked
    def customer_notes(self, order_id: str) -> list[str]:
        """What the buyer was mailed, oldest first."""
        return [note.text for note in self._known(order_id).notes if note.customer]

    @_locked
    def hand_over(self, parcel_id: str) -> None:
        """`parcel_id` is the order id: staff give the goods to the courier and complete the order."""
        self.record(Event.HANDED_OVER, parcel_id=parcel_id, order_id=parcel_id)
        self.shop.transition(self._known(parcel_id), "completed")

    @_locked
    def deliver(self, parcel_id: str) -> None:
        """The shop itself learns nothing of it."""
        self.record(Event.DELIVERED, parcel_id=parcel_id, order_id=parcel_id)
