"""`sellersync report`: a day, week or month on the terminal, as HTML, spreadsheet, CSV or JSON; and what stands behind a figure."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sellersync.app import desk_rules, watch_rules
from sellersync.domain.errors import BadInput, Temporary
from sellersync.domain.times import shop_day
from sellersync.forecast import policy_of

from .days import day_named
from .out import as_json, note, say, table, waiting, when
from .state import state_of

if TYPE_CHECKING:
    from sellersync.report import Report
    from sellersync.report.explain import Explanation
    from sellersync.report.period import Period
    from sellersync.report.words import Words


class Tongue(StrEnum):
    """Languages of the report."""

    ID = "id"
    EN = "en"


PLAIN_WIDTH = 120
DAY_WORDS = ("today", "yesterday")
Day = Annotated[
    str | None, typer.Option("--date", metavar="DATE", help="YYYY-MM-DD, today or yesterday; without it today.")
]
Week = Annotated[str | None, typer.Option(metavar="WEEK", help="A week instead of a day, like 2026-W47.")]
Month = Annotated[str | None, typer.Option(metavar="MONTH", help="A month instead of a day, like 2026-11.")]
Lang = Annotated[Tongue | None, typer.Option(help="Language; without it the one of the configuration.")]

app = typer.Typer(help="What happened, what failed, and what a person must do.", invoke_without_command=True)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="report")


@app.callback()
def report(
    context: typer.Context,
    day: Day = None,
    week: Week = None,
    month: Month = None,
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
        str | None,
        typer.Option(metavar="MOMENT", help="When it should have been made (ISO 8601): a late message says so."),
    ] = None,
    lang: Lang = None,
) -> None:
    """What happened on a day, in a week or a month, what failed, and what a person must do.

    The figures of a period that is over are kept when it is first reported; a later report says which of them have changed.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console

    from sellersync.report import (  # babel and jinja2, for this command alone
        build,
        render_csv,
        render_html,
        render_json,
        render_terminal,
        render_xlsx,
    )
    from sellersync.report.snapshot import keep

    state = state_of(context)
    with state.ledger() as (settings, ledger), waiting("reading the ledger", quiet=state.json):
        zone, now = settings.shop.zone, ledger.clock.now()
        built = build(
            ledger,
            zone=zone,
            period=_period(day, week, month, shop_day(now, zone)),
            now=now,
            language=(lang.value if lang else settings.shop.language),
            shop_name=settings.shop.name,
            desk=desk_rules(settings),
            watch=watch_rules(settings),
            demand=policy_of(settings.stock),
        )
        try:
            keep(ledger, built)
        except Temporary as busy:  # what was read is told all the same; the next report keeps its figures
            note(f"The figures of this report were not kept: {busy}")
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


@app.command("explain")
def explain(
    context: typer.Context,
    figure: Annotated[str, typer.Argument(metavar="[FIGURE]", help="Its name, like orders.shopee.units.")] = "",
    day: Day = None,
    week: Week = None,
    month: Month = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown at most; --json has all of them.")] = 50,
    lang: Lang = None,
) -> None:
    """What a figure of the report counts, and the orders, movements, settlements or other rows behind it.

    Without a name: all names with their values.
    """
    from sellersync.report import build, trace
    from sellersync.report.words import Words

    state = state_of(context)
    with state.ledger() as (settings, ledger), waiting("reading the ledger", quiet=state.json):
        zone, now = settings.shop.zone, ledger.clock.now()
        language = lang.value if lang else settings.shop.language
        period = _period(day, week, month, shop_day(now, zone))
        desk, watch, demand = desk_rules(settings), watch_rules(settings), policy_of(settings.stock)
        words = Words(language, zone, now)
        if figure:
            found = trace(ledger, figure, zone=zone, now=now, period=period, desk=desk, watch=watch, demand=demand)
        else:
            built = build(
                ledger, zone=zone, now=now, language=language, shop_name="", period=period, desk=desk, watch=watch,
                demand=demand,
            )  # fmt: skip
    if figure:
        _explained(found, words, limit=limit, json=state.json)
    else:
        _names(built, words, json=state.json)


def _explained(found: Explanation, words: Words, *, limit: int, json: bool) -> None:
    figure = found.figure
    definition = words.definition(figure.meaning)
    if json:
        as_json(
            {
                "figure": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "definition": definition,
                "how": found.how,
                "total": found.total,
                "rows": found.rows,
            }
        )
        return
    say(f"{figure.name}: {words.valued(figure.unit, figure.value)}")
    say(definition)
    heads = ("row", "name", "channel", "amount", "happened", "recorded", "")
    if found.rows:
        table(
            heads,
            [
                (row.kind, row.name, row.channel, row.amount, when(row.happened, words.zone), when(row.recorded, words.zone), row.note)
                for row in found.rows[:limit]
            ],
        )  # fmt: skip
    left_out = len(found.rows) - limit
    if left_out > 0:
        say(f"... and {left_out} more rows; all of them: --limit {len(found.rows)}, or --json")
    say(_how(found))


def _how(found: Explanation) -> str:
    """How the rows make the figure."""
    count = len(found.rows)
    if found.how == "rank":
        rank = "half" if found.figure.measure.endswith("p50") else "95 of 100"
        return f"{count} rows; the figure is the smallest amount (ms) that {rank} of them do not exceed."
    if found.how == "share":
        return "The figure is the first amount divided by the second."
    same = "the figure" if found.figure.value == found.total else f"NOT the figure ({found.figure.value})"
    if found.figure.value is None:
        same = "the figure is unknown, because nothing is known of any row"
    return f"{count} rows, {found.total} in all: {same}."


def _names(built: Report, words: Words, *, json: bool) -> None:
    from sellersync.report.figures import SKU, figures

    found = figures(built)
    if json:
        as_json(
            [
                {
                    "figure": one.name,
                    "value": one.value,
                    "unit": one.unit,
                    "definition": words.definition(one.meaning),
                }
                for one in found
            ]
        )
        return
    shown = [one for one in found if SKU not in one.scope[:1]]
    rows = [(one.name, words.valued(one.unit, one.value), words.definition(one.meaning)) for one in shown]
    table(("figure", "value", "what it is"), rows)
    of_skus = [one.name for one in found if SKU in one.scope[:1]]
    if of_skus:
        say(f"... and {len(of_skus)} of single SKUs, like {of_skus[0]}: --json")


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


def _period(day: str | None, week: str | None, month: str | None, today: date) -> Period:
    from sellersync.report.period import of_day, read_month, read_week

    if sum(one is not None for one in (day, week, month)) > 1:
        raise BadInput("one of --date, --week and --month, not several")
    if week is not None:
        return read_week(week)
    return (
        read_month(month)
        if month is not None
        else of_day(day_named(day or "today", today, option="--date", words=DAY_WORDS))
    )
