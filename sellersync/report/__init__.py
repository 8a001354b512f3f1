"""The daily report: built once from the ledger, drawn many times.

`build` reads the ledger into one frozen `Report`; `render_terminal`, `render_html` and `render_json` draw it and cannot query.
"""

from .as_json import render_json
from .build import build
from .html import render_html
from .model import Language, Report
from .terminal import render_terminal

__all__ = ["Language", "Report", "build", "render_html", "render_json", "render_terminal"]
