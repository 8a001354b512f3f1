"""Reads -> one frozen Report for a shop day. The only part of `report/` that reads the ledger."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sellersync.domain.errors import BadInput
from sellersync.domain.queue import CHANNEL_WAITS, DeskRules
from sellersync.domain.times import day_bounds, from_epoch_ms, shop_day, to_epoch_ms
from sellersync.domain.watching import WatchRules
from sellersync.store import parcel_watch, reads_exposure, reads_goods, reads_report, seals
from sellersync.store.ledger import Ledger, Session
from sellersync.store.parcel_watch import TroubledParcel
from sellersync.store.reads_queue import QueueEntry, queue

from .commands import urgency
from .exposure import Measured, Sale, Sent, latency, measure
from .model import (
    ChannelHealth,
    Due,
    HandWork,
    Health,
    Language,
    Need,
    NeedGroup,
    Needs,
    Orders,
    ParcelRow,
    Parcels,
    Proof,
    Pushes,
    Report,
    Short,
    ShortOrder,
    SkuLevel,
    Stock,
    StorefrontSales,
    Stuck,
    Troubled,
)
from .sums import add_up_parcels, add_up_sales, push_row

FINDINGS_PER_KIND_MAX = 10_000
LISTED_MAX = 500
ORDERS_PER_SHORTAGE_MAX = 200
TEXT_CHARS_MAX = 160
COVER_WINDOW = timedelta(days=7)
COVER_WINDOW_MIN = timedelta(days=1)
BLIND_AFTER = timedelta(minutes=15)
STUCK_AFTER = timedelta(minutes=15)
PUSHES_AFTER_DAY = timedelta(hours=24)
"""How long after the day's end an accepted level still counts as the answer to one of its sales."""


def build(
    ledger: Ledger,
    *,
    zone: ZoneInfo,
    day: date,
    now: datetime,
    language: Language,
    shop_name: str,
    desk: DeskRules | None = None,
    watch: WatchRules | None = None,
) -> Report:
    """The report of the shop day `day` in `zone`, as the ledger stands at `now` (aware UTC).

    `desk` and `watch` are the seller's own promises and patience (their defaults where not given). What happened is counted in
    [local midnight, next local midnight); what needs a person, stock and open parcels are as of `now`.
    Everything is read from one snapshot. Raises `BadInput` for a day that has not begun.
    """
    if day > shop_day(now, zone):
        raise BadInput(f"{day.isoformat()} has not begun yet in {zone.key}; choose an earlier day")
    desk, watch = desk or DeskRules(zone=zone), watch or WatchRules()
    return ledger.read_now(
        lambda session: _Builder(session, zone, day, now, desk, watch).report(language, clean(shop_name))
    )


