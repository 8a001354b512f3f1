"""What each form of the report promises its reader: contrast and jumps on the page, values in spreadsheets, no formula and no control
character anywhere, and nothing left out of the files."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sellersync.report import Report, as_zip, build, render_csv, render_html, render_json, render_terminal, render_xlsx
from sellersync.report.csv_files import FORMULA_STARTS
from sellersync.report.xlsx import sheet_name

from .bookkeeping import JAKARTA, Books, an_order, line, wib
from .golden_files import cells_of
from .golden_shop import DAY, fill_shop, golden_report

CSS = (Path(__file__).parents[2] / "sellersync" / "report" / "templates" / "report.css").read_text("utf-8")
EVIL = '=1+1</style><script>alert(1)</script>"; } * { display: none } \\ \x1b[31m\u202ebad\x07\u0000'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Report:
    books = fill_shop(tmp_path_factory.mktemp("shop"))
    report = golden_report(books.ledger, "id")
    books.close()
    return report


def with_texts(value: Any, text: str) -> Any:
    """The report with another text in the place of every text that came from a channel or a person."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = ("language", "kind", "state", "zone")
        changed = {
            one.name: with_texts(getattr(value, one.name), text) for one in fields(value) if one.name not in kept
        }
        return replace(value, **changed)
    if isinstance(value, tuple):
        return tuple(with_texts(item, text) for item in value)
    if isinstance(value, dict):
        return {key: with_texts(item, text) for key, item in value.items()}
    return text if type(value) is str else value


# ---------------------------------------------------------------------------------------------------------------------------- page


def schemes() -> Iterator[tuple[str, dict[str, str]]]:
    """The colours of each appearance: later ones replace some of the first."""
    colours: dict[str, str] = {}
    for name, block in zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", CSS, re.S), strict=True):
        colours = colours | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))
        yield name, colours


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(char * 2 for char in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("scheme", "colours"), list(schemes()), ids=[name for name, _ in schemes()])
def test_every_text_has_the_contrast_of_wcag_aa(scheme: str, colours: dict[str, str]) -> None:
    pairs = [
        (text, ground) for text in ("ink", "soft", "good", "warn", "bad") for ground in ("paper", "ground", "panel")
    ]
    pairs += [("accent", "panel"), ("accent", "paper")]
    pairs += [(tone, f"{tone}-tint") for tone in ("good", "warn", "bad")]
    pairs += [(text, f"{tone}-tint") for text in ("ink", "soft") for tone in ("good", "warn", "bad")]
    for text, ground in pairs:
        lighter, darker = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, f"{scheme}: {text} on {ground}"


