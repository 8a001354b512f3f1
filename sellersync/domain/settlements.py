"""Settlements in normal form: what a provider paid out or kept for an order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the provider paid out or kept for one order, as it shows it now: (name, whole rupiah, negative = kept) rows that sum to `net`.

    A provider that settles an order in several steps (sale, later refund) gives each step an own `remote_id`. Names are the provider's
    own, in snake case; what its rows do not explain stands in a part named "unexplained".
    """

    remote_id: str
    order_id: str
    settled_at: datetime
    net: int
    parts: tuple[tuple[str, int], ...] = ()


def whole_parts(settlement: Settlement) -> dict[str, int]:
    """The parts by name, rows of one name added up; they sum to `net`: what they do not explain is a part of its own."""
    parts: dict[str, int] = {}
    for name, amount in settlement.parts:
        parts[name] = parts.get(name, 0) + amount
    unexplained = settlement.net - sum(parts.values())
    if unexplained:
        parts[UNEXPLAINED] = parts.get(UNEXPLAINED, 0) + unexplained
    return parts
