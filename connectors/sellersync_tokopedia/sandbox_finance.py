"""Simulated finance endpoints: daily statements and their lines; and the money behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .sandbox_call import Call, Json, Route, bad_parameter, cut_page, refusal
from .sandbox_rows import OrderRow

if TYPE_CHECKING:
    from .sandbox import TokopediaSandbox

DAY_S = 86_400
FIRST_STATEMENT_ID = 3_700_000_000_000_000_000
FIRST_LINE_ID = 3_710_000_000_000_000_000
SHIPPING_COST = 1_500
ORDER_FEE = 1_250


@dataclass(slots=True, eq=False)
class Line:
    """One line of a statement: a settled order, or an adjustment of one (then `kind` is its type)."""

    id: str
    order: OrderRow
    at: int
    kind: str = "ORDER"
    amount: int = 0

    @property
    def statement_time(self) -> int:
        """Statements are made at 00:00 UTC for the day before."""
        return (self.at // DAY_S + 1) * DAY_S

    @property
    def costs(self) -> dict[str, int]:
        """What the platform keeps of a settled order, by name."""
        revenue = self.revenue
        return {
            "platform_commission_amount": revenue * 6 // 100,
            "dynamic_commission_amount": revenue * 4 // 100,
            "seller_paylater_handling_fee_amount": ORDER_FEE,
        }

    @property
    def revenue(self) -> int:
        goods = sum(unit.sku.price for unit in self.order.units if unit.status != "CANCELLED")
        return goods - goods * 5 // 100

    @property
    def net(self) -> int:
        if self.kind != "ORDER":
            return self.amount
        return self.revenue - SHIPPING_COST - sum(self.costs.values())


class Finance:
    """The shop's money: lines in the order in which they were settled."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def settle(self, order: OrderRow, at: int) -> None:
        if order.status in ("UNPAID", "CANCELLED") or any(line.order is order for line in self.lines):
            raise ValueError(f"order {order.id} is {order.status}, it cannot be settled")
        self.lines.append(Line(self._next_id(), order, at))

    def adjust(self, order: OrderRow, amount: int, at: int) -> None:
        kind = "LOGISTICS_REIMBURSEMENT" if amount > 0 else "SHIPPING_FEE_ADJUSTMENT"
        self.lines.append(Line(self._next_id(), order, at, kind, amount))

    def books(self) -> Mapping[str, tuple[str, int]]:
        return {line.id: (line.order.id, line.net) for line in self.lines}

    def statements(self, now_s: int) -> dict[str, list[Line]]:
        """Statement id -> lines, of the statements that have been made."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.statement_time <= now_s:
                found.setdefault(str(FIRST_STATEMENT_ID + line.statement_time // DAY_S), []).append(line)
        return found

    def _next_id(self) -> str:
        return str(FIRST_LINE_ID + len(self.lines) + 1)


def list_statements(sim: TokopediaSandbox, call: Call) -> Json:
    _allowed(sim)
    size = call.page_size(1, 100, 20)
    if call.query.get("sort_field") != "statement_time":
        raise bad_parameter("sort_field is required")
    descending = call.choice("sort_order", "DESC", "ASC") == "DESC"
    first, end = (_seconds(call, name) for name in ("statement_time_ge", "statement_time_lt"))
    made = sim.finance.statements(sim.now_s())
    rows = sorted((lines[0].statement_time, statement_id) for statement_id, lines in made.items())
    rows = [row for row in rows if (first is None or first <= row[0]) and (end is None or row[0] < end)]
    if descending:
        rows.reverse()
    ids, following, _ = cut_page(rows, call, size=size, kind=sim.switches["page_token"], descending=descending)
    shown = [_statement(sim, statement_id, made[statement_id]) for statement_id in ids]
    return {"next_page_token": following, "statements": shown}


def list_lines(sim: TokopediaSandbox, call: Call) -> Json:
    _allowed(sim)
    size = call.page_size(1, 100, 20)
    if call.query.get("sort_field") != "order_create_time":
        raise bad_parameter("sort_field is required")
    descending = call.choice("sort_order", "DESC", "ASC") == "DESC"
    lines = sim.finance.statements(sim.now_s()).get(call.path["statement_id"])
    if lines is None:
        raise bad_parameter("statement_id")
    by_id = {line.id: line for line in lines}
    rows = sorted(((line.order.created, line.id) for line in lines), reverse=descending)
    ids, following, total = cut_page(rows, call, size=size, kind=sim.switches["page_token"], descending=descending)
    return {
        "id": call.path["statement_id"],
        "create_time": lines[0].statement_time,
        "currency": "IDR",
        "status": "SETTLED",
        "total_count": total,
        "total_settlement_amount": str(sum(line.net for line in lines)),
        "next_page_token": following,
        "transactions": [_line(sim, by_id[line_id]) for line_id in ids],
    }


def _allowed(sim: TokopediaSandbox) -> None:
    if not sim.finance_allowed:
        raise refusal(105005, "Access denied: apply the auth package of this API")


def _seconds(call: Call, name: str) -> int | None:
    value = call.query.get(name)
    if value is not None and not (value.isdigit() and len(value) == 10):
        raise bad_parameter(f"{name} must be unix seconds")
    return None if value is None else int(value)


def _shown_cost(sim: TokopediaSandbox, amount: int) -> str:
    return str(-amount if sim.switches["costs_shown"] == "negative" else amount)


def _statement(sim: TokopediaSandbox, statement_id: str, lines: list[Line]) -> Json:
    """The fees of a local seller in South-East Asia include shipping."""
    sales = [line for line in lines if line.kind == "ORDER"]
    fees = sum(line.revenue - line.net for line in sales)
    return {
        "id": statement_id,
        "statement_time": lines[0].statement_time,
        "currency": "IDR",
        "settlement_amount": str(sum(line.net for line in lines)),
        "revenue_amount": str(sum(line.revenue for line in sales)),
        "fee_amount": _shown_cost(sim, fees),
        "adjustment_amount": str(sum(line.net for line in lines if line.kind != "ORDER")),
        "payment_status": "PAID",
        "payment_id": str(int(statement_id) + 5_000),
    }


def _line(sim: TokopediaSandbox, line: Line) -> Json:
    if line.kind != "ORDER":
        return {
            "id": line.id,
            "type": line.kind,
            "adjustment_id": str(int(line.id) + 1_000_000),
            "adjustment_order_id": line.order.id,
            "adjustment_amount": str(line.amount),
            "settlement_amount": str(line.amount),
        }
    fees: dict[str, Any] = {name: _shown_cost(sim, amount) for name, amount in line.costs.items()}
    return {
        "id": line.id,
        "type": "ORDER",
        "order_id": line.order.id,
        "order_create_time": line.order.created,
        "settlement_amount": str(line.net),
        "revenue_amount": str(line.revenue),
        "shipping_cost_amount": _shown_cost(sim, SHIPPING_COST),
        "fee_tax_amount": _shown_cost(sim, sum(line.costs.values())),
        "fee_tax_breakdown": {"fee": fees, "tax": {"vat_amount": "0"}},
    }


PAGED = frozenset({"page_size", "page_token", "sort_field", "sort_order"})
ROUTES = {
    ("GET", "/finance/202309/statements"): Route(list_statements, PAGED | {"statement_time_ge", "statement_time_lt"}),
    ("GET", "/finance/202501/statements/{statement_id}/statement_transactions"): Route(list_lines, PAGED),
}
