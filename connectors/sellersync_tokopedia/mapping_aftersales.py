"""Wire -> domain for cancellations and returns. Pure. Both name their units by line item id."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah_or_none
from sellersync.domain.returns import CancellationState, RemoteCancellation, RemoteReturn, ReturnState

from .mapping import Json, due, text, when

CANCELLATION_STATES: Mapping[str, CancellationState] = {
    "CANCELLATION_REQUEST_PENDING": CancellationState.PENDING,
    "CANCELLATION_REQUEST_SUCCESS": CancellationState.ACCEPTED,
    "CANCELLATION_REQUEST_COMPLETE": CancellationState.ACCEPTED,
    "CANCELLATION_REQUEST_CANCEL": CancellationState.WITHDRAWN,
    "CANCELLATION_REQUEST_CANCELLED": CancellationState.WITHDRAWN,  # the webhooks' spelling
}
RETURN_STATES: Mapping[str, ReturnState] = {
    "RETURN_OR_REFUND_REQUEST_PENDING": ReturnState.REQUESTED,
    "AWAITING_BUYER_SHIP": ReturnState.APPROVED,
    "BUYER_SHIPPED_ITEM": ReturnState.COMING_BACK,
    "RETURN_OR_REFUND_REQUEST_COMPLETE": ReturnState.CLOSED,
    "RETURN_OR_REFUND_REQUEST_SUCCESS": ReturnState.APPROVED,
    "REFUND_OR_RETURN_REQUEST_REJECT": ReturnState.WITHDRAWN,
    "RETURN_OR_REFUND_REQUEST_REJECT": ReturnState.WITHDRAWN,  # the older SDKs' spelling
    "RETURN_OR_REFUND_REQUEST_CANCEL": ReturnState.WITHDRAWN,
}
GOODS_COME_BACK = frozenset({"RETURN_AND_REFUND", "REPLACEMENT", "EXCHANGE"})


def cancellation(row: Json) -> RemoteCancellation:
    """One cancellation. Lines are named by unit id. Raises `Unrecognised` without ids or time."""
    cancel_id, order_id = text(row, "cancel_id"), text(row, "order_id")
    if not cancel_id or not order_id:
        raise Unrecognised("a cancellation without cancel_id or order_id", cancel_id or order_id)
    status = text(row, "cancel_status")
    return RemoteCancellation(
        remote_id=cancel_id,
        order_id=order_id,
        state=CANCELLATION_STATES.get(status, CancellationState.UNKNOWN),
        remote_status=status,
        lines=_case_lines(row, "cancel_line_items"),
        updated_at=due(row, "update_time"),
        respond_by=_respond_by(row),
        by=text(row, "role").lower(),
        reason=text(row, "cancel_reason"),
    )


def returned(row: Json) -> RemoteReturn:
    """One return. A refund alone brings nothing back."""
    return_id, order_id = text(row, "return_id"), text(row, "order_id")
    if not return_id or not order_id:
        raise Unrecognised("a return without return_id or order_id", return_id or order_id)
    status, kind = text(row, "return_status"), text(row, "return_type")
    state = RETURN_STATES.get(status, ReturnState.UNKNOWN)
    if kind == "REFUND" and state is not ReturnState.WITHDRAWN:
        state = ReturnState.REFUND_ONLY
    amount = row.get("refund_amount")
    return RemoteReturn(
        remote_id=return_id,
        order_id=order_id,
        state=state,
        remote_status=status,
        lines=_case_lines(row, "return_line_items"),
        refund_amount=rupiah_or_none(amount.get("refund_total"), where="refund_total")
        if isinstance(amount, Mapping)
        else None,
        goods_come_back=kind in GOODS_COME_BACK,
        updated_at=due(row, "update_time"),
        respond_by=_respond_by(row),
        waybill=text(row, "return_tracking_number"),
        reason=text(row, "return_reason"),
    )


def _case_lines(row: Json, name: str) -> tuple[tuple[str, int], ...]:
    return tuple((text(item, "order_line_item_id"), 1) for item in row.get(name) or () if isinstance(item, Mapping))


def _respond_by(row: Json) -> datetime | None:
    times = [when(action, "deadline") for action in row.get("seller_next_action_response") or ()]
    return min((time for time in times if time is not None), default=None)
