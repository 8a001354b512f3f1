"""Which units were sold beyond the stock, and the one cause of each: pure functions of facts.

The shelf is replayed in the order in which buyers bought, not in the order in which the ledger heard of it. A unit is sold beyond the
stock when its sale takes `available` below zero, or when a count or adjustment afterwards shows that it never lay there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .times import from_epoch_ms


class ChangeKind(StrEnum):
    """What changed the units available."""

    SALE = "sale"  # an order took them
    RELEASE = "release"  # an order gave them back
    CORRECTION = "correction"  # receipt, count, adjustment, grading


@dataclass(frozen=True, slots=True)
class Change:
    """Units of one SKU in one warehouse that became available (`units` > 0) or were taken. `at_ms` is when buyers or people did it:
    for an order's first sale when it was placed."""

    id: int
    at_ms: int
    units: int
    kind: ChangeKind
    order_id: int | None = None


@dataclass(frozen=True, slots=True)
class Beyond:
    """`units` of an order beyond the stock. `change_id` is what took them below zero: the order's own sale, or a correction."""

    order_id: int
    units: int
    at_ms: int
    change_id: int
    kind: ChangeKind


def units_beyond(
    opening: int, changes: Iterable[Change], *, since_ms: int, reserved: Sequence[tuple[int, int]] = ()
) -> list[Beyond]:
    """Replay `changes` of one SKU in one warehouse from `opening` units; what happened before `since_ms` only moves the number.

    Units that a correction shows to be missing are those of the newest sales that still stand. `reserved`: (order, units) of sales from
    before the changes, the oldest first.
    """
    available, found = opening, list[Beyond]()
    standing = [[order_id, units] for order_id, units in reserved]  # units that still stand and lay on the shelf
    for change in sorted(changes, key=lambda change: (change.at_ms, change.id)):
        missing = max(0, -available)
        available += change.units
        more = max(0, -available) - missing if change.at_ms > since_ms else 0
        if change.kind is ChangeKind.SALE and change.order_id is not None:
            standing.append([change.order_id, -change.units - max(more, 0)])
            if more > 0:
                found.append(Beyond(change.order_id, more, change.at_ms, change.id, change.kind))
        elif change.kind is ChangeKind.RELEASE:
            _give_back(standing, change.order_id, change.units)
        elif more > 0:
            found += _taken_away(standing, more, change)
    return found


def _give_back(standing: list[list[int]], order_id: int | None, units: int) -> None:
    for sale in reversed(standing):
        if sale[0] == order_id:
            taken = min(sale[1], units)
            sale[1] -= taken
            units -= taken


def _taken_away(standing: list[list[int]], units: int, change: Change) -> list[Beyond]:
    found = []
    for sale in reversed(standing):
        taken = min(sale[1], units)
        if taken:
            sale[1] -= taken
            units -= taken
            found.append(Beyond(sale[0], taken, change.at_ms, change.id, change.kind))
    return found


class Cause(StrEnum):
    """Why a unit could be sold twice; exactly one for each."""

    UNPAID_HOLD = (
        "unpaid_hold"  # its own hold had run out before it was paid, and it was sold to somebody else meanwhile
    )
    COUNT_ERROR = "count_error"  # a count or adjustment shows that it never lay on the shelf
    MAPPING = "mapping"  # the listing of one of the two orders had no SKU when it was sold
    EDITED_BY_HAND = "edited_by_hand"  # somebody had raised the number on the channel
    CAMPAIGN_LOCK = "campaign_lock"  # the channel does not let us lower the number, or sells from a pot beside it
    PULL_LAG = "pull_lag"  # the first sale had not been read from its channel yet
    PUSH_LAG = "push_lag"  # it had been read, and the other channel had not accepted the lower number yet
    UNKNOWN = "unknown"  # the facts do not say


@dataclass(frozen=True, slots=True)
class SaleFacts:
    """A sale of the unit. Times are unix milliseconds: placed and paid on the provider's clock (whole seconds on most), seen when it
    was first recorded, moved when the ledger took the unit as movement `version`. `unmapped` until then for want of a SKU."""

    order_id: int
    channel_id: int
    placed_ms: int
    paid_ms: int | None
    seen_ms: int
    moved_ms: int
    version: int
    units: int = 1
    unmapped: bool = False


