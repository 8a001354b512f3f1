"""Shopee: one shop of the Shopee Open Platform (API v2, Indonesian local shop).

A remote key is `"<item_id>:<model_id>"`, model 0 for an item without variations; the location is a location id in shops that have
several, else "". Order ids are `order_sn`, parcel ids are package numbers.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

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
from sellersync.domain.errors import AuthNeeded, NotSupported, RejectClass, Rejected, SellersyncError, Unrecognised
from sellersync.domain.orders import Order, OrderState
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.returns import RemoteReturn
from sellersync.domain.times import from_epoch_s

from . import labels, levels, walk
from .api import ORDER_DETAIL_IDS_MAX, PACKAGE_DETAIL_IDS_MAX, TRACKING_PACKAGES_MAX, ShopeeApi
from .auth import ShopeeAuthoriser
from .fields import text_of
from .mapping import Policy, read_order, read_orders
from .mapping_parcels import ParcelFacts, waybill_of
from .mapping_returns import read_return
from .mapping_shipping import RESCHEDULE, SHIP, pickup_choice, ship_body
from .settings import ShopeeSettings
from .settlements import read_settlements

__all__ = ["Shopee", "ShopeeSettings"]

log = logging.getLogger(__name__)

Reader = Callable[[Sequence[Mapping[str, Any]]], Awaitable[tuple[tuple[Row, ...], tuple[str, ...]]]]
"""Listed rows -> rows of the contract, and sentences about those that cannot be read."""
HOLIDAY_PARTIAL = 1
WAITS_FOR_ANSWER = "IN_CANCEL"
STATES_TO_SHIP = (OrderState.READY, OrderState.BOOKED)


class Shopee(Channel):
    """Orders, levels, courier arrangement, labels and returns of one Shopee shop."""

    provider = "shopee"
    title = "Shopee"
    Settings = ShopeeSettings
    capabilities = ChannelCapabilities(
        streams=frozenset({Stream.ORDERS, Stream.RETURNS, Stream.SETTLEMENTS}),
        first_walk=timedelta(days=15),
        overlap_s=300.0,
        booking_read_lag_s=1200.0,
        settle_by=SettleBy.LOOKUP,
        locations=True,
        campaign_pots=True,
        answers_cancellations=True,
        counts_placed=True,
        verified="simulator only",
        unsupported={
            "advance fulfilment": "bookings without an order are arranged by Shopee's own flow",
            "split orders": "parcels that were split in Seller Centre are booked one by one; splitting is not offered",
            "partial requests": "a buyer's request to cancel a part of an order is answered in Seller Centre",
            "deadline of a request": "Shopee does not tell until when a request to cancel must be answered",
            "seller cancellation": "an order is cancelled in Seller Centre; its units come back here by themselves",
            "return transport": "where a returned parcel travels is not read; a person receives it",
            "late corrections": "a correction later than settlement_reread_days after the release is not seen",
            "disputes": "returns are answered in Seller Centre, because an answer moves money",
        },
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        settings: ShopeeSettings = context.settings
        self.settings = settings
        self.api = ShopeeApi(settings, context.wire, context.tokens)
        self._authoriser = ShopeeAuthoriser(settings, context.wire)
        self._multi_location: bool | None = None
        # The shop's own bounds replace the declared ones on this instance.
        self.capabilities = replace(
            type(self).capabilities,
            overlap_s=float(settings.overlap_s),
            booking_read_lag_s=float(settings.booking_read_lag_s),
        )

    @property
    def authoriser(self) -> ShopeeAuthoriser:
        return self._authoriser

    async def health(self) -> Health:
        info = (await self.api.get_shop_info()).payload
        notes = []
        if info.get("status") not in (None, "", "NORMAL"):
            notes.append(f"Shopee shows the shop as {info['status']}.")
        if info.get("region") not in (None, "", "ID"):
            notes.append(f"The shop's region is {info['region']}, not Indonesia.")
        notes += await self._holiday_notes() + await self._payment_notes()
        ends = info.get("expire_time")
        return Health(
            remote_shop_id=self.settings.remote_shop_id,
            shop_name=str(info.get("shop_name") or ""),
            authorisation_ends_at=from_epoch_s(ends, where="expire_time") if ends else None,
            clock_offset_s=self.context.wire.clock_offset_s,
            notes=tuple(notes),
        )

    # -- orders and returns in

    async def pages(self, stream: Stream, mark: Mark) -> AsyncIterator[Page]:
        if stream not in self.capabilities.streams:
            raise NotSupported(f"Shopee: the stream {stream} is not read")
        walked, read = self._walk(stream, mark)
        try:
            async for listed in walked:
                rows, skipped = await read(listed.rows)
                yield Page(rows, listed.read_started_at, listed.cursor, listed.closes, skipped)
        except Rejected as refused:
            if stream is not Stream.SETTLEMENTS or refused.reject is not RejectClass.NOT_SUPPORTED:
                raise
            log.info("%s: settlements are skipped: %s", self.context.slug, refused)  # `health` says so

    def _walk(self, stream: Stream, mark: Mark) -> tuple[AsyncIterator[walk.ListPage], Reader]:
        """The listing of a stream, and what turns its rows into rows of the contract."""
        overlap, clock = timedelta(seconds=self.settings.overlap_s), self.context.wire.now
        if stream is Stream.ORDERS:
            return walk.order_pages(self.api, mark.at, overlap=overlap, provider_clock=clock), self._orders_of
        if stream is Stream.RETURNS:
            returns = walk.returns_of(self.api)
            return walk.numbered_pages(returns, mark.at, overlap=overlap, provider_clock=clock), _returns_of
        # A correction changes a released order and leaves it in its place in the list.
        overlap = max(overlap, timedelta(days=self.settings.settlement_reread_days))
        escrows = walk.escrows_of(self.api)
        walked = walk.numbered_pages(escrows, mark.at, overlap=overlap, provider_clock=clock)
        return walked, partial(read_settlements, self.api)

    async def orders_by_id(self, ids: Sequence[str]) -> OrdersById:
        started_at = self.context.clock.now()
        found, gone, unreadable = await self._read_orders(list(dict.fromkeys(ids)))
        return OrdersById(tuple(found), tuple(gone), started_at, tuple(unreadable))

    async def placed(self, since: datetime, until: datetime) -> PlacedOrders:
        return PlacedOrders(await walk.order_sns_created(self.api, since, until), "create_time")

    # -- listings and levels

    async def listings(self) -> AsyncIterator[tuple[RemoteListing, ...]]:
        multi_location = await self._has_locations()
        async for page in levels.listing_pages(self.api, multi_location=multi_location):
            yield page

    async def levels(self, targets: Sequence[TargetKey]) -> tuple[ShownLevel, ...]:
        return await levels.read_levels(self.api, targets, self.context.clock.now())

    def level_batches(self, wants: Sequence[Want]) -> list[tuple[Want, ...]]:
        return levels.batches(wants)

    async def set_levels(self, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
        return await levels.send(self.api, batch)

    # -- shipments

    async def prepare(self, request: ParcelRequest) -> Arrangement:
        order, split = await self._order_to_ship(request.order_id)
        parcel = _parcel_to_ship(order, request)
        number = parcel.remote_id if split else ""
        parameter = (await self.api.get_shipping_parameter(order.remote_id, number)).response
        if parcel.state is ParcelState.PICKUP_RETRY:
            body: dict[str, Any] = {
                "order_sn": order.remote_id,
                "pickup": pickup_choice(order.remote_id, parameter, ("address_id", "pickup_time_id")),
            }
            if number:
                body["package_number"] = number
            step = RESCHEDULE
        else:
            step = SHIP
            body = ship_body(
                order.remote_id, number, parameter, request.handover, sender_real_name=self.settings.sender_real_name
            )
        return Arrangement(replace(request, parcel=parcel), step, {"package": parcel.remote_id, "body": body})

    async def arrange(self, arrangement: Arrangement) -> Arranged:
        request = arrangement.request
        body: Mapping[str, Any] = arrangement.payload["body"]
        try:
            await self.api.ship(arrangement.step, body, reference=request.reference)
        except Rejected as refused:
            if refused.reject is not RejectClass.ALREADY_DONE:
                raise
            return Arranged(await self._shipped_parcel(arrangement))
        return Arranged(_booked(arrangement))

    async def parcels(self, order_ids: Sequence[str]) -> tuple[RemoteParcel, ...]:
        rows, _ = await self._order_rows(list(dict.fromkeys(order_ids)))
        facts = await self._parcel_facts(rows)
        orders, unreadable = read_orders(rows, await self._policy(), facts)
        for sentence in unreadable:
            log.warning("%s: %s", self.context.slug, sentence)
        return tuple(parcel for order in orders for parcel in order.parcels)

    async def label(self, parcel: RemoteParcel) -> Label:
        return await labels.fetch(
            self.api, parcel, document_type=self.settings.label_type, sleep=self.context.clock.sleep
        )

    async def answer_cancellation(self, order_id: str, cancellation_id: str, *, accept: bool, key: str) -> None:
        """Shopee keeps no ids of requests: the order itself waits, and a lost answer is settled by its state."""
        await self._check_answerable(order_id)
        await self.api.handle_buyer_cancellation(order_id, "ACCEPT" if accept else "REJECT")

    # -- inside

    async def _holiday_notes(self) -> list[str]:
        try:
            shown = (await self.api.get_shop_holiday_mode()).response
        except AuthNeeded:
            raise
        except SellersyncError as failure:  # the shop is well all the same
            log.info("%s: holiday mode is not read: %s", self.context.slug, failure)
            return []
        if shown.get("holiday_mode_on") is not True:
            return []
        partly = " for part of the listings" if shown.get("holiday_mode_type") == HOLIDAY_PARTIAL else ""
        return [f"Shopee shows the shop in holiday mode{partly}."]

    async def _payment_notes(self) -> list[str]:
        now_s = int(self.context.wire.now().timestamp())
        try:
            await self.api.get_escrow_list(page_no=1, release_time_from=now_s - 1, release_time_to=now_s)
        except AuthNeeded:
            raise
        except SellersyncError as failure:
            if isinstance(failure, Rejected) and failure.reject is RejectClass.NOT_SUPPORTED:
                return ["The app may not read payments, so settlements are left out; the rest of the channel works."]
            log.info("%s: payments cannot be read now: %s", self.context.slug, failure)
        return []

    async def _policy(self) -> Policy:
        return Policy(
            now=self.context.wire.now(),
            booking_wait=timedelta(seconds=self.settings.booking_wait_s),
            multi_location=await self._has_locations(),
        )

    async def _has_locations(self) -> bool:
        """Asked once: a shop outside Shopee's list of shops with locations must not send a location id, the others must."""
        if self._multi_location is None:
            self._multi_location = not (await self.api.get_warehouse_detail()).payload["error"]
        return self._multi_location

    async def _order_rows(self, order_sns: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
        """Detail rows, and the ids that were not found: refused, or left out of the answer."""

        async def call(batch: Sequence[str]) -> list[dict[str, Any]]:
            return (await self.api.get_order_detail(batch)).rows("order_list")

        rows, _ = await walk.in_batches(order_sns, ORDER_DETAIL_IDS_MAX, call)
        found = {str(row.get("order_sn")) for row in rows}
        return rows, [order_sn for order_sn in order_sns if order_sn not in found]

    async def _read_orders(self, order_sns: Sequence[str]) -> tuple[list[Order], list[str], list[str]]:
        """(orders, ids not found, sentences about unreadable ones)."""
        if not order_sns:
            return [], [], []
        rows, gone = await self._order_rows(order_sns)
        orders, unreadable = read_orders(rows, await self._policy())
        return orders, gone, unreadable

    async def _orders_of(self, listed: Sequence[Mapping[str, Any]]) -> tuple[tuple[Order, ...], tuple[str, ...]]:
        names = [text_of(row.get("order_sn")) for row in listed]
        orders, gone, skipped = await self._read_orders([name for name in dict.fromkeys(names) if name])
        skipped += ["a listed order without order_sn"] * names.count("")
        skipped += [f"order {order_sn} is listed but cannot be read by id" for order_sn in gone]
        return tuple(orders), tuple(skipped)

    async def _parcel_facts(self, rows: Sequence[Mapping[str, Any]]) -> ParcelFacts:
        """Package details, and tracking numbers for arranged packages whose detail names none."""
        numbers = [
            str(package["package_number"])
            for row in rows
            for package in row.get("package_list") or ()
            if package.get("package_number")
        ]

        async def details(batch: Sequence[str]) -> list[dict[str, Any]]:
            return (await self.api.get_package_detail(batch)).rows("package_list")

        async def tracking(batch: Sequence[str]) -> list[dict[str, Any]]:
            return (await self.api.get_mass_tracking_number(batch)).rows("success_list")

        found, _ = await walk.in_batches(numbers, PACKAGE_DETAIL_IDS_MAX, details)
        wanted = [
            str(row.get("package_number"))
            for row in found
            if row.get("fulfillment_status") in ("LOGISTICS_REQUEST_CREATED", "LOGISTICS_PICKUP_RETRY")
            or row.get("is_shipment_arranged")
            if not waybill_of(row) or row.get("driver_info")  # instant couriers hand out a pickup code
        ]
        waybills, _ = await walk.in_batches(wanted, TRACKING_PACKAGES_MAX, tracking)
        return ParcelFacts(_by_number(found), _by_number(waybills))

    async def _order_to_ship(self, order_sn: str) -> tuple[Order, bool]:
        """The order with everything known about its parcels, and whether it is split. Raises `Rejected`."""
        rows, gone = await self._order_rows([order_sn])
        if gone:
            raise Rejected(order_sn, "Shopee does not know this order", RejectClass.UNKNOWN_ORDER)
        order = read_order(rows[0], await self._policy(), await self._parcel_facts(rows))
        if order.state is OrderState.CANCELLED:
            raise Rejected(order_sn, "the order is cancelled", RejectClass.CANCELLED)
        if rows[0].get("advance_package") or any(not line.ours for line in order.lines):
            raise Rejected(order_sn, order.meta.get("held", "shipped by Shopee"), RejectClass.NOT_OURS)
        return order, bool(rows[0].get("split_up"))

    async def _check_answerable(self, order_sn: str) -> None:
        """Only a request for the whole order can be answered by the API. Raises `Rejected`."""
        rows, gone = await self._order_rows([order_sn])
        if gone:
            raise Rejected(order_sn, "Shopee does not know this order", RejectClass.UNKNOWN_ORDER)
        status = text_of(rows[0].get("order_status"))
        if status == WAITS_FOR_ANSWER:
            return
        if read_order(rows[0], await self._policy()).state is OrderState.CANCEL_REQUESTED:
            why = "the buyer asks to cancel a part of the order: answer in Seller Centre"
            raise Rejected(order_sn, why, RejectClass.NOT_SUPPORTED)
        raise Rejected(order_sn, f"no request waits any more, the order is {status}", RejectClass.ALREADY_DONE)

    async def _shipped_parcel(self, arrangement: Arrangement) -> RemoteParcel:
        """The parcel of a call that was refused as done already: the refusal proves the booking, reading adds the rest."""
        booked = _booked(arrangement)
        try:
            shown = await self.parcels([arrangement.request.order_id])
        except SellersyncError as failure:
            log.info("%s: %s is shipped already, reading it failed: %s", self.context.slug, booked.remote_id, failure)
            return booked
        parcel = next((parcel for parcel in shown if parcel.remote_id == booked.remote_id), booked)
        return parcel if parcel.state.booked or not parcel.state.live else booked


def _by_number(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {str(row.get("package_number")): row for row in rows}


async def _returns_of(listed: Sequence[Mapping[str, Any]]) -> tuple[tuple[RemoteReturn, ...], tuple[str, ...]]:
    returns: dict[str, RemoteReturn] = {}
    skipped = []
    for row in listed:
        try:
            found = read_return(row)
            returns[found.remote_id] = found
        except Unrecognised as failure:
            skipped.append(f"return {row.get('return_sn')} cannot be read: {failure}")
    return tuple(returns.values()), tuple(skipped)


def _parcel_to_ship(order: Order, request: ParcelRequest) -> RemoteParcel:
    """The parcel that the request means, when it may be arranged now. Raises `Rejected`."""
    wanted = request.parcel.remote_id if request.parcel else ""
    choices = [parcel for parcel in order.parcels if not wanted or parcel.remote_id == wanted]
    ready = [parcel for parcel in choices if parcel.state in (ParcelState.READY, ParcelState.PICKUP_RETRY)]
    if ready and order.state in STATES_TO_SHIP:
        return ready[0]
    if not choices:
        raise Rejected(order.remote_id, "Shopee shows no such parcel now", RejectClass.NOT_NOW)
    if all(parcel.state.booked for parcel in choices):
        raise Rejected(order.remote_id, "the parcel is arranged already", RejectClass.ALREADY_DONE)
    if not any(parcel.state.live for parcel in choices):
        raise Rejected(order.remote_id, "the parcel is cancelled", RejectClass.CANCELLED)
    why = order.meta.get("held") or f"order {order.remote_status}, parcel {choices[0].remote_status}"
    raise Rejected(order.remote_id, f"may not be shipped now: {why}", RejectClass.NOT_NOW)


def _booked(arrangement: Arrangement) -> RemoteParcel:
    """The parcel after a clear yes: arranged, its waybill comes later."""
    request, number = arrangement.request, str(arrangement.payload["package"])
    parcel = request.parcel or RemoteParcel(number, (request.order_id,), ParcelState.BOOKED, "LOGISTICS_READY")
    return replace(parcel, state=ParcelState.BOOKED)
