"""`sellersync parcels quote`, `book`, `cancel`, `rebook` and `balance`: a person's hand on the bookings of couriers."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from sellersync.app import App
from sellersync.domain.courier_rules import Offer, read_why
from sellersync.domain.errors import BadInput, Rejected, Temporary
from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import ParcelState
from sellersync.jobs import book_couriers, cancel_booking, courier_funds, courier_quotes
from sellersync.jobs.courier_call import CourierTrouble
from sellersync.jobs.courier_funds import Funds
from sellersync.jobs.world import CourierAccount
from sellersync.store import balances, cancels, reads_bookings, reads_orders
from sellersync.store.cancels import BookedParcel
from sellersync.store.ledger import Session
from sellersync.store.reads_orders import OrderHead

from .codes import Code
from .out import as_json, rupiah, say, table, waiting, when
from .state import State, state_of

TURN_S_MAX = 60.0
Order = Annotated[str, typer.Argument(help="Order id or number, or a waybill; ORDER/N names its N-th parcel.")]
Channel = Annotated[str | None, typer.Option(help="The channel, where several have an order of this name.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    for name, command in (
        ("quote", quote),
        ("book", book),
        ("cancel", cancel),
        ("rebook", rebook),
        ("balance", balance),
    ):
        app.command(name)(command)


# ------------------------------------------------------------------------------------------------------------------------- quote


def quote(context: typer.Context, order: Order, channel: Channel = None) -> None:
    """What the couriers offer for an own-site order, which offer would be booked, and why. Books nothing."""
    state = state_of(context)

    async def errand(app: App) -> Code:
        head, number = await app.ledger.read(partial(_named, name=order, channel=channel))
        shop = app.world.shop(head.channel)
        if not shop.channel.capabilities.own_site:
            raise BadInput(
                f"order {head.remote_id} goes with {head.channel}'s own couriers: there is nothing to choose"
            )
        parcel = await app.ledger.read(partial(reads_bookings.quotable_parcel, order_id=head.id, number=number))
        if parcel is None:
            raise BadInput(
                f"order {head.remote_id} has nothing left to send; see: sellersync orders show {head.remote_id}"
            )
        buyer = await app.ledger.read(partial(reads_bookings.recipient, order_id=head.id, vault=app.ledger.vault))
        if buyer is None or app.world.policy.sender is None:
            raise BadInput("the order has no address" if buyer is None else "there is no [sender] in the configuration")
        funds = await Funds.look(app.world)
        want = courier_quotes.wanted(app.world, shop, parcel, buyer)
        with waiting("asking the couriers", quiet=state.json):
            offered = await courier_quotes.ask(app.world, want, funds)
        chosen, refusal = None, ""
        try:
            chosen = (await courier_quotes.choose(app.world, want, offered, funds)).choice
        except Rejected as refused:
            refusal = refused.why
        except CourierTrouble as unwell:
            refusal = f"{unwell} does not answer now"
        offers = sorted(offered.offers, key=lambda offer: (offer.price, offer.company, offer.service))
        if state.json:
            as_json({"order": head.remote_id, "rule": want.terms.rule, "weight_g": want.facts.weight_g,
                     "value": want.facts.value, "cod_amount": want.cod_amount, "insured": want.insured_amount,
                     "offers": offers, "chosen": None if chosen is None else chosen.offer,
                     "handover": None if chosen is None else chosen.handover,
                     "why": "" if chosen is None else chosen.why, "refusal": refusal,
                     "silent": {slug: no.why for slug, no in offered.refusals.items()}})  # fmt: skip
        else:
            _show_offers(offers, None if chosen is None else chosen.offer)
            for slug, no in offered.refusals.items():
                say(f"{slug} offers nothing: {state.redactor(no.why)}")
            say(f"{want.facts.weight_g} g, goods of {rupiah(want.facts.value)}"
                + (f", COD {rupiah(want.cod_amount)}" if want.cod_amount else "")
                + (f", insured for {rupiah(want.insured_amount)}" if want.insured_amount else "") + ".")  # fmt: skip
            say(f"Nothing would be booked: {refusal}." if chosen is None else f"Chosen: {why_sentence(chosen.why)}, "
                f"{chosen.handover.replace('_', '-')}.")  # fmt: skip
        return Code.ATTENTION if chosen is None else Code.OK

    raise typer.Exit(state.on_app(errand))


def _show_offers(offers: list[Offer], chosen: Offer | None) -> None:
    if not offers:
        say("No courier offers this route.")
        return
    table(
        ("", "account", "courier", "service", "price", "days", "COD", "hand-over"),
        [
            ("*" if offer == chosen else "", offer.account, offer.company, offer.service, rupiah(offer.price),
             "-" if offer.days is None else "-".join(map(str, dict.fromkeys(offer.days))), "yes" if offer.cod else "no",
             ", ".join(one.replace("_", "-") for one in offer.handovers))
            for offer in offers
        ],
    )  # fmt: skip


def why_sentence(why: str) -> str:
    """A kept reason in English."""
    key, values = read_why(why)
    if "offers" not in values:
        return why
    promised = f" that promise {values['days']} days at most" if "days" in values else ""
    by_rule = f", by the rule {values['rule']}" if "rule" in values else ""
    return f"the {key} of {values['offers']} offers{promised} (of {values.get('of', '?')} in all){by_rule}"


# -------------------------------------------------------------------------------------------------------------------------- book


def book(context: typer.Context, order: Order, channel: Channel = None) -> None:
    """Book the courier of an order now, without waiting after an earlier refusal."""
    state = state_of(context)

    async def errand(app: App) -> Code:
        head, _ = await app.ledger.read(partial(_named, name=order, channel=channel))
        held = await app.ledger.read(partial(_given_up, order_id=head.id))
        if held is not None:
            raise BadInput(
                f"the booking of parcel {held.name} was cancelled; to send its goods after all: "
                f"sellersync parcels rebook {head.remote_id}"
            )
        return await _book_now(app, state, head)

    raise typer.Exit(state.on_app(errand))


async def _book_now(app: App, state: State, head: OrderHead) -> Code:
    """Book an order's parcels and tell what they are like then; 1 unless each that lives is booked. Raises `Temporary`."""
    shop = app.world.shop(head.channel)
    with waiting("booking", quiet=state.json):
        run = await book_couriers.run(app.world, shop, wait_s=TURN_S_MAX, force=True, only=head.id)
    if run is None or not run.ok:
        raise Temporary(f"{shop.slug} cannot book now: {run.error if run else 'it is backing off'}")
    order = await app.ledger.read(lambda session: reads_orders.whole_order(session, head.id, vault=app.ledger.vault))
    live = [parcel for parcel in order.parcels if ParcelState(parcel.state).live]
    booked = bool(live) and all(ParcelState(parcel.state).booked for parcel in live)
    why = "" if booked else await app.ledger.read(partial(reads_bookings.why_not_booked, order_id=head.id))
    if not booked and not why and run.counts.get("waits_for_balance"):
        why = f"{courier_quotes.WAITS_FOR_BALANCE} (sellersync parcels balance)"
    if state.json:
        as_json({"order": head.remote_id, "booked": booked, "parcels": live, "why_not": why})
    elif not live:
        say(f"Order {head.remote_id} has no parcel to book: it is {head.state.replace('_', ' ')}.")
    else:
        for parcel in live:
            say(f"Parcel {parcel.number} of order {head.remote_id}: {parcel.state.replace('_', ' ')}, "
                f"{parcel.courier or 'no courier yet'}, waybill {parcel.waybill or 'not yet'}.")  # fmt: skip
        if not booked:
            say(
                f"Not booked: {state.redactor(why)}."
                if why
                else f"What is open: sellersync orders show {head.remote_id}"
            )
    return Code.OK if booked else Code.ATTENTION


