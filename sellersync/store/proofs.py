"""The second count of each channel's orders of a shop day: what it said, and which days are still to be counted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.times import from_epoch_ms

from .bulk import select_in
from .findings import close_finding, raise_finding
from .work import channel_by_slug

MISSING = "orders_missing"
UNCOUNTED = "orders_uncounted"
NAMED_MAX = 20
"""So many ids stand in a finding; the row of the count holds them all."""


class ProofState(StrEnum):
    """What is known of a channel's orders of a day. NOT_COUNTED is no count at all, never "none missing"."""

    COMPLETE = "complete"
    MISSING = "missing"
    NOT_COUNTED = "not_counted"
    NOT_OFFERED = "not_offered"


@dataclass(frozen=True, slots=True)
class Unlisted:
    """An order of the day that the ledger has and the channel does not list any more; `how` is what the ledger heard of it."""

    remote_id: str
    state: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """One channel's day. The numbers are `None` where it was not counted; then `why` and `since` say what stands in the way."""

    channel: str
    day: date
    state: ProofState
    counted: datetime | None = None
    by_field: str = ""
    on_channel: int | None = None
    in_ledger: int | None = None
    missing: tuple[str, ...] = ()
    unlisted: tuple[Unlisted, ...] = ()
    repaired: int = 0
    why: str = ""
    since: datetime | None = None


def known_ids(session: Session, channel_id: int, remote_ids: Sequence[str]) -> set[str]:
    """Which of these orders the ledger has, of whatever day."""
    query = "SELECT remote_id FROM sales_order WHERE channel_id = ? AND remote_id IN"
    return {row[0] for row in select_in(session, query, remote_ids, channel_id)}


def orders_of_day(session: Session, channel_id: int, *, since_ms: int, until_ms: int) -> list[Unlisted]:
    """The ledger's orders that were placed on a channel in [since, until)."""
    rows = session.execute(
        text(
            "SELECT remote_id, state, gone FROM sales_order WHERE channel_id = :c AND created_ms >= :a AND created_ms < :b "
            "ORDER BY created_ms, id"
        ),
        {"c": channel_id, "a": since_ms, "b": until_ms},
    )
    return [Unlisted(row.remote_id, row.state, row.gone) for row in rows]


def record_proof(session: Session, channel_id: int, proof: Proof, *, now_ms: int) -> None:
    """Keep a count, and open or close what a person must know of it."""
    session.execute(
        text(
            "INSERT INTO order_proof (channel_id, day, counted_ms, by_field, on_channel, in_ledger, missing, unlisted, repaired, detail) "
            "VALUES (:c, :day, :now, :field, :channel, :ledger, :missing, :unlisted, :repaired, :detail)"
        ),
        {
            "c": channel_id,
            "day": proof.day.isoformat(),
            "now": now_ms,
            "field": proof.by_field,
            "channel": proof.on_channel,
            "ledger": proof.in_ledger,
            "missing": json.dumps(proof.missing),
            "unlisted": json.dumps([[one.remote_id, one.state, one.how] for one in proof.unlisted]),
            "repaired": proof.repaired,
            "detail": proof.why,
        },
    )
    subject = proof.day.isoformat()
    if proof.missing:
        named = ", ".join(proof.missing[:NAMED_MAX]) + (", ..." if len(proof.missing) > NAMED_MAX else "")
        details = {"missing": len(proof.missing), "on_channel": proof.on_channel, "orders": named}
        raise_finding(session, MISSING, subject, channel_id=channel_id, now_ms=now_ms, details=details)
    else:
        close_finding(session, MISSING, subject, channel_id=channel_id, now_ms=now_ms)
    close_finding(session, UNCOUNTED, subject, channel_id=channel_id, now_ms=now_ms)


def note_uncounted(session: Session, channel_id: int, day: date, why: str, *, now_ms: int) -> None:
    """The day could not be counted, unless a former count of it stands."""
    if _newest(session, day.isoformat()).get(channel_id) is None:
        details = {"why": why[:500]}
        raise_finding(session, UNCOUNTED, day.isoformat(), channel_id=channel_id, now_ms=now_ms, details=details)


def due_days(session: Session, channel_id: int, *, first: date, last: date, now_ms: int, retry_ms: int) -> list[date]:
    """The days from `first` to `last` that were never counted, or whose count was not complete, and were not tried in the last
    `retry_ms`; the newest first."""
    tried = {
        row.subject: row.seen_ms
        for row in session.execute(
            text("SELECT subject, seen_ms FROM finding WHERE kind = :k AND channel_id = :c AND closed_ms IS NULL"),
            {"k": UNCOUNTED, "c": channel_id},
        )
    }
    counted = session.execute(
        text(
            "SELECT day, counted_ms, missing FROM order_proof WHERE channel_id = :c AND day >= :a AND day <= :b ORDER BY id"
        ),
        {"c": channel_id, "a": first.isoformat(), "b": last.isoformat()},
    )
    done: set[str] = set()
    for row in counted:
        if row.missing == "[]":
            done.add(row.day)
        else:
            done.discard(row.day)
            tried[row.day] = max(row.counted_ms, tried.get(row.day, 0))
    days = [last - timedelta(days=back) for back in range((last - first).days + 1)]
    return [
        day
        for day in days
        if day.isoformat() not in done and now_ms - tried.get(day.isoformat(), now_ms - retry_ms) >= retry_ms
    ]


def proofs_of(session: Session, day: date, counting: Mapping[str, bool]) -> list[Proof]:
    """What is known of a day's orders for each channel of `counting` (slug -> whether it can be counted), by slug."""
    subject = day.isoformat()
    newest = _newest(session, subject)
    reasons = {
        row.channel_id: row
        for row in session.execute(
            text(
                "SELECT channel_id, details, since_ms FROM finding WHERE kind = :k AND subject = :s AND closed_ms IS NULL"
            ),
            {"k": UNCOUNTED, "s": subject},
        )
    }
    found = []
    for slug, offered in sorted(counting.items()):
        channel = channel_by_slug(session, slug)
        if channel is not None and channel.id in newest:
            found.append(newest[channel.id])
        elif not offered:
            found.append(Proof(slug, day, ProofState.NOT_OFFERED))
        elif channel is not None and channel.id in reasons:
            row = reasons[channel.id]
            since = from_epoch_ms(row.since_ms, where="finding")
            found.append(
                Proof(slug, day, ProofState.NOT_COUNTED, why=str(json.loads(row.details).get("why", "")), since=since)
            )
        else:
            found.append(Proof(slug, day, ProofState.NOT_COUNTED))
    return found


def _newest(session: Session, day: str) -> dict[int, Proof]:
    rows = session.execute(
        text(
            "SELECT order_proof.*, channel.slug FROM order_proof JOIN channel ON channel.id = order_proof.channel_id "
            "WHERE day = :d ORDER BY order_proof.id"
        ),
        {"d": day},
    )
    found = {}
    for row in rows:
        missing = tuple(json.loads(row.missing))
        found[row.channel_id] = Proof(
            row.slug,
            date.fromisoformat(row.day),
            ProofState.MISSING if missing else ProofState.COMPLETE,
            from_epoch_ms(row.counted_ms, where="order_proof"),
            row.by_field,
            row.on_channel,
            row.in_ledger,
            missing,
            tuple(Unlisted(*one) for one in json.loads(row.unlisted)),
            row.repaired,
            row.detail,
        )
    return found
