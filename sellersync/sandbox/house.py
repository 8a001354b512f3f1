"""The product as its user meets it: commands and the daemon, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

COMMAND_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
LOG_TAIL_LINES = 20


class HouseError(Exception):
    """A command of the product failed; the text holds the command and what it said."""


@dataclass
class House:
    """One installation: a configuration file, and perhaps a running daemon that logs to `log_path`."""

    config_path: Path
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    python: str = sys.executable
    _daemon: subprocess.Popen[bytes] | None = None
    _log: IO[bytes] | None = None

    @property
    def log_path(self) -> Path:
        return self.config_path.with_name("daemon.log")

    def command(self, *arguments: str) -> list[str]:
        """The command line for `sellersync ARGUMENTS --config PATH`."""
        return [self.python, "-m", "sellersync", *arguments, "--config", str(self.config_path)]

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run a command to its end and return what it printed. Raises `HouseError` when it fails or hangs."""
        try:
            done = subprocess.run(
                self.command(*arguments),
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise HouseError(f"sellersync {' '.join(arguments)}: no end after {COMMAND_TIMEOUT_S:g} s") from None
        if check and done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip())[-2000:]
            raise HouseError(f"sellersync {' '.join(arguments)} ended with {done.returncode}: {said}")
        return done.stdout

    def open_shop(
        self,
        *,
        grants: Mapping[str, Path],
        counts: Path,
        bundles: Sequence[tuple[str, str, Mapping[str, int]]],
        all_reachable: bool = True,
    ) -> None:
        """What a seller does on the first day: make the ledger, authorise the channels, read the listings, count the shelf, map the
        bundles. Without `all_reachable` the reading may fail in part: the others' listings are read nevertheless."""
        self.run("init")
        for slug, path in grants.items():
            self.run("auth", "import", slug, "--file", str(path))
        self.run("listings", "pull", check=all_reachable)
        self.run("stock", "count", "--file", str(counts), "--yes")
        for slug, remote_key, parts in bundles:
            self.run("listings", "map", slug, remote_key, *(f"{sku}={quantity}" for sku, quantity in parts.items()))

    # -- the daemon

    def start(self) -> None:
        """Start the daemon."""
        self._log = self.log_path.open("ab")
        self._daemon = subprocess.Popen(
            self.command("run"),
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    @property
    def pid(self) -> int | None:
        return self._daemon.pid if self._daemon is not None else None

    @property
    def exit_code(self) -> int | None:
        """`None` while it runs (or was never started)."""
        return self._daemon.poll() if self._daemon is not None else None

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; after `STOP_TIMEOUT_S` the daemon is killed. Returns its exit code (0 when it was not running)."""
        daemon, self._daemon = self._daemon, None
        if daemon is None:
            return 0
        if daemon.poll() is None:
            daemon.send_signal(sign)
        try:
            code = daemon.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            daemon.kill()
            code = daemon.wait(STOP_TIMEOUT_S)
        if self._log is not None:
            self._log.close()
            self._log = None
        return code

    def last_words(self) -> str:
        """The end of the daemon's log."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:])
