"""The wire of Shopify's GraphQL Admin API: one method a document, its own names (shopify.dev, 2026-07).

Everything comes back with HTTP 200: refusals of a whole call in `errors`, refusals of a mutation's content in `userErrors`. Calls are
limited by points, not by number: every answer tells how many are left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx

from sellersync.connector.contract import Context, Token
from sellersync.connector.http import Reply, with_token
from sellersync.domain.errors import (
    AuthNeeded,
    CapExceeded,
    RejectClass,
    Rejected,
    Temporary,
    TokenDead,
    Uncertain,
    Unrecognised,
)

from . import queries
from .settings import ShopifySettings

NODES_MAX = 250  # entries of any input list
QUANTITY_ROWS_MAX = 250
ORDERS_BY_ID_MAX = 25
PAGES_MAX = 2_000
MORE_PAGES_MAX = 20
THROTTLED_WAIT_S = 2.0  # when a throttled answer does not tell its points
WAIT_S_MAX = 60.0
WAIT_MARGIN_S = 0.25  # points are told in whole numbers

REFUSED_CODES = frozenset(
    {
        "BAD_REQUEST",
        "INVALID_FIELD_ARGUMENTS",
        "INVALID_VARIABLE",
        "MAX_COST_EXCEEDED",
        "MAX_INPUT_SIZE_EXCEEDED",
        "argumentLiteralsIncompatible",
        "argumentNotAccepted",
        "missingRequiredArguments",
        "missingRequiredInputObjectAttribute",
        "selectionMismatch",
        "undefinedDirective",
        "undefinedField",
        "undefinedType",
        "variableMismatch",
        "variableRequiresValidType",
    }
)
"""The document or its variables were refused before anything ran."""
UNWELL_CODES = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"})
STATUS_TODO: Mapping[int, str] = {
    402: "The shop is frozen for an unpaid invoice: settle it in the shop's admin.",
    403: "Give the app its access scopes, and see that the shop is open.",
    404: "Check remote_shop_id and api_version.",
    423: "The shop is locked: ask Shopify's support.",
}
SCOPES_TODO = "Give the app this scope: Dev Dashboard > the app > Versions; then install the new version."
T = TypeVar("T")
Row = dict[str, Any]


class TooDear(CapExceeded):
    """The question costs more points than one question may: ask for fewer rows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` of a call, with the reply that carried it."""

    data: Row
    reply: Reply


@dataclass(frozen=True, slots=True)
class RowPage:
    """A page of a connection; `cursor` leads to the next one, `None` at the end."""

    rows: tuple[Row, ...]
    cursor: str | None
    reply: Reply


class Api:
    """One shop's Admin API."""

    def __init__(self, context: Context, settings: ShopifySettings) -> None:
        self._wire = context.wire
        self._tokens = context.tokens
        self._settings = settings
        self._sizes: dict[str, int] = {}
        self.served_version = ""
        """The version that answered last; another one than asked for when the pinned one is no longer served."""

    # -- the shop

    async def shop(self) -> Row:
        """`shop` and `currentAppInstallation`: the cheapest question that proves the token."""
        return (await self._read(queries.SHOP, {}, "shop")).data

    async def locations(self) -> list[Row]:
        """`locations`: active and not."""
        answer = await self._read(queries.LOCATIONS, {}, "locations")
        found = _connection(answer.data, "locations", "locations")
        if found["pageInfo"].get("hasNextPage"):
            raise CapExceeded(f"more than {queries.LOCATIONS_FIRST} locations")
        return list(found["nodes"])

    # -- orders

    async def orders(self, query: str, after: str | None, *, located: bool) -> RowPage:
        """`orders` in the order of their change, oldest first; as many as one question may ask for."""
        variables = {"query": query, "after": after, "located": located}
        answer = await self._sized(queries.ORDERS, variables, "orders", self._settings.page_size)
        return await self._completed(_page(answer, "orders"))

    async def orders_created(self, query: str, after: str | None) -> RowPage:
        """`orders` in the order of their creation, oldest first, only with id and time."""
        return _page(
            await self._sized(queries.ORDERS_CREATED, {"query": query, "after": after}, "placed", NODES_MAX), "orders"
        )

    async def orders_by_ids(self, ids: Sequence[str], *, located: bool) -> dict[str, Row]:
        """`nodes` of orders: what the shop shows, by the id that was asked for."""
        found: dict[str, Row] = {}
        waiting = list(ids)
        while waiting:
            size = min(self._sizes.get("orders by id", ORDERS_BY_ID_MAX), ORDERS_BY_ID_MAX)
            chunk = waiting[:size]
            variables = {"ids": [f"gid://shopify/Order/{order_id}" for order_id in chunk], "located": located}
            try:
                answer = await self._read(queries.ORDERS_BY_ID, variables, "orders by id")
            except TooDear:
                if size == 1:
                    raise
                self._sizes["orders by id"] = size // 2
                continue
            rows = _nodes(answer, "orders by id", len(chunk))
            shown = {order_id: row for order_id, row in zip(chunk, rows, strict=True) if row}
            page = await self._completed(RowPage(tuple(shown.values()), None, answer.reply))
            found |= dict(zip(shown, page.rows, strict=True))
            waiting = waiting[size:]
        return found

    async def shipping(self, order_id: str) -> Row | None:
        """`order` with what is to be fulfilled and what is; `None` for an order that the shop does not show."""
        variables = {"id": f"gid://shopify/Order/{order_id}"}
        data = (await self._read(queries.SHIPPING, variables, "shipping")).data
        if "order" in data and data["order"] is None:
            return None
        return _object(data, "order", "shipping")

    async def fulfillment_create(self, fulfillment: Row, message: str, *, reference: str) -> Row:
        """`fulfillmentCreate`, once. No idempotency key is documented for it: read before and after."""
        variables = {"fulfillment": fulfillment, "message": message or None}
        answer = await self._write(queries.FULFIL, variables, "fulfilment", reference, fresh=True)
        return _payload(answer, "fulfillmentCreate")

    async def _completed(self, page: RowPage) -> RowPage:
        """Read on where an order has more lines than the page carries."""
        for order in page.rows:
            await self._rest(order, "lineItems", queries.MORE_LINES, "order")
            for fulfilment in order.get("fulfillments") or ():
                if isinstance(fulfilment, dict):
                    await self._rest(fulfilment, "fulfillmentLineItems", queries.MORE_FULFILMENT_LINES, "fulfillment")
            work = order.get("fulfillmentOrders")
            for place in (work.get("nodes") or ()) if isinstance(work, dict) else ():
                if isinstance(place, dict):
                    await self._rest(place, "lineItems", queries.MORE_WORK_LINES, "fulfillmentOrder")
        return page

    async def _rest(self, owner: Row, name: str, document: str, root: str) -> None:
        found = owner.get(name)
        for _ in range(MORE_PAGES_MAX):
            info = found.get("pageInfo") if isinstance(found, dict) else None
            if not isinstance(found, dict) or not isinstance(info, dict) or not info.get("hasNextPage"):
                return
            answer = await self._read(document, {"id": owner["id"], "after": info["endCursor"]}, f"more {name}")
            more = _connection(_object(answer.data, root, f"more {name}"), name, f"more {name}")
            if more["pageInfo"].get("endCursor") == info["endCursor"]:
                raise Temporary(f"more {name}: the cursor does not move")
            found["nodes"] = [*found["nodes"], *more["nodes"]]
            found["pageInfo"] = more["pageInfo"]
        raise CapExceeded(f"{name}: more than {MORE_PAGES_MAX} pages in one order")

    # -- products and stock

    async def product_variants(self, after: str | None) -> RowPage:
        """`productVariants` with the levels of their inventory items."""
        answer = await self._sized(queries.VARIANTS, {"after": after}, "variants", 50)
        return _page(answer, "productVariants")

    async def inventory_items(self, ids: Sequence[str], location: str) -> list[Row | None]:
        """`nodes` of inventory items with their level at one location, in the order asked for; at most 250."""
        variables = {
            "ids": [f"gid://shopify/InventoryItem/{item_id}" for item_id in ids],
            "location": f"gid://shopify/Location/{location}",
        }
        answer = await self._read(queries.LEVELS, variables, "levels")
        return _nodes(answer, "levels", len(ids))

    async def inventory_set_quantities(self, rows: Sequence[Row], *, key: str) -> Row:
        """`inventorySetQuantities` of `available` under an idempotency key: all rows or none, as far as documented."""
        assert len(rows) <= QUANTITY_ROWS_MAX
        variables = {"input": {"name": "available", "reason": "correction", "quantities": list(rows)}, "key": key}
        answer = await self._write(queries.SET_QUANTITIES, variables, "stock", f"{len(rows)} levels")
        return _payload(answer, "inventorySetQuantities")

    # -- calls

    async def _sized(self, document: str, variables: Mapping[str, Any], what: str, size: int) -> Answer:
        """Ask for as many rows as fit into the points of one question, and remember how many that are."""
        size = self._sizes.get(what, size)
        while True:
            try:
                return await self._read(document, {**variables, "first": size}, what)
            except TooDear:
                if size == 1:
                    raise
                size = self._sizes[what] = size // 2

    async def _read(self, document: str, variables: Mapping[str, Any], what: str) -> Answer:
        async def call(token: Token) -> Answer:
            return await self._wire.read(
                self._maker(token, document, variables), lambda reply: self._answer(reply, what, write=False), what=what
            )

        return await with_token(self._tokens, call)

    async def _write(
        self, document: str, variables: Mapping[str, Any], what: str, reference: str, *, fresh: bool = False
    ) -> Answer:
        async def call(token: Token) -> Answer:
            return await self._wire.write(
                self._maker(token, document, variables),
                lambda reply: self._answer(reply, what, write=True),
                what=what,
                reference=reference,
                fresh=fresh,
            )

        return await with_token(self._tokens, call)

    def _maker(self, token: Token, document: str, variables: Mapping[str, Any]) -> Callable[[datetime], httpx.Request]:
        settings = self._settings
        url = f"{settings.address}/admin/api/{settings.api_version}/graphql.json"
        static = settings.access_token.get_secret_value()
        headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "x-shopify-access-token": static or token.access,
        }
        content = json.dumps({"query": document, "variables": variables}).encode()
        return lambda now: httpx.Request("POST", url, headers=headers, content=content)

    # -- answers

    def _answer(self, reply: Reply, what: str, *, write: bool) -> Answer:
        self._refuse_status(reply, what, write=write)
        try:
            body = reply.json()
        except Unrecognised:
            if write:
                raise
            raise Temporary(f"{what}: the shop sent something else than data") from None
        if not isinstance(body, dict):
            raise Unrecognised(f"{what}: an object was expected", type(body).__name__)
        self.served_version = reply.headers.get("x-shopify-api-version", "")
        data = body.get("data")
        self._refuse(body, data, what, write=write)
        if not isinstance(data, dict):
            raise Unrecognised(f"{what}: an answer without data", f"keys {sorted(body)}")
        self._slow_down(body)
        return Answer(data, reply)

    def _refuse_status(self, reply: Reply, what: str, *, write: bool) -> None:
        if reply.status == 200:
            return
        if reply.status == 401:
            if self._settings.access_token.get_secret_value():
                raise AuthNeeded(f"{what}: the shop refuses the token", todo="Check access_token.")
            raise TokenDead(f"{what}: HTTP 401")
        if reply.status in STATUS_TODO:
            raise AuthNeeded(f"{what}: HTTP {reply.status}", todo=STATUS_TODO[reply.status])
        if reply.status >= 500 and not write:
            raise Temporary(f"{what}: HTTP {reply.status}")
        raise Unrecognised(f"{what}: HTTP {reply.status}", "")

    def _refuse(self, body: Mapping[str, Any], data: object, what: str, *, write: bool) -> None:
        """Top-level `errors`. An unknown code proves nothing about a write."""
        errors = body.get("errors")
        if not errors:
            return
        if not isinstance(errors, list) or not all(isinstance(error, dict) for error in errors):
            raise Unrecognised(f"{what}: errors of another kind", type(errors).__name__)
        for error in errors:
            code = _code(error)
            message = self._wire.redact(str(error.get("message", ""))[:200])
            if code == "THROTTLED":
                raise self._wire.rate_limited(f"{what}: out of points", _refill_s(body))
            if code == "MAX_COST_EXCEEDED" and not write:
                raise TooDear(f"{what}: {message}")
            if code == "ACCESS_DENIED":
                if _field_only(error, data):
                    continue
                raise AuthNeeded(f"{what}: {message}", todo=SCOPES_TODO)
            if code == "SHOP_INACTIVE":
                raise AuthNeeded(f"{what}: the shop is not active", todo="Open the shop again in its admin.")
            if code in REFUSED_CODES:
                raise Rejected(what, message, RejectClass.BAD_DATA, code=code)
            if code in UNWELL_CODES:
                raise Uncertain(what, message) if write else Temporary(f"{what}: {message} [{code}]")
            raise Unrecognised(f"{what}: error code {code!r}", message)

    def _slow_down(self, body: Mapping[str, Any]) -> None:
        """Shut the gate until a question like this one fits again, rather than run into a refusal."""
        wait_s = _refill_s(body)
        if wait_s is not None and wait_s > 0.0:
            self._wire.rate_limited("waiting for points", wait_s)


def _code(error: Mapping[str, Any]) -> str:
    extensions = error.get("extensions")
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""


def _field_only(error: Mapping[str, Any], data: object) -> bool:
    """Was only a field inside the answer withheld (buyer data), and the rest given?"""
    path = error.get("path")
    return isinstance(data, dict) and isinstance(path, list) and len(path) > 1 and data.get(path[0]) is not None


def _refill_s(body: Mapping[str, Any]) -> float | None:
    """Seconds until a question of the same cost fits again; `None` when the answer does not tell."""
    try:
        cost = body["extensions"]["cost"]
        status = cost["throttleStatus"]
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        wait_s = missing / float(status["restoreRate"])
        return min(wait_s + WAIT_MARGIN_S, WAIT_S_MAX) if wait_s > 0.0 else 0.0
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return THROTTLED_WAIT_S if body.get("errors") else None


def _object(owner: Mapping[str, Any], name: str, what: str) -> Row:
    found = owner.get(name)
    if not isinstance(found, dict):
        raise Unrecognised(f"{what}: {name} is missing", f"keys {sorted(owner)}")
    return found


def _connection(owner: Mapping[str, Any], name: str, what: str) -> Row:
    found = _object(owner, name, what)
    nodes, info = found.get("nodes"), found.get("pageInfo")
    if not isinstance(nodes, list) or not isinstance(info, dict):
        raise Unrecognised(f"{what}: {name} is no list", f"keys {sorted(found)}")
    return {"nodes": [node if isinstance(node, dict) else {} for node in nodes], "pageInfo": info}


def _page(answer: Answer, name: str) -> RowPage:
    found = _connection(answer.data, name, name)
    info = found["pageInfo"]
    cursor = str(info.get("endCursor") or "") if info.get("hasNextPage") else None
    return RowPage(tuple(found["nodes"]), cursor, answer.reply)


def _nodes(answer: Answer, what: str, count: int) -> list[Row | None]:
    nodes = answer.data.get("nodes")
    if not isinstance(nodes, list) or len(nodes) != count:
        raise Unrecognised(f"{what}: {count} nodes were expected", type(nodes).__name__)
    return [node if isinstance(node, dict) and node else None for node in nodes]


def _payload(answer: Answer, name: str) -> Row:
    payload = _object(answer.data, name, name)
    errors = payload.get("userErrors")
    if not isinstance(errors, list) or not all(isinstance(error, dict) for error in errors):
        raise Uncertain(name, "the answer has no list of errors")
    return payload
