"""Orders in, against defects of comparable systems: repeats, crashes, outages, caps, echoes, dead letters."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import worker
from ledger_bench import Bench
from simulation import MARKETPLACES, Simulation, in_virtual_time, simulate

from sellersync.domain.listings import TargetKey
from sellersync.jobs import pull_listings, pull_orders
from sellersync.jobs.world import Run
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import on_rig

SKUS = {"KOPI-250": 400, "TEH-100": 400}
DAY_S = 86_400.0


def held(s: Simulation, slug: str) -> list[str]:
    """Remote ids of the channel's orders in the ledger."""
    rows = s.query("SELECT remote_id FROM sales_order JOIN channel ON channel.id = channel_id WHERE slug = :s", s=slug)
    return sorted(row[0] for row in rows)


def marks(s: Simulation) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in s.query("SELECT channel_id, stream, at_ms FROM mark ORDER BY channel_id, stream")]


def movements(s: Simulation) -> int:
    return int(s.query("SELECT COUNT(*) FROM movement")[0][0])


async def pull(s: Simulation, slug: str = "shopee") -> Run:
    run = await pull_orders.run(s.app.world, s.shop(slug), force=True)
    assert run is not None
    return run


def test_b2_a_kill_right_after_the_effect_makes_no_second_effect(sqlite_path: str) -> None:
    """The key of an order stands in the transaction of its effect, so whoever comes after the kill finds it."""
    with Bench.open(sqlite_path) as shop:
        shop.stocked("KOPI", 10)
        arguments = ("record", sqlite_path, shop.channels["shopee"], shop.warehouse, "A")
        worker.finish(worker.start(*arguments, die_at="record_page:done"), code=-9)
        effects = shop.movements()
        assert shop.balances("KOPI") == {"available": 8, "reserved": 2, "adjustment": -10}
        worker.finish(worker.start(*arguments))
        assert shop.movements() == effects
        assert shop.value("SELECT COUNT(*) FROM sales_order") == 1


