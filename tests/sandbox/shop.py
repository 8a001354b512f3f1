"""A marketplace of a few lines: what the tests of the sandbox put behind sockets, sell from and judge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from sellersync.sandbox.kit import Event, MarketplaceSimulator, Product, Refusal, SoldOut


@dataclass
class _Order:
    items: list[tuple[str, int]]
    paid: bool
    cod: bool
    cancelled: dict[str, int] = field(default_factory=dict)


class TinyShop(MarketplaceSimulator):
    """Orders lower the number at once, cancellations give it back. `POST /level` sets a number, every other path echoes."""

    provider = "tiny"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._products: list[Product] = []
        self._orders: dict[str, _Order] = {}
        self._parcels: dict[str, tuple[str, bool]] = {}
        self.seen: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if request.url.path == "/forbidden":
            raise Refusal("no_entry", httpx.Response(403, json={"code": "no_entry"}))
        if request.url.path == "/bug":
            raise RuntimeError("a bug of the simulator")
        if request.url.path == "/level":
            body = json.loads(request.content)
            self.set_level(body["key"], body["level"])
            return httpx.Response(200, json={"ok": True})
        return httpx.Response(200, json={"path": request.url.raw_path.decode(), "body": request.content.decode()})

    def set_level(self, remote_key: str, level: int) -> None:
        product = self._product(remote_key)
        before, product.shown[""] = product.shown[""], level
        self._record_level(Event.LEVEL_SET, product, before)

    def add_product(
        self, seller_sku: str, title: str, *, price: int, stock: int, weight_g: int = 250, **extra: Any
    ) -> Product:
        product = Product(f"k-{seller_sku}", seller_sku, title, price, weight_g, {"": stock}, extra=extra)
        self._products.append(product)
        return product

    def products(self) -> Sequence[Product]:
        return tuple(self._products)

    def place_order(
        self, items: Sequence[tuple[str, int]], *, paid: bool = True, cod: bool = False, storefront: str = ""
    ) -> str:
        for key, quantity in items:
            product = self._product(key)
            if product.shown[""] < quantity:
                self.record(
                    Event.SOLD_OUT,
                    remote_key=key,
                    seller_sku=product.seller_sku,
                    wanted=quantity,
                    shown=product.shown[""],
                )
                raise SoldOut(key)
        order_id = f"o{len(self._orders) + 1}"
        self._orders[order_id] = _Order(list(items), paid, cod)
        self.record(Event.ORDER_PLACED, order_id=order_id, items=self._named(items), paid=paid, cod=cod)
        for key, quantity in items:
            self._change(key, -quantity)
        return order_id

    def pay(self, order_id: str) -> None:
        self._orders[order_id].paid = True
        self.record(Event.ORDER_PAID, order_id=order_id)

    def cancel(self, order_id: str, *, by: str = "buyer", items: Sequence[tuple[str, int]] | None = None) -> None:
        order = self._orders[order_id]
        gone = list(items) if items is not None else order.items
        self.record(Event.ORDER_CANCELLED, order_id=order_id, items=self._named(gone), by=by)
        for key, quantity in gone:
            order.cancelled[key] = order.cancelled.get(key, 0) + quantity
            self._change(key, quantity)

    def arrange(self, order_id: str, items: Sequence[tuple[str, int]] | None = None) -> str:
        """What the seller's arrange call would do."""
        parcel_id = f"p{len(self._parcels) + 1}"
        waybill = f"WB{len(self._parcels) + 1}"
        self._parcels[parcel_id] = (order_id, False)
        named = self._named(items if items is not None else self._orders[order_id].items)
        self.record(Event.PARCEL_ARRANGED, parcel_id=parcel_id, order_id=order_id, items=named, waybill=waybill)
        return parcel_id

    def arranged_parcels(self) -> list[str]:
        return [parcel_id for parcel_id, (_, gone) in self._parcels.items() if not gone]

    def hand_over(self, parcel_id: str) -> None:
        order_id, _ = self._parcels[parcel_id]
        self._parcels[parcel_id] = (order_id, True)
        self.record(Event.HANDED_OVER, parcel_id=parcel_id, order_id=order_id)

    def deliver(self, parcel_id: str) -> None:
        self.record(Event.DELIVERED, parcel_id=parcel_id, order_id=self._parcels[parcel_id][0])

    def shown(self, remote_key: str, location: str = "") -> int:
        return self._product(remote_key).shown[location]

    def _product(self, remote_key: str) -> Product:
        return next(product for product in self._products if product.remote_key == remote_key)

    def _named(self, items: Sequence[tuple[str, int]]) -> list[tuple[str, str, int]]:
        return [(key, self._product(key).seller_sku, quantity) for key, quantity in items]

    def _change(self, remote_key: str, by: int) -> None:
        product = self._product(remote_key)
        before = product.shown[""]
        product.shown[""] = before + by
        self._record_level(Event.SHOWN_CHANGED, product, before)

    def _record_level(self, event: Event, product: Product, before: int) -> None:
        self.record(
            event,
            remote_key=product.remote_key,
            location="",
            seller_sku=product.seller_sku,
            level=product.shown[""],
            before=before,
        )
