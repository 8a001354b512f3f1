"""Own-site parcels follow their order until they are booked."""

from __future__ import annotations

from pathlib import Path

from simulation import in_virtual_time, simulate

from sellersync.jobs import book_couriers, pull_orders

SKUS = {"KOPI-250": 30, "TEH-100": 30}


def test_a_unit_cancelled_before_booking_leaves_the_parcel(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops(SKUS)
            shop = s.shop("woocommerce")
            assert s.courier is not None
            s.courier.off = True
            order_id = s.order("woocommerce", {"KOPI-250": 3, "TEH-100": 1})
            await pull_orders.run(s.app.world, shop)
            await book_couriers.run(s.app.world, shop)
            assert s.query("SELECT COUNT(*) FROM parcel_unit WHERE live")[0][0] == 4
            assert order_id is not None
            s.sims["woocommerce"].cancel(order_id, items=[(s.keys["woocommerce"]["KOPI-250"], 2)])
            await s.clock.sleep(60)
            await pull_orders.run(s.app.world, shop)
            assert s.query("SELECT COUNT(*) FROM parcel_unit WHERE live")[0][0] == 2
            s.courier.off = False
            await s.clock.sleep(900)
            await s.settle(3)
            booked = next(iter(s.courier.bookings().values()))
            assert s.query("SELECT state FROM parcel")[0][0] == "booked"
            assert len(s.courier.bookings()) == 1
            assert booked["reference"].endswith("-1")

    in_virtual_time(body)


def test_a_courier_out_of_service_leaves_the_site_alone(tmp_path: Path) -> None:
    """L8: the site's own orders and numbers go on while its courier is down."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce", "shopee")) as s:
            await s.start_shops(SKUS)
            assert s.courier is not None
            s.courier.off = True
            s.order("woocommerce", {"KOPI-250": 1})
            s.order("shopee", {"KOPI-250": 1})
            await s.settle(3)
            states = dict(s.query("SELECT slug, state FROM channel"))
            assert states == {"woocommerce": "ok", "shopee": "ok", "biteship": "trouble"}
            assert s.levels("KOPI-250") == {"woocommerce": 28, "shopee": 28}
            s.courier.off = False
            await s.clock.sleep(900)
            await s.settle(2)
            assert dict(s.query("SELECT slug, state FROM channel"))["biteship"] == "ok"
            assert s.query("SELECT state FROM parcel WHERE courier_channel_id IS NOT NULL")[0][0] == "booked"

    in_virtual_time(body)
