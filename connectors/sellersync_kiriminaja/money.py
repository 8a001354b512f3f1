"""KiriminAja's money rules (API documentation, 2026): the caller computes fees and sends them. Whole rupiah; percentages are exact
decimals, never floats."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

INSURANCE_STEP = 100


def insurance_amount(item_value: int, percent: Decimal) -> int:
    """What insuring goods of `item_value` costs: rounded up to the next Rp100. `percent` is a fraction (0.002 is 0.2 %)."""
    steps = (Decimal(item_value) * percent / INSURANCE_STEP).to_integral_value(ROUND_CEILING)
    return int(steps) * INSURANCE_STEP


def cod_fee(item_value: int, shipping_cost: int, insurance: int, percent: Decimal) -> int:
    """`add_cost`: a fraction of goods, shipping and insurance together, rounded up to the next rupiah."""
    subtotal = item_value + shipping_cost + insurance
    return int((Decimal(subtotal) * percent).to_integral_value(ROUND_CEILING))
