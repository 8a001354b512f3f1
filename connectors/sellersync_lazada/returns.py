"""Returns: walking them by modification time, and reading one.

The platform pages returns by number, in an order that it does not document: a page that shifts while being read shows as a total that
changes, and the window is read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sellersync.connector.contract import Mark, Page
from sellersync.domain.errors import CapExceeded, Temporary, Unrecognised
from sellersync.domain.returns import RemoteReturn, ReturnState
from sellersync.domain.times import from_epoch_ms, to_epoch_ms

from .api import RETURNS_PAGE_SIZE, LazadaApi
from .mapping import Item, items_of
from .values import first, rows_of, text, truth, whole
from .walk import WINDOW_MAX, read_items

WireRow = Mapping[str, Any]

CLOCK_MARGIN = timedelta(days=1)  # the range needs an end; ours lies safely behind the platform's present
RETURN_PAGES_MAX = 1_000
RETURN_RESTARTS_MAX = 5

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


async def walk_returns(
    api: LazadaApi, mark: Mark, *, now: datetime, overlap: timedelta, warehouse_code: str
) -> AsyncIterator[Page]:
    """All returns changed since `mark`, window by window. A window is one page of rows, however many calls it took: an unfinished
    one is simply read again."""
    closed = mark.at
    while True:
        start = closed - overlap
        bound = start + WINDOW_MAX if now - start > WINDOW_MAX else None
        page = await _window(api, start, bound, now, warehouse_code)
        yield page
        assert page.closes is not None
        closed = page.closes
        if bound is None or closed < bound:
            return


async def _window(api: LazadaApi, start: datetime, bound: datetime | None, now: datetime, warehouse_code: str) -> Page:
    for _ in range(RETURN_RESTARTS_MAX):
        rows: dict[str, WireRow] = {}
        first_total: int | None = None
        for page_no in range(1, RETURN_PAGES_MAX + 1):
            found, total, reply = await api.reverse_orders(
                modified_from_ms=to_epoch_ms(start),
                modified_to_ms=to_epoch_ms(bound or now + CLOCK_MARGIN),
                page_no=page_no,
            )
            if first_total is None:
                first_total, opened = total, reply
            rows.update((text(row.get("reverse_order_id")), row) for row in found)
            if total != first_total or not found or page_no * RETURNS_PAGE_SIZE >= total:
                break
        else:
            raise CapExceeded(f"a window of returns did not end within {RETURN_PAGES_MAX} pages")
        if total == first_total and len(rows) >= total:
            skipped: list[str] = []
            returns = await _read(api, list(rows.values()), warehouse_code, skipped)
            closes = min(bound or opened.provider_now, opened.provider_now)
            return Page(tuple(returns), opened.started_at, closes=closes, skipped=tuple(skipped))
    raise Temporary("the list of returns changes faster than it can be read")


async def _read(api: LazadaApi, rows: Sequence[WireRow], warehouse_code: str, skipped: list[str]) -> list[RemoteReturn]:
    wanted = [row for row in rows if text(row.get("request_type")).upper() != "CANCEL"]
    order_ids = dict.fromkeys(text(row.get("trade_order_id")) for row in wanted)
    items = await read_items(api, [order_id for order_id in order_ids if order_id.isdigit()])
    returns: list[RemoteReturn] = []
    for row in wanted:
        try:
            units = items_of(items.get(text(row.get("trade_order_id")), []), warehouse_code=warehouse_code)
            returns.extend(returns_of(row, {unit.item_id: unit for unit in units}))
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
