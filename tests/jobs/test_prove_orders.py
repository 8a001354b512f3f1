"""A day's orders counted a second time: what is missing is named and repaired, and what was not counted is never "none missing"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from simulation import MARKETPLACES, Simulation, in_virtual_time, simulate

from sellersync.domain.errors import BadInput
from sellersync.domain.times import day_bounds, shop_day
from sellersync.jobs import prove_orders, push_stock
from sellersync.store import proofs
from sellersync.store.proofs import Proof, ProofState

SKUS = {"KOPI-250": 60}
JAKARTA = ZoneInfo("Asia/Jakarta")


def on(tmp_path: Path, *marketplaces: str) -> Callable[[Callable[[Simulation], Awaitable[None]]], None]:
    """Run a body on started shops."""

    def run(body: Callable[[Simulation], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with simulate(tmp_path, marketplaces=marketplaces, courier=False) as s:
                await s.start_shops(SKUS)
                await body(s)

        in_virtual_time(whole)

    return run


async def until(s: Simulation, moment: datetime) -> None:
    await s.clock.sleep((moment - s.clock.now()).total_seconds())


def today(s: Simulation) -> date:
    return shop_day(s.clock.now(), JAKARTA)


async def after_midnight(s: Simulation, minutes: float = 11) -> date:
    """Into the next day of the shop; returns the day that is over."""
    day = today(s)
    await until(s, day_bounds(day, JAKARTA)[1] + timedelta(minutes=minutes))
    return day


def hide_from_the_walk(s: Simulation, order_id: str) -> None:
    """The provider lists the order by a change time long before it was placed: no walk delivers it."""
    sim: Any = s.sims["shopee"]
    sim.orders[order_id].updated -= 40 * 86_400


def proof(s: Simulation, day: date, slug: str = "shopee") -> Proof:
    [found] = s.app.ledger.read_now(lambda session: proofs.proofs_of(session, day, {slug: True}))
    return found


def open_findings(s: Simulation, kind: str) -> list[tuple[str, str]]:
    return [
        tuple(row)
        for row in s.query("SELECT subject, details FROM finding WHERE kind = :k AND closed_ms IS NULL", k=kind)
    ]


@pytest.mark.parametrize("slugs", [MARKETPLACES, ("shopify",)], ids=["marketplaces", "shopify"])
def test_a_day_without_a_fault_is_complete_on_every_channel(tmp_path: Path, slugs: tuple[str, ...]) -> None:
    @on(tmp_path, *slugs)
    async def _(s: Simulation) -> None:
        for number in range(6):
            for slug in slugs:
                s.order(slug, {"KOPI-250": 1}, paid=number % 3 > 0)
            await s.cycle()
            await s.clock.sleep(600)
        for slug in slugs:
            s.sims[slug].cancel(s.placed[slug][1])
        day = await after_midnight(s)
        for slug in slugs:
            run = await prove_orders.run_due(s.app.world, s.shop(slug), JAKARTA)
            assert run is not None
            assert run.ok, run.error
            found = proof(s, day, slug)
            assert found.state is ProofState.COMPLETE
            assert (found.on_channel, found.in_ledger, found.missing, found.repaired) == (6, 6, (), 0)
            assert found.by_field


def test_an_order_that_no_walk_delivered_is_named_and_then_repaired(tmp_path: Path) -> None:
    @on(tmp_path, "shopee", "tokopedia")
    async def _(s: Simulation) -> None:
        s.order("shopee", {"KOPI-250": 1})
        lost = s.order("shopee", {"KOPI-250": 3})
        assert lost is not None
        hide_from_the_walk(s, lost)
        await s.settle(2)
        assert s.balances("KOPI-250")["available"] == 59
        day = await after_midnight(s)
        run = await prove_orders.run(s.app.world, s.shop("shopee"), day, JAKARTA)
        assert run.counts["missing"] == 1
        found = proof(s, day)
        assert found.state is ProofState.MISSING
        assert (found.on_channel, found.in_ledger, found.missing, found.repaired) == (2, 1, (lost,), 0)
        [(subject, details)] = open_findings(s, "orders_missing")
        assert subject == day.isoformat()
        assert lost in details
        assert s.balances("KOPI-250")["available"] == 59, "only named"
        run = await prove_orders.run(s.app.world, s.shop("shopee"), day, JAKARTA, repair=True)
        found = proof(s, day)
        assert found.state is ProofState.COMPLETE
        assert (found.on_channel, found.in_ledger, found.missing, found.repaired) == (2, 2, (), 1)
        assert not open_findings(s, "orders_missing")
        assert s.balances("KOPI-250")["available"] == 56
        await push_stock.run(s.app.world, s.shop("tokopedia"))
        assert s.levels("KOPI-250")["tokopedia"] == 56


def test_the_daemons_count_repairs_by_itself_once_a_day(tmp_path: Path) -> None:
    @on(tmp_path, "shopee")
    async def _(s: Simulation) -> None:
        lost = s.order("shopee", {"KOPI-250": 2})
        assert lost is not None
        hide_from_the_walk(s, lost)
        day = await after_midnight(s, minutes=5)
        assert await prove_orders.run_due(s.app.world, s.shop("shopee"), JAKARTA) is not None  # the day before it
        assert proof(s, day).state is ProofState.NOT_COUNTED, "the walks are given time after midnight"
        await s.clock.sleep(400)
        run = await prove_orders.run_due(s.app.world, s.shop("shopee"), JAKARTA)
        assert run is not None
        assert (proof(s, day).state, proof(s, day).repaired) == (ProofState.COMPLETE, 1)
        calls = s.app.wires["shopee"].calls
        assert await prove_orders.run_due(s.app.world, s.shop("shopee"), JAKARTA) is None
        assert s.app.wires["shopee"].calls == calls


def test_an_order_of_the_border_second_belongs_to_the_day_that_begins(tmp_path: Path) -> None:
    @on(tmp_path, "shopee", "lazada", "woocommerce", "tokopedia")
    async def _(s: Simulation) -> None:
        day = today(s)
        midnight = day_bounds(day, JAKARTA)[1]
        await until(s, midnight - timedelta(seconds=1))
        for slug in s.sims:
            s.order(slug, {"KOPI-250": 1})
        await until(s, midnight)
        for slug in s.sims:
            s.order(slug, {"KOPI-250": 1})
            s.order(slug, {"KOPI-250": 1})
        await s.settle(2)
        following = await after_midnight(s)
        for slug in s.sims:
            for counted, orders in ((day, 1), (following, 2)):
                await prove_orders.run(s.app.world, s.shop(slug), counted, JAKARTA)
                found = proof(s, counted, slug)
                assert (found.state, found.on_channel, found.unlisted) == (ProofState.COMPLETE, orders, ()), slug


def test_a_dead_channel_is_not_counted_until_it_lives_again(tmp_path: Path) -> None:
    @on(tmp_path, "shopee", "tokopedia")
    async def _(s: Simulation) -> None:
        s.order("shopee", {"KOPI-250": 1})
        await s.settle(2)
        day = await after_midnight(s)
        s.sims["shopee"].off = True
        shop, world = s.shop("shopee"), s.app.world
        run = await prove_orders.run(world, shop, day, JAKARTA)
        assert not run.ok
        found = proof(s, day)
        assert (found.state, found.on_channel, found.missing) == (ProofState.NOT_COUNTED, None, ())
        since = found.since
        assert since is not None
        assert "no connection" in found.why
        assert open_findings(s, "orders_uncounted")
        assert not open_findings(s, "orders_missing")
        await s.cycle()  # now it backs off, too
        await s.clock.sleep(3_700)
        assert await prove_orders.run_due(world, shop, JAKARTA) is None or proof(s, day).state is ProofState.NOT_COUNTED
        assert proof(s, day).since == since
        other = await prove_orders.run_due(world, s.shop("tokopedia"), JAKARTA)
        assert other is not None
        assert proof(s, day, "tokopedia").state is ProofState.COMPLETE
        s.sims["shopee"].off = False
        await s.clock.sleep(3_700)
        await s.settle(3)
        run = await prove_orders.run_due(world, shop, JAKARTA)
        assert run is not None
        assert (proof(s, day).state, proof(s, day).on_channel) == (ProofState.COMPLETE, 1)
        assert not open_findings(s, "orders_uncounted")


def test_a_failed_count_does_not_keep_the_channel_waiting(tmp_path: Path) -> None:
    @on(tmp_path, "shopee")
    async def _(s: Simulation) -> None:
        day = await after_midnight(s)
        await s.cycle()
        s.sims["shopee"].off = True
        await prove_orders.run(s.app.world, s.shop("shopee"), day, JAKARTA)
        assert s.query("SELECT state, paused_until_ms FROM channel WHERE slug = 'shopee'")[0] == ("ok", None)


def test_what_the_channel_does_not_list_any_more_is_told_apart(tmp_path: Path) -> None:
    @on(tmp_path, "woocommerce")
    async def _(s: Simulation) -> None:
        kept, binned = s.order("woocommerce", {"KOPI-250": 1}), s.order("woocommerce", {"KOPI-250": 1})
        assert kept is not None
        assert binned is not None
        await s.settle(2)
        sim: Any = s.sims["woocommerce"]
        sim.trash(binned)
        await s.settle(2)
        day = await after_midnight(s)
        await prove_orders.run(s.app.world, s.shop("woocommerce"), day, JAKARTA)
        found = proof(s, day, "woocommerce")
        assert (found.state, found.on_channel, found.in_ledger, found.missing) == (ProofState.COMPLETE, 1, 1, ())
        assert [(one.remote_id, bool(one.how)) for one in found.unlisted] == [(binned, True)]


def test_days_that_cannot_be_proved_are_refused(tmp_path: Path) -> None:
    @on(tmp_path, "shopee")
    async def _(s: Simulation) -> None:
        for day in (today(s), today(s) + timedelta(days=1), today(s) - timedelta(days=30)):
            with pytest.raises(BadInput):
                await prove_orders.run(s.app.world, s.shop("shopee"), day, JAKARTA)
        assert not s.query("SELECT 1 FROM order_proof")
