"""Couriers that we book ourselves: booked exactly once, settled by the declared strategy, followed to the door."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Booking, BookingRequest, QuoteRequest, SettleBy
from sellersync.domain.errors import NotSupported, RateLimited, RejectClass, Rejected, Temporary, Uncertain
from sellersync.sandbox.kit import Event, Fault, FaultKind

from . import damage
from .base import Conformance, not_offered, on_bench
from .bench import COMPANIES, ITEM, RECIPIENT, SENDER, CourierBench
from .damage import Damage
from .faults import nth
from .levels import LOST, NEVER_ARRIVED
from .messy import every_damage

WAYBILL_LOOKS_MAX = 30
LOOK_S = 60.0


def settles(bench: CourierBench) -> SettleBy:
    """The declared strategy; a courier that only a person can settle leaves these tests out."""
    how = bench.connector.capabilities.settle_by
    if how is SettleBy.PERSON:
        not_offered("its bookings without an answer are settled by a person")
    return how


async def lag(bench: CourierBench) -> None:
    """Let the courier's reads catch up."""
    await bench.clock.sleep(bench.connector.capabilities.booking_read_lag_s + 5)


async def settled(bench: CourierBench, request: BookingRequest, draft_id: str = "") -> Booking:
    """What the core does with a booking whose answer was lost: look by the declared strategy, and only then repeat it."""
    how = settles(bench)
    await lag(bench)
    if how is SettleBy.LOOKUP:
        return await bench.connector.find(request.reference) or await bench.connector.book(request)
    if how is SettleBy.SAME_REFERENCE_REPEAT:
        try:
            return await bench.connector.book(request)
        except Rejected as used:
            return await bench.connector.booking(used.details["booking_id"])
    if not draft_id:  # the draft's answer was lost: no confirmation was sent, so another reference may be taken
        try:
            draft_id = (await bench.connector.draft(request)).draft_id
        except Rejected:
            request = replace(request, reference=request.reference[:-1] + "2")
            draft_id = (await bench.connector.draft(request)).draft_id
    state = await bench.connector.read_draft(draft_id)
    if state.confirmed:
        assert state.booking_id
        return await bench.connector.booking(state.booking_id)
    return await bench.connector.confirm(draft_id, request.reference)


async def begin(bench: CourierBench, request: BookingRequest) -> str:
    """Everything before the call that books: the draft of a two-step courier, whose id is returned."""
    return (await bench.connector.draft(request)).draft_id if bench.two_steps else ""


async def send(bench: CourierBench, request: BookingRequest, draft_id: str) -> Booking:
    """The call that books and pays."""
    if bench.two_steps:
        return await bench.connector.confirm(draft_id, request.reference)
    return await bench.connector.book(request)


REHEARSAL = 9
"""Number of the parcel with which the course of the calls is found out."""


async def rehearsed(bench: CourierBench) -> tuple[int, int]:
    """(position of the call that books, number of calls) of an undisturbed booking."""
    request = await bench.request(REHEARSAL)
    draft_id = await begin(bench, request)
    begun = len(bench.tap.calls)
    await send(bench, request, draft_id)
    calls = bench.tap.calls[begun:]
    [position] = [number for number, call in enumerate(calls) if call.did(Event.PARCEL_ARRANGED)]
    return position, len(calls)


