"""Buyers do the same for the same seed, make every scene the demo promises, and order until the last second."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from sellersync.sandbox.buyers import COLLECT_S, DELIVER_S, ONCE_BOOKED, Deed, Kind, Street, plan_deeds
from sellersync.sandbox.kit import Entry, Event
from sellersync.sandbox.shelves import Catalogue, coffee_and_batik, fill_shelves

from .honest import TinyCourier
from .shop import TinyShop

SECONDS = 30.0
START = 1_795_219_200.0


@dataclass
class Market:
    """Three shops on a virtual clock."""

    seed: int
    now: float = START
    elapsed: float = 0.0
    catalogue: Catalogue = field(default_factory=coffee_and_batik)

    def __post_init__(self) -> None:
        self.shops = {slug: TinyShop(clock=lambda: self.now, rng=Random(1)) for slug in ("a", "b", "site")}
        self.shops["b"].provider = "shopee"
        self.courier = TinyCourier(clock=lambda: self.now, rng=Random(2))
        fill_shelves(self.catalogue, self.shops)
        self.deeds = plan_deeds(self.catalogue, self.shops, seconds=SECONDS, seed=self.seed, own_sites={"site"})
        self.street = Street(
            self.catalogue, self.shops, {"courier": self.courier}, self.deeds, self.seed, frozenset({"site"})
        )

    def run(self, until_s: float = SECONDS) -> None:
        while self.elapsed < until_s:
            self.elapsed += 0.05
            self.now = START + self.elapsed
            self.street.step(self.elapsed)

    def entries(self, *events: Event) -> list[tuple[str, Entry]]:
        return [(slug, entry) for slug, shop in self.shops.items() for entry in shop.journal.entries(*events)]


@pytest.fixture
def market() -> Market:
    market = Market(seed=7)
    market.run()
    return market


def test_one_seed_one_plan() -> None:
    assert Market(7).deeds == Market(7).deeds
    assert Market(7).deeds != Market(8).deeds


def test_one_seed_one_journal() -> None:
    first, second = Market(7), Market(7)
    first.run()
    second.run()
    assert first.entries() == second.entries()
    assert len(first.entries()) > 200


def test_every_channel_sells_and_every_scene_happens(market: Market) -> None:
    placed = market.entries(Event.ORDER_PLACED)
    assert all(count > 20 for count in Counter(slug for slug, _ in placed).values())
    assert len({slug for slug, _ in placed}) == 3
    assert any(entry.data["cod"] for _, entry in placed)
    assert market.entries(Event.ORDER_PAID)
    assert any(len(entry.data["items"]) > 1 for _, entry in placed)
    assert any(item[1] == "PAKET-NGOPI" for _, entry in placed for item in entry.data["items"])
    sizes = {entry.data["order_id"]: sum(n for *_, n in entry.data["items"]) for slug, entry in placed if slug == "a"}
    gone = [
        (sizes[entry.data["order_id"]], sum(n for *_, n in entry.data["items"]))
        for slug, entry in market.entries(Event.ORDER_CANCELLED)
        if slug == "a"
    ]
    assert any(cancelled == ordered for ordered, cancelled in gone)
    assert any(cancelled == 1 and ordered == 3 for ordered, cancelled in gone)


def test_on_the_own_site_orders_are_cancelled_as_a_whole(market: Market) -> None:
    cancelled = [deed for deed in market.deeds if deed.kind is Kind.CANCEL and deed.channel == "site"]
    assert cancelled
    assert not any(deed.items for deed in cancelled)


@pytest.mark.parametrize("seconds", [5.0, 25.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_run_has_a_buyer_and_a_courier_who_cancel_what_is_booked(seed: int, seconds: float) -> None:
    market = Market(seed)
    deeds = plan_deeds(market.catalogue, market.shops, seconds=seconds, seed=seed, own_sites={"site"})
    late = {deed.kind: deed for deed in deeds if deed.kind in ONCE_BOOKED}
    assert set(late) == set(ONCE_BOOKED)
    for deed in late.values():
        [order] = [one for one in deeds if one.kind is Kind.ORDER and one.number == deed.number]
        assert order.channel == "site"
        assert order.paid
        assert order.at < deed.at


class TestOnceBooked:
    """An own-site order, and something that happens to it as soon as its courier is booked."""

    def begun(self, kind: Kind) -> tuple[Market, str]:
        market = Market(7)
        deeds = [Deed(0.0, Kind.ORDER, 1, "site", (("KOPI-GAYO-250", 2),)), Deed(0.0, kind, 1, "site")]
        market.street.deeds = market.deeds = deeds
        market.run(3.0)
        order_id = market.street.placed[1]
        market.courier.book("SS-1", order_id, 2)
        return market, order_id

    def test_the_buyer_cancels_and_no_courier_comes(self) -> None:
        market, order_id = self.begun(Kind.CANCEL_BOOKED)
        assert not market.entries(Event.ORDER_CANCELLED)
        market.run(30.0)
        [(_, entry)] = market.entries(Event.ORDER_CANCELLED)
        assert entry.data["order_id"] == order_id
        assert entry.data["items"] == [("k-KOPI-GAYO-250", "KOPI-GAYO-250", 2)]
        assert market.courier.bookings()["c1"]["status"] == "confirmed"

    def test_the_courier_cancels_and_comes_for_the_next_booking(self) -> None:
        market, order_id = self.begun(Kind.COURIER_CANCELS)
        market.run(4.0)
        assert market.courier.bookings()["c1"]["status"] == "cancelled"
        assert not market.entries(Event.ORDER_CANCELLED)
        market.courier.book("SS-2", order_id, 2)
        market.run(30.0)
        statuses = {booking_id: booking["status"] for booking_id, booking in market.courier.bookings().items()}
        assert statuses == {"c1": "cancelled", "c2": "delivered"}

    def test_what_was_collected_stays_with_the_buyer(self) -> None:
        market, _ = self.begun(Kind.ORDER)
        market.run(3.0 + COLLECT_S[1] + 1)
        market.street.deeds = [*market.street.deeds, Deed(market.elapsed, Kind.CANCEL, 1, "site")]
        market.run(market.elapsed + 1.0)
        assert market.street.refused == 1
        assert not market.entries(Event.ORDER_CANCELLED)


def test_two_channels_race_for_the_last_unit(market: Market) -> None:
    sold = [
        (entry.at, slug)
        for slug, entry in market.entries(Event.ORDER_PLACED)
        if entry.data["items"][0][1] == "BATIK-MEGA-L"
    ]
    assert len(sold) >= 2  # one unit on the shelf, and nobody told the other channels
    assert len({slug for _, slug in sold[:2]}) == 2


def test_the_flash_sale_is_faster_than_the_rest(market: Market) -> None:
    deeds = [deed for deed in market.deeds if deed.kind is Kind.ORDER]
    in_campaign = [deed for deed in deeds if 0.55 * SECONDS <= deed.at < 0.68 * SECONDS]
    assert len(in_campaign) / (0.13 * SECONDS) > 2 * len(deeds) / SECONDS * 0.8


def test_somebody_orders_on_every_channel_in_the_last_second(market: Market) -> None:
    placed = market.entries(Event.ORDER_PLACED)
    last = {slug for slug, entry in placed if entry.at - START > SECONDS - 1.0}
    assert last == {"a", "b", "site"}
    assert market.street.done


def test_couriers_collect_and_deliver_what_is_arranged() -> None:
    market = Market(7)
    market.run(3.0)
    order_id = market.street.placed[next(d.number for d in market.deeds if d.channel == "a" and d.paid)]
    market.shops["a"].arrange(order_id)
    booking = market.courier.book("SS-1")
    market.run(3.0 + COLLECT_S[1] + DELIVER_S[1] + 1)
    assert [entry.event for _, entry in market.entries(Event.HANDED_OVER, Event.DELIVERED)] == [
        Event.HANDED_OVER,
        Event.DELIVERED,
    ]
    assert market.courier.bookings()[booking]["status"] == "delivered"


def test_an_arranged_order_is_not_cancelled() -> None:
    market = Market(7)
    shop = market.shops["a"]
    order_id = shop.place_order([("k-KOPI-GAYO-250", 1)])
    shop.arrange(order_id)
    market.street.placed[1] = order_id
    market.street.deeds = [Deed(0.0, Kind.CANCEL, 1, "a")]
    market.street.step(0.1)
    assert not shop.journal.entries(Event.ORDER_CANCELLED)
    assert market.street.refused == 1
