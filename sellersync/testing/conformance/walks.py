"""Orders in: every order of a window arrives exactly once, whatever moves, repeats, or breaks off meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Gone, Mark, Page, Stream
from sellersync.domain.errors import NotSupported, SellersyncError
from sellersync.domain.orders import Order, UnitStage
from sellersync.testing.virtual import START

from .base import Conformance, on_bench
from .bench import ChannelBench
from .tap import json_of, mapped, rebuilt

DAY_S = 86_400.0
SPARE_CALLS_MAX = 100
"""Calls beyond ten times the usual number after which a walk counts as endless."""


def orders_in(pages: Iterable[Page]) -> list[Order]:
    """All order rows, in the order in which they came."""
    return [row for page in pages for row in page.rows if isinstance(row, Order)]


def latest(pages: Iterable[Page]) -> dict[str, Order]:
    """The last version of each order that a walk delivered."""
    return {order.remote_id: order for order in orders_in(pages)}


def stages(order: Order) -> list[tuple[str, UnitStage, int]]:
    """What the order says about its units, comparable between two reads."""
    counted: dict[tuple[str, UnitStage], int] = {}
    for line in order.lines:
        for unit in line.units:
            counted[line.listing, unit.stage] = counted.get((line.listing, unit.stage), 0) + unit.count
    return sorted((listing, stage, count) for (listing, stage), count in counted.items())


def check_closes(pages: Sequence[Page], since: datetime, now: datetime) -> None:
    """Windows close oldest first, on the provider's clock, never in its future; the last page closes the last window."""
    closes = [page.closes for page in pages if page.closes is not None]
    assert closes, "a walk that ends without closing a window never moves its mark"
    assert pages[-1].closes is not None, "the last page closes the last window"
    assert closes == sorted(closes), "oldest window first"
    assert all(at.tzinfo is not None for at in closes)
    assert since <= closes[-1] <= now + timedelta(seconds=1)


