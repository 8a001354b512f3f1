"""`sellersync stock count`: what lies on the shelf, from a person, a CSV file or a channel's own number."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from sellersync.app import App
from sellersync.domain.errors import BadInput
from sellersync.domain.times import to_epoch_ms
from sellersync.store import reads_stock
from sellersync.store.ledger import Ledger, Session
from sellersync.store.stock import CountEntry, find_sku, find_warehouse, record_count, shelf_at

from .channel_count import read_channel
from .csv_file import read_rows
from .out import as_json, note, say, table, waiting, when
from .state import State, state_of
from .who import who

NAMED_MAX = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """One line of a count, with what the ledger expects there."""

    sku: str
    warehouse: str
    expected: int
    counted: int
    entry: CountEntry

    @property
    def difference(self) -> int:
        return self.counted - self.expected


def count(
    context: typer.Context,
    sku: Annotated[str | None, typer.Argument(help="The SKU.")] = None,
    quantity: Annotated[int | None, typer.Argument(help="Units on the shelf, packed parcels included.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="CSV with the columns sku,counted[,warehouse].")] = None,
    from_channel: Annotated[
        str | None, typer.Option(help="Take the numbers that this channel shows as a first count.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="When it was counted: HH:MM today, or YYYY-MM-DDTHH:MM, in the shop's zone.")
    ] = None,
    warehouse: Annotated[str | None, typer.Option(help="Warehouse code; without it the first one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Record what lies on the shelf: available and reserved units together, packed parcels that were not collected included.

    The difference to the ledger is shown first. A SKU gets its first level on the channels by its first count.
    """
    state = state_of(context)
    ways = [sku is not None, file is not None, from_channel is not None]
    if sum(ways) != 1 or (sku is None) != (quantity is None):
        raise BadInput(
            "count one SKU (stock count SKU QTY), a file (--file CSV) or a channel's numbers (--from-channel NAME)"
        )
    if from_channel is not None:
        _from_channel(state, from_channel, yes=yes)
        return
    with state.ledger() as (settings, ledger):
        at_ms = to_epoch_ms(moment(at, settings.shop.zone, ledger.clock.now()))
        if file is not None:
            entries = ledger.read_now(lambda session: read_file(session, file, warehouse))
        else:
            assert sku is not None
            assert quantity is not None
            if quantity < 0:
                raise BadInput(f"{quantity}: a count cannot be negative")
            entries = ledger.read_now(lambda session: [_entry(session, sku, quantity, warehouse)])
        _preview_and_record(state, ledger, settings.shop.zone, entries, at_ms=at_ms, yes=yes, source="person")


def _entry(session: Session, sku: str, quantity: int, warehouse: str | None) -> CountEntry:
    return CountEntry(find_sku(session, sku), find_warehouse(session, warehouse), quantity)


def moment(text: str | None, zone: ZoneInfo, now: datetime) -> datetime:
    """The moment of a count as a person writes it. Raises `BadInput`."""
    if text is None:
        return now
    try:
        if len(text) <= 5:
            return datetime.combine(now.astimezone(zone).date(), time.fromisoformat(text), zone).astimezone(UTC)
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--at {text!r}: expected is HH:MM, or YYYY-MM-DDTHH:MM in the shop's zone") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)


# ----------------------------------------------------------------------------------------------------------------------------- CSV


def read_file(session: Session, path: Path, warehouse: str | None) -> list[CountEntry]:
    """The counts of a CSV file, comma or semicolon separated. Raises `BadInput` naming every bad row by its line."""
    problems: list[str] = []
    entries: dict[tuple[int, int], CountEntry] = {}
    for line, cells in read_rows(path, needed=("sku", "counted"), optional=("warehouse",)):
        try:
            if "problem" in cells:
                raise BadInput(cells["problem"])
            entry = _row(session, cells, warehouse)
            if (entry.sku_id, entry.warehouse_id) in entries:
                raise BadInput(f"{cells['sku']} was counted in an earlier line; add the rows up")
            entries[entry.sku_id, entry.warehouse_id] = entry
        except BadInput as problem:
            problems.append(f"{path}: line {line}: {problem}")
    if problems:
        raise BadInput("\n".join([*problems, "Nothing was recorded. Correct these lines and run the command again."]))
    if not entries:
        raise BadInput(f"{path} holds no count")
    return list(entries.values())


