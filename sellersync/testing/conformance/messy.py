"""What providers send in bad moods: unknown words, missing and strange fields. Unknown is loud, never guessed (L7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Page
from sellersync.domain.orders import Order, OrderState, UnitStage

from . import damage
from .base import Conformance, on_bench
from .bench import ChannelBench, open_units
from .damage import Damage, each_damage, judge_orders
from .tap import Call, json_of, mapped, rebuilt
from .walks import latest

NEVER_SEEN = "a_status_never_seen"
NEW_FIELD = "a_new_field"
DAMAGES = (
    damage.missing,
    damage.null,
    damage.number_as_text,
    damage.text_as_number,
    damage.stray_blanks,
    damage.wrong_kind,
)
every_damage = pytest.mark.parametrize("harm", DAMAGES, ids=[harm.__name__ for harm in DAMAGES])


async def small_shop(bench: ChannelBench) -> list[str]:
    """A paid order of two products that may be shipped, an unpaid one and a cancelled one."""
    first, second = bench.products(2)
    placed = [
        bench.sim.place_order([(first.remote_key, 2), (second.remote_key, 1)]),
        bench.sim.place_order([(second.remote_key, 1)], paid=False),
        bench.sim.place_order([(first.remote_key, 3)]),
    ]
    await bench.clock.sleep(5)
    bench.sim.cancel(placed[2])
    await bench.clock.sleep(30)
    await bench.until_ready(placed[0])
    return placed


def told(pages: list[Page]) -> list[str]:
    return [sentence for page in pages for sentence in page.skipped]


async def seen_normally(bench: ChannelBench) -> tuple[dict[str, Order], list[Call]]:
    """What a walk delivers when nothing is damaged, and the calls that it took."""
    begun = len(bench.tap.calls)
    return latest(await bench.walk()), bench.tap.calls[begun:]


class Messy(Conformance):
    """Reading orders, listings and levels from damaged replies."""

    @every_damage
    @on_bench()
    async def test_a_damaged_field_is_never_guessed(self, bench: ChannelBench, harm: Damage) -> None:
        await small_shop(bench)
        truth, calls = await seen_normally(bench)

        async def run() -> str:
            pages = await bench.walk()
            return judge_orders(truth, latest(pages), told(pages), exact=harm in damage.HARMLESS)

        findings = await each_damage(bench, calls, harm, run)
        assert not findings, "\n".join(findings)

    @every_damage
    @on_bench()
    async def test_a_damaged_read_by_id_is_never_guessed(self, bench: ChannelBench, harm: Damage) -> None:
        placed = await small_shop(bench)
        begun = len(bench.tap.calls)
        truth = {order.remote_id: order for order in (await bench.connector.orders_by_id(placed)).found}
        calls = bench.tap.calls[begun:]

        async def run() -> str:
            answer = await bench.connector.orders_by_id(placed)
            found = {order.remote_id: order for order in answer.found}
            return judge_orders(truth, found, [*answer.skipped, *answer.gone], exact=harm in damage.HARMLESS)

        findings = await each_damage(bench, calls, harm, run)
        assert not findings, "\n".join(findings)

    @every_damage
    @on_bench()
    async def test_a_damaged_level_is_never_guessed(self, bench: ChannelBench, harm: Damage) -> None:
        products = bench.products(2, stock=7)
        targets = [want.target for want in bench.wants({product.remote_key: 0 for product in products})]
        begun = len(bench.tap.calls)
        await bench.connector.levels(targets)
        calls = bench.tap.calls[begun:]

        async def run() -> str:
            shown = await bench.connector.levels(targets)
            wrong = [level for level in shown if level.shown not in (None, 7) or level.held_aside not in (None, 0)]
            return f"shows {wrong[0].shown}, held aside {wrong[0].held_aside}" if wrong else ""

        findings = await each_damage(bench, calls, harm, run)
        assert not findings, "\n".join(findings)

    @every_damage
    @on_bench()
    async def test_a_damaged_listing_never_crashes(self, bench: ChannelBench, harm: Damage) -> None:
        bench.products(2, stock=7)
        begun = len(bench.tap.calls)
        known = {row.key for rows in [page async for page in bench.connector.listings()] for row in rows}
        calls = bench.tap.calls[begun:]

        async def run() -> str:
            rows = [row for rows in [page async for page in bench.connector.listings()] for row in rows]
            strangers = {row.key for row in rows} - known
            wrong = [row for row in rows if row.shown not in (None, 7)]
            return (
                f"listings that do not exist: {strangers}" if strangers else f"shows {wrong[0].shown}" if wrong else ""
            )

        findings = await each_damage(bench, calls, harm, run)
        assert not findings, "\n".join(findings)

    @on_bench()
    async def test_unknown_fields_change_nothing(self, bench: ChannelBench) -> None:
        await small_shop(bench)
        truth, _ = await seen_normally(bench)
        await bench.restart()

        def surprise(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            def change(path: Any, value: Any) -> Any:
                new = isinstance(value, dict) and NEW_FIELD not in path
                return {**value, NEW_FIELD: {"rows": [1, None]}} if new else value

            value = json_of(response)
            return response if value is None else rebuilt(response, mapped(value, change))

        bench.tap.edits.append(surprise)
        assert latest(await bench.walk()) == truth

    @on_bench()
    async def test_an_unknown_status_reserves_in_full_and_is_shown(self, bench: ChannelBench) -> None:
        """B9: never mapped to something likely, never released, never booked."""
        placed = await small_shop(bench)
        truth, _ = await seen_normally(bench)
        for order_id in placed:
            words = set(re.findall(r"[\w-]+", truth[order_id].remote_status)) | {truth[order_id].remote_status}
            await bench.restart()
            bench.tap.edits = [_in_order(order_id, words, set(truth) - {order_id})]
            pages = await bench.walk()
            found = latest(pages)
            for other in set(placed) - {order_id}:
                assert found[other] == truth[other], "an unknown status of one order changed another"
            order = found.get(order_id)
            if order is None:
                assert told(pages), f"the order in {truth[order_id].remote_status} is lost in silence"
                continue
            held = sum(open_units(order).values())
            assert order.state is OrderState.UNKNOWN or order.problems or order == truth[order_id], (
                f"{truth[order_id].remote_status} -> {NEVER_SEEN} was read as {order.state}"
            )
            if truth[order_id].state is not OrderState.CANCELLED:
                assert held == sum(line.quantity for line in order.lines), "an unknown status released units"

    @on_bench()
    async def test_one_unreadable_order_sinks_no_other(self, bench: ChannelBench) -> None:
        placed = await small_shop(bench)
        truth, _ = await seen_normally(bench)
        bad = placed[1]
        await bench.restart()

        def edit(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            def change(path: Any, value: Any) -> Any:
                if not (isinstance(value, Mapping) and bad in {str(cell) for cell in value.values()}):
                    return value
                return {key: cell if str(cell) == bad else {"torn": [1]} for key, cell in value.items()}

            value = json_of(response)
            return response if value is None else rebuilt(response, mapped(value, change))

        bench.tap.edits = [edit]
        pages = await bench.walk()
        found = latest(pages)
        for order_id in set(placed) - {bad}:
            assert found.get(order_id) == truth[order_id], "an unreadable order sank another"
        assert told(pages) or (bad in found and found[bad].problems), "an unreadable order is lost in silence"
        if bad in found:
            assert not [unit for line in found[bad].lines for unit in line.units if unit.stage is UnitStage.CANCELLED]

    @on_bench()
    async def test_stray_blanks_in_seller_skus_are_no_part_of_them(self, bench: ChannelBench) -> None:
        bench.sim.add_product(" SKU BLANK\t", "Barang", price=10_000, stock=5)
        [product] = bench.sim.products()
        order = await bench.order(bench.sim.place_order([(product.remote_key, 1)]))
        rows = [row for rows in [page async for page in bench.connector.listings()] for row in rows]
        assert {row.seller_sku for row in rows} == {"SKU BLANK"}
        assert [line.seller_sku for line in order.lines] == ["SKU BLANK"]


def _in_order(order_id: str, words: set[str], others: set[str]) -> Any:
    """Replaces the words wherever they stand alone in objects that belong to the order and to no other."""

    def owned(value: Any) -> set[str]:
        return {str(inner) for _, inner in damage.nodes(value) if isinstance(inner, str | int)}

    def edit(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        def change(path: Any, value: Any) -> Any:
            if isinstance(value, dict) and order_id in owned(value) and not owned(value) & others:
                return mapped(
                    value, lambda _, inner: NEVER_SEEN if isinstance(inner, str) and inner in words else inner
                )
            return value

        value = json_of(response)
        return response if value is None else rebuilt(response, mapped(value, change))

    return edit
