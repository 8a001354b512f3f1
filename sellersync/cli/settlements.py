"""`sellersync orders settlements`: what the channels paid out or kept."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from sellersync.domain.errors import BadInput
from sellersync.domain.times import day_bounds, shop_day, to_epoch_ms
from sellersync.store import settlements as kept
from sellersync.store.ledger import Session
from sellersync.store.settlements import Chosen, SettlementLine, SettlementSum

from .days import day_named
from .out import as_json, rupiah, say, table, when
from .state import state_of
from .stock import channel_named

LIST_MAX = 50
DAY_WORDS = ("today", "yesterday")


def register(app: typer.Typer) -> None:
    app.command("settlements")(settlements)


def settlements(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="From this day of the shop on (YYYY-MM-DD).")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Up to this day, the day itself included.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="List at most this many; sums are of all.")] = LIST_MAX,
) -> None:
    """What the channels paid out for orders, the newest first, with the sums of each channel."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        zone = settings.shop.zone
        since_ms, until_ms = _window(from_, to, shop_day(ledger.clock.now(), zone), zone)

        def read(session: Session) -> tuple[tuple[SettlementLine, ...], tuple[SettlementSum, ...]]:
            if channel is not None:
                channel_named(session, channel)
            chosen = Chosen(channel, since_ms, until_ms)
            return kept.settlements(session, chosen, limit=limit), kept.settlement_sums(session, chosen)

        rows, sums = ledger.read_now(read)
    if state.json:
        as_json({"settlements": rows, "sums": sums})
        return
    if not rows:
        say("No settlement is known there. Look again now: sellersync sync settlements")
        return
    table(
        ("channel", "order", "settled", "parts", "net", ""),
        [
            (row.channel, row.order, when(row.settled, zone), in_words(row.parts), rupiah(row.net),
             "" if row.known else "unknown order")
            for row in rows
        ],
    )  # fmt: skip
    say()
    table(
        ("channel", "settlements", "of unknown orders", "part", "amount"),
        [cells for one in sums for cells in _sum_rows(one)],
        title="Sums",
    )
    if len(rows) == limit:
        say(f"There may be more than these {limit}: --limit N")


def in_words(parts: dict[str, int]) -> str:
    """The parts of a settlement in one cell, the largest first."""
    return ", ".join(f"{name.replace('_', ' ')} {rupiah(amount)}" for name, amount in parts.items()) or "-"


def _sum_rows(one: SettlementSum) -> list[tuple[object, ...]]:
    parts = [("", "", "", name.replace("_", " "), rupiah(amount)) for name, amount in one.parts.items()]
    return [(one.channel, one.settlements, one.unknown_orders, "net", rupiah(one.net)), *parts]


def _window(first: str | None, last: str | None, today: date, zone: ZoneInfo) -> tuple[int | None, int | None]:
    since = (
        None
        if first is None
        else to_epoch_ms(day_bounds(day_named(first, today, option="--from", words=DAY_WORDS), zone)[0])
    )
    until = (
        None
        if last is None
        else to_epoch_ms(day_bounds(day_named(last, today, option="--to", words=DAY_WORDS), zone)[1])
    )
    if since is not None and until is not None and until <= since:
        raise BadInput("--to lies before --from; expected are two days in their order")
    return since, until
