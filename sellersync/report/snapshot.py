"""What was first given out of a period, and what has changed since: the past is restated in the open."""

from __future__ import annotations

from dataclasses import replace

from sellersync.domain.times import to_epoch_ms
from sellersync.store import seals, snapshots
from sellersync.store.ledger import Ledger, Session

from .explain import Tracer
from .figures import Figure, figures
from .model import Report, Restated
from .reading import Reading, at

TRACED_MAX = 50
"""So many changed figures are traced back to the moment of their change."""
WHOLE = {"orders": "orders", "money": "settlements"}
"""Section -> the measure that all its rows belong to, whatever else they are: a cancelled order is no unit any more."""


def keep(ledger: Ledger, report: Report) -> bool:
    """Keep the figures of a period that is over, unless they were kept before, and how far the ledger was found whole. Returns whether
    these are the first ones."""
    if report.running:
        return False
    values = {figure.name: figure.value for figure in figures(report) if figure.kept}

    def write(session: Session) -> bool:
        if report.proof.ok and report.proof.head is not None:
            seals.note_verified(session, report.proof.head, now_ms=to_epoch_ms(report.now))
        return snapshots.keep_first(
            session, report.period.kind, report.period.name, values, made_ms=to_epoch_ms(report.now)
        )

    return ledger.write_now(write, name="keep_report")


def restated(reading: Reading, report: Report) -> Report:
    """The report with what has changed since it was first given out."""
    first = snapshots.first_given(reading.session, report.period.kind, report.period.name)
    if first is None:
        return report
    now = {figure.name: figure for figure in figures(report) if figure.kept}
    known = {meaning_of(name) for name in first.figures}
    changed = []
    for name in dict.fromkeys([*now, *first.figures]):
        figure = now.get(name)
        if figure is not None and name not in first.figures and figure.meaning not in known:
            continue  # a figure that the version of that time did not have
        was, value = first.figures.get(name, 0), figure.value if figure is not None else 0
        if was != value:
            changed.append((name, figure, was, value))
    tracer = Tracer(reading, report)
    rows = []
    for place, (name, figure, was, value) in enumerate(changed):
        since = None
        if figure is not None and place < TRACED_MAX:
            since = _first_after(tracer, figure, first.made_ms)
        rows.append(Restated(name, "count" if figure is None else figure.unit, was, value, at(since)))
    return replace(report, first_given=at(first.made_ms), restated=tuple(rows))


def meaning_of(name: str) -> str:
    """Section and measure of a figure's name."""
    return f"{name.partition('.')[0]}.{name.rpartition('.')[2]}"


def _first_after(tracer: Tracer, figure: Figure, moment_ms: int) -> int | None:
    """When the first of the rows that are behind a figure, or were, was recorded after a moment."""
    rows = tracer.rows(figure)
    if (whole := WHOLE.get(figure.section)) is not None:
        rows += tracer.rows(replace(figure, measure=whole, unit="count"))
    after = [
        to_epoch_ms(row.recorded) for row in rows if row.recorded is not None and to_epoch_ms(row.recorded) > moment_ms
    ]
    return min(after, default=None)
