"""The connector against the simulated shop: walks, reads by id, listings, levels, handing the waybill back."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from random import Random
from typing import Any

import httpx
import pytest
from woocommerce_bench import HTTP, paths, pulled, walk

from sellersync.clock import SystemClock
from sellersync.connector.contract import Context, Gone, Mark, PushOutcome, Stream, TargetKey, Want
from sellersync.connector.http import Wire
from sellersync.connector.rate import RateGate
from sellersync.domain.errors import NotSupported, RejectClass, Rejected
from sellersync.domain.orders import Excluded, OrderState, UnitStage
from sellersync.sandbox.kit import Event
from sellersync.sandbox.mount import Mounted
from sellersync.testing.rig import MemoryTokens, Rig, on_rig
from sellersync.testing.virtual import START, VirtualClock
from sellersync_woocommerce import WooCommerce
from sellersync_woocommerce.api import PAGE_SIZE_MAX
from sellersync_woocommerce.sandbox import WooCommerceSandbox


def run(test: Any, **options: Any) -> Any:
    return on_rig("woocommerce", test, **options)


def stocked(rig: Rig[Any, Any], stock: int = 1000) -> str:
    return str(rig.sim.add_product("A", "Teh", price=20_000, stock=stock).remote_key)


def want(key: str, level: int) -> Want:
    return Want(TargetKey(key), level, None, f"key-{key}")


# -- walks


def test_a_walk_with_hundreds_of_orders_of_one_second_is_whole() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = {rig.sim.place_order([(key, 1)]) for _ in range(2 * PAGE_SIZE_MAX + 37)}
        pages = await walk(rig)
        assert {row.remote_id for page in pages for row in page.rows} == placed
        assert [len(page.rows) for page in pages] == [100, 100, 37]
        assert [page.closes is not None for page in pages] == [False, False, True]
        assert pages[-1].closes == START
        assert paths(rig) == ["GET reports/orders/totals"] + ["GET orders"] * 3

    run(test)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 199, 200])
def test_page_borders(count: int) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = {rig.sim.place_order([(key, 1)]) for _ in range(count)}
        assert set(await pulled(rig)) == placed

    run(test)


def test_an_empty_window_closes_on_the_shops_clock() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.clock.skew = timedelta(minutes=-3)
        await rig.clock.sleep(12.7)
        (page,) = await walk(rig)
        assert page.rows == ()
        assert page.closes is not None
        assert abs((page.closes - START).total_seconds() - 12.7) < 3.0
        assert page.closes <= START + timedelta(seconds=12.7)

    run(test)


def test_a_walk_restarts_from_its_mark_and_overlaps() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        old = rig.sim.place_order([(key, 1)])
        await rig.clock.sleep(1000)
        recent = rig.sim.place_order([(key, 1)])
        await rig.clock.sleep(200)
        closes = (await walk(rig))[-1].closes
        assert closes == START + timedelta(seconds=1200)
        await rig.clock.sleep(1)
        new = rig.sim.place_order([(key, 1)])
        found = await pulled(rig, since=closes)
        assert set(found) == {recent, new}
        assert old not in found

    run(test)


def test_the_overlap_is_a_setting() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        assert rig.connector.capabilities.overlap_s == 10
        key = stocked(rig)
        rig.sim.place_order([(key, 1)])
        await rig.clock.sleep(20)
        assert await pulled(rig, since=rig.clock.now()) == {}
        assert len(await pulled(rig, since=rig.clock.now() - timedelta(seconds=15))) == 1

    run(test, settings={"overlap_s": 10})


def test_the_same_orders_are_equal_when_pulled_twice() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        first, _ = rig.sim.place_order([(key, 2)]), rig.sim.place_order([(key, 1)], paid=False)
        rig.sim.refund(first, [(key, 1)])
        found = await pulled(rig)
        assert await pulled(rig) == found
        by_id = await rig.connector.orders_by_id(list(found))
        assert {order.remote_id: order for order in by_id.found} == found

    run(test)


def test_every_change_of_an_order_comes_again() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig, 10)
        order_id = rig.sim.place_order([(key, 3)], paid=False)
        waiting = (await pulled(rig))[order_id]
        assert (waiting.state, waiting.lines[0].units[0].excluded) == (OrderState.UNPAID, Excluded.NO)
        assert waiting.hold_expires_at == START + timedelta(minutes=60)
        await rig.clock.sleep(10)
        rig.sim.pay(order_id)
        paid = (await pulled(rig))[order_id]
        assert (paid.state, paid.lines[0].units[0].excluded) == (OrderState.READY, Excluded.YES)
        assert paid.updated_at > waiting.updated_at
        rig.sim.refund(order_id, [(key, 1)], restock=False)
        part = (await pulled(rig))[order_id]
        assert [(u.stage, u.count) for u in part.lines[0].units] == [(UnitStage.OPEN, 2), (UnitStage.CANCELLED, 1)]
        await rig.clock.sleep(10)
        rig.sim.hand_over(order_id)
        gone = (await pulled(rig))[order_id]
        assert (gone.state, gone.lines[0].units[0].stage) == (OrderState.COMPLETED, UnitStage.LEFT)

    run(test)


def test_refunds_are_read_only_where_there_are_some() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        order_ids = [rig.sim.place_order([(key, 2)]) for _ in range(5)]
        rig.sim.refund(order_ids[3], [(key, 1)])
        await pulled(rig)
        assert [path for path in paths(rig) if path.endswith("/refunds")] == [f"GET orders/{order_ids[3]}/refunds"]

    run(test)


def test_the_hold_time_is_read_once_and_only_when_somebody_waits() -> None:
    setting = "GET settings/products/woocommerce_hold_stock_minutes"

    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        rig.sim.hold_minutes = 25
        rig.sim.place_order([(key, 1)])
        await pulled(rig)
        assert setting not in paths(rig)
        order_id = rig.sim.place_order([(key, 1)], paid=False)
        for _ in range(3):
            assert (await pulled(rig))[order_id].hold_expires_at == START + timedelta(minutes=25)
        assert paths(rig).count(setting) == 1
        await rig.clock.sleep(3601)
        rig.sim.place_order([(key, 1)], paid=False)
        await pulled(rig)
        assert paths(rig).count(setting) == 2

    run(test)


@pytest.mark.parametrize("sweeps_blocks", [False, True])
def test_a_block_checkout_hold_ends_with_or_without_a_cancellation(sweeps_blocks: bool) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.checkout = "store-api"
        key = stocked(rig, 1)
        order_id = rig.sim.place_order([(key, 1)], paid=False)
        await rig.clock.sleep(3600)
        order = (await pulled(rig))[order_id]
        if sweeps_blocks:
            assert order.state is OrderState.CANCELLED
        else:
            assert order.hold_expires_at == rig.clock.now()
            assert order.lines[0].units[0].excluded is Excluded.YES

    run(test, switches={"cancels_store_api": sweeps_blocks})


def test_a_shop_that_keeps_its_settings_to_itself() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        def refuse(*_: Any) -> Any:
            raise rig.sim.rest.refuse_stranger("GET", "settings/products/x")

        rig.sim.rest.setting = refuse
        key = stocked(rig)
        order_id = rig.sim.place_order([(key, 1)], paid=False)
        order = (await pulled(rig))[order_id]
        assert order.lines[0].units[0].excluded is Excluded.UNKNOWN
        assert order.hold_expires_at == START + timedelta(minutes=60)

    run(test)


def test_drafts_are_no_orders_and_custom_statuses_are() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        rig.sim.start_checkout([(key, 1)])
        packed, odd = rig.sim.place_order([(key, 1)]), rig.sim.place_order([(key, 1)])
        rig.sim.set_status(packed, "dikemas")
        rig.sim.set_status(odd, "menunggu-stok")
        found = await pulled(rig)
        assert {order_id: order.state for order_id, order in found.items()} == {
            packed: OrderState.READY,
            odd: OrderState.UNKNOWN,
        }
        assert found[odd].problems

    run(test, settings={"paid_statuses": ["wc-dikemas"]})


def test_booking_wait_ends_without_a_change_of_the_order() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        order_id = rig.sim.place_order([(key, 1)])
        held = (await walk(rig))[-1]
        assert held.rows[0].state is OrderState.HELD  # type: ignore[union-attr]
        assert held.closes is not None
        await rig.clock.sleep(900)
        ready = await pulled(rig, since=held.closes + timedelta(seconds=880))
        assert ready[order_id].state is OrderState.READY

    run(test, settings={"booking_wait_s": 900, "overlap_s": 30})


def test_an_order_binned_between_two_pages_starts_the_walk_over() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = [rig.sim.place_order([(key, 1)]) for _ in range(250)]
        answer, lists = rig.sim.answer, []

        def meddle(request: Any) -> Any:
            response = answer(request)
            if request.url.path.endswith("/orders"):
                lists.append(request.url.params.get("offset", "0"))
                if len(lists) == 1:
                    rig.sim.trash(placed[5])
            return response

        rig.sim.answer = meddle
        assert set(await pulled(rig)) == set(placed) - {placed[5]}
        assert lists == ["0", "99", "0", "99", "198"]

    run(test)


def test_orders_binned_until_the_next_page_is_beyond_the_end() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = [rig.sim.place_order([(key, 1)]) for _ in range(105)]
        answer, lists = rig.sim.answer, []

        def meddle(request: Any) -> Any:
            response = answer(request)
            if request.url.path.endswith("/orders"):
                lists.append(response.headers["x-wp-total"])
                if len(lists) == 1:
                    for order_id in placed[:50]:
                        rig.sim.trash(order_id)
            return response

        rig.sim.answer = meddle
        assert set(await pulled(rig)) == set(placed[50:])
        assert lists == ["105", "0", "55"]

    run(test)


def test_a_plugin_that_drops_rows_hides_no_other_order() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = [rig.sim.place_order([(key, 1)]) for _ in range(250)]
        hidden = {int(placed[99]), int(placed[7])}
        answer, lists = rig.sim.answer, []

        def meddle(request: Any) -> Any:
            response = answer(request)
            if not request.url.path.endswith("/orders"):
                return response
            lists.append(request.url.params.get("offset", "0"))
            if len(lists) == 1:
                rig.sim.trash(placed[3])
            rows = [row for row in response.json() if row["id"] not in hidden]
            return httpx.Response(200, headers={"x-wp-total": response.headers["x-wp-total"]}, json=rows)

        rig.sim.answer = meddle
        assert set(await pulled(rig)) == set(placed) - {placed[3], placed[7], placed[99]}
        assert lists == ["0", "99", "0", "99", "198"]

    run(test)


def test_late_visibility_is_covered_by_the_overlap() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.visibility_delay_s = 3.0
        order_id = rig.sim.place_order([(stocked(rig), 1)])
        closes = (await walk(rig))[-1].closes
        assert closes == START
        await rig.clock.sleep(3)
        assert set(await pulled(rig, since=closes)) == {order_id}

    run(test)


def test_an_order_leaving_and_another_entering_between_two_pages_hide_nobody() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        old = [rig.sim.place_order([(key, 1)], storefront="admin") for _ in range(150)]
        late = rig.sim.place_order([(key, 1)])
        await rig.clock.sleep(5000)
        for order_id in old:
            rig.sim.set_status(order_id, "completed")
        answer, lists = rig.sim.answer, []

        def meddle(request: Any) -> Any:
            response = answer(request)
            if request.url.path.endswith("/orders"):
                lists.append(request.url.params.get("offset", "0"))
                if len(lists) == 1:  # the total stays the same
                    rig.sim.trash(old[5])
                    rig.sim.set_status(late, "completed")
            return response

        rig.sim.answer = meddle
        found = await pulled(rig, since=START + timedelta(seconds=5000))
        assert set(found) == {*old, late} - {old[5]}
        assert lists == ["0", "99", "0", "99"]

    run(test)


def test_the_bin_is_a_stream_of_its_own() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig, 5)
        order_id = rig.sim.place_order([(key, 1)])
        rig.sim.place_order([(key, 1)])
        await rig.clock.sleep(7)
        rig.sim.trash(order_id)
        assert order_id not in await pulled(rig)
        (page,) = await walk(rig, Stream.TRASH)
        assert page.rows == (Gone(order_id, "moved to the bin", START + timedelta(seconds=7)),)
        assert page.closes == START + timedelta(seconds=7)
        assert (await walk(rig, Stream.TRASH, since=START + timedelta(seconds=400)))[0].rows == ()

    run(test)


def test_streams_the_shop_does_not_have_are_refused_before_any_call() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        with pytest.raises(NotSupported):
            await walk(rig, Stream.RETURNS)
        assert rig.requests == []

    run(test)


def test_reads_by_id_tell_who_is_gone() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = [rig.sim.place_order([(key, 1)]) for _ in range(130)]
        rig.sim.trash(placed[3])
        rig.sim.delete(placed[4])
        answer = await rig.connector.orders_by_id([*placed, "999999", "x"])
        assert [order.remote_id for order in answer.found] == [*placed[:3], *placed[5:]]
        assert answer.gone == (placed[3], placed[4], "999999", "x")
        assert paths(rig) == ["GET orders", "GET orders"]
        assert await rig.connector.orders_by_id([]) == (await rig.connector.orders_by_id(()))

    run(test)


# -- listings and levels


def test_listings_and_the_targets_of_shared_stock() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        sim = rig.sim
        simple = sim.add_product("KOPI", "Kopi", price=65_000, stock=10)
        small = sim.add_product("KAOS-S", "-", price=1, stock=5, parent="Kaos", option="S")
        shared = [
            sim.add_product(f"TAS-{o}", "-", price=1, stock=7, parent="Tas", option=o, inherits=True)
            for o in ("R", "B")
        ]
        loose = sim.add_product("JASA", "Jasa", price=1, stock=0, managed=False)
        found = {row.key: row async for page in rig.connector.listings() for row in page}
        assert set(found) == {p.remote_key for p in (simple, small, *shared, loose)}
        assert (found[simple.remote_key].weight_g, found[simple.remote_key].shown) == (250, 10)
        assert (found[small.remote_key].title, found[small.remote_key].variation) == ("Kaos", "S")
        tas = shared[0].remote_key.partition(":")[0]
        assert {found[p.remote_key].targets for p in shared} == {(TargetKey(tas),)}
        assert not found[loose.remote_key].managed
        order_id = sim.place_order([(shared[0].remote_key, 1)])
        rig.requests.clear()
        line = (await pulled(rig))[order_id].lines[0]
        assert (line.listing, line.target) == (shared[0].remote_key, tas)
        assert not any("variations" in path for path in paths(rig))  # known from the listings

    run(test)


def test_who_shares_stock_is_asked_once_a_parent() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        shared = rig.sim.add_product("T", "-", price=1, stock=50, parent="Tas", option="R", inherits=True)
        own = rig.sim.add_product("U", "-", price=1, stock=50, parent="Tas", option="B")
        order_id = rig.sim.place_order([(shared.remote_key, 1), (own.remote_key, 1)])
        tas = shared.remote_key.partition(":")[0]
        for _ in range(3):
            order = (await pulled(rig))[order_id]
            assert [line.target for line in order.lines] == [tas, own.remote_key]
        assert paths(rig).count(f"GET products/{tas}/variations") == 1

    run(test)


def test_hundreds_of_products_of_one_second_are_all_listed() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        keys = {rig.sim.add_product(f"P{n}", "P", price=1, stock=n).remote_key for n in range(230)}
        pages = [page async for page in rig.connector.listings()]
        assert {row.key for page in pages for row in page} == keys
        assert [len(page) for page in pages] == [100, 100, 30]

    run(test)


def test_levels_are_the_numbers_without_checkout_holds() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig, 3)
        variation = rig.sim.add_product("V", "-", price=1, stock=4, parent="Kaos", option="S").remote_key
        parent = rig.sim.add_product("T", "-", price=1, stock=7, parent="Tas", option="R", inherits=True).remote_key
        loose = rig.sim.add_product("J", "Jasa", price=1, stock=0, managed=False).remote_key
        rig.sim.place_order([(key, 2)], paid=False)
        rig.sim.place_order([(variation, 9)], storefront="rest-api")
        asked = [key, variation, parent.partition(":")[0], loose, "999", "12:999", "x"]
        shown = await rig.connector.levels([TargetKey(name) for name in asked])
        assert [level.shown for level in shown] == [3, -5, 7, None, None, None, None]
        assert [level.target.remote_key for level in shown] == asked

    run(test)


def test_pushes_go_in_the_largest_legal_batches() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        simple = [rig.sim.add_product(f"P{n}", "P", price=1, stock=9).remote_key for n in range(120)]
        sizes = [rig.sim.add_product(f"V{n}", "-", price=1, stock=9, parent="Kaos", option=f"{n}") for n in range(3)]
        wants = [want(key, 4) for key in [sizes[0].remote_key, *simple, sizes[1].remote_key, sizes[2].remote_key]]
        batches = rig.connector.level_batches(wants)
        assert [len(batch) for batch in batches] == [3, 50, 50, 20]
        for batch in batches:
            answers = await rig.connector.set_levels(batch)
            assert [(a.target, a.outcome, a.shown) for a in answers] == [
                (w.target, PushOutcome.APPLIED, 4) for w in batch
            ]
        assert {rig.sim.shown(w.target.remote_key) for w in wants} == {4}
        assert len(rig.sim.journal.entries(Event.LEVEL_SET)) == 123
        assert len(rig.requests) == 4

    run(test)


def test_level_zero_and_a_level_again_are_set() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig, 5)
        for level in (4, 0, 4, 4):
            (answer,) = await rig.connector.set_levels([want(key, level)])
            assert (answer.outcome, answer.shown, rig.sim.shown(key)) == (PushOutcome.APPLIED, level, level)
        assert [entry.data["level"] for entry in rig.sim.journal.entries(Event.LEVEL_SET)] == [4, 0, 4, 4]

    run(test)


def test_bad_rows_sink_nobody() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        good, last = stocked(rig, 5), rig.sim.add_product("B", "B", price=1, stock=5).remote_key
        loose = rig.sim.add_product("J", "Jasa", price=1, stock=0, managed=False).remote_key
        wants = [want(good, 2), want("999", 2), want("bukan-kunci", 2), want(loose, 2), want(last, 2)]
        (batch,) = rig.connector.level_batches(wants)
        answers = await rig.connector.set_levels(batch)
        assert [(a.outcome.value, a.reject) for a in answers] == [
            ("applied", None),
            ("rejected", RejectClass.UNKNOWN_LISTING),
            ("rejected", RejectClass.UNKNOWN_LISTING),
            ("rejected", RejectClass.NOT_MANAGED),
            ("applied", None),
        ]
        assert (rig.sim.shown(good), rig.sim.shown(last)) == (2, 2)
        assert "Track stock" in answers[3].why

    run(test)


@pytest.mark.parametrize("pushed", ["ignored", "taken"])
def test_a_push_to_a_variation_on_its_parents_stock(pushed: str) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        shared = rig.sim.add_product("T", "-", price=1, stock=7, parent="Tas", option="R", inherits=True)
        (answer,) = await rig.connector.set_levels([want(shared.remote_key, 3)])
        if pushed == "ignored":
            assert (answer.outcome, answer.reject) == (PushOutcome.REJECTED, RejectClass.NOT_MANAGED)
            assert rig.sim.shown(shared.remote_key) == 7
        else:
            assert (answer.outcome, rig.sim.shown(shared.remote_key)) == (PushOutcome.APPLIED, 3)
        parent = shared.remote_key.partition(":")[0]
        (answer,) = await rig.connector.set_levels([want(parent, 2)])
        assert (answer.outcome, answer.shown) == (PushOutcome.APPLIED, 2)

    run(test, switches={"inheriting_batch_push": pushed})


# -- the waybill


def test_the_waybill_is_handed_back_once_however_often_it_is_asked() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 1)])
        for _ in range(3):
            await rig.connector.hand_back(order_id, "JNE0123", "jne", "Pesanan Anda dikirim, resi JNE0123.")
        assert rig.sim.customer_notes(order_id) == ["Pesanan Anda dikirim, resi JNE0123."]
        assert paths(rig).count(f"PUT orders/{order_id}") == 1
        order = (await pulled(rig))[order_id]
        assert (order.meta["waybill"], order.meta["courier"]) == ("JNE0123", "jne")
        assert (order.state, order.remote_status) == (OrderState.BOOKED, "processing")
        assert order.lines[0].units[0].stage is UnitStage.OPEN

    run(test, settings={})


def test_a_note_without_the_waybill_gets_it() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 1)])
        for _ in range(2):
            await rig.connector.hand_back(order_id, "JNE1 & co", "jne", "Sudah dikirim")
        assert rig.sim.customer_notes(order_id) == ["Sudah dikirim (JNE1 & co)"]

    run(test)


def test_without_a_note_nobody_is_mailed() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 1)])
        await rig.connector.hand_back(order_id, "JNE1", "")
        assert rig.sim.customer_notes(order_id) == []
        assert not any(path.endswith("/notes") for path in paths(rig))

    run(test)


def test_the_status_is_moved_only_where_the_seller_wants_it_and_never_from_a_cancelled_order() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        sent, cancelled = rig.sim.place_order([(key, 1)]), rig.sim.place_order([(key, 1)])
        rig.sim.cancel(cancelled)
        for order_id in (sent, cancelled):
            await rig.connector.hand_back(order_id, "JNE1", "jne")
        found = await pulled(rig)
        assert (found[sent].remote_status, found[cancelled].remote_status) == ("completed", "cancelled")
        assert found[cancelled].meta["waybill"] == "JNE1"

    run(test, settings={"status_after_waybill": "wc-completed"})


@pytest.mark.parametrize("order_id", ["999999", "x"])
def test_a_waybill_for_an_unknown_order_is_rejected(order_id: str) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        with pytest.raises(Rejected) as refused:
            await rig.connector.hand_back(order_id, "JNE1", "jne", "x")
        assert refused.value.reject is RejectClass.UNKNOWN_ORDER

    run(test)


# -- health


@pytest.mark.parametrize("settings", [{}, HTTP], ids=["tls", "plain http"])
def test_health_names_the_shop(settings: dict[str, str]) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.home = settings.get("base_url", rig.sim.home)
        health = await rig.connector.health()
        assert (health.remote_shop_id, health.shop_name, health.notes) == (rig.sim.home, "Toko Contoh", ())
        assert health.authorisation_ends_at is None

    run(test, settings=settings)


def test_health_tells_that_the_shop_calls_itself_otherwise() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.home = "https://www.simulator.example"
        assert "https://www.simulator.example" in (await rig.connector.health()).notes[0]

    run(test)


def test_what_is_not_declared_is_refused_before_any_call() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        assert rig.connector.authoriser is None
        assert rig.connector.capabilities.own_site
        with pytest.raises(NotSupported):
            await rig.connector.parcels(["1"])
        assert rig.requests == []

    run(test)


def test_over_a_real_socket_every_call_is_signed() -> None:
    async def test(simulator: WooCommerceSandbox, base_url: str) -> None:
        clock, rig_clock = SystemClock(), VirtualClock(asyncio.get_running_loop())
        wire = Wire("toko", clock=clock, rng=Random(2), gate=RateGate(clock, rate_per_s=100, burst=100))
        settings = WooCommerce.Settings.model_validate(simulator.configuration(base_url))
        no_tokens = MemoryTokens(rig_clock, None)
        toko = WooCommerce(Context("toko", settings, wire, no_tokens, clock, Random(3)))
        key = simulator.add_product("A", "Teh & 100% + kopi", price=20_000, stock=9).remote_key
        order_id = simulator.place_order([(key, 1)])
        try:
            assert (await toko.health()).notes == ()
            pages = [page async for page in toko.pages(Stream.ORDERS, Mark(clock.now()))]
            assert [row.remote_id for page in pages for row in page.rows] == [order_id]
            (answer,) = await toko.set_levels([want(key, 3)])
            assert (answer.outcome, simulator.shown(key)) == (PushOutcome.APPLIED, 3)
            await toko.hand_back(order_id, "JNE1", "jne", "Resi JNE1 & terima kasih")
            assert simulator.customer_notes(order_id) == ["Resi JNE1 & terima kasih"]
        finally:
            await wire.close()

    simulator = WooCommerceSandbox(clock=time.time, rng=Random(1))
    with Mounted(simulator) as mounted:
        asyncio.run(test(simulator, mounted.base_url))
        assert mounted.crashes == []
    refused = [entry.data["refused"] for entry in simulator.journal.entries(Event.REQUEST)]
    assert set(refused) == {""}
