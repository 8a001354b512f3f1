"""Calls are counted by UTC day across processes, and a day's bound keeps the last calls for what must not wait."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from simulation import Simulation, in_virtual_time, simulate

from sellersync import app as application
from sellersync.connector.quota import BACKGROUND_SHARE, READ_SHARE, Quota, background
from sellersync.connector.rate import RateGate
from sellersync.domain.errors import QuotaSpent
from sellersync.jobs import compare_stock, pull_orders, push_stock
from sellersync.jobs.world import Run
from sellersync.sandbox.kit import Event, Journal
from sellersync.store import requests
from sellersync.testing.virtual import START, VirtualClock, VirtualLoop, run_virtual

SKUS = {"KOPI-250": 30}


def sent(s: Simulation, slug: str) -> int:
    """Requests that the provider saw."""
    return len(s.sims[slug].journal.entries(Event.REQUEST))


def kept(s: Simulation) -> dict[tuple[str, str], int]:
    rows = s.query(
        "SELECT slug, day, SUM(sent) FROM request_count JOIN channel ON channel.id = channel_id GROUP BY slug, day"
    )
    return {(row[0], row[1]): int(row[2]) for row in rows}


def today(s: Simulation) -> date:
    return s.clock.now().astimezone(UTC).date()


def test_every_request_is_counted_and_none_costs_a_write(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee", "lazada"), courier=False) as s:
            await s.start_shops(SKUS)
            assert not kept(s), "a call is no write"
            await s.app.keep_requests()
            day = today(s).isoformat()
            assert kept(s) == {(slug, day): sent(s, slug) for slug in s.sims}
            await s.cycle()
            await s.app.keep_requests()
            await s.app.keep_requests()
            assert kept(s) == {(slug, day): sent(s, slug) for slug in s.sims}
            used = s.app.ledger.read_now(
                lambda session: requests.requests_used(session, since=today(s), until=today(s) + timedelta(days=1))
            )
            assert {row.channel: row.reads + row.writes for row in used} == {slug: sent(s, slug) for slug in s.sims}
            assert all(row.writes > 0 for row in used), "levels were sent"

    in_virtual_time(body)


def again(s: Simulation) -> application.App:
    """Another process on the same ledger."""
    transports = {slug: httpx.MockTransport(sim.transport_handler) for slug, sim in s.sims.items()}
    return application.build(s.app.settings, clock=s.clock, transports=transports, owner="another", inline=True)


def test_the_days_calls_outlive_the_process_and_are_shared_with_others(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("lazada",), courier=False) as s:
            await s.start_shops(SKUS)
            await s.app.keep_requests()
            other = again(s)
            shop = other.world.shops[0]
            assert other.quotas[shop.id].used == sent(s, "lazada")
            await pull_orders.run(other.world, shop)
            await other.close()
            assert sum(kept(s).values()) == sent(s, "lazada"), "written down at the end"
            await s.app.keep_requests()
            assert s.app.quotas[shop.id].used == sent(s, "lazada"), "those of the other process count, too"
            await s.clock.sleep(86_400)
            assert s.app.quotas[shop.id].used == 0

    in_virtual_time(body)


async def compared(s: Simulation) -> Run:
    s.sims["lazada"].journal = Journal()
    run = await compare_stock.run(s.app.world, s.shop("lazada"))
    assert run is not None
    return run


def levels_read(s: Simulation) -> list[str]:
    """Reads of products that the provider saw in the last comparison."""
    paths = [str(entry.data["path"]) for entry in s.sims["lazada"].journal.entries(Event.REQUEST)]
    return [path for path in paths if "/product" in path]


def test_what_can_wait_stops_first_and_levels_still_go_down(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("lazada", "shopee"), courier=False) as s:
            await s.start_shops(SKUS)
            world, shop = s.app.world, s.shop("lazada")
            quota = s.app.quotas[shop.id]
            quota.per_day_max = 1_000
            quota.saved(today(s), 850)
            assert (await compared(s)).outcome == "rate_limited"
            assert not levels_read(s)
            run = await pull_orders.run(world, shop)
            assert run is not None
            assert run.ok, "orders are still read"
            quota.saved(today(s), 960)
            s.order("shopee", {"KOPI-250": 4})
            await pull_orders.run(world, s.shop("shopee"))
            run = await pull_orders.run(world, shop)
            assert run is not None
            assert run.outcome == "rate_limited"
            await push_stock.run(world, shop)
            assert s.levels("KOPI-250")["lazada"] == 26
            assert s.query("SELECT state, paused_until_ms FROM channel WHERE slug = 'lazada'")[0] == ("ok", None)
            findings = "SELECT subject FROM finding WHERE kind = 'requests_spent' AND closed_ms IS NULL"
            assert s.query(findings) == [(today(s).isoformat(),)]
            await s.clock.sleep(86_400)
            await s.app.keep_requests()
            assert not s.query(findings)
            assert (await compared(s)).ok
            assert levels_read(s)

    in_virtual_time(body)


def on_quota(test: Any, **options: Any) -> None:
    async def body() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        await test(Quota(clock, **options), clock)

    run_virtual(body(), VirtualLoop())


def spend(quota: Quota, *, write: bool) -> int:
    """Calls until it refuses."""
    for number in range(1_000):
        try:
            quota.spend(write=write)
        except QuotaSpent as refused:
            spent, refusal = number, refused
            break
    else:
        raise AssertionError("no bound")
    assert refusal.until == START + timedelta(days=1)
    return spent


def test_the_shares_of_a_day() -> None:
    async def test(quota: Quota, clock: VirtualClock) -> None:
        with background():
            assert spend(quota, write=False) == round(100 * BACKGROUND_SHARE)
            with background(False):
                assert spend(quota, write=False) == round(100 * (READ_SHARE - BACKGROUND_SHARE))
            assert spend(quota, write=False) == 0
        assert spend(quota, write=True) == round(100 * (1 - READ_SHARE))
        assert quota.used == 100
        await clock.sleep(86_400)
        quota.spend(write=False)
        assert quota.used == 1

    on_quota(test, per_day_max=100)


def test_calls_that_could_not_be_written_down_are_not_lost() -> None:
    async def test(quota: Quota, clock: VirtualClock) -> None:
        day = quota.today()
        quota.spend(write=False)
        assert quota.unsaved() == {(day, "read"): 1}
        quota.spend(write=True)
        assert quota.used == 2
        quota.unsaved_again()
        assert quota.unsaved() == {(day, "read"): 1, (day, "write"): 1}
        quota.saved(day, 7)
        assert (quota.used, quota.unsaved()) == (7, {})
        await clock.sleep(86_400)
        assert quota.used == 0
        quota.spend(write=False)
        assert quota.unsaved() == {(quota.today(), "read"): 1}

    on_quota(test)


def test_a_call_that_the_gate_refuses_is_not_counted() -> None:
    async def body() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        gate = RateGate(clock, rate_per_s=1, burst=1, quota=Quota(clock, per_day_max=1))
        await gate.enter(write=True)
        with pytest.raises(QuotaSpent):
            await gate.enter(write=True)
        assert gate.quota.used == 1

    run_virtual(body(), VirtualLoop())
