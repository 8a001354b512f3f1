"""The page as one self-contained HTML file: no script, no request, readable on a phone, in the dark and on paper."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from .layout import lay_out
from .model import Report
from .page import Bars, NeedBlock, Table, Tiles

_BLOCK_NAMES: dict[type, str] = {Tiles: "tiles", Table: "table", Bars: "bars", NeedBlock: "need"}


def _name(block: object) -> str:
    return _BLOCK_NAMES.get(type(block), "sentence")


def _percent(share: float) -> str:
    """A share as a CSS width."""
    return f"{share * 100:.1f}%"


def render_html(report: Report) -> str:
    """The report as a whole HTML document. Every foreign text is escaped."""
    environment = Environment(
        loader=PackageLoader("sellersync.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["name"] = _name
    environment.filters["percent"] = _percent
    return environment.get_template("report.html").render(page=lay_out(report))
