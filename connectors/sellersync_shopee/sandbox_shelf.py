"""The simulated shop's shelf: what is listed, the numbers that buyers see, promotion pots; and the records of orders and parcels.

Written from the provider's documentation alone. Every undocumented fact that can move stock, a token or a booking is a switch.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sellersync.sandbox.kit import Event, MarketplaceSimulator, Product, SoldOut


@dataclass(slots=True, eq=False)
class SimLine:
    """One line: `taken` units lowered the number at `location`, of which `from_pot` came from the promotion pot."""

    product: Product
    quantity: int
    order_item_id: int
    line_item_id: int
    location: str
    taken: int = 0
    from_pot: int = 0
    cancelled: int = 0
    cancel_requested: int = 0

    @property
    def active(self) -> int:
        return self.quantity - self.cancelled


@dataclass(slots=True, eq=False)
class SimPackage:
    number: str
    order_sn: str
    units: dict[int, int]
    """Index of the line -> units."""
    status: str
    updated: int
    arranged_at: float | None = None
    visible_at: float = 0.0
    waybill: str = ""
    choice: dict[str, Any] = field(default_factory=dict)
    picked_up_at: int = 0
    documents: dict[str, float] = field(default_factory=dict)
    """Document type -> moment its task was created."""


@dataclass(slots=True, eq=False)
class SimOrder:
    sn: str
    created: int
    updated: int
    changed_at: float
    status: str
    cod: bool
    lines: list[SimLine]
    packages: list[SimPackage]
    paid_at: int = 0
    cancel_by: str = ""
    cancel_reason: str = ""
    before_cancel: str = ""
    pending_terms: list[str] = field(default_factory=list)
    advance: bool = False
    fulfillment_flag: str = "fulfilled_by_local_seller"
    split_up: bool = False


@dataclass(slots=True, eq=False)
class SimReturn:
    sn: str
    order_sn: str
    units: list[tuple[SimLine, int]]
    status: str
    created: int
    updated: int
    refund_only: bool
    tracking: str = ""


class Shelf(MarketplaceSimulator):
    """Products and their numbers.

    `add_product(..., item="name", variation="text")` makes a variation of the item called `name`; without them the item has none.
    `locations` may be set before products are added, for a shop with several; then orders come from the first that has enough.
    """

    provider = "shopee"
    OMITS_WHEN_EMPTY = frozenset({"escrow_list"})  # (unconfirmed)
    SWITCHES: Mapping[str, Sequence[Any]] = {
        "unpaid_leaves_number": (True, False),
        "cancel_gives_back": (True, False),
        "reserved_stock": ("inside", "outside"),
        "stock_failure": ("failure_list", "whole_call"),
        "purchased_after_partial_cancel": ("kept", "reduced"),
        "detail_batch_one_bad": ("fails", "omits"),
        "old_refresh_token": ("dead", "works_once"),
        "booking_read_lag_s": (0, 1200),
        "tracking_in_package_detail": (True, False),
        "list_order": ("ascending", "descending"),
        "returns_first_page": ("0", "1_refuses_0", "1_empty_0", "1_same_0"),
        "refused_status": (403, 200),
        "escrow_window_s_max": (15 * 86_400, 6 * 3_600),
        "escrow_batch_rows": ("wrapped", "plain"),
        "shipping_in_escrow": ("rows", "one_sum"),
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.locations: tuple[str, ...] = ()
        self.listed: dict[str, Product] = {}
        self.items: dict[int, list[Product]] = {}
        self._item_names: dict[str, int] = {}
        self._counter = 0

    # -- products

    def add_product(
        self, seller_sku: str, title: str, *, price: int, stock: int, weight_g: int = 250, **extra: Any
    ) -> Product:
        with self.lock:
            name, variation = str(extra.pop("item", "")), str(extra.pop("variation", ""))
            item_id = self._item_names.get(name) if name else None
            if item_id is None:
                item_id = 24_000_011_000 + self._next()
                if name:
                    self._item_names[name] = item_id
            model_id = 150_000_222_000 + self._next() if name else 0
            shown = dict.fromkeys(self.locations or ("",), 0)
            shown[next(iter(shown))] = stock
            product = Product(f"{item_id}:{model_id}", seller_sku, title, price, weight_g, shown)
            product.extra = {"item_id": item_id, "model_id": model_id, "variation": variation, "reserved": 0, **extra}
            product.extra["updated"] = self.now_s()
            self.listed[product.remote_key] = product
            self.items.setdefault(item_id, []).append(product)
            return product

    def products(self) -> Sequence[Product]:
        return list(self.listed.values())

    def shown(self, remote_key: str, location: str = "") -> int:
        with self.lock:
            numbers = self.listed[remote_key].shown
            return numbers[location] if location or not self.locations else sum(numbers.values())

    def start_promotion(self, remote_key: str, units: int) -> None:
        """Reserve units for a promotion: inside the number, or moved out of it (switch `reserved_stock`)."""
        with self.lock:
            product = self.listed[remote_key]
            product.extra["reserved"] += units
            if self.switches["reserved_stock"] == "outside":
                self._move_number(product, next(iter(product.shown)), -units)

    def end_promotion(self, remote_key: str) -> None:
        """What is left of the pot goes back."""
        with self.lock:
            product = self.listed[remote_key]
            units, product.extra["reserved"] = product.extra["reserved"], 0
            if self.switches["reserved_stock"] == "outside":
                self._move_number(product, next(iter(product.shown)), units)

    def lock_stock(self, remote_key: str, *, locked: bool = True) -> None:
        """A promotion that forbids any change of the number."""
        with self.lock:
            self.listed[remote_key].extra["locked"] = locked

    # -- inside

    def _next(self) -> int:
        self._counter += 1
        return self._counter

    def _text(self, length: int) -> str:
        return "".join(self.rng.choices(string.ascii_uppercase + string.digits, k=length))

    def _sellable(self, product: Product) -> int:
        pot = product.extra["reserved"] if self.switches["reserved_stock"] == "outside" else 0
        return sum(product.shown.values()) + int(pot)

    def _turn_away(self, items: Sequence[tuple[str, int]]) -> None:
        wanted: dict[str, int] = {}
        for key, quantity in items:
            wanted[key] = wanted.get(key, 0) + quantity
        for key, quantity in wanted.items():
            product = self.listed[key]
            sellable = self._sellable(product)
            if quantity > sellable or not product.active:
                self.record(
                    Event.SOLD_OUT, remote_key=key, seller_sku=product.seller_sku, wanted=quantity, shown=sellable
                )
                raise SoldOut(f"{key} shows {sellable}, a buyer wanted {quantity}")

    def _place_for(self, product: Product, quantity: int) -> str:
        return next((place for place, number in product.shown.items() if number >= quantity), next(iter(product.shown)))

    def _take(self, lines: Sequence[SimLine]) -> None:
        """Lower pot and number for sold units. A number never falls below zero: the rest is sold out of nothing."""
        for line in lines:
            extra = line.product.extra
            line.from_pot = min(extra["reserved"], line.active)
            extra["reserved"] -= line.from_pot
            outside = line.from_pot if self.switches["reserved_stock"] == "outside" else 0
            from_number = min(line.active - outside, line.product.shown[line.location])
            line.taken = from_number + outside
            self._move_number(line.product, line.location, -from_number)

    def _give_back(self, line: SimLine, units: int) -> None:
        units = min(units, line.taken)
        line.taken -= units
        to_pot = min(units, line.from_pot)
        line.from_pot -= to_pot
        line.product.extra["reserved"] += to_pot
        outside = self.switches["reserved_stock"] == "outside"
        self._move_number(line.product, line.location, units - (to_pot if outside else 0))

    def _move_number(self, product: Product, location: str, change: int) -> None:
        before = product.shown[location]
        after = max(0, before + change)
        if after == before:
            return
        product.shown[location] = after
        self.record(
            Event.SHOWN_CHANGED,
            remote_key=product.remote_key,
            location=location,
            seller_sku=product.seller_sku,
            level=after,
            before=before,
        )
