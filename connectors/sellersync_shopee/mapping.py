"""Orders: Shopee's words into the domain's, pure.

Status meanings: Shopee data definition guide (2025-12) and API reference (2026-08).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from sellersync.domain.errors import Unrecognised
from sellersync.domain.orders import Buyer, Excluded, Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.times import from_epoch_s

from .fields import Json, Reader, quantity, remote_key, text_of
from .mapping_parcels import NO_FACTS, LineDraft, ParcelFacts, line_drafts, read_packages, share_out

ORDER_STATES: Mapping[str, OrderState] = MappingProxyType(
    {
        "UNPAID": OrderState.UNPAID,
        "PENDING": OrderState.HELD,
        "INVOICE_PENDING": OrderState.HELD,
        "READY_TO_SHIP": OrderState.READY,
        "PROCESSED": OrderState.BOOKED,
        "RETRY_SHIP": OrderState.BOOKED,
        "SHIPPED": OrderState.SHIPPED,
        "TO_CONFIRM_RECEIVE": OrderState.DELIVERED,
        "COMPLETED": OrderState.COMPLETED,
        "IN_CANCEL": OrderState.CANCEL_REQUESTED,
        "CANCELLED": OrderState.CANCELLED,
        "TO_RETURN": OrderState.RETURNING,
    }
)
"""READY is only a candidate: `_order_state` holds it back for pending terms, the free-cancel hour and so on."""

STAGES = tuple(UnitStage)
"""The order in which a line's units stand."""

