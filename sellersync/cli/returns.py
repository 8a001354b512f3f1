"""`sellersync returns`: what comes back, and what is done with it at the desk."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from sellersync.domain.errors import BadInput
from sellersync.domain.returns import DocumentState, Grade
from sellersync.domain.stock import Leg
from sellersync.store import grading, reads_orders, reads_returns
from sellersync.store.ledger import Ledger, Session
from sellersync.store.reads_returns import ReturnCase
from sellersync.store.reads_stock import names
from sellersync.store.stock import find_sku, find_warehouse

from .out import as_json, note, say, table, when
from .state import State, state_of
from .stock import channel_named
from .who import who

app = typer.Typer(help="Goods that come back: list, receive, grade.", no_args_is_help=True)
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
            (row.name, _waits_for(row), row.channel, row.order, row.title or row.listing, row.units, row.received, _grades(row),
             row.waybill or "-", when(row.opened, zone), _why(row))
            for row in rows
        ],
        title=title,
    )  # fmt: skip


def _waits_for(row: ReturnCase) -> str:
    if row.ungraded:
        return "grade"
    return "goods" if row.awaited else row.state


def _grades(row: ReturnCase) -> str:
    return ", ".join(f"{grade.units} {grade.grade}" for grade in row.grades) or "-"


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


# -------------------------------------------------------------------------------------------------------------------------- receipt


@dataclass(frozen=True, slots=True)
class _Came:
    """Units of one return that came in with this command."""

    name: str
    order: str
    goods: str
    units: int


@app.command("receive")
def receive(
    context: typer.Context,
    scanned: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Waybills, orders or returns; without any they are read from stdin."),
    ] = None,
    units: Annotated[
        list[str] | None,
        typer.Option(
            "--units", metavar="N|LISTING=N", help="Only so many units came in; also of goods nobody announced."
        ),
    ] = None,
    sku: Annotated[
        str | None, typer.Option(help="Goods that this ledger never shipped: their SKU; the argument is how many.")
    ] = None,
    remark: Annotated[str, typer.Option("--note", help="With --sku: where they came from.")] = "",
    warehouse: Annotated[str | None, typer.Option(help="Where they lie; without it where they were sold from.")] = None,
) -> None:
    """Goods came back: they lie apart until they are graded. A parcel scanned twice counts once."""
    state = state_of(context)
    if sku is not None:
        _receive_unknown(state, sku, scanned or [], remark, warehouse)
        return
    if not scanned:
        if units:
            raise BadInput("--units goes with one NAME")
        _receive_scans(state, warehouse)
        return
    wanted = _units(units or [])
    if wanted and len(scanned) > 1:
        raise BadInput("--units goes with one NAME")
    with state.ledger() as (_, ledger):
        came = [one for name in scanned for one in _receive(ledger, name, wanted, warehouse)]
    if state.json:
        as_json(came)
        return
    for one in came:
        say(_sentence(one))
    say(f"Say what was found: sellersync returns grade {came[0].name} sellable|damaged|lost")


def _sentence(one: _Came) -> str:
    return f"{one.name}: {one.units} x {one.goods} of order {one.order} came back."


def _units(words: Sequence[str]) -> dict[str, int]:
    """{listing or return: units}; "" stands for the only one. Raises `BadInput`."""
    wanted: dict[str, int] = {}
    for word in words:
        key, _, count = word.rpartition("=")
        if not count.isdecimal() or int(count) == 0:
            raise BadInput(f"--units {word!r}: expected is a number of units, or LISTING=N")
        wanted[key] = int(count)
    return wanted


def _receive(ledger: Ledger, name: str, wanted: dict[str, int], warehouse: str | None) -> list[_Came]:
    def write(session: Session) -> list[_Came]:
        place = None if warehouse is None else find_warehouse(session, warehouse)
        cases = reads_returns.find_returns(session, name)
        orders = [] if cases else reads_orders.find_orders(session, name)
        cases += [
            case
            for order in orders
            for case in reads_returns.returns_of_order(session, order.id)
            if case.state != DocumentState.WITHDRAWN
        ]
        if len(orders) > 1:
            raise BadInput(
                f"{name} names several orders; say which return it is: sellersync returns list, or which channel's order: "
                + ", ".join(f"{order.channel} {order.remote_id}" for order in orders)
            )
        chosen = _chosen(session, name, cases, orders, wanted, now_ms=ledger.now_ms())
        return [
            _Came(case.name, case.order, case.title or case.listing,
                  grading.receive(session, int(case.name[1:]), count, warehouse_id=place, now_ms=ledger.now_ms(), who=who()))
            for case, count in chosen
        ]  # fmt: skip

    return ledger.write_now(write, name="receive_return")


def _chosen(
    session: Session,
    name: str,
    cases: Sequence[ReturnCase],
    orders: Sequence[reads_orders.OrderHead],
    wanted: dict[str, int],
    *,
    now_ms: int,
) -> list[tuple[ReturnCase, int | None]]:
    """The returns that came in and how many units of each (`None`: all that are awaited). Raises `BadInput`."""
    awaited = [case for case in cases if case.awaited]
    if not wanted:
        if awaited:
            return [(case, None) for case in awaited]
        raise BadInput(_nothing_awaited(session, name, cases, orders))
    chosen: list[tuple[ReturnCase, int | None]] = []
    for key, count in wanted.items():
        fitting = [case for case in awaited if key in ("", case.name, case.listing)]
        if len(fitting) == 1:
            chosen.append((fitting[0], count))
        elif fitting:
            raise BadInput(f"{name}: several returns are awaited; --units " + ", ".join(f"{c.name}=N" for c in fitting))
        else:
            chosen.append((_unannounced(session, name, key, count, cases, orders, now_ms=now_ms), count))
    return chosen


def _nothing_awaited(
    session: Session, name: str, cases: Sequence[ReturnCase], orders: Sequence[reads_orders.OrderHead]
) -> str:
    here = [case for case in cases if case.ungraded]
    if here:
        return f"{here[0].name} came in already; say what was found: sellersync returns grade {here[0].name} sellable|damaged|lost"
    if cases:
        return f"{cases[0].name} is settled: {_grades(cases[0]) if cases[0].grades else cases[0].state}"
    if not orders:
        return (
            f"nothing is known under {name!r}: no return, no parcel, no order. Goods that this ledger never shipped come in with: "
            "sellersync returns receive --sku SKU QTY --note WHERE-FROM"
        )
    lines = reads_returns.shipped_lines(session, orders[0].id)
    if not lines:
        return f"order {orders[0].number or orders[0].remote_id} has not left the shelf: nothing of it can come back"
    goods = ", ".join(f"{listing}={left} ({title})" for _, listing, title, left in lines if left)
    order = orders[0].number or orders[0].remote_id
    return f"no return of order {order} is announced; if its goods came back all the same: --units {goods}"


def _unannounced(
    session: Session,
    name: str,
    key: str,
    count: int,
    cases: Sequence[ReturnCase],
    orders: Sequence[reads_orders.OrderHead],
    *,
    now_ms: int,
) -> ReturnCase:
    """A document for units that nobody announced. Raises `BadInput` when the line is not clear."""
    order_ids = {order.id for order in orders} or {case.order_id for case in cases if case.order_id is not None}
    lines = [
        line for order_id in order_ids for line in reads_returns.shipped_lines(session, order_id)
        if key in ("", line[1])
    ]  # fmt: skip
    order_id = next(iter(order_ids), None)
    if order_id is None or not lines:
        raise BadInput(f"{name}: nothing {f'of {key} ' if key else ''}was shipped that could come back")
    if len(lines) > 1:
        raise BadInput(f"{name}: name the goods: --units " + ", ".join(f"{listing}=N" for _, listing, _, _ in lines))
    opened = grading.receive_unexpected(session, order_id, lines[0][0], count, now_ms=now_ms, who=who())
    return reads_returns.find_return(session, f"R{opened}")


def _receive_scans(state: State, warehouse: str | None) -> None:
    """One name a line from stdin, each its own transaction: a scanner types a waybill and Enter."""
    if sys.stdin.isatty():
        note("Scan the parcels one after the other; end with Ctrl-D.")
    came: list[_Came] = []
    refused = 0
    with state.ledger() as (_, ledger):
        for name in (line.strip() for line in sys.stdin):
            if not name:
                continue
            try:
                found = _receive(ledger, name, {}, warehouse)
            except BadInput as why:
                refused += 1
                note(f"{name}: {why}")
                continue
            came += found
            for one in () if state.json else found:
                say(_sentence(one))
    if state.json:
        as_json(came)
    elif came:
        say(f"{len(came)} returns came in; say what was found: sellersync returns list")
    if refused and not came:
        raise BadInput("nothing was recorded")


def _receive_unknown(state: State, sku: str, quantity: Sequence[str], remark: str, warehouse: str | None) -> None:
    if len(quantity) != 1 or not quantity[0].isdecimal():
        raise BadInput("say how many: sellersync returns receive --sku SKU QTY --note WHERE-FROM")
    with state.ledger() as (_, ledger):

        def write(session: Session) -> int:
            return grading.receive_unknown(
                session, find_sku(session, sku), find_warehouse(session, warehouse), int(quantity[0]), note=remark,
                now_ms=ledger.now_ms(), who=who(),
            )  # fmt: skip

        document = ledger.write_now(write, name="receive_return")
    if state.json:
        as_json({"return": f"D{document}", "sku": sku, "units": int(quantity[0])})
    else:
        say(f"D{document}: {quantity[0]} x {sku} came in.")
        say(f"Say what was found: sellersync returns grade D{document} sellable|damaged|lost")


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
    _done(state, after, f"{after.name}: {_grades(after)}.")


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
