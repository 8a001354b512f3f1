"""Settlements in normal form: what a provider paid out or kept for an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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


class PartGroup(StrEnum):
    """What kind of money a part is, by the provider's name for it."""

    SALE = "sale"  # prices of the goods, less what the seller gave away
    SHIPPING = "shipping"  # paid by buyers and platform, less what the courier took
    FEES = "fees"  # commissions, services, taxes, insurance, ads
    REFUNDS = "refunds"  # given back to buyers
    OTHER = "other"  # corrections, and names that nobody has met yet
    UNEXPLAINED = "unexplained"


_GROUPS: tuple[tuple[PartGroup, tuple[str, ...]], ...] = (
    (PartGroup.UNEXPLAINED, (UNEXPLAINED,)),
    (PartGroup.FEES, ("commission", "protection", "free_shipping", "handling_fee", "tax", "service", "insurance")),
    (PartGroup.REFUNDS, ("refund", "reversal", "return_price")),
    (PartGroup.SHIPPING, ("shipping", "freight", "logistic", "delivery")),
    (PartGroup.FEES, ("fee", "penalty", "ads", "charge", "affiliate", "campaign", "sponsor")),
    (PartGroup.SALE, ("price", "revenue", "discount", "voucher", "subsidy", "sales", "coin", "goods")),
)
"""Words in a part's name, asked in this order: "voucher_xtra_service_fee_amount" is a fee, "voucher_from_seller" is not."""


def part_group(name: str) -> PartGroup:
    """The group of a settlement's part; what no word places is `OTHER`, never guessed into a sale."""
    return next((group for group, words in _GROUPS if any(word in name for word in words)), PartGroup.OTHER)


def share_out(amount: int, weights: Sequence[int]) -> list[int]:
    """Split whole rupiah in proportion to weights that are not negative; the parts sum to the amount. Equal parts when all weigh 0."""
    if not weights:
        return []
    total = sum(weights)
    used = list(weights) if total else [1] * len(weights)
    total = total or len(weights)
    parts = [amount * weight // total for weight in used]
    left = amount - sum(parts)  # floor division leaves less than one rupiah a part
    by_rest = sorted(range(len(used)), key=lambda place: (-(amount * used[place] % total), place))
    for place in by_rest[:left]:
        parts[place] += 1
    return parts
