"""After a booking: waybills, events, cancellations; and everything once more in each position of each switch."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Booking, CourierCancel, QuoteRequest
from sellersync.domain.errors import RejectClass, Rejected, Uncertain
from sellersync.domain.parcels import ParcelState
from sellersync.sandbox.kit import Event, Fault, FaultKind, NoHand

from .base import Conformance, on_bench
from .bench import COMPANIES, ITEM, RECIPIENT, SENDER, CourierBench
from .damage import Damage, each_damage
from .faults import nth
from .levels import LOST, NEVER_ARRIVED
from .messy import NEVER_SEEN, every_damage
from .parcels import LOOK_S, REHEARSAL, WAYBILL_LOOKS_MAX, begin, lag, rehearsed, send, settled
from .tap import json_of, mapped, rebuilt


class Deliveries(Conformance):
    """Tracking and cancelling."""

    # -- tracking

    @on_bench()
    async def test_the_waybill_of_a_booking_comes_sooner_or_later(self, bench: CourierBench) -> None:
        shown = await self._numbered(bench)
        assert shown.waybill == shown.waybill.strip() != ""

    @on_bench()
    async def test_a_waybill_that_changes_is_followed(self, bench: CourierBench) -> None:
        shown = await self._numbered(bench)
        changed = bench.sim.change_waybill(shown.booking_id)
        assert changed != shown.waybill
        await lag(bench)
        assert (await bench.connector.booking(shown.booking_id)).waybill == changed

    async def _numbered(self, bench: CourierBench) -> Booking:
        """A booking, once it has a waybill."""
        booking = await bench.book(await bench.request())
        await lag(bench)
        shown = await bench.connector.booking(booking.booking_id)
        for _ in range(WAYBILL_LOOKS_MAX):
            if shown.waybill:
                break
            await bench.clock.sleep(LOOK_S)
            shown = await bench.connector.booking(booking.booking_id)
        return shown

    @on_bench()
    async def test_from_the_shelf_to_the_door(self, bench: CourierBench) -> None:
        booking = await bench.book(await bench.request())
        await bench.clock.sleep(WAYBILL_LOOKS_MAX * LOOK_S)
        bench.sim.collect(booking.booking_id)
        await lag(bench)
        assert (await bench.connector.booking(booking.booking_id)).state.left_shelf
        bench.sim.deliver(booking.booking_id)
        await lag(bench)
        assert (await bench.connector.booking(booking.booking_id)).state is ParcelState.DELIVERED

    @on_bench()
    async def test_an_unknown_event_moves_nothing(self, bench: CourierBench) -> None:
        booking = await bench.book(await bench.request())
        await lag(bench)
        shown = await bench.connector.booking(booking.booking_id)
        words = {shown.remote_status}

        def edit(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            def change(path: Any, value: Any) -> Any:
                return NEVER_SEEN if isinstance(value, str | int) and str(value) in words else value

            value = json_of(response)
            return response if value is None else rebuilt(response, mapped(value, change))

        bench.tap.edits = [edit]
        odd = await bench.connector.booking(booking.booking_id)
        assert odd.state in (ParcelState.UNKNOWN, shown.state)
        assert not odd.state.left_shelf
        assert not odd.state.final

    @every_damage
    @on_bench()
    async def test_a_damaged_booking_is_never_guessed(self, bench: CourierBench, harm: Damage) -> None:
        booking = await bench.book(await bench.request())
        await bench.clock.sleep(WAYBILL_LOOKS_MAX * LOOK_S)
        begun = len(bench.tap.calls)
        truth = await bench.connector.booking(booking.booking_id)
        calls = bench.tap.calls[begun:]

        async def run() -> str:
            found = await bench.connector.booking(booking.booking_id)
            if found.state not in (truth.state, ParcelState.UNKNOWN):
                return f"{truth.state} became {found.state}"
            if found.waybill not in (truth.waybill, ""):
                return f"waybill {found.waybill!r}"
            if found.price not in (truth.price, None) or found.cod_amount not in (truth.cod_amount, None):
                return f"price {truth.price} became {found.price}"
            return "" if found.booking_id == truth.booking_id else f"booking {found.booking_id}"

        findings = await each_damage(bench, calls, harm, run)
        assert not findings, "\n".join(findings)

    @every_damage
    @on_bench()
    async def test_a_damaged_quote_is_never_guessed(self, bench: CourierBench, harm: Damage) -> None:
        request = QuoteRequest(SENDER, RECIPIENT, (ITEM,), COMPANIES)
        begun = len(bench.tap.calls)
        truth = {(quote.company, quote.service): quote.price for quote in await bench.connector.quote(request)}
        calls = bench.tap.calls[begun:]

        async def run() -> str:
            for quote in await bench.connector.quote(request):
                if truth.get((quote.company, quote.service), quote.price) != quote.price:
                    return f"{quote.company} {quote.service} costs {quote.price}"
            return ""

        findings = await each_damage(bench, calls, harm, run)
        assert not findings, "\n".join(findings)

    # -- cancelling

    async def _cancellable(self, bench: CourierBench, number: int = 1) -> Booking:
        booking = await bench.book(await bench.request(number))
        await bench.clock.sleep(WAYBILL_LOOKS_MAX * LOOK_S)
        return await bench.connector.booking(booking.booking_id)

    @on_bench()
    async def test_a_booking_is_cancelled(self, bench: CourierBench) -> None:
        with contextlib.suppress(NoHand):
            bench.sim.answer_cancellations("done")
        booking = await self._cancellable(bench)
        answer = await bench.connector.cancel(booking.booking_id, "out of stock")
        assert answer.done or answer.pending, answer.why
        await lag(bench)
        shown = await bench.connector.booking(booking.booking_id)
        assert (shown.state is ParcelState.CANCELLED) or answer.pending
        again = await bench.connector.cancel(booking.booking_id, "out of stock")
        assert again.done or again.pending, "cancelling twice is no trouble"

    @on_bench()
    async def test_a_cancellation_may_be_pending(self, bench: CourierBench) -> None:
        booking = await self._cancellable(bench)
        bench.sim.answer_cancellations("pending")
        answer = await bench.connector.cancel(booking.booking_id, "out of stock")
        assert answer.pending
        assert not answer.done

    @on_bench()
    async def test_a_refused_cancellation_says_why(self, bench: CourierBench) -> None:
        booking = await self._cancellable(bench)
        bench.sim.answer_cancellations("refused")
        answer = await bench.connector.cancel(booking.booking_id, "out of stock")
        assert not answer.done
        assert not answer.pending
        assert answer.why
        assert (await bench.connector.booking(booking.booking_id)).state.booked

    @on_bench()
    async def test_what_is_on_its_way_is_not_cancelled(self, bench: CourierBench) -> None:
        booking = await self._cancellable(bench)
        bench.sim.collect(booking.booking_id)
        await lag(bench)
        try:
            answer = await bench.connector.cancel(booking.booking_id, "out of stock")
        except Rejected:
            return
        assert not answer.done
        assert answer.why or answer.pending

    @pytest.mark.parametrize("kind", [*LOST, *NEVER_ARRIVED])
    @on_bench()
    async def test_a_cancellation_without_an_answer_is_uncertain_or_read(
        self, bench: CourierBench, kind: FaultKind
    ) -> None:
        with contextlib.suppress(NoHand):
            bench.sim.answer_cancellations("done")
        rehearsal = await self._cancellable(bench, REHEARSAL)
        begun = len(bench.tap.calls)
        await bench.connector.cancel(rehearsal.booking_id, "out of stock")
        done = [number for number, call in enumerate(bench.tap.calls[begun:]) if call.did(Event.PARCEL_CANCELLED)]
        booking = await self._cancellable(bench)
        bench.sim.faults = [Fault(kind, nth(done[0]))] if done else []
        answer: CourierCancel | None = None
        with contextlib.suppress(Uncertain):
            answer = await bench.connector.cancel(booking.booking_id, "out of stock")
        await lag(bench)
        shown = await bench.connector.booking(booking.booking_id)
        if answer is not None and answer.done:
            assert shown.state is ParcelState.CANCELLED
        if shown.state is not ParcelState.CANCELLED:
            last = await bench.connector.cancel(booking.booking_id, "out of stock")
            assert last.done or last.pending

    # -- both ways

    @on_bench()
    async def test_bookings_hold_in_every_position(self, bench: CourierBench, switches: dict[str, Any]) -> None:
        position, _ = await rehearsed(bench)
        request = await bench.request()
        draft_id = await begin(bench, request)
        bench.sim.faults = [Fault(FaultKind.DROP_AFTER, nth(position))]
        with pytest.raises(Uncertain):
            await send(bench, request, draft_id)
        booking = await settled(bench, request, draft_id)
        assert bench.held(request.reference) == [booking.booking_id]
        await bench.clock.sleep(WAYBILL_LOOKS_MAX * LOOK_S)
        shown = await bench.connector.booking(booking.booking_id)
        assert shown.waybill
        assert shown.state.booked
        second = await bench.request(2)
        draft_id = await begin(bench, second)
        try:
            bench.sim.set_balance(0)
        except NoHand:
            pass
        else:
            with pytest.raises(Rejected) as refused:
                await send(bench, second, draft_id)
            assert refused.value.reject is RejectClass.INSUFFICIENT_BALANCE
            bench.sim.set_balance(10_000_000)
        other = await send(bench, second, draft_id)
        await bench.clock.sleep(WAYBILL_LOOKS_MAX * LOOK_S)
        answer = await bench.connector.cancel(other.booking_id, "out of stock")
        assert answer.done or answer.pending, answer.why
        assert len(bench.sim.bookings()) == 3, "the rehearsal's and two more"
