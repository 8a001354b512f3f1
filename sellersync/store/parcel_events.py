"""What a parcel was seen in, one row a change: for tracking, for scorecards, and for the question since when nothing has happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.times import from_epoch_ms

from .bulk import run_many

Seen = tuple[int, str, str, int]  # parcel id, state, the provider's own word, unix milliseconds


@dataclass(frozen=True, slots=True)
class ParcelEvent:
    """A parcel was first seen like this at that moment."""

    state: str
    remote_status: str
    seen_at: datetime


def keep_events(session: Session, seen: Sequence[Seen]) -> None:
    """Record what parcels were seen in. The caller passes changes only."""
    run_many(session, _ADD, seen)


def events_of(session: Session, parcel_id: int) -> list[ParcelEvent]:
    """Everything that was seen of a parcel, the oldest first."""
    rows = session.execute(
        text("SELECT state, remote_status, seen_ms FROM parcel_event WHERE parcel_id = :p ORDER BY id"),
        {"p": parcel_id},
    )
    return [ParcelEvent(row.state, row.remote_status, from_epoch_ms(row.seen_ms, where="parcel_event")) for row in rows]


_ADD = "INSERT INTO parcel_event (parcel_id, state, remote_status, seen_ms) VALUES (?, ?, ?, ?)"
