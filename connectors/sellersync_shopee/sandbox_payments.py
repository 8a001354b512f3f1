"""Payment endpoints of the simulator, and the money that Shopee releases for completed orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from .sandbox_market import Market
from .sandbox_shelf import SimOrder
from .sandbox_wire import Query, number, ok, refuse, reply, restrict, text

PAGE_SIZE_MAX = 100
BATCH_MAX = 50
BUYER_PAID_SHIPPING = 9_000
SHIPPING_REBATE = 2_500
ACTUAL_SHIPPING = 12_000
PROCESSING_FEE = 1_250


@dataclass(slots=True, eq=False)
class SimEscrow:
    """The released money of an order; corrections are (rupiah, time, reason)."""

    order: SimOrder
    released: int
    corrections: list[tuple[int, int, str]] = field(default_factory=list)


class PaymentEndpoints(Market):
    """What `/api/v2/payment/*` answers, and the hands that settle orders."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.escrows: dict[str, SimEscrow] = {}

    # -- hands

    def settle_order(self, order_id: str) -> None:
        """The order is delivered and completed, and its money is released."""
        with self.lock:
            order = self.orders[order_id]
            if order.status in ("UNPAID", "CANCELLED") or order_id in self.escrows:
                raise ValueError(f"{order_id} is {order.status}, its money cannot be released")
            for package in order.packages:
                self._move_package(package, "LOGISTICS_DELIVERY_DONE")
            self.complete(order_id)
            self.escrows[order_id] = SimEscrow(order, self.now_s())

    def correct_settlement(self, order_id: str, amount: int) -> None:
        """A correction of released money: the order keeps its place in the list."""
        with self.lock:
            self.escrows[order_id].corrections.append((amount, self.now_s(), "Ongkos kirim disesuaikan"))

    def settlements(self) -> Mapping[str, tuple[str, int]]:
        with self.lock:
            return {sn: (sn, self._net(escrow)) for sn, escrow in self.escrows.items()}

    # -- endpoints

    def get_escrow_list(self, query: Query) -> httpx.Response:
        restrict(query, "release_time_from release_time_to page_size page_no")
        start, end = number(query, "release_time_from"), number(query, "release_time_to")
        size, page = int(text(query, "page_size", "40")), int(text(query, "page_no", "1"))
        if not 1 <= size <= PAGE_SIZE_MAX:
            refuse("error_param", "page_size is invalid")
        if page < 1:
            refuse("error_param", "page_no must be at least 1")
        if start >= end or end - start > int(self.switches["escrow_window_s_max"]):
            refuse("error_param", "date range invalid")
        found = sorted(
            (row for row in self.escrows.values() if start <= row.released <= end),
            key=lambda row: (row.released, row.order.sn),
        )
        part = found[(page - 1) * size : page * size]
        return ok(
            {
                "more": len(found) > page * size,
                "escrow_list": [
                    {
                        "order_sn": row.order.sn,
                        "payout_amount": float(self._net(row)),
                        "escrow_release_time": row.released,
                    }
                    for row in part
                ],
            }
        )

    def get_escrow_detail_batch(self, body: Mapping[str, Any]) -> httpx.Response:
        wanted = body.get("order_sn_list")
        if not isinstance(wanted, list) or not wanted or not all(isinstance(name, str) for name in wanted):
            refuse("error_param", "order_sn_list is required, format should be string[]")
        if len(wanted) > BATCH_MAX:
            refuse("exceed_max_limit", "Your request exceeds the max limit of 50 orders")
        known = [name for name in wanted if name in self.escrows]
        if not known or (len(known) < len(wanted) and self.switches["detail_batch_one_bad"] == "fails"):
            refuse("common.error_not_found", "order income not found")
        details = [self._detail(self.escrows[name]) for name in known]
        if self.switches["escrow_batch_rows"] == "wrapped":
            return reply({"response": [{"escrow_detail": detail} for detail in details]})
        return reply({"response": details})

    # -- inside

    def _income(self, order: SimOrder) -> dict[str, int]:
        """What the seller gets for the order before corrections, row by row."""
        price = sum(line.product.price * line.active for line in order.lines)
        discount = price * 5 // 100
        sold = price - discount
        return {
            "order_original_price": price,
            "order_discounted_price": sold,
            "seller_discount": discount,
            "shopee_discount": 0,
            "voucher_from_seller": 1_000 if sold > 50_000 else 0,
            "voucher_from_shopee": 4_000,
            "coins": 150,
            "buyer_paid_shipping_fee": BUYER_PAID_SHIPPING,
            "actual_shipping_fee": ACTUAL_SHIPPING,
            "shopee_shipping_rebate": SHIPPING_REBATE,
            "commission_fee": sold * 8 // 100,
            "service_fee": sold * 4 // 100,
            "seller_order_processing_fee": PROCESSING_FEE,
            "withholding_tax": sold // 200,
        }

    def _released(self, order: SimOrder) -> int:
        income = self._income(order)
        shipping = income["buyer_paid_shipping_fee"] + income["shopee_shipping_rebate"] - income["actual_shipping_fee"]
        kept = sum(
            income[name] for name in ("commission_fee", "service_fee", "seller_order_processing_fee", "withholding_tax")
        )
        return income["order_discounted_price"] - income["voucher_from_seller"] + shipping - kept

    def _net(self, escrow: SimEscrow) -> int:
        return self._released(escrow.order) + sum(amount for amount, _, _ in escrow.corrections)

    def _detail(self, escrow: SimEscrow) -> dict[str, Any]:
        income: dict[str, Any] = {name: float(amount) for name, amount in self._income(escrow.order).items()}
        income["escrow_amount"] = float(self._released(escrow.order))
        income["escrow_amount_after_adjustment"] = float(self._net(escrow))
        if self.switches["shipping_in_escrow"] == "one_sum":
            income["final_shipping_fee"] = income.pop("shopee_shipping_rebate") - income.pop("actual_shipping_fee")
        if escrow.corrections:
            income["order_adjustment"] = [
                {"amount": float(amount), "date": at, "currency": "IDR", "adjustment_reason": why}
                for amount, at, why in escrow.corrections
            ]
        return {
            "order_sn": escrow.order.sn,
            "buyer_user_name": "pembeli_uji",
            "return_order_sn_list": [],
            "order_income": income,
            "buyer_payment_info": {"buyer_payment_method": "ShopeePay", "buyer_service_fee": 0},
        }
