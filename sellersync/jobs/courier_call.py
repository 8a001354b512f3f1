"""The frame around calls of a courier account: its trouble is its own, not that of the site whose parcels it carries (L8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sellersync.domain.errors import AuthNeeded, RateLimited, Temporary, Unrecognised
from sellersync.domain.times import to_epoch_ms
from sellersync.store import work

from .world import CourierAccount, World, paused

BOOKING_JOB = "book_couriers"
"""The job under whose lease bookings are made and cancelled."""


class CourierTrouble(Exception):
    """A courier account is unwell, and that is kept with it already."""


@asynccontextmanager
async def calling(world: World, account: CourierAccount) -> AsyncIterator[None]:
    """Trouble inside is kept with the account. Raises `CourierTrouble`, also while the account is backing off."""
    if await paused(world, account.id):
        raise CourierTrouble(account.slug)
    try:
        yield
    except (Temporary, RateLimited, AuthNeeded, Unrecognised) as failure:
        until = to_epoch_ms(failure.until) if isinstance(failure, RateLimited) else None
        needs = isinstance(failure, AuthNeeded)
        why = str(failure)
        await world.ledger.write(
            lambda session: work.note_trouble(
                session, account.id, why, now_ms=world.ledger.now_ms(), needs_authorisation=needs, until_ms=until
            ),
            name="courier_trouble",
        )
        raise CourierTrouble(account.slug) from failure


async def note_answered(world: World, account: CourierAccount) -> None:
    """The courier answered: its trouble is over."""
    await world.ledger.write(
        lambda session: work.note_ok(session, account.id, now_ms=world.ledger.now_ms(), pulled=True), name="courier_ok"
    )
