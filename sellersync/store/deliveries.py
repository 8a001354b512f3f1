"""Reports and alerts on their way to people: one row a (notifier, kind, subject, occasion), so that each is sent once.

A row is committed as being sent before anybody is called; one that was being sent when the process died is unclear, and only a person
sends it again. How findings become rows stands in `alerts`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.times import from_epoch_ms

from .findings import close_finding, close_many, open_subjects, raise_finding
from .posting import in_list
from .reads import at
from .work import get_meta, set_meta

DUE, SENDING, SENT, REFUSED, UNCLEAR, DROPPED = "due", "sending", "sent", "refused", "unclear", "dropped"
STATES = (DUE, SENDING, SENT, REFUSED, UNCLEAR, DROPPED)
REPORT, ALERT, REMINDER, SOLVED, TEST = "report", "alert", "reminder", "solved", "test"
FILE = "file"
"""The row of a report's making stands under this name in place of a notifier's; no table [notify.file] can be configured."""
NOT_SENT = "message_not_sent"
NOT_KNOWN = "message_unclear"
DOWN = "notifier_down"
NOT_MADE = "report_not_made"
"""Kinds of findings: refused or given up, handed over without an answer, a service that takes nothing, a report that fails."""
SINCE = "report_since"
RETRY_WAIT_MS_MIN = 60_000
RETRY_WAIT_MS_MAX = 3_600_000


# ------------------------------------------------------------------------------------------------------------------------- reports


def plan_report(
    session: Session, notifiers: Sequence[str], kind: str, subject: str, *, due_ms: int, now_ms: int
) -> int:
    """Make the rows of a report whose time has come: of its file, and of everybody who gets it. A reader who was added after `due_ms`
    gets the next one. Returns how many are new."""
    since: dict[str, int] = json.loads(get_meta(session, SINCE) or "{}")
    known = {f"{kind} {name}" for name in (FILE, *notifiers)}
    fresh = dict.fromkeys(known - set(since), now_ms)
    if fresh:
        set_meta(session, SINCE, json.dumps({**since, **fresh}, sort_keys=True))
    made = 0
    for name in (FILE, *notifiers):
        if since.get(f"{kind} {name}", now_ms + 1) <= due_ms:
            made += _insert(session, name, REPORT, subject, now_ms=now_ms)
    return made


def forget_readers(session: Session, wanted: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Readers who get a report no more: when they come back they get no old one. `wanted`: (report kind, notifiers)."""
    since: dict[str, int] = json.loads(get_meta(session, SINCE) or "{}")
    keys = {f"{kind} {name}" for kind, names in wanted for name in (FILE, *names)}
    if set(since) - keys:
        set_meta(session, SINCE, json.dumps({key: ms for key, ms in since.items() if key in keys}, sort_keys=True))


def made(session: Session, subject: str) -> bool:
    """Was the file of this report made?"""
    found = session.execute(
        text("SELECT 1 FROM delivery WHERE notifier = :f AND kind = 'report' AND subject = :s AND state = 'sent'"),
        {"f": FILE, "s": subject},
    )
    return found.first() is not None


def make_again(session: Session, subject: str, *, now_ms: int) -> None:
    """The files of a report are gone: they are made once more before it is sent."""
    _insert(session, FILE, REPORT, subject, now_ms=now_ms)
    session.execute(
        text(
            "UPDATE delivery SET state = 'due', attempts = 0, next_ms = :now WHERE notifier = :f AND kind = 'report' "
            "AND subject = :s AND state IN ('sent', 'refused')"
        ),
        {"f": FILE, "s": subject, "now": now_ms},
    )


def drop_strangers(session: Session, notifiers: Iterable[str], *, now_ms: int) -> None:
    """Rows that wait for a notifier that is configured no more, and the word that it is down."""
    names = {f"n{number}": name for number, name in enumerate((FILE, *notifiers))}
    gone = open_subjects(session, DOWN) - set(names.values())
    close_many(session, DOWN, sorted(gone), now_ms=now_ms)
    session.execute(
        text(
            "UPDATE delivery SET state = 'dropped', next_ms = :now, detail = 'its notifier is configured no more' "
            f"WHERE state = 'due' AND notifier NOT IN ({', '.join(f':{name}' for name in names)})"
        ),
        {**names, "now": now_ms},
    )


