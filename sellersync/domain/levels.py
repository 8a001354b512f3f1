"""What number to show, as pure functions: the level of a target, the number it is expected to show, and the plan of a push.

Plan is pure, act is thin: `plan_pushes` turns facts read from the ledger into what may be sent now, what must wait for a fresh pull,
and what a person must see. `jobs/push_stock.py` acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .errors import RejectClass
from .listings import Effect, TargetKey
from .orders import Excluded, Order, OrderLine


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """Everything that decides about one target.

    `sellable`: lowest over the target's listings of the sum over warehouses of what can be made of the available components; `None`
    when a component was never counted there or no listing is mapped. `held_outside`: units of the channel's own open orders that the
    channel keeps from other buyers outside its number. `pot`: units that buyers could take beside the number when it was last read,
    `None` when it never was; `pot_stale`: that was too long ago to raise on. `caused`: a sale, count or adjustment touched it since the
    last acknowledged level. `wanted_at`: when the ledger last changed what decides the level. `blind_buffer`: units that blind channels
    probably sold meanwhile. `at_risk`: by how much `sellable` is too high because other targets show more than their level and cannot be
    lowered (`units_beyond`). `last_shown`: the number when the channel last confirmed or told it. `locked`: the last lowering was refused
    by a lock.
    """

    target_id: int
    key: TargetKey
    sellable: int | None
    expected: int | None = None
    acked: int | None = None
    last_shown: int | None = None
    held_outside: int = 0
    pot: int | None = 0
    pot_stale: bool = False
    pot_inside: bool = False
    buffer: int = 0
    at_risk: int = 0
    floor: int | None = None
    caused: bool = True
    agreed_zero: bool = False
    blind_buffer: int = 0
    blocked: RejectClass | None = None
    blocked_level: int | None = None
    locked: bool = False
    wanted_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class PushPolicy:
    """The channel's rules and the seller's guard for one push."""

    level_max: int = 999_999
    can_decrease: bool = True
    zero_guard_share: float = 0.2
    zero_guard_min: int = 10
    whole_item_writes: bool = False


def level_of(facts: TargetFacts, *, level_max: int = 999_999) -> int | None:
    """The number the target should show; `None` when it has no level (never counted or unmapped)."""
    if facts.sellable is None:
        return None
    level = facts.sellable - facts.at_risk + facts.held_outside - facts.buffer
    if not facts.pot_inside:
        level -= facts.pot or 0
    return min(max(level, 0), level_max)


LOCKS = frozenset(
    {
        RejectClass.CAMPAIGN_LOCKED,
        RejectClass.CANNOT_DECREASE,
        RejectClass.BELOW_RESERVED,
        RejectClass.ZERO_REFUSED,
    }
)
"""Refusals after which a channel goes on selling by the number that it shows."""


@dataclass(frozen=True, slots=True)
class UnitsBeyond:
    """`at_risk` units that buyers can take on a target beyond its `level`; `shown` is the number it is known to show."""

    at_risk: int = 0
    shown: int | None = None
    level: int | None = None


def units_beyond(facts: TargetFacts, *, can_decrease: bool = True) -> UnitsBeyond:
    """What a target that cannot be lowered to its level sells beyond it: the number that a lock keeps up, or the provider's floor, and a
    pot that is larger than the level.

    A lowering that is merely under way is no risk. Every other target of the same goods keeps these units back (B34): what this one
    sells beyond its level is then missing nowhere else, so that nothing is sold twice.
    """
    if facts.sellable is None:
        return UnitsBeyond()
    pot = 0 if facts.pot_inside else facts.pot or 0
    allowed = max(facts.sellable + facts.held_outside - facts.buffer, 0)
    shown = facts.last_shown if facts.expected is None else facts.expected
    held_up = 0
    if facts.locked or not can_decrease:
        held_up = (facts.floor or 0) if shown is None else shown
    elif facts.floor is not None and facts.floor > allowed - pot:
        held_up = facts.floor if shown is None else min(facts.floor, shown)
    return UnitsBeyond(max(held_up + pot - allowed, 0), shown, max(allowed - pot, 0))


@dataclass(frozen=True, slots=True)
class Decision:
    """Send `level` to the target."""

    target_id: int
    key: TargetKey
    level: int
    expected: int | None
    wanted_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class PushPlan:
    """`send`: may go out now, most urgent first. `need_pull`: only after a fresh pull of the channel. `zero_held`: stopped by the
    suddenly-zero guard. `uncounted`: no level. `undecreasable`: the channel cannot go down. `below_floor`: (target, wanted level) where
    the provider's floor is above the level. `refused`: refused before at this very level."""

    send: tuple[Decision, ...] = ()
    need_pull: tuple[Decision, ...] = ()
    zero_held: tuple[Decision, ...] = ()
    uncounted: tuple[int, ...] = ()
    undecreasable: tuple[Decision, ...] = ()
    below_floor: tuple[tuple[int, int], ...] = ()
    refused: tuple[int, ...] = ()


@dataclass(slots=True)
class _Draft:
    send: list[Decision] = field(default_factory=list)
    need_pull: list[Decision] = field(default_factory=list)
    uncounted: list[int] = field(default_factory=list)
    undecreasable: list[Decision] = field(default_factory=list)
    below_floor: list[tuple[int, int]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)


