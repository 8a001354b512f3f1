"""Return endpoints of the simulator."""

from __future__ import annotations

from typing import Any

import httpx

from .sandbox_market import DAY_S, Market
from .sandbox_shelf import SimReturn
from .sandbox_wire import Query, number, ok, refuse, restrict

WINDOW_S_MAX = 15 * DAY_S
PAGE_SIZE_MAX = 100
ANSWER_WITHIN_S = 3 * DAY_S


class ReturnEndpoints(Market):
    """What `/api/v2/returns/*` answers."""

    def get_return_list(self, query: Query) -> httpx.Response:
        restrict(query, "page_no page_size update_time_from update_time_to")
        page, size = number(query, "page_no"), number(query, "page_size")
        start, end = number(query, "update_time_from"), number(query, "update_time_to")
        if not 1 <= size <= PAGE_SIZE_MAX:
            refuse("error_param", "page_size must be 1 to 100")
        if start >= end or end - start > WINDOW_S_MAX:
            refuse("error_param", "update_time window is invalid, at most 15 days")
        index = self._page_index(page)
        found = sorted(
            (row for row in self.returns.values() if start <= row.updated <= end), key=lambda row: (row.updated, row.sn)
        )
        if index is None:
            return ok({"more": False, "return": []})
        part = found[index * size : (index + 1) * size]
        return ok({"more": len(found) > (index + 1) * size, "return": [self._return_row(row) for row in part]})

    def _page_index(self, page: int) -> int | None:
        base = self.switches["returns_first_page"]
        if base == "0":
            return page
        if page == 0 and base == "1_refuses_0":
            refuse("error_param", "page_no must be at least 1")
        if page == 0 and base == "1_empty_0":
            return None
        return max(0, page - 1)

    def _return_row(self, row: SimReturn) -> dict[str, Any]:
        return {
            "return_sn": row.sn,
            "order_sn": row.order_sn,
            "status": row.status,
            "reason": "PHYSICAL_DMG",
            "text_reason": "pecah",
            "refund_amount": sum(line.product.price * units for line, units in row.units),
            "currency": "IDR",
            "create_time": row.created,
            "update_time": row.updated,
            "due_date": row.created + ANSWER_WITHIN_S,
            "return_seller_due_date": 0,
            "needs_logistics": not row.refund_only,
            "return_solution": 1 if row.refund_only else 0,
            "tracking_number": row.tracking,
            "negotiation_status": "PENDING_RESPOND",
            "item": [
                {
                    "item_id": line.product.extra["item_id"],
                    "model_id": line.product.extra["model_id"],
                    "name": line.product.title,
                    "amount": units,
                    "item_price": line.product.price,
                    "variation_sku": line.product.seller_sku,
                }
                for line, units in row.units
            ],
        }
