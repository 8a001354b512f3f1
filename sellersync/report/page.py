"""What stands on the page: sections of figures, tables, bars and sentences, all of them text in the report's language.

`layout` writes it, terminal, HTML and spreadsheet draw it; they decide nothing but looks.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

Tone = Literal["", "good", "warn", "bad", "dim"]
Form = Literal["count", "decimal", "rupiah", "share", "day", "moment"]


class Shown(str):
    """A number, day or moment as people read it, with the value behind it and its form, so that a spreadsheet can hold the value.

    A moment's value is the shop's clock without a zone. Part of a longer sentence it is text like any other.
    """

    __slots__ = ("form", "value")
    value: int | float | date | datetime
    form: Form

    def __new__(cls, text: str, value: int | float | date | datetime, form: Form) -> Shown:
        shown = super().__new__(cls, text)
        shown.value = value
        shown.form = form
        return shown


def readable(value: Any) -> Any:
    """A text, or a page or part of it, with a space in place of each control and direction character.

    `build` has cleaned what came from outside; this is the last gate before people's screens.
    """
    if isinstance(value, str):
        if value.isprintable() or not any(unicodedata.category(char)[0] == "C" for char in value):
            return value
        return "".join(" " if unicodedata.category(char)[0] == "C" else char for char in value)
    if isinstance(value, tuple):
        return tuple(readable(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: readable(getattr(value, field.name)) for field in fields(value)})
    return value


def is_zero(text: str) -> bool:
    """A number that says nothing happened."""
    return isinstance(text, Shown) and text.value == 0


@dataclass(frozen=True, slots=True)
class Cell:
    """`share` (0 to 1) draws a bar with the text. A text that is `Shown` is a value in a spreadsheet."""

    text: str
    tone: Tone = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`total`: the last row is a sum. `more`: a sentence about rows left out. `rest`: those of them that were read, for a spreadsheet."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    total: bool = False
    more: str = ""
    rest: tuple[tuple[Cell, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that is read first."""

    label: str
    value: str
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """`share` of the highest bar, 0 to 1; `title` says the figure in words, `value` is the figure alone."""

    label: str
    share: float
    title: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    caption: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class NeedItem:
    """`when`: its age, and its deadline in `due` (`overdue` when it has passed)."""

    text: str
    when: str
    due: str
    overdue: bool
    command: str


@dataclass(frozen=True, slots=True)
class NeedBlock:
    """One kind of finding. `more` ends in a colon and is followed by `more_command`; both are "" when all are shown."""

    title: str
    count: str
    effect: str
    todo: str
    items: tuple[NeedItem, ...]
    more: str
    more_command: str


Block = Tiles | Table | Bars | Sentence | NeedBlock


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    """Stable and language-free: an anchor."""
    title: str
    blocks: tuple[Block, ...]
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Page:
    language: str
    title: str
    shop_name: str
    day: str
    scope: str
    verdict: str
    verdict_tone: Tone
    sections: tuple[Section, ...]
    footer: str
