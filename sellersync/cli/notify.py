"""`sellersync notify`: reports and alerts for people, what became of each, and a test of every way to them."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer

from sellersync.domain.errors import BadInput, Temporary
from sellersync.notify.contract import Delivery, Outcome
from sellersync.settings import Settings
from sellersync.store import deliveries, work
from sellersync.store.ledger import Ledger

from .out import as_json, say, table, when
from .state import State, state_of

app = typer.Typer(help="Reports and alerts for people: test, list, send again.", no_args_is_help=True)
LIST_MAX = 50
MARGIN_MS = 30_000


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[
        str | None, typer.Option(help="Only this state: due, sending, sent, refused, unclear, dropped.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="NAME", help="Only messages of this [notify.NAME].")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many.")] = LIST_MAX,
) -> None:
    """Messages, the newest first. The reader "file" is the making of a report's files."""
    options = state_of(context)
    with options.ledger() as (settings, ledger):
        rows = ledger.read_now(lambda session: deliveries.deliveries(session, state=state, notifier=to, limit=limit))
        zone = settings.shop.zone
    if options.json:
        as_json(rows)
        return
    if not rows:
        say(
            "No such message."
            if settings.notify
            else "No message: [notify.NAME] in the configuration says who gets some."
        )
        return
    table(
        ("id", "state", "to", "what", "about", "tries", "since", "sent", "next try", "detail"),
        [
            (row.id, row.state, row.notifier, row.kind if not row.occasion else f"{row.kind} {row.occasion}", row.subject,
             row.attempts, when(row.created, zone), when(row.sent, zone), when(row.next_try, zone), options.redactor(row.detail))
            for row in rows
        ],
    )  # fmt: skip
    if any(row.state in (deliveries.UNCLEAR, deliveries.REFUSED) and row.kind != deliveries.TEST for row in rows):
        say("Nobody sends refused and unclear ones again unless you do: sellersync notify resend ID")
    if len(rows) == limit:
        say(f"There may be more than these {limit}: --limit N")


@app.command("resend")
def resend(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="As `notify list` names it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Send a message again that was refused or got no answer."""
    state = state_of(context)
    message = _id(name)
    with state.ledger() as (settings, ledger):
        unclear = ledger.read_now(lambda session: deliveries.state_of(session, message)) == deliveries.UNCLEAR
        if unclear and not yes:
            _ask("The message may have arrived already; its reader would get it twice. Send it again?")
        before = ledger.write_now(
            lambda session: deliveries.send_again(session, message, now_ms=ledger.now_ms()), name="resend_message"
        )
    if state.json:
        as_json({"message": message, "was": before})
    else:
        every_s = settings.alerts.every_s
        say(
            f"Message {message} was {before}; the running daemon sends it within {every_s:g} seconds (at once: sellersync notify send)."
        )


@app.command("close")
def close(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="As `notify list` names it.")],
) -> None:
    """Say that a message arrived after all, or that nobody needs it any more."""
    state = state_of(context)
    message = _id(name)
    with state.ledger() as (_, ledger):
        before = ledger.write_now(
            lambda session: deliveries.close(session, message, now_ms=ledger.now_ms()), name="close_message"
        )
    if state.json:
        as_json({"message": message, "was": before})
    else:
        say(f"Message {message} was {before}; it is settled.")


def _id(name: str) -> int:
    if not name.isdecimal():
        raise BadInput(f"no message {name!r}; see `sellersync notify list`")
    return int(name)


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise BadInput("it may have arrived already; agree with --yes")
    if not typer.confirm(question):
        raise BadInput("nothing was changed")


@app.command("send")
def send(context: typer.Context) -> None:
    """Send what is due now. The daemon does this by itself."""
    from sellersync.jobs import alerts, deliver, send_report
    from sellersync.outgoing import build_news  # babel, jinja2 and the mail library, for this command alone

    state = state_of(context)
    with state.ledger() as (settings, ledger):
        news = build_news(settings, ledger, state.redactor)

        stopping = threading.Event()

        async def errand() -> dict[str, int]:
            with suppress(RuntimeError):  # signals come to the main thread alone
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
            await send_report.run(ledger, settings)
            await alerts.run(ledger, settings)
            return await deliver.run(news, stopping=stopping.is_set)

        counts = asyncio.run(errand())
    if state.json:
        as_json(counts)
    else:
        say(", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "Nothing is due.")


@app.command("test")
def test(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The NAME of a table [notify.NAME].")],
) -> None:
    """Send a test message to one reader, and say what became of it."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        delivery = asyncio.run(_test(state, settings, ledger, name))
    if state.json:
        as_json({"outcome": delivery.outcome, "detail": delivery.detail})
    if delivery.outcome is not Outcome.SENT:
        raise Temporary(f"the message was not sent ({delivery.outcome.value}): {delivery.detail}")
    if not state.json:
        say(
            f"Sent to {name} ({settings.notify[name].kind}). If it does not arrive, look at the other side: spam folder, chat, log."
        )


async def _test(state: State, settings: Settings, ledger: Ledger, name: str) -> Delivery:
    from sellersync.jobs.deliver import message_id
    from sellersync.outgoing import build_notifier, test_message

    notifier = build_notifier(settings, name, ledger.clock, state.redactor)
    deadline_ms = round(notifier.send_deadline_s * 1000) + MARGIN_MS
    now_ms = ledger.now_ms()
    row = await ledger.write(
        partial(deliveries.begin_test, notifier=name, now_ms=now_ms, deadline_ms=now_ms + deadline_ms),
        name="begin_message",
    )
    install_id = await ledger.read(lambda session: work.get_meta(session, "install_id"))
    own_id = message_id(install_id, name, deliveries.TEST, [str(now_ms)])
    delivery = await notifier.send(test_message(settings, ledger, own_id))
    kept = delivery.outcome.value if delivery.outcome in (Outcome.SENT, Outcome.UNCLEAR) else deliveries.REFUSED
    settle = partial(
        deliveries.settle_test, delivery_id=row, state=kept, detail=delivery.detail, now_ms=ledger.now_ms()
    )
    await ledger.write(settle, name="settle_message")
    return delivery
