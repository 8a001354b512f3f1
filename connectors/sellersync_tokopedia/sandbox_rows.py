"""The simulator's rows: listings, orders, packages, after-sales cases, and an index by time."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import Any

from sellersync.sandbox.kit import Product


@dataclass(slots=True)
class Listing:
    """A product with its SKUs; each platform has a listing status of its own ("" = not listed there)."""

    id: str
    title: str
    created: int
    updated: int
    statuses: dict[str, str]
    skus: list[Product] = field(default_factory=list)

    @property
    def on_sale(self) -> bool:
        return "ACTIVATE" in self.statuses.values()


@dataclass(slots=True)
class UnitRow:
    id: str
    sku: Product
    status: str
    counted: bool = False
    """The unit was taken off the number shown."""
    package_id: str = ""
    from_pot: bool = False


@dataclass(slots=True)
class OrderRow:
    id: str
    created: int
    warehouse_id: str
    platform: str
    units: list[UnitRow]
    paid_at: int = 0
    cod: bool = False
    on_hold: bool = False
    cancel_requested: bool = False
    fulfillment_type: str = "FULFILLMENT_BY_SELLER"
    shipping_type: str = "TIKTOK"
    status: str = ""
    updated: int = 0
    changed_at: float = 0.0
    rts_at: int = 0
    cancelled_at: int = 0
    cancel_by: str = ""
    combined: bool = False
    wire: dict[str, Any] | None = None
    """The rendered wire object, kept until the order changes."""


@dataclass(slots=True)
class PackageRow:
    id: str
    order_ids: list[str]
    status: str = "TO_FULFILL"
    sub_status: str = "STOCKING"
    arranged: bool = False
    tracking: str = ""
    handover: str = ""
    slot: dict[str, int] | None = None
    updated: int = 0
    label_at: float = 0.0


@dataclass(slots=True)
class CaseRow:
    """A cancellation or a return."""

    id: str
    order_id: str
    kind: str
    status: str
    role: str
    unit_ids: list[str]
    created: int
    updated: int
    deadline: int = 0
    tracking: str = ""


class TimeIndex:
    """Ids ordered by (second, id), for windows without sorting everything at each call."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, str]] = []
        self._at: dict[str, int] = {}

    def put(self, key: str, at: int) -> None:
        old = self._at.get(key)
        if old == at:
            return
        if old is not None:
            del self._rows[bisect.bisect_left(self._rows, (old, key))]
        bisect.insort(self._rows, (at, key))
        self._at[key] = at

    def between(self, first: int | None, end: int | None) -> list[tuple[int, str]]:
        """Rows with first <= second < end, ascending."""
        low = 0 if first is None else bisect.bisect_left(self._rows, (first, ""))
        high = len(self._rows) if end is None else bisect.bisect_left(self._rows, (end, ""))
        return self._rows[low:high]
