"""The product routes of the simulated REST API: lists, single writes and batches, with their measured tolerance of nonsense."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from sellersync.sandbox.kit import Refusal

from . import sandbox_lists as lists
from .sandbox_auth import json_refusal
from .sandbox_json import product_json, variation_json
from .sandbox_rows import Item
from .sandbox_shop import Shop

BATCH_ROWS_MAX = 100
PREFIX = "/wp-json/wc/v3/"
Query = Sequence[tuple[str, str]]
_NUMBER = re.compile(r"^-?\d+$")


def answer_json(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, home: str) -> httpx.Response:
    """A JSON reply with escaped slashes, as PHP writes it; not a list page unless `headers` say so."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    all_headers = {
        "link": f'<{home}/wp-json/>; rel="https://api.w.org/"',
        **(headers or {}),
        "content-type": "application/json; charset=UTF-8",
    }
    return httpx.Response(status, headers=all_headers, content=text.replace("/", "\\/").encode())


def _php_int(value: Any) -> int:
    """How PHP turns anything into a whole number: 3.7 is 3, text is 0."""
    if isinstance(value, str):
        match = re.match(r"\s*-?\d+", value)
        return int(match.group()) if match else 0
    return int(value) if isinstance(value, int | float) else 0


def inside(at_s: int, after: int | None, before: int | None) -> bool:
    return (after is None or at_s > after) and (before is None or at_s < before)


