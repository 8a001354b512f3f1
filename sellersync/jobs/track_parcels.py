"""Parcels on their way: waybills that come late, pickups, deliveries, trouble. Fresh parcels are looked at often, old ones rarely."""

from __future__ import annotations

from functools import partial

from sellersync.domain.errors import Rejected
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.store import parcel_watch, tracking
from sellersync.store.tracking import TrackedParcel

from .courier_attempt import as_remote
from .courier_call import CourierTrouble, calling
from .world import Run, Shop, World, paused, running

JOB = "track_parcels"
PARCELS_MAX = 200
BATCH_MAX = 50


async def run(world: World, shop: Shop, *, wait_s: float = 0.0, force: bool = False) -> Run | None:
    """Look at the parcels of one channel that are due, then say which parcels need a person.

    `None` when the channel is backing off (unless `force`): nothing is looked at then, but deadlines go on. A trip that is told to stop
    ends before its next call; what it did not look at is due again.
    """
    if not force and await paused(world, shop.id):
        await _watch(world, shop)
        return None
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        due = await world.ledger.read(
            partial(
                tracking.parcels_to_track,
                channel_id=shop.id,
                now_ms=world.ledger.now_ms(),
                fresh_ms=round(world.policy.track_fresh_s * 1000),
                every_ms=round(world.policy.track_every_s * 1000),
                limit=PARCELS_MAX,
            )
        )
        by_courier = [parcel for parcel in due if parcel.courier_channel_id is not None]
        by_channel = [parcel for parcel in due if parcel.courier_channel_id is None]
        for start in range(0, len(by_channel), BATCH_MAX):
            if world.stopping:
                break
            await _track_on_channel(world, shop, by_channel[start : start + BATCH_MAX], run)
        troubled: set[int] = set()
        for parcel in by_courier:
            if world.stopping:
                break
            if parcel.courier_channel_id in troubled:
                continue
            try:
                await _track_with_courier(world, parcel, run)
            except CourierTrouble:  # its other parcels would only hear the same
                troubled.add(parcel.courier_channel_id or 0)
                run.count("courier_trouble")
        run.count("left_for_later", len(due) - run.counts.get("looked", 0))
    await _watch(world, shop)
    return run


async def _track_on_channel(world: World, shop: Shop, parcels: list[TrackedParcel], run: Run) -> None:
    shown = {
        remote.remote_id: remote for remote in await shop.channel.parcels(list({p.order_remote_id for p in parcels}))
    }
    await _keep(world, [(parcel, shown.get(parcel.remote_id), None) for parcel in parcels], run)


async def _track_with_courier(world: World, parcel: TrackedParcel, run: Run) -> None:
    account = next((account for account in world.couriers if account.id == parcel.courier_channel_id), None)
    if account is None:
        return
    try:
        async with calling(world, account):
            booking = await account.courier.booking(parcel.remote_id)
    except Rejected:
        run.count("not_found")
        await _keep(world, [(parcel, None, None)], run)
        return
    await _keep(world, [(parcel, as_remote(booking, parcel.order_remote_id), booking.price)], run)


async def _keep(world: World, looks: list[tuple[TrackedParcel, RemoteParcel | None, int | None]], run: Run) -> None:
    changed = await world.ledger.write(
        lambda session: sum(
            tracking.note_tracked(session, parcel.parcel_id, remote, now_ms=world.ledger.now_ms(), price=price)
            for parcel, remote, price in looks
        ),
        name="tracked",
    )
    run.count("looked", len(looks))
    run.count("changed", changed)
    run.count("unknown_status", sum(shown is not None and shown.state is ParcelState.UNKNOWN for _, shown, _ in looks))


async def _watch(world: World, shop: Shop) -> None:
    await world.ledger.write(
        lambda session: parcel_watch.watch(
            session, shop.id, world.policy.watch, world.policy.desk, now_ms=world.ledger.now_ms()
        ),
        name="watched",
    )
