"""What the report reads of proofs: numbers compared with the channels, orders counted a second time. Read-only functions of a session.

Windows are half open, [since, until), in unix milliseconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from .bulk import select_in

ADOPTED = "adopted from the channel"
"""How the note of an adjustment begins with which a person adopted a channel's number."""


@dataclass(frozen=True, slots=True)
class DifferenceFact:
    """A difference that a comparison found. `settled`: open | sent | overwritten | adopted | gone."""

    id: int
    channel_id: int
    subject: str
    cause: str
    shown: int | None
    expected: int | None
    since_ms: int
    closed_ms: int | None
    settled: str


def differences(session: Session, *, since_ms: int, until_ms: int) -> list[DifferenceFact]:
    """Differences that were open at some moment of a window or are now: the open ones first, the oldest first."""
    rows = session.execute(
        text(
            "SELECT id, channel_id, subject, details, since_ms, closed_ms FROM finding WHERE kind = 'difference' "
            "AND (closed_ms IS NULL OR (since_ms < :b AND closed_ms >= :a)) "
            "ORDER BY CASE WHEN closed_ms IS NULL THEN 0 ELSE 1 END, since_ms, id"
        ),
        {"a": since_ms, "b": until_ms},
    ).all()
    found = []
    for row in rows:
        details = json.loads(row.details)
        found.append(
            DifferenceFact(
                row.id, row.channel_id, row.subject, str(details.get("class", "")), details.get("shown"), details.get("expected"),
                row.since_ms, row.closed_ms, _settled(session, row),
            )
        )  # fmt: skip
    return found


def _settled(session: Session, row: Any) -> str:
    """What was done about a difference: a person adopted it, our number was written over it, or neither."""
    if row.closed_ms is not None:
        adopted = session.execute(
            text("SELECT 1 FROM document WHERE kind = 'adjustment' AND created_ms = :at AND note LIKE :like"),
            {"at": row.closed_ms, "like": f"{ADOPTED}%"},
        ).first()
        if adopted:
            return "adopted"
    key, _, location = row.subject.partition("@")
    pushed = session.execute(
        text(
            "SELECT push.outcome FROM push JOIN target ON target.id = push.target_id WHERE target.channel_id = :c "
            "AND target.remote_key = :k AND target.location = :l AND push.sent_ms >= :a AND push.outcome IN ('applied', 'sent', 'unclear') "
            "AND (CAST(:b AS BIGINT) IS NULL OR push.sent_ms <= CAST(:b AS BIGINT)) ORDER BY push.id LIMIT 1"
        ),
        {"c": row.channel_id, "k": key, "l": location, "a": row.since_ms, "b": row.closed_ms},
    ).first()
    if row.closed_ms is None:
        return "sent" if pushed else "open"
    return "overwritten" if pushed else "gone"


@dataclass(frozen=True, slots=True)
class CompareRun:
    """One comparison of a channel: numbers compared, and those that could not be."""

    id: int
    channel_id: int
    started_ms: int
    compared: int
    not_comparable: int


def compare_runs(session: Session, *, since_ms: int, until_ms: int) -> list[CompareRun]:
    """Comparisons begun in a window."""
    rows = session.execute(
        text(
            "SELECT id, channel_id, started_ms, counts FROM job_run WHERE job = 'compare_stock' AND channel_id IS NOT NULL "
            "AND started_ms >= :a AND started_ms < :b ORDER BY id"
        ),
        {"a": since_ms, "b": until_ms},
    )
    found = []
    for row in rows:
        counts = json.loads(row.counts)
        found.append(
            CompareRun(
                row.id, row.channel_id, row.started_ms, counts.get("compared", 0), counts.get("not_comparable", 0)
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class OrderCountFact:
    """The newest second count of a channel's orders of one shop day."""

    channel_id: int
    day: str
    counted_ms: int
    by_field: str
    on_channel: int
    in_ledger: int
    missing: tuple[str, ...]
    repaired: int


def order_counts(session: Session, days: tuple[str, str]) -> list[OrderCountFact]:
    """The newest count of each channel and day, `days` being the first and the last (ISO dates)."""
    newest = session.execute(
        text(
            "SELECT MAX(id) AS id FROM order_proof WHERE day >= :a AND day <= :b GROUP BY channel_id, day ORDER BY MAX(id)"
        ),
        {"a": days[0], "b": days[1]},
    ).scalars()
    query = "SELECT channel_id, day, counted_ms, by_field, on_channel, in_ledger, missing, repaired FROM order_proof WHERE id IN"
    rows = sorted(select_in(session, query, list(newest)), key=lambda row: (row.channel_id, row.day))
    return [
        OrderCountFact(
            row.channel_id, row.day, row.counted_ms, row.by_field, row.on_channel, row.in_ledger, tuple(json.loads(row.missing)),
            row.repaired,
        )
        for row in rows
    ]  # fmt: skip
