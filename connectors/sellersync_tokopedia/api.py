"""The wire of the TikTok Shop Open API: one method an endpoint, the provider's own names and paths.

The version is part of each path and fixed per endpoint (Partner Center documents, 2026-10). Success is `code == 0` whatever the HTTP
status; `data` may be absent, null or {}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from sellersync.connector.contract import Token, TokenSource
from sellersync.connector.http import Reply, Wire, with_token
from sellersync.domain.errors import AuthNeeded, RejectClass, Rejected, Temporary, TokenDead, Uncertain, Unrecognised

from . import codes
from .auth import LOGIN_AGAIN, sign

if TYPE_CHECKING:
    from .settings import TokopediaSettings

ORDER_PAGE_SIZE_MAX = 100
ORDER_IDS_MAX = 50
PRODUCT_PAGE_SIZE_MAX = 100
INVENTORY_SKUS_MAX = 600
UPDATE_SKUS_MAX = 100
AFTERSALES_PAGE_SIZE_MAX = 50
CANCELLATION_ORDERS_MAX = 50
STATEMENT_PAGE_SIZE_MAX = 100
QUANTITY_MAX = 99_999
IDEMPOTENCY_KEY_LENGTH_MAX = 255
HOUR_S = 3600

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` of a successful answer, with the provider's clock and ours at the start of the call."""

    data: Json
    provider_now: datetime
    started_at: datetime

    def rows(self, name: str) -> list[Any]:
        """A list of `data`; absent and null are empty. Raises `Unrecognised`."""
        value = self.data.get(name)
        value = [] if value is None else value
        if not isinstance(value, list):
            raise Unrecognised(f"{name}: a list was expected", repr(value))
        return value


