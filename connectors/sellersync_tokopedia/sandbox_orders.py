"""Simulated order endpoints: search, detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .sandbox_call import Call, Json, Route, bad_parameter, cut_page, id_list, refusal, whole_seconds
from .sandbox_rows import OrderRow, UnitRow
from .sandbox_world import SHIP_SLA_S

if TYPE_CHECKING:
    from .sandbox import TokopediaSandbox

STATUSES = (
    "UNPAID",
    "ON_HOLD",
    "AWAITING_SHIPMENT",
    "PARTIALLY_SHIPPING",
    "AWAITING_COLLECTION",
    "IN_TRANSIT",
    "DELIVERED",
    "COMPLETED",
    "CANCELLED",
)
PACKAGE_STATUS = {
    "AWAITING_SHIPMENT": "TO_FULFILL",
    "AWAITING_COLLECTION": "PROCESSING",
    "IN_TRANSIT": "FULFILLING",
    "DELIVERED": "COMPLETED",
    "COMPLETED": "COMPLETED",
    "CANCELLED": "CANCELLED",
}


def search(sim: TokopediaSandbox, call: Call) -> Json:
    """Order search: sorting and paging in the query, filters in the body; rows are full orders."""
    size = call.page_size(1, 100, 20)
    by = call.choice("sort_field", "create_time", "update_time")
    descending = call.choice("sort_order", "DESC", "ASC") == "DESC"
    body = call.known_fields(
        "order_status",
        "create_time_ge",
        "create_time_lt",
        "update_time_ge",
        "update_time_lt",
        "shipping_type",
        "buyer_user_id",
        "is_buyer_request_cancel",
        "warehouse_ids",
    )
    if body.get("order_status") not in (None, *STATUSES):
        raise bad_parameter("order_status")
    id_list(body, "warehouse_ids", 100)
    bounds = {name: whole_seconds(body, name) for name in body if name.endswith(("_ge", "_lt"))}
    index = sim.world.by_update if by == "update_time" else sim.world.by_create
    rows = [
        row
        for row in index.between(bounds.get(f"{by}_ge"), bounds.get(f"{by}_lt"))
        if _wanted(sim, sim.world.orders[row[1]], body, bounds)
    ]
    if descending:
        rows.reverse()
    ids, following, total = cut_page(
        rows,
        call,
        size=size,
        kind=sim.switches["page_token"],
        descending=descending,
        results_max=sim.switches["search_results_max"],
    )
    orders = [wire_order(sim, sim.world.orders[order_id]) for order_id in ids]
    return {"orders": orders, "next_page_token": following, "total_count": total}


def _wanted(sim: TokopediaSandbox, order: OrderRow, body: Json, bounds: dict[str, int | None]) -> bool:
    if sim.visibility_delay_s and sim.clock() - order.changed_at < sim.visibility_delay_s:
        return False
    for field, value in (("create_time", order.created), ("update_time", order.updated)):
        first, end = bounds.get(f"{field}_ge"), bounds.get(f"{field}_lt")
        if (first is not None and value < first) or (end is not None and value >= end):
            return False
    return (
        body.get("order_status") in (None, order.status)
        and body.get("shipping_type") in (None, order.shipping_type)
        and body.get("is_buyer_request_cancel") in (None, order.cancel_requested)
        and (not body.get("warehouse_ids") or order.warehouse_id in body["warehouse_ids"])
    )


def detail(sim: TokopediaSandbox, call: Call) -> Json:
    """Order detail for at most 50 ids; ids that are not this seller's are left out, or sink the call (switch)."""
    ids = call.query.get("ids", "").split(",")
    if not 1 <= len(ids) <= 50 or not all(ids):
        raise bad_parameter("ids: 1 to 50 order ids")
    known = [order_id for order_id in ids if order_id in sim.world.orders]
    if len(known) < len(ids) and sim.switches["bad_id_fails_batch"]:
        raise refusal(21008111, "order or package does not belong to the seller")
    return {"orders": [wire_order(sim, sim.world.orders[order_id]) for order_id in known]}


def wire_order(sim: TokopediaSandbox, order: OrderRow) -> Json:
    """An order as the wire shows it; fields without a value are omitted."""
    if order.wire is not None:
        return order.wire
    goods = sum(unit.sku.price for unit in order.units)
    row: Json = {
        "id": order.id,
        "status": order.status,
        "commerce_platform": order.platform,
        "create_time": order.created,
        "update_time": order.updated,
        "fulfillment_type": order.fulfillment_type,
        "shipping_type": order.shipping_type,
        "is_cod": order.cod,
        "delivery_option_name": "Standard Shipping",
        "delivery_option_id": "7091000000000000001",
        "warehouse_id": order.warehouse_id,
        "is_buyer_request_cancel": order.cancel_requested,
        "packages": [
            {"id": package_id} for package_id in dict.fromkeys(u.package_id for u in order.units) if package_id
        ],
        "payment": {
            "currency": "IDR",
            "original_total_product_price": str(goods),
            "sub_total": str(goods),
            "seller_discount": "0",
            "platform_discount": "0",
            "shipping_fee": "9000",
            "total_amount": str(goods + 9000),
        },
        "recipient_address": {
            "name": "B***",
            "phone_number": "(+62)812*****77",
            "region_code": "ID",
            "full_address": "Jl. ***",
        },
        "line_items": [_line_item(sim, order, unit) for unit in order.units],
    }
    if order.paid_at:
        row["paid_time"] = order.paid_at
    if order.status not in ("UNPAID", "ON_HOLD"):
        row["rts_sla_time"] = (order.paid_at or order.created) + SHIP_SLA_S
    if order.rts_at:
        row["rts_time"] = order.rts_at
    if order.cancelled_at:
        row |= {"cancel_time": order.cancelled_at, "cancellation_initiator": order.cancel_by}
    if order.combined:
        row["split_or_combine_tag"] = "COMBINED"
    order.wire = row
    return row


def _line_item(sim: TokopediaSandbox, order: OrderRow, unit: UnitRow) -> Json:
    status = "UNPAID" if order.status == "UNPAID" and unit.status != "CANCELLED" else unit.status
    item: dict[str, Any] = {
        "id": unit.id,
        "product_id": unit.sku.extra["product_id"],
        "sku_id": unit.sku.extra["sku_id"],
        "seller_sku": unit.sku.seller_sku,
        "product_name": unit.sku.title,
        "sale_price": str(unit.sku.price),
        "original_price": str(unit.sku.price),
        "currency": "IDR",
        "display_status": status,
        "is_gift": False,
    }
    if unit.package_id:
        item |= {"package_id": unit.package_id, "package_status": PACKAGE_STATUS[unit.status]}
        tracking = sim.world.packages[unit.package_id].tracking
        if tracking:
            item["tracking_number"] = tracking
    return item


ROUTES = {
    ("POST", "/order/202309/orders/search"): Route(
        search, frozenset({"page_size", "page_token", "sort_field", "sort_order"}), body_required=True
    ),
    ("GET", "/order/202507/orders"): Route(detail, frozenset({"ids"})),
}