def plan_pushes(targets: Sequence[TargetFacts], policy: PushPolicy, *, fresh: bool) -> PushPlan:
    """Decide about all targets of one channel.

    `fresh` says that the channel was pulled just now: only then a number may be raised or an unknown one set. A lowering never waits.
    """
    held = {decision.target_id: decision for decision in _zero_guard(targets, policy)}
    draft = _Draft()
    for facts in targets:
        if facts.target_id not in held:
            _decide(facts, policy, fresh, draft)
    if policy.whole_item_writes:
        _complete_items(targets, policy, draft)
    draft.send.sort(key=_urgency)
    return PushPlan(
        tuple(draft.send),
        tuple(draft.need_pull),
        tuple(held.values()),
        tuple(draft.uncounted),
        tuple(draft.undecreasable),
        tuple(draft.below_floor),
        tuple(draft.refused),
    )


def _decide(facts: TargetFacts, policy: PushPolicy, fresh: bool, draft: _Draft) -> None:
    level = level_of(facts, level_max=policy.level_max)
    if level is None:
        draft.uncounted.append(facts.target_id)
        return
    expected = facts.expected
    if facts.floor is not None and level < facts.floor:
        draft.below_floor.append((facts.target_id, level))
        level = facts.floor if expected is None else min(facts.floor, expected)  # a floor never raises what is shown
    if expected is not None and level > expected:
        level = max(expected, level - facts.blind_buffer)
    if level == expected:
        return
    if facts.blocked is not None and facts.blocked_level == level:
        draft.refused.append(facts.target_id)
        return
    decision = Decision(facts.target_id, facts.key, level, expected, facts.wanted_at, facts.version)
    lowers = expected is not None and level < expected
    pot_known = facts.pot_inside or (facts.pot is not None and not facts.pot_stale)
    if lowers and not policy.can_decrease:
        draft.undecreasable.append(decision)
    elif lowers or (fresh and pot_known):
        draft.send.append(decision)
    else:
        draft.need_pull.append(decision)


def _urgency(decision: Decision) -> tuple[bool, int, int]:
    """Lowerings first, and among them the lowest cover first."""
    raises = decision.expected is None or decision.level > decision.expected
    return (raises, decision.level, decision.target_id)


def _zero_guard(targets: Sequence[TargetFacts], policy: PushPolicy) -> list[Decision]:
    """Targets that would go to zero without a cause in the ledger, when they are many (L11)."""
    with_level = 0
    sudden: list[Decision] = []
    for facts in targets:
        level = level_of(facts, level_max=policy.level_max)
        if level is None:
            continue
        with_level += 1
        shown = facts.expected if facts.expected is not None else facts.acked
        explained = facts.caused or facts.at_risk > 0
        if level == 0 and shown and not explained and not facts.agreed_zero:
            sudden.append(Decision(facts.target_id, facts.key, level, facts.expected, facts.wanted_at, facts.version))
    if len(sudden) >= policy.zero_guard_min and len(sudden) > policy.zero_guard_share * with_level:
        return sudden
    return []


def _complete_items(targets: Sequence[TargetFacts], policy: PushPolicy, draft: _Draft) -> None:
    """Where a write must carry every location of an item, the item's other locations go along with their present numbers."""
    sending = {decision.target_id for decision in draft.send}
    items = {decision.key.remote_key for decision in draft.send}
    for facts in targets:
        if facts.key.remote_key not in items or facts.target_id in sending or not facts.key.location:
            continue
        level = facts.expected if facts.expected is not None else level_of(facts, level_max=policy.level_max)
        if level is not None:
            draft.send.append(
                Decision(facts.target_id, facts.key, level, facts.expected, facts.wanted_at, facts.version)
            )


@dataclass(frozen=True, slots=True)
class OwnOrderChange:
    """A new version of one of the channel's own orders that touches a target: which effect on the number it may have had, by how
    many units, and when the provider says that it happened (for a first sighting: when the order was placed)."""

    effect: Effect
    units: int
    at: datetime


def expected_after(
    expected: int | None,
    changes: Iterable[OwnOrderChange],
    *,
    certain: frozenset[Effect],
    window_to: datetime | None,
) -> int | None:
    """The number the channel should show after changes of its own orders; `None` when nobody can know.

    Only an effect that the connector declares certain moves it. A change that happened before `window_to` (the acknowledgement of the
    last push plus the visibility delay) may have been swallowed by that push.
    """
    for change in changes:
        if expected is None or change.effect not in certain:
            return None
        if window_to is not None and change.at <= window_to:
            return None
        if change.effect is Effect.CREATED:
            expected -= change.units
        elif change.effect is Effect.CANCELLED:
            expected += change.units
    return expected


def first_effects(order: Order, line: OrderLine) -> list[OwnOrderChange]:
    """What the channel's number went through because of a line that is seen for the first time."""
    taken = sum([unit.count for unit in line.units if unit.excluded is not Excluded.NO])
    cancelled = line.cancelled
    changes = [OwnOrderChange(Effect.CREATED, taken, order.created_at)]
    if cancelled:
        changes.append(OwnOrderChange(Effect.CANCELLED, cancelled, order.updated_at))
    return changes


def later_effects(before: OrderLine, after: OrderLine, *, at: datetime, paid_now: bool) -> list[OwnOrderChange]:
    """What a newer version of a known line may have done to the channel's number."""
    changes: list[OwnOrderChange] = []
    more_cancelled = after.cancelled - before.cancelled
    more_units = after.quantity - before.quantity
    given_back = max(more_cancelled, 0) + max(-more_units, 0)
    taken = max(more_units, 0) + max(-more_cancelled, 0)
    if given_back:
        changes.append(OwnOrderChange(Effect.CANCELLED, given_back, at))
    if taken:
        changes.append(OwnOrderChange(Effect.CREATED, taken, at))
    if paid_now or before.kept_outside != after.kept_outside:
        changes.append(OwnOrderChange(Effect.PAID, after.quantity, at))
    return changes
