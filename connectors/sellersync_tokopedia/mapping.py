"""Wire -> domain for orders and after-sales cases. Pure. Unknown values are kept and reported, never guessed.

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
from sellersync.domain.returns import CancellationState, RemoteCancellation, RemoteReturn, ReturnState
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

CANCELLATION_STATES: Mapping[str, CancellationState] = {
    "CANCELLATION_REQUEST_PENDING": CancellationState.PENDING,
    "CANCELLATION_REQUEST_SUCCESS": CancellationState.ACCEPTED,
    "CANCELLATION_REQUEST_COMPLETE": CancellationState.ACCEPTED,
    "CANCELLATION_REQUEST_CANCEL": CancellationState.WITHDRAWN,
    "CANCELLATION_REQUEST_CANCELLED": CancellationState.WITHDRAWN,  # the webhooks' spelling
}
RETURN_STATES: Mapping[str, ReturnState] = {
    "RETURN_OR_REFUND_REQUEST_PENDING": ReturnState.REQUESTED,
    "AWAITING_BUYER_SHIP": ReturnState.APPROVED,
    "BUYER_SHIPPED_ITEM": ReturnState.COMING_BACK,
    "RETURN_OR_REFUND_REQUEST_COMPLETE": ReturnState.CLOSED,
    "RETURN_OR_REFUND_REQUEST_SUCCESS": ReturnState.APPROVED,
    "REFUND_OR_RETURN_REQUEST_REJECT": ReturnState.WITHDRAWN,
    "RETURN_OR_REFUND_REQUEST_REJECT": ReturnState.WITHDRAWN,  # the older SDKs' spelling
    "RETURN_OR_REFUND_REQUEST_CANCEL": ReturnState.WITHDRAWN,
}
GOODS_COME_BACK = frozenset({"RETURN_AND_REFUND", "REPLACEMENT", "EXCHANGE"})


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
    """A field as text; absent and null are "" (ids may arrive as numbers)."""
    value = row.get(name)
    return "" if value is None else str(value)


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
    order_id, status = text(row, "id"), text(row, "status")
    if not order_id or not status:
        raise Unrecognised("an order without id or status", repr(sorted(row)))
    updated_at, created_at = due(row, "update_time"), due(row, "create_time")
    problems: list[str] = []
    lines = _lines(row, status, facts, problems)
    state, respond_by = _state(row, status, facts, problems)
    money = _money(row, problems)
    return Order(
        remote_id=order_id,
        number=order_id,
        state=state,
        remote_status=status,
        created_at=created_at,
        updated_at=updated_at,
        lines=lines,
        parcels=_parcels(row, status, state, lines, facts, problems),
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
        problems=tuple(problems),
        **money,
    )


def _state(row: Json, status: str, facts: Facts, problems: list[str]) -> tuple[OrderState, datetime | None]:
    """The order's state and, while a request to cancel waits, the moment until which it must be answered."""
    state = ORDER_STATES.get(status, OrderState.UNKNOWN)
    if state is OrderState.UNKNOWN:
        problems.append(f"unknown order status {status!r}")
    fulfilment = text(row, "fulfillment_type")
    if fulfilment != FULFILLED_BY_US and fulfilment not in FULFILLED_BY_PLATFORM:
        problems.append(f"unknown fulfillment_type {fulfilment!r}")
        state = OrderState.UNKNOWN if state is OrderState.READY else state
    if needs_requests(row):
        requests = facts.requests.get(text(row, "id"), ())
        waiting = [request for request in requests if request.state is CancellationState.PENDING]
        # The flag may outlive the request (unconfirmed): a request that is known to be answered no longer blocks.
        if waiting or not requests:
            times = [request.respond_by for request in waiting if request.respond_by is not None]
            return OrderState.CANCEL_REQUESTED, min(times, default=None)
    return state, None


def _lines(row: Json, status: str, facts: Facts, problems: list[str]) -> tuple[OrderLine, ...]:
    """Units grouped by SKU and price. The key of a line is its lowest unit id: it survives a change of price."""
    groups: dict[tuple[str, str, str], list[tuple[Json, Json, str]]] = {}
    items = row.get("line_items")
    if not isinstance(items, list) or not items:
        problems.append("the order has no line items")
        items = []
    for item in items:
        if not isinstance(item, Mapping) or not text(item, "id"):
            problems.append("a line item without id")
            continue
        for sold, unit_key in _sold(item):
            listing = f"{text(sold, 'product_id')}:{text(sold, 'sku_id')}"
            if not text(sold, "product_id") or not text(sold, "sku_id"):
                problems.append(f"line item {text(item, 'id')} names no product or SKU")
            groups.setdefault((listing, text(item, "sale_price"), text(item, "is_gift")), []).append(
                (item, sold, unit_key)
            )
    location = text(row, "warehouse_id") if facts.locations else ""
    return tuple(
        _line(listing, members, row, status, location, problems) for (listing, _, _), members in groups.items()
    )


