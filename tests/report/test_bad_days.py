"""The report of a bad day is still one readable page: a dead channel, no orders, a clock that jumped, thousands of everything."""

from __future__ import annotations

import io
import json
from datetime import date, datetime, timedelta
from pathlib import Path

from rich.console import Console

from sellersync.domain.settlements import Settlement
from sellersync.forecast import DemandPolicy
from sellersync.report import Report, build, render_html, render_json, render_terminal
from sellersync.report.figures import figures
from sellersync.report.layout import lay_out
from sellersync.report.page import Sentence, Table
from sellersync.report.period import of_week
from sellersync.store import proofs, settlements, work
from sellersync.store.findings import raise_finding
from sellersync.store.ledger import Session

from .bookkeeping import JAKARTA, Books, an_order, fill_day, line, wib
from .month import fill_month

DAY = date(2026, 11, 20)


def report_of(books: Books, now: datetime, *, day: date = DAY) -> Report:
    policy = DemandPolicy()
    return build(books.ledger, zone=JAKARTA, day=day, now=now, language="id", shop_name="Toko Kopi", demand=policy)


def on_terminal(report: Report) -> list[str]:
    out = io.StringIO()
    render_terminal(report, Console(file=out, width=120, color_system=None))
    return out.getvalue().splitlines()


def drawn(report: Report) -> str:
    """Every form is drawn; returns the page for people."""
    json.dumps(render_json(report))
    assert len(render_html(report).encode()) < 300_000
    return "\n".join(on_terminal(report))


def said(report: Report, section: str) -> list[str]:
    """Sentences and cells of a section."""
    found = []
    for one in lay_out(report).sections:
        if one.name == section:
            for block in one.blocks:
                if isinstance(block, Sentence):
                    found.append(block.text)
                if isinstance(block, Table):
                    found += [" | ".join(cell.text for cell in row) for row in block.rows]
    return found


def test_a_day_without_anything(books: Books) -> None:
    books.channel("shopee")
    books.at(wib(21, 6)).pulled("shopee")
    report = report_of(books, wib(21, 7))
    plain = drawn(report)
    for sentence in (
        "Tidak ada pesanan masuk pada hari itu.",
        "Tidak ada barang yang kembali pada hari itu, dan tidak ada yang ditunggu.",
        "Tidak ada pencairan dana pada hari itu.",
        "Angka di kanal tidak dibandingkan pada hari itu.",
        "Tidak ada stok yang perlu dikirim.",
        "Tidak ada unit yang terjual melebihi stok.",
    ):
        assert sentence in plain
    assert said(report, "proof")[-2:] == [
        "shopee | belum dihitung | – | – | – | –",
        "Tidak ada unit yang terjual melebihi stok.",
    ]
    assert {figure.value for figure in figures(report) if figure.section in ("orders", "returns", "money")} == {0}


def test_a_dead_channel_is_not_counted_and_not_zero(books: Books) -> None:
    fill_day(books)
    books.at(wib(21, 3))
    proof = proofs.Proof("shopee", DAY, proofs.ProofState.COMPLETE, None, "created", 1, 1)
    books.ledger.write_now(lambda s: proofs.record_proof(s, books.channels["shopee"], proof, now_ms=books.now_ms))
    books.ledger.write_now(
        lambda s: proofs.note_uncounted(s, books.channels["web"], DAY, "no answer within 30 s", now_ms=books.now_ms)
    )
    trouble = "no answer within 30 s"
    books.ledger.write_now(lambda s: work.note_trouble(s, books.channels["web"], trouble, now_ms=books.now_ms))
    report = report_of(books, wib(21, 7))
    drawn(report)
    rows = said(report, "proof")
    assert "shopee | 03.00 | 1 | 1 | 0 | 0" in rows
    assert "web | belum dihitung | – | – | – | –" in rows
    assert not [figure.name for figure in figures(report) if figure.name.startswith("proof.web.")]
    assert "web" in report.money.silent