def _row(session: Session, cells: dict[str, str], warehouse: str | None) -> CountEntry:
    if not cells["sku"]:
        raise BadInput("the SKU is missing")
    if not cells["counted"].isascii() or not cells["counted"].isdecimal():
        raise BadInput(f"counted is {cells['counted']!r}; expected is a whole number without points, 0 or more")
    return _entry(session, cells["sku"], int(cells["counted"]), cells.get("warehouse") or warehouse)


def _from_channel(state: State, slug: str, *, yes: bool) -> None:
    async def errand(app: App) -> None:
        with waiting(f"reading {slug}", quiet=state.json):
            found = await read_channel(app, app.world.shop(slug))
        if found.silent:
            note(f"No single SKU's number (bundle, unmapped or not shown): {', '.join(found.silent[:NAMED_MAX])}")
        if found.unclear:
            note(
                f"Several listings of {slug} show different numbers, so left out: {', '.join(found.unclear[:NAMED_MAX])}"
            )
        if not found.entries:
            raise BadInput(
                f"{slug} shows no number of a single SKU; run `sellersync listings pull` and map its listings first"
            )
        zone, source = app.settings.shop.zone, f"channel {slug}"
        _preview_and_record(state, app.ledger, zone, found.entries, at_ms=found.at_ms, yes=yes, source=source)

    state.on_app(errand)


# ------------------------------------------------------------------------------------------------------------- preview, then record


def _preview_and_record(
    state: State,
    ledger: Ledger,
    zone: ZoneInfo,
    entries: Sequence[CountEntry],
    *,
    at_ms: int,
    yes: bool,
    source: str,
) -> None:
    now_ms = ledger.now_ms()
    if at_ms > now_ms:
        raise BadInput("a count cannot be dated in the future")
    rows = ledger.read_now(lambda session: _compare(session, entries, at_ms))
    if not state.json:
        _show(rows)
        counted_at = when(datetime.fromtimestamp(at_ms / 1000, UTC), zone)
        say(f"{sum(row.difference != 0 for row in rows)} of {len(rows)} differ from the ledger as of {counted_at}.")
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput("nothing was recorded: look at the differences, then add --yes")
        if not typer.confirm("Record this count?"):
            raise BadInput("nothing was recorded")
    results = ledger.write_now(
        lambda session: record_count(session, entries, at_ms=at_ms, now_ms=ledger.now_ms(), who=who(), source=source),
        name="count",
    )
    if state.json:
        as_json({"recorded": len(results), "rows": [
            {"sku": row.sku, "warehouse": row.warehouse, "expected": row.expected, "counted": row.counted,
             "difference": row.difference} for row in rows
        ]})  # fmt: skip
    else:
        say(f"Recorded {len(results)} counts.")


def _compare(session: Session, entries: Sequence[CountEntry], at_ms: int) -> list[Counted]:
    """Each entry beside what the ledger expects, the largest differences first."""
    names = reads_stock.names(session)
    rows = [
        Counted(
            names.skus[entry.sku_id],
            names.warehouses[entry.warehouse_id],
            shelf_at(session, entry.sku_id, entry.warehouse_id, at_ms),
            entry.counted,
            entry,
        )
        for entry in entries
    ]
    return sorted(rows, key=lambda row: (-abs(row.difference), row.sku, row.warehouse))


def _show(rows: Sequence[Counted]) -> None:
    table(
        ("SKU", "warehouse", "expected", "counted", "difference"),
        [
            (row.sku, row.warehouse, row.expected, row.counted, f"{row.difference:+d}" if row.difference else "0")
            for row in rows
        ],
    )