class _Page(HTMLParser):
    """Elements with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_has_an_outline_that_machines_can_read(shop: Report) -> None:
    page = _Page(render_html(shop))
    jumps = [str(link["href"]).removeprefix("#") for link in page.all("a")]
    assert jumps == [section["id"] for section in page.all("section")]
    assert len(jumps) == len(set(jumps)) >= 7
    titles = {title["id"] for title in page.all("h2")}
    assert {section["aria-labelledby"] for section in page.all("section")} == titles
    tables, heads, rows = len(page.all("table")), page.all("th"), page.all("tr")
    assert tables == len(page.all("thead")) == len(page.all("tbody"))
    assert [one for one in heads if one.get("scope") not in ("col", "row")] == []
    assert sum(one["scope"] == "row" for one in heads) == len(rows) - tables, "each row is named by its first cell"
    assert [cell for cell in page.all("td") if not cell["data-label"]] == []


def test_a_browser_is_told_to_load_and_run_nothing(shop: Report) -> None:
    policies = [meta["content"] for meta in _Page(render_html(shop)).all("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_a_chart_says_its_figures(shop: Report) -> None:
    html = render_html(shop)
    chart = html[html.index("<figure") : html.index("</figure>")]
    said = {hour: int(count) for count, hour in re.findall(r'value">(\d+)</span>.*?label">(\d\d)<', chart)}
    assert sum(shop.orders.per_hour) > 0
    busy = {f"{hour:02d}": count for hour, count in enumerate(shop.orders.per_hour) if count}
    assert {hour: said[hour] for hour in busy} == busy


def test_hostile_texts_stay_texts_in_every_form(shop: Report) -> None:
    evil = with_texts(shop, EVIL)
    html = render_html(evil)
    tags = {tag for tag, _ in _Page(html).elements}
    assert "script" not in tags
    assert html.count("</style>") == 1
    style = html[html.index("<style>") : html.index("</style>")]
    assert style.count("{") == style.count("}"), "nothing broke out of a CSS string"
    out = io.StringIO()
    render_terminal(evil, Console(file=out, width=100, color_system=None))
    forms = [html, out.getvalue(), cells_of(render_xlsx(evil))]
    forms += [content.decode() for content in render_csv(evil).values()]
    for form in forms:
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e\u2066-\u2069]", form)
    cells = [
        cell
        for content in render_csv(evil).values()
        for row in csv.reader(io.StringIO(content.decode()))
        for cell in row
    ]
    assert any("script" in cell for cell in cells)
    assert [cell for cell in cells if cell.startswith(FORMULA_STARTS) and not re.fullmatch(r"-\d+(\.\d+)?", cell)] == []


def test_the_text_at_the_foot_of_each_sheet_of_paper(shop: Report) -> None:
    html = render_html(replace(shop, shop_name='A "B" \\ 7; } C'))
    (escaped,) = re.findall(r'@bottom-left \{ content: "([^"]*)"', html)
    shown = re.sub(r"\\([0-9a-f]{1,6}) ", lambda match: chr(int(match[1], 16)), escaped)
    assert shown == 'Laporan harian · A "B" \\ 7; } C · Jumat, 20 November 2026'


# --------------------------------------------------------------------------------------------------------------------------- XLSX


def sheets(workbook: bytes) -> dict[str, dict[str, tuple[str, str]]]:
    """Sheet -> cell -> (kind, value)."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for text in cells_of(workbook).splitlines():
        if text.startswith("["):
            cells = found.setdefault(text.strip("[]"), {})
        else:
            place, kind, value = text.split(" ", 2)
            cells[place] = (kind, value)
    return found


def column(cells: dict[str, tuple[str, str]], head: str) -> list[tuple[str, str]]:
    """The values under a head."""
    (letter,) = [
        place.rstrip("1") for place, (_, value) in cells.items() if value == head and re.fullmatch(r"[A-Z]+1", place)
    ]
    return [
        one for place, one in cells.items() if re.fullmatch(rf"{letter}\d+", place) and not place.endswith(f"{letter}1")
    ]


def test_a_spreadsheet_can_add_and_sort(shop: Report) -> None:
    book = sheets(render_xlsx(shop))
    goods = column(book["Pesanan"], "Nilai barang")
    known = [row.sales.goods.known for row in shop.orders.rows if row.sales.goods.known is not None]
    assert [int(value) for kind, value in goods if kind == "number"] == known
    assert ("text", "tidak diketahui") in goods, "unknown is no number"
    assert sum(int(value) for kind, value in goods if kind == "number") == shop.orders.total.goods.known
    since = [float(value) for _, value in column(book["Perlu tindakan Anda"], "Sejak")]
    first = shop.needs.groups[0].first[0].since.astimezone(JAKARTA)
    days = (first.date() - wib(1, month=1, year=1900).astimezone(JAKARTA).date()).days + 2  # Excel counts from 1900
    assert since[0] == pytest.approx(days + (first.hour * 60 + first.minute) / 1440)
    assert len(since) == shop.needs.total, "every finding, where the page shows the first few"
    rosela = column(book["Habis"], "Nama")
    assert rosela == [("text", '=Teh <b>Rosela</b> & "Jahe" 20 kantong')]


