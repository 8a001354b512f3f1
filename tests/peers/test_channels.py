"""Channels in trouble, against defects of comparable systems: isolation, limits, refusals, retries, locks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from simulation import MARKETPLACES, Simulation, in_virtual_time, simulate

from sellersync import app as application
from sellersync.domain.errors import Held
from sellersync.jobs import compare_stock, pull_listings, pull_orders, push_stock
from sellersync.sandbox.kit import Entry, Event, Fault, FaultKind

SKUS = {"KOPI-250": 400, "TEH-100": 400}


def findings(s: Simulation, kind: str) -> list[tuple[str, str]]:
    """(slug, details) of the open findings of a kind."""
    rows = s.query(
        "SELECT slug, details FROM finding JOIN channel ON channel.id = channel_id "
        "WHERE finding.kind = :k AND closed_ms IS NULL",
        k=kind,
    )
    return [tuple(row) for row in rows]


def levels_set(s: Simulation, slug: str) -> list[Entry]:
    return s.sims[slug].journal.entries(Event.LEVEL_SET)


def requests(s: Simulation, slug: str) -> int:
    return len(s.sims[slug].journal.entries(Event.REQUEST))


def test_b10_a_refused_token_of_one_channel_stops_no_other(tmp_path: Path) -> None:
    """The sick channel is shown and asked again by itself; after a new consent it catches up without anybody's restart."""

    async def body() -> None:
        async with simulate(tmp_path, courier=False) as s:
            await s.start_shops(SKUS)
            lazada: Any = s.sims["lazada"]
            lazada.kill_all_tokens()
            for slug in MARKETPLACES:
                assert s.order(slug, {"KOPI-250": 1})
            await s.settle(4, pause_s=60)
            shown = s.levels("KOPI-250")
            assert {shown[slug] for slug in MARKETPLACES if slug != "lazada"} == {397}
            states = dict(tuple(row) for row in s.query("SELECT slug, state FROM channel"))
            assert states == {"shopee": "ok", "tokopedia": "ok", "woocommerce": "ok", "lazada": "needs_authorisation"}
            before = requests(s, "lazada")
            await s.settle(40, pause_s=60)
            assert requests(s, "lazada") - before < 40
            await s.app.keepers["lazada"].keep_consent(lazada.first_grant())
            await s.settle(4, pause_s=60)
            assert set(s.levels("KOPI-250").values()) == {396}
            assert findings(s, "needs_authorisation") == []

    in_virtual_time(body)


@pytest.mark.parametrize("many", [2_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_b17_thousands_of_changed_skus_are_pushed_once_each_in_the_time_that_the_limit_allows(
    tmp_path: Path, many: int
) -> None:
    """Three counts in a row leave one number a SKU to send: the last one."""
    skus = {f"SKU-{number:05}": 5 for number in range(many)}

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",), courier=False) as s:
            await s.start_shops(skus)
            for level in (6, 9, 7):
                s.count(dict.fromkeys(skus, level))
            shop = s.shop("woocommerce")
            already, calls, begin = len(levels_set(s, "woocommerce")), requests(s, "woocommerce"), s.clock.monotonic()
            run = await push_stock.run(s.app.world, shop)
            assert run is not None
            assert run.counts["applied"] == many
            sent = levels_set(s, "woocommerce")[already:]
            assert len(sent) == len({entry.data["remote_key"] for entry in sent}) == many
            assert {entry.data["level"] for entry in sent} == {7}
            calls = requests(s, "woocommerce") - calls
            assert many / 100 <= calls <= many / 50 + 10
            assert s.clock.monotonic() - begin <= calls / shop.channel.context.settings.rate_per_s + 1

    in_virtual_time(body)


def test_b20_the_sellers_own_site_is_never_called_faster_than_agreed(tmp_path: Path) -> None:
    """A rush of orders with every job at once on the site: in no minute more calls than the setting allows."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops({f"SKU-{number:03}": 50 for number in range(60)})
            world, shop = s.app.world, s.shop("woocommerce")
            rng, first = Random(4), len(s.sims["woocommerce"].journal.entries(Event.REQUEST))
            until = s.clock.monotonic() + 150

            async def busy(job: Any) -> None:
                while s.clock.monotonic() < until:
                    await job()
                    await s.clock.sleep(1)

            async def buyers() -> None:
                while s.clock.monotonic() < until:
                    s.order("woocommerce", {f"SKU-{rng.randrange(60):03}": 1})
                    await s.clock.sleep(0.7)

            await asyncio.gather(
                buyers(),
                busy(lambda: pull_orders.run(world, shop, force=True, wait_s=600)),
                busy(lambda: push_stock.run(world, shop, force=True)),
                busy(lambda: compare_stock.run(world, shop, force=True)),
                busy(lambda: pull_listings.run(world, shop, adopt_skus=False)),
            )
            at = [entry.at for entry in s.sims["woocommerce"].journal.entries(Event.REQUEST)][first:]
            settings = shop.channel.context.settings
            allowed = settings.rate_per_s * 60 + settings.burst
            most = max(sum(1 for one in at if begin <= one < begin + 60) for begin in at)
            assert allowed * 0.8 < most <= allowed
            second = max(sum(1 for one in at if begin <= one < begin + 1) for begin in at)
            assert second <= settings.rate_per_s + settings.burst

    in_virtual_time(body)


def test_b29_two_processes_never_walk_one_channel_at_the_same_time(tmp_path: Path) -> None:
    """The command waits for its turn, or says who is at work; no row comes twice."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",), courier=False) as s:
            await s.start_shops(SKUS)
            transports = {"woocommerce": httpx.MockTransport(s.sims["woocommerce"].transport_handler)}
            command = application.build(
                s.app.settings, clock=s.clock, rng=Random(9), transports=transports, owner="command", inline=True
            )
            try:
                shop, again = s.shop("woocommerce"), command.world.shop("woocommerce")
                for _ in range(250):
                    assert s.order("woocommerce", {"KOPI-250": 1})
                daemon = asyncio.create_task(pull_orders.run(s.app.world, shop, force=True))
                while not s.query("SELECT 1 FROM lease WHERE name LIKE 'pull_orders:%' AND owner = 'simulation'"):
                    await s.clock.sleep(0.01)
                with pytest.raises(Held, match="simulation"):
                    await pull_orders.run(command.world, again, force=True)
                run = await pull_orders.run(command.world, again, force=True, wait_s=60)
                assert daemon.done()
                assert run is not None
                assert run.ok
                assert s.query("SELECT COUNT(*), COUNT(DISTINCT remote_id) FROM sales_order")[0] == (250, 250)
                assert s.balances("KOPI-250")["reserved"] == 250
                overlaps = s.query(
                    "SELECT COUNT(*) FROM job_run AS a JOIN job_run AS b ON a.id < b.id AND a.job = b.job "
                    "AND b.started_ms < a.ended_ms"
                )
                assert overlaps[0][0] == 0
            finally:
                await command.close()

    in_virtual_time(body)


