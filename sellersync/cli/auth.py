"""`sellersync auth`: the seller's consent, and how long it lasts."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

import typer

from sellersync.app import App
from sellersync.clock import SystemClock
from sellersync.connector.contract import Authoriser, Token
from sellersync.domain.errors import BadInput, NotSupported
from sellersync.jobs.check_health import AUTHORISATION_WARNING, authorisation_end, keep_authorisation_end
from sellersync.jobs.tokens import TokenKeeper
from sellersync.settings.sentences import secret_fields
from sellersync.store import reads, work
from sellersync.store.findings import close_kind
from sellersync.store.ledger import Session
from sellersync.store.vault import Vault

from . import keys
from .catch import CATCH_S_MAX, Catcher
from .codes import Code
from .out import as_json, note, say, table, when
from .state import state_of

app = typer.Typer(help="Authorise channels.", no_args_is_help=True)
CHALLENGE_LENGTH = 16
REDIRECT_URL = "https://localhost/sellersync"


@app.command("login")
def login(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="The channel's name.")],
    redirect_url: Annotated[
        str, typer.Option(help="The redirect address that is declared in the provider's console.")
    ] = REDIRECT_URL,
    catch: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1024,
            max=65535,
            help="Catch the answer on this port of this computer instead of having it pasted.",
        ),
    ] = None,
    callback: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="For shops that grant their own keys: the public https address that leads to the port of --catch.",
        ),
    ] = None,
) -> None:
    """Open the consent page, agree, and paste the address to which the browser was sent (or have it caught)."""
    state = state_of(context)
    if callback is not None:
        keys.login(state, channel, callback_url=callback, port=catch)
        return
    if catch is not None and redirect_url == REDIRECT_URL:
        redirect_url = f"http://localhost:{catch}/sellersync"

    async def errand(app: App) -> tuple[str, datetime | None]:
        keeper, authoriser = _keeper(app, channel)
        challenge = Vault.new_key()[:CHALLENGE_LENGTH]
        page = authoriser.consent_url(state=challenge, redirect_url=redirect_url)
        with nullcontext() if catch is None else Catcher(catch, challenge) as catcher:
            note("Open this page in a browser, log in as the owner of the shop and agree:")
            note(f"\n  {page}\n")
            if catcher is None:
                note(
                    "The browser then goes to an address that may not load. Copy that whole address and paste it here:"
                )
                parameters = _redirected(sys.stdin.readline(), challenge)
            else:
                note(f"Waiting up to {CATCH_S_MAX // 60} minutes for the browser to come to {redirect_url} ...")
                parameters = await asyncio.to_thread(catcher.wait)
        token = await keeper.keep_consent(await authoriser.exchange(parameters))
        health = await app.connectors[channel].health()
        await app.ledger.write(
            lambda session: _after_login(session, channel, health.authorisation_ends_at, app.ledger.now_ms()),
            name="login",
        )
        return health.shop_name or health.remote_shop_id, health.authorisation_ends_at or _ends(token)

    shop, ends = state.on_app(errand)
    if state.json:
        as_json({"channel": channel, "shop": shop, "authorisation_ends": ends})
    else:
        left = f", until {ends:%Y-%m-%d} ({(ends - SystemClock().now()).days} days)." if ends else "."
        say(f"Authorised: {shop}{left}")


def _after_login(session: Session, slug: str, ends: datetime | None, now_ms: int) -> None:
    """The new consent's end; the warning about the old one is settled."""
    known = work.channel_by_slug(session, slug)
    assert known is not None
    keep_authorisation_end(session, channel_id=known.id, ends=ends)
    close_kind(session, "authorisation_ending", now_ms=now_ms, channel_id=known.id)


def _redirected(address: str, challenge: str) -> dict[str, str]:
    """The parameters of the pasted address. Raises `BadInput` when it answers another question than ours."""
    parameters = dict(parse_qsl(urlsplit(address.strip()).query))
    if not parameters:
        raise BadInput("that is no address with parameters; copy the whole address from the browser's address bar")
    if parameters.get("state", challenge) != challenge:
        raise BadInput("that address belongs to another login; begin again with `sellersync auth login`")
    return parameters


