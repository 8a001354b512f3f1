"""How the two databases are opened: SQLite (one file, the embedded default) and, by nothing but a URL, PostgreSQL."""

from __future__ import annotations

import sqlite3
from types import ModuleType
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import QueuePool
from sqlmodel import create_engine

from sellersync.domain.errors import ConfigError

BUSY_TIMEOUT_S = 5.0
"""How long a write waits for another process's lock, on both engines."""
CONNECT_TIMEOUT_S = 10
SAFE_SQLITE = (3, 51, 3)
"""SQLite 3.7.0 to 3.51.2 have a race that can corrupt a WAL database when its log is reset."""


def sqlite_module() -> ModuleType:
    """The newest SQLite at hand: the `pysqlite3` wheel where it exists, else the standard module. Never both in one process."""
    try:
        import pysqlite3.dbapi2 as newer
    except ImportError:
        return sqlite3
    return newer  # type: ignore[no-any-return]


def sqlite_warning() -> str:
    """A sentence for the report when this machine's SQLite has the known race, else ""."""
    version: tuple[int, ...] = sqlite_module().sqlite_version_info
    if version >= SAFE_SQLITE:
        return ""
    return (
        f"SQLite {'.'.join(map(str, version))} can corrupt a busy database in a rare race; install the pysqlite3 wheel"
    )


def parse_url(url: str) -> URL:
    """A database URL, with the driver filled in. Raises `ConfigError` naming what is expected."""
    try:
        parsed = make_url(url)
    except Exception as failure:  # SQLAlchemy raises several kinds for unreadable URLs
        raise ConfigError(
            [f"ledger.url {url!r} is no database URL ({failure}); expected sqlite:///FILE or postgresql://..."]
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigError(["ledger.url must name a file: sqlite:////var/lib/sellersync/ledger.db"])
        return parsed
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError([f"ledger.url: {backend} is not supported; use sqlite:///FILE or postgresql://..."])


def open_writer(url: URL, *, busy_timeout_s: float | None = None) -> Engine:
    """The engine of the one writer. SQLite begins every transaction as BEGIN IMMEDIATE: a deferred one loses updates."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            module=sqlite_module(),
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=3,
            hide_parameters=True,
            connect_args={"check_same_thread": False, "timeout": _bound(busy_timeout_s)},
        )
        _sqlite_pragmas(engine, read_only=False)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    return _open_postgresql(url, isolation_level="SERIALIZABLE", read_only=False, busy_timeout_s=_bound(busy_timeout_s))


def open_reader(url: URL, *, busy_timeout_s: float | None = None) -> Engine:
    """Read-only snapshots that never wait for the writer and never checkpoint."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            module=sqlite_module(),
            poolclass=QueuePool,
            pool_size=2,
            max_overflow=4,
            hide_parameters=True,
            connect_args={"check_same_thread": False, "timeout": _bound(busy_timeout_s)},
        )
        _sqlite_pragmas(engine, read_only=True)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine
    return _open_postgresql(
        url, isolation_level="REPEATABLE READ", read_only=True, busy_timeout_s=_bound(busy_timeout_s)
    )


def _bound(busy_timeout_s: float | None) -> float:
    return BUSY_TIMEOUT_S if busy_timeout_s is None else busy_timeout_s


def _open_postgresql(url: URL, *, isolation_level: str, read_only: bool, busy_timeout_s: float) -> Engine:
    try:
        import psycopg  # noqa: F401 - the optional extra
    except ImportError:
        raise ConfigError(
            ["ledger.url names PostgreSQL, but psycopg is not installed: pip install 'sellersync[postgres]'"]
        ) from None
    return create_engine(
        url,
        isolation_level=isolation_level,
        pool_size=2,
        max_overflow=4,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": f"-c lock_timeout={round(busy_timeout_s * 1000)}"
            + (" -c default_transaction_read_only=on" if read_only else ""),
        },
    )


def _sqlite_pragmas(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the "begin" event above opens transactions, not the driver
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
            cursor.execute("PRAGMA wal_autocheckpoint=0")
        else:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()