def clean(value: str, *, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Foreign text as it may stand in a report: one line, no control or direction characters, not longer than `chars_max`."""
    kept = "".join(" " if char.isspace() or unicodedata.category(char)[0] == "C" else char for char in value)
    words = " ".join(kept.split())
    return words if len(words) <= chars_max else words[: chars_max - 1].rstrip() + "…"


def _clean_details(details: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): _clean_value(value) for key, value in details.items()}


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    return value


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else from_epoch_ms(ms, where="ledger")


@dataclass(frozen=True, slots=True)
class _Window:
    """[since, until) in unix milliseconds."""

    since_ms: int
    until_ms: int

    @classmethod
    def of_day(cls, day: date, zone: ZoneInfo) -> _Window:
        since, until = day_bounds(day, zone)
        return cls(to_epoch_ms(since), to_epoch_ms(until))


class _Builder:
    def __init__(
        self, session: Session, zone: ZoneInfo, day: date, now: datetime, desk: DeskRules, watch: WatchRules
    ) -> None:
        self.session = session
        self.zone = zone
        self.desk = desk
        self.watch = watch
        self.day = day
        self.now = now
        self.now_ms = to_epoch_ms(now)
        self.window = _Window.of_day(day, zone)
        self.channels = reads_report.channels(session)
        self.slugs = {channel.id: channel.slug for channel in self.channels}
        self.blind = {channel.id: self._blind_since(channel) for channel in self.channels}

    def report(self, language: Language, shop_name: str) -> Report:
        since, until = day_bounds(self.day, self.zone)
        return Report(
            shop_name=shop_name,
            language=language,
            zone=self.zone,
            day=self.day,
            since=since,
            until=until,
            now=self.now,
            needs=self._needs(),
            health=self._health(),
            orders=self._orders(),
            parcels=self._parcels(),
            stock=self._stock(),
            pushes=self._pushes(),
            proof=self._proof(),
        )

    # ------------------------------------------------------------------------------------------------------------------- needs you

    def _needs(self) -> Needs:
        kinds = reads_report.open_findings(self.session, per_kind_max=FINDINGS_PER_KIND_MAX)
        groups = [
            NeedGroup(kind.kind, kind.total, kind.by_channel, tuple(self._need(fact) for fact in kind.first))
            for kind in kinds
        ]
        groups.sort(
            key=lambda group: (urgency(group.kind), group.deadline is None, group.deadline or self.now, group.kind)
        )
        opened, closed = reads_report.findings_between(
            self.session, since_ms=self.window.since_ms, until_ms=self.window.until_ms
        )
        return Needs(sum(group.total for group in groups), opened, closed, tuple(groups))

    def _need(self, fact: reads_report.FindingFact) -> Need:
        since = from_epoch_ms(fact.since_ms, where="finding")
        subject, details = clean(fact.subject), _clean_details(fact.details)
        return Need(fact.kind, fact.channel, subject, details, since, _at(fact.deadline_ms))

    # ---------------------------------------------------------------------------------------------------------------------- health

    def _blind_since(self, channel: reads_report.ChannelFact) -> tuple[bool, int | None]:
        """(are orders of the day missing or possibly missing, from which moment: `None` for the whole day)."""
        if channel.kind != "channel":
            return False, None
        known_until = min(self.window.until_ms, self.now_ms)
        last = channel.last_pull_ms
        if last is None or last <= self.window.since_ms:
            return True, None
        if last < known_until - BLIND_AFTER // timedelta(milliseconds=1):
            return True, last
        return False, None

    def _health(self) -> Health:
        measured = self._measured()
        rows = []
        for channel in self.channels:
            blind, blind_since = self.blind[channel.id]
            rows.append(
                ChannelHealth(
                    slug=channel.slug,
                    provider=channel.provider,
                    kind=channel.kind,
                    state=channel.state,
                    trouble=clean(channel.trouble),
                    trouble_since=_at(channel.trouble_since_ms),
                    last_pull=_at(channel.last_pull_ms),
                    last_push=_at(channel.last_push_ms),
                    heard=latency(measured.seen.get(channel.id, ())),
                    exposed=latency(measured.exposed.get(channel.id, ()), measured.waiting.get(channel.id, 0)),
                    blind=blind,
                    blind_since=_at(blind_since),
                )
            )
        exposed = [sample for samples in measured.exposed.values() for sample in samples]
        heard = [sample for samples in measured.seen.values() for sample in samples]
        return Health(
            channels=tuple(rows),
            exposed=latency(exposed, sum(measured.waiting.values())),
            heard=latency(heard),
            posted=latency(measured.posted),
            accepted=latency(measured.accepted),
            not_needed=measured.not_needed,
        )

    def _measured(self) -> Measured:
        session, window = self.session, self.window
        later_ms = window.until_ms + PUSHES_AFTER_DAY // timedelta(milliseconds=1)
        facts = reads_exposure.sales(session, since_ms=window.since_ms, until_ms=window.until_ms)
        if not facts:
            return Measured()
        pushes = reads_exposure.pushes(session, since_ms=window.since_ms, until_ms=later_ms)
        return measure(
            [Sale(f.order_id, f.channel_id, f.sku_id, f.placed_ms, f.seen_ms, f.moved_ms, f.version) for f in facts],
            reads_exposure.targets_of_skus(session),
            [Sent(p.target_id, p.version, p.sent_ms, p.answered_ms, p.outcome == "applied") for p in pushes],
            reads_exposure.complete_push_runs(session, since_ms=window.since_ms, until_ms=later_ms),
            {channel.id: channel.first_walk_done_ms for channel in self.channels},
        )

    # ---------------------------------------------------------------------------------------------------------------------- orders

    def _orders(self) -> Orders:
        before_day = self.day - timedelta(days=7)
        before_window = _Window.of_day(before_day, self.zone)
        today = self._placed(self.window)
        before = self._placed(before_window)
        late = reads_report.cancelled_from_before(
            self.session, since_ms=self.window.since_ms, until_ms=self.window.until_ms
        )
        watched = {channel.id for channel in self.channels if channel.created_ms <= before_window.since_ms}
        selling = [channel for channel in self.channels if channel.kind == "channel"]
        rows = []
        for channel in selling:
            keys = {key for key in {*today, *before, *late} if key[0] == channel.id} or {(channel.id, "")}
            for key in sorted(keys):
                rows.append(
                    StorefrontSales(
                        channel=channel.slug,
                        storefront=clean(key[1]),
                        sales=add_up_sales(today.get(key, ())),
                        cancelled_from_before=late.get(key, 0),
                        before=add_up_sales(before.get(key, ())) if channel.id in watched else None,
                        blind=self.blind[channel.id][0],
                    )
                )
        all_watched = bool(selling) and all(channel.id in watched for channel in selling)
        everything = [fact for facts in today.values() for fact in facts]
        return Orders(
            rows=tuple(rows),
            total=add_up_sales(everything),
            cancelled_from_before=sum(late.values()),
            before=add_up_sales(fact for facts in before.values() for fact in facts) if all_watched else None,
            before_day=before_day,
            per_hour=self._per_hour(everything),
        )

    def _placed(self, window: _Window) -> dict[tuple[int, str], list[reads_report.OrderFact]]:
        found: dict[tuple[int, str], list[reads_report.OrderFact]] = {}
        for fact in reads_report.orders_placed(self.session, since_ms=window.since_ms, until_ms=window.until_ms):
            found.setdefault((fact.channel_id, fact.storefront), []).append(fact)
        return found

    def _per_hour(self, facts: Iterable[reads_report.OrderFact]) -> tuple[int, ...]:
        hours = [0] * 24
        for fact in facts:
            hours[from_epoch_ms(fact.placed_ms, where="order").astimezone(self.zone).hour] += 1
        return tuple(hours)

    # --------------------------------------------------------------------------------------------------------------------- parcels

    def _parcels(self) -> Parcels:
        today = shop_day(self.now, self.zone)
        counts = reads_goods.parcel_counts(self.session, since_ms=self.window.since_ms, until_ms=self.window.until_ms)
        by_channel = {count.channel_id: count for count in counts}
        waiting = [entry for entry in queue(self.session, self.desk, now=self.now) if entry.reason not in CHANNEL_WAITS]
        waiting.sort(key=lambda entry: (entry.deadline or self.now, entry.placed, entry.subject))
        late = [entry for entry in waiting if entry.late]
        still = [entry for entry in waiting if not entry.late and entry.due == today]
        troubled = parcel_watch.troubled_parcels(self.session, self.watch, now=self.now)
        stuck_ms = self.now_ms - STUCK_AFTER // timedelta(milliseconds=1)
        stuck = reads_goods.stuck_claims(self.session, settle_before_ms=stuck_ms)
        rows = []
        for channel in self.channels:
            if channel.kind != "channel":
                continue
            count = by_channel.get(channel.id) or reads_goods.ParcelCounts(channel.id, 0, 0, 0, 0, 0, 0)
            rows.append(
                ParcelRow(
                    channel=channel.slug,
                    booked=count.booked,
                    handed_over=count.handed_over,
                    handed_over_late=count.handed_over_late,
                    delivered=count.delivered,
                    waiting_waybill=count.waiting_waybill,
                    trouble=count.trouble,
                    late=sum(entry.channel == channel.slug for entry in late),
                    due_today=sum(entry.channel == channel.slug for entry in still),
                )
            )
        return Parcels(
            rows=tuple(rows),
            total=add_up_parcels(rows),
            today=today,
            late=tuple(self._due(entry) for entry in late[:LISTED_MAX]),
            late_total=len(late),
            due_today=tuple(self._due(entry) for entry in still[:LISTED_MAX]),
            due_today_total=len(still),
            stuck=tuple(
                Stuck(
                    self.slugs[claim.channel_id],
                    clean(claim.order),
                    clean(claim.reference),
                    claim.for_person,
                    from_epoch_ms(claim.opened_ms, where="claim"),
                )
                for claim in stuck[:LISTED_MAX]
            ),
            stuck_total=len(stuck),
            troubled=tuple(self._troubled(parcel) for parcel in troubled[:LISTED_MAX]),
            troubled_total=len(troubled),
        )

    def _due(self, entry: QueueEntry) -> Due:
        assert entry.deadline is not None
        state = "" if entry.state is None else entry.state.value
        return Due(entry.channel, clean(entry.order), clean(entry.number), state, clean(entry.waybill), entry.deadline)

    def _troubled(self, parcel: TroubledParcel) -> Troubled:
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

    # ----------------------------------------------------------------------------------------------------------------------- stock

    def _stock(self) -> Stock:
        until_ms = min(self.window.until_ms, self.now_ms)
        window_ms = self._sales_window_ms(until_ms)
        skus = reads_goods.skus(self.session, sold_since_ms=until_ms - window_ms, sold_until_ms=until_ms)
        old_enough = window_ms >= COVER_WINDOW_MIN // timedelta(milliseconds=1)
        levels = [(fact, self._level(fact, window_ms if old_enough else None)) for fact in skus]
        sold_out = [(fact, level) for fact, level in levels if fact.available == 0 and fact.on_sale]
        sold_out.sort(key=lambda pair: (-pair[0].sold, pair[0].code))
        lowest = [(fact, level) for fact, level in levels if fact.available > 0 and fact.sold > 0]
        lowest.sort(key=lambda pair: (pair[0].available / pair[0].sold, pair[0].available, pair[0].code))
        short_total, short = reads_goods.shortages(self.session, limit=LISTED_MAX, orders_max=ORDERS_PER_SHORTAGE_MAX)
        work = reads_goods.hand_work(self.session, since_ms=self.window.since_ms, until_ms=self.window.until_ms)
        return Stock(
            skus=len(skus),
            short=tuple(self._short(one) for one in short),
            short_total=short_total,
            sold_out=tuple(level for _, level in sold_out[:LISTED_MAX]),
            sold_out_total=len(sold_out),
            lowest=tuple(level for _, level in lowest[:LISTED_MAX]),
            window_days=window_ms / (24 * 3_600_000) if old_enough else None,
            hand_work=tuple(HandWork(one.kind, one.documents, one.units_in, one.units_out) for one in work),
        )

    def _sales_window_ms(self, until_ms: int) -> int:
        """The last days up to the end of the report's day, as far as this ledger has been watching."""
        watched_since = min((channel.created_ms for channel in self.channels), default=until_ms)
        return min(COVER_WINDOW // timedelta(milliseconds=1), max(until_ms - watched_since, 0))

    def _level(self, fact: reads_goods.SkuFact, window_ms: int | None) -> SkuLevel:
        cover = None
        if window_ms is not None and fact.sold > 0:
            cover = round(max(fact.available, 0) * window_ms / (fact.sold * 24 * 3_600_000), 1)
        return SkuLevel(
            clean(fact.code), clean(fact.title), fact.available, fact.sold, cover, _at(fact.changed_ms or None)
        )

    def _short(self, one: reads_goods.Shortage) -> Short:
        orders = tuple(
            ShortOrder(self.slugs[order.channel_id], clean(order.order), clean(order.number), order.units)
            for order in one.orders
        )
        return Short(clean(one.code), clean(one.title), one.warehouse, one.short, orders)

    # ------------------------------------------------------------------------------------------------------------ pushes and proof

    def _pushes(self) -> Pushes:
        outcomes = reads_report.push_outcomes(
            self.session, since_ms=self.window.since_ms, until_ms=self.window.until_ms
        )
        rows = [
            push_row(channel.slug, [outcomes.get(channel.id, {})])
            for channel in self.channels
            if channel.kind == "channel"
        ]
        return Pushes(tuple(rows), push_row("", list(outcomes.values())))

    def _proof(self) -> Proof:
        check = seals.verify(self.session)
        size = reads_report.ledger_size(self.session)
        return Proof(
            ok=not check.problems,
            problems=tuple(clean(problem) for problem in check.problems[:LISTED_MAX]),
            problems_total=len(check.problems),
            movements=check.movements,
            balances=check.balances,
            sealed=check.sealed,
            last_sealed=_at(size.last_sealed_ms),
            orders=size.orders,
            order_lines=size.order_lines,
            skus=size.skus,
            listings=size.listings,
            counts=size.counts,
        )
