"""`sellersync stock plan`: who supplies a SKU, how long that takes, in which quantities; one by one or as a CSV file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from sellersync.domain.errors import BadInput
from sellersync.store import plans
from sellersync.store.ledger import Session
from sellersync.store.plans import Plan
from sellersync.store.reads_demand import sku_states
from sellersync.store.stock import find_sku

from . import costs
from .csv_file import as_cell
from .out import as_json, say, table
from .sku_file import confirmed, read_skus, whole_number, write_rows
from .state import state_of

app = typer.Typer(help="How SKUs are bought again: supplier, lead time, quantities.", no_args_is_help=True)
NUMBERS = {"lead_days": None, "cover_days": None, "order_multiple": 1, "order_min": 0, "reorder_point": None}
"""Column -> what an empty cell means."""
COLUMNS = ("supplier", *NUMBERS, "discontinued")
YES, NO = ("yes", "ya", "true", "1"), ("", "no", "tidak", "false", "0")
UNSET = "default"


@app.command("set")
def set_(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="The SKU.")],
    supplier: Annotated[str | None, typer.Option(help='Who supplies it; "" for nobody.')] = None,
    lead_days: Annotated[
        str | None, typer.Option(metavar=f"N|{UNSET}", help="Days from the order until it arrives.")
    ] = None,
    cover_days: Annotated[
        str | None, typer.Option(metavar=f"N|{UNSET}", help="Days of sales that an order should bring beyond that.")
    ] = None,
    multiple: Annotated[int | None, typer.Option(help="It is sold in packs of this many units.")] = None,
    least: Annotated[int | None, typer.Option("--min", help="Units that must be ordered at least.")] = None,
    reorder_point: Annotated[
        str | None, typer.Option(metavar=f"N|{UNSET}", help="Buy at this stock or below, whatever the forecast says.")
    ] = None,
    discontinued: Annotated[
        bool | None, typer.Option("--discontinued/--not-discontinued", help="Never suggest to buy it again.")
    ] = None,
) -> None:
    """Say how a SKU is bought. What is not given stays as it is; "default" takes a number back."""
    given: dict[str, object] = {
        "supplier": supplier if supplier is None else supplier.strip(),
        "order_multiple": multiple,
        "order_min": least,
        "discontinued": discontinued,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    for name, text in (("lead_days", lead_days), ("cover_days", cover_days), ("reorder_point", reorder_point)):
        if text is not None:
            changes[name] = None if text == UNSET else whole_number(name, text)
    state = state_of(context)

    def write(session: Session) -> Plan:
        sku_id = find_sku(session, sku)
        plan = dataclasses.replace(plans.plan_of(session, sku_id), **changes)  # type: ignore[arg-type]
        plans.save_plan(session, sku_id, plan)
        return plan

    with state.ledger() as (settings, ledger):
        plan = ledger.write_now(write, name="stock_plan") if changes else ledger.read_now(
            lambda session: plans.plan_of(session, find_sku(session, sku))
        )  # fmt: skip
    if state.json:
        as_json({"sku": sku, **dataclasses.asdict(plan)})
        return
    lead = f"{settings.stock.lead_days} (default)" if plan.lead_days is None else plan.lead_days
    cover = f"{settings.stock.cover_days} (default)" if plan.cover_days is None else plan.cover_days
    point = "by the forecast" if plan.reorder_point is None else f"at {plan.reorder_point} units"
    say(
        f"{sku}: supplier {plan.supplier or 'unknown'}, arrives after {lead} days, for {cover} days of sales, "
        f"in packs of {plan.order_multiple}, at least {plan.order_min}; bought again {point}."
        + (" Discontinued: never bought again." if plan.discontinued else "")
    )


@app.command("export")
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The CSV file to write; an existing one is replaced.")],
) -> None:
    """Write the plans of all SKUs into a CSV file; an empty cell is the shop's default."""
    state = state_of(context)
    with state.ledger() as (_, ledger):
        skus, known = ledger.read_now(lambda session: (sku_states(session), plans.plans(session)))
    rows = []
    for sku in skus:
        plan = known.get(sku.id, plans.UNPLANNED)
        numbers = [getattr(plan, name) for name in NUMBERS]
        rows.append(
            [
                as_cell(sku.code),
                as_cell(sku.title),
                as_cell(plan.supplier),
                *numbers,
                "yes" if plan.discontinued else "",
            ]
        )
    write_rows(file, ("sku", "title", *COLUMNS), rows)
    planned = sum(sku.id in known for sku in skus)
    if state.json:
        as_json({"file": str(file), "skus": len(skus), "planned": planned})
    else:
        say(f"{file}: {len(skus)} SKUs, {planned} with a plan. Fill it in, then: sellersync stock plan import FILE")


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A SKU whose plan the file changes: column -> (before, after)."""

    sku: str
    plan: Plan
    changed: Mapping[str, tuple[object, object]]


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A CSV file as `stock plan export` writes it; columns may be left out.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take plans from a CSV file. One bad row and nothing is recorded; changes are shown first.

    An empty cell takes the shop's default; columns that the file does not have stay as they are.
    """
    state = state_of(context)
    with state.ledger() as (_, ledger):
        changes, unchanged = ledger.read_now(lambda session: read_plans(session, file))
        if not state.json and changes:
            table(
                ("SKU", "changes"),
                [
                    (one.sku, ", ".join(f"{name} {_told(before)} -> {_told(after)}" for name, (before, after) in one.changed.items()))
                    for one in changes
                ],
            )  # fmt: skip
        if changes:
            confirmed(f"Record {len(changes)} plans?", yes=yes)

            def write(session: Session) -> None:
                for one in changes:
                    plans.save_plan(session, find_sku(session, one.sku), one.plan)

            ledger.write_now(write, name="import_plans")
    if state.json:
        as_json({"recorded": [one.sku for one in changes], "unchanged": unchanged})
    else:
        say(f"Recorded {len(changes)} plans, {unchanged} unchanged.")


def read_plans(session: Session, path: Path) -> tuple[list[Change], int]:
    """(what the rows of the file change, how many rows change nothing). Raises `BadInput` naming every bad row by its line."""
    known = plans.plans(session)

    def parse(code: str, sku_id: int, cells: Mapping[str, str]) -> Change:
        before = known.get(sku_id, plans.UNPLANNED)
        after = dataclasses.replace(before, **_values(cells))  # type: ignore[arg-type]
        plans.check_plan(after)
        changed = {name: (getattr(before, name), getattr(after, name)) for name in COLUMNS}
        return Change(code, after, {name: both for name, both in changed.items() if both[0] != both[1]})

    rows = read_skus(session, path, parse, optional=("title", *COLUMNS))
    changes = [row for row in rows if row.changed]
    return changes, len(rows) - len(changes)


def _values(cells: Mapping[str, str]) -> dict[str, object]:
    """The plan's values in a row, of the columns that it has."""
    values: dict[str, object] = {}
    if "supplier" in cells:
        values["supplier"] = cells["supplier"]
    for name, empty in NUMBERS.items():
        if name in cells:
            values[name] = whole_number(name, cells[name]) if cells[name] else empty
    if "discontinued" in cells:
        said = cells["discontinued"].lower()
        if said not in (*YES, *NO):
            raise BadInput(f"discontinued is {said!r}; expected is yes or no")
        values["discontinued"] = said in YES
    return values


def _told(value: object) -> str:
    return "default" if value is None else str(value) or "none"


def register(stock: typer.Typer) -> None:
    """`stock plan` and `stock cost`."""
    stock.add_typer(app, name="plan")
    stock.add_typer(costs.app, name="cost")
