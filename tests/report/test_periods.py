"""Days, weeks and months, and what is looked at over them: ABC and XYZ, the channels' scorecard, the routine."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.domain.errors import BadInput
from sellersync.report import Report, build, render_html, render_json
from sellersync.report.layout import lay_out
from sellersync.report.period import Period, of_day, of_month, of_week, read_month, read_week
from sellersync.store import stock

from .bookkeeping import JAKARTA, Books, an_order, line, wib

NOVEMBER = of_month(date(2026, 11, 5))


def report_of(books: Books, period: Period, *, language: str = "id") -> Report:
    now = wib(1, 7, month=12)
    return build(books.ledger, zone=JAKARTA, period=period, now=now, language=language, shop_name="Toko")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("period", "name", "first", "last", "before"),
    [
        (of_day(date(2026, 11, 20)), "2026-11-20", date(2026, 11, 20), date(2026, 11, 20), "2026-11-13"),
        (of_week(date(2026, 11, 22)), "2026-W47", date(2026, 11, 16), date(2026, 11, 22), "2026-W46"),
        (of_week(date(2027, 1, 1)), "2026-W53", date(2026, 12, 28), date(2027, 1, 3), "2026-W52"),
        (of_month(date(2026, 12, 31)), "2026-12", date(2026, 12, 1), date(2026, 12, 31), "2026-11"),
        (of_month(date(2028, 2, 10)), "2028-02", date(2028, 2, 1), date(2028, 2, 29), "2028-01"),
    ],
)
def test_periods(period: Period, name: str, first: date, last: date, before: str) -> None:
    assert (period.name, period.first, period.last, period.before().name) == (name, first, last, before)


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_names_are_read_back_and_periods_leave_no_gap(day: date) -> None:
    for period, read in ((of_week(day), read_week), (of_month(day), read_month)):
        assert read(period.name) == period
        assert period.before().last == period.first - timedelta(days=1)
        assert day in list(period.days())


@pytest.mark.parametrize("text", ["2026-47", "2026-W54", "2026-W00", "W47", "", "2026-W4", "0000-W01"])
def test_no_week(text: str) -> None:
    with pytest.raises(BadInput, match="like 2026-W47"):
        read_week(text)


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "11", "2026-W11", "2026-1"])
def test_no_month(text: str) -> None:
    with pytest.raises(BadInput, match="like 2026-11"):
        read_month(text)


def test_a_period_that_has_not_begun_is_refused(books: Books) -> None:
    with pytest.raises(BadInput, match="2026-W50 has not begun yet in Asia/Jakarta; choose an earlier week"):
        report_of(books, of_week(date(2026, 12, 10)))


def test_headings(books: Books) -> None:
    assert lay_out(report_of(books, NOVEMBER)).day == "November 2026"
    week = lay_out(report_of(books, of_week(date(2026, 11, 20))))
    assert (week.title, week.day) == ("Laporan mingguan", "Minggu 47 tahun 2026, 16 Nov sampai 22 Nov")
    english = lay_out(report_of(books, of_week(date(2026, 11, 20)), language="en"))
    assert (english.title, english.day) == ("Weekly report", "Week 47 of 2026, 16 Nov to 22 Nov")
    names = [section.name for section in week.sections]
    assert {"products", "scorecard", "routine"} <= set(names)
    daily = [section.name for section in lay_out(report_of(books, of_day(date(2026, 11, 20)))).sections]
    assert not {"products", "scorecard", "routine", "restated"} & set(daily)


@pytest.fixture
def shop(books: Books) -> Books:
    """Four weeks: KOPI sells evenly and most, TEH up and down, GULA once, SUSU never."""
    books.channel("shopee")
    for sku in ("KOPI", "TEH", "GULA", "SUSU"):
        books.listing("shopee", sku, sku, title=sku.title())
        books.count(sku, 100)
    books.ledger.write_now(lambda s: s.connection().exec_driver_sql("UPDATE channel SET created_ms = 0"))
    number = 0
    for week in range(8):
        monday = wib(5, 9, month=10) + timedelta(weeks=week)
        sold = [("KOPI", 2 if week % 2 else 3, 80_000), ("TEH", (0, 4, 1, 5)[week % 4], 30_000)]
        sold += [("GULA", 1, 10_000)] if week == 7 else []
        for sku, units, price in sold:
            if units:
                number += 1
                books.at(monday).order("shopee", an_order(f"o{number}", monday, [line(sku, units, price)]))
    return books


def test_abc_by_value_xyz_by_evenness(shop: Books) -> None:
    last = of_week(date(2026, 11, 27))  # KOPI 2 x 80,000, TEH 5 x 30,000, GULA 1 x 10,000
    products = report_of(shop, last).products
    assert products is not None
    rows = {row.code: (row.units, row.units_before, row.value, row.abc, row.xyz) for row in products.best}
    assert rows == {
        "KOPI": (2, 3, 160_000, "A", "X"),
        "TEH": (5, 1, 150_000, "A", "Y"),
        "GULA": (1, 0, 10_000, "C", "Z"),
    }
    assert [row.code for row in products.best] == ["TEH", "KOPI", "GULA"]
    assert products.weeks == 7, "the week of the first order is not whole before it"
    slow = [(row.code, row.units) for row in products.slow]
    assert slow[0] == ("SUSU", 0)
    assert products.sold == 3


def test_too_few_weeks_say_nothing_about_evenness(books: Books) -> None:
    books.channel("shopee")
    books.listing("shopee", "A", "A")
    books.at(wib(20)).order("shopee", an_order("1", wib(19), [line("A", 1)]))
    products = report_of(books, NOVEMBER).products
    assert products is not None
    assert [(row.abc, row.xyz, row.units_before) for row in products.best] == [("A", "", None)]
    assert products.weeks == 0


def test_the_routine_of_a_month(shop: Books) -> None:
    def adjust(reason: str) -> None:
        shop.ledger.write_now(
            lambda s: stock.record_adjustment(
                s, stock.find_sku(s, "KOPI"), shop.warehouse, -1, reason=reason, at_ms=shop.now_ms, now_ms=shop.now_ms, who="a"
            )
        )  # fmt: skip

    shop.at(wib(28, 9)).count("TEH", 50)
    adjust("broken")
    shop.at(wib(28, 10))
    adjust("adopted from the channel: shown 3, expected 4")
    routine = report_of(shop, NOVEMBER).routine
    assert routine is not None
    assert (routine.adjustments, routine.adopted, routine.ageing_returns) == (2, 1, 0)
    assert routine.counts >= 1


def test_all_forms_draw_weeks_and_months(shop: Books) -> None:
    for period in (of_week(date(2026, 11, 20)), NOVEMBER):
        for language in ("id", "en"):
            report = report_of(shop, period, language=language)
            assert "<h1" in render_html(report)
            answer = render_json(report)
            assert (answer["period"]["kind"], answer["day"]) == (period.kind, period.first.isoformat())
            assert answer["products"]["sold"] >= 1
