"""What really happened on the marketplaces, read from the simulators' journals alone: the judge's side of the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .kit import CourierSimulator, Entry, Event, MarketplaceSimulator

OrderKey = tuple[str, str]  # (channel slug, remote order id)


@dataclass(frozen=True, slots=True)
class World:
    """What the judge must be told, because no journal holds it.

    `stock` is SKU -> units on the shelf at the start, `recipes` seller SKU -> {SKU: units} (a seller SKU without one is the SKU
    itself), `changes` are later receipts or corrections as (unix seconds, SKU, units).
    """

    stock: Mapping[str, int]
    recipes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    changes: Sequence[tuple[float, str, int]] = ()

    def parts(self, seller_sku: str) -> Mapping[str, int]:
        """The SKUs in one unit of a listing."""
        return self.recipes.get(seller_sku) or {seller_sku: 1}


@dataclass(slots=True)
class Placed:
    """One order as the buyers made it. Units are counted per remote key."""

    key: OrderKey
    at: float
    units: Counter[str]
    seller_skus: dict[str, str]
    cancelled: Counter[str] = field(default_factory=Counter)
    kept_after_handover: Counter[str] = field(default_factory=Counter)
    """Units cancelled after the courier had them: they stay shipped until a person receives them."""
    shippable: bool = False
    handed_over: bool = False

    @property
    def wanted(self) -> Counter[str]:
        """Units still wanted by the buyer."""
        return self.units - self.cancelled

    def stock(self, world: World) -> Counter[str]:
        """SKU -> units that this order keeps from the shelf."""
        result: Counter[str] = Counter()
        for remote_key, count in (self.wanted + self.kept_after_handover).items():
            for sku, quantity in world.parts(self.seller_skus[remote_key]).items():
                result[sku] += count * quantity
        return result


@dataclass(slots=True)
class Arranged:
    """One parcel as its marketplace or courier knows it."""

    slug: str
    parcel_id: str
    order_id: str = ""
    units: Counter[str] = field(default_factory=Counter)
    waybill: str = ""
    live: bool = True
    collected: bool = False
    order_number: str = ""
    """The shop's own number of the order, where a courier's booking carries it."""
    times: int = 1
    """How often it was arranged without having been cancelled in between."""


@dataclass(slots=True)
class Market:
    """Everything placed, arranged and asked, over all channels."""

    orders: dict[OrderKey, Placed] = field(default_factory=dict)
    parcels: dict[tuple[str, str], Arranged] = field(default_factory=dict)
    requests: dict[str, dict[str, object]] = field(default_factory=dict)

    def placed_on(self, slug: str) -> list[Placed]:
        return [order for order in self.orders.values() if order.key[0] == slug]


def read_market(channels: Mapping[str, MarketplaceSimulator], couriers: Mapping[str, CourierSimulator]) -> Market:
    """Read all journals."""
    market = Market()
    for slug, simulator in channels.items():
        entries = simulator.journal.entries()
        for entry in entries:
            _read_order_entry(market, slug, entry)
            _read_parcel_entry(market, slug, entry)
        market.requests[slug] = count_requests(entries)
    for slug, courier in couriers.items():
        bookings = courier.bookings()  # first: reading them journals what is due by now
        entries = courier.journal.entries()
        for entry in entries:
            _read_parcel_entry(market, slug, entry)
        for booking_id, booking in bookings.items():
            market.parcels[slug, booking_id].order_number = str(booking.get("order_number") or "")
        market.requests[slug] = count_requests(entries)
    return market


def items_of(entry: Entry) -> list[tuple[str, str, int]]:
    """The journalled items: (remote key, seller SKU, units)."""
    return [(str(key), str(seller_sku), int(count)) for key, seller_sku, count in entry.data.get("items") or ()]


def _count(items: Iterable[tuple[str, str, int]]) -> Counter[str]:
    result: Counter[str] = Counter()
    for remote_key, _, count in items:
        result[remote_key] += count
    return result


def _read_order_entry(market: Market, slug: str, entry: Entry) -> None:
    key = (slug, str(entry.data.get("order_id", "")))
    if entry.event is Event.ORDER_PLACED:
        items = items_of(entry)
        market.orders[key] = Placed(
            key,
            entry.at,
            _count(items),
            {remote_key: seller_sku for remote_key, seller_sku, _ in items},
            shippable=bool(entry.data["paid"] or entry.data["cod"]),
        )
    elif entry.event is Event.ORDER_PAID:
        market.orders[key].shippable = True
    elif entry.event is Event.ORDER_CANCELLED:
        order = market.orders[key]
        gone = _count(items_of(entry)) or order.wanted
        order.cancelled += gone
        if order.handed_over:
            order.kept_after_handover += gone
    elif entry.event is Event.HANDED_OVER and key in market.orders:
        market.orders[key].handed_over = True


def _read_parcel_entry(market: Market, slug: str, entry: Entry) -> None:
    key = (slug, str(entry.data.get("parcel_id", "")))
    if entry.event is Event.PARCEL_ARRANGED:
        known = market.parcels.get(key)
        if known is not None and known.live:
            known.times += 1
            return
        order_id = str(entry.data["order_id"])
        order = market.orders.get((slug, order_id))  # a courier knows none: its `order_id` is the booking's reference
        units = _count(items_of(entry)) or (order.wanted if order is not None else Counter())
        waybill = str(entry.data.get("waybill") or "")
        market.parcels[key] = Arranged(slug, key[1], order_id, units, waybill)
    elif entry.event is Event.PARCEL_CANCELLED and key in market.parcels:
        market.parcels[key].live = False
    elif entry.event is Event.HANDED_OVER and key in market.parcels:
        market.parcels[key].collected = True
    elif entry.event is Event.WAYBILL_ISSUED and key in market.parcels:
        market.parcels[key].waybill = str(entry.data["waybill"])


def count_requests(entries: Iterable[Entry]) -> dict[str, object]:
    """Requests in total, refused ones by the provider's code, injected faults by kind."""
    total, refused, faults = 0, Counter[str](), Counter[str]()
    for entry in entries:
        if entry.event is not Event.REQUEST:
            continue
        total += 1
        if entry.data["refused"]:
            refused[str(entry.data["refused"])] += 1
        if entry.data["fault"]:
            faults[str(entry.data["fault"])] += 1
    return {"total": total, "refused": dict(sorted(refused.items())), "faults": dict(sorted(faults.items()))}


def truth(market: Market, world: World, off: Collection[str]) -> Counter[str]:
    """SKU -> units that nobody has bought: the starting stock and its changes minus everything placed and not cancelled."""
    left = Counter(dict(world.stock))
    for _, sku, units in world.changes:
        left[sku] += units
    for order in market.orders.values():
        if order.key[0] not in off:
            left.subtract(order.stock(world))
    return left
