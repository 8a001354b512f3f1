"""Goods that come back, from each simulator over the connectors and trips into the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulation import Simulation, in_virtual_time, simulate

SKUS = {"KOPI-250": 30}


async def delivered(s: Simulation, slug: str, units: int) -> str:
    """An order that its buyer has."""
    order_id = s.order(slug, {"KOPI-250": units})
    assert order_id is not None
    await s.cycle()
    await s.settle(2)
    sim: Any = s.sims[slug]
    for parcel in sim.arranged_parcels():
        sim.hand_over(parcel)
    await s.settle(2)
    for parcel in sim.arranged_parcels():
        sim.deliver(parcel)
    await s.settle(2)
    return order_id


def documents(s: Simulation) -> list[tuple[int, str, bool]]:
    """(units, state, known by the provider's return) of every document."""
    rows = s.query("SELECT quantity, state, remote_id <> '' FROM return_document ORDER BY id")
    return [(row[0], row[1], bool(row[2])) for row in rows]


@pytest.mark.parametrize("slug", ["shopee", "tokopedia", "lazada"])
def test_a_buyers_return_is_awaited_from_its_approval_until_it_is_withdrawn(tmp_path: Path, slug: str) -> None:
    agreed = {"shopee": "ACCEPTED", "tokopedia": "AWAITING_BUYER_SHIP", "lazada": "SELLER_AGREE_RETURN"}[slug]
    withdrawn = {"shopee": "CANCELLED", "tokopedia": "RETURN_OR_REFUND_REQUEST_CANCEL", "lazada": "REQUEST_CANCEL"}[
        slug
    ]

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            await s.start_shops(SKUS)
            order_id = await delivered(s, slug, 2)
            sim: Any = s.sims[slug]
            if slug == "shopee":
                name = sim.open_return(order_id, [(s.keys[slug]["KOPI-250"], 1)])
            else:
                name = sim.open_return(order_id)
            await s.settle(2)
            assert documents(s) == [], "nobody agreed yet"
            move = {"shopee": "move_return", "tokopedia": "advance_return", "lazada": "set_return_status"}[slug]
            getattr(sim, move)(name, agreed)
            await s.settle(2)
            assert documents(s) == [(1, "open", True)]
            assert s.balances("KOPI-250") == {"adjustment": -30, "available": 28, "returning": 1, "shipped": 1}
            getattr(sim, move)(name, withdrawn)
            await s.settle(2)
            assert documents(s) == [(1, "withdrawn", True)]
            assert s.balances("KOPI-250") == {"adjustment": -30, "available": 28, "shipped": 2}
            assert s.levels("KOPI-250") == {slug: 28}

    in_virtual_time(body)


def test_an_own_site_parcel_that_could_not_be_delivered_comes_back(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops(SKUS)
            assert s.order("woocommerce", {"KOPI-250": 2}) is not None
            await s.settle(2)
            assert s.courier is not None
            for step in ("picked", "return_in_transit"):
                for booking_id in s.courier.bookings():
                    s.courier.advance(booking_id, step)
                await s.settle(2)
            assert documents(s) == [(2, "open", False)]
            assert s.balances("KOPI-250") == {"adjustment": -30, "available": 28, "returning": 2}
            for booking_id in s.courier.bookings():
                s.courier.advance(booking_id, "returned")
            await s.settle(2)
            assert documents(s) == [(2, "open", False)]

    in_virtual_time(body)
