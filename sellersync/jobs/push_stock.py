"""Stock out: lower at once, then pull that channel, compute at send time, raise. Absolute numbers only; sent is committed before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sellersync.connector.contract import LevelAnswer, PushOutcome, Stream, TargetKey, Want
from sellersync.domain.errors import Held, LeaseLost
from sellersync.domain.levels import Decision, PushPlan, plan_pushes
from sellersync.domain.times import to_epoch_ms
from sellersync.store import pages, pushes, work
from sellersync.store.findings import keep_findings
from sellersync.store.ledger import Session
from sellersync.store.target_facts import target_facts, units_beyond_levels

from . import compare_stock, pull_orders
from .world import Run, Shop, World, paused, running

JOB = "push_stock"
PULL_WAIT_S = 30.0
READ_BACK_MAX = 200


async def run(world: World, shop: Shop, *, wait_s: float = 0.0, force: bool = False) -> Run | None:
    """Bring one channel's numbers to what the ledger wants. `None` when it is backing off (unless `force`) or not ready for pushes."""
    if not force and await paused(world, shop.id):
        return None
    states = await world.ledger.read(work.channels)
    if not any(state.id == shop.id and state.first_walk_done for state in states):
        return None
    ended: set[int] = set()
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        now_ms = world.ledger.now_ms()
        await world.ledger.write(partial(_begin, shop=shop, now_ms=now_ms), name="push_begin")
        await _read_back(world, shop, run, ended)
        plan = await _plan(world, shop, fresh=False)
        await _send(world, shop, run, plan.send, fresh=False)
        if plan.need_pull:
            plan = await _plan_fresh(world, shop, run, plan, ended)
            await _send(world, shop, run, plan.send, fresh=True)
        run.at_end.append(partial(_finish, world=world, shop=shop, plan=plan, run=run))
    if ended:
        await _compare_ended(world, shop, ended)
    return run


async def _compare_ended(world: World, shop: Shop, ended: set[int]) -> None:
    """A campaign is over: what became of its units decides about the number, so that is looked at now."""
    try:
        await compare_stock.run(world, shop, only=ended)
    except Held:
        return  # the pots still stand as they were, and are read again at the next run


def _begin(session: Session, *, shop: Shop, now_ms: int) -> None:
    settles_s = shop.channel.capabilities.write_settles_s
    pushes.forget_unanswered(session, shop.id, now_ms=now_ms, write_settles_s=settles_s)


async def _read_back(world: World, shop: Shop, run: Run, ended: set[int]) -> None:
    """Numbers whose write was unclear are read back once the provider has certainly finished with it, and pots while there are any."""
    now_ms = world.ledger.now_ms()
    due = await world.ledger.read(partial(pushes.due_read_backs, channel_id=shop.id, now_ms=now_ms))
    if shop.channel.capabilities.campaign_pots:
        due += await world.ledger.read(partial(pushes.due_pots, channel_id=shop.id, now_ms=now_ms))
    await _read_levels(world, shop, run, list(dict.fromkeys(due)), ended, settled_before_ms=now_ms)


async def _read_levels(
    world: World, shop: Shop, run: Run, targets: Sequence[TargetKey], ended: set[int], *, settled_before_ms: int
) -> None:
    """Read these numbers; targets whose pot is empty now are added to `ended`."""
    for start in range(0, len(targets), READ_BACK_MAX):
        levels = await shop.channel.levels(targets[start : start + READ_BACK_MAX])
        recorded = await world.ledger.write(
            partial(
                pushes.record_shown,
                channel_id=shop.id,
                levels=levels,
                now_ms=world.ledger.now_ms(),
                clear_after_ms=settled_before_ms,
            ),
            name="record_shown",
        )
        run.count("read_back", len(levels))
        run.count("differed", recorded.differed)
        run.count("pots_ended", len(recorded.pots_ended))
        ended.update(recorded.pots_ended)


async def _plan(world: World, shop: Shop, *, fresh: bool, only: Sequence[int] | None = None) -> PushPlan:
    return await world.ledger.read(lambda session: _planned(session, world, shop, fresh=fresh, only=only))


def _planned(session: Session, world: World, shop: Shop, *, fresh: bool, only: Sequence[int] | None) -> PushPlan:
    facts = target_facts(
        session,
        shop.id,
        now_ms=world.ledger.now_ms(),
        pots=shop.channel.capabilities.campaign_pots,
        extra_buffer=world.policy.buffer,
        blind_sold=_blind_sold(session, world, shop),
        only=only,
        sellers=_sellers(world),
    )
    return plan_pushes(facts, shop.push_policy(world.policy), fresh=fresh)


def _sellers(world: World) -> dict[int, bool]:
    """The channels at work, and whether their numbers can be lowered."""
    return {shop.id: shop.channel.capabilities.can_decrease for shop in world.shops}


def _blind_sold(session: Session, world: World, shop: Shop) -> dict[int, int]:
    """What the channels that cannot be pulled right now have probably sold since they were last seen."""
    now = world.clock.now()
    blind: dict[int, int] = {}
    for state in work.channels(session):
        if (
            state.kind != "channel"
            or state.id == shop.id
            or state.last_pull is None
            or state.id not in {s.id for s in world.shops}
        ):
            continue
        unseen = now - state.last_pull
        if unseen > timedelta(seconds=world.policy.blind_after_s):
            blind[state.id] = round(unseen / timedelta(milliseconds=1))
    return pages.blind_sales(session, blind, now_ms=to_epoch_ms(now))


