"""Tables that show the first rows of a list."""

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
    """A table of the first rows of a list of `total`, with a sentence about the others. Columns are named by their labels."""
    columns = tuple(Column(words.say(name), name in numeric) for name in names)
    left_out = total - len(rows)
    more = words.say("more_rows", count=words.number(left_out)) if left_out > 0 else ""
    return Table(columns, rows, caption, more=more)
