"""Text that a printer has letters for, broken into lines that fit.

The standard fonts of every PDF reader carry Windows-1252: no font is embedded, so a label is 3 kB and a thousand of them merge into a
small file. What has no letter there is brought to its Latin base letter; where there is none, `MARK` says visibly that something is
missing, and the caller can tell a person.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

from reportlab.pdfbase.pdfmetrics import stringWidth  # type: ignore[import-untyped]

REGULAR, BOLD, MONO = "Helvetica", "Helvetica-Bold", "Courier-Bold"
MARK = "[?]"
CUT = "…"
_BASE = {"đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "ı": "i", "ħ": "h", "Ħ": "H", "−": "-", "‐": "-", "‑": "-", "→": "->"}
_SILENT = {"Cf", "Mn", "Me"}  # joiners, variation selectors, accents that combined with nothing


@dataclass(frozen=True, slots=True)
class Printed:
    """Text as it is printed; `lost` says that something in it had no letter."""

    text: str
    lost: bool


def printable(text: str) -> Printed:
    """One line of printable text: white space becomes single blanks, letters without a glyph their base letter or `MARK`."""
    out: list[str] = []
    lost = False
    for char in unicodedata.normalize("NFC", text):
        shown = _shown(char)
        if shown is None:
            lost = True
            if not out or out[-1] != MARK:
                out.append(MARK)
        elif shown:
            out.append(shown)
    return Printed(" ".join("".join(out).split()), lost)


def clean(text: str) -> str:
    """`printable` where a missing letter is no matter."""
    return printable(text).text


def _shown(char: str) -> str | None:
    if char.isspace() or unicodedata.category(char) == "Cc":
        return " "
    if unicodedata.category(char) in _SILENT:
        return ""
    if _has_glyph(char):
        return char
    if char in _BASE:
        return _BASE[char]
    base = "".join(part for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part) not in _SILENT)
    return base if base and all(_has_glyph(part) for part in base) else None


def _has_glyph(char: str) -> bool:
    try:
        char.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def width(text: str, font: str, size: float) -> float:
    """Points that a line takes."""
    return float(stringWidth(text, font, size))


def wrapped(text: str, font: str, size: float, room: float) -> list[str]:
    """Lines of at most `room` points; a word that is wider is broken."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if width(longer, font, size) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        while width(word, font, size) > room and len(word) > 1:
            fits = max(_fitting(word, font, size, room), 1)
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line else lines


def cut(text: str, font: str, size: float, room: float) -> str:
    """The text, or as much of it as fits with an ellipsis."""
    if width(text, font, size) <= room:
        return text
    return text[: _fitting(text, font, size, room - width(CUT, font, size))].rstrip() + CUT


def _fitting(text: str, font: str, size: float, room: float) -> int:
    """How many leading letters fit into `room` points."""
    return bisect_right(range(1, len(text) + 1), room, key=lambda count: width(text[:count], font, size))


def shrunk(text: str, font: str, size: float, room: float, *, size_min: float) -> float:
    """The largest font size, in steps of half a point, at which the text fits on one line; at least `size_min`."""
    while size > size_min and width(text, font, size) > room:
        size -= 0.5
    return size
