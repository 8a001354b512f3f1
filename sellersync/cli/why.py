"""`sellersync why`: how something could happen."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from sellersync.domain.errors import BadInput
from sellersync.domain.oversell import Oversell, Step
from sellersync.domain.times import day_bounds, shop_day, to_epoch_ms
from sellersync.report.oversell_words import CAUSES, STEPS, todo, why
from sellersync.store import reads_orders, reads_oversell
from sellersync.store.ledger import Session

from .days import day_named
from .out import as_json, note, say, table, when
from .state import state_of

app = typer.Typer(help="How something could happen.", no_args_is_help=True)


@app.command("oversell")
def oversell(
    context: typer.Context,
    order: Annotated[
        str | None, typer.Option(help="Of this order: its id or number, a parcel's id, waybill or reference.")
    ] = None,
    day: Annotated[str | None, typer.Option(help="Of this day of the shop: YYYY-MM-DD or today.")] = None,
) -> None:
    """Units that were sold beyond the stock: between which two orders, what happened when, in milliseconds, and the one cause."""
    if (order is None) == (day is None):
        raise BadInput("name an order or a day: --order ID or --day YYYY-MM-DD")
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        zone = settings.shop.zone
        today = shop_day(ledger.clock.now(), zone)

        def read(session: Session) -> list[Oversell]:
            if order is not None:
                return _of_order(session, order)
            since, until = day_bounds(day_named(day or "", today, option="--day"), zone)
            return reads_oversell.oversells(session, since_ms=to_epoch_ms(since), until_ms=to_epoch_ms(until))

        found = ledger.read_now(read)
    if state.json:
        as_json([{**_values(one), "why": why(one, "en"), "todo": todo(one, "en")} for one in found])
        return
    if not found:
        say(f"Nothing was sold beyond the stock {'by this order' if order else 'on this day'}.")
        return
    table(
        ("SKU", "units", "sold beyond stock by", "on", "after", "on", "at", "cause"),
        [
            (one.sku, one.units, one.second.name, one.second.channel, one.first.name if one.first else "-",
             one.first.channel if one.first else "-", when(one.at, zone), CAUSES["en"][one.cause].name)
            for one in found
        ],
    )  # fmt: skip
    for one in found:
        _tell(one, zone)
    note("Marketplaces count whole seconds: moments of theirs may be up to a second later than shown.")


def _of_order(session: Session, name: str) -> list[Oversell]:
    heads = reads_orders.find_orders(session, name)
    if not heads:
        raise BadInput(f"no order {name!r} in the ledger; if it is new, fetch it with: sellersync sync pull")
    return [one for head in heads for one in reads_oversell.oversells_of_order(session, head.id)]


def _values(one: Oversell) -> dict[str, object]:
    return {name: getattr(one, name) for name in type(one).__slots__}


def _tell(one: Oversell, zone: ZoneInfo) -> None:
    say()
    say(f"{one.units} x {one.sku}, order {one.second.name} on {one.second.channel}: {CAUSES['en'][one.cause].name}")
    say(f"  {why(one, 'en')}")
    say(f"  {todo(one, 'en')}")
    table(("moment", "ms", "at"), [_moment(step, zone) for step in one.timeline])


def _moment(step: Step, zone: ZoneInfo) -> tuple[object, ...]:
    if step.at is None:
        return (STEPS["en"][step.name], "-", "-")
    return (STEPS["en"][step.name], step.after_ms, f"{step.at.astimezone(zone):%H:%M:%S.%f}"[:-3])
