"""The ledger as the judge reads it: plain SQL through any DB-API connection, in one read transaction, nothing of the product's code.

The schema is the only thing that the judge and the product have in common.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READ_TIMEOUT_S = 5.0
MOVEMENT_COLUMNS = (
    "id, sku_id, quantity, source, source_warehouse_id, destination, destination_warehouse_id, occurred_ms, recorded_ms, "
    "cause_kind, cause_id, revision, leg, reason, who"
)
FIRST_SEAL = "sellersync"
UNBOOKED_STATES = frozenset({"waiting", "ready", "packed", "unknown"})
DEAD_STATES = frozenset({"cancelled", "failed"})


@contextmanager
def open_ledger(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to a ledger file. Raises `sqlite3.OperationalError` when there is none."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=READ_TIMEOUT_S)
    connection.isolation_level = None
    try:
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Movement:
    """A row of the movement table; `row` holds all its columns in `MOVEMENT_COLUMNS` order."""

    row: tuple[Any, ...]

    @property
    def id(self) -> int:
        return int(self.row[0])

    @property
    def source(self) -> tuple[int, int, str]:
        return int(self.row[1]), int(self.row[4]), str(self.row[3])

    @property
    def destination(self) -> tuple[int, int, str]:
        return int(self.row[1]), int(self.row[6]), str(self.row[5])

    @property
    def quantity(self) -> int:
        return int(self.row[2])

    @property
    def cause(self) -> tuple[Any, ...]:
        """(kind, id, revision, leg): may exist once."""
        return self.row[9:13]


@dataclass(frozen=True, slots=True)
class TargetRow:
    id: int
    slug: str
    remote_key: str
    location: str
    pot: int


@dataclass(frozen=True, slots=True)
class ParcelRow:
    id: int
    slug: str
    order_id: int
    state: str
    remote_id: str
    carrier: str
    """Slug of the courier account, or of the selling channel where the marketplace carries it."""
    waybill: str

    @property
    def live(self) -> bool:
        return self.state not in DEAD_STATES

    @property
    def booked(self) -> bool:
        return self.live and self.state not in UNBOOKED_STATES


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that the judge needs of the ledger, as of one moment."""

    orders: list[tuple[int, str, str]]  # (id, channel slug, remote id)
    lines: dict[int, tuple[int, str]]  # line id -> (order id, target key)
    held_outside: Counter[int]  # target id -> units
    movements: list[Movement]
    balances: Counter[tuple[int, int, str]]
    positions: dict[tuple[int, int, int], tuple[int, int]]  # (order, SKU, warehouse) -> (reserved, shipped)
    seals: list[tuple[int, str]]
    skus: dict[int, tuple[str, int]]  # id -> (code, buffer)
    targets: list[TargetRow]
    recipes_of_target: dict[int, list[int | None]]
    recipes: dict[int, dict[int, int]]
    counted: frozenset[tuple[int, int]]  # (SKU, warehouse)
    warehouses: list[int]
    home: dict[str, int | None]  # channel slug -> warehouse
    locations: dict[tuple[str, str], int]
    parcels: list[ParcelRow]
    parcel_units: list[tuple[int, int, str]]  # live ones: (parcel, line, unit key)


def read_books(connection: Any) -> Books:
    """Read the ledger in one transaction. `connection` is a DB-API connection (sqlite3, psycopg) that nobody else uses."""
    cursor = connection.cursor()
    if "sqlite" in type(connection).__module__:
        cursor.execute("BEGIN")
    else:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    try:
        return _read(cursor)
    finally:
        connection.rollback()


def _read(cursor: Any) -> Books:
    def rows(sql: str) -> list[tuple[Any, ...]]:
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]

    channels = rows("SELECT id, slug, warehouse_id FROM channel")
    slugs = {row[0]: str(row[1]) for row in channels}
    recipes: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for recipe_id, sku_id, quantity in rows("SELECT recipe_id, sku_id, quantity FROM recipe_item"):
        recipes[recipe_id][sku_id] = quantity
    recipes_of_target: defaultdict[int, list[int | None]] = defaultdict(list)
    for target_id, recipe_id in rows(
        "SELECT t.target_id, l.recipe_id FROM listing_target t JOIN listing l ON l.id = t.listing_id"
    ):
        recipes_of_target[target_id].append(recipe_id)
    held = rows("SELECT target_id, SUM(held_outside) FROM order_line WHERE target_id IS NOT NULL GROUP BY target_id")
    return Books(
        orders=[
            (row[0], slugs[row[1]], row[2])
            for row in rows("SELECT id, channel_id, remote_id FROM sales_order ORDER BY id")
        ],
        lines={row[0]: (row[1], row[2]) for row in rows("SELECT id, order_id, target_key FROM order_line")},
        held_outside=Counter({row[0]: int(row[1]) for row in held}),
        movements=[Movement(row) for row in rows(f"SELECT {MOVEMENT_COLUMNS} FROM movement ORDER BY id")],
        balances=Counter(
            {
                (row[0], row[1], row[2]): row[3]
                for row in rows("SELECT sku_id, warehouse_id, account, quantity FROM balance")
            }
        ),
        positions={
            (row[0], row[1], row[2]): (row[3], row[4])
            for row in rows("SELECT order_id, sku_id, warehouse_id, reserved, shipped FROM order_position")
        },
        seals=[(row[0], row[1]) for row in rows("SELECT movement_id, hash FROM seal ORDER BY movement_id")],
        skus={row[0]: (row[1], row[2]) for row in rows("SELECT id, code, buffer FROM sku")},
        targets=[
            TargetRow(row[0], slugs[row[1]], row[2], row[3], 0 if row[5] else int(row[4] or 0))
            for row in rows("SELECT id, channel_id, remote_key, location, pot, pot_inside FROM target ORDER BY id")
        ],
        recipes_of_target=dict(recipes_of_target),
        recipes=dict(recipes),
        counted=frozenset((row[0], row[1]) for row in rows("SELECT DISTINCT sku_id, warehouse_id FROM count_line")),
        warehouses=[row[0] for row in rows("SELECT id FROM warehouse ORDER BY id")],
        home={str(row[1]): row[2] for row in channels},
        locations={
            (slugs[row[0]], row[1]): row[2]
            for row in rows("SELECT channel_id, location, warehouse_id FROM location_map")
        },
        parcels=[
            ParcelRow(row[0], slugs[row[1]], row[2], row[3], row[4], slugs[row[5] or row[1]], row[6])
            for row in rows(
                "SELECT id, channel_id, order_id, state, remote_id, courier_channel_id, waybill FROM parcel ORDER BY id"
            )
        ],
        parcel_units=[
            (row[0], row[1], row[2]) for row in rows("SELECT parcel_id, line_id, unit_key FROM parcel_unit WHERE live")
        ],
    )


