"""What does each channel really show? Pull, look, pull again; every difference is named by its class and treated by its policy (L4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from sellersync.connector.contract import ShownLevel
from sellersync.domain.differences import Difference, DifferencePolicy, Seen, classify
from sellersync.store import differences, work
from sellersync.store.ledger import Session

from . import pull_orders
from .world import Run, Shop, World, paused, running

JOB = "compare_stock"
TARGETS_MAX = 200
PULL_WAIT_S = 30.0
SETTLED_ALONE = frozenset({Difference.PUSH_IN_FLIGHT, Difference.ORDER_NOT_SEEN})
"""Classes that the next pull and push settle without anybody."""


async def run(
    world: World, shop: Shop, *, wait_s: float = 0.0, force: bool = False, only: Collection[int] | None = None
) -> Run | None:
    """Compare what one channel shows with what is expected, of all its targets or `only` of these. `None` when it is backing off (unless
    `force`), and before its first walk is complete: nothing was sent to it yet, so nothing is expected there."""
    if not force and await paused(world, shop.id):
        return None
    states = await world.ledger.read(work.channels)
    if not any(state.id == shop.id and state.first_walk_done for state in states):
        return None
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        targets = await world.ledger.read(partial(differences.targets_of, channel_id=shop.id))
        targets = [target for target in targets if only is None or target.id in only]
        for start in range(0, len(targets), TARGETS_MAX):
            await _compare(world, shop, targets[start : start + TARGETS_MAX], run)
        run.at_end.append(partial(_finish, world=world, shop=shop))
    return run


async def _compare(world: World, shop: Shop, targets: Sequence[differences.Watched], run: Run) -> None:
    await pull_orders.run(world, shop, wait_s=PULL_WAIT_S, force=True)
    before = await world.ledger.read(
        partial(differences.watch, channel_id=shop.id, ids=[target.id for target in targets])
    )
    shown = {level.target: level for level in await shop.channel.levels([target.key for target in targets])}
    pulled = await pull_orders.run(world, shop, wait_s=PULL_WAIT_S, force=True)
    if pulled is None or not pulled.ok:
        run.count("not_comparable", len(targets))
        return
    after = await world.ledger.read(
        partial(differences.watch, channel_id=shop.id, ids=[target.id for target in targets])
    )
    found = _classified(before, after, shown)
    run.count("compared", len(targets))
    for difference in found.values():
        run.count(difference.value)
    policies = world.policy.differences
    await world.ledger.write(
        lambda session: _record(session, world, shop, before, shown, found, policies), name="compare_record"
    )


def _classified(
    before: Mapping[int, differences.Watched],
    after: Mapping[int, differences.Watched],
    shown: Mapping[differences.TargetKey, ShownLevel],
) -> dict[int, Difference]:
    found: dict[int, Difference] = {}
    for target_id, then in before.items():
        level = shown.get(then.key)
        now = after[target_id]
        seen = Seen(
            shown=None if level is None else level.shown,
            expected_before=then.expected,
            expected_after=now.expected,
            refused=bool(then.blocked),
            pot_before=then.pot,
            pot_now=None if level is None else level.held_aside,
        )
        difference = classify(seen)
        if difference is not None:
            found[target_id] = difference
    return found


def _record(
    session: Session,
    world: World,
    shop: Shop,
    before: Mapping[int, differences.Watched],
    shown: Mapping[differences.TargetKey, ShownLevel],
    found: Mapping[int, Difference],
    policies: Mapping[Difference, DifferencePolicy],
) -> None:
    now_ms = world.ledger.now_ms()
    for target_id, target in before.items():
        level = shown.get(target.key)
        if level is not None:
            differences.note_seen(session, target_id, level, now_ms=now_ms)
        difference = found.get(target_id)
        if difference is None or difference in SETTLED_ALONE:
            differences.close(session, shop.id, target, now_ms=now_ms)
            continue
        policy = policies.get(difference, DifferencePolicy.REPORT)
        if policy is DifferencePolicy.OVERWRITE:
            differences.forget_expected(session, target_id)
        differences.note(
            session, shop.id, target, difference, policy, shown=None if level is None else level.shown, now_ms=now_ms
        )


def _finish(session: Session, *, world: World, shop: Shop) -> None:
    work.note_ok(session, shop.id, now_ms=world.ledger.now_ms())
