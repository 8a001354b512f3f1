"""The shop behind the simulator: products, orders, and what WooCommerce does to its own stock.

Facts: measured on WooCommerce 10.0.2 (orders in high-performance tables, zone Asia/Jakarta, IDR without decimals). Numbers may go
below zero: paying reduces without looking. Times are whole seconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, Literal

from sellersync.sandbox.kit import Event

from .sandbox_rows import Item, Line, Note, Refund, ShopOrder

STATUS_NAMES = {
    "pending": "Pending payment",
    "processing": "Processing",
    "on-hold": "On hold",
    "completed": "Completed",
    "cancelled": "Cancelled",
    "refunded": "Refunded",
    "failed": "Failed",
    "checkout-draft": "Draft",
}
REDUCING = frozenset({"on-hold", "processing", "completed"})
RESTORING = frozenset({"pending", "cancelled"})  # failed and refunded give nothing back, whatever went before
PAID_STATUSES = frozenset({"processing", "completed"})
HOLD_MINUTES = 60


Record = Callable[..., None]


class Shop:
    """State and rules. Nothing here knows HTTP."""

    def __init__(self, *, clock: Callable[[], float], rng: Random, record: Record, cancels_store_api: bool) -> None:
        self.clock = clock
        self.rng = rng
        self.record = record
        self.cancels_store_api = cancels_store_api
        self.hold_minutes = HOLD_MINUTES
        self.custom_statuses: dict[str, str] = {}
        self.items: dict[int, Item] = {}
        self.orders: dict[int, ShopOrder] = {}
        self.listings: list[Item] = []
        self.counts: Counter[str] = Counter()
        self._pending: dict[int, ShopOrder] = {}
        self._holds: dict[int, dict[int, tuple[int, int]]] = {}  # stock item -> order -> (units, until)
        self._touched: list[tuple[int, int]] = []  # (modified_s, order id), in time order
        self._ids = {"post": 10, "line": 0, "meta": 18, "note": 10}

    def now_s(self) -> int:
        return int(self.clock())

    def next_id(self, kind: Literal["post", "line", "meta", "note"]) -> int:
        self._ids[kind] += 1
        return self._ids[kind]

    def statuses(self) -> dict[str, str]:
        """slug -> name of every order status the shop knows, the bin left out."""
        return STATUS_NAMES | self.custom_statuses

    # -- products

    def add_item(self, **values: Any) -> Item:
        now = self.now_s()
        item = Item(id=self.next_id("post"), created_s=now, modified_s=now, **values)
        self.items[item.id] = item
        if item.parent_id:
            self.items[item.parent_id].variations.append(item.id)
        return item

    def stock_item(self, item: Item) -> Item | None:
        """The thing whose number a sale of `item` lowers; `None` where no number is kept."""
        if item.manage:
            return item
        parent = self.items.get(item.parent_id)
        return parent if parent is not None and parent.manage else None

    def managed(self, item: Item) -> bool | str:
        """`manage_stock` as the API shows it."""
        owner = self.stock_item(item)
        if owner is None:
            return False
        return True if owner is item else "parent"

    def number(self, item: Item) -> int | None:
        """`stock_quantity` as the API shows it: checkout holds are not subtracted."""
        owner = self.stock_item(item)
        return None if owner is None else owner.stock

    def touch_item(self, item: Item) -> None:
        item.modified_s = self.now_s()
        parent = self.items.get(item.parent_id)
        if parent is not None:
            parent.modified_s = item.modified_s

    def write_stock(self, owner: Item, level: int) -> int:
        """Change the number of a managing item; returns what it was."""
        before = owner.stock or 0
        owner.stock = level
        self.touch_item(owner)
        for item in (owner, *(self.items[child] for child in owner.variations if child in self.items)):
            if item.listing is not None and self.stock_item(item) is owner:
                item.listing.shown[""] = level
        return before

    def push_stock(self, owner: Item, level: int) -> None:
        """An accepted push over the API or by hand in the back office."""
        before = self.write_stock(owner, level)
        self.record(
            Event.LEVEL_SET, remote_key=owner.key, location="", seller_sku=owner.sku, level=level, before=before
        )

    def delete_item(self, item_id: int) -> None:
        """Delete for good: order lines lose their ids, as recorded."""
        item = self.items.pop(item_id)
        parent = self.items.get(item.parent_id)
        if parent is not None:
            parent.variations.remove(item_id)
        self.listings = [listing for listing in self.listings if listing.id != item_id]
        for order in self.orders.values():
            order.rendered.clear()

    # -- holds and the unpaid

    def held(self, owner: Item) -> int:
        """Units that unpaid checkouts keep from other buyers now."""
        now = self.now_s()
        rows = self._holds.get(owner.id, {})
        for order_id in [order_id for order_id, (_, until) in rows.items() if until <= now]:
            del rows[order_id]
        return sum(units for units, _ in rows.values())

    def _hold(self, order: ShopOrder) -> None:
        if not self.hold_minutes:
            return
        until = self.now_s() + 60 * self.hold_minutes
        for line in order.lines:
            owner = self.stock_item(self.items[line.item_id])
            if owner is not None and owner.backorders == "no":
                rows = self._holds.setdefault(owner.id, {})
                rows[order.id] = (rows.get(order.id, (0, 0))[0] + line.quantity, until)

    def _drop_hold(self, order_id: int) -> None:
        for rows in self._holds.values():
            rows.pop(order_id, None)

    def run_cron(self) -> None:
        """Unpaid orders past the hold time are cancelled: those of the classic checkout, on newer versions the block checkout's too."""
        if not self.hold_minutes or not self._pending:
            return
        due = self.now_s() - 60 * self.hold_minutes
        for order in list(self._pending.values()):
            swept = order.created_via == "checkout" or (self.cancels_store_api and order.created_via == "store-api")
            if swept and order.created_s <= due:
                self.record(Event.ORDER_CANCELLED, order_id=str(order.id), items=self.bought(order), by="unpaid")
                self.transition(order, "cancelled")

    # -- orders

    def create_order(
        self,
        items: Sequence[tuple[Item, int]],
        *,
        created_via: str,
        payment: tuple[str, str],
        billing: dict[str, str],
        shipping: dict[str, str],
        shipping_total: int = 0,
        shipping_title: str = "",
        customer_note: str = "",
    ) -> ShopOrder:
        """A new order in status `pending` that holds and reduces nothing yet."""
        now = self.now_s()
        order = ShopOrder(
            id=self.next_id("post"),
            status="pending",
            created_via=created_via,
            created_s=now,
            modified_s=now,
            modified_at=self.clock(),
            payment_method=payment[0],
            payment_title=payment[1],
            key=f"wc_order_{self.rng.getrandbits(64):016x}"[:22],
            lines=[self._new_line(item, quantity) for item, quantity in items],
            billing=billing,
            shipping=shipping,
            shipping_total=shipping_total,
            shipping_title=shipping_title,
            customer_note=customer_note,
        )
        if shipping_title:
            order.shipping_line_id = self.next_id("line")
        self.orders[order.id] = order
        self.counts[order.status] += 1
        self._pending[order.id] = order
        self.touch(order)
        return order

    def _new_line(self, item: Item, quantity: int) -> Line:
        parent = self.items.get(item.parent_id)
        line = Line(
            id=self.next_id("line"),
            name=f"{parent.name} - {item.option}" if parent is not None else item.name,
            product_id=item.parent_id or item.id,
            variation_id=item.id if item.parent_id else 0,
            quantity=quantity,
            total=item.price * quantity,
        )
        if parent is not None:
            line.meta.append({"id": self.next_id("meta"), "key": "ukuran", "value": item.option})
        return line

    def bought(self, order: ShopOrder) -> list[tuple[str, str, int]]:
        """[(listing key, seller SKU, units)] for the journal."""
        rows = []
        for line in order.lines:
            item = self.items.get(line.item_id)
            key = f"{line.product_id}:{line.variation_id}" if line.variation_id else str(line.product_id)
            rows.append((key, item.sku if item else "", line.quantity))
        return rows

    def hold_checkout(self, order: ShopOrder) -> None:
        """What the checkout does when the buyer places an unpaid order."""
        self._hold(order)

    def pay(self, order: ShopOrder, transaction_id: str) -> None:
        """The gateway reports the payment."""
        order.paid_s = self.now_s()
        order.transaction_id = transaction_id
        self.transition(order, "processing")

    def transition(self, order: ShopOrder, status: str) -> None:
        """Move to `status`; stock follows as measured: reduced, restored, or left alone."""
        before, order.status = order.status, status
        self.counts[before] -= 1
        self.counts[status] += 1
        if before == status:
            self.touch(order)
            return
        self._pending.pop(order.id, None)
        self._drop_hold(order.id)
        if status == "pending":
            self._pending[order.id] = order
        if (
            status in PAID_STATUSES
            and order.paid_s is None
            and (order.payment_method != "cod" or status == "completed")
        ):
            order.paid_s = self.now_s()
        if status == "completed":
            order.completed_s = self.now_s()
        names = self.statuses()
        if status != "trash":
            self.add_note(
                order, f"Order status changed from {names.get(before, before)} to {names.get(status, status)}."
            )
        if status in REDUCING:
            self._reduce(order)
        elif status in RESTORING:
            self._restore(order)
        self.touch(order)

    def touch(self, order: ShopOrder) -> None:
        """Set the change time; what an order note alone never does."""
        order.modified_at = self.clock()
        order.modified_s = int(order.modified_at)
        order.rendered.clear()
        self._touched.append((order.modified_s, order.id))

    def changed_after(self, cutoff_s: int) -> Iterable[ShopOrder]:
        """Orders with `modified_s` > cutoff, each once."""
        start = bisect_right(self._touched, (cutoff_s, 1 << 60))
        ids = {order_id for _, order_id in self._touched[start:]}
        return [self.orders[order_id] for order_id in ids if order_id in self.orders]

    def add_note(self, order: ShopOrder, text: str, *, customer: bool = False) -> Note:
        note = Note(self.next_id("note"), self.now_s(), text, customer)
        order.notes.append(note)
        return note

    def set_meta(self, order: ShopOrder, key: str, value: Any) -> None:
        """Update in place when the key exists (the id stays), else add."""
        for row in order.meta:
            if row["key"] == key:
                row["value"] = value
                return
        order.meta.append({"id": self.next_id("meta"), "key": key, "value": value})

    def change_quantity(self, order: ShopOrder, line: Line, quantity: int) -> None:
        """Edit a line: a reduced order adjusts its stock at once; 0 removes the line and gives all back."""
        if line.reduced:
            self._move_stock(order, line, -(quantity - line.quantity))
            self._set_line_meta(line, "_reduced_stock", line.reduced + quantity - line.quantity)
        line.total = line.total // line.quantity * quantity
        line.quantity = quantity
        if quantity == 0:
            order.lines.remove(line)
        self.touch(order)

    def refund(
        self, order: ShopOrder, amount: int, lines: Sequence[tuple[Line, int, int]], *, reason: str, restock: bool
    ) -> Refund:
        """Refund `amount`; [(line, units, money)] names what it is for. Restocks at most what is still reduced."""
        rows = [(self.next_id("line"), line, units, money) for line, units, money in lines]
        refund = Refund(self.next_id("post"), self.now_s(), amount, reason, rows)
        order.refunds.append(refund)
        for line, units, _ in lines:
            back = min(units, line.reduced) if restock else 0
            if back:
                self._move_stock(order, line, back)
                self._set_line_meta(line, "_reduced_stock", line.reduced - back)
                known = next((int(r["value"]) for r in line.meta if r["key"] == "_restock_refunded_items"), 0)
                self._set_line_meta(line, "_restock_refunded_items", known + back)
        self.touch(order)
        if order.refunded >= order.total:
            self.transition(order, "refunded")
        return refund

    def trash(self, order: ShopOrder) -> None:
        """The bin: nothing is restocked; the order leaves every list that does not name `trash`."""
        self.transition(order, "trash")

    def delete_order(self, order: ShopOrder) -> None:
        """Emptying the bin."""
        self._pending.pop(order.id, None)
        self._drop_hold(order.id)
        self.counts[order.status] -= 1
        del self.orders[order.id]

    # -- stock of lines

    def _reduce(self, order: ShopOrder) -> None:
        for line in order.lines:
            if not line.reduced and self._move_stock(order, line, -line.quantity):
                self._set_line_meta(line, "_reduced_stock", line.quantity)

    def _restore(self, order: ShopOrder) -> None:
        for line in order.lines:
            if line.reduced:
                self._move_stock(order, line, line.reduced)
                self._set_line_meta(line, "_reduced_stock", 0)

    def _move_stock(self, order: ShopOrder, line: Line, change: int) -> bool:
        item = self.items.get(line.item_id)
        owner = self.stock_item(item) if item is not None else None
        if owner is None or change == 0:
            return False
        before = self.write_stock(owner, (owner.stock or 0) + change)
        word = "reduced" if change < 0 else "increased"
        self.add_note(order, f"Stock levels {word}: {line.name} ({owner.sku}) {before}&rarr;{owner.stock}")
        self.record(
            Event.SHOWN_CHANGED,
            remote_key=owner.key,
            location="",
            seller_sku=owner.sku,
            level=owner.stock,
            before=before,
        )
        return True

    def _set_line_meta(self, line: Line, key: str, value: int) -> None:
        for row in line.meta:
            if row["key"] == key:
                if value:
                    row["value"] = str(value)
                else:
                    line.meta.remove(row)
                return
        if value:
            line.meta.append({"id": self.next_id("meta"), "key": key, "value": str(value)})
