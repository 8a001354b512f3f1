"""Every test that asks for `bench` runs on SQLite and on PostgreSQL, each on an empty ledger made by the real migration."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest
from hypothesis import settings
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

sys.path.insert(0, str(Path(__file__).parent))

from ledger_bench import Bench

from sellersync.store import schema
from sellersync.store.engine import open_writer, parse_url

settings.register_profile("sellersync", deadline=None, print_blob=True)
settings.load_profile("sellersync")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema and nothing in it."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_ledger(postgres_server: postgres.Server) -> Iterator[tuple[str, Engine]]:
    """One PostgreSQL database with the newest schema, and the means to empty it: cheaper than a database for each test."""
    url = postgres_server.new_url()
    schema.upgrade(url)
    engine = open_writer(parse_url(url))
    yield url, engine
    engine.dispose()


@pytest.fixture
def postgres_url(postgres_ledger: tuple[str, Engine]) -> str:
    """A PostgreSQL ledger with nothing in it. Its schema must be left as it is."""
    url, engine = postgres_ledger
    tables = ", ".join(table.name for table in SQLModel.metadata.sorted_tables)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    return url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "ledger.db")
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_ledger_url(request: pytest.FixtureRequest) -> str:
    """The URL of a ledger with the newest schema and nothing in it, once on each engine."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def bench(empty_ledger_url: str) -> Iterator[Bench]:
    """A ledger with one warehouse and two channels, "shopee" and "lazada", once on each engine."""
    with Bench.open(empty_ledger_url) as bench:
        yield bench


@pytest.fixture
def sqlite_bench(sqlite_url: str) -> Iterator[Bench]:
    """The same on SQLite alone, for what has nothing to do with the engine."""
    with Bench.open(sqlite_url) as bench:
        yield bench
