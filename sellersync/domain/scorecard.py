"""How couriers did, as a pure function: what is not known is left out of a figure and counted, never taken as zero."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ride:
    """One parcel that a courier was booked for. Prices in whole rupiah, `None` unknown; `zone` is "" where nobody knows it.

    `picked_up` and `delivered` are `None` too where a parcel was already past them when it was first seen.
    """

    courier: str
    service: str
    zone: str
    quoted: int | None = None
    charged: int | None = None
    adjusted: int | None = None
    picked_up: datetime | None = None
    delivered: datetime | None = None
    promised: datetime | None = None
    lost: bool = False
    returned: bool = False
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Average:
    """A mean in whole rupiah over the parcels whose price is known; `None` when none is."""

    mean: int | None
    known: int


@dataclass(frozen=True, slots=True)
class Score:
    """One courier service in one zone. `days_median` and `days_p90`: from pickup to delivery, of `days_known` parcels; `on_time` is the
    share (0 to 1) delivered by the promised moment, of `promises_known` parcels that were delivered, lost, returned or are overdue.
    `None` is unknown."""

    courier: str
    service: str
    zone: str
    parcels: int
    quoted: Average
    charged: Average
    adjusted: Average
    days_median: float | None
    days_p90: float | None
    days_known: int
    on_time: float | None
    promises_known: int
    lost: int
    returned: int
    stuck: int


def scores(rides: Iterable[Ride], *, now: datetime) -> list[Score]:
    """The scorecard: per courier, service and zone, those with the most parcels first."""
    groups: dict[tuple[str, str, str], list[Ride]] = {}
    for ride in rides:
        groups.setdefault((ride.courier, ride.service, ride.zone), []).append(ride)
    result = [_score(key, own, now) for key, own in groups.items()]
    return sorted(result, key=lambda score: (-score.parcels, score.courier, score.service, score.zone))


def _score(key: tuple[str, str, str], rides: Sequence[Ride], now: datetime) -> Score:
    days = sorted(
        (ride.delivered - ride.picked_up) / DAY
        for ride in rides
        if ride.delivered is not None and ride.picked_up is not None
    )
    kept = [kept for ride in rides if (kept := _kept_its_promise(ride, now)) is not None]
    return Score(
        *key,
        parcels=len(rides),
        quoted=_average(ride.quoted for ride in rides),
        charged=_average(ride.charged for ride in rides),
        adjusted=_average(ride.adjusted for ride in rides),
        days_median=_percentile(days, 50),
        days_p90=_percentile(days, 90),
        days_known=len(days),
        on_time=sum(kept) / len(kept) if kept else None,
        promises_known=len(kept),
        lost=sum(ride.lost for ride in rides),
        returned=sum(ride.returned for ride in rides),
        stuck=sum(ride.stuck for ride in rides),
    )


def _kept_its_promise(ride: Ride, now: datetime) -> bool | None:
    """`None` where nothing was promised, or where it can still be kept."""
    if ride.promised is None:
        return None
    if ride.delivered is not None:
        return ride.delivered <= ride.promised
    return False if ride.lost or ride.returned or now > ride.promised else None


def _average(prices: Iterable[int | None]) -> Average:
    known = [price for price in prices if price is not None]
    return Average((2 * sum(known) + len(known)) // (2 * len(known)) if known else None, len(known))


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The smallest value that at least `percent` of all do not exceed, to a tenth."""
    if not ordered:
        return None
    return round(ordered[max(-(-len(ordered) * percent // 100) - 1, 0)], 1)
