"""Queries about the work: channels, marks, queues, findings. Read-only functions of a session, answering frozen values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.levels import level_of
from sellersync.domain.times import from_epoch_ms

from . import tokens, work
from .ledger import Ledger
from .target_facts import target_facts


def at(ms: int | None) -> datetime | None:
    """The ledger's milliseconds as aware UTC."""
    return None if ms is None else from_epoch_ms(ms, where="ledger")


# ------------------------------------------------------------------------------------------------------------------- for the daemon


def channels_with_listings(session: Session) -> set[int]:
    """Ids of the channels whose listings were read at least once."""
    return set(session.execute(text("SELECT DISTINCT channel_id FROM listing")).scalars())


def pulse(session: Session, channel_id: int) -> tuple[int, int]:
    """(newest movement that changed what is available, newest change of the channel's orders in ms): grows when there is news."""
    shelf = session.execute(text("SELECT COALESCE(MAX(movement_id), 0) FROM balance WHERE account = 'available'"))
    changed = session.execute(
        text("SELECT COALESCE(MAX(changed_ms), 0) FROM sales_order WHERE channel_id = :c"), {"c": channel_id}
    )
    return int(shelf.scalar_one()), int(changed.scalar_one())


def open_findings_of_kind(session: Session, kind: str) -> list[tuple[int, str]]:
    """(channel id, subject) of the open findings of a kind."""
    rows = session.execute(
        text("SELECT channel_id, subject FROM finding WHERE kind = :k AND closed_ms IS NULL ORDER BY id"), {"k": kind}
    )
    return [(row.channel_id, row.subject) for row in rows]


