"""What the simulator refuses: the fields of rates and drafts, checked as the API reference lists them.

Stricter than the real service in one point: a field that the reference does not list is refused, because a misspelled optional field
(`origin_latitude` in an order, say) would otherwise be ignored in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .sandbox_services import SERVICES, Service, find_service

COD_MAX = 15_000_000
COD_TYPES = ("7_days", "5_days", "3_days")
CATEGORIES = frozenset(
    {"fashion", "healthcare", "food_and_drink", "electronic", "beauty", "outdoor_gear", "home_accessories", "hobby"}
    | {"collection", "sparepart", "groceries", "frozen_food", "others"}
)
SIDES = ("origin", "destination")
CONTACT_PARTS = ("contact_name", "contact_phone", "contact_email", "address", "note")
PLACE_FORMS = ("area_id", "postal_code", "coordinate", "location_id")

RATES_FIELDS = frozenset(
    {f"{side}_{form}" for side in SIDES for form in ("area_id", "postal_code", "latitude", "longitude")}
    | {"couriers", "items", "type", "courier_insurance"}
    | {"destination_cash_on_delivery", "destination_cash_on_delivery_type"}
)
ITEM_FIELDS = frozenset(
    {"name", "value", "quantity", "weight", "description", "category", "sku", "length", "width", "height"}
)
DRAFT_FIELDS = frozenset(
    {f"{side}_{part}" for side in SIDES for part in CONTACT_PARTS + PLACE_FORMS}
    | {"shipper_contact_name", "shipper_contact_phone", "shipper_contact_email", "shipper_organization"}
    | {"origin_collection_method", "destination_cash_on_delivery", "destination_cash_on_delivery_type"}
    | {"destination_proof_of_delivery", "destination_proof_of_delivery_note", "courier_insurance", "courier_company"}
    | {"courier_type", "delivery_type", "delivery_date", "delivery_time", "order_note", "metadata", "reference_id"}
    | {"tags", "items"}
)

Json = Mapping[str, Any]
Fault = tuple[int, str, str]  # code, field, reason


def rates_fault(body: Json, unknown_postal_codes: frozenset[int]) -> Fault | None:
    """The first thing wrong with a request for rates."""
    for name in body:
        if name not in RATES_FIELDS:
            return 40001002, name, "unknown field"
    for side in SIDES:
        postal_code = body.get(f"{side}_postal_code")
        if not (body.get(f"{side}_area_id") or postal_code is not None or _flat_coordinates(body, side)):
            return 40001002, f"{side}_postal_code", "required"
        if postal_code is not None and not _known(postal_code, unknown_postal_codes):
            return 40001001, f"{side}_postal_code", "unknown"
    if not isinstance(body.get("couriers"), str) or not body["couriers"]:
        return 40001002, "couriers", "required"
    if not _cod_fields_fit(body):
        return 40001002, "destination_cash_on_delivery", "invalid"
    return _item_fault(body, 40001002)


def draft_fault(body: Json, unknown_postal_codes: frozenset[int]) -> Fault | None:
    """The first thing wrong with the fields of a draft."""
    for name in body:
        if name not in DRAFT_FIELDS:
            return 40011001, name, "unknown field"
    for side in SIDES:
        for part in ("contact_name", "contact_phone", "address"):
            if not (isinstance(body.get(f"{side}_{part}"), str) and body[f"{side}_{part}"].strip()):
                return 40000000, f"{side}_{part}", "required"
        postal_code = body.get(f"{side}_postal_code")
        if postal_code is not None and not _known(postal_code, unknown_postal_codes):
            return 42211013, f"{side}_postal_code", "unknown"
        if not any(body.get(f"{side}_{form}") for form in PLACE_FORMS):
            return 40000000, f"{side}_postal_code", "required"
        coordinate = body.get(f"{side}_coordinate")
        if coordinate is not None and not _is_coordinate(coordinate):
            return 40000000, f"{side}_coordinate", "invalid"
    if body.get("delivery_type") not in ("now", "scheduled"):
        return 40000000, "delivery_type", "invalid"
    return _courier_fault(body) or _cod_fault(body) or _item_fault(body, 40000000)


def _courier_fault(body: Json) -> Fault | None:
    if "courier_company" not in body:
        return None
    if body["courier_company"] not in {service.company for service in SERVICES}:
        return 40002026, "courier_company", "does not exist"
    service = find_service(body["courier_company"], body.get("courier_type"))
    if service is None:
        return 40002027, "courier_type", "does not exist"
    if body.get("origin_collection_method", "pickup") not in service.collection:
        return 40002008, "origin_collection_method", "not available"
    if service.instant and not all(body.get(f"{side}_coordinate") for side in SIDES):
        return 40002020, "origin_coordinate", "required by this courier"
    return None


def _cod_fault(body: Json) -> Fault | None:
    amount = body.get("destination_cash_on_delivery")
    if amount is None:
        return None
    field = "destination_cash_on_delivery"
    if body.get("destination_cash_on_delivery_type", "7_days") not in COD_TYPES:
        return 42211010, f"{field}_type", "invalid"
    if not _whole(amount, 1) or amount > COD_MAX:
        return 42211011, field, "over the limit"
    service = find_service(body.get("courier_company"), body.get("courier_type"))
    if service is not None and service.cod is None:
        return 42211012, field, "not enabled for this courier"
    if service is not None and service.cod and not service.cod.amount_min <= amount <= service.cod.amount_max:
        return 42211011, field, "outside the courier's limits"
    return None


def _item_fault(body: Json, code: int) -> Fault | None:
    items = body.get("items")
    if not isinstance(items, list) or not items:
        return code, "items", "required"
    for item in items:
        if not isinstance(item, dict) or not set(item) <= ITEM_FIELDS:
            return code, "items", "invalid"
        if not (isinstance(item.get("name"), str) and item["name"].strip()):
            return code, "items.name", "required"
        for name, least in (("value", 0), ("quantity", 1), ("weight", 1)):
            if not _whole(item.get(name), least):
                return code, f"items.{name}", "required"
        if any(name in item and not _whole(item[name], 1) for name in ("length", "width", "height")):
            return code, "items.length", "invalid"
        if item.get("category", "others") not in CATEGORIES:
            return code, "items.category", "invalid"
    return None


def serviceable(service: Service, body: Json) -> bool:
    """Instant couriers are quoted by coordinates alone, the others by area id, postal code or coordinates."""
    return not service.instant or all(_flat_coordinates(body, side) for side in SIDES)


def _flat_coordinates(body: Json, side: str) -> bool:
    return _is_coordinate({"latitude": body.get(f"{side}_latitude"), "longitude": body.get(f"{side}_longitude")})


def _is_coordinate(value: object) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"latitude", "longitude"}
        and all(isinstance(degrees, int | float) and not isinstance(degrees, bool) for degrees in value.values())
    )


def _known(postal_code: object, unknown: frozenset[int]) -> bool:
    return isinstance(postal_code, int) and 10_000 <= postal_code <= 99_999 and postal_code not in unknown


def _cod_fields_fit(body: Json) -> bool:
    amount = body.get("destination_cash_on_delivery")
    kind = body.get("destination_cash_on_delivery_type", "7_days")
    return amount is None or (_whole(amount, 1) and amount <= COD_MAX and kind in COD_TYPES)


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
