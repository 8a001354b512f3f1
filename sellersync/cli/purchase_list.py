"""The purchase list as a file: CSV, or a spreadsheet with a sheet for each supplier. The same rows give the same bytes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date, datetime, time

from sellersync.forecast import SkuDemand

from .csv_file import as_cell

Cell = str | int | float | None
HEADS = {
    "id": (
        *("Pemasok", "SKU", "Nama barang", "Barcode", "Jumlah beli", "Harga beli satuan", "Total harga"),
        *("Stok", "Perkiraan per hari", "Selisih rata-rata per hari", "Lama kirim (hari)"),
    ),
    "en": (
        *("Supplier", "SKU", "Title", "Barcode", "Quantity", "Unit cost", "Amount"),
        *("Stock", "Forecast per day", "Mean error per day", "Lead time (days)"),
    ),
}
NOBODY = {"id": "Tanpa pemasok", "en": "No supplier"}
TOTAL = {"id": "Jumlah", "en": "Total"}
_WIDTHS = (18, 18, 40, 16, 12, 16, 16, 8, 16, 20, 16)
_AMOUNTS = (5, 6)
_DECIMALS = (8, 9)
_SHEET_CHARS_MAX = 31
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\']")


def cells(sku: SkuDemand) -> list[Cell]:
    """A row of the list; what nobody knows is empty."""
    chosen = sku.forecast.chosen
    return [
        *(sku.supplier, sku.code, sku.title, sku.barcode, sku.advice.quantity, sku.cost, sku.amount, sku.advice.position),
        None if chosen is None else round(chosen.per_day, 2),
        None if chosen is None else round(chosen.error, 2),
        sku.terms.lead_days,
    ]  # fmt: skip


def as_csv(skus: Sequence[SkuDemand], language: str) -> bytes:
    """The list as CSV UTF-8 with a byte order mark, by supplier; titles never become formulas."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADS[language])
    for sku in skus:
        writer.writerow([as_cell(cell) if isinstance(cell, str) else cell for cell in cells(sku)])
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(skus: Sequence[SkuDemand], language: str, *, day: date) -> bytes:
    """The list as a spreadsheet, a sheet for each supplier in the order given, each with its total where every cost is known."""
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # for this command alone

    file = io.BytesIO()
    book = Workbook(file, {"in_memory": True})
    book.set_properties({"created": datetime.combine(day, time())})  # not the moment: the same list, the same bytes
    bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    amount, total = book.add_format({"num_format": "#,##0"}), book.add_format({"num_format": "#,##0", "bold": True})
    decimal = book.add_format({"num_format": "0.00"})
    groups: dict[str, list[SkuDemand]] = {}
    for sku in skus:
        groups.setdefault(sku.supplier, []).append(sku)
    taken: set[str] = set()
    for supplier, rows in (groups or {"": []}).items():
        sheet = book.add_worksheet(_sheet_name(supplier or NOBODY[language], taken))
        for column, (head, width) in enumerate(zip(HEADS[language], _WIDTHS, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, head, bold)
        sheet.freeze_panes(1, 0)
        for number, sku in enumerate(rows, 1):
            for column, cell in enumerate(cells(sku)):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                elif cell is not None:
                    style = amount if column in _AMOUNTS else decimal if column in _DECIMALS else None
                    sheet.write_number(number, column, cell, style)
        amounts = [sku.amount for sku in rows]
        if rows and None not in amounts:
            sheet.write_string(len(rows) + 1, 0, TOTAL[language], total)
            sheet.write_number(len(rows) + 1, 6, sum(one or 0 for one in amounts), total)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
    book.close()
    return file.getvalue()


def _sheet_name(supplier: str, taken: set[str]) -> str:
    """A name that a spreadsheet takes: short, without its special characters, different from the others whatever their case."""
    base = _NOT_IN_SHEET_NAMES.sub(" ", supplier).strip()[:_SHEET_CHARS_MAX].strip() or "-"
    name, number = base, 1
    while name.casefold() in taken or name.casefold() == "history":  # a name that Excel keeps for itself
        number += 1
        name = f"{base[: _SHEET_CHARS_MAX - len(str(number)) - 1]} {number}"
    taken.add(name.casefold())
    return name
