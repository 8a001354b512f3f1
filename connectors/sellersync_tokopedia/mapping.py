"""Wire -> domain for orders. Pure. Unknown values are kept and reported, never guessed.

Field meanings: Partner Center endpoint pages (2026-10) and generated SDK models. A line item is one unit; there is no quantity field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah_or_none
from sellersync.domain.orders import Buyer, Excluded, Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.returns import CancellationState, RemoteCancellation
from sellersync.domain.times import from_epoch_s

Json = Mapping[str, Any]

ORDER_STATES: Mapping[str, OrderState] = {
    "UNPAID": OrderState.UNPAID,
    "ON_HOLD": OrderState.HELD,
    "AWAITING_SHIPMENT": OrderState.READY,
    "PARTIALLY_SHIPPING": OrderState.READY,
    "AWAITING_COLLECTION": OrderState.BOOKED,
    "IN_TRANSIT": OrderState.SHIPPED,
    "DELIVERED": OrderState.DELIVERED,
    "COMPLETED": OrderState.COMPLETED,
    "CANCELLED": OrderState.CANCELLED,
}
ANSWERABLE = frozenset({"UNPAID", "ON_HOLD", "AWAITING_SHIPMENT", "PARTIALLY_SHIPPING", "AWAITING_COLLECTION"})
"""Order statuses in which a buyer's request to cancel stops the seller's work."""

UNIT_STAGES: Mapping[str, UnitStage] = {
    "UNPAID": UnitStage.OPEN,
    "ON_HOLD": UnitStage.OPEN,
    "AWAITING_SHIPMENT": UnitStage.OPEN,
    "AWAITING_COLLECTION": UnitStage.OPEN,
    "IN_TRANSIT": UnitStage.LEFT,
    "DELIVERED": UnitStage.DELIVERED,
    "COMPLETED": UnitStage.DELIVERED,
    "CANCELLED": UnitStage.CANCELLED,
}
PACKAGE_STATES: Mapping[str, ParcelState] = {
    "TO_FULFILL": ParcelState.READY,
    "PROCESSING": ParcelState.BOOKED,
    "FULFILLING": ParcelState.IN_TRANSIT,
    "COMPLETED": ParcelState.DELIVERED,
    "CANCELLED": ParcelState.CANCELLED,
}
FULFILLED_BY_US = "FULFILLMENT_BY_SELLER"
FULFILLED_BY_PLATFORM = frozenset({"FULFILLMENT_BY_TIKTOK", "FULFILLMENT_BY_DILAYANI_TOKOPEDIA"})
STOREFRONTS = {"TOKOPEDIA": "tokopedia", "TIKTOK_SHOP": "tiktok_shop"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What an order row does not say itself.

    `locations`: the shop has several sales warehouses. `requests`: cancellations found for orders that carry the buyer's flag.
    `package_orders`: all orders of combined packages.
    """

    locations: bool = False
    requests: Mapping[str, Sequence[RemoteCancellation]] = field(default_factory=dict)
    package_orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def text(row: Json, name: str) -> str:
    """A scalar as text without stray blanks (ids may arrive as numbers); absent, null, objects and lists are ""."""
    value = row.get(name)
    if type(value) is str:
        return value.strip()
    return str(value) if isinstance(value, int | float) else ""


def when(row: Json, name: str) -> datetime | None:
    """Unix seconds; absent, null and 0 are `None`."""
    value = row.get(name)
    return None if value in (None, "", 0, "0") else from_epoch_s(value, where=name)


def due(row: Json, name: str) -> datetime:
    found = when(row, name)
    if found is None:
        raise Unrecognised(f"{name} is missing", text(row, "id"))
    return found


# ---------------------------------------------------------------------------------------------------------------------- orders


def needs_requests(row: Json) -> bool:
    """Must the buyer's cancellation request be looked up for this order?"""
    return row.get("is_buyer_request_cancel") is True and row.get("status") in ANSWERABLE


def order(row: Json, facts: Facts) -> Order:
    """One order row. Raises `Unrecognised` when it has no id, status or times; lesser defects become `problems`."""
    return _Reader(row, facts).order()