def affected(session: Session, query: str, values: Mapping[str, Any]) -> int:
    """Run a change; how many rows it made or changed."""
    return int(session.execute(text(query), values).rowcount)  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------------------------------ sending


@dataclass(frozen=True, slots=True)
class DueRow:
    """A row that waits for its sending. `finding_kind` is "" where it is about no finding."""

    id: int
    notifier: str
    kind: str
    subject: str
    occasion: int
    finding_id: int | None
    finding_kind: str


def due(session: Session, *, now_ms: int, limit: int, findings: bool = True) -> list[DueRow]:
    """What may be sent now, the oldest first; a report only when its file was made. `findings`: alerts too."""
    rows = session.execute(
        text(
            "SELECT delivery.id, delivery.notifier, delivery.kind, delivery.subject, delivery.occasion, delivery.finding_id, "
            "COALESCE(finding.kind, '') AS finding_kind FROM delivery LEFT JOIN finding ON finding.id = delivery.finding_id "
            "WHERE delivery.state = 'due' AND delivery.next_ms <= :now AND (delivery.kind <> 'report' OR delivery.notifier = :f "
            "OR EXISTS (SELECT 1 FROM delivery AS made WHERE made.notifier = :f AND made.kind = 'report' "
            "AND made.subject = delivery.subject AND made.state = 'sent')) AND (:findings = 1 OR delivery.finding_id IS NULL) "
            "ORDER BY delivery.id LIMIT :n"
        ),
        {"now": now_ms, "f": FILE, "n": limit, "findings": int(findings)},
    )
    return [DueRow(*row) for row in rows]


def begin(session: Session, ids: Sequence[int], *, now_ms: int, deadline_ms: int) -> list[int]:
    """Take rows: from the commit on they count as being sent, until `deadline_ms`. Returns those that nobody else has taken."""
    taken = session.execute(
        text(
            "UPDATE delivery SET state = 'sending', attempts = attempts + 1, next_ms = :d "
            f"WHERE id IN ({in_list(ids)}) AND state = 'due' AND next_ms <= :now RETURNING id"
        ),
        {"d": deadline_ms, "now": now_ms},
    ).scalars()
    return sorted(int(row) for row in taken)


def note_sent(session: Session, ids: Sequence[int], *, now_ms: int) -> None:
    """The other side has it."""
    _settle(session, ids, SENT, "", next_ms=now_ms, sent_ms=now_ms)
    for row in _of(session, ids):
        for kind in (NOT_SENT, NOT_KNOWN):
            close_finding(session, kind, str(row.id), now_ms=now_ms)
        if row.notifier == FILE:
            close_finding(session, NOT_MADE, row.subject, now_ms=now_ms)
        else:
            close_finding(session, DOWN, row.notifier, now_ms=now_ms)


def note_refused(session: Session, ids: Sequence[int], detail: str, *, now_ms: int) -> None:
    """It will never be taken, and a person should know."""
    _settle(session, ids, REFUSED, detail, next_ms=now_ms)
    for row in _of(session, ids):
        if row.notifier == FILE:
            close_finding(session, NOT_MADE, row.subject, now_ms=now_ms)
        raise_finding(session, NOT_SENT, str(row.id), now_ms=now_ms, details=_about(row, detail))


def note_unclear(session: Session, ids: Sequence[int], detail: str, *, now_ms: int) -> None:
    """It was handed over and no answer came; it is not sent again unless a person says so."""
    _settle(session, ids, UNCLEAR, detail, next_ms=now_ms)
    for row in _of(session, ids):
        raise_finding(session, NOT_KNOWN, str(row.id), now_ms=now_ms, details=_about(row, detail))


