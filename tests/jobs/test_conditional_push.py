"""A channel with conditional writes: a number that changed unseen stops the push, is unknown from then on, and is put right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulation import Simulation, in_virtual_time, simulate

from sellersync.jobs import push_stock
from sellersync.sandbox.kit import Event

SKUS = {"KOPI-250": 30}


def pushes(s: Simulation) -> list[tuple[str, int, int | None]]:
    """(outcome, level, expected) of every push to the own site, oldest first."""
    rows = s.query(
        "SELECT push.outcome, push.level, push.expected FROM push JOIN target ON target.id = push.target_id "
        "JOIN channel ON channel.id = target.channel_id WHERE channel.slug = 'shopify' ORDER BY push.id"
    )
    return [(row[0], row[1], row[2]) for row in rows]


def expected(s: Simulation) -> int | None:
    number: int | None = s.query(
        "SELECT target.expected FROM target JOIN channel ON channel.id = target.channel_id WHERE channel.slug = 'shopify'"
    )[0][0]
    return number


def test_own_orders_move_the_expected_number(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopify", "shopee"), courier=False) as s:
            await s.start_shops(SKUS)
            await s.clock.sleep(60)
            s.order("shopify", {"KOPI-250": 2})
            await s.cycle()
            assert expected(s) == 28
            s.order("shopee", {"KOPI-250": 3})
            await s.cycle()
            assert pushes(s)[-1] == ("applied", 25, 28)
            await s.settle()
            assert s.levels("KOPI-250") == {"shopify": 25, "shopee": 25}

    in_virtual_time(body)


def test_a_changed_number_stops_the_push_and_is_put_right(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopify", "shopee"), courier=False) as s:
            await s.start_shops(SKUS)
            await s.clock.sleep(60)
            sim: Any = s.sims["shopify"]
            sim.edit_stock(s.keys["shopify"]["KOPI-250"], 4)
            s.order("shopee", {"KOPI-250": 3})
            before = len(sim.journal.entries(Event.LEVEL_SET))
            await s.cycle(["shopee"])
            await push_stock.run(s.app.world, s.shop("shopify"))
            assert ("unclear", 27, 30) in pushes(s)
            await s.settle()
            assert s.levels("KOPI-250") == {"shopify": 27, "shopee": 27}
            levels = [entry.data["level"] for entry in sim.journal.entries(Event.LEVEL_SET)[before:]]
            assert levels == [27], "one write, and none that was refused"
            assert pushes(s)[-1] == ("applied", 27, None)

    in_virtual_time(body)


@pytest.mark.parametrize("restocks", [True, False])
def test_a_cancellation_makes_the_number_unknown(tmp_path: Path, restocks: bool) -> None:
    async def body() -> None:
        switches = {"shopify": {"cancel_restocks": restocks}}
        async with simulate(tmp_path, marketplaces=("shopify",), courier=False, switches=switches) as s:
            await s.start_shops(SKUS)
            await s.clock.sleep(60)
            order_id = s.order("shopify", {"KOPI-250": 5})
            await s.cycle()
            s.sims["shopify"].cancel(str(order_id))
            await s.settle()
            assert s.levels("KOPI-250") == {"shopify": 30}
            assert s.balances("KOPI-250")["available"] == 30

    in_virtual_time(body)


@pytest.mark.parametrize("hours", [13, 30])
def test_tokens_are_had_again_with_the_apps_own_keys(tmp_path: Path, hours: int) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopify",), courier=False) as s:
            await s.start_shops(SKUS)
            grants = len(s.sims["shopify"].journal.entries(Event.TOKEN_ROTATED))
            for number in (1, 2):
                await s.clock.sleep(hours * 3600)
                s.order("shopify", {"KOPI-250": 1})
                await s.cycle()
                assert len(s.sims["shopify"].journal.entries(Event.TOKEN_ROTATED)) == grants + number
            assert s.balances("KOPI-250")["reserved"] == 2

    in_virtual_time(body)
