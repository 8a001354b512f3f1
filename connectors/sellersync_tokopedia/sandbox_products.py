"""Simulated product, inventory and warehouse endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sellersync.sandbox.kit import Product

from .sandbox_call import Call, Json, Route, bad_parameter, cut_page, id_list, refusal
from .sandbox_rows import Listing
from .sandbox_world import PLATFORMS

if TYPE_CHECKING:
    from .sandbox import TokopediaSandbox

QUANTITY_MAX = 99_999
WRITABLE = frozenset({"DRAFT", "PENDING", "FAILED", "ACTIVATE", "SELLER_DEACTIVATED"})
SEARCH_STATUSES = (
    "ALL",
    "DRAFT",
    "PENDING",
    "FAILED",
    "ACTIVATE",
    "SELLER_DEACTIVATED",
    "PLATFORM_DEACTIVATED",
    "FREEZE",
    "DELETED",
)


def search(sim: TokopediaSandbox, call: Call) -> Json:
    size = call.page_size(1, 100, 20)
    body = call.known_fields("status", "sku_ids", "seller_skus")
    status = body.get("status", "ALL")
    if status not in SEARCH_STATUSES:
        raise bad_parameter("status")
    sku_ids = set(id_list(body, "sku_ids", 10))
    rows = [
        (listing.created, listing.id)
        for listing in sim.world.listings.values()
        if status in ("ALL", listing.statuses["TIKTOK_SHOP"])
        and (not sku_ids or sku_ids & {sku.extra["sku_id"] for sku in listing.skus})
    ]
    ids, following, total = cut_page(rows, call, size=size, kind="keyset")
    products = [wire_product(sim, sim.world.listings[product_id]) for product_id in ids]
    return {"products": products, "next_page_token": following, "total_count": total}


def wire_product(sim: TokopediaSandbox, listing: Listing) -> Json:
    row: Json = {
        "id": listing.id,
        "title": listing.title,
        "create_time": listing.created,
        "update_time": listing.updated,
        "skus": [
            {
                "id": sku.extra["sku_id"],
                "seller_sku": sku.seller_sku,
                "price": {"currency": "IDR", "tax_exclusive_price": str(sku.price), "sale_price": str(sku.price)},
                "inventory": [
                    {"warehouse_id": sim.world.warehouse_of(location), "quantity": shown}
                    for location, shown in sku.shown.items()
                ],
            }
            for sku in listing.skus
        ],
    }
    if listing.statuses["TIKTOK_SHOP"]:
        row["status"] = listing.statuses["TIKTOK_SHOP"]
    if listing.statuses["TOKOPEDIA"]:
        row["integrated_platform_statuses"] = [{"platform": "TOKOPEDIA", "status": listing.statuses["TOKOPEDIA"]}]
    return row


def detail(sim: TokopediaSandbox, call: Call) -> Json:
    return wire_product(sim, _listing(sim, call.path["product_id"]))


def _listing(sim: TokopediaSandbox, product_id: str) -> Listing:
    listing = sim.world.listings.get(product_id)
    if listing is None:
        raise refusal(12052032, "product does not exist")
    return listing


def inventory_search(sim: TokopediaSandbox, call: Call) -> Json:
    body = call.known_fields("product_ids", "sku_ids")
    product_ids, sku_ids = id_list(body, "product_ids", 100), id_list(body, "sku_ids", 600)
    if not product_ids and not sku_ids:
        raise bad_parameter("product_ids or sku_ids")
    if sku_ids:
        skus = [sim.world.skus[sku_id] for sku_id in dict.fromkeys(sku_ids) if sku_id in sim.world.skus]
    else:
        skus = [sku for pid in product_ids if pid in sim.world.listings for sku in sim.world.listings[pid].skus]
    found: dict[str, list[Json]] = {}
    for sku in skus:
        found.setdefault(sku.extra["product_id"], []).append(_wire_inventory(sim, sku))
    return {"inventory": [{"product_id": pid, "skus": rows} for pid, rows in found.items()]}


def _wire_inventory(sim: TokopediaSandbox, sku: Product) -> Json:
    """Numbers of one SKU. The distribution shows the campaign pot, inside or outside the available number (switch)."""
    available, pot = sum(sku.shown.values()), sum(sku.extra["pot"].values())
    in_shop = available - pot if sim.switches["campaign_pot"] == "inside" else available
    distribution: Json = {"in_shop_inventory": {"quantity": in_shop}}
    if pot:
        distribution["campaign_inventory"] = [{"campaign_name": "11.11", "quantity": pot}]
    return {
        "id": sku.extra["sku_id"],
        "seller_sku": sku.seller_sku,
        "total_available_quantity": available,
        "total_committed_quantity": sum(sku.extra["committed"].values()),
        "total_available_inventory_distribution": distribution,
        "warehouse_inventory": [
            {
                "warehouse_id": sim.world.warehouse_of(location),
                "available_quantity": shown,
                "committed_quantity": sku.extra["committed"][location],
            }
            for location, shown in sku.shown.items()
        ],
    }


def inventory_update(sim: TokopediaSandbox, call: Call) -> Json:
    """Absolute levels of one product; refusals of single SKUs hide in `data.errors` at code 0."""
    listing = _listing(sim, call.path["product_id"])
    rows = call.known_fields("skus").get("skus")
    if not isinstance(rows, list) or not rows:
        raise bad_parameter("skus")
    if len(rows) > 100:
        raise refusal(12052050, "more than 100 SKUs")
    if not WRITABLE & set(listing.statuses.values()):
        raise refusal(12052048, "the product is not listed in this shop")
    zero = sim.switches["level_zero"]
    quantities = [entry.get("quantity") for row in rows for entry in row.get("inventory", [])]
    if zero == "refused_call" and 0 in quantities:
        raise refusal(12052055, "quantity must be between 1 and 99999")
    errors = []
    for row in rows:
        error = _update_sku(sim, listing, row, zero_refused=zero != "accepted")
        if error is not None:
            errors.append(error)
    return {"errors": errors} if errors else {}


def _update_sku(sim: TokopediaSandbox, listing: Listing, row: Json, *, zero_refused: bool) -> Json | None:
    sku_id = str(row.get("id", ""))
    sku = sim.world.skus.get(sku_id)
    if set(row) != {"id", "inventory"}:
        raise bad_parameter("skus[] takes id and inventory")
    if sku is None or sku.extra["product_id"] != listing.id:
        return _error(12052036, "SKU id missing or not of this product", sku_id)
    levels: dict[str, int] = {}
    for entry in row["inventory"]:
        quantity, warehouse = entry.get("quantity"), entry.get("warehouse_id")
        if set(entry) - {"warehouse_id", "quantity"} or type(quantity) is not int:
            raise bad_parameter("inventory[] takes warehouse_id and a whole quantity")
        if warehouse is None and len(sku.shown) > 1:
            return _error(12019028, "all warehouses of the SKU must be listed", sku_id)
        location = next(iter(sku.shown)) if warehouse is None else sim.world.location(warehouse)
        if warehouse is not None and warehouse not in sim.world.warehouses:
            return _error(12052037, "stock cannot be set", sku_id, [(warehouse, 12052097, "unknown warehouse")])
        levels[location] = quantity
    if set(levels) != set(sku.shown):
        return _error(12019028, "all warehouses of the SKU must be listed, and no other", sku_id)
    for location, quantity in levels.items():
        low = quantity < (1 if zero_refused else 0)
        locked = sim.switches["campaign_pot"] == "inside" and quantity < sku.extra["pot"][location]
        if low or locked or quantity > QUANTITY_MAX:
            return _error(12052055, "quantity is outside the limits", sku_id)
    for location, quantity in levels.items():
        sim.world.set_level(sku, location, quantity)
    return None


def _error(code: int, message: str, sku_id: str, extra: list[tuple[str, int, str]] | None = None) -> Json:
    detail: Json = {"sku_id": sku_id}
    if extra:
        detail["extra_errors"] = [{"warehouse_id": w, "code": c, "message": m} for w, c, m in extra]
    return {"code": code, "message": message, "detail": detail}


def activate(sim: TokopediaSandbox, call: Call) -> Json:
    return _set_status(sim, call, "ACTIVATE")


def deactivate(sim: TokopediaSandbox, call: Call) -> Json:
    return _set_status(sim, call, "SELLER_DEACTIVATED")


def _set_status(sim: TokopediaSandbox, call: Call, status: str) -> Json:
    """Show or hide products; only on TIKTOK_SHOP unless platforms are named."""
    body = call.known_fields("product_ids", "listing_platforms")
    product_ids = id_list(body, "product_ids", 20)
    platforms = body.get("listing_platforms", ["TIKTOK_SHOP"])
    if not product_ids or not set(platforms) <= set(PLATFORMS):
        raise bad_parameter("product_ids or listing_platforms")
    for product_id in product_ids:
        sim.world.set_status(_listing(sim, product_id), platforms, status)
    return {}


def warehouses(sim: TokopediaSandbox, call: Call) -> Json:
    sales = [
        {
            "id": warehouse_id,
            "entity_id": f"72{warehouse_id[2:]}",
            "name": f"Gudang {number}",
            "effect_status": sim.world.effect_status.get(warehouse_id, "ENABLED"),
            "type": "SALES_WAREHOUSE",
            "is_default": number == 1,
            "address": {"region": "Indonesia", "distict": "Coblong"},
        }
        for number, warehouse_id in enumerate(sim.world.warehouses, 1)
    ]
    back = {"id": "7400000000000009001", "name": "Retur", "effect_status": "ENABLED", "type": "RETURN_WAREHOUSE"}
    return {"warehouses": [*sales, back]}


ROUTES = {
    ("POST", "/product/202502/products/search"): Route(
        search, frozenset({"page_size", "page_token"}), body_required=True
    ),
    ("GET", "/product/202309/products/{product_id}"): Route(detail),
    ("POST", "/product/202309/inventory/search"): Route(inventory_search, body_required=True),
    ("POST", "/product/202309/products/{product_id}/inventory/update"): Route(inventory_update, body_required=True),
    ("POST", "/product/202309/products/activate"): Route(activate, body_required=True),
    ("POST", "/product/202309/products/deactivate"): Route(deactivate, body_required=True),
    ("GET", "/logistics/202309/warehouses"): Route(warehouses),
}