class _Reader:
    """Reads one order row; `problems` grows."""

    def __init__(self, row: Json, facts: Facts) -> None:
        self.row = row
        self.facts = facts
        self.id, self.status = text(row, "id"), text(row, "status")
        if not self.id or not self.status:
            raise Unrecognised("an order without id or status", repr(sorted(row)))
        self.fulfilment = text(row, "fulfillment_type")
        self.problems: list[str] = []
        self.items = self._items()

    def order(self) -> Order:
        row = self.row
        updated_at, created_at = due(row, "update_time"), due(row, "create_time")
        lines = self._lines()
        state, respond_by = self._state()
        parcels, money = self._parcels(state, lines), self._money()
        return Order(
            remote_id=self.id,
            number=self.id,
            state=state,
            remote_status=self.status,
            created_at=created_at,
            updated_at=updated_at,
            lines=lines,
            parcels=parcels,
            paid_at=when(row, "paid_time"),
            cancelled_at=when(row, "cancel_time"),
            ship_by=when(row, "rts_sla_time"),
            cancel_respond_by=respond_by,
            storefront=STOREFRONTS.get(text(row, "commerce_platform"), text(row, "commerce_platform").lower()),
            cod=row.get("is_cod") is True,
            payment_method=text(row, "payment_method_name"),
            courier_service=text(row, "delivery_option_name"),
            cancel_by=text(row, "cancellation_initiator").lower(),
            cancel_reason=text(row, "cancel_reason"),
            buyer=_buyer(row),
            problems=tuple(self.problems),
            **money,
        )

    def _items(self) -> list[Json]:
        items = self.row.get("line_items")
        if not isinstance(items, list) or not items:
            self.problems.append("the order has no line items")
            return []
        good = [item for item in items if isinstance(item, Mapping) and text(item, "id")]
        if len(good) < len(items):
            self.problems.append(f"{len(items) - len(good)} line items have no id")
        return good

    def _state(self) -> tuple[OrderState, datetime | None]:
        """The order's state and, while a request to cancel waits, the moment until which it must be answered."""
        state = ORDER_STATES.get(self.status, OrderState.UNKNOWN)
        if state is OrderState.UNKNOWN:
            self.problems.append(f"unknown order status {self.status!r}")
        if self.fulfilment != FULFILLED_BY_US and self.fulfilment not in FULFILLED_BY_PLATFORM:
            self.problems.append(f"unknown fulfillment_type {self.fulfilment!r}")
            state = OrderState.UNKNOWN if state is OrderState.READY else state
        if needs_requests(self.row):
            requests = self.facts.requests.get(self.id, ())
            waiting = [request for request in requests if request.state is CancellationState.PENDING]
            # The flag may outlive the request (unconfirmed): one that is known to be answered no longer blocks.
            if waiting or not requests:
                times = [request.respond_by for request in waiting if request.respond_by is not None]
                return OrderState.CANCEL_REQUESTED, min(times, default=None)
        return state, None

    # -- lines

    def _lines(self) -> tuple[OrderLine, ...]:
        """Units grouped by SKU and price."""
        groups: dict[tuple[str, str, str], list[_Sold]] = {}
        for item in self.items:
            for sold in _sold(item):
                listing = sold.listing
                if listing.startswith(":") or listing.endswith(":"):
                    self.problems.append(f"line item {sold.item_id} names no product or SKU")
                groups.setdefault((listing, text(item, "sale_price"), text(item, "is_gift")), []).append(sold)
        return tuple(self._line(members) for members in groups.values())

    def _line(self, members: list[_Sold]) -> OrderLine:
        """The key of a line is its lowest unit id: it survives a change of price."""
        members = sorted(members, key=lambda sold: (len(sold.unit_key), sold.unit_key))
        first = members[0]
        listing = first.listing
        units = tuple([self._unit(sold) for sold in members])
        keys = [*[sold.unit_key for sold in members], *[sold.item_id for sold in members], listing]
        return OrderLine(
            key=first.unit_key,
            listing=listing,
            target=listing,
            units=units,
            aliases=tuple(dict.fromkeys(keys)),
            seller_sku=text(first.component, "seller_sku"),
            title=" ".join(filter(None, (text(first.item, "product_name"), text(first.item, "sku_name")))),
            unit_price=None if first.of_bundle else self._amount(first.item, "sale_price"),
            ours=self.fulfilment not in FULFILLED_BY_PLATFORM,
            location=text(self.row, "warehouse_id") if self.facts.locations else "",
        )

    def _unit(self, sold: _Sold) -> Unit:
        """The available quantity leaves committed units out. Whether an unpaid order is committed already is unconfirmed."""
        shown = text(sold.item, "display_status")
        excluded = Excluded.UNKNOWN if "UNPAID" in (self.status, shown) else Excluded.YES
        return Unit(stage=self._stage(sold.item_id, shown), key=sold.unit_key, excluded=excluded)

    def _stage(self, item_id: str, shown: str) -> UnitStage:
        stage = UNIT_STAGES.get(shown or self.status, UnitStage.UNKNOWN)
        if stage is UnitStage.UNKNOWN:
            self.problems.append(f"unit {item_id}: unknown status {shown or self.status!r}")
        elif self.status == "CANCELLED" and stage is UnitStage.OPEN:
            return UnitStage.CANCELLED
        elif self.status == "CANCELLED" and stage.left_shelf:
            self.problems.append(f"unit {item_id} is {shown} in a cancelled order")
        return stage

    # -- parcels

    def _parcels(self, state: OrderState, lines: Sequence[OrderLine]) -> tuple[RemoteParcel, ...]:
        """Parcels as the line items show them; a package without items is left to the package detail."""
        packages: dict[str, list[Json]] = {}
        for item in self.items:
            if package_id := text(item, "package_id"):
                packages.setdefault(package_id, []).append(item)
        return tuple(self._parcel(package_id, items, state, lines) for package_id, items in packages.items())

    def _parcel(
        self, package_id: str, items: Sequence[Json], order_state: OrderState, lines: Sequence[OrderLine]
    ) -> RemoteParcel:
        alive = [item for item in items if text(item, "display_status") != "CANCELLED"] or items
        wire = text(alive[0], "package_status")
        state = PACKAGE_STATES.get(wire) if wire else _state_of_units(alive, self.status)
        if state is None:
            self.problems.append(f"package {package_id}: unknown status {wire!r}")
            state = ParcelState.UNKNOWN
        if self.status == "CANCELLED" and state in (ParcelState.READY, ParcelState.BOOKED):
            state = ParcelState.CANCELLED
        if state is ParcelState.READY and order_state is not OrderState.READY:
            state = ParcelState.WAITING
        unit_keys, counts = units_of(lines, [text(item, "id") for item in items])
        return RemoteParcel(
            remote_id=package_id,
            order_ids=self.facts.package_orders.get(package_id, (self.id,)),
            state=state,
            remote_status=wire or text(alive[0], "display_status") or self.status,
            units=counts,
            unit_keys=unit_keys,
            waybill=next((text(item, "tracking_number") for item in alive if text(item, "tracking_number")), ""),
            courier=text(self.row, "shipping_provider"),
            ship_by=when(self.row, "rts_sla_time"),
            updated_at=when(self.row, "update_time"),
            self_shipped=text(self.row, "shipping_type") == "SELLER",
        )

    # -- money

    def _amount(self, row: Json, name: str) -> int | None:
        try:
            return rupiah_or_none(row.get(name), where=name)
        except Unrecognised as wrong:
            self.problems.append(str(wrong))
            return None

    def _money(self) -> dict[str, Any]:
        payment = self.row.get("payment") or {}
        currency = text(payment, "currency") or "IDR"
        if currency != "IDR":
            self.problems.append(f"amounts are in {currency}, not in rupiah")
            return {"currency": currency}
        discounts = [self._amount(payment, name) for name in ("seller_discount", "platform_discount")]
        return {
            "currency": currency,
            "goods_total": self._amount(payment, "original_total_product_price"),
            "shipping_fee": self._amount(payment, "shipping_fee"),
            "discount_total": None if discounts == [None, None] else sum(amount or 0 for amount in discounts),
            "total": self._amount(payment, "total_amount"),
        }


