"""Money is exact to the rupiah: whole, explained by its parts, never rounded."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx
import pytest

from sellersync.domain.orders import Order

from .base import Conformance, on_bench
from .bench import ChannelBench
from .tap import json_of, mapped, rebuilt
from .walks import latest

AMOUNTS = ("total", "goods_total", "shipping_fee", "discount_total")


def amounts(order: Order) -> dict[str, int | None]:
    """Every amount of an order by name."""
    found = {name: getattr(order, name) for name in AMOUNTS}
    return found | {f"price of {line.listing}": line.unit_price for line in order.lines}


def respelled(numbers: set[int], spell: Callable[[int], Any]) -> Any:
    """The edit that writes these amounts in another way, wherever they stand (as numbers or as text)."""

    def change(path: Any, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return value
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            return value
        if not number.is_finite() or number != number.to_integral_value() or int(number) not in numbers:
            return value
        return spell(int(number))

    def edit(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        value = json_of(response)
        return response if value is None else rebuilt(response, mapped(value, change))

    return edit


class Money(Conformance):
    """Amounts of orders."""

    @on_bench()
    async def test_sums_are_explained_by_their_parts(self, bench: ChannelBench) -> None:
        first, second = bench.products(2)
        order = await bench.order(bench.sim.place_order([(first.remote_key, 2), (second.remote_key, 3)]))
        for name, amount in amounts(order).items():
            assert amount is None or type(amount) is int, f"{name} is {amount!r}"
        prices = {first.remote_key: first.price, second.remote_key: second.price}
        for line in order.lines:
            assert line.unit_price in (None, prices[line.listing])
        assert order.goods_total in (None, 2 * first.price + 3 * second.price)
        if None not in (order.total, order.goods_total, order.shipping_fee):
            explained = (order.goods_total or 0) + (order.shipping_fee or 0) - (order.discount_total or 0)
            assert order.total == explained, "the total is not goods + shipping - discounts"
        assert order.currency == "IDR"
        assert not order.problems

    @pytest.mark.parametrize(
        "spell",
        [
            pytest.param(lambda number: f"{number}.00", id="text_with_cents"),
            pytest.param(lambda number: float(number), id="float"),
            pytest.param(lambda number: f" {number} ", id="blanks"),
        ],
    )
    @on_bench()
    async def test_amounts_are_the_same_in_every_spelling(
        self, bench: ChannelBench, spell: Callable[[int], Any]
    ) -> None:
        order = await self._order(bench)
        await bench.restart()
        bench.tap.edits = [respelled(self._known(order), spell)]
        [found] = latest(await bench.walk()).values()
        for name, amount in amounts(order).items():
            assert amounts(found)[name] == amount or found.problems, name

    @pytest.mark.parametrize(
        "spell",
        [
            pytest.param(lambda number: f"{number}.50", id="text_with_half_a_rupiah"),
            pytest.param(lambda number: number + 0.25, id="fraction"),
            pytest.param(lambda number: f"{number // 1000}.{number % 1000:03}", id="indonesian_thousands"),
            pytest.param(lambda number: f"Rp{number}", id="currency_sign"),
            pytest.param(lambda number: float("nan"), id="not_a_number"),
        ],
    )
    @on_bench()
    async def test_what_is_no_whole_amount_is_never_rounded(
        self, bench: ChannelBench, spell: Callable[[int], Any]
    ) -> None:
        order = await self._order(bench)
        await bench.restart()
        bench.tap.edits = [respelled(self._known(order), spell)]
        pages = await bench.walk()
        found = latest(pages).get(order.remote_id)
        if found is None:
            assert [sentence for page in pages for sentence in page.skipped], "lost in silence"
            return
        for name, amount in amounts(found).items():
            assert amount in (None, amounts(order)[name]), f"{name} became {amount}"
        assert found.problems or all(amount is None for amount in amounts(found).values()), "nobody is told"

    async def _order(self, bench: ChannelBench) -> Order:
        product = bench.product()
        bench.sim.place_order([(product.remote_key, 2)])
        await bench.clock.sleep(30)
        [order] = latest(await bench.walk()).values()
        assert any(amount for amount in amounts(order).values()), "an order without any amount"
        return order

    def _known(self, order: Order) -> set[int]:
        return {amount for amount in amounts(order).values() if amount and amount >= 1000}
