"""`sellersync returns receive`: goods are here. By hand, or one scan after the other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from sellersync.domain.errors import BadInput
from sellersync.domain.returns import DocumentState
from sellersync.store import grading, reads_orders, reads_returns
from sellersync.store.ledger import Ledger, Session
from sellersync.store.reads_returns import ReturnCase, grades_of
from sellersync.store.stock import find_sku, find_warehouse

from .out import as_json, note, say
from .state import State, state_of
from .who import who


@dataclass(frozen=True, slots=True)
class _Came:
    """Units of one return that came in with this command."""

    name: str
    order: str
    goods: str
    units: int


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
        return f"{cases[0].name} is settled: {', '.join(grades_of(cases[0])) or cases[0].state}"
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
