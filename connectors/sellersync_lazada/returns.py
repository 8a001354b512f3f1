"""Returns: what a reverse order says about units that a buyer wants to give back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.returns import RemoteReturn, ReturnState
from sellersync.domain.times import from_epoch_ms

from .api import LazadaApi
from .mapping import Item
from .reverse import units_of
from .values import first, rows_of, text, truth, whole
from .warehouses import Warehouses

WireRow = Mapping[str, Any]

RETURN_STATES: Mapping[str, ReturnState] = {
    "REQUEST_INITIATE": ReturnState.REQUESTED,
    "CS_APPROVING": ReturnState.REQUESTED,
    "SELLER_AGREE_RETURN": ReturnState.APPROVED,
    "SELLER_AGREE_REFUND": ReturnState.APPROVED,
    "REFUND_PENDING": ReturnState.APPROVED,
    "REFUND_AUTHORIZED": ReturnState.APPROVED,
    "BUYER_RETURN_ITEM": ReturnState.COMING_BACK,
    "REFUND_SUCCESS": ReturnState.CLOSED,
    "REQUEST_COMPLETE": ReturnState.CLOSED,
    "REQUEST_CANCEL": ReturnState.WITHDRAWN,
    "REQUEST_REJECT": ReturnState.WITHDRAWN,
    "SELLER_REJECT_RETURN": ReturnState.WITHDRAWN,
    "REFUND_REJECT": ReturnState.WITHDRAWN,
}
"""`reverse_status` -> state (values seen in another connector; their meaning is read from the names, unconfirmed)."""


async def read_returns(
    api: LazadaApi, rows: Sequence[WireRow], skipped: list[str], *, warehouses: Warehouses
) -> list[RemoteReturn]:
    """The returns among these reverse orders; what cannot be read is told in `skipped`."""
    wanted = [row for row in rows if text(row.get("request_type")).upper() != "CANCEL"]
    units = await units_of(api, wanted, warehouses, skipped)
    returns: list[RemoteReturn] = []
    for row in wanted:
        try:
            returns.extend(returns_of(row, units.get(text(row.get("trade_order_id")), {})))
        except Unrecognised as unreadable:
            skipped.append(f"return {text(row.get('reverse_order_id')) or '?'}: {unreadable}")
    return returns


def returns_of(row: WireRow, units: Mapping[str, Item]) -> list[RemoteReturn]:
    """One reverse order -> one return for each of its lines, because each line (one unit) has its own status. Pure."""
    only_refund = text(row.get("request_type")).upper() == "ONLY_REFUND"
    to_seller = truth(row.get("is_rtm"))
    result = []
    for line in rows_of(row.get("reverse_order_lines"), where="reverse_order_lines"):
        line_id, unit_id = text(line.get("reverse_order_line_id")), text(line.get("trade_order_line_id"))
        if not line_id:
            raise Unrecognised("a return line without its id", f"keys {sorted(line)}")
        status = text(line.get("reverse_status"))
        state = RETURN_STATES.get(status, ReturnState.UNKNOWN)
        if only_refund and state is not ReturnState.WITHDRAWN:
            state = ReturnState.REFUND_ONLY
        unit = units.get(unit_id)
        modified = first(line, "return_order_line_gmt_modified", "return_order_line_gmt_create")
        sla = text(line.get("sla"))
        result.append(
            RemoteReturn(
                remote_id=line_id,
                order_id=text(row.get("trade_order_id")),
                state=state,
                remote_status=status,
                lines=((unit.line_key if unit else unit_id, 1),),
                refund_amount=refund_amount(line, unit),
                goods_come_back=to_seller and not only_refund,
                updated_at=from_epoch_ms(modified, where=f"return {line_id} modified"),
                respond_by=from_epoch_ms(sla, where=f"return {line_id} sla") if sla.isdigit() and sla != "0" else None,
                waybill=text(line.get("tracking_number")),
                reason=text(line.get("reason_text")),
            )
        )
    return result


def refund_amount(line: WireRow, unit: Item | None) -> int | None:
    """Refund in whole rupiah. The reference says that amounts here are in cents, which is not verified for Indonesia (unconfirmed):
    the unit's price in the order decides, and where the two do not match the amount is unknown."""
    if unit is None or not unit.unit_price or not text(line.get("refund_amount")):
        return None
    try:
        price = whole(line.get("item_unit_price"), where="item_unit_price")
        refund = whole(line.get("refund_amount"), where="refund_amount")
    except Unrecognised:
        return None
    if price == unit.unit_price:
        return refund
    if price == unit.unit_price * 100 and refund % 100 == 0:
        return refund // 100
    return None
