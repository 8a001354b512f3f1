"""The shelf of the simulated marketplace: products and the numbers that buyers see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from sellersync.sandbox.kit import Event, MarketplaceSimulator, Product, SoldOut

from .sandbox_state import DEFAULT_WAREHOUSE, SWITCHES, Item


class LazadaShelf(MarketplaceSimulator):
    """Products with a sellable number, or one for each warehouse of a shop with several; ordered units are withheld until paid, then
    occupied until ready to ship, and total = sellable + withheld + occupied. Remote keys are `<item_id>:<sku_id>`."""

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
        self.warehouses = [DEFAULT_WAREHOUSE]
        self._products: dict[str, Product] = {}
        self._counter = 0

    def tick(self) -> None:
        """Let everything happen that is due by now."""

    def add_warehouse(self) -> str:
        """A further warehouse; gives its code. Call it before the first product: with two, every number belongs to a warehouse."""
        if self._products:
            raise ValueError("add warehouses before products")
        self.warehouses.append(f"ID1AB2C-WH-{10_001 + len(self.warehouses)}")
        return self.warehouses[-1]

    def add_product(
        self, seller_sku: str, title: str, *, price: int, stock: int, weight_g: int = 250, **extra: Any
    ) -> Product:
        """Extras: `variant_of` (remote key of another SKU of the same item), `fbl`, `digital`, `own_fleet`, `provider_type`,
        `status`, `warehouse_code`, `drop_shop_sku` (item rows lack shop_sku). In a shop with several warehouses `stock` lies in the
        first one, unless `shown={code: units}` says where."""
        with self.lock:
            self._counter += 1
            other = extra.get("variant_of", "")
            item_id = int(other.partition(":")[0]) if other else 7_000_000_000 + self._counter
            shown = extra.pop("shown", None) or {self.warehouses[0] if len(self.warehouses) > 1 else "": stock}
            product = Product(
                remote_key=f"{item_id}:{13_000_000_000 + self._counter}",
                seller_sku=seller_sku,
                title=title,
                price=price,
                weight_g=weight_g,
                shown=shown,
                extra={
                    "withhold": dict.fromkeys(shown, 0),
                    "occupy": dict.fromkeys(shown, 0),
                    "pot": 0,
                    "campaign_period": False,
                    **extra,
                },
            )
            self._products[product.remote_key] = product
            return product

    def products(self) -> Sequence[Product]:
        return list(self._products.values())

    def product(self, remote_key: str) -> Product | None:
        return self._products.get(remote_key)

    def shown(self, remote_key: str, location: str = "") -> int:
        """Without a location what buyers can take from all warehouses together."""
        with self.lock:
            self.tick()
            numbers = self._products[remote_key].shown
            return numbers[location] if location in numbers or location else sum(numbers.values())

    def set_campaign(self, remote_key: str, *, units: int = 0, no_lowering: bool = False) -> None:
        """Lock `units` for a campaign (see the switch `pot`) and, with `no_lowering`, forbid lower numbers while it runs."""
        with self.lock:
            self._products[remote_key].extra.update(pot=units, campaign_period=no_lowering)

    def set_level(self, product: Product, level: int, place: str) -> None:
        """A level that the API accepted."""
        before, product.shown[place] = product.shown[place], level
        self.record(
            Event.LEVEL_SET,
            remote_key=product.remote_key,
            location=place,
            seller_sku=product.seller_sku,
            level=level,
            before=before,
        )

    def _change_shown(self, product: Product, level: int, place: str) -> None:
        before, product.shown[place] = product.shown[place], level
        if level != before:
            self.record(
                Event.SHOWN_CHANGED,
                remote_key=product.remote_key,
                location=place,
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
            shown = sum(product.shown.values())
            if shown + pot < quantity:
                self.record(
                    Event.SOLD_OUT,
                    remote_key=remote_key,
                    seller_sku=product.seller_sku,
                    wanted=quantity,
                    shown=shown,
                )
                raise SoldOut(f"{product.seller_sku}: {quantity} wanted, {shown} shown")

    def _assign(self, items: Sequence[Item]) -> None:
        """Choose the warehouse of each unit: the first one that holds all units of its SKU, else one by one."""
        by_product: dict[str, list[Item]] = {}
        for item in items:
            by_product.setdefault(item.product.remote_key, []).append(item)
        for mine in by_product.values():
            left = dict(mine[0].product.shown)
            whole = next((place for place, units in left.items() if units >= len(mine)), None)
            for item in mine:
                open_places = [place for place, units in left.items() if units > 0]
                item.place = whole if whole is not None else next(iter(open_places), next(iter(left)))
                left[item.place] -= 1

    def _take(self, items: Sequence[Item]) -> None:
        """Withhold units: from the campaign's pot where it lies beside the number, else from the number."""
        taken: dict[tuple[str, str], int] = {}
        for item in items:
            extra = item.product.extra
            item.withheld = True
            extra["withhold"][item.place] += 1
            if self.switches["pot"] == "outside" and extra["pot"] > 0:
                item.from_pot = True
                extra["pot"] -= 1
            else:
                at = (item.product.remote_key, item.place)
                taken[at] = taken.get(at, 0) + 1
        for (remote_key, place), quantity in taken.items():
            product = self._products[remote_key]
            self._change_shown(product, max(0, product.shown[place] - quantity), place)

    def _occupy(self, item: Item) -> None:
        item.occupied = True
        item.product.extra["withhold"][item.place] -= 1
        item.product.extra["occupy"][item.place] += 1
