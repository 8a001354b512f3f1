"""The wire: one method an endpoint, the platform's own names and paths (Lazada Open Platform API reference, 2026).

Two envelopes exist: read calls answer `{"code": "0", "data": ...}`, fulfilment and reverse calls `{"code": "0", "result": {"success":
..., "data": ...}}`. Errors come with HTTP 200, so only `code == "0"` is success, and `result.success` says nothing about single rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

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
    NO_PERMISSION,
    OWN_REFUSALS,
    REJECTIONS,
    SELLER_MUST_ACT,
    STOCK_REFUSALS,
    SWITCHED_OFF,
    TOKEN_DEAD,
    TRANSIENT,
)
from .envelope import Answer, ban_s, parse, refuse_result, result_data
from .values import first, mapping_of, rows_of, text, whole

if TYPE_CHECKING:
    from . import LazadaSettings

ORDERS_PAGE_SIZE_MAX = 100
ORDERS_OFFSET_MAX = 5000
ORDER_ITEMS_BATCH_MAX = 50
PRODUCTS_PAGE_SIZE_MAX = 50
PRODUCTS_OFFSET_MAX = 10_000
STOCK_SKUS_MAX = 50
STOCK_SKUS_ADVISED = 20
RETURNS_PAGE_SIZE = 10  # the documented default; the largest legal size is not documented
FINANCE_PAGE_SIZE_MAX = 500
FINANCE_SPAN_DAYS_MAX = 180
SWITCHED_OFF_WAIT = timedelta(hours=1)


class LazadaApi:
    """One seller's view of the platform. Every method raises the errors of `sellersync.domain.errors`."""

    def __init__(self, context: Context, settings: LazadaSettings) -> None:
        self._context = context
        self._settings = settings

    # -- seller

    async def seller_get(self) -> Mapping[str, Any]:
        """`/seller/get`: seller_id, name, status, verified."""
        return mapping_of((await self._read("GET", "/seller/get", {})).data, where="/seller/get data")

    async def warehouse_get(self) -> list[Mapping[str, Any]]:
        """`/seller/warehouse/get`: code, name, defaultAddress, status; more than one row makes a multi-warehouse seller.

        Raises `Rejected` when the platform does not tell, also for want of a permission: orders must go on without it.
        """
        path = "/seller/warehouse/get"
        answer = await self._read("GET", path, {"addressTypes": '["warehouse"]'}, accept=OWN_REFUSALS)
        if answer.code != "0":
            raise Rejected(path, self._context.wire.redact(answer.message) or "no reason given", code=answer.code)
        refuse_result(answer.result, path)
        return rows_of(answer.result.get("module"), where=f"{path} module")

    # -- orders

    async def orders_get(
        self, *, after: str, before: str, offset: int, created: bool = False
    ) -> tuple[list[Mapping[str, Any]], int | None, Reply]:
        """`/orders/get` by update time, or by the time at which orders were `created`, ascending; both bounds are inclusive. Gives
        rows, `countTotal` and the reply."""
        field = "created" if created else "update"
        parameters = {
            f"{field}_after": after,
            "sort_by": "created_at" if created else "updated_at",
            "sort_direction": "ASC",
            "offset": str(offset),
            "limit": str(ORDERS_PAGE_SIZE_MAX),
        }
        if before:
            parameters[f"{field}_before"] = before
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

    async def sellable_update(self, skus: Sequence[tuple[str, str, Mapping[str, int]]]) -> Answer:
        """`/product/stock/sellable/update` for (item id, sku id, warehouse code -> sellable quantity) rows; absolute, no echo per SKU.

        The only code "" stands for the form of sellers with one warehouse, which must not use the other. Gives the answer for success
        and for every code in `STOCK_REFUSALS`; raises for all others.
        """
        assert len(skus) <= STOCK_SKUS_MAX
        rows = "".join(
            f"<Sku><ItemId>{item}</ItemId><SkuId>{sku}</SkuId>{_quantities(numbers)}</Sku>"
            for item, sku, numbers in skus
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
        return text(result_data(answer, path).get("pdf_url"))

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

    # -- cancellations and returns

    async def reverse_orders(
        self, *, modified_from_ms: int, modified_to_ms: int, page_no: int, request_type: str = ""
    ) -> tuple[list[Mapping[str, Any]], int, Reply]:
        """`/reverse/getreverseordersforseller` by modification time; gives rows, the total and the reply."""
        bounds = {
            "page_no": str(page_no),
            "page_size": str(RETURNS_PAGE_SIZE),
            "ReverseOrderLineModifiedTimeRangeStart": str(modified_from_ms),
            "ReverseOrderLineModifiedTimeRangeEnd": str(modified_to_ms),
        }
        return await self._reverse_orders(
            bounds | ({"request_type_list": _json([request_type])} if request_type else {})
        )

    async def reverse_order(self, reverse_order_id: str) -> Mapping[str, Any] | None:
        """One reverse order by its id; `None` when the platform does not show it."""
        rows, _, _ = await self._reverse_orders(
            {"page_no": "1", "page_size": str(RETURNS_PAGE_SIZE), "reverse_order_id": reverse_order_id}
        )
        return next((row for row in rows if text(row.get("reverse_order_id")) == reverse_order_id), None)

    async def cancel_decide(self, reverse_order_id: str, *, agree: bool, reference: str) -> Answer:
        """`/order/reverse/cancel/seller/decide`: the seller's answer to a buyer's request; a GET that changes state."""
        business = {"reverse_order_id": reverse_order_id, "agree_cancel": "true" if agree else "false"}
        return await self._write(
            "/order/reverse/cancel/seller/decide", business, method="GET", reference=reference, fresh=True
        )

    async def _reverse_orders(self, business: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], int, Reply]:
        path = "/reverse/getreverseordersforseller"
        answer = await self._read("GET", path, business)
        refuse_result(answer.result, path)
        total = whole(answer.result.get("total") or 0, where="total")
        return rows_of(answer.result.get("items"), where="items"), total, answer.reply

    # -- finance

    async def transaction_details(
        self, *, first_day: date, last_day: date, offset: int
    ) -> tuple[list[Mapping[str, Any]], Reply]:
        """`/finance/transaction/details/get`, 500 rows a page. In which zone the days are meant, and whether the last one belongs to
        them, is not documented. Raises `Rejected` NOT_SUPPORTED when the app lacks the finance permission."""
        assert (last_day - first_day).days < FINANCE_SPAN_DAYS_MAX
        path = "/finance/transaction/details/get"
        parameters = {
            "start_time": first_day.isoformat(),
            "end_time": last_day.isoformat(),
            "trans_type": "-1",  # as the reference's sample; its meaning is not documented
            "limit": str(FINANCE_PAGE_SIZE_MAX),
            "offset": str(offset),
        }
        answer = await self._read("GET", path, parameters, accept=NO_PERMISSION)
        if answer.code != "0":
            raise Rejected(path, "the app may not read finance", RejectClass.NOT_SUPPORTED, code=answer.code)
        if not isinstance(answer.data, list):
            raise Unrecognised(f"{path}: a list of bookings was expected", repr(answer.data))
        return rows_of(answer.data, where=f"{path} data"), answer.reply

    # -- inside

    async def _read(
        self, method: str, path: str, business: Mapping[str, str], *, accept: Container[str] = ()
    ) -> Answer:
        async def call(token: Token) -> Answer:
            make, check = self._errand(method, path, business, token, read=True, accept=accept)
            return await self._context.wire.read(make, check, what=path)

        return await with_token(self._context.tokens, call)

    async def _write(
        self,
        path: str,
        business: Mapping[str, str],
        *,
        reference: str,
        method: str = "POST",
        accept: Container[str] = (),
        fresh: bool = False,
    ) -> Answer:
        async def call(token: Token) -> Answer:
            make, check = self._errand(method, path, business, token, read=False, accept=accept)
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
            return rows(result_data(answer, path))
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
        accept: Container[str],
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
            answer = parse(reply, path, read=read)
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
            return self._context.wire.rate_limited(f"{path}: {code}", ban_s(why))
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


def _quantities(numbers: Mapping[str, int]) -> str:
    if set(numbers) == {""}:
        return f"<SellableQuantity>{numbers['']}</SellableQuantity>"
    inventories = "".join(
        f"<MultiWarehouseInventory><WarehouseCode>{escape(code)}</WarehouseCode>"
        f"<SellableQuantity>{quantity}</SellableQuantity></MultiWarehouseInventory>"
        for code, quantity in numbers.items()
    )
    return f"<MultiWarehouseInventories>{inventories}</MultiWarehouseInventories>"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
