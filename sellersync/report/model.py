"""The report as one frozen value: what was read, counted and compared, without a word of any language.

Amounts are whole rupiah. `None` always means unknown, never zero. Texts that came from a channel are already freed of control
characters (`reading.clean`). Times are aware UTC; the report's period is [since, until) of the shop's zone. "In the period" is what
happened then; everything else stands as it is at `now`. Money by channel and SKU stands in `model_money`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sellersync.domain.oversell import Cause
from sellersync.domain.watching import Trouble

from .model_money import Amount, Money
from .model_review import ChannelScore, Products, Routine
from .period import Period

Language = Literal["id", "en"]


# ---------------------------------------------------------------------------------------------------------------------- needs you


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a person must settle. `details` are values for the sentences in `words`."""

    kind: str
    channel: str
    subject: str
    details: Mapping[str, Any]
    since: datetime
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class NeedGroup:
    """All open findings of one kind: how many, where, and the first few in full."""

    kind: str
    total: int
    by_channel: tuple[tuple[str, int], ...]
    first: tuple[Need, ...]

    @property
    def more(self) -> int:
        return self.total - len(self.first)

    @property
    def deadline(self) -> datetime | None:
        """The nearest one."""
        return min((need.deadline for need in self.first if need.deadline is not None), default=None)


@dataclass(frozen=True, slots=True)
class Needs:
    """Everything that needs a person, the most urgent kind first."""

    total: int
    opened: int
    closed: int
    groups: tuple[NeedGroup, ...]


# ------------------------------------------------------------------------------------------------------------------------- health


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds. `waiting` are those whose end nobody knows yet."""

    p50_ms: int | None
    p95_ms: int | None
    max_ms: int | None
    samples: int
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """`heard`: orders of this channel, placed until seen. `exposed`: orders elsewhere, placed until this channel accepted a level that
    includes them. `blind_since`: its orders are not known from this moment to the end of the report's period. `authorisation_ends`: end
    of the stored permission, `None` when none is stored or it does not end. `requests`: calls on the quota days (UTC) that begin in the
    period, `None` when none were counted."""

    slug: str
    provider: str
    kind: str
    state: str
    trouble: str
    trouble_since: datetime | None
    last_pull: datetime | None
    last_push: datetime | None
    heard: Latency
    exposed: Latency
    blind: bool
    blind_since: datetime | None
    authorisation_ends: datetime | None = None
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """All channels, and where the time went over all of them: placed, seen, posted, accepted elsewhere."""

    channels: tuple[ChannelHealth, ...]
    exposed: Latency
    heard: Latency
    posted: Latency
    accepted: Latency
    not_needed: int


# ------------------------------------------------------------------------------------------------------------------------- orders


@dataclass(frozen=True, slots=True)
class Sales:
    """Orders placed in a day. `units` and `goods` leave out cancelled and unpaid orders and cancelled units; `goods` is the price of
    the goods without shipping."""

    orders: int = 0
    cancelled: int = 0
    unpaid: int = 0
    units: int = 0
    goods: Amount = field(default_factory=Amount)


@dataclass(frozen=True, slots=True)
class StorefrontSales:
    """One storefront of a channel. `cancelled_from_before`: orders cancelled in the period that had been placed before it. `returned`:
    units of which a return was opened in the period. `before` is the period before (of a day the same weekday one week earlier), `None`
    when this ledger did not watch the channel then."""

    channel: str
    storefront: str
    sales: Sales
    cancelled_from_before: int
    returned: int
    before: Sales | None
    blind: bool


@dataclass(frozen=True, slots=True)
class ChannelSales:
    """All storefronts of a channel together."""

    channel: str
    sales: Sales
    cancelled_from_before: int
    returned: int


@dataclass(frozen=True, slots=True)
class Orders:
    rows: tuple[StorefrontSales, ...]
    channels: tuple[ChannelSales, ...]
    total: Sales
    cancelled_from_before: int
    returned: int
    before: Sales | None
    before_period: Period
    per_hour: tuple[int, ...]
    """Orders placed in each hour of the shop's clock, 24 numbers."""
    per_day: tuple[int, ...]
    """Orders placed on each day of the period."""


# ------------------------------------------------------------------------------------------------------------------------ parcels


@dataclass(frozen=True, slots=True)
class ParcelRow:
    """One selling channel: what happened in the day, and what stands now."""

    channel: str
    booked: int = 0
    handed_over: int = 0
    handed_over_late: int = 0
    delivered: int = 0
    waiting_waybill: int = 0
    trouble: int = 0
    late: int = 0
    due_today: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """Something on the shelf that must leave it. `state` is a parcel's, "" when the order has no parcel yet."""

    channel: str
    order: str
    number: str
    state: str
    waybill: str
    ship_by: datetime


