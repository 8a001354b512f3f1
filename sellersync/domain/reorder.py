"""When and how much to buy again: pure rules over a forecast and its error.

Demand is units a day, stock is units, money whole rupiah, periods whole days. An unknown forecast stays unknown: nothing is suggested
from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SAFETY_ERRORS = 1.6
"""Safety stock in mean absolute errors: 1.25 of them are one standard deviation, and 1.28 of those cover nine times out of ten."""
_DUST = 1e-9  # what adding floats leaves behind must not buy a unit


@dataclass(frozen=True, slots=True)
class BuyingTerms:
    """How a SKU is bought: days until an order arrives, days of sales that it should then last, in which quantities.

    `reorder_point` is a person's word in units, `None` where the forecast decides. `lead_assumed`: nobody said how long the supplier
    takes, the shop's default stands in.
    """

    lead_days: int
    cover_days: int
    order_multiple: int = 1
    order_min: int = 0
    reorder_point: int | None = None
    discontinued: bool = False
    lead_assumed: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """Units a day, and the mean absolute error of that figure over periods of `horizon_days`."""

    per_day: float
    error: float
    horizon_days: int

    def over(self, days: int) -> float:
        """Units in a period."""
        return self.per_day * days

    def error_over(self, days: int) -> float:
        """Units by which a period of `days` is missed on average.

        Shorter periods than the measured one are harder to hit: chance evens out with the square root of time. Over longer ones
        the error is taken to stay what it was a day, since a wrong level does not even out.
        """
        return self.error * math.sqrt(days * max(days, self.horizon_days))


@dataclass(frozen=True, slots=True)
class Stock:
    """Units of a SKU: on the shelf and free, sold beyond that, bought and not here yet."""

    available: int
    short: int = 0
    incoming: int = 0

    @property
    def position(self) -> int:
        return self.available + self.incoming - self.short


@dataclass(frozen=True, slots=True)
class Cover:
    """Days that the stock lasts at the forecast, and at the forecast plus and minus its error; `None` is for ever."""

    days: float | None
    at_least: float | None
    at_most: float | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about one SKU.

    `due`: the position is at or below the reorder point. `quantity`: units to buy now, 0 when none, `None` when the forecast is
    unknown and only a person can say. `reorder_point` and `cover` are `None` where nothing is known. `safety`: units kept against
    the forecast's error.
    """

    position: int
    reorder_point: int | None
    due: bool
    quantity: int | None
    safety: int | None
    cover: Cover | None


def advise(demand: Demand | None, stock: Stock, terms: BuyingTerms) -> Advice:
    """When and how much to buy. A discontinued SKU is never bought; a person's reorder point wins over the forecast's."""
    position = stock.position
    if demand is None:
        due = terms.reorder_point is not None and position <= terms.reorder_point and not terms.discontinued
        return Advice(position, terms.reorder_point, due, None if not terms.discontinued else 0, None, None)
    safety = SAFETY_ERRORS * demand.error_over(terms.lead_days)
    point = terms.reorder_point
    if point is None:
        point = _up(demand.over(terms.lead_days) + safety)
    lasting = cover(demand, position)
    if terms.discontinued:
        return Advice(position, point, False, 0, _up(safety), lasting)
    order_up_to = max(
        demand.over(terms.lead_days + terms.cover_days) + safety,
        point + demand.over(terms.cover_days),  # a person's point may be above the forecast's
    )
    wanted = _up(order_up_to - position) if position <= point else 0
    quantity = rounded(wanted, multiple=terms.order_multiple, least=terms.order_min)
    return Advice(position, point, position <= point and quantity > 0, quantity, _up(safety), lasting)


def rounded(wanted: int, *, multiple: int, least: int) -> int:
    """The smallest quantity that can be ordered and brings `wanted` units; 0 when none are wanted."""
    if wanted <= 0:
        return 0
    return -(-max(wanted, least) // multiple) * multiple


def cover(demand: Demand, position: int) -> Cover:
    """How long a position lasts; a shortage lasts 0 days."""
    units = max(position, 0)

    def days(rate: float) -> float | None:
        if units == 0:
            return 0.0
        return units / rate if rate > _DUST else None

    return Cover(
        days(demand.per_day), days(demand.per_day + demand.error), days(max(demand.per_day - demand.error, 0.0))
    )


def surplus(demand: Demand | None, position: int, *, days: int) -> int:
    """Units beyond what sells in `days` even when demand is above the forecast by its error; 0 when there are none or nobody knows."""
    if demand is None:
        return 0
    return max(position - _up((demand.per_day + demand.error) * days), 0)


def _up(units: float) -> int:
    return math.ceil(units - _DUST)
