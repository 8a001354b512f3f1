"""The report of the same history is the same on both databases."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import postgres

from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.forecast import DemandPolicy
from sellersync.report import build, render_html, render_json, trace
from sellersync.report.period import of_day, of_month, of_week
from sellersync.report.snapshot import keep

from .bookkeeping import JAKARTA, Books, an_order, fill_day, finding, line, wib
from .month import fill_month


def history(books: Books) -> Books:
    fill_day(books)
    books.at(wib(20, 15)).order(
        "web", an_order("W-3", wib(20, 14), [line("KOPI-250", 1, key="web-A")], ship_by=wib(20, 18))
    )
    books.book("web", reference="r1")
    seen = RemoteParcel("P-r1", ("W-3",), ParcelState.PICKED_UP, "picked", waybill="W-r1", picked_up_at=wib(20, 19))
    books.at(wib(20, 20)).track("P-r1", seen)
    books.order("web", an_order("W-4", wib(20, 19), [line("KOPI-250", 1, key="web-A")], ship_by=wib(21, 18)))
    books.book("web", reference="r2", settle=False)
    finding(books, "booking_unsettled", "1", order="W-4", reference="r2", why="no answer")
    finding(books, "return_due", "order 1 line 1", units=1, title="Kopi")
    finding(books, "unit_in_two_parcels", "P-9", "web", parcel="P-9", other_parcel=1)
    finding(books, "cancelled_but_booked", "S-1/1")
    return books


def test_sqlite_and_postgresql_give_the_same_bytes(
    books: Books, postgres_server: postgres.Server, tmp_path: Path
) -> None:
    other = Books(tmp_path, started=wib(10), url=postgres_server.new_url())
    try:
        answers = []
        for one in (history(books), history(other)):
            report = build(
                one.ledger, zone=JAKARTA, day=date(2026, 11, 20), now=wib(21, 7), language="id", shop_name="Toko"
            )
            answers.append((render_json(report), render_html(report)))
        assert answers[0][0] == answers[1][0]
        assert answers[0][1] == answers[1][1]
        assert answers[0][0]["needs"]["total"] == 6
        assert answers[0][0]["parcels"]["total"]["handed_over_late"] == 1
    finally:
        other.close()


def test_the_report_of_an_empty_postgresql_ledger(postgres_server: postgres.Server, tmp_path: Path) -> None:
    books = Books(tmp_path, started=wib(10), url=postgres_server.new_url())
    try:
        report = build(books.ledger, zone=JAKARTA, day=date(2026, 11, 9), now=wib(10), language="en", shop_name="Shop")
        assert render_json(report)["orders"]["total"]["goods"] == {"known": 0, "unknown": 0}
    finally:
        books.close()


def test_a_month_by_chance_is_the_same_on_both(postgres_server: postgres.Server, tmp_path: Path) -> None:
    """Money, returns, products and all: every figure of a day, a week and a month, and the rows behind them."""
    answers = []
    for name, url in (("lite", ""), ("pg", postgres_server.new_url())):
        folder = tmp_path / name
        folder.mkdir()
        books = fill_month(folder, 5, orders=60, url=url)
        now = books.clock.now()
        found = []
        for period in (of_day(date(2026, 11, 12)), of_week(date(2026, 11, 12)), of_month(date(2026, 11, 1))):
            report = build(
                books.ledger, zone=JAKARTA, period=period, now=now, language="id", shop_name="T", demand=DemandPolicy()
            )
            keep(books.ledger, report)
            found.append((render_json(report), render_html(report)))
            for figure in ("orders.units", "returns.opened", "money.shopee.fees", "stock.sku.KOPI.available"):
                rows = trace(books.ledger, figure, zone=JAKARTA, now=now, period=period, demand=DemandPolicy()).rows
                found.append((figure, rows))
        answers.append(found)
        books.close()
    assert answers[0] == answers[1]
