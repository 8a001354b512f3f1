"""Pushes: wants are committed as sent before the call, answers afterwards; what the channel should show is kept per target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, text
from sqlmodel import Session

from sellersync.domain.errors import RejectClass
from sellersync.domain.ids import push_key
from sellersync.domain.levels import Decision
from sellersync.domain.listings import LevelAnswer, PushOutcome, ShownLevel, TargetKey, Want
from sellersync.domain.times import to_epoch_ms

from .findings import close_finding, raise_finding
from .posting import in_list
from .tables import Push
from .work import get_meta

_PUSH = Push.__table__  # type: ignore[attr-defined]
POT_READ_MS = 10 * 60 * 1000
"""Units that a channel holds aside are looked at this often, as long as there are any."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A want that is committed as sent."""

    push_id: int
    target_id: int
    want: Want


def mark_sent(
    session: Session, decisions: Sequence[Decision], *, now_ms: int, window_from: datetime | None
) -> list[Sent]:
    """Commit these wants as sent, before the call: from now on the number is unknown until an answer comes.

    The order of `decisions` is kept. `window_from`: the provider's time up to which its orders are in the ledger.
    """
    epoch = int(get_meta(session, "epoch", "1"))
    sent: list[Sent] = []
    for decision in decisions:
        key = push_key(epoch, decision.target_id, decision.version)
        attempt = session.execute(
            text("SELECT COUNT(*) + 1 FROM push WHERE target_id = :t AND key = :k"), {"t": decision.target_id, "k": key}
        ).scalar_one()
        push_id = session.execute(
            insert(_PUSH).returning(_PUSH.c.id),
            {
                "target_id": decision.target_id,
                "level": decision.level,
                "expected": decision.expected,
                "ledger_version": decision.version,
                "key": key,
                "attempt": attempt,
                "wanted_ms": to_epoch_ms(decision.wanted_at) if decision.wanted_at else now_ms,
                "sent_ms": now_ms,
                "outcome": "sent",
                "detail": "",
            },
        ).scalar_one()
        session.execute(
            text(
                "UPDATE target SET expected = NULL, window_from_ms = COALESCE(:w, window_from_ms), window_to_ms = NULL WHERE id = :t"
            ),
            {"t": decision.target_id, "w": to_epoch_ms(window_from) if window_from else None},
        )
        want = Want(decision.key, decision.level, decision.expected, f"{key}-{attempt}")
        sent.append(Sent(push_id, decision.target_id, want))
    return sent


def record_answers(
    session: Session,
    channel_id: int,
    answers: Sequence[tuple[Sent, LevelAnswer]],
    *,
    now_ms: int,
    provider_now: datetime,
    visibility_delay_s: float,
    write_settles_s: float,
) -> None:
    """Record what became of wants. An applied level is expected to be shown, unless one of the channel's own orders changed between
    the pull before the push and the acknowledgement: then the push may have swallowed it, and the number is unknown."""
    window_to = to_epoch_ms(provider_now) + round(visibility_delay_s * 1000)
    overtaken = _touched_since(session, channel_id, [sent.push_id for sent, _ in answers])
    for sent, answer in answers:
        session.execute(
            text("UPDATE push SET answered_ms = :now, outcome = :o, shown = :shown, detail = :d WHERE id = :i"),
            {"i": sent.push_id, "now": now_ms, "o": answer.outcome.value, "shown": answer.shown, "d": answer.why[:300]},
        )
        subject = f"{sent.want.target.remote_key}@{sent.want.target.location}".rstrip("@")
        if answer.outcome is PushOutcome.APPLIED:
            _applied(session, sent, answer, window_to=window_to, now_ms=now_ms, certain=sent.target_id not in overtaken)
            close_finding(session, "push_refused", subject, channel_id=channel_id, now_ms=now_ms)
        elif answer.outcome is PushOutcome.UNCLEAR:
            session.execute(
                text("UPDATE target SET expected = NULL, window_to_ms = NULL, read_back_ms = :r WHERE id = :t"),
                {"t": sent.target_id, "r": now_ms + round(write_settles_s * 1000)},
            )
        else:
            _rejected(session, sent, answer, now_ms=now_ms, certain=sent.target_id not in overtaken)
            details = {"level": sent.want.level, "why": answer.why, "class": (answer.reject or RejectClass.OTHER).value}
            raise_finding(session, "push_refused", subject, channel_id=channel_id, now_ms=now_ms, details=details)


