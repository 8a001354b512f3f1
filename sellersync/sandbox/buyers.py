"""Seeded buyers and couriers: the outside world of the demo and of the system tests.

On own sites a courier of the shop's carries the parcel, and only its booking shows to which order it belongs (`order_number`). So an
own-site order is cancelled as a whole or not at all, and a courier never comes for goods that nobody wants any more.

`plan_deeds` decides everything beforehand from a seed; `Street` carries out what is due. On a virtual clock `Street.step` is called
with the elapsed time, in the demo `Street.walk` does so in a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from .kit import CourierSimulator, Event, MarketplaceSimulator, SoldOut
from .shelves import Catalogue

STEP_S = 0.005
COURIER_LOOK_S = 0.1
LAST_ORDERS_S = (0.9, 0.6, 0.35, 0.15)  # before the end: somebody always buys in the last second
COLLECT_S = (2.0, 5.0)  # from the arrangement until the courier comes
DELIVER_S = (3.0, 8.0)
RACE_GAP_S = 0.008
COURIER_COLLECTS, COURIER_DELIVERS = "picked", "delivered"
DEAD_BOOKINGS = ("cancelled", "rejected")


class Kind(StrEnum):
    ORDER = "order"
    PAY = "pay"
    CANCEL = "cancel"
    CANCEL_BOOKED = "cancel_booked"
    """As soon as the courier is booked; own sites only."""
    COURIER_CANCELS = "courier_cancels"
    """Not the buyer but the courier cancels, as soon as it is booked; own sites only."""


ONCE_BOOKED = (Kind.CANCEL_BOOKED, Kind.COURIER_CANCELS)
SECOND_THOUGHTS_AT = (0.2, 0.3)  # of the time: early enough for staff to act on them while buyers still order


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a buyer does `at` seconds after the start. `number` ties a payment or cancellation to its order.

    `items` are (seller SKU, units); for a cancellation those that are cancelled, empty for the whole order.
    """

    at: float
    kind: Kind
    number: int
    channel: str
    items: tuple[tuple[str, int], ...] = ()
    paid: bool = True
    cod: bool = False
    storefront: str = ""


@dataclass(frozen=True, slots=True)
class Habits:
    """How lively it is: orders a second over all channels, and shares of what buyers do."""

    rate_per_s: float = 4.0
    unpaid: float = 0.18
    never_pays: float = 0.2
    """Of the unpaid."""
    cod: float = 0.1
    cancels: float = 0.06
    cancels_part: float = 0.05
    campaign_per_s: float = 8.0
    campaign_share: tuple[float, float] = (0.55, 0.68)
    """Of the time: when the flash sale begins and ends."""