def _sold(item: Json) -> Iterable[tuple[Json, str]]:
    """(SKU that leaves the shelf, unit key) of one line item: itself, or each component of a bundle."""
    components = item.get("combined_listing_skus") or item.get("sub_item_info") or ()
    if not components:
        yield item, text(item, "id")
    for component in components:
        for number in range(int(component.get("sku_count") or 1)):
            yield component, f"{text(item, 'id')}/{text(component, 'sku_id')}/{number + 1}"


def _line(
    listing: str,
    members: Sequence[tuple[Json, Json, str]],
    row: Json,
    status: str,
    location: str,
    problems: list[str],
) -> OrderLine:
    members = sorted(members, key=lambda member: (len(member[2]), member[2]))
    item, sold, key = members[0]
    units = tuple(Unit(stage=_stage(i, status, problems), key=k, excluded=_excluded(i, status)) for i, _, k in members)
    bundle = sold is not item
    item_ids = tuple(text(i, "id") for i, _, _ in members) if bundle else ()
    return OrderLine(
        key=key,
        listing=listing,
        target=listing,
        units=units,
        aliases=tuple(dict.fromkeys((*(k for _, _, k in members), *item_ids, listing))),
        seller_sku=text(sold, "seller_sku"),
        title=" ".join(filter(None, (text(item, "product_name"), text(item, "sku_name")))),
        unit_price=None if bundle else _amount(item, "sale_price", problems),
        ours=text(row, "fulfillment_type") not in FULFILLED_BY_PLATFORM,
        location=location,
    )


def _stage(item: Json, order_status: str, problems: list[str]) -> UnitStage:
    shown = text(item, "display_status")
    stage = UNIT_STAGES.get(shown or order_status, UnitStage.UNKNOWN)
    if stage is UnitStage.UNKNOWN:
        problems.append(f"unit {text(item, 'id')}: unknown status {shown or order_status!r}")
    elif order_status == "CANCELLED" and stage is UnitStage.OPEN:
        return UnitStage.CANCELLED
    elif order_status == "CANCELLED" and stage.left_shelf:
        problems.append(f"unit {text(item, 'id')} is {shown} in a cancelled order")
    return stage


def _excluded(item: Json, order_status: str) -> Excluded:
    """The available quantity leaves committed units out. Whether an unpaid order is committed already is unconfirmed."""
    unpaid = "UNPAID" in (order_status, text(item, "display_status"))
    return Excluded.UNKNOWN if unpaid else Excluded.YES


def _parcels(
    row: Json, status: str, state: OrderState, lines: Sequence[OrderLine], facts: Facts, problems: list[str]
) -> tuple[RemoteParcel, ...]:
    """Parcels as the line items show them; a package without items is left to the package detail."""
    items = [item for item in row.get("line_items") or () if isinstance(item, Mapping)]
    package_ids = dict.fromkeys(text(item, "package_id") for item in items)
    return tuple(
        _parcel(
            package_id,
            [item for item in items if text(item, "package_id") == package_id],
            row,
            status,
            state,
            lines,
            facts,
            problems,
        )
        for package_id in package_ids
        if package_id
    )


def _parcel(
    package_id: str,
    items: Sequence[Json],
    row: Json,
    status: str,
    state: OrderState,
    lines: Sequence[OrderLine],
    facts: Facts,
    problems: list[str],
) -> RemoteParcel:
    alive = [item for item in items if text(item, "display_status") != "CANCELLED"] or items
    wire = text(alive[0], "package_status")
    parcel_state = PACKAGE_STATES.get(wire) if wire else _parcel_state_of_units(alive, status)
    if parcel_state is None:
        problems.append(f"package {package_id}: unknown status {wire!r}")
        parcel_state = ParcelState.UNKNOWN
    if status == "CANCELLED" and parcel_state in (ParcelState.READY, ParcelState.BOOKED):
        parcel_state = ParcelState.CANCELLED
    if parcel_state is ParcelState.READY and state is not OrderState.READY:
        parcel_state = ParcelState.WAITING
    unit_keys, counts = units_of(lines, [text(item, "id") for item in items])
    return RemoteParcel(
        remote_id=package_id,
        order_ids=facts.package_orders.get(package_id, (text(row, "id"),)),
        state=parcel_state,
        remote_status=wire or text(alive[0], "display_status") or status,
        units=counts,
        unit_keys=unit_keys,
        waybill=next((text(item, "tracking_number") for item in alive if text(item, "tracking_number")), ""),
        courier=text(row, "shipping_provider"),
        ship_by=when(row, "rts_sla_time"),
        updated_at=when(row, "update_time"),
        self_shipped=text(row, "shipping_type") == "SELLER",
    )


