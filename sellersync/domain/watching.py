"""Which parcels on their way need a person, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .parcels import ParcelState


class Trouble(StrEnum):
    """What is wrong with a parcel that a courier was booked for; the first one that applies is told."""

    LOST = "lost"
    RETURNING = "returning"  # it comes back to us undelivered
    UNCOLLECTED = "uncollected"  # booked, and nobody has collected it
    STUCK = "stuck"  # on its way, and nothing has changed for long
    OVERDUE = "overdue"  # the courier's own promise has passed


ON_THE_WAY = frozenset({ParcelState.PICKED_UP, ParcelState.IN_TRANSIT, ParcelState.OUT_FOR_DELIVERY})
OLD_NEWS_AFTER = timedelta(days=30)
"""What ended badly so long ago is no news any more, whatever became of it."""


@dataclass(frozen=True, slots=True)
class WatchRules:
    """When silence becomes trouble."""

    uncollected_after: timedelta = timedelta(hours=24)
    stuck_after: timedelta = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Watched:
    """A parcel as it was seen last. `changed_at`: when it was last seen to change; `waits_since`: when it was booked. `left_shelf`
    also by our own word that it was handed over. `settled`: a return document stands for it, or its order was cancelled after all."""

    state: ParcelState
    changed_at: datetime
    waits_since: datetime
    left_shelf: bool = False
    promised_at: datetime | None = None
    settled: bool = False


def trouble(parcel: Watched, rules: WatchRules, now: datetime) -> Trouble | None:
    """What is wrong with a parcel now; `None` while it goes its way."""
    state = parcel.state
    old_news = parcel.settled or now - parcel.changed_at > OLD_NEWS_AFTER
    if state is ParcelState.LOST:
        return None if old_news else Trouble.LOST
    if state is ParcelState.RETURNED:
        return None if old_news else Trouble.RETURNING
    if state is ParcelState.RETURNING:
        return Trouble.RETURNING
    if state.final:
        return None
    moving = state in ON_THE_WAY or (state.booked and parcel.left_shelf)
    if not moving and state in (ParcelState.BOOKED, ParcelState.UNKNOWN) and not parcel.left_shelf:
        return Trouble.UNCOLLECTED if now - parcel.waits_since >= rules.uncollected_after else None
    if moving and now - parcel.changed_at >= rules.stuck_after:
        return Trouble.STUCK
    if moving and parcel.promised_at is not None and now > parcel.promised_at:
        return Trouble.OVERDUE
    return None
