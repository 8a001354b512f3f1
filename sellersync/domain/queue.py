"""What must leave the shelf, and when: the queue of the packing desk over all channels, as pure functions.

An entry is the units of one order that lie in one parcel (or in none yet). Every unit that an open order holds on the shelf is in
exactly one entry (`split`), and every entry in exactly one group (`place`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from .orders import OrderState
from .parcels import ParcelState


class Group(StrEnum):
    """Where an entry stands in the queue, the most urgent first."""

    LATE = "late"  # its deadline has passed
    TODAY = "today"  # no later collection would keep its deadline
    LATER = "later"
    HELD = "held"  # it cannot be shipped now, see `Reason`


class Reason(StrEnum):
    """Why an entry cannot be shipped now; the first one that applies is told."""

    UNREADABLE = "unreadable"  # the order could not be understood
    CANCEL_REQUESTED = "cancel_requested"  # the buyer asked, somebody must answer
    UNPAID = "unpaid"
    CANCELLING = "cancelling"  # its booking is being cancelled
    CLAIM_PERSON = "claim_person"  # nobody knows whether it is booked: a person must say
    CLAIM_OPEN = "claim_open"  # nobody knows yet whether it is booked: it is looked up
    PROBLEM = "problem"  # the courier or channel stopped it
    CHANNEL_HOLD = "channel_hold"  # the channel does not release it: free-cancel hour, screening
    PENDING_TERMS = "pending_terms"  # the channel does not let this parcel be booked yet
    PARKED_LINE = "parked_line"  # a listing in it has no SKU
    SHORT = "short"  # its goods are sold out: older orders take them
    BALANCE = "balance"  # the courier's prepaid balance is too low
    REFUSED = "refused"  # its booking was refused


CHANNEL_WAITS = frozenset({Reason.CANCEL_REQUESTED, Reason.UNPAID, Reason.CHANNEL_HOLD, Reason.PENDING_TERMS})
"""The deadline of such an entry is not ours to keep: it may not be shipped."""


@dataclass(frozen=True, slots=True)
class DeskRules:
    """The seller's promises. `cut_offs` holds the couriers that collect at another time, by name in lower case; `own_sites` the slugs
    of the channels whose deadlines are the seller's own promise."""

    zone: ZoneInfo = ZoneInfo("Asia/Jakarta")  # noqa: RUF009 - immutable
    ship_within: timedelta = timedelta(hours=24)
    cut_off: time = time(16, 0)
    cut_offs: Mapping[str, time] = field(default_factory=dict)
    own_sites: frozenset[str] = frozenset()

    def cut_off_of(self, courier: str) -> time:
        """When the courier collects; "" for one that is not chosen yet."""
        return self.cut_offs.get(courier.strip().lower(), self.cut_off)


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides about one entry. `parcel_state` is `None` for units that are in no parcel yet."""

    order_state: OrderState
    parcel_state: ParcelState | None = None
    deadline: datetime | None = None
    courier: str = ""
    unreadable: bool = False
    parked_line: bool = False
    short: bool = False
    claim: str = ""  # "" | open | person
    cancelling: bool = False
    balance: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands. `leave_by` is the collection that keeps the deadline, or the deadline itself once that collection is
    over (`cut_off_missed`). `day` is the shop's day on which it must leave, `None` without a deadline."""

    group: Group
    reason: Reason | None = None
    late: bool = False
    leave_by: datetime | None = None
    cut_off_missed: bool = False
    day: date | None = None


def place(facts: Facts, rules: DeskRules, now: datetime) -> Place:
    """The group of one entry, and why it is held."""
    reason = held_because(facts)
    if facts.deadline is None:
        return Place(Group.LATER if reason is None else Group.HELD, reason)
    today = now.astimezone(rules.zone).date()
    collection = last_collection(facts.deadline, rules.cut_off_of(facts.courier), rules.zone)
    late = facts.deadline < now
    missed = collection <= now
    day = max(collection.astimezone(rules.zone).date(), today)
    if reason is not None:
        group = Group.HELD
    elif late:
        group = Group.LATE
    else:
        group = Group.TODAY if day <= today else Group.LATER
    return Place(group, reason, late, facts.deadline if missed else collection, missed, day)


def held_because(facts: Facts) -> Reason | None:
    """Why an entry cannot be shipped now; `None` when it can.

    What only keeps a parcel from being booked is no reason any more once it is booked.
    """
    booked = facts.parcel_state is not None and facts.parcel_state.booked
    stopped = facts.parcel_state in (ParcelState.PROBLEM, ParcelState.UNKNOWN)
    reasons = (
        (Reason.UNREADABLE, facts.unreadable or facts.order_state is OrderState.UNKNOWN),
        (Reason.CANCEL_REQUESTED, facts.order_state is OrderState.CANCEL_REQUESTED),
        (Reason.UNPAID, facts.order_state is OrderState.UNPAID),
        (Reason.CANCELLING, facts.cancelling),
        (Reason.CLAIM_PERSON, facts.claim == "person"),
        (Reason.CLAIM_OPEN, facts.claim == "open"),
        (Reason.PROBLEM, stopped),
        (Reason.CHANNEL_HOLD, not booked and facts.order_state is OrderState.HELD),
        (Reason.PENDING_TERMS, facts.parcel_state is ParcelState.WAITING),
        (Reason.PARKED_LINE, not booked and facts.parked_line),
        (Reason.SHORT, facts.short),
        (Reason.BALANCE, not booked and facts.balance),
        (Reason.REFUSED, not booked and facts.refused),
    )
    return next((reason for reason, applies in reasons if applies), None)


def last_collection(deadline: datetime, cut_off: time, zone: ZoneInfo) -> datetime:
    """The last moment at or before the deadline at which the courier collects."""
    local = deadline.astimezone(zone)
    collection = datetime.combine(local.date(), cut_off, zone)
    if collection > local:
        collection = datetime.combine(local.date() - timedelta(days=1), cut_off, zone)
    return collection.astimezone(deadline.tzinfo)


def promise(state: OrderState, *, paid_at: datetime | None, placed_at: datetime, rules: DeskRules) -> datetime | None:
    """When an own-site order must leave: counted from its payment, where none is told (COD) from its placing; `None` while it is
    neither paid nor accepted."""
    if paid_at is None and state in (OrderState.UNPAID, OrderState.HELD):
        return None
    return (paid_at or placed_at) + rules.ship_within


def split(on_shelf: Mapping[int, int], parcels: Sequence[tuple[int, Mapping[int, int]]]) -> list[dict[int, int]]:
    """Which units of an order lie in which of its parcels: one dict (line -> units) per parcel, then one for the units in no parcel.

    `on_shelf` says how many units of each line the order holds on the shelf, `parcels` how many each parcel claims of them. A parcel
    that claims more than there are (some were cancelled) holds as many as there are; what nobody claims is in no parcel.
    """
    left = dict(on_shelf)
    result: list[dict[int, int]] = []
    for _, claimed in parcels:
        held = {}
        for line, count in claimed.items():
            taken = min(count, left.get(line, 0))
            if taken > 0:
                held[line] = taken
                left[line] -= taken
        result.append(held)
    result.append({line: count for line, count in left.items() if count > 0})
    return result
