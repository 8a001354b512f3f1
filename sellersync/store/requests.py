"""Calls sent to each provider, by UTC day: for daily budgets, which outlive a restart, and for people who wonder where they went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlmodel import Session

from .findings import close_many, open_subjects, raise_finding

SPENT = "requests_spent"
KEPT_DAYS = 400


@dataclass(frozen=True, slots=True)
class RequestsUsed:
    """Calls of one channel or courier account on one UTC day."""

    channel: str
    day: date
    reads: int
    writes: int


def add_requests(session: Session, calls: Mapping[tuple[int, date, str], int]) -> None:
    """Add calls, (channel id, UTC day, "read" or "write") -> how many, to what this and other processes counted before."""
    for (channel_id, day, kind), sent in sorted(calls.items()):
        session.execute(
            text(
                "INSERT INTO request_count (channel_id, day, kind, sent) VALUES (:c, :d, :k, :n) "
                "ON CONFLICT (channel_id, day, kind) DO UPDATE SET sent = request_count.sent + excluded.sent"
            ),
            {"c": channel_id, "d": day.isoformat(), "k": kind, "n": sent},
        )


def requests_of_day(session: Session, day: date) -> dict[int, int]:
    """Channel id -> calls of a UTC day as far as they were written down."""
    rows = session.execute(
        text("SELECT channel_id, SUM(sent) AS sent FROM request_count WHERE day = :d GROUP BY channel_id"),
        {"d": day.isoformat()},
    )
    return {row.channel_id: int(row.sent) for row in rows}


def requests_used(session: Session, *, since: date, until: date) -> list[RequestsUsed]:
    """Every channel's calls of the UTC days in [since, until), by day and slug."""
    rows = session.execute(
        text(
            "SELECT channel.slug, request_count.day, SUM(CASE WHEN request_count.kind = 'read' THEN sent ELSE 0 END) AS reads, "
            "SUM(CASE WHEN request_count.kind = 'write' THEN sent ELSE 0 END) AS writes FROM request_count "
            "JOIN channel ON channel.id = request_count.channel_id WHERE day >= :a AND day < :b "
            "GROUP BY channel.slug, request_count.day ORDER BY request_count.day, channel.slug"
        ),
        {"a": since.isoformat(), "b": until.isoformat()},
    )
    return [RequestsUsed(row.slug, date.fromisoformat(row.day), int(row.reads), int(row.writes)) for row in rows]


def note_spent(session: Session, channel_id: int, day: date, why: str, *, now_ms: int) -> None:
    """The channel's calls of a day are used up, all or but for the share that is kept for levels and bookings."""
    details = {"why": why[:500]}
    raise_finding(session, SPENT, day.isoformat(), channel_id=channel_id, now_ms=now_ms, details=details)


def close_spent(session: Session, channel_id: int, today: date, *, now_ms: int) -> None:
    """A new day has its own calls."""
    old = [day for day in open_subjects(session, SPENT, channel_id=channel_id) if day < today.isoformat()]
    close_many(session, SPENT, old, now_ms=now_ms, channel_id=channel_id)


def prune_requests(session: Session, *, today: date) -> None:
    """Forget the counts of days long ago."""
    before = date.fromordinal(today.toordinal() - KEPT_DAYS)
    session.execute(text("DELETE FROM request_count WHERE day < :d"), {"d": before.isoformat()})
