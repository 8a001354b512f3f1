"""Money as frozen values: what channels paid out and kept, what goods cost, what couriers took. Whole rupiah; `None` is unknown."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum in whole rupiah over the rows whose amount is known, and how many rows are missing from it. `known` is `None` when there are
    rows and none of them is known."""

    known: int | None = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """What one channel settled in the period. `sale`, `shipping`, `fees`, `refunds`, `other` and `unexplained` sum to `net`; what the
    channel kept is negative. `strangers` of the settlements are of orders that the ledger does not hold. `cost` of the goods counts with
    an order's first settlement; `margin` is net without it, over the settlements whose cost is known."""

    channel: str
    settlements: int = 0
    strangers: int = 0
    net: int = 0
    sale: int = 0
    shipping: int = 0
    fees: int = 0
    refunds: int = 0
    other: int = 0
    unexplained: int = 0
    cost: Amount = field(default_factory=Amount)
    margin: Amount = field(default_factory=Amount)


@dataclass(frozen=True, slots=True)
class SkuMoney:
    """One SKU in the settlements of the period: its share of their net amounts, what its goods cost, and what is left of it."""

    code: str
    title: str
    units: int
    net: int
    cost: int | None
    margin: int | None


@dataclass(frozen=True, slots=True)
class CourierMoney:
    """Parcels of one channel that were booked with couriers of our own in the period: what buyers paid for shipping, what couriers
    charge."""

    channel: str
    parcels: int
    paid: Amount
    charged: Amount


@dataclass(frozen=True, slots=True)
class Money:
    """`silent`: channels that never told of a settlement, so that nothing is known of their fees. `skus` by margin, the best first,
    those of unknown cost last; `not_shared` settlements could not be shared out among their SKUs."""

    rows: tuple[MoneyRow, ...]
    total: MoneyRow
    silent: tuple[str, ...]
    skus: tuple[SkuMoney, ...]
    not_shared: int
    couriers: tuple[CourierMoney, ...]
