"""Wire <-> domain for orders and parcels, pure. The platform has no order status: everything follows from the item rows.

Status meanings: order management guide and API reference, 2026; "(unconfirmed)" where only the name speaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah_or_none
from sellersync.domain.orders import Buyer, Excluded, Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel

from .values import first, mapping_of, moment, moment_or_none, text, truth, whole
from .warehouses import Warehouses

WireRow = Mapping[str, Any]

STAGES: Mapping[str, UnitStage] = {
    "unpaid": UnitStage.OPEN,
    "pending": UnitStage.OPEN,
    "repacked": UnitStage.OPEN,
    "packed": UnitStage.OPEN,
    "ready_to_ship_pending": UnitStage.OPEN,
    "ready_to_ship": UnitStage.OPEN,
    "shipped": UnitStage.LEFT,
    "shipping": UnitStage.LEFT,
    "delivered": UnitStage.DELIVERED,
    "confirmed": UnitStage.DELIVERED,
    "failed": UnitStage.COMING_BACK,
    "failed_delivery": UnitStage.COMING_BACK,
    "shipped_back": UnitStage.COMING_BACK,
    "shipped_back_success": UnitStage.COMING_BACK,  # back at the seller (unconfirmed); a person receives and grades it
    "shipped_back_failed": UnitStage.COMING_BACK,  # the return trip failed (unconfirmed)
    "returned": UnitStage.COMING_BACK,
    "canceled": UnitStage.CANCELLED,
    "lost": UnitStage.LOST,
    "lost_by_3pl": UnitStage.LOST,
    "damaged_by_3pl": UnitStage.LOST,
    "package_scrapped": UnitStage.LOST,
}
"""Item status -> what became of the unit. Any other text is kept and parks the order."""

PARCEL_STATES: Mapping[str, ParcelState] = {
    "repacked": ParcelState.CANCELLED,
    "packed": ParcelState.PACKED,
    "ready_to_ship_pending": ParcelState.BOOKED,
    "ready_to_ship": ParcelState.BOOKED,
    "shipped": ParcelState.IN_TRANSIT,
    "shipping": ParcelState.IN_TRANSIT,
    "delivered": ParcelState.DELIVERED,
    "confirmed": ParcelState.DELIVERED,
    "returned": ParcelState.DELIVERED,  # the buyer's return is a matter of its own
    "failed": ParcelState.RETURNING,
    "failed_delivery": ParcelState.RETURNING,
    "shipped_back": ParcelState.RETURNING,
    "shipped_back_success": ParcelState.RETURNED,
    "shipped_back_failed": ParcelState.PROBLEM,
    "canceled": ParcelState.CANCELLED,
    "lost": ParcelState.LOST,
    "lost_by_3pl": ParcelState.LOST,
    "damaged_by_3pl": ParcelState.LOST,
    "package_scrapped": ParcelState.LOST,
}
"""Item status -> state of the package that the item names."""

PACKABLE = frozenset({"pending", "repacked"})
PACKED = "packed"
BOOKED = frozenset({"ready_to_ship_pending", "ready_to_ship"})
_SHOP_SKU = re.compile(r"(\d+)_[A-Z]+-(\d+)")


# ---------------------------------------------------------------------------------------------------------------------- item rows


@dataclass(slots=True)
class Item:
    """One item row, that is one unit, with the parts that decisions need."""

    item_id: str
    status: str
    stage: UnitStage
    remote_key: str
    line_key: str
    seller_sku: str
    title: str
    unit_price: int | None
    package_id: str
    waybill: str
    courier: str
    ours: bool
    location: str
    not_booked: str
    """Why this unit is not ours to book ("" when it is): Lazada's warehouse, digital, own fleet, pickup in store."""
    cancel_asked: bool
    cancel_at: datetime | None
    cancel_by: str
    cancel_reason: str
    ship_by: datetime | None
    paid_at: datetime | None
    updated_at: datetime | None

    @property
    def bookable(self) -> bool:
        """Waits for a step of ours: pack or ready-to-ship."""
        return not self.not_booked and (self.status in PACKABLE or self.status == PACKED)


