"""KiriminAja's calls when the network, the service or the key fails."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest
from test_kiriminaja import BUYER, SHIRTS, SHOP, KiriminAjaRig, booking_request, sent

from sellersync.connector.contract import QuoteRequest
from sellersync.domain.errors import AuthNeeded, RateLimited, Temporary, Uncertain, Unrecognised
from sellersync.domain.parcels import ParcelState
from sellersync.sandbox.kit import Fault, FaultKind
from sellersync.testing.rig import on_rig

AFTER = (FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.PHP_NOTICE)
BEFORE = (FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.HTML)


def on(path: str) -> Any:
    return lambda _method, requested: requested.endswith(path)


@pytest.mark.parametrize("repeated", ["refused", "accepted"])
@pytest.mark.parametrize("kind", AFTER)
def test_a_booking_without_an_answer_is_uncertain_and_found(kind: FaultKind, repeated: str) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.faults.append(Fault(kind, matches=on("request_pickup")))
        with pytest.raises(Uncertain) as lost:
            await rig.connector.book(booking_request())
        assert lost.value.reference == "SSABCDEF-1"
        found = await rig.connector.find("SSABCDEF-1")
        assert found is not None
        assert found.state is ParcelState.BOOKED
        assert (await rig.connector.book(booking_request())).booking_id == "SSABCDEF-1"
        assert len(rig.sim.bookings()) == 1
        assert rig.sim.balance == 10_000_000 - 10_500

    on_rig("kiriminaja", test, switches={"repeated_order_id": repeated})


@pytest.mark.parametrize("kind", BEFORE)
def test_a_booking_that_never_arrived_is_uncertain_and_not_found(kind: FaultKind) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.faults.append(Fault(kind, matches=on("request_pickup")))
        with pytest.raises(Uncertain):
            await rig.connector.book(booking_request())
        assert await rig.connector.find("SSABCDEF-1") is None
        assert (await rig.connector.book(booking_request())).state is ParcelState.BOOKED
        assert len(sent(rig, "request_pickup")) == 2

    on_rig("kiriminaja", test)


@pytest.mark.parametrize("path", ["tracking", "schedules", "shipping_price", "addresses"])
def test_nothing_is_booked_when_a_read_before_it_fails(path: str) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.faults.append(Fault(FaultKind.HTTP_500, matches=on(path), times=9))
        with pytest.raises(Temporary):
            await rig.connector.book(booking_request())
        assert sent(rig, "request_pickup") == []
        rig.sim.faults.clear()
        assert (await rig.connector.book(booking_request())).state is ParcelState.BOOKED

    on_rig("kiriminaja", test)


def test_a_booking_is_not_sent_late() -> None:
    """Whoever settles the attempt by then must not meet a booking that is still to be sent."""

    async def test(rig: KiriminAjaRig) -> None:
        async def slow(request: httpx.Request) -> httpx.Response:
            await request.aread()
            await rig.clock.sleep(11)
            return rig.sim.handle(request)

        rig.wire._transport = httpx.MockTransport(slow)
        with pytest.raises(Temporary, match="nothing was booked"):
            await rig.connector.book(booking_request())
        assert rig.sim.bookings() == {}

    on_rig("kiriminaja", test)


def test_a_page_instead_of_a_tracking_answer_is_no_proof_of_absence() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        await rig.connector.book(booking_request())
        rig.sim.faults.append(Fault(FaultKind.HTML, matches=on("tracking")))
        with pytest.raises(Unrecognised):
            await rig.connector.find("SSABCDEF-1")

    on_rig("kiriminaja", test)


def test_reads_are_repeated() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.faults.append(Fault(FaultKind.DROP_AFTER, matches=on("shipping_price"), times=2))
        assert await rig.connector.quote(QuoteRequest(SHOP, BUYER, (SHIRTS,), ("jne",)))
        assert len(sent(rig, "shipping_price")) == 3

    on_rig("kiriminaja", test)


@pytest.mark.parametrize("kind", [FaultKind.HTTP_429, FaultKind.HTTP_429_DATE])
def test_a_limited_booking_was_not_booked(kind: FaultKind) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.faults.append(Fault(kind, matches=on("request_pickup"), retry_after_s=20))
        with pytest.raises(RateLimited):
            await rig.connector.book(booking_request())
        assert rig.sim.bookings() == {}

    on_rig("kiriminaja", test)


@pytest.mark.parametrize("retry_after", ["sent", "absent"])
def test_too_many_calls_wait_and_go_on(retry_after: str) -> None:
    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.rate_limits = True
        started = rig.clock.monotonic()
        for _ in range(3):
            await rig.connector.find("SSABCDEF-1")
        assert rig.clock.monotonic() - started >= (1.0 if retry_after == "sent" else 5.0)

    on_rig("kiriminaja", test, switches={"retry_after": retry_after})


def test_a_lost_cancellation_is_uncertain_and_its_repetition_harmless() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        await rig.connector.book(booking_request(cod_amount=204_500))
        await rig.clock.sleep(rig.sim.waybill_delay_s)
        rig.sim.faults.append(Fault(FaultKind.DROP_AFTER, matches=on("cancel_shipment")))
        with pytest.raises(Uncertain):
            await rig.connector.cancel("SSABCDEF-1", "stok habis")
        assert (await rig.connector.cancel("SSABCDEF-1", "stok habis")).done
        assert len(sent(rig, "cancel_shipment")) == 1

    on_rig("kiriminaja", test)


def test_a_cancellation_whose_outcome_cannot_be_read_is_uncertain() -> None:
    async def test(rig: KiriminAjaRig) -> None:
        await rig.connector.book(booking_request(cod_amount=204_500))
        await rig.clock.sleep(rig.sim.waybill_delay_s)
        answer = rig.sim.answer

        def then_down(request: Any) -> Any:
            if request.url.path.endswith("cancel_shipment"):
                rig.sim.faults.append(Fault(FaultKind.HTTP_500, matches=on("tracking"), times=9))
            return answer(request)

        rig.sim.answer = then_down  # type: ignore[method-assign]
        with pytest.raises(Uncertain, match="could not be read"):
            await rig.connector.cancel("SSABCDEF-1", "stok habis")

    on_rig("kiriminaja", test)


def test_a_wrong_key_says_what_to_do_and_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = "kaj-rahasia-rahasia"

    async def test(rig: KiriminAjaRig) -> None:
        for call in (
            rig.connector.health(),
            rig.connector.balance(),
            rig.connector.find("SSABCDEF-1"),
            rig.connector.book(booking_request()),
        ):
            with pytest.raises(AuthNeeded) as refused:
                await call
            assert "Integrasi" in refused.value.todo
            assert key not in str(refused.value)

    on_rig("kiriminaja", test, settings={"api_key": key, "pin": "918273"})
    assert key not in caplog.text
    assert "918273" not in caplog.text


def test_secrets_and_buyers_are_in_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def test(rig: KiriminAjaRig) -> None:
        rig.sim.off = True
        with pytest.raises(Temporary) as down:
            await rig.connector.book(booking_request())
        rig.sim.off = False
        rig.sim.faults.append(Fault(FaultKind.TRUNCATED, matches=on("request_pickup")))
        with pytest.raises(Uncertain) as lost:
            await rig.connector.book(booking_request())
        for text in (str(down.value), str(lost.value), caplog.text, repr(rig.connector.context.settings)):
            for secret in (rig.sim.api_key, rig.sim.pin, "Rani", "Jl. Misal", "081200000002"):
                assert secret not in text

    on_rig("kiriminaja", test)
