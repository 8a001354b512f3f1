"""The figures of a finished period are kept as first given out; what the ledger learns later is shown as restated."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from sellersync.domain.orders import OrderState
from sellersync.domain.settlements import Settlement
from sellersync.report import Report, build
from sellersync.report.layout import lay_out
from sellersync.report.page import Table
from sellersync.report.period import Period, of_day, of_week
from sellersync.report.snapshot import keep
from sellersync.store import seals, settlements

from .bookkeeping import JAKARTA, Books, an_order, line, wib

DAY = of_day(date(2026, 11, 20))


def report_of(books: Books, now: datetime, period: Period = DAY) -> Report:
    return build(books.ledger, zone=JAKARTA, period=period, now=now, language="id", shop_name="Toko Kopi")


@pytest.fixture
def shop(books: Books) -> Books:
    books.channel("shopee")
    books.at(wib(20, 12)).order("shopee", an_order("1", wib(20, 9), [line("A", 2, 10_000)]))
    books.order("shopee", an_order("2", wib(20, 10), [line("A", 1, 10_000)]))
    books.at(wib(21, 6)).pulled("shopee")
    return books


def cancel(books: Books, moment: datetime) -> None:
    gone = an_order(
        "2", wib(20, 10), [line("A", 1, cancelled=1)], state=OrderState.CANCELLED, updated=moment, cancelled_at=moment
    )
    books.at(moment).order("shopee", gone)


def test_a_changed_past_is_restated_with_was_is_and_since_when(shop: Books) -> None:
    assert keep(shop.ledger, report_of(shop, wib(21, 7)))
    cancel(shop, wib(22, 15, 4))
    later = report_of(shop, wib(23, 7))
    assert later.first_given == wib(21, 7)
    restated = {one.figure: (one.was, one.now, one.since) for one in later.restated}
    assert restated == {
        "orders.units": (3, 2, wib(22, 15, 4)),
        "orders.revenue": (30_000, 20_000, wib(22, 15, 4)),
        "orders.cancelled": (0, 1, wib(22, 15, 4)),
        "orders.shopee.units": (3, 2, wib(22, 15, 4)),
        "orders.shopee.revenue": (30_000, 20_000, wib(22, 15, 4)),
        "orders.shopee.cancelled": (0, 1, wib(22, 15, 4)),
    }
    (section,) = [one for one in lay_out(later).sections if one.name == "restated"]
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    rows = [[cell.text for cell in row] for row in table.rows]
    assert ["Pesanan · shopee · Nilai barang", "Rp30.000", "Rp20.000", "22 Nov 15.04"] in rows
    assert ["Pesanan · Batal", "0", "1", "22 Nov 15.04"] in rows


def test_the_first_ones_stay_the_first(shop: Books) -> None:
    assert keep(shop.ledger, report_of(shop, wib(21, 7)))
    cancel(shop, wib(22, 15))
    assert not keep(shop.ledger, report_of(shop, wib(23, 7)))
    assert {one.was for one in report_of(shop, wib(24, 7)).restated if one.figure == "orders.units"} == {3}


def test_nothing_is_kept_of_a_day_that_is_not_over(shop: Books) -> None:
    assert not keep(shop.ledger, report_of(shop, wib(20, 23, 59)))
    assert report_of(shop, wib(21, 7)).first_given is None
    assert seals_kept(shop) is None


def test_what_stands_now_is_never_restated(shop: Books) -> None:
    """Stock, open parcels and what needs a person are of the moment."""
    shop.listing("shopee", "A", "A")
    keep(shop.ledger, report_of(shop, wib(21, 7)))
    shop.at(wib(22, 9)).count("A", 5)
    assert report_of(shop, wib(23, 7)).restated == ()


def test_an_unchanged_past_has_no_such_section(shop: Books) -> None:
    keep(shop.ledger, report_of(shop, wib(21, 7)))
    later = report_of(shop, wib(25, 7))
    assert (later.first_given, later.restated) == (wib(21, 7), ())
    assert "restated" not in [section.name for section in lay_out(later).sections]


def test_money_that_is_told_late_is_restated_from_the_moment_it_was_told(shop: Books) -> None:
    keep(shop.ledger, report_of(shop, wib(21, 7)))
    row = Settlement("S1", "1", wib(20, 18), 17_000, (("order_original_price", 20_000), ("commission_fee", -3_000)))
    shop.at(wib(23, 9)).ledger.write_now(
        lambda s: settlements.record_settlements(s, shop.channels["shopee"], [row], now_ms=shop.now_ms)
    )
    restated = {one.figure: (one.was, one.now, one.since) for one in report_of(shop, wib(24, 7)).restated}
    assert restated["money.net"] == (0, 17_000, wib(23, 9))
    assert restated["money.shopee.fees"] == (0, -3_000, wib(23, 9))


def test_days_and_weeks_are_kept_apart(shop: Books) -> None:
    week = of_week(date(2026, 11, 20))
    keep(shop.ledger, report_of(shop, wib(21, 7)))
    assert report_of(shop, wib(23, 7), week).first_given is None
    keep(shop.ledger, report_of(shop, wib(23, 7), week))
    cancel(shop, wib(24, 8))
    assert "orders.cancelled" in {one.figure for one in report_of(shop, wib(25), week).restated}


def seals_kept(books: Books) -> int | None:
    found = books.ledger.read_now(seals.last_verified)
    return None if found is None else found.movement_id


def test_a_given_report_says_from_where_the_chain_is_checked_next_time(shop: Books) -> None:
    shop.listing("shopee", "A", "A")
    shop.at(wib(21, 6)).count("A", 5)
    shop.seal()
    first = report_of(shop, wib(21, 7))
    assert (first.proof.checked_from, first.proof.checked_before) == (1, None)
    keep(shop.ledger, first)
    assert first.proof.head is not None
    assert seals_kept(shop) == first.proof.head[0]
    second = report_of(shop, wib(22, 7))
    assert (second.proof.checked_from, second.proof.checked_before) == (first.proof.head[0] + 1, wib(21, 7))
    assert second.proof.ok


def test_a_broken_ledger_is_not_noted_as_whole(shop: Books) -> None:
    shop.listing("shopee", "A", "A")
    shop.at(wib(21, 6)).count("A", 5)
    shop.seal()
    shop.ledger.write_now(lambda s: s.connection().exec_driver_sql("UPDATE movement SET who = 'nobody' WHERE id = 1"))
    broken = report_of(shop, wib(21, 7))
    assert not broken.proof.ok
    keep(shop.ledger, broken)
    assert seals_kept(shop) is None
