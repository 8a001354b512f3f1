"""`sellersync stock`: what lies where, and what people do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from sellersync.domain.errors import BadInput
from sellersync.store import pushes, reads_stock, work
from sellersync.store.ledger import Session
from sellersync.store.stock import find_sku, find_warehouse, record_adjustment, record_receipt

from . import count
from .out import as_json, say, table, when
from .state import State, state_of
from .who import who

app = typer.Typer(help="Stock: look, receive, count, adjust.", no_args_is_help=True)
app.command("count")(count.count)
HISTORY_MAX = 50

Warehouse = Annotated[str | None, typer.Option(help="Warehouse code; without it the first one.")]


@app.command("show")
def show(
    context: typer.Context,
    sku: Annotated[list[str] | None, typer.Argument(help="Only these SKUs.")] = None,
    short: Annotated[bool, typer.Option("--short", help="Only SKUs that were sold beyond what is there.")] = False,
) -> None:
    """What is available, reserved and on hand."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        rows = ledger.read_now(lambda session: reads_stock.stock_levels(session, skus=sku or (), short=short))
        zone = settings.shop.zone
    if state.json:
        as_json([{**_fields(row), "on_hand": row.on_hand} for row in rows])
        return
    if not rows:
        say("Nothing is short." if short else "No SKU yet: sellersync listings pull")
        return
    heads = ("SKU", "title", "warehouse", "available", "reserved", "inspect", "damaged", "on hand", "counted")
    table(
        heads,
        [
            (row.sku, row.title, row.warehouse, row.available, row.reserved, row.inspect, row.damaged, row.on_hand,
             when(row.counted_at, zone) if row.counted_at else "never: no level is pushed")
            for row in rows
        ],
    )  # fmt: skip


def _fields(row: reads_stock.SkuStock) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__slots__}


@app.command("receive")
def receive(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="The SKU.")],
    quantity: Annotated[int, typer.Argument(help="Units that came in.")],
    warehouse: Warehouse = None,
    note: Annotated[str, typer.Option(help="For example the delivery note's number.")] = "",
) -> None:
    """Goods came in from a supplier."""
    state = state_of(context)

    def write(session: Session, now_ms: int) -> int:
        sku_id, place = find_sku(session, sku), find_warehouse(session, warehouse)
        return record_receipt(session, sku_id, place, quantity, at_ms=now_ms, now_ms=now_ms, who=who(), note=note)

    _document(state, write, sku, f"Received {quantity} x {sku}.")


@app.command("adjust", context_settings={"ignore_unknown_options": True})
def adjust(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="The SKU.")],
    change: Annotated[str, typer.Argument(metavar="+N|-N", help="By how many units.")],
    reason: Annotated[str, typer.Option(help="Why; the report names it.")] = "",
    warehouse: Warehouse = None,
) -> None:
    """Correct the shelf by a signed number."""
    state = state_of(context)
    sign, digits = change[:1], change[1:]
    if sign not in ("+", "-") or not digits.isdecimal():
        raise BadInput(f"{change!r}: expected is a number with its sign, +3 or -3")

    def write(session: Session, now_ms: int) -> int:
        sku_id, place = find_sku(session, sku), find_warehouse(session, warehouse)
        return record_adjustment(
            session, sku_id, place, int(change), reason=reason, at_ms=now_ms, now_ms=now_ms, who=who()
        )

    _document(state, write, sku, f"Adjusted {sku} by {change}.")


def _document(state: State, write: Callable[[Session, int], int], sku: str, done: str) -> None:
    """Post a document and say what the SKU's stock is now."""
    with state.ledger() as (_, ledger):
        document_id = ledger.write_now(lambda session: write(session, ledger.now_ms()), name="document")
        rows = ledger.read_now(lambda session: reads_stock.stock_levels(session, skus=[sku]))
    if state.json:
        as_json({"document": document_id, "stock": [{**_fields(row), "on_hand": row.on_hand} for row in rows]})
        return
    say(
        done
        + " Now: "
        + "; ".join(f"{row.available} available, {row.reserved} reserved in {row.warehouse}" for row in rows)
    )
    if any(row.counted_at is None for row in rows):
        say(f"{sku} was never counted, so no channel gets a level for it: sellersync stock count {sku} QTY")


@app.command("history")
def history(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="The SKU.")],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many movements.")] = HISTORY_MAX,
) -> None:
    """The movements of a SKU, the newest first, each with its cause."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        rows = ledger.read_now(lambda session: reads_stock.sku_history(session, sku, limit=limit))
        zone = settings.shop.zone
    if state.json:
        as_json(rows)
    elif not rows:
        say(f"Nothing has moved {sku} yet.")
    else:
        table(
            ("when", "units", "from", "to", "on shelf", "cause", "reason", "who"),
            [
                (when(row.occurred, zone), row.quantity, row.source, row.destination,
                 f"{row.change:+d}" if row.change else "", row.cause, row.reason, row.who)
                for row in rows
            ],
        )  # fmt: skip


@app.command("agree-zero")
def agree_zero(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="The channel's name.")],
) -> None:
    """Agree that the levels which would suddenly go to zero on a channel really go to zero."""
    state = state_of(context)
    with state.ledger() as (_, ledger):

        def write(session: Session) -> int:
            return pushes.agree_zeroes(session, channel_named(session, channel).id)

        agreed = ledger.write_now(write, name="agree_zero")
    if state.json:
        as_json({"channel": channel, "agreed": agreed})
    else:
        say(
            f"Agreed for {agreed} listings of {channel}; the next push sends them."
            if agreed
            else "Nothing waits for that."
        )


def channel_named(session: Session, slug: str) -> work.ChannelState:
    """A channel of the ledger. Raises `BadInput` naming those that there are."""
    known = work.channel_by_slug(session, slug)
    if known is None or known.kind != "channel":
        raise BadInput(f"no channel {slug!r}; there are: {', '.join(reads_stock.channel_slugs(session)) or 'none'}")
    return known
