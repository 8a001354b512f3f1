"""What the simulator refuses: the fields of a booking and of rates, checked as the documentation lists them (2026).

Stricter than the real service in one point: a field that the documentation does not list is refused, because a misspelled optional
field would otherwise be ignored in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .sandbox_services import COORDINATES_NEEDED, DISTRICT_IDS, find_service

Json = Mapping[str, Any]

RATES_FIELDS = frozenset(
    {"origin", "destination", "subdistrict_origin", "subdistrict_destination", "weight", "length", "width", "height"}
    | {"item_value", "insurance", "courier"}
)
PICKUP_FIELDS = frozenset(
    {"name", "phone", "address", "kecamatan_id", "kelurahan_id", "zipcode", "latitude", "longitude", "schedule"}
    | {"platform_name", "packages"}
)
CREDIT_FIELDS = frozenset({"payment_method", "pin"})
PACKAGE_FIELDS = frozenset(
    {"order_id", "destination_name", "destination_phone", "destination_address", "destination_kecamatan_id"}
    | {"destination_kelurahan_id", "destination_zipcode", "weight", "length", "width", "height", "qty", "item_name"}
    | {"item_value", "shipping_cost", "service", "service_type", "package_type_id", "insurance_amount", "cod", "drop"}
    | {"note"}
)
PACKAGE_TYPES = {"v6.1": (7,), "v6.2": (7, 9)}
PHONE = re.compile(r"(08|62)\d{7,11}")


def rates_fault(body: Json) -> str | None:
    """The first thing wrong with a request for rates, worded as its validator does."""
    for name in body:
        if name not in RATES_FIELDS:
            return f"The {name} field is unknown."
    for name in ("origin", "destination"):
        if body.get(name) not in DISTRICT_IDS:
            return f"The selected {name} is invalid."
    for name in ("weight", "length", "width", "height"):
        if not _whole(body.get(name), 1):
            return f"The {name} must be at least 1."
    if body.get("insurance") not in (0, 1, None) or not _whole(body.get("item_value"), 0):
        return "The item value field is required."
    courier = body.get("courier")
    if courier is not None and not (isinstance(courier, list) and courier and all(isinstance(c, str) for c in courier)):
        return "The courier must be an array."
    return None


def pickup_fault(body: Json, version: str, now: datetime) -> str | None:
    """The first thing wrong with a booking. `now` is the local time of the service."""
    for name in body:
        if name not in PICKUP_FIELDS | (CREDIT_FIELDS if version == "v6.2" else frozenset()):
            return f"The {name} field is unknown."
    fault = (
        _text_fault(body, "name", 1, 50)
        or _text_fault(body, "address", 10, 200)
        or _phone_fault(body, "phone")
        or _zip_fault(body, "zipcode")
    )
    if fault:
        return fault
    if body.get("kecamatan_id") not in DISTRICT_IDS:
        return "The selected kecamatan id is invalid."
    packages = body.get("packages")
    if not isinstance(packages, list) or not packages or not all(isinstance(one, dict) for one in packages):
        return "The packages field is required."
    for package in packages:
        fault = _package_fault(package, version, located="latitude" in body and "longitude" in body)
        if fault:
            return fault
    return _schedule_fault(body.get("schedule"), now, drop=all(one.get("drop") is True for one in packages))


def _package_fault(package: Json, version: str, *, located: bool) -> str | None:
    for name in package:
        if name not in PACKAGE_FIELDS:
            return f"The packages.{name} field is unknown."
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,19}", str(package.get("order_id", ""))):
        return "The order id must have a string prefix and may not be greater than 20 characters."
    fault = (
        _text_fault(package, "destination_name", 1, 50)
        or _text_fault(package, "destination_address", 10, 255)
        or _text_fault(package, "item_name", 1, 255)
        or _phone_fault(package, "destination_phone")
        or _zip_fault(package, "destination_zipcode")
    )
    if fault:
        return fault
    if package.get("destination_kecamatan_id") not in DISTRICT_IDS:
        return "The destination kecamatan id field is required."
    for name, least in (("weight", 1), ("length", 1), ("width", 1), ("height", 1), ("item_value", 1000)):
        if not _whole(package.get(name), least):
            return f"The {name} must be at least {least}."
    for name in ("shipping_cost", "cod", "insurance_amount"):
        if not _whole(package.get(name, 0 if name == "insurance_amount" else None), 0):
            return f"The {name} field is required."
    if not _whole(package.get("qty", 1), 1) or len(str(package.get("note", ""))) > 50:
        return "The note may not be greater than 50 characters."
    if package.get("package_type_id") not in PACKAGE_TYPES[version]:
        return "The selected package type id is invalid."
    service = find_service(package.get("service"), package.get("service_type"))
    if service is None:
        return "The selected service type is invalid."
    if service.company in COORDINATES_NEEDED and not located:
        return "The latitude field is required."
    if package["cod"] and not service.cod:
        return "The selected service does not support COD."
    if package.get("drop") is True and not service.drop:
        return "The selected service does not support drop off."
    return None


def _schedule_fault(schedule: object, now: datetime, *, drop: bool) -> str | None:
    try:
        at = datetime.strptime(str(schedule), "%Y-%m-%d %H:%M:%S").replace(tzinfo=now.tzinfo)
    except ValueError:
        return "The schedule does not match the format Y-m-d H:i:s."
    if not drop and (at.date() < now.date() or (at.date() == now.date() and now.hour >= 16)):
        return "The schedule must be a date after now."
    return None


def _text_fault(body: Json, name: str, least: int, most: int) -> str | None:
    value = body.get(name)
    words = name.replace("_", " ")
    if not isinstance(value, str) or not least <= len(value.strip()) <= most:
        return f"The {words} must be between {least} and {most} characters."
    return None


def _phone_fault(body: Json, name: str) -> str | None:
    value = body.get(name)
    return (
        None
        if isinstance(value, str) and PHONE.fullmatch(value)
        else f"The {name.replace('_', ' ')} format is invalid."
    )


def _zip_fault(body: Json, name: str) -> str | None:
    value = body.get(name)
    return None if value is None or len(str(value)) <= 5 else f"The {name} may not be greater than 5 characters."


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
