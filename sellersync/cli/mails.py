"""`sellersync mails`: what buyers of the own site were written, and what became of it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sellersync.app import App, build_post
from sellersync.domain.errors import BadInput, Temporary
from sellersync.store import mails

from .out import as_json, say, table, when
from .state import state_of

app = typer.Typer(help="Mails to buyers of the own site.", no_args_is_help=True)
LIST_MAX = 50
SENT = "sent"


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only this state: queued, sent, refused, unclear, skipped.")] = None,
    order: Annotated[str | None, typer.Option(help="Only mails about this order (id or number).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many.")] = LIST_MAX,
) -> None:
    """Mails, the newest first."""
    options = state_of(context)
    with options.ledger() as (settings, ledger):
        rows = ledger.read_now(lambda session: mails.mails(session, state=state, order=order, limit=limit))
        zone = settings.shop.zone
        on = settings.mail.enabled and settings.mail.buyers
    if options.json:
        as_json(rows)
        return
    if not rows:
        say("No such mail." if on else "No mail: [mail] enabled and buyers in the configuration switch them on.")
        return
    table(
        ("id", "state", "mail", "channel", "order", "tries", "found due", "sent", "next try", "detail"),
        [
            (row.id, row.state, row.kind.replace("_", " "), row.channel, row.order, row.attempts, when(row.created, zone),
             when(row.sent, zone), when(row.next_try, zone), row.detail)
            for row in rows
        ],
    )  # fmt: skip
    if any(row.state in (mails.UNCLEAR, mails.REFUSED) for row in rows):
        say("Nobody sends these again unless you do: sellersync mails resend ID")
    if len(rows) == limit:
        say(f"There may be more than these {limit}: --limit N")


@app.command("resend")
def resend(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="As `mails list` names it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Send a mail again that was refused, skipped or got no answer."""
    state = state_of(context)
    if not name.isdecimal():
        raise BadInput(f"no mail {name!r}; see `sellersync mails list`")
    mail = int(name)
    with state.ledger() as (settings, ledger):
        if not settings.mail.enabled:
            raise BadInput("no mail is sent: [mail] enabled is false")
        if not yes and ledger.read_now(lambda session: mails.state_of(session, mail)) == mails.UNCLEAR:
            _ask("The mail may have arrived already; the buyer would get it twice. Send it again?")
        before = ledger.write_now(
            lambda session: mails.send_again(session, mail, now_ms=ledger.now_ms()), name="resend_mail"
        )
    if state.json:
        as_json({"mail": mail, "was": before})
    else:
        say(f"Mail {mail} was {before}; the running daemon sends it within {settings.mail.every_s:g} seconds.")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise BadInput("it may have arrived already; agree with --yes")
    if not typer.confirm(question):
        raise BadInput("nothing was changed")


@app.command("test")
def test(
    context: typer.Context,
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="Your own address.")],
) -> None:
    """Send a test mail through the server of [mail], also while mails are switched off."""
    from sellersync.jobs import send_mails

    state = state_of(context)

    async def errand(app: App) -> None:
        post = build_post(app.settings)
        delivery = await send_mails.send_test(post, to, install_id=app.world.install_id, now=app.world.clock.now())
        if state.json:
            as_json({"outcome": delivery.outcome, "detail": delivery.detail})
        if delivery.outcome.value != SENT:
            raise Temporary(f"the mail was not sent ({delivery.outcome.value}): {delivery.detail}")
        if not state.json:
            say(
                f"Sent through {app.settings.mail.host}. If it does not arrive, look into the spam folder and the server's log."
            )

    state.on_app(errand)
