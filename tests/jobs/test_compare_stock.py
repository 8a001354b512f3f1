"""What a channel shows is evidence, never a movement (L4); each difference has a class and a policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulation import Simulation, in_virtual_time, simulate
from sqlalchemy import text

from sellersync.domain.differences import Difference, DifferencePolicy, Seen, classify
from sellersync.domain.errors import BadInput, Temporary
from sellersync.jobs import compare_stock, push_stock
from sellersync.store import differences

SKUS = {"KOPI-250": 30}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Seen(10, 10, 10), None),
        (Seen(None, 10, 10), Difference.UNKNOWN_TARGET),
        (Seen(9, None, None), Difference.PUSH_IN_FLIGHT),
        (Seen(9, None, None, refused=True), Difference.PUSH_REFUSED),
        (Seen(9, 10, 9), Difference.ORDER_NOT_SEEN),
        (Seen(9, 10, None), Difference.ORDER_NOT_SEEN),
        (Seen(10, 10, 9), None),
        (Seen(12, 10, 10, refused=True), Difference.PUSH_REFUSED),
        (Seen(15, 10, 10, pot_before=5, pot_now=0), Difference.CAMPAIGN_RETURN),
        (Seen(14, 10, 10, pot_before=5, pot_now=0), Difference.EDITED_BY_HAND),
        (Seen(15, 10, 10, pot_before=5, pot_now=None), Difference.EDITED_BY_HAND),
        (Seen(6, 10, 10, pot_before=None, pot_now=4), None),
        (Seen(5, 10, 10, pot_before=0, pot_now=4), Difference.EDITED_BY_HAND),
        (Seen(7, 10, 10), Difference.EDITED_BY_HAND),
    ],
)
def test_classes(seen: Seen, expected: Difference | None) -> None:
    assert classify(seen) is expected


def edit_by_hand(s: Simulation, slug: str, number: int) -> None:
    """Somebody types a number into the seller centre."""
    product: Any = next(product for product in s.sims[slug].products() if product.seller_sku == "KOPI-250")
    for location in product.shown:
        product.shown[location] = number


@pytest.mark.parametrize("policy", [DifferencePolicy.OVERWRITE, DifferencePolicy.REPORT])
def test_a_number_edited_on_the_channel(tmp_path: Path, policy: DifferencePolicy) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee", "tokopedia"), courier=False) as s:
            world = s.app.world
            world.policy = replace(world.policy, differences={Difference.EDITED_BY_HAND: policy})
            await s.start_shops(SKUS)
            movements = s.query("SELECT COUNT(*) FROM movement")[0][0]
            edit_by_hand(s, "shopee", 44)
            assert s.levels("KOPI-250")["shopee"] == 44
            shop = s.shop("shopee")
            run = await compare_stock.run(world, shop)
            assert run is not None
            assert run.counts["edited_by_hand"] == 1
            details = s.query("SELECT details FROM finding WHERE kind = 'difference' AND closed_ms IS NULL")
            assert '"shown": 44' in details[0][0]
            await push_stock.run(world, shop)
            assert s.levels("KOPI-250")["shopee"] == (30 if policy is DifferencePolicy.OVERWRITE else 44)
            assert s.query("SELECT COUNT(*) FROM movement")[0][0] == movements
            if policy is DifferencePolicy.OVERWRITE:
                await compare_stock.run(world, shop)
                assert (
                    s.query("SELECT COUNT(*) FROM finding WHERE kind = 'difference' AND closed_ms IS NULL")[0][0] == 0
                )

    in_virtual_time(body)


def test_a_person_adopts_the_number(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee", "tokopedia"), courier=False) as s:
            world = s.app.world
            world.policy = replace(world.policy, differences={Difference.EDITED_BY_HAND: DifferencePolicy.ADOPT})
            await s.start_shops(SKUS)
            edit_by_hand(s, "shopee", 33)
            shop = s.shop("shopee")
            await compare_stock.run(world, shop)
            key = s.keys["shopee"]["KOPI-250"]
            now_ms = world.ledger.now_ms()
            world.ledger.write_now(
                lambda session: differences.adopt(session, shop.id, key, shown=33, now_ms=now_ms, who="Sari")
            )
            await s.settle(2)
            assert s.balances("KOPI-250")["available"] == 33
            assert s.levels("KOPI-250") == {"shopee": 33, "tokopedia": 33}

    in_virtual_time(body)


def test_nothing_is_compared_before_the_first_walk_is_complete(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            assert await compare_stock.run(s.app.world, s.shop("shopee")) is None
            assert await compare_stock.run(s.app.world, s.shop("shopee"), force=True) is None

    in_virtual_time(body)


def test_a_number_is_not_adopted_against_another_expectation_than_the_person_saw(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee", "tokopedia"), courier=False) as s:
            await s.start_shops(SKUS)
            world, shop, key = s.app.world, s.shop("shopee"), s.keys["shopee"]["KOPI-250"]
            movements = s.query("SELECT COUNT(*) FROM movement")[0][0]
            s.order("tokopedia", {"KOPI-250": 1})
            await s.settle(2)
            moved = s.query("SELECT COUNT(*) FROM movement")[0][0]
            assert moved > movements

            def adopt(shown: int, agreed: int) -> None:
                now_ms = world.ledger.now_ms()
                world.ledger.write_now(
                    lambda session: differences.adopt(
                        session, shop.id, key, shown=shown, now_ms=now_ms, who="Sari", agreed_expected=agreed
                    )
                )

            with pytest.raises(Temporary):
                adopt(33, 30)  # 29 is expected now
            with pytest.raises(BadInput):
                adopt(29, 29)
            with pytest.raises(BadInput):
                world.ledger.read_now(lambda session: differences.adoptable(session, shop.id, "no such key"))
            assert s.query("SELECT COUNT(*) FROM movement")[0][0] == moved
            world.ledger.write_now(lambda session: differences.overwrite(session, shop.id, key))
            with pytest.raises(Temporary):
                adopt(33, 29)  # our number is on its way there

    in_virtual_time(body)


def test_overwriting_sends_a_number_that_was_refused_once_more(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee", "tokopedia"), courier=False) as s:
            await s.start_shops(SKUS)
            world, shop, key = s.app.world, s.shop("shopee"), s.keys["shopee"]["KOPI-250"]
            now_ms = world.ledger.now_ms()
            world.ledger.write_now(
                lambda session: session.execute(
                    text(
                        "UPDATE target SET blocked = 'campaign_locked', blocked_level = 30, blocked_ms = :now WHERE remote_key = :k"
                    ),
                    {"now": now_ms, "k": key},
                )
            )
            edit_by_hand(s, "shopee", 12)
            await compare_stock.run(world, shop)
            assert [
                (row.remote_key, row.difference, row.policy, row.shown, row.expected)
                for row in world.ledger.read_now(differences.open_differences)
            ] == [(key, Difference.PUSH_REFUSED, DifferencePolicy.REPORT, 12, 30)]
            await push_stock.run(world, shop)
            assert s.levels("KOPI-250")["shopee"] == 12
            world.ledger.write_now(lambda session: differences.overwrite(session, shop.id, key))
            await push_stock.run(world, shop)
            assert s.levels("KOPI-250")["shopee"] == 30
            await compare_stock.run(world, shop)
            assert world.ledger.read_now(differences.open_differences) == []

    in_virtual_time(body)
