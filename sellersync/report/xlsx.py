"""The page as a spreadsheet: the single figures, everything that needs a person, and a sheet for each table with all its rows.

Numbers, rupiah, days and moments are values that a spreadsheet can add and sort; moments are the shop's clock. A text is never a formula.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from .commands import command
from .csv_files import as_zip
from .layout import lay_out
from .model import Report
from .page import Bars, Cell, Column, NeedBlock, Page, Section, Sentence, Shown, Table, Tiles, Tone, readable
from .words import NOTHING, Words

SHEET_NAME_CHARS_MAX = 31
COLUMN_CHARS_MIN, COLUMN_CHARS_MAX = 9, 60
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\']")
_HEADS = {
    "id": {
        "summary": "Ringkasan", "section": "Bagian", "figure": "Angka", "value": "Nilai", "note": "Keterangan",
        "kind": "Hal", "finding": "Temuan", "since": "Sejak", "deadline": "Batas waktu", "todo": "Yang perlu dilakukan",
        "command": "Perintah",
    },
    "en": {
        "summary": "Summary", "section": "Section", "figure": "Figure", "value": "Value", "note": "Note",
        "kind": "Kind", "finding": "Finding", "since": "Since", "deadline": "Deadline", "todo": "What to do", "command": "Command",
    },
}  # fmt: skip
_FORMS = {
    "count": "[$-{lcid}]#,##0",
    "decimal": "[$-{lcid}]#,##0.0##",
    "rupiah": '[$Rp-{lcid}]#,##0;-[$Rp-{lcid}]#,##0',
    "share": "0.0%",
    "day": "[$-{lcid}]ddd d mmm yyyy",
    "moment": '[$-{lcid}]d mmm yyyy hh"."mm',
}  # fmt: skip
_LCID = {"id": "421", "en": "409"}
"""Excel's numbers of the languages: names of months, and where the program allows it the separators."""
_COLOURS: dict[Tone, str] = {"good": "#12703A", "warn": "#8A5300", "bad": "#B3261E", "dim": "#566170"}

Row = Sequence[Cell]


def render_xlsx(report: Report) -> bytes:
    """The report as a workbook. The same report gives the same bytes on any machine."""
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # for this command alone

    page: Page = readable(lay_out(report))
    words = Words(report.language, report.zone, report.now)
    heads = _HEADS[report.language]
    file = io.BytesIO()
    with Workbook(file, {"in_memory": True}) as workbook:
        workbook.set_properties(
            {
                "title": f"{page.title} · {page.shop_name} · {page.day}",
                "created": datetime.combine(report.day, time()),  # not the moment of writing
            }
        )
        book = _Book(workbook, report.language)
        book.add(heads["summary"], _summary(page, heads))
        needs: Table = readable(_needs(report, words, heads))
        for section in page.sections:
            if needs.rows and any(isinstance(block, NeedBlock) for block in section.blocks):
                book.add(section.title, needs)
            for name, table in _tables(section):
                book.add(name, table)
    return _unpacked(file.getvalue())


def _unpacked(workbook: bytes) -> bytes:
    """The workbook without compression, which differs between machines."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        return as_zip({name: archive.read(name) for name in archive.namelist()})


# -------------------------------------------------------------------------------------------------------------------------- tables


def _summary(page: Page, heads: dict[str, str]) -> Table:
    """Every figure that stands alone, and every sentence."""
    columns = tuple(Column(heads[name], name == "value") for name in ("section", "figure", "value", "note"))
    rows: list[Row] = [
        (Cell(page.title), Cell(page.shop_name), Cell(page.day), Cell(page.scope)),
        (Cell(""), Cell(""), Cell(""), Cell(page.verdict, page.verdict_tone)),
    ]
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Tiles):
                rows += [
                    (Cell(section.title), Cell(tile.label), Cell(tile.value, tile.tone), Cell(tile.note, "dim"))
                    for tile in block.tiles
                ]
            elif isinstance(block, Sentence):
                rows.append((Cell(section.title), Cell(""), Cell(""), Cell(block.text, block.tone)))
    return Table(columns, tuple(tuple(row) for row in rows))


def _needs(report: Report, words: Words, heads: dict[str, str]) -> Table:
    """Every open finding, the most urgent kind first."""
    names = ("kind", "finding", "since", "deadline", "todo", "command")
    rows = [
        (
            Cell(words.finding_title(group)),
            Cell(words.finding(need)),
            Cell(words.moment(need.since)),
            Cell(words.moment(need.deadline)) if need.deadline else Cell(NOTHING),
            Cell(words.finding_todo(group.kind)),
            Cell(command(need)),
        )
        for group in report.needs.groups
        for need in group.first
    ]
    return Table(tuple(Column(heads[name]) for name in names), tuple(rows))


def _tables(section: Section) -> Iterator[tuple[str, Table]]:
    """The tables of a section, the first one under the section's own name, the others under theirs."""
    named = False
    for block in section.blocks:
        if isinstance(block, Bars):
            rows = tuple((Cell(bar.label), Cell(bar.value)) for bar in block.bars)
            yield block.caption, Table((Column(""), Column(block.caption, numeric=True)), rows)
        elif isinstance(block, Table):
            yield (block.caption if named and block.caption else section.title), block
            named = True


