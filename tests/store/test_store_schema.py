"""The schema: made by the migration, equal to the tables, changed as a whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import worker
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ledger_bench import Bench, open_ledger
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from sellersync.domain.errors import ConfigError
from sellersync.store import schema, tables, tables_desk, tables_report, tables_trade  # noqa: F401 - fill the metadata
from sellersync.store.engine import open_writer, parse_url, sqlite_module

NEXT = '''
"""A version after the newest."""

import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("first_half", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("UPDATE sku SET title = 'changed'")
    op.create_table("second_half", sa.Column("id", sa.Integer(), primary_key=True))
'''


FIRST_VERSION = (
    "INSERT INTO channel (id, provider, remote_shop_id, slug, kind, created_ms, failures, state, trouble) "
    "VALUES (1, 'shopee', '1', 'shopee', 'channel', 1, 0, 'ok', '')",
    "INSERT INTO sales_order (id, channel_id, remote_id, number, storefront, state, remote_status, created_ms, updated_ms, "
    "read_started_ms, digest, seen_ms, changed_ms, hold_expired, cod, payment_method, courier_service, cancel_by, cancel_reason, "
    "problems, posted_rev, gone) VALUES (1, 1, 'A', '', '', 'booked', '', 1, 1, 1, '', 1, 1, FALSE, FALSE, '', '', '', '', '', 0, '')",
    "INSERT INTO parcel (id, channel_id, order_id, number, state, remote_status, remote_id, adopted, waybill, pickup_code, courier, "
    "service, why_chosen, routing_code, created_ms) VALUES (1, 1, 1, 1, 'booked', '', 'P1', TRUE, 'JNE1', '', 'jne', '', '', '', 1)",
)
"""A channel, an order and its parcel as the first version kept them."""


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """The real migrations with one more version."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "next.py").write_text(NEXT.format(head=schema.HEAD))
    return folder


def table_names(url: str) -> set[str]:
    engine = open_writer(parse_url(url))
    try:
        with engine.connect() as connection:
            return set(inspect(connection).get_table_names())
    finally:
        engine.dispose()


def version(url: str) -> str:
    engine = open_writer(parse_url(url))
    try:
        with engine.connect() as connection:
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    finally:
        engine.dispose()


def test_the_migration_makes_exactly_the_tables(empty_ledger_url: str) -> None:
    engine = open_writer(parse_url(empty_ledger_url))
    try:
        with engine.connect() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
            checks = {
                check["name"]
                for table in inspect(connection).get_table_names()
                for check in inspect(connection).get_check_constraints(table)
            }
    finally:
        engine.dispose()
    assert differences == []
    assert checks == {  # alembic does not compare check constraints
        "balance_not_negative",
        "count_not_negative",
        "movement_quantity_positive",
        "order_position_not_negative",
        "recipe_item_quantity_positive",
        "return_grade_quantity_positive",
    }


def test_the_schema_of_a_ledger_is_made_once(ledger_url: str) -> None:
    assert schema.upgrade(ledger_url) == ("", schema.HEAD)
    assert schema.upgrade(ledger_url) == (schema.HEAD, schema.HEAD)
    assert {tables.Movement.__tablename__, tables.Balance.__tablename__} <= table_names(ledger_url)


def test_a_ledger_of_the_first_version_keeps_its_parcels_and_never_reuses_an_id(ledger_url: str) -> None:
    schema.upgrade(ledger_url, target="0001")
    engine = open_writer(parse_url(ledger_url))
    try:
        with engine.begin() as connection:
            for statement in FIRST_VERSION:
                connection.execute(text(statement))
        assert schema.upgrade(ledger_url) == ("0001", schema.HEAD)
        with engine.begin() as connection:
            kept = connection.execute(text("SELECT waybill, packed_by, rebook, cancel_sends FROM parcel")).one()
            assert (kept.waybill, kept.packed_by, bool(kept.rebook), kept.cancel_sends) == ("JNE1", "", False, 0)
            if engine.dialect.name == "sqlite":
                made = dict(connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all())
                declared = {
                    table.name
                    for table in SQLModel.metadata.sorted_tables
                    if table.dialect_options["sqlite"]["autoincrement"]
                }
                assert {name for name in declared if "AUTOINCREMENT" not in made[name]} == set()
    finally:
        engine.dispose()