class Api:
    """Calls in the name of one shop. Raises the errors of `sellersync.domain.errors`."""

    def __init__(self, settings: TokopediaSettings, wire: Wire, tokens: TokenSource) -> None:
        self._settings = settings
        self._secret = settings.app_secret.get_secret_value()
        self._wire = wire
        self._tokens = tokens
        self._shop: Json | None = None

    # -- shop

    async def authorised_shops(self) -> list[Json]:
        answer = await self._read("authorised shops", "GET", "/authorization/202309/shops", shop=False)
        return [shop for shop in answer.rows("shops") if isinstance(shop, dict)]

    async def shop(self, *, fresh: bool = False) -> Json:
        """The configured shop, or the only Indonesian one; refuses to guess between several."""
        if self._shop is None or fresh:
            shops = await self.authorised_shops()
            wanted = self._settings.remote_shop_id
            fitting = [s for s in shops if (str(s.get("id")) == wanted if wanted else s.get("region") == "ID")]
            if len(fitting) != 1 or not fitting[0].get("cipher"):
                ids = ", ".join(f"{s.get('id')} ({s.get('region')})" for s in shops) or "none"
                raise AuthNeeded(
                    f"the authorisation covers {len(fitting)} fitting shops (it names: {ids})",
                    todo="Set remote_shop_id to one of them, or authorise with the right account.",
                )
            self._shop = fitting[0]
        return self._shop

    # -- orders

    async def search_orders(self, *, first: int, end: int, page_token: str, field: str = "update_time") -> Answer:
        """Orders with first <= `field` < end (unix seconds), oldest first; rows are whole orders. `field` is `update_time` or
        `create_time`."""
        query = {
            "page_size": str(ORDER_PAGE_SIZE_MAX),
            "sort_field": field,
            "sort_order": "ASC",
            "page_token": page_token,
        }
        body = {f"{field}_ge": first, f"{field}_lt": end}
        return await self._read("order search", "POST", "/order/202309/orders/search", query=query, body=body)

    async def orders(self, ids: Sequence[str]) -> Answer:
        query = {"ids": ",".join(ids)}
        return await self._read("order detail", "GET", "/order/202507/orders", query=query)

    # -- products and stock

    async def search_products(self, *, page_token: str) -> Answer:
        """All products. A filter on status would miss those listed on Tokopedia alone, whose top-level status is omitted."""
        query = {"page_size": str(PRODUCT_PAGE_SIZE_MAX), "page_token": page_token}
        return await self._read(
            "product search", "POST", "/product/202502/products/search", query=query, body={"status": "ALL"}
        )

    async def product(self, product_id: str) -> Json:
        return (await self._read("product detail", "GET", f"/product/202309/products/{product_id}")).data

    async def search_inventory(self, sku_ids: Sequence[str]) -> Answer:
        return await self._read(
            "inventory search", "POST", "/product/202309/inventory/search", body={"sku_ids": list(sku_ids)}
        )

    async def update_inventory(self, product_id: str, skus: Sequence[Json]) -> list[Json]:
        """Set absolute quantities of one product's SKUs; returns `data.errors`, which may be there at code 0."""
        answer = await self._write(
            "inventory update",
            f"/product/202309/products/{product_id}/inventory/update",
            body={"skus": list(skus)},
            reference=product_id,
        )
        return answer.rows("errors")

    async def set_listed(self, product_id: str, platforms: Sequence[str], *, listed: bool) -> list[Json]:
        """Activate or deactivate a product on the named platforms (the default would be TIKTOK_SHOP alone)."""
        verb = "activate" if listed else "deactivate"
        answer = await self._write(
            f"product {verb}",
            f"/product/202309/products/{verb}",
            body={"product_ids": [product_id], "listing_platforms": list(platforms)},
            reference=product_id,
        )
        return answer.rows("errors")

    async def warehouses(self) -> list[Json]:
        answer = await self._read("warehouses", "GET", "/logistics/202309/warehouses")
        return [row for row in answer.rows("warehouses") if isinstance(row, dict)]

    # -- packages

    async def package(self, package_id: str) -> Json:
        return (await self._read("package detail", "GET", f"/fulfillment/202309/packages/{package_id}")).data

    async def handover_time_slots(self, package_id: str) -> Json:
        path = f"/fulfillment/202309/packages/{package_id}/handover_time_slots"
        return (await self._read("handover slots", "GET", path)).data

    async def ship(self, package_id: str, body: Json, *, reference: str) -> None:
        """Ship one package with a chosen handover. Which codes a refusal has is unlisted: an unknown one is `Rejected` OTHER."""
        path = f"/fulfillment/202309/packages/{package_id}/ship"
        await self._write("ship", path, body=body, reference=reference, fresh=True, unlisted_rejects=True)

    async def ship_by_default(self, package_id: str, *, reference: str) -> list[Json]:
        """Batch ship of one package without a handover: the platform takes its default. Returns `data.errors`."""
        answer = await self._write(
            "ship",
            "/fulfillment/202309/packages/ship",
            body={"packages": [{"id": package_id}]},
            reference=reference,
            fresh=True,
            unlisted_rejects=True,
        )
        return answer.rows("errors")

    async def shipping_document(self, package_id: str, document_size: str) -> Json:
        path = f"/fulfillment/202309/packages/{package_id}/shipping_documents"
        query = {"document_type": "SHIPPING_LABEL", "document_size": document_size}
        return (await self._read("label", "GET", path, query=query)).data

    async def document(self, doc_url: str) -> tuple[bytes, str]:
        """The pre-signed document (24 hours) and its media type: no token and no signature goes to its host."""

        def check(reply: Reply) -> tuple[bytes, str]:
            media_type = reply.headers.get("content-type", "").split(";")[0].strip()
            if reply.status != 200 or not reply.body or media_type == "text/html":
                raise Temporary(f"label document: HTTP {reply.status}, {media_type or 'no type'}")
            return reply.body, media_type

        return await self._wire.read(lambda now: httpx.Request("GET", doc_url), check, what="label document")

    # -- after-sales

    async def search_cancellations(self, *, page_token: str = "", **filters: Any) -> Answer:
        """Filters as the wire names them: `update_time_ge`, `update_time_lt`, `order_ids` (at most 50)."""
        return await self._search_cases("cancellation search", "cancellations", page_token, filters)

    async def search_returns(self, *, page_token: str = "", **filters: Any) -> Answer:
        return await self._search_cases("return search", "returns", page_token, filters)

    async def _search_cases(self, what: str, kind: str, page_token: str, filters: Json) -> Answer:
        query = {
            "page_size": str(AFTERSALES_PAGE_SIZE_MAX),
            "sort_field": "update_time",
            "sort_order": "ASC",
            "page_token": page_token,
        }
        return await self._read(what, "POST", f"/return_refund/202602/{kind}/search", query=query, body=filters)

    async def answer_cancellation(self, cancel_id: str, *, approve: bool, reject_reason: str, key: str) -> None:
        """Repeatable with the same key. A reason is sent with a refusal only."""
        verb = "approve" if approve else "reject"
        await self._write(
            f"cancellation {verb}",
            f"/return_refund/202309/cancellations/{cancel_id}/{verb}",
            query={"idempotency_key": key[:IDEMPOTENCY_KEY_LENGTH_MAX]},
            body=None if approve else {"reject_reason": reject_reason},
            reference=cancel_id,
        )

    # -- finance

    async def statements(self, *, first: int, end: int, page_token: str) -> Answer:
        """Statements with first <= statement_time < end (unix seconds). One is made each day at 00:00 UTC for the day before."""
        query = {
            "page_size": str(STATEMENT_PAGE_SIZE_MAX),
            "sort_field": "statement_time",
            "sort_order": "ASC",
            "statement_time_ge": str(first),
            "statement_time_lt": str(end),
            "page_token": page_token,
        }
        return await self._read("statements", "GET", "/finance/202309/statements", query=query, optional=True)

    async def statement_transactions(self, statement_id: str, *, page_token: str) -> Answer:
        query = {
            "page_size": str(STATEMENT_PAGE_SIZE_MAX),
            "sort_field": "order_create_time",
            "sort_order": "ASC",
            "page_token": page_token,
        }
        path = f"/finance/202501/statements/{statement_id}/statement_transactions"
        return await self._read("statement transactions", "GET", path, query=query, optional=True)

    # -- inside

    async def _read(
        self,
        what: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        shop: bool = True,
        optional: bool = False,
    ) -> Answer:
        """`optional`: the channel works without this call, so that a missing permission is `Rejected` NOT_SUPPORTED."""
        cipher = str((await self.shop())["cipher"]) if shop else ""
        check = self._check(what, optional=optional)

        async def once(token: Token) -> Answer:
            make = self._maker(method, path, query or {}, body, cipher, token)
            return await self._wire.read(make, check, what=what)

        return await with_token(self._tokens, once)

    async def _write(
        self,
        what: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None,
        reference: str,
        fresh: bool = False,
        unlisted_rejects: bool = False,
    ) -> Answer:
        cipher = str((await self.shop())["cipher"])
        check = self._check(what, reference=reference, unlisted_rejects=unlisted_rejects)

        async def once(token: Token) -> Answer:
            make = self._maker("POST", path, query or {}, body, cipher, token)
            return await self._wire.write(make, check, what=what, reference=reference, fresh=fresh)

        return await with_token(self._tokens, once)

    def _maker(
        self, method: str, path: str, query: Mapping[str, str], body: Json | None, cipher: str, token: Token
    ) -> Callable[[datetime], httpx.Request]:
        """Builds and signs a request for a moment. The body is serialised once and those very bytes are signed and sent."""
        content = b"" if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        url = self._settings.base_url.rstrip("/") + path
        headers = {"x-tts-access-token": token.access, "content-type": "application/json"}

        def make(now: datetime) -> httpx.Request:
            signed = {name: value for name, value in query.items() if value}
            signed |= {"app_key": self._settings.app_key, "timestamp": str(int(now.timestamp()))}
            if cipher:
                signed["shop_cipher"] = cipher
            signed["sign"] = sign(self._secret, path, signed, content)
            return httpx.Request(method, url, params=signed, headers=headers, content=content)

        return make

    def _check(
        self, what: str, *, reference: str | None = None, unlisted_rejects: bool = False, optional: bool = False
    ) -> Callable[[Reply], Answer]:
        def check(reply: Reply) -> Answer:
            envelope = reply.json()
            if not isinstance(envelope, dict) or not isinstance(envelope.get("code"), int):
                raise Unrecognised(f"{what}: HTTP {reply.status} without the envelope", reply.text(200))
            if optional and envelope["code"] == codes.NO_PERMISSION:
                raise Rejected(
                    what, "the app lacks the permission", RejectClass.NOT_SUPPORTED, code=str(envelope["code"])
                )
            if envelope["code"] != 0:
                raise self._error(what, envelope, reply, reference, unlisted_rejects)
            data = envelope.get("data") or {}
            if not isinstance(data, dict):
                raise Unrecognised(f"{what}: data is no object", reply.text(200))
            return Answer(data, reply.provider_now, reply.started_at)

        return check

    def _error(
        self, what: str, envelope: Json, reply: Reply, reference: str | None, unlisted_rejects: bool
    ) -> Exception:
        """The error class of a refusal. `reference` is set for writes."""
        code = int(envelope["code"])
        message = str(envelope.get("message", ""))[:200]
        why = self._wire.redact(f"{message} (request {envelope.get('request_id', '?')})")
        if code in codes.RATE_LIMITED:
            return self._wire.rate_limited(f"{what}: {why} [{code}]")
        if code == codes.HOURLY_QUOTA:
            rest_s = HOUR_S - reply.provider_now.timestamp() % HOUR_S
            return self._wire.rate_limited(f"{what}: hourly quota used up [{code}]", rest_s)
        if code in codes.INTERNAL or code in codes.ORDER_FETCH_FAILED or reply.status >= 500:
            text = f"{what}: {why} [{code}]"
            return Temporary(text) if reference is None else Uncertain(reference, text)
        if code == codes.TOKEN_EXPIRED:
            return TokenDead(f"{what}: {why} [{code}]")
        if code == codes.MANY_MEANINGS:
            return self._bad_parameter(what, message, why)
        if code in codes.SELLER_MUST_ACT:
            self._shop = None
            meaning, todo = codes.SELLER_MUST_ACT[code]
            return AuthNeeded(f"{what}: {meaning}: {why} [{code}]", todo=todo)
        if code in codes.REJECTED:
            return Rejected(what, why, codes.REJECTED[code], code=str(code))
        if unlisted_rejects:
            return Rejected(what, why, RejectClass.OTHER, code=str(code))
        return Unrecognised(f"{what}: code {code}", why)

    def _bad_parameter(self, what: str, message: str, why: str) -> Exception:
        """36009004 has many meanings, told apart by words of its message."""
        words = message.replace("'", "").replace('"', "").replace("`", "").lower()
        text = f"{what}: {why} [{codes.MANY_MEANINGS}]"
        if "timestamp" in words:
            return Temporary(text)  # refused before processing; the next attempt is signed with the corrected clock
        if "access-token" in words or "access_token" in words:
            return TokenDead(text)
        if "app_key" in words or "app_secret" in words:
            return AuthNeeded(text, todo="Compare app_key with the app's page in the Partner Center.")
        if "shop_cipher" in words:
            self._shop = None
            return AuthNeeded(text, todo=LOGIN_AGAIN)
        return Rejected(what, why, RejectClass.BAD_DATA, code=str(codes.MANY_MEANINGS))
