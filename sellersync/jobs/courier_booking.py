"""Own-site parcels: choose an offer, then book it by the courier's declared way of settling; the reason is kept with the booking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from sellersync.connector.contract import BookingRequest, Handover, ParcelItem, Place, SettleBy
from sellersync.domain.courier_rules import zone_of
from sellersync.domain.errors import LeaseLost, RejectClass, Rejected
from sellersync.domain.ids import booking_reference
from sellersync.store import bookings, reads_bookings
from sellersync.store.reads_bookings import BookableParcel, OpenClaim

from . import courier_quotes
from .courier_attempt import Attempt, for_a_person, not_before
from .courier_call import CourierTrouble, calling, note_answered
from .courier_funds import Funds
from .courier_quotes import Chosen, Wanted
from .world import CourierAccount, Run, Shop, World

LOOKS_MAX = 6


async def book_all(
    world: World,
    shop: Shop,
    claims: Sequence[OpenClaim],
    bookable: Callable[[], Awaitable[Sequence[BookableParcel]]],
    run: Run,
) -> None:
    """Settle what is open, then book what may be booked. A courier's trouble is its own: the others go on."""
    funds = await Funds.look(world) if claims else Funds(world)
    for claim in claims:
        try:
            await settle(world, shop, claim, run, funds)
        except CourierTrouble:
            run.count("courier_trouble")
    parcels = await bookable()
    if parcels and not claims:
        funds = await Funds.look(world)
    for parcel in parcels:
        try:
            await book(world, shop, parcel, run, funds)
        except CourierTrouble:
            run.count("courier_trouble")


async def book(world: World, shop: Shop, parcel: BookableParcel, run: Run, funds: Funds) -> None:
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
        want = courier_quotes.wanted(world, shop, parcel, buyer)
        chosen = await courier_quotes.choose(world, want, await courier_quotes.ask(world, want, funds), funds)
    except Rejected as refused:
        if refused.reject is RejectClass.INSUFFICIENT_BALANCE:
            run.count("waits_for_balance")  # the account has its own finding
        else:
            await _refuse(world, parcel, refused.why, refused.reject, run)
        return
    account = chosen.account
    attempt = parcel.last_attempt + 1
    request = _request(world, shop, want, chosen, attempt)
    packed = _packed(request, want, chosen)
    two_step = account.courier.capabilities.settle_by is SettleBy.TWO_STEP
    try:
        claim_id = await world.ledger.write(
            lambda session: bookings.open_claim(
                session,
                parcel_id=parcel.parcel_id,
                attempt=attempt,
                reference=request.reference,
                step="draft" if two_step else "book",
                owner=world.owner,
                request=packed,
                not_before_settle_ms=not_before(world, account),
                now_ms=world.ledger.now_ms(),
                vault=world.ledger.vault,
                courier_channel_id=account.id,
                cod_amount=request.cod_amount,
            ),
            name="claim",
        )
    except LeaseLost:
        run.count("withdrawn")
        return
    attempted = Attempt(
        world, account, funds, claim_id, parcel.parcel_id, parcel.order_remote_id, attempt, request, packed, run
    )
    async with calling(world, account):
        await (attempted.draft() if two_step else attempted.book())
    await note_answered(world, account)


async def settle(world: World, shop: Shop, claim: OpenClaim, run: Run, funds: Funds) -> None:
    """Decide an open claim by the courier's strategy; nothing is booked again before that."""
    account = next((account for account in world.couriers if account.id == claim.courier_channel_id), None)
    if account is None:
        await for_a_person(world, claim.id, "its courier account is not configured any more", run)
        return
    request = unpacked(claim.request)
    if claim.step == "drafted" and not funds.open_for(account, cod=request.cod_amount is not None):
        run.count("waits_for_balance")  # the draft stays good until it can be paid
        return
    if claim.looks >= LOOKS_MAX:
        await for_a_person(world, claim.id, "the courier still gives no clear answer", run)
        return
    attempt = Attempt(
        world,
        account,
        funds,
        claim.id,
        claim.parcel_id,
        claim.order_remote_id,
        claim.attempt,
        request,
        claim.request,
        run,
        again=True,
    )
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
        if found is not None:
            await attempt.adopt(found)
        elif attempt.funds.open_for(account, cod=attempt.request.cod_amount is not None):
            await attempt.book()
        else:
            await attempt.wait_for_balance()
    elif strategy is SettleBy.SAME_REFERENCE_REPEAT:
        await attempt.book()
    else:
        await for_a_person(world, claim.id, "this courier cannot be asked what became of it", run)


def _request(world: World, shop: Shop, want: Wanted, chosen: Chosen, attempt: int) -> BookingRequest:
    assert world.policy.sender is not None
    parcel, offer = want.parcel, chosen.choice.offer
    reference = booking_reference(
        world.install_id,
        shop.id,
        parcel.order_remote_id,
        parcel.number,
        attempt,
        length_max=chosen.account.courier.capabilities.reference_length_max,
    )
    return BookingRequest(
        reference=reference,
        order_number=parcel.order_number or parcel.order_remote_id,
        sender=world.policy.sender,
        recipient=want.recipient,
        items=want.items,
        company=offer.company,
        service=offer.service,
        handover=Handover(chosen.choice.handover),
        cod_amount=want.cod_amount,
        insured_amount=want.insured_amount,
    )


def _packed(request: BookingRequest, want: Wanted, chosen: Chosen) -> dict[str, Any]:
    """Everything that a settling after a restart needs to know, as it is sealed with the claim."""
    offer = chosen.choice.offer
    return {
        "request": asdict(request),
        "quoted": offer.price,
        "why": chosen.choice.why,
        "account": chosen.account.slug,
        "quote_key": chosen.quote_key,
        "zone": zone_of(want.facts.province, want.facts.postal_code),
        "weight_g": want.facts.weight_g,
        "days": None if offer.days is None else offer.days[1],
    }


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
