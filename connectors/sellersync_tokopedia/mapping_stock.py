"""Wire <-> domain for listings, levels and packages. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sellersync.connector.contract import RemoteListing, ShownLevel, TargetKey, Want
from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah_or_none
from sellersync.domain.orders import OrderLine
from sellersync.domain.parcels import ParcelState, RemoteParcel

from .mapping import PACKAGE_STATES, Json, text, units_of, when

PLATFORMS = ("TIKTOK_SHOP", "TOKOPEDIA")
SHOWN_STATUS, HIDDEN_STATUS = "ACTIVATE", "SELLER_DEACTIVATED"
PLATFORM_TROUBLE = frozenset({"FAILED", "PLATFORM_DEACTIVATED", "FREEZE"})
LEFT_OUT = frozenset({"DELETED"})

SUB_STATES: Mapping[str, ParcelState] = {
    "RTSING": ParcelState.BOOKED,  # the label is being bought
    "RTS": ParcelState.BOOKED,
    "TTS": ParcelState.PICKED_UP,
    "DELIVERED": ParcelState.DELIVERED,
    "SHIP_EXCEPTION": ParcelState.PROBLEM,
    "PART_DELIVERED_AND_EXCEPTION": ParcelState.PROBLEM,
    "CANCELLED": ParcelState.CANCELLED,
}
"""Sub-statuses that say more than the package status. CREATED, STOCKING, HBW(ING), TSP_PENDING and "" leave it to that."""


def product_id_of(remote_key: str) -> str:
    return remote_key.split(":")[0]


def sku_id_of(remote_key: str) -> str:
    return remote_key.split(":")[-1]


def objects(row: Json, name: str) -> list[Json]:
    """A list of objects; absent and null are empty. Raises `Unrecognised`."""
    value = row.get(name)
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value):
        return value
    raise Unrecognised(f"{name}: a list of objects was expected", repr(value))


def statuses(product: Json) -> dict[str, str]:
    """Listing status per platform, where it is listed. The top-level status is TikTok Shop's alone."""
    found = {"TIKTOK_SHOP": text(product, "status")}
    for row in objects(product, "integrated_platform_statuses"):
        found[text(row, "platform")] = text(row, "status")
    return {platform: status for platform, status in found.items() if status}


def listings(product: Json, *, locations: bool) -> list[RemoteListing]:
    """The SKUs of one product. Raises `Unrecognised` for a product without id."""
    product_id = text(product, "id")
    if not product_id:
        raise Unrecognised("a product without id", repr(sorted(product)))
    shown_on = statuses(product)
    if shown_on and set(shown_on.values()) <= LEFT_OUT:
        return []
    troubles = [f"{status} on {platform}" for platform, status in shown_on.items() if status in PLATFORM_TROUBLE]
    result = []
    for sku in objects(product, "skus"):
        stock = {text(row, "warehouse_id"): row.get("quantity") for row in objects(sku, "inventory")}
        if not text(sku, "id"):
            raise Unrecognised(f"product {product_id}: a SKU without id", repr(sorted(sku)))
        key = f"{product_id}:{text(sku, 'id')}"
        price = sku["price"] if isinstance(sku.get("price"), Mapping) else {}
        targets = tuple(TargetKey(key, warehouse_id) for warehouse_id in stock) if locations else (TargetKey(key),)
        numbers = [quantity for quantity in stock.values() if isinstance(quantity, int)]
        result.append(
            RemoteListing(
                key=key,
                seller_sku=text(sku, "seller_sku"),
                title=text(product, "title"),
                targets=targets,
                active=SHOWN_STATUS in shown_on.values(),
                price=rupiah_or_none(price.get("sale_price") or price.get("tax_exclusive_price"), where="price"),
                shown=sum(numbers) if len(numbers) == len(stock) and numbers else None,
                problem=", ".join(troubles),
            )
        )
    return result


def inventory_by_sku(inventory: Iterable[Json]) -> dict[str, Json]:
    """SKU id -> its row of an inventory answer. Raises `Unrecognised`."""
    rows = {"inventory": list(inventory)}
    return {text(sku, "id"): sku for product in objects(rows, "inventory") for sku in objects(product, "skus")}


