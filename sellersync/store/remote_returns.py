"""Returns as providers show them. They are kept beside the order and tell of goods to come; stock moves only by a return document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.returns import RemoteReturn, ReturnState
from sellersync.domain.times import from_epoch_ms, to_epoch_ms

from .findings import close_finding, raise_finding
from .returns import settle_returns_of_remote

FINDING = "return_open"
OVER = (ReturnState.CLOSED, ReturnState.WITHDRAWN)


def record_remote_returns(session: Session, channel_id: int, rows: Sequence[RemoteReturn], *, now_ms: int) -> int:
    """Keep the newest version of each return; one that waits for an answer or for goods is a finding. An older version than the known
    one changes nothing. Returns how many rows were new or changed."""
    changed = 0
    for row in rows:
        known = _known(session, channel_id, row.remote_id)
        if known is not None and (known.updated_at > row.updated_at or known == row):
            continue
        values = {**_values(row), "c": channel_id, "id": row.remote_id, "now": now_ms}
        session.execute(_INSERT if known is None else _UPDATE, values)
        _note(session, channel_id, row, now_ms=now_ms)
        changed += 1
    if changed:
        settle_returns_of_remote(session, channel_id, [row.order_id for row in rows], now_ms=now_ms)
    return changed


def _known(session: Session, channel_id: int, remote_id: str) -> RemoteReturn | None:
    row = session.execute(
        text("SELECT * FROM remote_return WHERE channel_id = :c AND remote_id = :i"), {"c": channel_id, "i": remote_id}
    ).first()
    return None if row is None else _return(row)


def remote_returns_of(session: Session, order_id: int) -> tuple[RemoteReturn, ...]:
    """The returns that the provider shows for an order of ours (by our id), the oldest first."""
    rows = session.execute(
        text(
            "SELECT remote_return.* FROM remote_return JOIN sales_order ON sales_order.channel_id = remote_return.channel_id "
            "AND sales_order.remote_id = remote_return.order_remote_id WHERE sales_order.id = :o ORDER BY remote_return.id"
        ),
        {"o": order_id},
    )
    return tuple(_return(row) for row in rows)


def _return(row: Any) -> RemoteReturn:
    return RemoteReturn(
        remote_id=row.remote_id,
        order_id=row.order_remote_id,
        state=ReturnState(row.state),
        remote_status=row.remote_status,
        lines=tuple((key, units) for key, units in json.loads(row.lines)),
        refund_amount=row.refund_amount,
        goods_come_back=bool(row.goods_come_back),
        updated_at=from_epoch_ms(row.updated_ms, where="return"),
        respond_by=None if row.respond_by_ms is None else from_epoch_ms(row.respond_by_ms, where="return"),
        waybill=row.waybill,
        reason=row.reason,
    )


def _values(row: RemoteReturn) -> dict[str, Any]:
    return {
        "order": row.order_id,
        "state": row.state.value,
        "status": row.remote_status,
        "lines": json.dumps(row.lines),
        "refund": row.refund_amount,
        "come_back": row.goods_come_back,
        "waybill": row.waybill,
        "reason": row.reason,
        "respond_by": None if row.respond_by is None else to_epoch_ms(row.respond_by),
        "updated": to_epoch_ms(row.updated_at),
    }


def _note(session: Session, channel_id: int, row: RemoteReturn, *, now_ms: int) -> None:
    if row.state in OVER:
        close_finding(session, FINDING, row.remote_id, channel_id=channel_id, now_ms=now_ms)
        return
    raise_finding(
        session,
        FINDING,
        row.remote_id,
        channel_id=channel_id,
        now_ms=now_ms,
        deadline_ms=to_epoch_ms(row.respond_by) if row.respond_by else None,
        details={
            "order": row.order_id,
            "state": row.state.value,
            "goods_come_back": row.goods_come_back,
            "reason": row.reason,
        },
    )


_INSERT = text(
    "INSERT INTO remote_return (channel_id, remote_id, order_remote_id, state, remote_status, lines, refund_amount, goods_come_back, "
    "waybill, reason, respond_by_ms, updated_ms, seen_ms) "
    "VALUES (:c, :id, :order, :state, :status, :lines, :refund, :come_back, :waybill, :reason, :respond_by, :updated, :now)"
)
_UPDATE = text(
    "UPDATE remote_return SET order_remote_id = :order, state = :state, remote_status = :status, lines = :lines, "
    "refund_amount = :refund, goods_come_back = :come_back, waybill = :waybill, reason = :reason, respond_by_ms = :respond_by, "
    "updated_ms = :updated, seen_ms = :now WHERE channel_id = :c AND remote_id = :id"
)
