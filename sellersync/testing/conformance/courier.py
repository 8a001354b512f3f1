"""The suite for couriers: all themes together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from sellersync.connector.contract import Booking, Quote, QuoteRequest
from sellersync.domain.ids import booking_reference

from .bench import COMPANIES, ITEM, RECIPIENT, SENDER, CourierBench
from .deliveries import Deliveries
from .hygiene import Hygiene
from .parcels import LOOK_S, WAYBILL_LOOKS_MAX, Parcels
from .tokens import Tokens


class CourierConformance(Parcels, Deliveries, Tokens, Hygiene):
    """What every courier must do. Subclass it in a file of your own and name the `provider`."""

    bench_class = CourierBench

    async def stage(self, bench: CourierBench) -> None:
        bench.spare = await bench.request()
        booking = await bench.book(bench.spare)
        await bench.clock.sleep(WAYBILL_LOOKS_MAX * LOOK_S)
        bench.booked = booking.booking_id

    async def look(self, bench: CourierBench) -> tuple[Booking, tuple[Quote, ...]]:
        offers = await bench.connector.quote(QuoteRequest(SENDER, RECIPIENT, (ITEM,), COMPANIES))
        return await bench.connector.booking(bench.booked), offers

    def errands(self, bench: CourierBench) -> dict[str, Callable[[], Awaitable[Any]]]:
        async def book() -> Booking:
            assert bench.spare is not None
            length_max = bench.connector.capabilities.reference_length_max
            reference = booking_reference("bench", 2, str(len(bench.tap.calls)), 1, 1, length_max=length_max)
            return await bench.book(replace(bench.spare, reference=reference))

        return super().errands(bench) | {
            "book": book,
            "track": lambda: bench.connector.booking(bench.booked),
        }

    async def private_words(self, bench: CourierBench) -> set[str]:
        return {RECIPIENT.name, RECIPIENT.phone, RECIPIENT.address}
