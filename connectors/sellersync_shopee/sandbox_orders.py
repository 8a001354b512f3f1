"""Order endpoints of the simulator: list, detail, package detail, answers to cancellations."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import httpx

from .sandbox_market import DAY_S, DAYS_TO_SHIP, SHIPPING_FEE, SINGLE_LOCATION, Market
from .sandbox_shelf import SimLine, SimOrder, SimPackage
from .sandbox_wire import Query, ids, number, ok, refuse, restrict, text

T = TypeVar("T")
LIST_WINDOW_S_MAX = 15 * DAY_S
PAGE_SIZE_MAX = 100
DETAIL_IDS_MAX = 50
FILTERS = (
    "UNPAID",
    "READY_TO_SHIP",
    "PROCESSED",
    "SHIPPED",
    "COMPLETED",
    "IN_CANCEL",
    "CANCELLED",
    "INVOICE_PENDING",
)
OPTIONAL_FIELDS = frozenset(
    {
        "buyer_user_id",
        "buyer_username",
        "estimated_shipping_fee",
        "recipient_address",
        "actual_shipping_fee",
        "goods_to_declare",
        "note",
        "note_update_time",
        "item_list",
        "pay_time",
        "dropshipper",
        "dropshipper_phone",
        "split_up",
        "buyer_cancel_reason",
        "cancel_by",
        "cancel_reason",
        "actual_shipping_fee_confirmed",
        "buyer_cpf_id",
        "fulfillment_flag",
        "pickup_done_time",
        "package_list",
        "shipping_carrier",
        "payment_method",
        "total_amount",
        "invoice_data",
        "order_chargeable_weight_gram",
        "return_request_due_date",
        "edt",
        "payment_info",
        "international_label",
    }
)
ADDRESS = {
    "name": "S******i",
    "phone": "******21",
    "town": "",
    "district": "Coblong",
    "city": "KOTA BANDUNG",
    "state": "JAWA BARAT",
    "region": "ID",
    "zipcode": "40132",
    "full_address": "Jl******",
}


class OrderEndpoints(Market):
    """What `/api/v2/order/*` answers."""

    def get_order_list(self, query: Query) -> httpx.Response:
        restrict(
            query,
            "time_range_field time_from time_to page_size cursor order_status response_optional_fields "
            "request_order_status_pending",
        )
        field = text(query, "time_range_field")
        if field not in ("create_time", "update_time"):
            refuse("error_param", "time_range_field must be create_time or update_time")
        start, end, size = number(query, "time_from"), number(query, "time_to"), number(query, "page_size")
        if not 1 <= size <= PAGE_SIZE_MAX:
            refuse("error_param", "page_size must be 100 or less")
        if start >= end or end - start > LIST_WINDOW_S_MAX:
            refuse("order.order_list_invalid_time", "time_from must be before time_to, at most 15 days")
        wanted = text(query, "order_status", "")
        if wanted and wanted not in FILTERS:
            refuse("error_param", "order_status is invalid")
        rows = self._listed(
            field, start, end, wanted, pending=text(query, "request_order_status_pending", "") == "true"
        )
        rows = self._after(rows, text(query, "cursor", ""))
        page, more = rows[:size], len(rows) > size
        status_too = "order_status" in text(query, "response_optional_fields", "")
        listed = [{"order_sn": sn, **({"order_status": status} if status_too else {})} for _, sn, status in page]
        cursor = base64.urlsafe_b64encode(f"{page[-1][0]}|{page[-1][1]}".encode()).decode() if more else ""
        return ok({"more": more, "next_cursor": cursor, "order_list": listed})

    def get_order_detail(self, query: Query) -> httpx.Response:
        restrict(query, "order_sn_list response_optional_fields request_order_status_pending")
        sns = ids(query, "order_sn_list", DETAIL_IDS_MAX)
        asked = set(text(query, "response_optional_fields", "").split(",")) - {""}
        if not asked <= OPTIONAL_FIELDS:
            refuse("error_param", f"response_optional_fields: unknown {sorted(asked - OPTIONAL_FIELDS)}")
        pending = text(query, "request_order_status_pending", "") == "true"
        found = self._known(sns, self.orders)
        return ok({"order_list": [self._order_row(order, asked, pending=pending) for order in found]}, warning=[])

    def get_package_detail(self, query: Query) -> httpx.Response:
        restrict(query, "package_number_list")
        found = self._known(ids(query, "package_number_list", DETAIL_IDS_MAX), self.packages)
        return ok({"package_list": [self._package_row(package) for package in found]})

    def handle_buyer_cancellation(self, body: Mapping[str, Any]) -> httpx.Response:
        order = self.orders.get(str(body.get("order_sn")))
        if order is None:
            refuse("error_not_found", "the order is not found")
        if body.get("operation") not in ("ACCEPT", "REJECT"):
            refuse("error_param", "operation must be ACCEPT or REJECT")
        if order.status != "IN_CANCEL":
            refuse("order.cancel_order_invalid_status", "the order is not in cancel")
        self.answer_cancel(order.sn, accept=body["operation"] == "ACCEPT")
        return ok({"update_time": order.updated})

    # -- inside

    def _listed(self, field: str, start: int, end: int, wanted: str, *, pending: bool) -> list[tuple[int, str, str]]:
        """(time, order_sn, status) of every visible order in the window, in the listing's order."""
        newest = self.clock() - self.visibility_delay_s
        by_update = field == "update_time"
        rows = []
        for order in self.orders.values():
            at = order.updated if by_update else order.created
            if start <= at <= end and order.changed_at <= newest:
                status = _status(order, pending=pending)
                if not wanted or status == wanted:
                    rows.append((at, order.sn, status))
        rows.sort(reverse=self.switches["list_order"] == "descending")
        return rows

    def _after(self, rows: list[tuple[int, str, str]], cursor: str) -> list[tuple[int, str, str]]:
        if not cursor:
            return rows
        try:
            at, _, sn = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
            mark = (int(at), sn)
        except ValueError:
            refuse("error_param", "cursor is invalid")
        if self.switches["list_order"] == "descending":
            return [row for row in rows if row[:2] < mark]
        return [row for row in rows if row[:2] > mark]

    def _known(self, wanted: Sequence[str], held: Mapping[str, T]) -> list[T]:
        found = [held[name] for name in wanted if name in held]
        if not found or (len(found) < len(wanted) and self.switches["detail_batch_one_bad"] == "fails"):
            refuse("error_not_found", "the order is not found")
        return found

    def _order_row(self, order: SimOrder, asked: set[str], *, pending: bool) -> dict[str, Any]:
        row: dict[str, Any] = {
            "order_sn": order.sn,
            "region": "ID",
            "currency": "IDR",
            "cod": order.cod,
            "order_status": _status(order, pending=pending),
            "create_time": order.created,
            "update_time": order.updated,
            "days_to_ship": DAYS_TO_SHIP,
            "ship_by_date": order.created + DAYS_TO_SHIP * DAY_S,
            "message_to_seller": "",
            "pending_terms": order.pending_terms,
            "advance_package": order.advance,
            "checkout_shipping_carrier": "Reguler (Cashless)",
        }
        goods = sum(line.product.price * line.quantity for line in order.lines)
        paid = order.paid_at or order.cod
        optional: dict[str, Any] = {
            "buyer_user_id": 88001122,
            "buyer_username": "pembeli_uji",
            "estimated_shipping_fee": SHIPPING_FEE,
            "recipient_address": ADDRESS,
            "pay_time": order.paid_at or None,
            "split_up": order.split_up,
            "buyer_cancel_reason": order.cancel_reason if order.cancel_by == "buyer" else "",
            "cancel_by": order.cancel_by,
            "cancel_reason": order.cancel_reason,
            "fulfillment_flag": order.fulfillment_flag,
            "pickup_done_time": max((package.picked_up_at for package in order.packages), default=0),
            "shipping_carrier": "SPX Standard",
            "payment_method": "Cash on Delivery" if order.cod else "ShopeePay",
            "item_list": [self._line_row(line) for line in order.lines],
            "package_list": [self._order_package_row(order, package) for package in order.packages],
        }
        if paid:
            optional["total_amount"] = float(goods + SHIPPING_FEE)
        row.update((name, value) for name, value in optional.items() if name in asked)
        return row

    def _line_row(self, line: SimLine) -> dict[str, Any]:
        product = line.product
        kept = self.switches["purchased_after_partial_cancel"] == "kept" or line.active == 0
        return {
            "item_id": product.extra["item_id"],
            "item_name": product.title,
            "item_sku": "" if product.extra["model_id"] else product.seller_sku,
            "model_id": product.extra["model_id"],
            "model_name": product.extra["variation"],
            "model_sku": product.seller_sku if product.extra["model_id"] else "",
            "model_quantity_purchased": line.quantity if kept else line.active,
            "model_original_price": product.price,
            "model_discounted_price": product.price,
            "order_item_id": line.order_item_id,
            "line_item_id": line.line_item_id,
            "promotion_group_id": 0,
            "weight": product.weight_g / 1000,
            "active_qty": line.active,
            "cancel_requested_qty": line.cancel_requested,
            "cancelled_qty": line.cancelled,
        }

    def _order_package_row(self, order: SimOrder, package: SimPackage) -> dict[str, Any]:
        return {
            "package_number": package.number,
            "logistics_status": package.status,
            "logistics_channel_id": 80099,
            "shipping_carrier": "SPX Standard",
            "allow_self_design_awb": False,
            "group_shipment_id": None,
            "item_list": self._package_items(order, package),
        }

    def _package_items(self, order: SimOrder, package: SimPackage) -> list[dict[str, Any]]:
        return [
            {
                "item_id": order.lines[index].product.extra["item_id"],
                "model_id": order.lines[index].product.extra["model_id"],
                "model_quantity": units,
                "order_item_id": order.lines[index].order_item_id,
                "promotion_group_id": 0,
                "product_location_id": order.lines[index].location or SINGLE_LOCATION,
            }
            for index, units in package.units.items()
            if units
        ]

    def _package_row(self, package: SimPackage) -> dict[str, Any]:
        order = self.orders[package.order_sn]
        arranged = package.arranged_at is not None and self.clock() >= package.visible_at
        shown = package.waybill if self.switches["tracking_in_package_detail"] else ""
        return {
            "order_sn": order.sn,
            "package_number": package.number,
            "fulfillment_status": package.status,
            "is_shipment_arranged": arranged,
            "tracking_number": shown,
            "logistics_channel_id": 80099,
            "shipping_carrier": "SPX Standard",
            "ship_by_date": order.created + DAYS_TO_SHIP * DAY_S,
            "update_time": package.updated,
            "pickup_done_time": package.picked_up_at,
            "pending_terms": order.pending_terms,
            "is_split_up": order.split_up,
            "is_pre_order": False,
            "item_list": self._package_items(order, package),
        }


def _status(order: SimOrder, *, pending: bool) -> str:
    return "READY_TO_SHIP" if order.status == "PENDING" and not pending else order.status
