"""`sellersync parcels scorecard`: how couriers did, per service and zone."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from sellersync.domain.errors import BadInput
from sellersync.domain.scorecard import Average, Score, scores
from sellersync.store import reads_scorecard

from .csv_file import as_cell
from .out import as_json, note, rupiah, say, table
from .state import state_of

UNKNOWN = "unknown"
COLUMNS = (
    "courier", "service", "zone", "parcels", "quoted_mean", "quoted_known", "charged_mean", "charged_known", "adjusted_mean",
    "adjusted_known", "days_median", "days_p90", "days_known", "on_time_share", "promises_known", "lost", "returned", "stuck",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command("scorecard")(scorecard)


def scorecard(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Parcels booked in the last so many days.")] = 90,
    out: Annotated[
        Path | None, typer.Option(help="Write it as CSV to this file; an unknown figure is an empty cell.")
    ] = None,
) -> None:
    """How couriers did: prices, days from pickup to delivery, promises kept, lost, returned and stuck parcels."""
    options = state_of(context)
    with options.ledger() as (_, ledger):
        now = ledger.clock.now()
        rides = ledger.read_now(
            lambda session: reads_scorecard.rides(session, since=now - timedelta(days=days), until=now)
        )
    found = scores(rides, now=now)
    if out is not None:
        try:
            out.write_text(as_csv(found), "utf-8")
        except OSError as failure:
            raise BadInput(f"{out} cannot be written ({failure.strerror})") from None
        note(f"{len(found)} rows in {out}")
    if options.json:
        as_json(found)
        return
    if out is not None:
        return
    if not found:
        say(f"No parcel was booked in the last {days} days.")
        return
    table(
        ("courier", "service", "zone", "parcels", "quoted", "charged", "adjusted", "days (half / 9 of 10)", "on time", "lost",
         "returned", "stuck"),
        [
            (score.courier, score.service or UNKNOWN, score.zone or UNKNOWN, score.parcels, _price(score.quoted, score.parcels),
             _price(score.charged, score.parcels), _adjusted(score.adjusted), _days(score), _on_time(score), score.lost,
             score.returned, score.stuck)
            for score in found
        ],
    )  # fmt: skip


def _price(average: Average, parcels: int) -> str:
    """The mean, with the number of parcels behind it where it is not all of them."""
    said = rupiah(average.mean)
    return said if average.known in (0, parcels) else f"{said} ({average.known})"


def _adjusted(average: Average) -> str:
    return "-" if average.mean is None else f"{rupiah(average.mean)} ({average.known})"


def _days(score: Score) -> str:
    if score.days_median is None or score.days_p90 is None:
        return UNKNOWN
    few = "" if score.days_known == score.parcels else f" ({score.days_known})"
    return f"{score.days_median:.1f} / {score.days_p90:.1f}{few}"


def _on_time(score: Score) -> str:
    return UNKNOWN if score.on_time is None else f"{score.on_time:.0%} of {score.promises_known}"


def as_csv(found: list[Score]) -> str:
    """The scorecard for a spreadsheet; unknown is an empty cell."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for score in found:
        writer.writerow(
            [
                *(as_cell(text) for text in (score.courier, score.service, score.zone)), score.parcels, score.quoted.mean,
                score.quoted.known, score.charged.mean, score.charged.known, score.adjusted.mean, score.adjusted.known,
                score.days_median, score.days_p90, score.days_known,
                None if score.on_time is None else round(score.on_time, 4), score.promises_known, score.lost, score.returned,
                score.stuck,
            ]
        )  # fmt: skip
    return file.getvalue()
