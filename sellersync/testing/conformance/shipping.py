"""Shipments of a marketplace: arranged exactly once, whatever becomes of the answer."""

from __future__ import annotations

import contextlib
import json

import pytest

from sellersync.connector.contract import Arrangement, ParcelRequest
from sellersync.domain.errors import NotSupported, RejectClass, Rejected, SellersyncError, Temporary, Uncertain
from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.sandbox.kit import Event, Fault, FaultKind

from . import damage
from .base import Conformance, not_offered, on_bench
from .bench import STEPS_MAX, ChannelBench
from .damage import Damage
from .faults import nth
from .levels import LOST, NEVER_ARRIVED
from .messy import every_damage

WAYBILL_WAIT_S = 600.0
WAYBILL_LOOKS_MAX = 20


def offered(bench: ChannelBench) -> None:
    """Leave the test out where the channel ships nothing itself."""
    can = bench.connector.capabilities
    if not can.arranges:
        own = "an own site: its parcels are booked with a courier of the shop's choice"
        not_offered(can.unsupported.get("shipments", own if can.own_site else "arranges is declared false"))


def arranged(bench: ChannelBench, order_id: str) -> int:
    """How many shipments the simulator holds for an order."""
    entries = bench.sim.journal.entries(Event.PARCEL_ARRANGED)
    return sum(entry.data["order_id"] == order_id for entry in entries)


async def to_last_step(bench: ChannelBench, order: Order) -> tuple[Arrangement, int]:
    """The step that books the courier, prepared, and its number; the steps before it are done."""
    parcel: RemoteParcel | None = None
    for number in range(STEPS_MAX):
        arrangement = await bench.connector.prepare(bench.parcel_request(order, parcel=parcel))
        if number == await steps_needed(bench) - 1:
            return arrangement, number
        parcel = (await bench.connector.arrange(arrangement)).parcel
    raise AssertionError("the last step was never reached")


async def steps_needed(bench: ChannelBench) -> int:
    """How many steps this provider's shipment has (found out once, with an order of its own)."""
    known = bench.steps
    if known is None:
        order = await bench.ready_order()
        parcel: RemoteParcel | None = None
        known = 0
        more = True
        while more and known < STEPS_MAX:
            arrangement = await bench.connector.prepare(bench.parcel_request(order, parcel=parcel))
            answer = await bench.connector.arrange(arrangement)
            parcel, more, known = answer.parcel, answer.more, known + 1
        bench.steps = known
    return known


