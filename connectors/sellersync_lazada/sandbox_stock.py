"""Product and stock endpoints of the simulator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from sellersync.sandbox.kit import Product

from .sandbox_market import LazadaMarket
from .sandbox_replies import instant, json_parameter, number, refuse, required
from .sandbox_state import DEFAULT_WAREHOUSE

Parameters = Mapping[str, str]

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
    sellable, extra = sum(product.shown.values()), product.extra
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
        "multiWarehouseInventories": [_inventory(product, place) for place in product.shown],
        "fblWarehouseInventories": [],
        "channelInventories": pots if pot else [],
    }


def _inventory(product: Product, place: str) -> dict[str, Any]:
    sellable = product.shown[place]
    withheld, occupied = product.extra["withhold"][place], product.extra["occupy"][place]
    return {
        "warehouseCode": place or DEFAULT_WAREHOUSE,
        "totalQuantity": sellable + withheld + occupied,
        "sellableQuantity": sellable,
        "withholdQuantity": withheld,
        "occupyQuantity": occupied,
        "quantity": sellable,
    }


def seller_warehouses(sim: LazadaMarket, parameters: Parameters) -> dict[str, Any]:
    """The body of `result`. The words of `status` are not documented."""
    kinds = json_parameter(parameters, "addressTypes", code="100")
    if not isinstance(kinds, list) or "warehouse" not in kinds:
        raise refuse("100", "E0100: addressTypes is no array of address types")
    rows = [
        {
            "code": code,
            "name": f"Gudang {position + 1}",
            "detailAddress": "J*************2",
            "defaultAddress": position == 0,
            "status": "ACTIVE",
        }
        for position, code in enumerate(sim.warehouses)
    ]
    return {"success": True, "module": rows}


# ------------------------------------------------------------------------------------------------------------------ sellable update


@dataclass(frozen=True, slots=True)
class Row:
    """One SKU of an update. `numbers` is (warehouse code, quantity) as sent; the single form has one with the code ""."""

    item_id: str
    sku_id: str
    numbers: tuple[tuple[str, str], ...]
    multi: bool

    @property
    def key(self) -> str:
        return f"{self.item_id}:{self.sku_id}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a SKU is refused, and at which of its warehouses (() for all of it)."""

    code: str
    message: str
    places: tuple[str, ...] = ()


def sellable_update(sim: LazadaMarket, parameters: Parameters) -> Any:
    """Absolute sellable numbers. Refused SKUs are told in one 501; what became of the others is a switch."""
    rows = _rows_of_payload(required(parameters, "payload"))
    if not rows:
        raise refuse("5", "E005: Invalid Request Format")
    if len(rows) > SKUS_MAX:
        raise refuse("204", "E204: Too many SKUs in one request")
    faults = [_fault(sim, row) for row in rows]
    bad = [(row, fault) for row, fault in zip(rows, faults, strict=True) if fault is not None]
    applied = sim.switches["partial_batch"] if bad else "all"
    first_bad = next((position for position, fault in enumerate(faults) if fault is not None), len(rows))
    for position, (row, fault) in enumerate(zip(rows, faults, strict=True)):
        if applied == "all" or (applied == "some" and position < first_bad):
            _apply(sim, row, fault)
    if not bad:
        return {}
    if len(rows) == 1 and bad[0][1].code == "4170":
        raise refuse("4170", bad[0][1].message)
    raise refuse("501", "E501: Update product failed", **_detail(sim, bad))


def _apply(sim: LazadaMarket, row: Row, fault: Fault | None) -> None:
    """Set the numbers of a SKU; of a refused one those of the warehouses that are not to blame."""
    product = sim.product(row.key)
    if product is None or (fault is not None and not fault.places):
        return
    for code, number_text in row.numbers:
        if fault is None or code not in fault.places:
            sim.set_level(product, int(number_text), code)