# ------------------------------------------------------------------------------------------------------ checks of the ledger itself


def rebuilt_balances(books: Books) -> Counter[tuple[int, int, str]]:
    """(SKU, warehouse or 0, account) -> units, from the first movement on."""
    result: Counter[tuple[int, int, str]] = Counter()
    for movement in books.movements:
        result[movement.source] -= movement.quantity
        result[movement.destination] += movement.quantity
    return result


def rebuilt_positions(books: Books) -> dict[tuple[int, int, int], tuple[int, int]]:
    """(order, SKU, warehouse) -> (reserved, shipped), from the movements that orders caused."""
    reserved: Counter[tuple[int, int, int]] = Counter()
    shipped: Counter[tuple[int, int, int]] = Counter()
    for movement in books.movements:
        kind, order_id = movement.cause[0], int(movement.cause[1])
        if kind != "order":
            continue
        sku_id, left_warehouse, source = movement.source
        _, entered_warehouse, destination = movement.destination
        if source == "reserved":
            reserved[order_id, sku_id, left_warehouse] -= movement.quantity
        if destination == "reserved":
            reserved[order_id, sku_id, entered_warehouse] += movement.quantity
        if destination == "shipped":
            shipped[order_id, sku_id, left_warehouse] += movement.quantity
        if source == "shipped":
            shipped[order_id, sku_id, entered_warehouse] -= movement.quantity
    return {key: (reserved[key], shipped[key]) for key in set(reserved) | set(shipped)}


def broken_seals(books: Books) -> list[str]:
    """Sentences about seals that do not fit their movements. Movements newer than the last seal are not sealed yet."""
    seals = dict(books.seals)
    if not seals:
        return []
    last = max(seals)
    covered = [movement for movement in books.movements if movement.id <= last]
    problems = [
        f"seal of movement {gone}, which is not there" for gone in sorted(seals.keys() - {m.id for m in covered})
    ]
    previous = FIRST_SEAL
    for movement in covered:
        text = previous + "\n" + "|".join(str(value) for value in movement.row)
        expected = hashlib.sha256(text.encode()).hexdigest()
        kept = seals.get(movement.id)
        if kept is None:
            return [*problems, f"movement {movement.id} has no seal although a later one has"]
        if kept != expected:
            return [*problems, f"movement {movement.id} is not the one that was sealed"]
        previous = kept
    return problems


def wanted_level(books: Books, target: TargetRow) -> int | None:
    """The number that the ledger wants a target to show; `None` where it must not push one (unmapped, or never counted).

    Lowest over the target's listings of [sum over warehouses of what its components allow], plus the channel's own units held
    outside the number, minus the pot, minus the largest buffer of its SKUs, never below 0.
    """
    recipes = books.recipes_of_target.get(target.id, [])
    if not recipes or any(recipe is None or not books.recipes.get(recipe) for recipe in recipes):
        return None
    warehouses = _warehouses(books, target)
    levels, buffer = [], 0
    for recipe in recipes:
        components = books.recipes[recipe] if recipe is not None else {}
        if any((sku_id, warehouse) not in books.counted for sku_id in components for warehouse in warehouses):
            return None
        buffer = max([buffer, *(books.skus[sku_id][1] for sku_id in components)])
        levels.append(
            sum(
                min(
                    books.balances[sku_id, warehouse, "available"] // quantity
                    for sku_id, quantity in components.items()
                )
                for warehouse in warehouses
            )
        )
    return max(0, min(levels) + books.held_outside[target.id] - target.pot - buffer)


def _warehouses(books: Books, target: TargetRow) -> list[int]:
    """The mapped warehouse of the target's location; without a map the channel's own, or the first one."""
    mapped = books.locations.get((target.slug, target.location)) or books.home.get(target.slug)
    return [mapped] if mapped is not None else books.warehouses[:1]
