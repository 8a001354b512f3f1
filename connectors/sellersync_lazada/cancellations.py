"""Cancellations: what a reverse order of the type CANCEL says, and answering one.

The platform documents neither what the answer to a decision holds nor whether a refusal needs a reason code, and it lists no codes for
one. So a request is read before it is answered, no reason is sent, and an answer that got lost is settled by reading the request again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sellersync.domain.errors import RejectClass, Rejected, Temporary, Uncertain, Unrecognised
from sellersync.domain.returns import CancellationState, RemoteCancellation
from sellersync.domain.times import from_epoch_ms

from .api import LazadaApi
from .envelope import Answer
from .mapping import Item
from .reverse import units_of
from .values import first, rows_of, text, truth
from .warehouses import Warehouses

WireRow = Mapping[str, Any]

CANCEL = "CANCEL"
STATES: Mapping[str, CancellationState] = {
    "REQUEST_INITIATE": CancellationState.PENDING,
    "CANCEL_INIT": CancellationState.PENDING,
    "CS_APPROVING": CancellationState.PENDING,
    "AGREE_CANCEL_ORDER": CancellationState.ACCEPTED,
    "CANCEL_SUCCESS": CancellationState.ACCEPTED,
    "CANCEL_REFUND_ISSUED": CancellationState.ACCEPTED,
    "REQUEST_COMPLETE": CancellationState.ACCEPTED,
    "REFUND_PENDING": CancellationState.ACCEPTED,
    "REFUND_AUTHORIZED": CancellationState.ACCEPTED,
    "REFUND_SUCCESS": CancellationState.ACCEPTED,
    "REJECT_CANCEL_ORDER": CancellationState.REJECTED,
    "REQUEST_REJECT": CancellationState.REJECTED,
    "REQUEST_CANCEL": CancellationState.WITHDRAWN,
}
"""`reverse_status` -> state (values seen in another connector and in push messages; their meaning is read from the names, unconfirmed)."""


async def read_cancellations(
    api: LazadaApi, rows: Sequence[WireRow], skipped: list[str], *, warehouses: Warehouses
) -> list[RemoteCancellation]:
    """The cancellations among these reverse orders; what cannot be read is told in `skipped`."""
    wanted = [row for row in rows if text(row.get("request_type")).upper() == CANCEL]
    units = await units_of(api, wanted, warehouses, skipped)
    result = []
    for row in wanted:
        try:
            result.append(cancellation_of(row, units.get(text(row.get("trade_order_id")), {})))
        except Unrecognised as unreadable:
            skipped.append(f"cancellation {text(row.get('reverse_order_id')) or '?'}: {unreadable}")
    return result


def cancellation_of(row: WireRow, units: Mapping[str, Item]) -> RemoteCancellation:
    """One reverse order with all its lines, because the seller answers it as a whole. Pure. Raises `Unrecognised`."""
    reverse_id, order_id = text(row.get("reverse_order_id")), text(row.get("trade_order_id"))
    if not reverse_id or not order_id:
        raise Unrecognised("a cancellation without its ids", f"keys {sorted(row)}")
    lines = rows_of(row.get("reverse_order_lines"), where="reverse_order_lines")
    if not lines:
        raise Unrecognised(f"cancellation {reverse_id} without lines", "")
    mine = [units[unit_id] for line in lines if (unit_id := text(line.get("trade_order_line_id"))) in units]
    counts: dict[str, int] = {}
    for line in lines:
        unit = units.get(text(line.get("trade_order_line_id")))
        key = unit.line_key if unit else text(line.get("trade_order_line_id"))
        counts[key] = counts.get(key, 0) + 1
    state = state_of(lines)
    return RemoteCancellation(
        remote_id=reverse_id,
        order_id=order_id,
        state=state,
        remote_status=",".join(sorted({text(line.get("reverse_status")) for line in lines})),
        lines=tuple(counts.items()),
        updated_at=max(_modified(line, reverse_id) for line in lines),
        respond_by=_respond_by(lines, mine, reverse_id) if state is CancellationState.PENDING else None,
        by=next(
            (unit.cancel_by for unit in mine if unit.cancel_by), "buyer" if any(u.cancel_asked for u in mine) else ""
        ),
        reason=next((text(line.get("reason_text")) for line in lines if text(line.get("reason_text"))), ""),
    )


def state_of(lines: Sequence[WireRow]) -> CancellationState:
    """The state of all lines together: one that waits keeps the request open, and where they differ otherwise nobody can say."""
    states = {STATES.get(text(line.get("reverse_status")), CancellationState.UNKNOWN) for line in lines}
    if CancellationState.PENDING in states:
        return CancellationState.PENDING
    return states.pop() if len(states) == 1 else CancellationState.UNKNOWN


def _modified(line: WireRow, reverse_id: str) -> datetime:
    at = first(line, "return_order_line_gmt_modified", "return_order_line_gmt_create")
    return from_epoch_ms(at, where=f"cancellation {reverse_id} modified")


def _respond_by(lines: Sequence[WireRow], units: Sequence[Item], reverse_id: str) -> datetime | None:
    """When the platform cancels by itself: the units say it (`cancel_trigger_time`), else the request's own `sla`."""
    told = [unit.cancel_at for unit in units if unit.cancel_at]
    slas = [text(line.get("sla")) for line in lines]
    told = told or [
        from_epoch_ms(sla, where=f"cancellation {reverse_id} sla") for sla in slas if sla.isdigit() and sla != "0"
    ]
    return min(told, default=None)