# -------------------------------------------------------------------------------------------------------------- cancel and rebook


def cancel(
    context: typer.Context,
    order: Order,
    reason: Annotated[str, typer.Option(help="What the courier is told.")] = "",
    channel: Channel = None,
    yes: Yes = False,
) -> None:
    """Cancel the courier of an own-site parcel. It is not booked again before you say `rebook`."""
    _cancel(state_of(context), order, channel, reason=reason, yes=yes, again=False)


def rebook(
    context: typer.Context,
    order: Order,
    reason: Annotated[str, typer.Option(help="What the courier is told.")] = "change_courier",
    channel: Channel = None,
    yes: Yes = False,
) -> None:
    """Cancel the courier of an own-site parcel, and book its goods anew once the cancellation is proven."""
    _cancel(state_of(context), order, channel, reason=reason, yes=yes, again=True)


def _cancel(state: State, name: str, channel: str | None, *, reason: str, yes: bool, again: bool) -> None:
    async def errand(app: App) -> Code:
        head, number = await app.ledger.read(partial(_named, name=name, channel=channel))
        shop = app.world.shop(head.channel)
        parcels = await app.ledger.read(partial(cancels.parcels_of_orders, order_ids=[head.id]))
        live = [parcel for parcel in parcels if parcel.state.live]
        if again and not live and number is None and parcels:
            await app.ledger.write(partial(cancels.want_again, order_id=head.id), name="want_again")
            return await _book_now(app, state, head)
        parcel = _one(live if number is None else [p for p in parcels if p.number == number], head)
        _ask(parcel, again=again, yes=yes)
        with waiting("cancelling", quiet=state.json):
            answer = await cancel_booking.cancel(
                app.world, shop, parcel.parcel_id, reason=reason, rebook=again, wait_s=TURN_S_MAX
            )
        if answer.state == "done" and again:
            return await _book_now(app, state, head)
        if state.json:
            as_json({"order": head.remote_id, "parcel": parcel.number, "cancel": answer.state, "detail": answer.detail})
        else:
            say(f"Parcel {parcel.name}: {_outcome(answer.state, answer.detail, again=again)}")
            if answer.state == "done" and head.state != OrderState.CANCELLED:
                say(f"To send its goods after all: sellersync parcels rebook {head.remote_id}")
        return Code.OK if answer.state in ("done", "pending") else Code.ATTENTION

    raise typer.Exit(state.on_app(errand))


