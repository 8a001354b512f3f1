"""The bench of the store's tests, once on each database."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from ledger_bench import Bench

from sellersync.store import schema
from sellersync.store.engine import open_writer, parse_url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema and nothing in it."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: postgres.Server) -> str:
    """The URL of a PostgreSQL database with the newest schema, emptied before each use."""
    url = postgres_server.new_url()
    schema.upgrade(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A ledger with one warehouse and two channels, "shopee" and "lazada"."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "ledger.db")
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        url = request.getfixturevalue("postgres_template")
        engine = open_writer(parse_url(url))
        with engine.begin() as connection:
            tables = ", ".join(table.name for table in SQLModel.metadata.sorted_tables)
            connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        engine.dispose()
    with Bench.open(url) as bench:
        yield bench
