"""The composition root of what goes out to people: notifiers are built here, batches of rows become messages, reports become files.

Loaded by the command that sends (`sellersync notify send`), which the daemon starts when something is due: what it needs stays out of the
daemon's memory.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from functools import partial
from pathlib import Path
from random import Random

from sellersync.app import build_post
from sellersync.connector.http import Transport, Wire, WireLimits
from sellersync.connector.rate import RateGate
from sellersync.connector.redact import Redactor
from sellersync.domain.errors import ConfigError, Temporary
from sellersync.domain.times import Clock, from_epoch_ms
from sellersync.jobs import send_report
from sellersync.jobs.command import run_command
from sellersync.jobs.deliver import Batch, News
from sellersync.notify.notifier import Attachment, Message, Notifier, NotifierContext
from sellersync.notify.registry import notifier_class
from sellersync.report.alert import Occasion, Told, alert_letter, test_letter
from sellersync.report.mail import Letter
from sellersync.report.model import Need
from sellersync.report.reading import at, clean, clean_details
from sellersync.settings import Settings
from sellersync.store import deliveries, reads_report, work
from sellersync.store.ledger import Ledger

RATE_PER_S = 1.0
BURST = 5
MAKE_TIMEOUT_S = 600.0
FILE_TYPES = {
    "html": "text/html",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
OCCASIONS: dict[str, Occasion] = {
    deliveries.ALERT: "alert",
    deliveries.REMINDER: "reminder",
    deliveries.SOLVED: "solved",
}


def build_news(
    settings: Settings,
    ledger: Ledger,
    redactor: Redactor,
    *,
    transports: Mapping[str, Transport] | None = None,
    make: Callable[[str], Awaitable[None]] | None = None,
) -> News:
    """What sending needs. `transports` replaces the network of a notifier by name, `make` what makes the files of a report. Raises
    `ConfigError`."""
    install_id = ledger.read_now(lambda session: work.get_meta(session, "install_id"))
    notifiers = {
        name: build_notifier(settings, name, ledger.clock, redactor, transport=(transports or {}).get(name))
        for name in settings.notify
    }
    return News(
        settings=settings,
        ledger=ledger,
        install_id=install_id,
        notifiers=notifiers,
        write=partial(write, settings, ledger),
        redact=redactor,
        make=make or partial(make_files, settings, ledger),
    )


def build_notifier(
    settings: Settings,
    name: str,
    clock: Clock,
    redactor: Redactor,
    *,
    transport: Transport | None = None,
) -> Notifier:
    """One configured notifier. Raises `ConfigError`."""
    if name not in settings.notify:
        known = ", ".join(sorted(settings.notify)) or "none"
        raise ConfigError([f"{settings.path}: there is no table [notify.{name}]; there are: {known}"])
    table, http = settings.notify[name], settings.http
    limits = WireLimits(
        connect_timeout_s=http.connect_timeout_s,
        read_timeout_s=http.read_timeout_s,
        write_deadline_s=http.write_deadline_s,
    )
    gate = RateGate(clock, rate_per_s=RATE_PER_S, burst=BURST)
    wire = Wire(name, clock=clock, rng=Random(name), gate=gate, limits=limits, redactor=redactor, transport=transport)
    cls = notifier_class(table.kind)
    post = build_post(settings) if cls.needs_mail else None
    return cls(
        NotifierContext(
            name=name,
            settings=table.own,
            wire=wire,
            clock=clock,
            mailer=post.mailer if post else None,
            sender=post.sender if post else None,
        )
    )


# -------------------------------------------------------------------------------------------------------------------------- messages


def write(settings: Settings, ledger: Ledger, batch: Batch, message_id: str) -> Message:
    """A batch in words. Raises `FileNotFoundError` when the files of its report are gone."""
    if batch.kind == deliveries.REPORT:
        return _report_message(settings, ledger, batch, message_id)
    found = ledger.read_now(lambda session: reads_report.told_findings(session, batch.finding_ids))
    told = [Told(_need(one.fact), at(one.closed_ms)) for one in found]
    letter = alert_letter(
        OCCASIONS[batch.kind],
        told,
        language=settings.shop.language,
        zone=settings.shop.zone,
        now=ledger.clock.now(),
        shop_name=settings.shop.name,
    )
    return _message(settings, ledger, batch.kind, message_id, letter)


def _need(fact: reads_report.FindingFact) -> Need:
    since = from_epoch_ms(fact.since_ms, where="finding")
    return Need(fact.kind, fact.channel, clean(fact.subject), clean_details(fact.details), since, at(fact.deadline_ms))


def test_message(settings: Settings, ledger: Ledger, message_id: str) -> Message:
    """A message that says that it arrives."""
    letter = test_letter(
        language=settings.shop.language, zone=settings.shop.zone, now=ledger.clock.now(), shop_name=settings.shop.name
    )
    return _message(settings, ledger, deliveries.TEST, message_id, letter)


def _message(
    settings: Settings,
    ledger: Ledger,
    kind: str,
    message_id: str,
    letter: Letter,
    attachments: tuple[Attachment, ...] = (),
) -> Message:
    return Message(
        id=message_id,
        kind=kind,
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        brief=letter.brief,
        language=settings.shop.language,
        written_at=ledger.clock.now(),
        attachments=attachments,
    )


def _report_message(settings: Settings, ledger: Ledger, batch: Batch, message_id: str) -> Message:
    letter = Letter(**json.loads(report_file(settings, batch.subject, "json").read_text("utf-8")))
    attachments = []
    for suffix in settings.notify[batch.notifier].attach:
        path = report_file(settings, batch.subject, suffix)
        attachments.append(Attachment(path.name, FILE_TYPES[suffix], path.read_bytes()))
    return _message(settings, ledger, batch.kind, message_id, letter, tuple(attachments))


# ----------------------------------------------------------------------------------------------------------------------------- files


def report_file(settings: Settings, subject: str, suffix: str) -> Path:
    """Where a report's file is: report-2026-11-20.html, report-2026-W47.html, report-2026-11.html; .json holds its message."""
    name = subject.partition(" ")[2]
    return settings.report_dir / f"report-{name}.{suffix}"


async def make_files(settings: Settings, ledger: Ledger, subject: str) -> None:
    """Make a report's files with `sellersync report` in a process of its own. Raises `Temporary` with what it said."""
    kind, _, name = subject.partition(" ")
    suffixes = {"json", "html", *(suffix for table in settings.notify.values() for suffix in table.attach)}
    files = {suffix: report_file(settings, subject, suffix) for suffix in sorted(suffixes)}
    options = {"json": "--mail", "html": "--html", "xlsx": "--xlsx"}
    words = ["report", "--date" if kind == "day" else f"--{kind}", name]
    for suffix, path in files.items():
        words += [options[suffix], str(path.with_suffix(f".{suffix}.part"))]
    due = send_report.due_by_name(settings, ledger, subject)
    if due is not None:
        words += ["--due", due.due.astimezone(UTC).isoformat()]
    try:
        settings.report_dir.mkdir(parents=True, exist_ok=True)
        await run_command(settings, words, timeout_s=MAKE_TIMEOUT_S)
        for suffix, path in files.items():
            path.with_suffix(f".{suffix}.part").replace(path)
    except OSError as failure:
        raise Temporary(f"{settings.report_dir}: {failure.strerror}") from None
