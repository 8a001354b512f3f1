"""Many rows with one statement, straight to the driver: for hot paths where SQLAlchemy's work on every row costs more than the row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import repeat
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from sqlalchemy import Boolean, Connection, Table
from sqlmodel import Session

IN_MAX = 200
INSERTIONS_KEPT_MAX = 256
NO_VALUES: Mapping[str, Any] = MappingProxyType({})


def run_many(session: Session, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run `statement`, written with one `?` a value, once for each row. It must hold no other `?` and no `%`."""
    if rows:
        connection = session.connection()
        connection.exec_driver_sql(_spelled(statement, _mark(connection)), rows)


def insert_many(
    session: Session, table: Table, rows: Sequence[Mapping[str, Any]], fixed: Mapping[str, Any] = NO_VALUES
) -> None:
    """Insert rows that all have the keys of the first (two at least), each with the `fixed` values that they share.

    Columns that are named nowhere, or `None` in every row, take the database's default. SQLite's driver needs far longer for a `None`
    or a bool than for a number or a text: the former are left out where they can be, the latter become numbers.
    """
    if not rows:
        return
    names = tuple(rows[0])
    columns: dict[str, Iterable[Any]] = {}
    for name, values in zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True):
        if values[0] is not None or any(value is not None for value in values):
            columns[name] = values
    columns |= {name: repeat(value, len(rows)) for name, value in fixed.items() if value is not None}
    if session.connection().dialect.name == "sqlite":
        for flag in _flags(table) & columns.keys():
            columns[flag] = map(int, columns[flag])
    run_many(session, _insertion(table.name, tuple(columns)), list(zip(*columns.values(), strict=True)))


def new_ids(session: Session, table: Table, count: int) -> Sequence[int]:
    """Ascending ids for rows that this transaction inserts into `table`, so that none must be read back. `count` of them at least 1.

    SQLite: those that it would give itself, while the transaction keeps other writers out. PostgreSQL: from the table's sequence.
    """
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return connection.exec_driver_sql(_NEXT_IDS, (table.name, count)).scalars().all()
    newest = connection.exec_driver_sql(_NEWEST_ID.format(table=table.name)).scalar_one()
    return range(newest + 1, newest + 1 + count)


def select_in(session: Session, statement: str, values: Sequence[Any], *fixed: Any) -> Iterator[Any]:
    """Rows of a query whose text ends in `IN`: the `fixed` values come first, then `values` in chunks of `IN_MAX`."""
    for result in _run_in(session, statement, values, fixed):
        yield from result


def update_in(session: Session, statement: str, values: Sequence[Any], *fixed: Any) -> None:
    """Run a statement whose text ends in `IN`, as `select_in` does."""
    for _ in _run_in(session, statement, values, fixed):
        pass


def _run_in(session: Session, statement: str, values: Sequence[Any], fixed: tuple[Any, ...]) -> Iterator[Any]:
    connection = session.connection()
    mark = _mark(connection)
    for start in range(0, len(values), IN_MAX):
        chunk = values[start : start + IN_MAX]
        marks = ", ".join([mark] * len(chunk))
        yield connection.exec_driver_sql(f"{_spelled(statement, mark)} ({marks})", (*fixed, *chunk))


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


@cache
def _spelled(statement: str, mark: str) -> str:
    return statement if mark == "?" else statement.replace("?", mark)


@cache
def _flags(table: Table) -> frozenset[str]:
    return frozenset(
        column.name for column in table.columns if isinstance(column.type, Boolean) and not column.nullable
    )


@lru_cache(maxsize=INSERTIONS_KEPT_MAX)
def _insertion(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


_NEXT_IDS = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
_NEWEST_ID = (
    "SELECT MAX(COALESCE((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0), "
    "COALESCE((SELECT MAX(id) FROM {table}), 0))"
)