def _touched_since(session: Session, channel_id: int, push_ids: Sequence[int]) -> set[int]:
    """Targets touched by an order of this channel that was recorded while these pushes were under way."""
    rows = session.execute(
        text(
            "SELECT DISTINCT order_line.target_id FROM sales_order JOIN order_line ON order_line.order_id = sales_order.id "
            "WHERE sales_order.channel_id = :c AND order_line.target_id IS NOT NULL AND sales_order.changed_ms >= "
            f"(SELECT MIN(sent_ms) FROM push WHERE id IN ({in_list(push_ids)}))"
        ),
        {"c": channel_id},
    )
    return {row.target_id for row in rows}


def _applied(session: Session, sent: Sent, answer: LevelAnswer, *, window_to: int, now_ms: int, certain: bool) -> None:
    session.execute(
        text(
            "UPDATE target SET expected = CASE WHEN :certain THEN :e ELSE NULL END, acked = :e, acked_ms = :now, "
            "window_to_ms = :w, blocked = '', blocked_level = NULL, "
            "blocked_ms = NULL, agreed_zero = FALSE, held_level = NULL, floor = NULL, "
            "acked_version = (SELECT ledger_version FROM push WHERE id = :p) WHERE id = :t"
        ),
        {
            "t": sent.target_id,
            "certain": certain,
            "e": sent.want.level if answer.shown is None else answer.shown,
            "now": now_ms,
            "w": window_to,
            "p": sent.push_id,
        },
    )


def _rejected(session: Session, sent: Sent, answer: LevelAnswer, *, now_ms: int, certain: bool) -> None:
    below_reserved = answer.reject is RejectClass.BELOW_RESERVED
    session.execute(
        text(
            "UPDATE target SET expected = :e, blocked = :b, blocked_level = :l, blocked_ms = :now, floor = COALESCE(:f, floor), "
            "pot_inside = (pot_inside OR :inside) WHERE id = :t"
        ),
        {
            "t": sent.target_id,
            "e": sent.want.expected if certain else None,
            "b": (answer.reject or RejectClass.OTHER).value,
            "l": sent.want.level,
            "now": now_ms,
            "f": answer.floor,
            "inside": below_reserved,
        },
    )


@dataclass(frozen=True, slots=True)
class ShownRecorded:
    """What recording numbers did: how many differed from the expected ones, and the targets whose pot is empty now."""

    differed: int
    pots_ended: tuple[int, ...]


def record_shown(
    session: Session, channel_id: int, levels: Sequence[ShownLevel], *, now_ms: int, clear_after_ms: int
) -> ShownRecorded:
    """Numbers read back from the channel: pots are noted, and a number other than the expected one makes it unknown.

    A target whose last write was unclear and lies further back than `clear_after_ms` is settled by what is shown. One whose pot has
    ended is left as it was: what became of the pot's units is for a comparison, which needs to know what was there before.
    """
    differed = 0
    ended: list[int] = []
    for level in levels:
        row = session.execute(
            text(
                "SELECT id, expected, read_back_ms, pot FROM target WHERE channel_id = :c AND remote_key = :k AND location = :l"
            ),
            {"c": channel_id, "k": level.target.remote_key, "l": level.target.location},
        ).first()
        if row is None:
            continue
        if row.pot and level.held_aside == 0:
            ended.append(row.id)
            continue
        expected = row.expected
        if level.shown is not None and expected is not None and level.shown != expected:
            differed += 1
            expected = None
        settled = row.read_back_ms is not None and row.read_back_ms <= clear_after_ms
        session.execute(
            text(
                "UPDATE target SET expected = :e, pot = COALESCE(:p, pot), pot_ms = CASE WHEN :p IS NULL THEN pot_ms ELSE :now END, "
                "floor = :f, seen = :s, seen_ms = :now, read_back_ms = CASE WHEN :settled THEN NULL ELSE read_back_ms END WHERE id = :t"
            ),
            {
                "t": row.id,
                "e": expected,
                "p": level.held_aside,
                "now": now_ms,
                "f": level.floor,
                "s": level.shown,
                "settled": settled,
            },
        )
    return ShownRecorded(differed, tuple(ended))


