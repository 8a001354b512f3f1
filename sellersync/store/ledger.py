"""The one write seam. Every change of the ledger is a plain function of a session, run in one short transaction."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlmodel import Session as Session

from sellersync.domain.errors import ConfigError, Temporary
from sellersync.domain.times import Clock, to_epoch_ms

from .engine import open_reader, open_writer, parse_url
from .vault import Vault

T = TypeVar("T")
RERUNS_MAX = 40
RERUN_WAIT_S_MAX = 0.2
_RERUN_SQLSTATES = frozenset({"40001", "40P01", "23505"})  # serialisation failure, deadlock, unique collision
_LOCK_TIMEOUT = "55P03"
_DISK_FULL = "53100"
_HAS_META = "SELECT 1 WHERE to_regclass('meta') IS NOT NULL"
_SERVER_GONE = frozenset(
    {"08", "53", "57"}
)  # classes: connection, resources (too many connections), operator (shutdown)
DIE_AT = os.environ.get("SELLERSYNC_DIE_AT", "")


def step(name: str) -> None:
    """A named step of the program: "record_page:in" has its transaction in flight, "record_page:done" has just committed.

    Crash tests set SELLERSYNC_DIE_AT=NAME@N to kill the process at its N-th passing.
    """
    if DIE_AT:
        _die_at(name)


_passed: dict[str, int] = {}


def _die_at(name: str) -> None:
    wanted, _, nth = DIE_AT.partition("@")
    if name == wanted:
        _passed[name] = _passed.get(name, 0) + 1
        if _passed[name] >= int(nth or 1):
            os.kill(os.getpid(), 9)


class Ledger:
    """A ledger behind one URL.

    `write` runs `fn(session)` in one transaction on the one writer thread; `fn` changes nothing but the session and returns a value,
    so that it can be run again (PostgreSQL reruns it on a serialisation failure, deadlock or unique collision). Once queued a write
    runs to its end; a cancellation is raised afterwards. `read` gives a read-only snapshot.
    """

    def __init__(
        self, url: str, *, clock: Clock, vault: Vault, inline: bool = False, busy_timeout_s: float | None = None
    ) -> None:
        self.url = parse_url(url)
        self.clock = clock
        self.vault = vault
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._writer = open_writer(self.url, busy_timeout_s=busy_timeout_s)
        self._reader = open_reader(self.url, busy_timeout_s=busy_timeout_s)
        self._inline = inline
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")
        self._read_threads = ThreadPoolExecutor(2, thread_name_prefix="ledger-reader")
        self._rng = random.Random()

    def now_ms(self) -> int:
        """The present moment as the ledger stores it."""
        return to_epoch_ms(self.clock.now())

    async def write(self, fn: Callable[[Session], T], *, name: str = "write") -> T:
        """Run `fn` in one transaction; `name` names it for crash tests. Raises `Temporary` when another process holds the database
        for too long."""
        if self._inline:
            return self.write_now(fn, name=name)
        return await self._finish(self._write_thread, lambda: self.write_now(fn, name=name))

    async def read(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` on a read-only snapshot."""
        if self._inline:
            return self.read_now(fn)
        return await self._finish(self._read_threads, lambda: self.read_now(fn))

    def write_now(self, fn: Callable[[Session], T], *, name: str = "write") -> T:
        """`write` for callers without an event loop (the command line)."""
        for attempt in range(RERUNS_MAX + 1):
            try:
                with Session(self._writer, expire_on_commit=False) as session:
                    value = fn(session)
                    step(f"{name}:in")
                    session.commit()
                step(f"{name}:done")
                return value
            except DBAPIError as failure:
                if not self._may_rerun(failure) or attempt == RERUNS_MAX:
                    raise self._sentence(failure) from failure
            time.sleep(self._rng.uniform(0, min(RERUN_WAIT_S_MAX, 0.002 * 2.0**attempt)))
        raise AssertionError("unreachable")

    def read_now(self, fn: Callable[[Session], T]) -> T:
        """`read` for callers without an event loop. Raises `Temporary` when the database does not answer."""
        try:
            with Session(self._reader, expire_on_commit=False) as session:
                return fn(session)
        except DBAPIError as failure:
            raise self._sentence(failure) from failure

    def close(self) -> None:
        """Wait for queued writes and close all connections."""
        self._write_thread.shutdown(wait=True)
        self._read_threads.shutdown(wait=True)
        self._writer.dispose()
        self._reader.dispose()

    async def _finish(self, threads: ThreadPoolExecutor, run: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(threads, run)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await asyncio.wait([future])
            raise

    def _may_rerun(self, failure: DBAPIError) -> bool:
        if self.sqlite:
            return False
        return getattr(failure.orig, "sqlstate", None) in _RERUN_SQLSTATES

    def _sentence(self, failure: DBAPIError) -> Exception:
        """What the caller must do about a database error; a bug of ours (a broken constraint, bad SQL) stays what it is."""
        said, code = str(failure.orig), getattr(failure.orig, "sqlstate", None) or ""
        if "no such table" in said or code == "42P01":
            return ConfigError([f"the ledger at {self.describe()} is empty: run `sellersync init` once"])
        if isinstance(failure, IntegrityError):
            return failure
        if "database is locked" in said or code == _LOCK_TIMEOUT:
            return Temporary("another process holds the ledger; try again in a moment")
        if code in _RERUN_SQLSTATES:
            return Temporary("too many processes write to the ledger at once; try again in a moment")
        if "disk is full" in said or code == _DISK_FULL:
            return Temporary(f"no space is left for the ledger at {self.describe()}; nothing was written")
        if "disk I/O error" in said:
            return Temporary(f"the disk of the ledger at {self.describe()} reports an error; nothing was written")
        if not self.sqlite and isinstance(failure, OperationalError) and (not code or code[:2] in _SERVER_GONE):
            return Temporary(f"the database at {self.describe()} does not answer")
        return failure

    def describe(self) -> str:
        """Where the ledger is, without a password."""
        return self.url.render_as_string(hide_password=True)

    def is_ready(self) -> bool:
        """Has the schema been created?"""
        query = "SELECT 1 FROM sqlite_master WHERE name = 'meta'" if self.sqlite else _HAS_META
        return self.read_now(lambda session: session.execute(text(query)).first() is not None)
