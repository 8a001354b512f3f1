"""Wire <-> domain for products and stock levels, pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sellersync.connector.contract import RemoteListing, ShownLevel, TargetKey
from sellersync.domain.errors import RejectClass, Unrecognised
from sellersync.domain.money import rupiah_or_none

from .codes import STOCK_REFUSALS
from .values import first, mapping_of, rows_of, text, whole
from .warehouses import Warehouses

WireRow = Mapping[str, Any]


def split_key(remote_key: str) -> tuple[str, str] | None:
    """(item id, sku id) of `<item_id>:<sku_id>`; `None` when it is not of that form."""
    item, colon, sku = remote_key.partition(":")
    return (item, sku) if colon and item.isdigit() and sku.isdigit() else None


@dataclass(frozen=True, slots=True)
class Sku:
    """One SKU of a product with its stock. `shown` is what buyers can take at each location (one "" in a shop with one warehouse), empty
    where it could not be read; `held_aside` what campaigns lock beside it."""

    remote_key: str
    seller_sku: str
    shop_sku: str
    title: str
    variation: str
    status: str
    price: int | None
    shown: Mapping[str, int]
    held_aside: int | None
    problem: str


def skus_of(product: WireRow, *, warehouses: Warehouses) -> Iterator[Sku]:
    """The SKUs of one product of `/products/get` or `/product/item/get` (their key spellings differ). Deleted ones are left out.

    Raises `Unrecognised` for a product or a SKU without its id.
    """
    item_id = text(first(product, "item_id", "itemId"))
    if not item_id:
        raise Unrecognised("a product without its id", f"keys {sorted(product)}")
    attributes = product.get("attributes")
    title = text(attributes.get("name")) if isinstance(attributes, dict) else ""
    active = text(product.get("status")).lower() in ("", "active", "live")
    for row in rows_of(product.get("skus"), where=f"product {item_id} skus"):
        status = text(first(row, "Status", "status")).lower()
        if not text(first(row, "SkuId", "skuId", "sku_id")):
            raise Unrecognised(f"product {item_id}: a SKU without its id", f"keys {sorted(row)}")
        if status != "deleted":
            yield _sku(row, item_id, title, status if active else "inactive", warehouses)


def _sku(row: WireRow, item_id: str, title: str, status: str, warehouses: Warehouses) -> Sku:
    problems: list[str] = []
    sku_id = text(first(row, "SkuId", "skuId", "sku_id"))
    shown: Mapping[str, int] = {}
    held: int | None = None
    price: int | None = None
    try:
        price = rupiah_or_none(row.get("price"), where=f"SKU {sku_id} price")
        shown = _shown(row, sku_id, warehouses)
        held = _held_aside(row)
    except Unrecognised as unreadable:
        problems.append(str(unreadable))
    variation = row.get("saleProp")
    return Sku(
        remote_key=f"{item_id}:{sku_id}",
        seller_sku=text(first(row, "SellerSku", "sellerSku")),
        shop_sku=text(first(row, "ShopSku", "shopSku")),
        title=title,
        variation=", ".join(text(value) for value in variation.values()) if isinstance(variation, dict) else "",
        status=status,
        price=price,
        shown=shown,
        held_aside=held,
        problem="; ".join(problems),
    )


def _shown(row: WireRow, sku_id: str, warehouses: Warehouses) -> Mapping[str, int]:
    """The sellable number at each location. `quantity` is not used: in another call of the platform the same word means the total."""
    inventories = rows_of(row.get("multiWarehouseInventories"), where=f"SKU {sku_id} multiWarehouseInventories")
    if warehouses.several:
        if not inventories:
            raise Unrecognised(f"SKU {sku_id} shows no warehouse", "")
        return {
            warehouses.location_of(text(inventory.get("warehouseCode"))): _sellable(inventory, sku_id)
            for inventory in inventories
        }
    if len(inventories) > 1:
        raise Unrecognised(
            f"SKU {sku_id} keeps stock in several warehouses, and the platform does not list them",
            str(len(inventories)),
        )
    if inventories and inventories[0].get("sellableQuantity") is not None:
        return {"": _sellable(inventories[0], sku_id)}
    return {"": whole(first(row, "Available", "available"), where=f"SKU {sku_id} Available")}


def _sellable(inventory: WireRow, sku_id: str) -> int:
    return whole(inventory.get("sellableQuantity"), where=f"SKU {sku_id} sellableQuantity")


def _held_aside(row: WireRow) -> int:
    """Units locked for campaigns in `channelInventories`. An absent list is an empty one: the platform leaves out what is null."""
    pots = rows_of(row.get("channelInventories"), where="channelInventories")
    return sum(whole(pot.get("sellableQuantity") or 0, where="channelInventories") for pot in pots)


def listing_of(sku: Sku, warehouses: Warehouses) -> RemoteListing:
    """What a buyer sees; a listing is its own target, in a shop with several warehouses one for each of them."""
    locations = sku.shown or (warehouses.codes if warehouses.several else ("",))
    return RemoteListing(
        key=sku.remote_key,
        seller_sku=sku.seller_sku,
        title=sku.title,
        targets=tuple(TargetKey(sku.remote_key, location) for location in locations),
        active=sku.status == "active",
        variation=sku.variation,
        price=sku.price,
        shown=sum(sku.shown.values()) if sku.shown else None,
        problem=sku.problem,
    )


def level_of(target: TargetKey, sku: Sku | None, read_started_at: datetime) -> ShownLevel:
    """The level of a target; `shown` is `None` where the platform does not know it (any more). A campaign's units belong to the SKU and
    not to a warehouse, so each of its locations tells all of them."""
    shown = None if sku is None else sku.shown.get(target.location)
    if sku is None or shown is None:
        return ShownLevel(target, None, read_started_at, held_aside=None)
    return ShownLevel(target, shown, read_started_at, held_aside=sku.held_aside)


# ---------------------------------------------------------------------------------------------------------------- refused updates


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row of a refusal's `detail`: every text in it may be the SKU's name (the shape is not in the reference)."""

    names: frozenset[str]
    code: str
    message: str


def refused_rows(body: WireRow) -> tuple[RefusedRow, ...]:
    """The rows of `detail`, whatever keys they have; empty when there are none or they are unreadable."""
    try:
        raw = body.get("detail")
        rows: Sequence[WireRow] = rows_of([raw] if isinstance(raw, dict) else raw, where="detail")
    except Unrecognised:
        return ()
    return tuple(
        RefusedRow(
            names=frozenset(text(value) for name, value in row.items() if name not in ("code", "message")),
            code=text(row.get("code")),
            message=text(first(row, "message", "msg")),
        )
        for row in (mapping_of(row, where="detail") for row in rows)
    )


def reject_class(code: str, message: str) -> RejectClass:
    """Why a SKU was refused. The words decide where the code is the summary 501."""
    words = message.lower()
    if code == "4170" or "campaign" in words:
        return RejectClass.CAMPAIGN_LOCKED
    if "channel inventory" in words:
        return RejectClass.BELOW_RESERVED
    if "not found" in words or "not exist" in words or "not belong" in words:
        return RejectClass.UNKNOWN_LISTING
    return STOCK_REFUSALS.get(code, RejectClass.OTHER)
