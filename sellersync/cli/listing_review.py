"""`sellersync listings suggest` and `problems`: what a person should look at."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from sellersync.store.ledger import Session
from sellersync.store.reads_listings import ListingProblem, Suggested, listing_problems, suggested_skus

from .out import as_json, say, table
from .state import state_of
from .stock import channel_named

LIST_MAX = 50
Channel = Annotated[str | None, typer.Option(help="Only this channel.")]

MEANING = {
    "duplicate": "the same seller SKU on several listings: all of them sell the same units",
    "blank": "no seller SKU: it can only be mapped by hand",
    "orphan": "the channel did not show it any more when its listings were last read",
}


def suggest(
    context: typer.Context,
    channel: Channel = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many listings.")] = LIST_MAX,
) -> None:
    """Unmapped listings with the SKUs that they may be, and a score from 0 to 1. Nothing is mapped: you confirm each."""
    state = state_of(context)

    def read(session: Session) -> list[Suggested]:
        if channel is not None:
            channel_named(session, channel)
        return suggested_skus(session, channel=channel, limit=limit)

    with state.ledger() as (_, ledger):
        rows = ledger.read_now(read)
    if state.json:
        as_json(rows)
        return
    if not rows:
        say("Every listing is mapped.")
        return
    table(
        ("channel", "listing", "seller SKU", "title", "orders waiting", "suggestion", "score"),
        [
            (row.listing.channel, row.listing.remote_key, row.listing.seller_sku or "-", row.listing.title,
             row.listing.orders_waiting, match.code if match else "-", f"{match.score:.2f}" if match else "-")
            for row in rows
            for match in row.candidates or (None,)
        ],
    )  # fmt: skip
    first = next((row for row in rows if row.candidates), None)
    if first is not None:
        words = (first.listing.channel, first.listing.remote_key, first.candidates[0].code)
        say(f"If it is right: sellersync listings map {shlex.join(words)}")
    if len(rows) == limit:
        say(f"There may be more than these {limit}: --limit N, or all at once: sellersync listings export FILE")


def problems(context: typer.Context, channel: Channel = None) -> None:
    """Listings that share a seller SKU, have none, or were not there any more at the last reading."""
    state = state_of(context)

    def read(session: Session) -> list[ListingProblem]:
        if channel is not None:
            channel_named(session, channel)
        return listing_problems(session, channel=channel)

    with state.ledger() as (_, ledger):
        rows = ledger.read_now(read)
    if state.json:
        as_json(rows)
        return
    if not rows:
        say("No duplicates, no blanks, no orphans.")
        return
    table(
        ("problem", "channel", "listing", "seller SKU", "title", "also on"),
        [
            (row.kind, row.channel, row.remote_key, row.seller_sku or "-", row.title, ", ".join(row.with_keys))
            for row in rows
        ],
    )
    for kind in dict.fromkeys(row.kind for row in rows):
        say(f"{kind}: {MEANING[kind]}")
