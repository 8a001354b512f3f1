"""The rate gate: a token bucket per channel, shut while the provider asked us to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sellersync.domain.errors import RateLimited
from sellersync.domain.times import Clock

from .quota import Quota

RETRY_AFTER_S_MAX = 3600.0


def http_date(text: str) -> datetime | None:
    """A date header as aware UTC; `None` when absent or unreadable."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def retry_after_s(header: str | None, *, now: datetime) -> float | None:
    """Seconds to wait from a Retry-After header in either form (seconds or HTTP date), bounded; `None` when absent or unreadable."""
    if not header:
        return None
    text = header.strip()
    try:
        seconds = float(text)
    except ValueError:
        at = http_date(text)
        if at is None:
            return None
        seconds = (at - now).total_seconds()
    if seconds != seconds:
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX)


class RateGate:
    """Lets `rate_per_s` calls through on average and `burst` at once; callers take places in the order in which they come.

    `shut_until` closes it for everybody. A caller that would have to wait longer than `wait_s_max` gets `RateLimited` at once: a job
    that sleeps for an hour holds its lease for nothing. Every call that passes is counted in `quota`.
    """

    def __init__(
        self, clock: Clock, *, rate_per_s: float, burst: int, wait_s_max: float = 10.0, quota: Quota | None = None
    ) -> None:
        self.quota = quota or Quota(clock)
        self._clock = clock
        self._rate = rate_per_s
        self._burst = float(burst)
        self._wait_s_max = wait_s_max
        self._level = float(burst)  # below zero: places that waiting callers have taken in advance
        self._at = clock.monotonic()
        self._shut_until: datetime | None = None

    def shut_until(self, until: datetime) -> None:
        """Nobody passes before `until`."""
        if self._shut_until is None or until > self._shut_until:
            self._shut_until = until

    async def enter(self, *, write: bool = False) -> None:
        """Wait for a place. Raises `RateLimited` when that would take longer than a caller may wait, `QuotaSpent` when the day has no
        call left for it."""
        await self._pass()
        self.quota.spend(write=write)

    async def _pass(self) -> None:
        while True:
            await self._opened()
            wait_s = self._take_place()
            if wait_s > 0.0:
                await self._clock.sleep(wait_s)
            if self._shut_s() <= 0.0:
                return  # else it was shut meanwhile: whoever was held queues again, or a crowd would rush out at its opening

    async def _opened(self) -> None:
        while (wait_s := self._shut_s()) > 0.0:
            if wait_s > self._wait_s_max:
                raise RateLimited("the provider asked us to wait", until=self._clock.now() + timedelta(seconds=wait_s))
            await self._clock.sleep(wait_s)

    def _shut_s(self) -> float:
        """Seconds for which the gate is still shut."""
        return (self._shut_until - self._clock.now()).total_seconds() if self._shut_until else 0.0

    def _take_place(self) -> float:
        """Take the next place and return the seconds until it is free."""
        tick = self._clock.monotonic()
        level = min(self._burst, self._level + (tick - self._at) * self._rate)
        wait_s = max(1.0 - level, 0.0) / self._rate
        if wait_s > self._wait_s_max:
            raise RateLimited("our own rate limit", until=self._clock.now() + timedelta(seconds=wait_s))
        self._level, self._at = level - 1.0, tick
        return wait_s
