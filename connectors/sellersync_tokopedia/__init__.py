"""Tokopedia and TikTok Shop Indonesia: one seller center, one API (TikTok Shop Open API), one stock number for both storefronts.

The key of a listing and of its stock target is "<product_id>:<sku_id>". A target has a location (the provider's warehouse id) only in
shops with more than one sales warehouse; a level write then carries every warehouse of the SKU. Orders of both storefronts come in one
stream and carry `storefront` "tokopedia" or "tiktok_shop".
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sellersync.connector.contract import (
    Arranged,
    Arrangement,
    Channel,
    ChannelCapabilities,
    Context,
    Health,
    Label,
    LevelAnswer,
    Mark,
    OrdersById,
    Page,
    ParcelRequest,
    PlacedOrders,
    RemoteListing,
    Row,
    SettleBy,
    ShownLevel,
    Stream,
    TargetKey,
    Want,
)
from sellersync.domain.errors import (
    AuthNeeded,
    NotSupported,
    RejectClass,
    Rejected,
    SellersyncError,
    Temporary,
    Unrecognised,
)
from sellersync.domain.orders import Order
from sellersync.domain.parcels import RemoteParcel
from sellersync.domain.returns import RemoteCancellation

from . import api as wire_api
from . import booking, mapping, mapping_aftersales, mapping_stock, push
from .api import Answer, Api
from .auth import TokopediaAuthoriser
from .settings import TokopediaSettings
from .statements import read_statements
from .windows import Found, Search, rows_between, walk

__all__ = ["Tokopedia", "TokopediaSettings"]

T = TypeVar("T")

log = logging.getLogger(__name__)

STATEMENTS_OVERLAP_S = 3 * 86_400.0
"""A statement carries 00:00 UTC as its time; how much later it can be read is not documented."""
PRODUCT_PAGES_MAX = 500
REQUEST_PAGES_MAX = 20
PACKAGES_REMEMBERED_MAX = 5000
REJECT_REASON = "seller_reject_apply_product_has_been_packed"
"""The key that sellers in Indonesia see as "Produk sudah dikemas" (provider's list of reasons)."""


class Tokopedia(Channel):
    """A shop on Tokopedia & TikTok Shop."""

    provider = "tokopedia"
    title = "Tokopedia & TikTok Shop"
    Settings = TokopediaSettings
    capabilities = ChannelCapabilities(
        streams=frozenset({Stream.ORDERS, Stream.CANCELLATIONS, Stream.RETURNS, Stream.SETTLEMENTS}),
        visibility_delay_s=10.0,
        overlap_s=900.0,
        booking_read_lag_s=60.0,
        settle_by=SettleBy.LOOKUP,
        whole_item_writes=True,
        locations=True,
        level_max=wire_api.QUANTITY_MAX,
        campaign_pots=True,
        answers_cancellations=True,
        counts_placed=True,
        verified="simulator; both published signature vectors",
        unsupported={
            "self_shipment": "orders with your own courier: the waybill is entered in Seller Center",
            "webhooks": "polling is enough and needs no public address",
            "seller cancellation": "its reasons depend on the order; cancel in Seller Center, the units come back here by themselves",
            "returns": "they are answered in Seller Center, because an answer moves money",
            "unsettled orders": "estimates; only what was settled is read",
            "split and combine": "packages are split and combined in Seller Center and booked as they are then",
            "restock setting": "levels are absolute, so it does not matter",
        },
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.settings: TokopediaSettings = context.settings
        self.api = Api(self.settings, context.wire, context.tokens)
        # The shop's own waits replace the declared ones on this instance.
        self.capabilities = replace(
            type(self).capabilities,
            overlap_s=self.settings.overlap_s,
            booking_read_lag_s=self.settings.booking_read_lag_s,
        )
        self._authoriser = TokopediaAuthoriser(self.settings, context.wire)
        self._locations: bool | None = None
        self._hidden: set[str] = set()
        self._package_orders: dict[str, tuple[str, ...]] = {}
        self._walk_s: dict[Stream, float] = {}

    @property
    def authoriser(self) -> TokopediaAuthoriser:
        return self._authoriser

    async def health(self) -> Health:
        shop = await self.api.shop(fresh=True)
        token = await self.context.tokens.current()
        notes = []
        if shop.get("region") != "ID":
            notes.append(f"the shop's region is {shop.get('region')}, not ID")
        notes += await self._warehouse_notes() + await self._finance_notes()
        return Health(
            remote_shop_id=str(shop.get("id")),
            shop_name=str(shop.get("name", "")),
            authorisation_ends_at=token.refresh_ends_at,
            clock_offset_s=self.context.wire.clock_offset_s,
            notes=tuple(notes),
        )

    async def _warehouse_notes(self) -> list[str]:
        """RESTRICTED is a holiday or an order limit; a DISABLED warehouse beside others may be meant so."""
        sales = [row for row in await self.api.warehouses() if row.get("type") == "SALES_WAREHOUSE"]
        closed = [row for row in sales if row.get("effect_status") == "RESTRICTED"]
        notes = [f"the warehouse {row.get('name') or row.get('id')} is on holiday or at its limit" for row in closed]
        if sales and all(row.get("effect_status") == "DISABLED" for row in sales):
            notes.append("no sales warehouse is enabled")
        return notes

    async def _finance_notes(self) -> list[str]:
        now_s = int(self.context.wire.now().timestamp())
        try:
            await self.api.statements(first=now_s - 1, end=now_s, page_token="")
        except AuthNeeded:
            raise
        except SellersyncError as failure:  # the shop is well all the same
            if isinstance(failure, Rejected) and failure.reject is RejectClass.NOT_SUPPORTED:
                return ["the app may not read statements, so settlements are left out; the rest of the channel works"]
            log.info("%s: statements cannot be read now: %s", self.context.slug, failure)
        return []

    # -- streams

    async def pages(self, stream: Stream, mark: Mark) -> AsyncIterator[Page]:
        """Walks by update time. The overlap is at least as long as the previous walk took."""
        if stream not in self.capabilities.streams:
            raise NotSupported(f"{self.title} has no stream {stream}")
        begun = self.context.clock.monotonic()
        least_s = STATEMENTS_OVERLAP_S if stream is Stream.SETTLEMENTS else 0.0
        overlap_s = max(self.settings.overlap_s, self._walk_s.get(stream, 0.0), least_s)
        now = self.context.wire.now()
        try:
            async for chunk in walk(self._search(stream), mark=mark.at, now=now, overlap_s=overlap_s):
                rows, skipped = await self._rows(stream, chunk.rows)
                yield Page(rows, chunk.started_at, closes=chunk.closes, skipped=skipped)
        except Rejected as refused:
            if stream is not Stream.SETTLEMENTS or refused.reject is not RejectClass.NOT_SUPPORTED:
                raise
            log.info("%s: settlements are skipped: %s", self.context.slug, refused)  # `health` says so
        self._walk_s[stream] = self.context.clock.monotonic() - begun

    def _search(self, stream: Stream) -> Search:
        async def search(first: int, end: int, page_token: str) -> Found:
            if stream is Stream.ORDERS:
                return _found(await self.api.search_orders(first=first, end=end, page_token=page_token), "orders")
            if stream is Stream.SETTLEMENTS:
                return _found(await self.api.statements(first=first, end=end, page_token=page_token), "statements")
            bounds = {"update_time_ge": first, "update_time_lt": end}
            if stream is Stream.CANCELLATIONS:
                answer = await self.api.search_cancellations(page_token=page_token, **bounds)
                return _found(answer, "cancellations")
            return _found(await self.api.search_returns(page_token=page_token, **bounds), "return_orders")

        return search

    async def _rows(self, stream: Stream, rows: Sequence[Any]) -> tuple[tuple[Row, ...], tuple[str, ...]]:
        if stream is Stream.ORDERS:
            return await self._orders(rows)
        if stream is Stream.SETTLEMENTS:
            return await read_statements(self.api, rows)
        if stream is Stream.CANCELLATIONS:
            return _readable(rows, mapping_aftersales.cancellation, "cancel_id")
        return _readable(rows, mapping_aftersales.returned, "return_id")

    async def _orders(self, rows: Sequence[Any]) -> tuple[tuple[Order, ...], tuple[str, ...]]:
        """Map order rows, with the two facts that they lack: the buyer's open requests and the orders of combined packages."""
        known = [row for row in rows if isinstance(row, Mapping)]
        facts = mapping.Facts(
            locations=await self._has_locations() if known else False,
            requests=await self._requests([mapping.text(row, "id") for row in known if mapping.needs_requests(row)]),
            package_orders=await self._combined(known),
        )
        return _readable(rows, lambda row: mapping.order(row, facts), "id")

    async def _has_locations(self) -> bool:
        """Does the shop have several sales warehouses? Read once, and again with every walk through the listings."""
        if self._locations is None:
            found = [row for row in await self.api.warehouses() if row.get("type") == "SALES_WAREHOUSE"]
            self._locations = len(found) > 1
        return self._locations

    async def _requests(self, order_ids: Sequence[str]) -> Mapping[str, Sequence[RemoteCancellation]]:
        found: dict[str, list[RemoteCancellation]] = {}
        for batch in _cut(order_ids, wire_api.CANCELLATION_ORDERS_MAX):
            token = ""
            for _ in range(REQUEST_PAGES_MAX):
                answer = await self.api.search_cancellations(page_token=token, order_ids=batch)
                readable, _ = _readable(answer.rows("cancellations"), mapping_aftersales.cancellation, "cancel_id")
                for request in readable:
                    found.setdefault(request.order_id, []).append(request)
                token = mapping.text(answer.data, "next_page_token")
                if not token or not readable:
                    break
        return found

    async def _combined(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, tuple[str, ...]]:
        """package id -> all its orders, for packages that serve several (rare: each costs one read, once)."""
        wanted = {
            mapping.text(package, "id")
            for row in rows
            if row.get("split_or_combine_tag") == "COMBINED"
            for package in row.get("packages") or ()
        }
        for package_id in sorted(wanted - set(self._package_orders)):
            try:
                parcel = mapping_stock.package(await self.api.package(package_id))
            except (Rejected, Unrecognised):
                continue
            if len(self._package_orders) >= PACKAGES_REMEMBERED_MAX:
                self._package_orders.clear()
            self._package_orders[package_id] = parcel.order_ids
        return {pid: self._package_orders[pid] for pid in wanted if pid in self._package_orders}

    async def orders_by_id(self, ids: Sequence[str]) -> OrdersById:
        started_at = self.context.clock.now()
        rows: list[Any] = []
        for batch in _cut(list(dict.fromkeys(ids)), wire_api.ORDER_IDS_MAX):
            rows += await self._order_rows(batch)
        found, skipped = await self._orders(rows)
        there = {mapping.text(row, "id") for row in rows if isinstance(row, Mapping)}
        gone = tuple(order_id for order_id in ids if order_id not in there)
        return OrdersById(found, gone, started_at, skipped)

    async def placed(self, since: datetime, until: datetime) -> PlacedOrders:
        async def search(first: int, end: int, page_token: str) -> Found:
            answer = await self.api.search_orders(first=first, end=end, page_token=page_token, field="create_time")
            return _found(answer, "orders")

        ids: dict[str, None] = {}
        async for row in rows_between(search, since, until):
            if not (isinstance(row, Mapping) and (order_id := mapping.text(row, "id"))):
                raise Unrecognised("order search: an order without its id", repr(row)[:200])
            ids[order_id] = None
        return PlacedOrders(tuple(ids), "create_time")

    async def _order_rows(self, ids: Sequence[str]) -> list[Any]:
        """One unknown id may sink the call (unconfirmed): then the halves are asked."""
        try:
            return (await self.api.orders(ids)).rows("orders")
        except Rejected as refused:
            if refused.reject not in (RejectClass.NOT_OURS, RejectClass.BAD_DATA):
                raise
        if len(ids) == 1:
            return []
        middle = len(ids) // 2
        return await self._order_rows(ids[:middle]) + await self._order_rows(ids[middle:])

    # -- listings and levels

    async def listings(self) -> AsyncIterator[tuple[RemoteListing, ...]]:
        self._locations = None
        locations = await self._has_locations()
        token, seen = "", {""}
        for _ in range(PRODUCT_PAGES_MAX):
            answer = await self.api.search_products(page_token=token)
            products = mapping_stock.objects(answer.data, "products")
            yield tuple(row for product in products for row in mapping_stock.listings(product, locations=locations))
            token = mapping.text(answer.data, "next_page_token")
            if not token or not products:
                return
            if token in seen:
                raise Temporary("the provider repeats a page token")
            seen.add(token)
        raise Temporary(f"more than {PRODUCT_PAGES_MAX} pages of products")

    async def levels(self, targets: Sequence[TargetKey]) -> tuple[ShownLevel, ...]:
        result: dict[TargetKey, ShownLevel] = {}
        sku_ids = list(dict.fromkeys(mapping_stock.sku_id_of(target.remote_key) for target in targets))
        for batch in _cut(sku_ids, wire_api.INVENTORY_SKUS_MAX):
            answer = await self.api.search_inventory(batch)
            by_sku = mapping_stock.inventory_by_sku(answer.rows("inventory"))
            for target in targets:
                sku_id = mapping_stock.sku_id_of(target.remote_key)
                if sku_id in batch:
                    result[target] = mapping_stock.shown_level(target, by_sku.get(sku_id), answer.started_at)
        return tuple(self._as_buyers_see(result[target]) for target in targets)

    def _as_buyers_see(self, level: ShownLevel) -> ShownLevel:
        """A product that we hid shows nothing, whatever its number is."""
        if level.shown is None or mapping_stock.product_id_of(level.target.remote_key) not in self._hidden:
            return level
        return ShownLevel(level.target, 0, level.read_started_at, level.held_aside, level.floor)

    def level_batches(self, wants: Sequence[Want]) -> list[tuple[Want, ...]]:
        return push.batches(wants)

    async def set_levels(self, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
        return await push.Push(self.api, batch, self._hidden).run()

    # -- shipments

    async def prepare(self, request: ParcelRequest) -> Arrangement:
        order_ids = request.parcel.order_ids if request.parcel is not None else ()
        orders = await self.orders_by_id(tuple(dict.fromkeys((request.order_id, *order_ids))))
        if orders.gone:
            raise Rejected(orders.gone[0], "the provider does not know this order", RejectClass.UNKNOWN_ORDER)
        booking.refuse_unshippable(orders.found)
        package_id = booking.package_to_ship(request, orders.found)
        arrangement = await booking.prepare(self.api, request, package_id, self.context.wire.now())
        seen = {order.remote_id for order in orders.found}
        others = [order_id for order_id in arrangement.payload["order_ids"] if order_id not in seen]
        if others:
            booking.refuse_unshippable((await self.orders_by_id(others)).found)
        return arrangement

    async def arrange(self, arrangement: Arrangement) -> Arranged:
        return await booking.arrange(self.api, arrangement)

    async def parcels(self, order_ids: Sequence[str]) -> tuple[RemoteParcel, ...]:
        """Parcels on the shelf are read one by one (there is no batch); those under way are told by their orders."""
        orders = (await self.orders_by_id(order_ids)).found
        result: dict[str, RemoteParcel] = {}
        for order in orders:
            for parcel in order.parcels:
                if parcel.remote_id in result:
                    continue
                if parcel.state.left_shelf and parcel.waybill:
                    result[parcel.remote_id] = parcel
                    continue
                row = await self.api.package(parcel.remote_id)
                lines = [line for other in orders for line in other.lines]
                result[parcel.remote_id] = booking.merged(parcel, mapping_stock.package(row, lines))
        return tuple(result.values())

    async def label(self, parcel: RemoteParcel) -> Label:
        return await booking.label(self.api, parcel, self.settings.label_size)

    async def answer_cancellation(self, order_id: str, cancellation_id: str, *, accept: bool, key: str) -> None:
        await self.api.answer_cancellation(cancellation_id, approve=accept, reject_reason=REJECT_REASON, key=key)


def _cut(ids: Sequence[str], most: int) -> list[Sequence[str]]:
    return [ids[start : start + most] for start in range(0, len(ids), most)]


def _found(answer: Answer, name: str) -> Found:
    total = answer.data.get("total_count")
    return Found(
        rows=answer.rows(name),
        next_token=mapping.text(answer.data, "next_page_token"),
        total=total if isinstance(total, int) else None,
        provider_now=answer.provider_now,
        started_at=answer.started_at,
    )


def _readable(rows: Sequence[Any], read: Callable[[Any], T], id_name: str) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """Map rows; one that cannot be read becomes a sentence with its id and sinks nothing else."""
    good: list[T] = []
    skipped: list[str] = []
    for row in rows:
        try:
            good.append(read(row))
        except (Unrecognised, AttributeError, TypeError, ValueError, KeyError) as unreadable:
            row_id = mapping.text(row, id_name) if isinstance(row, Mapping) else "?"
            skipped.append(f"{row_id or '?'}: {str(unreadable)[:200]}")
    return tuple(good), tuple(skipped)
