"""The rows of the simulated shop's tables. Times are whole seconds since the epoch, money is whole rupiah."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sellersync.sandbox.kit import Product


@dataclass(slots=True, eq=False)
class Item:
    """A product or a variation. `manage` is its own switch; a variation without it shares the parent's number if that manages one."""

    id: int
    type: str
    name: str
    sku: str
    price: int
    weight: str
    manage: bool
    stock: int | None
    created_s: int
    modified_s: int
    parent_id: int = 0
    option: str = ""
    backorders: str = "no"
    status: str = "publish"
    variations: list[int] = field(default_factory=list)
    listing: Product | None = None

    @property
    def key(self) -> str:
        return f"{self.parent_id}:{self.id}" if self.parent_id else str(self.id)


@dataclass(slots=True, eq=False)
class Line:
    """A line of an order; `meta` holds what WooCommerce keeps about stock (`_reduced_stock`, `_restock_refunded_items`)."""

    id: int
    name: str
    product_id: int
    variation_id: int
    quantity: int
    total: int
    meta: list[dict[str, Any]] = field(default_factory=list)

    @property
    def item_id(self) -> int:
        return self.variation_id or self.product_id

    @property
    def reduced(self) -> int:
        return next((int(row["value"]) for row in self.meta if row["key"] == "_reduced_stock"), 0)


@dataclass(slots=True, eq=False)
class Refund:
    id: int
    created_s: int
    amount: int
    reason: str
    lines: list[tuple[int, Line, int, int]]  # (refund line id, refunded line, units, amount)

    @property
    def modified_s(self) -> int:
        return self.created_s


@dataclass(slots=True, eq=False)
class Note:
    id: int
    at_s: int
    text: str
    customer: bool


@dataclass(slots=True, eq=False)
class ShopOrder:
    id: int
    status: str
    created_via: str
    created_s: int
    modified_s: int
    modified_at: float
    payment_method: str
    payment_title: str
    key: str
    lines: list[Line]
    billing: dict[str, str]
    shipping: dict[str, str]
    shipping_total: int = 0
    shipping_title: str = ""
    shipping_line_id: int = 0
    customer_note: str = ""
    transaction_id: str = ""
    paid_s: int | None = None
    completed_s: int | None = None
    meta: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    rendered: dict[tuple[str, ...], str] = field(default_factory=dict)
    """JSON by the fields asked for, until the next change."""

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines) + self.shipping_total

    @property
    def refunded(self) -> int:
        return sum(refund.amount for refund in self.refunds)
