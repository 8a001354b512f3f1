"""The report as CSV for other programs: a file for each table, one for all figures by name, and one for every other single value.

Heads are English and stable, values are those of `model.py`: whole rupiah, ISO 8601 in UTC, empty where unknown. Which files and columns
there are follows from the types alone, so that a quiet day has the same files as a busy one.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from .commands import command
from .figures import figures
from .model import Need, Report
from .page import readable
from .words import Words

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
FIGURES, VALUES = "figures", "values"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive: the same report has the same bytes."""


def render_csv(report: Report, *, bom: bool = False) -> dict[str, bytes]:
    """File name -> content, UTF-8 with CRLF. `bom`: with a byte order mark, without which Excel reads another encoding.

    No text becomes a formula in a spreadsheet: one that begins like a formula gets an apostrophe.
    """
    words = Words(report.language, report.zone, report.now)
    tables = {
        FIGURES: [
            ["name", "unit", "value"],
            *([_text(one.name), one.unit, _text(one.value)] for one in figures(report)),
        ],
        VALUES: [["path", "value"], *([path, _text(value)] for path, value in _values(report))],
    }
    for name, table in _tables_of(Report).items():
        rows = ([_text(cell) for cell in row] for row in _rows(report, table, words))
        tables[name] = [_heads(table), *rows]
    return {f"{name}.csv": _file(rows, bom=bom) for name, rows in sorted(tables.items())}


def as_zip(files: Mapping[str, bytes]) -> bytes:
    """These files as one archive, uncompressed: packing differs between machines."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def _file(rows: list[list[str]], *, bom: bool) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, ZoneInfo):
        return value.key
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    text = readable(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


# --------------------------------------------------------------------------------------------------------------------------- types


@dataclass(frozen=True)
class _Table:
    """Rows of `kind`. `path`: attributes that lead to them from the report; where it passes another table, `above` is that table."""

    kind: type
    path: tuple[str, ...]
    above: _Table | None


@cache
def _fields(kind: type) -> dict[str, Any]:
    """Field -> type, without `None`."""
    hints = get_type_hints(kind)
    return {name: _without_none(hints[name]) for name in kind.__dataclass_fields__}  # type: ignore[attr-defined]


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        known = [one for one in get_args(hint) if one is not type(None)]
        return known[0] if len(known) == 1 else hint
    return hint


def _row_kind(hint: Any) -> type | None:
    """The type of the rows when a field is a table."""
    inner = get_args(hint)[0] if get_origin(hint) is tuple else None
    return inner if isinstance(inner, type) and is_dataclass(inner) else None


@cache
def _columns(kind: type) -> tuple[tuple[str, ...], ...]:
    """Paths of the values that a row holds itself."""
    found: list[tuple[str, ...]] = []
    for name, hint in _fields(kind).items():
        if isinstance(hint, type) and is_dataclass(hint):
            found += [(name, *path) for path in _columns(hint)]
        elif _row_kind(hint) is None:
            found.append((name,))
    return tuple(found)


@cache
def _tables_of(kind: type, path: tuple[str, ...] = (), above: _Table | None = None) -> dict[str, _Table]:
    """Every table below a type by its name: the path to it."""
    found: dict[str, _Table] = {}
    for name, hint in _fields(kind).items():
        rows = _row_kind(hint)
        if rows is not None:
            table = _Table(rows, (*path, name), above)
            start = _name(above) + "_" if above else ""
            found[start + "_".join(table.path)] = table
            found |= _tables_of(rows, (), table)
        elif isinstance(hint, type) and is_dataclass(hint):
            found |= _tables_of(hint, (*path, name), above)
    return found


def _name(table: _Table) -> str:
    return (_name(table.above) + "_" if table.above else "") + "_".join(table.path)


def _naming(table: _Table | None) -> list[tuple[str, ...]]:
    """Paths of the texts of a row, which say whose the rows below it are."""
    if table is None:
        return []
    fields = _fields(table.kind)
    return [path for path in _columns(table.kind) if len(path) == 1 and fields[path[0]] is str]


# -------------------------------------------------------------------------------------------------------------------------- values


def _heads(table: _Table) -> list[str]:
    heads = [f"{table.above.path[-1]}.{'.'.join(path)}" for path in _naming(table.above)] if table.above else []
    heads += [".".join(path) for path in _columns(table.kind)]
    return [*heads, "sentence", "command"] if table.kind is Need else heads


def _rows(report: Report, table: _Table, words: Words) -> Iterator[list[Any]]:
    """The rows of a table, each after the texts of the row above it."""
    for parent in _items(report, table.above) if table.above else [report]:
        naming = [_at(parent, path) for path in _naming(table.above)]
        for row in _at(parent, table.path) or ():
            cells = [*naming, *(_at(row, path) for path in _columns(table.kind))]
            yield [*cells, words.finding(row), command(row)] if isinstance(row, Need) else cells


def _items(report: Report, table: _Table) -> Iterator[Any]:
    for parent in _items(report, table.above) if table.above else [report]:
        yield from _at(parent, table.path) or ()


def _at(value: Any, path: tuple[str, ...]) -> Any:
    """The value at a path; `None` below an unknown."""
    for name in path:
        value = None if value is None else getattr(value, name)
    return value


def _values(report: Report) -> Iterator[tuple[str, Any]]:
    """Single values by their path, those of a sequence by their place, those of a mapping by their key."""
    for path in _columns(Report):
        name, value = ".".join(path), _at(report, path)
        if isinstance(value, tuple | list):
            yield from ((f"{name}.{place}", item) for place, item in enumerate(value))
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{key}", item) for key, item in value.items())
        else:
            yield name, value
