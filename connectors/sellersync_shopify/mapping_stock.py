"""Listings and levels between the wire and the domain, pure in both directions.

A listing is a variant, named by its inventory item, because that is what a level belongs to; a target is that item at one location.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sellersync.connector.contract import LevelAnswer, PushOutcome, RemoteListing, TargetKey, Want
from sellersync.domain.errors import RejectClass, Unrecognised
from sellersync.domain.money import rupiah_or_none

from .fields import inner, is_number, nodes, number_of, word

GRAMS: Mapping[str, float] = {"GRAMS": 1.0, "KILOGRAMS": 1000.0, "OUNCES": 28.349523125, "POUNDS": 453.59237}
STALE_CODES = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
UNDECIDED_CODES = frozenset(
    {"IDEMPOTENCY_CONCURRENT_REQUEST", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"}
)
"""Said of an earlier call with the same key, whose effect is not known."""
REJECT_CLASSES: Mapping[str, RejectClass] = {
    "INVALID_INVENTORY_ITEM": RejectClass.UNKNOWN_LISTING,
    "INVALID_LOCATION": RejectClass.LOCATION,
    "ITEM_NOT_STOCKED_AT_LOCATION": RejectClass.LOCATION,
    "NON_MUTABLE_INVENTORY_ITEM": RejectClass.NOT_MANAGED,
    "INVALID_QUANTITY_NEGATIVE": RejectClass.BAD_DATA,
    "INVALID_QUANTITY_TOO_HIGH": RejectClass.BAD_DATA,
    "INVALID_QUANTITY_TOO_LOW": RejectClass.BAD_DATA,
    "INVALID_NAME": RejectClass.BAD_DATA,
    "INVALID_REASON": RejectClass.BAD_DATA,
    "INVALID_REFERENCE_DOCUMENT": RejectClass.BAD_DATA,
    "COMPARE_QUANTITY_REQUIRED": RejectClass.BAD_DATA,
    "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR": RejectClass.BAD_DATA,
}
"""`InventorySetQuantitiesUserErrorCode` (reference 2026-10): refused before anything was written."""
_ROW = re.compile(r"[0-9]{1,3}")


# ---------------------------------------------------------------------------------------------------------------------- listings


def listing(row: Mapping[str, Any], locations: Sequence[str]) -> RemoteListing:
    """One variant with a target for each active location that stocks it. Raises `Unrecognised`."""
    item = row.get("inventoryItem")
    key = number_of(inner(item, "id"), "InventoryItem", where="inventory item")
    shown = {
        number_of(inner(level, "location", "id"), "Location", where="level"): available(level)
        for level in nodes(inner(item, "inventoryLevels"), where="inventoryLevels")
    }
    targets = tuple(TargetKey(key, place) for place in locations if place in shown)
    problem = ""
    if inner(item, "inventoryLevels", "pageInfo", "hasNextPage"):
        problem = "stocked at more locations than are read"
    price = None
    try:
        price = rupiah_or_none(row.get("price"), where="price")
    except Unrecognised as unreadable:
        problem = str(unreadable)
    variation = str(row.get("title") or "")
    numbers = [shown[target.location] for target in targets]
    return RemoteListing(
        key=key,
        seller_sku=str(row.get("sku") or "").strip(),
        title=str(inner(row, "product", "title") or ""),
        targets=targets,
        active=inner(row, "product", "status") == "ACTIVE",
        managed=inner(item, "tracked") is True and bool(targets),
        variation="" if variation == "Default Title" else variation,
        barcode=str(row.get("barcode") or ""),
        price=price,
        weight_g=_grams(inner(item, "measurement", "weight")),
        shown=None if not numbers or None in numbers else sum(number or 0 for number in numbers),
        problem=problem,
    )


def _grams(weight: object) -> int | None:
    value, unit = inner(weight, "value"), word(inner(weight, "unit"))
    if type(value) not in (int, float) or unit not in GRAMS:
        return None
    return round(float(value) * GRAMS[unit])


def available(level: object) -> int | None:
    """The number that a level shows to buyers; `None` when it has none. Below zero means oversold."""
    for entry in nodes(inner(level, "quantities"), where="quantities"):
        if entry.get("name") == "available" and type(entry.get("quantity")) is int:
            return int(entry["quantity"])
    return None


def item_level(row: Mapping[str, Any] | None) -> int | None:
    """The number of an inventory item at the location that was asked for; `None` where none is kept."""
    if row is None or row.get("tracked") is not True:
        return None
    level = row.get("inventoryLevel")
    return None if level is None else available(level)


# ------------------------------------------------------------------------------------------------------------------------ levels


def refused_beforehand(want: Want) -> LevelAnswer | None:
    """The answer to a want that cannot even be sent."""
    if not is_number(want.target.remote_key):
        return rejected(want, RejectClass.UNKNOWN_LISTING, "not a key of this channel")
    if not is_number(want.target.location):
        return rejected(want, RejectClass.LOCATION, "a level belongs to a location; this target names none")
    return None


def rejected(want: Want, reject: RejectClass, why: str) -> LevelAnswer:
    return LevelAnswer(want.target, PushOutcome.REJECTED, reject=reject, why=why)


def unclear(want: Want, why: str) -> LevelAnswer:
    return LevelAnswer(want.target, PushOutcome.UNCLEAR, why=why)


def quantity_row(want: Want) -> dict[str, Any]:
    """One entry of `quantities`. The expected number makes the write conditional; an explicit null sends it unchecked."""
    return {
        "inventoryItemId": f"gid://shopify/InventoryItem/{want.target.remote_key}",
        "locationId": f"gid://shopify/Location/{want.target.location}",
        "quantity": want.level,
        "changeFromQuantity": want.expected,
    }


def idempotency_key(shop: str, wants: Sequence[Want], sending: int) -> str:
    """A UUID that belongs to these wants and to this sending of them: another set of rows is another operation."""
    return str(uuid5(NAMESPACE_URL, "\n".join((shop, str(sending), *(want.key for want in wants)))))


def changed_rows(payload: Mapping[str, Any]) -> dict[TargetKey, int] | None:
    """target -> change of `available`, as the adjustment group names them; `None` where there is no group."""
    group = payload.get("inventoryAdjustmentGroup")
    if not isinstance(group, Mapping):
        return None
    found: dict[TargetKey, int] = {}
    for change in nodes(group.get("changes"), where="changes"):
        if change.get("name") != "available" or type(change.get("delta")) is not int:
            continue
        item = number_of(inner(change, "item", "id"), "InventoryItem", where="changed item")
        place = number_of(inner(change, "location", "id"), "Location", where="changed location")
        found[TargetKey(item, place)] = change["delta"]
    return found


def row_of(error: Mapping[str, Any], rows: int) -> int | None:
    """Which row an error is about, from its path ["input", "quantities", "3", ...]; `None` when it is about the whole call."""
    path = error.get("field")
    if not isinstance(path, list) or len(path) < 3 or path[1] != "quantities" or not _ROW.fullmatch(str(path[2])):
        return None
    index = int(str(path[2]))
    return index if index < rows else None


def refusal(want: Want, error: Mapping[str, Any]) -> LevelAnswer:
    """What one error says about one want.

    A number that is not the expected one is UNCLEAR, not refused: nothing was written, but what the shop shows is not known any more.
    """
    code, message = str(error.get("code") or ""), str(error.get("message") or "")[:200]
    why = f"{message} [{code}]"
    if code in STALE_CODES:
        return unclear(want, f"the number changed meanwhile: {want.expected} was expected. {why}")
    if code in REJECT_CLASSES:
        return rejected(want, REJECT_CLASSES[code], why)
    return unclear(want, why)
