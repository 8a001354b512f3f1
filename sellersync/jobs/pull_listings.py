"""Listings in: what is sold where; new ones are mapped by exact seller SKU, the rest is parked and listed (L7)."""

from __future__ import annotations

from functools import partial

from sellersync.store import listings, work
from sellersync.store.ledger import Session
from sellersync.store.listings import ListingsPulled

from .world import Run, Shop, World, paused, running

JOB = "pull_listings"


async def run(
    world: World, shop: Shop, *, wait_s: float = 0.0, force: bool = False, adopt_skus: bool = False
) -> Run | None:
    """Read all listings of one channel. `adopt_skus`: an unknown seller SKU becomes a SKU of the ledger (a shop's first import)."""
    if not force and await paused(world, shop.id):
        return None
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        async for page in shop.channel.listings():
            record = partial(
                listings.record_listings,
                channel_id=shop.id,
                listings=page,
                now_ms=world.ledger.now_ms(),
                adopt_skus=adopt_skus,
            )
            pulled: ListingsPulled = await world.ledger.write(record, name="record_listings")
            run.count("seen", pulled.seen)
            run.count("new", pulled.new)
            run.count("mapped", pulled.mapped)
            run.count("unmapped", pulled.unmapped)
            run.count("orders_resolved", pulled.orders_resolved)
        run.at_end.append(partial(_finish, world=world, shop=shop))
    return run


def _finish(session: Session, *, world: World, shop: Shop) -> None:
    work.note_ok(session, shop.id, now_ms=world.ledger.now_ms())
