"""The demo's staff: they do what the ledger's findings ask for, with the commands that the report names.

Nobody tells them what the buyers did: an open finding in the ledger is all they see.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .books import open_ledger
from .house import House, HouseError

LOOK_S = 0.5
AGAIN_S = 5.0
"""A finding that is open so long after its command is dealt with once more: a command may come just before the daemon's word."""
STOP_TIMEOUT_S = 70.0
ERRANDS = {"cancelled_but_booked": ("parcels", "cancel"), "booking_ended": ("parcels", "rebook")}
"""Kind of finding -> the command that settles it; the finding's subject names the order or parcel."""
OPEN_FINDINGS = "SELECT kind, subject FROM finding WHERE closed_ms IS NULL ORDER BY id"


@dataclass
class Staff:
    """`done` lists the commands and the first line that each said. `failure` is why staff gave up."""

    house: House
    ledger_path: Path
    clock: Callable[[], float]
    """Seconds that never go back."""
    done: list[str] = field(default_factory=list)
    failure: HouseError | None = None
    _tried: dict[tuple[str, str], float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Staff:
        self._thread = threading.Thread(target=self._work, name="staff", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)

    def look(self) -> None:
        """Deal with every open finding that has a command, one after the other. Raises `HouseError`."""
        for kind, subject in self._open():
            if self.clock() - self._tried.get((kind, subject), -AGAIN_S) < AGAIN_S:
                continue
            command = (*ERRANDS[kind], subject, "--yes")
            said = self.house.run(*command, check=False).strip() or "no answer"
            self._tried[kind, subject] = self.clock()
            self.done.append(f"sellersync {' '.join(command)}: {said.splitlines()[0]}")

    def _open(self) -> list[tuple[str, str]]:
        try:
            with open_ledger(self.ledger_path) as connection:
                return [(kind, subject) for kind, subject in connection.execute(OPEN_FINDINGS) if kind in ERRANDS]
        except sqlite3.OperationalError:  # busy, or not there yet
            return []

    def _work(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
            except HouseError as failure:
                self.failure = failure
                return
