"""The wire: one method an endpoint, the platform's own names and paths (Lazada Open Platform API reference, 2026).

Two envelopes exist: read calls answer `{"code": "0", "data": ...}`, fulfilment and reverse calls `{"code": "0", "result": {"success":
..., "data": ...}}`. Errors come with HTTP 200, so only `code == "0"` is success, and `result.success` says nothing about single rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx

from sellersync.connector.contract import Context, Token
from sellersync.connector.http import Reply, with_token
from sellersync.domain.errors import (
    AuthNeeded,
    RateLimited,
    RejectClass,
    Rejected,
    SellersyncError,
    Temporary,
    TokenDead,
    Uncertain,
    Unrecognised,
)

from .auth import clock_was_off, signed_request
from .codes import (
    CALL_LIMITS,
    REJECTIONS,
    ROW_BUSY,
    ROW_DONE,
    ROW_REFUSALS,
    SELLER_MUST_ACT,
    STOCK_REFUSALS,
    SWITCHED_OFF,
    TOKEN_DEAD,
    TRANSIENT,
)
from .values import first, mapping_of, rows_of, text, truth, whole

if TYPE_CHECKING:
    from . import LazadaSettings

T = TypeVar("T")

ORDERS_PAGE_SIZE_MAX = 100
ORDERS_OFFSET_MAX = 5000
ORDER_ITEMS_BATCH_MAX = 50
PRODUCTS_PAGE_SIZE_MAX = 50
PRODUCTS_OFFSET_MAX = 10_000
STOCK_SKUS_MAX = 50
STOCK_SKUS_ADVISED = 20
RETURNS_PAGE_SIZE = 10  # the documented default; the largest legal size is not documented
SWITCHED_OFF_WAIT = timedelta(hours=1)
CALL_LIMIT_WAIT_S = 3.0
BAN_WAIT_S_MIN = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed envelope: `body` is the whole JSON object."""

    body: Mapping[str, Any]
    reply: Reply

    @property
    def code(self) -> str:
        return text(self.body.get("code"))

    @property
    def message(self) -> str:
        return text(self.body.get("message"))

    @property
    def data(self) -> Any:
        return self.body.get("data")

    @property
    def result(self) -> Mapping[str, Any]:
        return mapping_of(self.body.get("result"), where="result")


