"""`sellersync prove`: that the ledger has every order of a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from typing import Annotated

import typer

from sellersync.app import App
from sellersync.domain.errors import BadInput, Held
from sellersync.domain.times import shop_day
from sellersync.jobs import prove_orders
from sellersync.jobs.world import Shop
from sellersync.store import proofs
from sellersync.store.proofs import Proof, ProofState

from .codes import Code
from .days import day_named
from .out import as_json, progress, say, table, when
from .state import state_of

app = typer.Typer(help="Proofs that nothing is missing.", no_args_is_help=True)
TURN_S_MAX = 60.0
NAMED_MAX = 20


@app.command("orders")
def orders(
    context: typer.Context,
    day: Annotated[
        str, typer.Option("--date", metavar="DAY", help="A day of the shop that is over: YYYY-MM-DD or yesterday.")
    ] = "yesterday",
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Read what is missing by its id and record it.")] = False,
) -> None:
    """Count each channel's orders of a day a second time, by the time at which they were placed, and name what the ledger lacks.

    Exit code 1 when orders are missing, 3 when a channel could not be counted.
    """
    state = state_of(context)

    async def errand(app: App) -> list[Proof]:
        zone = app.settings.shop.zone
        wanted = day_named(day, shop_day(app.world.clock.now(), zone), option="--date", words=("yesterday",))
        if wanted >= shop_day(app.world.clock.now(), zone):
            raise BadInput(f"--date {wanted} is not over yet in the shop's zone; count it after midnight")
        shops = [app.world.shop(channel)] if channel is not None else list(app.world.shops)
        counting = {shop.slug: shop.channel.capabilities.counts_placed for shop in shops}
        held: dict[str, str] = {}
        failed: dict[str, str] = {}
        with progress(quiet=state.json) as bar:
            task = bar.add(f"orders of {wanted}", total=len(shops))
            for shop in shops:
                if counting[shop.slug]:
                    await _prove(app, shop, wanted, repair, held, failed)
                bar.update(task, advance=1)
        found = await app.ledger.read(partial(proofs.proofs_of, day=wanted, counting=counting))
        return [_now(proof, failed | held) for proof in found]

    found = state.on_app(errand)
    code = _code(found)
    if state.json:
        as_json({"ok": code is Code.OK, "proofs": found})
    else:
        settings = state.settings()
        table(
            (
                "channel",
                "result",
                "on channel",
                "in ledger",
                "missing",
                "repaired",
                "not listed any more",
                "counted by",
            ),
            [_row(proof) for proof in found],
        )
        for proof in found:
            for line in _remarks(proof):
                say(state.redactor(line))
            if proof.state is ProofState.NOT_COUNTED and proof.since is not None:
                say(f"{proof.channel}: not counted since {when(proof.since, settings.shop.zone)}")
    raise typer.Exit(code)


async def _prove(app: App, shop: Shop, day: date, repair: bool, held: dict[str, str], failed: dict[str, str]) -> None:
    try:
        run = await prove_orders.run(app.world, shop, day, app.settings.shop.zone, repair=repair, wait_s=TURN_S_MAX)
    except Held as other:
        held[shop.slug] = f"{other.what} is being done by {other.owner}"
    except BadInput as unknown:  # the day lies before the first pull of this channel
        failed[shop.slug] = str(unknown)
    else:
        if not run.ok:
            failed[shop.slug] = run.error


def _now(proof: Proof, failed: dict[str, str]) -> Proof:
    """A count that failed now says so, also where a former one of the day stands."""
    why = failed.get(proof.channel)
    if why is None:
        return proof
    if proof.state is ProofState.NOT_COUNTED:
        return replace(proof, why=proof.why or why)
    return Proof(proof.channel, proof.day, ProofState.NOT_COUNTED, why=f"{why} (an older count stands)")


def _row(proof: Proof) -> tuple[object, ...]:
    counted = proof.on_channel is not None
    return (
        proof.channel,
        proof.state.value.replace("_", " "),
        proof.on_channel if counted else "-",
        proof.in_ledger if counted else "-",
        len(proof.missing) if counted else "-",
        proof.repaired if counted else "-",
        len(proof.unlisted) if counted else "-",
        proof.by_field or "-",
    )


def _remarks(proof: Proof) -> list[str]:
    lines = []
    if proof.state is ProofState.NOT_OFFERED:
        lines.append(f"{proof.channel}: it does not list orders by their time of creation")
    if proof.why:
        lines.append(f"{proof.channel}: {proof.why}")
    if proof.missing:
        more = f" and {len(proof.missing) - NAMED_MAX} more (--json)" if len(proof.missing) > NAMED_MAX else ""
        lines.append(f"{proof.channel}: missing are {', '.join(proof.missing[:NAMED_MAX])}{more}")
        lines.append(f"  sellersync prove orders --date {proof.day} --channel {proof.channel} --repair")
    for one in proof.unlisted[:NAMED_MAX]:
        lines.append(f"{proof.channel}: not listed any more is {one.remote_id} ({one.how or one.state})")
    return lines


def _code(found: list[Proof]) -> Code:
    states = {proof.state for proof in found}
    if ProofState.MISSING in states:
        return Code.ATTENTION
    return Code.TROUBLE if ProofState.NOT_COUNTED in states else Code.OK
