"""One booking attempt on its way through a courier's steps: every step is committed before it is sent, and only reading decides after a
confirm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sellersync.connector.contract import Booking, BookingRequest
from sellersync.domain.errors import AuthNeeded, RateLimited, RejectClass, Rejected, Temporary, Uncertain, Unrecognised
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.times import to_epoch_ms
from sellersync.store import bookings, work
from sellersync.store.reads_bookings import OpenClaim

from .world import CourierAccount, Run, World, paused

_DEAD_STATES = (ParcelState.CANCELLED, ParcelState.FAILED)


class CourierTrouble(Exception):
    """A courier account is unwell: its own trouble, not that of the site whose parcels it carries (L8)."""


@asynccontextmanager
async def calling(world: World, account: CourierAccount) -> AsyncIterator[None]:
    """The frame around calls of a courier: its trouble is kept with its own account. Raises `CourierTrouble`."""
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


@dataclass(slots=True)
class Attempt:
    """One claim on its way through the courier's steps."""

    world: World
    account: CourierAccount
    claim_id: int
    parcel_id: int
    order_id: str
    request: BookingRequest
    packed: dict[str, Any]
    run: Run
    again: bool = False

    async def draft(self) -> None:
        """First step: costs nothing. A lost answer leaves at worst an unpaid draft behind."""
        try:
            draft = await self.account.courier.draft(self.request)
        except Uncertain as lost:
            await self._later(lost.why)
            return
        except Rejected as refused:
            # No confirm was sent for this reference: whoever holds it, it is no booking of ours, and the next attempt may go on.
            await self._dead(refused.why)
            if refused.reject is not RejectClass.REFERENCE_USED:
                await self._note(refused)
            return
        except (Temporary, RateLimited, AuthNeeded) as nothing_sent:
            await self._dead(str(nothing_sent))
            raise
        await self._step("drafted", draft_id=draft.draft_id)
        await self.confirm(draft.draft_id)

    async def confirm(self, draft_id: str) -> None:
        """Second step: books and pays."""
        await self._step("confirm", draft_id=draft_id, sending=True)
        try:
            booking = await self.account.courier.confirm(draft_id, self.request.reference)
        except Uncertain as lost:
            await self._later(lost.why)
            return
        except Rejected as refused:
            await self._confirm_refused(draft_id, refused)
            return
        except (Temporary, RateLimited, AuthNeeded):
            await self._step("drafted", draft_id=draft_id)
            raise
        await self.adopt(booking)

    async def _confirm_refused(self, draft_id: str, refused: Rejected) -> None:
        if refused.reject is RejectClass.INSUFFICIENT_BALANCE:
            # The draft stays good: once the balance is topped up, the same one is confirmed.
            self.run.count("insufficient_balance")
            await self._step("drafted", draft_id=draft_id)
            await self._note(refused)
        elif self.again:
            await self._later(f"refused: {refused.why}")
        else:
            await self._dead(refused.why)
            await self._note(refused)

    async def settle_two_step(self, claim: OpenClaim) -> None:
        """Only reading decides after a confirm; before one, the same draft is asked for again."""
        if claim.step == "draft":
            await self._step("draft", sending=True)
            await self.draft()
            return
        if claim.step == "drafted":
            await self.confirm(claim.draft_id)
            return
        state = await self.account.courier.read_draft(claim.draft_id)
        if state.confirmed and state.booking_id:
            await self.adopt(await self.account.courier.booking(state.booking_id))
        elif state.exists and not state.confirmed:
            await self._looked("the draft is not confirmed")
            await self.confirm(claim.draft_id)
        else:
            await self._later("the draft is confirmed but names no booking" if state.confirmed else "the draft is gone")

    async def book(self) -> None:
        """One-step couriers."""
        if self.again:
            await self._step("book", sending=True)
        try:
            booking = await self.account.courier.book(self.request)
        except Uncertain as lost:
            await self._later(lost.why)
            return
        except Rejected as refused:
            await self._book_refused(refused)
            return
        except (Temporary, RateLimited, AuthNeeded) as nothing_sent:
            if not self.again:
                await self._dead(str(nothing_sent))
            raise
        await self.adopt(booking)

    async def _book_refused(self, refused: Rejected) -> None:
        if refused.reject is RejectClass.REFERENCE_USED and refused.details.get("booking_id"):
            await self.adopt(await self.account.courier.booking(refused.details["booking_id"]))
            return
        if self.again:
            # A refusal of content while settling proves nothing about the first sending.
            await for_a_person(self.world, self.claim_id, f"refused while settling: {refused.why}", self.run)
            return
        if refused.reject is RejectClass.INSUFFICIENT_BALANCE:
            self.run.count("insufficient_balance")
        await self._dead(refused.why)
        await self._note(refused)

    async def adopt(self, booking: Booking) -> None:
        """Take a booking as ours if it carries our reference and goes where ours goes; else a person decides. One that is shown as
        cancelled or failed is the proof that the reference is dead: the next attempt may go on."""
        problem = mismatch(booking, self.request)
        if problem:
            await for_a_person(self.world, self.claim_id, problem, self.run)
            return
        if booking.state in _DEAD_STATES:
            await self._dead(f"the booking {booking.booking_id} is {booking.remote_status}")
            return
        self.run.count("booked")
        world, packed = self.world, self.packed
        remote = as_remote(booking, self.order_id)
        await world.ledger.write(
            lambda session: bookings.settle_booked(
                session,
                self.claim_id,
                remote,
                now_ms=world.ledger.now_ms(),
                booking_id=booking.booking_id,
                charged=booking.price,
                quoted=packed["quoted"],
                service=booking.service,
                routing_code=booking.routing_code,
                why_chosen=packed["why"],
                cod_amount=self.request.cod_amount,
            ),
            name="settle_booked",
        )

    async def _step(self, step: str, *, draft_id: str = "", sending: bool = False) -> None:
        world = self.world
        await world.ledger.write(
            lambda session: bookings.advance_claim(
                session,
                self.claim_id,
                step=step,
                draft_id=draft_id,
                sending=sending,
                not_before_settle_ms=not_before(world, self.account),
                now_ms=world.ledger.now_ms(),
            ),
            name=f"claim_{step}",
        )

    async def _later(self, why: str) -> None:
        self.run.count("uncertain")
        await self._looked(why)

    async def _looked(self, why: str) -> None:
        nb = not_before(self.world, self.account)
        await self.world.ledger.write(
            partial(bookings.postpone_claim, claim_id=self.claim_id, not_before_settle_ms=nb, detail=why),
            name="claim_uncertain",
        )

    async def _dead(self, why: str) -> None:
        world = self.world
        await world.ledger.write(
            lambda session: bookings.settle_dead(session, self.claim_id, why, now_ms=world.ledger.now_ms()),
            name="settle_dead",
        )

    async def _note(self, refused: Rejected) -> None:
        self.run.count("refused")
        world = self.world
        await world.ledger.write(
            lambda session: bookings.note_refusal(
                session,
                self.parcel_id,
                refused.why,
                now_ms=world.ledger.now_ms(),
                order=self.order_id,
                reject=refused.reject.value,
            ),
            name="booking_refused",
        )