class Walks(Conformance):
    """`pages` and `orders_by_id`."""

    @on_bench()
    async def test_orders_of_one_second_arrive_exactly_once(self, bench: ChannelBench, many: int) -> None:
        product = bench.product(stock=2 * many)
        placed = [bench.sim.place_order([(product.remote_key, 1)]) for _ in range(many)]
        await bench.clock.sleep(30)
        pages = await bench.walk()
        assert sorted(order.remote_id for order in orders_in(pages)) == sorted(placed)
        assert not [sentence for page in pages for sentence in page.skipped]
        check_closes(pages, START, bench.clock.now())

    @on_bench()
    async def test_a_window_beyond_every_cap_is_split(
        self, bench: ChannelBench, crowd: int, corner: dict[str, Any]
    ) -> None:
        """More orders than a provider pages through in one window (5,000 with `--conformance-size large`)."""
        product = bench.product(stock=2 * crowd)
        placed = set()
        for number in range(crowd):
            placed.add(bench.sim.place_order([(product.remote_key, 1)]))
            if number % 3 == 0:
                await bench.clock.sleep(2)
        await bench.clock.sleep(30)
        pages = await bench.walk()
        assert set(latest(pages)) == placed
        check_closes(pages, START, bench.clock.now())

    @on_bench()
    async def test_a_pause_of_forty_days_loses_nothing(self, bench: ChannelBench) -> None:
        product = bench.product()
        placed = set()
        for day in range(40):
            if day % 5 == 0:
                placed.add(bench.sim.place_order([(product.remote_key, 1)]))
            await bench.clock.sleep(DAY_S)
        bench.tokens.consent(bench.sim.first_grant())  # what was authorised before the pause may have ended
        pages = await bench.walk()
        assert set(latest(pages)) == placed
        check_closes(pages, START, bench.clock.now())
        assert pages[-1].closes is not None
        assert pages[-1].closes > bench.clock.now() - timedelta(minutes=5), "the walk reaches the present"

    @on_bench()
    async def test_orders_that_move_between_pages_are_not_lost(self, bench: ChannelBench, seed: int, many: int) -> None:
        """Buyers pay and cancel while the walk reads; what changed after its bound comes with the next walk."""
        product = bench.product(stock=2 * many)
        unpaid = []
        for _ in range(many):
            unpaid.append(bench.sim.place_order([(product.remote_key, 1)], paid=False))
            await bench.clock.sleep(1)
        rng = Random(seed)
        placed = list(unpaid)

        def buyers(request: httpx.Request) -> None:
            for _ in range(min(3, len(unpaid))):
                order_id = unpaid.pop(rng.randrange(len(unpaid)))
                if rng.random() < 0.7:
                    bench.sim.pay(order_id)
                else:
                    bench.sim.cancel(order_id)
            placed.append(bench.sim.place_order([(product.remote_key, 1)]))

        bench.tap.before.append(buyers)
        bench.tap.stall_s = 0.7
        first = await bench.walk()
        bench.tap.before.clear()
        bench.tap.stall_s = 0.0
        await bench.clock.sleep(bench.connector.capabilities.visibility_delay_s + 5)
        closed = first[-1].closes
        assert closed is not None
        seen = latest([*first, *await bench.walk(closed)])
        assert set(placed) <= set(seen), "lost orders"
        truth = {order.remote_id: order for order in (await bench.connector.orders_by_id(placed)).found}
        stale = [key for key in placed if stages(seen[key]) != stages(truth[key])]
        assert not stale, "the last version of an order was never delivered"

    @on_bench()
    async def test_resuming_after_any_page_loses_nothing(self, bench: ChannelBench, many: int) -> None:
        """The process dies after a page was committed; meanwhile buyers go on. The walk resumes from mark and progress."""
        product = bench.product(stock=2 * many)
        placed = []
        step_s = 3 * bench.connector.capabilities.overlap_s / many  # the overlap alone must not save a lost page
        for number in range(many):
            placed.append(bench.sim.place_order([(product.remote_key, 1)]))
            await bench.clock.sleep(step_s * (number % 3))
        await bench.clock.sleep(2 * bench.connector.capabilities.overlap_s)
        cut = 0
        while True:
            pages: list[Page] = []
            mark = Mark(START)
            async for page in bench.connector.pages(Stream.ORDERS, mark):
                pages.append(page)
                mark = Mark(mark.at, page.progress) if page.closes is None else Mark(page.closes)
                if len(pages) > cut:
                    break
            else:
                assert cut, "a walk without pages"
                return
            await bench.restart()
            await bench.clock.sleep(3)
            touched = placed[1 + 2 * cut]
            bench.sim.cancel(touched)
            await bench.clock.sleep(bench.connector.capabilities.visibility_delay_s + 5)
            rest = await bench.walk(mark.at, progress=mark.progress)
            closed = rest[-1].closes
            assert closed is not None
            seen = latest([*pages, *rest, *await bench.walk(closed)])
            assert set(placed) <= set(seen), f"lost after a crash behind page {cut + 1}"
            assert stages(seen[touched]) == stages(await bench.order(touched))
            cut += 1

    @on_bench()
    async def test_rows_that_come_twice_are_one_order(self, bench: ChannelBench) -> None:
        product = bench.product()
        placed = [bench.sim.place_order([(product.remote_key, 2)]) for _ in range(5)]
        await bench.clock.sleep(30)
        once = latest(await bench.walk())

        def doubled(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            value = json_of(response)
            return response if value is None else rebuilt(response, mapped(value, _doubled_orders(placed)))

        await bench.restart()
        bench.tap.edits.append(doubled)
        try:
            rows = orders_in(await bench.walk())
        except SellersyncError:
            return  # loud, and the window is walked again
        assert {order.remote_id for order in rows} == set(placed)
        assert all(order == once[order.remote_id] for order in rows)

    @on_bench()
    async def test_a_repeated_page_ends_cleanly(self, bench: ChannelBench, many: int) -> None:
        """The provider answers with its first page again and again, cursor included (B18)."""
        product = bench.product(stock=2 * many)
        placed = {bench.sim.place_order([(product.remote_key, 1)]) for _ in range(many)}
        await bench.clock.sleep(30)
        await bench.walk()
        usual = list(bench.tap.calls)
        for name in dict.fromkeys(call.name for call in usual):
            if sum(call.name == name for call in usual) < 2:
                continue
            await bench.restart()
            begun = len(bench.tap.calls)
            bench.tap.edits = [only_the_first(name)]
            pages: list[Page] = []
            try:
                async for page in bench.connector.pages(Stream.ORDERS, Mark(START)):
                    pages.append(page)
            except SellersyncError:
                continue
            finally:
                spent = len(bench.tap.calls) - begun
                assert spent < 10 * len(usual) + SPARE_CALLS_MAX, f"{spent} calls where {len(usual)} are usual"
            told = [sentence for page in pages for sentence in page.skipped]
            assert set(latest(pages)) == placed or told, f"orders were lost in silence when {name} stood still"

    @on_bench()
    async def test_an_empty_window_closes(self, bench: ChannelBench) -> None:
        await bench.clock.sleep(600)
        for stream in sorted(bench.connector.capabilities.streams):
            pages = await bench.walk(stream=stream)
            assert not [row for page in pages for row in page.rows]
            check_closes(pages, START, bench.clock.now())

    @on_bench()
    async def test_the_same_walk_twice_gives_equal_orders(self, bench: ChannelBench) -> None:
        first, second = bench.products(2)
        bench.sim.place_order([(first.remote_key, 2), (second.remote_key, 1)])
        bench.sim.place_order([(second.remote_key, 1)], paid=False)
        bench.sim.cancel(bench.sim.place_order([(first.remote_key, 3)]))
        await bench.clock.sleep(30)
        rows = orders_in(await bench.walk())
        assert len(rows) == 3
        await bench.restart()
        assert orders_in(await bench.walk()) == rows

    @on_bench()
    async def test_the_mark_overlaps_and_old_orders_come_no_more(self, bench: ChannelBench) -> None:
        product = bench.product()
        old = bench.sim.place_order([(product.remote_key, 1)])
        await bench.clock.sleep(bench.connector.capabilities.overlap_s * 4 + DAY_S)
        closed = (await bench.walk())[-1].closes
        assert closed is not None
        await bench.clock.sleep(60)
        new = bench.sim.place_order([(product.remote_key, 1)])
        await bench.clock.sleep(bench.connector.capabilities.visibility_delay_s + 5)
        seen = latest(await bench.walk(closed))
        assert new in seen
        assert old not in seen, "the mark has no effect"

    @on_bench()
    async def test_the_very_second_of_the_mark_loses_nothing(self, bench: ChannelBench) -> None:
        """Providers count seconds: what changes in the second in which a window closes may come behind its last page."""
        product = bench.product()
        early = bench.sim.place_order([(product.remote_key, 1)])
        await bench.clock.sleep(bench.connector.capabilities.visibility_delay_s)
        pages = await bench.walk()
        late = bench.sim.place_order([(product.remote_key, 1)], paid=False)
        closed = pages[-1].closes
        assert closed is not None
        await bench.clock.sleep(bench.connector.capabilities.visibility_delay_s + 5)
        seen = latest([*pages, *await bench.walk(closed)])
        assert set(seen) == {early, late}

    @on_bench()
    async def test_a_change_is_a_newer_version(self, bench: ChannelBench) -> None:
        product = bench.product()
        order_id = bench.sim.place_order([(product.remote_key, 1)], paid=False)
        before = await bench.order(order_id)
        await bench.clock.sleep(10)
        bench.sim.pay(order_id)
        await bench.clock.sleep(10)
        after = await bench.order(order_id)
        assert after.updated_at > before.updated_at
        assert after.created_at == before.created_at
        assert after.updated_at.utcoffset() == timedelta(0), "times are aware UTC"

    @on_bench()
    async def test_orders_are_read_by_id_in_legal_batches(self, bench: ChannelBench) -> None:
        product = bench.product(stock=300)
        placed = [bench.sim.place_order([(product.remote_key, 1)]) for _ in range(120)]
        answer = await bench.connector.orders_by_id([*placed, placed[0]])
        assert sorted(order.remote_id for order in answer.found) == sorted(placed)
        assert answer.gone == ()
        nothing = await bench.connector.orders_by_id([])
        assert (nothing.found, nothing.gone) == ((), ())

    @on_bench()
    async def test_one_unknown_id_does_not_sink_a_read(self, bench: ChannelBench) -> None:
        product = bench.product()
        placed = [bench.sim.place_order([(product.remote_key, 1)]) for _ in range(12)]
        stranger = placed[5][:-3] + ("777" if placed[5][-3:] != "777" else "778")
        answer = await bench.connector.orders_by_id([*placed[:6], stranger, *placed[6:]])
        assert sorted(order.remote_id for order in answer.found) == sorted(placed)
        assert answer.gone == (stranger,)

    @on_bench()
    async def test_streams_that_are_not_declared_are_refused_before_any_call(self, bench: ChannelBench) -> None:
        for stream in set(Stream) - bench.connector.capabilities.streams:
            with pytest.raises(NotSupported):
                await bench.walk(stream=stream)
        assert not bench.tap.calls

    @on_bench()
    async def test_declared_streams_give_rows_of_their_kind(self, bench: ChannelBench) -> None:
        product = bench.product()
        bench.sim.cancel(bench.sim.place_order([(product.remote_key, 1)]))
        await bench.clock.sleep(30)
        for stream in bench.connector.capabilities.streams:
            rows = [row for page in await bench.walk(stream=stream) for row in page.rows]
            if stream is Stream.ORDERS:
                assert all(isinstance(row, Order) for row in rows)
            elif stream is Stream.TRASH:
                assert all(isinstance(row, Gone) for row in rows)
            else:
                assert not [row for row in rows if isinstance(row, Order)]


def only_the_first(name: tuple[str, str]) -> Any:
    """Edit: every answer to (method, path) is its first one."""
    first: list[httpx.Response] = []

    def edit(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if (request.method, request.url.path) != name:
            return response
        first.append(response)
        return first[0]

    return edit


def _doubled_orders(order_ids: Sequence[str]) -> Any:
    """Repeats the rows of lists in which every row belongs to another order."""
    known = set(order_ids)

    def change(path: Any, value: Any) -> Any:
        if not (isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value)):
            return value
        owners = [known & {str(cell) for cell in row.values() if isinstance(cell, str | int)} for row in value]
        if all(owners) and len(set().union(*owners)) == len(value):
            return [*value, *value]
        return value

    return change
