"""Waybills back to the own site: each is told once, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from simulation import Simulation, in_virtual_time, simulate

from sellersync.jobs import book_couriers, hand_back, pull_orders, track_parcels
from sellersync.jobs.world import Run
from sellersync.sandbox.kit import Fault, FaultKind

SKUS = {"KOPI-250": 30, "TEH-100": 30}


async def shipped(s: Simulation) -> str:
    """An own-site order with a booked parcel and its waybill."""
    order_id = s.order("woocommerce", {"KOPI-250": 1})
    assert order_id is not None
    await s.clock.sleep(900)
    await pull_orders.run(s.app.world, s.shop("woocommerce"))
    await book_couriers.run(s.app.world, s.shop("woocommerce"))
    await track_parcels.run(s.app.world, s.shop("woocommerce"))
    return order_id


async def tell(s: Simulation) -> Run:
    run = await hand_back.run(s.app.world, s.shop("woocommerce"))
    assert run is not None
    return run


def waybills(s: Simulation) -> list[str]:
    return [row[0] for row in s.query("SELECT waybill FROM parcel ORDER BY id")]


def site(s: Simulation) -> Any:
    return s.sims["woocommerce"]


def states(s: Simulation) -> list[str]:
    return [row[0] for row in s.query("SELECT state FROM hand_back ORDER BY parcel_id")]


def on_site(tmp_path: Path, body: Callable[[Simulation], Any]) -> None:
    async def run() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops(SKUS)
            await body(s)

    in_virtual_time(run)


def test_the_buyer_hears_of_the_waybill_once(tmp_path: Path) -> None:
    async def body(s: Simulation) -> None:
        order_id = await shipped(s)
        [waybill] = waybills(s)
        assert waybill
        assert (await tell(s)).counts == {"handed_back": 1}
        [note] = site(s).customer_notes(order_id)
        assert note.startswith("Pesanan Anda dikirim dengan ")
        assert note.endswith(f"Nomor resi: {waybill}")
        for _ in range(3):
            await s.clock.sleep(3_600)
            assert (await tell(s)).counts == {}
        assert len(site(s).customer_notes(order_id)) == 1
        found = await s.shop("woocommerce").channel.orders_by_id([order_id])
        assert found.found[0].meta["waybill"] == waybill

    on_site(tmp_path, body)


def test_a_changed_waybill_is_told_too(tmp_path: Path) -> None:
    async def body(s: Simulation) -> None:
        order_id = await shipped(s)
        await tell(s)
        assert s.courier is not None
        [booking] = s.courier.bookings()
        new = s.courier.change_waybill(booking)
        await s.clock.sleep(60)
        await track_parcels.run(s.app.world, s.shop("woocommerce"))
        await tell(s)
        assert [new in note for note in site(s).customer_notes(order_id)] == [False, True]
        assert states(s) == ["done"]

    on_site(tmp_path, body)


def test_all_waybills_of_an_order_in_several_parcels(tmp_path: Path) -> None:
    async def body(s: Simulation) -> None:
        order_id = await shipped(s)
        s.app.ledger.write_now(_second_parcel)
        await tell(s)
        notes = " ".join(site(s).customer_notes(order_id))
        assert all(waybill in notes for waybill in waybills(s))
        assert len(site(s).customer_notes(order_id)) == 2

    on_site(tmp_path, body)


def _second_parcel(session: Any) -> None:
    from sqlalchemy import text

    session.execute(
        text(
            "INSERT INTO parcel (channel_id, order_id, number, state, remote_status, remote_id, adopted, waybill, pickup_code, courier, "
            "service, why_chosen, routing_code, created_ms, booked_ms, waybill_ms) SELECT channel_id, order_id, 2, state, '', 'SECOND', "
            "FALSE, 'SECOND-2', '', courier, service, '', '', created_ms, booked_ms, waybill_ms FROM parcel WHERE number = 1"
        )
    )


def test_no_note_where_the_seller_wants_none(tmp_path: Path) -> None:
    async def body(s: Simulation) -> None:
        from dataclasses import replace

        s.app.world.policy = replace(s.app.world.policy, note_to_buyer=False)
        order_id = await shipped(s)
        await tell(s)
        assert site(s).customer_notes(order_id) == []
        found = await s.shop("woocommerce").channel.orders_by_id([order_id])
        assert found.found[0].meta["waybill"] == waybills(s)[0]

    on_site(tmp_path, body)


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER])
def test_a_lost_answer_is_followed_by_another_telling_and_one_note(
    tmp_path: Path, kind: FaultKind, method: str
) -> None:
    async def body(s: Simulation) -> None:
        order_id = await shipped(s)
        site(s).faults.append(Fault(kind, lambda verb, _: verb == method))
        assert (await tell(s)).counts == {"later": 1}
        assert states(s) == ["due"]
        await s.clock.sleep(30)
        assert (await tell(s)).counts == {}  # it backs off
        await s.clock.sleep(1_000)
        assert (await tell(s)).counts == {"handed_back": 1}
        assert len(site(s).customer_notes(order_id)) == 1

    on_site(tmp_path, body)


@pytest.mark.parametrize("step", ["before", "PUT", "note"])
def test_killed_between_call_and_record_the_buyer_hears_of_it_once(tmp_path: Path, step: str) -> None:
    """The process dies when the site has done the step and nobody here has recorded it; the next one tells again."""

    async def body(s: Simulation) -> None:
        order_id = await shipped(s)
        wire = s.app.wires["woocommerce"]
        handler = site(s).transport_handler

        def dies(request: httpx.Request) -> httpx.Response:
            if step == "before" and request.method == "PUT":
                raise asyncio.CancelledError
            answer: httpx.Response = handler(request)
            if (step, request.method) in (("PUT", "PUT"), ("note", "POST")):
                raise asyncio.CancelledError
            return answer

        alive, wire._transport, wire._client = wire._transport, httpx.MockTransport(dies), None
        with pytest.raises(asyncio.CancelledError):
            await tell(s)
        assert states(s) == ["due"]
        wire._transport, wire._client = alive, None
        await s.clock.sleep(5)
        assert (await tell(s)).counts == {"handed_back": 1}
        assert len(site(s).customer_notes(order_id)) == 1
        assert states(s) == ["done"]

    on_site(tmp_path, body)


def test_an_order_that_the_site_does_not_know_is_shown_to_a_person(tmp_path: Path) -> None:
    async def body(s: Simulation) -> None:
        await shipped(s)
        s.app.ledger.write_now(_other_name)
        assert (await tell(s)).counts == {"refused": 1}
        assert s.query("SELECT COUNT(*) FROM finding WHERE kind = 'hand_back_refused' AND closed_ms IS NULL")[0][0] == 1
        await s.clock.sleep(86_400)
        assert (await tell(s)).counts == {}

    on_site(tmp_path, body)


def _other_name(session: Any) -> None:
    from sqlalchemy import text

    session.execute(text("UPDATE sales_order SET remote_id = '999999'"))


def test_marketplaces_are_told_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            assert await hand_back.run(s.app.world, s.shop("shopee")) is None

    in_virtual_time(body)
