"""The simulated marketplace behind the API: buyers, orders, packages, and the clock-driven things between them."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from sellersync.sandbox.kit import Event, Product

from .sandbox_shelf import LazadaShelf
from .sandbox_state import CANCELLABLE, COURIERS, UNPAID_LIFE_S, Item, Package, SimOrder, View


class LazadaMarket(LazadaShelf):
    """The outside world: buyers, couriers and the passing of time.

    Times to tune: `waybill_delay_s` (packing answers with the tracking number at once unless it is raised), `visibility_delay_s`
    (until a change shows in order lists), `booking_read_lag_s` (until packing and ready-to-ship show in item reads).
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        rng: Random,
        switches: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(clock=clock, rng=rng, switches=switches)
        self.waybill_delay_s = 0.0
        self.visibility_delay_s = 0.0
        self.booking_read_lag_s = float(self.switches["read_lag_s"])
        self.seller_id = "700100200300"
        self.orders: dict[str, SimOrder] = {}
        self.packages: dict[str, Package] = {}
        self._index: list[tuple[int, str]] = []  # (change time, order id) of every listed order, sorted
        self._unlisted: deque[tuple[float, str, int]] = deque()  # (visible at, order id, change time)
        self._unpaid: deque[tuple[float, str]] = deque()
        self._waybills: deque[str] = deque()
        self._asked: list[Item] = []

    # -- time-driven things

    def tick(self) -> None:
        """Let everything happen that is due: list visibility, unpaid orders expiring, waybills, unanswered cancellations."""
        now = self.clock()
        while self._unlisted and self._unlisted[0][0] <= now:
            _, order_id, updated_s = self._unlisted.popleft()
            order = self.orders[order_id]
            if order.listed_s >= 0:
                del self._index[bisect.bisect_left(self._index, (order.listed_s, order_id))]
            order.listed_s = updated_s
            bisect.insort(self._index, (updated_s, order_id))
        while self._unpaid and self._unpaid[0][0] <= now:
            _, order_id = self._unpaid.popleft()
            unpaid = [item for item in self.orders[order_id].items if item.status == "unpaid"]
            self._cancel_items(self.orders[order_id], unpaid, by="system", reason="unpaid")
        for _ in range(len(self._waybills)):
            package = self.packages[self._waybills.popleft()]
            if now < package.waybill_at:
                self._waybills.append(package.package_id)
            elif not package.waybill_told:
                package.waybill_told = True
                self.record(
                    Event.WAYBILL_ISSUED,
                    parcel_id=package.package_id,
                    order_id=package.order_id,
                    waybill=package.waybill,
                )
        for item in [item for item in self._asked if item.cancel_trigger_at is not None]:
            if item.cancel_trigger_at is not None and item.cancel_trigger_at <= now:
                self._cancel_items(self.orders[item.order_id], [item], by="buyer", reason="not answered in time")
        self._asked = [item for item in self._asked if item.cancel_trigger_at is not None]

    def listed(self, after_s: int | None, before_s: int | None) -> list[SimOrder]:
        """Listed orders with a change time within both inclusive bounds, oldest change first."""
        self.tick()
        start = 0 if after_s is None else bisect.bisect_left(self._index, (after_s, ""))
        end = len(self._index) if before_s is None else bisect.bisect_left(self._index, (before_s + 1, ""))
        return [self.orders[order_id] for _, order_id in self._index[start:end]]

    def set_status(self, item: Item, status: str, *, lag_s: float = 0.0) -> None:
        """Change an item; with `lag_s` readers see it only later."""
        item.status = status
        item.updated_s = self.now_s()
        item.views.append(View(self.clock() + lag_s, status, item.package_id))
        del item.views[:-6]

    def touch(self, order: SimOrder, *, item_change: bool = False) -> None:
        """Move the order's change time; a mere item change may leave it alone (switch)."""
        if item_change and self.switches["item_change_moves_updated"] == "no":
            return
        order.updated_s = self.now_s()
        self._unlisted.append((self.clock() + self.visibility_delay_s, order.order_id, order.updated_s))

    def backdate(self, order_id: str, *, seconds: int) -> None:
        """Pretend that the order last changed (and was placed) so much earlier."""
        with self.lock:
            order = self.orders[order_id]
            order.updated_s -= seconds
            order.created_s = min(order.created_s, order.updated_s)
            self._unlisted.append((self.clock(), order_id, order.updated_s))

    # -- buyers

    def place_order(
        self,
        items: Sequence[tuple[str, int]],
        *,
        paid: bool = True,
        cod: bool = False,
        storefront: str = "",
    ) -> str:
        with self.lock:
            self.tick()
            self._check_stock(items)
            self._counter += 1
            order_id = str(1_700_000_000_000_000 + self._counter * 1_000_003)
            now_s = self.now_s()
            pending = paid or (cod and self.switches["cod_pending_at_once"] == "yes")
            order = SimOrder(order_id, now_s, now_s, [], cod, paid_at=self.clock() if paid and not cod else None)
            self.orders[order_id] = order
            for remote_key, quantity in items:
                order.items.extend(self._new_item(order, self._products[remote_key]) for _ in range(quantity))
            self.record(
                Event.ORDER_PLACED,
                order_id=order_id,
                items=[(key, self._products[key].seller_sku, quantity) for key, quantity in items],
                paid=paid,
                cod=cod,
            )
            self._assign(order.items)
            if pending or self.switches["unpaid_withhold"] == "yes":
                self._take(order.items)
            for item in order.items:
                if pending:
                    self._occupy(item)
                self.set_status(item, "pending" if pending else "unpaid")
            if not pending:
                self._unpaid.append((self.clock() + UNPAID_LIFE_S, order_id))
            self.touch(order)
            return order_id

    def _new_item(self, order: SimOrder, product: Product) -> Item:
        self._counter += 1
        discount = int(product.extra.get("voucher", 0))
        return Item(
            item_id=1_700_500_000_000_000 + self._counter * 1_000_003,
            order_id=order.order_id,
            product=product,
            price=product.price,
            paid_price=product.price - discount,
            status="",
            updated_s=order.created_s,
        )

    def pay(self, order_id: str) -> None:
        with self.lock:
            self.tick()
            order = self.orders[order_id]
            unpaid = [item for item in order.items if item.status == "unpaid"]
            if not unpaid:
                return
            self._take([item for item in unpaid if not item.withheld])
            order.paid_at = self.clock()
            for item in unpaid:
                self._occupy(item)
                self.set_status(item, "pending")
            self.record(Event.ORDER_PAID, order_id=order_id)
            self.touch(order)

    def cancel(
        self,
        order_id: str,
        *,
        by: str = "buyer",
        items: Sequence[tuple[str, int]] | None = None,
        reason: str = "",
    ) -> None:
        """`reason` "Out of Stock" by the seller zeroes the SKU (switch). A packed unit takes its whole package along.

        Raises `ValueError` when none of the units can be cancelled any more.
        """
        with self.lock:
            self.tick()
            order = self.orders[order_id]
            open_items = [item for item in order.items if item.status in CANCELLABLE]
            if items is None:
                chosen = open_items
            else:
                chosen = []
                for remote_key, quantity in items:
                    chosen += [item for item in open_items if item.product.remote_key == remote_key][:quantity]
            if not chosen:
                raise ValueError(f"order {order_id}: nothing left to cancel")
            packages = {item.package_id for item in chosen if item.package_id}
            chosen += [item for item in open_items if item.package_id in packages and item not in chosen]
            self._cancel_items(order, chosen, by=by, reason=reason)

    def _cancel_items(self, order: SimOrder, items: Sequence[Item], *, by: str, reason: str) -> None:
        if not items:
            return
        freed: dict[tuple[str, str], int] = {}
        counts: dict[str, int] = {}
        for item in items:
            key, extra = item.product.remote_key, item.product.extra
            counts[key] = counts.get(key, 0) + 1
            if item.occupied:
                extra["occupy"][item.place] = max(0, extra["occupy"][item.place] - 1)
            elif item.withheld:
                extra["withhold"][item.place] -= 1
            if item.withheld and not item.from_pot:
                freed[key, item.place] = freed.get((key, item.place), 0) + 1
            item.occupied = item.withheld = False
            item.cancel_trigger_at = None
            item.reason, item.initiator = reason or "changed mind", by
            self.set_status(item, "canceled")
        listed = [(key, self._products[key].seller_sku, count) for key, count in counts.items()]
        self.record(Event.ORDER_CANCELLED, order_id=order.order_id, items=listed, by=by)
        if self.switches["cancel_gives_back"] == "yes":
            for (key, place), count in freed.items():
                self._change_shown(self._products[key], self._products[key].shown[place] + count, place)
        if by == "seller" and reason == "Out of Stock" and self.switches["oos_cancel_zeroes"] == "yes":
            for key in counts:
                for place in self._products[key].shown:
                    self._change_shown(self._products[key], 0, place)
        for package_id in dict.fromkeys(item.package_id for item in items if item.package_id):
            self.packages[package_id].cancelled = True
            self.record(Event.PARCEL_CANCELLED, parcel_id=package_id, order_id=order.order_id)
        partial = any(item.status != "canceled" for item in order.items)
        self.touch(order, item_change=partial)

    def force_status(self, order_id: str, status: str) -> None:
        """Put every item of an order into any status, known or not."""
        with self.lock:
            for item in self.orders[order_id].items:
                self.set_status(item, status)
            self.touch(self.orders[order_id])

    # -- packages

    def new_package(self, order: SimOrder, items: Sequence[Item]) -> Package:
        """Pack items together; the courier and the tracking number are the platform's choice."""
        self._counter += 1
        courier, prefix = COURIERS[self.rng.randrange(len(COURIERS))]
        package = Package(
            package_id=f"FP{1_000_000_000_000 + self._counter}",
            order_id=order.order_id,
            item_ids=[item.item_id for item in items],
            waybill=f"{prefix}-{self.rng.randrange(10**10):010d}",
            waybill_at=self.clock() + self.waybill_delay_s,
            courier=courier,
        )
        self.packages[package.package_id] = package
        for item in items:
            item.package_id = package.package_id
            self.set_status(item, "packed", lag_s=self.booking_read_lag_s)
        self._waybills.append(package.package_id)
        self.tick()
        self.touch(order, item_change=True)
        return package

    def items_of(self, package: Package) -> list[Item]:
        ids = set(package.item_ids)
        return [item for item in self.orders[package.order_id].items if item.item_id in ids]

    def mark_ready(self, package: Package) -> None:
        """Ready-to-ship: the courier is called and the units leave the occupied stock."""
        package.ready = True
        counts: dict[str, int] = {}
        for item in self.items_of(package):
            counts[item.product.remote_key] = counts.get(item.product.remote_key, 0) + 1
            if item.occupied:
                item.occupied = False
                item.product.extra["occupy"][item.place] -= 1
            self.set_status(item, "ready_to_ship", lag_s=self.booking_read_lag_s)
        self.record(
            Event.PARCEL_ARRANGED,
            parcel_id=package.package_id,
            order_id=package.order_id,
            items=[(key, self._products[key].seller_sku, count) for key, count in counts.items()],
            waybill=package.waybill if self.clock() >= package.waybill_at else "",
        )
        self.touch(self.orders[package.order_id])

    def repack(self, parcel_id: str) -> None:
        """Somebody undoes the packing in the seller centre."""
        with self.lock:
            package = self.packages[parcel_id]
            package.cancelled = True
            for item in self.items_of(package):
                item.package_id = ""
                self.set_status(item, "repacked")
            self.record(Event.PARCEL_CANCELLED, parcel_id=parcel_id, order_id=package.order_id)
            self.touch(self.orders[package.order_id], item_change=True)

    def arranged_parcels(self) -> list[str]:
        with self.lock:
            self.tick()
            return [
                package.package_id
                for package in self.packages.values()
                if package.ready and not package.handed_over and not package.cancelled
            ]

    def hand_over(self, parcel_id: str) -> None:
        """Raises `ValueError` unless the package is ready to ship and still with the seller."""
        with self.lock:
            package = self.packages[parcel_id]
            self._move(package, "shipped", Event.HANDED_OVER, possible=package.ready and not package.handed_over)
            package.handed_over = True

    def deliver(self, parcel_id: str) -> None:
        """Raises `ValueError` unless the courier has the package."""
        with self.lock:
            package = self.packages[parcel_id]
            self._move(package, "delivered", Event.DELIVERED, possible=package.handed_over and not package.delivered)
            package.delivered = True

    def _move(self, package: Package, status: str, event: Event, *, possible: bool) -> None:
        self.tick()
        if package.cancelled or not possible:
            raise ValueError(f"package {package.package_id} cannot become {status}")
        for item in self.items_of(package):
            if item.status != "canceled":
                self.set_status(item, status)
        self.record(event, parcel_id=package.package_id, order_id=package.order_id)
        self.touch(self.orders[package.order_id])
