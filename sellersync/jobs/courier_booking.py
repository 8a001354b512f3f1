"""Own-site parcels: quote, choose, then book by the courier's declared way of settling; the chosen offer is kept with its reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from sellersync.connector.contract import (
    BookingRequest,
    Handover,
    ParcelItem,
    Place,
    Quote,
    QuoteRequest,
    SettleBy,
)
from sellersync.domain.errors import (
    LeaseLost,
    RejectClass,
    Rejected,
)
from sellersync.domain.ids import booking_reference
from sellersync.domain.orders import Buyer
from sellersync.store import bookings, reads_bookings
from sellersync.store.reads_bookings import BookableParcel, OpenClaim

from .courier_attempt import Attempt, CourierTrouble, calling, for_a_person, not_before, note_answered
from .world import CourierAccount, Run, Shop, World

LOOKS_MAX = 6


@dataclass(frozen=True, slots=True)
class Choice:
    """The offer that is taken, and why."""

    account: CourierAccount
    quote: Quote
    why: str


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


async def book(world: World, shop: Shop, parcel: BookableParcel, run: Run) -> None:
    """Book one own-site parcel. Refusals become findings; a lost answer leaves the claim open for `settle`."""
    buyer = await world.ledger.read(
        partial(reads_bookings.recipient, order_id=parcel.order_id, vault=world.ledger.vault)
    )
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
                not_before_settle_ms=not_before(world, choice.account),
                now_ms=world.ledger.now_ms(),
                vault=world.ledger.vault,
                courier_channel_id=choice.account.id,
            ),
            name="claim",
        )
    except LeaseLost:
        run.count("withdrawn")
        return
    attempted = Attempt(
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
        await for_a_person(world, claim.id, "its courier account is not configured any more", run)
        return
    attempt = Attempt(
        world,
        account,
        claim.id,
        claim.parcel_id,
        claim.order_remote_id,
        unpacked(claim.request),
        claim.request,
        run,
        again=True,
    )
    if claim.looks >= LOOKS_MAX:
        await for_a_person(world, claim.id, "the courier still gives no clear answer", run)
        return
    run.count("looked_up")
    async with calling(world, account):
        await _settle_by_strategy(world, account, attempt, claim, run)


async def _settle_by_strategy(
    world: World, account: CourierAccount, attempt: Attempt, claim: OpenClaim, run: Run
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
        await for_a_person(world, claim.id, "this courier cannot be asked what became of it", run)


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
    refusal: Rejected | None = None
    for account in world.couriers:
        try:
            async with calling(world, account):
                offered = await account.courier.quote(request)
        except CourierTrouble as unwell:
            trouble = unwell
            continue
        except (
            Rejected
        ) as refused:  # one account's no (an address that it cannot read, an empty balance) is not another's
            refusal = refused
            continue
        offers.extend((quote, account) for quote in offered if not parcel.cod or quote.cod)
    if not offers and trouble is not None:
        raise trouble
    if not offers and refusal is not None:
        raise refusal
    if not offers:
        raise Rejected(
            "quote", "no allowed courier offers this route" + (" with COD" if parcel.cod else ""), RejectClass.NO_ROUTE
        )
    quote, account = min(offers, key=lambda offer: (offer[0].price, offer[0].company, offer[0].service))
    return Choice(account, quote, f"cheapest of {len(offers)} offers")


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


def unpacked(packed: dict[str, Any]) -> BookingRequest:
    """The request of a claim on an own-site parcel, as it was sealed."""
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
