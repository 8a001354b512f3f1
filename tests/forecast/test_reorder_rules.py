"""When and how much to buy: worked examples, and what holds for every shop."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sellersync.domain.reorder import SAFETY_ERRORS, Advice, BuyingTerms, Demand, Stock, advise, cover, rounded, surplus

TERMS = BuyingTerms(lead_days=7, cover_days=14)

rates = st.floats(0, 500, allow_nan=False)
demands = st.builds(Demand, rates, rates, st.integers(1, 28))
stocks = st.builds(Stock, st.integers(0, 5000), st.integers(0, 500), st.integers(0, 500))
terms = st.builds(
    BuyingTerms,
    lead_days=st.integers(0, 120),
    cover_days=st.integers(1, 120),
    order_multiple=st.integers(1, 48),
    order_min=st.integers(0, 500),
    reorder_point=st.none() | st.integers(0, 2000),
    discontinued=st.booleans(),
)


def quantity(demand: Demand, stock: Stock, terms: BuyingTerms) -> int:
    found = advise(demand, stock, terms).quantity
    assert found is not None
    return found


# ------------------------------------------------------------------------------------------------------------------------- by hand


def test_without_an_error_the_forecast_alone_decides() -> None:
    """2 a day, a week to arrive, two weeks to last: bought at 14, up to 42."""
    exact = Demand(2.0, 0.0, 21)
    assert advise(exact, Stock(15), TERMS).due is False
    at_point = advise(exact, Stock(14), TERMS)
    assert (at_point.reorder_point, at_point.due, at_point.quantity, at_point.safety) == (14, True, 28, 0)
    assert quantity(exact, Stock(0, short=3), TERMS) == 45
    assert quantity(exact, Stock(5, incoming=9), TERMS) == 28


def test_the_error_becomes_safety() -> None:
    """0.5 a day wrong over 28 days is 0.5 * sqrt(7 * 28) = 7 units over a week; 1.6 of those are 11.2."""
    found = advise(Demand(2.0, 0.5, 28), Stock(20), TERMS)
    assert pytest.approx(1.6) == SAFETY_ERRORS
    assert (found.reorder_point, found.safety) == (26, 12)  # 14 + 11.2
    assert found.quantity == 34  # 42 + 11.2 - 20


def test_beyond_the_measured_period_the_error_grows_with_time() -> None:
    demand = Demand(1.0, 0.25, 28)
    assert demand.error_over(28) == pytest.approx(7.0)
    assert demand.error_over(56) == pytest.approx(14.0)
    assert demand.error_over(7) == pytest.approx(3.5)


def test_a_person_wins_over_the_forecast() -> None:
    exact = Demand(2.0, 0.0, 21)
    early = replace(TERMS, reorder_point=60)
    assert quantity(exact, Stock(60), early) == 28  # up to the point and the cover beyond it
    late = replace(TERMS, reorder_point=3)
    assert advise(exact, Stock(4), late).due is False
    assert quantity(exact, Stock(3), late) == 39


def test_what_is_unknown_stays_unknown() -> None:
    assert advise(None, Stock(0), TERMS) == Advice(0, None, False, None, None, None)
    told = advise(None, Stock(2), replace(TERMS, reorder_point=5))
    assert (told.due, told.quantity) == (True, None)
    assert advise(None, Stock(6), replace(TERMS, reorder_point=5)).due is False
    assert surplus(None, 10_000, days=30) == 0


def test_discontinued_is_never_bought() -> None:
    gone = replace(TERMS, discontinued=True, reorder_point=10)
    for demand in (Demand(5.0, 1.0, 21), None):
        found = advise(demand, Stock(0), gone)
        assert (found.due, found.quantity) == (False, 0)


@pytest.mark.parametrize(
    ("wanted", "multiple", "least", "bought"),
    [(0, 12, 24, 0), (-5, 1, 3, 0), (1, 12, 0, 12), (13, 12, 0, 24), (1, 1, 10, 10), (1, 12, 10, 12), (1, 12, 13, 24)],
)
def test_suppliers_sell_in_packs(wanted: int, multiple: int, least: int, bought: int) -> None:
    assert rounded(wanted, multiple=multiple, least=least) == bought


def test_cover_stands_between_its_bounds() -> None:
    found = cover(Demand(2.0, 1.0, 21), 12)
    assert (found.days, found.at_least, found.at_most) == (6.0, 4.0, 12.0)
    assert cover(Demand(1.0, 1.0, 21), 5).at_most is None  # it may be for ever
    assert cover(Demand(0.0, 0.0, 21), 0).days == 0.0


def test_surplus_allows_for_the_error() -> None:
    assert surplus(Demand(1.0, 0.5, 28), 200, days=100) == 50
    assert surplus(Demand(1.0, 1.0, 28), 200, days=100) == 0


# -------------------------------------------------------------------------------------------------------------------- for every shop


@given(demands, stocks, terms)
def test_a_quantity_can_be_ordered(demand: Demand, stock: Stock, terms: BuyingTerms) -> None:
    bought = quantity(demand, stock, terms)
    assert bought >= 0
    assert bought % terms.order_multiple == 0
    assert bought == 0 or bought >= terms.order_min
    assert not (terms.discontinued and bought)


@given(demands, stocks, terms)
def test_what_is_bought_lifts_the_stock_over_the_reorder_point(
    demand: Demand, stock: Stock, terms: BuyingTerms
) -> None:
    """Bought once, it is not due again at once, unless nothing sells."""
    found = advise(demand, stock, terms)
    assume(found.due and demand.per_day > 0.01)
    assert found.quantity
    after = replace(stock, incoming=stock.incoming + found.quantity)
    again = advise(demand, after, terms)
    assert not again.due or again.position == again.reorder_point


@given(demands, stocks, terms, st.integers(0, 400))
def test_more_stock_never_buys_more(demand: Demand, stock: Stock, terms: BuyingTerms, more: int) -> None:
    richer = replace(stock, available=stock.available + more)
    assert quantity(demand, richer, terms) <= quantity(demand, stock, terms)


@given(demands, stocks, terms, rates)
def test_more_demand_never_buys_less(demand: Demand, stock: Stock, terms: BuyingTerms, more: float) -> None:
    greater = replace(demand, per_day=demand.per_day + more)
    assert quantity(greater, stock, terms) >= quantity(demand, stock, terms)


@given(demands, stocks, terms, rates)
def test_a_worse_forecast_never_buys_less(demand: Demand, stock: Stock, terms: BuyingTerms, more: float) -> None:
    worse = replace(demand, error=demand.error + more)
    assert quantity(worse, stock, terms) >= quantity(demand, stock, terms)
