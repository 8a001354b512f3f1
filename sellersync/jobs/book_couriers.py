"""Couriers: settle what is open by the declared strategy, then claim, call, settle. The claim is committed before every call (L9)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sellersync.connector.contract import Arrangement, ParcelRequest, SettleBy
from sellersync.domain.errors import (
    LeaseLost,
    RateLimited,
    RejectClass,
    Rejected,
    Temporary,
    Uncertain,
)
from sellersync.domain.ids import booking_reference
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.store import bookings, reads_bookings
from sellersync.store.ledger import Session
from sellersync.store.parcels import update_parcel
from sellersync.store.reads_bookings import BookableParcel, OpenClaim

from . import cancel_booking, courier_booking
from .courier_attempt import RETRY_S_MIN
from .courier_call import BOOKING_JOB
from .world import Run, Shop, World, paused, running

JOB = BOOKING_JOB
PARCELS_MAX = 200
STEPS_MAX = 4
LOOKS_MAX = 6
REFERENCE_LENGTH_MAX = 30
_NOT_NOW = (RejectClass.NOT_NOW, RejectClass.STALE_CHOICE, RejectClass.CANCELLED)


async def run(
    world: World, shop: Shop, *, wait_s: float = 0.0, force: bool = False, only: int | None = None
) -> Run | None:
    """Book every parcel of one channel that may be booked. `None` when the channel is backing off (unless `force`).

    `only` names one order (the ledger's own id): nothing else is booked, and its earlier refusals are not waited for.
    """
    if not force and await paused(world, shop.id):
        return None
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        bookable = partial(_bookable, world, shop, only)
        if shop.channel.capabilities.own_site:
            await cancel_booking.settle_all(world, shop, run)
            await courier_booking.book_all(world, shop, await _due(world, shop), bookable, run)
            return run
        for claim in await _due(world, shop):
            await _settle(world, shop, claim, run)
        for parcel in await bookable():
            await _book(world, shop, parcel, run)
    return run


async def _due(world: World, shop: Shop) -> list[OpenClaim]:
    return await world.ledger.read(
        partial(reads_bookings.due_claims, channel_id=shop.id, now_ms=world.ledger.now_ms(), vault=world.ledger.vault)
    )


async def _bookable(world: World, shop: Shop, only: int | None) -> list[BookableParcel]:
    return await world.ledger.write(
        lambda session: reads_bookings.bookable_parcels(
            session, shop.id, now_ms=world.ledger.now_ms(), limit=PARCELS_MAX, only=only
        ),
        name="make_parcels",
    )


# ------------------------------------------------------------------------------------- marketplace parcels, the marketplace's couriers


async def _book(world: World, shop: Shop, parcel: BookableParcel, run: Run) -> None:
    """Arrange one parcel: each step is decided by reads, committed in the claim, sent once, and its answer recorded."""
    attempt = parcel.last_attempt + 1
    reference = booking_reference(
        world.install_id, shop.id, parcel.order_remote_id, parcel.number, attempt, length_max=REFERENCE_LENGTH_MAX
    )
    request = ParcelRequest(
        order_id=parcel.order_remote_id,
        reference=reference,
        units=tuple((line.line_key, line.unit_keys, line.count) for line in parcel.lines),
        parcel=_as_remote(parcel),
        handover=world.policy.handover,
    )
    try:
        arrangement = await shop.channel.prepare(request)
    except Rejected as refused:
        if refused.reject is RejectClass.ALREADY_DONE and await _adopt(world, shop, parcel, run):
            return
        await _note(world, parcel.parcel_id, parcel.order_remote_id, refused, run)
        return
    except Temporary:
        run.count("not_ready")
        return
    try:
        claim_id = await world.ledger.write(
            lambda session: bookings.open_claim(
                session,
                parcel_id=parcel.parcel_id,
                attempt=attempt,
                reference=reference,
                step=arrangement.step,
                owner=world.owner,
                request=_packed(arrangement),
                not_before_settle_ms=_not_before(world, shop),
                now_ms=world.ledger.now_ms(),
                vault=world.ledger.vault,
            ),
            name="claim",
        )
    except LeaseLost:
        run.count("withdrawn")
        return
    await _send_steps(world, shop, claim_id, parcel.parcel_id, parcel.order_remote_id, arrangement, run)


async def _send_steps(
    world: World, shop: Shop, claim_id: int, parcel_id: int, order_id: str, arrangement: Arrangement, run: Run
) -> None:
    for _ in range(STEPS_MAX):
        try:
            arranged = await shop.channel.arrange(arrangement)
        except Uncertain as uncertain:
            run.count("uncertain")
            await world.ledger.write(
                partial(
                    bookings.postpone_claim,
                    claim_id=claim_id,
                    not_before_settle_ms=_not_before(world, shop),
                    detail=uncertain.why,
                ),
                name="claim_uncertain",
            )
            return
        except Rejected as refused:
            await _settle_refusal(world, shop, claim_id, parcel_id, order_id, refused, run)
            return
        except (Temporary, RateLimited) as nothing_sent:
            await _dead(world, claim_id, str(nothing_sent), None)
            raise
        if not arranged.more:
            await _booked(world, claim_id, arranged.parcel, run)
            return
        await world.ledger.write(
            partial(_keep_step, parcel_id=parcel_id, remote=arranged.parcel, world=world), name="claim_step"
        )
        try:
            arrangement = await shop.channel.prepare(
                ParcelRequest(
                    order_id,
                    arrangement.request.reference,
                    arrangement.request.units,
                    arranged.parcel,
                    world.policy.handover,
                )
            )
        except (Temporary, Rejected) as later:
            run.count("not_ready")
            await world.ledger.write(
                partial(
                    bookings.postpone_claim,
                    claim_id=claim_id,
                    not_before_settle_ms=_not_before(world, shop),
                    detail=str(later),
                ),
                name="claim_postponed",
            )
            return
        await _advance(world, shop, claim_id, arrangement)


async def _advance(world: World, shop: Shop, claim_id: int, arrangement: Arrangement) -> None:
    await world.ledger.write(
        lambda session: bookings.advance_claim(
            session,
            claim_id,
            step=arrangement.step,
            not_before_settle_ms=_not_before(world, shop),
            sending=True,
            request=_packed(arrangement),
            vault=world.ledger.vault,
            now_ms=world.ledger.now_ms(),
        ),
        name="claim_advance",
    )


def _keep_step(session: Session, *, parcel_id: int, remote: RemoteParcel, world: World) -> None:
    update_parcel(session, parcel_id, remote, now_ms=world.ledger.now_ms())


async def _settle(world: World, shop: Shop, claim: OpenClaim, run: Run) -> None:
    """Decide an open claim by reading what the marketplace shows for its order; "not yet" repeats the same step, never blindly."""
    if shop.channel.capabilities.settle_by is not SettleBy.LOOKUP:
        await _person(world, claim, "this channel cannot be asked what became of it", run)
        return
    shown = [p for p in await shop.channel.parcels([claim.order_remote_id]) if _is_it(p, claim)]
    found = next((p for p in shown if p.state.booked), None) or next(iter(shown), None)
    run.count("looked_up")
    if found is not None and found.state.booked:
        await _booked(world, claim.id, found, run)
        return
    if found is not None and not found.state.live:
        await _dead(world, claim.id, f"the marketplace shows it as {found.remote_status}", found)
        return
    if found is not None and found.state is ParcelState.WAITING and claim.looks < LOOKS_MAX:
        await _look_later(world, shop, claim, f"the marketplace shows it as {found.remote_status}")
        return
    if claim.looks >= LOOKS_MAX:
        await _person(world, claim, "the marketplace still does not show the booking", run)
        return
    request = ParcelRequest(
        order_id=claim.order_remote_id,
        reference=claim.reference,
        units=tuple((key, tuple(names), count) for key, names, count in claim.request["units"]),
        parcel=found,
        handover=world.policy.handover,
    )
    try:
        arrangement = await shop.channel.prepare(request)
    except Rejected as refused:
        await _settle_refusal(world, shop, claim.id, claim.parcel_id, claim.order_remote_id, refused, run)
        return
    except Temporary as later:
        await _look_later(world, shop, claim, str(later))
        return
    await world.ledger.write(
        partial(
            bookings.postpone_claim,
            claim_id=claim.id,
            not_before_settle_ms=_not_before(world, shop),
            detail="sent again",
        ),
        name="claim_looked",
    )
    await _advance(world, shop, claim.id, arrangement)
    await _send_steps(world, shop, claim.id, claim.parcel_id, claim.order_remote_id, arrangement, run)


async def _settle_refusal(
    world: World, shop: Shop, claim_id: int, parcel_id: int, order_id: str, refused: Rejected, run: Run
) -> None:
    """A refusal at the first sending is a clear no; after a lost answer only the marketplace's own view decides."""
    if refused.reject is RejectClass.ALREADY_DONE:
        shown = [p for p in await shop.channel.parcels([order_id]) if p.state.booked]
        if shown:
            await _booked(world, claim_id, shown[0], run)
            return
    sends = await world.ledger.read(partial(reads_bookings.sends_of, claim_id=claim_id))
    if sends > 1 and refused.reject not in (RejectClass.CANCELLED,):
        await world.ledger.write(
            partial(
                bookings.postpone_claim,
                claim_id=claim_id,
                not_before_settle_ms=_not_before(world, shop),
                detail=f"refused: {refused.why}",
            ),
            name="claim_postponed",
        )
        return
    await _dead(world, claim_id, refused.why, None, wait_s=RETRY_S_MIN)
    await _note(world, parcel_id, order_id, refused, run)


async def _adopt(world: World, shop: Shop, parcel: BookableParcel, run: Run) -> bool:
    """A parcel that was arranged elsewhere (seller centre, automatic driver call) is taken as it is shown."""
    shown = await shop.channel.parcels([parcel.order_remote_id])
    names = {name for line in parcel.lines for name in line.unit_keys}
    for remote in shown:
        same = (
            remote.remote_id == parcel.remote_id
            if parcel.remote_id
            else not names or bool(names & set(remote.unit_keys))
        )
        if same and remote.state.booked:
            run.count("adopted")
            await world.ledger.write(
                partial(update_parcel, parcel_id=parcel.parcel_id, remote=remote, now_ms=world.ledger.now_ms()),
                name="parcel_adopted",
            )
            return True
    return False


async def _note(world: World, parcel_id: int, order_id: str, refused: Rejected, run: Run) -> None:
    run.count("refused")
    if refused.reject in _NOT_NOW:
        return
    await world.ledger.write(
        lambda session: bookings.note_refusal(
            session, parcel_id, refused.why, now_ms=world.ledger.now_ms(), order=order_id, reject=refused.reject.value
        ),
        name="booking_refused",
    )


async def _booked(world: World, claim_id: int, remote: RemoteParcel, run: Run) -> None:
    run.count("booked")
    await world.ledger.write(
        lambda session: bookings.settle_booked(session, claim_id, remote, now_ms=world.ledger.now_ms()),
        name="settle_booked",
    )


async def _dead(world: World, claim_id: int, why: str, remote: RemoteParcel | None, *, wait_s: float = 0.0) -> None:
    wait_ms = round(wait_s * 1000)
    await world.ledger.write(
        lambda session: bookings.settle_dead(
            session, claim_id, why, now_ms=world.ledger.now_ms(), parcel=remote, wait_ms=wait_ms
        ),
        name="settle_dead",
    )


async def _person(world: World, claim: OpenClaim, why: str, run: Run) -> None:
    run.count("for_a_person")
    await world.ledger.write(
        lambda session: bookings.settle_by_person(session, claim.id, why, now_ms=world.ledger.now_ms()),
        name="settle_person",
    )


async def _look_later(world: World, shop: Shop, claim: OpenClaim, why: str) -> None:
    await world.ledger.write(
        partial(bookings.postpone_claim, claim_id=claim.id, not_before_settle_ms=_not_before(world, shop), detail=why),
        name="claim_postponed",
    )


def _is_it(remote: RemoteParcel, claim: OpenClaim) -> bool:
    """The claim's own package: by the provider's number where the parcel had one, else by a unit that was to go into it."""
    if claim.parcel_remote_id:
        return remote.remote_id == claim.parcel_remote_id
    wanted = {name for _, names, _ in claim.request["units"] for name in names}
    return not wanted or bool(wanted & set(remote.unit_keys)) or not remote.unit_keys


def _as_remote(parcel: BookableParcel) -> RemoteParcel | None:
    if not parcel.remote_id:
        return None
    return RemoteParcel(
        parcel.remote_id,
        (parcel.order_remote_id,),
        parcel.state,
        "",
        units=tuple((line.line_key, line.count) for line in parcel.lines),
        unit_keys=tuple(name for line in parcel.lines for name in line.unit_keys),
        waybill=parcel.waybill,
    )


def _packed(arrangement: Arrangement) -> dict[str, Any]:
    request = arrangement.request
    units: Sequence[Any] = [[key, list(names), count] for key, names, count in request.units]
    return {
        "step": arrangement.step,
        "payload": dict(arrangement.payload),
        "units": units,
        "reference": request.reference,
    }


def _not_before(world: World, shop: Shop) -> int:
    """A claim may be settled once the call is over for certain and the provider's read model has caught up."""
    wait_s = world.policy.call_deadline_s + shop.channel.capabilities.booking_read_lag_s + world.policy.settle_margin_s
    return world.ledger.now_ms() + round(wait_s * 1000)
