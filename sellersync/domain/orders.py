"""Orders in normal form: what a connector hands to the core, the same for every channel.

An order line carries its units with their own stages, because providers cancel, ship and lose single units. Where the provider
gives every unit an id (Lazada, TikTok Shop) each `Unit` has a `key`; elsewhere units are only counted and `key` is "".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .parcels import RemoteParcel


class UnitStage(StrEnum):
    """What became of a unit that a buyer ordered."""

    OPEN = "open"  # with the seller, still wanted
    CANCELLED = "cancelled"  # cancelled, refunded as a unit, or removed from the order
    LEFT = "left"  # handed to the courier
    DELIVERED = "delivered"
    COMING_BACK = "coming_back"  # failed delivery or buyer's return on its way
    LOST = "lost"
    UNKNOWN = "unknown"  # unreadable: holds stock, releases nothing (L7)

    @property
    def left_shelf(self) -> bool:
        return self in _LEFT_SHELF


_LEFT_SHELF = frozenset({UnitStage.LEFT, UnitStage.DELIVERED, UnitStage.COMING_BACK, UnitStage.LOST})


class Excluded(StrEnum):
    """Does the number that the channel shows already leave this unit out? UNKNOWN counts as YES (undersell, never oversell)."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class OrderState(StrEnum):
    """What the seller may do with an order now. Stock never follows from this, only from the units' stages."""

    UNPAID = "unpaid"
    HELD = "held"  # paid or accepted, but the provider forbids shipping yet (free-cancel hour, screening, capacity)
    READY = "ready"  # may be booked
    BOOKED = "booked"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCEL_REQUESTED = "cancel_requested"  # the buyer asked; somebody must answer; never booked meanwhile
    CANCELLED = "cancelled"
    RETURNING = "returning"
    UNKNOWN = "unknown"

    @property
    def open(self) -> bool:
        """Something can still change or is still to be done by the seller."""
        return self not in (OrderState.COMPLETED, OrderState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Unit:
    """`count` units of a line in one stage. With a `key` (the provider's id of one unit) `count` is 1."""

    stage: UnitStage
    count: int = 1
    key: str = ""
    excluded: Excluded = Excluded.UNKNOWN


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order.

    `key` is built by the connector and identifies the line inside its order; `aliases` are all keys under which the provider may
    show the same line again, strongest first (line id, item id, remote listing), `key` included. `listing` is the remote key of the
    listing that was bought and `target` the remote key of the thing whose number a sale of it lowers (usually the same). Prices are
    whole rupiah for one unit, `None` when unknown. `ours` is False for units that the platform ships from its own warehouse: they
    are recorded and stand in no account.
    """

    key: str
    listing: str
    units: tuple[Unit, ...]
    aliases: tuple[str, ...] = ()
    target: str = ""
    seller_sku: str = ""
    title: str = ""
    unit_price: int | None = None
    ours: bool = True
    location: str = ""

    @property
    def quantity(self) -> int:
        return sum([unit.count for unit in self.units])

    @property
    def cancelled(self) -> int:
        return sum([unit.count for unit in self.units if unit.stage is UnitStage.CANCELLED])

    @property
    def kept_outside(self) -> int:
        """Units that the channel keeps from other buyers without having taken them off the number it shows."""
        outside = [unit for unit in self.units if unit.excluded is Excluded.NO]
        return sum([unit.count for unit in outside if unit.stage in (UnitStage.OPEN, UnitStage.UNKNOWN)])

    @property
    def named(self) -> bool:
        """True where every unit has the provider's own id."""
        return all(unit.key for unit in self.units)


@dataclass(frozen=True, slots=True, repr=False)
class Buyer:
    """Buyer data: sealed by the store apart from the order, masked in every output (L13). Never in a repr."""

    name: str = ""
    phone: str = ""
    email: str = ""
    address: str = ""
    district: str = ""
    city: str = ""
    province: str = ""
    postal_code: str = ""
    country: str = "ID"
    note: str = ""
    masked: bool = False

    def __repr__(self) -> str:
        return "Buyer(sealed)"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as a provider shows it at one moment.

    `updated_at` is the provider's own change time and `created_at` its creation time; `hold_expires_at` is set only where the
    channel gives an unpaid hold back without announcing it. Amounts are whole rupiah or `None` (unknown). `problems` are sentences
    about parts that could not be read; an order with problems is parked (L7).
    """

    remote_id: str
    state: OrderState
    remote_status: str
    created_at: datetime
    updated_at: datetime
    lines: tuple[OrderLine, ...]
    parcels: tuple[RemoteParcel, ...] = ()
    paid_at: datetime | None = None
    cancelled_at: datetime | None = None
    shipped_at: datetime | None = None
    ship_by: datetime | None = None
    cancel_respond_by: datetime | None = None
    hold_expires_at: datetime | None = None
    number: str = ""
    storefront: str = ""
    cod: bool = False
    currency: str = "IDR"
    goods_total: int | None = None
    shipping_fee: int | None = None
    discount_total: int | None = None
    total: int | None = None
    payment_method: str = ""
    courier_service: str = ""
    cancel_by: str = ""
    cancel_reason: str = ""
    buyer: Buyer | None = None
    problems: tuple[str, ...] = ()
    meta: dict[str, str] = field(default_factory=dict)


class Freshness(StrEnum):
    """How a delivered version of an order relates to the one we hold."""

    FIRST = "first"
    NEWER = "newer"
    SAME = "same"
    OLDER = "older"


@dataclass(frozen=True, slots=True)
class Version:
    """(the provider's change time, when we started to read it, digest of the content)."""

    updated_at: datetime
    read_started_at: datetime
    digest: str


def freshness(known: Version | None, incoming: Version) -> Freshness:
    """Is `incoming` newer than `known`? (L2)

    A lower provider time is older. Equal provider time with the same content is the same; with other content the later read wins. A
    higher provider time is newer even with the same content: its time must be kept, so that what lay between (paid, cancelled, paid
    again) is known as older when it arrives late.
    """
    if known is None:
        return Freshness.FIRST
    if incoming.updated_at < known.updated_at:
        return Freshness.OLDER
    if incoming.updated_at > known.updated_at:
        return Freshness.NEWER
    if incoming.digest == known.digest:
        return Freshness.SAME
    return Freshness.NEWER if incoming.read_started_at >= known.read_started_at else Freshness.OLDER


def match_lines(known: Sequence[Iterable[str]], incoming: Sequence[OrderLine]) -> list[int | None]:
    """Which known line (by index) is each incoming line? `None` where it is new.

    `known` holds all keys ever seen for each known line; each known line is used once. The strongest alias is tried for all lines
    before the next one. A key that several lines share decides only when nothing tells them apart, so neither an unstable key nor a
    shared one can swap two lines.
    """
    keys = [frozenset(aliases) for aliases in known]
    aliases = [(line.key, *line.aliases) for line in incoming]
    result: list[int | None] = [None] * len(incoming)
    free = set(range(len(keys)))
    depth_max = max((len(own) for own in aliases), default=0)
    for shared_too in (False, True):
        for depth in range(depth_max):
            for index, own in enumerate(aliases):
                if result[index] is not None or depth >= len(own):
                    continue
                candidates = [candidate for candidate in sorted(free) if own[depth] in keys[candidate]]
                rivals = sum(result[other] is None and own[depth] in theirs for other, theirs in enumerate(aliases))
                if candidates and (shared_too or (len(candidates) == 1 and rivals == 1)):
                    result[index] = candidates[0]
                    free.discard(candidates[0])
    return result