def test_a_missing_order_is_named(books: Books) -> None:
    fill_day(books)
    books.at(wib(21, 3))
    missing = tuple(f"X{number}" for number in range(12))
    proof = proofs.Proof("shopee", DAY, proofs.ProofState.MISSING, None, "created", 13, 1, missing)
    books.ledger.write_now(lambda s: proofs.record_proof(s, books.channels["shopee"], proof, now_ms=books.now_ms))
    rows = said(report_of(books, wib(21, 7)), "proof")
    assert "shopee | 03.00 | 13 | 1 | 12 | 0" in rows
    assert f"shopee: tidak ada di buku: {', '.join(missing[:10])}, dan 2 lagi." in rows


def test_a_clock_that_jumped_back_and_orders_from_tomorrow(books: Books) -> None:
    """Everything in the ledger is later than the clock; a channel's clock runs ahead."""
    fill_day(books)
    ahead = wib(20, 23, 59)
    books.at(wib(20, 10)).order("shopee", an_order("ahead", ahead, [line("KOPI-250", 1, 10_000, key="shopee-A")]))
    books.order("shopee", an_order("tomorrow", wib(21, 9), [line("KOPI-250", 1, 10_000, key="shopee-A")]))
    report = report_of(books, wib(20, 5))
    plain = drawn(report)
    assert report.running
    assert report.orders.total.orders == 4
    assert "sejak 10.00 (0 dtk lalu)" in plain, "an age is never below zero"
    assert report.health.exposed.p50_ms is None or report.health.exposed.p50_ms >= 0
    assert report_of(books, wib(21, 23), day=date(2026, 11, 21)).orders.total.orders == 1


def test_thousands_of_everything_are_one_page(books: Books) -> None:
    books.channel("shopee")
    books.channel("web")
    books.listing("shopee", "A", "A")
    books.count("A", 3)

    def many(session: Session) -> None:
        shopee = books.channels["shopee"]
        rows = []
        for number in range(3_000):
            kind = ("difference", "order_unreadable", "unmapped_listing")[number % 3]
            details = {"class": "edited_by_hand", "policy": "report", "shown": 1, "expected": 2}
            raise_finding(session, kind, f"k{number}", channel_id=shopee, now_ms=books.now_ms + number, details=details)
            rows.append(Settlement(f"S{number}", f"o{number}", wib(20, 9), 1_000, (("commission_fee", 1_000),)))
        settlements.record_settlements(session, shopee, rows, now_ms=books.now_ms)

    books.at(wib(20, 8)).ledger.write_now(many)
    for number in range(300):
        books.at(wib(20, 9) + timedelta(seconds=number)).order(
            "shopee", an_order(f"o{number}", wib(20, 9), [line("A", 1, 1_000)], ship_by=wib(20, 12))
        )
    report = report_of(books, wib(21, 7))
    assert report.needs.total > 3_000
    assert (report.differences.first_total, len(report.differences.first)) == (1_000, 500)
    assert report.stock.short_units == 297
    html, lines = render_html(report), on_terminal(report)
    assert len(html.encode()) < 300_000
    assert len(lines) < 350, "the page grows with the kinds, not with the rows"
    assert "dan 990 lagi" in "\n".join(lines)


def test_a_month_of_chance_is_drawn_in_every_form(tmp_path: Path) -> None:
    books = fill_month(tmp_path, 7, orders=80)
    for day in (1, 9, 30):
        drawn(report_of(books, books.clock.now(), day=date(2026, 11, day)))
    drawn(build(books.ledger, zone=JAKARTA, period=of_week(DAY), now=books.clock.now(), language="en", shop_name="T"))
    books.close()


def test_the_quota_day_of_requests(books: Books) -> None:
    """The shop's day in Jakarta begins seven hours before the UTC day that is counted with it."""
    shopee = books.channel("shopee")

    def call(session: Session) -> None:
        for day, sent in (("2026-11-19", 5), ("2026-11-20", 70), ("2026-11-21", 900)):
            session.connection().exec_driver_sql(
                "INSERT INTO request_count (channel_id, day, kind, sent) VALUES (?, ?, 'read', ?)", (shopee, day, sent)
            )

    books.ledger.write_now(call)
    assert [channel.requests for channel in report_of(books, wib(22)).health.channels] == [70]
    week = build(books.ledger, zone=JAKARTA, period=of_week(DAY), now=wib(25), language="id", shop_name="Toko")
    assert [channel.requests for channel in week.health.channels] == [975]
