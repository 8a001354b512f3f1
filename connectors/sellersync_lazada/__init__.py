"""Lazada (Indonesia) through the Lazada Open Platform.

Keys: a listing and its stock target are `<item_id>:<sku_id>`, in a shop with several warehouses with the warehouse's code as location; a
unit is an `order_item_id` (Lazada sends one row per unit); a parcel is a `package_id`. Order ids repeat between shops, so they mean
something only together with the channel.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from pydantic import Field, SecretStr

from sellersync.connector.contract import (
    Arranged,
    Arrangement,
    Authoriser,
    Channel,
    ChannelCapabilities,
    ConnectorSettings,
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
    SellersyncError,
    Temporary,
    Unrecognised,
)
from sellersync.domain.parcels import RemoteParcel

from . import booking, cancellations
from .api import PRODUCTS_OFFSET_MAX, PRODUCTS_PAGE_SIZE_MAX, STOCK_SKUS_ADVISED, STOCK_SKUS_MAX, LazadaApi
from .auth import LazadaAuthoriser
from .codes import NO_PERMISSION
from .finance import walk_settlements
from .mapping import items_of, parcels_of
from .mapping_stock import Sku, level_of, listing_of, skus_of, split_key
from .push import Push, batches
from .returns import read_returns
from .reverse import walk_reverse_orders
from .values import text
from .walk import order_ids_created, read_items, read_orders, walk_orders
from .warehouses import Warehouses, warehouses_of

ITEM_READS_MAX = 10
"""Up to so many products are read one by one; beyond that walking the whole list takes fewer calls."""


class LazadaSettings(ConnectorSettings):
    """The keys of a Lazada channel in the configuration file."""

    app_key: str = Field(description="App Key of your app in the Lazada Open Platform console", min_length=1)
    app_secret: SecretStr = Field(description="App Secret of the same app")
    remote_shop_id: str = Field(
        default="",
        description="Your seller id (shown by `sellersync auth login`); guards against a token of another shop",
    )
    base_url: str = Field(default="https://api.lazada.co.id/rest", description="Address of the API, with /rest")
    auth_base_url: str = Field(
        default="https://auth.lazada.com/rest", description="Address that hands out tokens, with /rest"
    )
    warehouse_code: str = Field(
        default="dropshipping",
        description="Code of the warehouse that this shop sells from, as Lazada names it; for a shop with one",
    )
    rate_per_s: float = Field(default=3.0, gt=0, description="API calls per second on average")
    burst: int = Field(default=6, ge=1, description="API calls at once")
    calls_per_day_max: int = Field(
        default=10_000_000,
        ge=1_000,
        description="API calls a day that Lazada allows your app: 10000 for an app in test status, 10000000 for one online",
    )
    overlap_s: float = Field(
        default=120.0, ge=10, le=86_400, description="How many seconds each pull reaches back behind the last one"
    )
    booking_read_lag_s: float = Field(
        default=60.0,
        ge=0,
        le=3_600,
        description="Seconds until a packed order is certainly shown as packed when read back",
    )
    skus_per_push: int = Field(
        default=STOCK_SKUS_ADVISED, ge=1, le=STOCK_SKUS_MAX, description="SKUs in one stock update; Lazada advises 20"
    )


class Lazada(Channel):
    """A Lazada Indonesia shop of a local seller, with one warehouse or several."""

    provider: ClassVar[str] = "lazada"
    title: ClassVar[str] = "Lazada"
    Settings = LazadaSettings
    capabilities = ChannelCapabilities(
        streams=frozenset({Stream.ORDERS, Stream.CANCELLATIONS, Stream.RETURNS, Stream.SETTLEMENTS}),
        overlap_s=120.0,
        booking_read_lag_s=60.0,
        whole_item_writes=True,
        locations=True,
        campaign_pots=True,
        answers_cancellations=True,
        counts_placed=True,
        verified="simulator only",
        unsupported={
            "seller cancellations": "the reasons differ for each order and must be chosen there; cancel in the seller centre",
            "answers to returns": "refusals need reasons and pictures; answer in the seller centre",
            "push messages": "they demand an OV or EV certificate; orders are polled",
            "own fleet, digital and pickup-in-store units": "they have no label to book; handle them in the seller centre",
            "units in Lazada's warehouses (FBL)": "recorded, but Lazada keeps and ships them",
            "pre-orders": "no field of an order tells them apart; the shipping deadline (SLA) is read for every order",
            "holiday mode": "the API does not tell it; the shop's status and verification are reported as they change",
            "numbers that may never go down (Choice)": "no field tells them; a refusal is reported as campaign locked",
            "payouts": "settlements are bookings by day; when a statement is paid is seen in the seller centre",
        },
    )
    """`locations` and `whole_item_writes` hold for shops with several warehouses; on an instance they say which kind this shop is once
    its warehouses were read."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: LazadaSettings = context.settings
        self._api = LazadaApi(context, self._settings)
        self._authoriser = LazadaAuthoriser(context, self._settings)
        self._names: dict[str, frozenset[str]] = {}
        self._known_warehouses: Warehouses | None = None
        self._notes: dict[str, str] = {}
        """What Lazada keeps from this app: name -> sentence for the report."""
        # The shop's own bounds replace the declared ones on this instance.
        self.capabilities = replace(
            type(self).capabilities,
            overlap_s=self._settings.overlap_s,
            booking_read_lag_s=self._settings.booking_read_lag_s,
        )

    @property
    def authoriser(self) -> Authoriser:
        return self._authoriser

    async def health(self) -> Health:
        seller = await self._api.seller_get()
        token = await self.context.tokens.current()
        shop_id = text(seller.get("seller_id"))
        notes = []
        if self._settings.remote_shop_id and shop_id != self._settings.remote_shop_id:
            notes.append(
                f"the token belongs to seller {shop_id}, the configuration says {self._settings.remote_shop_id}"
            )
        if text(seller.get("status")).lower() not in ("", "active", "1"):
            notes.append(f"the shop's status is {text(seller.get('status'))}")
        if text(seller.get("verified")).lower() in ("false", "0"):
            notes.append("the shop is not verified; Lazada refuses many calls until it is")
        notes += [note for _, note in sorted(self._notes.items())]
        return Health(
            remote_shop_id=shop_id,
            shop_name=text(seller.get("name")),
            authorisation_ends_at=token.refresh_ends_at or token.access_ends_at,
            clock_offset_s=self.context.wire.clock_offset_s,
            notes=tuple(notes),
        )

    # -- the shop's warehouses

    async def _warehouses(self, *, fresh: bool = False) -> Warehouses:
        """Read once, and again (`fresh`) with every walk through the listings. Where Lazada refuses to list them, what was known stays;
        before anything is known the shop counts as one with a single warehouse, because orders must go on."""
        if self._known_warehouses is not None and not fresh:
            return self._known_warehouses
        own = self._settings.warehouse_code
        try:
            found = warehouses_of(await self._api.warehouse_get(), own=own)
        except Unrecognised as unreadable:
            raise Temporary(f"warehouses: {unreadable}") from None
        except Rejected as refused:
            self._notes["warehouses"] = f"Lazada does not list the shop's warehouses ({refused.code or refused.why})"
            found = self._known_warehouses or Warehouses(own)
            if refused.code not in NO_PERMISSION:
                return found  # asked again with the next errand
        else:
            self._notes.pop("warehouses", None)
        self._known_warehouses = found
        self.capabilities = replace(self.capabilities, locations=found.several, whole_item_writes=found.several)
        return found

    # -- streams

    async def pages(self, stream: Stream, mark: Mark) -> AsyncIterator[Page]:
        """See `Channel.pages`; `walk.py`, `reverse.py` and `finance.py` say how each stream is walked."""
        if stream not in self.capabilities.streams:
            raise NotSupported(f"{self.title} has no stream {stream}")
        async for page in await self._walk(stream, mark):
            yield page

    async def _walk(self, stream: Stream, mark: Mark) -> AsyncIterator[Page]:
        if stream is Stream.SETTLEMENTS:
            return self._settlements(mark)
        warehouses = await self._warehouses()
        now, overlap = self.context.wire.now(), timedelta(seconds=self._settings.overlap_s)
        if stream is Stream.ORDERS:
            return walk_orders(self._api, mark, now=now, overlap=overlap, warehouses=warehouses)
        if stream is Stream.RETURNS:
            read = partial(read_returns, self._api, warehouses=warehouses)
            return walk_reverse_orders(self._api, mark, now=now, overlap=overlap, read=read)
        asked = partial(cancellations.read_cancellations, self._api, warehouses=warehouses)
        return walk_reverse_orders(
            self._api, mark, now=now, overlap=overlap, read=asked, request_type=cancellations.CANCEL
        )

    async def _settlements(self, mark: Mark) -> AsyncIterator[Page]:
        """Without the finance permission one page that is empty and closes nothing: the mark stays for the day on which it is given."""
        started = self.context.clock.now()
        try:
            async for page in walk_settlements(self._api, mark, now=self.context.wire.now()):
                self._notes.pop("finance", None)
                yield page
        except Rejected as refused:
            if refused.reject is not RejectClass.NOT_SUPPORTED:
                raise
            self._notes["finance"] = "the app may not read finance (InsufficientPermission); settlements are missing"
            yield Page((), started, skipped=(self._notes["finance"],))

    # -- orders

    async def orders_by_id(self, ids: Sequence[str]) -> OrdersById:
        """Headers one by one (there is no batch for them), items 50 orders a call."""
        started = self.context.clock.now()
        headers, gone = [], []
        for order_id in dict.fromkeys(ids):
            try:
                header, _ = await self._api.order_get(order_id)
            except Rejected as refused:
                if refused.reject is not RejectClass.UNKNOWN_ORDER:
                    raise
                gone.append(order_id)
            else:
                headers.append(header)
        skipped: list[str] = []
        warehouses = await self._warehouses()
        found = await read_orders(self._api, headers, warehouses=warehouses, skipped=skipped)
        if skipped and not found:
            raise Temporary("; ".join(skipped))
        return OrdersById(tuple(found), tuple(gone), started)

    async def placed(self, since: datetime, until: datetime) -> PlacedOrders:
        return PlacedOrders(await order_ids_created(self._api, since, until), "created_at")

    # -- listings and levels

    async def listings(self) -> AsyncIterator[tuple[RemoteListing, ...]]:
        """All SKUs that are not deleted, 50 products a page."""
        warehouses = await self._warehouses(fresh=True)
        async for skus in self._product_pages():
            yield tuple(listing_of(sku, warehouses) for sku in skus)

    async def levels(self, targets: Sequence[TargetKey]) -> tuple[ShownLevel, ...]:
        """Few products are read one by one, many by walking the list."""
        started = self.context.clock.now()
        if not targets:
            return ()
        found = await self._read_skus([target.remote_key for target in targets])
        return tuple(level_of(target, found.get(target.remote_key), started) for target in targets)

    def level_batches(self, wants: Sequence[Want]) -> list[tuple[Want, ...]]:
        return batches(wants, skus_max=self._settings.skus_per_push)

    async def set_levels(self, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
        """One absolute update for the batch; `push.py` says what happens to a partly refused one."""
        return await Push(self._api, self._names_of, self.levels).run(batch)

    async def _product_pages(self) -> AsyncIterator[tuple[Sku, ...]]:
        warehouses = await self._warehouses()
        seen: set[str] = set()
        for offset in range(0, PRODUCTS_OFFSET_MAX + 1, PRODUCTS_PAGE_SIZE_MAX):
            products, total = await self._api.products_get(offset=offset)
            if not products:
                return
            skus = [
                sku
                for product in products
                for sku in skus_of(product, warehouses=warehouses)
                if sku.remote_key not in seen
            ]
            seen.update(sku.remote_key for sku in skus)
            self._learn_names(skus)
            yield tuple(skus)
            if offset + len(products) >= total:
                return
        raise CapExceeded(f"more than {PRODUCTS_OFFSET_MAX} products, which Lazada does not page through")

    async def _read_skus(self, remote_keys: Sequence[str]) -> dict[str, Sku]:
        keys = set(remote_keys)
        item_ids = dict.fromkeys(parts[0] for key in remote_keys if (parts := split_key(key)))
        found: dict[str, Sku] = {}
        if len(item_ids) > ITEM_READS_MAX:
            async for skus in self._product_pages():
                found.update((sku.remote_key, sku) for sku in skus if sku.remote_key in keys)
            return found
        warehouses = await self._warehouses()
        for item_id in item_ids:
            try:
                product, _ = await self._api.product_item_get(item_id)
            except Rejected as refused:
                if refused.reject is not RejectClass.UNKNOWN_LISTING:
                    raise
                continue
            skus = tuple(skus_of(product, warehouses=warehouses))
            self._learn_names(skus)
            found.update((sku.remote_key, sku) for sku in skus if sku.remote_key in keys)
        return found

    def _learn_names(self, skus: Sequence[Sku]) -> None:
        for sku in skus:
            self._names[sku.remote_key] = frozenset({sku.seller_sku, sku.shop_sku} - {""})

    async def _names_of(self, wants: Sequence[Want]) -> Mapping[str, frozenset[str]]:
        """Under which names a refusal may speak of these targets; what was never read is read now, and failing that unknown."""
        unknown = [want.target.remote_key for want in wants if want.target.remote_key not in self._names]
        if unknown:
            try:
                await self._read_skus(unknown)
            except SellersyncError:
                return self._names
        return self._names

    # -- shipments

    async def prepare(self, request: ParcelRequest) -> Arrangement:
        """Decide between pack and ready-to-ship by a live read of the items."""
        items = await booking.live_items(self._api, request.order_id, warehouses=await self._warehouses())
        return booking.next_step(request, items)

    async def arrange(self, arrangement: Arrangement) -> Arranged:
        """Send the prepared step, once, on a connection of its own."""
        send = booking.send_pack if arrangement.step == booking.STEP_PACK else booking.send_ready_to_ship
        return await send(self._api, arrangement, warehouses=await self._warehouses())

    async def parcels(self, order_ids: Sequence[str]) -> tuple[RemoteParcel, ...]:
        """All packages that the orders' items name now; a booking without an answer is settled by this."""
        rows = await read_items(self._api, list(dict.fromkeys(order_ids)))
        warehouses = await self._warehouses()
        try:
            return tuple(
                parcel
                for order_id, items in rows.items()
                for parcel in parcels_of(order_id, items_of(items, warehouses=warehouses))
            )
        except Unrecognised as unreadable:
            raise Temporary(f"packages: {unreadable}") from None

    async def label(self, parcel: RemoteParcel) -> Label:
        """The PDF behind PrintAWB's link, fetched at once: the link lives ten minutes."""
        url = await self._api.print_awb(parcel.remote_id)
        if not url:
            raise Temporary(f"package {parcel.remote_id}: Lazada gave no PDF link yet")
        content = await self._api.download(url)
        if not content.startswith(b"%PDF-"):
            raise Temporary(f"package {parcel.remote_id}: the label is no PDF yet")
        return Label(content, "application/pdf")

    # -- cancellations

    async def answer_cancellation(self, order_id: str, cancellation_id: str, *, accept: bool, key: str) -> None:
        """Read the request, then answer it once; `cancellations.py` says what each outcome means."""
        await cancellations.answer(self._api, order_id, cancellation_id, accept=accept, key=key)