# ------------------------------------------------------------------------------------------------------------------------- writing


class _Book:
    """A workbook and its formats. `workbook` is xlsxwriter's."""

    def __init__(self, workbook: Any, language: str) -> None:
        self._workbook = workbook
        self._lcid = _LCID[language]
        self._formats: dict[tuple[object, ...], Any] = {}
        self._taken: set[str] = set()

    def add(self, name: str, table: Table) -> None:
        """A sheet with frozen heads, filters, and every row that was read."""
        sheet = self._workbook.add_worksheet(sheet_name(name, self._taken))
        shown = table.rows[:-1] if table.total else table.rows
        rows = [*shown, *table.rest]
        for place, column in enumerate(table.columns):
            cells = [row[place] for row in rows]
            sheet.set_column(place, place, _width(column, cells))
            sheet.write_string(0, place, column.label, self._format(head=True, right=column.numeric))
            for number, cell in enumerate(cells, 1):
                self._write(sheet, number, place, cell, column)
            if table.total:
                self._write(sheet, len(rows) + 1, place, table.rows[-1][place], column, bold=True)
        sheet.freeze_panes(1, 0)
        if rows:
            sheet.autofilter(0, 0, len(rows), len(table.columns) - 1)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)

    def _write(self, sheet: Any, row: int, place: int, cell: Cell, column: Column, *, bold: bool = False) -> None:
        text = cell.text
        if isinstance(text, Shown):
            style = self._format(form=text.form, tone=cell.tone, bold=bold)
            if isinstance(text.value, date):
                sheet.write_datetime(row, place, text.value, style)
            else:
                sheet.write_number(row, place, text.value, style)
        elif text and text != NOTHING:
            style = self._format(tone=cell.tone, bold=bold, right=column.numeric)
            sheet.write_string(row, place, text, style)

    def _format(
        self, *, form: str = "", tone: Tone = "", bold: bool = False, head: bool = False, right: bool = False
    ) -> Any:
        key = (form, tone, bold, head, right)
        if key not in self._formats:
            looks: dict[str, Any] = {"valign": "top", "text_wrap": not form}
            if form:
                looks["num_format"] = _FORMS[form].format(lcid=self._lcid)
            if tone:
                looks["font_color"] = _COLOURS[tone]
            if bold or head:
                looks["bold"] = True
            if bold:
                looks["top"] = 1
            if head:
                looks |= {"bottom": 1, "bg_color": "#EEF1F5"}
            if right:
                looks["align"] = "right"
            self._formats[key] = self._workbook.add_format(looks)
        return self._formats[key]


def _width(column: Column, cells: Iterable[Cell]) -> int:
    """In characters; longer texts are wrapped."""
    longest = max((len(cell.text) for cell in cells), default=0)
    if any(isinstance(cell.text, Shown) and cell.text.form in ("day", "moment") for cell in cells):
        longest = max(longest, len("Min 22 Nov 2026 00.00"))
    return min(max(longest, len(column.label) * 2 // 3, COLUMN_CHARS_MIN), COLUMN_CHARS_MAX) + 2


def sheet_name(name: str, taken: set[str]) -> str:
    """A name that spreadsheets take: short, without their special characters, different from the others whatever its case."""
    base = " ".join(_NOT_IN_SHEET_NAMES.sub(" ", name).split()) or "-"
    if len(base) > SHEET_NAME_CHARS_MAX:
        first_part = re.split("[:,;]", name)[0].strip()
        whole_words = base[: SHEET_NAME_CHARS_MAX + 1].rpartition(" ")[0]
        base = first_part if 0 < len(first_part) <= SHEET_NAME_CHARS_MAX else whole_words or base[:SHEET_NAME_CHARS_MAX]
    found, number = base, 1
    while found.casefold() in taken or found.casefold() == "history":  # Excel keeps that one for itself
        number += 1
        found = f"{base[: SHEET_NAME_CHARS_MAX - len(str(number)) - 1]} {number}"
    taken.add(found.casefold())
    return found
