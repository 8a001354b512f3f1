"""Whatever goes wrong at whatever call, and wherever the process dies: one booking for one parcel, and the ledger agrees. Own site."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_batches import BATCH, SOAK_BATCHES, run_batches, run_usual

COURIERS = ("biteship", "kiriminaja")


@pytest.mark.parametrize("courier", COURIERS)
def test_one_booking_for_one_parcel(tmp_path: Path, courier: str) -> None:
    run_usual(tmp_path, "woocommerce", courier)


@pytest.mark.soak
@pytest.mark.parametrize("courier", COURIERS)
def test_many_more_schedules(tmp_path: Path, courier: str) -> None:
    assert run_batches(tmp_path, "woocommerce", courier, SOAK_BATCHES).schedules == len(SOAK_BATCHES) * BATCH
