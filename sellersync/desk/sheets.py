"""Lists on A4: pick list and manifest. Tables that break over pages repeat their heads; the same values make the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from reportlab.graphics.barcode.code128 import Code128  # type: ignore[import-untyped]
from reportlab.lib import colors  # type: ignore[import-untyped]
from reportlab.lib.enums import TA_RIGHT  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.platypus import (  # type: ignore[import-untyped]
    KeepTogether,
    LongTable,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from sellersync.domain.desk import DeskParcel, ManifestHead, PickRow, parts_of, weight_of

from .text import BOLD, MONO, REGULAR, clean
from .words import Language, courier_name, kilos, moment, rupiah, word

MARGIN_MM = 14.0
_TITLE = ParagraphStyle("title", fontName=BOLD, fontSize=15, leading=19)
_SUB = ParagraphStyle("sub", fontName=REGULAR, fontSize=9, leading=12, textColor=colors.HexColor("#333333"))
_PART = ParagraphStyle("part", fontName=BOLD, fontSize=11.5, leading=15, spaceBefore=9, spaceAfter=3)
_CELL = ParagraphStyle("cell", fontName=REGULAR, fontSize=9, leading=11)
_STRONG = ParagraphStyle("strong", parent=_CELL, fontName=BOLD)
_NUMBER = ParagraphStyle("number", parent=_STRONG, alignment=TA_RIGHT)
_CODE = ParagraphStyle("code", parent=_CELL, fontName=MONO, fontSize=8.5)
_HEAD = ParagraphStyle("head", fontName=BOLD, fontSize=8, leading=10)
_HEAD_RIGHT = ParagraphStyle("head-right", parent=_HEAD, alignment=TA_RIGHT)
_GRID = [
    ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e6e6e6")),
    ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.HexColor("#9a9a9a")),
    ("LINEABOVE", (0, 0), (-1, 0), 0.8, colors.black),
    ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ("TOPPADDING", (0, 0), (-1, -1), 2.2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2.8),
]


def pick_list(
    rows: Sequence[PickRow],
    parcels: Sequence[DeskParcel],
    *,
    shop: str,
    language: Language,
    zone: ZoneInfo,
    now: datetime,
) -> bytes:
    """What to fetch from which bin, warehouse by warehouse, then on a new page what goes into which parcel. No buyer data."""
    units = sum(row.quantity for row in rows)
    story: list[Any] = [
        Paragraph(_safe(word(language, "pick_list")), _TITLE),
        Paragraph(
            _safe(
                f"{shop} · {word(language, 'made', when=moment(now, zone))} · "
                + word(language, "summary", parcels=len(parcels), units=units, rows=len(rows))
            ),
            _SUB,
        ),
    ]
    for warehouse in dict.fromkeys(row.warehouse for row in rows):
        story.append(Paragraph(_safe(f"{word(language, 'warehouse')} {warehouse}"), _PART))
        story.append(_picks([row for row in rows if row.warehouse == warehouse], language))
    if parcels:
        story += [PageBreak(), Paragraph(_safe(word(language, "sort_list")), _TITLE), Spacer(1, 3 * mm)]
        story.append(_sorted_parcels(parcels, language, zone))
    return _built(story, word(language, "pick_list"), shop, language)


def _picks(rows: Sequence[PickRow], language: Language) -> Any:
    heads = [("bin", _HEAD), ("sku", _HEAD), ("goods", _HEAD), ("quantity", _HEAD_RIGHT), ("for_parcels", _HEAD_RIGHT)]
    body = [
        [
            Paragraph(_safe(row.bin or word(language, "no_bin")), _STRONG),
            Paragraph(_safe(row.sku), _CODE),
            Paragraph(_safe(row.title), _CELL),
            Paragraph(str(row.quantity), _NUMBER),
            Paragraph(str(row.parcels), ParagraphStyle("light", parent=_CELL, alignment=TA_RIGHT)),
            "",
        ]
        for row in rows
    ]
    head = [Paragraph(_safe(word(language, key)), style) for key, style in heads]
    last = len(body) + 1
    boxes = [("BOX", (5, row), (5, row), 0.4, colors.HexColor("#9a9a9a")) for row in range(1, last)]
    table = LongTable(
        [[*head, ""], *body], colWidths=[w * mm for w in (24, 36, 78, 14, 17, 13)], repeatRows=1, hAlign="LEFT"
    )
    table.setStyle(TableStyle([*_GRID, *boxes]))
    return table


def _sorted_parcels(parcels: Sequence[DeskParcel], language: Language, zone: ZoneInfo) -> Any:
    heads = ("parcel", "courier", "ship_by", "quantity", "goods")
    body = []
    for parcel in parcels:
        contents = [f"{part.quantity}×{part.sku}" for part in parts_of(parcel)]
        body.append(
            [
                [Paragraph(_safe(parcel.name), _STRONG), Paragraph(_safe(parcel.printed_number or "–"), _CODE)],
                Paragraph(_safe(f"{courier_name(parcel.courier) or '–'} {parcel.service.upper()}".strip()), _CELL),
                Paragraph(_safe(f"{parcel.ship_by.astimezone(zone):%d/%m %H:%M}"), _CELL),
                Paragraph(str(parcel.units), _NUMBER),
                Paragraph(_safe(", ".join(contents)), _CELL),
            ]
        )
    head = [Paragraph(_safe(word(language, key)), _HEAD_RIGHT if key == "quantity" else _HEAD) for key in heads]
    table = LongTable([head, *body], colWidths=[w * mm for w in (46, 38, 24, 12, 62)], repeatRows=1, hAlign="LEFT")
    table.setStyle(TableStyle(_GRID))
    return table


def manifest(
    head: ManifestHead,
    parcels: Sequence[DeskParcel],
    *,
    shop: str,
    language: Language,
    zone: ZoneInfo,
) -> bytes:
    """Serah terima: every parcel with its waybill, then totals and the fields that both sides sign. No buyer data."""
    story: list[Any] = [
        _manifest_head(head, len(parcels), shop=shop, language=language, zone=zone),
        Spacer(1, 4 * mm),
        _manifest_rows(parcels, language),
        Spacer(1, 5 * mm),
        KeepTogether([_totals(parcels, language), Spacer(1, 5 * mm), _signatures(language)]),
    ]
    return _built(story, f"{word(language, 'manifest')} {head.id}", shop, language)


def _manifest_head(head: ManifestHead, count: int, *, shop: str, language: Language, zone: ZoneInfo) -> Any:
    words = [
        Paragraph(_safe(word(language, "manifest")), _TITLE),
        Paragraph(_safe(f"{shop} · {word(language, 'courier')}: {courier_name(head.courier)}"), _STRONG),
        Paragraph(
            _safe(
                f"{word(language, 'prepared', when=moment(head.created_at, zone), who=head.who)} · "
                + word(language, "parcels_total", count=count)
            ),
            _SUB,
        ),
    ]
    code = Code128(manifest_code(head.id), barWidth=0.33 * mm, barHeight=10 * mm, humanReadable=True, quiet=0)
    table = Table([[words, code]], colWidths=[132 * mm, 50 * mm], hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("ALIGN", (1, 0), (1, 0), "RIGHT"),
                ("LEFTPADDING", (0, 0), (0, 0), 0),
            ]
        )
    )
    return table


def manifest_code(manifest_id: int) -> str:
    """What stands on a manifest as its barcode and what `parcels handover` takes."""
    return f"M-{manifest_id}"


def _manifest_rows(parcels: Sequence[DeskParcel], language: Language) -> Any:
    heads = ("number", "waybill", "order", "courier", "quantity", "weight", "cod")
    body = [
        [
            Paragraph(str(place), _CELL),
            Paragraph(_safe(parcel.printed_number), _CODE),
            Paragraph(_safe(parcel.name), _CELL),
            Paragraph(_safe(f"{courier_name(parcel.courier)} {parcel.service.upper()}".strip()), _CELL),
            Paragraph(str(parcel.units), _NUMBER),
            Paragraph(_safe("–" if parcel.weight_g is None else kilos(parcel.weight_g)), _NUMBER),
            Paragraph(_safe(_cod(parcel, language)), _NUMBER),
        ]
        for place, parcel in enumerate(parcels, start=1)
    ]
    right = ("quantity", "weight", "cod")
    head = [Paragraph(_safe(word(language, key)), _HEAD_RIGHT if key in right else _HEAD) for key in heads]
    table = LongTable(
        [head, *body], colWidths=[w * mm for w in (10, 44, 40, 38, 11, 19, 20)], repeatRows=1, hAlign="LEFT"
    )
    table.setStyle(TableStyle(_GRID))
    return table


def _cod(parcel: DeskParcel, language: Language) -> str:
    if not parcel.cod:
        return "–"
    return word(language, "unknown") if parcel.cod_amount is None else rupiah(parcel.cod_amount).removeprefix("Rp ")


def _totals(parcels: Sequence[DeskParcel], language: Language) -> Any:
    weight = weight_of(parcels)
    cash = [parcel for parcel in parcels if parcel.cod]
    amounts = [parcel.cod_amount for parcel in cash]
    due = rupiah(sum(amount or 0 for amount in amounts)) + (
        f" + {word(language, 'unknown')}" if None in amounts else ""
    )
    cells = [
        word(language, "total"),
        word(language, "parcels_total", count=len(parcels)),
        word(language, "pieces", count=sum(parcel.units for parcel in parcels)),
        f"{word(language, 'weight')} {word(language, 'unknown') if weight is None else kilos(weight)}",
        f"COD {len(cash)}: {due}" if cash else "COD 0",
    ]
    table = Table(
        [[Paragraph(_safe(cell), _STRONG) for cell in cells]], colWidths=[w * mm for w in (24, 28, 26, 44, 60)]
    )
    table.hAlign = "LEFT"
    table.setStyle(TableStyle([("BOX", (0, 0), (-1, -1), 0.8, colors.black), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]))
    return table


def _signatures(language: Language) -> Any:
    sides = [word(language, "handed_by"), word(language, "taken_by"), word(language, "vehicle")]
    hints = [word(language, "name_and_sign")] * 2 + [""]
    table = Table(
        [
            [Paragraph(_safe(side), _HEAD) for side in sides],
            ["", "", ""],
            [Paragraph(_safe(hint), _SUB) for hint in hints],
        ],
        colWidths=[66 * mm, 66 * mm, 50 * mm],
        rowHeights=[14, 22 * mm, 16],
        hAlign="LEFT",
    )
    table.setStyle(TableStyle([("BOX", (place, 0), (place, -1), 0.6, colors.black) for place in range(3)]))
    return table


# ------------------------------------------------------------------------------------------------------------------------------- CSV


def manifest_csv(head: ManifestHead, parcels: Sequence[DeskParcel]) -> str:
    """One row a parcel: manifest, waybill, order, courier, service, units, weight in grams, COD in whole rupiah."""
    columns = ("manifest", "waybill", "order", "courier", "service", "units", "weight_g", "cod")
    return _csv(
        columns,
        (
            (head.id, parcel.printed_number, parcel.name, parcel.courier, parcel.service, parcel.units, parcel.weight_g,
             parcel.cod_amount if parcel.cod else None)
            for parcel in parcels
        ),
    )  # fmt: skip


def pick_csv(rows: Sequence[PickRow]) -> str:
    """One row a SKU and bin."""
    columns = ("warehouse", "bin", "sku", "title", "quantity", "parcels")
    return _csv(columns, ((row.warehouse, row.bin, row.sku, row.title, row.quantity, row.parcels) for row in rows))


def _csv(columns: Sequence[str], rows: Any) -> str:
    """Spreadsheets show every cell and compute none."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if cell is None else _cell(cell) for cell in row])
    return out.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


# ------------------------------------------------------------------------------------------------------------------------- the pages


def _safe(text: str) -> str:
    """Text for a paragraph: printable, and no markup."""
    return escape(clean(text))


def _built(story: list[Any], title: str, shop: str, language: Language) -> bytes:
    def foot(canvas: Any, document: Any) -> None:
        canvas.saveState()
        canvas.setFont(REGULAR, 7.5)
        canvas.drawString(MARGIN_MM * mm, 8 * mm, clean(f"{shop} · {title}"))
        canvas.drawRightString(A4[0] - MARGIN_MM * mm, 8 * mm, word(language, "of_pages", page=document.page))
        canvas.restoreState()

    target = io.BytesIO()
    document = SimpleDocTemplate(
        target,
        pagesize=A4,
        leftMargin=MARGIN_MM * mm,
        rightMargin=MARGIN_MM * mm,
        topMargin=MARGIN_MM * mm,
        bottomMargin=16 * mm,
        title=clean(title),
        author="sellersync",
        invariant=1,
        pageCompression=1,
    )
    document.build(story, onFirstPage=foot, onLaterPages=foot)
    return target.getvalue()