def test_the_workbook_is_drawn_for_people(shop: Report) -> None:
    with zipfile.ZipFile(io.BytesIO(render_xlsx(shop))) as archive:
        styles = archive.read("xl/styles.xml").decode()
        pages = [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2026-11-20T00:00:00Z" in archive.read("docProps/core.xml")
    assert all('<pane ySplit="1"' in page and "<f>" not in page for page in pages)
    assert "[$Rp-421]#,##0" in styles


def test_lists_are_whole_in_a_spreadsheet(books: Books) -> None:
    books.channel("web")
    books.at(wib(20, 9))
    for number in range(30):
        books.listing("web", f"L{number}", f"SKU-{number:02d}")
        books.count(f"SKU-{number:02d}", 1)
        books.order("web", an_order(f"o{number}", wib(20, 8), [line(f"SKU-{number:02d}", 1, key=f"L{number}")]))
    report = build(books.ledger, zone=JAKARTA, day=DAY, now=wib(21, 7), language="id", shop_name="Toko")
    page = _Page(render_html(report))
    assert len(page.all("tr")) < 40, "a page shows the first ten"
    assert len(column(sheets(render_xlsx(report))["Stok"], "SKU")) == 30


def test_names_of_sheets() -> None:
    taken: set[str] = set()
    assert sheet_name("Terlambat: masih di rak setelah batas kirim", taken) == "Terlambat"
    assert sheet_name("Pemesanan kurir yang belum jelas", taken) == "Pemesanan kurir yang belum"
    assert sheet_name("terlambat", taken) == "terlambat 2"
    assert sheet_name("[a]*b?/c\\d'", taken) == "a b c d"
    assert sheet_name("History", taken) == "History 2"
    assert sheet_name("x" * 40, taken) == "x" * 31
    assert sheet_name("x" * 40, taken) == "x" * 29 + " 2"
    assert sheet_name("'", taken) == "-"


# ------------------------------------------------------------------------------------------------------------------- CSV and JSON


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def test_csv_and_json_hold_the_same_values(shop: Report) -> None:
    tables, whole = render_csv(shop), json.loads(json.dumps(render_json(shop)))
    goods = {(row["channel"], row["storefront"]): row["sales.goods.known"] for row in rows(tables["orders_rows.csv"])}
    assert goods == {
        (row["channel"], row["storefront"]): ""
        if row["sales"]["goods"]["known"] is None
        else str(row["sales"]["goods"]["known"])
        for row in whole["orders"]["rows"]
    }
    assert "" in goods.values(), "unknown is empty, never 0"
    needs = rows(tables["needs_groups_first.csv"])
    said = [need for group in whole["needs"]["groups"] for need in group["first"]]
    assert [need["sentence"].removeprefix("'") for need in needs] == [need["sentence"] for need in said]
    assert [need["command"] for need in needs] == [need["command"] for need in said]
    assert [need["since"] for need in needs] == [need["since"] for need in said]
    values = {row["path"]: row["value"] for row in rows(tables["values.csv"])}
    assert values["orders.total.goods.known"] == str(whole["orders"]["total"]["goods"]["known"])
    assert values["day"] == "2026-11-20"
    figures = {row["name"]: (row["unit"], row["value"]) for row in rows(tables["figures.csv"])}
    assert figures["orders.revenue"] == ("rupiah", values["orders.total.goods.known"])
    short = rows(tables["stock_short_orders.csv"])
    assert [(row["short.code"], row["order"], row["units"]) for row in short] == [("TUMBLER", "SH-2001", "2")]


def leaves(value: Any) -> int:
    """Numbers, texts and unknowns in a JSON value."""
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    return sum(map(leaves, value)) if isinstance(value, list) else 1


def test_json_leaves_nothing_out(shop: Report) -> None:
    def of_model(value: Any) -> int:
        if is_dataclass(value) and not isinstance(value, type):
            extra = 2 if type(value).__name__ == "Need" else 0  # its sentence and command
            return extra + sum(of_model(getattr(value, one.name)) for one in fields(value))
        if isinstance(value, dict):
            return sum(map(of_model, value.values()))
        return sum(map(of_model, value)) if isinstance(value, tuple | list) else 1

    assert leaves(json.loads(json.dumps(render_json(shop)))) == of_model(shop) + 3  # version, running, attention


def test_a_quiet_day_has_the_same_files_and_heads(books: Books, shop: Report) -> None:
    quiet = render_csv(build(books.ledger, zone=JAKARTA, day=DAY, now=wib(21, 7), language="id", shop_name="Toko"))
    busy = render_csv(shop)
    assert list(quiet) == list(busy)
    assert [content.split(b"\r\n")[0] for content in quiet.values()] == [
        content.split(b"\r\n")[0] for content in busy.values()
    ]


def test_a_byte_order_mark_and_an_archive(shop: Report) -> None:
    plain, marked = render_csv(shop), render_csv(shop, bom=True)
    assert all(marked[name] == b"\xef\xbb\xbf" + content for name, content in plain.items())
    with zipfile.ZipFile(io.BytesIO(as_zip(plain))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == plain
    assert as_zip(plain) == as_zip(dict(plain))
