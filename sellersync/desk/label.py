"""The label of an own-site parcel: one page of 100 x 150 mm for a 203 dpi thermal printer.

What must stand on it follows the label rules of KiriminAja (help pages, 2026): courier and service, the waybill as Code 128 with its
text, COD or Non-COD with the amount (JNE at the counter: CASHLESS before it), sort code, both parties with phone, full address and
postal code, weight in grams, number of items, insurance if used, origin and destination city, the items, our order reference.
The same facts make the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from reportlab.graphics.barcode.code128 import Code128  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from sellersync.domain.desk import Address, LabelFacts
from sellersync.domain.errors import BadInput

from .text import BOLD, MONO, REGULAR, clean, cut, printable, shrunk, width, wrapped
from .words import Language, courier_name, kilos, rupiah, word

WIDTH_MM, HEIGHT_MM = 100.0, 150.0
MARGIN_MM = 3.0
PAD_MM = 2.0
DOT_MM = 25.4 / 203
"""One dot of the usual thermal printer; bars are whole dots wide, so that none is blurred."""
BAR_DOTS_MAX = 3
QUIET_MODULES = 10
LEADING = 1.18
ADDRESS_SIZES = (10.0, 9.5, 9.0, 8.5, 8.0, 7.5, 7.0, 6.5, 6.0)
ADDRESS_HEIGHT_MM_MAX = 34.0
MEDIA_TYPE = "application/pdf"
_LEFT, _RIGHT = MARGIN_MM, WIDTH_MM - MARGIN_MM
_ROOM = (_RIGHT - _LEFT - 2 * PAD_MM) * mm


def render(facts: LabelFacts, language: Language) -> bytes:
    """The label as PDF. Raises `BadInput` without a waybill or pickup code, or when no barcode can carry it."""
    number = facts.number.strip()
    if not number:
        raise BadInput("no label is printed before the courier gives a waybill or a pickup code")
    if not number.isascii() or not number.isprintable():
        raise BadInput("the waybill has characters that no barcode can carry")
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=(WIDTH_MM * mm, HEIGHT_MM * mm), invariant=1, pageCompression=1)
    canvas.setTitle(f"{clean(facts.reference)} {number}")
    canvas.setAuthor("sellersync")
    _Page(canvas, facts, language).draw(number)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def unprintable(facts: LabelFacts) -> bool:
    """Does the recipient's name or address hold letters that the label can only mark?"""
    to = facts.recipient
    return any(printable(text).lost for text in (to.name, to.phone, to.address, to.district, to.city, to.province))


