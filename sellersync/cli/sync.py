"""`sellersync sync`: one pass of the daemon's own trips, now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import typer

from sellersync.app import App
from sellersync.domain.errors import Held
from sellersync.jobs import (
    book_couriers,
    check_health,
    compare_stock,
    fetch_labels,
    hand_back,
    pull_listings,
    pull_orders,
    pull_settlements,
    push_stock,
    seal,
    track_parcels,
)
from sellersync.jobs.world import CourierAccount, Run, Shop, World

from .codes import Code
from .out import as_json, progress, say, table
from .state import state_of

TURN_S_MAX = 60.0


class Job(StrEnum):
    """What one pass may do."""

    PULL = "pull"
    PUSH = "push"
    BOOK = "book"
    TRACK = "track"
    LABELS = "labels"
    HAND_BACK = "hand-back"
    MAILS = "mails"
    LISTINGS = "listings"
    COMPARE = "compare"
    SETTLEMENTS = "settlements"
    HEALTH = "health"
    SEAL = "seal"
    ALL = "all"


ORDER = (Job.PULL, Job.PUSH, Job.BOOK, Job.TRACK, Job.HAND_BACK)
Account = Shop | CourierAccount
Trip = Callable[[World, Any], Awaitable[Run | None]]
TRIPS: dict[Job, Trip] = {
    Job.PULL: lambda world, shop: pull_orders.run(world, shop, wait_s=TURN_S_MAX, force=True, replay=True),
    Job.PUSH: lambda world, shop: push_stock.run(world, shop, wait_s=TURN_S_MAX, force=True),
    Job.BOOK: lambda world, shop: book_couriers.run(world, shop, wait_s=TURN_S_MAX, force=True),
    Job.TRACK: lambda world, shop: track_parcels.run(world, shop, wait_s=TURN_S_MAX, force=True),
    Job.LABELS: lambda world, shop: fetch_labels.run(world, shop, wait_s=TURN_S_MAX, force=True),
    Job.HAND_BACK: lambda world, shop: hand_back.run(world, shop, wait_s=TURN_S_MAX, force=True),
    Job.COMPARE: lambda world, shop: compare_stock.run(world, shop, wait_s=TURN_S_MAX, force=True),
    Job.SETTLEMENTS: lambda world, shop: pull_settlements.run(world, shop, wait_s=TURN_S_MAX, force=True, replay=True),
    Job.HEALTH: lambda world, shop: check_health.run(world, shop, wait_s=TURN_S_MAX, force=True),
    Job.LISTINGS: lambda world, shop: pull_listings.run(world, shop, wait_s=TURN_S_MAX, force=True),
}
OUTCOME_CODES = {
    "auth_needed": Code.AUTHORISE,
    "temporary": Code.TROUBLE,
    "rate_limited": Code.TROUBLE,
    "refused": Code.ATTENTION,
    "held": Code.BUSY,
}
"""Outcome of a trip -> exit code; the first that occurred counts."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one trip on one channel did. `outcome` is "not yet" for pushes and comparisons before the channel's first pull is complete,
    "none" where the channel has no settlements to show."""

    job: str
    channel: str
    outcome: str
    counts: dict[str, int] = field(default_factory=dict)
    error: str = ""


def register(app: typer.Typer) -> None:
    app.command("sync")(sync)


def sync(
    context: typer.Context,
    job: Annotated[Job, typer.Argument(help="What to do.")] = Job.ALL,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
) -> None:
    """Pull orders, push levels, book couriers, track parcels and tell the own site its waybills once, now.

    While the daemon does the same on a channel, this waits for its turn (up to a minute).
    """
    state = state_of(context)

    async def errand(app: App) -> list[Result]:
        jobs = ORDER if job is Job.ALL else (job,)
        results: list[Result] = []
        with progress(quiet=state.json) as bar:
            for one in jobs:
                accounts = _accounts(app.world, one, channel)
                task = bar.add(one.value, total=len(accounts))
                results += await _pass(app.world, one, accounts, lambda task=task: bar.update(task, advance=1))  # type: ignore[misc]
        return results

    results = state.on_app(errand)
    if state.json:
        as_json({"ok": _code(results) is Code.OK, "results": results})
    else:
        table(
            ("job", "channel", "outcome", "what"),
            [(row.job, row.channel, row.outcome, _counted(row.counts)) for row in results],
        )
        for row in results:
            if row.error:
                say(f"{row.channel}: {state.redactor(row.error)}")
    raise typer.Exit(_code(results))


def _accounts(world: World, job: Job, slug: str | None) -> list[Account]:
    """Whom the job is about: channels; couriers are asked for their health only, marketplaces for labels, and own sites are told
    waybills."""
    if job is Job.HEALTH:
        couriers = [account for account in world.couriers if slug in (None, account.slug)]
        if slug is None or couriers:
            return [*(world.shops if slug is None else ()), *couriers]
    if job is Job.LABELS:
        return [shop for shop in world.shops if slug in (None, shop.slug) and fetch_labels.offers_labels(shop)]
    if job is Job.HAND_BACK:
        return [shop for shop in world.shops if slug in (None, shop.slug) and shop.channel.capabilities.hands_back]
    return [*world.shops] if slug is None else [world.shop(slug)]


async def _pass(world: World, job: Job, accounts: Sequence[Account], done: Callable[[], None]) -> list[Result]:
    """One job on all channels at the same time; a channel's trouble is its own."""
    if job is Job.SEAL:
        return [Result(job.value, "-", "ok", {"sealed": await seal.run(world)})]
    if job is Job.MAILS:
        return [await _mails(world)]

    async def one(shop: Account) -> Result:
        try:
            return _result(job, shop, await TRIPS[job](world, shop))
        except Held as held:
            return Result(job.value, shop.slug, "held", error=f"{held.what} is being done by {held.owner}")
        finally:
            done()

    return list(await asyncio.gather(*(one(account) for account in accounts)))


async def _mails(world: World) -> Result:
    """The mails that are due. Raises `ConfigError` when mail is switched off."""
    from sellersync.jobs import send_mails  # what it loads is of no use to shops that send no mail
    from sellersync.notify.contract import Outcome

    counts = await send_mails.run(world)
    if counts.get(Outcome.DOWN.value):
        return Result(
            Job.MAILS.value, "-", "temporary", counts, "the mail server takes nothing now; the mails stay queued"
        )
    return Result(Job.MAILS.value, "-", "ok", counts)


def _result(job: Job, shop: Account, run: Run | None) -> Result:
    if run is None and job is Job.SETTLEMENTS:
        return Result(job.value, shop.slug, "none", error="it does not tell what it paid out")
    if run is None:
        return Result(job.value, shop.slug, "not yet", error="its first pull of orders is not complete")
    return Result(job.value, shop.slug, run.outcome, dict(run.counts), run.error)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in sorted(counts.items())) or "nothing new"


def _code(results: list[Result]) -> Code:
    outcomes = {row.outcome for row in results}
    return next((code for outcome, code in OUTCOME_CODES.items() if outcome in outcomes), Code.OK)