BOOKINGS = {
    "shopee": "/logistics/ship_order",
    "tokopedia": "/ship",
    "lazada": "/order/package/rts",
    "woocommerce": "/confirm",
}
"""The call that books the courier; the own site's goes to the courier service."""


@pytest.mark.parametrize("slug", MARKETPLACES)
def test_b13_a_booking_whose_answers_are_lost_buys_one_label(tmp_path: Path, slug: str) -> None:
    """Every answer to the booking call is lost for as long as somebody sends it: it is sent once, and settled by reading."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,)) as s:
            await s.start_shops(SKUS)
            assert s.courier is not None
            books: Any = s.courier if slug == "woocommerce" else s.sims[slug]
            fault = Fault(
                FaultKind.DROP_AFTER, lambda method, path: method != "GET" and BOOKINGS[slug] in path, times=1_000
            )
            books.faults.append(fault)
            order_id = s.order(slug, {"KOPI-250": 2})
            assert order_id
            await s.settle(40, pause_s=300)
            assert fault.times == 1_000 - 1, "the call went out once"
            assert len(books.journal.entries(Event.PARCEL_ARRANGED)) == 1
            parcels = s.query("SELECT waybill FROM parcel")
            assert len(parcels) == 1
            assert parcels[0][0], "what was booked is known by its waybill"
            assert s.query("SELECT COUNT(*) FROM claim WHERE state = 'open'")[0][0] == 0

    in_virtual_time(body)


PUSHES = {
    "shopee": "/product/update_stock",
    "tokopedia": "/inventory/update",
    "lazada": "/product/stock/sellable/update",
    "woocommerce": "/products/",
}


def unwell(sim: Any, path: str, times: int) -> list[int]:
    """The next writes to `path` are answered 503 by a proxy; what is left of them stands in the returned list."""
    whole, left = sim.answer, [times]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method != "GET" and path in request.url.path and left[0]:
            left[0] -= 1
            return httpx.Response(503, headers={"content-type": "text/html"}, text="<html>Service Unavailable</html>")
        response: httpx.Response = whole(request)
        return response

    sim.answer = answer
    return left


@pytest.mark.parametrize("slug", MARKETPLACES)
@pytest.mark.parametrize("trouble", ["503", "429"])
def test_b33_a_push_refused_three_times_for_a_moment_is_pushed_once(tmp_path: Path, slug: str, trouble: str) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            await s.start_shops(SKUS)
            already = len(levels_set(s, slug))
            fault = Fault(FaultKind.HTTP_429, lambda method, path: method != "GET" and PUSHES[slug] in path, times=3)
            left = [0]
            if trouble == "503":
                left = unwell(s.sims[slug], PUSHES[slug], 3)
                fault.times = 0
            s.sims[slug].faults.append(fault)
            s.count({"KOPI-250": 7})
            await s.settle(20, pause_s=120)
            assert (left, fault.times) == ([0], 0)
            assert [entry.data["level"] for entry in levels_set(s, slug)[already:]] == [7]
            assert s.query("SELECT expected FROM target WHERE expected = 7")

    in_virtual_time(body)


def test_b34_a_campaign_lock_is_told_retried_later_and_kept_back_by_the_others(tmp_path: Path) -> None:
    """Lazada goes on selling by 400 while 300 are there: the others leave it the 100, and sell the rest."""

    async def body() -> None:
        async with simulate(tmp_path, courier=False) as s:
            await s.start_shops(SKUS)
            lazada: Any = s.sims["lazada"]
            key = s.keys["lazada"]["KOPI-250"]
            lazada.set_campaign(key, no_lowering=True)
            assert s.order("shopee", {"KOPI-250": 100})
            await s.settle(4, pause_s=30)
            shown = s.levels("KOPI-250")
            assert shown.pop("lazada") == 400
            assert set(shown.values()) == {200}
            [(slug, details)] = findings(s, "kept_back")
            assert (slug, json.loads(details)) == ("lazada", {"level": 300, "shown": 400, "units": 100})
            [(slug, details)] = findings(s, "push_refused")
            assert slug == "lazada"
            assert '"campaign_locked"' in details
            assert dict(tuple(row) for row in s.query("SELECT slug, state FROM channel"))["lazada"] == "ok"
            asked = refused_writes(s)
            await s.settle(12, pause_s=300)
            assert refused_writes(s) - asked <= 2  # hourly, not at every push
            lazada.set_campaign(key)
            await s.settle(13, pause_s=300)
            assert set(s.levels("KOPI-250").values()) == {300}
            assert findings(s, "push_refused") == findings(s, "kept_back") == []

    in_virtual_time(body)


def test_b34_what_a_locked_channel_sells_beyond_its_level_is_sold_nowhere_else(tmp_path: Path) -> None:
    """Eight are shown there and five are left: it sells the three, another channel all that it shows, and nobody is short."""

    async def body() -> None:
        async with simulate(tmp_path, courier=False) as s:
            await s.start_shops({"KOPI-250": 8})
            lazada: Any = s.sims["lazada"]
            lazada.set_campaign(s.keys["lazada"]["KOPI-250"], no_lowering=True)
            assert s.order("shopee", {"KOPI-250": 3})
            await s.settle(4, pause_s=30)
            assert s.levels("KOPI-250") == {"shopee": 2, "tokopedia": 2, "lazada": 8, "woocommerce": 2}
            assert s.order("lazada", {"KOPI-250": 3})
            sold = 0
            while s.order("tokopedia", {"KOPI-250": 1}):  # before any channel was pulled
                sold += 1
            assert sold == 2
            await s.settle(4, pause_s=30)
            assert s.balances("KOPI-250").get("available", 0) == 0
            assert s.query("SELECT 1 FROM finding WHERE kind = 'shortage'") == []
            assert s.levels("KOPI-250") == {"shopee": 0, "tokopedia": 0, "lazada": 5, "woocommerce": 0}

    in_virtual_time(body)


def refused_writes(s: Simulation) -> int:
    return s.query("SELECT COUNT(*) FROM push WHERE outcome = 'rejected'")[0][0]  # type: ignore[no-any-return]


def test_b35_a_channel_that_cannot_go_down_is_told_and_the_others_go_down(tmp_path: Path) -> None:
    """No call is made to it; it is asked again as soon as its number may rise."""

    async def body() -> None:
        async with simulate(tmp_path, courier=False) as s:
            await s.start_shops(SKUS)
            channel = s.shop("lazada").channel
            channel.capabilities = replace(channel.capabilities, can_decrease=False)
            already = len(levels_set(s, "lazada"))
            assert s.order("shopee", {"KOPI-250": 100})
            await s.settle(4, pause_s=30)
            shown = s.levels("KOPI-250")
            assert shown.pop("lazada") == 400
            assert set(shown.values()) == {200}  # the hundred that lazada may still sell are kept back
            assert len(levels_set(s, "lazada")) == already
            assert [slug for slug, _ in findings(s, "cannot_decrease")] == ["lazada"]
            s.count({"KOPI-250": 450 + 100})
            await s.settle(4, pause_s=30)
            assert set(s.levels("KOPI-250").values()) == {450}
            assert findings(s, "cannot_decrease") == []

    in_virtual_time(body)
