"""Waybills back to the own site, so that its buyers get them: each parcel's, told until the site has it.

Telling it twice is harmless (the channel looks before it writes), so a lost answer is simply followed by another telling.
"""

from __future__ import annotations

from functools import partial

from sellersync.domain.errors import AuthNeeded, RateLimited, RejectClass, Rejected, Temporary, Uncertain
from sellersync.store import handback
from sellersync.store.handback import DueHandBack

from .world import Run, Shop, World, paused, running

JOB = "hand_back"
PARCELS_MAX = 100
BACK_OFF_S_MIN, BACK_OFF_S_MAX = 60.0, 6 * 3_600.0
NOTES = {
    "id": "Pesanan Anda dikirim dengan {courier}. Nomor resi: {waybill}",
    "en": "Your order is shipped with {courier}. Waybill: {waybill}",
}


async def run(world: World, shop: Shop, *, wait_s: float = 0.0, force: bool = False) -> Run | None:
    """Tell one own site the waybills that it does not know. `None` when it takes none, or is backing off (unless `force`)."""
    if not shop.channel.capabilities.hands_back or (not force and await paused(world, shop.id)):
        return None
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        now_ms = world.ledger.now_ms()
        await world.ledger.write(partial(handback.note_due, channel_id=shop.id, now_ms=now_ms), name="hand_back_due")
        for one in await world.ledger.read(partial(handback.due, channel_id=shop.id, now_ms=now_ms, limit=PARCELS_MAX)):
            if world.stopping:
                break
            await _tell(world, shop, one, run)
    return run


async def _tell(world: World, shop: Shop, one: DueHandBack, run: Run) -> None:
    text = note(world.policy.language, one) if world.policy.note_to_buyer else ""
    try:
        await shop.channel.hand_back(one.order_remote_id, one.waybill, one.courier, text)
    except Rejected as refused:
        if refused.reject is RejectClass.NOT_NOW:
            await _later(world, one, refused.why, run)
        elif refused.reject in (RejectClass.ALREADY_DONE, RejectClass.CANCELLED):
            await _done(world, shop, one, run)  # somebody entered it by hand, or nobody needs it any more
        else:
            run.count("refused")
            why = refused.why
            await world.ledger.write(
                lambda session: handback.note_refused(
                    session, one, why, channel_id=shop.id, now_ms=world.ledger.now_ms()
                ),
                name="hand_back_refused",
            )
    except Uncertain as lost:
        await _later(world, one, lost.why, run)
    except (Temporary, RateLimited, AuthNeeded) as unwell:
        await _later(world, one, str(unwell), run)  # the next trip begins with another one
        raise
    else:
        run.count("handed_back")
        await _done(world, shop, one, run)


async def _done(world: World, shop: Shop, one: DueHandBack, run: Run) -> None:
    await world.ledger.write(
        lambda session: handback.note_done(session, one, channel_id=shop.id, now_ms=world.ledger.now_ms()),
        name="handed_back",
    )


async def _later(world: World, one: DueHandBack, why: str, run: Run) -> None:
    run.count("later")
    wait_s = min(BACK_OFF_S_MIN * 2 ** min(one.attempts, 10), BACK_OFF_S_MAX)
    next_ms = world.ledger.now_ms() + round(wait_s * 1000)
    await world.ledger.write(partial(handback.note_later, one=one, why=why, next_ms=next_ms), name="hand_back_later")


def note(language: str, one: DueHandBack) -> str:
    """What the buyer is told, in the shop's language."""
    courier = " ".join(part.upper() if part.islower() else part for part in (one.courier, one.service) if part)
    return NOTES[language].format(courier=courier or "-", waybill=one.waybill)
