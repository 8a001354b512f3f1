"""Pure, both ways: KiriminAja's JSON <-> the product's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sellersync.connector.contract import Booking, BookingRequest, Handover, Place
from sellersync.domain.errors import RejectClass, Rejected, Unrecognised
from sellersync.domain.money import rupiah, rupiah_or_none
from sellersync.domain.parcels import ParcelState
from sellersync.domain.times import from_epoch_s

from .checks import local_phone
from .rates import COMPANIES, OURS, Offer, box_around, item_value

Json = dict[str, Any]

WIB = timezone(timedelta(hours=7))
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
ITEM_NAME_LENGTH_MAX = 255
NOTE_LENGTH_MAX = 50
PACKAGE_TYPE = {"v6.1": 7, "v6.2": 9}

PARCEL_STATES: Mapping[int, ParcelState] = {
    100: ParcelState.BOOKED,  # new
    101: ParcelState.BOOKED,  # pickup requested
    102: ParcelState.BOOKED,  # validated by the pickup officer
    103: ParcelState.PICKED_UP,  # collected by KiriminAja's driver
    104: ParcelState.IN_TRANSIT,  # at KiriminAja's hub
    105: ParcelState.BOOKED,  # waiting for the courier or for its waybill
    106: ParcelState.IN_TRANSIT,
    107: ParcelState.PROBLEM,  # reported by the driver
    110: ParcelState.BOOKED,  # pending direct pickup
    152: ParcelState.IN_TRANSIT,  # delivered again
    200: ParcelState.DELIVERED,
    210: ParcelState.PROBLEM,  # over the promised time
    211: ParcelState.BOOKED,  # that is resolved; whether it left the shelf is told by `shipped_at`
    300: ParcelState.CANCELLED,
    301: ParcelState.PROBLEM,  # refused by the recipient
    302: ParcelState.PROBLEM,  # pickup cancelled by the seller, listed as moving: 300 is the end
    310: ParcelState.PROBLEM,
    311: ParcelState.PROBLEM,
    333: ParcelState.LOST,  # destroyed by the courier; listed both as moving and as final
    350: ParcelState.PROBLEM,  # cancelling: queued up to 48 hours
    400: ParcelState.RETURNED,
    401: ParcelState.RETURNING,
    402: ParcelState.RETURNING,  # at KiriminAja's warehouse (2026), at the sender (2024): the former is safe for the stock
    403: ParcelState.RETURNING,
    404: ParcelState.RETURNING,
    405: ParcelState.PROBLEM,  # the seller refused the return
    406: ParcelState.PROBLEM,
    500: ParcelState.PROBLEM,  # not final (webhook documentation), though the list of final codes has it, too
    555: ParcelState.PROBLEM,  # customs
    701: ParcelState.LOST,
    702: ParcelState.PROBLEM,  # damaged
    703: ParcelState.LOST,  # claim settled
    704: ParcelState.LOST,
    **dict.fromkeys((901, 902, 903, 904, 905), ParcelState.PROBLEM),
}
"""Every documented status of the tracking API (2026). Webhooks use the same numbers with other meanings."""

CANCELLING = 350


def parcel_state(code: int | None, *, shipped: bool, delivered: bool, refunded: bool) -> ParcelState:
    """The flags of a tracking answer go before its code: the published sample shows codes that lag behind. A code that is not
    documented is UNKNOWN, never a parcel on its way."""
    if refunded:
        return ParcelState.RETURNED
    state = ParcelState.UNKNOWN if code is None else PARCEL_STATES.get(code, ParcelState.UNKNOWN)
    if delivered and state not in (ParcelState.RETURNING, ParcelState.RETURNED):
        return ParcelState.DELIVERED
    if shipped and state is ParcelState.BOOKED:
        return ParcelState.IN_TRANSIT
    return state


# -------------------------------------------------------------------------------------------------------------------- bookings


def pickup_schedule(raw: Json, now: datetime) -> str:
    """The first pickup window that is open and on no holiday; one that has yet to begin goes before one that has begun.

    Raises `Rejected` NOT_NOW when there is none.
    """
    rows = raw.get("schedules")
    if not isinstance(rows, list):
        raise Unrecognised("schedules without a list", str(sorted(raw)))
    windows: list[tuple[bool, str]] = []
    for row in rows:
        clock = row.get("clock") if isinstance(row, dict) else None
        if not isinstance(clock, str) or row.get("libur") is not False:
            continue
        if from_epoch_s(row.get("expired"), where="schedules") > now:
            windows.append((_wib(clock, where="schedules") <= now, clock))
    if not windows:
        raise Rejected("schedule", "KiriminAja offers no pickup window at present", RejectClass.NOT_NOW)
    return min(windows)[1]


def drop_off_schedule(now: datetime) -> str:
    """Any time will do for parcels that are brought to the courier."""
    return now.astimezone(WIB).strftime(TIME_FORMAT)


def pickup_body(
    request: BookingRequest,
    offer: Offer,
    *,
    origin: int,
    destination: int,
    schedule: str,
    side_cm: int,
    version: str,
    platform: str,
) -> Json:
    """One parcel a call. `cod` is what the buyer owes; prices and fees are ours to send."""
    sender, recipient = request.sender, request.recipient
    box = box_around(request.items, side_cm=side_cm)
    package: Json = {
        "order_id": request.reference,
        "destination_name": recipient.name.strip(),
        "destination_phone": local_phone(recipient.phone),
        "destination_address": recipient.address.strip(),
        "destination_kecamatan_id": destination,
        "weight": box.weight_g,
        "length": box.length_cm,
        "width": box.width_cm,
        "height": box.height_cm,
        "qty": sum(one.quantity for one in request.items),
        "item_name": ", ".join(one.name.strip() for one in request.items)[:ITEM_NAME_LENGTH_MAX],
        "item_value": request.insured_amount or item_value(request.items),
        "shipping_cost": offer.cost,
        "service": COMPANIES.get(request.company, request.company),
        "service_type": request.service,
        "package_type_id": PACKAGE_TYPE[version],
        "insurance_amount": offer.insurance,
        "cod": request.cod_amount or 0,
        "drop": request.handover is Handover.DROP_OFF,
    }
    if recipient.postal_code:
        package["destination_zipcode"] = recipient.postal_code
    if recipient.note.strip():
        package["note"] = " ".join(recipient.note.split())[:NOTE_LENGTH_MAX]
    body: Json = {
        "name": sender.name.strip(),
        "phone": local_phone(sender.phone),
        "address": sender.address.strip(),
        "kecamatan_id": origin,
        "schedule": schedule,
        "platform_name": platform,
        "packages": [package],
    }
    return body | _origin(sender)


def _origin(sender: Place) -> Json:
    origin: Json = {"zipcode": sender.postal_code} if sender.postal_code else {}
    if sender.latitude is not None and sender.longitude is not None:
        origin |= {"latitude": sender.latitude, "longitude": sender.longitude}
    return origin


def booked(raw: Json, request: BookingRequest, offer: Offer) -> Booking:
    """The answer of a booking. It has no waybill yet, and no price: that is what we sent. Unpaid ones wait for a person."""
    row = _object(raw["details"][0])
    payment = _text(raw.get("payment_status")).lower()
    unpaid = payment not in ("", "paid") and not request.cod_amount
    return Booking(
        booking_id=request.reference,
        reference=request.reference,
        state=ParcelState.PROBLEM if unpaid else ParcelState.BOOKED,
        remote_status=payment if unpaid else "100",
        company=OURS.get(_text(row.get("service")), _text(row.get("service"))) or request.company,
        service=_text(row.get("service_type")) or request.service,
        waybill=_text(row.get("awb")),
        tracking_id=_text(row.get("kj_order_id")),
        price=offer.quote(with_cod=bool(request.cod_amount)).price,
        cod_amount=request.cod_amount,
    )


def tracked(raw: Json, reference: str) -> Booking:
    """A tracking answer. Raises `Unrecognised` when it is about another parcel."""
    details = _object(raw.get("details"))
    if _text(details.get("order_id")) != reference:
        raise Unrecognised("tracking answered with another order id", _text(details.get("order_id")))
    code = _code(raw.get("status_code"))
    if code is None:
        code = _code(details.get("status_code"))
    shipped_at = _moment(details.get("shipped_at"))
    state = parcel_state(
        code,
        shipped=shipped_at is not None,
        delivered=details.get("delivered") is True,
        refunded=details.get("refunded") is True,
    )
    history = raw.get("histories")
    moments = [_moment(_object(row).get("created_at")) for row in history] if isinstance(history, list) else []
    costs = _object(details.get("costs"))
    return Booking(
        booking_id=reference,
        reference=reference,
        state=state,
        remote_status="" if code is None else str(code),
        company=OURS.get(_text(details.get("service")), _text(details.get("service"))),
        service=_text(details.get("service_name")),
        waybill=_text(details.get("awb")),
        tracking_id=_text(details.get("awb")),
        price=_price(costs),
        routing_code=_text(details.get("sorting_code")),
        destination_postal_code=_text(_object(details.get("destination")).get("zip_code")),
        cod_amount=_amount(costs.get("cod")),
        picked_up_at=shipped_at,
        updated_at=max((at for at in moments if at is not None), default=None),
    )


def _price(costs: Json) -> int | None:
    """What the parcel costs the shop: shipping, insurance, COD fee and the correction after weighing, less the discount."""
    shipping = _amount(costs.get("shipping_cost"))
    if shipping is None:
        return None
    added = sum(_amount(costs.get(name)) or 0 for name in ("insurance_amount", "add_cost", "correction"))
    return shipping + added - (_amount(costs.get("discount_amount")) or 0)


def cancel_reason(reason: str, *, least: int, most: int) -> str:
    """A reason within KiriminAja's bounds."""
    text = " ".join(reason.split())[:most]
    return text if len(text) >= least else "Dibatalkan oleh penjual"


def cancel_pending(raw: Json) -> bool:
    """Is an accepted cancellation queued? `data.success` is "pending" then; what it says for one done at once is unconfirmed."""
    return _text(_object(raw.get("data")).get("success")).lower() == "pending"


def balance(raw: Json) -> int:
    return rupiah(_object(raw.get("results")).get("balance"), where="balance")


# ---------------------------------------------------------------------------------------------------------------------- pieces


def _wib(text: str, *, where: str) -> datetime:
    try:
        return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=WIB)
    except ValueError:
        raise Unrecognised(f"{where}: a local time was expected", repr(text)) from None


def _moment(value: object) -> datetime | None:
    """A local time (WIB), `None` where it is absent or unreadable: tracking must not fail over a time."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        return _wib(value.strip(), where="tracking").astimezone(UTC)
    except Unrecognised:
        return None


def _code(value: object) -> int | None:
    text = str(value).strip()
    return int(text) if text.isdecimal() else None


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list | bool) else str(value).strip()


def _amount(value: object) -> int | None:
    """Whole rupiah, `None` where the field is null or unreadable: tracking must not fail over a price."""
    try:
        return rupiah_or_none(value, where="tracking")
    except Unrecognised:
        return None
