"""Requests to cancel, and our answers to them: an answer is committed before it is sent, and one that got no reply is settled by reading.

A channel tells of requests in a stream of their own, or only by the state of the order; then the order's id is the request's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import CancellationState, RemoteCancellation
from sellersync.domain.times import from_epoch_ms, to_epoch_ms

from .bulk import select_in
from .findings import close_finding, raise_finding

FINDING = "cancellation_pending"
ANSWER_SETTLES_MS = 10 * 60 * 1000
"""A request that is still shown as pending by a read this long after our answer did not get it."""
LOOK_BACK_MS = 30 * 24 * 60 * 60 * 1000
NOT_ARRIVED = "the channel still shows the request: the answer did not arrive"
_WAITS = (CancellationState.PENDING, CancellationState.UNKNOWN)
_DECIDED = {"accept": CancellationState.ACCEPTED, "reject": CancellationState.REJECTED}


class AnswerState(StrEnum):
    """What became of our answer to a request."""

    NONE = ""
    SENT = "sent"  # committed, no reply yet
    DONE = "done"
    REFUSED = "refused"
    UNCLEAR = "unclear"  # no reply: reading settles it

    @property
    def on_its_way(self) -> bool:
        """It may have arrived, so nothing else is sent."""
        return self in (AnswerState.SENT, AnswerState.UNCLEAR, AnswerState.DONE)


# --------------------------------------------------------------------------------------------------------------------- what is shown


def record_cancellations(
    session: Session, channel_id: int, rows: Sequence[RemoteCancellation], *, read_ms: int, now_ms: int
) -> None:
    """Keep the newest version of each request, as a read that began at `read_ms` saw it."""
    for row in rows:
        _store(session, channel_id, row, read_ms=read_ms, now_ms=now_ms)


def record_requests_in_orders(session: Session, channel_id: int, order_ids: Sequence[str], *, now_ms: int) -> None:
    """Requests of a channel that shows them only as a state of the order, for these orders as the ledger holds them now."""
    query = (
        "SELECT remote_id, state, remote_status, cancel_by, cancel_reason, cancel_respond_by_ms, updated_ms, read_started_ms, "
        "(SELECT answer FROM cancellation_request WHERE cancellation_request.channel_id = sales_order.channel_id "
        "AND cancellation_request.remote_id = sales_order.remote_id) AS answer FROM sales_order WHERE channel_id = ? "
        "AND state <> 'unknown' AND (state = 'cancel_requested' OR EXISTS (SELECT 1 FROM cancellation_request "
        "WHERE cancellation_request.channel_id = sales_order.channel_id AND cancellation_request.state = 'pending' "
        "AND cancellation_request.remote_id = sales_order.remote_id)) AND remote_id IN"
    )
    for order in list(select_in(session, query, list(dict.fromkeys(order_ids)), channel_id)):
        respond_by = order.cancel_respond_by_ms
        row = RemoteCancellation(
            remote_id=order.remote_id,
            order_id=order.remote_id,
            state=_state_in_order(OrderState(order.state), order.answer or ""),
            remote_status=order.remote_status,
            lines=(),
            updated_at=from_epoch_ms(order.updated_ms, where="order"),
            respond_by=None if respond_by is None else from_epoch_ms(respond_by, where="order"),
            by=order.cancel_by,
            reason=order.cancel_reason,
        )
        _store(session, channel_id, row, read_ms=order.read_started_ms, now_ms=now_ms)


def _state_in_order(state: OrderState, answer: str) -> CancellationState:
    """An order that goes on is one whose request was refused, by us or elsewhere, or taken back: it does not say which."""
    if state is OrderState.CANCEL_REQUESTED:
        return CancellationState.PENDING
    if state is OrderState.CANCELLED:
        return CancellationState.ACCEPTED
    return CancellationState.REJECTED if answer == "reject" else CancellationState.WITHDRAWN


def _store(session: Session, channel_id: int, row: RemoteCancellation, *, read_ms: int, now_ms: int) -> None:
    values = {
        "c": channel_id,
        "id": row.remote_id,
        "order": row.order_id,
        "state": row.state.value,
        "status": row.remote_status,
        "lines": json.dumps(row.lines),
        "by": row.by,
        "reason": row.reason,
        "respond_by": None if row.respond_by is None else to_epoch_ms(row.respond_by),
        "updated": to_epoch_ms(row.updated_at),
        "now": now_ms,
    }
    known = session.execute(
        text("SELECT * FROM cancellation_request WHERE channel_id = :c AND remote_id = :id"), values
    ).first()
    if known is None:
        session.execute(_INSERT, values)
    elif values["updated"] < known.updated_ms:
        return
    else:
        answer, answer_state, detail = _settled(
            known, row.state, read_ms=read_ms, newer=values["updated"] > known.updated_ms
        )
        session.execute(_UPDATE, {**values, "answer": answer, "answer_state": answer_state.value, "detail": detail})
    _note(session, channel_id, row.order_id, now_ms=now_ms)


def _settled(known: Any, shown: CancellationState, *, read_ms: int, newer: bool) -> tuple[str, AnswerState, str]:
    """What became of our answer, by what the channel shows now."""
    same = (known.answer, AnswerState(known.answer_state), known.detail)
    if shown is CancellationState.PENDING and newer and CancellationState(known.state) not in _WAITS:
        return "", AnswerState.NONE, ""  # asked again
    if not same[1].on_its_way or CancellationState(known.state) not in _WAITS:
        return same
    if shown is CancellationState.PENDING:
        late = read_ms >= (known.answered_ms or 0) + ANSWER_SETTLES_MS
        return (known.answer, AnswerState.NONE, NOT_ARRIVED) if late else same
    if shown is _DECIDED[known.answer] or (known.answer == "reject" and shown is CancellationState.WITHDRAWN):
        return known.answer, AnswerState.DONE, ""  # some channels show a refused request like one that was taken back
    if shown is CancellationState.UNKNOWN:
        return same
    return known.answer, AnswerState.REFUSED, f"the channel shows the request as {shown.value}"


def _note(session: Session, channel_id: int, order_remote_id: str, *, now_ms: int) -> None:
    """A request that somebody must answer is a finding with the provider's deadline."""
    rows = session.execute(
        text(
            "SELECT * FROM cancellation_request WHERE channel_id = :c AND order_remote_id = :o "
            "AND state IN ('pending', 'unknown') AND answer_state <> 'done' ORDER BY COALESCE(respond_by_ms, seen_ms), id"
        ),
        {"c": channel_id, "o": order_remote_id},
    ).all()
    if not rows:
        close_finding(session, FINDING, order_remote_id, channel_id=channel_id, now_ms=now_ms)
        return
    first = rows[0]
    details = {"reason": first.reason or first.remote_status, "by": first.by_whom, "request": first.remote_id}
    raise_finding(
        session,
        FINDING,
        order_remote_id,
        channel_id=channel_id,
        now_ms=now_ms,
        deadline_ms=first.respond_by_ms,
        details=details,
    )


