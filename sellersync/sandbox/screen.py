"""What the demo shows while it runs: a glance at the simulators' journals and the ledger, drawn with rich."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .books import open_ledger
from .exposure import replay
from .judge import Verdict
from .kit import Entry, Event, Simulator
from .scenario import Scenario

FEED_LINES = 10
_STYLES = {
    Event.ORDER_PLACED: "green",
    Event.ORDER_PAID: "green",
    Event.ORDER_CANCELLED: "red",
    Event.SOLD_OUT: "yellow",
    Event.LEVEL_SET: "cyan",
    Event.PARCEL_ARRANGED: "magenta",
    Event.PARCEL_CANCELLED: "red",
    Event.WAYBILL_ISSUED: "magenta",
    Event.HANDED_OVER: "blue",
    Event.DELIVERED: "blue",
}
_LEDGER_COUNTS = {
    "imported": "SELECT c.slug, COUNT(*) FROM sales_order o JOIN channel c ON c.id = o.channel_id GROUP BY c.slug",
    "booked": "SELECT c.slug, COUNT(*) FROM parcel p JOIN channel c ON c.id = p.channel_id "
    "WHERE p.state NOT IN ('waiting', 'ready', 'packed', 'unknown', 'cancelled', 'failed') GROUP BY c.slug",
    "waybills": "SELECT c.slug, COUNT(*) FROM parcel p JOIN channel c ON c.id = p.channel_id WHERE p.waybill <> '' GROUP BY c.slug",
}


@dataclass
class Glance:
    """Numbers of one moment, per channel slug."""

    elapsed_s: float
    journal: dict[str, Counter[str]] = field(default_factory=dict)
    ledger: dict[str, Counter[str]] = field(default_factory=dict)
    exposure: dict[str, Any] = field(default_factory=dict)
    oversells: int = 0
    feed: list[tuple[float, str, Entry]] = field(default_factory=list)

    def total(self, what: str) -> int:
        """Sum over all channels of a journal or ledger count."""
        return sum(counts[what] for counts in [*self.journal.values(), *self.ledger.values()])


def look(scenario: Scenario, elapsed_s: float) -> Glance:
    """Read everything afresh; the ledger may not exist yet."""
    glance = Glance(elapsed_s)
    feed: list[tuple[float, str, Entry]] = []
    for slug, simulator in scenario.simulators().items():
        counts, tail = _count_events(simulator)
        glance.journal[slug] = counts
        feed += [(entry.at, slug, entry) for entry in tail]
    glance.feed = sorted(feed, key=lambda row: row[0])[-FEED_LINES:]
    glance.ledger = ledger_counts(scenario.ledger_path)
    exposure = replay(scenario.channels, scenario.catalogue.world(), scenario.off)
    glance.exposure, glance.oversells = exposure.summary(), len(exposure.oversells)
    return glance


def _count_events(simulator: Simulator) -> tuple[Counter[str], list[Entry]]:
    entries = simulator.journal.entries()
    counts = Counter(entry.event.value for entry in entries)
    counts["refused"] = sum(1 for entry in entries if entry.event is Event.REQUEST and entry.data["refused"])
    return counts, [entry for entry in entries if entry.event in _STYLES][-FEED_LINES:]


def ledger_counts(path: Path) -> dict[str, Counter[str]]:
    """Counts of `_LEDGER_COUNTS` per channel slug; empty while there is no ledger to read."""
    result: dict[str, Counter[str]] = {}
    try:
        with open_ledger(path) as connection:
            for name, sql in _LEDGER_COUNTS.items():
                for slug, count in connection.execute(sql):
                    result.setdefault(slug, Counter())[name] = count
    except sqlite3.OperationalError:
        return {}
    return result


# --------------------------------------------------------------------------------------------------------------------------- drawing


def draw(scenario: Scenario, glance: Glance, phase: str) -> RenderableType:
    """The whole screen."""
    table = Table(expand=True, box=None, pad_edge=False, header_style="bold")
    table.add_column("channel", no_wrap=True)
    for head in ("placed", "imported", "cancelled", "levels", "parcels", "waybills", "calls", "refused"):
        table.add_column(head, justify="right", no_wrap=True)
    for slug in scenario.channels:
        seen, kept = glance.journal.get(slug, Counter()), glance.ledger.get(slug, Counter())
        name = Text(slug, style="dim" if slug in scenario.off else "bold")
        if slug in scenario.off:
            name.append(" off", style="red")
        placed, imported = seen["order_placed"], kept["imported"]
        table.add_row(
            name,
            Text(str(placed), style="green"),
            Text(str(imported), style="green" if imported == placed else "yellow"),
            str(seen["order_cancelled"]),
            Text(str(seen["level_set"]), style="cyan"),
            Text(str(kept["booked"]), style="magenta"),
            str(kept["waybills"]),
            str(seen["request"]),
            str(seen["refused"]),
        )
    done = min(glance.elapsed_s, scenario.seconds)
    clock = Table.grid(expand=True)
    clock.add_column(ratio=1)
    clock.add_column(justify="right")
    clock.add_row(ProgressBar(total=scenario.seconds, completed=done), f"  {phase} {glance.elapsed_s:5.1f} s")
    return Group(
        Panel(table, title="sellersync demo: orders in, stock out, couriers booked"),
        Text(exposure_line(glance), style="bold"),
        Panel(_feed(glance), title="last events on the marketplaces", height=FEED_LINES + 2),
        clock,
    )


def exposure_line(glance: Glance) -> str:
    """How fast the channels learn of each other's sales."""
    p50, p95 = glance.exposure.get("p50"), glance.exposure.get("p95")
    times = "nothing yet" if p50 is None else f"p50 {p50:.0f} ms, p95 {p95:.0f} ms"
    return f"sale on one channel -> level on the others: {times}; oversold: {glance.oversells}"


