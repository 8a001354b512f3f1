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

WireRow = Mapping[str, Any]


def split_key(remote_key: str) -> tuple[str, str] | None:
    """(item id, sku id) of `<item_id>:<sku_id>`; `None` when it is not of that form."""
    item, colon, sku = remote_key.partition(":")
    return (item, sku) if colon and item.isdigit() and sku.isdigit() else None


@dataclass(frozen=True, slots=True)
class Sku:
    """One SKU of a product with its stock. `shown` is what buyers can take, `held_aside` what campaigns lock beside it."""

    remote_key: str
    seller_sku: str
    shop_sku: str
    title: str
    variation: str
    status: str
    price: int | None
    shown: int | None
    held_aside: int | None
    problem: str


def skus_of(product: WireRow, *, warehouse_code: str) -> Iterator[Sku]:
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
            yield _sku(row, item_id, title, status if active else "inactive", warehouse_code)


def _sku(row: WireRow, item_id: str, title: str, status: str, warehouse_code: str) -> Sku:
    problems: list[str] = []
    sku_id = text(first(row, "SkuId", "skuId", "sku_id"))
    shown: int | None = None
    held: int | None = None
    price: int | None = None
    try:
        price = rupiah_or_none(row.get("price"), where=f"SKU {sku_id} price")
        shown = _shown(row, sku_id, warehouse_code)
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


def _shown(row: WireRow, sku_id: str, warehouse_code: str) -> int:
    """The sellable number. `quantity` is not used: in another call of the platform the same word means the total."""
    warehouses = rows_of(row.get("multiWarehouseInventories"), where=f"SKU {sku_id} multiWarehouseInventories")
    if len(warehouses) > 1:
        raise Unrecognised(
            f"SKU {sku_id} keeps stock in several warehouses, which is not supported", str(len(warehouses))
        )
    if warehouses and warehouses[0].get("sellableQuantity") is not None:
        return whole(warehouses[0]["sellableQuantity"], where=f"SKU {sku_id} sellableQuantity")
    return whole(first(row, "Available", "available"), where=f"SKU {sku_id} Available")


def _held_aside(row: WireRow) -> int:
    """Units locked for campaigns in `channelInventories`. An absent list is an empty one: the platform leaves out what is null."""
    pots = rows_of(row.get("channelInventories"), where="channelInventories")
    return sum(whole(pot.get("sellableQuantity") or 0, where="channelInventories") for pot in pots)


def listing_of(sku: Sku) -> RemoteListing:
    """What a buyer sees; a listing is its own target."""
    return RemoteListing(
        key=sku.remote_key,
        seller_sku=sku.seller_sku,
        title=sku.title,
        targets=(TargetKey(sku.remote_key),),
        active=sku.status == "active",
        variation=sku.variation,
        price=sku.price,
        shown=sku.shown,
        problem=sku.problem,
    )


def level_of(target: TargetKey, sku: Sku | None, read_started_at: datetime) -> ShownLevel:
    """The level of a target; `shown` is `None` where the platform does not know it (any more)."""
    if sku is None or sku.shown is None:
        return ShownLevel(target, None, read_started_at, held_aside=None)
    return ShownLevel(target, sku.shown, read_started_at, held_aside=sku.held_aside)


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
