"""`sellersync listings`: what is sold where, and what it is made of."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from sellersync.app import App
from sellersync.domain.errors import BadInput
from sellersync.jobs import pull_listings
from sellersync.jobs.world import Run, Shop
from sellersync.store import reads_stock, work
from sellersync.store.ledger import Session
from sellersync.store.listings import map_listing
from sellersync.store.stock import find_sku

from . import listing_files, listing_review
from .codes import Code
from .out import Bar, as_json, note, progress, say, table
from .recipes import parse_parts
from .state import state_of
from .sync import OUTCOME_CODES, TURN_S_MAX
from .who import who

app = typer.Typer(help="Listings: read them, map them to SKUs.", no_args_is_help=True)
app.command("suggest")(listing_review.suggest)
app.command("problems")(listing_review.problems)
app.command("export")(listing_files.export)
app.command("import")(listing_files.import_)
LOOK_S = 0.5


@app.command("pull")
def pull(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    adopt: Annotated[
        bool | None,
        typer.Option(
            "--adopt/--no-adopt",
            help="Make a SKU of every seller SKU that is not known yet. Without either: only while the ledger has no SKU.",
        ),
    ] = None,
) -> None:
    """Read all listings; those whose seller SKU is exactly a SKU of ours are mapped, the others are listed as unmapped."""
    state = state_of(context)

    async def errand(app: App) -> tuple[bool, list[tuple[Shop, Run | None]]]:
        makes = await app.ledger.read(reads_stock.has_no_sku) if adopt is None else adopt
        if makes and adopt is None:
            note("The ledger has no SKU yet: every seller SKU becomes one (--no-adopt to prevent it).")
        shops = app.world.shops if channel is None else [app.world.shop(channel)]
        done: list[tuple[Shop, Run | None]] = []
        with progress(quiet=state.json) as bar:
            for shop in shops:
                done.append((shop, await _pull(app, shop, bar, adopt=makes)))
        return makes, done

    makes, done = state.on_app(errand)
    rows = [{"channel": shop.slug, "outcome": run.outcome, "counts": run.counts, "error": run.error}
            for shop, run in done if run is not None]  # fmt: skip
    if state.json:
        as_json({"adopted": makes, "channels": rows})
    else:
        names = ("seen", "new", "mapped", "unmapped", "orders_resolved")
        table(
            ("channel", "outcome", *(name.replace("_", " ") for name in names)),
            [
                (shop.slug, run.outcome, *(run.counts.get(name, 0) for name in names))
                for shop, run in done
                if run is not None
            ],
        )
        for shop, run in done:
            if run is not None and run.error:
                say(f"{shop.slug}: {state.redactor(run.error)}")
        if any(run is not None and run.counts.get("unmapped") for _, run in done):
            say("Unmapped listings get no level and hold their orders: sellersync listings unmapped")
    outcomes = {run.outcome for _, run in done if run is not None}
    raise typer.Exit(next((code for outcome, code in OUTCOME_CODES.items() if outcome in outcomes), Code.OK))


async def _pull(app: App, shop: Shop, bar: Bar, *, adopt: bool) -> Run | None:
    task = bar.add(shop.slug)
    pulling = asyncio.create_task(pull_listings.run(app.world, shop, wait_s=TURN_S_MAX, force=True, adopt_skus=adopt))
    while not pulling.done():
        await asyncio.wait([pulling], timeout=LOOK_S)
        seen = await app.ledger.read(lambda session: reads_stock.listings_of(session, shop.id))
        bar.update(task, completed=seen)
    run = pulling.result()
    bar.update(
        task, total=max(run.counts.get("seen", 0), 1) if run else 1, completed=run.counts.get("seen", 0) if run else 0
    )
    return run


@app.command("map")
def map_(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="The channel's name.")],
    remote_key: Annotated[str, typer.Argument(help="The listing's key, as `listings unmapped` shows it.")],
    parts: Annotated[list[str], typer.Argument(metavar="SKU[=QTY]...", help="What one unit of it is made of.")],
) -> None:
    """Say what a listing is made of. Order lines that waited for it are resolved, the earliest order first."""
    state = state_of(context)
    recipe = parse_parts(parts)
    with state.ledger() as (_, ledger):

        def write(session: Session) -> int:
            known = work.channel_by_slug(session, channel)
            if known is None or known.kind != "channel":
                raise BadInput(
                    f"no channel {channel!r}; there are: {', '.join(reads_stock.channel_slugs(session)) or 'none'}"
                )
            components = {find_sku(session, sku): quantity for sku, quantity in recipe.items()}
            return map_listing(session, known.id, remote_key, components, now_ms=ledger.now_ms(), who=who())

        resolved = ledger.write_now(write, name="map_listing")
    if state.json:
        as_json({"channel": channel, "listing": remote_key, "recipe": recipe, "orders_resolved": resolved})
    else:
        made_of = " + ".join(f"{quantity} x {sku}" for sku, quantity in recipe.items())
        say(f"{remote_key} on {channel} is {made_of}. Orders resolved: {resolved}.")


@app.command("unmapped")
def unmapped(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
) -> None:
    """Listings without a SKU, with the orders that wait for them."""
    state = state_of(context)
    with state.ledger() as (_, ledger):
        rows = ledger.read_now(lambda session: reads_stock.unmapped_listings(session, channel=channel))
    if state.json:
        as_json(rows)
    elif not rows:
        say("Every listing is mapped.")
    else:
        table(
            ("channel", "listing", "seller SKU", "title", "orders waiting"),
            [(row.channel, row.remote_key, row.seller_sku or "-", row.title, row.orders_waiting) for row in rows],
        )
        say(f"Map one with: sellersync listings map {rows[0].channel} {rows[0].remote_key} SKU[=QTY]...")
