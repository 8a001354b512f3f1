"""What is checked before anything is sent, field by field, so that a person can correct the address before a courier stumbles over it.

Required fields are Biteship's (API reference, 2026). Biteship publishes no lengths: the bounds here are other aggregators' usual ones
(unconfirmed). Sentences name the field and never repeat its value, which is buyer data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sellersync.connector.contract import BookingRequest, ParcelItem, Place, QuoteRequest
from sellersync.domain.errors import RejectClass, Rejected

from .api import COD_MAX

REFERENCE_LENGTH_MAX = 30
NAME_LENGTH_MAX = 100
ADDRESS_LENGTH_MIN, ADDRESS_LENGTH_MAX = 10, 500
PHONE = re.compile(r"0\d{8,13}")
POSTAL_CODE = re.compile(r"[1-9]\d{4}")

COORDINATES_ONLY = frozenset({"gojek", "grab", "paxel", "lalamove", "borzo"})
"""Companies that quote and collect by coordinates alone; area ids and postal codes never return them."""

Problem = tuple[str, str]  # field, sentence


def local_phone(phone: str) -> str:
    """A phone number as the samples spell it: digits with a leading 0, country code 62 folded."""
    digits = re.sub(r"[\s().-]", "", phone)
    return re.sub(r"^\+?62", "0", digits)


def refuse_bad_quote(request: QuoteRequest) -> None:
    """Raise `Rejected` BAD_DATA with all problems of a request for quotes; `details` maps field -> sentence."""
    problems = [
        *_location("origin", request.origin),
        *_location("destination", request.destination),
        *_items(request.items),
        *_amounts(request.cod_amount, request.insured_amount),
    ]
    if not request.companies:
        problems.append(("companies", "name at least one courier company"))
    _refuse("rates", problems)


def refuse_bad_booking(request: BookingRequest) -> None:
    """Raise `Rejected` BAD_DATA with all problems of a booking; `details` maps field -> sentence."""
    problems = [
        *_contact("sender", request.sender),
        *_contact("recipient", request.recipient),
        *_location("sender", request.sender, company=request.company),
        *_location("recipient", request.recipient, company=request.company),
        *_items(request.items),
        *_amounts(request.cod_amount, request.insured_amount),
    ]
    if not 0 < len(request.reference) <= REFERENCE_LENGTH_MAX:
        problems.append(("reference", f"must have 1 to {REFERENCE_LENGTH_MAX} characters"))
    if not request.company or not request.service:
        problems.append(("service", "a courier company and its service must be chosen"))
    _refuse(request.reference, problems)


def _refuse(item: str, problems: Sequence[Problem]) -> None:
    if problems:
        why = "; ".join(f"{field}: {sentence}" for field, sentence in problems)
        raise Rejected(item, why, RejectClass.BAD_DATA, details=dict(problems))


def _contact(side: str, place: Place) -> Iterator[Problem]:
    if not 0 < len(place.name.strip()) <= NAME_LENGTH_MAX:
        yield f"{side}.name", f"must have 1 to {NAME_LENGTH_MAX} characters"
    if not PHONE.fullmatch(local_phone(place.phone)):
        yield f"{side}.phone", "must be an Indonesian number: 08..., 62... or +62..., 9 to 14 digits"
    if not ADDRESS_LENGTH_MIN <= len(place.address.strip()) <= ADDRESS_LENGTH_MAX:
        yield f"{side}.address", f"must have {ADDRESS_LENGTH_MIN} to {ADDRESS_LENGTH_MAX} characters"


def _location(side: str, place: Place, *, company: str = "") -> Iterator[Problem]:
    located = place.latitude is not None and place.longitude is not None
    if (place.latitude is None) is not (place.longitude is None):
        yield f"{side}.latitude", "latitude and longitude belong together"
    elif located and not (abs(place.latitude or 0.0) <= 90 and abs(place.longitude or 0.0) <= 180):
        yield f"{side}.latitude", "are no degrees of latitude and longitude"
    if place.postal_code and not POSTAL_CODE.fullmatch(place.postal_code):
        yield f"{side}.postal_code", "must be five digits"
    if company in COORDINATES_ONLY and not located:
        yield f"{side}.latitude", f"{company} collects and delivers by coordinates: latitude and longitude are needed"
    elif not (place.postal_code or place.area_id or located):
        yield f"{side}.postal_code", "a postal code, an area id or coordinates are needed"


def _items(items: Sequence[ParcelItem]) -> Iterator[Problem]:
    if not items:
        yield "items", "a parcel needs at least one item"
    for index, item in enumerate(items):
        if not item.name.strip():
            yield f"items[{index}].name", "is missing"
        if item.quantity < 1:
            yield f"items[{index}].quantity", "must be at least 1"
        if item.value < 0:
            yield f"items[{index}].value", "must not be negative"
        if item.weight_g < 1:
            yield f"items[{index}].weight_g", "must be at least 1 gram"


def _amounts(cod_amount: int | None, insured_amount: int | None) -> Iterator[Problem]:
    if cod_amount is not None and not 0 < cod_amount <= COD_MAX:
        yield "cod_amount", f"must be Rp1 to Rp{COD_MAX}"
    if insured_amount is not None and insured_amount <= 0:
        yield "insured_amount", "must be positive"
