"""Own-site parcels: quote, choose, then book by the courier's declared way of settling; the chosen offer is kept with its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from sellersync.connector.contract import (
    Booking,
    BookingRequest,
    Handover,
    ParcelItem,
    Place,
    Quote,
    QuoteRequest,
    SettleBy,
)
from sellersync.domain.errors import (
    AuthNeeded,
    LeaseLost,
    RateLimited,
    RejectClass,
    Rejected,
    Temporary,
    Uncertain,
    Unrecognised,
)
from sellersync.domain.ids import booking_reference
from sellersync.domain.orders import Buyer
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.times import to_epoch_ms
from sellersync.store import bookings, work
from sellersync.store.bookings import BookableParcel, OpenClaim

from .world import CourierAccount, Run, Shop, World, paused

LOOKS_MAX = 6
_DEAD_STATES = (ParcelState.CANCELLED, ParcelState.FAILED)


@dataclass(frozen=True, slots=True)
class Choice:
    """The offer that is taken, and why."""

    account: CourierAccount
    quote: Quote
    why: str


class CourierTrouble(Exception):
    """A courier account is unwell: its own trouble, not that of the site whose parcels it carries (L8)."""


async def book_all(
    world: World,
    shop: Shop,
    claims: Sequence[OpenClaim],
    bookable: Callable[[], Awaitable[Sequence[BookableParcel]]],
    run: Run,
) -> None:
    """Settle what is open, then book what may be booked; stops at a courier's trouble and at an empty balance."""
    try:
        for claim in claims:
            await settle(world, shop, claim, run)
        for parcel in await bookable():
            if run.counts.get("insufficient_balance"):
                return  # every further booking would be refused too; the finding names it once
            await book(world, shop, parcel, run)
    except CourierTrouble:
        run.count("courier_trouble")


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


async def book(world: World, shop: Shop, parcel: BookableParcel, run: Run) -> None:
    """Book one own-site parcel. Refusals become findings; a lost answer leaves the claim open for `settle`."""
    buyer = await world.ledger.read(partial(bookings.recipient, order_id=parcel.order_id, vault=world.ledger.vault))
    if world.policy.sender is None or not world.couriers or buyer is None:
        why = "no [sender] in the configuration" if world.policy.sender is None else "no courier is configured"
        await _refuse(
            world, parcel, why if buyer is not None else "the order has no address", RejectClass.SELLER_MUST_ACT, run
        )
        return
    try:
        choice = await _choose(world, parcel, buyer)
    except Rejected as refused:
        await _refuse(world, parcel, refused.why, refused.reject, run)
        return
    attempt = parcel.last_attempt + 1
    capabilities = choice.account.courier.capabilities
    reference = booking_reference(
        world.install_id,
        shop.id,
        parcel.order_remote_id,
        parcel.number,
        attempt,
        length_max=capabilities.reference_length_max,
    )
    request = BookingRequest(
        reference=reference,
        order_number=parcel.order_number or parcel.order_remote_id,
        sender=world.policy.sender,
        recipient=_place(buyer),
        items=_items(world, parcel),
        company=choice.quote.company,
        service=choice.quote.service,
        handover=world.policy.handover
        if world.policy.handover in choice.quote.handovers
        else choice.quote.handovers[0],
        cod_amount=parcel.order_total if parcel.cod else None,
    )
    try:
        claim_id = await world.ledger.write(
            lambda session: bookings.open_claim(
                session,
                parcel_id=parcel.parcel_id,
                attempt=attempt,
                reference=reference,
                step="draft" if capabilities.settle_by is SettleBy.TWO_STEP else "book",
                owner=world.owner,
                request=_packed(request, choice),
                not_before_settle_ms=_not_before(world, choice.account),
                now_ms=world.ledger.now_ms(),
                vault=world.ledger.vault,
                courier_channel_id=choice.account.id,
            ),
            name="claim",
        )
    except LeaseLost:
        run.count("withdrawn")
        return
    attempted = _Attempt(
        world,
        choice.account,
        claim_id,
        parcel.parcel_id,
        parcel.order_remote_id,
        request,
        _packed(request, choice),
        run,
    )
    async with calling(world, choice.account):
        if capabilities.settle_by is SettleBy.TWO_STEP:
            await attempted.draft()
        else:
            await attempted.book()
    await note_answered(world, choice.account)


async def settle(world: World, shop: Shop, claim: OpenClaim, run: Run) -> None:
    """Decide an open claim by the courier's strategy; nothing is booked again before that."""
    account = next((account for account in world.couriers if account.id == claim.courier_channel_id), None)
    if account is None:
        await _person(world, claim.id, "its courier account is not configured any more", run)
        return
    attempt = _Attempt(
        world,
        account,
        claim.id,
        claim.parcel_id,
        claim.order_remote_id,
        _unpacked(claim.request),
        claim.request,
        run,
        again=True,
    )
    if claim.looks >= LOOKS_MAX:
        await _person(world, claim.id, "the courier still gives no clear answer", run)
        return
    run.count("looked_up")
    async with calling(world, account):
        await _settle_by_strategy(world, account, attempt, claim, run)


