"""Waybills that the own site is to be told of. A row says which waybill of a parcel it knows, or is still to hear of."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from .findings import close_finding, close_many, open_subjects, raise_finding
from .posting import in_list

NEWS_MS_MAX = 7 * 86_400_000
"""A waybill that came longer ago than this is no news for a buyer: it is not handed back any more."""
DETAIL_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class DueHandBack:
    """A waybill to be told now. `attempts` were made before."""

    parcel_id: int
    order_remote_id: str
    waybill: str
    courier: str
    service: str
    attempts: int


def note_due(session: Session, channel_id: int, *, now_ms: int) -> int:
    """Every live parcel with a waybill that the site was not told of is due, also one whose waybill changed. Returns how many are new.

    Found by looking at how things stand, whoever gave the parcel its waybill; what ended well is closed on the way.
    """
    values = {"c": channel_id, "now": now_ms, "since": now_ms - NEWS_MS_MAX}
    changed = session.execute(_CHANGED, values).rowcount  # type: ignore[attr-defined]
    added = session.execute(_ADDED, values).rowcount  # type: ignore[attr-defined]
    refused = [int(subject) for subject in open_subjects(session, "hand_back_refused", channel_id=channel_id)]
    if refused:
        over = session.execute(text(_OVER.format(ids=in_list(refused)))).all()
        close_many(session, "hand_back_refused", [str(row.id) for row in over], now_ms=now_ms, channel_id=channel_id)
    return int(changed) + int(added)


def due(session: Session, channel_id: int, *, now_ms: int, limit: int) -> list[DueHandBack]:
    """Waybills to be told now, those first that wait longest. Nobody hears "it is shipped" of an order that was called off, or whose
    courier is being cancelled."""
    rows = session.execute(
        text(
            "SELECT hand_back.parcel_id, sales_order.remote_id, hand_back.waybill, parcel.courier, parcel.service, hand_back.attempts "
            "FROM hand_back JOIN parcel ON parcel.id = hand_back.parcel_id JOIN sales_order ON sales_order.id = parcel.order_id "
            "WHERE hand_back.state = 'due' AND hand_back.next_ms <= :now AND parcel.channel_id = :c "
            "AND parcel.state NOT IN ('cancelled', 'failed') AND parcel.cancel NOT IN ('asked', 'sent', 'pending', 'done') "
            "AND sales_order.state NOT IN ('cancelled', 'cancel_requested') ORDER BY hand_back.next_ms, hand_back.parcel_id LIMIT :n"
        ),
        {"c": channel_id, "now": now_ms, "n": limit},
    )
    return [DueHandBack(*row) for row in rows]


def note_done(session: Session, one: DueHandBack, *, channel_id: int, now_ms: int) -> None:
    """The site knows this waybill. One that changed meanwhile stays due."""
    session.execute(
        text(
            "UPDATE hand_back SET state = 'done', done_ms = :now, attempts = attempts + 1, detail = '' "
            "WHERE parcel_id = :p AND waybill = :w"
        ),
        {"p": one.parcel_id, "w": one.waybill, "now": now_ms},
    )
    close_finding(session, "hand_back_refused", str(one.parcel_id), now_ms=now_ms, channel_id=channel_id)


def note_later(session: Session, one: DueHandBack, why: str, *, next_ms: int) -> None:
    """It may or may not have arrived: it is told again, which is harmless."""
    session.execute(
        text(
            "UPDATE hand_back SET attempts = attempts + 1, next_ms = :next, detail = :d WHERE parcel_id = :p AND waybill = :w"
        ),
        {"p": one.parcel_id, "w": one.waybill, "next": next_ms, "d": why[:DETAIL_CHARS_MAX]},
    )


def note_refused(session: Session, one: DueHandBack, why: str, *, channel_id: int, now_ms: int) -> None:
    """The site will never take it: a person enters it there."""
    session.execute(
        text(
            "UPDATE hand_back SET state = 'refused', attempts = attempts + 1, detail = :d WHERE parcel_id = :p AND waybill = :w"
        ),
        {"p": one.parcel_id, "w": one.waybill, "d": why[:DETAIL_CHARS_MAX]},
    )
    details = {"order": one.order_remote_id, "waybill": one.waybill, "why": why}
    raise_finding(
        session, "hand_back_refused", str(one.parcel_id), now_ms=now_ms, channel_id=channel_id, details=details
    )


_LIVE = "parcel.channel_id = :c AND parcel.waybill <> '' AND parcel.state NOT IN ('cancelled', 'failed')"
_CHANGED = text(
    "UPDATE hand_back SET state = 'due', attempts = 0, next_ms = :now, done_ms = NULL, detail = '', "
    "waybill = (SELECT parcel.waybill FROM parcel WHERE parcel.id = hand_back.parcel_id) "
    f"WHERE EXISTS (SELECT 1 FROM parcel WHERE parcel.id = hand_back.parcel_id AND parcel.waybill <> hand_back.waybill AND {_LIVE})"
)
_ADDED = text(
    "INSERT INTO hand_back (parcel_id, waybill, state, attempts, next_ms, detail) "
    "SELECT parcel.id, parcel.waybill, 'due', 0, CAST(:now AS BIGINT), '' FROM parcel "
    f"WHERE {_LIVE} AND parcel.waybill_ms > :since "
    "AND NOT EXISTS (SELECT 1 FROM hand_back WHERE hand_back.parcel_id = parcel.id)"
)
_OVER = (
    "SELECT parcel.id FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id WHERE parcel.id IN ({ids}) "
    "AND (parcel.state IN ('delivered', 'returned', 'lost', 'cancelled', 'failed') OR sales_order.state = 'cancelled')"
)