class _Planner:
    def __init__(
        self,
        catalogue: Catalogue,
        channels: Mapping[str, MarketplaceSimulator],
        own_sites: Collection[str],
        habits: Habits,
        seed: int,
    ) -> None:
        self._own_sites = own_sites
        self._catalogue = catalogue
        self._channels = channels
        self._slugs = sorted(channels)
        self._habits = habits
        self._rng = Random(f"buyers:{seed}")
        self._number = 0
        self.deeds: list[Deed] = []

    def plan(self, seconds: float) -> list[Deed]:
        habits, at = self._habits, 0.3
        while at < seconds - 1.0:
            self._any_order(at)
            at += self._rng.expovariate(habits.rate_per_s)
        self._races(seconds)
        self._second_thoughts(seconds)
        begin, end = (share * seconds for share in habits.campaign_share)
        at = begin
        while self._catalogue.campaign and at < end:
            self._order(at, self._rng.choice(self._slugs), ((self._catalogue.campaign, 1),))
            at += self._rng.expovariate(habits.campaign_per_s)
        for before_end in LAST_ORDERS_S:
            for slug in self._slugs:
                good = self._catalogue.goods[self._rng.randrange(5)]
                self._order(seconds - before_end + self._rng.uniform(0, 0.1), slug, ((good.sku, 1),))
        in_time = [deed for deed in self.deeds if deed.at < seconds]
        return sorted(in_time, key=lambda deed: (deed.at, deed.number, deed.kind))

    def _any_order(self, at: float) -> None:
        rng, habits = self._rng, self._habits
        slug = rng.choice(self._slugs)
        wares = [(good.sku, good.weight) for good in self._catalogue.goods]
        wares += [
            (b.seller_sku, b.weight) for b in self._catalogue.bundles if (slug, b.seller_sku) in self._catalogue.keys
        ]
        chosen = rng.choices([sku for sku, _ in wares], [weight for _, weight in wares], k=rng.choice((1, 1, 1, 1, 2)))
        items = tuple((sku, rng.choice((1, 1, 1, 2, 3))) for sku in dict.fromkeys(chosen))
        fate = rng.random()
        if slug in self._own_sites and fate >= habits.unpaid + habits.cod + habits.cancels:
            fate = 1.0  # nothing asks staff to send less than a courier is booked for
        if fate < habits.unpaid:
            number = self._order(at, slug, items, paid=False)
            if rng.random() < habits.never_pays:
                self._later(at + rng.uniform(2.0, 5.0), Kind.CANCEL, number, slug)
            else:
                self._later(at + rng.uniform(0.5, 4.0), Kind.PAY, number, slug)
        elif fate < habits.unpaid + habits.cod:
            self._order(at, slug, items, paid=False, cod=True)
        elif fate < habits.unpaid + habits.cod + habits.cancels:
            number = self._order(at, slug, items)
            self._later(at + rng.uniform(0.1, 0.8), Kind.CANCEL, number, slug)
        elif fate < habits.unpaid + habits.cod + habits.cancels + habits.cancels_part:
            sku = items[0][0]
            number = self._order(at, slug, ((sku, 3),))
            self._later(at + rng.uniform(0.1, 0.8), Kind.CANCEL, number, slug, ((sku, 1),))
        else:
            self._order(at, slug, items)

    def _races(self, seconds: float) -> None:
        """Two channels sell a scarce SKU within milliseconds, again and again until it is gone everywhere."""
        for turn, sku in enumerate(self._catalogue.scarce):
            for attempt in range(3):
                at = seconds * (0.2 + 0.22 * attempt + 0.1 * turn)
                pair = self._rng.sample(self._slugs, k=min(2, len(self._slugs)))
                for place, slug in enumerate(pair):
                    self._order(at + place * RACE_GAP_S, slug, ((sku, 1),))

    def _second_thoughts(self, seconds: float) -> None:
        """On every own site a buyer cancels what the courier is booked for already, and a courier cancels by itself."""
        for slug in self._slugs:
            if slug in self._own_sites:
                for share, kind in zip(SECOND_THOUGHTS_AT, ONCE_BOOKED, strict=True):
                    at = share * seconds
                    number = self._order(at, slug, ((self._catalogue.goods[0].sku, 1),))
                    self._later(at + RACE_GAP_S, kind, number, slug)

    def _order(
        self, at: float, slug: str, items: tuple[tuple[str, int], ...], *, paid: bool = True, cod: bool = False
    ) -> int:
        self._number += 1
        storefront = ""
        if self._channels[slug].provider == "tokopedia":
            storefront = self._rng.choice(("tokopedia", "tiktok_shop"))
        self.deeds.append(Deed(at, Kind.ORDER, self._number, slug, items, paid, cod, storefront))
        return self._number

    def _later(self, at: float, kind: Kind, number: int, slug: str, items: tuple[tuple[str, int], ...] = ()) -> None:
        self.deeds.append(Deed(at, kind, number, slug, items))


def plan_deeds(
    catalogue: Catalogue,
    channels: Mapping[str, MarketplaceSimulator],
    *,
    seconds: float,
    seed: int,
    own_sites: Collection[str] = (),
    habits: Habits | None = None,
) -> list[Deed]:
    """Everything the buyers will do, in time order: the same for the same seed."""
    return _Planner(catalogue, channels, own_sites, habits or Habits(), seed).plan(seconds)


