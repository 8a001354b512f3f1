"""The calls of one channel, counted by UTC day, and the bound that a day may have.

What is left near a day's end is for what must not wait: background reads stop first, then all reads, so that levels can still be
lowered and bookings be settled. When a provider's own day begins is unconfirmed; ours is the UTC day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta

from sellersync.domain.errors import QuotaSpent
from sellersync.domain.times import Clock

BACKGROUND_SHARE = 0.8
READ_SHARE = 0.95
"""The shares of a day's calls that background reads, and all reads together, may use up."""
READ, WRITE = "read", "write"

_background: ContextVar[bool] = ContextVar("sellersync_background", default=False)


@contextmanager
def background(yes: bool = True) -> Iterator[None]:
    """Calls inside belong (or do not belong) to work that can wait until tomorrow."""
    before = _background.get()
    _background.set(yes)
    try:
        yield
    finally:
        _background.set(before)


class Quota:
    """Counts calls; with `per_day_max` refuses those that a day does not have.

    `used` is what is known of this day: calls written down by all processes, and our own since. Our own are fetched with `unsaved` from
    time to time, and stand in neither place while they are being written: `saved` or `unsaved_again` ends that.
    """

    def __init__(self, clock: Clock, *, per_day_max: int | None = None) -> None:
        self.per_day_max = per_day_max
        self._clock = clock
        self._known: tuple[date, int] = (self.today(), 0)
        self._fresh: Counter[tuple[date, str]] = Counter()
        self._writing: Counter[tuple[date, str]] = Counter()

    def today(self) -> date:
        """The UTC day."""
        return self._clock.now().astimezone(UTC).date()

    @property
    def used(self) -> int:
        """Calls of this day so far."""
        today = self.today()
        own = sum(sent for held in (self._fresh, self._writing) for (day, _), sent in held.items() if day == today)
        return own + (self._known[1] if self._known[0] == today else 0)

    def spend(self, *, write: bool) -> None:
        """Count a call that goes out now. Raises `QuotaSpent` when the day has none left for it."""
        if self.per_day_max is not None:
            self._check(write=write, per_day_max=self.per_day_max)
        self._fresh[self.today(), WRITE if write else READ] += 1

    def _check(self, *, write: bool, per_day_max: int) -> None:
        share = 1.0 if write else BACKGROUND_SHARE if _background.get() else READ_SHARE
        if self.used < int(per_day_max * share):
            return
        what = "calls" if write else "calls for reads that can wait" if share == BACKGROUND_SHARE else "calls for reads"
        raise QuotaSpent(f"{self.used} of {per_day_max} {what} of the UTC day are used", until=self._midnight())

    def _midnight(self) -> datetime:
        return datetime.combine(self.today() + timedelta(days=1), time(), UTC)

    def unsaved(self) -> dict[tuple[date, str], int]:
        """(UTC day, "read" or "write") -> calls since the last time; they are being written down from now on."""
        self._writing += self._fresh
        self._fresh.clear()
        return dict(self._writing)

    def saved(self, day: date, total: int) -> None:
        """They are written down; all processes together used `total` calls on `day`."""
        self._writing.clear()
        self._known = (day, total)

    def unsaved_again(self) -> None:
        """They could not be written down."""
        self._fresh += self._writing
        self._writing.clear()