def _rows_of_payload(payload: str) -> list[Row]:
    if payload.lstrip().startswith("{"):
        try:
            skus = json.loads(payload)["Request"]["Product"]["Skus"]["Sku"]
        except (ValueError, KeyError, TypeError):
            raise refuse("30", "E030: Empty Request") from None
        rows = skus if isinstance(skus, list) else [skus]
        return [_row_of({name: _json_cell(value) for name, value in row.items()}) for row in rows]
    try:
        root = ElementTree.fromstring(payload)
    except ElementTree.ParseError:
        raise refuse("5", "E005: Invalid Request Format") from None
    if root.tag != "Request":
        raise refuse("5", "E005: Invalid Request Format")
    return [_row_of({child.tag: _xml_cell(child) for child in sku}) for sku in root.findall("./Product/Skus/Sku")]


def _xml_cell(cell: ElementTree.Element) -> Any:
    if cell.tag != "MultiWarehouseInventories":
        return cell.text or ""
    return [{child.tag: child.text or "" for child in inventory} for inventory in cell]


def _json_cell(cell: Any) -> Any:
    if not isinstance(cell, dict):
        return str(cell)
    inventories = cell.get("MultiWarehouseInventory", [])
    return [
        {name: str(value) for name, value in inventory.items()}
        for inventory in (inventories if isinstance(inventories, list) else [inventories])
    ]


def _row_of(cells: Mapping[str, Any]) -> Row:
    inventories = cells.get("MultiWarehouseInventories")
    if inventories is None:
        numbers = [("", str(cells.get("SellableQuantity", "")))]
    else:
        numbers = [(row.get("WarehouseCode", ""), row.get("SellableQuantity", "")) for row in inventories]
    return Row(str(cells.get("ItemId", "")), str(cells.get("SkuId", "")), tuple(numbers), inventories is not None)


def _fault(sim: LazadaMarket, row: Row) -> Fault | None:
    """Why this SKU's new numbers are refused."""
    product = sim.product(row.key)
    if product is None or product.extra.get("status") == "deleted":
        return Fault("501", "SKU not found")
    several = len(sim.warehouses) > 1
    if row.multi and not several:
        return Fault("501", "seller is not a multi warehouse seller")
    if several and not row.multi:
        return Fault("501", "seller is a multi warehouse seller")
    if any(not number_text.isdigit() for _, number_text in row.numbers) or not row.numbers:
        return Fault("501", "sellable quantity is invalid")
    named = [code for code, _ in row.numbers]
    if not set(named) <= set(product.shown) or len(named) != len(set(named)):
        return Fault("501", "warehouse not found")
    if several and sim.switches["multi_form"] == "whole" and set(named) != set(product.shown):
        return Fault("501", "all warehouses of the SKU must be given")
    return _campaign_fault(sim, product, {code: int(number_text) for code, number_text in row.numbers})


def _campaign_fault(sim: LazadaMarket, product: Product, numbers: Mapping[str, int]) -> Fault | None:
    """The units of a campaign lie in the first warehouse."""
    lowered = tuple(code for code, level in numbers.items() if level < product.shown[code])
    if product.extra["campaign_period"] and lowered:
        return Fault("4170", "stock can not be lowered during the campaign period", lowered)
    first = next(iter(product.shown))
    if sim.switches["pot"] == "inside" and numbers.get(first, product.extra["pot"]) < product.extra["pot"]:
        return Fault("501", "negative sellable on channel inventory", (first,))
    return None


def _detail(sim: LazadaMarket, bad: Sequence[tuple[Row, Fault]]) -> dict[str, Any]:
    if sim.switches["detail"] == "absent":
        return {}
    rows = []
    for row, fault in bad:
        product = sim.product(row.key)
        name = product.seller_sku if product else row.sku_id
        key = "sku" if sim.switches["detail"] == "sku" else "field"
        entry = {key: name, "message": fault.message}
        rows.append({**entry, "code": fault.code} if key == "sku" else entry)
    return {"detail": rows}