@dataclass
class Street:
    """Buyers who carry out their deeds, and couriers who collect what is arranged and deliver it.

    `own_sites` are channels whose parcels travel with `couriers`. `placed` maps a deed's number to the remote order id; `refused`
    counts deeds that the marketplace did not allow any more (a cancellation of an order that is already packed).
    """

    catalogue: Catalogue
    channels: Mapping[str, MarketplaceSimulator]
    couriers: Mapping[str, CourierSimulator]
    deeds: Sequence[Deed]
    seed: int
    own_sites: frozenset[str] = frozenset()
    placed: dict[int, str] = field(default_factory=dict)
    turned_away: int = 0
    refused: int = 0
    _once_booked: list[Deed] = field(default_factory=list)
    _unwanted: set[str] = field(default_factory=set)
    """Own-site orders that are cancelled."""
    _next: int = 0
    _look_at: float = 0.0
    _due: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)
    """(slug, parcel or booking) -> (when, what the courier does then); "" when nothing is left to do."""

    def step(self, elapsed_s: float) -> None:
        """Do everything that is due `elapsed_s` seconds after the start."""
        while self._next < len(self.deeds) and self.deeds[self._next].at <= elapsed_s:
            deed = self.deeds[self._next]
            self._next += 1
            self._do(deed)
        if elapsed_s >= self._look_at:
            self._look_at = elapsed_s + COURIER_LOOK_S
            self._couriers_come(elapsed_s)

    @property
    def done(self) -> bool:
        """All deeds are done; couriers may still be under way."""
        return self._next == len(self.deeds)

    def walk(self, clock: Callable[[], float], stop: threading.Event) -> None:
        """Step in real time until `stop` is set. `clock` returns seconds that never go back."""
        start = clock()
        while not stop.wait(STEP_S):
            self.step(clock() - start)

    # -- buyers

    def _do(self, deed: Deed) -> None:
        simulator = self.channels[deed.channel]
        items = [(self.catalogue.keys[deed.channel, sku], count) for sku, count in deed.items]
        if deed.kind is Kind.ORDER:
            try:
                self.placed[deed.number] = simulator.place_order(
                    items, paid=deed.paid, cod=deed.cod, storefront=deed.storefront
                )
            except SoldOut:
                self.turned_away += 1
            return
        order_id = self.placed.get(deed.number)
        if order_id is None:
            return
        if deed.kind is Kind.PAY:
            simulator.pay(order_id)
        elif deed.kind in ONCE_BOOKED:
            self._once_booked.append(deed)
        elif deed.channel in self.own_sites:
            self._cancel_own(simulator, order_id)
        else:
            self._cancel(simulator, order_id, items)

    def _cancel(self, simulator: MarketplaceSimulator, order_id: str, items: list[tuple[str, int]]) -> None:
        """A parcel that is arranged already is not cancelled any more: the buyer keeps it."""
        if any(entry.data["order_id"] == order_id for entry in simulator.journal.entries(Event.PARCEL_ARRANGED)):
            self.refused += 1
            return
        try:
            simulator.cancel(order_id, by="buyer", items=items or None)
        except ValueError:
            self.refused += 1

    def _cancel_own(self, simulator: MarketplaceSimulator, order_id: str) -> None:
        """A parcel that was collected is not cancelled any more: the buyer keeps it."""
        if any(self._due.get(key, (0.0, "collect"))[1] != "collect" for key in self._bookings_of(order_id)):
            self.refused += 1
            return
        try:
            simulator.cancel(order_id, by="buyer")
        except ValueError:
            self.refused += 1
        else:
            self._unwanted.add(order_id)

    # -- couriers

    def _bookings_of(self, order_number: str) -> list[tuple[str, str]]:
        """(courier slug, booking) of the living bookings for an own-site order."""
        return [
            (slug, booking_id)
            for slug, courier in self.couriers.items()
            for booking_id, booking in courier.bookings().items()
            if booking.get("order_number") == order_number and booking["status"] not in DEAD_BOOKINGS
        ]

    def _second_thoughts(self) -> None:
        for deed in list(self._once_booked):
            order_id = self.placed[deed.number]
            bookings = self._bookings_of(order_id)
            if not bookings:
                continue
            self._once_booked.remove(deed)
            if deed.kind is Kind.CANCEL_BOOKED:
                self._cancel_own(self.channels[deed.channel], order_id)
            else:
                slug, booking_id = bookings[0]
                self.couriers[slug].advance(booking_id, DEAD_BOOKINGS[0])

    def _couriers_come(self, elapsed_s: float) -> None:
        self._second_thoughts()
        for slug, simulator in self.channels.items():
            if slug not in self.own_sites:
                for parcel_id in simulator.arranged_parcels():
                    self._notice(slug, parcel_id, elapsed_s)
        for slug, courier in self.couriers.items():
            for booking_id in courier.bookings():
                self._notice(slug, booking_id, elapsed_s)
        for key, (at, what) in list(self._due.items()):
            if what and at <= elapsed_s:
                self._move(key, what, elapsed_s)

    def _notice(self, slug: str, parcel_id: str, elapsed_s: float) -> None:
        if (slug, parcel_id) not in self._due:
            wait_s = Random(f"{self.seed}:{slug}:{parcel_id}").uniform(*COLLECT_S)
            self._due[slug, parcel_id] = (elapsed_s + wait_s, "collect")

    def _move(self, key: tuple[str, str], what: str, elapsed_s: float) -> None:
        slug, parcel_id = key
        try:
            if slug in self.couriers:
                status = COURIER_COLLECTS if what == "collect" else COURIER_DELIVERS
                booking = self.couriers[slug].bookings()[parcel_id]
                if booking["status"] in DEAD_BOOKINGS:
                    raise ValueError("the booking is dead")
                if what == "collect" and booking.get("order_number") in self._unwanted:
                    raise ValueError("nobody wants it any more")
                self.couriers[slug].advance(parcel_id, status)
            elif what == "collect":
                self.channels[slug].hand_over(parcel_id)
            else:
                self.channels[slug].deliver(parcel_id)
        except ValueError:
            # Not possible (yet): cancelled meanwhile, or its waybill is still being made. Look again a second later.
            self._due[key] = (elapsed_s + 1.0, what)
            return
        wait_s = Random(f"{self.seed}:{slug}:{parcel_id}:{what}").uniform(*DELIVER_S)
        self._due[key] = (elapsed_s + wait_s, "deliver" if what == "collect" else "")