def _outcome(cancelled: str, detail: str, *, again: bool) -> str:
    then = " It is booked anew after that." if again else ""
    return {
        "done": "cancelled.",
        "pending": f"the courier took the cancellation and decides within two days; until then its goods stay in it.{then}",
        "refused": f"NOT cancelled: {detail}. The booking stands.",
        "asked": f"the courier cannot be reached now; the daemon cancels it as soon as it answers.{then}",
        "sent": f"no clear answer came; the daemon reads the booking and settles it by itself.{then}",
    }[cancelled]


def _ask(parcel: BookedParcel, *, again: bool, yes: bool) -> None:
    if yes:
        return
    what = f"parcel {parcel.name} ({parcel.state.value.replace('_', ' ')}"
    what += f", {parcel.courier or parcel.channel}, waybill {parcel.waybill or 'not yet'})"
    if not sys.stdin.isatty():
        raise BadInput(f"nothing was cancelled: this is about {what}. Look at it, then add --yes")
    if not typer.confirm(f"Cancel {what}{' and book it anew' if again else ''}?"):
        raise BadInput("nothing was cancelled")


def _one(parcels: list[BookedParcel], head: OrderHead) -> BookedParcel:
    if len(parcels) == 1:
        return parcels[0]
    if parcels:
        names = ", ".join(f"{parcel.name} ({parcel.state.value})" for parcel in parcels)
        raise BadInput(f"order {head.remote_id} has several parcels; name one: {names}")
    raise BadInput(f"order {head.remote_id} has no such parcel; see: sellersync orders show {head.remote_id}")


# ----------------------------------------------------------------------------------------------------------------------- balance


@dataclass(frozen=True, slots=True)
class Account:
    """A courier account's balance: whole rupiah, `None` where it tells none. `empty` says why it could not pay."""

    account: str
    balance: int | None
    tells: bool
    asked: datetime | None
    empty: str
    trouble: str