async def _settle_by_strategy(
    world: World, account: CourierAccount, attempt: _Attempt, claim: OpenClaim, run: Run
) -> None:
    strategy = account.courier.capabilities.settle_by
    if strategy is SettleBy.TWO_STEP:
        await attempt.settle_two_step(claim)
    elif strategy is SettleBy.LOOKUP:
        found = await account.courier.find(claim.reference)
        await (attempt.adopt(found) if found is not None else attempt.book())
    elif strategy is SettleBy.SAME_REFERENCE_REPEAT:
        await attempt.book()
    else:
        await _person(world, claim.id, "this courier cannot be asked what became of it", run)


@dataclass(slots=True)
class _Attempt:
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
            booking = await self.account.courier.booking(refused.details["booking_id"])
            if booking.state in _DEAD_STATES:
                await self._dead(f"the former booking {booking.booking_id} is {booking.remote_status}")
            else:
                await self.adopt(booking)
            return
        if self.again:
            # A refusal of content while settling proves nothing about the first sending.
            await _person(self.world, self.claim_id, f"refused while settling: {refused.why}", self.run)
            return
        await self._dead(refused.why)
        await self._note(refused)

    async def adopt(self, booking: Booking) -> None:
        """Take a booking as ours if it carries our reference and goes where ours goes; else a person decides."""
        problem = _differs(booking, self.request)
        if problem:
            await _person(self.world, self.claim_id, problem, self.run)
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
                not_before_settle_ms=_not_before(world, self.account),
                now_ms=world.ledger.now_ms(),
            ),
            name=f"claim_{step}",
        )

    async def _later(self, why: str) -> None:
        self.run.count("uncertain")
        await self._looked(why)

    async def _looked(self, why: str) -> None:
        nb = _not_before(self.world, self.account)
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


async def _choose(world: World, parcel: BookableParcel, buyer: Buyer) -> Choice:
    """The cheapest offer of the allowed companies that can carry the parcel (COD where the buyer pays on delivery)."""
    assert world.policy.sender is not None
    request = QuoteRequest(
        origin=world.policy.sender,
        destination=_place(buyer),
        items=_items(world, parcel),
        companies=world.policy.companies,
        cod_amount=parcel.order_total if parcel.cod else None,
    )
    offers: list[tuple[Quote, CourierAccount]] = []
    trouble: CourierTrouble | None = None
    for account in world.couriers:
        try:
            async with calling(world, account):
                offered = await account.courier.quote(request)
        except CourierTrouble as unwell:
            trouble = unwell
            continue
        offers.extend((quote, account) for quote in offered if not parcel.cod or quote.cod)
    if not offers and trouble is not None:
        raise trouble
    if not offers:
        raise Rejected(
            "quote", "no allowed courier offers this route" + (" with COD" if parcel.cod else ""), RejectClass.NO_ROUTE
        )
    quote, account = min(offers, key=lambda offer: (offer[0].price, offer[0].company, offer[0].service))
    return Choice(account, quote, f"cheapest of {len(offers)} offers")


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


def _differs(booking: Booking, request: BookingRequest) -> str:
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


def _place(buyer: Buyer) -> Place:
    return Place(
        name=buyer.name,
        phone=buyer.phone,
        address=buyer.address,
        postal_code=buyer.postal_code,
        district=buyer.district,
        city=buyer.city,
        province=buyer.province,
        email=buyer.email,
        note=buyer.note,
    )


def _items(world: World, parcel: BookableParcel) -> tuple[ParcelItem, ...]:
    return tuple(
        ParcelItem(
            name=line.title[:60] or line.seller_sku,
            sku=line.seller_sku,
            quantity=line.count,
            value=line.unit_price or 0,
            weight_g=line.weight_g or world.policy.default_weight_g,
        )
        for line in parcel.lines
    )


def _packed(request: BookingRequest, choice: Choice) -> dict[str, Any]:
    return {"request": asdict(request), "quoted": choice.quote.price, "why": choice.why, "account": choice.account.slug}


def _unpacked(packed: dict[str, Any]) -> BookingRequest:
    fields = dict(packed["request"])
    items: Sequence[dict[str, Any]] = fields["items"]
    fields["sender"], fields["recipient"] = Place(**fields["sender"]), Place(**fields["recipient"])
    fields["items"] = tuple(ParcelItem(**item) for item in items)
    fields["handover"] = Handover(fields["handover"])
    return BookingRequest(**fields)


async def _refuse(world: World, parcel: BookableParcel, why: str, reject: RejectClass, run: Run) -> None:
    run.count("refused")
    await world.ledger.write(
        lambda session: bookings.note_refusal(
            session,
            parcel.parcel_id,
            why,
            now_ms=world.ledger.now_ms(),
            order=parcel.order_remote_id,
            reject=reject.value,
        ),
        name="booking_refused",
    )


async def _person(world: World, claim_id: int, why: str, run: Run) -> None:
    run.count("for_a_person")
    await world.ledger.write(
        lambda session: bookings.settle_by_person(session, claim_id, why, now_ms=world.ledger.now_ms()),
        name="settle_person",
    )


def _not_before(world: World, account: CourierAccount) -> int:
    lag_s = account.courier.capabilities.booking_read_lag_s
    return world.ledger.now_ms() + round((world.policy.call_deadline_s + lag_s + world.policy.settle_margin_s) * 1000)