class Parcels(Conformance):
    """Quotes, bookings, tracking, cancelling, balance."""

    # -- quotes

    @on_bench()
    async def test_quotes_come_cheapest_first(self, bench: CourierBench) -> None:
        quotes = await bench.connector.quote(QuoteRequest(SENDER, RECIPIENT, (ITEM,), COMPANIES))
        prices = [quote.price for quote in quotes]
        assert prices
        assert prices == sorted(prices)
        assert all(type(price) is int and price > 0 for price in prices)
        assert {quote.company for quote in quotes} <= set(COMPANIES)
        assert all(quote.service and quote.name and quote.handovers for quote in quotes)

    @on_bench()
    async def test_only_the_companies_that_were_asked_offer(self, bench: CourierBench) -> None:
        quotes = await bench.connector.quote(QuoteRequest(SENDER, RECIPIENT, (ITEM,), COMPANIES))
        one = quotes[0].company
        again = await bench.connector.quote(QuoteRequest(SENDER, RECIPIENT, (ITEM,), (one,)))
        assert {quote.company for quote in again} == {one}

    # -- bookings

    @on_bench()
    async def test_a_parcel_is_booked_once(self, bench: CourierBench) -> None:
        request = await bench.request()
        booking = await bench.book(request)
        assert bench.held(request.reference) == [booking.booking_id]
        assert booking.reference == request.reference
        assert booking.state.booked
        assert (booking.company, booking.service) == (request.company, request.service)
        assert booking.price is None or (type(booking.price) is int and booking.price > 0)
        await lag(bench)
        shown = await bench.connector.booking(booking.booking_id)
        assert (shown.booking_id, shown.reference) == (booking.booking_id, request.reference)
        assert shown.state.booked
        assert len(bench.sim.journal.entries(Event.PARCEL_ARRANGED)) == 1

    @on_bench()
    async def test_a_reference_of_the_declared_length_is_taken(self, bench: CourierBench) -> None:
        request = await bench.request()
        long = request.reference + "X" * (bench.connector.capabilities.reference_length_max - len(request.reference))
        booking = await bench.book(replace(request, reference=long))
        assert bench.held(long) == [booking.booking_id]

    @on_bench()
    async def test_the_same_reference_twice_is_one_booking(self, bench: CourierBench) -> None:
        how = settles(bench)
        request = await bench.request()
        first = await bench.book(request)
        await lag(bench)
        if how is SettleBy.LOOKUP:
            found = await bench.connector.find(request.reference)
            assert found is not None
            assert found.booking_id == first.booking_id
            assert await bench.connector.find(request.reference[::-1]) is None
        else:
            with pytest.raises((Rejected, Uncertain)) as refused:
                await bench.book(request)
            if isinstance(refused.value, Rejected):
                assert refused.value.reject is RejectClass.REFERENCE_USED
            if how is SettleBy.SAME_REFERENCE_REPEAT:
                assert isinstance(refused.value, Rejected)
                assert refused.value.details["booking_id"] == first.booking_id
        assert bench.held(request.reference) == [first.booking_id]

    @pytest.mark.parametrize("kind", [*LOST, *NEVER_ARRIVED])
    @on_bench()
    async def test_a_booking_without_an_answer_is_settled_to_one(self, bench: CourierBench, kind: FaultKind) -> None:
        """B13."""
        settles(bench)
        position, usual = await rehearsed(bench)
        request = await bench.request()
        draft_id = await begin(bench, request)
        begun = len(bench.tap.calls)
        bench.sim.faults = [Fault(kind, nth(position))]
        if kind is FaultKind.PHP_NOTICE:
            with contextlib.suppress(Uncertain):
                await send(bench, request, draft_id)
        else:
            with pytest.raises(Uncertain) as lost:
                await send(bench, request, draft_id)
            assert lost.value.reference == request.reference
        assert len(bench.tap.calls) - begun <= usual, "a booking is never repeated by the connector"
        assert len(bench.held(request.reference)) == (kind not in NEVER_ARRIVED)
        booking = await settled(bench, request, draft_id)
        assert bench.held(request.reference) == [booking.booking_id]
        assert len(bench.sim.bookings()) == 2, "the rehearsal's and this one"

    @pytest.mark.parametrize("kind", [*LOST, *NEVER_ARRIVED])
    @on_bench()
    async def test_a_draft_without_an_answer_is_settled_to_one(self, bench: CourierBench, kind: FaultKind) -> None:
        if not bench.two_steps:
            not_offered("it books in one step")
        request = await bench.request()
        begun = len(bench.tap.calls)
        bench.sim.faults = [Fault(kind, nth(0))]
        with contextlib.suppress(Uncertain) if kind is FaultKind.PHP_NOTICE else pytest.raises(Uncertain):
            await bench.connector.draft(request)
        assert len(bench.tap.calls) - begun == 1
        assert not bench.sim.bookings(), "a draft books nothing"
        booking = await settled(bench, request)
        assert list(bench.sim.bookings()) == [booking.booking_id]

    @pytest.mark.parametrize("kind", [FaultKind.HTTP_429, FaultKind.HTTP_429_DATE])
    @on_bench()
    async def test_too_many_calls_book_nothing(self, bench: CourierBench, kind: FaultKind) -> None:
        position, _ = await rehearsed(bench)
        request = await bench.request()
        draft_id = await begin(bench, request)
        bench.sim.faults = [Fault(kind, nth(position), retry_after_s=30)]
        with pytest.raises((RateLimited, Temporary)):
            await send(bench, request, draft_id)
        assert not bench.held(request.reference)
        await bench.clock.sleep(35)
        await send(bench, request, draft_id)
        assert len(bench.held(request.reference)) == 1

    @on_bench()
    async def test_nobody_there_books_nothing(self, bench: CourierBench) -> None:
        request = await bench.request()
        draft_id = await begin(bench, request)
        bench.sim.off = True
        with pytest.raises(Temporary):
            await send(bench, request, draft_id)
        bench.sim.off = False
        assert not bench.sim.bookings()

    @every_damage
    @on_bench()
    async def test_a_damaged_answer_to_a_booking_is_never_a_refusal(self, bench: CourierBench, harm: Damage) -> None:
        await rehearsed(bench)
        [answer] = bench.tap.with_effect(Event.PARCEL_ARRANGED)
        findings = []
        for number, spot in enumerate(damage.spots([answer], harm), REHEARSAL + 1):
            request = await bench.request(number)
            draft_id = await begin(bench, request)
            bench.tap.edits = [_damaged_booking(bench, spot, harm)]
            try:
                booking = await send(bench, request, draft_id)
                if bench.held(request.reference) != [booking.booking_id.strip()]:
                    findings.append(f"{harm.__name__} at {spot}: another booking id was read")
            except Uncertain:
                pass
            except Exception as wrong:
                findings.append(f"{harm.__name__} at {spot}: {type(wrong).__name__}: {wrong}")
            finally:
                bench.tap.edits = []
        assert not findings, "\n".join(findings)

    # -- balance and what is not offered

    @on_bench()
    async def test_an_empty_balance_books_nothing_and_is_told(self, bench: CourierBench) -> None:
        request = await bench.request()
        draft_id = await begin(bench, request)
        bench.sim.set_balance(0)
        with pytest.raises(Rejected) as refused:
            await send(bench, request, draft_id)
        assert refused.value.reject is RejectClass.INSUFFICIENT_BALANCE
        assert not bench.sim.bookings()
        bench.sim.set_balance(10_000_000)
        await send(bench, request, draft_id)
        assert len(bench.held(request.reference)) == 1

    @on_bench()
    async def test_the_balance_is_told_in_rupiah(self, bench: CourierBench) -> None:
        if not bench.connector.capabilities.balance:
            not_offered(bench.connector.capabilities.unsupported.get("balance", "balance is declared false"))
        bench.sim.set_balance(1_234_567)
        assert await bench.connector.balance() == 1_234_567

    @on_bench()
    async def test_cash_on_delivery_is_carried(self, bench: CourierBench) -> None:
        if not bench.connector.capabilities.cod:
            not_offered(bench.connector.capabilities.unsupported.get("cod", "cod is declared false"))
        offers = await bench.connector.quote(QuoteRequest(SENDER, RECIPIENT, (ITEM,), COMPANIES, cod_amount=204_500))
        with_cod = [offer for offer in offers if offer.cod]
        assert with_cod, "no service takes cash on delivery"
        request = await bench.request(
            cod_amount=204_500,
            company=with_cod[0].company,
            service=with_cod[0].service,
            handover=with_cod[0].handovers[0],
        )
        booking = await bench.book(request)
        assert booking.cod_amount in (None, 204_500)
        await lag(bench)
        assert (await bench.connector.booking(booking.booking_id)).cod_amount in (None, 204_500)

    @on_bench()
    async def test_what_is_not_declared_is_refused_before_any_call(self, bench: CourierBench) -> None:
        can, connector = bench.connector.capabilities, bench.connector
        request = BookingRequest("SSREF-1", "1", SENDER, RECIPIENT, (ITEM,), "jne", "reg")
        refused: list[Any] = []
        if can.settle_by is not SettleBy.LOOKUP:
            refused.append(connector.find("SSREF-1"))
        refused += (
            [connector.book(request)] if bench.two_steps else [connector.draft(request), connector.read_draft("1")]
        )
        if not can.balance:
            refused.append(connector.balance())
        for call in refused:
            with pytest.raises(NotSupported):
                await call
        assert not bench.tap.calls
        assert all(name and reason for name, reason in can.unsupported.items()), "what is left out has a reason"


def _damaged_booking(bench: CourierBench, spot: damage.Spot, harm: Damage) -> Any:
    """Damages the field in the answer to the next booking, whatever id its address holds."""
    known = len(bench.sim.bookings())

    def edit(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if len(bench.sim.bookings()) == known:
            return response
        here = damage.Spot((request.method, request.url.path), spot.path)
        return damage.damaging(here, harm)(request, response)

    return edit
