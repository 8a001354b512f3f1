"""Listings, stock targets and levels in normal form: what has a number on a channel, and what becomes of a wanted number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .errors import RejectClass


@dataclass(frozen=True, slots=True, order=True)
class TargetKey:
    """The thing that has a number on a channel: the connector's own key, and a location where the provider keeps one each."""

    remote_key: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class RemoteListing:
    """What a buyer sees. `targets` are the numbers that a sale lowers (several with several warehouses; shared between listings
    where a parent product keeps the stock). `managed` is False where the channel keeps no number for it."""

    key: str
    seller_sku: str
    title: str
    targets: tuple[TargetKey, ...]
    active: bool = True
    managed: bool = True
    variation: str = ""
    barcode: str = ""
    price: int | None = None
    weight_g: int | None = None
    shown: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ShownLevel:
    """What a channel shows for a target now.

    `held_aside` are units that buyers can still take from a pot outside `shown` (campaign locks), `None` when unread. `floor` is the
    lowest number the provider accepts now, `None` when it has none. `shown` is `None` where the provider does not know the target.
    """

    target: TargetKey
    shown: int | None
    read_started_at: datetime
    held_aside: int | None = 0
    floor: int | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """Set `target` to `level` (an absolute number, >= 0). `expected` is what the channel should show before (`None`: unknown).

    `key` is the idempotency key, used where the provider takes one.
    """

    target: TargetKey
    level: int
    expected: int | None
    key: str


class PushOutcome(StrEnum):
    APPLIED = "applied"
    REJECTED = "rejected"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class LevelAnswer:
    """What became of one want. `shown` is the number the provider confirmed (APPLIED), `floor` the lowest number it would accept
    when it said so."""

    target: TargetKey
    outcome: PushOutcome
    shown: int | None = None
    reject: RejectClass | None = None
    why: str = ""
    floor: int | None = None


class Effect(StrEnum):
    """An event of a channel's own order whose effect on the number it shows can be declared certain."""

    CREATED = "created"  # an order lowers the number by its units when it is placed
    CANCELLED = "cancelled"  # a cancellation gives them back
    PAID = "paid"  # paying changes nothing more
