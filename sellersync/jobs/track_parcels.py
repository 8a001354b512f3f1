"""Parcels on their way: waybills that come late, pickups, deliveries, trouble. Fresh parcels are looked at often, old ones rarely."""

from __future__ import annotations

from functools import partial

from sellersync.domain.errors import Rejected
from sellersync.domain.parcels import RemoteParcel
from sellersync.store import bookings, reads_bookings
from sellersync.store.reads_bookings import TrackedParcel

from .courier_attempt import CourierTrouble, as_remote, calling
from .world import Run, Shop, World, paused, running

JOB = "track_parcels"
PARCELS_MAX = 200
BATCH_MAX = 50


async def run(world: World, shop: Shop, *, wait_s: float = 0.0, force: bool = False) -> Run | None:
    """Look at the parcels of one channel that are due. `None` when the channel is backing off (unless `force`)."""
    if not force and await paused(world, shop.id):
        return None
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        policy = world.policy
        due = await world.ledger.read(
            partial(
                reads_bookings.parcels_to_track,
                channel_id=shop.id,
                now_ms=world.ledger.now_ms(),
                fresh_ms=round(policy.track_fresh_s * 1000),
                every_ms=round(policy.track_every_s * 1000),
                limit=PARCELS_MAX,
            )
        )
        by_courier = [parcel for parcel in due if parcel.courier_channel_id is not None]
        by_channel = [parcel for parcel in due if parcel.courier_channel_id is None]
        for start in range(0, len(by_channel), BATCH_MAX):
            await _track_on_channel(world, shop, by_channel[start : start + BATCH_MAX], run)
        try:
            for parcel in by_courier:
                await _track_with_courier(world, parcel, run)
        except CourierTrouble:
            run.count("courier_trouble")
    return run


async def _track_on_channel(world: World, shop: Shop, parcels: list[TrackedParcel], run: Run) -> None:
    shown = {
        remote.remote_id: remote for remote in await shop.channel.parcels(list({p.order_remote_id for p in parcels}))
    }
    await _keep(world, [(parcel, shown.get(parcel.remote_id)) for parcel in parcels], run)


async def _track_with_courier(world: World, parcel: TrackedParcel, run: Run) -> None:
    account = next((account for account in world.couriers if account.id == parcel.courier_channel_id), None)
    if account is None:
        return
    try:
        async with calling(world, account):
            booking = await account.courier.booking(parcel.remote_id)
    except Rejected:
        run.count("not_found")
        await _keep(world, [(parcel, None)], run)
        return
    await _keep(world, [(parcel, as_remote(booking, parcel.order_remote_id))], run)


async def _keep(world: World, looks: list[tuple[TrackedParcel, RemoteParcel | None]], run: Run) -> None:
    changed = await world.ledger.write(
        lambda session: sum(
            bookings.note_tracked(session, parcel.parcel_id, remote, now_ms=world.ledger.now_ms())
            for parcel, remote in looks
        ),
        name="tracked",
    )
    run.count("looked", len(looks))
    run.count("changed", changed)
