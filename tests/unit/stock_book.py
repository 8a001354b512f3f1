"""A small ledger for the tests of the pure rules: orders are posted by `project` and `legs`, balances are rebuilt from movements."""

from __future__ import annotations

from collections.abc import Sequence

from sellersync.domain.orders import OrderLine, Unit, UnitStage
from sellersync.domain.stock import (
    NEVER_NEGATIVE,
    Account,
    Component,
    Left,
    Leg,
    Position,
    PositionKey,
    ResolvedLine,
    balances,
    count_legs,
    legs,
    line_stock,
    project,
)

COFFEE, MUG, SPOON = 1, 2, 3  # SKU ids
BANDUNG = 7  # a warehouse id

OPEN, CANCELLED, LEFT, LOST = UnitStage.OPEN, UnitStage.CANCELLED, UnitStage.LEFT, UnitStage.LOST


def counted(**stages: int) -> OrderLine:
    """A line whose units are only counted: counted(open=2, left=1)."""
    return OrderLine("line", "listing", tuple(Unit(UnitStage(stage), count) for stage, count in stages.items()))


def named(**stages: UnitStage) -> OrderLine:
    """A line whose units have ids: named(u1=LEFT, u2=OPEN)."""
    return OrderLine("line", "listing", tuple(Unit(stage, 1, key) for key, stage in stages.items()))


class Book:
    """Movements of one warehouse and what is posted for each order."""

    def __init__(self, **received: int) -> None:
        self.movements: list[Leg] = []
        self.posted: dict[str, dict[PositionKey, Position]] = {}
        self.left: dict[str, list[Left]] = {}
        for name, quantity in received.items():
            sku = {"coffee": COFFEE, "mug": MUG, "spoon": SPOON}[name]
            self.count(sku, quantity)

    def count(self, sku: int, on_shelf: int, *, shelf_then: int | None = None) -> None:
        """A count of the shelf, against the shelf now or the one at the counted moment."""
        then = self.shelf(sku) if shelf_then is None else shelf_then
        self.movements.extend(count_legs(sku, BANDUNG, on_shelf, then).legs)

    def see(self, order: str, *lines: tuple[OrderLine, Sequence[Component]], hold_expired: bool = False) -> list[Leg]:
        """The newest version of an order arrives: each line with its frozen resolution."""
        before = self.left.setdefault(order, [Left()] * len(lines))
        before += [Left()] * (len(lines) - len(before))
        self.left[order] = [fact.grown_by(line) for fact, (line, _) in zip(before, lines, strict=True)]
        resolved = [
            ResolvedLine(line, fact, tuple(components), BANDUNG)
            for fact, (line, components) in zip(self.left[order], lines, strict=True)
        ]
        wanted = project(resolved, hold_expired=hold_expired)
        steps = legs(self.posted.get(order, {}), wanted)
        self.posted[order] = wanted
        self.movements.extend(steps)
        return steps

    def return_due(self, order: str, *lines: OrderLine) -> int:
        return sum(line_stock(line, fact).return_due for line, fact in zip(lines, self.left[order], strict=True))

    def of(self, sku: int, account: Account) -> int:
        warehouse = BANDUNG if account.in_warehouse else None
        return balances(self.movements).get((sku, warehouse, account), 0)

    def shelf(self, sku: int) -> int:
        return self.of(sku, Account.AVAILABLE) + self.of(sku, Account.RESERVED)

    def numbers(self, sku: int) -> tuple[int, int, int]:
        """(available, reserved, shipped)"""
        return self.of(sku, Account.AVAILABLE), self.of(sku, Account.RESERVED), self.of(sku, Account.SHIPPED)

    def check(self) -> None:
        """The invariants of the ledger, after every single movement: nothing appears, nothing vanishes, promises are covered."""
        for end in range(len(self.movements) + 1):
            sums: dict[int, int] = {}
            for (sku, _, account), quantity in balances(self.movements[:end]).items():
                sums[sku] = sums.get(sku, 0) + quantity
                assert quantity >= 0 or account not in NEVER_NEGATIVE, f"{account} of SKU {sku} is {quantity}"
            assert not any(sums.values())


def one(sku: int, quantity: int = 1) -> tuple[Component, ...]:
    return (Component(sku, quantity),)
