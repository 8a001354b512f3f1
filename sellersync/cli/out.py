"""What commands print: aligned text, drawn tables on a terminal, JSON for scripts."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import typer


def say(text: str = "") -> None:
    """A line of the answer."""
    typer.echo(text)


def note(text: str) -> None:
    """A remark beside the answer; on stderr, so that a script never reads it."""
    typer.echo(text, err=True)


def counted(number: int, what: str) -> str:
    """1 parcel, 2 parcels."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def as_json(value: Any) -> None:
    """The answer as one JSON document."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def plain(value: Any) -> Any:
    """Values of ours as JSON knows them: times in ISO 8601 with zone, enums as their value, dataclasses as objects."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """A table: drawn on a terminal, else one line a row with two spaces between the columns. Numbers stand to the right."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    numeric = [all(_is_number(row[index]) for row in rows) and bool(rows) for index in range(len(heads))]
    if sys.stdout.isatty():
        _drawn(heads, cells, numeric, title)
        return
    if title:
        say(title)
    widths = [max(len(line[index]) for line in [list(heads), *cells]) for index in range(len(heads))]
    for line in [list(heads), *cells]:
        parts = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        say("  ".join(parts).rstrip())


def _is_number(cell: object) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _drawn(heads: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, (head, right) in enumerate(zip(heads, numeric, strict=True)):
        one_word = not any(
            " " in row[index] for row in cells
        )  # a waybill in two pieces can be neither copied nor compared
        drawn.add_column(head, justify="right" if right else "left", overflow="fold", no_wrap=one_word)
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


class Bar:
    """Progress on a terminal; elsewhere nothing is shown."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress

    def add(self, name: str, *, total: int | None = None) -> Any:
        return None if self._progress is None else self._progress.add_task(name, total=total)

    def update(self, task: Any, **fields: Any) -> None:
        if self._progress is not None:
            self._progress.update(task, **fields)


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Bar]:
    """Progress bars on stderr while the work inside runs."""
    if quiet or not sys.stderr.isatty():
        yield Bar(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield Bar(shown)


@contextmanager
def waiting(what: str, *, quiet: bool = False) -> Iterator[None]:
    """A spinner on a terminal while the work inside runs; its length is not known."""
    with progress(quiet=quiet) as bar:
        bar.add(what)
        yield


def when(moment: datetime | None, zone: ZoneInfo) -> str:
    """A moment in the shop's zone; "-" for none."""
    return "-" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, in the largest fitting unit; "never" for none."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def rupiah(amount: int | None) -> str:
    """Whole rupiah as Indonesia writes them; "unknown" for `None`."""
    return "unknown" if amount is None else f"Rp {amount:,}".replace(",", ".")