def trim(row: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    names = {name.partition(".")[0] for name in fields}
    return {name: value for name, value in row.items() if name in names}


class ProductRoutes:
    """Handlers below `products`; what all handlers share is set up here."""

    def __init__(self, shop: Shop, switches: Mapping[str, Any]) -> None:
        self.shop = shop
        self.switches = switches
        self.home = "https://toko.example"
        self.name = "Toko Contoh"
        self.visibility_delay_s = 0.0
        self.weight_unit = "g"

    def products(self, query: Query, body: dict[str, Any]) -> httpx.Response:
        wanted = lists.parse(query, collection="products", known_statuses=("draft", "publish"), home=self.home)
        rows = [
            item
            for item in self.shop.items.values()
            # variations come here only when they are looked up by SKU
            if (item.sku.lower() in wanted.skus if wanted.skus else not item.parent_id)
            and (not wanted.include or item.id in wanted.include)
            and item.id not in wanted.exclude
            and (not wanted.kind or item.type == wanted.kind)
            and (not wanted.statuses or item.status in wanted.statuses or "any" in wanted.statuses)
            and inside(item.created_s, wanted.bounds.get("after"), wanted.bounds.get("before"))
            and inside(item.modified_s, wanted.bounds.get("modified_after"), wanted.bounds.get("modified_before"))
        ]
        return self._item_list(rows, wanted, f"{PREFIX}products", query, product_json)

    def variations(self, query: Query, body: dict[str, Any], parent_id: int) -> httpx.Response:
        wanted = lists.parse(query, collection="products", known_statuses=("draft", "publish"), home=self.home)
        parent = self.shop.items.get(parent_id)
        rows = [
            self.shop.items[child]
            for child in (parent.variations if parent else ())
            if (not wanted.include or child in wanted.include) and child not in wanted.exclude
        ]
        return self._item_list(rows, wanted, f"{PREFIX}products/{parent_id}/variations", query, variation_json)

    def _item_list(
        self,
        rows: list[Item],
        wanted: lists.Query,
        path: str,
        query: Query,
        render: Callable[[Shop, Item, str], dict[str, Any]],
    ) -> httpx.Response:
        found = lists.cut(rows, wanted, tie_break=self.switches["tie_break"])
        headers = lists.page_headers(found, wanted, path, self.home, query)
        shown = [render(self.shop, item, self.home) for item in found.rows]
        if wanted.fields:
            shown = [trim(row, wanted.fields) for row in shown]
        return answer_json(shown, headers=headers, home=self.home)

    def _product(self, product_id: int, status: int = 400) -> Item:
        item = self.shop.items.get(product_id)
        if item is None or item.parent_id:
            raise json_refusal(status, "woocommerce_rest_product_invalid_id", "Invalid ID.", self.home)
        return item

    def _variation(self, parent_id: int, variation_id: int) -> Item:
        item = self.shop.items.get(variation_id)
        if item is None or item.parent_id != parent_id:
            raise json_refusal(404, "woocommerce_rest_product_variation_invalid_id", "Invalid ID.", self.home)
        return item

    def product(self, query: Query, body: dict[str, Any], product_id: int) -> httpx.Response:
        return answer_json(product_json(self.shop, self._product(product_id, 404), self.home), home=self.home)

    def variation(self, query: Query, body: dict[str, Any], parent_id: int, variation_id: int) -> httpx.Response:
        return answer_json(
            variation_json(self.shop, self._variation(parent_id, variation_id), self.home), home=self.home
        )

    def put_product(self, query: Query, body: dict[str, Any], product_id: int) -> httpx.Response:
        item = self._product(product_id)
        self._apply_single(item, body)
        return answer_json(product_json(self.shop, item, self.home), home=self.home)

    def put_variation(self, query: Query, body: dict[str, Any], parent_id: int, variation_id: int) -> httpx.Response:
        item = self._variation(parent_id, variation_id)
        self._apply_single(item, body)
        return answer_json(variation_json(self.shop, item, self.home), home=self.home)

    def _apply_single(self, item: Item, body: dict[str, Any]) -> None:
        """A single PUT validates types; null counts as 0."""
        self._apply_manage(item, body)
        if "stock_quantity" not in body:
            self.shop.touch_item(item)
            return
        value = body["stock_quantity"]
        if value is None:
            value = 0
        if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, str) and _NUMBER.match(value))):
            text = "stock_quantity is not of type integer."
            raise lists.invalid_parameters(
                {"stock_quantity": ("rest_invalid_type", text, {"param": "stock_quantity"})}, self.home
            )
        self._apply_stock(item, int(value), batch=False)

    def _apply_manage(self, item: Item, body: Mapping[str, Any]) -> None:
        if isinstance(body.get("manage_stock"), bool):
            item.manage = body["manage_stock"]
            if not item.manage:
                item.stock = None

    def _apply_stock(self, item: Item, level: int, *, batch: bool) -> None:
        """A number for something that keeps none of its own is dropped without a word."""
        if not item.manage and batch and self.switches["inheriting_batch_push"] == "taken":
            item.manage = self.shop.managed(item) == "parent"
        if item.manage:
            self.shop.push_stock(item, level)
        else:
            self.shop.touch_item(item)

    def products_batch(self, query: Query, body: dict[str, Any]) -> httpx.Response:
        def find(row_id: Any) -> Item:
            item = self.shop.items.get(row_id) if isinstance(row_id, int) else None
            if item is not None and item.parent_id:
                text = (
                    "To manipulate product variations you should use the "
                    "/products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint."
                )
                raise json_refusal(404, "woocommerce_rest_invalid_product_id", text, self.home)
            return self._product(row_id if isinstance(row_id, int) else -1)

        return self._batch(query, body, find, product_json)

    def variations_batch(self, query: Query, body: dict[str, Any], parent_id: int) -> httpx.Response:
        def find(row_id: Any) -> Item:
            return self._variation(parent_id, row_id if isinstance(row_id, int) else -1)

        return self._batch(query, body, find, variation_json)

    def _batch(
        self,
        query: Query,
        body: dict[str, Any],
        find: Callable[[Any], Item],
        render: Callable[[Shop, Item, str], dict[str, Any]],
    ) -> httpx.Response:
        """One entry a row, in order; a bad row carries its error and sinks nobody. There is no validation of types here."""
        rows = body.get("update", [])
        count = sum(len(body.get(kind, [])) for kind in ("create", "update", "delete"))
        if count > BATCH_ROWS_MAX:
            text = f"Unable to accept more than {BATCH_ROWS_MAX} items for this request."
            raise json_refusal(413, "woocommerce_rest_request_entity_too_large", text, self.home)
        answers: list[dict[str, Any]] = []
        for row in rows:
            row_id = row.get("id")
            try:
                item = find(row_id)
            except Refusal as refusal:
                answers.append({"id": row_id, "error": json.loads(refusal.response.content)})
                continue
            self._apply_manage(item, row)
            value = row.get("stock_quantity")
            if value is None:
                self.shop.touch_item(item)
            else:
                self._apply_stock(item, _php_int(value), batch=True)
            answers.append(render(self.shop, item, self.home))
        if dict(query).get("_fields"):
            return answer_json([], home=self.home)
        return answer_json({"update": answers} if rows else [], home=self.home)
