"""Messages that are due go out: take, write, send and settle, one after the other.

A message is committed as being sent before anybody is called and is never sent again by itself once it was handed over (L9). Findings of
one kind that are due at the same time become one message where they are many.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from sellersync.domain.errors import SellersyncError
from sellersync.domain.ids import short_digest
from sellersync.notify.contract import Delivery, Outcome
from sellersync.notify.notifier import Message, Notifier
from sellersync.settings import Settings
from sellersync.store import deliveries
from sellersync.store.deliveries import DueRow
from sellersync.store.ledger import Ledger, Session

from . import alerts

log = logging.getLogger("sellersync.jobs")
DUE_MAX = 2_000
MESSAGES_MAX = 20
"""Of one notifier in one run; the next run goes on."""
SETTLE_MARGIN_MS = 30_000
MAKE_DEADLINE_MS = 900_000
GIVE_UP_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that become one message: a report, or findings of one kind that are told, reminded of or settled together."""

    notifier: str
    kind: str
    subject: str
    rows: tuple[DueRow, ...]

    @property
    def finding_ids(self) -> tuple[int, ...]:
        return tuple(row.finding_id for row in self.rows if row.finding_id is not None)


@dataclass(frozen=True, slots=True)
class News:
    """What sending needs. `write` puts a batch into words for its notifier; `make` makes the files of a report and raises
    `SellersyncError`, or `RuntimeError` for a bug, when that fails."""

    settings: Settings
    ledger: Ledger
    install_id: str
    notifiers: Mapping[str, Notifier]
    write: Callable[[Batch, str], Message]
    make: Callable[[str], Awaitable[None]]
    redact: Callable[[str], str]
    """Takes secrets out of what a notifier said."""


def message_id(install_id: str, notifier: str, kind: str, subjects: Sequence[str]) -> str:
    """The same for the same message of the same installation, so that a repeated one can be recognised."""
    return short_digest(install_id, notifier, kind, *subjects, length=24)


