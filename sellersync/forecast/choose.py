"""Which method is believed: each forecasts the last eight weeks from their beginnings, and the one that was least wrong counts.

An error is measured as it hurts: over a whole period of lead time and cover, in units a day, days sold out left out. (The mean absolute
error of single days would prefer a forecast of nothing for whatever sells seldom.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sellersync.domain.reorder import Demand

from .methods import NAIVE, Method, forecast, library, methods_for
from .series import DemandClass, Series, demand_class

ERROR_DAYS = 56
STEP_DAYS = 7
HORIZON_DAYS_MAX = 28
TRAINING_DAYS_MIN = 14
ORIGINS_MIN = 3
TEST_SHARE_MIN = 0.5
"""A period counts when at least this share of its days is known."""
MARGIN = 0.85
"""A method takes the place of a simpler one when its error is below this share of the simpler one's.

Eight weeks hold few independent trials, so the smallest of six errors is often luck. Over simulated shops (steady, growing, weekly,
shifting, seldom) shares between 0.8 and 0.9 forecast the weeks after best.
"""
DIGITS = 4


class Unknown(StrEnum):
    """Why there is no forecast."""

    NEW = "new"  # too few days since the first sale or count
    SOLD_OUT = "sold_out"  # it was not there for most of the last eight weeks


@dataclass(frozen=True, slots=True)
class Candidate:
    """A method with its forecast (units a day), its mean absolute error and its bias (above zero: it forecast too much)."""

    method: Method
    per_day: float
    error: float
    bias: float


@dataclass(frozen=True, slots=True)
class SkuForecast:
    """The forecast of one SKU. `chosen` and `naive` are `None` together, when `unknown` says why.

    `known_days` of the history were used, `left_out_days` not (sold out). `origins`: how often each method was tried, each time over
    `horizon_days`. `candidates` holds every method tried, the naive ones first.
    """

    kind: DemandClass
    known_days: int
    left_out_days: int
    horizon_days: int
    origins: int
    candidates: tuple[Candidate, ...]
    naive: Candidate | None
    chosen: Candidate | None
    unknown: Unknown | None

    @property
    def demand(self) -> Demand | None:
        if self.chosen is None:
            return None
        return Demand(self.chosen.per_day, self.chosen.error, self.horizon_days)


NO_HISTORY = SkuForecast(DemandClass.NONE, 0, 0, 0, 0, (), None, None, Unknown.NEW)


def choose(series: Series, *, period_days: int, simple_only: bool = False) -> SkuForecast:
    """Try the methods that fit a series. `period_days`: lead time and cover together; `simple_only`: the naive ones alone."""
    horizon, origins = _trials(series, period_days)
    kind = demand_class([series.units[number] for number in series.known(0, len(series))])
    known = series.known_days
    left_out = len(series) - known
    if len(origins) < ORIGINS_MIN:
        long_enough = len(series) >= TRAINING_DAYS_MIN + min(horizon, STEP_DAYS) + (ORIGINS_MIN - 1) * STEP_DAYS
        why = Unknown.SOLD_OUT if long_enough else Unknown.NEW
        return SkuForecast(kind, known, left_out, horizon, len(origins), (), None, None, why)
    ahead = min(period_days, HORIZON_DAYS_MAX)
    naive_ones = [one for method in NAIVE if (one := _tried(method, series, origins, horizon, ahead)) is not None]
    tried = () if simple_only or library() is None else methods_for(kind)
    others = [one for method in tried if (one := _tried(method, series, origins, horizon, ahead)) is not None]
    naive = _simplest(naive_ones)
    best = min(others, key=lambda one: one.error, default=naive)
    chosen = _simplest([naive, best])
    return SkuForecast(kind, known, left_out, horizon, len(origins), (*naive_ones, *others), naive, chosen, None)


def _simplest(candidates: Sequence[Candidate]) -> Candidate:
    """The first one, unless a later one is better by the margin."""
    chosen = candidates[0]
    for one in candidates[1:]:
        if one.error < MARGIN * chosen.error:
            chosen = one
    return chosen


def _trials(series: Series, period_days: int) -> tuple[int, list[int]]:
    """(days of a trial period, the days from which a forecast is tried, the newest first).

    A history too short for whole periods is tried over shorter ones, down to a week.
    """
    horizon = min(period_days, HORIZON_DAYS_MAX)
    while True:
        origins = _origins(series, horizon)
        if len(origins) >= ORIGINS_MIN or horizon <= STEP_DAYS:
            return horizon, origins
        horizon = max(horizon - STEP_DAYS, STEP_DAYS)


def _origins(series: Series, horizon: int) -> list[int]:
    found = []
    for origin in range(len(series) - horizon, max(len(series) - ERROR_DAYS, 1) - 1, -STEP_DAYS):
        tested, trained = series.known(origin, origin + horizon), series.known(0, origin)
        if len(tested) >= TEST_SHARE_MIN * horizon and len(trained) >= TRAINING_DAYS_MIN:
            found.append(origin)
    return found


def _tried(method: Method, series: Series, origins: Sequence[int], horizon: int, ahead: int) -> Candidate | None:
    """A method with its error over all trials; `None` when it gave up on one of them."""
    misses = []
    for origin in origins:
        said = forecast(method, series, origin, horizon)
        if said is None:
            return None
        days = series.known(origin, origin + horizon)
        sold = sum(series.units[number] for number in days)
        misses.append((sum(said[number - origin] for number in days) - sold) / len(days))
    coming = forecast(method, series, len(series), ahead)
    if coming is None:
        return None
    return Candidate(
        method,
        round(sum(coming) / len(coming), DIGITS),
        round(sum(abs(miss) for miss in misses) / len(misses), DIGITS),
        round(sum(misses) / len(misses), DIGITS),
    )
