"""`sellersync listings export` and `import`: the whole mapping as a CSV file for a spreadsheet, out and in."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sellersync.domain.errors import BadInput
from sellersync.store.ledger import Session
from sellersync.store.listings import map_listing
from sellersync.store.reads_listings import ListingRow, listing_rows
from sellersync.store.stock import find_sku

from .csv_file import as_cell, read_rows
from .out import as_json, note, say, table
from .recipes import parse_recipe, recipe_text
from .state import state_of
from .stock import channel_named
from .who import who

COLUMNS = ("channel", "remote_key", "seller_sku", "title", "recipe")
NEEDED = ("channel", "remote_key", "recipe")
SHOWN_MAX = 50
_ROUNDED = re.compile(r"\d[.,]\d+E\+\d+", re.IGNORECASE)


def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The CSV file to write; an existing one is replaced.")],
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
) -> None:
    """Write all listings with their recipes into a CSV file; the recipe of an unmapped one is empty."""
    state = state_of(context)

    def read(session: Session) -> list[ListingRow]:
        if channel is not None:
            channel_named(session, channel)
        return listing_rows(session, channel=channel)

    with state.ledger() as (_, ledger):
        rows = ledger.read_now(read)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        title = f"{row.title} ({row.variation})" if row.variation else row.title
        writer.writerow((row.channel, row.remote_key, as_cell(row.seller_sku), as_cell(title), recipe_text(row.recipe)))
    try:
        file.write_text(text.getvalue(), "utf-8-sig", newline="")
    except OSError as failure:
        raise BadInput(f"{file} cannot be written ({failure.strerror})") from None
    unmapped = sum(not row.recipe for row in rows)
    if state.json:
        as_json({"file": str(file), "listings": len(rows), "unmapped": unmapped})
    else:
        say(f"{file}: {len(rows)} listings, {unmapped} without a recipe.")
        say(
            "Fill in recipes (KOPI-250=2+TEH-100=1), keep the key columns as text, then: sellersync listings import FILE"
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A recipe of the file that the ledger does not have (SKU code -> quantity, before and after)."""

    channel: str
    channel_id: int
    remote_key: str
    before: Mapping[str, int]
    after: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file asks for. `empty`: rows of unmapped listings that stay without a recipe."""

    changes: tuple[Change, ...]
    unchanged: int
    empty: int


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A CSV file as `listings export` writes it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take recipes from a CSV file. One bad row and nothing is recorded; changes are shown first.

    Waiting orders are resolved, the earliest first. Orders that were resolved before keep what they had.
    """
    state = state_of(context)
    with state.ledger() as (_, ledger):
        plan = ledger.read_now(lambda session: read_plan(session, file))
        if not state.json:
            _preview(plan)
        if plan.changes and not yes:
            if not sys.stdin.isatty():
                raise BadInput("nothing was recorded: look at the changes, then add --yes")
            if not typer.confirm(f"Record {len(plan.changes)} recipes?"):
                raise BadInput("nothing was recorded")

        def write(session: Session) -> int:
            now_ms = ledger.now_ms()
            return sum(
                map_listing(
                    session,
                    change.channel_id,
                    change.remote_key,
                    {find_sku(session, sku): quantity for sku, quantity in change.after.items()},
                    now_ms=now_ms,
                    who=who(),
                )
                for change in plan.changes
            )

        resolved = ledger.write_now(write, name="import_listings") if plan.changes else 0
    if state.json:
        as_json(
            {"recorded": plan.changes, "unchanged": plan.unchanged, "empty": plan.empty, "orders_resolved": resolved}
        )
    elif plan.changes:
        say(f"Recorded {len(plan.changes)} recipes. Orders resolved: {resolved}.")


def read_plan(session: Session, path: Path) -> Plan:
    """What the rows of the file would change. Raises `BadInput` naming every bad row by its line."""
    known = {(row.channel, row.remote_key): row for row in listing_rows(session)}
    problems: list[str] = []
    seen: set[tuple[str, str]] = set()
    changes: list[Change] = []
    unchanged = empty = 0
    for line, cells in read_rows(path, needed=NEEDED, optional=("seller_sku", "title")):
        try:
            listing, recipe = _row(session, cells, known)
            key = (listing.channel, listing.remote_key)
            if key in seen:
                raise BadInput(f"{listing.remote_key} on {listing.channel} stands in an earlier line; keep one of them")
            seen.add(key)
        except BadInput as problem:
            problems.append(f"{path}: line {line}: {problem}")
            continue
        if not recipe:
            empty += 1
        elif recipe == listing.recipe:
            unchanged += 1
        else:
            channel_id = channel_named(session, listing.channel).id
            changes.append(Change(listing.channel, channel_id, listing.remote_key, listing.recipe, recipe))
    if problems:
        raise BadInput("\n".join([*problems, "Nothing was recorded. Correct these lines and run the command again."]))
    if not seen:
        raise BadInput(f"{path} holds no listing")
    return Plan(tuple(changes), unchanged, empty)


def _row(
    session: Session, cells: Mapping[str, str], known: Mapping[tuple[str, str], ListingRow]
) -> tuple[ListingRow, dict[str, int]]:
    """The listing of a row and the recipe that it is to have (empty: stays unmapped)."""
    if "problem" in cells:
        raise BadInput(cells["problem"])
    channel, key = cells["channel"], cells["remote_key"]
    if not channel or not key:
        raise BadInput("channel and remote_key are needed")
    channel_named(session, channel)
    listing = known.get((channel, key))
    if listing is None:
        rounded = _ROUNDED.fullmatch(key) is not None
        raise BadInput(
            f"no listing {key!r} on {channel}; "
            + ("a spreadsheet rounded the key: export again and format the column as text" if rounded
               else "a key as `sellersync listings export` writes it is expected")
        )  # fmt: skip
    if not cells["recipe"]:
        if listing.recipe:
            raise BadInput(
                f"the recipe of {key} is empty, but it is mapped to {recipe_text(listing.recipe)}; "
                "write a recipe, or leave the row out to keep it"
            )
        return listing, {}
    recipe = parse_recipe(cells["recipe"])
    for sku in recipe:
        find_sku(session, sku)
    return listing, recipe


def _preview(plan: Plan) -> None:
    if plan.changes:
        table(
            ("channel", "listing", "now", "then"),
            [
                (change.channel, change.remote_key, recipe_text(change.before) or "unmapped", recipe_text(change.after))
                for change in plan.changes[:SHOWN_MAX]
            ],
        )
    if len(plan.changes) > SHOWN_MAX:
        note(f"... and {len(plan.changes) - SHOWN_MAX} more")
    say(f"{len(plan.changes)} recipes change, {plan.unchanged} stay, {plan.empty} listings stay without one.")
