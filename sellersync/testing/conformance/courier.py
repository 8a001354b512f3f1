"""The suite for couriers: all themes together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sellersync.connector.contract import Booking, Quote, QuoteRequest

from .bench import COMPANIES, ITEM, RECIPIENT, SENDER, CourierBench
from .deliveries import Deliveries
from .hygiene import Hygiene
from .parcels import LOOK_S, WAYBILL_LOOKS_MAX, Parcels
from .tokens import Tokens


class CourierConformance(Parcels, Deliveries, Tokens, Hygiene):
    """What every courier must do. Subclass it in a file of your own and name the `provider`."""

    bench_class = CourierBench

    async def stage(self, bench: CourierBench) -> None:
        booking = await bench.book(await bench.request())
        await bench.clock.sleep(WAYBILL_LOOKS_MAX * LOOK_S)
        bench.booked = booking.booking_id

    async def look(self, bench: CourierBench) -> tuple[Booking, tuple[Quote, ...]]:
        offers = await bench.connector.quote(QuoteRequest(SENDER, RECIPIENT, (ITEM,), COMPANIES))
        return await bench.connector.booking(bench.booked), offers

    def errands(self, bench: CourierBench) -> dict[str, Callable[[], Awaitable[Any]]]:
        async def book() -> Booking:
            number = len(bench.tap.calls)
            return await bench.book(await bench.request(number))

        return super().errands(bench) | {
            "book": book,
            "track": lambda: bench.connector.booking(bench.booked),
        }

    async def private_words(self, bench: CourierBench) -> set[str]:
        return {RECIPIENT.name, RECIPIENT.phone, RECIPIENT.address}