@app.command("import")
def import_(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="The channel's name.")],
    path: Annotated[Path | None, typer.Argument(metavar="FILE", help="The provider's token answer as it came.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="The same, as an option.")] = None,
) -> None:
    """Take a token answer from a file, in the provider's own shape (JSON): for recovery and tests."""
    state = state_of(context)
    source = path or file
    if source is None:
        raise BadInput("which file? sellersync auth import CHANNEL FILE")
    try:
        raw = source.read_bytes()
    except OSError as failure:
        raise BadInput(f"{source} cannot be read ({failure.strerror})") from None

    async def errand(app: App) -> Token:
        keeper, _ = _keeper(app, channel)
        return await keeper.keep_consent(raw)

    token = state.on_app(errand)
    ends = _ends(token)
    if state.json:
        as_json({"channel": channel, "authorisation_ends": ends})
    else:
        say(f"{channel}: stored" + (f", authorised until {ends:%Y-%m-%d}." if ends else "."))


@app.command("status")
def status(context: typer.Context) -> None:
    """Which channels are authorised, and for how many days. Warns from 30 days on. Exit code 4 when one is not."""
    state = state_of(context)
    now = SystemClock().now()

    async def errand(app: App) -> list[dict[str, object]]:
        status = await app.ledger.read(lambda session: reads.ledger_status(session, app.ledger))
        known = {row.state.slug: row for row in status.channels}
        said_ends = await app.ledger.read(
            lambda session: {slug: authorisation_end(session, row.state.id) for slug, row in known.items()}
        )
        rows: list[dict[str, object]] = []
        for slug, connector in app.connectors.items():
            needed = connector.authoriser is not None
            fine = not needed or (known[slug].authorised and known[slug].state.state != "needs_authorisation")
            said = said_ends.get(slug)
            ends = (said or known[slug].authorisation_ends) if needed else None
            rows.append({"channel": slug, "provider": connector.provider, "authorised": fine, "static_keys": not needed,
                         "ends": ends, "days_left": None if ends is None else max((ends - now).days, 0),
                         "ending": said is not None and said - now <= AUTHORISATION_WARNING})  # fmt: skip
        return rows

    rows = state.on_app(errand)
    if state.json:
        as_json(rows)
    else:
        zone = state.settings().shop.zone
        said = {True: "authorised", False: "NOT AUTHORISED"}
        table(
            ("channel", "provider", "authorisation", "until", "days left"),
            [
                (row["channel"], row["provider"], "static keys" if row["static_keys"] else said[bool(row["authorised"])],
                 when(row["ends"], zone) if isinstance(row["ends"], datetime) else "-", row["days_left"])
                for row in rows
            ],
        )  # fmt: skip
        for row in rows:
            if not row["authorised"]:
                say(f"Authorise it: sellersync auth login {row['channel']}")
            elif row["ending"]:
                say(
                    f"{row['channel']} ends in {row['days_left']} days; authorise it before: sellersync auth login {row['channel']}"
                )
    raise typer.Exit(Code.OK if all(row["authorised"] for row in rows) else Code.AUTHORISE)


def _keeper(app: App, channel: str) -> tuple[TokenKeeper, Authoriser]:
    keeper = app.keepers.get(channel)
    if keeper is None:
        raise BadInput(f"no channel {channel!r} is configured; there are: {', '.join(app.keepers) or 'none'}")
    if keeper.authoriser is None:
        settings = type(app.connectors[channel]).Settings
        files = " and ".join(f"{channel}.{name}" for name in sorted(secret_fields(settings)))
        provider = app.connectors[channel].provider
        granted = f"sellersync auth login {channel} --callback https://... --catch PORT"
        raise NotSupported(
            f"{channel} works with static keys from the credential files and needs no login: new keys go into {files}; "
            f"how to make them stands in the README of sellersync_{provider}"
            + (f"; the shop can also grant them: {granted}" if keys.offered(provider) else "")
        )
    return keeper, keeper.authoriser


def _ends(token: Token) -> datetime | None:
    return token.refresh_ends_at or token.access_ends_at
