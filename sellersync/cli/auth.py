"""`sellersync auth`: the seller's consent, and how long it lasts."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

import typer

from sellersync.app import App
from sellersync.clock import SystemClock
from sellersync.connector.contract import Authoriser, Token
from sellersync.domain.errors import BadInput, NotSupported
from sellersync.jobs.tokens import TokenKeeper
from sellersync.store import reads
from sellersync.store.vault import Vault

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
) -> None:
    """Open the consent page, agree, and paste the address to which the browser was sent."""
    state = state_of(context)

    async def errand(app: App) -> tuple[str, datetime | None]:
        keeper, authoriser = _keeper(app, channel)
        challenge = Vault.new_key()[:CHALLENGE_LENGTH]
        page = authoriser.consent_url(state=challenge, redirect_url=redirect_url)
        note("Open this page in a browser, log in as the owner of the shop and agree:")
        note(f"\n  {page}\n")
        note("The browser then goes to an address that may not load. Copy that whole address and paste it here:")
        parameters = _redirected(sys.stdin.readline(), challenge)
        token = await keeper.keep_consent(await authoriser.exchange(parameters))
        health = await app.connectors[channel].health()
        return health.shop_name or health.remote_shop_id, health.authorisation_ends_at or _ends(token)

    shop, ends = state.on_app(errand)
    if state.json:
        as_json({"channel": channel, "shop": shop, "authorisation_ends": ends})
    else:
        left = f", until {ends:%Y-%m-%d} ({(ends - SystemClock().now()).days} days)." if ends else "."
        say(f"Authorised: {shop}{left}")


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
    """Which channels are authorised, and until when. Exit code 4 when one is not."""
    state = state_of(context)

    async def errand(app: App) -> list[dict[str, object]]:
        status = await app.ledger.read(lambda session: reads.ledger_status(session, app.ledger))
        known = {row.state.slug: row for row in status.channels}
        rows: list[dict[str, object]] = []
        for slug, connector in app.connectors.items():
            needed = connector.authoriser is not None
            fine = not needed or (known[slug].authorised and known[slug].state.state != "needs_authorisation")
            rows.append({"channel": slug, "provider": connector.provider, "authorised": fine, "static_keys": not needed,
                         "ends": known[slug].authorisation_ends})  # fmt: skip
        return rows

    rows = state.on_app(errand)
    if state.json:
        as_json(rows)
    else:
        zone = state.settings().shop.zone
        said = {True: "authorised", False: "NOT AUTHORISED"}
        table(
            ("channel", "provider", "authorisation", "until"),
            [
                (row["channel"], row["provider"], "static keys" if row["static_keys"] else said[bool(row["authorised"])],
                 when(row["ends"], zone) if isinstance(row["ends"], datetime) else "-")
                for row in rows
            ],
        )  # fmt: skip
        for row in rows:
            if not row["authorised"]:
                say(f"Authorise it: sellersync auth login {row['channel']}")
    raise typer.Exit(Code.OK if all(row["authorised"] for row in rows) else Code.AUTHORISE)


def _keeper(app: App, channel: str) -> tuple[TokenKeeper, Authoriser]:
    keeper = app.keepers.get(channel)
    if keeper is None:
        raise BadInput(f"no channel {channel!r} is configured; there are: {', '.join(app.keepers) or 'none'}")
    if keeper.authoriser is None:
        raise NotSupported(f"{channel} works with static keys from the credential files and needs no login")
    return keeper, keeper.authoriser


def _ends(token: Token) -> datetime | None:
    return token.refresh_ends_at or token.access_ends_at
