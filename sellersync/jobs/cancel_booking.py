"""Cancelling a courier's booking, by a person's command only: the wish is committed, the call noted before it is sent, and a lost answer
is settled by reading the booking. Units are free once the courier proves that it is dead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sellersync.domain.errors import Rejected, Uncertain, Unrecognised
from sellersync.domain.parcels import ParcelState
from sellersync.store import cancels
from sellersync.store.cancels import BookedParcel

from .courier_attempt import as_remote
from .courier_call import BOOKING_JOB, CourierTrouble, calling
from .world import CourierAccount, Run, Shop, World, running

CANCELS_MAX = 50
SENDS_MAX = 5
DEFAULT_REASON = "others"


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """What became of a wish to cancel: `state` as `parcel.cancel` has it, `detail` what the courier said."""

    state: str
    detail: str


async def cancel(world: World, shop: Shop, parcel_id: int, *, reason: str, rebook: bool, wait_s: float) -> CancelAnswer:
    """Commit the wish, then carry it out under the lease of the bookings. With `rebook` the goods go into a new parcel afterwards.

    Raises `BadInput` where we cannot cancel it, with the sentence why, and `Held`. A courier's trouble leaves the wish standing: the
    trips carry it out.
    """
    parcel = await world.ledger.write(
        lambda session: cancels.ask_cancel(
            session, parcel_id, reason=reason.strip() or DEFAULT_REASON, rebook=rebook, now_ms=world.ledger.now_ms()
        ),
        name="cancel_asked",
    )
    if parcel.cancel == "asked":
        async with running(world, BOOKING_JOB, shop.id, shop.slug, wait_s=wait_s) as run:
            await _send(world, parcel, run)
    after = await world.ledger.read(partial(cancels.booked_parcel, parcel_id=parcel_id))
    return CancelAnswer(after.cancel, after.cancel_detail)


async def settle_all(world: World, shop: Shop, run: Run) -> None:
    """Carry out what is asked, and settle what was sent without an answer. One courier's trouble is not another's."""
    parcels = await world.ledger.read(partial(cancels.open_cancels, channel_id=shop.id, limit=CANCELS_MAX))
    for parcel in parcels:
        if parcel.cancel == "asked":
            await _send(world, parcel, run)
        elif world.ledger.now_ms() >= parcel.cancel_ms + _settle_after_ms(world, _account(world, parcel)):
            await _settle(world, parcel, run)


async def _send(world: World, parcel: BookedParcel, run: Run) -> None:
    account = _account(world, parcel)
    if account is None:
        await _refused(world, parcel, "its courier account is not configured any more", run)
        return
    if parcel.cancel_sends >= SENDS_MAX:
        await _refused(world, parcel, f"sent {SENDS_MAX} times without effect", run)
        return
    try:
        async with calling(world, account):
            now_ms = world.ledger.now_ms()
            if not await world.ledger.write(
                lambda session: cancels.begin_send(session, parcel.parcel_id, now_ms=now_ms), name="cancel_sent"
            ):
                return
            try:
                answer = await account.courier.cancel(parcel.remote_id, parcel.cancel_detail)
            except (Uncertain, Unrecognised):
                run.count("cancel_uncertain")
                return
            except Rejected as refused:
                await _refused(world, parcel, refused.why, run)
                return
    except CourierTrouble:  # nothing was sent
        run.count("courier_trouble")
        await world.ledger.write(
            lambda session: cancels.ask_again(session, parcel.parcel_id, now_ms=world.ledger.now_ms(), unsent=True),
            name="cancel_later",
        )
        return
    if answer.done:
        run.count("cancelled")
        await world.ledger.write(
            lambda session: cancels.note_done(session, parcel.parcel_id, now_ms=world.ledger.now_ms()),
            name="cancel_done",
        )
    elif answer.pending:
        run.count("cancel_pending")
        await world.ledger.write(
            lambda session: cancels.note_pending(session, parcel.parcel_id, now_ms=world.ledger.now_ms()),
            name="cancel_pending",
        )
    else:
        await _refused(world, parcel, answer.why, run)


async def _settle(world: World, parcel: BookedParcel, run: Run) -> None:
    """A cancellation whose answer was lost: the booking itself says. One that is shown as alive is cancelled again, which cancels the
    same booking and nothing else."""
    account = _account(world, parcel)
    if account is None:
        await _refused(world, parcel, "its courier account is not configured any more", run)
        return
    run.count("cancel_looked_up")
    try:
        async with calling(world, account):
            shown = await account.courier.booking(parcel.remote_id)
    except CourierTrouble:
        run.count("courier_trouble")
        return
    except Rejected as unknown:
        await _refused(world, parcel, f"the booking cannot be read: {unknown.why}", run)
        return
    if shown.state is ParcelState.CANCELLED or shown.state.left_shelf:
        remote = as_remote(shown, parcel.order)
        await world.ledger.write(
            lambda session: cancels.note_read(session, parcel.parcel_id, remote, now_ms=world.ledger.now_ms()),
            name="cancel_read",
        )
        return
    await world.ledger.write(
        lambda session: cancels.ask_again(session, parcel.parcel_id, now_ms=world.ledger.now_ms(), unsent=False),
        name="cancel_again",
    )
    await _send(world, await world.ledger.read(partial(cancels.booked_parcel, parcel_id=parcel.parcel_id)), run)


async def _refused(world: World, parcel: BookedParcel, why: str, run: Run) -> None:
    run.count("cancel_refused")
    await world.ledger.write(
        lambda session: cancels.note_refused(session, parcel.parcel_id, why, now_ms=world.ledger.now_ms()),
        name="cancel_refused",
    )


def _account(world: World, parcel: BookedParcel) -> CourierAccount | None:
    return next((account for account in world.couriers if account.id == parcel.courier_channel_id), None)


def _settle_after_ms(world: World, account: CourierAccount | None) -> int:
    lag_s = 0.0 if account is None else account.courier.capabilities.booking_read_lag_s
    return round((world.policy.call_deadline_s + lag_s + world.policy.settle_margin_s) * 1000)
