"""What weeks and months are looked at for, as frozen values: products, channels, and whether people kept to their routine."""

from __future__ import annotations

from dataclasses import dataclass

from .model_money import Amount


@dataclass(frozen=True, slots=True)
class ProductRow:
    """One SKU in the period. `abc` by its share of the value sold (A the first 80 %, B the next 15 %), "" when nothing of it was sold;
    `xyz` by how evenly it sold over the weeks before (X even, Z at random), "" when too few weeks are known."""

    code: str
    title: str
    units: int
    units_before: int | None
    value: int | None
    available: int
    abc: str
    xyz: str


@dataclass(frozen=True, slots=True)
class Products:
    """`classes`: (A to C, X to Z or "") -> SKUs. `best` sold most units; `slow` have at least twice on the shelf what
    the period sold; those that sold least for it come first.
    `unpriced` units were sold at an unknown price. `weeks`: over how many weeks evenness was measured, 0 when too few are known."""

    classes: tuple[tuple[str, str, int], ...]
    best: tuple[ProductRow, ...]
    slow: tuple[ProductRow, ...]
    slow_total: int
    sold: int
    unpriced: int
    weeks: int


@dataclass(frozen=True, slots=True)
class ChannelScore:
    """One channel in the period. Shares in basis points (1/100 of a percent), `None` where nothing can be divided: fees and margin of
    what was settled as sales, cancelled orders of those placed, returned units of those sold. `exposed_p95_ms`: until it knew of sales
    elsewhere."""

    channel: str
    orders: int
    margin: Amount
    margin_bp: int | None
    fees_bp: int | None
    cancelled_bp: int | None
    returned_bp: int | None
    exposed_p50_ms: int | None
    exposed_p95_ms: int | None


@dataclass(frozen=True, slots=True)
class Routine:
    """How people and machine kept to the routine in the period. `adjustments`: corrections that people entered, `adopted` of them taken
    over from a channel; `zero_agreed`: warnings of a sudden zero that were settled; `overwritten`: numbers on channels that ours
    replaced. `ageing_returns` are open now."""

    handed_over: int
    handed_over_late: int
    late_now: int
    counts: int
    adjustments: int
    adopted: int
    zero_agreed: int
    overwritten: int
    ageing_returns: int
