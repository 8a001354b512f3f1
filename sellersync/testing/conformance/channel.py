"""The suite for channels: all themes together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sellersync.domain.orders import Order
from sellersync.sandbox.kit import Event
from sellersync.testing.virtual import START

from .bench import ChannelBench
from .handback import HandBack
from .hygiene import SECRET_LENGTH_MIN, Hygiene
from .levels import Levels
from .messy import Messy, small_shop, told
from .money import Money
from .placed import Placed
from .settlements import Settlements
from .shipping import Shipping
from .switches import Switches
from .tokens import Tokens
from .walks import Walks, latest


class ChannelConformance(
    Walks, Placed, Messy, Money, Settlements, Levels, Shipping, HandBack, Tokens, Hygiene, Switches
):
    """What every channel must do. Subclass it in a file of your own and name the `provider`."""

    bench_class = ChannelBench

    async def stage(self, bench: ChannelBench) -> None:
        await small_shop(bench)

    async def look(self, bench: ChannelBench) -> tuple[dict[str, Order], list[str]]:
        pages = await bench.walk()
        return latest(pages), told(pages)

    async def crowd(self, bench: ChannelBench) -> None:
        product = bench.product(stock=1_000)
        for _ in range(230):
            bench.sim.place_order([(product.remote_key, 2)])
        await bench.clock.sleep(30)

    def errands(self, bench: ChannelBench) -> dict[str, Callable[[], Awaitable[Any]]]:
        product = bench.sim.products()[0]
        placed = bench.sim.journal.entries(Event.ORDER_PLACED)
        ids = [str(entry.data["order_id"]) for entry in placed]

        async def arrange() -> Any:
            order = await bench.order(ids[0])
            return await bench.connector.arrange(await bench.prepare(order))

        async def listings() -> Any:
            return [page async for page in bench.connector.listings()]

        known = super().errands(bench) | {
            "orders_by_id": lambda: bench.connector.orders_by_id(ids),
            "listings": listings,
            "levels": lambda: bench.connector.levels([want.target for want in bench.wants({product.remote_key: 0})]),
            "set_levels": lambda: bench.push({product.remote_key: 50 + len(bench.tap.calls) % 40}),
        }
        if bench.connector.capabilities.counts_placed:
            known["placed"] = lambda: bench.connector.placed(START, bench.clock.now())
        if bench.connector.capabilities.arranges:
            known |= {"parcels": lambda: bench.connector.parcels(ids[:1]), "arrange": arrange}
        return known

    async def private_words(self, bench: ChannelBench) -> set[str]:
        found, _ = await self.look(bench)
        buyers = [order.buyer for order in found.values() if order.buyer is not None and not order.buyer.masked]
        words = {getattr(buyer, name) for buyer in buyers for name in ("name", "phone", "email", "address")}
        return {word for word in words if len(word) >= SECRET_LENGTH_MIN}
