"""Campaigns: the end of one is noticed at once, and what came back from it is named; several warehouses behind one number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulation import Simulation, in_virtual_time, simulate

from sellersync.domain.differences import Difference, DifferencePolicy
from sellersync.jobs import compare_stock, push_stock
from sellersync.store import pushes, stock, work

SKUS = {"KOPI-250": 30}
OUTSIDE = {"shopee": {"reserved_stock": "outside"}}


def pot(s: Simulation) -> int:
    number: int = s.query("SELECT pot FROM target JOIN channel ON channel.id = channel_id WHERE slug = 'shopee'")[0][0]
    return number


def classes(s: Simulation) -> list[str]:
    rows = s.query("SELECT details FROM finding WHERE kind = 'difference' ORDER BY id")
    return [row[0].split('"class": "')[1].split('"')[0] for row in rows]


@pytest.mark.parametrize("policy", [DifferencePolicy.OVERWRITE, DifferencePolicy.REPORT])
def test_the_end_of_a_campaign_is_compared_at_once(tmp_path: Path, policy: DifferencePolicy) -> None:
    """Eight units are set aside beside the number; at the end the channel puts them back, above our level."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee", "tokopedia"), courier=False, switches=OUTSIDE) as s:
            world, shop = s.app.world, s.shop("shopee")
            world.policy = replace(world.policy, differences={Difference.CAMPAIGN_RETURN: policy})
            await s.start_shops(SKUS)
            sim: Any = s.sims["shopee"]
            key = s.keys["shopee"]["KOPI-250"]
            sim.start_promotion(key, 8)
            await compare_stock.run(world, shop)
            assert pot(s) == 8
            s.count({"KOPI-250": 26})  # four are gone elsewhere: 18 beside the pot
            await s.settle(2)
            assert s.levels("KOPI-250") == {"shopee": 18, "tokopedia": 26}
            assert classes(s) == []
            sim.end_promotion(key)
            assert s.levels("KOPI-250")["shopee"] == 26
            runs = s.query("SELECT COUNT(*) FROM job_run WHERE job = 'compare_stock'")[0][0]
            await s.settle(3, pause_s=pushes.POT_READ_MS / 2000)
            assert s.query("SELECT COUNT(*) FROM job_run WHERE job = 'compare_stock'")[0][0] == runs + 1
            assert pot(s) == 0
            assert classes(s) == ["campaign_return"]
            assert s.levels("KOPI-250") == {"shopee": 26, "tokopedia": 26}

    in_virtual_time(body)


def test_a_pot_that_sold_out_is_no_difference_and_its_units_are_gone_everywhere(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee", "tokopedia"), courier=False, switches=OUTSIDE) as s:
            await s.start_shops(SKUS)
            sim: Any = s.sims["shopee"]
            sim.start_promotion(s.keys["shopee"]["KOPI-250"], 3)
            await compare_stock.run(s.app.world, s.shop("shopee"))
            assert s.order("shopee", {"KOPI-250": 3})
            await s.settle(3, pause_s=pushes.POT_READ_MS / 2000)
            assert pot(s) == 0
            assert classes(s) == []
            assert s.levels("KOPI-250") == {"shopee": 27, "tokopedia": 27}

    in_virtual_time(body)


def test_without_a_campaign_nothing_is_read_for_it(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops(SKUS)
            await s.clock.sleep(3600)
            run = await push_stock.run(s.app.world, s.shop("shopee"))
            assert run is not None
            assert "read_back" not in run.counts

    in_virtual_time(body)


def test_a_channel_that_sells_from_two_warehouses_shows_their_sum(tmp_path: Path) -> None:
    """Its orders are taken from the first; the other channel knows of the first alone."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce", "shopee"), courier=False) as s:
            await s.start_shops(SKUS)
            ledger, site = s.app.ledger, s.shop("woocommerce")

            def write(session: Any) -> None:
                second = work.ensure_warehouse(session, "garut", "Gudang Garut")
                work.set_further_warehouses(session, site.id, [second])
                entry = stock.CountEntry(stock.find_sku(session, "KOPI-250"), second, 5)
                stock.record_count(session, [entry], at_ms=ledger.now_ms(), now_ms=ledger.now_ms(), who="test")

            ledger.write_now(write)
            await s.settle(2)
            assert s.levels("KOPI-250") == {"woocommerce": 35, "shopee": 30}
            assert s.order("woocommerce", {"KOPI-250": 32})
            await s.settle(3)
            assert s.levels("KOPI-250") == {"woocommerce": 3, "shopee": 0}
            rows = s.query(
                "SELECT warehouse.code, account, quantity FROM balance JOIN warehouse ON warehouse.id = warehouse_id "
                "WHERE quantity <> 0 ORDER BY code, account"
            )
            assert [tuple(row) for row in rows] == [
                ("garut", "available", 5),
                ("main", "available", -2),
                ("main", "reserved", 32),
            ]

    in_virtual_time(body)
