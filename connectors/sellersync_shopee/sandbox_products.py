"""Product and shop endpoints of the simulator: listings, numbers, update_stock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from sellersync.sandbox.kit import Event, Product

from .sandbox_market import DAY_S, SINGLE_LOCATION, Market
from .sandbox_wire import Query, ids, number, ok, refuse, reply, restrict, rows

ITEM_PAGE_SIZE_MAX = 100
ITEM_IDS_MAX = 50
STOCK_MODELS_MAX = 50
STOCK_MAX = 999_999
ITEM_STATUSES = ("NORMAL", "BANNED", "UNLIST", "REVIEWING", "SELLER_DELETE", "SHOPEE_DELETE")
BELOW_RESERVED = "Total stock must be more than reserved stock."
LOCKED = "error_cannt_edit_stock_in_promotion"


class ProductEndpoints(Market):
    """What `/api/v2/product/*` and `/api/v2/shop/*` answer."""

    def get_shop_info(self, query: Query) -> httpx.Response:
        restrict(query, "")
        now = self.now_s()
        return ok(
            shop_name="Toko Uji",
            region="ID",
            status="NORMAL",
            auth_time=now - 30 * DAY_S,
            expire_time=now + 300 * DAY_S,
            is_cb=False,
            shop_fulfillment_flag="Others",
        )

    def get_shop_holiday_mode(self, query: Query) -> httpx.Response:
        restrict(query, "")
        on = self.holiday_mode is not None
        return ok({"holiday_mode_on": on, "holiday_mode_type": self.holiday_mode or 0})

    def get_warehouse_detail(self, query: Query) -> httpx.Response:
        restrict(query, "warehouse_type")
        if not self.locations:
            refuse("warehouse.error_not_in_whitelist", "shop is not in the multi-warehouse whitelist")
        return ok([{"warehouse_id": index, "location_id": place} for index, place in enumerate(self.locations)])

    def get_item_list(self, query: Query) -> httpx.Response:
        restrict(query, "offset page_size item_status update_time_from update_time_to")
        offset, size = number(query, "offset"), number(query, "page_size")
        statuses = query.get("item_status", [])
        if not 1 <= size <= ITEM_PAGE_SIZE_MAX:
            refuse("error_param", "page_size must be 1 to 100")
        if not statuses or not set(statuses) <= set(ITEM_STATUSES):
            refuse("error_param", "item_status is required, one key for each value")
        found = [item_id for item_id, models in self.items.items() if _item_status(models) in statuses]
        page, more = found[offset : offset + size], len(found) > offset + size
        items = [
            {"item_id": item_id, "item_status": _item_status(self.items[item_id]), "update_time": self.now_s()}
            for item_id in page
        ]
        return ok(
            {
                "item": items,
                "total_count": len(found),
                "has_next_page": more,
                **({"next_offset": offset + size} if more else {}),
            }
        )

    def get_item_base_info(self, query: Query) -> httpx.Response:
        restrict(query, "item_id_list need_tax_info need_complaint_policy")
        wanted = ids(query, "item_id_list", ITEM_IDS_MAX)
        found = [self.items[int(item_id)] for item_id in wanted if item_id.isdigit() and int(item_id) in self.items]
        if not found:
            refuse("product.error_item_not_found", "Product is not found.")
        return ok({"item_list": [self._item_row(models) for models in found]}, warning="")

    def get_model_list(self, query: Query) -> httpx.Response:
        restrict(query, "item_id")
        models = self.items.get(number(query, "item_id"))
        if models is None:
            refuse("product.error_item_not_found", "Product is not found.")
        rows_ = [
            {
                "model_id": product.extra["model_id"],
                "model_sku": product.seller_sku,
                "model_name": product.extra["variation"],
                "model_status": "MODEL_NORMAL",
                "has_promotion": bool(product.extra["reserved"]),
                "tier_index": [index],
                "price_info": [{"currency": "IDR", "current_price": product.price, "original_price": product.price}],
                "stock_info_v2": self._stock_info(product),
                "is_fulfillment_by_shopee": False,
            }
            for index, product in enumerate(models)
            if product.extra["model_id"]
        ]
        return ok({"tier_variation": [], "model": rows_}, warning="")

    def update_stock(self, body: Mapping[str, Any]) -> httpx.Response:
        models = self.items.get(body.get("item_id", -1))
        if models is None:
            refuse("error_item_not_found", "Product is not found.")
        changes = self._changes(models, rows(body, "stock_list", STOCK_MODELS_MAX))
        failures = {product.remote_key: self._stock_failure(product, levels) for product, levels in changes}
        if self.switches["stock_failure"] == "whole_call" and any(failures.values()):
            first = next(failure for failure in failures.values() if failure)
            refuse("error_auth" if first == BELOW_RESERVED else LOCKED, first)
        done, failed = [], []
        for product, levels in changes:
            model_id, failure = product.extra["model_id"], failures[product.remote_key]
            if failure:
                failed.append({"model_id": model_id, "failed_reason": failure})
                continue
            for place, level in levels.items():
                self._set_level(product, place, level)
                done.append({"model_id": model_id, "stock": level, **({"location_id": place} if place else {})})
        response = {"success_list": done, "failure_list": failed}
        if done:
            return ok(response, warning="")
        return reply(
            {"error": "error_busi_update_stock_failed", "message": "Update stock failed.", "response": response}
        )

    # -- inside

    def _item_row(self, models: list[Product]) -> dict[str, Any]:
        first = models[0]
        has_model = bool(first.extra["model_id"])
        row = {
            "item_id": first.extra["item_id"],
            "item_name": first.title,
            "item_sku": "" if has_model else first.seller_sku,
            "item_status": _item_status(models),
            "has_model": has_model,
            "has_promotion": any(product.extra["reserved"] for product in models),
            "update_time": self.now_s(),
            "weight": f"{first.weight_g / 1000:.3f}",
            "stock_info_v2": self._stock_info(first),
        }
        if not has_model:
            row["price_info"] = [{"currency": "IDR", "current_price": first.price, "original_price": first.price}]
        return row

    def _stock_info(self, product: Product) -> dict[str, Any]:
        pot, number_ = product.extra["reserved"], sum(product.shown.values())
        inside = self.switches["reserved_stock"] == "inside"
        return {
            "summary_info": {
                "total_reserved_stock": pot,
                "total_available_stock": number_ if inside else number_ + pot,
            },
            "seller_stock": [
                {"location_id": place or SINGLE_LOCATION, "stock": units, "if_saleable": True}
                for place, units in product.shown.items()
            ],
            "shopee_stock": [],
        }

    def _changes(self, models: list[Product], stock_list: list[dict[str, Any]]) -> list[tuple[Product, dict[str, int]]]:
        """What is to be set, checked: (model, location -> level)."""
        known = {product.extra["model_id"]: product for product in models}
        wanted = [row.get("model_id", 0) for row in stock_list]
        if len(set(wanted)) < len(wanted):
            refuse("error_param", "Repeat model_id.")
        if 0 in wanted and 0 not in known:
            refuse("error_edit_item_stock_for_item_has_model", "The item has models.")
        if not set(wanted) <= set(known):
            refuse("error_param", "Wrong model_id.")
        return [(known[row.get("model_id", 0)], self._levels_of(row)) for row in stock_list]

    def _levels_of(self, row: Mapping[str, Any]) -> dict[str, int]:
        levels: dict[str, int] = {}
        for entry in rows(row, "seller_stock", max(1, len(self.locations))):
            place, level = entry.get("location_id"), entry.get("stock")
            if self.locations and place is None:
                refuse("error_auth", "Lack of location_id")
            if not self.locations and place is not None:
                refuse("error_auth", "You do not have right to use seller location_id")
            if self.locations and place not in self.locations:
                refuse("error_param", "Wrong location_id.")
            if type(level) is not int or not 0 <= level <= STOCK_MAX:
                refuse("error_param", f"stock must be a number from 0 to {STOCK_MAX}")
            levels[place or ""] = level
        return levels

    def _stock_failure(self, product: Product, levels: Mapping[str, int]) -> str:
        if product.extra.get("locked"):
            return "Stock cannot be edited during the promotion."
        total = sum({**product.shown, **levels}.values())
        if self.switches["reserved_stock"] == "inside" and total < product.extra["reserved"]:
            return BELOW_RESERVED
        return ""

    def _set_level(self, product: Product, place: str, level: int) -> None:
        before, product.shown[place] = product.shown[place], level
        self.record(
            Event.LEVEL_SET,
            remote_key=product.remote_key,
            location=place,
            seller_sku=product.seller_sku,
            level=level,
            before=before,
        )


def _item_status(models: list[Product]) -> str:
    return "NORMAL" if any(product.active for product in models) else "UNLIST"
