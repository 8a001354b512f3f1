"""Creating and upgrading the schema. Only the command line comes here; everybody else asks `require_current`."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import text

from sellersync.domain.errors import ConfigError

from .engine import open_writer, parse_url, sqlite_module
from .ledger import Ledger
from .pages import new_epoch
from .work import get_meta, set_meta

HEAD = "0003"
MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(url: str, *, target: str = "head") -> tuple[str, str]:
    """Bring the schema to the newest version, all or nothing; an existing SQLite file is copied beside itself first.

    Returns (version before or "", version now).
    """
    from alembic import command
    from alembic.config import Config

    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = open_writer(parsed)
    try:
        before = _version(engine)
        if before == HEAD and target == "head":
            return before, before
        if before and parsed.get_backend_name() == "sqlite":
            _copy_sqlite(Path(str(parsed.database)), Path(f"{parsed.database}.before-{HEAD}"))
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, target)
        return before, _version(engine)
    finally:
        engine.dispose()


def _copy_sqlite(source: Path, copy: Path) -> None:
    """A whole copy of a database, what still lies in its write-ahead log included; an older copy stays until the new one is durable."""
    unfinished = copy.with_name(copy.name + ".part")
    unfinished.unlink(missing_ok=True)
    connection = sqlite_module().connect(source)
    try:
        connection.execute("VACUUM INTO ?", (str(unfinished),))
    finally:
        connection.close()
    _sync(unfinished)
    os.replace(unfinished, copy)
    _sync(copy.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _version(engine: object) -> str:
    from sqlalchemy import Engine, inspect

    assert isinstance(engine, Engine)
    with engine.connect() as connection:
        if "alembic_version" not in inspect(connection).get_table_names():
            return ""
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def begin_ledger(ledger: Ledger, install_id: str) -> str:
    """Give a fresh ledger its install id and first epoch; returns the install id that counts."""

    def begin(session: object) -> str:
        from sqlmodel import Session

        assert isinstance(session, Session)
        known = get_meta(session, "install_id")
        if known:
            return known
        set_meta(session, "install_id", install_id)
        new_epoch(session, now_ms=ledger.now_ms())
        return install_id

    return ledger.write_now(begin, name="begin_ledger")


def require_current(ledger: Ledger) -> None:
    """Raises `ConfigError` with the command that helps, unless the schema is the one this program knows."""
    if not ledger.is_ready():
        raise ConfigError([f"the ledger at {ledger.describe()} does not exist yet: run `sellersync init` once"])
    found = ledger.read_now(lambda session: session.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if found != HEAD:
        raise ConfigError(
            [f"the ledger has schema {found}, this program needs {HEAD}: stop the daemon and run `sellersync init`"]
        )