def _parcel_state_of_units(items: Sequence[Json], order_status: str) -> ParcelState | None:
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


def _amount(row: Json, name: str, problems: list[str]) -> int | None:
    try:
        return rupiah_or_none(row.get(name), where=name)
    except Unrecognised as wrong:
        problems.append(str(wrong))
        return None


def _money(row: Json, problems: list[str]) -> dict[str, Any]:
    payment = row.get("payment") or {}
    currency = text(payment, "currency") or "IDR"
    if currency != "IDR":
        problems.append(f"amounts are in {currency}, not in rupiah")
        return {"currency": currency}
    discounts = [_amount(payment, name, problems) for name in ("seller_discount", "platform_discount")]
    return {
        "currency": currency,
        "goods_total": _amount(payment, "original_total_product_price", problems),
        "shipping_fee": _amount(payment, "shipping_fee", problems),
        "discount_total": None if discounts == [None, None] else sum(amount or 0 for amount in discounts),
        "total": _amount(payment, "total_amount", problems),
    }


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
    return Buyer(
        name=text(address, "name"),
        phone=text(address, "phone_number"),
        address=text(address, "full_address"),
        district=levels.get("district", ""),
        city=levels.get("city", ""),
        province=levels.get("province", ""),
        postal_code=text(address, "postal_code"),
        country=text(address, "region_code") or "ID",
        note=text(row, "buyer_message"),
        masked=any("*" in text(address, name) for name in ("name", "phone_number", "full_address")),
    )


# ----------------------------------------------------------------------------------------------------------------- after-sales


def cancellation(row: Json) -> RemoteCancellation:
    """One cancellation. Lines are named by unit id. Raises `Unrecognised` without ids or time."""
    cancel_id, order_id = text(row, "cancel_id"), text(row, "order_id")
    if not cancel_id or not order_id:
        raise Unrecognised("a cancellation without cancel_id or order_id", cancel_id or order_id)
    status = text(row, "cancel_status")
    return RemoteCancellation(
        remote_id=cancel_id,
        order_id=order_id,
        state=CANCELLATION_STATES.get(status, CancellationState.UNKNOWN),
        remote_status=status,
        lines=_case_lines(row, "cancel_line_items"),
        updated_at=due(row, "update_time"),
        respond_by=_respond_by(row),
        by=text(row, "role").lower(),
        reason=text(row, "cancel_reason"),
    )


def returned(row: Json) -> RemoteReturn:
    """One return. A refund alone brings nothing back."""
    return_id, order_id = text(row, "return_id"), text(row, "order_id")
    if not return_id or not order_id:
        raise Unrecognised("a return without return_id or order_id", return_id or order_id)
    status, kind = text(row, "return_status"), text(row, "return_type")
    state = RETURN_STATES.get(status, ReturnState.UNKNOWN)
    if kind == "REFUND" and state is not ReturnState.WITHDRAWN:
        state = ReturnState.REFUND_ONLY
    amount = row.get("refund_amount")
    return RemoteReturn(
        remote_id=return_id,
        order_id=order_id,
        state=state,
        remote_status=status,
        lines=_case_lines(row, "return_line_items"),
        refund_amount=rupiah_or_none(amount.get("refund_total"), where="refund_total")
        if isinstance(amount, Mapping)
        else None,
        goods_come_back=kind in GOODS_COME_BACK,
        updated_at=due(row, "update_time"),
        respond_by=_respond_by(row),
        waybill=text(row, "return_tracking_number"),
        reason=text(row, "return_reason"),
    )


def _case_lines(row: Json, name: str) -> tuple[tuple[str, int], ...]:
    return tuple((text(item, "order_line_item_id"), 1) for item in row.get(name) or () if isinstance(item, Mapping))


def _respond_by(row: Json) -> datetime | None:
    times = [when(action, "deadline") for action in row.get("seller_next_action_response") or ()]
    return min((time for time in times if time is not None), default=None)
