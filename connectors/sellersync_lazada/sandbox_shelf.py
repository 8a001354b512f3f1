"""The shelf of the simulated marketplace: products and the numbers that buyers see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from sellersync.sandbox.kit import Event, MarketplaceSimulator, Product, SoldOut

from .sandbox_state import SWITCHES, Item


class LazadaShelf(MarketplaceSimulator):
    """Products with a sellable number; ordered units are withheld until paid, then occupied until ready to ship, and
    total = sellable + withheld + occupied. Remote keys are `<item_id>:<sku_id>`."""

    provider = "lazada"
    SWITCHES = SWITCHES

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        rng: Random,
        switches: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(clock=clock, rng=rng, switches=switches)
        self._products: dict[str, Product] = {}
        self._counter = 0

    def tick(self) -> None:
        """Let everything happen that is due by now."""

    def add_product(
        self, seller_sku: str, title: str, *, price: int, stock: int, weight_g: int = 250, **extra: Any
    ) -> Product:
        """Extras: `variant_of` (remote key of another SKU of the same item), `fbl`, `digital`, `own_fleet`, `provider_type`,
        `status`, `warehouse_code`, `drop_shop_sku` (item rows lack shop_sku)."""
        with self.lock:
            self._counter += 1
            other = extra.get("variant_of", "")
            item_id = int(other.partition(":")[0]) if other else 7_000_000_000 + self._counter
            product = Product(
                remote_key=f"{item_id}:{13_000_000_000 + self._counter}",
                seller_sku=seller_sku,
                title=title,
                price=price,
                weight_g=weight_g,
                shown={"": stock},
                extra={"withhold": 0, "occupy": 0, "pot": 0, "campaign_period": False, **extra},
            )
            self._products[product.remote_key] = product
            return product

    def products(self) -> Sequence[Product]:
        return list(self._products.values())

    def product(self, remote_key: str) -> Product | None:
        return self._products.get(remote_key)

    def shown(self, remote_key: str, location: str = "") -> int:
        with self.lock:
            self.tick()
            return self._products[remote_key].shown[location]

    def set_campaign(self, remote_key: str, *, units: int = 0, no_lowering: bool = False) -> None:
        """Lock `units` for a campaign (see the switch `pot`) and, with `no_lowering`, forbid lower numbers while it runs."""
        with self.lock:
            self._products[remote_key].extra.update(pot=units, campaign_period=no_lowering)

    def set_level(self, product: Product, level: int) -> None:
        """A level that the API accepted."""
        before, product.shown[""] = product.shown[""], level
        self.record(
            Event.LEVEL_SET,
            remote_key=product.remote_key,
            location="",
            seller_sku=product.seller_sku,
            level=level,
            before=before,
        )

    def _change_shown(self, product: Product, level: int) -> None:
        before, product.shown[""] = product.shown[""], level
        if level != before:
            self.record(
                Event.SHOWN_CHANGED,
                remote_key=product.remote_key,
                location="",
                seller_sku=product.seller_sku,
                level=level,
                before=before,
            )

    def _check_stock(self, items: Sequence[tuple[str, int]]) -> None:
        wanted: dict[str, int] = {}
        for remote_key, quantity in items:
            wanted[remote_key] = wanted.get(remote_key, 0) + quantity
        for remote_key, quantity in wanted.items():
            product = self._products[remote_key]
            pot = int(product.extra["pot"]) if self.switches["pot"] == "outside" else 0
            if product.shown[""] + pot < quantity:
                self.record(
                    Event.SOLD_OUT,
                    remote_key=remote_key,
                    seller_sku=product.seller_sku,
                    wanted=quantity,
                    shown=product.shown[""],
                )
                raise SoldOut(f"{product.seller_sku}: {quantity} wanted, {product.shown['']} shown")

    def _take(self, items: Sequence[Item]) -> None:
        """Withhold units: from the campaign's pot where it lies beside the number, else from the number."""
        taken: dict[str, int] = {}
        for item in items:
            extra = item.product.extra
            item.withheld = True
            extra["withhold"] += 1
            if self.switches["pot"] == "outside" and extra["pot"] > 0:
                item.from_pot = True
                extra["pot"] -= 1
            else:
                taken[item.product.remote_key] = taken.get(item.product.remote_key, 0) + 1
        for remote_key, quantity in taken.items():
            product = self._products[remote_key]
            self._change_shown(product, max(0, product.shown[""] - quantity))

    def _occupy(self, item: Item) -> None:
        item.occupied = True
        item.product.extra["withhold"] -= 1
        item.product.extra["occupy"] += 1
