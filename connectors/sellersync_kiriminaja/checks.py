"""What is checked before anything is sent, field by field, so that a person can correct the address before a courier stumbles over it.

Bounds are KiriminAja's (API documentation, 2026). Sentences name the field and never repeat its value, which is buyer data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sellersync.connector.contract import BookingRequest, ParcelItem, Place, QuoteRequest
from sellersync.domain.errors import RejectClass, Rejected

REFERENCE_LENGTH_MAX = 20
REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,19}")
NAME_LENGTH_MAX = 50
ADDRESS_LENGTH_MIN = 10
SENDER_ADDRESS_LENGTH_MAX, RECIPIENT_ADDRESS_LENGTH_MAX = 200, 255
PHONE = re.compile(r"0\d{8,12}")
POSTAL_CODE = re.compile(r"[1-9]\d{4}")

NEEDS_COORDINATES = frozenset({"lion"})
"""Companies that collect only where the sender's coordinates are known."""

Problem = tuple[str, str]  # field, sentence


def local_phone(phone: str) -> str:
    """A phone number with a leading 0, country code 62 folded: 9 to 13 digits are allowed."""
    digits = re.sub(r"[\s().-]", "", phone)
    return re.sub(r"^\+?62", "0", digits)


def refuse_bad_quote(request: QuoteRequest) -> None:
    """Raise `Rejected` BAD_DATA with all problems of a request for quotes; `details` maps field -> sentence."""
    problems = [
        *_place("origin", request.origin),
        *_place("destination", request.destination),
        *_items(request.items),
        *_amounts(request.cod_amount, request.insured_amount),
    ]
    if not request.companies:
        problems.append(("companies", "name at least one courier company"))
    _refuse("rates", problems)


def refuse_bad_booking(request: BookingRequest) -> None:
    """Raise `Rejected` BAD_DATA with all problems of a booking; `details` maps field -> sentence."""
    problems = [
        *_contact("sender", request.sender, SENDER_ADDRESS_LENGTH_MAX),
        *_contact("recipient", request.recipient, RECIPIENT_ADDRESS_LENGTH_MAX),
        *_place("sender", request.sender),
        *_place("recipient", request.recipient),
        *_items(request.items),
        *_amounts(request.cod_amount, request.insured_amount),
    ]
    if not REFERENCE.fullmatch(request.reference):
        problems.append(("reference", f"must begin with a letter and have at most {REFERENCE_LENGTH_MAX} characters"))
    if not request.company or not request.service:
        problems.append(("service", "a courier company and its service must be chosen"))
    if request.company in NEEDS_COORDINATES and request.sender.latitude is None:
        problems.append(
            ("sender.latitude", f"{request.company} collects only where the sender's coordinates are known")
        )
    _refuse(request.reference, problems)


def _refuse(item: str, problems: Sequence[Problem]) -> None:
    if problems:
        why = "; ".join(f"{field}: {sentence}" for field, sentence in problems)
        raise Rejected(item, why, RejectClass.BAD_DATA, details=dict(problems))


def _contact(side: str, place: Place, address_length_max: int) -> Iterator[Problem]:
    if not 0 < len(place.name.strip()) <= NAME_LENGTH_MAX:
        yield f"{side}.name", f"must have 1 to {NAME_LENGTH_MAX} characters"
    if not PHONE.fullmatch(local_phone(place.phone)):
        yield f"{side}.phone", "must be an Indonesian number: 08..., 62... or +62..., 9 to 13 digits"
    if not ADDRESS_LENGTH_MIN <= len(place.address.strip()) <= address_length_max:
        yield f"{side}.address", f"must have {ADDRESS_LENGTH_MIN} to {address_length_max} characters"


def _place(side: str, place: Place) -> Iterator[Problem]:
    if place.postal_code and not POSTAL_CODE.fullmatch(place.postal_code):
        yield f"{side}.postal_code", "must be five digits"
    if (place.latitude is None) is not (place.longitude is None):
        yield f"{side}.latitude", "latitude and longitude belong together"


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
    if cod_amount is not None and cod_amount <= 0:
        yield "cod_amount", "must be positive"
    if insured_amount is not None and insured_amount <= 0:
        yield "insured_amount", "must be positive"
