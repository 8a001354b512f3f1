"""The proof that nothing is missing: each channel's orders of a day, counted a second time by the time at which they were placed.

The walks go by the time of the last change; this count goes by the time of creation, so a fault of the one is seen by the other. What
is missing is read by its id and recorded. A channel that cannot be counted is "not counted", never "none missing"; its trouble here is
its own and does not keep orders or levels waiting.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sellersync.connector.contract import PlacedOrders, Stream
from sellersync.domain.errors import BadInput, Held, LeaseLost, NotSupported, SellersyncError, Temporary
from sellersync.domain.times import day_bounds, from_epoch_ms, shop_day, to_epoch_ms
from sellersync.store import proofs, work
from sellersync.store.ledger import Session
from sellersync.store.proofs import Proof, ProofState

from . import pull_orders
from .world import Run, Shop, World, log, outcome_of, paused, running

JOB = "prove_orders"
AFTER_MIDNIGHT = timedelta(minutes=10)
"""The walks are given so much time to bring the day's last orders."""
RETRY_MS = 60 * 60 * 1000
DAYS_BACK_MAX = 7
"""Days that could not be counted are tried again for so long."""
READ_IDS_MAX = 100
PULL_WAIT_S = 30.0


async def run_due(world: World, shop: Shop, zone: ZoneInfo) -> Run | None:
    """Count and repair the days that are over and were not counted yet, the newest first. `None` when there are none."""
    if not shop.channel.capabilities.counts_placed:
        return None
    now = world.clock.now()
    last = shop_day(now - AFTER_MIDNIGHT, zone) - timedelta(days=1)
    horizon = await world.ledger.read(partial(_horizon, shop=shop))
    first = max(last - timedelta(days=DAYS_BACK_MAX - 1), shop_day(horizon, zone))
    days = await world.ledger.read(
        partial(
            proofs.due_days,
            channel_id=shop.id,
            first=first,
            last=last,
            now_ms=to_epoch_ms(now),
            retry_ms=RETRY_MS,
        )
    )
    done: Run | None = None
    for day in days:
        if world.stopping:
            break
        if await paused(world, shop.id):
            await _note_uncounted(world, shop, day, await _trouble(world, shop))
            continue
        done = await run(world, shop, day, zone, repair=True)
    return done


async def run(world: World, shop: Shop, day: date, zone: ZoneInfo, *, repair: bool = False, wait_s: float = 0.0) -> Run:
    """Count one channel's orders of a shop day that is over; with `repair` read what is missing by id and record it.

    Trouble is kept in the run and, where no count of the day stands, as a finding. Raises `BadInput` for a day that cannot be counted,
    `NotSupported` where the channel does not list orders by their creation, `Held`.
    """
    if not shop.channel.capabilities.counts_placed:
        raise NotSupported(f"{shop.channel.title} does not list orders by their time of creation")
    since, until = day_bounds(day, zone)
    if until > world.clock.now():
        raise BadInput(f"{day} is not over yet in the shop's zone; count it after midnight")
    horizon = await world.ledger.read(partial(_horizon, shop=shop))
    if until <= horizon:
        raise BadInput(
            f"{day} lies before what was read of {shop.slug}: its first pull began at {horizon:%Y-%m-%d %H:%M} UTC"
        )
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        try:
            await _count(world, shop, run, day, max(since, horizon), until, repair=repair)
        except LeaseLost:
            raise
        except Held as held:
            run.outcome, run.error = "temporary", f"{held.what} is being done by {held.owner}"
        except SellersyncError as trouble:
            run.outcome, run.error = outcome_of(trouble), str(trouble)
    if not run.ok:
        log.warning("%s on %s: %s", JOB, shop.slug, run.error)
        await _note_uncounted(world, shop, day, run.error)
    return run


async def _count(
    world: World, shop: Shop, run: Run, day: date, since: datetime, until: datetime, *, repair: bool
) -> None:
    await _walked_past(world, shop, until)
    placed = await shop.channel.placed(since, until)
    ids = list(dict.fromkeys(placed.ids))
    before = await world.ledger.read(partial(proofs.known_ids, channel_id=shop.id, remote_ids=ids))
    missing = [remote_id for remote_id in ids if remote_id not in before]
    if missing and repair:
        for start in range(0, len(missing), READ_IDS_MAX):
            if world.stopping:
                break
            await pull_orders.read_by_id(world, shop, run, missing[start : start + READ_IDS_MAX])
    proof = await world.ledger.write(
        lambda session: _proved(session, world, shop, run, day, since, until, placed, len(missing)), name="record_proof"
    )
    run.count("on_channel", proof.on_channel or 0)
    run.count("missing", len(proof.missing))
    run.count("repaired", proof.repaired)
    run.count("unlisted", len(proof.unlisted))


def _proved(
    session: Session,
    world: World,
    shop: Shop,
    run: Run,
    day: date,
    since: datetime,
    until: datetime,
    placed: PlacedOrders,
    missed: int,
) -> Proof:
    """What the ledger holds against the count, read and recorded in one transaction."""
    now_ms = world.ledger.now_ms()
    work.check_lease(session, run.lease, now_ms=now_ms, ttl_ms=work.LEASE_MS)
    ids = list(dict.fromkeys(placed.ids))
    known = proofs.known_ids(session, shop.id, ids)
    missing = tuple(remote_id for remote_id in ids if remote_id not in known)
    of_day = proofs.orders_of_day(session, shop.id, since_ms=to_epoch_ms(since), until_ms=to_epoch_ms(until))
    listed = set(ids)
    proof = Proof(
        shop.slug,
        day,
        ProofState.MISSING if missing else ProofState.COMPLETE,
        from_epoch_ms(now_ms, where="now"),
        placed.by_field,
        len(ids),
        len(known),
        missing,
        tuple(one for one in of_day if one.remote_id not in listed),
        missed - len(missing),
    )
    proofs.record_proof(session, shop.id, proof, now_ms=now_ms)
    return proof


async def _walked_past(world: World, shop: Shop, until: datetime) -> None:
    """A count before the walk has come so far would miss what is only late. Raises `Temporary`."""
    if await _mark(world, shop) >= until:
        return
    pulled = await pull_orders.run(world, shop, wait_s=PULL_WAIT_S, force=True)
    if await _mark(world, shop) < until:
        why = pulled.error if pulled is not None and pulled.error else "the pull of its orders has not come that far"
        raise Temporary(why)


async def _mark(world: World, shop: Shop) -> datetime:
    never = from_epoch_ms(0, where="mark")
    state = await world.ledger.read(
        partial(work.mark_of, channel_id=shop.id, stream=Stream.ORDERS.value, first_from=never)
    )
    return state.at


def _horizon(session: Session, *, shop: Shop) -> datetime:
    """Orders placed before this moment were never asked for: the channel's first walk began here."""
    return work.first_seen(session, shop.id) - shop.first_walk


async def _trouble(world: World, shop: Shop) -> str:
    states = await world.ledger.read(work.channels)
    return next((state.trouble for state in states if state.id == shop.id), "")


async def _note_uncounted(world: World, shop: Shop, day: date, why: str) -> None:
    now_ms = world.ledger.now_ms()
    await world.ledger.write(
        lambda session: proofs.note_uncounted(session, shop.id, day, why, now_ms=now_ms), name="proof_uncounted"
    )
