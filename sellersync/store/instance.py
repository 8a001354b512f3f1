"""One daemon per database: a file lock beside the SQLite file, an advisory lock in PostgreSQL.

The operating system (the server) lets go when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from sellersync.domain.errors import ConfigError

from .engine import open_writer, parse_url

_TRY_LOCK = text("SELECT pg_try_advisory_lock(hashtext('sellersync daemon'), hashtext(current_schema()))")


class AlreadyRunning(Exception):
    """Another process is the daemon of this database; the text says which, as far as it is known."""


class Instance:
    """The right to be the only daemon of one database, held until `release` or the end of the process.

    Raises `AlreadyRunning`, and `ConfigError` when the lock file cannot be made.
    """

    def __init__(self, url: str) -> None:
        self._file: int | None = None
        self._connection: Connection | None = None
        parsed = parse_url(url)
        if parsed.get_backend_name() == "sqlite":
            self._lock_file(Path(f"{parsed.database}.daemon"))
        else:
            self._engine = open_writer(parsed)
            self._connection = self._engine.connect()
            if not self._connection.execute(_TRY_LOCK).scalar_one():
                self.release()
                raise AlreadyRunning("another session of this PostgreSQL schema")
            self._connection.commit()

    def _lock_file(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as failure:
            raise ConfigError([f"{path}: the lock file cannot be made ({failure.strerror})"]) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 40).decode(errors="replace").strip()
            self.release()
            raise AlreadyRunning(f"process {holder}" if holder else "another process") from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def held(self) -> bool:
        """Is it still ours? PostgreSQL forgets a lock when the connection breaks."""
        if self._connection is None:
            return self._file is not None
        try:
            self._connection.execute(text("SELECT 1"))
            self._connection.commit()
        except DBAPIError:
            return False
        return True

    def release(self) -> None:
        """Let go; may be called twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._engine.dispose()
