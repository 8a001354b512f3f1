"""A person's word about a booking that no machine can settle; what the provider shows is taken where it can be read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sellersync.domain.errors import BadInput, Rejected, SellersyncError
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.store import claims
from sellersync.store.claims import WaitingClaim

from .courier_attempt import as_remote, facts_of, mismatch
from .courier_booking import unpacked
from .world import CourierAccount, World


async def booked(world: World, claim: WaitingClaim, word: str, *, who: str) -> RemoteParcel:
    """The booking exists. `word` is its waybill, for an own-site parcel the courier's booking id. Returns what was recorded.

    Raises `BadInput` where the named booking cannot be this parcel's, and what the courier's reading raises: an own-site booking is
    recorded only as the courier shows it, because it is followed by its id.
    """
    if claim.courier:
        return await _booked_with_courier(world, claim, word, who=who)
    remote = await _as_channel_shows(world, claim, word)
    await world.ledger.write(
        lambda session: claims.person_says_booked(session, claim.id, remote, now_ms=world.ledger.now_ms(), who=who),
        name="person_says_booked",
    )
    return remote


async def not_booked(world: World, claim: WaitingClaim, *, who: str) -> None:
    """There is no booking: the parcel is booked again, under a new reference."""
    await world.ledger.write(
        lambda session: claims.person_says_not_booked(session, claim.id, now_ms=world.ledger.now_ms(), who=who),
        name="person_says_not_booked",
    )


async def _booked_with_courier(world: World, claim: WaitingClaim, booking_id: str, *, who: str) -> RemoteParcel:
    account = _account(world, claim)
    try:
        booking = await account.courier.booking(booking_id)
    except Rejected as refused:
        raise BadInput(
            f"{account.slug} does not show a booking {booking_id!r} ({refused.why}); the courier's own booking id is expected"
        ) from None
    packed = await world.ledger.read(partial(claims.sealed_request, claim_id=claim.id, vault=world.ledger.vault))
    # Staff may have booked it by hand at the courier: then it carries another reference, and only that may differ.
    request = unpacked(packed)
    problem = mismatch(booking, replace(request, reference=booking.reference))
    if problem:
        raise BadInput(f"{problem}: it cannot be the booking of this parcel")
    if not booking.state.booked:
        raise BadInput(
            f"booking {booking_id} is {booking.remote_status}; if there is no other one, say --not-booked instead"
        )
    remote = as_remote(booking, claim.order)
    await world.ledger.write(
        lambda session: claims.person_says_booked(
            session,
            claim.id,
            remote,
            now_ms=world.ledger.now_ms(),
            who=who,
            booking_id=booking.booking_id,
            facts=facts_of(booking, request, packed),
        ),
        name="person_says_booked",
    )
    return remote


def _account(world: World, claim: WaitingClaim) -> CourierAccount:
    for account in world.couriers:
        if account.slug == claim.courier:
            return account
    raise BadInput(f"the courier account {claim.courier!r} is not configured any more; configure it to name a booking")


async def _as_channel_shows(world: World, claim: WaitingClaim, waybill: str) -> RemoteParcel:
    """The parcel as the channel shows it, else as the person says: its next reading corrects what is missing."""
    said = RemoteParcel(claim.parcel_remote_id, (claim.order,), ParcelState.BOOKED, "", waybill=waybill)
    try:
        shown = await world.shop(claim.channel).channel.parcels([claim.order])
    except SellersyncError:  # it cannot be read now, and the person has looked
        return said
    found = next(
        (parcel for parcel in shown if waybill in (parcel.waybill, parcel.remote_id) and parcel.state.booked), None
    )
    return said if found is None else found
