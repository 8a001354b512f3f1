"""`sellersync orders cancellations`: requests to cancel, and a person's answer to them."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from typing import Annotated

import typer

from sellersync.app import App
from sellersync.domain.errors import BadInput
from sellersync.domain.returns import CancellationState
from sellersync.jobs import answer_cancellation
from sellersync.jobs.answer_cancellation import Answered
from sellersync.store.cancellations import AnswerState, PendingRequest, pending_requests
from sellersync.store.ledger import Session

from .codes import Code
from .out import as_json, say, table, waiting, when
from .state import State, state_of
from .stock import channel_named
from .who import who


class Answer(StrEnum):
    """What a person says to a request."""

    ACCEPT = "accept"
    REJECT = "reject"


WORDS = {
    AnswerState.SENT: "sent, no reply yet",
    AnswerState.UNCLEAR: "no reply: being looked up",
    AnswerState.REFUSED: "refused by the channel",
    AnswerState.NONE: "did not arrive",
}


def register(app: typer.Typer) -> None:
    app.command("cancellations")(cancellations)


def cancellations(
    context: typer.Context,
    answer: Annotated[
        Answer | None,
        typer.Argument(
            help="accept: it is cancelled, and what lies on the shelf is free at once; reject: it is shipped."
        ),
    ] = None,
    order: Annotated[str | None, typer.Argument(help="Order id or number, or the request's id.")] = None,
    channel: Annotated[str | None, typer.Option(help="List only this channel.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Requests to cancel that wait for an answer, the most urgent first; or answer one: accept ORDER, reject ORDER."""
    state = state_of(context)
    if answer is None:
        _list(state, channel)
    elif order is None:
        raise BadInput(f"name the order: sellersync orders cancellations {answer.value} ORDER")
    else:
        _send(state, order, accept=answer is Answer.ACCEPT, yes=yes)


def _list(state: State, channel: str | None) -> None:
    def read(session: Session) -> tuple[PendingRequest, ...]:
        if channel is not None:
            channel_named(session, channel)
        return pending_requests(session, channel=channel)

    with state.ledger() as (settings, ledger):
        rows = ledger.read_now(read)
        zone = settings.shop.zone
    if state.json:
        as_json(rows)
        return
    if not rows:
        say("No request to cancel waits for an answer.")
        return
    table(
        ("channel", "order", "decided without you", "by", "reason", "units", "parcel", "your answer"),
        [
            (row.channel, row.number or row.order, when(row.respond_by, zone), row.by or "-", row.reason or "-",
             "all" if row.units is None else row.units, f"{row.parcel or 'not booked'} {row.waybill}".rstrip(),
             _answer(state, row))
            for row in rows
        ],
    )  # fmt: skip
    first = next((row for row in rows if not row.answer_state.on_its_way), None)
    if first is not None:
        name = shlex.quote(first.number or first.order)
        say(f"Cancel it:  sellersync orders cancellations accept {name}")
        say(f"Ship it:    sellersync orders cancellations reject {name}")


def _answer(state: State, row: PendingRequest) -> str:
    if not row.answer:
        return "-"
    detail = f" ({state.redactor(row.detail)})" if row.detail and row.answer_state is AnswerState.REFUSED else ""
    return f"{row.answer}: {WORDS.get(row.answer_state, row.answer_state.value)}{detail}"


def _send(state: State, name: str, *, accept: bool, yes: bool) -> None:
    async def errand(app: App) -> tuple[PendingRequest, Answered]:
        request = await app.ledger.read(lambda session: _request_named(session, name))
        shop = app.world.shop(request.channel)
        _ask(request, accept=accept, yes=yes)
        with waiting(f"answering {shop.slug}", quiet=state.json):
            return request, await answer_cancellation.run(app.world, shop, request, accept=accept, who=who())

    request, answered = state.on_app(errand)
    verb = "accept" if accept else "reject"
    if state.json:
        as_json({"channel": request.channel, "order": request.order, "request": request.request, "answer": verb,
                 "outcome": answered.state, "detail": state.redactor(answered.detail), "read_again": answered.read})  # fmt: skip
    else:
        say(_told(state, request, answered, accept=accept))
    raise typer.Exit(Code.OK if answered.state is AnswerState.DONE else Code.ATTENTION)


def _told(state: State, request: PendingRequest, answered: Answered, *, accept: bool) -> str:
    order = request.number or request.order
    if answered.state is AnswerState.REFUSED:
        return f"{request.channel} refused the answer: {state.redactor(answered.detail)}"
    if answered.state is AnswerState.UNCLEAR:
        return (
            f"{request.channel} did not reply, so the answer may have arrived or not. It is not sent again; the next pulls find "
            f"out, and until then the order is not shipped: sellersync orders show {shlex.quote(order)}"
        )
    done = f"Order {order}: the request is {'accepted' if accept else 'refused'}."
    return done if answered.read else f"{done} The order is read again with the next pull."


def _ask(request: PendingRequest, *, accept: bool, yes: bool) -> None:
    if yes:
        return
    order = request.number or request.order
    units = "all of it" if request.units is None else f"{request.units} units"
    warning = f"Order {order} on {request.channel}, {units}: {request.reason or 'no reason told'}."
    if accept and request.parcel == "handed over":
        warning += f" Its parcel {request.waybill} is with the courier already: the goods must come back."
    elif accept and request.parcel:
        warning += f" Its parcel {request.waybill} is booked: keep it back."
    if not sys.stdin.isatty():
        raise BadInput(f"nothing was sent. {warning} If that is what you want, add --yes")
    if not typer.confirm(f"{warning} {'Cancel it' if accept else 'Refuse to cancel it'}?"):
        raise BadInput("nothing was sent")


def _request_named(session: Session, name: str) -> PendingRequest:
    """The request that waits for an answer. Raises `BadInput`."""
    found = pending_requests(session, name=name)
    if not found:
        raise BadInput(f"no request to cancel {name!r} waits for an answer; see `sellersync orders cancellations`")
    if len(found) > 1:
        raise BadInput(
            f"several requests of {name} wait; name one by its id: {', '.join(row.request for row in found)}"
        )
    if found[0].state != CancellationState.PENDING:
        raise BadInput(
            f"the request of {name} cannot be understood; answer it in the seller centre of {found[0].channel}"
        )
    return found[0]
