"""Every figure is counted again from the raw tables by other means, and is the sum of the rows that explain it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from sellersync.domain.errors import BadInput
from sellersync.forecast import DemandPolicy
from sellersync.report import Report, build, trace
from sellersync.report import words_figures_en as english
from sellersync.report import words_figures_id as indonesian
from sellersync.report.build import look
from sellersync.report.explain import Tracer, how_of
from sellersync.report.figures import Figure, figures
from sellersync.report.period import Period, of_day, of_month, of_week
from sellersync.report.reading import Reading

from .bookkeeping import JAKARTA, Books, an_order, line, wib
from .golden_shop import NOW, fill_shop
from .month import ENDS, fill_month
from .recount import COMPUTED, Recount

POLICY = DemandPolicy(dead_after_days=10)
PERIODS = (
    *(of_day(date(2026, 11, day)) for day in (1, 2, 12, 30)),
    of_week(date(2026, 11, 18)),
    of_month(date(2026, 11, 1)),
)


@pytest.fixture(scope="module", params=[1, 2, 3])
def month(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    books = fill_month(tmp_path_factory.mktemp("month"), request.param, orders=130)
    yield books
    books.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    books = fill_shop(tmp_path_factory.mktemp("shop"))
    yield books
    books.close()


def report_of(books: Books, period: Period) -> Report:
    return build(
        books.ledger, zone=JAKARTA, period=period, now=books.clock.now(), language="id", shop_name="T", demand=POLICY
    )


@pytest.mark.parametrize("period", PERIODS, ids=[period.name for period in PERIODS])
def test_every_figure_is_what_the_raw_tables_say(month: Books, period: Period) -> None:
    since, until = period.bounds(JAKARTA)
    counted = Recount(month.path, since, until, ENDS).figures()
    compared = 0
    for figure in figures(report_of(month, period)):
        if any(wanted(figure.name) for wanted in COMPUTED):
            empty = None if figure.unit == "ms" or figure.measure == "requests" else 0
            assert figure.value == counted.get(figure.name, empty), figure.name
            compared += 1
    assert compared > 120


def test_the_history_fills_the_sections(month: Books) -> None:
    """Zeros would prove little."""
    whole = {figure.name: figure.value for figure in figures(report_of(month, of_month(date(2026, 11, 1))))}
    for name in (
        *("orders.units", "orders.cancelled", "orders.returned", "orders.revenue_unknown"),
        *("orders.tokopedia.tiktok-shop.units", "parcels.handed_over_late", "parcels.delivered", "returns.received"),
        *("money.margin_unknown", "money.unexplained", "money.shopee.fees", "pushes.applied", "needs.closed"),
        *("differences.found", "differences.compared", "entered.receipt.units_in", "stock.short_units"),
    ):
        assert whole[name], name
    assert report_of(month, PERIODS[4]).orders.cancelled_from_before


def test_orders_over_days_sum_to_the_month(month: Books) -> None:
    whole = report_of(month, of_month(date(2026, 11, 1)))
    days = [report_of(month, of_day(day)) for day in whole.period.days()]
    assert tuple(day.orders.total.orders for day in days) == whole.orders.per_day
    for name in ("net", "fees", "settlements"):
        assert sum(getattr(day.money.total, name) for day in days) == getattr(whole.money.total, name)
    assert sum(day.parcels.total.handed_over for day in days) == whole.parcels.total.handed_over


# ------------------------------------------------------------------------------------------------------------------- what stands behind


def all_rows(books: Books, period: Period) -> list[tuple[Figure, list[int]]]:
    """Every figure of a report, with the amounts of its rows, from one snapshot."""
    report = report_of(books, period)

    def ask(reading: Reading) -> list[tuple[Figure, list[int]]]:
        tracer = Tracer(reading, report, POLICY)
        return [(figure, [row.amount for row in tracer.rows(figure)]) for figure in figures(report)]

    return look(books.ledger, ask, zone=JAKARTA, now=report.now, period=period)


def check_rows(figure: Figure, amounts: list[int]) -> None:
    how = how_of(figure)
    if how == "rank":
        percent = 50 if figure.measure.endswith("p50") else 95
        ordered = sorted(amounts)
        wanted = ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None
        assert figure.value == wanted, figure.name
    elif how == "share":
        part, whole = amounts
        if figure.value is not None:
            assert abs(abs(part) * 10_000 / whole - abs(figure.value)) <= 0.5, figure.name
    elif figure.value is None:
        assert sum(amounts) == 0, figure.name
    else:
        assert figure.value == sum(amounts), figure.name


@pytest.mark.parametrize("period", [PERIODS[2], PERIODS[4], PERIODS[5]], ids=lambda period: period.name)
def test_the_rows_of_a_figure_make_it(month: Books, period: Period) -> None:
    for figure, amounts in all_rows(month, period):
        check_rows(figure, amounts)


@pytest.mark.parametrize("period", [of_day(date(2026, 11, 20)), of_week(date(2026, 11, 20)), of_month(date(2026, 11, 1))],
                         ids=lambda period: period.name)  # fmt: skip
def test_the_rows_of_a_whole_shop_make_its_figures(shop: Books, period: Period) -> None:
    assert shop.clock.now() == NOW
    for figure, amounts in all_rows(shop, period):
        check_rows(figure, amounts)


def test_every_figure_has_its_name_and_definition_in_both_languages(month: Books, shop: Books) -> None:
    met = {figure.meaning for books in (month, shop) for period in PERIODS[3:] if books is month or period.kind != "day"
           for figure in figures(report_of(books, period))}  # fmt: skip
    for words in (english, indonesian):
        assert met <= set(words.FIGURES), met - set(words.FIGURES)
        assert {meaning.partition(".")[0] for meaning in met} <= set(words.SECTIONS)
    never = set(english.FIGURES) - met
    assert never <= {"proof.oversold_units"}, f"words of figures that no report has: {never}"


def test_names_are_unique_and_stable(month: Books) -> None:
    report = report_of(month, of_month(date(2026, 11, 1)))
    names = [figure.name for figure in figures(report)]
    assert len(names) == len(set(names))
    for name in ("orders.shopee.units", "money.shopee.fees", "stock.sold_out", "orders.tokopedia.tiktok-shop.revenue"):
        assert name in names


def test_a_figure_and_the_orders_behind_it(books: Books) -> None:
    books.channel("shopee")
    books.at(wib(20, 12))
    books.order("shopee", an_order("whole", wib(20, 9), [line("A", 2, 10_000)]))
    books.order("shopee", an_order("other", wib(20, 10), [line("A", 1, 5_000)]))
    books.order("shopee", an_order("dark", wib(20, 10), [line("A", 1, None)]))
    found = trace(books.ledger, "orders.shopee.revenue", zone=JAKARTA, now=wib(21), period=of_day(date(2026, 11, 20)))
    assert (found.figure.value, found.total, found.how) == (25_000, 25_000, "sum")
    assert [(row.kind, row.name, row.channel, row.amount) for row in found.rows] == [
        ("order", "whole", "shopee", 20_000),
        ("order", "other", "shopee", 5_000),
    ]
    assert [row.happened for row in found.rows] == [wib(20, 9), wib(20, 10)]


def test_a_name_that_is_none_names_its_neighbours(books: Books) -> None:
    books.channel("shopee")
    with pytest.raises(BadInput, match=r"no figure 'orders\.shope\.units'; did you mean orders\.shopee\.units"):
        trace(books.ledger, "orders.shope.units", zone=JAKARTA, now=wib(21), period=of_day(date(2026, 11, 20)))
    with pytest.raises(BadInput, match="sellersync report explain"):
        trace(books.ledger, "xyzzy", zone=JAKARTA, now=wib(21), period=of_day(date(2026, 11, 20)))


def test_the_file_is_only_read(shop: Books) -> None:
    before = Path(shop.path).read_bytes()
    all_rows(shop, of_day(date(2026, 11, 20)))
    assert Path(shop.path).read_bytes() == before