def remote_key(row: WireRow) -> str:
    """`<item_id>:<sku_id>` of an item row; the item id comes from `shop_sku` (`7000000001_ID-13000000001`) where `product_id` is
    missing (the multi-order call does not document it). Without either it is `:<sku_id>`."""
    product, sku = text(row.get("product_id")), text(row.get("sku_id"))
    if not (product and sku) and (found := _SHOP_SKU.fullmatch(text(row.get("shop_sku")))):
        product, sku = product or found.group(1), sku or found.group(2)
    return f"{product}:{sku}"


def items_of(rows: Sequence[WireRow], *, warehouses: Warehouses, problems: list[str] | None = None) -> tuple[Item, ...]:
    """All units of one order. What cannot be read is told in `problems`. Raises `Unrecognised` for a row without its id."""
    problems = [] if problems is None else problems
    keys = [remote_key(row) for row in rows]
    if any(key.startswith(":") for key in keys):  # another row of the order may name the product
        named = {key.partition(":")[2]: key for key in keys if not key.startswith(":")}
        keys = [named.get(key.partition(":")[2], key) for key in keys]
    return tuple([_item(row, key, warehouses, problems) for row, key in zip(rows, keys, strict=True)])


def _item(row: WireRow, key: str, warehouses: Warehouses, problems: list[str]) -> Item:
    item_id = text(row.get("order_item_id"))
    if not item_id:
        raise Unrecognised("an item row without order_item_id", f"keys {sorted(row)}")
    read = _Reader(f"item {item_id}", problems)
    if key.startswith(":"):
        problems.append(f"item {item_id}: the product of SKU {text(row.get('sku'))!r} is not named")
    status = text(row.get("status"))
    if status not in STAGES:
        problems.append(f"item {item_id}: unknown status {status!r}")
    price, sku = read.money(row, "item_price"), text(row.get("sku"))
    ours = _ours(row, read)
    location = warehouses.location_of(text(row.get("warehouse_code"))) if ours else ""
    line_key = f"{key.partition(':')[2] or sku}@{'?' if price is None else price}"
    variation = text(row.get("variation"))
    return Item(
        item_id=item_id,
        status=status,
        stage=STAGES.get(status, UnitStage.UNKNOWN),
        remote_key=key,
        line_key=line_key + ("" if ours else "#fbl") + (f"#{location}" if location else ""),
        seller_sku=sku,
        title=text(row.get("name")) + (f" ({variation})" if variation else ""),
        unit_price=price,
        package_id=text(row.get("package_id")),
        waybill=text(row.get("tracking_code")),
        courier=text(row.get("shipment_provider")),
        ours=ours,
        location=location,
        not_booked=_not_booked(row, ours, read),
        cancel_asked=read.flag(row, "need_cancel_confirm") or read.flag(row, "is_cancel_pending"),
        cancel_at=read.time(row, "cancel_trigger_time"),
        cancel_by=text(row.get("cancel_return_initiator")),
        cancel_reason=text(first(row, "reason", "reason_detail")),
        ship_by=read.time(row, "sla_time_stamp"),
        paid_at=read.time(row, "payment_time"),
        updated_at=read.time(row, "updated_at"),
    )


def _ours(row: WireRow, read: _Reader) -> bool:
    """`is_fbl` decides; `shipping_type` only where it is missing. An unclear row counts as ours: undersell, never oversell."""
    if row.get("is_fbl") is not None:
        return not read.flag(row, "is_fbl")
    return "warehouse" not in text(row.get("shipping_type")).lower()