def balance(
    context: typer.Context,
    account: Annotated[str | None, typer.Argument(help="Only this courier account.")] = None,
    topped_up: Annotated[
        bool,
        typer.Option("--topped-up", help="You topped up the named account: its parcels are tried with the next run."),
    ] = False,
) -> None:
    """Ask the courier accounts for their balance now. Exit code 1 when one cannot pay for its parcels."""
    state = state_of(context)

    async def errand(app: App) -> Code:
        chosen = [one for one in app.world.couriers if account in (None, one.slug)]
        if not app.world.couriers:
            raise BadInput("no courier account is configured; [couriers.NAME] in the configuration connects one")
        if not chosen:
            names = ", ".join(one.slug for one in app.world.couriers)
            raise BadInput(f"no courier account {account!r} is configured; there are: {names}")
        if topped_up:
            if account is None:
                raise BadInput("name the account that you topped up")
            now_ms = app.ledger.now_ms()
            await app.ledger.write(
                partial(balances.note_paid, channel_id=chosen[0].id, now_ms=now_ms), name="topped_up"
            )
        with waiting("asking the couriers", quiet=state.json):
            rows = [await _account(app, one) for one in chosen]
        if state.json:
            as_json(rows)
        else:
            zone = app.settings.shop.zone
            table(
                ("account", "balance", "asked", "can pay"),
                [(row.account, _amount(row), when(row.asked, zone), _can_pay(row)) for row in rows],
            )
            for row in rows:
                if row.trouble:
                    say(f"{row.account} cannot be asked now: {state.redactor(row.trouble)}")
                if row.empty and not row.tells:
                    say(f"Once it is topped up: sellersync parcels balance {row.account} --topped-up")
        return Code.ATTENTION if any(row.empty for row in rows) else Code.OK

    raise typer.Exit(state.on_app(errand))


async def _account(app: App, account: CourierAccount) -> Account:
    tells, trouble = account.courier.capabilities.balance, ""
    if tells:
        try:
            await courier_funds.ask(app.world, account)
        except CourierTrouble as unwell:
            trouble = str(unwell.__cause__ or "it is backing off")
    kept = await app.ledger.read(partial(balances.balance, channel_id=account.id))
    empty = await app.ledger.read(partial(balances.empty_account, channel_id=account.id))
    return Account(
        account.slug,
        None if kept is None else kept.amount,
        tells,
        None if kept is None else kept.asked,
        "" if empty is None else empty.why,
        trouble,
    )


def _can_pay(row: Account) -> str:
    return f"no: {row.empty}" if row.empty else "no" if row.balance == 0 else "yes"


def _amount(row: Account) -> str:
    if row.balance is not None:
        return rupiah(row.balance)
    return "has none" if row.asked is not None else "-" if row.tells else "not told"


# ------------------------------------------------------------------------------------------------------------------------ names


def _named(session: Session, name: str, channel: str | None) -> tuple[OrderHead, int | None]:
    """The order, and which of its parcels (`None`: the only one). Raises `BadInput`."""
    orders, number = reads_orders.find_orders(session, name), None
    if not orders and (parts := re.fullmatch(r"(.+)/(\d{1,4})", name)):
        orders, number = reads_orders.find_orders(session, parts[1]), int(parts[2])
    if channel is not None:
        orders = [order for order in orders if order.channel == channel]
    if not orders:
        raise BadInput(f"no order {name!r} in the ledger" + (f" on {channel}" if channel else ""))
    if len(orders) > 1:
        raise BadInput(
            f"several orders are called {name!r}; add --channel: "
            + ", ".join(f"{o.remote_id} on {o.channel}" for o in orders)
        )
    return orders[0], number


def _given_up(session: Session, order_id: int) -> BookedParcel | None:
    """The parcel whose cancellation keeps an order from being booked again."""
    parcels = cancels.parcels_of_orders(session, [order_id])
    if any(parcel.state.live for parcel in parcels):
        return None
    return next((parcel for parcel in parcels if parcel.cancel == "done" and not parcel.rebook), None)