@dataclass(frozen=True, slots=True)
class _Sold:
    """One unit that leaves the shelf: a line item itself, or a unit of a component of a bundle."""

    item: Json
    component: Json
    item_id: str
    unit_key: str
    listing: str

    @property
    def of_bundle(self) -> bool:
        return self.component is not self.item


def _sold(item: Json) -> Iterable[_Sold]:
    components = item.get("combined_listing_skus") or item.get("sub_item_info") or ()
    item_id = text(item, "id")
    if not components:
        yield _Sold(item, item, item_id, item_id, _listing(item))
    for place, component in enumerate(components):
        for number in range(int(component.get("sku_count") or 1)):
            yield _Sold(item, component, item_id, f"{item_id}/{place}/{number}", _listing(component))


def _listing(row: Json) -> str:
    return f"{text(row, 'product_id')}:{text(row, 'sku_id')}"


def _state_of_units(items: Sequence[Json], order_status: str) -> ParcelState | None:
    """The state of a package whose items say none, after its least advanced unit."""
    ranks = ("AWAITING_SHIPMENT", "AWAITING_COLLECTION", "IN_TRANSIT", "DELIVERED", "COMPLETED", "CANCELLED")
    states = (
        ParcelState.READY,
        ParcelState.BOOKED,
        ParcelState.IN_TRANSIT,
        ParcelState.DELIVERED,
        ParcelState.DELIVERED,
        ParcelState.CANCELLED,
    )
    known = [text(item, "display_status") or order_status for item in items]
    if any(status in ("UNPAID", "ON_HOLD") for status in known):
        return ParcelState.WAITING
    if any(status not in ranks for status in known):
        return None
    return states[min(ranks.index(status) for status in known)]


def units_of(
    lines: Sequence[OrderLine], item_ids: Iterable[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    """(unit keys, (line key, number of units) rows) of the given line items; a bundle's units belong to its line item."""
    wanted = set(item_ids)
    keys: list[str] = []
    counts: list[tuple[str, int]] = []
    for line in lines:
        inside = [unit.key for unit in line.units if unit.key.split("/")[0] in wanted]
        keys += inside
        if inside:
            counts.append((line.key, len(inside)))
    return tuple(keys), tuple(counts)


def _buyer(row: Json) -> Buyer | None:
    """The recipient; masked by the platform when it ships itself."""
    address = row.get("recipient_address")
    if not isinstance(address, Mapping):
        return None
    levels = {
        text(level, "address_level_name").lower(): text(level, "address_name")
        for level in address.get("district_info") or ()
        if isinstance(level, Mapping)
    }
    name, phone, street = text(address, "name"), text(address, "phone_number"), text(address, "full_address")
    return Buyer(
        name=name,
        phone=phone,
        address=street,
        district=levels.get("district", ""),
        city=levels.get("city", ""),
        province=levels.get("province", ""),
        postal_code=text(address, "postal_code"),
        country=text(address, "region_code") or "ID",
        note=text(row, "buyer_message"),
        masked="*" in name + phone + street,
    )