# ------------------------------------------------------------------------------------------------------------------------- status


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """A channel or courier as the ledger knows it now.

    `marks`: stream -> up to when it was walked. `authorisation_ends`: end of the stored token pair, `None` when none is stored or it
    does not end. `unsent`: targets that do not show what the ledger wants, the oldest wanted since `unsent_since`; `uncounted`:
    targets without a level. `findings`: kind -> open ones.
    """

    state: work.ChannelState
    marks: Mapping[str, datetime]
    authorised: bool
    authorisation_ends: datetime | None
    listings: int
    unmapped: int
    unsent: int
    unsent_since: datetime | None
    uncounted: int
    parcels_waiting: int
    claims_open: int
    findings: Mapping[str, int]
    last_runs: tuple[LastRun, ...]


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run of a job on a channel."""

    job: str
    started: datetime | None
    ended: datetime | None
    outcome: str
    counts: Mapping[str, int]
    error: str


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """The whole ledger at a glance. `daemon`: who runs it now, "" when nobody does. `findings`: open ones of no channel by kind."""

    daemon: str
    channels: tuple[ChannelStatus, ...]
    findings: Mapping[str, int]
    skus: int
    counted: int
    short: int
    movements: int
    unsealed: int

    @property
    def open_findings(self) -> int:
        return sum(self.findings.values()) + sum(sum(channel.findings.values()) for channel in self.channels)


def ledger_status(session: Session, ledger: Ledger, *, buffer: int = 0) -> LedgerStatus:
    """Everything that `sellersync status` shows. `buffer`: units held back everywhere, from the configuration."""
    now_ms = ledger.now_ms()
    findings = _findings(session)
    channels = tuple(
        _channel_status(session, ledger, state, findings.get(state.id, {}), buffer=buffer, now_ms=now_ms)
        for state in work.channels(session)
    )
    daemon = session.execute(text("SELECT owner FROM lease WHERE name = 'daemon' AND until_ms > :now"), {"now": now_ms})
    return LedgerStatus(
        daemon=str(daemon.scalar() or ""),
        channels=channels,
        findings=findings.get(0, {}),
        skus=_count(session, "SELECT COUNT(*) FROM sku"),
        counted=_count(session, "SELECT COUNT(DISTINCT sku_id) FROM count_line"),
        short=_count(session, "SELECT COUNT(*) FROM balance WHERE account = 'available' AND quantity < 0"),
        movements=_count(session, "SELECT COUNT(*) FROM movement"),
        unsealed=_count(
            session, "SELECT COUNT(*) FROM movement WHERE id > (SELECT COALESCE(MAX(movement_id), 0) FROM seal)"
        ),
    )


def _channel_status(
    session: Session,
    ledger: Ledger,
    state: work.ChannelState,
    findings: Mapping[str, int],
    *,
    buffer: int,
    now_ms: int,
) -> ChannelStatus:
    pair = tokens.newest_pair(session, ledger, state.id)
    unsent, since, uncounted = 0, None, 0
    if state.kind == "channel":
        unsent, since, uncounted = _levels(session, state.id, buffer=buffer, now_ms=now_ms)
    marks = session.execute(
        text("SELECT stream, at_ms FROM mark WHERE channel_id = :c ORDER BY stream"), {"c": state.id}
    )
    own = {"c": state.id}
    return ChannelStatus(
        state=state,
        marks={row.stream: from_epoch_ms(row.at_ms, where="mark") for row in marks},
        authorised=pair is not None,
        authorisation_ends=None
        if pair is None
        else at(pair.fields["refresh_ends_at"] or pair.fields["access_ends_at"]),
        listings=_count(session, "SELECT COUNT(*) FROM listing WHERE channel_id = :c", own),
        unmapped=_count(session, "SELECT COUNT(*) FROM listing WHERE channel_id = :c AND recipe_id IS NULL", own),
        unsent=unsent,
        unsent_since=since,
        uncounted=uncounted,
        parcels_waiting=_count(session, _PARCELS_WAITING, own),
        claims_open=_count(session, _CLAIMS_OPEN, own),
        findings=findings,
        last_runs=_last_runs(session, state.id),
    )


def _levels(session: Session, channel_id: int, *, buffer: int, now_ms: int) -> tuple[int, datetime | None, int]:
    """(targets that do not show what is wanted, the oldest such wish, targets without a level)."""
    unsent, uncounted = 0, 0
    since: datetime | None = None
    for facts in target_facts(session, channel_id, now_ms=now_ms, pots=False, extra_buffer=buffer):
        level = level_of(facts)
        if level is None:
            uncounted += 1
        elif level != facts.expected:
            unsent += 1
            if facts.wanted_at is not None:
                since = min(since or facts.wanted_at, facts.wanted_at)
    return unsent, since, uncounted


def _findings(session: Session) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    rows = session.execute(
        text(
            "SELECT channel_id, kind, COUNT(*) AS number FROM finding WHERE closed_ms IS NULL "
            "GROUP BY channel_id, kind ORDER BY channel_id, kind"
        )
    )
    for row in rows:
        found.setdefault(row.channel_id, {})[row.kind] = int(row.number)
    return found


def _last_runs(session: Session, channel_id: int) -> tuple[LastRun, ...]:
    rows = session.execute(
        text(
            "SELECT job, started_ms, ended_ms, outcome, counts, error FROM job_run WHERE id IN "
            "(SELECT MAX(id) FROM job_run WHERE channel_id = :c GROUP BY job) ORDER BY job"
        ),
        {"c": channel_id},
    )
    return tuple(
        LastRun(row.job, at(row.started_ms), at(row.ended_ms), row.outcome, json.loads(row.counts), row.error)
        for row in rows
    )


def _count(session: Session, sql: str, values: Mapping[str, Any] | None = None) -> int:
    return int(session.execute(text(sql), dict(values or {})).scalar_one())


_PARCELS_WAITING = (
    "SELECT COUNT(*) FROM sales_order WHERE channel_id = :c AND state = 'ready' AND NOT EXISTS (SELECT 1 FROM parcel "
    "WHERE parcel.order_id = sales_order.id AND parcel.state NOT IN ('waiting', 'ready', 'packed', 'cancelled', 'failed', 'unknown'))"
)
_CLAIMS_OPEN = (
    "SELECT COUNT(*) FROM claim JOIN parcel ON parcel.id = claim.parcel_id "
    "WHERE parcel.channel_id = :c AND claim.state IN ('open', 'person')"
)