@dataclass
class _Page:
    """Draws from the top down; `y` is the upper edge of what comes next, in millimetres from the bottom."""

    canvas: Canvas
    facts: LabelFacts
    language: Language
    y: float = HEIGHT_MM - MARGIN_MM

    def draw(self, number: str) -> None:
        self.canvas.setLineWidth(0.25 * mm)
        self.canvas.rect(_LEFT * mm, MARGIN_MM * mm, (_RIGHT - _LEFT) * mm, (HEIGHT_MM - 2 * MARGIN_MM) * mm)
        self._head()
        self._barcode(number)
        self._route()
        self._party(self.facts.recipient, "recipient", ADDRESS_SIZES, ADDRESS_HEIGHT_MM_MAX, name_size=12.0)
        self._party(self.facts.sender, "sender", (7.5, 7.0, 6.5, 6.0), 14.0, name_size=8.5)
        self._figures()
        self._items()

    # -- blocks

    def _head(self) -> None:
        """Courier and service on the left, how the parcel is paid on the right."""
        top, height = self.y, 15.0
        paid = self._paid()
        box = 47.0 if self.facts.cod_amount is not None or len(paid) > 1 else 32.0
        room = (_RIGHT - _LEFT - box - 2 * PAD_MM) * mm
        courier = clean(courier_name(self.facts.courier)) or "-"
        size = shrunk(courier, BOLD, 20, room, size_min=9)
        self._text(_LEFT + PAD_MM, top - 7.0, cut(courier, BOLD, size, room), BOLD, size)
        service = clean(self.facts.service).upper()
        self._text(_LEFT + PAD_MM, top - 12.6, cut(service, BOLD, 11, room), BOLD, 11)
        left = _RIGHT - box
        self.canvas.rect(
            left * mm, (top - height) * mm, box * mm, height * mm, fill=int(self.facts.cod_amount is not None)
        )
        self.canvas.setFillGray(1 if self.facts.cod_amount is not None else 0)
        step = height / (len(paid) + 1)
        for place, text in enumerate(paid, start=1):
            size = shrunk(text, BOLD, 16 if len(paid) < 3 else 13, (box - 2 * PAD_MM) * mm, size_min=7)
            self._centred(left + box / 2, top - step * place - size * 0.35 / mm, text, BOLD, size)
        self.canvas.setFillGray(0)
        self._line_below(height)

    def _paid(self) -> list[str]:
        """JNE's counter wants CASHLESS above (KiriminAja, 2026); an amount only where the courier collects it."""
        cashless = ["CASHLESS"] if self.facts.drop_off and self.facts.courier.lower() == "jne" else []
        if self.facts.cod_amount is None:
            return [*cashless, word(self.language, "not_cod")]
        return [*cashless, "COD", rupiah(self.facts.cod_amount)]

    def _barcode(self, number: str) -> None:
        height, bars = 27.0, 16.0
        dots, modules = _bar_dots(number)
        bar = dots * DOT_MM * mm
        symbol = Code128(number, barWidth=bar, barHeight=bars * mm, quiet=0)
        left_dots = round((WIDTH_MM - modules * dots * DOT_MM) / 2 / DOT_MM)
        symbol.drawOn(self.canvas, left_dots * DOT_MM * mm, (self.y - 2.5 - bars) * mm)
        label = word(self.language, "pickup_code" if self.facts.pickup_code else "waybill")
        size = shrunk(number, MONO, 16, _ROOM * 0.74, size_min=8)
        whole = width(f"{label}  ", REGULAR, 8) + width(number, MONO, size)
        start = WIDTH_MM / 2 - whole / 2 / mm
        self._text(start, self.y - 24.5, label, REGULAR, 8)
        self._text(start + width(f"{label}  ", REGULAR, 8) / mm, self.y - 24.5, number, MONO, size)
        self._line_below(height)

    def _route(self) -> None:
        """Origin and destination city; the sort code, where the courier gave one, larger than both."""
        height = 10.0
        cells = [("origin", self.facts.sender.city, 9.0), ("destination", self.facts.recipient.city, 11.0)]
        code = clean(self.facts.routing_code)
        edge = _LEFT
        widths = [30.0, 64.0] if not code else [22.0, 30.0]
        for (key, city, size), cell in zip(cells, widths, strict=True):
            self._cell(edge, cell, key, clean(city).upper() or "-", size, height)
            edge += cell
        if code:
            self._cell(edge, _RIGHT - edge, "routing", code, 15.0, height)
        self._line_below(height)

    def _cell(self, left: float, cell: float, key: str, text: str, size: float, height: float) -> None:
        """A small heading over one value; a border on the left where it is not the first."""
        room = (cell - 2 * PAD_MM) * mm
        if left > _LEFT:
            self.canvas.line(left * mm, self.y * mm, left * mm, (self.y - height) * mm)
        self._text(left + PAD_MM, self.y - 3.2, word(self.language, key), REGULAR, 6.5)
        size = shrunk(text, BOLD, size, room, size_min=6)
        self._text(left + PAD_MM, self.y - height + 2.0, cut(text, BOLD, size, room), BOLD, size)

    def _party(self, party: Address, key: str, sizes: Sequence[float], most_mm: float, *, name_size: float) -> None:
        """Name, phone, whole address; a long one is set smaller rather than cut, for the courier needs all of it."""
        self._text(_LEFT + PAD_MM, self.y - 3.4, word(self.language, key), REGULAR, 6.5)
        head_mm = self._person(party, name_size)
        place = [party.district, party.city, party.province]
        lines = [clean(party.address), ", ".join(clean(part) for part in place if part.strip())]
        if party.note.strip():
            lines.append(f"({clean(party.note)})")
        for size in sizes:
            body = [part for line in lines for part in wrapped(line, REGULAR, size, _ROOM)]
            step = size * LEADING / mm
            if head_mm + step * len(body) <= most_mm:
                break
        fits = max(int((most_mm - head_mm) / step), 1)
        if len(body) > fits:
            body = [*body[: fits - 1], cut(f"{body[fits - 1]} {'.' * 200}", REGULAR, size, _ROOM)]
        down = self.y - head_mm
        for line in body:
            down -= step
            self._text(_LEFT + PAD_MM, down + 1.0, line, REGULAR, size)
        self._line_below(self.y - down + 1.2)

    def _person(self, party: Address, size: float) -> float:
        """Name, phone and postal code, on one line where they fit, else the phone below. Returns the height in millimetres."""
        name, phone, postal = clean(party.name) or "-", clean(party.phone), clean(party.postal_code)
        step: float = size * LEADING / mm * 0.9
        height = 4.6 + step
        down = self.y - 3.4 - step
        self._right(_RIGHT - PAD_MM, down, postal, BOLD, size + 1)
        room = _ROOM - (width(f"{postal} ", BOLD, size + 1) + PAD_MM * mm if postal else 0)
        beside = width(f"{name}  ", BOLD, size)
        if phone and beside + width(phone, BOLD, size - 1) <= room:
            self._text(_LEFT + PAD_MM, down, name, BOLD, size)
            self._text(_LEFT + PAD_MM + beside / mm, down, phone, BOLD, size - 1)
            return height
        smaller = shrunk(name, BOLD, size, room, size_min=7)
        self._text(_LEFT + PAD_MM, down, cut(name, BOLD, smaller, room), BOLD, smaller)
        if not phone:
            return height
        self._text(_LEFT + PAD_MM, down - step, phone, BOLD, size - 1)
        return height + step

    def _figures(self) -> None:
        height = 9.0
        insured = self.facts.insured
        cells = [
            ("weight", kilos(self.facts.weight_g), 18.0),
            ("units", word(self.language, "pieces", count=self.facts.units), 16.0),
            ("insurance", rupiah(insured) if insured else word(self.language, "no_insurance"), 25.0),
            ("order", clean(self.facts.reference), 35.0),
        ]
        edge = _LEFT
        for key, text, cell in cells:
            self._cell(edge, cell, key, text, 9.5, height)
            edge += cell
        self._line_below(height)

    def _items(self) -> None:
        """As many items as fit, each on at most two lines, then how many more there are."""
        size, step = 7.5, 7.5 * LEADING / mm
        foot = 3.4 if self._lost() else 0.4
        bottom = MARGIN_MM + foot
        self._text(_LEFT + PAD_MM, self.y - 3.4, word(self.language, "contents"), REGULAR, 6.5)
        down = self.y - 3.4
        items = self.facts.items
        for place, item in enumerate(items):
            name = clean(item.name) or clean(item.sku)
            sku = clean(item.sku)
            text = f"{item.quantity} x {name}" + (f" [{sku}]" if sku and sku != name else "")
            lines = wrapped(text, REGULAR, size, _ROOM)
            if len(lines) > 2:
                lines = [lines[0], cut(" ".join(lines[1:]), REGULAR, size, _ROOM)]
            rest = len(items) - place
            needed = len(lines) + (1 if rest > 1 else 0)
            if down - step * needed < bottom:
                more = sum(other.quantity for other in items[place:])
                self._text(_LEFT + PAD_MM, down - step, word(self.language, "more", count=more), BOLD, size)
                break
            for line in lines:
                down -= step
                self._text(_LEFT + PAD_MM, down, line, REGULAR, size)
        if self._lost():
            self._text(_LEFT + PAD_MM, MARGIN_MM + 1.2, word(self.language, "lost"), REGULAR, 6)

    def _lost(self) -> bool:
        return unprintable(self.facts)

    # -- strokes

    def _text(self, x: float, y: float, text: str, font: str, size: float) -> None:
        self.canvas.setFont(font, size)
        self.canvas.drawString(x * mm, y * mm, text)

    def _centred(self, x: float, y: float, text: str, font: str, size: float) -> None:
        self._text(x - width(text, font, size) / 2 / mm, y, text, font, size)

    def _right(self, x: float, y: float, text: str, font: str, size: float) -> None:
        self._text(x - width(text, font, size) / mm, y, text, font, size)

    def _line_below(self, height: float) -> None:
        self.y -= height
        self.canvas.line(_LEFT * mm, self.y * mm, _RIGHT * mm, self.y * mm)


def _bar_dots(number: str) -> tuple[int, int]:
    """(dots a narrow bar, modules of the whole symbol): the widest bars that leave the quiet zones free."""
    symbol = Code128(number, barWidth=1, barHeight=10, quiet=0)
    modules = round(symbol.width)
    room_dots = (WIDTH_MM - 1) / DOT_MM
    fitting = [dots for dots in range(1, BAR_DOTS_MAX + 1) if (modules + 2 * QUIET_MODULES) * dots <= room_dots]
    if not fitting:
        raise BadInput(f"a waybill of {len(number)} characters is too long for a barcode on this label")
    return fitting[-1], modules
