"""Finance endpoint of the simulator. Amounts and dates are texts; in which zone a date is read and written is a switch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from .sandbox_aftersales import LazadaAfterSales
from .sandbox_replies import number, refuse, required
from .sandbox_state import Booking

Parameters = Mapping[str, str]

LIMIT_MAX = 500
SPAN_DAYS_MAX = 180
OFFSET_MAX = 1_000_000


def transaction_details(sim: LazadaAfterSales, parameters: Parameters) -> Any:
    if not sim.finance_allowed:
        raise refuse("InsufficientPermission", "App does not have permission to access this api", kind="ISV")
    start, end = (_day(parameters, name) for name in ("start_time", "end_time"))
    if end < start or end - start >= timedelta(days=SPAN_DAYS_MAX):
        raise refuse("1000012", "the time range is too long")
    limit = number(parameters, "limit", 100, low=1, high=LIMIT_MAX, code="19")
    offset = number(parameters, "offset", 0, low=0, high=OFFSET_MAX, code="14")
    if sim.switches["finance_end"] == "exclusive":
        end -= timedelta(days=1)
    zone = sim.zone("finance_zone")
    seen_from = sim.clock() - sim.switches["finance_late_s"]
    rows = [
        row
        for row in sim.books
        if row.booked_at <= seen_from and start <= datetime.fromtimestamp(row.booked_at, zone).date() <= end
    ]
    for name, asked in parameters.items():
        if name == "trade_order_id":
            rows = [row for row in rows if row.order_id == asked]
        elif name == "trade_order_line_id":
            rows = [row for row in rows if row.item is not None and str(row.item.item_id) == asked]
    return [_row(sim, row) for row in rows[offset : offset + limit]]


def _day(parameters: Parameters, name: str) -> date:
    raw = required(parameters, name)
    try:
        if len(raw) == len("2026-11-20"):
            return date.fromisoformat(raw)
    except ValueError:
        pass
    raise refuse("17", f"E017: Invalid Date Format {name}")


def _row(sim: LazadaAfterSales, row: Booking) -> dict[str, str]:
    day = sim.booked_day(row)
    item = row.item
    return {
        "transaction_date": day.isoformat() if sim.switches["finance_dates"] == "iso" else f"{day:%d %b %Y}",
        "transaction_number": f"ID1AB2CD3E-{row.number}",
        "transaction_type": "Orders-Sales" if row.order_id else "Other Services-Others",
        "fee_type": row.fee_type,
        "fee_name": row.fee_name,
        "amount": f"{row.amount}.00",
        "VAT_in_amount": "0.00",
        "WHT_amount": "0.00",
        "WHT_included_in_amount": "No",
        "statement": "",
        "paid_status": "Not paid",
        "order_no": row.order_id,
        "orderItem_no": str(item.item_id) if item else "",
        "orderItem_status": item.status if item else "",
        "seller_sku": item.product.seller_sku if item else "",
        "lazada_sku": item.product.remote_key.replace(":", "_ID-") if item else "",
        "reference": "",
        "comment": "",
    }