def test_a_ledger_that_was_never_made_is_refused_with_the_command(ledger_url: str) -> None:
    ledger = open_ledger(ledger_url)
    try:
        with pytest.raises(ConfigError, match="does not exist yet: run `sellersync init` once"):
            schema.require_current(ledger)
    finally:
        ledger.close()


def test_a_write_into_a_ledger_that_was_never_made_names_the_command(ledger_url: str) -> None:
    ledger = open_ledger(ledger_url)
    try:
        with pytest.raises(ConfigError, match="sellersync init"):
            ledger.write_now(lambda session: session.execute(text("UPDATE sku SET title = ''")))
    finally:
        ledger.close()


def test_a_ledger_of_another_version_is_refused_with_both_versions(bench: Bench) -> None:
    schema.require_current(bench.ledger)
    bench.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match=f"schema 9999, this program needs {schema.HEAD}: stop the daemon and run"):
        schema.require_current(bench.ledger)
    bench.execute("UPDATE alembic_version SET version_num = :head", head=schema.HEAD)


def test_the_password_of_a_database_stays_out_of_the_sentences() -> None:
    ledger = open_ledger("postgresql://shop:pg-secret@127.0.0.1:1/ledger")
    try:
        assert "pg-secret" not in ledger.describe()
        assert "127.0.0.1" in ledger.describe()
    finally:
        ledger.close()


def test_the_install_id_of_a_ledger_never_changes(bench: Bench) -> None:
    assert schema.begin_ledger(bench.ledger, "another") == "install"
    assert bench.query("SELECT key, value FROM meta WHERE key IN ('install_id', 'epoch') ORDER BY key") == [
        ("epoch", "1"),
        ("install_id", "install"),
    ]


# ------------------------------------------------------------------------------------------------------------------- killed half way


@pytest.mark.parametrize("statements", [1, 20, 45])
def test_a_first_upgrade_killed_half_way_leaves_nothing(ledger_url: str, statements: int) -> None:
    worker.finish(worker.start("upgrade", ledger_url, statements), code=-9)
    assert table_names(ledger_url) == set()
    assert schema.upgrade(ledger_url) == ("", schema.HEAD)


@pytest.mark.parametrize("statements", [1, 2, 3])
def test_a_later_upgrade_killed_half_way_leaves_the_old_schema(
    ledger_url: str, next_version: Path, monkeypatch: pytest.MonkeyPatch, statements: int
) -> None:
    schema.upgrade(ledger_url)
    worker.finish(worker.start("upgrade", ledger_url, statements, next_version, "next"), code=-9)
    assert version(ledger_url) == schema.HEAD
    assert not {"first_half", "second_half"} & table_names(ledger_url)
    monkeypatch.setattr(schema, "MIGRATIONS", next_version)
    monkeypatch.setattr(schema, "HEAD", "next")
    schema.upgrade(ledger_url)
    assert {"first_half", "second_half"} <= table_names(ledger_url)


def test_an_older_file_is_copied_whole_before_the_upgrade(
    sqlite_bench: Bench, sqlite_url: str, next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed and still lies in the write-ahead log is in the copy; a copy of an earlier try is replaced."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    copy = Path(f"{path}.before-next")
    copy.write_text("of an earlier try")
    sqlite_bench.sku("KOPI")
    assert Path(f"{path}-wal").stat().st_size > 0  # the ledger is still open: nothing was written back into the file
    old_head = schema.HEAD
    monkeypatch.setattr(schema, "MIGRATIONS", next_version)
    monkeypatch.setattr(schema, "HEAD", "next")
    assert schema.upgrade(sqlite_url) == (old_head, "next")
    kept = sqlite_module().connect(copy)
    try:
        assert kept.execute("SELECT version_num FROM alembic_version").fetchall() == [(old_head,)]
        assert kept.execute("SELECT code, title FROM sku").fetchall() == [("KOPI", "")]
        assert kept.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        kept.close()
    assert sqlite_bench.query("SELECT code, title FROM sku") == [("KOPI", "changed")]
    assert not list(path.parent.glob("*.part"))
