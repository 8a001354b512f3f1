"""Pure, both ways: Biteship's JSON <-> the product's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sellersync.connector.contract import (
    Booking,
    BookingRequest,
    DraftState,
    Handover,
    ParcelItem,
    Place,
    Quote,
    QuoteRequest,
)
from sellersync.domain.errors import Temporary, Unrecognised
from sellersync.domain.money import rupiah, rupiah_or_none
from sellersync.domain.parcels import ParcelState

from .checks import local_phone

Json = dict[str, Any]

PARCEL_STATES: Mapping[str, ParcelState] = {
    "confirmed": ParcelState.BOOKED,
    "scheduled": ParcelState.BOOKED,
    "allocated": ParcelState.BOOKED,
    "picking_up": ParcelState.BOOKED,
    "picked": ParcelState.PICKED_UP,
    "dropping_off": ParcelState.OUT_FOR_DELIVERY,
    "on_hold": ParcelState.PROBLEM,
    "return_in_transit": ParcelState.RETURNING,
    "delivered": ParcelState.DELIVERED,
    "returned": ParcelState.RETURNED,
    "rejected": ParcelState.FAILED,
    "courier_not_found": ParcelState.FAILED,
    "cancelled": ParcelState.CANCELLED,
    "disposed": ParcelState.LOST,
}
"""Every documented status (API reference, 2026). Steps may be skipped: couriers do not send all of them."""

HANDOVERS: Mapping[str, Handover] = {"pickup": Handover.PICKUP, "drop_off": Handover.DROP_OFF}


def snake_status(status: object) -> str:
    """A status as the reference spells it; integrations were seen with the same words in camelCase."""
    text = status.strip() if isinstance(status, str) else ""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()


def parcel_state(status: object) -> ParcelState:
    """Anything that is not documented is UNKNOWN, never a parcel on its way."""
    return PARCEL_STATES.get(snake_status(status), ParcelState.UNKNOWN)


# ---------------------------------------------------------------------------------------------------------------------- quotes


def rates_body(request: QuoteRequest, *, cod_payout: str) -> Json:
    """Rates take flat coordinates (`origin_latitude`), orders a nested object."""
    body: Json = {"couriers": ",".join(dict.fromkeys(request.companies)), "items": _items(request.items)}
    for side, place in (("origin", request.origin), ("destination", request.destination)):
        body |= _area_and_postal_code(side, place)
        if place.latitude is not None and place.longitude is not None:
            body |= {f"{side}_latitude": place.latitude, f"{side}_longitude": place.longitude}
    return body | _amounts(request.cod_amount, request.insured_amount, cod_payout)


def quotes(raw: Json, companies: Sequence[str]) -> tuple[tuple[Quote, ...], tuple[str, ...]]:
    """(offers of the companies asked, cheapest first; sentences about rows that could not be read)."""
    rows = raw.get("pricing")
    if not isinstance(rows, list):
        raise Unrecognised("rates without a list of prices", str(sorted(raw)))
    offers: list[Quote] = []
    problems: list[str] = []
    for row in rows:
        try:
            offer = _quote(row)
        except Unrecognised as unreadable:
            problems.append(str(unreadable))
            continue
        if offer.company in companies:
            offers.append(offer)
    if problems and not offers:
        raise Unrecognised("rates of which no row can be read", problems[0])
    return tuple(sorted(offers, key=lambda offer: (offer.price, offer.company, offer.service))), tuple(problems)


def _quote(row: object) -> Quote:
    if not isinstance(row, dict) or not row.get("company") or not row.get("type"):
        raise Unrecognised("a price without company or type", repr(row))
    company, service = str(row["company"]), str(row["type"])
    where = f"rates of {company} {service}"
    collection = row.get("available_collection_method")
    handovers = tuple(HANDOVERS[method] for method in _texts(collection) if method in HANDOVERS)
    return Quote(
        company=company,
        service=service,
        name=" ".join(str(row[key]) for key in ("courier_name", "courier_service_name") if row.get(key)),
        price=rupiah(row.get("price"), where=where),
        days=_days(row.get("shipment_duration_range"), row.get("shipment_duration_unit")),
        cod=row.get("available_for_cash_on_delivery") is True,
        cod_fee=rupiah_or_none(row.get("cash_on_delivery_fee"), where=where),
        insurance_fee=rupiah_or_none(row.get("insurance_fee"), where=where),
        instant_waybill=row.get("available_for_instant_waybill_id") is True,
        handovers=handovers or (Handover.PICKUP,),
    )


def _days(spread: object, unit: object) -> tuple[int, int] | None:
    """`"2 - 3"` days; hours count as the days they reach into, so `"6 - 8"` hours is the same day."""
    numbers = [int(number) for number in re.findall(r"\d+", str(spread or ""))]
    if not numbers or str(unit).lower() not in ("day", "days", "hour", "hours"):
        return None
    per_day = 24 if str(unit).lower().startswith("hour") else 1
    return min(numbers) // per_day, max(numbers) // per_day


# -------------------------------------------------------------------------------------------------------------------- bookings


def draft_body(request: BookingRequest, *, cod_payout: str, brand: str) -> Json:
    """A draft takes the fields of an order, all flat."""
    body: Json = {
        "reference_id": request.reference,
        "shipper_contact_name": request.sender.name.strip(),
        "shipper_contact_phone": local_phone(request.sender.phone),
        "shipper_organization": brand or request.sender.name.strip(),
        "origin_collection_method": request.handover.value,
        "courier_company": request.company,
        "courier_type": request.service,
        "delivery_type": "now",
        "items": _items(request.items),
        "metadata": {"order_number": request.order_number},
    }
    for side, place in (("origin", request.sender), ("destination", request.recipient)):
        body |= _contact(side, place) | _area_and_postal_code(side, place)
        if place.latitude is not None and place.longitude is not None:
            body[f"{side}_coordinate"] = {"latitude": place.latitude, "longitude": place.longitude}
    return body | _amounts(request.cod_amount, request.insured_amount, cod_payout)


def draft_state(raw: Json) -> DraftState:
    """A draft as it stands. Raises `Temporary` when it is confirmed and does not name its order yet."""
    confirmed = raw["status"] == "confirmed" or bool(raw.get("order_id"))
    if confirmed and not raw.get("order_id"):
        raise Temporary(f"draft {raw['id']} is confirmed and does not name its order yet")
    return DraftState(
        draft_id=raw["id"],
        confirmed=confirmed,
        booking_id=_text(raw.get("order_id")),
        reference=_text(raw.get("reference_id")),
    )


def booking(raw: Json, *, booking_id: str, reference: str = "") -> Booking:
    """An order. Every field is nullable, so only what is asked for is certain: its id (and the reference, where we know it)."""
    courier = _object(raw.get("courier"))
    destination = _object(raw.get("destination"))
    history = _history(courier.get("history"))
    picked = [at for status, at in history if status == "picked"]
    return Booking(
        booking_id=booking_id,
        reference=_text(raw.get("reference_id")) or reference,
        state=parcel_state(raw.get("status")),
        remote_status=_text(raw.get("status")),
        company=_text(courier.get("company")),
        service=_text(courier.get("type")),
        waybill=_text(courier.get("waybill_id")),
        tracking_id=_text(courier.get("tracking_id")),
        price=_amount(raw.get("price")),
        routing_code=_text(courier.get("routing_code")),
        destination_postal_code=_text(destination.get("postal_code")),
        cod_amount=_amount(_object(destination.get("cash_on_delivery")).get("amount")) or None,
        picked_up_at=min(picked, default=None),
        updated_at=max((at for _, at in history), default=None),
    )


# ---------------------------------------------------------------------------------------------------------------------- pieces


def _items(items: Iterable[ParcelItem]) -> list[Json]:
    rows: list[Json] = []
    for item in items:
        row: Json = {"name": item.name, "value": item.value, "quantity": item.quantity, "weight": item.weight_g}
        sizes = {"length": item.length_cm, "width": item.width_cm, "height": item.height_cm}
        row |= {name: size for name, size in sizes.items() if size}
        if item.sku:
            row["sku"] = item.sku
        rows.append(row)
    return rows


def _contact(side: str, place: Place) -> Json:
    contact: Json = {
        f"{side}_contact_name": place.name.strip(),
        f"{side}_contact_phone": local_phone(place.phone),
        f"{side}_address": place.address.strip(),
    }
    optional = {f"{side}_contact_email": place.email, f"{side}_note": place.note}
    return contact | {key: value for key, value in optional.items() if value}


def _area_and_postal_code(side: str, place: Place) -> Json:
    """All forms of the place that we have: area ids alone never return instant couriers, coordinates alone are the least exact."""
    body: Json = {}
    if place.area_id:
        body[f"{side}_area_id"] = place.area_id
    if place.postal_code:
        body[f"{side}_postal_code"] = int(place.postal_code)
    return body


def _amounts(cod_amount: int | None, insured_amount: int | None, cod_payout: str) -> Json:
    body: Json = {}
    if cod_amount is not None:
        body |= {"destination_cash_on_delivery": cod_amount, "destination_cash_on_delivery_type": cod_payout}
    if insured_amount is not None:
        body["courier_insurance"] = insured_amount
    return body


def _history(rows: object) -> list[tuple[str, datetime]]:
    """(status, time) of the steps that can be read; times come as ISO text with +07:00."""
    steps: list[tuple[str, datetime]] = []
    for row in rows if isinstance(rows, list) else []:
        try:
            at = datetime.fromisoformat(row["updated_at"])
        except (TypeError, KeyError, ValueError):
            continue
        if at.tzinfo is not None:
            steps.append((snake_status(row.get("status")), at.astimezone(UTC)))
    return steps


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()


def _texts(value: object) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _amount(value: object) -> int | None:
    """Whole rupiah, `None` where the field is null or unreadable: tracking must not fail over a price."""
    try:
        return rupiah_or_none(value, where="order")
    except Unrecognised:
        return None
