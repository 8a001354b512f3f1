"""The rate gate: a token bucket per channel, shut while the provider asked us to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sellersync.domain.errors import RateLimited
from sellersync.domain.times import Clock

RETRY_AFTER_S_MAX = 3600.0


def retry_after_s(header: str | None, *, now: datetime) -> float | None:
    """Seconds to wait from a Retry-After header in either form (seconds or HTTP date), bounded; `None` when absent or unreadable."""
    if not header:
        return None
    text = header.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = (at - now).total_seconds()
    if seconds != seconds:
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX)


class RateGate:
    """Lets `rate_per_s` calls through on average and `burst` at once; callers queue in order.

    `shut_until` closes it for everybody. A caller that would have to wait longer than `wait_s_max` gets `RateLimited` at once: a job
    that sleeps for an hour holds its lease for nothing.
    """

    def __init__(self, clock: Clock, *, rate_per_s: float, burst: int, wait_s_max: float = 10.0) -> None:
        self._clock = clock
        self._rate = rate_per_s
        self._burst = float(burst)
        self._wait_s_max = wait_s_max
        self._level = float(burst)
        self._at = clock.monotonic()
        self._shut_until: datetime | None = None

    def shut_until(self, until: datetime) -> None:
        """Nobody passes before `until`."""
        if self._shut_until is None or until > self._shut_until:
            self._shut_until = until

    async def enter(self) -> None:
        """Wait for a place. Raises `RateLimited` when the gate is shut for longer than a caller may wait."""
        while True:
            now = self._clock.now()
            if self._shut_until is not None and now < self._shut_until:
                wait = (self._shut_until - now).total_seconds()
                if wait > self._wait_s_max:
                    raise RateLimited("the provider asked us to wait", until=self._shut_until)
                await self._clock.sleep(wait)
                continue
            tick = self._clock.monotonic()
            self._level = min(self._burst, self._level + (tick - self._at) * self._rate)
            self._at = tick
            if self._level >= 1.0:
                self._level -= 1.0
                return
            wait = (1.0 - self._level) / self._rate
            if wait > self._wait_s_max:
                raise RateLimited("our own rate limit", until=now + timedelta(seconds=wait))
            await self._clock.sleep(wait)
