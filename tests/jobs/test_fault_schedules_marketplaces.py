"""Whatever goes wrong at whatever call, and wherever the process dies: one booking for one parcel, and the ledger agrees. Marketplaces."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_batches import BATCH, SOAK_BATCHES, run_batches, run_usual

MARKETPLACES = ("shopee", "tokopedia", "lazada")


@pytest.mark.parametrize("provider", MARKETPLACES)
def test_one_booking_for_one_parcel(tmp_path: Path, provider: str) -> None:
    run_usual(tmp_path, provider, None)


@pytest.mark.soak
@pytest.mark.parametrize("provider", MARKETPLACES)
def test_many_more_schedules(tmp_path: Path, provider: str) -> None:
    assert run_batches(tmp_path, provider, None, SOAK_BATCHES).schedules == len(SOAK_BATCHES) * BATCH
