"""The simulated marketplace behind the simulated API: orders, packages, returns, and the hands of buyers and couriers.

Written from the provider's documentation alone. Every undocumented fact that can move stock, a token or a booking is a switch.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sellersync.sandbox.kit import Event

from .sandbox_shelf import Shelf, SimLine, SimOrder, SimPackage, SimReturn

SINGLE_LOCATION = "IDZ"
DAYS_TO_SHIP = 2
DAY_S = 86_400
SHIPPING_FEE = 11_500
OPEN_STATUSES = ("UNPAID", "PENDING", "READY_TO_SHIP", "PROCESSED", "RETRY_SHIP", "IN_CANCEL")
ON_SHELF = ("LOGISTICS_NOT_START", "LOGISTICS_READY", "LOGISTICS_REQUEST_CREATED", "LOGISTICS_PICKUP_RETRY")


class Market(Shelf):
    """State and hands. `remote_key` is "<item_id>:<model_id>", model 0 without variations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.waybill_delay_s = 3.0
        self.visibility_delay_s = 0.0
        self.document_delay_s = 1.0
        self.booking_read_lag_s = float(self.switches["booking_read_lag_s"])
        self.holiday_mode: int | None = None
        """0 full, 1 partial; None while the shop is open."""
        self.shipping_modes: dict[str, list[str]] = {"pickup": ["address_id", "pickup_time_id"], "dropoff": []}
        self.orders: dict[str, SimOrder] = {}
        self.packages: dict[str, SimPackage] = {}
        self.returns: dict[str, SimReturn] = {}
        self._waybills: list[tuple[float, str]] = []

    # -- buyers

    def place_order(
        self, items: Sequence[tuple[str, int]], *, paid: bool = True, cod: bool = False, storefront: str = ""
    ) -> str:
        with self.lock:
            self._turn_away(items)
            now = self.now_s()
            sn = self._order_sn()
            lines = []
            for key, quantity in items:
                product = self.listed[key]
                item_id = product.extra["item_id"]
                lines.append(
                    SimLine(product, quantity, item_id, item_id * 10 + self._next(), self._place_for(product, quantity))
                )
            unpaid = not (paid or cod)
            order = SimOrder(sn, now, now, self.clock(), "UNPAID" if unpaid else "READY_TO_SHIP", cod, lines, [])
            order.paid_at = now if paid and not cod else 0
            self.orders[sn] = order
            units = {index: line.quantity for index, line in enumerate(lines)}
            self._add_package(order, units, "LOGISTICS_NOT_START" if unpaid else "LOGISTICS_READY")
            self.record(Event.ORDER_PLACED, order_id=sn, items=self._named(lines), paid=not unpaid and not cod, cod=cod)
            if not unpaid or self.switches["unpaid_leaves_number"]:
                self._take(lines)
            return sn

    def pay(self, order_id: str) -> None:
        with self.lock:
            order = self.orders[order_id]
            if order.status != "UNPAID":
                raise ValueError(f"{order_id} is {order.status}, it cannot be paid")
            order.status, order.paid_at = "READY_TO_SHIP", self.now_s()
            for package in order.packages:
                self._move_package(package, "LOGISTICS_READY")
            self._touch(order)
            self.record(Event.ORDER_PAID, order_id=order_id)
            self._take([line for line in order.lines if not line.taken])

    def cancel(self, order_id: str, *, by: str = "buyer", items: Sequence[tuple[str, int]] | None = None) -> None:
        with self.lock:
            self.tick()
            order = self.orders[order_id]
            if order.status not in OPEN_STATUSES:
                raise ValueError(f"{order_id} is {order.status}, it cannot be cancelled any more")
            wanted = (
                [(line, line.active) for line in order.lines] if items is None else self._cancel_parts(order, items)
            )
            wanted = [(line, units) for line, units in wanted if units]
            order.cancel_by, order.cancel_reason = by, "Buyer changed mind" if by == "buyer" else "OUT_OF_STOCK"
            for line, units in wanted:
                line.cancelled += units
                self._shrink_packages(order, line, units)
            whole = not any(line.active for line in order.lines)
            if whole:
                order.status = "CANCELLED"
                for package in order.packages:
                    self._cancel_package(package)
            self._touch(order)
            self.record(
                Event.ORDER_CANCELLED,
                order_id=order_id,
                by=by,
                items=[(line.product.remote_key, line.product.seller_sku, units) for line, units in wanted],
            )
            if self.switches["cancel_gives_back"]:
                for line, units in wanted:
                    self._give_back(line, units)

    def request_cancel(self, order_id: str, items: Sequence[tuple[str, int]] | None = None) -> None:
        """The buyer asks; the seller answers. With items the order keeps its status and shows the asked quantities."""
        with self.lock:
            self.tick()
            order = self.orders[order_id]
            if items is not None:
                for line, units in self._cancel_parts(order, items):
                    line.cancel_requested += units
            else:
                order.before_cancel, order.status = order.status, "IN_CANCEL"
            self._touch(order)

    def answer_cancel(self, order_id: str, *, accept: bool) -> None:
        """The effect of the seller's answer."""
        order = self.orders[order_id]
        if accept:
            self.cancel(order_id, by="buyer")
        else:
            order.status = order.before_cancel
            self._touch(order)

    def hold(self, order_id: str, *terms: str) -> None:
        """Put an order under pending terms (none: lift them)."""
        with self.lock:
            order = self.orders[order_id]
            order.pending_terms = list(terms)
            self._touch(order)

    def split(self, order_id: str) -> list[str]:
        """Split in Seller Centre: one new package a line, the old one disappears."""
        with self.lock:
            order = self.orders[order_id]
            for package in order.packages:
                del self.packages[package.number]
            order.packages, order.split_up = [], True
            for index, line in enumerate(order.lines):
                self._add_package(order, {index: line.active}, "LOGISTICS_READY")
            self._touch(order)
            return [package.number for package in order.packages]

    # -- couriers

    def arrange(self, package: SimPackage, choice: Mapping[str, Any]) -> None:
        """The effect of an accepted `ship_order`."""
        now = self.clock()
        package.arranged_at, package.choice = now, dict(choice)
        package.visible_at = now + self.booking_read_lag_s
        package.updated = int(now)
        heapq.heappush(self._waybills, (now + max(self.waybill_delay_s, self.booking_read_lag_s), package.number))
        order = self.orders[package.order_sn]
        self.record(
            Event.PARCEL_ARRANGED,
            parcel_id=package.number,
            order_id=order.sn,
            items=[
                (order.lines[index].product.remote_key, order.lines[index].product.seller_sku, units)
                for index, units in package.units.items()
                if units
            ],
            waybill="",
        )

    def tick(self) -> None:
        """Issue every waybill that is due; looked at before anything is read."""
        now = self.clock()
        while self._waybills and self._waybills[0][0] <= now:
            due, number = heapq.heappop(self._waybills)
            package = self.packages.get(number)
            if package is not None and package.status == "LOGISTICS_READY":
                self._issue(package, due)

    def arranged_parcels(self) -> list[str]:
        with self.lock:
            self.tick()
            return [
                number for number, package in self.packages.items() if package.status == "LOGISTICS_REQUEST_CREATED"
            ]

    def hand_over(self, parcel_id: str) -> None:
        with self.lock:
            self.tick()
            package = self._package_in(parcel_id, "LOGISTICS_REQUEST_CREATED")
            package.picked_up_at = self.now_s()
            self._move_package(package, "LOGISTICS_PICKUP_DONE")
            self._follow(package, "SHIPPED", ON_SHELF)
            self.record(Event.HANDED_OVER, parcel_id=parcel_id, order_id=package.order_sn)

    def deliver(self, parcel_id: str) -> None:
        with self.lock:
            package = self._package_in(parcel_id, "LOGISTICS_PICKUP_DONE")
            self._move_package(package, "LOGISTICS_DELIVERY_DONE")
            order = self._follow(package, "TO_CONFIRM_RECEIVE", (*ON_SHELF, "LOGISTICS_PICKUP_DONE"))
            if order.cod:
                order.paid_at = self.now_s()
            self.record(Event.DELIVERED, parcel_id=parcel_id, order_id=package.order_sn)

    def complete(self, order_id: str) -> None:
        """The buyer confirms."""
        with self.lock:
            self.orders[order_id].status = "COMPLETED"
            self._touch(self.orders[order_id])

    def miss_pickup(self, parcel_id: str) -> None:
        """The courier did not come: the seller arranges again."""
        with self.lock:
            self.tick()
            package = self._package_in(parcel_id, "LOGISTICS_REQUEST_CREATED")
            self._move_package(package, "LOGISTICS_PICKUP_RETRY")
            self._follow(package, "RETRY_SHIP", ())

    def fail_delivery(self, parcel_id: str, status: str = "LOGISTICS_DELIVERY_FAILED") -> None:
        """The buyer was not met or refused, or the parcel is lost: the order is cancelled while the goods are away."""
        with self.lock:
            package = self._package_in(parcel_id, "LOGISTICS_PICKUP_DONE")
            self._move_package(package, status)
            order = self._follow(package, "CANCELLED", ())
            order.cancel_by = "system"
            for line in order.lines:
                line.cancelled = line.quantity

    # -- returns

    def open_return(self, order_id: str, items: Sequence[tuple[str, int]], *, refund_only: bool = False) -> str:
        """The buyer asks for a return of [(remote_key, units)]; answers the return_sn."""
        with self.lock:
            order = self.orders[order_id]
            now = self.now_s()
            sn = f"{self._day()}0{self._text(8)}"
            units = [
                (next(line for line in order.lines if line.product.remote_key == key), count) for key, count in items
            ]
            self.returns[sn] = SimReturn(sn, order_id, units, "REQUESTED", now, now, refund_only)
            order.status = "TO_RETURN"
            self._touch(order)
            return sn

    def move_return(self, return_sn: str, status: str, *, tracking: str = "") -> None:
        """Move a return to a status in Shopee's vocabulary."""
        with self.lock:
            found = self.returns[return_sn]
            found.status, found.updated = status, self.now_s()
            found.tracking = tracking or found.tracking

    # -- inside

    def _day(self) -> str:
        return datetime.fromtimestamp(self.now_s(), UTC).strftime("%y%m%d")

    def _order_sn(self) -> str:
        while True:
            sn = self._day() + self._text(8)
            if sn not in self.orders:
                return sn

    def _named(self, lines: Sequence[SimLine]) -> list[tuple[str, str, int]]:
        return [(line.product.remote_key, line.product.seller_sku, line.quantity) for line in lines]

    def _touch(self, order: SimOrder, at: float | None = None) -> None:
        order.changed_at = self.clock() if at is None else at
        order.updated = max(order.updated, int(order.changed_at))

    def _add_package(self, order: SimOrder, units: dict[int, int], status: str) -> None:
        number = f"OFG{230_000_111_000_000 + self._next()}"
        package = SimPackage(number, order.sn, units, status, self.now_s())
        order.packages.append(package)
        self.packages[number] = package

    def _move_package(self, package: SimPackage, status: str) -> None:
        package.status, package.updated = status, self.now_s()

    def _cancel_package(self, package: SimPackage) -> None:
        arranged = package.arranged_at is not None
        self._move_package(package, "LOGISTICS_REQUEST_CANCELED" if arranged else "LOGISTICS_INVALID")
        if arranged:
            self.record(Event.PARCEL_CANCELLED, parcel_id=package.number, order_id=package.order_sn)

    def _package_in(self, number: str, status: str) -> SimPackage:
        package = self.packages[number]
        if status == "LOGISTICS_REQUEST_CREATED" and package.status == "LOGISTICS_READY" and package.arranged_at:
            self._issue(package, self.clock())  # the courier's people need not wait for the read model
        if package.status != status:
            raise ValueError(f"parcel {number} is {package.status}, not {status}")
        return package

    def _follow(self, package: SimPackage, status: str, unless: Sequence[str]) -> SimOrder:
        """The order takes `status` once none of its packages is in `unless`."""
        order = self.orders[package.order_sn]
        if not any(other.status in unless for other in order.packages):
            order.status = status
        self._touch(order)
        return order

    def _issue(self, package: SimPackage, at: float) -> None:
        package.status, package.updated = "LOGISTICS_REQUEST_CREATED", int(at)
        package.visible_at = min(package.visible_at, at)
        package.waybill = f"SPXID06{self._next():010d}"
        order = self.orders[package.order_sn]
        if order.status == "READY_TO_SHIP" and all(other.status != "LOGISTICS_READY" for other in order.packages):
            order.status = "PROCESSED"
        self._touch(order, at)
        self.journal.add(at, Event.WAYBILL_ISSUED, parcel_id=package.number, order_id=order.sn, waybill=package.waybill)

    def _cancel_parts(self, order: SimOrder, items: Sequence[tuple[str, int]]) -> list[tuple[SimLine, int]]:
        parts = []
        for key, units in items:
            left = units
            for line in order.lines:
                if line.product.remote_key == key and left:
                    part = min(left, line.active)
                    parts.append((line, part))
                    left -= part
            if left:
                raise ValueError(f"{order.sn} holds fewer than {units} of {key}")
        return parts

    def _shrink_packages(self, order: SimOrder, line: SimLine, units: int) -> None:
        index = order.lines.index(line)
        if line.active == 0 and not any(other.active for other in order.lines):
            return  # a cancelled order keeps listing what its packages held
        for package in order.packages:
            part = min(units, package.units.get(index, 0))
            if part:
                package.units[index] -= part
                units -= part
