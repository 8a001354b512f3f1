"""The core books own-site parcels through KiriminAja, whatever happens to the calls: exactly one booking a parcel."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))

from simulation import Simulation, in_virtual_time, simulate

from sellersync.jobs import book_couriers, courier_funds, pull_orders
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync_kiriminaja.sandbox import KiriminAjaSandbox

SKUS = {"KOPI-250": 200, "TEH-100": 200}
PICKUP = "/request_pickup"


def courier_of(s: Simulation) -> KiriminAjaSandbox:
    assert isinstance(s.courier, KiriminAjaSandbox)
    return s.courier


def on_site(
    tmp_path: Path, body: Callable[[Simulation], Any], *, seed: int = 1, switches: dict[str, Any] | None = None
) -> None:
    async def run() -> None:
        async with simulate(
            tmp_path,
            seed=seed,
            marketplaces=("woocommerce",),
            courier_providers=("kiriminaja",),
            switches={"kiriminaja": switches or {}},
        ) as s:
            await s.start_shops(SKUS)
            await body(s)

    in_virtual_time(run)


async def trade(s: Simulation, *, seed: int, orders: int, faults: float, kinds: Sequence[FaultKind]) -> None:
    """Buyers and faults while the jobs run; then both stop and the jobs settle."""
    rng, courier = Random(seed), courier_of(s)

    async def daemon() -> None:
        while True:
            await s.cycle()
            await s.clock.sleep(5)

    task = asyncio.create_task(daemon())
    for _ in range(orders):
        await s.clock.sleep(rng.uniform(1, 40))
        s.order("woocommerce", {rng.choice(list(SKUS)): rng.randint(1, 3)}, cod=rng.random() < 0.3)
        if rng.random() < faults:
            booking_only = rng.random() < 0.7
            courier.faults.append(
                Fault(rng.choice(kinds), matches=_pickups if booking_only else _anything, times=rng.randint(1, 3))
            )
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    courier.faults.clear()
    await s.settle(rounds=30, pause_s=60)


def _pickups(_method: str, path: str) -> bool:
    return path.endswith(PICKUP)


def _anything(_method: str, _path: str) -> bool:
    return True


def assert_one_booking_a_parcel(s: Simulation, *, orders: int) -> None:
    arranged = courier_of(s).journal.entries(Event.PARCEL_ARRANGED)
    references = [entry.data["order_id"] for entry in arranged]
    rows = s.query(
        "SELECT parcel.id, parcel.remote_id, parcel.waybill, parcel.state FROM parcel WHERE courier_channel_id IS NOT NULL"
    )
    assert len(rows) == orders
    assert {row.state for row in rows} == {"booked"}
    assert sorted(references) == sorted(row.remote_id for row in rows), (
        "each parcel has one booking and each booking a parcel"
    )
    shown = courier_of(s).bookings()
    assert {row.remote_id: row.waybill for row in rows} == {one: shown[one]["waybill"] for one in shown}
    assert all(row.waybill for row in rows)
    assert s.query("SELECT COUNT(*) FROM claim WHERE state IN ('open', 'person')")[0][0] == 0


def test_own_site_orders_are_booked_and_get_their_waybill_later(tmp_path: Path) -> None:
    async def body(s: Simulation) -> None:
        shop = s.shop("woocommerce")
        s.order("woocommerce", {"KOPI-250": 2})
        s.order("woocommerce", {"TEH-100": 1}, cod=True)
        await pull_orders.run(s.app.world, shop)
        run = await book_couriers.run(s.app.world, shop)
        assert run is not None
        assert run.counts == {"booked": 2}
        assert {row[0] for row in s.query("SELECT waybill FROM parcel")} == {""}, "the waybill is always late"
        await s.settle(3)
        assert_one_booking_a_parcel(s, orders=2)
        total = s.query("SELECT total FROM sales_order WHERE cod")[0][0]
        assert [one["cod_amount"] for one in courier_of(s).bookings().values() if one["cod_amount"]] == [total]

    on_site(tmp_path, body)


@pytest.mark.parametrize("repeated", ["refused", "accepted"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_faults_at_random_moments_leave_one_booking_a_parcel(tmp_path: Path, seed: int, repeated: str) -> None:
    async def body(s: Simulation) -> None:
        courier_of(s).booking_read_lag_s = [0.0, 20.0, 45.0][seed % 3]
        await trade(s, seed=seed, orders=25, faults=0.6, kinds=list(FaultKind))
        assert_one_booking_a_parcel(s, orders=25)
        requests = courier_of(s).journal.entries(Event.REQUEST)
        struck = {entry.data["fault"] for entry in requests if entry.data["path"].endswith(PICKUP)}
        assert struck & {FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY}

    on_site(tmp_path, body, seed=seed, switches={"repeated_order_id": repeated})


@pytest.mark.parametrize("unknown", ["200_text", "404"])
def test_a_lost_answer_is_looked_up_and_adopted(tmp_path: Path, unknown: str) -> None:
    async def body(s: Simulation) -> None:
        courier = courier_of(s)
        courier.faults.append(Fault(FaultKind.DROP_AFTER, matches=_pickups))
        s.order("woocommerce", {"KOPI-250": 1})
        await s.settle(10)
        assert_one_booking_a_parcel(s, orders=1)
        sent = [entry for entry in courier.journal.entries(Event.REQUEST) if entry.data["path"].endswith(PICKUP)]
        assert len(sent) == 1, "it was found, not sent again"

    on_site(tmp_path, body, switches={"tracking_unknown": unknown, "repeated_order_id": "accepted"})


def test_a_lost_request_is_sent_again_with_the_same_reference(tmp_path: Path) -> None:
    async def body(s: Simulation) -> None:
        courier = courier_of(s)
        courier.faults.append(Fault(FaultKind.DROP_BEFORE, matches=_pickups))
        s.order("woocommerce", {"KOPI-250": 1})
        await s.settle(10)
        assert_one_booking_a_parcel(s, orders=1)
        assert next(iter(courier.bookings())).endswith("-1")

    on_site(tmp_path, body)


def test_a_lost_booking_that_was_cancelled_meanwhile_is_booked_anew(tmp_path: Path) -> None:
    """A reference that is shown as cancelled is dead: the next attempt takes another one."""

    async def body(s: Simulation) -> None:
        courier = courier_of(s)
        courier.faults.append(Fault(FaultKind.DROP_AFTER, matches=_pickups))
        s.order("woocommerce", {"KOPI-250": 1})
        await s.cycle()
        first = next(iter(courier.bookings()))
        courier.advance(first, "300")
        await s.settle(10)
        states = {one["reference"][-2:]: one["status"] for one in courier.bookings().values()}
        assert states["-1"] == "300"
        assert states["-2"] == "105"
        assert s.query("SELECT state, remote_id FROM parcel WHERE state <> 'cancelled'") == [
            ("booked", first[:-2] + "-2")
        ]
        assert [row[0] for row in s.query("SELECT state FROM claim ORDER BY id")] == ["dead", "booked"]

    on_site(tmp_path, body)


def test_an_empty_balance_pauses_booking_until_it_is_topped_up(tmp_path: Path) -> None:
    async def body(s: Simulation) -> None:
        courier, shop = courier_of(s), s.shop("woocommerce")
        courier.balance = 0
        for _ in range(3):
            s.order("woocommerce", {"KOPI-250": 1})
        await pull_orders.run(s.app.world, shop)
        run = await book_couriers.run(s.app.world, shop)
        assert run is not None
        assert run.counts == {"waits_for_balance": 3}, "a courier that tells its empty balance is not asked to book"
        assert courier.bookings() == {}
        courier.balance = 1_000_000
        await s.app.world.clock.sleep(courier_funds.ASK_EVERY_S)
        await s.settle(4)
        assert_one_booking_a_parcel(s, orders=3)

    on_site(tmp_path, body)


def test_one_couriers_no_is_not_anothers(tmp_path: Path) -> None:
    """An address that KiriminAja cannot read is still booked through the other courier account."""

    async def run() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",), courier_providers=("kiriminaja", "biteship")) as s:
            await s.start_shops(SKUS)
            courier_of(s).unknown_postal_codes = frozenset({"40115", "60241", "12430"})
            s.order("woocommerce", {"KOPI-250": 1})
            await s.settle(4)
            assert courier_of(s).bookings() == {}
            assert s.query(
                "SELECT parcel.state, provider FROM parcel JOIN channel ON channel.id = courier_channel_id"
            ) == [("booked", "biteship")]

    in_virtual_time(run)
