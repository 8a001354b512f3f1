"""The wire of WooCommerce REST `wc/v3`: one method an endpoint, its own names and paths.

Facts: measured on WooCommerce 10.0.2 unless said. Lists are walked with `orderby=id`: the default order of products and
`orderby=modified` repeat some rows of one second and never return others.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

import httpx

from sellersync.connector.http import Reply, Wire
from sellersync.domain.errors import (
    AuthNeeded,
    CapExceeded,
    RateLimited,
    RejectClass,
    Rejected,
    Temporary,
    Unrecognised,
)

from . import auth
from .answers import RAW_BYTES_MAX, REJECT_CLASSES, error_of, read_json
from .settings import WooCommerceSettings

PAGE_SIZE_MAX = 100
PAGE_STEP_ROWS = (
    PAGE_SIZE_MAX - 1
)  # each page repeats the last row of the one before: a row that left the list is noticed
PAGES_MAX = 300
WALK_STARTS_MAX = 4
BATCH_ROWS_MAX = 50  # the shop takes 100; 100 rows took about 3 s and 200 kB on a small host
INCLUDE_IDS_MAX = 100
FIREWALL_WAIT_S = 60.0

ORDER_FIELDS = (
    "id,number,status,created_via,currency,total,shipping_total,discount_total,payment_method,payment_method_title,"
    "date_created_gmt,date_modified_gmt,date_paid_gmt,date_completed_gmt,customer_note,billing,shipping,line_items,"
    "shipping_lines,refunds,meta_data"
)
PRODUCT_FIELDS = (
    "id,name,type,status,sku,global_unique_id,price,manage_stock,stock_quantity,weight,parent_id,attributes,variations"
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Walk:
    """All rows of a list, each once; `nameless` are rows without an id. `closes` is the shop's clock when the first page was asked
    for."""

    rows: tuple[dict[str, Any], ...]
    nameless: tuple[dict[str, Any], ...]
    closes: datetime
    read_started_at: datetime


@dataclass(frozen=True, slots=True)
class _ListPage:
    rows: list[dict[str, Any]]
    total: int | None
    reply: Reply


class Api:
    """One shop's REST interface."""

    def __init__(self, wire: Wire, settings: WooCommerceSettings, rng: Random) -> None:
        self._wire = wire
        self._settings = settings
        self._rng = rng

    # -- the shop

    async def index(self) -> dict[str, Any]:
        """GET /wp-json/: name, home, timezone, namespaces. Needs no key."""
        return await self._read("", {}, dict, "shop index", root=True)

    async def system_status(self) -> dict[str, Any]:
        """GET system_status, only the versions. Needs a key."""
        query = {"_fields": "environment.version,environment.wp_version"}
        return await self._read("system_status", query, dict, "shop version")

    async def setting(self, group: str, name: str) -> str:
        """GET settings/GROUP/NAME: the value as text."""
        row = await self._read(f"settings/{group}/{name}", {}, dict, f"shop setting {name}")
        return str(row.get("value", ""))

    async def order_statuses(self) -> list[str]:
        """GET reports/orders/totals: slugs of all statuses that the shop knows, custom ones included, `trash` left out."""
        rows: list[Any] = await self._read("reports/orders/totals", {}, list, "order statuses")
        return [str(row["slug"]) for row in rows if isinstance(row, dict) and row.get("slug")]

    # -- orders

    async def orders_modified_after(self, moment: datetime, statuses: Sequence[str]) -> Walk:
        """GET orders: everything with a change time after `moment` (aware UTC) in the named statuses."""
        # naive UTC together with dates_are_gmt: a zone mark would be applied twice and silently return nothing
        query = {
            "modified_after": moment.strftime("%Y-%m-%dT%H:%M:%S"),
            "dates_are_gmt": "true",
            "status": ",".join(statuses),
            "_fields": ORDER_FIELDS,
        }
        return await self._walk("orders", query, "orders")

    async def orders_created_between(self, since: datetime, until: datetime, statuses: Sequence[str]) -> Walk:
        """GET orders: id and creation time of what was created between two moments (aware UTC), both ends left out."""
        query = {
            "after": since.strftime("%Y-%m-%dT%H:%M:%S"),
            "before": until.strftime("%Y-%m-%dT%H:%M:%S"),
            "dates_are_gmt": "true",
            "status": ",".join(statuses),
            "_fields": "id,date_created_gmt",
        }
        return await self._walk("orders", query, "orders by creation")

    async def orders_by_ids(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """GET orders?include=: at most 100 ids. Binned and deleted ones are missing from the answer."""
        query = {"include": ",".join(map(str, ids)), "_fields": ORDER_FIELDS}
        page = await self._page("orders", query, 0, "orders by id")
        if page.total is not None and page.total != len(page.rows):
            raise Temporary(f"orders by id: the shop counts {page.total} rows and sends {len(page.rows)}")
        return page.rows

    async def order(self, order_id: int) -> dict[str, Any]:
        """GET orders/ID."""
        return await self._read(f"orders/{order_id}", {"_fields": ORDER_FIELDS}, dict, "order")

    async def put_order(self, order_id: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """PUT orders/ID: meta and status. Safe to repeat: a meta key that exists is updated in place."""
        return await self._write("PUT", f"orders/{order_id}", body, dict, "order update", f"order {order_id}")

    async def refunds(self, order_id: int) -> list[dict[str, Any]]:
        """GET orders/ID/refunds: lines carry negative quantities and `_refunded_item_id`."""
        walk = await self._walk(f"orders/{order_id}/refunds", {}, "refunds")
        return list(walk.rows)

    async def customer_notes(self, order_id: int) -> list[str]:
        """GET orders/ID/notes?type=customer: the texts that the buyer was mailed."""
        rows: list[Any] = await self._read(f"orders/{order_id}/notes", {"type": "customer"}, list, "order notes")
        return [html.unescape(str(row.get("note", ""))) for row in rows if isinstance(row, dict)]

    async def add_customer_note(self, order_id: int, note: str) -> None:
        """POST orders/ID/notes: mails the buyer. Not idempotent: read the notes first."""
        body = {"note": note, "customer_note": True}
        await self._write("POST", f"orders/{order_id}/notes", body, dict, "customer note", f"note on order {order_id}")

    # -- products

    async def products(self) -> Walk:
        """GET products: simple products and parents of variations, not the variations."""
        return await self._walk("products", {"_fields": PRODUCT_FIELDS}, "products")

    async def products_by_ids(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """GET products?include=: at most 100 ids."""
        query = {"include": ",".join(map(str, ids)), "_fields": PRODUCT_FIELDS}
        page = await self._page("products", query, 0, "products by id")
        return page.rows

    async def variations(self, product_id: int, ids: Sequence[int] = ()) -> Walk:
        """GET products/ID/variations: all of one parent, or the named ones."""
        query = {"_fields": PRODUCT_FIELDS}
        if ids:
            query["include"] = ",".join(map(str, ids))
        return await self._walk(f"products/{product_id}/variations", query, "variations")

    async def products_batch(self, rows: Sequence[Mapping[str, int]]) -> list[Any]:
        """POST products/batch: one entry a row, in order; a bad row carries `error`. No `_fields`: it would empty the reply."""
        return await self._batch("products/batch", rows)

    async def variations_batch(self, product_id: int, rows: Sequence[Mapping[str, int]]) -> list[Any]:
        """POST products/ID/variations/batch: variations of one parent."""
        return await self._batch(f"products/{product_id}/variations/batch", rows)

    async def _batch(self, path: str, rows: Sequence[Mapping[str, int]]) -> list[Any]:
        assert len(rows) <= BATCH_ROWS_MAX
        body = {"update": list(rows)}
        answer = await self._write("POST", path, body, dict, "stock batch", f"{len(rows)} rows to {path}")
        found = answer.get("update")
        return found if isinstance(found, list) else []

    # -- lists

    async def _walk(self, path: str, query: Mapping[str, str], what: str) -> Walk:
        """Every row of a list, by id. A row that leaves the list meanwhile shifts later ones: the walk starts over."""
        for _ in range(WALK_STARTS_MAX):
            walk = await self._try_walk(path, query, what)
            if walk is not None:
                return walk
        raise Temporary(f"{what}: the list kept shrinking while it was read")

    async def _try_walk(self, path: str, query: Mapping[str, str], what: str) -> Walk | None:
        """One walk; `None` when a row left the list on the way."""
        found: dict[int, dict[str, Any]] = {}
        nameless: list[dict[str, Any]] = []
        first: Reply | None = None
        last_id: int | None = None
        total = 0
        for number in range(PAGES_MAX):
            offset = number * PAGE_STEP_ROWS
            page = await self._page(path, query, offset, what)
            first = first or page.reply
            if not page.rows:
                return None if total > offset else self._walked(found, nameless, first)
            ids = [row["id"] for row in page.rows if type(row.get("id")) is int]
            shrunk = page.total is not None and page.total < total
            if shrunk or (last_id is not None and last_id not in ids):
                return None
            if len(ids) > 1 and page.total == total and all(row_id in found for row_id in ids):
                raise Temporary(f"{what}: the shop repeats a page")
            found |= {row["id"]: row for row in page.rows if type(row.get("id")) is int}
            nameless += [row for row in page.rows if type(row.get("id")) is not int]
            if page.total is not None and offset + PAGE_SIZE_MAX >= page.total:
                return self._walked(found, nameless, first)
            # a plugin may drop rows from a page: only a full page tells what the next one must contain
            last_id = ids[-1] if len(ids) == PAGE_SIZE_MAX else None
            total = page.total or total
        raise CapExceeded(f"{what}: more than {PAGES_MAX} pages of {PAGE_SIZE_MAX} rows")

    def _walked(self, found: Mapping[int, dict[str, Any]], nameless: Sequence[dict[str, Any]], first: Reply) -> Walk:
        return Walk(tuple(found.values()), tuple(nameless), self._asked_at(first), first.started_at)

    def _asked_at(self, first: Reply) -> datetime:
        """The shop's clock at the start of the first page: its Date header counts whole seconds and is written at the end."""
        ours = first.started_at + timedelta(seconds=self._wire.clock_offset_s)
        return min(first.provider_now, ours).replace(microsecond=0)

    async def _page(self, path: str, query: Mapping[str, str], offset: int, what: str) -> _ListPage:
        full = {**query, "orderby": "id", "order": "asc", "per_page": str(PAGE_SIZE_MAX)}
        if offset:
            full["offset"] = str(offset)

        def read(reply: Reply) -> _ListPage:
            rows = self._body(reply, list, what, write=False)
            text = reply.headers.get("x-wp-total", "")
            total = int(text) if text.isdigit() else None
            if not all(isinstance(row, dict) for row in rows):
                raise Unrecognised(f"{what}: a list of objects was expected", reply.text(RAW_BYTES_MAX))
            if not rows and total and not offset:
                raise Temporary(f"{what}: the shop counts {total} rows and sends none")
            return _ListPage(rows, total, reply)

        return await self._send_read(path, full, read, what)

    # -- calls

    async def _read(self, path: str, query: Mapping[str, str], shape: type[T], what: str, *, root: bool = False) -> T:
        return await self._send_read(
            path, query, lambda reply: self._body(reply, shape, what, write=False), what, root=root
        )

    async def _send_read(
        self,
        path: str,
        query: Mapping[str, str],
        read: Callable[[Reply], T],
        what: str,
        *,
        root: bool = False,
    ) -> T:
        sent = _Sent()

        def make(now: datetime) -> httpx.Request:
            sent.signed_at = now
            return self._request("GET", path, query, None, now, root=root)

        def check(reply: Reply) -> T:
            self._refuse(reply, what, sent, write=False)
            return read(reply)

        return await self._wire.read(make, check, what=what)

    async def _write(
        self, method: str, path: str, body: Mapping[str, Any], shape: type[T], what: str, reference: str
    ) -> T:
        sent = _Sent()

        def make(now: datetime) -> httpx.Request:
            sent.signed_at = now
            return self._request(method, path, {}, body, now)

        def check(reply: Reply) -> T:
            self._refuse(reply, what, sent, write=True)
            return self._body(reply, shape, what, write=True)

        return await self._wire.write(make, check, what=what, reference=reference)

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        now: datetime,
        *,
        root: bool = False,
    ) -> httpx.Request:
        settings = self._settings
        tail = "/wp-json/" if root else f"/wp-json/wc/v3/{path}"
        full = dict(query)
        headers: dict[str, str] = {"accept": "application/json"}
        key, secret = settings.consumer_key.get_secret_value(), settings.consumer_secret.get_secret_value()
        if root:
            pass
        elif settings.signs:
            signature = auth.oauth_parameters(
                method,
                f"{settings.remote_shop_id}{tail}",
                full,
                consumer_key=key,
                consumer_secret=secret,
                now=now,
                nonce=auth.new_nonce(self._rng),
            )
            if settings.query_keys:
                full |= signature
            else:
                headers["authorization"] = auth.oauth_header(signature)
        elif settings.query_keys:
            full |= {"consumer_key": key, "consumer_secret": secret}
        else:
            headers["authorization"] = auth.basic_header(key, secret)
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(body).encode()
        url = f"{settings.base_url}{tail}" + (f"?{auth.encode_query(full)}" if full else "")
        return httpx.Request(method, url, headers=headers, content=content)

    # -- answers

    def _body(self, reply: Reply, shape: type[T], what: str, *, write: bool) -> T:
        """The parsed body of a 2xx. On a read what is not JSON may be right the next time; on a write it proves nothing."""
        try:
            found = read_json(reply)
        except Unrecognised:
            if write:
                raise
            raise Temporary(
                f"{what}: the shop sent something else than data (a firewall page, a plugin's output or a cut answer)"
            ) from None
        if not isinstance(found, shape):
            raise Unrecognised(f"{what}: another kind of answer was expected", reply.text(RAW_BYTES_MAX))
        return found

    def _refuse(self, reply: Reply, what: str, sent: _Sent, *, write: bool) -> None:
        """Raise for everything that is not a 2xx, by status and `code` only: messages are translated."""
        if 200 <= reply.status < 300:
            return
        if 300 <= reply.status < 400:
            raise self._misdirected(reply, what)
        code, message = error_of(reply)
        if reply.status == 401:
            raise self._unauthorised(reply, what, code, message, sent)
        if reply.status == 403:
            if code:
                raise AuthNeeded(f"{what}: {message} [{code}]", todo=_KEY_TODO)
            raise self._wire.rate_limited(f"{what}: a firewall refuses us (HTTP 403)", FIREWALL_WAIT_S)
        if code in ("rest_no_route", "") and reply.status == 404:
            raise AuthNeeded(
                f"{what}: the shop knows no such address (HTTP 404)",
                todo="Check base_url, that WooCommerce is active, and that permalinks are not set to Plain.",
            )
        if reply.status >= 500:
            if write:
                raise Unrecognised(f"{what}: HTTP {reply.status} [{code}]", message)
            if not code.startswith("woocommerce_rest_"):
                raise Temporary(f"{what}: HTTP {reply.status} [{code}]")
        raise Rejected(what, message, REJECT_CLASSES.get(code, RejectClass.OTHER), code=code or str(reply.status))

    def _misdirected(self, reply: Reply, what: str) -> AuthNeeded:
        try:
            target = httpx.URL(reply.headers.get("location", ""))
            where = f"{target.scheme}://{target.host}" if target.host else "another address"
        except httpx.InvalidURL:
            where = "another address"
        return AuthNeeded(f"{what}: the shop sends us to {where}", todo="Correct base_url and remote_shop_id.")

    def _unauthorised(
        self, reply: Reply, what: str, code: str, message: str, sent: _Sent
    ) -> AuthNeeded | Temporary | RateLimited:
        drift_s = (reply.provider_now - sent.signed_at).total_seconds() if sent.signed_at else 0.0
        if self._settings.signs and abs(drift_s) > auth.TIMESTAMP_WINDOW_S - 60:
            # the Date header of this very refusal has corrected our clock: the next signature is in time
            return Temporary(f"{what}: our clock is {drift_s:+.0f} s off the shop's; corrected")
        hint = f" (clock difference {drift_s:+.0f} s)" if self._settings.signs else ""
        return AuthNeeded(f"{what}: {message or 'unauthorised'} [{code or 401}]{hint}", todo=_KEY_TODO)


_KEY_TODO = (
    "Make a key with read/write permission under WooCommerce > Settings > Advanced > REST API, for a user who may manage the "
    "shop, and store it; if the key is right, the host may strip the Authorization header (query_keys) or remote_shop_id may "
    "differ from the shop's own address."
)


@dataclass(slots=True)
class _Sent:
    """When the last attempt was signed."""

    signed_at: datetime | None = None