def _feed(glance: Glance) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(no_wrap=True, overflow="ellipsis")
    for at, slug, entry in glance.feed:
        table.add_row(
            f"{at % 60:06.3f}", slug, Text(entry.event.value.replace("_", " "), style=_STYLES[entry.event]), told(entry)
        )
    return table


def told(entry: Entry) -> str:
    """One journal line in a few words."""
    data: Mapping[str, Any] = entry.data
    if entry.event is Event.LEVEL_SET:
        return f"{data['seller_sku']}: {data['before']} -> {data['level']}"
    if entry.event is Event.SOLD_OUT:
        return f"{data['seller_sku']}: wanted {data['wanted']}, shown {data['shown']}"
    if data.get("items"):
        return ", ".join(f"{count} x {sku or key}" for key, sku, count in data["items"])
    if data.get("waybill"):
        return f"{data['waybill']} for order {data['order_id']}"
    return f"order {data.get('order_id', '')}"


def plain_line(glance: Glance) -> str:
    """Progress for a pipe or a log."""
    return (
        f"{glance.elapsed_s:5.1f} s  placed {glance.total('order_placed')}  imported {glance.total('imported')}  "
        f"levels set {glance.total('level_set')}  parcels {glance.total('booked')}  {exposure_line(glance)}"
    )


def self_check(verdict: Verdict) -> RenderableType:
    """The verdict as a table, with the problems below."""
    table = Table(title="self-check, from the marketplaces' own journals", title_justify="left")
    table.add_column("what")
    table.add_column("found")
    table.add_column("")
    for what, found, fine in _rows(verdict):
        table.add_row(what, found, Text("ok", style="green") if fine else Text("BROKEN", style="bold red"))
    lines: list[RenderableType] = [table]
    lines += [Text(f"- {problem}", style="red") for problem in verdict.problems]
    for oversell in verdict.oversells:
        first, second = oversell["first"], oversell["second"]
        if first is not None:
            lines.append(
                Text(
                    f"- oversold {oversell['units']} x {oversell['sku']}: order {first['order']} on {first['channel']}, then "
                    f"{second['after_ms']:.0f} ms later order {second['order']} on {second['channel']}: {oversell['why']}",
                    style="yellow" if oversell["allowed"] else "red",
                )
            )
    lines.append(Text("Shortened for the demo: " + "; ".join(verdict.shortened), style="dim"))
    return Group(*lines)


def _rows(verdict: Verdict) -> list[tuple[str, str, bool]]:
    orders, movements, levels, parcels = verdict.orders, verdict.movements, verdict.levels, verdict.parcels
    placed, imported = sum(orders["placed"].values()), sum(orders["imported"].values())
    gaps = [orders[name] for name in ("missing", "duplicated", "unknown")]
    broken = [movements[name] for name in ("differing", "unbalanced", "wrong_positions", "repeated", "broken_seals")]
    wrong = [
        parcels[name]
        for name in ("unbooked", "doubled", "unwanted", "unknown_to_ledger", "unknown_to_carrier", "wrong_waybills")
    ]
    exposure = verdict.exposure_ms
    forbidden = sum(not oversell["allowed"] for oversell in verdict.oversells)
    refused = sum(sum(one["refused"].values()) for one in verdict.requests.values())
    return [
        ("orders", f"{placed} placed, {imported} imported", not any(any(gap.values()) for gap in gaps)),
        ("stock of orders", f"{len(orders['wrong_stock'])} orders differ", not orders["wrong_stock"]),
        ("movements", f"{movements['count']}, {movements['sealed']} sealed, balances rebuilt", not any(broken)),
        ("stock left", f"{len(movements['wrong_available'])} SKUs differ", not movements["wrong_available"]),
        ("levels", f"{levels['equal']} of {levels['targets']} shown as wanted", not levels["differing"]),
        (
            "parcels",
            f"{parcels['arranged']} of {parcels['bookable_units']} units booked, {parcels['waybills']} waybills, "
            f"{parcels['cancelled']} bookings cancelled",
            not any(wrong),
        ),
        ("oversells", f"{len(verdict.oversells)}, {forbidden} of them avoidable", not forbidden),
        (
            "exposure",
            f"p50 {exposure['p50'] or 0:.0f} ms, p95 {exposure['p95'] or 0:.0f} ms, {exposure['unit_seconds']} unit-seconds",
            True,
        ),
        ("requests", f"{sum(one['total'] for one in verdict.requests.values())}, {refused} refused", True),
    ]