def unsettled_since(session: Session, channel_id: int, *, now_ms: int) -> datetime | None:
    """From when the requests must be read again, because an answer got no reply and no newer version of its request came."""
    found = session.execute(
        text(
            "SELECT MIN(updated_ms) FROM cancellation_request WHERE channel_id = :c AND state = 'pending' "
            "AND answer_state IN ('sent', 'unclear', 'done') AND answered_ms <= :late AND updated_ms >= :from"
        ),
        {"c": channel_id, "late": now_ms - ANSWER_SETTLES_MS, "from": now_ms - LOOK_BACK_MS},
    ).scalar()
    return None if found is None else from_epoch_ms(found, where="request")


# ---------------------------------------------------------------------------------------------------------------------- our answers


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request that waits for an answer.

    `units` is how many units it is about, `None` for the whole order. `parcel` says how far the order's parcels are: "" (not booked),
    "booked" or "handed over"; `waybill` is of the furthest one. `answer` is our last one and `answer_state` what became of it.
    """

    id: int
    channel: str
    order: str
    number: str
    request: str
    state: str
    by: str
    reason: str
    units: int | None
    respond_by: datetime | None
    parcel: str
    waybill: str
    answer: str
    answer_state: AnswerState
    detail: str


def pending_requests(
    session: Session, *, channel: str | None = None, name: str | None = None
) -> tuple[PendingRequest, ...]:
    """Requests without an answer that counts, the most urgent first; `name` is an order's id or number, or a request's id."""
    rows = session.execute(
        text(
            "SELECT cancellation_request.*, channel.slug, sales_order.number, sales_order.id AS order_id FROM cancellation_request "
            "JOIN channel ON channel.id = cancellation_request.channel_id LEFT JOIN sales_order "
            "ON sales_order.channel_id = cancellation_request.channel_id "
            "AND sales_order.remote_id = cancellation_request.order_remote_id "
            "WHERE cancellation_request.state IN ('pending', 'unknown') AND cancellation_request.answer_state <> 'done' "
            "AND (CAST(:c AS TEXT) IS NULL OR channel.slug = CAST(:c AS TEXT)) AND (CAST(:n AS TEXT) IS NULL "
            "OR CAST(:n AS TEXT) IN (cancellation_request.order_remote_id, cancellation_request.remote_id, sales_order.number)) "
            "ORDER BY CASE WHEN cancellation_request.respond_by_ms IS NULL THEN 1 ELSE 0 END, "
            "cancellation_request.respond_by_ms, cancellation_request.id"
        ),
        {"c": channel, "n": name},
    ).all()
    found = []
    for row in rows:
        parcel, waybill = _furthest_parcel(session, row.order_id)
        lines = json.loads(row.lines)
        found.append(
            PendingRequest(
                row.id, row.slug, row.order_remote_id, row.number or "", row.remote_id, row.state, row.by_whom, row.reason,
                sum(units for _, units in lines) if lines else None,
                None if row.respond_by_ms is None else from_epoch_ms(row.respond_by_ms, where="request"),
                parcel, waybill, row.answer, AnswerState(row.answer_state), row.detail,
            )
        )  # fmt: skip
    return tuple(found)


def _furthest_parcel(session: Session, order_id: int | None) -> tuple[str, str]:
    rows = session.execute(
        text(
            "SELECT state, waybill FROM parcel WHERE order_id = :o OR id IN (SELECT parcel_unit.parcel_id FROM parcel_unit "
            "JOIN order_line ON order_line.id = parcel_unit.line_id WHERE order_line.order_id = :o) ORDER BY id"
        ),
        {"o": order_id},
    )
    furthest = ("", "")
    for row in rows:
        state = ParcelState(row.state)
        if state.left_shelf:
            return "handed over", row.waybill
        if state.booked and not furthest[0]:
            furthest = ("booked", row.waybill)
    return furthest


def begin_answer(session: Session, request_id: int, *, accept: bool, key: str, now_ms: int, who: str) -> None:
    """Commit an answer as sent, before the call. Raises `BadInput` when the request does not wait for one (any more)."""
    begun = session.execute(
        text(
            "UPDATE cancellation_request SET answer = :a, answer_state = 'sent', answer_key = :k, answered_ms = :now, "
            "answered_by = :w, detail = '' WHERE id = :i AND state = 'pending' AND answer_state IN ('', 'refused')"
        ),
        {"i": request_id, "a": "accept" if accept else "reject", "k": key, "now": now_ms, "w": who},
    )
    if begun.rowcount:  # type: ignore[attr-defined]
        return
    row = session.execute(
        text("SELECT state, answer, answer_state FROM cancellation_request WHERE id = :i"), {"i": request_id}
    ).one()
    if row.state == CancellationState.PENDING and AnswerState(row.answer_state).on_its_way:
        raise BadInput(
            f"the answer {row.answer!r} was sent and got no reply: the next pulls find out what became of it; "
            "only then another one may be sent"
        )
    raise BadInput(f"nothing was sent: the channel shows the request as {row.state}")


def end_answer(
    session: Session, channel_id: int, request_id: int, outcome: AnswerState, *, detail: str, now_ms: int
) -> None:
    """Record what became of an answer that `begin_answer` committed; what reading settled meanwhile is not overwritten."""
    session.execute(
        text("UPDATE cancellation_request SET answer_state = :s, detail = :d WHERE id = :i AND answer_state = 'sent'"),
        {"i": request_id, "s": outcome.value, "d": detail[:300]},
    )
    order = session.execute(
        text("SELECT order_remote_id FROM cancellation_request WHERE id = :i"), {"i": request_id}
    ).scalar_one()
    _note(session, channel_id, order, now_ms=now_ms)


@dataclass(frozen=True, slots=True)
class RequestOfOrder:
    """A request to cancel an order, and our answer."""

    request: str
    state: str
    by: str
    reason: str
    respond_by: datetime | None
    answer: str
    answer_state: AnswerState
    answered: datetime | None
    answered_by: str
    detail: str


def requests_of(session: Session, order_id: int) -> tuple[RequestOfOrder, ...]:
    """All requests to cancel an order of ours (by our id), the oldest first."""
    rows = session.execute(
        text(
            "SELECT cancellation_request.* FROM cancellation_request JOIN sales_order "
            "ON sales_order.channel_id = cancellation_request.channel_id "
            "AND sales_order.remote_id = cancellation_request.order_remote_id "
            "WHERE sales_order.id = :o ORDER BY cancellation_request.id"
        ),
        {"o": order_id},
    )
    return tuple(
        RequestOfOrder(
            row.remote_id,
            row.state,
            row.by_whom,
            row.reason,
            None if row.respond_by_ms is None else from_epoch_ms(row.respond_by_ms, where="request"),
            row.answer,
            AnswerState(row.answer_state),
            None if row.answered_ms is None else from_epoch_ms(row.answered_ms, where="request"),
            row.answered_by,
            row.detail,
        )
        for row in rows
    )


_INSERT = text(
    "INSERT INTO cancellation_request (channel_id, remote_id, order_remote_id, state, remote_status, lines, by_whom, reason, "
    "respond_by_ms, updated_ms, seen_ms, answer, answer_state, answer_key, answered_by, detail) "
    "VALUES (:c, :id, :order, :state, :status, :lines, :by, :reason, :respond_by, :updated, :now, '', '', '', '', '')"
)
_UPDATE = text(
    "UPDATE cancellation_request SET order_remote_id = :order, state = :state, remote_status = :status, lines = :lines, "
    "by_whom = :by, reason = :reason, respond_by_ms = :respond_by, updated_ms = :updated, seen_ms = :now, answer = :answer, "
    "answer_state = :answer_state, detail = :detail WHERE channel_id = :c AND remote_id = :id"
)
