"""An own site on Shopify (GraphQL Admin API, version 2026-07).

Keys: a listing and its target are the number of the inventory item ("4400102"); a target's location is the number of the Shopify
location and is always given. Order ids are the numbers inside Shopify's global ids. Units are only counted. Parcels are booked with a
courier of our own and the waybill is handed back with `hand_back`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

from sellersync.connector.contract import (
    Authoriser,
    Channel,
    ChannelCapabilities,
    ConnectorSettings,
    Context,
    Effect,
    Health,
    LevelAnswer,
    Mark,
    OrdersById,
    Page,
    PlacedOrders,
    RemoteListing,
    ShownLevel,
    Stream,
    TargetKey,
    Want,
)
from sellersync.domain.errors import (
    CapExceeded,
    NotSupported,
    RejectClass,
    Rejected,
    Temporary,
    Uncertain,
    Unrecognised,
)
from sellersync.domain.orders import Order

from . import mapping, mapping_stock
from .api import NODES_MAX, PAGES_MAX, QUANTITY_ROWS_MAX, Api, Row
from .auth import ShopifyAuthoriser
from .fields import inner, is_number, needed_moment, nodes, number_of
from .push import Push
from .settings import ShopifySettings
from .waybill import Waybill

__all__ = ["Shopify"]

LOCATIONS_S_MAX = 3600.0  # how long the list of locations is believed
WINDOW_MAX = timedelta(days=7)  # a first walk closes week by week, so that a crash repeats a week and not sixty days
VERSION_WARNING = timedelta(days=90)
SCOPES = frozenset(
    {
        "read_orders",
        "read_products",
        "read_inventory",
        "write_inventory",
        "read_locations",
        "read_merchant_managed_fulfillment_orders",
        "write_merchant_managed_fulfillment_orders",
    }
)
ALL_ORDERS = "read_all_orders"


class Shopify(Channel):
    """One Shopify shop."""

    provider: ClassVar[str] = "shopify"
    title: ClassVar[str] = "Shopify"
    Settings: ClassVar[type[ConnectorSettings]] = ShopifySettings
    capabilities = ChannelCapabilities(
        streams=frozenset({Stream.ORDERS}),
        own_site=True,
        first_walk=timedelta(days=60),
        visibility_delay_s=15.0,
        overlap_s=300.0,
        write_settles_s=30.0,
        locations=True,
        certain=frozenset({Effect.CREATED, Effect.PAID}),
        arranges=False,
        hands_back=True,
        counts_placed=True,
        labels=False,
        consent=False,
        verified="simulator only",
        unsupported={
            "webhooks": "walks are complete without them; auth.webhook_is_genuine checks one for who wants a hint to pull",
            "consent in the browser": "the client-credentials grant of an app of one's own needs none",
            "orders split between locations": "such a line is told and waits for a person: one waybill cannot ship it",
            "bundles": "Shopify keeps no number of its own for them",
            "fulfilment services of others": "their orders are held, never booked",
            "settlements": "it tells payouts of Shopify Payments alone; other payment services tell theirs themselves",
            "returns": "read as refunded units; the return itself is graded by a person",
        },
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: ShopifySettings = context.settings
        self.capabilities = replace(type(self).capabilities, overlap_s=self._settings.overlap_s)
        for secret in (self._settings.client_secret, self._settings.access_token):
            if secret.get_secret_value():
                context.wire.redact.add(secret.get_secret_value())
        self._api = Api(context, self._settings)
        self._authoriser = ShopifyAuthoriser(context.wire, self._settings)
        self._locations: tuple[float, tuple[str, ...]] | None = None

    @property
    def authoriser(self) -> Authoriser | None:
        """`None` for an old custom app, whose token does not end."""
        return None if self._settings.access_token.get_secret_value() else self._authoriser

    async def health(self) -> Health:
        """The shop's name, and what will hurt later: missing scopes, the 60 days, the version's end."""
        found = await self._api.shop()
        domain = str(inner(found, "shop", "myshopifyDomain") or "")
        installed = nodes(inner(found, "currentAppInstallation", "accessScopes"), where="accessScopes")
        scopes = {str(scope.get("handle")) for scope in installed}
        return Health(
            remote_shop_id=domain,
            shop_name=str(inner(found, "shop", "name") or ""),
            clock_offset_s=self.context.wire.clock_offset_s,
            notes=tuple(self._notes(domain, str(inner(found, "shop", "currencyCode") or ""), scopes)),
        )

    def _notes(self, domain: str, currency: str, scopes: set[str]) -> list[str]:
        settings = self._settings
        notes = []
        if domain != settings.remote_shop_id:
            notes.append(f"the token belongs to {domain}, the configuration says {settings.remote_shop_id}")
        if missing := sorted(SCOPES - scopes):
            notes.append(f"the app lacks the scopes {', '.join(missing)}")
        if ALL_ORDERS not in scopes:
            notes.append(f"orders older than 60 days are silently left out (the app lacks {ALL_ORDERS})")
        if currency not in ("", "IDR"):
            notes.append(f"the shop counts in {currency}: amounts that are no whole numbers are reported, not rounded")
        served = self._api.served_version
        if served and served != settings.api_version:
            notes.append(f"version {settings.api_version} of the API is over: {served} answers instead")
        elif settings.version_ends_at - self.provider_now() < VERSION_WARNING:
            notes.append(f"version {settings.api_version} of the API may end from {settings.version_ends_at:%Y-%m-%d}")
        return notes

    # -- orders

    async def pages(self, stream: Stream, mark: Mark) -> AsyncIterator[Page]:
        """Weekly windows up to now; the last one has no upper bound, so that what changes meanwhile is rather seen twice."""
        if stream not in self.capabilities.streams:
            raise NotSupported(f"{self.title} has no stream {stream.value}")
        since = mark.at - timedelta(seconds=self._settings.overlap_s + self._settings.booking_wait_s)
        while True:
            until = since + WINDOW_MAX
            last = until >= self.provider_now()
            async for page in self._window(since, None if last else until):
                yield page
            if last:
                return
            since = until

    async def _window(self, since: datetime, until: datetime | None) -> AsyncIterator[Page]:
        """One window. It closes at the shop's clock when its first page was asked for, or at its upper bound."""
        query = f"updated_at:>='{_stamp(since)}'" + (f" AND updated_at:<'{_stamp(until)}'" if until else "")
        cursor: str | None = None
        closes = until
        for number in range(1, PAGES_MAX + 1):
            located = not await self._only_location()
            found = await self._api.orders(query, cursor, located=located)
            if closes is None:
                ours = found.reply.started_at + timedelta(seconds=self.context.wire.clock_offset_s)
                closes = min(found.reply.provider_now, ours).replace(microsecond=0)
            if found.cursor is not None and found.cursor == cursor:
                raise Temporary("orders: the cursor does not move")
            skipped: list[str] = []
            rows = await self._orders(found.rows, skipped)
            end = found.cursor is None
            yield Page(
                tuple(rows),
                found.reply.started_at,
                progress=str(number),
                closes=closes if end else None,
                skipped=tuple(skipped),
            )
            if end:
                return
            cursor = found.cursor
        raise Temporary(f"orders: more than {PAGES_MAX} pages in one window")

    async def placed(self, since: datetime, until: datetime) -> PlacedOrders:
        """Cut again by `createdAt`: a search term that the shop does not understand matches everything."""
        query = f"created_at:>='{_stamp(since)}' AND created_at:<'{_stamp(until + timedelta(seconds=1))}'"
        ids: dict[str, None] = {}
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await self._api.orders_created(query, cursor)
            inside = [row for row in page.rows if since <= needed_moment(row, "createdAt") < until]
            ids |= dict.fromkeys(mapping.order_id_of(row) for row in inside)
            if page.cursor is None:
                return PlacedOrders(tuple(ids), "createdAt")
            if page.cursor == cursor:
                raise Temporary("placed: the cursor does not move")
            cursor = page.cursor
        raise CapExceeded(f"placed: more than {PAGES_MAX} pages")

    async def orders_by_id(self, ids: Sequence[str]) -> OrdersById:
        """By `nodes`. An order that the shop does not show (deleted, or older than the app may see) is gone."""
        started_at = self.context.clock.now()
        asked = [order_id for order_id in ids if is_number(order_id)]
        skipped: list[str] = []
        located = not await self._only_location()
        shown = await self._api.orders_by_ids(asked, located=located) if asked else {}
        found = await self._orders(list(shown.values()), skipped)
        gone = tuple(order_id for order_id in ids if order_id not in shown)
        return OrdersById(tuple(found), gone, started_at, tuple(skipped))

    async def _orders(self, rows: Sequence[Row], skipped: list[str]) -> list[Order]:
        rules = mapping.Rules(
            now=self.context.wire.now(),
            location=await self._only_location(),
            cod_gateways=self._settings.cod_gateways,
            booking_wait_s=self._settings.booking_wait_s,
        )
        orders = []
        for row in rows:
            try:
                orders.append(mapping.order(row, rules))
            except Unrecognised as unreadable:
                skipped.append(f"order {row.get('legacyResourceId')}: {unreadable}")
        return orders

    # -- locations, listings, levels

    async def _only_location(self) -> str:
        """The shop's one active location, "" where it has several: then every order must tell its own."""
        found = await self._active_locations()
        return found[0] if len(found) == 1 else ""

    async def _active_locations(self) -> tuple[str, ...]:
        now_s = self.context.clock.monotonic()
        if self._locations is None or now_s - self._locations[0] > LOCATIONS_S_MAX:
            rows = await self._api.locations()
            active = [number_of(row.get("id"), "Location", where="location") for row in rows if row.get("isActive")]
            self._locations = (now_s, tuple(active))
        return self._locations[1]

    async def listings(self) -> AsyncIterator[tuple[RemoteListing, ...]]:
        """All variants, page by page."""
        locations = await self._active_locations()
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await self._api.product_variants(cursor)
            yield tuple(mapping_stock.listing(row, locations) for row in page.rows)
            if page.cursor is None:
                return
            if page.cursor == cursor:
                raise Temporary("variants: the cursor does not move")
            cursor = page.cursor
        raise Temporary(f"variants: more than {PAGES_MAX} pages")

    async def levels(self, targets: Sequence[TargetKey]) -> tuple[ShownLevel, ...]:
        """`available` of each item at its location; what orders committed is no part of it."""
        started_at = self.context.clock.now()
        shown: dict[TargetKey, int | None] = {}
        by_place: dict[str, list[TargetKey]] = {}
        for target in targets:
            if is_number(target.remote_key) and is_number(target.location):
                by_place.setdefault(target.location, []).append(target)
        for place, asked in by_place.items():
            for at in range(0, len(asked), NODES_MAX):
                chunk = asked[at : at + NODES_MAX]
                rows = await self._api.inventory_items([target.remote_key for target in chunk], place)
                levels = (mapping_stock.item_level(row) for row in rows)
                shown |= dict(zip(chunk, levels, strict=True))
        return tuple(ShownLevel(target, shown.get(target), started_at) for target in targets)

    def level_batches(self, wants: Sequence[Want]) -> list[tuple[Want, ...]]:
        """250 rows a call, items and locations mixed."""
        return [tuple(wants[at : at + QUANTITY_ROWS_MAX]) for at in range(0, len(wants), QUANTITY_ROWS_MAX)]

    async def set_levels(self, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
        """Each level is set only where the shop still shows the expected number; where it does not, the answer is UNCLEAR."""
        return await Push(self._api, self._settings.remote_shop_id, batch).run()

    # -- handing the waybill back

    async def hand_back(self, order_id: str, waybill: str, courier: str, note: str = "") -> None:
        """Mark the order as fulfilled with this waybill. With a `note` Shopify mails its shipping confirmation to the buyer.

        Harmless to repeat: nothing is sent when a live fulfilment names the waybill already. Raises `Rejected` (UNKNOWN_ORDER,
        CANCELLED, ALREADY_DONE, NOT_NOW, LOCATION), `Uncertain` (repeat it later), `Temporary`, `AuthNeeded`.
        """
        if not is_number(order_id):
            raise Rejected(f"order {order_id}", "not an order of this shop", RejectClass.UNKNOWN_ORDER)
        try:
            await Waybill(self._api, order_id, waybill, courier).hand_back(note)
        except Unrecognised as unreadable:
            raise Uncertain(f"waybill of order {order_id}", str(unreadable)) from None


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
