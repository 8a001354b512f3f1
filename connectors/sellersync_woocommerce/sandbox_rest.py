"""The routes of the simulated REST API (`wc/v3`): what is asked, what is refused, what is answered.

Facts: measured on WooCommerce 10.0.2. There is no route here that the connector could not have found on that shop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from sellersync.sandbox.kit import Refusal

from . import sandbox_lists as lists
from .sandbox_auth import json_refusal
from .sandbox_json import VERSION, note_json, order_json, refund_json
from .sandbox_rest_products import PREFIX, ProductRoutes, Query, answer_json, inside, trim
from .sandbox_rows import ShopOrder


class Rest(ProductRoutes):
    """One shop's routes. Every handler takes the request's query and its parsed body."""

    # -- dispatch

    def route(self, method: str, path: str) -> tuple[Callable[..., httpx.Response], tuple[int | str, ...]]:
        """The handler for a path below `wc/v3/` and the ids in it. Raises `Refusal` 404."""
        for pattern, methods in _ROUTES:
            match = pattern.fullmatch(path)
            if match is not None and method in methods:
                parts = tuple(int(part) if part.isdigit() else part for part in match.groups())
                return getattr(self, methods[method]), parts
        raise json_refusal(404, "rest_no_route", "No route was found matching the URL and request method.", self.home)

    def refuse_stranger(self, method: str, path: str) -> Refusal:
        """401 for a call without a valid key."""
        if method == "GET":
            code, text = "cannot_view", "Sorry, you cannot list resources."
            if re.search(r"/\d+$", path):
                text = "Sorry, you cannot view this resource."
        elif method == "POST" and not path.endswith("/batch"):
            code, text = "cannot_create", "Sorry, you are not allowed to create resources."
        else:
            code, text = "cannot_edit", "Sorry, you are not allowed to edit this resource."
        return json_refusal(401, f"woocommerce_rest_{code}", text, self.home)

    def body(self, request: httpx.Request) -> dict[str, Any]:
        """The JSON body, {} when there is none. Raises `Refusal` 400."""
        if not request.content:
            return {}
        try:
            found = json.loads(request.content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            body = {
                "code": "rest_invalid_json",
                "message": "Invalid JSON body passed.",
                "data": {"status": 400, "json_error_code": 4, "json_error_message": "Syntax error"},
            }
            raise Refusal("rest_invalid_json", answer_json(body, status=400, home=self.home))
        return found

    def index(self) -> httpx.Response:
        """`/wp-json/`: needs no key."""
        body = {
            "name": self.name,
            "description": "",
            "url": self.home,
            "home": self.home,
            "gmt_offset": 7,
            "timezone_string": "Asia/Jakarta",
            "namespaces": ["oembed/1.0", "wc/v1", "wc/v2", "wc/v3", "wc/store", "wc/store/v1", "wp/v2"],
            "authentication": [],
            "routes": {},
        }
        return answer_json(body, home=self.home)

    # -- small reads

    def system_status(self, query: Query, body: dict[str, Any]) -> httpx.Response:
        found = {"environment": {"home_url": self.home, "version": VERSION, "wp_version": "6.8.8"}}
        wanted = dict(query).get("_fields", "")
        if wanted:
            names = {part.strip().partition(".")[2] for part in wanted.split(",")}
            found = {"environment": {name: value for name, value in found["environment"].items() if name in names}}
        return answer_json(found, home=self.home)

    def setting(self, query: Query, body: dict[str, Any], group: str, name: str) -> httpx.Response:
        held = self.shop.hold_minutes
        settings = {
            "woocommerce_hold_stock_minutes": ("number", "60", str(held) if held else ""),
            "woocommerce_weight_unit": ("select", "kg", self.weight_unit),
        }
        if group != "products" or name not in settings:
            raise json_refusal(404, "rest_setting_setting_invalid", "Invalid setting.", self.home)
        kind, default, value = settings[name]
        row = {"id": name, "label": name, "description": "", "type": kind, "default": default, "value": value}
        return answer_json({**row, "group_id": group}, home=self.home)

    def order_totals(self, query: Query, body: dict[str, Any]) -> httpx.Response:
        rows = [
            {"slug": slug, "name": name, "total": self.shop.counts[slug]} for slug, name in self.shop.statuses().items()
        ]
        return answer_json(rows, home=self.home)

    # -- orders

    def orders(self, query: Query, body: dict[str, Any]) -> httpx.Response:
        wanted = lists.parse(query, collection="orders", known_statuses=self.shop.statuses(), home=self.home)
        # `any` means every status but the bin, also beside others: `any,trash` does not show the bin
        if not wanted.statuses or "any" in wanted.statuses:
            statuses = frozenset(self.shop.statuses()) | {"auto-draft"}
        else:
            statuses = frozenset(wanted.statuses)
        visible_until = self.shop.clock() - self.visibility_delay_s
        bounds = wanted.bounds
        if "modified_after" in bounds:
            candidates = self.shop.changed_after(bounds["modified_after"])
        elif wanted.include:
            candidates = [self.shop.orders[i] for i in dict.fromkeys(wanted.include) if i in self.shop.orders]
        else:
            candidates = self.shop.orders.values()
        rows = [
            order
            for order in candidates
            if order.status in statuses
            and (not wanted.include or order.id in wanted.include)
            and order.id not in wanted.exclude
            and inside(order.created_s, bounds.get("after"), bounds.get("before"))
            and inside(order.modified_s, None, bounds.get("modified_before"))
            and (not self.visibility_delay_s or order.modified_at <= visible_until)
        ]
        found = lists.cut(rows, wanted, tie_break=self.switches["tie_break"] or wanted.orderby == "date")
        headers = lists.page_headers(found, wanted, f"{PREFIX}orders", self.home, query)
        texts = [self._order_text(order, wanted.fields) for order in found.rows]
        return answer_json(f"[{','.join(texts)}]", headers=headers, home=self.home)

    def _order_text(self, order: ShopOrder, fields: tuple[str, ...] = ()) -> str:
        text = order.rendered.get(fields)
        if text is None:
            row = order_json(self.shop, order, self.home)
            text = json.dumps(trim(row, fields) if fields else row, separators=(",", ":"))
            order.rendered[fields] = text
        return text

    def _order(self, order_id: int) -> ShopOrder:
        order = self.shop.orders.get(order_id)
        if order is None:
            raise json_refusal(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.", self.home)
        return order

    def order(self, query: Query, body: dict[str, Any], order_id: int) -> httpx.Response:
        order = self._order(order_id)
        fields = tuple(part.strip() for part in dict(query).get("_fields", "").split(",") if part.strip())
        return answer_json(self._order_text(order, (*fields, "_links") if fields else ()), home=self.home)

    def put_order(self, query: Query, body: dict[str, Any], order_id: int) -> httpx.Response:
        order = self._order(order_id)
        status = body.get("status", order.status)
        known = self.shop.statuses()
        if status not in known and status != order.status:
            names = ", ".join(known)
            raise lists.invalid_parameters(
                {"status": ("rest_not_in_enum", f"status is not one of {names}.", None)}, self.home
            )
        for row in body.get("meta_data", []):
            self.shop.set_meta(order, str(row["key"]), row["value"])
        for row in body.get("line_items", []):
            line = next((line for line in order.lines if line.id == row.get("id")), None)
            if line is not None and "quantity" in row:
                self.shop.change_quantity(order, line, int(row["quantity"]))
        self.shop.transition(order, status)
        return answer_json(self._order_text(order), home=self.home)

    def delete_order(self, query: Query, body: dict[str, Any], order_id: int) -> httpx.Response:
        order = self._order(order_id)
        text = self._order_text(order)
        if dict(query).get("force") == "true":
            self.shop.delete_order(order)
        else:
            self.shop.trash(order)
        return answer_json(text, home=self.home)

    def notes(self, query: Query, body: dict[str, Any], order_id: int) -> httpx.Response:
        order = self._order(order_id)
        kind = dict(query).get("type", "any")
        if kind not in ("any", "customer", "internal"):
            text = "type is not one of any, customer, and internal."
            raise lists.invalid_parameters({"type": ("rest_not_in_enum", text, None)}, self.home)
        rows = [note for note in reversed(order.notes) if kind == "any" or note.customer == (kind == "customer")]
        return answer_json([note_json(order, note, self.home) for note in rows], home=self.home)

    def add_note(self, query: Query, body: dict[str, Any], order_id: int) -> httpx.Response:
        order = self._order(order_id)
        if not isinstance(body.get("note"), str):
            missing = {
                "code": "rest_missing_callback_param",
                "message": "Missing parameter(s): note",
                "data": {"status": 400, "params": ["note"]},
            }
            raise Refusal("rest_missing_callback_param", answer_json(missing, status=400, home=self.home))
        note = self.shop.add_note(order, body["note"], customer=body.get("customer_note") is True)
        return answer_json(note_json(order, note, self.home), status=201, home=self.home)

    def refunds(self, query: Query, body: dict[str, Any], order_id: int) -> httpx.Response:
        order = self._order(order_id)
        wanted = lists.parse(query, collection="refunds", known_statuses=(), home=self.home)
        found = lists.cut(list(order.refunds), wanted, tie_break=True)
        headers = lists.page_headers(found, wanted, f"{PREFIX}orders/{order_id}/refunds", self.home, query)
        rows = [refund_json(self.shop, order, refund, self.home) for refund in found.rows]
        return answer_json(rows, headers=headers, home=self.home)

    def add_refund(self, query: Query, body: dict[str, Any], order_id: int) -> httpx.Response:
        order = self._order(order_id)
        amount = int(body.get("amount", "0"))
        if amount <= 0 or amount > order.total - order.refunded:
            wrong = {
                "code": "woocommerce_rest_cannot_create_order_refund",
                "message": "Invalid refund amount.",
                "data": 500,
            }
            raise Refusal(str(wrong["code"]), answer_json(wrong, status=500, home=self.home))
        by_id = {line.id: line for line in order.lines}
        lines = [
            (by_id[row["id"]], int(row.get("quantity", 0)), int(row.get("refund_total", 0)))
            for row in body.get("line_items", [])
        ]
        restock = body.get("api_restock", True) is True
        refund = self.shop.refund(order, amount, lines, reason=str(body.get("reason", "")), restock=restock)
        return answer_json(refund_json(self.shop, order, refund, self.home), status=201, home=self.home)


def _routes(table: Mapping[str, Mapping[str, str]]) -> list[tuple[re.Pattern[str], dict[str, str]]]:
    found = []
    for path, methods in table.items():
        edits = {name: methods["PUT"] for name in ("POST", "PATCH") if "PUT" in methods}
        found.append((re.compile(path.replace("#", r"(\d+)").replace("*", r"([\w-]+)")), {**edits, **methods}))
    return found


_ROUTES = _routes(
    {
        "orders": {"GET": "orders"},
        "orders/#": {"GET": "order", "PUT": "put_order", "DELETE": "delete_order"},
        "orders/#/notes": {"GET": "notes", "POST": "add_note"},
        "orders/#/refunds": {"GET": "refunds", "POST": "add_refund"},
        "products": {"GET": "products"},
        "products/batch": {"POST": "products_batch"},
        "products/#": {"GET": "product", "PUT": "put_product"},
        "products/#/variations": {"GET": "variations"},
        "products/#/variations/batch": {"POST": "variations_batch"},
        "products/#/variations/#": {"GET": "variation", "PUT": "put_variation"},
        "reports/orders/totals": {"GET": "order_totals"},
        "settings/*/*": {"GET": "setting"},
        "system_status": {"GET": "system_status"},
    }
)