async def answer(api: LazadaApi, order_id: str, reverse_id: str, *, accept: bool, key: str) -> None:
    """Accept or refuse a buyer's request. Answering as it was answered before does nothing, so a repetition is harmless.

    Raises `Rejected` (UNKNOWN_ORDER; ALREADY_DONE when it was decided otherwise; SELLER_MUST_ACT when the platform wants a reason code),
    `Uncertain` when it is not known whether the platform took the answer, `Temporary` when nothing was sent.
    """
    what = f"cancellation {reverse_id} of order {order_id}"
    state = await _state(api, order_id, reverse_id, what)
    if state is (CancellationState.ACCEPTED if accept else CancellationState.REJECTED):
        return
    if state is CancellationState.UNKNOWN:
        raise Temporary(f"{what} is in a state that is not documented; look at it in the seller centre")
    if state is not CancellationState.PENDING:
        raise Rejected(what, f"it is {state.value} already", RejectClass.ALREADY_DONE)
    try:
        sent = await api.cancel_decide(reverse_id, agree=accept, reference=key)
    except Rejected as refused:
        if accept or refused.code != "MissingParameter":
            raise
        why = "Lazada wants a reason code for a refusal and documents none; refuse it in the seller centre"
        raise Rejected(what, why, RejectClass.SELLER_MUST_ACT, code=refused.code) from None
    try:
        _refuse_tip(sent, what)
    except Unrecognised as unreadable:
        raise Uncertain(key, f"{what}: unreadable answer: {unreadable}") from None


async def _state(api: LazadaApi, order_id: str, reverse_id: str, what: str) -> CancellationState:
    row = await api.reverse_order(reverse_id) if reverse_id.isdigit() else None
    if row is None or text(row.get("trade_order_id")) != order_id or text(row.get("request_type")).upper() != CANCEL:
        raise Rejected(what, "the platform does not show such a request", RejectClass.UNKNOWN_ORDER)
    try:
        return state_of(rows_of(row.get("reverse_order_lines"), where="reverse_order_lines"))
    except Unrecognised as unreadable:
        raise Temporary(f"{what}: {unreadable}") from None


def _refuse_tip(sent: Answer, what: str) -> None:
    """The seller's own cancellation is refused by a `tip_type` under code 0; nothing says that this call never is."""
    for part in (sent.data, sent.body.get("result")):
        if not isinstance(part, dict):
            continue
        if text(part.get("tip_type")).lower() == "error":
            raise Rejected(what, text(part.get("tip_content")) or "no reason given")
        if "success" in part and not truth(part.get("success")):
            why = text(first(part, "error_msg", "errorMsg")) or "no reason given"
            raise Rejected(what, why, code=text(first(part, "error_code", "errorCode")))
