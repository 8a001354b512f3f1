"""What every section of the report is read with: one snapshot of the ledger, the period, the moment; and foreign text made harmless."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sellersync.domain.queue import DeskRules
from sellersync.domain.times import from_epoch_ms, shop_day, to_epoch_ms
from sellersync.domain.watching import WatchRules
from sellersync.store import reads_exposure, reads_report
from sellersync.store.ledger import Ledger, Session

from .exposure import Measured, Sale, Sent, measure
from .period import Period

LISTED_MAX = 500
TEXT_CHARS_MAX = 160
BLIND_AFTER = timedelta(minutes=15)
PUSHES_AFTER = timedelta(hours=24)
"""How long after the period's end an accepted level still counts as the answer to one of its sales."""


def clean(value: str, *, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Foreign text as it may stand in a report: one line, no control or direction characters, not longer than `chars_max`."""
    kept = "".join(" " if char.isspace() or unicodedata.category(char)[0] == "C" else char for char in value)
    words = " ".join(kept.split())
    return words if len(words) <= chars_max else words[: chars_max - 1].rstrip() + "…"


def clean_details(details: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): _clean_value(value) for key, value in details.items()}


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    return value


def at(ms: int | None) -> datetime | None:
    """The ledger's milliseconds as aware UTC."""
    return None if ms is None else from_epoch_ms(ms, where="ledger")


def ms_of(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


class Window:
    """[since, until) of a period in unix milliseconds."""

    def __init__(self, period: Period, zone: ZoneInfo) -> None:
        since, until = period.bounds(zone)
        self.since_ms = to_epoch_ms(since)
        self.until_ms = to_epoch_ms(until)


class Reading:
    """One look at the ledger. What several sections need is read once."""

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        zone: ZoneInfo,
        period: Period,
        now: datetime,
        desk: DeskRules,
        watch: WatchRules,
    ) -> None:
        self.session = session
        self.ledger = ledger
        self.zone = zone
        self.period = period
        self.now = now
        self.now_ms = to_epoch_ms(now)
        self.today = shop_day(now, zone)
        self.desk = desk
        self.watch = watch
        self.window = Window(period, zone)
        self.channels = reads_report.channels(session)
        self.slugs = {channel.id: channel.slug for channel in self.channels}
        self.selling = [channel for channel in self.channels if channel.kind == "channel"]
        self.blind = {channel.id: self._blind_since(channel) for channel in self.channels}

    def slug(self, channel_id: int | None) -> str:
        """A channel's name, "" for none."""
        return self.slugs.get(channel_id or 0, "")

    def _blind_since(self, channel: reads_report.ChannelFact) -> tuple[bool, int | None]:
        """(are orders of the period missing or possibly missing, from which moment: `None` for all of it)."""
        if channel.kind != "channel":
            return False, None
        known_until = min(self.window.until_ms, self.now_ms)
        last = channel.last_pull_ms
        if last is None or last <= self.window.since_ms:
            return True, None
        if last < known_until - ms_of(BLIND_AFTER):
            return True, last
        return False, None

    @cached_property
    def orders(self) -> list[reads_report.OrderFact]:
        """Orders placed in the period."""
        return reads_report.orders_placed(self.session, since_ms=self.window.since_ms, until_ms=self.window.until_ms)

    @cached_property
    def measured(self) -> Measured:
        """How fast the sales of the period reached the other channels."""
        session, window = self.session, self.window
        later_ms = window.until_ms + ms_of(PUSHES_AFTER)
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
