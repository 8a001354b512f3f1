"""Counting orders by their time of creation: the second listing that proves that no walk left one out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx

from sellersync.domain.errors import SellersyncError

from .base import Conformance, not_offered, on_bench
from .bench import ChannelBench
from .tap import json_of, mapped, rebuilt
from .walks import DAY_S, SPARE_CALLS_MAX, latest, only_the_first

MARGIN_S = 10


def require_counting(bench: ChannelBench) -> None:
    """The connector counts placed orders, or the test is left out with the reason."""
    if not bench.connector.capabilities.counts_placed:
        not_offered(bench.connector.capabilities.unsupported.get("placed", "it lists no orders by their creation"))


async def whole_second(bench: ChannelBench) -> datetime:
    """Wait for the next whole second of the provider's clock and return it."""
    now_s = bench.sim.clock()
    await bench.clock.sleep(int(now_s) + 1 - now_s)
    return datetime.fromtimestamp(round(bench.sim.clock()), UTC)


async def settled(bench: ChannelBench) -> None:
    """Until lists show everything that happened."""
    await bench.clock.sleep(bench.connector.capabilities.visibility_delay_s + MARGIN_S)


class Placed(Conformance):
    """`placed`."""

    @on_bench()
    async def test_every_order_of_a_window_is_counted_once_whatever_became_of_it(
        self, bench: ChannelBench, many: int
    ) -> None:
        require_counting(bench)
        product = bench.product(stock=3 * many)
        bench.sim.place_order([(product.remote_key, 1)])
        await bench.clock.sleep(60)
        since = await whole_second(bench)
        placed = []
        for number in range(many):
            placed.append(bench.sim.place_order([(product.remote_key, 1)], paid=number % 3 > 0 or number == many - 1))
            await bench.clock.sleep(number % 4)
        until = await whole_second(bench)
        bench.sim.place_order([(product.remote_key, 1)])
        for order_id in placed[: many // 4]:
            bench.sim.cancel(order_id)
        await bench.clock.sleep(DAY_S)
        bench.sim.cancel(placed[-1])  # changed days later: it stays an order of its day
        await settled(bench)
        counted = await bench.connector.placed(since, until)
        assert sorted(counted.ids) == sorted(placed)
        assert counted.by_field
        assert set(placed) <= set(latest(await bench.walk())), "the walk and the count name different ids"

    @on_bench()
    async def test_the_borders_are_exact_to_the_second(self, bench: ChannelBench) -> None:
        """[since, until): many orders in the second of either end."""
        require_counting(bench)
        product = bench.product(stock=1_000)
        placed: dict[datetime, list[str]] = {}
        for _ in range(6):
            at = await whole_second(bench)
            placed[at] = [bench.sim.place_order([(product.remote_key, 1)]) for _ in range(7)]
        await settled(bench)
        times = sorted(placed)
        for first, end in ((0, 5), (1, 4), (2, 3), (1, 2), (3, 3)):
            counted = await bench.connector.placed(times[first], times[end])
            wanted = [order_id for at in times[first:end] for order_id in placed[at]]
            assert sorted(counted.ids) == sorted(wanted), f"from second {first} to second {end}"

    @on_bench()
    async def test_a_day_beyond_every_cap_is_counted_whole(
        self, bench: ChannelBench, crowd: int, corner: dict[str, Any]
    ) -> None:
        """More orders than a provider pages through in one window (5,001 with `--conformance-size large`)."""
        require_counting(bench)
        product = bench.product(stock=2 * crowd)
        since = await whole_second(bench)
        placed = set()
        for number in range(crowd):
            placed.add(bench.sim.place_order([(product.remote_key, 1)]))
            if number % 3 == 0:
                await bench.clock.sleep(2)
        until = await whole_second(bench)
        await settled(bench)
        counted = await bench.connector.placed(since, until)
        assert len(counted.ids) == crowd
        assert set(counted.ids) == placed

    @on_bench()
    async def test_a_long_window_is_counted_whole(self, bench: ChannelBench) -> None:
        """Forty days: longer than providers list at a time."""
        require_counting(bench)
        product = bench.product()
        since = await whole_second(bench)
        placed = []
        for day in range(40):
            if day % 4 == 0:
                placed.append(bench.sim.place_order([(product.remote_key, 1)]))
            await bench.clock.sleep(DAY_S)
        bench.tokens.consent(bench.sim.first_grant())  # what was authorised before the pause may have ended
        await settled(bench)
        counted = await bench.connector.placed(since, await whole_second(bench))
        assert sorted(counted.ids) == sorted(placed)

    @on_bench()
    async def test_orders_that_change_while_they_are_counted_are_counted_once(
        self, bench: ChannelBench, seed: int, many: int
    ) -> None:
        """Buyers pay and cancel between two pages, and others buy: pages shift, or stay as they are."""
        require_counting(bench)
        product = bench.product(stock=3 * many)
        since = await whole_second(bench)
        placed = []
        for _ in range(many):
            placed.append(bench.sim.place_order([(product.remote_key, 1)], paid=False))
            await bench.clock.sleep(1)
        until = await whole_second(bench)
        await settled(bench)
        rng, unpaid = Random(seed), list(placed)

        def buyers(request: httpx.Request) -> None:
            for _ in range(min(3, len(unpaid))):
                order_id = unpaid.pop(rng.randrange(len(unpaid)))
                if rng.random() < 0.7:
                    bench.sim.pay(order_id)
                else:
                    bench.sim.cancel(order_id)
            bench.sim.place_order([(product.remote_key, 1)])

        bench.tap.before.append(buyers)
        try:
            counted = (await bench.connector.placed(since, until)).ids
        except SellersyncError:
            counted = tuple(placed)  # loud, and counted again later
        bench.tap.before.clear()
        assert len(counted) == len(set(counted))
        assert set(counted) <= set(placed)
        if bench.connector.capabilities.visibility_delay_s == 0:  # else a change hides an order for a moment
            assert set(counted) == set(placed)
        await settled(bench)
        assert sorted((await bench.connector.placed(since, until)).ids) == sorted(placed)

    @on_bench()
    async def test_a_repeated_page_is_never_a_short_count(self, bench: ChannelBench, many: int) -> None:
        """The provider answers with its first page again and again."""
        require_counting(bench)
        product = bench.product(stock=2 * many)
        since = await whole_second(bench)
        placed = [bench.sim.place_order([(product.remote_key, 1)]) for _ in range(many)]
        until = since + timedelta(seconds=60)
        await bench.clock.sleep(60)
        await settled(bench)
        begun = len(bench.tap.calls)
        await bench.connector.placed(since, until)
        usual = bench.tap.calls[begun:]
        for name in dict.fromkeys(call.name for call in usual):
            if sum(call.name == name for call in usual) < 2:
                continue
            await bench.restart()
            begun = len(bench.tap.calls)
            bench.tap.edits = [only_the_first(name)]
            try:
                counted = await bench.connector.placed(since, until)
            except SellersyncError:
                continue
            finally:
                spent = len(bench.tap.calls) - begun
                assert spent < 10 * len(usual) + SPARE_CALLS_MAX, f"{spent} calls where {len(usual)} are usual"
            assert sorted(counted.ids) == sorted(placed), f"orders were lost in silence when {name} stood still"

    @on_bench()
    async def test_an_order_without_an_id_is_loud(self, bench: ChannelBench) -> None:
        require_counting(bench)
        product = bench.product()
        since = await whole_second(bench)
        placed = [bench.sim.place_order([(product.remote_key, 1)]) for _ in range(3)]
        await bench.clock.sleep(60)
        await settled(bench)
        until = await whole_second(bench)
        assert len((await bench.connector.placed(since, until)).ids) == 3
        bad = placed[1]

        def torn(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            def change(path: Any, value: Any) -> Any:
                return None if bad in str(value) and not isinstance(value, dict | list) else value

            value = json_of(response)
            return response if value is None else rebuilt(response, mapped(value, change))

        await bench.restart()
        bench.tap.edits = [torn]
        try:
            counted = await bench.connector.placed(since, until)
        except SellersyncError:
            return
        assert bad in counted.ids, "an order that could not be read was counted as none"

    @on_bench()
    async def test_placed_holds_in_every_position(self, bench: ChannelBench, switches: dict[str, Any]) -> None:
        require_counting(bench)
        first, second = bench.products(2)
        since = await whole_second(bench)
        placed = [
            bench.sim.place_order([(first.remote_key, 2), (second.remote_key, 1)]),
            bench.sim.place_order([(second.remote_key, 1)], paid=False),
            bench.sim.place_order([(first.remote_key, 3)], cod=True),
        ]
        bench.sim.cancel(bench.sim.place_order([(first.remote_key, 1)]))
        await bench.clock.sleep(60)
        until = await whole_second(bench)
        await settled(bench)
        counted = await bench.connector.placed(since, until)
        assert len(counted.ids) == len(set(counted.ids)) == 4
        assert set(placed) < set(counted.ids)