class LazadaApi:
    """One seller's view of the platform. Every method raises the errors of `sellersync.domain.errors`."""

    def __init__(self, context: Context, settings: LazadaSettings) -> None:
        self._context = context
        self._settings = settings

    # -- seller

    async def seller_get(self) -> Mapping[str, Any]:
        """`/seller/get`: seller_id, name, status, verified."""
        return mapping_of((await self._read("GET", "/seller/get", {})).data, where="/seller/get data")

    # -- orders

    async def orders_get(
        self, *, update_after: str, update_before: str, offset: int
    ) -> tuple[list[Mapping[str, Any]], int | None, Reply]:
        """`/orders/get` by update time, ascending; both bounds are inclusive. Gives rows, `countTotal` and the reply."""
        parameters = {
            "update_after": update_after,
            "sort_by": "updated_at",
            "sort_direction": "ASC",
            "offset": str(offset),
            "limit": str(ORDERS_PAGE_SIZE_MAX),
        }
        if update_before:
            parameters["update_before"] = update_before
        answer = await self._read("GET", "/orders/get", parameters)
        data = mapping_of(answer.data, where="/orders/get data")
        total = first(data, "countTotal")
        if not isinstance(data.get("orders"), list):
            raise Unrecognised("/orders/get: a list of orders was expected", f"keys {sorted(data)}")
        rows = rows_of(data.get("orders"), where="/orders/get orders")
        return rows, None if total is None else whole(total, where="countTotal"), answer.reply

    async def order_get(self, order_id: str) -> tuple[Mapping[str, Any], Reply]:
        """`/order/get`. Raises `Rejected` UNKNOWN_ORDER (code 16)."""
        answer = await self._read("GET", "/order/get", {"order_id": order_id})
        return mapping_of(answer.data, where="/order/get data"), answer.reply

    async def order_items_get(self, order_id: str) -> list[Mapping[str, Any]]:
        """`/order/items/get`: one row per unit."""
        answer = await self._read("GET", "/order/items/get", {"order_id": order_id})
        return rows_of(answer.data, where="/order/items/get data")

    async def orders_items_get(self, order_ids: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
        """`/orders/items/get` for at most 50 orders: order id -> item rows. One wrong id refuses the whole call (code 37)."""
        assert len(order_ids) <= ORDER_ITEMS_BATCH_MAX
        answer = await self._read("GET", "/orders/items/get", {"order_ids": "[" + ",".join(order_ids) + "]"})
        rows = rows_of(answer.data, where="/orders/items/get data")
        return {text(row.get("order_id")): rows_of(row.get("order_items"), where="order_items") for row in rows}

    # -- products and stock

    async def products_get(self, *, offset: int) -> tuple[list[Mapping[str, Any]], int]:
        """`/products/get`, all states, 50 a page; gives products and the total number of products."""
        parameters = {"filter": "all", "offset": str(offset), "limit": str(PRODUCTS_PAGE_SIZE_MAX), "options": "1"}
        data = mapping_of((await self._read("GET", "/products/get", parameters)).data, where="/products/get data")
        total = whole(data.get("total_products") or 0, where="total_products")
        return rows_of(data.get("products"), where="/products/get products"), total

    async def product_item_get(self, item_id: str) -> tuple[Mapping[str, Any], Reply]:
        """`/product/item/get`. Raises `Rejected` UNKNOWN_LISTING."""
        answer = await self._read("GET", "/product/item/get", {"item_id": item_id})
        data = mapping_of(answer.data, where="/product/item/get data")
        return (data["item"] if isinstance(data.get("item"), dict) else data), answer.reply

    async def sellable_update(self, skus: Sequence[tuple[str, str, int]]) -> Answer:
        """`/product/stock/sellable/update` for (item id, sku id, sellable quantity) rows; absolute, no echo per SKU.

        Gives the answer for success and for every code in `STOCK_REFUSALS`; raises for all others.
        """
        assert len(skus) <= STOCK_SKUS_MAX
        rows = "".join(
            f"<Sku><ItemId>{item}</ItemId><SkuId>{sku}</SkuId><SellableQuantity>{quantity}</SellableQuantity></Sku>"
            for item, sku, quantity in skus
        )
        payload = f"<Request><Product><Skus>{rows}</Skus></Product></Request>"
        return await self._write(
            "/product/stock/sellable/update",
            {"payload": payload},
            reference="sellable/update",
            accept=frozenset(STOCK_REFUSALS),
        )

    # -- fulfilment

    async def pack(self, order_id: str, item_ids: Sequence[str], *, reference: str) -> list[Mapping[str, Any]]:
        """`/order/fulfill/pack` for items of one order; gives the item rows, each with its own `item_err_code`."""
        request = {
            "pack_order_list": [{"order_id": int(order_id), "order_item_list": [int(item) for item in item_ids]}],
            "delivery_type": "dropship",
            "shipping_allocate_type": "TFS",
        }
        return await self._fulfil("/order/fulfill/pack", {"packReq": _json(request)}, _packed_rows, reference=reference)

    async def ready_to_ship(self, package_id: str, *, reference: str) -> list[Mapping[str, Any]]:
        """`/order/package/rts` for one package; gives the package rows, each with its own `item_err_code`."""
        request = {"packages": [{"package_id": package_id}]}
        return await self._fulfil(
            "/order/package/rts", {"readyToShipReq": _json(request)}, _package_rows, reference=reference
        )

    async def print_awb(self, package_id: str) -> str:
        """`/order/package/document/get` (PrintAWB) in PDF mode: the link, which lives ten minutes."""
        request = {"doc_type": "PDF", "print_item_list": True, "packages": [{"package_id": package_id}]}
        path = "/order/package/document/get"
        answer = await self._read("POST", path, {"getDocumentReq": _json(request)})
        return text(_result_data(answer, path).get("pdf_url"))

    async def download(self, url: str) -> bytes:
        """Fetch a label link without credentials. The link is a secret for its ten minutes and stays out of every error."""
        absolute = urljoin(self._settings.base_url, url)
        scheme, host = urlsplit(absolute)[:2]
        if scheme != "https" and host != urlsplit(self._settings.base_url)[1]:
            raise Rejected("label", "the platform gave a link that is not https", RejectClass.BAD_DATA)

        def check(reply: Reply) -> bytes:
            if reply.status != 200:
                raise Temporary(f"label download: HTTP {reply.status}")
            return reply.body

        return await self._context.wire.read(lambda now: httpx.Request("GET", absolute), check, what="label download")

    # -- returns

    async def reverse_orders(
        self, *, modified_from_ms: int, modified_to_ms: int, page_no: int
    ) -> tuple[list[Mapping[str, Any]], int, Reply]:
        """`/reverse/getreverseordersforseller` by modification time; gives rows, the total and the reply."""
        path = "/reverse/getreverseordersforseller"
        parameters = {
            "page_no": str(page_no),
            "page_size": str(RETURNS_PAGE_SIZE),
            "ReverseOrderLineModifiedTimeRangeStart": str(modified_from_ms),
            "ReverseOrderLineModifiedTimeRangeEnd": str(modified_to_ms),
        }
        answer = await self._read("GET", path, parameters)
        _refuse_result(answer.result, path)
        total = whole(answer.result.get("total") or 0, where="total")
        return rows_of(answer.result.get("items"), where="items"), total, answer.reply

    # -- inside

    async def _read(self, method: str, path: str, business: Mapping[str, str]) -> Answer:
        async def call(token: Token) -> Answer:
            make, check = self._errand(method, path, business, token, read=True, accept=frozenset())
            return await self._context.wire.read(make, check, what=path)

        return await with_token(self._context.tokens, call)

    async def _write(
        self,
        path: str,
        business: Mapping[str, str],
        *,
        reference: str,
        accept: frozenset[str] = frozenset(),
        fresh: bool = False,
    ) -> Answer:
        async def call(token: Token) -> Answer:
            make, check = self._errand("POST", path, business, token, read=False, accept=accept)
            return await self._context.wire.write(make, check, what=path, reference=reference, fresh=fresh)

        return await with_token(self._context.tokens, call)

    async def _fulfil(
        self,
        path: str,
        business: Mapping[str, str],
        rows: Callable[[Mapping[str, Any]], list[Mapping[str, Any]]],
        *,
        reference: str,
    ) -> list[Mapping[str, Any]]:
        """Send a fulfilment step and read its rows; an answer that does not say what became of it is `Uncertain`."""
        answer = await self._write(path, business, reference=reference, fresh=True)
        try:
            if not text(answer.result.get("success")):
                raise Unrecognised("the answer does not say whether it succeeded", f"keys {sorted(answer.result)}")
            return rows(_result_data(answer, path))
        except Unrecognised as unreadable:
            raise Uncertain(reference, f"{path}: unreadable answer: {unreadable}") from None

    def _errand(
        self,
        method: str,
        path: str,
        business: Mapping[str, str],
        token: Token,
        *,
        read: bool,
        accept: frozenset[str],
    ) -> tuple[Callable[[datetime], httpx.Request], Callable[[Reply], Answer]]:
        settings = self._settings
        signed_at: list[datetime] = []

        def make(now: datetime) -> httpx.Request:
            signed_at.append(now)
            return signed_request(
                method,
                settings.base_url,
                path,
                business,
                app_key=settings.app_key,
                secret=settings.app_secret.get_secret_value(),
                now=now,
                access_token=token.access,
            )

        def check(reply: Reply) -> Answer:
            answer = _parse(reply, path, read=read)
            if answer.code == "0" or answer.code in accept:
                return answer
            if answer.code == "IncompleteSignature" and clock_was_off(signed_at[-1], reply):
                raise Temporary(f"{path}: our clock was off; corrected by the platform's")
            raise self._refusal(answer, path, read=read)

        return make, check

    def _refusal(self, answer: Answer, path: str, *, read: bool) -> SellersyncError:
        """The error for an envelope whose code is not success."""
        redact = self._context.wire.redact  # a proxy's page may repeat our request
        code, why = redact(answer.code), redact(answer.message) or "no reason given"
        if code in TOKEN_DEAD:
            return TokenDead(f"{path}: {code}")
        if code in SELLER_MUST_ACT:
            return AuthNeeded(f"Lazada refuses {path} ({code})", todo=SELLER_MUST_ACT[code])
        if code in CALL_LIMITS:
            return self._context.wire.rate_limited(f"{path}: {code}", _ban_s(why))
        if code == SWITCHED_OFF:
            until = self._context.clock.now() + SWITCHED_OFF_WAIT
            return RateLimited(f"{path}: switched off during a campaign", until=until)
        if code in TRANSIENT:
            return Temporary(f"{path}: {code} {why}") if read else Unrecognised(f"{path}: code {code}", why)
        if code in REJECTIONS:
            return Rejected(path, why, REJECTIONS[code], code=code)
        # A code that the reference does not list: a read changed nothing and may recover, a write must be settled by reading.
        return (
            Temporary(f"{path}: unknown code {code!r}: {why}") if read else Unrecognised(f"{path}: code {code!r}", why)
        )


def _packed_rows(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    orders = rows_of(data.get("pack_order_list"), where="pack_order_list")
    return [row for order in orders for row in rows_of(order.get("order_item_list"), where="order_item_list")]


def _package_rows(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return rows_of(data.get("packages"), where="packages")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _parse(reply: Reply, path: str, *, read: bool) -> Answer:
    """The envelope of an answer. A read without one (blocked, cut, empty) is `Temporary`, a write `Unrecognised`."""
    try:
        return Answer(mapping_of(reply.json(), where=path), reply)
    except Unrecognised as unreadable:
        if read:
            raise Temporary(f"{path}: {unreadable.what}, no answer of the platform's") from None
        raise


def _ban_s(message: str) -> float:
    """How long a throttle lasts: "this ban will last 3 seconds" when it says so."""
    found = re.search(r"last (\d+) second", message)
    return max(float(found.group(1)), BAN_WAIT_S_MIN) if found else CALL_LIMIT_WAIT_S


def _result_data(answer: Answer, path: str) -> Mapping[str, Any]:
    _refuse_result(answer.result, path)
    return mapping_of(answer.result.get("data"), where=f"{path} result.data")


def _refuse_result(result: Mapping[str, Any], path: str) -> None:
    """`success: false` means that the whole call failed; both spellings of its code are documented."""
    if truth(result.get("success")):
        return
    code = text(first(result, "error_code", "errorCode"))
    why = text(first(result, "error_msg", "errorMsg")) or "no reason given"
    raise row_refusal(path, code, why, retry=False)


def row_refusal(item: str, code: str, why: str, *, retry: bool) -> SellersyncError:
    """The error for a refused row of a fulfilment call (`item_err_code`, `msg`, `retry`): this row was certainly not done."""
    if code in ROW_BUSY or (retry and code not in ROW_DONE):
        return Temporary(f"{item}: {why} [{code}]")
    return Rejected(item, why, ROW_REFUSALS.get(code, RejectClass.OTHER), code=code)