def _not_booked(row: WireRow, ours: bool, read: _Reader) -> str:
    provider_type = text(row.get("shipping_provider_type")).upper()
    if not ours:
        return "shipped by Lazada's warehouse"
    if read.flag(row, "is_digital") or provider_type == "DIGITAL":
        return "digital"
    if read.flag(row, "delivery_option_sof") or provider_type == "SELLER_OWN_FLEET":
        return "delivered by the seller's own fleet"
    if provider_type == "PICKUP_IN_STORE":
        return "picked up in the store"
    return ""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads single fields; what is unreadable becomes a sentence and an unknown value, so that it parks one order only."""

    where: str
    problems: list[str] = field(default_factory=list)

    def money(self, row: WireRow, name: str) -> int | None:
        try:
            return rupiah_or_none(row.get(name), where=name)
        except Unrecognised as unreadable:
            self.problems.append(f"{self.where} {unreadable}")
            return None

    def time(self, row: WireRow, name: str) -> datetime | None:
        try:
            return moment_or_none(row.get(name), where=name)
        except Unrecognised as unreadable:
            self.problems.append(f"{self.where} {unreadable}")
            return None

    def flag(self, row: WireRow, name: str) -> bool:
        value = row.get(name)
        if value is None or type(value) is bool:
            return bool(value)
        try:
            return truth(value)
        except Unrecognised as unreadable:
            self.problems.append(f"{self.where} {name}: {unreadable}")
            return False


# -------------------------------------------------------------------------------------------------------------------------- orders


def order_from(header: WireRow, rows: Sequence[WireRow], *, warehouses: Warehouses) -> Order:
    """One order from its header (`/orders/get`, `/order/get`) and its item rows.

    Raises `Unrecognised` where the id, the times or the ids of the units cannot be read; everything else becomes a problem.
    """
    order_id = text(header.get("order_id"))
    if not order_id:
        raise Unrecognised("an order without its id", f"keys {sorted(header)}")
    problems: list[str] = []
    read = _Reader(f"order {order_id}", problems)
    items = items_of(rows, warehouses=warehouses, problems=problems)
    if not items:
        raise Unrecognised(f"order {order_id} without item rows", "")
    _check_count(header, items, problems)
    asked = read.flag(header, "need_cancel_confirm") or read.flag(header, "is_cancel_pending")
    state = order_state(items, cancel_asked=asked)
    waiting = [item for item in items if item.stage is UnitStage.OPEN]
    goods, voucher = read.money(header, "price"), read.money(header, "voucher")
    shipping = read.money(header, "shipping_fee")
    method = text(header.get("payment_method"))
    cancelled = [item for item in items if item.stage is UnitStage.CANCELLED]
    left_out = sorted({item.not_booked for item in waiting if item.not_booked})
    return Order(
        remote_id=order_id,
        number=text(header.get("order_number")) or order_id,
        state=state,
        remote_status=",".join(sorted({item.status for item in items})),
        created_at=moment(header.get("created_at"), where=f"order {order_id} created_at"),
        updated_at=moment(header.get("updated_at"), where=f"order {order_id} updated_at"),
        lines=lines_of(items),
        parcels=parcels_of(order_id, items),
        paid_at=min((item.paid_at for item in items if item.paid_at), default=None),
        cancelled_at=max((item.updated_at for item in items if item.updated_at), default=None)
        if state is OrderState.CANCELLED
        else None,
        ship_by=min((item.ship_by for item in waiting if item.ship_by), default=None),
        cancel_respond_by=min(
            (item.cancel_at for item in waiting if item.cancel_asked and item.cancel_at), default=None
        ),
        storefront="lazada",
        cod=method.upper() == "COD",
        goods_total=goods,
        shipping_fee=shipping,
        discount_total=voucher,
        total=None if goods is None or voucher is None or shipping is None else goods - voucher + shipping,
        payment_method=method,
        courier_service=next((item.courier for item in items if item.courier), ""),
        cancel_by=next((item.cancel_by for item in cancelled if item.cancel_by), ""),
        cancel_reason=next((item.cancel_reason for item in cancelled if item.cancel_reason), ""),
        buyer=buyer_of(header),
        problems=tuple(problems),
        meta={"not_booked": "; ".join(left_out)} if left_out else {},
    )


def _check_count(header: WireRow, items: Sequence[Item], problems: list[str]) -> None:
    if text(header.get("items_count")):
        try:
            announced = whole(header.get("items_count"), where="items_count")
        except Unrecognised as unreadable:
            problems.append(str(unreadable))
            return
        if announced != len(items):
            problems.append(f"the order announces {announced} units, {len(items)} item rows came")


def order_state(items: Sequence[Item], *, cancel_asked: bool = False) -> OrderState:
    """What the seller may do now. The least advanced unit that is still wanted decides."""
    live = [item for item in items if item.stage is not UnitStage.CANCELLED]
    if not live:
        return OrderState.CANCELLED
    if any(item.stage is UnitStage.UNKNOWN for item in live):
        return OrderState.UNKNOWN
    waiting = [item for item in live if item.stage is UnitStage.OPEN]
    if waiting:
        if cancel_asked or any(item.cancel_asked for item in waiting):
            return OrderState.CANCEL_REQUESTED
        if any(item.status == "unpaid" for item in waiting):
            return OrderState.UNPAID
        if any(item.bookable for item in waiting):
            return OrderState.READY
        if any(item.status in BOOKED for item in waiting):
            return OrderState.BOOKED
        return OrderState.HELD  # only units that are not ours to book
    stages = {item.stage for item in live}
    if UnitStage.LEFT in stages:
        return OrderState.SHIPPED
    if UnitStage.COMING_BACK in stages:
        return OrderState.RETURNING
    if UnitStage.LOST in stages:
        return OrderState.SHIPPED
    return OrderState.COMPLETED if all(item.status == "confirmed" for item in live) else OrderState.DELIVERED


def lines_of(items: Iterable[Item]) -> tuple[OrderLine, ...]:
    """Units grouped by SKU and price, in the order of their ids. Lazada's number leaves open units out from the moment of ordering
    (stock guides); a shop where it does not is then undersold, never oversold."""
    groups: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: item.item_id):
        groups.setdefault(item.line_key, []).append(item)
    return tuple(
        OrderLine(
            key=key,
            listing=group[0].remote_key,
            target=group[0].remote_key,
            units=tuple(Unit(item.stage, 1, item.item_id, Excluded.YES) for item in group),
            aliases=(key, group[0].remote_key),
            seller_sku=group[0].seller_sku,
            title=group[0].title,
            unit_price=group[0].unit_price,
            ours=group[0].ours,
            location=group[0].location,
        )
        for key, group in groups.items()
    )


def parcels_of(order_id: str, items: Iterable[Item]) -> tuple[RemoteParcel, ...]:
    """One parcel for each `package_id` that the item rows name."""
    packages: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: item.item_id):
        if item.package_id:
            packages.setdefault(item.package_id, []).append(item)
    return tuple(_parcel(order_id, package_id, group) for package_id, group in packages.items())


def _parcel(order_id: str, package_id: str, group: Sequence[Item]) -> RemoteParcel:
    live = [item for item in group if item.stage is not UnitStage.CANCELLED] or group
    states = {PARCEL_STATES.get(item.status, ParcelState.UNKNOWN) for item in live}
    counts: dict[str, int] = {}
    for item in live:
        counts[item.line_key] = counts.get(item.line_key, 0) + 1
    return RemoteParcel(
        remote_id=package_id,
        order_ids=(order_id,),
        state=states.pop() if len(states) == 1 else ParcelState.UNKNOWN,
        remote_status=",".join(sorted({item.status for item in group})),
        units=tuple(counts.items()),
        unit_keys=tuple(item.item_id for item in live),
        waybill=next((item.waybill for item in live if item.waybill), ""),
        courier=next((item.courier for item in live if item.courier), ""),
        ship_by=min((item.ship_by for item in live if item.ship_by), default=None),
        updated_at=max((item.updated_at for item in live if item.updated_at), default=None),
    )


def buyer_of(header: WireRow) -> Buyer | None:
    """Buyer data, mostly masked (`S***i`) until the app passed the platform's security review."""
    raw = header.get("address_shipping")
    if not isinstance(raw, dict):
        return None
    address = mapping_of(raw, where="address_shipping")

    def part(*names: str) -> str:
        return text(first(address, *names))

    first_name, phone, street = part("first_name"), part("phone", "phone2"), part("address1")
    buyer = Buyer(
        name=f"{first_name} {part('last_name')}".strip(),
        phone=phone,
        address=", ".join(filter(None, (street, part("address2")))),
        district=part("addressDsitrict", "addressDistrict", "address5"),
        city=part("address4", "city"),
        province=part("address3"),
        postal_code=part("post_code"),
        note=text(first(header, "buyer_note", "remarks")),
        masked="*" in first_name + phone + street,
    )
    return buyer if buyer.name or buyer.phone or buyer.address else None
