"""The shop behind the simulator: items at locations, orders, fulfilments, and what Shopify does to its own numbers.

Facts (shopify.dev, 2026): placing an order moves units from `available` to `committed` at a location; fulfilling lowers `committed`
and what is on hand; whether a cancellation restocks is the choice of whoever cancels. Times are whole seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sellersync.sandbox.kit import Event, Product

HISTORY_S = 60 * 86_400
COD_GATEWAY = "Cash on Delivery (COD)"
BANK_GATEWAY = "Bank Deposit"
CARD_GATEWAY = "midtrans"
Record = Callable[..., None]


@dataclass(slots=True)
class Level:
    available: int
    committed: int = 0

    @property
    def on_hand(self) -> int:
        return self.available + self.committed


@dataclass(slots=True)
class Item:
    """A variant with its inventory item."""

    number: int
    variant: int
    product: int
    sku: str
    title: str
    price: int
    weight_g: int
    tracked: bool
    levels: dict[str, Level]
    listing: Product
    active: bool = True

    @property
    def key(self) -> str:
        return str(self.number)


@dataclass(slots=True)
class Line:
    id: int
    item: Item
    quantity: int
    price: int
    removed: int = 0
    deleted_variant: bool = False

    @property
    def current(self) -> int:
        return self.quantity - self.removed


@dataclass(slots=True)
class WorkLine:
    id: int
    line: Line
    total: int
    remaining: int


@dataclass(slots=True)
class Work:
    """A fulfilment order."""

    id: int
    location: str
    lines: list[WorkLine]
    status: str = "OPEN"


@dataclass(slots=True)
class Fulfilment:
    id: int
    created_s: int
    lines: list[tuple[Line, int]]
    number: str
    company: str
    status: str = "SUCCESS"
    display: str = "FULFILLED"
    notified: bool = False


@dataclass(slots=True)
class ShopOrder:
    id: int
    name: str
    created_s: int
    updated_s: int
    updated_at: float
    lines: list[Line]
    work: list[Work]
    gateway: str
    financial: str
    address: dict[str, str]
    email: str
    paid_s: int | None = None
    cancelled_s: int | None = None
    closed_s: int | None = None
    cancel_reason: str | None = None
    fulfilments: list[Fulfilment] = field(default_factory=list)
    shipping_fee: int = 18_000
    said_fulfilment: str = ""
    """A status of its own for tests; "" follows from the fulfilments."""

    @property
    def fulfilment_status(self) -> str:
        if self.said_fulfilment:
            return self.said_fulfilment
        left = sum(row.remaining for work in self.work for row in work.lines if work.status != "CANCELLED")
        if self.fulfilments and not left:
            return "FULFILLED"
        if self.fulfilments:
            return "PARTIALLY_FULFILLED"
        if any(work.status == "ON_HOLD" for work in self.work):
            return "ON_HOLD"
        return "UNFULFILLED"

    @property
    def goods(self) -> int:
        return sum(line.price * line.quantity for line in self.lines)

    @property
    def outstanding(self) -> int:
        if self.financial != "PENDING":
            return 0
        return sum(line.price * line.current for line in self.lines) + self.shipping_fee


class Shop:
    """State and rules. Nothing here knows HTTP or GraphQL."""

    def __init__(self, *, clock: Callable[[], float], record: Record) -> None:
        self.clock = clock
        self.record = record
        self.locations: dict[str, tuple[str, bool]] = {}
        self.items: dict[int, Item] = {}
        self.orders: dict[int, ShopOrder] = {}
        self._touched: list[tuple[int, int]] = []
        self._serial = 1_000

    def now_s(self) -> int:
        return int(self.clock())

    def next_id(self) -> int:
        self._serial += 1
        return self._serial

    def add_location(self, name: str) -> str:
        number = str(self.next_id() + 70_000_000)
        self.locations[number] = (name, True)
        return number

    # -- numbers

    def set_available(self, item: Item, location: str, level: int) -> int:
        """Change the number that buyers see; returns what it was."""
        before = item.levels[location].available
        item.levels[location].available = level
        item.listing.shown[location] = level
        return before

    def move(self, item: Item, location: str, units: int) -> None:
        """An order or a cancellation changes the number (negative: fewer)."""
        level = item.levels[location].available + units
        before = self.set_available(item, location, level)
        self.record(
            Event.SHOWN_CHANGED, remote_key=item.key, location=location, seller_sku=item.sku, level=level, before=before
        )

    # -- orders

    def place(
        self,
        wanted: Sequence[tuple[Item, str, int]],
        *,
        gateway: str,
        financial: str,
        address: dict[str, str],
        email: str,
    ) -> ShopOrder:
        """A new order of [(item, location, units)]; a line that comes from two locations gets two fulfilment orders."""
        now = self.now_s()
        lines: dict[int, Line] = {}
        work: dict[str, Work] = {}
        for item, location, units in wanted:
            line = lines.setdefault(item.number, Line(self.next_id(), item, 0, item.price))
            line.quantity += units
            place = work.setdefault(location, Work(self.next_id(), location, []))
            place.lines.append(WorkLine(self.next_id(), line, units, units))
        number = self.next_id()
        order = ShopOrder(
            id=5_000_000_000 + number,
            name=f"#{number}",
            created_s=now,
            updated_s=now,
            updated_at=self.clock(),
            lines=list(lines.values()),
            work=list(work.values()),
            gateway=gateway,
            financial=financial,
            address=address,
            email=email,
            paid_s=now if financial == "PAID" else None,
        )
        self.orders[order.id] = order
        for item, location, units in wanted:
            if item.tracked:
                item.levels[location].committed += units
                self.move(item, location, -units)
        self.touch(order)
        return order

    def bought(self, order: ShopOrder) -> list[tuple[str, str, int]]:
        """[(remote key, seller SKU, units)] that are not cancelled."""
        return [(line.item.key, line.item.sku, line.current) for line in order.lines if line.current]

    def pay(self, order: ShopOrder) -> None:
        order.financial, order.paid_s = "PAID", self.now_s()
        self.touch(order)

    def cancel(self, order: ShopOrder, *, reason: str, restock: bool, keep_quantities: bool) -> None:
        """The whole order, before anything in it is fulfilled."""
        order.cancelled_s, order.cancel_reason = self.now_s(), reason
        order.financial = "REFUNDED" if order.financial in ("PAID", "PARTIALLY_REFUNDED") else "VOIDED"
        for work in order.work:
            for row in work.lines:
                self._give_up(row, work.location, row.remaining, restock=restock)
                if not keep_quantities:
                    row.line.removed = row.line.quantity
            work.status = "CANCELLED"
        self.touch(order)

    def remove(self, order: ShopOrder, item: Item, units: int, *, restock: bool) -> None:
        """Refund or remove some units that are not fulfilled."""
        left = units
        for work in order.work:
            for row in work.lines:
                taken = min(left, row.remaining) if row.line.item is item else 0
                self._give_up(row, work.location, taken, restock=restock)
                row.total -= taken
                row.line.removed += taken
                left -= taken
            if all(row.remaining == 0 for row in work.lines):
                work.status = "CLOSED"
        if left:
            raise ValueError(f"order {order.id} has not so many units to cancel")
        if order.financial == "PAID":
            order.financial = "PARTIALLY_REFUNDED"
        self.touch(order)

    def _give_up(self, row: WorkLine, location: str, units: int, *, restock: bool) -> None:
        row.remaining -= units
        if units and row.line.item.tracked:
            row.line.item.levels[location].committed -= units
            if restock:
                self.move(row.line.item, location, units)

    def fulfil(
        self, order: ShopOrder, work: Sequence[Work], *, number: str = "", company: str = "", notify: bool = False
    ) -> Fulfilment:
        """Everything that remains in these fulfilment orders has left."""
        lines: list[tuple[Line, int]] = []
        for place in work:
            for row in place.lines:
                if row.remaining:
                    lines.append((row.line, row.remaining))
                    if row.line.item.tracked:
                        row.line.item.levels[place.location].committed -= row.remaining
                    row.remaining = 0
            place.status = "CLOSED"
        found = Fulfilment(self.next_id(), self.now_s(), lines, number, company, notified=notify)
        order.fulfilments.append(found)
        self.touch(order)
        return found

    def touch(self, order: ShopOrder) -> None:
        """Every change moves the change time."""
        order.updated_at = self.clock()
        order.updated_s = int(order.updated_at)
        self._touched.append((order.updated_s, order.id))

    def changed(self, since_s: int, until_s: int | None, *, seen_until: float, created_after_s: int) -> list[ShopOrder]:
        """Orders by their change time, oldest first, each once, at its newest change."""
        start = bisect_left(self._touched, (since_s, 0))
        found: dict[int, ShopOrder] = {}
        for at_s, order_id in self._touched[start:]:
            order = self.orders[order_id]
            inside = order.updated_s == at_s and (until_s is None or at_s < until_s)
            if inside and order.updated_at <= seen_until and order.created_s >= created_after_s:
                found[order_id] = order
        return sorted(found.values(), key=lambda order: (order.updated_s, order.id))

    def shown_in(self, order: ShopOrder | None, *, created_after_s: int) -> bool:
        return order is not None and order.created_s >= created_after_s


def cash(amount: int, currency: str) -> dict[str, Any]:
    """A MoneyBag; whole amounts come with one decimal."""
    return {"shopMoney": {"amount": f"{amount}.0", "currencyCode": currency}}
