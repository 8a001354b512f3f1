"""The page as one self-contained HTML file: no script, no request, readable on a phone, in the dark and on paper."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .layout import lay_out
from .model import Report
from .page import Bars, Cell, Column, NeedBlock, Page, Table, Tile, Tiles, is_zero, readable
from .words import NOTHING

_BLOCK_NAMES: dict[type, str] = {Tiles: "tiles", Table: "table", Bars: "bars", NeedBlock: "need"}
WIDE_CHARS_MIN = 28
"""A longer text has a line of its own in a card on a phone."""
TILE_CHARS_MAX = 9
"""A longer figure has a line of its own on a phone."""
COLUMN_SHARE_MAX = 0.78
"""Of a chart's height; the rest is for the figure above the highest column."""
SHORT_VALUE_CHARS_MAX = 2


def render_html(report: Report) -> str:
    """The report as a whole HTML document. Every foreign text is escaped."""
    return draw(lay_out(report))


def draw(page: Page) -> str:
    """A page as a whole HTML document."""
    environment = Environment(
        loader=PackageLoader("sellersync.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "name": lambda block: _BLOCK_NAMES.get(type(block), "sentence"),
        "looks": _tile_looks,
        "cell_looks": _cell_looks,
        "percent": _percent,
        "column": lambda share: _percent(share * COLUMN_SHARE_MAX),
        "long_values": lambda bars: any(len(bar.value) > SHORT_VALUE_CHARS_MAX for bar in bars.bars),
        "css_text": _css_text,
    }
    page = readable(page)
    running = f"{page.title} · {page.shop_name} · {page.day}"
    return environment.get_template("report.html").render(page=page, running=running).lstrip()


def _percent(share: float) -> str:
    """A share as a CSS length."""
    return f"{share * 100:.1f}%"


def _tile_looks(tile: Tile) -> str:
    """The CSS classes of a tile."""
    return f"{tile.tone} {'long' if len(tile.value) > TILE_CHARS_MAX else ''}".strip()


def _cell_looks(cell: Cell, column: Column) -> str:
    """The CSS classes of a cell."""
    names: list[str] = [cell.tone] if cell.tone else []
    if column.numeric:
        names.append("number")
    if cell.text in ("", NOTHING):
        names.append("nothing")
    elif is_zero(cell.text) and not cell.tone:
        names.append("zero")
    elif len(cell.text) >= WIDE_CHARS_MIN:
        names.append("wide")
    return " ".join(names)


def _css_text(text: str) -> Markup:
    """A CSS string that holds any text: what is neither letter, digit nor space of ASCII is written as its number."""
    safe = (char if char.isascii() and (char.isalnum() or char == " ") else f"\\{ord(char):x} " for char in text)
    return Markup(f'"{"".join(safe)}"')  # nothing but letters, digits, spaces and backslashes