def note_later(
    session: Session, ids: Sequence[int], detail: str, *, now_ms: int, again_ms: int, give_up_after_ms: int, down: bool
) -> None:
    """It was certainly not taken: it is tried again, ever more rarely, until it is too old. `again_ms`: not before this wait. `down`:
    no other message would fare better, so the others of this notifier wait as long."""
    for row in _of(session, ids):
        if now_ms - row.created_ms > give_up_after_ms:
            note_refused(session, [row.id], f"given up: {detail}", now_ms=now_ms)
            continue
        wait_ms = max(min(RETRY_WAIT_MS_MIN * 2 ** min(row.attempts - 1, 10), RETRY_WAIT_MS_MAX), again_ms)
        _settle(session, [row.id], DUE, detail, next_ms=now_ms + wait_ms)
        if not down:
            continue
        subject = row.subject if row.notifier == FILE else row.notifier
        raise_finding(
            session, NOT_MADE if row.notifier == FILE else DOWN, subject, now_ms=now_ms, details={"why": detail}
        )
        session.execute(
            text(
                "UPDATE delivery SET next_ms = :at WHERE notifier = :n AND state = 'due' AND next_ms < :at AND notifier <> :f"
            ),
            {"at": now_ms + wait_ms, "n": row.notifier, "f": FILE},
        )


def settle_cut_off(session: Session, *, now_ms: int) -> int:
    """What was being sent when its process died, by its deadline: nobody knows whether it arrived. A file is simply made again.
    Returns how many are unclear."""
    session.execute(
        text(
            "UPDATE delivery SET state = 'due', next_ms = :now WHERE state = 'sending' AND next_ms <= :now AND notifier = :f"
        ),
        {"now": now_ms, "f": FILE},
    )
    query = text("SELECT id FROM delivery WHERE state = 'sending' AND next_ms <= :now")
    ids = [int(row) for row in session.execute(query, {"now": now_ms}).scalars()]
    if ids:
        note_unclear(session, ids, "the program ended while it was being sent", now_ms=now_ms)
    return len(ids)


def _of(session: Session, ids: Sequence[int]) -> list[Any]:
    query = f"SELECT id, notifier, kind, subject, occasion, attempts, created_ms FROM delivery WHERE id IN ({in_list(ids)}) ORDER BY id"
    return list(session.execute(text(query)).all())


def _about(row: Any, why: str) -> dict[str, str]:
    return {"notifier": row.notifier, "message": f"{row.kind} {row.subject}", "why": why}


def _settle(
    session: Session, ids: Sequence[int], state: str, detail: str, *, next_ms: int, sent_ms: int | None = None
) -> None:
    session.execute(
        text(
            f"UPDATE delivery SET state = :s, detail = :d, next_ms = :n, sent_ms = :sent WHERE id IN ({in_list(ids)})"
        ),
        {"s": state, "d": detail[:300], "n": next_ms, "sent": sent_ms},
    )


def _insert(session: Session, notifier: str, kind: str, subject: str, *, now_ms: int) -> int:
    return affected(
        session,
        "INSERT INTO delivery (notifier, kind, subject, occasion, state, attempts, created_ms, next_ms, detail) "
        "VALUES (:n, :k, :s, 0, 'due', 0, :now, :now, '') ON CONFLICT (notifier, kind, subject, occasion) DO NOTHING",
        {"n": notifier, "k": kind, "s": subject, "now": now_ms},
    )


def begin_test(session: Session, notifier: str, *, now_ms: int, deadline_ms: int) -> int:
    """The row of a test message, being sent. Returns its id."""
    _insert(session, notifier, TEST, str(now_ms), now_ms=now_ms)
    query = text("SELECT id FROM delivery WHERE notifier = :n AND kind = 'test' AND subject = :s")
    delivery_id = int(session.execute(query, {"n": notifier, "s": str(now_ms)}).scalar_one())
    begin(session, [delivery_id], now_ms=now_ms, deadline_ms=deadline_ms)
    return delivery_id


def settle_test(session: Session, delivery_id: int, state: str, detail: str, *, now_ms: int) -> None:
    """What became of a test message; whoever asked for it sees it, so no finding is raised."""
    _settle(session, [delivery_id], state, detail, next_ms=now_ms, sent_ms=now_ms if state == SENT else None)


# -------------------------------------------------------------------------------------------------------------------------- people


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """A message in a list."""

    id: int
    notifier: str
    kind: str
    subject: str
    """The report's kind and day; of an alert the finding's kind, channel and subject."""
    occasion: int
    state: str
    attempts: int
    created: datetime
    sent: datetime | None
    next_try: datetime | None
    detail: str


