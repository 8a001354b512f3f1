"""Many rows with one statement, straight to the driver: for hot paths where SQLAlchemy's work on every row costs more than the row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table
from sqlmodel import Session

IN_MAX = 200


def run_many(session: Session, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run `statement`, written with one `?` a value, once for each row. It must hold no other `?` and no `%`."""
    if rows:
        connection = session.connection()
        connection.exec_driver_sql(_spelled(statement, _mark(connection)), rows)


def insert_many(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the keys of the first. Database columns that it does not name take the database's default."""
    if rows:
        columns = tuple(rows[0])
        values = itemgetter(*columns)
        run_many(session, _insertion(table.name, columns), [values(row) for row in rows])


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
def _insertion(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
