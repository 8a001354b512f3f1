"""Order endpoints of the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .sandbox_market import LazadaMarket
from .sandbox_replies import instant, json_parameter, number, refuse, required, time_text
from .sandbox_state import DEFAULT_WAREHOUSE, Item, SimOrder

Parameters = Mapping[str, str]

LIMIT_MAX = 100
OFFSET_MAX = 5000
ITEMS_ORDERS_MAX = 50
DAY_S = 86_400.0
STATUS_FILTERS = frozenset(
    {"unpaid", "pending", "packed", "canceled", "ready_to_ship", "delivered", "returned", "shipped", "failed"}
    | {"topack", "toship", "lost", "lost_by_3pl", "damaged_by_3pl", "failed_delivery", "package_scrapped"}
    | {"shipped_back", "shipped_back_success", "shipped_back_failed"}
)


def orders_get(sim: LazadaMarket, parameters: Parameters) -> Any:
    limit = number(parameters, "limit", LIMIT_MAX, low=1, high=LIMIT_MAX, code="19")
    offset = number(parameters, "offset", 0, low=0, high=OFFSET_MAX, code="14")
    bounds = {
        name: instant(parameters, name) for name in ("update_after", "update_before", "created_after", "created_before")
    }
    if bounds["update_after"] is None and bounds["created_after"] is None:
        raise refuse("MissingParameter", 'The input parameter "update_after" or "created_after" is missing', kind="ISV")
    sort_by = parameters.get("sort_by", "created_at")
    if sort_by not in ("created_at", "updated_at"):
        raise refuse("74", "E074: Invalid sort by")
    direction = parameters.get("sort_direction", "DESC")
    if direction not in ("ASC", "DESC"):
        raise refuse("75", "E075: Invalid sort direction")
    status = parameters.get("status")
    if status is not None and status not in STATUS_FILTERS:
        raise refuse("36", "E036: Invalid status filter")
    _check_window(sim, bounds)
    rows = _chosen(sim, bounds)
    if status is not None:
        rows = [order for order in rows if status in _statuses(sim, order)]
    if sort_by == "created_at":
        rows.sort(key=lambda order: (order.created_s, order.order_id))
    if direction == "DESC":
        rows.reverse()
    page = [header(sim, order, listed=True) for order in rows[offset : offset + limit]]
    return {"count": len(page), "countTotal": len(rows), "orders": page}


def _check_window(sim: LazadaMarket, bounds: Mapping[str, float | None]) -> None:
    days_max = sim.switches["window_days_max"]
    after, before = bounds["update_after"], bounds["update_before"]
    if days_max and after is not None and (before or sim.clock()) - after > days_max * DAY_S + 1:
        raise refuse("17", f"E017: the window is longer than {days_max} days")


def _chosen(sim: LazadaMarket, bounds: Mapping[str, float | None]) -> list[SimOrder]:
    after, before = bounds["update_after"], bounds["update_before"]
    rows = sim.listed(None if after is None else int(after), None if before is None else int(before))
    created_after, created_before = bounds["created_after"], bounds["created_before"]
    if created_after is not None:
        rows = [order for order in rows if order.created_s >= created_after]
    if created_before is not None:
        rows = [order for order in rows if order.created_s <= created_before]
    return rows


def _statuses(sim: LazadaMarket, order: SimOrder) -> list[str]:
    now = sim.clock()
    return sorted({item.seen(now).status for item in order.items})


def header(sim: LazadaMarket, order: SimOrder, *, listed: bool = False) -> dict[str, Any]:
    """An order object; in the list it stands under the change time that is visible there."""
    form = sim.switches["dates"]
    asked = any(item.cancel_trigger_at is not None for item in order.items)
    voucher = sum(item.price - item.paid_price for item in order.items)
    return {
        "order_id": int(order.order_id),
        "order_number": int(order.order_id),
        "created_at": time_text(order.created_s, form),
        "updated_at": time_text(order.listed_s if listed else order.updated_s, form),
        "statuses": _statuses(sim, order),
        "items_count": len(order.items),
        "price": f"{sum(item.price for item in order.items)}.00",
        "voucher": voucher,
        "voucher_platform": voucher,
        "voucher_seller": 0,
        "voucher_code": "",
        "shipping_fee": 9000,
        "shipping_fee_original": 12000,
        "shipping_fee_discount_seller": 0,
        "shipping_fee_discount_platform": 3000,
        "payment_method": "COD" if order.cod else "BCA_VA",
        "warehouse_code": (order.items[0].place if order.items else "") or DEFAULT_WAREHOUSE,
        "customer_first_name": "S***i",
        "customer_last_name": "",
        "address_shipping": {
            "first_name": "S***i",
            "last_name": "",
            "phone": "62******78",
            "phone2": "",
            "address1": "J*************2",
            "address2": "",
            "address3": "Jawa Barat",
            "address4": "Kota Bandung",
            "address5": "Coblong",
            "city": "Kota Bandung",
            "post_code": "",
            "country": "Indonesia",
        },
        "promised_shipping_times": "",
        "delivery_info": "",
        "remarks": "",
        "buyer_note": "",
        "need_cancel_confirm": asked,
        "is_cancel_pending": False,
    }


def item_row(sim: LazadaMarket, order: SimOrder, item: Item, *, product_id: bool) -> dict[str, Any]:
    """One unit as readers see it now."""
    view, extra, form = item.seen(sim.clock()), item.product.extra, sim.switches["dates"]
    product, _, sku = item.product.remote_key.partition(":")
    package = sim.packages.get(view.package_id)
    tracking = package.waybill if package and sim.clock() >= package.waybill_at else ""
    row: dict[str, Any] = {
        "order_id": int(order.order_id),
        "order_item_id": item.item_id,
        "status": view.status,
        "sku": item.product.seller_sku,
        "sku_id": sku,
        "shop_sku": f"{product}_ID-{sku}",
        "name": item.product.title,
        "variation": "",
        "item_price": item.price,
        "paid_price": item.paid_price,
        "voucher_amount": item.price - item.paid_price,
        "voucher_seller": 0,
        "voucher_platform": item.price - item.paid_price,
        "tax_amount": 0,
        "shipping_amount": 4500,
        "currency": "IDR",
        "package_id": view.package_id,
        "tracking_code": tracking,
        "shipment_provider": package.courier if package else "",
        "shipping_provider_type": extra.get("provider_type", "standard"),
        "shipping_type": "Dropshipping",
        "is_fbl": 1 if extra.get("fbl") else 0,
        "delivery_option_sof": "1" if extra.get("own_fleet") else "0",
        "is_digital": 1 if extra.get("digital") else 0,
        "warehouse_code": extra.get("warehouse_code") or item.place or DEFAULT_WAREHOUSE,
        "sla_time_stamp": time_text(order.created_s + 2 * DAY_S, "iso"),
        "reason": item.reason,
        "reason_detail": "",
        "cancel_return_initiator": item.initiator,
        "return_status": "",
        "need_cancel_confirm": item.cancel_trigger_at is not None,
        "is_cancel_pending": False,
        "created_at": time_text(order.created_s, form),
        "updated_at": time_text(item.updated_s, form),
    }
    if product_id:
        row["product_id"] = product
    if extra.get("drop_shop_sku"):
        del row["shop_sku"]
    if item.cancel_trigger_at is not None:
        row["cancel_trigger_time"] = int(item.cancel_trigger_at * 1000)
    if item.reverse_order_id:
        row["reverse_order_id"] = item.reverse_order_id
    if order.paid_at is not None:
        row["payment_time"] = int(order.paid_at * 1000)
    return row


def _order(sim: LazadaMarket, parameters: Parameters) -> SimOrder:
    sim.tick()
    order = sim.orders.get(required(parameters, "order_id"))
    if order is None:
        raise refuse("16", "E016: Order not found")
    return order


def order_get(sim: LazadaMarket, parameters: Parameters) -> Any:
    return header(sim, _order(sim, parameters))


def order_items_get(sim: LazadaMarket, parameters: Parameters) -> Any:
    order = _order(sim, parameters)
    return [item_row(sim, order, item, product_id=True) for item in order.items]


def orders_items_get(sim: LazadaMarket, parameters: Parameters) -> Any:
    sim.tick()
    ids = json_parameter(parameters, "order_ids", code="56")
    if not isinstance(ids, list):
        raise refuse("56", "E056: Invalid OrdersIdList format. Must use array format [1,2]")
    if len(ids) > ITEMS_ORDERS_MAX:
        raise refuse("38", "E038: Too many orders were requested")
    known = [sim.orders[str(order_id)] for order_id in ids if str(order_id) in sim.orders]
    if not known:
        raise refuse("39", "E039: No orders were found")
    if len(known) < len(ids):
        raise refuse("37", "E037: One or more order id in the list are incorrect")
    product_id = sim.switches["items_product_id"] == "present"
    return [
        {
            "order_id": int(order.order_id),
            "order_number": int(order.order_id),
            "order_items": [item_row(sim, order, item, product_id=product_id) for item in order.items],
        }
        for order in known
    ]