def deliveries(
    session: Session, *, state: str | None = None, notifier: str | None = None, limit: int
) -> list[DeliveryLine]:
    """The newest first. Raises `BadInput` for an unknown state."""
    if state is not None and state not in STATES:
        raise BadInput(f"no message is {state!r}; there are: {', '.join(STATES)}")
    rows = session.execute(
        text(
            "SELECT delivery.*, finding.kind AS finding_kind, finding.subject AS finding_subject, COALESCE(channel.slug, '') AS slug "
            "FROM delivery LEFT JOIN finding ON finding.id = delivery.finding_id LEFT JOIN channel ON channel.id = finding.channel_id "
            "WHERE (CAST(:s AS TEXT) IS NULL OR delivery.state = CAST(:s AS TEXT)) "
            "AND (CAST(:n AS TEXT) IS NULL OR delivery.notifier = CAST(:n AS TEXT)) ORDER BY delivery.id DESC LIMIT :limit"
        ),
        {"s": state, "n": notifier, "limit": limit},
    )
    return [
        DeliveryLine(
            row.id, row.notifier, row.kind, _subject(row), row.occasion, row.state, row.attempts,
            from_epoch_ms(row.created_ms, where="delivery"), at(row.sent_ms), at(row.next_ms) if row.state == DUE else None,
            row.detail,
        )
        for row in rows
    ]  # fmt: skip


def _subject(row: Any) -> str:
    if row.finding_kind is None:
        return "" if row.kind == TEST else str(row.subject)
    return " ".join(part for part in (row.finding_kind, row.slug, row.finding_subject) if part)


def state_of(session: Session, delivery_id: int) -> str:
    """Raises `BadInput` for an id that is not there."""
    found = session.execute(text("SELECT state FROM delivery WHERE id = :i"), {"i": delivery_id}).scalar()
    if found is None:
        raise BadInput(f"no message {delivery_id}; see `sellersync notify list`")
    return str(found)


def send_again(session: Session, delivery_id: int, *, now_ms: int) -> str:
    """A person wants a message sent (again). Returns what it was before.

    Raises `BadInput` for one that is sent, is being sent, or will be sent by itself, and for a test.
    """
    state = state_of(session, delivery_id)
    if state not in (REFUSED, UNCLEAR):
        raise BadInput(f"message {delivery_id} is {state}; only one that was refused or is unclear can be sent again")
    done = affected(
        session,
        "UPDATE delivery SET state = 'due', attempts = 0, created_ms = :now, next_ms = :now, detail = '' "
        "WHERE id = :i AND kind <> 'test'",
        {"i": delivery_id, "now": now_ms},
    )
    if not done:
        raise BadInput(f"message {delivery_id} was a test: sellersync notify test NAME sends another")
    for kind in (NOT_SENT, NOT_KNOWN):
        close_finding(session, kind, str(delivery_id), now_ms=now_ms)
    return state


def close(session: Session, delivery_id: int, *, now_ms: int) -> str:
    """A person says that a message arrived, or that nobody needs it any more. Returns what it was before.

    Raises `BadInput` for one that nobody has to look at.
    """
    state = state_of(session, delivery_id)
    if state not in (REFUSED, UNCLEAR):
        raise BadInput(f"message {delivery_id} is {state}; only one that was refused or is unclear can be closed")
    _settle(session, [delivery_id], DROPPED, "closed by a person", next_ms=now_ms)
    for kind in (NOT_SENT, NOT_KNOWN):
        close_finding(session, kind, str(delivery_id), now_ms=now_ms)
    return state


def troubled(session: Session) -> dict[str, int]:
    """State -> how many messages a person should look at: refused or unclear, with a finding that is still open."""
    rows = session.execute(
        text(
            "SELECT CASE WHEN kind = :a THEN 'refused' ELSE 'unclear' END AS state, COUNT(*) AS messages FROM finding "
            "WHERE closed_ms IS NULL AND kind IN (:a, :b) GROUP BY 1"
        ),
        {"a": NOT_SENT, "b": NOT_KNOWN},
    )
    return {row.state: int(row.messages) for row in rows}


def prune(session: Session, *, before_ms: int) -> None:
    """Forget what was settled before a moment, except of findings that are still open: they would be told again."""
    session.execute(
        text(
            "DELETE FROM delivery WHERE state NOT IN ('due', 'sending') AND next_ms < :b AND NOT EXISTS (SELECT 1 FROM finding "
            "WHERE finding.id = delivery.finding_id AND (finding.closed_ms IS NULL OR finding.closed_ms >= :b))"
        ),
        {"b": before_ms},
    )
