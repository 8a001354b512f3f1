"""How SKUs are bought and what they cost. Plans are changed in place; costs are dated rows that are never changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import BadInput

PLAN_DAYS_MAX = 365
PLAN_UNITS_MAX = 1_000_000
COST_MAX = 1_000_000_000
"""Whole rupiah for one unit; more is a typing error."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a SKU is bought. `None`: the shop's default (days), or nobody said (reorder point). Days and units are whole numbers."""

    supplier: str = ""
    lead_days: int | None = None
    cover_days: int | None = None
    order_multiple: int = 1
    order_min: int = 0
    reorder_point: int | None = None
    discontinued: bool = False


UNPLANNED = Plan()


def plans(session: Session) -> dict[int, Plan]:
    """SKU id -> its plan; a SKU that nobody planned is not in it."""
    rows = session.execute(text(f"SELECT sku_id, {_COLUMNS} FROM sku_plan ORDER BY sku_id"))
    return {row.sku_id: _plan(row) for row in rows}


def plan_of(session: Session, sku_id: int) -> Plan:
    """A SKU's plan, the empty one where nobody planned it."""
    row = session.execute(text(f"SELECT {_COLUMNS} FROM sku_plan WHERE sku_id = :s"), {"s": sku_id}).first()
    return UNPLANNED if row is None else _plan(row)


def save_plan(session: Session, sku_id: int, plan: Plan) -> None:
    """Replace a SKU's plan. Raises `BadInput` for numbers that no supplier has."""
    check_plan(plan)
    session.execute(
        text(
            f"INSERT INTO sku_plan (sku_id, {_COLUMNS}) VALUES (:s, :supplier, :lead_days, :cover_days, :order_multiple, :order_min, "
            ":reorder_point, :discontinued) ON CONFLICT (sku_id) DO UPDATE SET supplier = excluded.supplier, "
            "lead_days = excluded.lead_days, cover_days = excluded.cover_days, order_multiple = excluded.order_multiple, "
            "order_min = excluded.order_min, reorder_point = excluded.reorder_point, discontinued = excluded.discontinued"
        ),
        {"s": sku_id, **{name: getattr(plan, name) for name in plan.__slots__}},
    )


def check_plan(plan: Plan) -> None:
    """Raises `BadInput` for numbers that no supplier has."""
    for name, least, most in (
        ("lead_days", 0, PLAN_DAYS_MAX),
        ("cover_days", 1, PLAN_DAYS_MAX),
        ("order_multiple", 1, PLAN_UNITS_MAX),
        ("order_min", 0, PLAN_UNITS_MAX),
        ("reorder_point", 0, PLAN_UNITS_MAX),
    ):
        value = getattr(plan, name)
        if value is not None and not least <= value <= most:
            raise BadInput(f"{name} is {value}; expected is a whole number from {least} to {most}")


_COLUMNS = "supplier, lead_days, cover_days, order_multiple, order_min, reorder_point, discontinued"


def _plan(row: object) -> Plan:
    found = row._mapping  # type: ignore[attr-defined]
    values = {name: found[name] for name in Plan.__slots__}
    return Plan(**{**values, "discontinued": bool(values["discontinued"])})


# ----------------------------------------------------------------------------------------------------------------------------- costs


@dataclass(frozen=True, slots=True)
class Cost:
    """What one unit costs from a moment on, whole rupiah."""

    amount: int
    since_ms: int


def costs_at(session: Session, at_ms: int) -> dict[int, Cost]:
    """SKU id -> its cost at a moment; a SKU whose cost nobody knows then is not in it."""
    rows = session.execute(
        text(
            "SELECT cost.sku_id, cost.amount, cost.since_ms FROM cost JOIN (SELECT sku_id, MAX(since_ms) AS since_ms FROM cost "
            "WHERE since_ms <= :at GROUP BY sku_id) AS newest ON newest.sku_id = cost.sku_id AND newest.since_ms = cost.since_ms "
            "ORDER BY cost.sku_id"
        ),
        {"at": at_ms},
    )
    return {row.sku_id: Cost(row.amount, row.since_ms) for row in rows}


def cost_of(session: Session, sku_id: int, at_ms: int) -> int | None:
    """What one unit of a SKU costs at a moment, whole rupiah; `None` when nobody knows."""
    found = session.execute(
        text("SELECT amount FROM cost WHERE sku_id = :s AND since_ms <= :at ORDER BY since_ms DESC LIMIT 1"),
        {"s": sku_id, "at": at_ms},
    ).scalar()
    return None if found is None else int(found)


def check_cost(session: Session, sku_id: int, cost: Cost) -> bool:
    """Is this cost new? False where the very same is recorded.

    Raises `BadInput` for an amount out of bounds, and where another cost is recorded from the very same moment on.
    """
    if not 0 <= cost.amount <= COST_MAX:
        raise BadInput(f"a cost of {cost.amount} is not possible; expected is whole rupiah from 0 to {COST_MAX}")
    standing = session.execute(
        text("SELECT amount FROM cost WHERE sku_id = :s AND since_ms = :at"), {"s": sku_id, "at": cost.since_ms}
    ).scalar()
    if standing is not None and standing != cost.amount:
        raise BadInput(
            f"a cost of {standing} is recorded from that moment on, and recorded costs are never changed; "
            "give a later day, or none for now"
        )
    return standing is None


def add_costs(session: Session, costs: Iterable[tuple[int, Cost]], *, now_ms: int, who: str) -> int:
    """Record dated costs of (SKU id, cost); returns how many are new. Raises `BadInput` as `check_cost` does."""
    new = [(sku_id, cost) for sku_id, cost in costs if check_cost(session, sku_id, cost)]
    for sku_id, cost in new:
        session.execute(
            text("INSERT INTO cost (sku_id, since_ms, amount, recorded_ms, who) VALUES (:s, :at, :amount, :now, :who)"),
            {"s": sku_id, "at": cost.since_ms, "amount": cost.amount, "now": now_ms, "who": who},
        )
    return len(new)
