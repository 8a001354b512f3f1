"""Returns: Shopee's words into the domain's, pure (API reference, 2026-08)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah_or_none
from sellersync.domain.returns import RemoteReturn, ReturnState
from sellersync.domain.times import from_epoch_s

from .fields import remote_key

RETURN_STATES: Mapping[str, ReturnState] = MappingProxyType(
    {
        "REQUESTED": ReturnState.REQUESTED,
        "JUDGING": ReturnState.REQUESTED,
        "SELLER_DISPUTE": ReturnState.REQUESTED,
        "ACCEPTED": ReturnState.APPROVED,
        "PROCESSING": ReturnState.APPROVED,
        "CLOSED": ReturnState.CLOSED,
        "CANCELLED": ReturnState.WITHDRAWN,
    }
)
REFUND_ONLY = 1


def read_return(row: Mapping[str, Any]) -> RemoteReturn:
    """One row of `get_return_list`. An unknown status is kept as UNKNOWN. Raises `Unrecognised` when ids or times are unreadable."""
    return_sn, order_sn = str(row.get("return_sn") or ""), str(row.get("order_sn") or "")
    if not return_sn or not order_sn:
        raise Unrecognised("a return without its ids", f"keys {sorted(row)}")
    status = str(row.get("status") or "").strip()
    refund_only = row.get("return_solution") == REFUND_ONLY
    goods_come_back = bool(row.get("needs_logistics")) and not refund_only
    state = RETURN_STATES.get(status, ReturnState.UNKNOWN)
    if state is ReturnState.APPROVED and not goods_come_back:
        state = ReturnState.REFUND_ONLY
    due = row.get("return_seller_due_date") or row.get("due_date")
    try:
        lines = tuple(
            (remote_key(item.get("item_id"), item.get("model_id")), int(str(item.get("amount") or 0)))
            for item in row.get("item") or ()
        )
    except (TypeError, ValueError, AttributeError):
        raise Unrecognised(f"return {return_sn}: unreadable items", repr(row.get("item"))) from None
    return RemoteReturn(
        remote_id=return_sn,
        order_id=order_sn,
        state=state,
        remote_status=status,
        lines=lines,
        refund_amount=rupiah_or_none(row.get("refund_amount"), where=f"return {return_sn} refund_amount"),
        goods_come_back=goods_come_back,
        updated_at=from_epoch_s(row.get("update_time"), where=f"return {return_sn} update_time"),
        respond_by=from_epoch_s(due, where="due_date") if due else None,
        waybill=str(row.get("tracking_number") or ""),
        reason=str(row.get("text_reason") or row.get("reason") or ""),
    )
