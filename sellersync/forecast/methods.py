"""Ways to forecast: two naive ones that need nothing, and four of a library that may be missing.

A method sees the series up to a day and answers units for each of the following days, or `None` when it cannot say.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from typing import Any

from .series import DemandClass, Series

NAIVE_DAYS = 28
SEASON_DAYS_MIN = 56
"""Known days from which on a weekly pattern is taken for one, and not for chance."""
_SMOOTHING = 0.1  # of the sizes and of the chance of a sale in TSB; the usual value for slow demand


class Method(StrEnum):
    """Naive: the mean of the last four weeks, and what the same weekday sold last. From the library: the theta method and damped
    exponential smoothing for regular demand, Croston's method without its bias (SBA) and TSB for demand with many days of none."""

    FOUR_WEEKS = "four_weeks"
    SAME_WEEKDAY = "same_weekday"
    THETA = "theta"
    DAMPED_TREND = "damped_trend"
    CROSTON_SBA = "croston_sba"
    TSB = "tsb"


NAIVE = (Method.FOUR_WEEKS, Method.SAME_WEEKDAY)
REGULAR = (Method.THETA, Method.DAMPED_TREND)
SELDOM = (Method.CROSTON_SBA, Method.TSB)


def methods_for(kind: DemandClass) -> tuple[Method, ...]:
    """The library's methods that are worth trying on a class of demand."""
    if kind is DemandClass.NONE:
        return ()
    return REGULAR if kind.regular else SELDOM


def forecast(method: Method, series: Series, end: int, horizon: int) -> list[float] | None:
    """Units on each of the `horizon` days from day number `end` on, seen from there: nothing at or after `end` is used."""
    known = series.known(0, end)
    if not known:
        return None
    if method is Method.FOUR_WEEKS:
        return [_mean([series.units[number] for number in known[-NAIVE_DAYS:]])] * horizon
    if method is Method.SAME_WEEKDAY:
        return _same_weekday(series, known, end, horizon)
    return _by_library(method, series, known, end, horizon)


def _same_weekday(series: Series, known: Sequence[int], end: int, horizon: int) -> list[float]:
    """What the last known day of the same weekday sold within four weeks; the mean of those weeks where there is none."""
    last: dict[int, float] = {}
    recent = [number for number in known if number >= end - NAIVE_DAYS] or list(known[-NAIVE_DAYS:])
    for number in recent:
        last[series.weekday(number)] = float(series.units[number])
    mean = _mean([series.units[number] for number in recent])
    return [last.get(series.weekday(end + ahead), mean) for ahead in range(horizon)]


def _by_library(method: Method, series: Series, known: Sequence[int], end: int, horizon: int) -> list[float] | None:
    """Days that are left out are skipped, not filled. With enough of them the weekly pattern is taken out before and put back after."""
    values = [float(series.units[number]) for number in known]
    indices = [1.0] * 7
    if method in REGULAR and len(known) >= SEASON_DAYS_MIN:
        indices = _weekday_indices(series, known)
        mean = _mean(values)
        shares = [indices[series.weekday(number)] for number in known]
        values = [value / share if share else mean for value, share in zip(values, shares, strict=True)]
    ahead = _run(method, values, horizon)
    if ahead is None or not all(math.isfinite(value) for value in ahead):
        return None
    return [max(value, 0.0) * indices[series.weekday(end + number)] for number, value in enumerate(ahead)]


def _weekday_indices(series: Series, known: Sequence[int]) -> list[float]:
    """Weekday -> its mean as a share of the mean of all days."""
    by_weekday: list[list[int]] = [[] for _ in range(7)]
    for number in known:
        by_weekday[series.weekday(number)].append(series.units[number])
    mean = _mean([series.units[number] for number in known])
    return [_mean(units) / mean if units and mean else 1.0 for units in by_weekday]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# --------------------------------------------------------------------------------------------------------------------- the library


@cache
def library() -> dict[Method, Callable[[], Any]] | None:
    """Method -> how to make its model; `None` where the extra `forecast` is not installed."""
    try:
        from statsforecast.models import TSB, AutoETS, CrostonSBA, Theta
    except ImportError:
        return None
    return {
        Method.THETA: lambda: Theta(season_length=1),
        Method.DAMPED_TREND: lambda: AutoETS(season_length=1, model="AAN", damped=True),
        Method.CROSTON_SBA: CrostonSBA,
        Method.TSB: lambda: TSB(alpha_d=_SMOOTHING, alpha_p=_SMOOTHING),
    }


def _run(method: Method, values: Sequence[float], horizon: int) -> list[float] | None:
    """The library's answer; `None` where it is not installed or gives up on these values."""
    models = library()
    if models is None:
        return None
    import numpy

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # numerical ones: what comes out of them is looked at by the caller
        try:
            answer = models[method]().forecast(y=numpy.asarray(values, dtype=numpy.float64), h=horizon)
        except (ArithmeticError, ValueError, RuntimeError):
            return None
    return [float(value) for value in answer["mean"]]