async def _plan_fresh(world: World, shop: Shop, run: Run, before: PushPlan, ended: set[int]) -> PushPlan:
    """A raise or an unknown number goes out only after a fresh pull of this very channel, computed after it."""
    pulled = await pull_orders.run(world, shop, wait_s=PULL_WAIT_S, force=True)
    if pulled is None or not pulled.ok:
        run.count("waiting_for_pull", len(before.need_pull))
        return before
    if shop.channel.capabilities.campaign_pots:
        targets = [decision.key for decision in before.need_pull]
        await _read_levels(world, shop, run, targets, ended, settled_before_ms=0)
    return await _plan(world, shop, fresh=True)


async def _send(world: World, shop: Shop, run: Run, decisions: Sequence[Decision], *, fresh: bool) -> None:
    """Send decisions batch by batch; each batch is computed anew, committed as sent, sent, and its answers recorded."""
    by_key = {decision.key: decision for decision in decisions}
    provisional = [Want(decision.key, decision.level, decision.expected, "") for decision in decisions]
    for batch in shop.channel.level_batches(provisional):
        targets = [by_key[want.target].target_id for want in batch]
        sent = await world.ledger.write(
            partial(_commit_sent, world=world, shop=shop, run=run, targets=targets, fresh=fresh), name="push_sent"
        )
        if not sent:
            continue
        answers = await shop.channel.set_levels([one.want for one in sent])
        await world.ledger.write(
            partial(_record, world=world, shop=shop, run=run, sent=sent, answers=answers), name="push_answered"
        )
        for answer in answers:
            run.count(answer.outcome.value)


def _commit_sent(
    session: Session, *, world: World, shop: Shop, run: Run, targets: Sequence[int], fresh: bool
) -> list[pushes.Sent]:
    work.check_lease(session, run.lease, now_ms=world.ledger.now_ms(), ttl_ms=work.LEASE_MS)
    plan = _planned(session, world, shop, fresh=fresh, only=targets)
    first_from = world.clock.now()
    mark = work.mark_of(session, shop.id, Stream.ORDERS.value, first_from=first_from)
    return pushes.mark_sent(session, plan.send, now_ms=world.ledger.now_ms(), window_from=mark.at)


def _record(
    session: Session, *, world: World, shop: Shop, run: Run, sent: Sequence[pushes.Sent], answers: Sequence[LevelAnswer]
) -> None:
    by_target = {answer.target: answer for answer in answers} if _still_ours(session, world, run) else {}
    capabilities = shop.channel.capabilities
    provider_now: datetime = shop.channel.provider_now()
    pushes.record_answers(
        session,
        shop.id,
        [(one, by_target.get(one.want.target) or _unanswered(one.want.target)) for one in sent],
        now_ms=world.ledger.now_ms(),
        provider_now=provider_now,
        visibility_delay_s=capabilities.visibility_delay_s,
        write_settles_s=capabilities.write_settles_s,
    )


def _still_ours(session: Session, world: World, run: Run) -> bool:
    """An answer under a lost lease tells nothing: another process may have sent another number meanwhile."""
    try:
        work.check_lease(session, run.lease, now_ms=world.ledger.now_ms(), ttl_ms=work.LEASE_MS)
    except LeaseLost:
        return False
    return True


def _unanswered(target: TargetKey) -> LevelAnswer:
    return LevelAnswer(target, PushOutcome.UNCLEAR, why="the channel did not answer for it in time")


def _finish(session: Session, *, world: World, shop: Shop, plan: PushPlan, run: Run) -> None:
    now_ms = world.ledger.now_ms()
    pushes.hold_zeroes(session, shop.id, plan.zero_held, now_ms=now_ms)
    uncounted: dict[str, dict[str, int]] = {key: {} for key in pushes.names_of(session, plan.uncounted)}
    keep_findings(session, "uncounted", uncounted, now_ms=now_ms, channel_id=shop.id)
    below = {pushes.names_of(session, [target_id])[0]: {"level": level} for target_id, level in plan.below_floor}
    keep_findings(session, "below_floor", below, now_ms=now_ms, channel_id=shop.id)
    stuck = {decision.key.remote_key: {"level": decision.level} for decision in plan.undecreasable}
    keep_findings(session, "cannot_decrease", stuck, now_ms=now_ms, channel_id=shop.id)
    keep_findings(session, "kept_back", _kept_back(session, world, shop), now_ms=now_ms, channel_id=shop.id)
    run.count("uncounted", len(plan.uncounted))
    if run.counts.get(PushOutcome.APPLIED.value):
        work.note_ok(session, shop.id, now_ms=now_ms, pushed=True)


def _kept_back(session: Session, world: World, shop: Shop) -> dict[str, dict[str, Any]]:
    """Numbers of this channel that cannot be lowered, with what all others keep back because of it (B34)."""
    beyond = units_beyond_levels(
        session, {shop.id: _sellers(world)[shop.id]}, now_ms=world.ledger.now_ms(), extra_buffer=world.policy.buffer
    )
    return {
        f"{one.key.remote_key}@{one.key.location}".rstrip("@"): {
            "shown": one.shown,
            "level": one.level,
            "units": one.units,
        }
        for one in beyond
    }