def due_pots(session: Session, channel_id: int, *, now_ms: int) -> list[TargetKey]:
    """Targets with units in a pot that was not read for a while: a campaign may be over."""
    rows = session.execute(
        text(
            "SELECT remote_key, location FROM target WHERE channel_id = :c AND pot > 0 AND pot_ms <= :late ORDER BY id"
        ),
        {"c": channel_id, "late": now_ms - POT_READ_MS},
    )
    return [TargetKey(row.remote_key, row.location) for row in rows]


def due_read_backs(session: Session, channel_id: int, *, now_ms: int) -> list[TargetKey]:
    """Targets whose unclear write is old enough to be read back."""
    rows = session.execute(
        text(
            "SELECT remote_key, location FROM target WHERE channel_id = :c AND read_back_ms IS NOT NULL AND read_back_ms <= :now"
        ),
        {"c": channel_id, "now": now_ms},
    )
    return [TargetKey(row.remote_key, row.location) for row in rows]


def forget_unanswered(session: Session, channel_id: int, *, now_ms: int, write_settles_s: float) -> int:
    """Wants that were sent and never answered (a kill) are unclear. Called by whoever holds the channel's push lease."""
    values = {"c": channel_id, "now": now_ms, "r": now_ms + round(write_settles_s * 1000)}
    unanswered = (
        "SELECT {} FROM push WHERE outcome = 'sent' AND target_id IN (SELECT id FROM target WHERE channel_id = :c)"
    )
    session.execute(
        text(f"UPDATE target SET expected = NULL, read_back_ms = :r WHERE id IN ({unanswered.format('target_id')})"),
        values,
    )
    forgotten = session.execute(
        text(
            "UPDATE push SET outcome = 'unclear', answered_ms = :now, detail = 'no answer was recorded' "
            f"WHERE id IN ({unanswered.format('id')})"
        ),
        values,
    )
    return int(forgotten.rowcount)  # type: ignore[attr-defined]


def hold_zeroes(session: Session, channel_id: int, decisions: Sequence[Decision], *, now_ms: int) -> None:
    """Levels stopped by the suddenly-zero guard wait for a person (L11)."""
    if not decisions:
        close_finding(session, "sudden_zero", "targets", channel_id=channel_id, now_ms=now_ms)
        return
    for decision in decisions:
        session.execute(
            text("UPDATE target SET held_level = :l WHERE id = :t"), {"l": decision.level, "t": decision.target_id}
        )
    raise_finding(session, "sudden_zero", "targets", channel_id=channel_id, now_ms=now_ms,
                  details={"targets": [decision.key.remote_key for decision in decisions[:50]], "count": len(decisions)})  # fmt: skip


def agree_zeroes(session: Session, channel_id: int) -> int:
    """A person agrees that the held targets go to zero. Returns how many."""
    agreed = session.execute(
        text(
            "UPDATE target SET agreed_zero = TRUE, held_level = NULL WHERE channel_id = :c AND held_level IS NOT NULL"
        ),
        {"c": channel_id},
    )
    return int(agreed.rowcount)  # type: ignore[attr-defined]


def names_of(session: Session, target_ids: Sequence[int]) -> list[str]:
    """Remote keys of targets, in the given order."""
    if not target_ids:
        return []
    rows = session.execute(text(f"SELECT id, remote_key FROM target WHERE id IN ({in_list(target_ids)})"))
    names = {row.id: row.remote_key for row in rows}
    return [names[target_id] for target_id in target_ids]