@dataclass(frozen=True, slots=True)
class Stuck:
    """A booking without a known outcome."""

    channel: str
    order: str
    reference: str
    for_person: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Troubled:
    """A parcel on its way that needs a person."""

    trouble: Trouble
    channel: str
    order: str
    contents: str
    courier: str
    waybill: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Parcels:
    """`today` is the shop's day when the report was made; `due_today` must leave on it, because no later collection would keep its
    deadline. What the channel itself holds back is in neither list."""

    rows: tuple[ParcelRow, ...]
    total: ParcelRow
    today: date
    late: tuple[Due, ...]
    late_total: int
    due_today: tuple[Due, ...]
    due_today_total: int
    stuck: tuple[Stuck, ...]
    stuck_total: int
    troubled: tuple[Troubled, ...]
    troubled_total: int


# ------------------------------------------------------------------------------------------------------------------------- returns


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """Units that came back or are to, of one channel ("" for goods that belong to no order). In the period: opened, received (of returns
    whose first parcel came in then), graded by what was found. Now: still awaited, here and not graded yet."""

    channel: str
    opened: int = 0
    received: int = 0
    sellable: int = 0
    damaged: int = 0
    lost: int = 0
    awaited: int = 0
    ungraded: int = 0


@dataclass(frozen=True, slots=True)
class OpenReturn:
    """A return that waits for goods (`awaited` units) or for a grade (`ungraded`)."""

    name: str
    channel: str
    order: str
    title: str
    awaited: int
    ungraded: int
    waybill: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Returns:
    """`open` are the oldest ones; `ageing` of all open ones are older than `ageing_days`."""

    rows: tuple[ReturnRow, ...]
    total: ReturnRow
    open: tuple[OpenReturn, ...]
    open_total: int
    ageing: int
    ageing_days: int


# -------------------------------------------------------------------------------------------------------------------------- stock


@dataclass(frozen=True, slots=True)
class SkuLevel:
    """`sold` units in the window of the stock section; `cover_days` is what is left at that rate, `None` when unknown."""

    code: str
    title: str
    available: int
    sold: int
    cover_days: float | None
    changed: datetime | None


@dataclass(frozen=True, slots=True)
class ShortOrder:
    channel: str
    order: str
    number: str
    units: int


@dataclass(frozen=True, slots=True)
class Short:
    """Units sold beyond what is there, with the newest orders that hold the SKU, as many as are concerned."""

    code: str
    title: str
    warehouse: str
    units: int
    orders: tuple[ShortOrder, ...]


@dataclass(frozen=True, slots=True)
class HandWork:
    """What people entered: documents of a kind (receipt, count, adjustment), units onto and off the shelf."""

    kind: str
    documents: int
    units_in: int
    units_out: int


@dataclass(frozen=True, slots=True)
class SkuOutlook:
    """What is known of a SKU's future. `available` is below zero where more was sold than is there. Units a day with the forecast's error
    beside it; days that its stock lasts at the forecast, and at the forecast plus and minus its error (`None` for ever); units to `buy`
    (`None`: only a person can say); units beyond what will sell; what lies there at cost."""

    code: str
    title: str
    available: int
    per_day: float | None
    error: float | None
    method: str
    cover_days: float | None
    cover_at_least: float | None
    cover_at_most: float | None
    reorder_point: int | None
    buy: int | None
    surplus: int
    value: int | None
    last_sale: date | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """SKUs to buy again, those of which there is too much, and those that nobody buys. `library`: more than the naive methods was tried.
    `error_days`: over how many days the errors were measured; `unknown`: SKUs without a forecast. `value` of all stock at cost."""

    below_reorder: tuple[SkuOutlook, ...]
    below_reorder_total: int
    overstock: tuple[SkuOutlook, ...]
    overstock_total: int
    dead: tuple[SkuOutlook, ...]
    dead_total: int
    skus: int
    unknown: int
    all_methods: bool
    error_days: int
    overstock_days: int
    dead_after_days: int
    value: Amount


