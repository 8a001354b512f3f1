"""Batches of fault schedules: what the files of the marketplaces and of the couriers share, so that two workers can run them."""

from __future__ import annotations

import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from schedules import Figures, run_schedules
from simulation import in_virtual_time
from sqlalchemy import Engine, event

from sellersync.connector.registry import simulator_class
from sellersync.store import engine

BATCHES = range(8)
SOAK_BATCHES = range(100, 160)
BATCH = 50
"""Schedules on one bench: a ledger that grows makes each of them slower."""
LAGS_S = {"biteship": (0.0, 9.0), "kiriminaja": (0.0, 55.0)}


def spare_the_disk(patch: pytest.MonkeyPatch) -> None:
    """No power fails here: what a dying process had committed is there without waiting for the disk, a third of the time otherwise."""
    usual = engine._sqlite_pragmas

    def quicker(opened: Engine, *, read_only: bool) -> None:
        usual(opened, read_only=read_only)
        event.listen(opened, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))

    patch.setattr(engine, "_sqlite_pragmas", quicker)


def switches(provider: str, courier: str | None, rng: Random) -> dict[str, Any]:
    """Each unconfirmed fact of the one that books, turned at random."""
    booking = courier or provider
    turned: dict[str, Any] = {
        name: rng.choice(choices) for name, choices in simulator_class(booking).SWITCHES.items() if len(choices) > 1
    }
    if booking in LAGS_S:
        turned["_lag_s"] = rng.choice(LAGS_S[booking])
    return turned


def run_batches(folder: Path, provider: str, courier: str | None, batches: range) -> Figures:
    """Run batches one after the other, each on a bench of its own; the first with the simulator's default switches."""
    total = Figures()
    with pytest.MonkeyPatch.context() as patch:
        spare_the_disk(patch)
        for batch in batches:
            total.add(_run_batch(folder, provider, courier, batch))
    print(total.line(courier or provider))
    return total


def _run_batch(folder: Path, provider: str, courier: str | None, batch: int) -> Figures:
    name = f"{courier or provider}-{batch}"
    turned = switches(provider, courier, Random(zlib.crc32(name.encode()))) if batch else {}
    place = folder / name
    place.mkdir()
    seeds = [f"{name}-{number}" for number in range(BATCH)]
    return in_virtual_time(lambda: run_schedules(place, provider, courier, seeds, switches=turned))  # type: ignore[no-any-return]


def run_usual(folder: Path, provider: str, courier: str | None) -> Figures:
    """The schedules of every test run. They must have been hard enough to say something."""
    figures = run_batches(folder, provider, courier, BATCHES)
    assert figures.schedules == len(BATCHES) * BATCH
    assert figures.faults.total() > figures.schedules
    assert sum(count for kind, count in figures.faults.items() if kind.startswith("kill")) > figures.schedules // 8
    assert figures.look_ups > 0
    assert 0 < figures.persons < figures.schedules // 4
    return figures
