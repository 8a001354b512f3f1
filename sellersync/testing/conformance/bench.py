"""A connector on the bench of the conformance suites: its simulator, the wire between them, and the moves that every test makes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sellersync.connector.contract import (
    Arranged,
    Arrangement,
    Booking,
    BookingRequest,
    Channel,
    Connector,
    Courier,
    LevelAnswer,
    Mark,
    Page,
    ParcelItem,
    ParcelRequest,
    Place,
    PushOutcome,
    QuoteRequest,
    SettleBy,
    Stream,
    TargetKey,
    Want,
)
from sellersync.connector.http import Wire, WireLimits
from sellersync.domain.ids import booking_reference
from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.parcels import RemoteParcel
from sellersync.sandbox.kit import CourierSimulator, MarketplaceSimulator, Product, Simulator
from sellersync.testing.rig import MemoryTokens, build_simulator, connect
from sellersync.testing.virtual import START, VirtualClock

from .tap import Tap

C = TypeVar("C", bound=Connector)
S = TypeVar("S", bound=Simulator)

STEPS_MAX = 6
"""Steps of one shipment: more than any provider has."""
READY_WAIT_S_MAX = 6 * 3600.0
"""Longest time for which a provider may keep a paid order from being shipped (free-cancel hour, screening)."""
POLL_S = 60.0
PRICE = 45_000


@dataclass
class Bench(Generic[C, S]):
    """A connector, its simulator and their clock."""

    provider: str
    connector: C
    sim: S
    clock: VirtualClock
    tokens: MemoryTokens
    tap: Tap
    limits: WireLimits | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wire(self) -> Wire:
        return self.connector.context.wire

    async def restart(self) -> None:
        """The process dies and comes back: a new connector with the stored tokens, on the same simulator."""
        await self.wire.close()
        self.connector = connect(  # type: ignore[assignment]
            self.provider, self.sim, self.clock, self.tokens, self.tap, settings=self.settings, limits=self.limits
        )


class ChannelBench(Bench[Channel, MarketplaceSimulator]):
    """The moves of a channel's tests. `steps`: how many steps a shipment has, once that was found out."""

    steps: int | None = None

    # -- the shop and its buyers

    def products(self, count: int = 1, *, stock: int = 100) -> list[Product]:
        """New listings "SKU-1", "SKU-2", ...; prices differ, so that mixed-up lines are seen."""
        known = len(self.sim.products())
        return [
            self.sim.add_product(f"SKU-{number}", f"Barang {number}", price=PRICE + 500 * number, stock=stock)
            for number in range(known + 1, known + count + 1)
        ]

    def product(self, *, stock: int = 100) -> Product:
        return self.products(1, stock=stock)[0]

    # -- orders

    async def walk(self, since: datetime = START, stream: Stream = Stream.ORDERS, progress: str = "") -> list[Page]:
        """All pages of one walk."""
        return [page async for page in self.connector.pages(stream, Mark(since, progress))]

    async def order(self, order_id: str) -> Order:
        """The order as its provider shows it now."""
        [found] = (await self.connector.orders_by_id([order_id])).found
        return found

    async def ready_order(self, items: Sequence[tuple[str, int]] | None = None, **options: Any) -> Order:
        """A paid order, once it may be shipped."""
        order_id = self.sim.place_order(items or [(self.product().remote_key, 2)], **options)
        return await self.until_ready(order_id)

    async def until_ready(self, order_id: str) -> Order:
        waited_s = 0.0
        while True:
            order = await self.order(order_id)
            if order.state is OrderState.READY or waited_s >= READY_WAIT_S_MAX:
                assert order.state is OrderState.READY, f"a paid order is still {order.state} after {waited_s:.0f} s"
                return order
            await self.clock.sleep(POLL_S)
            waited_s += POLL_S

    # -- levels

    async def push(self, levels: Mapping[str, int], *, expected: int | None = None) -> dict[str, LevelAnswer]:
        """Send levels (remote key -> number) as the core does, batch by batch; the answers by remote key."""
        result: dict[str, LevelAnswer] = {}
        for batch in self.connector.level_batches(self.wants(levels, expected=expected)):
            answers = await self.connector.set_levels(batch)
            assert [answer.target for answer in answers] == [want.target for want in batch], (
                "one answer a want, in order"
            )
            result |= {answer.target.remote_key: answer for answer in answers}
        assert sorted(result) == sorted(levels)
        return result

    def wants(self, levels: Mapping[str, int], *, expected: int | None = None) -> list[Want]:
        """One want a remote key, each with a key of its own; at the product's first location."""
        serial = len(self.tap.calls)
        places = {product.remote_key: next(iter(product.shown), "") for product in self.sim.products()}
        return [
            Want(TargetKey(key, places.get(key, "")), level, expected, f"e1-t{number}-v{serial}")
            for number, (key, level) in enumerate(levels.items())
        ]

    def check_answers(
        self, levels: Mapping[str, int], before: Mapping[str, int], answers: Mapping[str, LevelAnswer]
    ) -> None:
        """What was said is what buyers see: applied shows the level, rejected left the number as it was, unclear says nothing."""
        for key, answer in answers.items():
            if key not in before:
                continue
            shown = self.sim.shown(key, answer.target.location)
            if answer.outcome is PushOutcome.APPLIED:
                assert shown == levels[key], f"{key} was reported as applied"
                assert answer.shown in (None, levels[key])
            elif answer.outcome is PushOutcome.REJECTED:
                assert shown == before[key], f"{key} was reported as rejected"
                assert answer.reject is not None, "a rejection names its class"
                assert answer.why, "a rejection says why"

    # -- shipments

    def parcel_request(self, order: Order, *, attempt: int = 1, parcel: RemoteParcel | None = None) -> ParcelRequest:
        """All open units of the order in one parcel, as the core asks for it."""
        units = tuple(
            (
                line.key,
                tuple(unit.key for unit in line.units if unit.key),
                sum(unit.count for unit in line.units),
            )
            for line in order.lines
        )
        reference = booking_reference("bench", 1, order.remote_id, 1, attempt, length_max=30)
        known = parcel or next((known for known in order.parcels if known.state.live), None)
        return ParcelRequest(order.remote_id, reference, units, known)

    async def prepare(self, order: Order) -> Arrangement:
        return await self.connector.prepare(self.parcel_request(order))

    async def arrange_rest(self, order: Order, arranged: Arranged) -> RemoteParcel:
        """The steps that follow a first one, until the courier is booked."""
        for _ in range(STEPS_MAX):
            if not arranged.more:
                return arranged.parcel
            arrangement = await self.connector.prepare(self.parcel_request(order, parcel=arranged.parcel))
            arranged = await self.connector.arrange(arrangement)
        raise AssertionError(f"a shipment is still not arranged after {STEPS_MAX} steps")

    async def ship(self, order: Order) -> RemoteParcel:
        """Arrange the whole order."""
        return await self.arrange_rest(order, await self.connector.arrange(await self.prepare(order)))

    async def shown_parcel(self, order_id: str) -> RemoteParcel | None:
        """The live parcel of an order once the provider's reads have caught up."""
        await self.clock.sleep(self.connector.capabilities.booking_read_lag_s + 5)
        parcels = [parcel for parcel in await self.connector.parcels([order_id]) if parcel.state.live]
        return parcels[0] if parcels else None


