"""Arranging a shipment per package: decide by reads, ship once, let reading decide whatever the answer leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sellersync.connector.contract import Arranged, Arrangement, Handover, Label, ParcelRequest
from sellersync.domain.errors import RejectClass, Rejected, SellersyncError, Temporary, Uncertain, Unrecognised
from sellersync.domain.orders import Order, OrderState
from sellersync.domain.parcels import ParcelState, RemoteParcel

from . import mapping_stock
from .api import Api
from .mapping import Json, text

STEP_SHIP = "ship"
STEP_SHIP_BY_DEFAULT = "ship_by_default"

_REFUSED_STATES: Mapping[OrderState, tuple[RejectClass, str]] = {
    OrderState.CANCEL_REQUESTED: (RejectClass.NOT_NOW, "the buyer asked to cancel; answer first"),
    OrderState.CANCELLED: (RejectClass.CANCELLED, "the order is cancelled"),
    OrderState.UNPAID: (RejectClass.NOT_NOW, "the order is not paid"),
    OrderState.HELD: (RejectClass.NOT_NOW, "the buyer may still cancel freely"),
    OrderState.UNKNOWN: (RejectClass.NOT_NOW, "the order's status is not known"),
}


def refuse_unshippable(orders: Sequence[Order]) -> None:
    """Raises `Rejected` when one of the orders in a package may not be shipped now."""
    for order in orders:
        if any(not line.ours for line in order.lines):
            raise Rejected(order.remote_id, "the platform ships it from its own warehouse", RejectClass.NOT_OURS)
        if order.state in _REFUSED_STATES:
            reject, why = _REFUSED_STATES[order.state]
            raise Rejected(order.remote_id, why, reject)
        if any(parcel.self_shipped for parcel in order.parcels):
            raise Rejected(
                order.remote_id,
                "ship it with your own courier and enter the waybill in Seller Center",
                RejectClass.SELLER_MUST_ACT,
            )


def package_to_ship(request: ParcelRequest, orders: Sequence[Order]) -> str:
    """The package id: the request's own, else the order's first package that is not shipped yet."""
    if request.parcel is not None:
        return request.parcel.remote_id
    for order in orders:
        for parcel in order.parcels:
            if parcel.state is ParcelState.READY:
                return parcel.remote_id
    raise Rejected(request.order_id, "the order has no package to ship", RejectClass.NOT_NOW)


def choose_handover(slots: Json, wanted: Handover, now: datetime) -> tuple[str, dict[str, Any]]:
    """(step, body of the ship call). The wanted way where it is offered, else the other one, else the platform's default."""
    free = [
        slot
        for slot in slots.get("pickup_slots") or ()
        if slot.get("avaliable", slot.get("available")) and int(slot.get("start_time") or 0) > now.timestamp()
    ]
    pickup = slots.get("can_pickup") is True and bool(free)
    drop_off = slots.get("can_drop_off") is True
    if pickup and (wanted is Handover.PICKUP or not drop_off):
        slot = min(free, key=lambda row: int(row["start_time"]))
        times = {"start_time": int(slot["start_time"]), "end_time": int(slot["end_time"])}
        return STEP_SHIP, {"handover_method": "PICKUP", "pickup_slot": times}
    if drop_off:
        return STEP_SHIP, {"handover_method": "DROP_OFF"}
    return STEP_SHIP_BY_DEFAULT, {}


async def prepare(api: Api, request: ParcelRequest, package_id: str, now: datetime) -> Arrangement:
    """Choose slot and way for a package that is still to be shipped. Raises `Rejected` ALREADY_DONE with its waybill."""
    parcel = mapping_stock.package(await api.package(package_id))
    if parcel.state.booked:
        raise Rejected(
            package_id,
            f"shipped already ({parcel.remote_status})",
            RejectClass.ALREADY_DONE,
            details={"waybill": parcel.waybill},
        )
    if parcel.state is not ParcelState.READY:
        raise Rejected(package_id, f"cannot be shipped now ({parcel.remote_status})", RejectClass.NOT_NOW)
    step, body = choose_handover(await api.handover_time_slots(package_id), request.handover, now)
    return Arrangement(request, step, {"package_id": package_id, "body": body, "order_ids": list(parcel.order_ids)})


async def arrange(api: Api, arrangement: Arrangement) -> Arranged:
    """Send the step once. Codes of refusals are not documented: after one, the package itself decides."""
    package_id, reference = str(arrangement.payload["package_id"]), arrangement.request.reference
    try:
        if arrangement.step == STEP_SHIP:
            await api.ship(package_id, dict(arrangement.payload["body"]), reference=reference)
        else:
            errors = await api.ship_by_default(package_id, reference=reference)
            if errors:
                raise Rejected("ship", text(errors[0], "message"), RejectClass.OTHER, code=text(errors[0], "code"))
    except Rejected as refused:
        parcel = await _look(api, package_id)
        if parcel is not None and parcel.state.booked:
            return Arranged(parcel)
        if parcel is None or refused.reject is RejectClass.OTHER:
            raise Uncertain(reference, f"refused, outcome to be read: {refused}") from None
        raise
    parcel = await _look(api, package_id)
    if parcel is None or not parcel.state.booked:
        # Accepted, but not visible yet: the label is bought asynchronously.
        parcel = _accepted(arrangement, parcel)
    return Arranged(parcel)


async def _look(api: Api, package_id: str) -> RemoteParcel | None:
    """The package as it is now, `None` when it cannot be read: a failed read must not undo a clear answer."""
    try:
        return mapping_stock.package(await api.package(package_id))
    except SellersyncError:
        return None


def _accepted(arrangement: Arrangement, seen: RemoteParcel | None) -> RemoteParcel:
    known = seen or arrangement.request.parcel
    if known is None:
        order_ids = tuple(str(order_id) for order_id in arrangement.payload["order_ids"])
        known = RemoteParcel(
            str(arrangement.payload["package_id"]), order_ids, ParcelState.BOOKED, "accepted", units=()
        )
    return replace(known, state=ParcelState.BOOKED, remote_status="accepted")


async def label(api: Api, parcel: RemoteParcel, document_size: str) -> Label:
    """Fetch the platform's label. Rendering lags by some seconds and the code for that is unlisted: both are `Temporary`."""
    try:
        found = await api.shipping_document(parcel.remote_id, document_size)
    except Unrecognised as unlisted:
        raise Temporary(f"the label of {parcel.remote_id} is not ready: {unlisted.what}") from None
    doc_url = text(found, "doc_url")
    if not doc_url:
        raise Temporary(f"the label of {parcel.remote_id} is not ready")
    content, media_type = await api.document(doc_url)
    return Label(content, media_type or "application/pdf")


def merged(of_order: RemoteParcel, of_package: RemoteParcel) -> RemoteParcel:
    """The package detail with what only the order says. A parcel that may not be booked yet (unpaid, cancellation asked) says so."""
    state = of_package.state
    if state is ParcelState.READY and of_order.state is ParcelState.WAITING:
        state = ParcelState.WAITING
    return replace(
        of_package,
        state=state,
        order_ids=of_package.order_ids or of_order.order_ids,
        ship_by=of_order.ship_by,
        self_shipped=of_order.self_shipped,
    )