OURS: Mapping[str, bool] = MappingProxyType(
    {"": True, "fulfilled_by_local_seller": True, "fulfilled_by_cb_seller": True, "fulfilled_by_shopee": False}
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the shop's settings add to the reading of an order. `now` is the provider's clock."""

    now: datetime
    booking_wait: timedelta
    multi_location: bool = False


def read_order(row: Json, policy: Policy, facts: ParcelFacts = NO_FACTS) -> Order:
    """One row of `get_order_detail`.

    What cannot be read becomes a sentence in `problems`. Raises `Unrecognised` when the id, a time or the items are unreadable.
    """
    reader = Reader(row)
    order_sn = reader.text("order_sn")
    if not order_sn:
        raise Unrecognised("an order without order_sn", f"keys {sorted(row)}")
    status = reader.text("order_status")
    if status not in ORDER_STATES:
        reader.problems.append(f"unknown order status {status!r}")
    ours = _ours(reader)
    drafts = line_drafts(row, order_sn)
    cancel_requested = any(quantity(draft.item, "cancel_requested_qty") for draft in drafts)
    held = _hold_reasons(reader, policy, ours=ours)
    bookable = status == "READY_TO_SHIP" and not held and not cancel_requested
    packages = read_packages(reader, facts, bookable=bookable)
    parcels = tuple(share_out(status, drafts, packages, order_sn))
    lines = tuple(_line(draft, status, ours, reader, policy) for draft in drafts)
    created_at = from_epoch_s(row.get("create_time"), where=f"{order_sn} create_time")
    money = _money(reader, lines)
    return Order(
        remote_id=order_sn,
        number=order_sn,
        state=_order_state(status, parcels, cancel_requested=cancel_requested),
        remote_status=status,
        created_at=created_at,
        updated_at=from_epoch_s(row.get("update_time"), where=f"{order_sn} update_time"),
        lines=lines,
        parcels=parcels,
        paid_at=reader.moment("pay_time"),
        shipped_at=reader.moment("pickup_done_time"),
        ship_by=reader.moment("ship_by_date"),
        cod=bool(row.get("cod")),
        currency=reader.text("currency") or "IDR",
        goods_total=money[0],
        shipping_fee=money[1],
        total=money[2],
        payment_method=reader.text("payment_method"),
        courier_service=reader.text("shipping_carrier") or reader.text("checkout_shipping_carrier"),
        cancel_by=reader.text("cancel_by"),
        cancel_reason=reader.text("cancel_reason") or reader.text("buyer_cancel_reason"),
        buyer=_buyer(reader),
        problems=tuple(reader.problems),
        meta={"held": "; ".join(held)} if held and status == "READY_TO_SHIP" else {},
    )


def read_orders(rows: Sequence[Json], policy: Policy, facts: ParcelFacts = NO_FACTS) -> tuple[list[Order], list[str]]:
    """All readable orders of `get_order_detail`, and a sentence for each that is not: one of them must not sink the others."""
    orders, unreadable = [], []
    for row in rows:
        try:
            orders.append(read_order(row, policy, facts))
        except Unrecognised as failure:
            unreadable.append(f"order {row.get('order_sn')} cannot be read: {failure}")
    return orders, unreadable


def _ours(reader: Reader) -> bool:
    flag = reader.text("fulfillment_flag")
    if flag not in OURS:
        reader.problems.append(f"unknown fulfillment_flag {flag!r}")
    return OURS.get(flag, True)


def _hold_reasons(reader: Reader, policy: Policy, *, ours: bool) -> list[str]:
    """Why an order that is READY_TO_SHIP may not be booked now."""
    reasons = [str(term) for term in reader.row.get("pending_terms") or ()]
    if reader.row.get("advance_package"):
        reasons.append("matched to an advance booking")
    if not ours:
        reasons.append("shipped by Shopee")
    created_at = reader.moment("create_time")
    if created_at is not None and policy.now < created_at + policy.booking_wait:
        reasons.append(f"the buyer may still cancel, until {(created_at + policy.booking_wait).isoformat()}")
    return reasons


def _order_state(status: str, parcels: Sequence[RemoteParcel], *, cancel_requested: bool) -> OrderState:
    state = ORDER_STATES.get(status, OrderState.UNKNOWN)
    if cancel_requested and state in (OrderState.READY, OrderState.BOOKED, OrderState.HELD):
        return OrderState.CANCEL_REQUESTED
    if state is not OrderState.READY:
        return state
    if any(parcel.state is ParcelState.READY for parcel in parcels):
        return OrderState.READY
    live = [parcel for parcel in parcels if parcel.state.live]
    return OrderState.BOOKED if live and all(parcel.state.booked for parcel in live) else OrderState.HELD


def _money(reader: Reader, lines: Sequence[OrderLine]) -> tuple[int | None, int | None, int | None]:
    """(goods, shipping, total); the total exists only after payment."""
    if reader.text("currency") not in ("", "IDR"):
        reader.problems.append(f"amounts in {reader.text('currency')}, not in rupiah")
        return None, None, None
    goods = None
    if lines and all(line.unit_price is not None for line in lines):
        goods = sum((line.unit_price or 0) * line.quantity for line in lines)
    return goods, reader.amount("estimated_shipping_fee"), reader.amount("total_amount")


def _buyer(reader: Reader) -> Buyer | None:
    address = reader.row.get("recipient_address")
    if not isinstance(address, dict):
        return None
    part = Reader(address, reader.problems)
    name, phone, street = part.text("name"), part.text("phone"), part.text("full_address")
    return Buyer(
        name=name,
        phone=phone,
        address=street,
        district=part.text("district"),
        city=part.text("city"),
        province=part.text("state"),
        postal_code=part.text("zipcode"),
        country=part.text("region") or "ID",
        note=reader.text("message_to_seller"),
        masked="*" in name + phone + street,
    )


def _line(draft: LineDraft, status: str, ours: bool, reader: Reader, policy: Policy) -> OrderLine:
    item = draft.item
    listing = remote_key(item.get("item_id"), item.get("model_id"))
    # When Shopee lowers the number for an unpaid order is not documented; a paid one has certainly left it.
    excluded = Excluded.UNKNOWN if status in ("UNPAID", "PENDING") or status not in ORDER_STATES else Excluded.YES
    price = Reader(item, reader.problems).amount("model_discounted_price")
    line_item_id = item.get("line_item_id")
    names = [str(item.get("item_name") or ""), str(item.get("model_name") or "")]
    return OrderLine(
        key=draft.key,
        aliases=((f"line:{line_item_id}",) if line_item_id else ()) + (draft.key, listing),
        listing=listing,
        target=listing,
        units=tuple([Unit(stage, draft.stages[stage], excluded=excluded) for stage in STAGES if stage in draft.stages]),
        seller_sku=text_of(item.get("model_sku")) or text_of(item.get("item_sku")),
        title=" - ".join(name for name in names if name),
        unit_price=price or None,  # 0 on the lines of a bundle deal: the price stands elsewhere
        ours=ours,
        location=draft.location if policy.multi_location else "",
    )
