"""Whatever goes wrong at whatever call, and wherever the process dies: one booking for one parcel, and the ledger agrees."""

from __future__ import annotations

import functools
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from schedules import Figures, run_schedules
from simulation import in_virtual_time

from sellersync import app as application
from sellersync.connector.registry import simulator_class

BOOKERS = (
    ("shopee", None),
    ("tokopedia", None),
    ("lazada", None),
    ("woocommerce", "biteship"),
    ("woocommerce", "kiriminaja"),
)
BATCH = 50
"""Schedules on one bench: a ledger that grows makes each of them slower."""
LAGS_S = {"biteship": (0.0, 9.0), "kiriminaja": (0.0, 55.0)}


@pytest.fixture(autouse=True)
def _quick_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for the connectors among all installed packages is most of what a start costs; they do not change here."""
    monkeypatch.setattr(application, "connector_class", functools.cache(application.connector_class))


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
    total = Figures()
    for batch in batches:
        name = f"{courier or provider}-{batch}"
        rng = Random(zlib.crc32(name.encode()))
        turned = switches(provider, courier, rng) if batch else {}
        place = folder / name
        place.mkdir()
        seeds = [f"{name}-{number}" for number in range(BATCH)]
        total.add(in_virtual_time(lambda: run_schedules(place, provider, courier, seeds, switches=turned)))  # noqa: B023
    print(total.line(courier or provider))
    return total


@pytest.mark.parametrize(("provider", "courier"), BOOKERS)
def test_one_booking_for_one_parcel(tmp_path: Path, provider: str, courier: str | None) -> None:
    figures = run_batches(tmp_path, provider, courier, range(8))
    assert figures.schedules == 8 * BATCH
    assert figures.faults.total() > figures.schedules
    assert sum(count for kind, count in figures.faults.items() if kind.startswith("kill")) > figures.schedules // 8
    assert figures.look_ups > 0
    assert figures.persons < figures.schedules // 4


@pytest.mark.soak
@pytest.mark.parametrize(("provider", "courier"), BOOKERS)
def test_many_more_schedules(tmp_path: Path, provider: str, courier: str | None) -> None:
    figures = run_batches(tmp_path, provider, courier, range(100, 160))
    assert figures.schedules == 60 * BATCH