SENDER = Place(
    name="Gudang Angin",
    phone="081200000001",
    address="Jalan Contoh 12, Coblong",
    postal_code="40132",
    district="Coblong",
    city="Bandung",
    province="Jawa Barat",
    latitude=-6.8915,
    longitude=107.6107,
)
RECIPIENT = Place(
    name="Rani Penguji Utama",
    phone="081298765432",
    address="Jalan Misal 3 RT 2 RW 4, Sukolilo",
    postal_code="60243",
    district="Sukolilo",
    city="Surabaya",
    province="Jawa Timur",
    latitude=-7.2892,
    longitude=112.7965,
)
ITEM = ParcelItem(
    name="Kaos Polos L", sku="KP-L", quantity=2, value=92_500, weight_g=220, length_cm=20, width_cm=15, height_cm=5
)
COMPANIES = ("jne", "sicepat", "jnt", "anteraja", "lion", "idexpress", "ninja", "sap")


class CourierBench(Bench[Courier, CourierSimulator]):
    """The moves of a courier's tests. In a staged world `booked` is a parcel and `spare` the request that made it."""

    booked: str = ""
    spare: BookingRequest | None = None

    async def request(self, number: int = 1, **changes: Any) -> BookingRequest:
        """A parcel for the cheapest service that was offered; the reference belongs to `number`."""
        offers = await self.connector.quote(QuoteRequest(SENDER, RECIPIENT, (ITEM,), COMPANIES))
        assert offers, "no courier offers to carry an ordinary parcel from Bandung to Surabaya"
        length_max = self.connector.capabilities.reference_length_max
        facts: dict[str, Any] = {
            "reference": booking_reference("bench", 1, str(number), 1, 1, length_max=length_max),
            "order_number": str(number),
            "sender": SENDER,
            "recipient": RECIPIENT,
            "items": (ITEM,),
            "company": offers[0].company,
            "service": offers[0].service,
            "handover": offers[0].handovers[0],
        }
        return BookingRequest(**{**facts, **changes})

    @property
    def two_steps(self) -> bool:
        return self.connector.capabilities.settle_by is SettleBy.TWO_STEP

    async def book(self, request: BookingRequest) -> Booking:
        """Book as the courier's strategy says."""
        if not self.two_steps:
            return await self.connector.book(request)
        draft = await self.connector.draft(request)
        return await self.connector.confirm(draft.draft_id, request.reference)

    def held(self, reference: str) -> list[str]:
        """Ids of the bookings that the courier holds under a reference."""
        return [number for number, facts in self.sim.bookings().items() if facts["reference"] == reference]


B = TypeVar("B", bound=Bench[Any, Any])


def build_bench(
    cls: type[B],
    provider: str,
    *,
    switches: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    limits: WireLimits | None = None,
    skew_s: float = 0.0,
    seed: int = 1,
) -> B:
    """Wire the installed connector to its simulator on the running virtual loop. `skew_s`: our clock is ahead by so much."""
    clock = VirtualClock(asyncio.get_running_loop(), skew=timedelta(seconds=skew_s))
    sim = build_simulator(provider, clock, seed=seed, switches=switches)
    tokens = MemoryTokens(clock, sim.first_grant())
    tap = Tap(sim, clock)
    connector = connect(provider, sim, clock, tokens, tap, seed=seed, settings=settings, limits=limits)
    return cls(provider, connector, sim, clock, tokens, tap, limits, settings or {})


def open_units(order: Order) -> dict[str, int]:
    """Units per listing that hold stock: open, or unreadable."""
    result: dict[str, int] = {}
    for line in order.lines:
        count = sum(unit.count for unit in line.units if unit.stage in (UnitStage.OPEN, UnitStage.UNKNOWN))
        result[line.listing] = result.get(line.listing, 0) + count
    return result
