"""Parcels on their way: what was seen, what a courier wants later, and which parcels need a person until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from ledger_bench import START, Bench, line, order, parcel

from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.queue import DeskRules
from sellersync.domain.scorecard import Average, scores
from sellersync.domain.watching import Trouble, WatchRules
from sellersync.store import parcel_watch, tracking
from sellersync.store.parcel_events import events_of
from sellersync.store.reads_scorecard import rides

BOOKED, PICKED_UP, IN_TRANSIT = ParcelState.BOOKED, ParcelState.PICKED_UP, ParcelState.IN_TRANSIT
KINDS = ("parcel_lost", "parcel_returning", "parcel_uncollected", "parcel_stuck", "parcel_overdue", "shipment_late")


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """A shop whose first walk is long over, with one booked parcel."""
    bench.execute("UPDATE channel SET first_walk_done_ms = created_ms")
    bench.clock.advance(minutes=1)
    bench.stocked("KOPI", 10)
    bench.record(order("A", line("KOPI", 2), parcels=(parcel("P1", "A", BOOKED, ("line-KOPI", 2), waybill="W1"),)))
    return bench


def look(shop: Bench, state: ParcelState, remote_id: str = "P1", status: str = "", **more: object) -> bool:
    """A look at a parcel shows it like this."""
    price = more.pop("price", None)
    remote = RemoteParcel(remote_id, ("A",), state, status or state.value, **more)  # type: ignore[arg-type]
    return shop.write(
        lambda session: tracking.note_tracked(
            session, parcel_id(shop, remote_id), remote, now_ms=shop.now_ms(), price=price
        )  # type: ignore[arg-type]
    )


def parcel_id(shop: Bench, remote_id: str = "P1") -> int:
    return int(shop.value("SELECT id FROM parcel WHERE remote_id = :r", r=remote_id))


def events(shop: Bench, remote_id: str = "P1") -> list[tuple[str, str]]:
    return [
        (event.state, event.remote_status)
        for event in shop.read(lambda session: events_of(session, parcel_id(shop, remote_id)))
    ]


def since(shop: Bench) -> int:
    return int(shop.value("SELECT state_since_ms FROM parcel WHERE remote_id = 'P1'"))


def watch(shop: Bench) -> list[str]:
    """The kinds of the open findings after a look at how things stand."""
    shop.write(
        lambda session: parcel_watch.watch(
            session, shop.channels["shopee"], WatchRules(), DeskRules(), now_ms=shop.now_ms()
        )
    )
    return [kind for kind in KINDS if shop.findings(kind)]


# ------------------------------------------------------------------------------------------------------------------------------ events


def test_each_change_is_an_event_and_a_look_without_one_is_none(shop: Bench) -> None:
    began = since(shop)
    shop.clock.advance(hours=1)
    assert not look(shop, BOOKED)
    assert since(shop) == began
    assert look(shop, PICKED_UP)
    picked = since(shop)
    assert picked == shop.now_ms()
    shop.clock.advance(hours=1)
    assert look(shop, PICKED_UP, status="at the first hub")  # the same state, and yet it moves
    assert since(shop) == picked
    look(shop, IN_TRANSIT)
    look(shop, IN_TRANSIT)
    assert events(shop) == [
        ("booked", "booked"),
        ("picked_up", "picked_up"),
        ("picked_up", "at the first hub"),
        ("in_transit", "in_transit"),
    ]


def test_what_an_order_page_shows_is_an_event_too(shop: Bench) -> None:
    began = since(shop)
    moved = parcel("P1", "A", PICKED_UP, ("line-KOPI", 2))
    shop.clock.advance(hours=2)
    for minute in (1, 2):
        shop.record(order("A", line("KOPI", 2), at=START + timedelta(minutes=minute), parcels=(moved,)))
    assert events(shop) == [("booked", "booked"), ("picked_up", "picked_up")]
    assert since(shop) == shop.now_ms() > began


def test_a_parcel_of_our_own_that_is_given_up(shop: Bench) -> None:
    from sellersync.store import reads_bookings

    shop.record(order("B", line("KOPI", 1)))
    shop.write(lambda s: reads_bookings.bookable_parcels(s, shop.channels["shopee"], now_ms=shop.now_ms(), limit=9))
    shop.record(order("B", line("KOPI", 1), at=START + timedelta(minutes=5), state=OrderState.CANCELLED))
    assert events(shop, "") == [("ready", ""), ("cancelled", "")]


def test_an_older_view_is_no_event_again_and_again(shop: Bench) -> None:
    look(shop, IN_TRANSIT)
    for _ in range(3):
        look(shop, BOOKED, status="in_transit")
    assert events(shop)[-1] == ("in_transit", "in_transit")
    assert len(events(shop)) == 2


# ----------------------------------------------------------------------------------------------------------------------------- pickups


def test_stopped_after_its_pickup_it_has_left_the_shelf(shop: Bench) -> None:
    assert shop.position("A", "KOPI") == (2, 0)
    look(shop, ParcelState.PROBLEM, status="on hold")
    assert shop.position("A", "KOPI") == (2, 0)  # nobody has collected it
    look(shop, ParcelState.PROBLEM, status="on hold", picked_up_at=START + timedelta(minutes=30))
    assert shop.position("A", "KOPI") == (0, 2)
    look(shop, BOOKED)  # an older view
    assert shop.value("SELECT state FROM parcel WHERE remote_id = 'P1'") == "problem"
    look(shop, ParcelState.DELIVERED)
    assert shop.position("A", "KOPI") == (0, 2)
    shop.assert_proven()


def test_stopped_after_its_pickup_in_an_order_page(shop: Bench) -> None:
    stopped = parcel("P1", "A", ParcelState.PROBLEM, ("line-KOPI", 2), picked_up_at=START + timedelta(minutes=1))
    shop.record(order("A", line("KOPI", 2), at=START + timedelta(minutes=2), parcels=(stopped,)))
    assert shop.position("A", "KOPI") == (0, 2)


# ------------------------------------------------------------------------------------------------------------------------------ prices


def prices(shop: Bench) -> tuple[int | None, int | None]:
    [row] = shop.query("SELECT charged, adjusted FROM parcel WHERE remote_id = 'P1'")
    return row[0], row[1]


def test_a_later_price_is_kept_apart_from_what_was_charged(shop: Bench) -> None:
    look(shop, BOOKED)
    assert prices(shop) == (None, None)
    look(shop, BOOKED, price=18_000)
    assert prices(shop) == (18_000, None)  # the first that anybody heard of
    look(shop, PICKED_UP, price=24_000)
    assert prices(shop) == (18_000, 24_000)
    look(shop, PICKED_UP)
    assert prices(shop) == (18_000, 24_000)
    look(shop, PICKED_UP, price=18_000)
    assert prices(shop) == (18_000, None)


# ------------------------------------------------------------------------------------------------------------------------------- looks


def test_looks_by_age(shop: Bench) -> None:
    """Every five minutes on the first day, hourly in the first week, then every four hours; at its end never."""

    def due() -> bool:
        found = shop.read(
            lambda session: tracking.parcels_to_track(
                session, shop.channels["shopee"], now_ms=shop.now_ms(), fresh_ms=86_400_000, every_ms=300_000, limit=9
            )
        )
        return bool(found)

    for age_h, pause_min in ((0, 5), (25, 60), (8 * 24, 240)):
        shop.clock.advance(hours=age_h)
        look(shop, IN_TRANSIT)
        shop.clock.advance(minutes=pause_min - 1)
        assert not due(), age_h
        shop.clock.advance(minutes=1)
        assert due(), age_h
    look(shop, ParcelState.DELIVERED)
    shop.clock.advance(hours=1_000)
    assert not due()


# ------------------------------------------------------------------------------------------------------------------------------- watch


def test_not_collected_then_collected(shop: Bench) -> None:
    shop.clock.advance(hours=23)
    assert watch(shop) == []
    shop.clock.advance(hours=2)
    assert watch(shop) == ["parcel_uncollected"]
    look(shop, PICKED_UP)
    assert watch(shop) == []


def test_handed_over_by_our_word_and_never_seen_by_the_courier(shop: Bench) -> None:
    shop.clock.advance(hours=20)
    shop.execute("UPDATE parcel SET handed_ms = :at", at=shop.now_ms())
    shop.clock.advance(hours=71)
    assert watch(shop) == []
    shop.clock.advance(hours=2)
    assert watch(shop) == ["parcel_stuck"]
    assert '"hours": 73' in shop.value("SELECT details FROM finding WHERE kind = 'parcel_stuck'")


def test_stuck_until_it_moves(shop: Bench) -> None:
    look(shop, PICKED_UP)
    shop.clock.advance(hours=71)
    look(shop, PICKED_UP, status="hub two")
    shop.clock.advance(hours=71)
    assert watch(shop) == []
    shop.clock.advance(hours=1)
    assert watch(shop) == ["parcel_stuck"]
    assert '"hours": 72' in shop.value("SELECT details FROM finding WHERE kind = 'parcel_stuck'")
    look(shop, PICKED_UP, status="hub three")
    assert watch(shop) == []


def test_past_the_couriers_promise_until_delivered(shop: Bench) -> None:
    look(shop, PICKED_UP)
    shop.execute("UPDATE parcel SET promised_ms = :at", at=shop.now_ms() + 48 * 3_600_000)
    shop.clock.advance(hours=47)
    assert watch(shop) == []
    shop.clock.advance(hours=2)
    assert watch(shop) == ["parcel_overdue"]
    look(shop, ParcelState.DELIVERED)
    assert watch(shop) == []


def test_coming_back_says_what_comes_back(shop: Bench) -> None:
    look(shop, ParcelState.RETURNING)
    assert watch(shop) == ["parcel_returning"]
    assert "2 × " in shop.value("SELECT details FROM finding WHERE kind = 'parcel_returning'")
    look(shop, ParcelState.DELIVERED)  # the buyer took it after all
    assert watch(shop) == []


def test_lost_until_the_order_is_cancelled(shop: Bench) -> None:
    look(shop, PICKED_UP)
    look(shop, ParcelState.LOST)
    assert watch(shop) == ["parcel_lost"]
    shop.execute("UPDATE sales_order SET state = 'cancelled'")
    assert watch(shop) == []


def test_what_was_over_before_the_first_walk_is_no_news(bench: Bench) -> None:
    bench.stocked("KOPI", 10)
    bench.record(order("A", line("KOPI", 1), parcels=(parcel("P1", "A", ParcelState.LOST, ("line-KOPI", 1)),)))
    bench.execute("UPDATE channel SET first_walk_done_ms = :now", now=bench.now_ms())
    assert watch(bench) == []


def test_late_shipments_until_they_leave(shop: Bench) -> None:
    ship_by = shop.clock.now() + timedelta(hours=2)
    shop.record(
        order("B", line("KOPI", 1), ship_by=ship_by),
        order("asks", line("KOPI", 1), ship_by=ship_by, state=OrderState.CANCEL_REQUESTED),
    )
    shop.clock.advance(hours=3)
    assert watch(shop) == ["shipment_late"]
    assert shop.findings("shipment_late") == ["B"]  # the other is not ours to ship
    gone = parcel("P2", "B", PICKED_UP, ("line-KOPI", 1))
    shop.record(order("B", line("KOPI", 1), at=shop.clock.now(), ship_by=ship_by, parcels=(gone,)))
    assert watch(shop) == []


def test_one_channel_does_not_close_the_findings_of_another(shop: Bench) -> None:
    shop.clock.advance(hours=25)
    assert watch(shop) == ["parcel_uncollected"]
    other = shop.channels["lazada"]
    shop.write(lambda session: parcel_watch.watch(session, other, WatchRules(), DeskRules(), now_ms=shop.now_ms()))
    assert shop.findings("parcel_uncollected")
    found = shop.read(lambda s: parcel_watch.troubled_parcels(s, WatchRules(), now=shop.clock.now()))
    assert [(one.channel, one.order, one.waybill, one.trouble) for one in found] == [
        ("shopee", "A", "W1", Trouble.UNCOLLECTED)
    ]


# --------------------------------------------------------------------------------------------------------------------------- scorecard


@pytest.mark.parametrize("seed", range(3))
def test_the_scorecard_is_what_a_person_would_reckon_from_the_rows(shop: Bench, seed: int) -> None:
    """Generated parcels, written down beside the ledger and reckoned again in another way."""
    rng = Random(seed)
    day = 86_400_000
    start_ms = shop.now_ms()
    order_id = shop.order_id("A")
    shop.execute("DELETE FROM parcel_unit")
    shop.execute("DELETE FROM parcel_event")
    shop.execute("DELETE FROM parcel")
    kept: list[dict[str, object]] = []
    for number in range(60):
        state = rng.choice(
            ["delivered", "delivered", "delivered", "in_transit", "lost", "returned", "cancelled", "booked"]
        )
        picked = start_ms + rng.randint(1, day) if state not in ("cancelled", "booked") else None
        own = {
            "courier": rng.choice(["jne", "sicepat"]),
            "service": rng.choice(["reg", ""]),
            "zone": rng.choice(["Jawa Barat", ""]),
            "state": state,
            "quoted": rng.choice([None, 10_000, 12_001]),
            "charged": rng.choice([None, 11_000]),
            "adjusted": rng.choice([None, None, 15_500]),
            "picked": picked,
            "delivered": picked + rng.randint(day // 2, 5 * day) if picked and state == "delivered" else None,
            "promised": rng.choice([None, start_ms + 3 * day]),
            "booked": start_ms - rng.choice([0, 200 * day]),
        }
        shop.execute(
            "INSERT INTO parcel (channel_id, order_id, number, state, remote_status, remote_id, adopted, waybill, pickup_code, courier, "
            "service, why_chosen, routing_code, created_ms, quoted, charged, adjusted, picked_up_ms, delivered_ms, promised_ms, "
            "booked_ms, zone) VALUES (:c, :o, :n, :state, '', '', FALSE, '', '', :courier, :service, '', '', :made, :quoted, :charged, "
            ":adjusted, :picked, :delivered, :promised, :booked, :zone)",
            c=shop.channels["shopee"], o=order_id, n=number, made=start_ms - 300 * day, **own,
        )  # fmt: skip
        if own["booked"] == start_ms and state != "cancelled":
            kept.append(own)
    now = shop.clock.advance(hours=100 * 24)
    cards = scores(shop.read(lambda s: rides(s, since=START - timedelta(days=1), until=now)), now=now)
    assert sum(card.parcels for card in cards) == len(kept)
    for card in cards:
        mine = [
            one
            for one in kept
            if (one["courier"], one["service"], one["zone"]) == (card.courier, card.service, card.zone)
        ]
        assert card.parcels == len(mine)
        for name in ("quoted", "charged", "adjusted"):
            known = [int(str(one[name])) for one in mine if one[name] is not None]
            assert getattr(card, name) == Average(int(sum(known) / len(known) + 0.5) if known else None, len(known))
        days = sorted((int(str(one["delivered"])) - int(str(one["picked"]))) / day for one in mine if one["delivered"])
        assert card.days_known == len(days)
        if days:
            assert card.days_median == round(next(d for d in days if sum(x <= d for x in days) >= 0.5 * len(days)), 1)
            assert card.days_p90 == round(next(d for d in days if sum(x <= d for x in days) >= 0.9 * len(days)), 1)
        else:
            assert (card.days_median, card.days_p90) == (None, None)
        promised = [one for one in mine if one["promised"]]  # long ago by now: kept or broken
        in_time = [
            one for one in promised if one["delivered"] and int(str(one["delivered"])) <= int(str(one["promised"]))
        ]
        assert card.promises_known == len(promised)
        assert card.on_time == (len(in_time) / len(promised) if promised else None)
        assert (card.lost, card.returned) == tuple(sum(one["state"] == s for one in mine) for s in ("lost", "returned"))


def test_what_was_first_seen_delivered_has_no_known_days_and_stuck_is_remembered(shop: Bench) -> None:
    shop.record(
        order(
            "B", line("KOPI", 1), parcels=(parcel("P2", "B", ParcelState.DELIVERED, ("line-KOPI", 1), courier="SPX"),)
        )
    )
    shop.clock.advance(hours=1)
    look(shop, PICKED_UP, courier="SPX")
    shop.clock.advance(hours=80)
    watch(shop)
    look(shop, ParcelState.DELIVERED, courier="SPX")
    watch(shop)
    until: datetime = shop.clock.advance(hours=1)
    [card] = scores(shop.read(lambda s: rides(s, since=START, until=until)), now=until)
    assert (card.courier, card.parcels, card.days_known, card.stuck) == ("SPX", 2, 1, 1)
    assert (card.days_median, card.charged.mean, card.on_time) == (3.3, None, None)