class Shipping(Conformance):
    """`prepare`, `arrange`, `parcels` and `label`."""

    @on_bench()
    async def test_what_is_not_declared_is_refused_before_any_call(self, bench: ChannelBench) -> None:
        can = bench.connector.capabilities
        parcel = RemoteParcel("1", ("1",), ParcelState.READY, "")
        request = ParcelRequest("1", "SSREF-1", (), parcel)
        refused = 0
        if not can.arranges:
            with pytest.raises(NotSupported):
                await bench.connector.prepare(request)
            with pytest.raises(NotSupported):
                await bench.connector.arrange(Arrangement(request, "", {}))
            refused += 1
        if not can.labels:
            with pytest.raises(NotSupported):
                await bench.connector.label(parcel)
            refused += 1
        if not can.answers_cancellations:
            with pytest.raises(NotSupported):
                await bench.connector.answer_cancellation("1", "1", accept=True, key="k")
            refused += 1
        if not can.hands_back:
            with pytest.raises(NotSupported):
                await bench.connector.hand_back("1", "W1", "JNE")
            refused += 1
        if not can.counts_placed:
            with pytest.raises(NotSupported):
                await bench.connector.placed(bench.clock.now(), bench.clock.now())
            refused += 1
        assert not bench.tap.calls
        assert all(name and reason for name, reason in can.unsupported.items()), "what is left out has a reason"

    @on_bench()
    async def test_a_paid_order_is_shipped_once(self, bench: ChannelBench) -> None:
        offered(bench)
        order = await bench.ready_order()
        before = len(bench.sim.journal.entries(Event.PARCEL_ARRANGED))
        arrangement = await bench.prepare(order)
        assert len(bench.sim.journal.entries(Event.PARCEL_ARRANGED)) == before, "preparing only reads"
        json.dumps(dict(arrangement.payload))  # committed before it is sent: plain data
        parcel = await bench.arrange_rest(order, await bench.connector.arrange(arrangement))
        assert parcel.state.booked
        assert order.remote_id in parcel.order_ids
        assert arranged(bench, order.remote_id) == 1
        shown = await bench.shown_parcel(order.remote_id)
        assert shown is not None
        assert shown.state.booked
        assert shown.remote_id == parcel.remote_id
        assert (await bench.order(order.remote_id)).state is OrderState.BOOKED

    @on_bench()
    async def test_the_waybill_comes_sooner_or_later(self, bench: ChannelBench) -> None:
        offered(bench)
        order = await bench.ready_order()
        await bench.ship(order)
        for _ in range(WAYBILL_LOOKS_MAX):
            shown = await bench.shown_parcel(order.remote_id)
            if shown is not None and shown.waybill:
                assert shown.waybill == shown.waybill.strip() != "-"
                return
            await bench.clock.sleep(WAYBILL_WAIT_S / WAYBILL_LOOKS_MAX)
        raise AssertionError("no waybill was ever shown")

    @on_bench()
    async def test_from_the_shelf_to_the_buyer(self, bench: ChannelBench) -> None:
        offered(bench)
        order = await bench.ready_order()
        await bench.ship(order)
        await bench.clock.sleep(WAYBILL_WAIT_S)
        parcel_id = bench.sim.arranged_parcels()[-1]
        for hand, stage in ((bench.sim.hand_over, UnitStage.LEFT), (bench.sim.deliver, UnitStage.DELIVERED)):
            hand(parcel_id)
            shown = await bench.shown_parcel(order.remote_id)
            assert shown is not None
            assert shown.state.left_shelf
            assert (shown.state is ParcelState.DELIVERED) == (stage is UnitStage.DELIVERED)
            now = await bench.order(order.remote_id)
            assert {unit.stage for line in now.lines for unit in line.units} == {stage}

    @on_bench()
    async def test_the_label_of_a_booked_parcel(self, bench: ChannelBench) -> None:
        offered(bench)
        if not bench.connector.capabilities.labels:
            not_offered(bench.connector.capabilities.unsupported.get("labels", "labels is declared false"))
        order = await bench.ready_order()
        await bench.ship(order)
        await bench.clock.sleep(WAYBILL_WAIT_S)
        shown = await bench.shown_parcel(order.remote_id)
        assert shown is not None
        for _ in range(WAYBILL_LOOKS_MAX):
            try:
                label = await bench.connector.label(shown)
                break
            except Temporary:
                await bench.clock.sleep(30)
        else:
            raise AssertionError("the label is never ready")
        assert label.content
        assert "/" in label.media_type

    @pytest.mark.parametrize("kind", LOST)
    @on_bench()
    async def test_a_booking_with_a_lost_answer_is_settled_by_reading(
        self, bench: ChannelBench, kind: FaultKind
    ) -> None:
        """B13: a time-out after the provider's success never makes a second shipment."""
        offered(bench)
        await steps_needed(bench)
        order = await bench.ready_order()
        arrangement, _ = await to_last_step(bench, order)
        begun = len(bench.tap.calls)
        bench.sim.faults = [Fault(kind, nth(0))]
        if kind is FaultKind.PHP_NOTICE:  # some connectors find the answer behind the notice
            with contextlib.suppress(Uncertain):
                await bench.connector.arrange(arrangement)
        else:
            with pytest.raises(Uncertain) as lost:
                await bench.connector.arrange(arrangement)
            assert lost.value.reference == arrangement.request.reference
        assert len(bench.tap.with_effect(Event.PARCEL_ARRANGED)) == 2, "one of the rehearsal, one now"
        assert len(bench.tap.calls) - begun == 1, "a write is never repeated by the connector"
        shown = await bench.shown_parcel(order.remote_id)
        assert shown is not None
        assert shown.state.booked, "reading does not find the booking"
        with pytest.raises((Rejected, Temporary)):  # a job that asks again is told that it is done
            await bench.arrange_rest(order, await bench.connector.arrange(await bench.prepare(order)))
        assert arranged(bench, order.remote_id) == 1

    @pytest.mark.parametrize("kind", NEVER_ARRIVED)
    @on_bench()
    async def test_a_booking_that_never_arrived_is_uncertain_and_can_be_done(
        self, bench: ChannelBench, kind: FaultKind
    ) -> None:
        offered(bench)
        await steps_needed(bench)
        order = await bench.ready_order()
        arrangement, _ = await to_last_step(bench, order)
        bench.sim.faults = [Fault(kind, nth(0))]
        with pytest.raises(Uncertain):
            await bench.connector.arrange(arrangement)
        shown = await bench.shown_parcel(order.remote_id)
        assert shown is None or not shown.state.booked
        parcel = await bench.arrange_rest(
            order,
            await bench.connector.arrange(await bench.connector.prepare(bench.parcel_request(order, parcel=shown))),
        )
        assert parcel.state.booked
        assert arranged(bench, order.remote_id) == 1

    @on_bench()
    async def test_sending_the_same_step_twice_makes_one_shipment(self, bench: ChannelBench) -> None:
        offered(bench)
        await steps_needed(bench)
        order = await bench.ready_order()
        arrangement, _ = await to_last_step(bench, order)
        await bench.connector.arrange(arrangement)
        try:
            again = await bench.connector.arrange(arrangement)
        except (Rejected, Uncertain):
            pass
        else:
            assert again.parcel.state.booked
        assert arranged(bench, order.remote_id) == 1

    @on_bench()
    async def test_what_is_arranged_is_not_prepared_again(self, bench: ChannelBench) -> None:
        offered(bench)
        order = await bench.ready_order()
        await bench.ship(order)
        await bench.shown_parcel(order.remote_id)
        with pytest.raises(Rejected) as refused:
            await bench.prepare(order)
        assert refused.value.reject is RejectClass.ALREADY_DONE

    @on_bench()
    async def test_what_may_not_be_shipped_is_refused(self, bench: ChannelBench) -> None:
        offered(bench)
        key = bench.product().remote_key
        unpaid = await bench.order(bench.sim.place_order([(key, 1)], paid=False))
        with pytest.raises((Rejected, Temporary)):
            await bench.prepare(unpaid)
        cancelled = await bench.ready_order([(key, 1)])
        bench.sim.cancel(cancelled.remote_id)
        with pytest.raises(Rejected) as refused:
            await bench.prepare(cancelled)
        assert refused.value.reject is not RejectClass.ALREADY_DONE
        assert not bench.sim.journal.entries(Event.PARCEL_ARRANGED)

    @on_bench()
    async def test_an_order_cancelled_between_prepare_and_arrange(self, bench: ChannelBench) -> None:
        offered(bench)
        order = await bench.ready_order()
        arrangement = await bench.prepare(order)
        bench.sim.cancel(order.remote_id)
        with pytest.raises((Rejected, Uncertain)):
            await bench.connector.arrange(arrangement)
        assert arranged(bench, order.remote_id) == 0

    @on_bench()
    async def test_nobody_there_books_nothing(self, bench: ChannelBench) -> None:
        offered(bench)
        order = await bench.ready_order()
        arrangement = await bench.prepare(order)
        bench.sim.off = True
        with pytest.raises(Temporary):
            await bench.connector.arrange(arrangement)
        bench.sim.off = False
        assert arranged(bench, order.remote_id) == 0

    @every_damage
    @on_bench()
    async def test_a_damaged_answer_to_a_booking_is_never_a_refusal(self, bench: ChannelBench, harm: Damage) -> None:
        """It was booked: saying "refused" or "nothing was sent" would book a second time."""
        offered(bench)
        await steps_needed(bench)
        rehearsal = await bench.ready_order()
        arrangement, _ = await to_last_step(bench, rehearsal)
        begun = len(bench.tap.calls)
        await bench.connector.arrange(arrangement)
        findings = []
        for spot in damage.spots(bench.tap.calls[begun : begun + 1], harm, bench.sim.OMITS_WHEN_EMPTY):
            order = await bench.ready_order([(bench.sim.products()[0].remote_key, 1)])
            arrangement, _ = await to_last_step(bench, order)
            edit = damage.damaging(damage.Spot(spot.name, spot.path), harm)
            bench.tap.edits = [edit]
            try:
                answer = await bench.connector.arrange(arrangement)
                assert answer.parcel.state.booked or answer.more, "booked, and shown as not booked"
            except Uncertain:
                pass
            except (SellersyncError, AssertionError, LookupError, TypeError, ValueError, AttributeError) as wrong:
                findings.append(f"{harm.__name__} at {spot}: {type(wrong).__name__}: {wrong}")
            finally:
                bench.tap.edits = []
        assert not findings, "\n".join(findings)