def pot_of(sku: Json) -> int:
    """Units that campaigns and creators hold, as the distribution of an inventory answer tells (absent: none).

    The field is in the provider's SDK models and in recorded answers of live shops; not confirmed for Indonesia.
    """
    rows = sku.get("total_available_inventory_distribution") or {}
    if isinstance(rows, Mapping):
        rows = [rows]
    pots = (
        pot
        for distribution in rows
        for name in ("campaign_inventory", "creator_inventory")
        for pot in objects(distribution, name)
    )
    return sum(_units(pot) for pot in pots)


def _units(row: Json) -> int:
    """`quantity` of a row, absent: 0. Raises `Unrecognised`."""
    try:
        return int(str(row.get("quantity") or 0))
    except ValueError:
        raise Unrecognised("quantity: a number of units was expected", repr(row.get("quantity"))) from None


def pot_is_inside(sku: Json) -> bool:
    """Does the available number contain the pot? Told by the parts adding up to the total."""
    rows = sku.get("total_available_inventory_distribution") or {}
    if isinstance(rows, Mapping):
        rows = [rows]
    in_shop = sum(_units(row.get("in_shop_inventory") or {}) for row in rows)
    return bool(pot_of(sku)) and sku.get("total_available_quantity") == in_shop + pot_of(sku)


def shown_level(target: TargetKey, sku: Json | None, read_started_at: datetime) -> ShownLevel:
    """The level of one target; `shown` is `None` for an unknown SKU or warehouse.

    A pot inside the number is the lowest number the provider accepts; a pot beside it is held aside. It is counted against every
    location, since the answer does not say where it lies.
    """
    if sku is None:
        return ShownLevel(target, None, read_started_at, held_aside=None)
    by_warehouse = {
        text(row, "warehouse_id"): row.get("available_quantity") for row in objects(sku, "warehouse_inventory")
    }
    shown = by_warehouse.get(target.location) if target.location else sku.get("total_available_quantity")
    if not target.location and shown is None and len(by_warehouse) == 1:
        shown = next(iter(by_warehouse.values()))
    pot, inside = pot_of(sku), pot_is_inside(sku)
    return ShownLevel(
        target,
        shown if isinstance(shown, int) else None,
        read_started_at,
        held_aside=0 if inside else pot,
        floor=pot if inside else None,
    )


def level_rows(wants: Mapping[str, Sequence[Want]], quantity_max: int) -> list[dict[str, Any]]:
    """`skus[]` of an inventory update: every location of a SKU in one row, no warehouse id where there is one location."""
    return [
        {
            "id": sku_id,
            "inventory": [
                ({"warehouse_id": want.target.location} if want.target.location else {})
                | {"quantity": min(want.level, quantity_max)}
                for want in of_sku
            ],
        }
        for sku_id, of_sku in wants.items()
    ]


def package(row: Json, lines: Sequence[OrderLine] = ()) -> RemoteParcel:
    """A package detail. `lines` are those of the orders in it, as far as known."""
    package_id = text(row, "package_id") or text(row, "id")
    if not package_id:
        raise Unrecognised("a package without id", repr(sorted(row)))
    unit_keys, counts = units_of(lines, [str(item) for item in row.get("order_line_item_ids") or ()])
    status, sub_status = text(row, "package_status"), text(row, "package_sub_status")
    return RemoteParcel(
        remote_id=package_id,
        order_ids=tuple(text(order, "id") for order in row.get("orders") or ()),
        state=package_state(status, sub_status, text(row, "tracking_number")),
        remote_status=f"{status}/{sub_status}" if sub_status else status,
        units=counts,
        unit_keys=unit_keys,
        waybill=text(row, "tracking_number"),
        courier=text(row, "shipping_provider_name"),
        updated_at=when(row, "update_time"),
        extra={"handover": text(row, "handover_method")} if text(row, "handover_method") else {},
    )


def package_state(status: str, sub_status: str, waybill: str) -> ParcelState:
    """A package counts as booked when any of status, sub-status or waybill says so: each may run ahead of the others."""
    state = PACKAGE_STATES.get(status, ParcelState.UNKNOWN)
    if state in (ParcelState.CANCELLED, ParcelState.UNKNOWN):
        return state
    if sub_status == "ISSUE":
        return ParcelState.WAITING if state is ParcelState.READY and not waybill else ParcelState.PROBLEM
    state = SUB_STATES.get(sub_status, state)
    return ParcelState.BOOKED if state is ParcelState.READY and waybill else state
