"""An installation of the product beside simulators on real sockets: configuration, credentials, ledger, and perhaps a daemon.

Commands run in this process through the command line's own `main`; the daemon is a process of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, TypeVar

import psutil
import psycopg
from pydantic import SecretStr

from sellersync.cli import main
from sellersync.connector.registry import connector_class, simulator_class
from sellersync.sandbox.kit import CourierSimulator, MarketplaceSimulator
from sellersync.sandbox.mount import LoopThread, Mounted

T = TypeVar("T")
WAIT_S_MAX = 15.0
LOOK_S = 0.05
SHELF = {"KOPI-250": 20, "TEKO-01": 9}
JOBS = {"push_s": 0.5, "book_s": 0.5, "track_s": 1.0, "seal_s": 1.0, "drain_s": 10.0}


class Premises:
    """`channels` and `couriers`: slug -> provider. Everything but a PostgreSQL database (`url`) stands below `folder`."""

    def __init__(
        self,
        folder: Path,
        channels: Mapping[str, str],
        couriers: Mapping[str, str],
        *,
        jobs: Mapping[str, float] | None = None,
        poll_s: float = 0.5,
        url: str = "sqlite:///ledger.db",
    ) -> None:
        self.folder = folder
        self.config = folder / "sellersync.toml"
        self._url = url
        self.log = folder / "daemon.log"
        self.shops: dict[str, MarketplaceSimulator] = {slug: self._simulator(p) for slug, p in channels.items()}
        self.couriers: dict[str, CourierSimulator] = {slug: self._simulator(p) for slug, p in couriers.items()}
        self.keys: dict[tuple[str, str], str] = {}
        self.mounts: dict[str, Mounted] = {}
        self._thread: LoopThread | None = None
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._jobs = {**JOBS, **(jobs or {})}
        self._poll_s = poll_s
        for slug, shop in self.shops.items():
            for sku, stock in SHELF.items():
                product = shop.add_product(sku, f"Barang {sku}", price=50_000, stock=stock)
                self.keys[slug, sku] = product.remote_key

    @staticmethod
    def _simulator(provider: str) -> Any:
        simulator = simulator_class(provider)(clock=time.time, rng=Random(provider))
        if hasattr(simulator, "waybill_delay_s"):
            simulator.waybill_delay_s = 0.5
        return simulator

    def __enter__(self) -> Premises:
        self._thread = LoopThread()
        for slug, simulator in {**self.shops, **self.couriers}.items():
            self.mounts[slug] = Mounted(simulator, thread=self._thread).start()
        self._write_files()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for daemon in self._daemons:
            if daemon.poll() is None:
                daemon.kill()
            daemon.wait(WAIT_S_MAX)
        for mount in self.mounts.values():
            mount.stop()
        if self._thread is not None:
            self._thread.close()

    def _write_files(self) -> None:
        (self.folder / "credentials").mkdir()
        tables: dict[str, dict[str, Any]] = {
            "": {"secrets_dir": "credentials"},
            "shop": {"name": "Toko Uji", "language": "en"},
            "ledger": {"url": self._url, "state_dir": "state"},
            "booking": {"settle_margin_s": 0},
            "jobs": self._jobs,
            "sender": {"name": "Sari", "phone": "081234567890", "address": "Jalan Braga 12", "postal_code": "40111"},
        }
        for kind, simulators in (("channels", self.shops), ("couriers", self.couriers)):
            for slug, simulator in simulators.items():
                common = {"poll_s": self._poll_s} if kind == "channels" else {}
                tables[f"{kind}.{slug}"] = {"provider": simulator.provider, **common, **self._own_keys(slug, simulator)}
        self.config.write_text("\n".join(_toml(name, table) for name, table in tables.items()))

    def _own_keys(self, slug: str, simulator: Any) -> dict[str, Any]:
        fields = connector_class(simulator.provider).Settings.model_fields
        own: dict[str, Any] = {"rate_per_s": 50.0, "burst": 50} if "rate_per_s" in fields else {}
        if "booking_wait_s" in fields:
            own["booking_wait_s"] = 0
        for key, value in simulator.configuration(self.mounts[slug].base_url).items():
            if fields[key].annotation is SecretStr:
                (self.folder / "credentials" / f"{slug}.{key}").write_text(str(value))
            else:
                own[key] = value
        return own

    # -- commands

    def run(self, *words: str, expect: int = 0) -> str:
        """A command in this process; returns what it printed and insists on its exit code."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*words, "--config", str(self.config)])
        assert code == expect, f"sellersync {' '.join(words)} ended with {code}: {out.getvalue()}{err.getvalue()}"
        return out.getvalue()

    def json(self, *words: str, expect: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", expect=expect))

    def open_shop(self) -> None:
        """The first day: ledger, consent, listings, first count."""
        self.run("init")
        for slug, simulator in self.shops.items():
            grant = simulator.first_grant()
            if grant is not None:
                path = self.folder / f"{slug}.json"
                path.write_bytes(grant)
                self.run("auth", "import", slug, str(path))
        self.run("listings", "pull")
        rows = "\n".join(f"{sku},{number}" for sku, number in SHELF.items())
        (self.folder / "count.csv").write_text(f"sku,counted\n{rows}\n")
        self.run("stock", "count", "--file", str(self.folder / "count.csv"), "--yes")

    # -- the daemon

    def start(self, *, environ: Mapping[str, str] | None = None, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start a daemon; `wait` until it says that it runs."""
        said = self._said()
        with self.log.open("ab") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "sellersync", "run", "--config", str(self.config)],
                env={**os.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._daemons.append(daemon)
        if wait:
            until(lambda: self._said() > said or daemon.poll() is not None, what="the daemon runs")
            assert daemon.poll() is None, self.log.read_text()
        return daemon

    def _said(self) -> int:
        return self.log.read_text().count("running: ") if self.log.exists() else 0

    def stop(self, daemon: subprocess.Popen[bytes], sign: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; returns (exit code, seconds until the end)."""
        begin = time.monotonic()
        daemon.send_signal(sign)
        code = daemon.wait(WAIT_S_MAX)
        return code, time.monotonic() - begin

    # -- looking

    def order(self, slug: str, sku: str, quantity: int = 1) -> str:
        """A buyer orders and pays."""
        return self.shops[slug].place_order([(self.keys[slug, sku], quantity)])

    def shown(self, sku: str) -> dict[str, int]:
        return {slug: shop.shown(self.keys[slug, sku]) for slug, shop in self.shops.items()}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read the database with nothing of ours between."""
        if self._url.startswith("sqlite"):
            connection: Any = sqlite3.connect(f"file:{self.folder / 'ledger.db'}?mode=ro", uri=True)
        else:
            connection = psycopg.connect(self._url.replace("+psycopg", ""))
        try:
            return list(connection.execute(sql).fetchall())
        finally:
            connection.close()

    def imported(self) -> set[str]:
        return {row[0] for row in self.query("SELECT remote_id FROM sales_order")}


def _toml(name: str, table: Mapping[str, Any]) -> str:
    lines: Sequence[str] = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join([*([f"[{name}]"] if name else []), *lines]) + "\n"


def until(look: Callable[[], T], *, what: str, timeout_s: float = WAIT_S_MAX) -> T:
    """Wait until `look()` is true and return its value. Raises `AssertionError` naming what was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain: {what}"
        time.sleep(LOOK_S)


def rss_mb(daemon: subprocess.Popen[bytes]) -> float:
    """Resident memory of a process in MB."""
    return float(psutil.Process(daemon.pid).memory_info().rss) / 1_000_000
