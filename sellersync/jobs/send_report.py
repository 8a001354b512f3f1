"""The report by the clock: when its time has come, its file and its readers become rows. Making and sending is `deliver`.

A machine that slept over the time, or for days, makes the newest report alone, and that one says that it is late.
"""

from __future__ import annotations

from sellersync.domain.report_times import DueReport, PeriodKind, newest_due
from sellersync.domain.times import to_epoch_ms
from sellersync.settings import Settings
from sellersync.store import deliveries
from sellersync.store.ledger import Ledger, Session


async def run(ledger: Ledger, settings: Settings) -> int:
    """Plan the reports whose time has come. Returns how many rows are new."""
    return await ledger.write(lambda session: _plan(session, ledger, settings), name="plan_report")


def readers(settings: Settings) -> dict[PeriodKind, tuple[str, ...]]:
    """Report kind -> the notifiers that get it; a kind that nobody gets and that is no file is not there."""
    table = settings.report
    found: dict[PeriodKind, tuple[str, ...]] = {
        "day": table.send_to,
        "week": table.weekly_to,
        "month": table.monthly_to,
    }
    return {kind: names for kind, names in found.items() if names or (kind == "day" and table.html)}


def due_by_name(settings: Settings, ledger: Ledger, subject: str) -> DueReport | None:
    """The newest report of a kind, if `subject` names it; an older one is made without a word about being late."""
    kind: PeriodKind
    for kind in readers(settings):
        newest = newest_due(kind, settings.report.at, settings.shop.zone, ledger.clock.now())
        if newest.subject == subject:
            return newest
    return None


def _plan(session: Session, ledger: Ledger, settings: Settings) -> int:
    now_ms, wanted = ledger.now_ms(), readers(settings)
    deliveries.forget_readers(session, wanted.items())
    planned = 0
    for kind, names in wanted.items():
        report = newest_due(kind, settings.report.at, settings.shop.zone, ledger.clock.now())
        planned += deliveries.plan_report(
            session, names, kind, report.subject, due_ms=to_epoch_ms(report.due), now_ms=now_ms
        )
    return planned
