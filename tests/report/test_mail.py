"""The report and alerts as messages: whole, harmless, short enough, and late ones say so."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sellersync.report import commands
from sellersync.report.alert import Told, alert_letter
from sellersync.report.layout import lay_out
from sellersync.report.mail import HTML_BYTES_MAX, as_html, as_text, render_mail
from sellersync.report.model import Language, Need
from sellersync.report.page import Cell, Column, Section, Table
from sellersync.settings.notify import ALERT_KINDS

from .bookkeeping import JAKARTA, Books, wib
from .golden_shop import fill_shop, golden_report

VOID = {"meta", "br"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Books:
    return fill_shop(tmp_path_factory.mktemp("shop"))


class Balanced(HTMLParser):
    """Every element is closed where it should be; its text is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("class", "src", "href", "id")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_mail_says_what_the_page_says(shop: Books, language: Language) -> None:
    report = golden_report(shop.ledger, language)
    page = lay_out(report)
    letter = json.loads(render_mail(report))
    parsed = Balanced()
    parsed.feed(letter["html"])
    assert parsed.open == []
    assert not parsed.tags & {"script", "style", "link", "img", "svg", "a", "form"}
    assert "http" not in letter["html"].replace("&", "")
    shown = " ".join(" ".join(parsed.text).split())
    for section in page.sections:
        assert section.title in shown
        assert section.title.upper() in letter["text"]
        for block in section.blocks:
            if isinstance(block, Table):
                for row in block.rows:
                    for cell in row:
                        wanted = " ".join(cell.text.split())
                        assert wanted in shown
                        assert cell.text in letter["text"]
    assert len(letter["html"].encode()) < 102_000
    assert letter["subject"].startswith(report.shop_name)
    assert page.verdict in letter["brief"]
    assert len(letter["brief"]) < 4096


def test_only_a_late_report_says_so(shop: Books) -> None:
    report = golden_report(shop.ledger, "en")
    assert "This report is late" not in render_mail(report, due=report.now - timedelta(minutes=2))
    late = json.loads(render_mail(report, due=report.now - timedelta(hours=3)))
    for form in ("text", "html", "brief"):
        assert "This report is late: it was due 21 Nov 2026 04.00 WIB and was made 21 Nov 2026 07.00 WIB." in late[form]


def test_a_page_too_long_for_mail_programs_names_what_is_left_out(shop: Books) -> None:
    page = lay_out(golden_report(shop.ledger, "en"))
    row = tuple(Cell("a long text in a cell, as long as they come" * 3) for _ in range(3))
    huge = Section("huge", "A huge list", (Table(tuple(Column("x") for _ in range(3)), (row,) * 1000),))
    html = as_html(replace(page, sections=(*page.sections[:2], huge, Section("last", "The last part", ()))))
    assert len(html.encode()) < HTML_BYTES_MAX + 10_000
    assert "… A huge list, The last part" in html


def test_foreign_text_is_text(shop: Books) -> None:
    page = replace(
        lay_out(golden_report(shop.ledger, "en")), verdict='<img src=x onerror="y">\r\nBcc: \u202ex', sections=()
    )
    assert "<img" not in as_html(page)
    assert "\r" not in as_text(page)
    assert "\u202e" not in as_html(page)


def need(number: int = 1, **details: object) -> Need:
    return Need("shortage", "", f"KOPI {number}", {"short": 2, **details}, wib(20, 9), None)


def told(count: int) -> list[Told]:
    return [Told(need(number)) for number in range(1, count + 1)]


def test_an_alert_names_the_command() -> None:
    letter = alert_letter("alert", told(1), language="en", zone=JAKARTA, now=wib(20, 10), shop_name="Toko")
    assert letter.subject == "Toko: More sold than is there. KOPI 1: short by 2"
    for form in (letter.text, letter.html, letter.brief):
        assert "sellersync stock count" in form
        assert "short by 2" in form


def test_an_alert_of_many_shows_the_first_and_how_many_more() -> None:
    letter = alert_letter("alert", told(37), language="en", zone=JAKARTA, now=wib(20, 10), shop_name="Toko")
    assert letter.subject == "Toko: More sold than is there (37)"
    assert letter.brief.count("short by") == 10
    assert "and 27 more:\n   sellersync stock show --short" in letter.brief
    gone = [Told(one.need, closed=wib(20, 11)) for one in told(37)]
    solved = alert_letter("solved", gone, language="en", zone=JAKARTA, now=wib(20, 12), shop_name="Toko")
    assert solved.subject == "Toko: Settled: More sold than is there (37)"
    assert "settled after 2 h" in solved.brief
    assert "and 27 more" in solved.text


def test_every_kind_that_can_be_told_has_words_and_a_place_in_the_example() -> None:
    assert set(ALERT_KINDS) <= set(commands.SETTLED)
    example = (Path(__file__).parents[2] / "config" / "sellersync.example.toml").read_text("utf-8")
    named = set(re.findall(r"[a-z_]+", example.partition("[alerts]")[2].partition("\nkinds =")[0]))
    named |= set(re.findall(r'"([a-z_]+)"', example.partition("\nkinds =")[2].partition("\n")[0]))
    assert set(ALERT_KINDS) <= named
