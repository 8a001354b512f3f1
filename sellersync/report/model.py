"""The report as one frozen value: what was read, counted and compared, without a word of any language.

Amounts are whole rupiah. `None` always means unknown, never zero. Texts that came from a channel are already freed of control
characters (`build.clean`). Times are aware UTC; the report's day is [since, until) of the shop's zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sellersync.domain.watching import Trouble

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
    includes them. `blind_since`: its orders are not known from this moment to the end of the report's day."""

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
class Amount:
    """A sum in whole rupiah over the rows whose amount is known, and how many rows are missing from it. `known` is `None` when there are
    rows and none of them is known."""

    known: int | None = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Sales:
    """Orders placed in a day. `units` and `goods` leave out cancelled and unpaid orders and cancelled units; `goods` is the price of
    the goods without shipping."""

    orders: int = 0
    cancelled: int = 0
    unpaid: int = 0
    units: int = 0
    goods: Amount = Amount()


@dataclass(frozen=True, slots=True)
class StorefrontSales:
    """One storefront of a channel. `cancelled_from_before`: orders cancelled in the day that had been placed before it. `before` is the
    same weekday one week earlier, `None` when this ledger did not watch the channel then."""

    channel: str
    storefront: str
    sales: Sales
    cancelled_from_before: int
    before: Sales | None
    blind: bool


@dataclass(frozen=True, slots=True)
class Orders:
    rows: tuple[StorefrontSales, ...]
    total: Sales
    cancelled_from_before: int
    before: Sales | None
    before_day: date
    per_hour: tuple[int, ...]
    """Orders placed in each hour of the shop's clock, 24 numbers."""


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
class Stock:
    """As it stands when the report is made. `window_days` is the length of the sales window, `None` when the ledger is too young."""

    skus: int
    short: tuple[Short, ...]
    short_total: int
    sold_out: tuple[SkuLevel, ...]
    sold_out_total: int
    lowest: tuple[SkuLevel, ...]
    window_days: float | None
    hand_work: tuple[HandWork, ...]


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


@dataclass(frozen=True, slots=True)
class Proof:
    """The ledger's own check: balances rebuilt from movements, seals, and how much it holds."""

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


@dataclass(frozen=True, slots=True)
class Report:
    """One shop day. The same ledger, day and moment give an equal value."""

    shop_name: str
    language: Language
    zone: ZoneInfo
    day: date
    since: datetime
    until: datetime
    now: datetime
    needs: Needs
    health: Health
    orders: Orders
    parcels: Parcels
    stock: Stock
    pushes: Pushes
    proof: Proof

    @property
    def attention(self) -> int:
        """How many things wait for a person: open findings, and a ledger that fails its own check."""
        return self.needs.total + (0 if self.proof.ok else 1)

    @property
    def running(self) -> bool:
        """The day is not over yet."""
        return self.now < self.until
