"""`sellersync stock cost`: what a unit of a SKU costs since when; one by one or as a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from sellersync.domain.errors import BadInput
from sellersync.domain.times import day_bounds, from_epoch_ms, shop_day, to_epoch_ms
from sellersync.store import plans
from sellersync.store.ledger import Session
from sellersync.store.plans import Cost
from sellersync.store.reads_demand import sku_states
from sellersync.store.stock import find_sku

from .csv_file import as_cell
from .out import as_json, rupiah, say, table
from .sku_file import confirmed, read_skus, whole_number, write_rows
from .state import state_of
from .who import who

app = typer.Typer(help="What SKUs cost, each cost from a day on.", no_args_is_help=True)
Since = Annotated[
    str | None,
    typer.Option(metavar="YYYY-MM-DD", help="From the beginning of this day of the shop; without it from now."),
]


@app.command("set")
def set_(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="The SKU.")],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Whole rupiah for one unit, without points.")],
    since: Since = None,
) -> None:
    """Say what one unit of a SKU costs. Costs before that moment stay as they were."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        zone = settings.shop.zone
        cost = Cost(whole_number("cost", amount), _since_ms(since, zone, ledger.now_ms()))
        recorded = ledger.write_now(
            lambda session: plans.add_costs(
                session, [(find_sku(session, sku), cost)], now_ms=ledger.now_ms(), who=who()
            ),
            name="stock_cost",
        )
    if state.json:
        as_json({"sku": sku, "cost": cost.amount, "since": from_epoch_ms(cost.since_ms, where="cost")})
    else:
        say(
            f"{sku} costs {rupiah(cost.amount)} from {_day(cost.since_ms, zone)} on{'' if recorded else ', as recorded before'}."
        )


def _since_ms(text: str | None, zone: ZoneInfo, now_ms: int) -> int:
    if not text:
        return now_ms
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"since is {text!r}; expected is a day, YYYY-MM-DD") from None
    return to_epoch_ms(day_bounds(day, zone)[0])


def _day(ms: int, zone: ZoneInfo) -> date:
    return shop_day(datetime.fromtimestamp(ms / 1000, UTC), zone)


@app.command("export")
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The CSV file to write; an existing one is replaced.")],
) -> None:
    """Write what all SKUs cost now into a CSV file; the cost of a SKU is empty where nobody knows it."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        now_ms = ledger.now_ms()
        skus, costs = ledger.read_now(lambda session: (sku_states(session), plans.costs_at(session, now_ms)))
        zone = settings.shop.zone
    rows = []
    for sku in skus:
        cost = costs.get(sku.id)
        known = ("", "") if cost is None else (cost.amount, _day(cost.since_ms, zone))
        rows.append((as_cell(sku.code), as_cell(sku.title), *known))
    write_rows(file, ("sku", "title", "cost", "known_since"), rows)
    if state.json:
        as_json({"file": str(file), "skus": len(skus), "known": len(costs)})
    else:
        say(
            f"{file}: {len(skus)} SKUs, {len(skus) - len(costs)} without a cost. Fill it in, then: sellersync stock cost import FILE"
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A new cost of a SKU, beside the one that holds at its moment (`None`: unknown)."""

    sku: str
    sku_id: int
    before: int | None
    cost: Cost


def import_(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="CSV with the columns sku,cost[,since], as `stock cost export` writes it.")
    ],
    since: Since = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take costs from a CSV file. One bad row and nothing is recorded; changes are shown first.

    A row with an empty cost, or with the one that holds already, changes nothing.
    """
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        zone = settings.shop.zone
        since_ms = _since_ms(since, zone, ledger.now_ms())
        changes, unchanged = ledger.read_now(lambda session: read_costs(session, file, zone, since_ms))
        if not state.json and changes:
            rows = [
                (one.sku, rupiah(one.before), rupiah(one.cost.amount), _day(one.cost.since_ms, zone)) for one in changes
            ]
            table(("SKU", "until then", "cost", "from"), rows)
        if changes:
            confirmed(f"Record {len(changes)} costs?", yes=yes)
            ledger.write_now(
                lambda session: plans.add_costs(
                    session, [(one.sku_id, one.cost) for one in changes], now_ms=ledger.now_ms(), who=who()
                ),
                name="import_costs",
            )
    if state.json:
        as_json({"recorded": [one.sku for one in changes], "unchanged": unchanged})
    else:
        say(f"Recorded {len(changes)} costs, {unchanged} unchanged.")


app.command("import")(import_)


def read_costs(session: Session, path: Path, zone: ZoneInfo, since_ms: int) -> tuple[list[Change], int]:
    """(what the rows of the file change, how many rows change nothing). Raises `BadInput` naming every bad row by its line.

    `since_ms`: from when the costs of rows without a day of their own hold.
    """

    def parse(code: str, sku_id: int, cells: Mapping[str, str]) -> Change | None:
        if not cells["cost"]:
            return None
        cost = Cost(whole_number("cost", cells["cost"]), _since_ms(cells.get("since"), zone, since_ms))
        plans.check_cost(session, sku_id, cost)
        before = plans.cost_of(session, sku_id, cost.since_ms)
        return None if before == cost.amount else Change(code, sku_id, before, cost)

    rows = read_skus(session, path, parse, needed=("cost",), optional=("title", "since", "known_since"))
    changes = [row for row in rows if row is not None]
    return changes, len(rows) - len(changes)
