"""What the idle daemon holds: the real `sellersync run` with four channels and a courier, polling shops without buyers."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from sellersync.sandbox.house import House
from sellersync.sandbox.scenario import Scenario

IDLE_S = 10.0


def idle_mib() -> float:
    """Resident memory of the daemon in MiB after `IDLE_S` of polling every second."""
    with (
        tempfile.TemporaryDirectory(prefix="sellersync-bench-") as folder,
        Scenario(Path(folder), seed=1, seconds=1.0, clock=time.time) as scenario,
    ):
        house = House(scenario.config_path)
        grants = {slug: path for slug in scenario.channels if (path := scenario.grant_path(slug)) is not None}
        house.open_shop(grants=grants, counts=scenario.counts_path, bundles=scenario.bundle_listings())
        house.start()
        try:
            time.sleep(IDLE_S)
            return _resident_mib(house.pid)
        finally:
            house.stop()


def _resident_mib(pid: int | None) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))
