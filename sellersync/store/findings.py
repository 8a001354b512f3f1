"""Open findings: what is wrong, since when, until when, and what a person must do. One open row per (kind, channel, subject).

Kinds and their sentences live in `report/words`; a finding keeps only the values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

NO_CHANNEL = 0


def raise_finding(
    session: Session,
    kind: str,
    subject: str,
    *,
    now_ms: int,
    channel_id: int = NO_CHANNEL,
    details: Mapping[str, Any] | None = None,
    deadline_ms: int | None = None,
) -> bool:
    """Open a finding or refresh the open one; `True` when it is new (a crossing: alerts are sent once per crossing)."""
    packed = json.dumps(details or {}, ensure_ascii=False, sort_keys=True)
    values = {
        "kind": kind,
        "channel_id": channel_id,
        "subject": subject,
        "details": packed,
        "now": now_ms,
        "deadline": deadline_ms,
    }
    refreshed = session.execute(
        text(
            "UPDATE finding SET seen_ms = :now, details = :details, deadline_ms = :deadline "
            "WHERE kind = :kind AND channel_id = :channel_id AND subject = :subject AND closed_ms IS NULL"
        ),
        values,
    )
    if refreshed.rowcount:  # type: ignore[attr-defined]
        return False
    session.execute(
        text(
            "INSERT INTO finding (kind, channel_id, subject, details, since_ms, seen_ms, deadline_ms) "
            "VALUES (:kind, :channel_id, :subject, :details, :now, :now, :deadline)"
        ),
        values,
    )
    return True


def close_finding(session: Session, kind: str, subject: str, *, now_ms: int, channel_id: int = NO_CHANNEL) -> None:
    """The trouble is gone."""
    session.execute(
        text(
            "UPDATE finding SET closed_ms = :now "
            "WHERE kind = :kind AND channel_id = :channel_id AND subject = :subject AND closed_ms IS NULL"
        ),
        {"kind": kind, "channel_id": channel_id, "subject": subject, "now": now_ms},
    )


def keep_findings(
    session: Session,
    kind: str,
    subjects: Mapping[str, Mapping[str, Any]],
    *,
    now_ms: int,
    channel_id: int = NO_CHANNEL,
    deadlines_ms: Mapping[str, int] | None = None,
) -> None:
    """Make the open findings of a kind exactly `subjects` (subject -> details): open the new, close the gone."""
    known = open_subjects(session, kind, channel_id=channel_id)
    for subject in sorted(known - set(subjects)):
        close_finding(session, kind, subject, now_ms=now_ms, channel_id=channel_id)
    for subject, details in sorted(subjects.items()):
        deadline_ms = (deadlines_ms or {}).get(subject)
        raise_finding(
            session, kind, subject, now_ms=now_ms, channel_id=channel_id, details=details, deadline_ms=deadline_ms
        )


def open_subjects(session: Session, kind: str, *, channel_id: int = NO_CHANNEL) -> set[str]:
    """Subjects of the open findings of a kind."""
    rows = session.execute(
        text("SELECT subject FROM finding WHERE kind = :kind AND channel_id = :channel_id AND closed_ms IS NULL"),
        {"kind": kind, "channel_id": channel_id},
    )
    return {row[0] for row in rows}


def close_many(
    session: Session, kind: str, subjects: Iterable[str], *, now_ms: int, channel_id: int = NO_CHANNEL
) -> None:
    """Close several findings of a kind."""
    for subject in subjects:
        close_finding(session, kind, subject, now_ms=now_ms, channel_id=channel_id)


def close_kind(session: Session, kind: str, *, now_ms: int, channel_id: int = NO_CHANNEL) -> int:
    """Close every open finding of a kind. Returns how many."""
    closed = session.execute(
        text("UPDATE finding SET closed_ms = :now WHERE kind = :kind AND channel_id = :c AND closed_ms IS NULL"),
        {"kind": kind, "c": channel_id, "now": now_ms},
    )
    return int(closed.rowcount)  # type: ignore[attr-defined]
