"""Lazada: two-step bookings, lost answers, labels and returns."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Handover, Mark, Page, ParcelRequest, Stream
from sellersync.domain.errors import RejectClass, Rejected, Temporary, Uncertain
from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState
from sellersync.domain.returns import RemoteReturn, ReturnState
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig
from sellersync.testing.virtual import START
from sellersync_lazada import Lazada
from sellersync_lazada.sandbox import LazadaSandbox

LazadaRig = Rig[Lazada, LazadaSandbox]


async def pull(rig: LazadaRig, mark: Mark | None = None, stream: Stream = Stream.ORDERS) -> list[Page]:
    mark = mark or Mark(rig.clock.now() - timedelta(days=1))
    return [page async for page in rig.connector.pages(stream, mark)]


def calls(rig: LazadaRig, path: str) -> list[httpx.Request]:
    return [request for request in rig.requests if request.url.path == "/rest" + path]


def request_for(order: Order, **more: Any) -> ParcelRequest:
    units = tuple((line.key, tuple(unit.key for unit in line.units), line.quantity) for line in order.lines)
    return ParcelRequest(order.remote_id, "SSREF-1", units, handover=Handover.PICKUP, **more)


async def one_order(rig: LazadaRig, quantity: int = 2, **extra: Any) -> Order:
    coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10, **extra)
    order_id = rig.sim.place_order([(coffee.remote_key, quantity)])
    (order,) = (await rig.connector.orders_by_id([order_id])).found
    return order


async def book(rig: LazadaRig, order: Order) -> Any:
    step = await rig.connector.prepare(request_for(order))
    packed = await rig.connector.arrange(step)
    assert packed.more
    step = await rig.connector.prepare(request_for(order, parcel=packed.parcel))
    return await rig.connector.arrange(step)


@pytest.mark.parametrize("scalars", ["typed", "quoted"])
def test_a_booking_in_two_steps_to_waybill_and_label(scalars: str) -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        assert step.step == "pack"
        packed = await rig.connector.arrange(step)
        assert packed.more
        assert packed.parcel.state is ParcelState.PACKED
        assert packed.parcel.waybill
        assert packed.parcel.units == ((order.lines[0].key, 2),)
        step = await rig.connector.prepare(request_for(order, parcel=packed.parcel))
        assert step.step == "ready_to_ship"
        done = await rig.connector.arrange(step)
        assert not done.more
        assert done.parcel.state is ParcelState.BOOKED
        assert rig.sim.arranged_parcels() == [done.parcel.remote_id]
        (parcel,) = await rig.connector.parcels([order.remote_id])
        assert (parcel.remote_id, parcel.state, parcel.waybill) == (
            done.parcel.remote_id,
            ParcelState.BOOKED,
            done.parcel.waybill,
        )
        assert set(parcel.unit_keys) == {unit.key for unit in order.lines[0].units}
        label = await rig.connector.label(parcel)
        assert label.content.startswith(b"%PDF-")
        assert parcel.waybill.encode() in label.content
        with pytest.raises(Rejected) as repeated:
            await rig.connector.prepare(request_for(order, parcel=parcel))
        assert repeated.value.reject is RejectClass.ALREADY_DONE

    on_rig("lazada", body, switches={"scalars": scalars})


def test_a_parcel_on_its_way() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        parcel = (await book(rig, order)).parcel
        states = []
        for move in (None, rig.sim.hand_over, rig.sim.deliver):
            if move:
                move(parcel.remote_id)
            (seen,) = (await rig.connector.orders_by_id([order.remote_id])).found
            states.append((seen.state, seen.parcels[0].state, seen.lines[0].units[0].stage))
        assert states == [
            (OrderState.BOOKED, ParcelState.BOOKED, UnitStage.OPEN),
            (OrderState.SHIPPED, ParcelState.IN_TRANSIT, UnitStage.LEFT),
            (OrderState.DELIVERED, ParcelState.DELIVERED, UnitStage.DELIVERED),
        ]

    on_rig("lazada", body)


def test_a_late_waybill_is_read_later() -> None:
    async def body(rig: LazadaRig) -> None:
        rig.sim.waybill_delay_s = 20.0
        done = await book(rig, await one_order(rig))
        assert done.parcel.waybill == ""
        await rig.clock.sleep(30)
        (parcel,) = await rig.connector.parcels(done.parcel.order_ids)
        assert parcel.waybill
        assert len(rig.sim.journal.entries(Event.WAYBILL_ISSUED)) == 1

    on_rig("lazada", body)


LOST = [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY]


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_to_pack_is_settled_by_reading(kind: FaultKind) -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith("/pack")))
        with pytest.raises(Uncertain) as lost:
            await rig.connector.arrange(step)
        assert lost.value.reference == "SSREF-1"
        (parcel,) = await rig.connector.parcels([order.remote_id])
        assert parcel.state is ParcelState.PACKED
        again = await rig.connector.arrange(step)  # a repeat of the same step finds the same package
        assert again.more
        assert again.parcel.remote_id == parcel.remote_id
        assert len(rig.sim.packages) == 1

    on_rig("lazada", body)


@pytest.mark.parametrize("repeat", ["700000", "0"])
@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_to_ready_to_ship_is_settled_by_reading(kind: FaultKind, repeat: str) -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        packed = await rig.connector.arrange(await rig.connector.prepare(request_for(order)))
        step = await rig.connector.prepare(request_for(order, parcel=packed.parcel))
        rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith("/rts")))
        with pytest.raises(Uncertain):
            await rig.connector.arrange(step)
        (parcel,) = await rig.connector.parcels([order.remote_id])
        assert parcel.state is ParcelState.BOOKED
        again = await rig.connector.arrange(step)
        assert again.parcel.state is ParcelState.BOOKED
        assert len(rig.sim.journal.entries(Event.PARCEL_ARRANGED)) == 1

    on_rig("lazada", body, switches={"rts_repeat": repeat})


def test_bookings_go_out_once_when_the_connection_drops_before() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.faults.append(Fault(FaultKind.DROP_BEFORE, lambda method, path: path.endswith("/pack")))
        with pytest.raises(Uncertain):
            await rig.connector.arrange(step)
        assert len(calls(rig, "/order/fulfill/pack")) == 1
        assert await rig.connector.parcels([order.remote_id]) == ()
        assert (await rig.connector.arrange(step)).parcel.state is ParcelState.PACKED

    on_rig("lazada", body)


def test_a_package_that_is_not_visible_yet_is_never_packed_again() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.faults.append(Fault(FaultKind.DROP_AFTER, lambda method, path: path.endswith("/pack")))
        with pytest.raises(Uncertain):
            await rig.connector.arrange(step)
        assert await rig.connector.parcels([order.remote_id]) == ()  # the read is behind
        with pytest.raises(Uncertain, match="still read as pending"):
            await rig.connector.arrange(step)
        await rig.clock.sleep(1300)
        (parcel,) = await rig.connector.parcels([order.remote_id])
        assert parcel.state is ParcelState.PACKED
        assert len(rig.sim.packages) == 1

    on_rig("lazada", body, switches={"read_lag_s": 1200})


def test_ready_to_ship_waits_until_the_package_can_be_read() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        packed = await rig.connector.arrange(await rig.connector.prepare(request_for(order)))
        with pytest.raises(Temporary, match="not visible yet"):
            await rig.connector.prepare(request_for(order, parcel=packed.parcel))
        await rig.clock.sleep(1300)
        assert (await rig.connector.prepare(request_for(order, parcel=packed.parcel))).step == "ready_to_ship"

    on_rig("lazada", body, switches={"read_lag_s": 1200})


def test_what_may_not_be_booked_is_refused_with_its_class() -> None:
    async def refused(rig: LazadaRig, change: Any = None, **extra: Any) -> RejectClass:
        order = await one_order(rig, **extra)
        if change:
            change(order.remote_id)
        with pytest.raises(Rejected) as refusal:
            await rig.connector.prepare(request_for(order))
        return refusal.value.reject

    async def body(rig: LazadaRig) -> None:
        sim = rig.sim
        assert await refused(rig, sim.cancel) is RejectClass.CANCELLED
        assert await refused(rig, sim.request_cancel) is RejectClass.NOT_NOW
        assert await refused(rig, lambda order_id: sim.force_status(order_id, "unpaid")) is RejectClass.NOT_NOW
        assert await refused(rig, lambda order_id: sim.force_status(order_id, "shipped")) is RejectClass.ALREADY_DONE
        assert await refused(rig, lambda order_id: sim.force_status(order_id, "INFO_ST_X")) is RejectClass.NOT_NOW
        assert await refused(rig, fbl=True) is RejectClass.NOT_OURS
        assert await refused(rig, digital=True) is RejectClass.NOT_SUPPORTED
        assert await refused(rig, own_fleet=True) is RejectClass.NOT_SUPPORTED
        assert await refused(rig, provider_type="PICKUP_IN_STORE") is RejectClass.NOT_SUPPORTED
        assert calls(rig, "/order/fulfill/pack") == []

    on_rig("lazada", body)


def test_cancelled_between_the_decision_and_the_call() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.cancel(order.remote_id)
        with pytest.raises(Rejected) as refusal:
            await rig.connector.arrange(step)
        assert refusal.value.reject is RejectClass.CANCELLED

    on_rig("lazada", body)


def test_a_unit_cancelled_meanwhile_stays_out_of_the_package() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig, quantity=3)
        step = await rig.connector.prepare(request_for(order))
        rig.sim.cancel(order.remote_id, items=[(order.lines[0].listing, 1)])
        packed = await rig.connector.arrange(step)
        assert packed.parcel.units == ((order.lines[0].key, 2),)
        assert len(packed.parcel.unit_keys) == 2

    on_rig("lazada", body)


def test_units_of_two_shipping_types_become_two_packages() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        mill = rig.sim.add_product("GILING", "Penggiling", price=900_000, stock=10, provider_type="economy")
        order_id = rig.sim.place_order([(coffee.remote_key, 1), (mill.remote_key, 1)])
        (order,) = (await rig.connector.orders_by_id([order_id])).found
        packed = await rig.connector.arrange(await rig.connector.prepare(request_for(order)))
        parcels = await rig.connector.parcels([order_id])
        assert len(parcels) == 2
        assert packed.parcel.remote_id in {parcel.remote_id for parcel in parcels}
        for parcel in parcels:
            step = await rig.connector.prepare(request_for(order, parcel=parcel))
            assert step.payload["package_id"] == parcel.remote_id
            await rig.connector.arrange(step)
        assert set(rig.sim.arranged_parcels()) == {parcel.remote_id for parcel in parcels}

    on_rig("lazada", body)


def test_a_repacked_order_is_packed_again() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig)
        packed = await rig.connector.arrange(await rig.connector.prepare(request_for(order)))
        rig.sim.repack(packed.parcel.remote_id)
        step = await rig.connector.prepare(request_for(order, parcel=packed.parcel))
        assert step.step == "pack"
        assert (await rig.connector.arrange(step)).parcel.remote_id != packed.parcel.remote_id

    on_rig("lazada", body)


def test_a_label_before_packing_is_refused_and_an_old_link_is_dead() -> None:
    async def body(rig: LazadaRig) -> None:
        done = await book(rig, await one_order(rig))
        url = await rig.connector._api.print_awb(done.parcel.remote_id)
        await rig.clock.sleep(700)
        with pytest.raises(Temporary) as dead:
            await rig.connector._api.download(url)
        assert "Signature" not in str(dead.value)
        rig.sim.cancel(done.parcel.order_ids[0])
        with pytest.raises(Rejected) as refusal:
            await rig.connector.label(done.parcel)
        assert refusal.value.reject is RejectClass.NOT_NOW

    on_rig("lazada", body)


# ------------------------------------------------------------------------------------------------------------------------- returns


@pytest.mark.parametrize("unit", ["cents", "rupiah"])
def test_a_return_is_read_in_whole_rupiah_either_way(unit: str) -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig, voucher=5_000)
        line_id = rig.sim.open_return(order.remote_id)
        (page,) = await pull(rig, stream=Stream.RETURNS)
        (seen,) = page.rows
        assert isinstance(seen, RemoteReturn)
        assert (seen.remote_id, seen.order_id, seen.state) == (line_id, order.remote_id, ReturnState.REQUESTED)
        assert seen.refund_amount == 70_000
        assert seen.lines == ((order.lines[0].key, 1),)
        assert seen.goods_come_back
        rig.sim.set_return_status(line_id, "BRAND_NEW_WORD")
        (page,) = await pull(rig, stream=Stream.RETURNS)
        assert [(row.state, row.remote_status) for row in page.rows if isinstance(row, RemoteReturn)] == [
            (ReturnState.UNKNOWN, "BRAND_NEW_WORD")
        ]

    on_rig("lazada", body, switches={"reverse_amounts": unit})


def test_many_returns_are_paged_and_cancellations_left_out() -> None:
    async def body(rig: LazadaRig) -> None:
        order = await one_order(rig, quantity=5)
        wanted = {rig.sim.open_return(order.remote_id, unit=n % 5) for n in range(23)}
        rig.sim.open_return(order.remote_id, request_type="CANCEL", status="CANCEL_SUCCESS")
        (page,) = await pull(rig, stream=Stream.RETURNS)
        assert {row.remote_id for row in page.rows if isinstance(row, RemoteReturn)} == wanted
        assert page.closes == START.replace(tzinfo=UTC)

    on_rig("lazada", body)
