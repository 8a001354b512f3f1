"""`sellersync stock bins`: where SKUs lie, so that pick lists and labels come in walking order."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import typer

from sellersync.domain.errors import BadInput
from sellersync.store import bins as store
from sellersync.store.ledger import Session
from sellersync.store.stock import find_sku, find_warehouse

from .csv_file import FORMULA_STARTS, as_cell, read_rows
from .out import as_json, say, table
from .state import state_of

COLUMNS = ("sku", "bin", "warehouse")
app = typer.Typer(help="Where SKUs lie: the order in which pickers walk.", no_args_is_help=True)


def register(group: typer.Typer) -> None:
    group.add_typer(app, name="bins")


@app.command("list")
def list_(
    context: typer.Context,
    without: Annotated[bool, typer.Option("--without", help="Only SKUs with stock and no bin.")] = False,
) -> None:
    """Bins in walking order, with the units that lie in them."""
    state = state_of(context)
    with state.ledger() as (_, ledger):
        rows = ledger.read_now(store.bin_rows)
    rows = [row for row in rows if (row.bin == "" and row.on_shelf > 0) == without and (row.bin or without)]
    if state.json:
        as_json(rows)
    elif not rows:
        say("Every SKU with stock has a bin." if without else "No bin yet: sellersync stock bins set SKU BIN")
    else:
        table(
            ("warehouse", "bin", "SKU", "title", "on shelf"),
            [(row.warehouse, row.bin or "-", row.sku, row.title, row.on_shelf) for row in rows],
        )


@app.command("set")
def set_(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="The SKU.")],
    code: Annotated[str, typer.Argument(metavar="BIN", help='For example A-03-2; "" forgets it.')],
    warehouse: Annotated[str | None, typer.Option(help="Warehouse code; without it the first one.")] = None,
) -> None:
    """Say in which bin a SKU lies."""
    state = state_of(context)
    with state.ledger() as (_, ledger):

        def write(session: Session) -> None:
            store.set_bin(session, find_sku(session, sku), find_warehouse(session, warehouse), code)

        ledger.write_now(write, name="set_bin")
    cleaned = store.check_bin(code)
    if state.json:
        as_json({"sku": sku, "bin": cleaned})
    else:
        say(f"{sku} lies in {cleaned}." if cleaned else f"{sku} has no bin any more.")


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with the columns sku,bin[,warehouse]; an empty bin forgets it.")],
) -> None:
    """Take bins from a CSV file. One bad row and nothing is recorded."""
    state = state_of(context)
    with state.ledger() as (_, ledger):
        changed = ledger.write_now(lambda session: _import(session, file), name="import_bins")
    if state.json:
        as_json({"bins": changed})
    else:
        say(f"Recorded {changed} bins.")


def _import(session: Session, path: Path) -> int:
    """Raises `BadInput` naming every bad row by its line; the transaction is given up with it."""
    problems: list[str] = []
    seen: dict[tuple[int, int], int] = {}
    for line, cells in read_rows(path, needed=("sku", "bin"), optional=("warehouse", "title", "on_shelf")):
        try:
            if "problem" in cells:
                raise BadInput(cells["problem"])
            cells = {name: _as_written(cell) for name, cell in cells.items()}
            if not cells["sku"]:
                raise BadInput("the SKU is missing")
            key = (find_sku(session, cells["sku"]), find_warehouse(session, cells.get("warehouse") or None))
            if key in seen:
                raise BadInput(f"{cells['sku']} stands in line {seen[key]} already")
            seen[key] = line
            store.set_bin(session, *key, cells["bin"])
        except BadInput as problem:
            problems.append(f"{path}: line {line}: {problem}")
    if problems:
        raise BadInput("\n".join([*problems, "Nothing was recorded. Correct these lines and run the command again."]))
    if not seen:
        raise BadInput(f"{path} holds no bin")
    return len(seen)


def _as_written(cell: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from computing a cell."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


@app.command("export")
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The CSV file to write; an existing one is replaced.")],
) -> None:
    """Write every SKU with its bin into a CSV file; the bin is empty where none is said."""
    state = state_of(context)
    with state.ledger() as (_, ledger):
        rows = ledger.read_now(store.bin_rows)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow((*COLUMNS, "title", "on_shelf"))
    for row in rows:
        writer.writerow((as_cell(row.sku), as_cell(row.bin), row.warehouse, as_cell(row.title), row.on_shelf))
    try:
        file.write_text(text.getvalue(), "utf-8-sig", newline="")
    except OSError as failure:
        raise BadInput(f"{file} cannot be written ({failure.strerror})") from None
    if state.json:
        as_json({"file": str(file), "rows": len(rows)})
    else:
        say(f"{file}: {len(rows)} rows. Fill in the bins, then: sellersync stock bins import FILE")
