"""Time is aware UTC (L12). The report's day is the shop's day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from .errors import Unrecognised

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where the time comes from; injected everywhere so that one seed replays one run."""

    def now(self) -> datetime:
        """The present moment, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; the only way any part of the product waits."""
        ...


def from_epoch_s(value: object, *, where: str) -> datetime:
    """Unix seconds (int, float or digits as text) to aware UTC. Raises `Unrecognised`."""
    try:
        return datetime.fromtimestamp(value if type(value) is int else float(str(value)), UTC)
    except (ValueError, OverflowError, OSError):
        raise Unrecognised(f"{where}: unix seconds were expected", repr(value)) from None


def from_epoch_ms(value: object, *, where: str) -> datetime:
    """Unix milliseconds to aware UTC. Raises `Unrecognised`."""
    try:
        return EPOCH + timedelta(milliseconds=value if type(value) is int else int(str(value)))
    except (ValueError, OverflowError):
        raise Unrecognised(f"{where}: unix milliseconds were expected", repr(value)) from None


def to_epoch_ms(instant: datetime) -> int:
    """Aware datetime to unix milliseconds. A naive datetime is a bug and raises `ValueError`."""
    if instant.tzinfo is None:
        raise ValueError("a naive datetime reached the ledger")
    since = instant - EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + (since.microseconds + 500) // 1000


def shop_day(instant: datetime, zone: ZoneInfo) -> date:
    """The shop's calendar day that contains the instant."""
    return instant.astimezone(zone).date()


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """[local midnight, next local midnight) of a shop day, in UTC."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)
