"""The wire: one method an endpoint, in Shopee's own names, with its limits.

Paths, parameters and limits: Shopee Open Platform API reference (2026-08) unless a line says otherwise. Success is an empty `error`,
whatever the HTTP status.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeVar

import httpx

from sellersync.connector.contract import Token, TokenSource
from sellersync.connector.http import Reply, Wire, with_token
from sellersync.domain.errors import AuthNeeded, RejectClass, Rejected, Temporary, TokenDead, Uncertain, Unrecognised

from .auth import CONSENT_TODO, sign_shop
from .calls import Answer, Call, Json, Query
from .refusals import (
    CONFIGURATION_TODO,
    CONFIGURATION_TODO_DEFAULT,
    DOCUMENT_RULES,
    OPTIONAL_RULES,
    ORDER_RULES,
    PAYMENT_RULES,
    RETURN_RULES,
    SHIP_RULES,
    STOCK_RULES,
    Refusal,
    Verdict,
    quota_wait_s,
    read_refusal,
)
from .settings import ShopeeSettings

T = TypeVar("T")

ORDER_PAGE_SIZE_MAX = 100
ORDER_WINDOW_S_MAX = 15 * 86_400
ORDER_DETAIL_IDS_MAX = 50
PACKAGE_DETAIL_IDS_MAX = 50
TRACKING_PACKAGES_MAX = 50
ITEM_PAGE_SIZE_MAX = 100
ITEM_BASE_IDS_MAX = 50
STOCK_MODELS_MAX = 50
RETURN_PAGE_SIZE_MAX = 100
RETURN_WINDOW_S_MAX = 15 * 86_400
ESCROW_PAGE_SIZE_MAX = 100
ESCROW_WINDOW_S_MAX = 86_400
"""No limit is documented; a day keeps pages few."""
ESCROW_DETAIL_IDS_MAX = 20
"""50 are allowed, 1 to 20 advised."""

ORDER_FIELDS = (
    "buyer_username,estimated_shipping_fee,recipient_address,item_list,pay_time,split_up,buyer_cancel_reason,cancel_by,"
    "cancel_reason,fulfillment_flag,pickup_done_time,package_list,shipping_carrier,payment_method,total_amount"
)


class ShopeeApi:
    """Signed shop calls. Every method makes one call (and one more with a renewed token)."""

    def __init__(self, settings: ShopeeSettings, wire: Wire, tokens: TokenSource) -> None:
        self._settings = settings
        self._wire = wire
        self._tokens = tokens

    # -- shop

    async def get_shop_info(self) -> Answer:
        return await self._run(Call("GET", "/api/v2/shop/get_shop_info"))

    async def get_shop_holiday_mode(self) -> Answer:
        return await self._run(Call("GET", "/api/v2/shop/get_shop_holiday_mode", rules=OPTIONAL_RULES))

    async def get_warehouse_detail(self) -> Answer:
        """Single-location shops are refused with `warehouse.error_not_in_whitelist`: the answer is given back unread."""
        return await self._run(
            Call(
                "GET",
                "/api/v2/shop/get_warehouse_detail",
                readable_refusals=frozenset({"error_not_in_whitelist"}),
            )
        )

    # -- orders

    async def get_order_list(self, *, time_from: int, time_to: int, cursor: str, field: str = "update_time") -> Answer:
        """One page by `field` (`update_time` or `create_time`), ends included; at most 15 days and 100 rows."""
        query: Query = [
            ("time_range_field", field),
            ("time_from", time_from),
            ("time_to", time_to),
            ("page_size", ORDER_PAGE_SIZE_MAX),
            ("request_order_status_pending", "true"),
        ]
        if cursor:
            query.append(("cursor", cursor))
        return await self._run(Call("GET", "/api/v2/order/get_order_list", query, rules=ORDER_RULES, item="order list"))

    async def get_order_detail(self, order_sns: Sequence[str]) -> Answer:
        query: Query = [
            ("order_sn_list", ",".join(order_sns)),
            ("response_optional_fields", ORDER_FIELDS),
            ("request_order_status_pending", "true"),
        ]
        item = order_sns[0] if len(order_sns) == 1 else f"{len(order_sns)} orders"
        return await self._run(Call("GET", "/api/v2/order/get_order_detail", query, rules=ORDER_RULES, item=item))

    async def get_package_detail(self, package_numbers: Sequence[str]) -> Answer:
        query: Query = [("package_number_list", ",".join(package_numbers))]
        item = package_numbers[0] if len(package_numbers) == 1 else f"{len(package_numbers)} packages"
        return await self._run(Call("GET", "/api/v2/order/get_package_detail", query, rules=ORDER_RULES, item=item))

    async def handle_buyer_cancellation(self, order_sn: str, operation: str) -> Answer:
        return await self._run(
            Call(
                "POST",
                "/api/v2/order/handle_buyer_cancellation",
                body={"order_sn": order_sn, "operation": operation},
                rules=ORDER_RULES,
                item=order_sn,
                reference=order_sn,
                fresh=True,
            )
        )

    # -- products

    async def get_item_list(self, *, offset: int, statuses: Sequence[str]) -> Answer:
        query: Query = [("offset", offset), ("page_size", ITEM_PAGE_SIZE_MAX)]
        query += [("item_status", status) for status in statuses]
        return await self._run(Call("GET", "/api/v2/product/get_item_list", query, item="item list"))

    async def get_item_base_info(self, item_ids: Sequence[int]) -> Answer:
        query: Query = [("item_id_list", ",".join(map(str, item_ids)))]
        item = str(item_ids[0]) if len(item_ids) == 1 else f"{len(item_ids)} items"
        return await self._run(Call("GET", "/api/v2/product/get_item_base_info", query, rules=STOCK_RULES, item=item))

    async def get_model_list(self, item_id: int) -> Answer:
        query: Query = [("item_id", item_id)]
        return await self._run(
            Call("GET", "/api/v2/product/get_model_list", query, rules=STOCK_RULES, item=str(item_id))
        )

    async def update_stock(self, item_id: int, stock_list: Sequence[Json]) -> Answer:
        """Absolute numbers. A partly or wholly failed call still carries `failure_list`."""
        return await self._run(
            Call(
                "POST",
                "/api/v2/product/update_stock",
                body={"item_id": item_id, "stock_list": list(stock_list)},
                rules=STOCK_RULES,
                item=str(item_id),
                reference=f"stock of item {item_id}",
                readable_refusals=frozenset({"error_busi_update_stock_failed"}),
            )
        )

    # -- logistics

    async def get_shipping_parameter(self, order_sn: str, package_number: str) -> Answer:
        query: Query = [("order_sn", order_sn)]
        if package_number:
            query.append(("package_number", package_number))
        return await self._run(
            Call("GET", "/api/v2/logistics/get_shipping_parameter", query, rules=SHIP_RULES, item=order_sn)
        )

    async def ship(self, endpoint: str, body: Mapping[str, Any], *, reference: str) -> Answer:
        """`ship_order` or `update_shipping_order`: sent once, on a connection of its own."""
        return await self._run(
            Call(
                "POST",
                f"/api/v2/logistics/{endpoint}",
                body=body,
                rules=SHIP_RULES,
                item=str(body.get("order_sn")),
                reference=reference,
                fresh=True,
            )
        )

    async def get_mass_tracking_number(self, package_numbers: Sequence[str]) -> Answer:
        body = {"package_list": [{"package_number": number} for number in package_numbers]}
        return await self._run(
            Call("POST", "/api/v2/logistics/get_mass_tracking_number", body=body, rules=SHIP_RULES, item="tracking")
        )

    async def create_shipping_document(self, row: Json) -> Answer:
        return await self._document("create_shipping_document", {"order_list": [row]}, str(row.get("order_sn")))

    async def get_shipping_document_result(self, row: Json) -> Answer:
        return await self._document("get_shipping_document_result", {"order_list": [row]}, str(row.get("order_sn")))

    async def download_shipping_document(self, row: Json, document_type: str) -> tuple[bytes, str]:
        """The file and its media type."""
        body: Json = {"order_list": [row]}
        if document_type:
            body["shipping_document_type"] = document_type
        call = Call(
            "POST",
            "/api/v2/logistics/download_shipping_document",
            body=body,
            rules=DOCUMENT_RULES,
            item=str(row.get("order_sn")),
        )

        def check(reply: Reply) -> tuple[bytes, str]:
            media_type = reply.headers.get("content-type", "").partition(";")[0].strip()
            if reply.body.lstrip()[:1] == b"{" or "json" in media_type:
                self._open(reply, call)
                raise Unrecognised(f"{call.what}: an envelope instead of a file", reply.text(200))
            if reply.status != 200 or not reply.body:
                raise Temporary(f"{call.what}: HTTP {reply.status} without a file")
            return reply.body, media_type

        return await self._with_token(call, check)

    # -- returns

    async def get_return_list(self, *, page_no: int, update_time_from: int, update_time_to: int) -> Answer:
        query: Query = [
            ("page_no", page_no),
            ("page_size", RETURN_PAGE_SIZE_MAX),
            ("update_time_from", update_time_from),
            ("update_time_to", update_time_to),
        ]
        call = Call(
            "GET", "/api/v2/returns/get_return_list", query, rules=RETURN_RULES, item="return list", loose_success=True
        )
        return await self._run(call)

    # -- payments

    async def get_escrow_list(self, *, page_no: int, release_time_from: int, release_time_to: int) -> Answer:
        """Orders whose money was released; pages count from 1."""
        query: Query = [
            ("release_time_from", release_time_from),
            ("release_time_to", release_time_to),
            ("page_size", ESCROW_PAGE_SIZE_MAX),
            ("page_no", page_no),
        ]
        return await self._run(
            Call("GET", "/api/v2/payment/get_escrow_list", query, rules=PAYMENT_RULES, item="escrow list")
        )

    async def get_escrow_detail_batch(self, order_sns: Sequence[str]) -> Answer:
        """A read, although it is posted (API reference, 2026); its `response` is a list."""
        item = order_sns[0] if len(order_sns) == 1 else f"{len(order_sns)} orders"
        path = "/api/v2/payment/get_escrow_detail_batch"
        return await self._run(
            Call("POST", path, body={"order_sn_list": list(order_sns)}, rules=PAYMENT_RULES, item=item)
        )

    # -- inside

    async def _document(self, endpoint: str, body: Json, order_sn: str) -> Answer:
        """Document calls are safe to repeat: one task for each (order, package, type)."""
        return await self._run(
            Call(
                "POST",
                f"/api/v2/logistics/{endpoint}",
                body=body,
                rules=DOCUMENT_RULES,
                item=order_sn,
                readable_refusals=frozenset({"batch_api_all_failed"}),
            )
        )

    async def _run(self, call: Call) -> Answer:
        return await self._with_token(call, lambda reply: self._open(reply, call))

    async def _with_token(self, call: Call, check: Callable[[Reply], T]) -> T:
        def send(token: Token) -> Awaitable[T]:
            def make(now: datetime) -> httpx.Request:
                return self._request(call, token, now)

            if call.reference is None:
                return self._wire.read(make, check, what=call.what)
            return self._wire.write(make, check, what=call.what, reference=call.reference, fresh=call.fresh)

        return await with_token(self._tokens, send)

    def _request(self, call: Call, token: Token, now: datetime) -> httpx.Request:
        settings, timestamp = self._settings, int(now.timestamp())
        key = settings.partner_key.get_secret_value()
        shop_id = settings.remote_shop_id
        query: Query = [
            ("partner_id", settings.partner_id),
            ("timestamp", timestamp),
            ("access_token", token.access),
            ("shop_id", shop_id),
            ("sign", sign_shop(key, settings.partner_id, call.path, timestamp, token.access, shop_id)),
            *call.query,
        ]
        return httpx.Request(call.method, settings.base_url + call.path, params=query, json=call.body)

    def _open(self, reply: Reply, call: Call) -> Answer:
        """The envelope of a reply, or the error that its code means."""
        try:
            payload = reply.json()
        except Unrecognised as unreadable:
            if call.reference is None:  # an HTML page of the edge, a cut body: the same read may work later
                raise Temporary(f"{call.what}: {unreadable.what}") from None
            raise
        if not isinstance(payload, dict) or not isinstance(payload.get("error", None), str):
            if reply.status >= 500 and call.reference is None:
                raise Temporary(f"{call.what}: HTTP {reply.status}")
            raise Unrecognised(f"{call.what}: HTTP {reply.status} without an envelope", reply.text(200))
        refusal = Refusal(payload["error"].strip(), self._wire.redact(str(payload.get("message") or "")))
        succeeded = not refusal.code or (call.loose_success and refusal.code == "-")
        if not succeeded and refusal.bare not in call.readable_refusals:
            self._refuse(refusal, call, reply)
        return Answer(payload, reply.provider_now, reply.started_at)

    def _refuse(self, refusal: Refusal, call: Call, reply: Reply) -> NoReturn:
        reading = read_refusal(refusal, call.rules)
        why = f"{call.what}: {refusal.code}"
        if isinstance(reading, RejectClass):
            raise Rejected(call.item, refusal.message or refusal.code, reading, code=refusal.code)
        match reading:
            case Verdict.TOKEN_DEAD:
                raise TokenDead(why)
            case Verdict.CONSENT:
                raise AuthNeeded(why, todo=CONSENT_TODO)
            case Verdict.CONFIGURATION:
                raise AuthNeeded(why, todo=CONFIGURATION_TODO.get(refusal.bare, CONFIGURATION_TODO_DEFAULT))
            case Verdict.STALE_CLOCK:
                raise Temporary(f"{why}: our clock is off; it is corrected by this answer")
            case Verdict.TOO_FAST:
                raise self._wire.rate_limited(why)
            case Verdict.QUOTA:
                raise self._wire.rate_limited(f"{why}: daily quota of the app", quota_wait_s(reply.provider_now))
            case Verdict.ALREADY_DONE:
                raise Rejected(call.item, refusal.message, RejectClass.ALREADY_DONE, code=refusal.code)
            case Verdict.TROUBLE if call.reference is None:
                raise Temporary(why)
            case Verdict.TROUBLE:
                raise Uncertain(call.reference or call.item, why)
            case _:
                raise Unrecognised(why, refusal.message)
