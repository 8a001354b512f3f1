"""Tables that show the first rows of a list, and hold the others for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable

from .page import Cell, Column, Table
from .words import Words

ROWS_SHOWN_MAX = 10


def listed(
    words: Words,
    names: Iterable[str],
    numeric: Iterable[str],
    rows: tuple[tuple[Cell, ...], ...],
    caption: str,
    total: int,
) -> Table:
    """The table of a list of `total`, of which `rows` are known. Columns are named by their labels."""
    return cut(words, tuple(Column(words.say(name), name in numeric) for name in names), rows, caption, total)


def cut(
    words: Words, columns: tuple[Column, ...], rows: tuple[tuple[Cell, ...], ...], caption: str, total: int
) -> Table:
    """Show the first rows of a list of `total`, with a sentence about the others."""
    shown = rows[:ROWS_SHOWN_MAX]
    left_out = total - len(shown)
    more = words.say("more_rows", count=words.number(left_out)) if left_out > 0 else ""
    return Table(columns, shown, caption, more=more, rest=rows[ROWS_SHOWN_MAX:])