def test_b3_a_booking_that_fails_ten_times_repeats_no_order(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops(SKUS)
            assert s.courier is not None
            fault = Fault(FaultKind.HTTP_500, lambda method, path: method == "POST", times=10)
            s.courier.faults.append(fault)
            order_id = s.order("woocommerce", {"KOPI-250": 3})
            await s.cycle()
            after_import = movements(s)
            while fault.times:
                assert not s.courier.bookings()
                await s.clock.sleep(600)
                await s.cycle()
            assert (held(s, "woocommerce"), movements(s)) == ([order_id], after_import)
            await s.clock.sleep(1800)
            await s.settle(4, pause_s=300)
            assert len(s.courier.journal.entries(Event.PARCEL_ARRANGED)) == 1
            assert (held(s, "woocommerce"), movements(s)) == ([order_id], after_import)
            assert s.query("SELECT COUNT(*) FROM parcel")[0][0] == 1

    in_virtual_time(body)


def test_b6_an_outage_of_five_days_loses_no_order(tmp_path: Path) -> None:
    """The window begins at the saved mark, not some hours before now."""

    async def body() -> None:
        async with simulate(tmp_path, courier=False) as s:
            await s.start_shops(SKUS)
            for _ in range(20):
                for slug in MARKETPLACES:
                    assert s.order(slug, {"KOPI-250": 1, "TEH-100": 1})
                await s.clock.sleep(DAY_S / 4)
            await s.settle(4, pause_s=60)
            for slug in MARKETPLACES:
                assert held(s, slug) == sorted(s.placed[slug])
            assert s.balances("KOPI-250")["available"] == SKUS["KOPI-250"] - 20 * len(MARKETPLACES)

    in_virtual_time(body)


@pytest.mark.parametrize("slug", MARKETPLACES)
def test_b7_a_walk_that_breaks_off_anywhere_leaves_its_mark_and_is_walked_again(tmp_path: Path, slug: str) -> None:
    """Dropped at its first call, its second, and so on: until the walk is complete no mark moves, and nothing says it was pulled."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            await s.start_shops(SKUS)
            for _ in range(130):  # more than a page of any channel
                assert s.order(slug, {"KOPI-250": 1})
            await s.clock.sleep(3 * 3600)  # longer than any overlap: a mark that moved too early would lose them
            before = marks(s), s.query("SELECT last_pull_ms FROM channel")
            broken = 0
            for calls in range(40):
                s.sims[slug].faults[:] = [Fault(FaultKind.DROP_BEFORE, after(calls), times=1000)]
                if (await pull(s, slug)).ok:
                    break
                broken += 1
                if not held(s, slug):
                    assert marks(s) == before[0]
                assert s.query("SELECT last_pull_ms FROM channel") == before[1]
                await s.clock.sleep(30)
            s.sims[slug].faults.clear()
            assert broken >= 2
            await pull(s, slug)
            assert held(s, slug) == sorted(s.placed[slug])
            assert s.balances("KOPI-250")["reserved"] == 130
            assert marks(s) != before[0]

    in_virtual_time(body)


def after(calls: int) -> Callable[[str, str], bool]:
    """True for every call but the first `calls`."""
    passed = 0

    def matches(method: str, path: str) -> bool:
        nonlocal passed
        passed += 1
        return passed > calls

    return matches


def test_b7_a_run_that_is_cancelled_in_a_call_leaves_its_mark(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops(SKUS)
            assert s.order("shopee", {"KOPI-250": 1})
            before = marks(s)
            real = s.shop("shopee").channel.context.wire._gate.enter
            begun = asyncio.Event()

            async def slow(*, write: bool = False) -> None:
                begun.set()
                await asyncio.sleep(60)
                await real(write=write)

            s.shop("shopee").channel.context.wire._gate.enter = slow  # type: ignore[method-assign]
            task = asyncio.create_task(pull(s))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert marks(s) == before
            s.shop("shopee").channel.context.wire._gate.enter = real  # type: ignore[method-assign]
            assert (await pull(s)).ok
            assert held(s, "shopee") == s.placed["shopee"]

    in_virtual_time(body)


def test_b19_a_window_of_5001_orders_is_read_whole() -> None:
    """The platform pages through 5,000 rows at most."""

    async def body(rig: Any) -> None:
        from sellersync.connector.contract import Mark, Stream

        since = rig.clock.now()
        product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=6_000)
        placed = set()
        for number in range(5_001):
            placed.add(rig.sim.place_order([(product.remote_key, 1)]))
            if number % 50 == 0:
                await rig.clock.sleep(2)
        await rig.clock.sleep(30)
        pages = [page async for page in rig.connector.pages(Stream.ORDERS, Mark(since))]
        assert {order.remote_id for page in pages for order in page.rows} == placed
        assert pages[-1].closes is not None

    on_rig("lazada", body)


def test_b21_no_order_is_ever_written_to_a_channel(tmp_path: Path) -> None:
    """An echo needs an order that we pushed: in a busy hour of all channels not one call makes an order anywhere."""

    async def body() -> None:
        async with simulate(tmp_path) as s:
            await s.start_shops(SKUS)
            for number in range(16):
                slug = MARKETPLACES[number % len(MARKETPLACES)]
                order_id = s.order(slug, {"KOPI-250": 1 + number % 2})
                if number % 7 == 0 and order_id:
                    s.sims[slug].cancel(order_id)
                await s.clock.sleep(20)
                await s.cycle()
            await s.settle(4, pause_s=60)
            for slug, sim in s.sims.items():
                placed = {entry.data["order_id"] for entry in sim.journal.entries(Event.ORDER_PLACED)}
                assert placed == set(s.placed[slug]) == set(held(s, slug))
                writes = {
                    entry.data["path"].rstrip("/")
                    for entry in sim.journal.entries(Event.REQUEST)
                    if entry.data["method"] != "GET"
                }
                assert writes, slug
                assert not {path for path in writes if path.endswith(("/orders", "/orders/batch", "/order/create"))}

    in_virtual_time(body)


def test_b23_without_any_webhook_the_data_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens and nobody calls us: polling alone brings every order, payment and cancellation."""

    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("something listens for calls from outside")

    async def body() -> None:
        monkeypatch.setattr(socket.socket, "listen", refuse)
        async with simulate(tmp_path, courier=False) as s:
            await s.start_shops(SKUS)
            for slug in MARKETPLACES:
                paid, unpaid, cancelled = (s.order(slug, {"KOPI-250": 1}, paid=n != 1) for n in range(3))
                await s.cycle()
                assert paid
                assert unpaid
                assert cancelled
                s.sims[slug].pay(unpaid)
                s.sims[slug].cancel(cancelled)
            await s.clock.sleep(3 * 3600)  # free-cancel hours are over
            await s.settle(6, pause_s=60)
            for slug in MARKETPLACES:
                states = s.query(
                    "SELECT remote_id, sales_order.state FROM sales_order JOIN channel ON channel.id = channel_id WHERE slug = :s",
                    s=slug,
                )
                found = dict(tuple(row) for row in states)
                assert sorted(found) == sorted(s.placed[slug])
                assert found[s.placed[slug][2]] == "cancelled"
                assert found[s.placed[slug][1]] not in ("unpaid", "cancelled", "unknown")
            assert s.balances("KOPI-250")["available"] == SKUS["KOPI-250"] - 2 * len(MARKETPLACES)

    in_virtual_time(body)


# --------------------------------------------------------------------------------------------------------------------- dead letters


def torn(sim: Any, order_id: str) -> Callable[[], None]:
    """Until the returned function is called, the own site sends this order with a line list that nobody can read."""
    whole = sim.answer

    def answer(request: httpx.Request) -> httpx.Response:
        response: httpx.Response = whole(request)
        if request.method != "GET" or "/orders" not in request.url.path:
            return response
        value = response.json()
        for row in value if isinstance(value, list) else [value]:
            if str(row.get("id")) == order_id:
                row["date_created_gmt"] = row["date_modified_gmt"] = {"torn": 1}
                row["line_items"] = "torn"
        kept = {name: text for name, text in response.headers.items() if name.startswith("x-wp")}
        return httpx.Response(response.status_code, headers=kept, json=value)

    def mend() -> None:
        sim.answer = whole

    sim.answer = answer
    return mend


def unreadable(s: Simulation) -> int:
    rows = s.query(
        "SELECT COUNT(*) FROM finding WHERE kind IN ('row_unreadable', 'order_unreadable') AND closed_ms IS NULL"
    )
    return int(rows[0][0])


def test_b27_a_row_that_could_not_be_read_is_told_and_read_again_by_itself(tmp_path: Path) -> None:
    """Long after its window has closed: once it is readable it reserves, and nobody needs to look at it any more."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",), courier=False) as s:
            await s.start_shops(SKUS)
            good, bad = s.order("woocommerce", {"KOPI-250": 1}), s.order("woocommerce", {"TEH-100": 2})
            assert good
            assert bad
            mend = torn(s.sims["woocommerce"], bad)
            await pull(s, "woocommerce")
            assert good in held(s, "woocommerce")
            assert unreadable(s) == 1
            for _ in range(20):
                await s.clock.sleep(1800)
                await pull(s, "woocommerce")
            assert unreadable(s) == 1
            mend()
            for _ in range(14):
                await s.clock.sleep(1800)
                await pull(s, "woocommerce")
            assert held(s, "woocommerce") == sorted([good, bad])
            assert s.balances("TEH-100")["reserved"] == 2
            assert unreadable(s) == 0

    in_virtual_time(body)


def test_b27_a_person_replays_what_could_not_be_read(tmp_path: Path) -> None:
    """`sellersync sync pull`, the command that the report names, reads it again at once; what stays unreadable stays told."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",), courier=False) as s:
            await s.start_shops(SKUS)
            order_id = s.order("woocommerce", {"TEH-100": 2})
            assert order_id
            mend = torn(s.sims["woocommerce"], order_id)
            shop = s.shop("woocommerce")
            for _ in range(3):
                await pull_orders.run(s.app.world, shop, force=True, replay=True)
                await s.clock.sleep(900)
            assert unreadable(s) == 1
            mend()
            await pull(s, "woocommerce")
            assert (held(s, "woocommerce"), unreadable(s)) == ([], 1)
            await pull_orders.run(s.app.world, shop, force=True, replay=True)
            assert (held(s, "woocommerce"), unreadable(s)) == ([order_id], 0)

    in_virtual_time(body)


def test_b27_what_is_missing_is_not_zero(tmp_path: Path) -> None:
    """A list of listings that breaks off after its first page takes nothing away and zeroes nothing."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",), courier=False) as s:
            await s.start_shops({f"SKU-{number:03}": 5 for number in range(150)})
            before = s.query("SELECT COUNT(*) FROM listing WHERE active")[0][0]
            s.sims["woocommerce"].faults.append(Fault(FaultKind.DROP_BEFORE, after(1), times=1000))
            run = await pull_listings.run(s.app.world, s.shop("woocommerce"), adopt_skus=False)
            assert run is not None
            assert not run.ok
            s.sims["woocommerce"].faults.clear()
            await s.clock.sleep(1000)
            await s.settle(2)
            assert s.query("SELECT COUNT(*) FROM listing WHERE active")[0][0] == before == 150
            assert {product.shown[""] for product in s.sims["woocommerce"].products()} == {5}
            [gone] = await s.shop("woocommerce").channel.levels([TargetKey("999999")])
            assert gone.shown is None

    in_virtual_time(body)
