"""CSV files with a row for each SKU, out and in: written for a spreadsheet, read back with every bad row named."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import typer

from sellersync.domain.errors import BadInput
from sellersync.store.ledger import Session
from sellersync.store.stock import find_sku

from .csv_file import FORMULA_STARTS, read_rows

T = TypeVar("T")
NOTHING_DONE = "Nothing was recorded. Correct these lines and run the command again."


def write_rows(file: Path, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a CSV file that spreadsheets open as UTF-8. Raises `BadInput` where that is impossible."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heads)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    try:
        file.write_text(text.getvalue(), "utf-8-sig", newline="")
    except OSError as failure:
        raise BadInput(f"{file} cannot be written ({failure.strerror})") from None


def read_skus(
    session: Session,
    path: Path,
    parse: Callable[[str, int, Mapping[str, str]], T],
    *,
    needed: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> list[T]:
    """What `parse` (SKU code, SKU id, cells) makes of every row. Raises `BadInput` naming every row that is bad by its line."""
    problems: list[str] = []
    seen: dict[str, int] = {}
    found: list[T] = []
    for line, raw in read_rows(path, needed=("sku", *needed), optional=optional):
        try:
            if "problem" in raw:
                raise BadInput(raw["problem"])
            cells = {name: unquoted(cell) for name, cell in raw.items()}
            code = cells["sku"]
            if not code:
                raise BadInput("the SKU is missing")
            sku_id = find_sku(session, code)
            if code in seen:
                raise BadInput(f"{code} stands in line {seen[code]}, too; keep one of them")
            seen[code] = line
            found.append(parse(code, sku_id, cells))
        except BadInput as problem:
            problems.append(f"{path}: line {line}: {problem}")
    if problems:
        raise BadInput("\n".join([*problems, NOTHING_DONE]))
    if not found:
        raise BadInput(f"{path} holds no SKU")
    return found


def whole_number(name: str, text: str) -> int:
    """A number as people must write it. Raises `BadInput`."""
    if not text.isascii() or not text.isdecimal():
        raise BadInput(f"{name} is {text!r}; expected is a whole number without points")
    return int(text)


def unquoted(cell: str) -> str:
    """A cell without the apostrophe that keeps spreadsheets from computing it."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def confirmed(question: str, *, yes: bool) -> None:
    """Ask on a terminal unless told not to. Raises `BadInput` where nobody agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("nothing was recorded: look at the changes, then add --yes")
    if not typer.confirm(question):
        raise BadInput("nothing was recorded")
