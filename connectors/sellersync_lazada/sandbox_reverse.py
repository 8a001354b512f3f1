"""Reverse-order endpoints of the simulator: the list of cancellations and returns, and the seller's answer to a cancellation.

The codes of a refused answer are not documented one by one; those used here lie in the documented range 100 to 133.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .sandbox_aftersales import ASKED, LazadaAfterSales
from .sandbox_replies import json_parameter, number, refuse, required
from .sandbox_state import Item, Reverse

Parameters = Mapping[str, str]

DAY_S = 86_400.0
PAGE_SIZE_MAX = 100
EPOCH_MS_MAX = 10**14


def reverse_orders(sim: LazadaAfterSales, parameters: Parameters) -> dict[str, Any]:
    """The body of `result`: this call wraps its rows differently."""
    sim.tick()
    for name in ("page_no", "page_size"):
        required(parameters, name)
    page_no = number(parameters, "page_no", 1, low=1, high=100_000, code="100")
    page_size = number(parameters, "page_size", 10, low=1, high=PAGE_SIZE_MAX, code="100")
    start = number(parameters, "ReverseOrderLineModifiedTimeRangeStart", 0, low=0, high=EPOCH_MS_MAX, code="100")
    end = number(parameters, "ReverseOrderLineModifiedTimeRangeEnd", EPOCH_MS_MAX, low=0, high=EPOCH_MS_MAX, code="100")
    rows = [reverse for reverse in sim.reverses if start <= int(reverse.modified_at * 1000) <= end]
    if "request_type_list" in parameters:
        wanted = json_parameter(parameters, "request_type_list", code="100")
        if not isinstance(wanted, list):
            raise refuse("100", "E0100: request_type_list is no array")
        rows = [reverse for reverse in rows if reverse.request_type in wanted]
    for name in ("reverse_order_id", "trade_order_id"):
        if name in parameters:
            asked = number(parameters, name, 0, low=1, high=10**18, code="105")
            rows = [row for row in rows if asked == (row.reverse_order_id if name[0] == "r" else int(row.order_id))]
    page = rows[(page_no - 1) * page_size : page_no * page_size]
    return {
        "success": True,
        "total": len(rows),
        "page_no": page_no,
        "page_size": page_size,
        "items": [_reverse_row(sim, reverse) for reverse in page],
    }


def _reverse_row(sim: LazadaAfterSales, reverse: Reverse) -> dict[str, Any]:
    return {
        "reverse_order_id": reverse.reverse_order_id,
        "trade_order_id": int(reverse.order_id),
        "request_type": reverse.request_type,
        "is_rtm": reverse.request_type != "CANCEL",
        "shipping_type": "PICK_UP",
        "reverse_order_lines": [_line(sim, reverse, position, item) for position, item in enumerate(reverse.items)],
    }


def _line(sim: LazadaAfterSales, reverse: Reverse, position: int, item: Item) -> dict[str, Any]:
    factor = 100 if sim.switches["reverse_amounts"] == "cents" else 1
    product, _, sku = item.product.remote_key.partition(":")
    cancels = reverse.request_type == "CANCEL"
    return {
        "reverse_order_line_id": reverse.line_id(position),
        "trade_order_line_id": item.item_id,
        "reverse_status": reverse.status,
        "ofc_status": "",
        "seller_sku_id": item.product.seller_sku,
        "platform_sku_id": sku,
        "item_unit_price": item.price * factor,
        "refund_amount": item.paid_price * factor,
        "reason_text": "Berubah pikiran" if cancels else "Barang rusak",
        "reason_code": 123,
        "tracking_number": "",
        "is_need_refund": "true",
        "is_dispute": False,
        "trade_order_gmt_create": sim.orders[reverse.order_id].created_s * 1000,
        "return_order_line_gmt_create": int(reverse.created_at * 1000),
        "return_order_line_gmt_modified": int(reverse.modified_at * 1000),
        "sla": int((reverse.created_at + 3 * DAY_S) * 1000),
        "product": {"product_id": int(product), "product_sku": item.product.seller_sku},
        "buyer": {"buyer_id": 100000001},
    }


def cancel_decide(sim: LazadaAfterSales, parameters: Parameters) -> Any:
    """A GET that changes state. What `data` holds is not documented."""
    reverse = sim.reverse(required(parameters, "reverse_order_id"))
    agree = required(parameters, "agree_cancel")
    if agree not in ("true", "false"):
        raise refuse("100", "E0100: agree_cancel is no boolean")
    if reverse is None or reverse.request_type != "CANCEL":
        raise refuse("105", "E0105: reverse order id is empty or invalid")
    if reverse.status != ASKED:
        raise refuse("131", "E0131: no decision for this reverse order")
    if agree == "false" and sim.switches["refusal_reason"] == "required":
        required(parameters, "reason_code")
    sim.decide(reverse, agree=agree == "true")
    return None
