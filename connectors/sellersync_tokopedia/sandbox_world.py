"""What happens behind the simulator's API: products, orders, packages and after-sales cases of one shop, with the journal.

Nothing here knows HTTP. Times are seconds since the epoch on the simulator's clock; everything the wire shows is whole seconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sellersync.sandbox.kit import Event, Product, SoldOut

from .sandbox_rows import CaseRow, Listing, OrderRow, PackageRow, TimeIndex, UnitRow

PLATFORMS = ("TIKTOK_SHOP", "TOKOPEDIA")
RANKS = ("AWAITING_SHIPMENT", "AWAITING_COLLECTION", "IN_TRANSIT", "DELIVERED", "COMPLETED")
SHIP_SLA_S = 2 * 86_400
CANCEL_ANSWER_S = 2 * 86_400


class Recorder(Protocol):
    """What the world needs of its simulator."""

    clock: Callable[[], float]
    switches: dict[str, Any]
    waybill_delay_s: float
    booking_read_lag_s: float

    def record(self, event: Event, **data: Any) -> None: ...


class World:
    """The shop's state and its rules."""

    def __init__(self, sim: Recorder) -> None:
        self.sim = sim
        self.warehouses: list[str] = ["7400000000000000001"]
        self.effect_status: dict[str, str] = {}
        """Warehouses that are not ENABLED."""
        self.listings: dict[str, Listing] = {}
        self.skus: dict[str, Product] = {}
        self.by_key: dict[str, Product] = {}
        self.orders: dict[str, OrderRow] = {}
        self.packages: dict[str, PackageRow] = {}
        self.cancellations: dict[str, CaseRow] = {}
        self.returns: dict[str, CaseRow] = {}
        self.by_update, self.by_create = TimeIndex(), TimeIndex()
        self._counters: dict[str, int] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    # -- time and ids

    def now(self) -> float:
        return self.sim.clock()

    def next_id(self, kind: str, base: int) -> str:
        self._counters[kind] = self._counters.get(kind, 0) + 1
        return str(base + self._counters[kind])

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do `action` after `delay_s`; at once when there is no delay. Late actions are caught up by `settle`."""
        if delay_s <= 0:
            action()
            return
        heapq.heappush(self._due, (self.now() + delay_s, int(self.next_id("due", 0)), action))

    def settle(self) -> None:
        """Catch up with everything that is due."""
        while self._due and self._due[0][0] <= self.now():
            heapq.heappop(self._due)[2]()

    # -- products

    def location(self, warehouse_id: str) -> str:
        """The location under which a product's number is kept: "" while there is one sales warehouse."""
        return warehouse_id if len(self.warehouses) > 1 else ""

    def warehouse_of(self, location: str) -> str:
        return location or self.warehouses[0]

    def add_sku(
        self,
        seller_sku: str,
        title: str,
        *,
        price: int,
        shown: dict[str, int],
        weight_g: int,
        variant_of: str,
        platforms: Sequence[str],
    ) -> Product:
        now = int(self.now())
        if variant_of:
            listing = self.listings[variant_of.split(":")[0]]
        else:
            statuses = {name: ("ACTIVATE" if name in platforms else "") for name in PLATFORMS}
            listing = Listing(self.next_id("product", 1_730_000_000_000_000_000), title, now, now, statuses)
            self.listings[listing.id] = listing
        sku_id = self.next_id("sku", 1_730_000_000_000_000_100)
        product = Product(f"{listing.id}:{sku_id}", seller_sku, title, price, weight_g, dict(shown))
        product.extra.update(
            product_id=listing.id, sku_id=sku_id, committed=dict.fromkeys(shown, 0), pot=dict.fromkeys(shown, 0)
        )
        listing.skus.append(product)
        self.skus[sku_id] = product
        self.by_key[product.remote_key] = product
        return product

    def visible(self, product: Product, location: str) -> int:
        """The number buyers see: nothing while the product is hidden everywhere."""
        return product.shown[location] if self.listings[product.extra["product_id"]].on_sale else 0

    def set_level(self, product: Product, location: str, level: int) -> None:
        """A level that the seller pushed."""
        before = self.visible(product, location)
        product.shown[location] = level
        self._journal_level(Event.LEVEL_SET, product, location, before)

    def set_status(self, listing: Listing, platforms: Sequence[str], status: str) -> None:
        """Show or hide a product on some platforms; buyers then see the numbers or none."""
        before = {(p.remote_key, loc): self.visible(p, loc) for p in listing.skus for loc in p.shown}
        for platform in platforms:
            if listing.statuses[platform]:
                listing.statuses[platform] = status
        listing.updated = int(self.now())
        for product in listing.skus:
            product.active = listing.on_sale
            for location in product.shown:
                if self.visible(product, location) != before[product.remote_key, location]:
                    self._journal_level(Event.LEVEL_SET, product, location, before[product.remote_key, location])

    def _journal_level(self, event: Event, product: Product, location: str, before: int) -> None:
        self.sim.record(
            event,
            remote_key=product.remote_key,
            location=location,
            seller_sku=product.seller_sku,
            level=self.visible(product, location),
            before=before,
        )

    def change_shown(self, product: Product, location: str, by: int) -> None:
        before = self.visible(product, location)
        product.shown[location] = max(0, product.shown[location] + by)
        if self.visible(product, location) != before:
            self._journal_level(Event.SHOWN_CHANGED, product, location, before)

    # -- orders

    def buyable(self, product: Product, location: str, platform: str) -> int:
        listing = self.listings[product.extra["product_id"]]
        if listing.statuses[platform] != "ACTIVATE":
            return 0
        outside = product.extra["pot"][location] if self.sim.switches["campaign_pot"] == "outside" else 0
        return product.shown[location] + int(outside)

    def place(self, items: Sequence[tuple[str, int]], platform: str, **facts: Any) -> OrderRow:
        wanted: dict[str, int] = {}
        for remote_key, quantity in items:
            wanted[remote_key] = wanted.get(remote_key, 0) + quantity
        location = self._location_for(wanted, platform)
        now = int(self.now())
        order = OrderRow(
            self.next_id("order", 580_000_000_000_000_000), now, self.warehouse_of(location), platform, [], **facts
        )
        for remote_key, quantity in items:
            order.units += [
                UnitRow(self.next_id("unit", 581_000_000_000_000_000), self.by_key[remote_key], "AWAITING_SHIPMENT")
                for _ in range(quantity)
            ]
        self.orders[order.id] = order
        self.by_create.put(order.id, now)
        self.sim.record(
            Event.ORDER_PLACED,
            order_id=order.id,
            items=self.items_of(order.units),
            paid=bool(order.paid_at),
            cod=order.cod,
        )
        if order.paid_at or order.cod or self.sim.switches["unpaid_counted"]:
            self._count(order)
        self.touch(order)
        self._pack(order)
        return order

    def _location_for(self, wanted: Mapping[str, int], platform: str) -> str:
        for warehouse_id in self.warehouses:
            location = self.location(warehouse_id)
            if all(
                location in self.by_key[key].shown and self.buyable(self.by_key[key], location, platform) >= quantity
                for key, quantity in wanted.items()
            ):
                return location
        for key, quantity in wanted.items():
            product = self.by_key[key]
            most = max(self.buyable(product, location, platform) for location in product.shown)
            if most < quantity or len(wanted) == 1:
                self.sim.record(
                    Event.SOLD_OUT, remote_key=key, seller_sku=product.seller_sku, wanted=quantity, shown=most
                )
                raise SoldOut(f"{key}: wanted {quantity}, shown {most}")
        raise SoldOut("no single warehouse holds the whole order")

    def _count(self, order: OrderRow) -> None:
        """Take the order's units off the numbers shown (once)."""
        location = self.location(order.warehouse_id)
        pots_inside = self.sim.switches["campaign_pot"] == "inside"
        for unit in order.units:
            if unit.counted or unit.status == "CANCELLED" or order.fulfillment_type != "FULFILLMENT_BY_SELLER":
                continue
            unit.counted = True
            extra = unit.sku.extra
            unit.from_pot = unit.sku.shown[location] <= (extra["pot"][location] if pots_inside else 0)
            if unit.from_pot and extra["pot"][location]:
                extra["pot"][location] -= 1
            if pots_inside or not unit.from_pot:
                self.change_shown(unit.sku, location, -1)
            extra["committed"][location] += 1

    def _pack(self, order: OrderRow, *, one_per_sku: bool = False) -> None:
        """The platform makes packages once the order may be shipped."""
        if order.status not in ("AWAITING_SHIPMENT", "PARTIALLY_SHIPPING"):
            return
        groups: dict[str, PackageRow] = {}
        for unit in order.units:
            if unit.package_id or unit.status == "CANCELLED":
                continue
            name = unit.sku.remote_key if one_per_sku else ""
            if name not in groups:
                package = PackageRow(
                    self.next_id("package", 1_150_000_000_000_000_000), [order.id], updated=int(self.now())
                )
                groups[name] = self.packages[package.id] = package
            unit.package_id = groups[name].id
        order.wire = None

    def split(self, order: OrderRow) -> None:
        for unit in order.units:
            unit.package_id = ""
        self._pack(order, one_per_sku=True)

    def combine(self, orders: Sequence[OrderRow]) -> PackageRow:
        package = PackageRow(
            self.next_id("package", 1_150_000_000_000_000_000), [o.id for o in orders], updated=int(self.now())
        )
        self.packages[package.id] = package
        for order in orders:
            order.combined = True
            for unit in order.units:
                unit.package_id = package.id
            self.touch(order)
        return package

    def touch(self, order: OrderRow, *, moves_time: bool = True) -> None:
        """Derive the order's status from its units and move its update time."""
        alive = [unit.status for unit in order.units if unit.status != "CANCELLED"]
        if not alive:
            order.status = "CANCELLED"
        elif not order.paid_at and not order.cod:
            order.status = "UNPAID"
        elif order.on_hold:
            order.status = "ON_HOLD"
        elif "AWAITING_SHIPMENT" in alive and set(alive) != {"AWAITING_SHIPMENT"}:
            order.status = "PARTIALLY_SHIPPING"
        else:
            order.status = min(alive, key=RANKS.index)
        order.wire = None
        order.changed_at = self.now()
        if moves_time:
            order.updated = int(self.now())
            self.by_update.put(order.id, order.updated)

    def pay(self, order: OrderRow) -> None:
        if order.status != "UNPAID":
            raise ValueError(f"order {order.id} is {order.status}")
        order.paid_at = int(self.now())
        self.sim.record(Event.ORDER_PAID, order_id=order.id)
        self._count(order)
        self.touch(order)
        self._pack(order)

    def release_hold(self, order: OrderRow) -> None:
        order.on_hold = False
        self.touch(order)
        self._pack(order)

    def cancel_units(self, order: OrderRow, units: Sequence[UnitRow], by: str) -> None:
        """Cancel units that have not left; the number comes back as the switch says."""
        if any(unit.status not in ("AWAITING_SHIPMENT", "AWAITING_COLLECTION") for unit in units):
            raise ValueError(f"order {order.id}: a unit has left or is cancelled already")
        location = self.location(order.warehouse_id)
        for unit in units:
            unit.status = "CANCELLED"
            if unit.counted:
                unit.sku.extra["committed"][location] -= 1
                if self.sim.switches["cancel_restocks"]:
                    self.change_shown(unit.sku, location, 1)
                unit.counted = False
        order.cancelled_at, order.cancel_by = int(self.now()), by.upper()
        self.touch(order)
        if order.status == "CANCELLED":
            order.cancel_requested = self.sim.switches["request_flag_sticks"] and order.cancel_requested
        self.sim.record(Event.ORDER_CANCELLED, order_id=order.id, items=self.items_of(units), by=by)
        for package_id in {unit.package_id for unit in units if unit.package_id}:
            self._cancel_package_if_empty(self.packages[package_id])

    def _cancel_package_if_empty(self, package: PackageRow) -> None:
        if any(unit.status != "CANCELLED" for unit in self.units_in(package)):
            return
        package.status = package.sub_status = "CANCELLED"
        package.updated = int(self.now())
        if package.arranged:
            self.sim.record(Event.PARCEL_CANCELLED, parcel_id=package.id, order_id=package.order_ids[0])

    # -- packages

    def units_in(self, package: PackageRow) -> list[UnitRow]:
        return [unit for oid in package.order_ids for unit in self.orders[oid].units if unit.package_id == package.id]

    @staticmethod
    def items_of(units: Sequence[UnitRow]) -> list[tuple[str, str, int]]:
        counts: dict[tuple[str, str], int] = {}
        for unit in units:
            key = (unit.sku.remote_key, unit.sku.seller_sku)
            counts[key] = counts.get(key, 0) + 1
        return [(key, sku, count) for (key, sku), count in counts.items()]

    def ship(self, package: PackageRow, handover: str, slot: dict[str, int] | None) -> None:
        """Arrange the shipment; what reads show and the waybill follow after their delays."""
        package.arranged, package.handover, package.slot = True, handover, slot
        live = [unit for unit in self.units_in(package) if unit.status != "CANCELLED"]
        self.sim.record(
            Event.PARCEL_ARRANGED,
            parcel_id=package.id,
            order_id=package.order_ids[0],
            items=self.items_of(live),
            waybill="",
        )
        lag = self.sim.booking_read_lag_s
        self.later(lag, lambda: self._reveal(package))
        self.later(max(lag, self.sim.waybill_delay_s), lambda: self._issue_waybill(package))

    def _reveal(self, package: PackageRow) -> None:
        if package.status == "CANCELLED":
            return
        package.status, package.sub_status = "PROCESSING", "RTSING"
        self._move_units(package, "AWAITING_COLLECTION")

    def _issue_waybill(self, package: PackageRow) -> None:
        if package.status == "CANCELLED":
            return
        package.sub_status = "RTS"
        package.tracking = self.next_id("waybill", 900_000_000).replace("9", "JX9", 1)
        package.updated = int(self.now())
        for order_id in package.order_ids:
            self.touch(self.orders[order_id], moves_time=False)
        self.sim.record(
            Event.WAYBILL_ISSUED, parcel_id=package.id, order_id=package.order_ids[0], waybill=package.tracking
        )

    def _move_units(self, package: PackageRow, status: str) -> None:
        package.updated = int(self.now())
        for unit in self.units_in(package):
            if unit.status != "CANCELLED":
                unit.status = status
        for order_id in package.order_ids:
            order = self.orders[order_id]
            if status == "AWAITING_COLLECTION":
                order.rts_at = int(self.now())
            self.touch(order)

    def hand_over(self, package: PackageRow) -> None:
        if not package.arranged or package.status != "PROCESSING":
            raise ValueError(f"package {package.id} is {package.status}/{package.sub_status}")
        package.status, package.sub_status = "FULFILLING", "TTS"
        for order_id in package.order_ids:
            order = self.orders[order_id]
            for unit in order.units:
                if unit.package_id == package.id and unit.counted:
                    unit.sku.extra["committed"][self.location(order.warehouse_id)] -= 1
                    unit.counted = False
        self._move_units(package, "IN_TRANSIT")
        self.sim.record(Event.HANDED_OVER, parcel_id=package.id, order_id=package.order_ids[0])

    def deliver(self, package: PackageRow, status: str = "DELIVERED") -> None:
        if package.status not in ("FULFILLING", "COMPLETED"):
            raise ValueError(f"package {package.id} is {package.status}/{package.sub_status}")
        package.status, package.sub_status = "COMPLETED", "DELIVERED"
        self._move_units(package, status)
        if status == "DELIVERED":
            self.sim.record(Event.DELIVERED, parcel_id=package.id, order_id=package.order_ids[0])

    # -- after-sales

    def add_cancellation(
        self, order: OrderRow, units: Sequence[UnitRow], role: str, *, pending: bool = False
    ) -> CaseRow:
        now = int(self.now())
        case = CaseRow(
            self.next_id("cancel", 4_030_000_000_000_000_000),
            order.id,
            "BUYER_CANCEL" if role == "BUYER" else "CANCEL",
            "CANCELLATION_REQUEST_PENDING" if pending else "CANCELLATION_REQUEST_COMPLETE",
            role,
            [unit.id for unit in units],
            now,
            now,
            now + CANCEL_ANSWER_S if pending else 0,
        )
        self.cancellations[case.id] = case
        return case

    def close_cancellation(self, case: CaseRow, status: str) -> None:
        case.status, case.updated, case.deadline = status, int(self.now()), 0
        order = self.orders[case.order_id]
        order.cancel_requested = bool(self.sim.switches["request_flag_sticks"])
        self.touch(order, moves_time=bool(self.sim.switches["cancel_request_moves_update_time"]))

    def pending_cancellation(self, order_id: str) -> CaseRow | None:
        for case in self.cancellations.values():
            if case.order_id == order_id and case.status == "CANCELLATION_REQUEST_PENDING":
                return case
        return None

    def set_return(self, case: CaseRow, status: str) -> None:
        case.status, case.updated = status, int(self.now())
        self.returns[case.id] = case
