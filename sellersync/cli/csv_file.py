"""CSV as people's spreadsheets write it: comma or semicolon, with or without a byte order mark, every row with its line number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from sellersync.domain.errors import BadInput

CSV_BYTES_MAX = 10 * 1024 * 1024
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def read_rows(
    path: Path, *, needed: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, cells by column name) of every row that is not blank; `problem` of a row with too many cells is its only cell.

    Raises `BadInput` for a file that cannot be read or has other columns.
    """
    try:
        if path.stat().st_size > CSV_BYTES_MAX:
            raise BadInput(f"{path} is over {CSV_BYTES_MAX // 1024 // 1024} MB; that is no such list")
        text = path.read_text("utf-8-sig")
    except OSError as failure:
        raise BadInput(f"{path} cannot be read ({failure.strerror})") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text; save it as CSV UTF-8") from None
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",")
    try:
        heads = {(head or "").strip().lower(): head for head in reader.fieldnames or ()}
        if not set(needed) <= heads.keys() or heads.keys() - {*needed, *optional}:
            columns = ",".join(needed) + "".join(f"[,{name}]" for name in optional)
            raise BadInput(f"{path}: line 1: the columns {columns} are expected, found {first.strip()!r}")
        for row in reader:
            cells = {name: (row.get(head) or "").strip() for name, head in heads.items()}
            if row.get(None):
                cells = {"problem": "more cells than columns"}
            if any(cells.values()):
                yield reader.line_num, cells
    except csv.Error as failure:
        raise BadInput(f"{path}: line {reader.line_num}: no CSV ({failure})") from None


def as_cell(text: str) -> str:
    """Text that a spreadsheet shows and never computes: a title that begins like a formula gets an apostrophe."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
