"""Wire -> domain for statements. Pure.

A statement covers a day of the shop; its lines are sales, adjustments and reserves, each with an id of its own (generated SDK models,
2026-10). Whether costs are shown as negative or positive numbers differs between sources: the reading that adds up is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sellersync.domain.errors import Unrecognised
from sellersync.domain.money import rupiah, rupiah_or_none
from sellersync.domain.settlements import UNEXPLAINED, Settlement

from .mapping import Json, due, text

COSTS = ("shipping_cost_amount", "fee_tax_amount", "adjustment_amount")
SALE = "ORDER"
TOLD_TWICE = "_before_pit"
"""Ending of a fee that repeats another one before a tax on it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A day's statement; `settled_at` is the moment it was made."""

    id: str
    settled_at: datetime


def statement(row: Json) -> Statement:
    """One row of the statements. Raises `Unrecognised` without id or time, and for money that is not rupiah."""
    statement_id, currency = text(row, "id"), text(row, "currency") or "IDR"
    if not re.fullmatch(r"[\w-]+", statement_id):
        raise Unrecognised("a statement without a readable id", repr(row.get("id")))
    if currency != "IDR":
        raise Unrecognised(f"statement {statement_id} is in {currency}, not in rupiah", currency)
    return Statement(statement_id, due(row, "statement_time"))


def settlement(row: Json, of: Statement) -> Settlement:
    """One line of a statement. Ads, penalties and the like belong to no order. Raises `Unrecognised` without an id, without a net
    amount, or for a sale without its order."""
    line_id, kind = text(row, "id"), text(row, "type")
    order_id = text(row, "order_id") or text(row, "adjustment_order_id") or text(row, "associated_order_id")
    if not line_id:
        raise Unrecognised(f"statement {of.id}: a line without id", order_id or kind)
    if kind in ("", SALE) and not order_id:
        raise Unrecognised(f"statement {of.id}: line {line_id} is a sale without order_id", kind)
    net = rupiah(row.get("settlement_amount"), where=f"{line_id} settlement_amount")
    parts = _sale_parts(row, net) if kind in ("", SALE) else {_snake(kind): net}
    rest = net - sum(parts.values())
    if rest:
        parts[UNEXPLAINED] = rest
    return Settlement(
        line_id, order_id, of.settled_at, net, tuple((n, amount) for n, amount in parts.items() if amount)
    )


def _sale_parts(row: Json, net: int) -> dict[str, int]:
    """Revenue and costs; costs of which no reading adds up are left unexplained."""
    revenue = _amount(row, "revenue_amount")
    parts = {} if revenue is None else {"revenue_amount": revenue}
    costs = {name: _amount(row, name) or 0 for name in COSTS}
    for sign in (1, -1):
        if (revenue or 0) + sign * sum(costs.values()) == net:
            return parts | dict(_detailed(row, costs, sign))
    return parts


def _detailed(row: Json, costs: Mapping[str, int], sign: int) -> Iterator[tuple[str, int]]:
    """Costs by name, the fees one by one where they add up to their sum."""
    fees: dict[str, int] = {}
    for name, amount in _leaves(row.get("fee_tax_breakdown")):
        fees[name] = fees.get(name, 0) + amount
    for name, amount in costs.items():
        if (
            name == "fee_tax_amount"
            and fees
            and sum(fees.values()) == amount
            and not set(fees) & {*costs, "revenue_amount"}
        ):
            yield from ((fee, sign * part) for fee, part in fees.items())
        else:
            yield name, sign * amount


def _leaves(breakdown: Any) -> Iterator[tuple[str, int]]:
    """(name, amount) of every readable amount inside a breakdown."""
    for name, value in breakdown.items() if isinstance(breakdown, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        elif not str(name).endswith(TOLD_TWICE) and (amount := _amount(breakdown, name)):
            yield str(name), amount


def _amount(row: Json, name: str) -> int | None:
    """An amount, `None` where it is absent or unreadable: what it was is then unexplained."""
    try:
        return rupiah_or_none(row.get(name), where=name)
    except Unrecognised:
        return None


def _snake(kind: str) -> str:
    """A type of adjustment as a name; some are written with blanks and brackets."""
    return re.sub(r"\W+", "_", kind.strip().lower()).strip("_") or UNEXPLAINED
