"""`sellersync stock differences`, `adopt` and `overwrite`: what a channel shows against what is expected, and a person's decision."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from sellersync.app import App
from sellersync.domain.differences import Difference, DifferencePolicy
from sellersync.domain.errors import BadInput, Temporary
from sellersync.jobs import pull_orders
from sellersync.jobs.world import Shop
from sellersync.store import differences as found
from sellersync.store.differences import Adoptable
from sellersync.store.ledger import Session

from .out import as_json, say, table, waiting, when
from .state import State, state_of
from .stock import channel_named
from .who import who

TURN_S_MAX = 60.0
Channel = Annotated[str, typer.Argument(help="The channel's name.")]
RemoteKey = Annotated[str, typer.Argument(help="The listing's key, as `stock differences` shows it.")]

WORDS = {
    Difference.EDITED_BY_HAND: "changed by hand on the channel",
    Difference.CAMPAIGN_RETURN: "came back from a campaign",
    Difference.PUSH_REFUSED: "the channel refuses our number",
    Difference.UNKNOWN_TARGET: "the channel does not know it",
}


def register(app: typer.Typer) -> None:
    app.command("differences")(differences)
    app.command("adopt")(adopt)
    app.command("overwrite")(overwrite)


def differences(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
) -> None:
    """Numbers on the channels that differ from what they should be, as the last comparisons found them."""
    state = state_of(context)

    def read(session: Session) -> list[found.OpenDifference]:
        if channel is not None:
            channel_named(session, channel)
        return found.open_differences(session, channel=channel)

    with state.ledger() as (settings, ledger):
        rows = ledger.read_now(read)
        zone = settings.shop.zone
    if state.json:
        as_json(rows)
        return
    if not rows:
        say("No difference is known. Look again now: sellersync sync compare")
        return
    table(
        ("channel", "listing", "location", "title", "shows", "expected", "why", "since", "what is done"),
        [
            (row.channel, row.remote_key, row.location, row.title, row.shown, row.expected,
             WORDS.get(row.difference, row.difference.value), when(row.since, zone), _done(row.policy))
            for row in rows
        ],
    )  # fmt: skip
    first = next((row for row in rows if row.policy is not DifferencePolicy.OVERWRITE), None)
    if first is not None:
        say(f"The channel is right:  sellersync stock adopt {first.channel} {first.remote_key}")
        say(f"The ledger is right:   sellersync stock overwrite {first.channel} {first.remote_key}")


def _done(policy: DifferencePolicy) -> str:
    return "the next push writes our number" if policy is DifferencePolicy.OVERWRITE else "you decide"


@dataclass(frozen=True, slots=True)
class Offer:
    """What would be adjusted: the number that the channel shows now against the expected one."""

    adoptable: Adoptable
    shown: int

    @property
    def change(self) -> int:
        return self.shown - self.adoptable.expected


def adopt(
    context: typer.Context,
    channel: Channel,
    remote_key: RemoteKey,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """The number on the channel is right: read it now and correct the shelf by the difference. Shows the correction first."""
    state = state_of(context)

    async def errand(app: App) -> None:
        shop = app.world.shop(channel)
        with waiting(f"reading {channel}", quiet=state.json):
            offer = await read_offer(app, shop, remote_key)
        _show(state, offer, yes=yes)
        now_ms = app.ledger.now_ms()
        document = await app.ledger.write(
            partial(
                found.adopt,
                channel_id=shop.id,
                remote_key=remote_key,
                shown=offer.shown,
                now_ms=now_ms,
                who=who(),
                agreed_expected=offer.adoptable.expected,
            ),
            name="adopt",
        )
        sku = offer.adoptable.sku
        if state.json:
            as_json({"document": document, "sku": sku, "warehouse": offer.adoptable.warehouse, "shown": offer.shown,
                     "expected": offer.adoptable.expected, "change": offer.change})  # fmt: skip
        else:
            say(f"Adjusted {sku} by {offer.change:+d}. The other channels get the new level with the next push.")

    state.on_app(errand)


async def read_offer(app: App, shop: Shop, remote_key: str) -> Offer:
    """The number that the channel shows, read between two pulls of its orders that change nothing of what is expected.

    Raises `BadInput` where it cannot be adopted, `Temporary` when the channel cannot be read or sells meanwhile.
    """
    look = partial(found.adoptable, channel_id=shop.id, remote_key=remote_key)
    await _pull(app, shop)
    before = await app.ledger.read(look)
    levels = await shop.channel.levels([before.target.key])
    await _pull(app, shop)
    after = await app.ledger.read(look)
    if after.expected != before.expected:
        raise Temporary(f"{remote_key} was sold while it was read")
    shown = next((level.shown for level in levels if level.target == before.target.key), None)
    if shown is None:
        raise BadInput(f"{shop.slug} does not know {remote_key!r} any more; there is no number to adopt")
    if shown == after.expected:
        raise BadInput(f"{remote_key!r} shows {shown}, as expected; there is nothing to adopt")
    return Offer(after, shown)


async def _pull(app: App, shop: Shop) -> None:
    run = await pull_orders.run(app.world, shop, wait_s=TURN_S_MAX, force=True)
    if run is None or not run.ok:
        raise Temporary(f"{shop.slug} cannot be read now: {run.error if run else 'it is backing off'}")


def _show(state: State, offer: Offer, *, yes: bool) -> None:
    if not state.json:
        table(
            ("SKU", "warehouse", "expected", "channel shows", "correction"),
            [(offer.adoptable.sku, offer.adoptable.warehouse, offer.adoptable.expected, offer.shown, f"{offer.change:+d}")],
        )  # fmt: skip
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput("nothing was recorded: look at the correction, then add --yes")
        if not typer.confirm("Correct the shelf by this?"):
            raise BadInput("nothing was recorded")


def overwrite(context: typer.Context, channel: Channel, remote_key: RemoteKey) -> None:
    """The ledger is right: the next push writes our number over what the channel shows."""
    state = state_of(context)
    with state.ledger() as (_, ledger):

        def write(session: Session) -> int:
            return found.overwrite(session, channel_named(session, channel).id, remote_key)

        numbers = ledger.write_now(write, name="overwrite")
    if state.json:
        as_json({"channel": channel, "listing": remote_key, "numbers": numbers})
    else:
        say(f"The next push to {channel} writes our number: sellersync sync push --channel {channel}")
