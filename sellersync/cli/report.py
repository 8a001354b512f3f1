"""`sellersync report`: the day on the terminal, as HTML, spreadsheet, CSV or JSON."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sellersync.app import desk_rules, watch_rules
from sellersync.domain.errors import BadInput
from sellersync.domain.times import shop_day

from .out import as_json, note, waiting
from .state import state_of


class Tongue(StrEnum):
    """Languages of the report."""

    ID = "id"
    EN = "en"


PLAIN_WIDTH = 120


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    context: typer.Context,
    day: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="YYYY-MM-DD, today or yesterday; without it today.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as one HTML file, too.")] = None,
    xlsx: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as a spreadsheet, too.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write its tables as CSV files, too; into one archive when DIR ends in .zip."),
    ] = None,
    bom: Annotated[bool, typer.Option("--bom", help="CSV with a byte order mark, as Excel wants it.")] = False,
    mail: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as a message, too: subject, text and HTML in JSON.")
    ] = None,
    due: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="When it should have been made (ISO 8601): a late message says so.")
    ] = None,
    lang: Annotated[Tongue | None, typer.Option(help="Language; without it the one of the configuration.")] = None,
) -> None:
    """What happened on a day, what failed, and what a person must do."""
    from rich.console import Console

    from sellersync.report import (  # babel and jinja2, for this command alone
        build,
        render_csv,
        render_html,
        render_json,
        render_terminal,
        render_xlsx,
    )

    state = state_of(context)
    with state.ledger() as (settings, ledger), waiting("reading the day", quiet=state.json):
        zone, now = settings.shop.zone, ledger.clock.now()
        built = build(
            ledger,
            zone=zone,
            day=_day(day, shop_day(now, zone)),
            now=now,
            language=(lang.value if lang else settings.shop.language),
            shop_name=settings.shop.name,
            desk=desk_rules(settings),
            watch=watch_rules(settings),
        )
    if html is not None:
        _write(html, render_html(built).encode())
    if xlsx is not None:
        _write(xlsx, render_xlsx(built))
    if mail is not None:
        from sellersync.report.mail import render_mail

        _write(mail, render_mail(built, due=_moment(due)).encode())
    if csv is not None:
        _write_tables(csv, render_csv(built, bom=bom))
    if state.json:
        as_json(render_json(built))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    render_terminal(built, console)
    for path in filter(None, (html, xlsx, mail, csv)):
        note(f"Written: {path}")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as failure:
        raise BadInput(f"{path} cannot be written ({failure.strerror})") from None


def _write_tables(path: Path, files: dict[str, bytes]) -> None:
    from sellersync.report import as_zip

    if path.suffix == ".zip":
        _write(path, as_zip(files))
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise BadInput(f"{path} cannot be written ({failure.strerror})") from None
    for name, content in files.items():
        _write(path / name, content)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(f"--due {text!r}: expected is a moment with its zone, like 2026-11-21T07:00+07:00")
    return moment


def _day(text: str | None, today: date) -> date:
    if text in (None, "today"):
        return today
    if text == "yesterday":
        return today - timedelta(days=1)
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise BadInput(f"--date {text!r}: expected is YYYY-MM-DD, today or yesterday") from None
