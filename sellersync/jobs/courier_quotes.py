"""Offers for a parcel of the own site: asked for under the seller's rules, believed for a while, and one of them chosen."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from sellersync.connector.contract import ParcelItem, Place, Quote, QuoteRequest
from sellersync.domain.courier_rules import Choice, Offer, ParcelFacts, Refusal, Terms, pick, terms_for
from sellersync.domain.errors import RejectClass, Rejected
from sellersync.domain.ids import content_digest
from sellersync.domain.orders import Buyer
from sellersync.store import quotes
from sellersync.store.reads_bookings import BookableParcel

from .courier_call import CourierTrouble, calling
from .courier_funds import Funds
from .world import CourierAccount, Shop, World, paused

WAITS_FOR_BALANCE = "the balance of a courier account is too low"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A parcel in the words of couriers and rules."""

    parcel: BookableParcel
    recipient: Place
    items: tuple[ParcelItem, ...]
    facts: ParcelFacts
    terms: Terms
    cod_amount: int | None
    insured_amount: int | None


@dataclass(slots=True)
class Offered:
    """What the accounts offer for a parcel. `keys` name the kept offers by account."""

    offers: list[Offer] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, Rejected] = field(default_factory=dict)
    """Why an account offers nothing; INSUFFICIENT_BALANCE where it was not even asked because it cannot pay."""
    trouble: CourierTrouble | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The account, its offer, and why."""

    account: CourierAccount
    choice: Choice
    quote_key: str


def wanted(world: World, shop: Shop, parcel: BookableParcel, buyer: Buyer) -> Wanted:
    """Raises `Rejected` where nobody knows what the buyer of a COD parcel owes."""
    if parcel.cod and not parcel.order_total:
        raise Rejected(
            parcel.order_remote_id, "the order is paid on delivery and its total is not known", RejectClass.BAD_DATA
        )
    items = items_of(parcel, default_weight_g=world.policy.default_weight_g)
    value = sum(item.value * item.quantity for item in items)
    facts = ParcelFacts(
        channel=shop.slug,
        cod=parcel.cod,
        weight_g=sum(item.weight_g * item.quantity for item in items),
        value=value,
        province=buyer.province,
        city=buyer.city,
        postal_code=buyer.postal_code,
    )
    terms = terms_for(facts, world.policy.courier_terms, world.policy.courier_rules)
    return Wanted(
        parcel,
        place_of(buyer),
        items,
        facts,
        terms,
        parcel.order_total if parcel.cod else None,
        value if terms.insure and value > 0 else None,
    )


async def ask(world: World, want: Wanted, funds: Funds) -> Offered:
    """The offers of all accounts that can carry the parcel; one account's trouble or refusal is not another's."""
    assert world.policy.sender is not None
    request = QuoteRequest(
        origin=world.policy.sender,
        destination=want.recipient,
        items=want.items,
        companies=want.terms.companies,
        cod_amount=want.cod_amount,
        insured_amount=want.insured_amount,
    )
    offered = Offered()
    for account in world.couriers:
        if not funds.open_for(account, cod=want.facts.cod):
            offered.refusals[account.slug] = _no_balance(want)
            continue
        key = quote_key(account.id, request)
        offered.keys[account.slug] = key
        try:
            offered.offers += await _offers(world, account, request, key)
        except CourierTrouble as unwell:
            offered.trouble = unwell
        except Rejected as refused:
            offered.refusals[account.slug] = refused
            if refused.reject is RejectClass.INSUFFICIENT_BALANCE:
                await funds.empty(account, refused.why, needed=0)
    return offered


async def choose(world: World, want: Wanted, offered: Offered, funds: Funds) -> Chosen:
    """One of the offers by the seller's rules, of an account that can pay it.

    Raises `Rejected` with the reason (INSUFFICIENT_BALANCE: it only waits for an account) and `CourierTrouble` when the only accounts
    that might carry it are unwell.
    """
    offers = list(offered.offers)
    no_balance = RejectClass.INSUFFICIENT_BALANCE
    waits = any(refused.reject is no_balance for refused in offered.refusals.values())
    while True:
        choice = pick(offers, want.terms, want.facts)
        if isinstance(choice, Refusal):
            break
        account = next(account for account in world.couriers if account.slug == choice.offer.account)
        if funds.can_pay(account, choice.offer.price, cod=want.facts.cod):
            return Chosen(account, choice, offered.keys[account.slug])
        await funds.empty(account, "the balance is below the price of the next parcel", needed=choice.offer.price)
        waits = True
        offers = [offer for offer in offers if offer.account != account.slug]
    if offered.trouble is not None:
        raise offered.trouble
    if waits:
        raise _no_balance(want)
    if not offered.offers and offered.refusals:
        raise next(iter(offered.refusals.values()))
    raise Rejected(want.parcel.order_remote_id, choice.why, RejectClass.NO_ROUTE)


def _no_balance(want: Wanted) -> Rejected:
    return Rejected(want.parcel.order_remote_id, WAITS_FOR_BALANCE, RejectClass.INSUFFICIENT_BALANCE)


async def drop(world: World, key: str) -> None:
    """A booking showed that these offers are not true any more."""
    if key:
        await world.ledger.write(lambda session: quotes.drop_offers(session, key), name="quote_dropped")


def quote_key(account_id: int, request: QuoteRequest) -> str:
    """What decides a price: the account, both ends as coarse as couriers price them, what is in the parcel. No name, no street."""
    ends = [
        (place.postal_code, place.area_id, place.district, place.city, place.province, place.latitude, place.longitude)
        for place in (request.origin, request.destination)
    ]
    items = sorted(
        (item.quantity, item.weight_g, item.value, item.length_cm or 0, item.width_cm or 0, item.height_cm or 0)
        for item in request.items
    )
    parts = (account_id, ends, items, sorted(request.companies), request.cod_amount, request.insured_amount)
    return content_digest(repr(parts))


async def _offers(world: World, account: CourierAccount, request: QuoteRequest, key: str) -> list[Offer]:
    """Kept offers, else fresh ones. That nobody goes there is kept like an offer. Raises `CourierTrouble`, `Rejected`."""
    if await paused(world, account.id):  # kept offers of an account that cannot be booked help nobody
        raise CourierTrouble(account.slug)
    since_ms = world.ledger.now_ms() - round(world.policy.quote_cache_s * 1000)
    kept = await world.ledger.read(lambda session: quotes.kept_offers(session, key, since_ms=since_ms))
    if kept is not None:
        return _unpacked(account.slug, json.loads(kept))
    try:
        async with calling(world, account):
            offers = [_offer(account.slug, quote) for quote in await account.courier.quote(request)]
    except Rejected as refused:
        if refused.reject is RejectClass.NO_ROUTE:
            await _keep(world, key, {"no_route": refused.why})
        raise
    await _keep(world, key, {"offers": [asdict(offer) for offer in offers]})
    return offers


async def _keep(world: World, key: str, packed: dict[str, Any]) -> None:
    if world.policy.quote_cache_s <= 0:
        return
    text = json.dumps(packed, ensure_ascii=False)
    now_ms = world.ledger.now_ms()
    await world.ledger.write(lambda session: quotes.keep_offers(session, key, text, now_ms=now_ms), name="quoted")


def _unpacked(slug: str, packed: dict[str, Any]) -> list[Offer]:
    if "no_route" in packed:
        raise Rejected("quote", packed["no_route"], RejectClass.NO_ROUTE)
    offers = []
    for row in packed["offers"]:
        days = None if row["days"] is None else (int(row["days"][0]), int(row["days"][1]))
        offers.append(Offer(**{**row, "account": slug, "days": days, "handovers": tuple(row["handovers"])}))
    return offers


def _offer(slug: str, quote: Quote) -> Offer:
    return Offer(
        account=slug,
        company=quote.company,
        service=quote.service,
        name=quote.name,
        price=quote.price,
        days=quote.days,
        cod=quote.cod,
        handovers=tuple(handover.value for handover in quote.handovers),
    )


def place_of(buyer: Buyer) -> Place:
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


def items_of(parcel: BookableParcel, *, default_weight_g: int) -> tuple[ParcelItem, ...]:
    return tuple(
        ParcelItem(
            name=line.title[:60] or line.seller_sku,
            sku=line.seller_sku,
            quantity=line.count,
            value=line.unit_price or 0,
            weight_g=line.weight_g or default_weight_g,
        )
        for line in parcel.lines
    )
