"""An own site on WooCommerce (REST `wc/v3`).

Keys: a listing is "<product id>" or "<product id>:<variation id>"; its target is the same, except that a variation which inherits
its parent's stock has the target "<product id>". Units are only counted. Parcels are booked with a courier of our own and the waybill is
handed back with `hand_back`.

The walks go by id, not by time, and are applied when they are whole; `api.py` says why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sellersync.connector.contract import (
    Channel,
    ChannelCapabilities,
    ConnectorSettings,
    Context,
    Gone,
    Health,
    LevelAnswer,
    Mark,
    OrdersById,
    Page,
    PlacedOrders,
    PushOutcome,
    RemoteListing,
    ShownLevel,
    Stream,
    TargetKey,
    Want,
)
from sellersync.domain.errors import AuthNeeded, NotSupported, RejectClass, Rejected, Uncertain, Unrecognised
from sellersync.domain.orders import Order

from . import mapping, mapping_stock
from .api import BATCH_ROWS_MAX, INCLUDE_IDS_MAX, PAGE_SIZE_MAX, Api, Walk
from .key_page import GrantedKeys
from .settings import WooCommerceSettings

__all__ = ["WooCommerce"]

SHOP_FACTS_S_MAX = 3600.0  # how long hold time, weight unit and "who inherits" are believed


# plugins change the shape of what the shop sends: a row that cannot be read is told, and sinks no other
_UNREADABLE = (Unrecognised, Rejected, KeyError, TypeError, AttributeError, ValueError)


class WooCommerce(Channel):
    """One WooCommerce shop."""

    provider: ClassVar[str] = "woocommerce"
    title: ClassVar[str] = "WooCommerce"
    Settings: ClassVar[type[ConnectorSettings]] = WooCommerceSettings
    key_page = GrantedKeys()
    capabilities = ChannelCapabilities(
        streams=frozenset({Stream.ORDERS, Stream.TRASH}),
        own_site=True,
        first_walk=timedelta(days=60),
        overlap_s=300.0,
        write_settles_s=60.0,
        arranges=False,
        hands_back=True,
        counts_placed=True,
        labels=False,
        consent=False,
        verified="simulator, and replies recorded from WooCommerce 10.0.2 on WordPress 6.8.8",
        unsupported={
            "webhooks": "never retried and out of order; walks are complete without them",
            "settlements": "its REST API tells no payouts: each payment service pays out and tells it itself",
            "stock deltas": "inventory_delta is undocumented and not safe to repeat",
            "tracking plugins": "the waybill goes into order meta and a note to the customer",
        },
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: WooCommerceSettings = context.settings
        self.capabilities = replace(type(self).capabilities, overlap_s=self._settings.overlap_s)
        for secret in (self._settings.consumer_key, self._settings.consumer_secret):
            context.wire.redact.add(secret.get_secret_value())
        self._api = Api(context.wire, self._settings, context.rng)
        self._facts: dict[str, tuple[float, str | None]] = {}
        self._inherits: dict[tuple[int, int], tuple[float, bool]] = {}

    async def health(self) -> Health:
        """The shop's own name and address (no key needed), then its version (needs the key)."""
        index = await self._api.index()
        if "wc/v3" not in (index.get("namespaces") or ()):
            raise AuthNeeded("the site runs no WooCommerce", todo="Check base_url and that WooCommerce is active.")
        home = str(index.get("home") or "").rstrip("/")
        notes = []
        if home != self._settings.remote_shop_id:
            notes.append(f"the shop calls itself {home}: set remote_shop_id to exactly that")
        status = await self._api.system_status()
        version = str((status.get("environment") or {}).get("version") or "unknown")
        if version[:1].isdigit() and tuple(map(int, version.split(".")[:2])) < (5, 8):
            notes.append(f"WooCommerce {version} cannot filter orders by change time: 5.8 or newer is needed")
        return Health(
            remote_shop_id=home or self._settings.remote_shop_id,
            shop_name=str(index.get("name") or ""),
            clock_offset_s=self.context.wire.clock_offset_s,
            notes=tuple(notes),
        )

    # -- orders

    async def pages(self, stream: Stream, mark: Mark) -> AsyncIterator[Page]:
        """One window: everything changed since the mark, collected whole before the first page is given.

        An order that waits for `booking_wait_s` changes without a change time, so the overlap reaches back over the wait too.
        """
        if stream not in self.capabilities.streams:
            raise NotSupported(f"{self.title} has no stream {stream.value}")
        if stream is Stream.TRASH:
            statuses = ["trash"]
        else:
            statuses = await self._order_statuses()
        since = mark.at - timedelta(seconds=self._settings.overlap_s + self._settings.booking_wait_s)
        walk = await self._api.orders_modified_after(since, statuses)
        chunks = [walk.rows[at : at + PAGE_SIZE_MAX] for at in range(0, len(walk.rows), PAGE_SIZE_MAX)] or [()]
        for number, chunk in enumerate(chunks, 1):
            skipped = ["an order without an id"] * len(walk.nameless) if number == 1 else []
            rows: Sequence[Order | Gone]
            rows = _gone(chunk, skipped) if stream is Stream.TRASH else await self._orders(chunk, skipped)
            closes = walk.closes if number == len(chunks) else None
            yield Page(tuple(rows), walk.read_started_at, progress=str(number), closes=closes, skipped=tuple(skipped))

    async def _order_statuses(self) -> list[str]:
        return [slug for slug in await self._api.order_statuses() if slug not in mapping.NO_ORDERS]

    async def placed(self, since: datetime, until: datetime) -> PlacedOrders:
        """Asked for with two seconds to spare at both ends and cut here: whether the very second of an end belongs to the answer is
        not documented. Binned orders are not among them."""
        spare = timedelta(seconds=2)
        walk = await self._api.orders_created_between(since - spare, until + spare, await self._order_statuses())
        if walk.nameless:
            raise Unrecognised("orders by creation: orders without an id", str(len(walk.nameless)))
        inside = [row["id"] for row in walk.rows if since <= mapping.created_at(row) < until]
        return PlacedOrders(tuple(map(str, inside)), "date_created_gmt")

    async def orders_by_id(self, ids: Sequence[str]) -> OrdersById:
        """By `include`, 100 at a time. Binned and deleted orders are missing from the shop's answer: gone."""
        started_at = self.context.clock.now()
        numbers = {order_id: mapping.order_number(order_id) for order_id in ids}
        asked = [number for number in numbers.values() if number is not None]
        found: list[Order] = []
        there: set[int] = set()
        skipped: list[str] = []
        for at in range(0, len(asked), INCLUDE_IDS_MAX):
            answered = await self._api.orders_by_ids(asked[at : at + INCLUDE_IDS_MAX])
            rows = [row for row in answered if type(row.get("id")) is int]
            skipped += ["an order without an id"] * (len(answered) - len(rows))
            there |= {row["id"] for row in rows}
            found += await self._orders(rows, skipped)
        gone = tuple(order_id for order_id, number in numbers.items() if number not in there)
        return OrdersById(tuple(found), gone, started_at, tuple(skipped))

    async def _orders(self, rows: Sequence[Mapping[str, Any]], skipped: list[str]) -> list[Order]:
        """Map rows, reading beside them only what they do not tell: refunded units and whose stock a variation shows."""
        rules = await self._rules(rows)
        inherits = await self._who_inherits(mapping.variations_in(rows))
        orders = []
        for row in rows:
            try:
                refunds = await self._api.refunds(row["id"]) if row.get("refunds") else ()
                orders.append(mapping.order(row, rules, refunds=refunds, inherits=inherits))
            except _UNREADABLE as unreadable:
                skipped.append(f"order {row['id']}: {unreadable!r}")
        return orders

    async def _rules(self, rows: Iterable[Mapping[str, Any]]) -> mapping.Rules:
        settings = self._settings
        hold_minutes: int | None = None
        if any(row.get("status") == "pending" for row in rows):
            text = await self._fact("woocommerce_hold_stock_minutes")
            hold_minutes = None if text is None else int(text) if text.isdecimal() else 0
        return mapping.Rules(
            now=self.context.wire.now(),
            hold_minutes=hold_minutes,
            hold_fallback_minutes=settings.hold_fallback_minutes,
            cod_methods=settings.cod_methods,
            paid_statuses=settings.paid_statuses,
            shipped_statuses=settings.shipped_statuses,
            booking_wait_s=settings.booking_wait_s,
            district_in_address_2=settings.district_in_address_2,
        )

    async def _fact(self, name: str) -> str | None:
        """A setting of the shop, believed for an hour; `None` where the key may not read settings."""
        now_s = self.context.clock.monotonic()
        known = self._facts.get(name)
        if known is None or now_s - known[0] > SHOP_FACTS_S_MAX:
            try:
                value: str | None = (await self._api.setting("products", name)).strip()
            except (AuthNeeded, Rejected):
                value = None
            known = self._facts[name] = (now_s, value)
        return known[1]

    async def _who_inherits(self, pairs: Iterable[tuple[int, int]]) -> mapping.Inherits:
        """Which of these variations show their parent's number; one read per parent with unknown variations."""
        now_s = self.context.clock.monotonic()
        wanted = set(pairs)
        unknown: dict[int, list[int]] = {}
        for product_id, variation_id in sorted(wanted):
            known = self._inherits.get((product_id, variation_id))
            if known is None or now_s - known[0] > SHOP_FACTS_S_MAX:
                unknown.setdefault(product_id, []).append(variation_id)
        for product_id, variation_ids in unknown.items():
            for at in range(0, len(variation_ids), INCLUDE_IDS_MAX):
                await self._variations(product_id, variation_ids[at : at + INCLUDE_IDS_MAX])
        return mapping.Inherits({pair: self._inherits[pair][1] for pair in wanted if pair in self._inherits})

    async def _variations(self, product_id: int, variation_ids: Sequence[int] = ()) -> Walk | None:
        """Variations of a parent, remembering who inherits; `None` when the parent is gone."""
        now_s = self.context.clock.monotonic()
        try:
            walk = await self._api.variations(product_id, variation_ids)
        except Rejected as gone:
            if gone.reject is not RejectClass.UNKNOWN_LISTING:
                raise
            walk = None
        for variation_id in variation_ids:
            self._inherits[product_id, variation_id] = (now_s, False)
        for row in walk.rows if walk else ():
            self._inherits[product_id, row["id"]] = (now_s, mapping_stock.inherits_stock(row))
        return walk

    # -- listings and levels

    async def listings(self) -> AsyncIterator[tuple[RemoteListing, ...]]:
        """Products by id; the variations of a variable product are listings, the product itself is none."""
        unit = await self._fact("woocommerce_weight_unit") or ""
        walk = await self._api.products()
        for at in range(0, len(walk.rows), PAGE_SIZE_MAX):
            found: list[RemoteListing] = []
            for row in walk.rows[at : at + PAGE_SIZE_MAX]:
                if row.get("type") == "grouped":
                    continue
                if row.get("type") != "variable":
                    found.append(mapping_stock.simple_listing(row, unit))
                    continue
                variations = await self._variations(row["id"])
                for variation in variations.rows if variations else ():
                    found.append(mapping_stock.variation_listing(variation, row, unit))
            yield tuple(found)

    async def levels(self, targets: Sequence[TargetKey]) -> tuple[ShownLevel, ...]:
        """`stock_quantity` per target. It does not subtract the holds of unpaid checkouts (their units are `excluded` NO)."""
        started_at = self.context.clock.now()
        keys = {target.remote_key: mapping_stock.split_key(target.remote_key) for target in targets}
        by_parent: dict[int, list[int]] = {}
        for ids in keys.values():
            if ids is not None:
                by_parent.setdefault(ids[0] if ids[1] else 0, []).append(ids[1] or ids[0])
        shown: dict[str, int | None] = {}
        for product_id, found_ids in by_parent.items():
            for at in range(0, len(found_ids), INCLUDE_IDS_MAX):
                chunk = found_ids[at : at + INCLUDE_IDS_MAX]
                if product_id:
                    walk = await self._variations(product_id, chunk)
                    rows: Sequence[Mapping[str, Any]] = walk.rows if walk else ()
                else:
                    rows = await self._api.products_by_ids(chunk)
                for row in rows:
                    if type(row.get("id")) is not int:
                        continue  # nobody's number: its target stays unknown
                    key = mapping_stock.listing_key(product_id or row["id"], row["id"] if product_id else 0)
                    shown[key] = mapping_stock.shown(row)
        return tuple(ShownLevel(target, shown.get(target.remote_key), started_at) for target in targets)

    def level_batches(self, wants: Sequence[Want]) -> list[tuple[Want, ...]]:
        """50 rows a call; products together, variations by parent."""
        return mapping_stock.group_by_parent(wants, BATCH_ROWS_MAX)

    async def set_levels(self, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
        """One batch call; each answer is read from the echoed number. A row that fails sinks nobody."""
        sent = [want for want in batch if mapping_stock.split_key(want.target.remote_key) is not None]
        rows = [mapping_stock.batch_row(want) for want in sent]
        answers: dict[int, LevelAnswer] = {}
        if sent:
            first = mapping_stock.split_key(sent[0].target.remote_key)
            parent = first[0] if first and first[1] else 0
            try:
                if parent:
                    echoed = await self._api.variations_batch(parent, rows)
                else:
                    echoed = await self._api.products_batch(rows)
                answers = {
                    index: mapping_stock.level_answer(want, echoed[index] if index < len(echoed) else None)
                    for index, want in enumerate(sent)
                }
            except Uncertain as lost:
                answers = {i: LevelAnswer(w.target, PushOutcome.UNCLEAR, why=lost.why) for i, w in enumerate(sent)}
            except Rejected as refused:
                answers = {
                    index: LevelAnswer(want.target, PushOutcome.REJECTED, reject=refused.reject, why=str(refused))
                    for index, want in enumerate(sent)
                }
        by_want = {id(want): answers[index] for index, want in enumerate(sent)}
        foreign = "not a key of this channel"
        return tuple(
            by_want.get(id(want))
            or LevelAnswer(want.target, PushOutcome.REJECTED, reject=RejectClass.UNKNOWN_LISTING, why=foreign)
            for want in batch
        )

    # -- handing the waybill back

    async def hand_back(self, order_id: str, waybill: str, courier: str, note: str = "") -> None:
        """Write waybill and courier into the order's meta, and mail the buyer `note` once ("" mails nothing).

        Harmless to repeat: the meta key is updated in place and only when it differs, the note is sent only when no note to the customer
        names this waybill yet. `status_after_waybill` is set in the same write, from a status that is to be shipped and no other.
        Raises `Rejected` (UNKNOWN_ORDER), `Uncertain` (repeat it later), `Temporary`, `AuthNeeded`.
        """
        number = mapping.order_number(order_id)
        if number is None:
            raise Rejected(f"order {order_id}", "not an order of this shop", RejectClass.UNKNOWN_ORDER)
        change = mapping.waybill_change(
            await self._api.order(number),
            waybill,
            courier,
            status_after=self._settings.status_after_waybill,
            from_statuses=("processing", *self._settings.paid_statuses),
        )
        if change:
            await self._api.put_order(number, change)
        if note and not any(waybill in text for text in await self._api.customer_notes(number)):
            await self._api.add_customer_note(number, note if waybill in note else f"{note} ({waybill})")


def _gone(rows: Sequence[Mapping[str, Any]], skipped: list[str]) -> list[Gone]:
    found = []
    for row in rows:
        try:
            found.append(mapping.gone(row))
        except _UNREADABLE as unreadable:
            skipped.append(f"binned order {row['id']}: {unreadable!r}")
    return found