async def run(news: News, *, stopping: Callable[[], bool] = bool) -> dict[str, int]:
    """Send what is due, until `stopping` says that the process is about to end. Returns how many messages had which outcome."""
    counts: dict[str, int] = {}
    await _make_files(news, counts, stopping)
    ledger = news.ledger
    quiet = alerts.quiet(news.settings, ledger.clock.now())
    rows = await ledger.read(partial(deliveries.due, now_ms=ledger.now_ms(), findings=not quiet, limit=DUE_MAX))
    sent: dict[str, int] = {}
    down: set[str] = set()
    for batch in batches(rows, news.settings.alerts.group_over):
        if (
            batch.notifier in down
            or batch.notifier not in news.notifiers
            or sent.get(batch.notifier, 0) >= MESSAGES_MAX
        ):
            continue
        if stopping():
            break
        outcome = await _deliver(news, batch)
        if outcome is None:
            continue
        sent[batch.notifier] = sent.get(batch.notifier, 0) + 1
        counts[outcome.value] = counts.get(outcome.value, 0) + 1
        if outcome is Outcome.DOWN:
            down.add(batch.notifier)
    if counts:
        log.info("messages: %s", ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    return counts


def batches(rows: Sequence[DueRow], group_over: int) -> list[Batch]:
    """Rows as messages, in the order of their first row. More than `group_over` findings of one kind are one message."""
    found: list[Batch] = []
    theirs = sorted((row for row in rows if row.notifier != deliveries.FILE), key=_group)
    for (notifier, kind, about), several in groupby(theirs, key=_group):
        together = tuple(several)
        if not about or len(together) <= group_over:
            found += [Batch(notifier, kind, row.subject, (row,)) for row in together]
        else:
            found.append(Batch(notifier, kind, about, together))
    return sorted(found, key=lambda batch: batch.rows[0].id)


def _group(row: DueRow) -> tuple[str, str, str]:
    return row.notifier, row.kind, row.finding_kind


async def _make_files(news: News, counts: dict[str, int], stopping: Callable[[], bool]) -> None:
    """Make the files of reports before anything is sent. One that fails, by a bug too, holds up nothing else."""
    ledger = news.ledger
    rows = await ledger.read(partial(deliveries.due, now_ms=ledger.now_ms(), limit=DUE_MAX))
    for row in rows:
        if stopping():
            return
        if row.notifier != deliveries.FILE or not await _take(news, [row.id], MAKE_DEADLINE_MS):
            continue
        try:
            await news.make(row.subject)
        except (SellersyncError, RuntimeError) as failure:
            log.warning("report %s was not made: %s", row.subject, failure)
            await _settle(news, [row.id], Delivery(Outcome.DOWN, str(failure)))
            continue
        await _settle(news, [row.id], Delivery(Outcome.SENT))
        counts["made"] = counts.get("made", 0) + 1


async def _deliver(news: News, batch: Batch) -> Outcome | None:
    """Send one message and keep what became of it; `None` when another process has it, or it was put off because its files are gone."""
    notifier = news.notifiers[batch.notifier]
    ids = await _take(news, [row.id for row in batch.rows], round(notifier.send_deadline_s * 1000) + SETTLE_MARGIN_MS)
    rows = tuple(row for row in batch.rows if row.id in ids)
    if not rows:
        return None
    subjects = [f"{row.subject}.{row.occasion}" for row in rows]
    try:
        own_id = message_id(news.install_id, batch.notifier, batch.kind, subjects)
        message = news.write(Batch(batch.notifier, batch.kind, batch.subject, rows), own_id)
    except FileNotFoundError:
        await news.ledger.write(partial(_put_back, ids=ids, subject=batch.subject, now_ms=news.ledger.now_ms()))
        return None
    except Exception as bug:  # nothing was sent: the message waits, and the bug is loud
        await _settle(news, ids, Delivery(Outcome.LATER, f"it could not be written: {type(bug).__name__}"))
        raise
    try:
        delivery = await notifier.send(message)
    except Exception as bug:
        await _settle(news, ids, Delivery(Outcome.UNCLEAR, f"the notifier failed: {type(bug).__name__}"))
        raise
    await _settle(news, ids, delivery)
    if delivery.outcome is not Outcome.SENT:
        log.warning("%s to %s: %s: %s", batch.kind, batch.notifier, delivery.outcome.value, delivery.detail)
    return delivery.outcome


def _put_back(session: Session, *, ids: Sequence[int], subject: str, now_ms: int) -> None:
    """The files of a report are gone: first they are made again."""
    deliveries.make_again(session, subject, now_ms=now_ms)
    deliveries.note_later(
        session, ids, "its files are made again", now_ms=now_ms, again_ms=0, give_up_after_ms=GIVE_UP_MS, down=False
    )


async def _take(news: News, ids: Sequence[int], deadline_ms: int) -> list[int]:
    ledger = news.ledger

    def write(session: Session) -> list[int]:
        now_ms = ledger.now_ms()
        return deliveries.begin(session, ids, now_ms=now_ms, deadline_ms=now_ms + deadline_ms)

    return await ledger.write(write, name="begin_message")


async def _settle(news: News, ids: Sequence[int], delivery: Delivery) -> None:
    delivery = replace(delivery, detail=news.redact(delivery.detail))
    await news.ledger.write(
        partial(settle, ids=ids, delivery=delivery, now_ms=news.ledger.now_ms()), name="settle_message"
    )


def settle(session: Session, *, ids: Sequence[int], delivery: Delivery, now_ms: int) -> None:
    """Keep what became of a message."""
    if delivery.outcome is Outcome.SENT:
        deliveries.note_sent(session, ids, now_ms=now_ms)
    elif delivery.outcome is Outcome.REFUSED:
        deliveries.note_refused(session, ids, delivery.detail, now_ms=now_ms)
    elif delivery.outcome is Outcome.UNCLEAR:
        deliveries.note_unclear(session, ids, delivery.detail, now_ms=now_ms)
    else:
        deliveries.note_later(
            session,
            ids,
            delivery.detail,
            now_ms=now_ms,
            again_ms=round((delivery.again_after_s or 0.0) * 1000),
            give_up_after_ms=GIVE_UP_MS,
            down=delivery.outcome is Outcome.DOWN,
        )
