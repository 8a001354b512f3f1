"""One booking attempt on its way through a courier's steps: every step is committed before it is sent, and only reading decides after a
confirm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sellersync.connector.contract import Booking, BookingRequest
from sellersync.domain.errors import AuthNeeded, RateLimited, RejectClass, Rejected, Temporary, Uncertain
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.store import bookings
from sellersync.store.bookings import CourierFacts
from sellersync.store.reads_bookings import OpenClaim

from . import courier_quotes
from .courier_funds import Funds
from .world import CourierAccount, Run, World

_DEAD_STATES = (ParcelState.CANCELLED, ParcelState.FAILED)
RETRY_S_MIN, RETRY_S_MAX = 60.0, 21_600.0
"""After a refusal the trips wait so long before the next attempt, four times as long after each."""


@dataclass(slots=True)
class Attempt:
    """One claim on its way through the courier's steps."""

    world: World
    account: CourierAccount
    funds: Funds
    claim_id: int
    parcel_id: int
    order_id: str
    number: int
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
            if refused.reject is RejectClass.REFERENCE_USED:
                await self._dead(refused.why)
            elif refused.reject is RejectClass.INSUFFICIENT_BALANCE:
                await self._dead(refused.why)
                await self._cannot_pay(refused)
            else:
                await self._refused(refused)
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
        await self._paid(booking)

    async def _confirm_refused(self, draft_id: str, refused: Rejected) -> None:
        if refused.reject is RejectClass.INSUFFICIENT_BALANCE:
            # The draft stays good: once the balance is topped up, the same one is confirmed.
            await self._step("drafted", draft_id=draft_id)
            await self._cannot_pay(refused)
        elif self.again:
            await self._later(f"refused: {refused.why}")
        else:
            await self._refused(refused)

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
        await self._paid(booking)

    async def _book_refused(self, refused: Rejected) -> None:
        if refused.reject is RejectClass.REFERENCE_USED and refused.details.get("booking_id"):
            await self.adopt(await self.account.courier.booking(refused.details["booking_id"]))
            return
        if refused.reject is RejectClass.INSUFFICIENT_BALANCE:
            await (self._step("book") if self.again else self._dead(refused.why))
            await self._cannot_pay(refused)
        elif self.again:
            # A refusal of content while settling proves nothing about the first sending.
            await for_a_person(self.world, self.claim_id, f"refused while settling: {refused.why}", self.run)
        else:
            await self._refused(refused)

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
        world = self.world
        remote, facts = as_remote(booking, self.order_id), facts_of(booking, self.request, self.packed)
        await world.ledger.write(
            lambda session: bookings.settle_booked(
                session, self.claim_id, remote, now_ms=world.ledger.now_ms(), booking_id=booking.booking_id, facts=facts
            ),
            name="settle_booked",
        )

    async def wait_for_balance(self) -> None:
        """It was not found, and the account cannot pay for it now: the same reference stays to be tried."""
        self.run.count("waits_for_balance")
        await self._step("book")

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

    async def _dead(self, why: str, *, wait_s: float = 0.0) -> None:
        world = self.world
        await world.ledger.write(
            lambda session: bookings.settle_dead(
                session, self.claim_id, why, now_ms=world.ledger.now_ms(), wait_ms=round(wait_s * 1000)
            ),
            name="settle_dead",
        )

    async def _paid(self, booking: Booking) -> None:
        await self.funds.paid(self.account, booking.price, cod=self.request.cod_amount is not None)

    async def _cannot_pay(self, refused: Rejected) -> None:
        self.run.count("waits_for_balance")
        await self.funds.empty(self.account, refused.why, needed=int(self.packed.get("quoted") or 0))

    async def _refused(self, refused: Rejected) -> None:
        """The courier said no before anything was booked. The offer was not true, or the parcel cannot be carried as it is."""
        await self._dead(refused.why, wait_s=retry_wait_s(self.number))
        await courier_quotes.drop(self.world, str(self.packed.get("quote_key") or ""))
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


def retry_wait_s(attempt: int) -> float:
    """How long the trips wait after a refused attempt."""
    return float(min(RETRY_S_MIN * 4.0 ** (attempt - 1), RETRY_S_MAX))


def facts_of(booking: Booking, request: BookingRequest, packed: Mapping[str, Any]) -> CourierFacts:
    """What the parcel keeps of a booking: the offer as it was sealed with the claim, and what the courier made of it."""
    return CourierFacts(
        quoted=packed["quoted"],
        charged=booking.price,
        service=booking.service or request.service,
        routing_code=booking.routing_code,
        why_chosen=packed["why"],
        cod_amount=request.cod_amount if booking.cod_amount is None else booking.cod_amount,
        insured=request.insured_amount,
        weight_g=packed.get("weight_g"),
        handover=request.handover.value,
        zone=packed.get("zone", ""),
        promised_days=packed.get("days"),
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
