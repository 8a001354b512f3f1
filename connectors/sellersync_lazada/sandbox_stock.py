"""Product and stock endpoints of the simulator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from sellersync.sandbox.kit import Product

from .sandbox_market import LazadaMarket
from .sandbox_replies import instant, number, refuse, required

Parameters = Mapping[str, str]
Faults = list[tuple[dict[str, str], tuple[str, str]]]
"""Refused rows with (code, message)."""

PRODUCT_LIMIT_MAX = 50
PRODUCT_OFFSET_MAX = 10_000
SKUS_MAX = 50
FILTERS = frozenset(["all", "live", "inactive", "deleted", "pending", "rejected", "sold-out"])


def products_get(sim: LazadaMarket, parameters: Parameters) -> Any:
    limit = number(parameters, "limit", 10, low=1, high=PRODUCT_LIMIT_MAX, code="19")
    offset = number(parameters, "offset", 0, low=0, high=PRODUCT_OFFSET_MAX, code="14")
    if parameters.get("filter", "all") not in FILTERS:
        raise refuse("36", "E036: Invalid status filter")
    for name in ("create_after", "create_before", "update_after", "update_before"):
        instant(parameters, name)
    groups: dict[str, list[Product]] = {}
    for product in sim.products():
        groups.setdefault(product.remote_key.partition(":")[0], []).append(product)
    page = list(groups.items())[offset : offset + limit]
    return {
        "total_products": len(groups),
        "products": [_product(sim, item_id, skus, spelling="list") for item_id, skus in page],
    }


def product_item_get(sim: LazadaMarket, parameters: Parameters) -> Any:
    item_id = required(parameters, "item_id")
    skus = [product for product in sim.products() if product.remote_key.partition(":")[0] == item_id]
    if not skus:
        raise refuse("208", "E208: Item not found")
    return _product(sim, item_id, skus, spelling="item")


def _product(sim: LazadaMarket, item_id: str, skus: list[Product], *, spelling: str) -> dict[str, Any]:
    sim.tick()
    listed = spelling == "list"
    return {
        "item_id" if listed else "itemId": int(item_id),
        "status": "Active" if any(product.active for product in skus) else "InActive",
        "primary_category" if listed else "primaryCategory": 18209,
        "attributes": {"name": skus[0].title},
        "created_time" if listed else "createdTime": "1780000000000",
        "updated_time" if listed else "updatedTime": str(int(sim.clock() * 1000)),
        "skus": [_sku(sim, product) for product in skus],
    }


def _sku(sim: LazadaMarket, product: Product) -> dict[str, Any]:
    item_id, _, sku_id = product.remote_key.partition(":")
    sellable, extra = product.shown[""], product.extra
    pot = int(extra["pot"])
    pots = [
        {
            "channelName": "mega campaign",
            "startTime": "1795000000000",
            "endTime": "1796000000000",
            "sellableQuantity": pot,
        }
    ]
    return {
        "SkuId": int(sku_id),
        "SellerSku": product.seller_sku,
        "ShopSku": f"{item_id}_ID-{sku_id}",
        "Status": extra.get("status", "active" if product.active else "inactive"),
        "quantity": sellable,
        "Available": sellable,
        "price": float(product.price),
        "special_price": 0.0,
        "saleProp": {},
        "multiWarehouseInventories": [
            {
                "warehouseCode": "dropshipping",
                "totalQuantity": sellable + extra["withhold"] + extra["occupy"],
                "sellableQuantity": sellable,
                "withholdQuantity": extra["withhold"],
                "occupyQuantity": extra["occupy"],
                "quantity": sellable,
            }
        ],
        "fblWarehouseInventories": [],
        "channelInventories": pots if pot else [],
    }


# ------------------------------------------------------------------------------------------------------------------ sellable update


def sellable_update(sim: LazadaMarket, parameters: Parameters) -> Any:
    """Absolute sellable numbers. Refused SKUs are told in one 501; what became of the others is a switch."""
    rows = _skus_of_payload(required(parameters, "payload"))
    if not rows:
        raise refuse("5", "E005: Invalid Request Format")
    if len(rows) > SKUS_MAX:
        raise refuse("204", "E204: Too many SKUs in one request")
    faults = [(row, _fault(sim, row)) for row in rows]
    bad: Faults = [(row, fault) for row, fault in faults if fault is not None]
    good = [row for row, fault in faults if fault is None]
    if bad and sim.switches["partial_batch"] == "none":
        good = []
    elif bad and sim.switches["partial_batch"] == "some":
        first_bad = next(index for index, (_, fault) in enumerate(faults) if fault is not None)
        good = [row for row, _ in faults[:first_bad]]
    for row in good:
        product = sim.product(_key(row))
        assert product is not None
        sim.set_level(product, int(row["SellableQuantity"]))
    if not bad:
        return {}
    if len(rows) == 1 and bad[0][1][0] == "4170":
        raise refuse("4170", bad[0][1][1])
    raise refuse("501", "E501: Update product failed", **_detail(sim, bad))


def _skus_of_payload(payload: str) -> list[dict[str, str]]:
    if payload.lstrip().startswith("{"):
        try:
            skus = json.loads(payload)["Request"]["Product"]["Skus"]["Sku"]
        except (ValueError, KeyError, TypeError):
            raise refuse("30", "E030: Empty Request") from None
        rows = skus if isinstance(skus, list) else [skus]
        return [{name: str(value) for name, value in row.items()} for row in rows]
    try:
        root = ElementTree.fromstring(payload)
    except ElementTree.ParseError:
        raise refuse("5", "E005: Invalid Request Format") from None
    if root.tag != "Request":
        raise refuse("5", "E005: Invalid Request Format")
    return [{child.tag: child.text or "" for child in sku} for sku in root.findall("./Product/Skus/Sku")]


def _key(row: Mapping[str, str]) -> str:
    return f"{row.get('ItemId', '')}:{row.get('SkuId', '')}"


def _fault(sim: LazadaMarket, row: Mapping[str, str]) -> tuple[str, str] | None:
    """(code, message) when this SKU's new number is refused."""
    product = sim.product(_key(row))
    if product is None or product.extra.get("status") == "deleted":
        return "501", "SKU not found"
    if "MultiWarehouseInventories" in row:
        return "501", "seller is not a multi warehouse seller"
    raw = row.get("SellableQuantity", "")
    if not raw.isdigit():
        return "501", "sellable quantity is invalid"
    if product.extra["campaign_period"] and int(raw) < product.shown[""]:
        return "4170", "stock can not be lowered during the campaign period"
    if sim.switches["pot"] == "inside" and int(raw) < product.extra["pot"]:
        return "501", "negative sellable on channel inventory"
    return None


def _detail(sim: LazadaMarket, bad: Faults) -> dict[str, Any]:
    if sim.switches["detail"] == "absent":
        return {}
    rows = []
    for row, fault in bad:
        product = sim.product(_key(row))
        name = product.seller_sku if product else row.get("SkuId", "")
        key = "sku" if sim.switches["detail"] == "sku" else "field"
        entry = {key: name, "message": fault[1]}
        rows.append({**entry, "code": fault[0]} if key == "sku" else entry)
    return {"detail": rows}
