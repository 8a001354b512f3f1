"""Damaging one field of a provider's replies at a time, everywhere it stands, and judging what became of the orders.

The damage is found on the wire, not declared: every field of every reply of a normal run is taken in turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from sellersync.domain.errors import SellersyncError
from sellersync.domain.orders import Order, OrderState, UnitStage

from .bench import Bench, open_units
from .tap import DROPPED, Call, Edit, JsonPath, json_of, mapped, rebuilt, shape

Name = tuple[str, str]
SAME = object()
"""Given by a damage that does not apply to a value."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A field of the replies to one call."""

    name: Name
    path: JsonPath

    def __str__(self) -> str:
        return f"{self.name[1]} {'.'.join(map(str, self.path)) or '(whole body)'}"


def nodes(value: Any, path: JsonPath = ()) -> Iterator[tuple[JsonPath, Any]]:
    """(path, value) of everything in a JSON value, objects and lists included."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from nodes(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from nodes(inner, (*path, index))


def missing(value: Any) -> Any:
    return DROPPED


def null(value: Any) -> Any:
    return SAME if value is None else None


def number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else SAME


def text_as_number(value: Any) -> Any:
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and str(int(value)) == value
        else SAME
    )


def stray_blanks(value: Any) -> Any:
    return f" {value}\t" if isinstance(value, str) and value and " " not in value else SAME


def wrong_kind(value: Any) -> Any:
    if isinstance(value, dict):
        return []
    return {} if isinstance(value, list) else {"value": value}


Damage = Callable[[Any], Any]
HARMLESS = (number_as_text, text_as_number, stray_blanks)
"""Damages that leave the meaning of a value alone."""


def _left_out_anyway(path: JsonPath, damage: Damage, omitted: frozenset[str]) -> bool:
    """Would the provider itself send that: a list without this row, or nothing at all where there is nothing?"""
    if damage is missing and isinstance(path[-1], int):
        return True
    return damage in (missing, null, wrong_kind) and path[-1] in omitted


def spots(calls: Sequence[Call], damage: Damage, omitted: frozenset[str] = frozenset()) -> list[Spot]:
    """Every field of these calls' replies that the damage changes, each once; `omitted` as `Simulator.OMITS_WHEN_EMPTY`."""
    found: dict[Spot, None] = {}
    for call in calls:
        value = None if call.answer is None else json_of(call.answer)
        if value is None:
            continue
        for path, inner in nodes(value):
            if path and damage(inner) is not SAME and not _left_out_anyway(path, damage, omitted):
                found[Spot(call.name, shape(path))] = None
    return list(found)


def damaging(spot: Spot, damage: Damage) -> Edit:
    """The edit that damages this field in every reply."""

    def edit(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if (request.method, request.url.path) != spot.name:
            return response
        value = json_of(response)

        def change(path: JsonPath, inner: Any) -> Any:
            changed = damage(inner) if path and shape(path) == spot.path else SAME
            return inner if changed is SAME else changed

        return response if value is None else rebuilt(response, mapped(value, change))

    return edit


async def each_damage(
    bench: Bench[Any, Any], calls: Sequence[Call], damage: Damage, run: Callable[[], Awaitable[str]]
) -> list[str]:
    """Damage each field in turn and let `run` judge ("" is good). A failure that the errors of the contract do not name is a finding.

    Returns the findings, one line each.
    """
    findings = []
    for spot in spots(calls, damage, bench.sim.OMITS_WHEN_EMPTY):
        await bench.restart()
        bench.tap.edits = [damaging(spot, damage)]
        try:
            verdict = await run()
        except SellersyncError:
            verdict = ""  # loud
        except Exception as bug:
            verdict = f"crashes: {type(bug).__name__}: {bug}"
        finally:
            bench.tap.edits = []
        if verdict:
            findings.append(f"{damage.__name__} at {spot}: {verdict}")
    return findings


# ------------------------------------------------------------------------------------------------------------------------------ verdicts

HOLDS = (OrderState.HELD, OrderState.UNPAID, OrderState.UNKNOWN, OrderState.CANCEL_REQUESTED)
"""States in which the seller does nothing yet."""


def judge_order(truth: Order, found: Order | None, told: Sequence[str], *, exact: bool = False) -> str:
    """What is wrong with a damaged order: it may be parked, told as unreadable, or more careful than the truth, never bolder.

    `exact`: the damage left the meaning alone (a number as text, a stray blank), so the listings must be recognised too.
    """
    if found is None:
        return "" if told else f"order {truth.remote_id} is lost in silence"
    for stage in (UnitStage.CANCELLED, UnitStage.LEFT, UnitStage.DELIVERED, UnitStage.LOST, UnitStage.COMING_BACK):
        if _count(found, stage) > _count(truth, stage):
            return f"{_count(found, stage)} units became {stage}"
    if found.problems:
        return ""
    if found.state is not truth.state and found.state not in HOLDS:
        return f"{truth.state} became {found.state}"
    if _moved_units(open_units(truth), open_units(found), exact=exact):
        return f"open units {open_units(truth)} became {open_units(found)}"
    for name in ("created_at", "updated_at"):
        if getattr(found, name) != getattr(truth, name):
            return f"{name} was made up"
    for name in ("total", "goods_total", "shipping_fee", "discount_total"):
        if getattr(found, name) not in (None, getattr(truth, name)):
            return f"{name} {getattr(truth, name)} became {getattr(found, name)}"
    prices = {line.listing: line.unit_price for line in truth.lines}
    for line in found.lines:
        if line.listing in prices and line.unit_price not in (None, prices[line.listing]):
            return f"price {prices.get(line.listing)} became {line.unit_price}"
    return ""


def judge_orders(
    truth: Mapping[str, Order], found: Mapping[str, Order], told: Sequence[str], *, exact: bool = False
) -> str:
    """The first complaint about any of the orders."""
    strangers = set(found) - set(truth)
    if strangers:
        return f"orders that do not exist: {sorted(strangers)}"
    for key, order in truth.items():
        verdict = judge_order(order, found.get(key), told, exact=exact)
        if verdict:
            return f"{order.state.value} order: {verdict}"
    return ""


def _count(order: Order, stage: UnitStage) -> int:
    return sum(unit.count for line in order.lines for unit in line.units if unit.stage is stage)


def _moved_units(truth: Mapping[str, int], found: Mapping[str, int], *, exact: bool) -> bool:
    """Do units count for another listing, or not at all? A listing that cannot be read is nobody's: it parks its line."""
    if exact:
        return found != truth
    more = [key for key, count in found.items() if key in truth and count > truth[key]]
    return bool(more) or sum(found.values()) != sum(truth.values())