def as_remote(booking: Booking, order_id: str) -> RemoteParcel:
    """A courier's booking in the shape of a parcel."""
    return RemoteParcel(
        remote_id=booking.booking_id,
        order_ids=(order_id,),
        state=booking.state,
        remote_status=booking.remote_status,
        waybill=booking.waybill,
        courier=booking.company,
        picked_up_at=booking.picked_up_at,
        updated_at=booking.updated_at,
    )


def mismatch(booking: Booking, request: BookingRequest) -> str:
    """Why a booking cannot be the one that was asked for, or ""."""
    if booking.reference and booking.reference != request.reference:
        return f"booking {booking.booking_id} carries another reference"
    if booking.company and booking.company.lower() != request.company.lower():
        return f"booking {booking.booking_id} is with {booking.company}, not {request.company}"
    postal = request.recipient.postal_code
    if booking.destination_postal_code and postal and booking.destination_postal_code != postal:
        return f"booking {booking.booking_id} goes to another postal code"
    if booking.cod_amount is not None and (request.cod_amount or 0) != booking.cod_amount:
        return f"booking {booking.booking_id} collects another COD amount"
    return ""


async def for_a_person(world: World, claim_id: int, why: str, run: Run) -> None:
    run.count("for_a_person")
    await world.ledger.write(
        lambda session: bookings.settle_by_person(session, claim_id, why, now_ms=world.ledger.now_ms()),
        name="settle_person",
    )


def not_before(world: World, account: CourierAccount) -> int:
    lag_s = account.courier.capabilities.booking_read_lag_s
    return world.ledger.now_ms() + round((world.policy.call_deadline_s + lag_s + world.policy.settle_margin_s) * 1000)
