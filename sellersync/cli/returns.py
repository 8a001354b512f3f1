"""`sellersync returns`: what comes back, and what is done with it at the desk."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from sellersync.domain.errors import BadInput
from sellersync.domain.returns import DocumentState, Grade
from sellersync.domain.stock import Leg
from sellersync.store import grading, reads_orders, reads_returns
from sellersync.store.ledger import Ledger, Session
from sellersync.store.reads_returns import ReturnCase, grades_of
from sellersync.store.reads_stock import names

from . import return_receipt
from .out import as_json, say, table, when
from .state import State, state_of
from .stock import channel_named
from .who import who

app = typer.Typer(help="Goods that come back: list, receive, grade.", no_args_is_help=True)
app.command("receive")(return_receipt.receive)
LIST_MAX = 200


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[
        DocumentState | None, typer.Option(help="Only this state; without it what waits for goods or for a grade.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many.")] = LIST_MAX,
) -> None:
    """What is coming back, failed deliveries included, and what lies here without a grade. The oldest first."""
    options = state_of(context)

    def read(session: Session) -> list[ReturnCase]:
        if channel is not None:
            channel_named(session, channel)
        return reads_returns.returns(session, state=state, channel=channel, limit=limit)

    with options.ledger() as (settings, ledger):
        rows = ledger.read_now(read)
        zone = settings.shop.zone
    if options.json:
        as_json([_fields(row) for row in rows])
        return
    if not rows:
        say("Nothing comes back." if state is None else f"No return is {state.value}.")
        return
    tell(rows, zone)
    if any(row.awaited for row in rows):
        say("Scan a parcel that came in: sellersync returns receive WAYBILL")
    if any(row.ungraded for row in rows):
        say("Say what was found: sellersync returns grade RETURN sellable|damaged|lost")
    if len(rows) == limit:
        say(f"There may be more than these {limit}: --limit N")


def tell(rows: Sequence[ReturnCase], zone: ZoneInfo, *, title: str = "") -> None:
    """Returns as a table."""
    table(
        ("return", "waits for", "channel", "order", "goods", "units", "here", "grades", "waybill", "since", "why"),
        [
            (row.name, _waits_for(row), row.channel, row.order, row.title or row.listing, row.units, row.received,
             ", ".join(grades_of(row)) or "-", row.waybill or "-", when(row.opened, zone), _why(row))
            for row in rows
        ],
        title=title,
    )  # fmt: skip


def _waits_for(row: ReturnCase) -> str:
    if row.ungraded:
        return "grade"
    return "goods" if row.awaited else row.state


def _why(row: ReturnCase) -> str:
    more = []
    if row.remote_id:
        more.append(f"return {row.remote_id}: {row.remote_state.replace('_', ' ') or 'unknown'}")
    if row.parcel_state:
        more.append(f"courier: {row.parcel_state.replace('_', ' ')}")
    if row.replacement:
        more.append(f"replaced by order {row.replacement}")
    return "; ".join([row.why, *more])


def _fields(row: ReturnCase) -> dict[str, object]:
    return {**asdict(row), "awaited": row.awaited, "ungraded": row.ungraded}


# ------------------------------------------------------------------------------------------------------------------ what was found

Name = Annotated[str, typer.Argument(metavar="RETURN", help="R7 or D7, as `returns list` names it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("grade")
def grade(
    context: typer.Context,
    name: Name,
    verdict: Annotated[Grade, typer.Argument(metavar="sellable|damaged|lost", help="What was found.")],
    units: Annotated[int | None, typer.Option(min=1, help="Only so many units; without it all that wait.")] = None,
    remark: Annotated[str, typer.Option("--note", help="For example what is broken.")] = "",
    yes: Yes = False,
) -> None:
    """Say what was found: sellable units go back to the shelf and to all channels. Lost also settles what never came back."""
    state = state_of(context)
    with state.ledger() as (_, ledger):
        case = ledger.read_now(lambda session: reads_returns.find_return(session, name))
        number = int(case.name[1:])
        if case.order_id is None:
            leg = ledger.read_now(lambda session: grading.plan_unknown_grading(session, number, verdict, units))
            _agree(state, ledger, [leg], yes=yes)
            ledger.write_now(
                lambda session: grading.grade_unknown(
                    session, number, verdict, leg, note=remark, now_ms=ledger.now_ms(), who=who()
                ),
                name="grade_return",
            )
        else:
            planned = ledger.read_now(lambda session: grading.plan_grading(session, number, verdict, units))
            _agree(state, ledger, planned.steps, yes=yes)
            ledger.write_now(
                lambda session: grading.grade(session, planned, note=remark, now_ms=ledger.now_ms(), who=who()),
                name="grade_return",
            )
        after = ledger.read_now(lambda session: reads_returns.find_return(session, name))
    _done(state, after, f"{after.name}: {', '.join(grades_of(after))}.")


@app.command("keep")
def keep(context: typer.Context, name: Name, yes: Yes = False) -> None:
    """What is still awaited never comes: the buyer keeps it. (For a parcel lost on its way: grade RETURN lost.)"""
    state = state_of(context)
    with state.ledger() as (_, ledger):
        case = ledger.read_now(lambda session: reads_returns.find_return(session, name))
        if case.order_id is None or not case.awaited:
            raise BadInput(f"{case.name}: nothing of it is awaited")
        _ask(f"The buyer keeps {case.awaited} x {case.title or case.listing}?", yes=yes)
        kept = ledger.write_now(
            lambda session: grading.keep(session, int(case.name[1:]), now_ms=ledger.now_ms(), who=who()),
            name="keep_return",
        )
        after = ledger.read_now(lambda session: reads_returns.find_return(session, name))
    _done(state, after, f"{after.name}: the buyer keeps {kept}.")


@app.command("replace")
def replace(
    context: typer.Context,
    name: Name,
    order: Annotated[str, typer.Argument(help="The order that replaces the goods: id or number.")],
) -> None:
    """Note which order replaces the goods of a return."""
    state = state_of(context)

    def write(session: Session) -> None:
        case = reads_returns.find_return(session, name)
        found = reads_orders.find_orders(session, order)
        if case.order_id is None:
            raise BadInput(f"{case.name} belongs to no order that could be replaced")
        if len(found) != 1:
            raise BadInput(f"{'no' if not found else 'more than one'} order {order!r} in the ledger")
        grading.replace_with(session, int(case.name[1:]), found[0].id)

    with state.ledger() as (_, ledger):
        ledger.write_now(write, name="replace_return")
        after = ledger.read_now(lambda session: reads_returns.find_return(session, name))
    _done(state, after, f"{after.name} is replaced by order {after.replacement}.")


def _done(state: State, after: ReturnCase, sentence: str) -> None:
    if state.json:
        as_json(_fields(after))
        return
    say(sentence)
    if after.awaited:
        say(f"Still awaited: {after.awaited}.")
    if after.ungraded:
        say(f"Still without a grade: {after.ungraded}.")


def _agree(state: State, ledger: Ledger, steps: Sequence[Leg], *, yes: bool) -> None:
    """Show the movements, then ask."""
    known = ledger.read_now(names)
    if not state.json:
        table(
            ("SKU", "units", "from", "to", "warehouse"),
            [
                (known.skus[leg.sku_id], leg.quantity, leg.source.value, leg.destination.value,
                 known.warehouses.get(leg.source_warehouse_id or leg.destination_warehouse_id or 0, "-"))
                for leg in steps
            ],
        )  # fmt: skip
    _ask("A grading is never undone. Post it?", yes=yes)


def _ask(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("nothing was recorded; agree with --yes")
    if not typer.confirm(question):
        raise BadInput("nothing was recorded")
