"""The daily report: built once from the ledger, drawn many times.

`build` reads the ledger into one frozen `Report`; the functions that render it cannot query.
"""

from .as_json import render_json
from .build import build, trace
from .csv_files import as_zip, render_csv
from .html import render_html
from .model import Language, Report
from .terminal import render_terminal
from .xlsx import render_xlsx

__all__ = [
    "Language",
    "Report",
    "as_zip",
    "build",
    "render_csv",
    "render_html",
    "render_json",
    "render_terminal",
    "render_xlsx",
    "trace",
]