@dataclass(frozen=True, slots=True)
class Stock:
    """As it stands when the report is made. `window_days` is the length of the sales window, `None` when the ledger is too young.
    `outlook` is `None` where no forecast was asked for."""

    skus: int
    short: tuple[Short, ...]
    short_total: int
    sold_out: tuple[SkuLevel, ...]
    sold_out_total: int
    lowest: tuple[SkuLevel, ...]
    window_days: float | None
    hand_work: tuple[HandWork, ...]
    short_units: int = 0
    outlook: Outlook | None = None


# --------------------------------------------------------------------------------------------------------------- pushes and proof


@dataclass(frozen=True, slots=True)
class PushRow:
    """Levels sent to a channel in the day; `sent` = applied + refused + unclear + open (sent, no answer recorded yet)."""

    channel: str
    sent: int
    applied: int
    refused: int
    unclear: int
    open: int


@dataclass(frozen=True, slots=True)
class Pushes:
    rows: tuple[PushRow, ...]
    total: PushRow


# ----------------------------------------------------------------------------------------------------------------------- differences


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A number that a channel showed and should not have. `state`: open | sent (ours is on its way, nobody has looked since) |
    overwritten | adopted | gone (it was right again by itself)."""

    channel: str
    subject: str
    cause: str
    shown: int | None
    expected: int | None
    since: datetime
    closed: datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One channel in the period: numbers compared, those that could not be, differences found, and those that stand open now."""

    channel: str
    compared: int
    not_comparable: int
    found: int
    open: int


@dataclass(frozen=True, slots=True)
class Differences:
    """`first` are the open ones and those found or closed in the period, the open ones first."""

    rows: tuple[ComparedRow, ...]
    total: ComparedRow
    first: tuple[DifferenceRow, ...]
    first_total: int


# -------------------------------------------------------------------------------------------------------------------------- proof


@dataclass(frozen=True, slots=True)
class OrderCount:
    """Orders of one channel, counted a second time by another listing. `days_counted` of the period's days; `on_channel` and `in_ledger`
    add up over those. `missing`: ids that the ledger still does not have, `missing_total` of them. `counted`: the oldest of the counts."""

    channel: str
    days: int
    days_counted: int
    on_channel: int
    in_ledger: int
    missing: tuple[str, ...]
    missing_total: int
    repaired: int
    counted: datetime | None


@dataclass(frozen=True, slots=True)
class Oversold:
    """Units of one SKU that `order` took beyond what was there, with the one cause that the facts decide (`domain.oversell`). The first
    order took the unit before it, "" where nobody knows."""

    code: str
    title: str
    units: int
    cause: Cause
    first_channel: str
    first_order: str
    channel: str
    order: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Restated:
    """A figure of this period that is not what was first given out; `since`: when the first change after that was recorded."""

    figure: str
    unit: str
    was: int | None
    now: int | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Proof:
    """The ledger's own check: balances rebuilt from movements, seals, and how much it holds. Seals were checked from movement
    `checked_from` on; those before it were checked at `checked_before`. `orders_counted`: a second count of the channels' orders.
    `oversold` is `None` where nobody looked for causes."""

    ok: bool
    problems: tuple[str, ...]
    problems_total: int
    movements: int
    balances: int
    sealed: int
    last_sealed: datetime | None
    orders: int
    order_lines: int
    skus: int
    listings: int
    counts: int
    checked_from: int = 0
    checked_before: datetime | None = None
    head: tuple[int, str] | None = None
    """The newest sealed movement and its hash: written down elsewhere, it proves the ledger up to here."""
    orders_counted: tuple[OrderCount, ...] = ()
    oversold: tuple[Oversold, ...] | None = None
    oversold_units: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """One shop day, week or month. The same ledger, period and moment give an equal value.

    `first_given`: when a report of this period was first given out, `None` while none was; `restated` are the figures that have changed
    since. `products`, `scorecard` and `routine` belong to weeks and months.
    """

    shop_name: str
    language: Language
    zone: ZoneInfo
    period: Period
    day: date
    """The first day of the period."""
    since: datetime
    until: datetime
    now: datetime
    needs: Needs
    health: Health
    orders: Orders
    parcels: Parcels
    returns: Returns
    stock: Stock
    money: Money
    products: Products | None
    scorecard: tuple[ChannelScore, ...] | None
    routine: Routine | None
    differences: Differences
    pushes: Pushes
    proof: Proof
    first_given: datetime | None = None
    restated: tuple[Restated, ...] = ()

    @property
    def attention(self) -> int:
        """How many things wait for a person: open findings, and a ledger that fails its own check."""
        return self.needs.total + (0 if self.proof.ok else 1)

    @property
    def running(self) -> bool:
        """The period is not over yet."""
        return self.now < self.until