@dataclass(frozen=True, slots=True)
class SentLevel:
    """A level that was sent to a number; it includes every movement up to `version`."""

    version: int
    wanted_ms: int
    sent_ms: int
    answered_ms: int | None
    applied: bool
    level: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides about one unit.

    `second` is the sale beyond the stock; `first` the newest earlier sale that the number shown to the second buyer did not include,
    `None` where it included them all; `sent` the first level with the first sale that was accepted, else the first that was tried.
    `corrected_ms`: when a count or adjustment took the unit away after it was sold. `released_ms`: when its own hold had run out.
    `edited`: the number was found edited by hand about then. `locked`: the channel kept us from lowering it then.
    """

    second: SaleFacts
    first: SaleFacts | None = None
    sent: SentLevel | None = None
    corrected_ms: int | None = None
    first_count: bool = False
    released_ms: int | None = None
    edited: bool = False
    locked: bool = False


def cause_of(facts: Facts) -> Cause:
    """The one cause, by the first of these questions that is answered with yes.

    1. Had the order's own hold run out before it was paid? Then the unit was free to be sold. UNPAID_HOLD
    2. Did a count or adjustment take the unit away after its sale? No speed would have helped. COUNT_ERROR; but the first count of a
       SKU says nothing about what lay there when it was sold. UNKNOWN
    3. Was one of the two sales recorded only after its listing was mapped? MAPPING
    4. Had somebody raised the number on the channel? EDITED_BY_HAND
    5. Did the channel keep us from lowering it? CAMPAIGN_LOCK
    6. Is there no earlier sale that the number did not include? UNKNOWN
    7. Was the first sale seen only after the second was placed? PULL_LAG
    8. Was no level with the first sale accepted before the second was placed? PUSH_LAG; else UNKNOWN
    """
    first, second, sent = facts.first, facts.second, facts.sent
    if facts.released_ms is not None:
        return Cause.UNPAID_HOLD
    if facts.corrected_ms is not None:
        return Cause.UNKNOWN if facts.first_count else Cause.COUNT_ERROR
    if second.unmapped or (first is not None and first.unmapped):
        return Cause.MAPPING
    if facts.edited:
        return Cause.EDITED_BY_HAND
    if facts.locked:
        return Cause.CAMPAIGN_LOCK
    if first is None:
        return Cause.UNKNOWN
    if first.seen_ms > second.placed_ms:
        return Cause.PULL_LAG
    accepted = sent is not None and sent.applied and sent.answered_ms is not None
    if not accepted or (sent is not None and sent.answered_ms is not None and sent.answered_ms > second.placed_ms):
        return Cause.PUSH_LAG
    return Cause.UNKNOWN


# ------------------------------------------------------------------------------------------------- what a number did not include


@dataclass(frozen=True, slots=True)
class Number:
    """A number shown to the second buyer: the levels sent to it, in order, and the (start, end) of the push runs of its channel that
    left nothing waiting."""

    channel_id: int
    sent: Sequence[SentLevel]
    complete_runs: Sequence[tuple[int, int]] = ()
    own_orders: Collection[int] = ()
    """Orders that were sold through this very number: the channel lowers it for them itself."""


def not_included(second: SaleFacts, earlier: Iterable[SaleFacts], numbers: Sequence[Number]) -> list[SaleFacts]:
    """The earlier sales that some number shown to the second buyer did not include when it was placed, the oldest first."""
    found = [sale for sale in earlier if any(not _included(sale, number, second.placed_ms) for number in numbers)]
    return sorted(found, key=lambda sale: (sale.placed_ms, sale.version))


def _included(sale: SaleFacts, number: Number, at_ms: int) -> bool:
    accepted = [one for one in number.sent if _accepted(one) and (one.answered_ms or 0) <= at_ms]
    last = accepted[-1] if accepted else None
    if last is not None and last.version >= sale.version:
        return True
    if sale.order_id in number.own_orders and (last is None or sale.placed_ms > last.sent_ms):
        return True  # the channel took it off its number itself, and nothing was written over that
    checked = next((end for start, end in number.complete_runs if start >= sale.moved_ms), None)
    tried = [
        one for one in number.sent if one.version >= sale.version and checked is not None and one.sent_ms <= checked
    ]
    return checked is not None and checked <= at_ms and not tried  # a look at all numbers found nothing to send


def level_with(sale: SaleFacts, numbers: Sequence[Number]) -> SentLevel | None:
    """The first accepted level that includes a sale, else the first one that was tried."""
    including = [one for number in numbers for one in number.sent if one.version >= sale.version]
    accepted = [one for one in including if _accepted(one)]
    if accepted:
        return min(accepted, key=lambda one: one.answered_ms or 0)
    return min(including, key=lambda one: one.sent_ms, default=None)


def _accepted(one: SentLevel) -> bool:
    return one.applied and one.answered_ms is not None


def shares(units: int, pending: Sequence[SaleFacts]) -> list[tuple[SaleFacts | None, int]]:
    """Which earlier sale each of `units` met: the newest that was not included took the last unit. (sale or `None`, units)."""
    found: list[tuple[SaleFacts | None, int]] = []
    for sale in reversed(pending):
        if not units:
            break
        taken = min(units, sale.units)
        found.append((sale, taken))
        units -= taken
    return [*found, (None, units)] if units else found


# ------------------------------------------------------------------------------------------------------------------ what people read

STEPS = (
    "first_paid",
    "first_seen",
    "ledger_moved",
    "push_wanted",
    "push_sent",
    "push_accepted",
    "second_paid",
    "second_seen",
)


@dataclass(frozen=True, slots=True)
class SaleOfUnit:
    """One of the two sales: channel slug, order id and number."""

    channel: str
    order: str
    number: str

    @property
    def name(self) -> str:
        return self.number or self.order


@dataclass(frozen=True, slots=True)
class Step:
    """A moment of the timeline; `after_ms` since the first one that is known. `None`: it did not happen, or nobody knows when."""

    name: str
    at: datetime | None
    after_ms: int | None


@dataclass(frozen=True, slots=True)
class Oversell:
    """`units` of a SKU sold beyond the stock by the order `second`, with one cause. `first` took the unit before it, where known; `at` is
    when the second was placed, or when a correction showed that the unit was missing."""

    sku: str
    title: str
    units: int
    cause: Cause
    first: SaleOfUnit | None
    second: SaleOfUnit
    at: datetime
    timeline: tuple[Step, ...]


def timeline(facts: Facts) -> tuple[Step, ...]:
    """The eight moments between the two sales, in milliseconds since the first known one."""
    first, second, sent = facts.first, facts.second, facts.sent
    moments = (
        None if first is None else first.paid_ms or first.placed_ms,
        None if first is None else first.seen_ms,
        None if first is None else first.moved_ms,
        None if sent is None else sent.wanted_ms,
        None if sent is None else sent.sent_ms,
        sent.answered_ms if sent is not None and sent.applied else None,
        second.paid_ms or second.placed_ms,
        second.seen_ms,
    )
    begun = next(at for at in moments if at is not None)
    return tuple(
        Step(name, None, None) if at is None else Step(name, from_epoch_ms(at, where="timeline"), at - begun)
        for name, at in zip(STEPS, moments, strict=True)
    )
