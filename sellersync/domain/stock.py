"""What an order does to stock, as pure functions (L1, L2).

`project` says how many units of each SKU should stand in `reserved` and in `shipped` because of an order; `legs` turns the distance
between that and what the ledger already posted for the order into movements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .orders import OrderLine, UnitStage


class Account(StrEnum):
    """Where a unit can stand. The first four belong to a warehouse; the sum over all accounts of a SKU is always zero."""

    AVAILABLE = "available"  # on the shelf, promised to nobody; below zero is a shortage (L5)
    RESERVED = "reserved"  # on the shelf, promised to an order
    INSPECT = "inspect"  # came back, not graded yet
    DAMAGED = "damaged"
    SHIPPED = "shipped"
    RETURNING = "returning"
    SUPPLIER = "supplier"  # the outside world, negative by nature
    ADJUSTMENT = "adjustment"
    LOST = "lost"

    @property
    def in_warehouse(self) -> bool:
        return self in ON_HAND


ON_HAND = frozenset({Account.AVAILABLE, Account.RESERVED, Account.INSPECT, Account.DAMAGED})
ON_SHELF = frozenset({Account.AVAILABLE, Account.RESERVED})
NEVER_NEGATIVE = frozenset(
    {Account.RESERVED, Account.INSPECT, Account.DAMAGED, Account.SHIPPED, Account.RETURNING, Account.LOST}
)


@dataclass(frozen=True, slots=True)
class Left:
    """Sticky fact of a line: which units have left the shelf. Grows, never shrinks.

    `count` for lines whose units are only counted, `keys` for lines whose units have the provider's ids.
    """

    count: int = 0
    keys: frozenset[str] = frozenset()

    def grown_by(self, line: OrderLine) -> Left:
        """The fact after seeing this version of the line. Units that the platform ships itself never lay on our shelf."""
        gone = [unit for unit in line.units if unit.stage.left_shelf]
        if not gone or not line.ours:
            return self
        seen_keys = frozenset(unit.key for unit in gone if unit.key)
        seen_count = sum(unit.count for unit in gone if not unit.key)
        if seen_count <= self.count and seen_keys <= self.keys:
            return self
        return Left(max(self.count, seen_count), self.keys | seen_keys)


@dataclass(frozen=True, slots=True)
class LineStock:
    """Units of one line that should be reserved, that left the shelf, and that left it but are cancelled (a return is due)."""

    reserved: int
    shipped: int
    return_due: int


def line_stock(line: OrderLine, left: Left, *, hold_expired: bool = False) -> LineStock:
    """What one line wants of the shelf, given what already left it.

    Named units are judged one by one. For counted units a cancellation takes units still on the shelf first; only the rest opens a
    return. What left stays shipped, also when a later version shows fewer units, or none: those were removed too late and a return
    is due. An unknown stage holds its units like an open one (L7).
    """
    left = left.grown_by(line)
    shipped = left.count + len(left.keys)
    if not line.ours:
        return LineStock(0, shipped, 0)
    reserved = counted = cancelled = 0
    returned_keys = set(left.keys)
    for unit in line.units:
        if not unit.key:
            counted += unit.count
            if unit.stage is UnitStage.CANCELLED:
                cancelled += unit.count
        elif unit.stage is not UnitStage.CANCELLED:
            reserved += unit.key not in left.keys
            returned_keys.discard(unit.key)
    on_shelf = max(counted - left.count, 0)
    taken_from_shelf = min(cancelled, on_shelf)
    removed_too_late = max(left.count - counted, 0)
    reserved += on_shelf - taken_from_shelf
    return_due = len(returned_keys) + cancelled - taken_from_shelf + removed_too_late
    if hold_expired:
        reserved = 0
    return LineStock(reserved, shipped, return_due)


@dataclass(frozen=True, slots=True)
class Component:
    """`quantity` units of a SKU in one unit of a listing (a bundle has several components)."""

    sku_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class ResolvedLine:
    """A line with its frozen resolution: the components of its recipe and the warehouse it is taken from."""

    line: OrderLine
    left: Left
    components: tuple[Component, ...]
    warehouse_id: int


@dataclass(frozen=True, slots=True)
class Position:
    """Units of one SKU in one warehouse that stand in `reserved` and in `shipped` because of one order."""

    reserved: int = 0
    shipped: int = 0

    def __add__(self, other: Position) -> Position:
        return Position(self.reserved + other.reserved, self.shipped + other.shipped)


NOTHING = Position()
PositionKey = tuple[int, int]  # (sku id, warehouse id)


def demand(
    wanted: dict[PositionKey, Position], stock: LineStock, components: Iterable[Component], warehouse_id: int
) -> None:
    """Add what one line wants to the order's wish."""
    for component in components:
        key = (component.sku_id, warehouse_id)
        own = Position(stock.reserved * component.quantity, stock.shipped * component.quantity)
        known = wanted.get(key)
        wanted[key] = own if known is None else known + own


def project(lines: Iterable[ResolvedLine], *, hold_expired: bool = False) -> dict[PositionKey, Position]:
    """The whole order's wish: units per (SKU, warehouse), summed over lines, so that a bundle and a single share one demand."""
    wanted: dict[PositionKey, Position] = {}
    for resolved in lines:
        stock = line_stock(resolved.line, resolved.left, hold_expired=hold_expired)
        demand(wanted, stock, resolved.components, resolved.warehouse_id)
    return wanted


