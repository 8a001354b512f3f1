"""Tracking through the whole core: later prices, trouble of one courier account, and a daemon that is about to end."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulation import Simulation, in_virtual_time, simulate

from sellersync.jobs import book_couriers, pull_orders, track_parcels

SKUS = {"KOPI-250": 60}
DAY_S = 86_400.0


async def booked(s: Simulation, count: int, slug: str = "woocommerce") -> list[str]:
    """So many orders, each with a booked parcel; the courier's bookings."""
    for _ in range(count):
        assert s.order(slug, {"KOPI-250": 1})
    await s.clock.sleep(900)
    await pull_orders.run(s.app.world, s.shop(slug))
    await book_couriers.run(s.app.world, s.shop(slug))
    assert s.courier is not None
    bookings = list(s.courier.bookings())
    assert len(bookings) == count
    return bookings


@pytest.mark.parametrize("courier", ["biteship", "kiriminaja"])
def test_the_price_after_weighing_again_is_kept_apart(tmp_path: Path, courier: str) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",), courier_providers=(courier,)) as s:
            await s.start_shops(SKUS)
            [booking] = await booked(s, 1)
            shop = s.shop("woocommerce")
            await track_parcels.run(s.app.world, shop)
            [(charged, adjusted)] = s.query("SELECT charged, adjusted FROM parcel")
            assert charged
            assert adjusted is None
            s.courier.collect(booking)  # type: ignore[union-attr]
            weighed = (
                charged + 4_000 if courier == "biteship" else 4_000
            )  # the one names the new price, the other the difference
            s.courier.reweigh(booking, weighed)  # type: ignore[union-attr]
            await s.clock.sleep(10)
            await track_parcels.run(s.app.world, shop)
            assert [tuple(row) for row in s.query("SELECT charged, adjusted FROM parcel")] == [
                (charged, charged + 4_000)
            ]

    in_virtual_time(body)


def test_a_daemon_that_is_about_to_end_does_not_look_at_all_parcels(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops(SKUS)
            await booked(s, 12)
            world, shop = s.app.world, s.shop("woocommerce")
            await s.clock.sleep(60)
            looks = 0
            account = world.couriers[0].courier
            asked = account.booking

            async def counted(booking_id: str) -> object:
                nonlocal looks
                looks += 1
                world.stopping = looks == 3  # the signal comes during the third call
                return await asked(booking_id)

            account.booking = counted  # type: ignore[method-assign, assignment]
            run = await track_parcels.run(world, shop)
            assert run is not None
            assert run.ok
            assert (looks, run.counts["looked"], run.counts["left_for_later"]) == (3, 3, 9)
            world.stopping = False
            account.booking = asked  # type: ignore[method-assign]
            run = await track_parcels.run(world, shop)
            assert run is not None
            assert run.counts["looked"] == 9  # those that were left are due at once

    in_virtual_time(body)


def test_a_status_that_nobody_knows_is_counted_and_takes_nothing_back(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops(SKUS)
            [booking] = await booked(s, 1)
            assert s.courier is not None
            shop = s.shop("woocommerce")
            s.courier.collect(booking)
            await s.clock.sleep(10)
            await track_parcels.run(s.app.world, shop)
            s.courier._depot.parcels[booking].status = "gone_fishing"  # type: ignore[attr-defined]
            for _ in range(2):
                await s.clock.sleep(10)
                run = await track_parcels.run(s.app.world, shop)
                assert run is not None
                assert run.counts["unknown_status"] == 1
            assert [tuple(row) for row in s.query("SELECT state, remote_status FROM parcel")] == [
                ("picked_up", "gone_fishing")
            ]
            statuses = [row[0] for row in s.query("SELECT remote_status FROM parcel_event ORDER BY id")]
            assert statuses.count("gone_fishing") == 1

    in_virtual_time(body)


def test_late_shipments_are_found_while_the_channel_is_down(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",)) as s:
            await s.start_shops(SKUS)
            s.order("shopee", {"KOPI-250": 1})
            await s.clock.sleep(60)
            await pull_orders.run(s.app.world, s.shop("shopee"))
            s.sims["shopee"].off = True
            await s.clock.sleep(10 * DAY_S)
            await pull_orders.run(s.app.world, s.shop("shopee"))
            assert await track_parcels.run(s.app.world, s.shop("shopee")) is None
            assert s.query("SELECT COUNT(*) FROM finding WHERE kind = 'shipment_late' AND closed_ms IS NULL")[0][0] == 1

    in_virtual_time(body)
