"""Reads -> orders, parcels and returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sellersync.domain.queue import CHANNEL_WAITS
from sellersync.domain.times import from_epoch_ms, shop_day
from sellersync.store import parcel_watch, reads_goods, reads_report, reads_returned
from sellersync.store.parcel_watch import TroubledParcel
from sellersync.store.reads_queue import QueueEntry, queue

from .model import (
    ChannelSales,
    Due,
    OpenReturn,
    Orders,
    ParcelRow,
    Parcels,
    ReturnRow,
    Returns,
    StorefrontSales,
    Stuck,
    Troubled,
)
from .reading import LISTED_MAX, Reading, Window, clean, ms_of
from .sums import add_up_parcels, add_up_returns, add_up_sales

STUCK_AFTER = timedelta(minutes=15)
AGEING_RETURNS_DAYS = 14

# --------------------------------------------------------------------------------------------------------------------------- orders


def orders(reading: Reading) -> Orders:
    """Orders placed in the period per channel and storefront, beside those of the period before."""
    session, window = reading.session, reading.window
    before_period = reading.period.before()
    before_window = Window(before_period, reading.zone)
    today = _by_storefront(reading.orders)
    before = _by_storefront(
        reads_report.orders_placed(session, since_ms=before_window.since_ms, until_ms=before_window.until_ms)
    )
    late = _counted(
        (one.channel_id, one.storefront, 1)
        for one in reads_report.cancelled_from_before(session, since_ms=window.since_ms, until_ms=window.until_ms)
    )
    returned = _counted(
        (event.channel_id, event.storefront, event.units) for event in return_events(reading) if event.what == "opened"
    )
    watched = {channel.id for channel in reading.channels if channel.created_ms <= before_window.since_ms}
    rows = []
    for channel in reading.selling:
        keys = {key for key in {*today, *before, *late, *returned} if key[0] == channel.id} or {(channel.id, "")}
        for key in sorted(keys):
            rows.append(
                StorefrontSales(
                    channel=channel.slug,
                    storefront=clean(key[1]),
                    sales=add_up_sales(today.get(key, ())),
                    cancelled_from_before=late.get(key, 0),
                    returned=returned.get(key, 0),
                    before=add_up_sales(before.get(key, ())) if channel.id in watched else None,
                    blind=reading.blind[channel.id][0],
                )
            )
    all_watched = bool(reading.selling) and all(channel.id in watched for channel in reading.selling)
    return Orders(
        rows=tuple(rows),
        channels=tuple(
            ChannelSales(
                channel.slug,
                add_up_sales(fact for fact in reading.orders if fact.channel_id == channel.id),
                sum(number for key, number in late.items() if key[0] == channel.id),
                sum(number for key, number in returned.items() if key[0] == channel.id),
            )
            for channel in reading.selling
        ),
        total=add_up_sales(reading.orders),
        cancelled_from_before=sum(late.values()),
        returned=sum(returned.values()),
        before=add_up_sales(fact for facts in before.values() for fact in facts) if all_watched else None,
        before_period=before_period,
        per_hour=_per_hour(reading),
        per_day=_per_day(reading),
    )


def return_events(reading: Reading) -> list[reads_returned.ReturnEvent]:
    """What happened to returns in the period."""
    window = reading.window
    return reads_returned.return_events(reading.session, since_ms=window.since_ms, until_ms=window.until_ms)


def _by_storefront(facts: Iterable[reads_report.OrderFact]) -> dict[tuple[int, str], list[reads_report.OrderFact]]:
    found: dict[tuple[int, str], list[reads_report.OrderFact]] = {}
    for fact in facts:
        found.setdefault((fact.channel_id, fact.storefront), []).append(fact)
    return found


def _counted(facts: Iterable[tuple[int | None, str, int]]) -> dict[tuple[int, str], int]:
    found: dict[tuple[int, str], int] = {}
    for channel_id, storefront, number in facts:
        if channel_id is not None:
            found[channel_id, storefront] = found.get((channel_id, storefront), 0) + number
    return found


def _per_hour(reading: Reading) -> tuple[int, ...]:
    hours = [0] * 24
    for fact in reading.orders:
        hours[from_epoch_ms(fact.placed_ms, where="order").astimezone(reading.zone).hour] += 1
    return tuple(hours)


def _per_day(reading: Reading) -> tuple[int, ...]:
    days = [0] * sum(1 for _ in reading.period.days())
    for fact in reading.orders:
        days[(shop_day(from_epoch_ms(fact.placed_ms, where="order"), reading.zone) - reading.period.first).days] += 1
    return tuple(days)


# -------------------------------------------------------------------------------------------------------------------------- parcels


def waiting_parcels(reading: Reading) -> tuple[list[QueueEntry], list[QueueEntry]]:
    """(what is late, what must leave today), each with its deadline, the most urgent first; without what the channel holds back."""
    waiting = [
        entry
        for entry in queue(reading.session, reading.desk, now=reading.now)
        if entry.reason not in CHANNEL_WAITS and entry.deadline is not None
    ]
    waiting.sort(key=lambda entry: (entry.deadline or reading.now, entry.placed, entry.subject))
    late = [entry for entry in waiting if entry.late]
    return late, [entry for entry in waiting if not entry.late and entry.due == reading.today]


def stuck_claims(reading: Reading) -> list[reads_goods.StuckClaim]:
    return reads_goods.stuck_claims(reading.session, settle_before_ms=reading.now_ms - ms_of(STUCK_AFTER))


def parcels(reading: Reading) -> Parcels:
    """What happened to parcels in the period, and what is late, due, stuck or in trouble now."""
    session, window = reading.session, reading.window
    late, still = waiting_parcels(reading)
    events = reads_goods.parcel_events(session, since_ms=window.since_ms, until_ms=window.until_ms)
    standing = reads_goods.standing_parcels(session)
    troubled = parcel_watch.troubled_parcels(session, reading.watch, now=reading.now)
    stuck = stuck_claims(reading)
    rows = []
    for channel in reading.selling:
        own = [event for event in events if event.channel_id == channel.id]
        stand = [one.what for one in standing if one.channel_id == channel.id]
        rows.append(
            ParcelRow(
                channel=channel.slug,
                booked=sum(event.what == "booked" for event in own),
                handed_over=sum(event.what == "picked_up" for event in own),
                handed_over_late=sum(event.what == "picked_up" and event.late for event in own),
                delivered=sum(event.what == "delivered" for event in own),
                waiting_waybill=stand.count("waiting_waybill"),
                trouble=stand.count("trouble"),
                late=sum(entry.channel == channel.slug for entry in late),
                due_today=sum(entry.channel == channel.slug for entry in still),
            )
        )
    return Parcels(
        rows=tuple(rows),
        total=add_up_parcels(rows),
        today=reading.today,
        late=tuple(map(_due, late[:LISTED_MAX])),
        late_total=len(late),
        due_today=tuple(map(_due, still[:LISTED_MAX])),
        due_today_total=len(still),
        stuck=tuple(
            Stuck(
                reading.slug(claim.channel_id),
                clean(claim.order),
                clean(claim.reference),
                claim.for_person,
                from_epoch_ms(claim.opened_ms, where="claim"),
            )
            for claim in stuck[:LISTED_MAX]
        ),
        stuck_total=len(stuck),
        troubled=tuple(map(_troubled, troubled[:LISTED_MAX])),
        troubled_total=len(troubled),
    )


def _due(entry: QueueEntry) -> Due:
    assert entry.deadline is not None
    state = "" if entry.state is None else entry.state.value
    return Due(entry.channel, clean(entry.order), clean(entry.number), state, clean(entry.waybill), entry.deadline)


def _troubled(parcel: TroubledParcel) -> Troubled:
    courier = " ".join(filter(None, (parcel.courier, parcel.service)))
    order = clean(parcel.number or parcel.order)
    return Troubled(
        parcel.trouble,
        parcel.channel,
        order,
        clean(parcel.contents),
        clean(courier),
        clean(parcel.waybill),
        parcel.since,
    )


# -------------------------------------------------------------------------------------------------------------------------- returns


def returns(reading: Reading) -> Returns:
    """What came back in the period, what the desk found, and what is still awaited."""
    events = return_events(reading)
    waiting = reads_returned.waiting_returns(reading.session)
    homes: list[int | None] = [channel.id for channel in reading.selling]
    if any(event.channel_id is None for event in events) or any(one.channel_id is None for one in waiting):
        homes.append(None)
    rows = [_return_row(reading, home, events, waiting) for home in homes]
    old_ms = reading.now_ms - ms_of(timedelta(days=AGEING_RETURNS_DAYS))
    return Returns(
        rows=tuple(rows),
        total=add_up_returns(rows),
        open=tuple(
            OpenReturn(
                one.name,
                reading.slug(one.channel_id),
                clean(one.order),
                clean(one.title),
                one.awaited,
                one.ungraded,
                clean(one.waybill),
                from_epoch_ms(one.opened_ms, where="return"),
            )
            for one in waiting[:LISTED_MAX]
        ),
        open_total=len(waiting),
        ageing=sum(one.opened_ms < old_ms for one in waiting),
        ageing_days=AGEING_RETURNS_DAYS,
    )


def _return_row(
    reading: Reading,
    home: int | None,
    events: Sequence[reads_returned.ReturnEvent],
    waiting: Sequence[reads_returned.Waiting],
) -> ReturnRow:
    units: dict[str, int] = {}
    for event in events:
        if event.channel_id == home:
            units[event.what] = units.get(event.what, 0) + event.units
    own = [one for one in waiting if one.channel_id == home]
    return ReturnRow(
        channel=reading.slug(home),
        opened=units.get("opened", 0),
        received=units.get("received", 0),
        sellable=units.get("sellable", 0),
        damaged=units.get("damaged", 0),
        lost=units.get("lost", 0),
        awaited=sum(one.awaited for one in own),
        ungraded=sum(one.ungraded for one in own),
    )