@dataclass(frozen=True, slots=True)
class Leg:
    """One movement to post: `quantity` > 0 units of a SKU from one account to another."""

    sku_id: int
    quantity: int
    source: Account
    destination: Account
    source_warehouse_id: int | None = None
    destination_warehouse_id: int | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise ValueError(f"a movement needs a positive quantity, got {self.quantity}")


def legs(posted: Mapping[PositionKey, Position], wanted: Mapping[PositionKey, Position]) -> list[Leg]:
    """The movements that take an order's stock from what is posted to what is wanted, in a fixed order.

    Units that left the shelf come out of `reserved` as far as it holds them, else out of `available` (a late discovery). `shipped`
    never falls here: goods come back only by a return document, so a lower wish is a programming error and raises `ValueError`.
    """
    result: list[Leg] = []
    for key in sorted(set(posted) | set(wanted)):
        sku_id, warehouse = key
        before, after = posted.get(key, NOTHING), wanted.get(key, NOTHING)
        leaving = after.shipped - before.shipped
        if leaving < 0:
            raise ValueError(f"SKU {sku_id}: shipped cannot fall from {before.shipped} to {after.shipped} by an order")
        out_of_reserved = min(leaving, before.reserved)
        out_of_available = leaving - out_of_reserved
        change = after.reserved - (before.reserved - out_of_reserved)
        if out_of_reserved:
            result.append(_leg(sku_id, out_of_reserved, Account.RESERVED, Account.SHIPPED, warehouse, "left the shelf"))
        if out_of_available:
            result.append(_leg(sku_id, out_of_available, Account.AVAILABLE, Account.SHIPPED, warehouse, "left unseen"))
        if change > 0:
            result.append(_leg(sku_id, change, Account.AVAILABLE, Account.RESERVED, warehouse, "ordered"))
        elif change < 0:
            result.append(_leg(sku_id, -change, Account.RESERVED, Account.AVAILABLE, warehouse, "released"))
    return result


def _leg(sku_id: int, quantity: int, source: Account, destination: Account, warehouse: int, reason: str) -> Leg:
    return Leg(
        sku_id,
        quantity,
        source,
        destination,
        warehouse if source.in_warehouse else None,
        warehouse if destination.in_warehouse else None,
        reason,
    )


@dataclass(frozen=True, slots=True)
class CountResult:
    """What a count posts: the difference between the shelf and the ledger as of the counted moment."""

    sku_id: int
    warehouse_id: int
    counted: int
    expected: int
    legs: tuple[Leg, ...] = field(default_factory=tuple)


def count_legs(sku_id: int, warehouse_id: int, counted: int, shelf_then: int) -> CountResult:
    """A count of `available` + `reserved` on the shelf against the ledger's shelf at the counted moment.

    The difference moves between `adjustment` and `available`. Raises `ValueError` for a negative count.
    """
    if counted < 0:
        raise ValueError(f"a count cannot be negative: {counted}")
    difference = counted - shelf_then
    posted: tuple[Leg, ...] = ()
    if difference > 0:
        posted = (_leg(sku_id, difference, Account.ADJUSTMENT, Account.AVAILABLE, warehouse_id, "count"),)
    elif difference < 0:
        posted = (_leg(sku_id, -difference, Account.AVAILABLE, Account.ADJUSTMENT, warehouse_id, "count"),)
    return CountResult(sku_id, warehouse_id, counted, shelf_then, posted)


def shelf_change(leg: Leg) -> int:
    """By how much a movement changes what lies on the shelf (`available` + `reserved`)."""
    return (leg.destination in ON_SHELF) * leg.quantity - (leg.source in ON_SHELF) * leg.quantity


def late_correction(leg: Leg) -> Leg | None:
    """The opposite of a movement that crossed the shelf before a count and is recorded after it: the count had already seen it."""
    change = shelf_change(leg)
    if change == 0:
        return None
    warehouse = leg.source_warehouse_id if change < 0 else leg.destination_warehouse_id
    if warehouse is None:
        raise ValueError("a movement that crosses the shelf needs a warehouse")
    if change < 0:
        return _leg(leg.sku_id, -change, Account.ADJUSTMENT, Account.AVAILABLE, warehouse, "seen by the count")
    return _leg(leg.sku_id, change, Account.AVAILABLE, Account.ADJUSTMENT, warehouse, "seen by the count")


def balances(movements: Iterable[Leg]) -> dict[tuple[int, int | None, Account], int]:
    """Balances rebuilt from movements: (SKU, warehouse or None, account) -> units."""
    result: dict[tuple[int, int | None, Account], int] = {}
    for leg in movements:
        source = (leg.sku_id, leg.source_warehouse_id, leg.source)
        destination = (leg.sku_id, leg.destination_warehouse_id, leg.destination)
        result[source] = result.get(source, 0) - leg.quantity
        result[destination] = result.get(destination, 0) + leg.quantity
    return result


def sellable(available: Mapping[int, int], components: Sequence[Component]) -> int:
    """How many units of a listing can be made of what is available in one warehouse (may be below zero)."""
    return min(available[component.sku_id] // component.quantity for component in components)
