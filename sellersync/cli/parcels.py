"""`sellersync parcels`: the group; bookings whose outcome is not known, and a person's word about them."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from sellersync.app import App
from sellersync.domain.errors import BadInput
from sellersync.jobs import settle_claim
from sellersync.store import reads_orders
from sellersync.store.claims import PERSON, WaitingClaim, waiting_claims
from sellersync.store.ledger import Session

from . import parcel_queue, scorecard
from .out import as_json, say, table, when
from .state import state_of
from .stock import channel_named
from .who import who

app = typer.Typer(help="Parcels and their bookings.", no_args_is_help=True)
parcel_queue.register(app)
scorecard.register(app)


@app.command("claims")
def claims(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
) -> None:
    """Bookings without a known outcome: those that need you, and those that are still looked up."""
    state = state_of(context)

    def read(session: Session) -> list[WaitingClaim]:
        if channel is not None:
            channel_named(session, channel)
        return waiting_claims(session, channel=channel)

    with state.ledger() as (settings, ledger):
        rows = ledger.read_now(read)
        zone = settings.shop.zone
    if state.json:
        as_json(rows)
        return
    if not rows:
        say("Every booking has a known outcome.")
        return
    table(
        ("waits for", "channel", "order", "parcel", "courier", "reference", "begun", "looked up from", "why"),
        [
            ("you" if row.state == PERSON else "look-up", row.channel, row.order, row.parcel, row.courier or row.channel,
             row.reference, when(row.begun, zone), "-" if row.state == PERSON else when(row.look_at, zone),
             state.redactor(row.detail))
            for row in rows
        ],
    )  # fmt: skip
    if rows[0].state == PERSON:
        command = shlex.join(["sellersync", "parcels", "settle", rows[0].order])
        named = "BOOKING_ID" if rows[0].courier else "WAYBILL"
        say(f"Look for its reference at {rows[0].courier or rows[0].channel}, then say what you found:")
        say(f"  {command} --booked {named}")
        say(f"  {command} --not-booked")


@app.command("settle")
def settle(
    context: typer.Context,
    order: Annotated[str, typer.Argument(help="Order id or number, or the booking's reference.")],
    booked: Annotated[
        str | None,
        typer.Option(
            metavar="WAYBILL", help="It is booked: its waybill; for an own-site parcel the courier's booking id."
        ),
    ] = None,
    not_booked: Annotated[
        bool, typer.Option("--not-booked", help="It is not booked, and may be booked again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Say what became of a booking that nobody could find out by machine. Nothing is booked again before you do."""
    state = state_of(context)
    if (booked is None) == (not not_booked) or booked == "":
        raise BadInput("say what you found: --booked WAYBILL or --not-booked")

    async def errand(app: App) -> None:
        claim = await app.ledger.read(lambda session: _claim_named(session, order))
        told = {"order": claim.order, "parcel": claim.parcel, "reference": claim.reference}
        if booked is None:
            _ask(claim, yes=yes)
            await settle_claim.not_booked(app.world, claim, who=who())
            if state.json:
                as_json({**told, "booked": False})
            else:
                say(
                    f"Parcel {claim.parcel} of order {claim.order} is booked again with the next run: sellersync sync book"
                )
            return
        parcel = await settle_claim.booked(app.world, claim, booked, who=who())
        if state.json:
            as_json({**told, "booked": True, "waybill": parcel.waybill, "state": parcel.state})
        else:
            say(
                f"Parcel {claim.parcel} of order {claim.order}: {parcel.state.value}, waybill {parcel.waybill or 'not yet'}."
            )

    state.on_app(errand)


def _ask(claim: WaitingClaim, *, yes: bool) -> None:
    if yes:
        return
    warning = f"If {claim.reference} is booked after all, the parcel will be paid twice."
    if not sys.stdin.isatty():
        raise BadInput(f"nothing was recorded. {warning} Look for it once more, then add --yes")
    if not typer.confirm(f"{warning} Is it certainly not booked?"):
        raise BadInput("nothing was recorded")


def _claim_named(session: Session, name: str) -> WaitingClaim:
    """The claim that waits for a person. Raises `BadInput`."""
    orders = reads_orders.find_orders(session, name)
    if not orders:
        raise BadInput(f"no order {name!r} in the ledger; see `sellersync parcels claims`")
    found = [claim for order in orders for claim in waiting_claims(session, order_id=order.id)]
    waiting = [claim for claim in found if claim.state == PERSON]
    exact = [claim for claim in waiting if claim.reference == name] or waiting
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise BadInput(
            f"several bookings of {name} wait for you; name one by its reference: "
            + ", ".join(claim.reference for claim in exact)
        )
    if found:
        raise BadInput(
            f"the booking {found[0].reference} is still looked up by itself, from {found[0].look_at:%H:%M:%S} UTC on; "
            "your word is asked for only when that fails"
        )
    raise BadInput(f"no booking of {name} waits for you; see `sellersync orders show {name}`")
