"""The queue of the packing desk, read from the ledger."""

from __future__ import annotations

import time
from datetime import timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from ledger_bench import START, Bench, line, order, parcel, unit, units

from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.queue import DeskRules, Group, Reason
from sellersync.store import bookings, reads_bookings
from sellersync.store.findings import close_finding, raise_finding
from sellersync.store.reads_queue import QueueEntry, queue

RULES = DeskRules(
    zone=ZoneInfo("Asia/Jakarta"), own_sites=frozenset({"lazada"})
)  # 10:00 in Jakarta; couriers collect at 16:00
READY, BOOKED = ParcelState.READY, ParcelState.BOOKED


@pytest.fixture
def shop(bench: Bench) -> Bench:
    bench.stocked("KOPI", 10)
    bench.stocked("TEH", 10)
    return bench


def seen(bench: Bench, **more: object) -> list[QueueEntry]:
    return bench.read(lambda session: queue(session, RULES, now=bench.clock.now(), **more))  # type: ignore[arg-type]


def told(bench: Bench) -> list[tuple[str, Group, Reason | None]]:
    return [(entry.subject, entry.group, entry.reason) for entry in seen(bench)]


def due(remote_id: str, hours: float, *more: RemoteParcel, state: OrderState = OrderState.READY) -> Order:
    """An order with a deadline so many hours from the start."""
    return order(remote_id, line("KOPI", 1), ship_by=START + timedelta(hours=hours), parcels=more, state=state)


def test_by_group_then_deadline_over_all_channels(shop: Bench) -> None:
    shop.listing("L-KOPI", {"KOPI": 1}, channel="lazada")
    shop.record(due("tomorrow", 40), due("today-2", 12), due("late", -1), due("today-1", 5))
    shop.record(order("site", line("L-KOPI", 2), paid_at=START - timedelta(hours=30)), channel="lazada")
    shop.record(order("no-deadline", line("KOPI", 1)), due("unpaid", 1, state=OrderState.UNPAID))
    assert told(shop) == [
        ("site", Group.LATE, None),  # promised within 24 hours of the payment
        ("late", Group.LATE, None),
        ("today-1", Group.TODAY, None),
        ("today-2", Group.TODAY, None),
        ("tomorrow", Group.LATER, None),
        ("no-deadline", Group.LATER, None),
        ("unpaid", Group.HELD, Reason.UNPAID),
    ]
    assert [entry.order for entry in seen(shop, channel_id=shop.channels["lazada"])] == ["site"]


def test_an_own_site_order_has_a_deadline_once_it_is_paid(shop: Bench) -> None:
    shop.listing("L-KOPI", {"KOPI": 1}, channel="lazada")
    shop.record(order("site", line("L-KOPI", 1), state=OrderState.HELD), channel="lazada")
    assert [entry.deadline for entry in seen(shop)] == [None]
    paid = START + timedelta(hours=1)
    shop.record(order("site", line("L-KOPI", 1), at=paid, created_at=START, paid_at=paid), channel="lazada")
    assert [entry.deadline for entry in seen(shop)] == [START + timedelta(hours=25)]


def test_units_in_several_parcels_and_in_none(shop: Bench) -> None:
    """Three units: one parcel was collected, one is booked, the third unit has no parcel yet."""
    parcels = (
        parcel("P1", "A", ParcelState.PICKED_UP, unit_keys=("u1",)),
        parcel("P2", "A", BOOKED, unit_keys=("u2",), waybill="W2", ship_by=START + timedelta(hours=3)),
    )
    lines = line("KOPI", unit("u1"), unit("u2"), unit("u3"))
    shop.record(order("A", lines, parcels=parcels, ship_by=START + timedelta(hours=50)))
    booked, bare = seen(shop)
    assert (booked.subject, booked.waybill, booked.units, booked.group) == ("A/2", "W2", 1, Group.TODAY)
    assert (bare.subject, bare.state, bare.units, bare.group) == ("A", None, 1, Group.LATER)


def test_a_combined_parcel_stands_for_each_of_its_orders(shop: Bench) -> None:
    both = RemoteParcel("P1", ("A", "B"), BOOKED, "booked", unit_keys=("a", "b"))
    shop.record(*(order(name, line("KOPI", unit(name.lower())), parcels=(both,)) for name in ("A", "B")))
    assert [(entry.order, entry.units) for entry in seen(shop)] == [("A", 1), ("B", 1)]


def test_why_parcels_are_held(shop: Bench) -> None:
    shop.listing("NEU")  # no SKU
    shop.record(
        due("terms", 9, parcel("P-terms", "terms", ParcelState.WAITING, ("line-KOPI", 1))),
        due("held", 9, state=OrderState.HELD),
        due("asked", 9, state=OrderState.CANCEL_REQUESTED),
        order("parked", line("KOPI", 1), line("NEU", 1), parcels=(parcel("P-parked", "parked", READY),)),
        order("odd", line("KOPI", 1), problems=("a field nobody knows",)),
        due("stopped", 9, parcel("P-stopped", "stopped", ParcelState.PROBLEM, ("line-KOPI", 1))),
    )
    assert {entry.order: entry.reason for entry in seen(shop)} == {
        "terms": Reason.PENDING_TERMS,
        "held": Reason.CHANNEL_HOLD,
        "asked": Reason.CANCEL_REQUESTED,
        "parked": Reason.PARKED_LINE,
        "odd": Reason.UNREADABLE,
        "stopped": Reason.PROBLEM,
    }
    parked = next(entry for entry in seen(shop) if entry.order == "parked")
    assert [(item.title, item.units) for item in parked.contents] == [("", 1), ("", 1)]


def test_the_newest_orders_are_the_short_ones(shop: Bench) -> None:
    """Eight units for the first, four for the second, one for the third: ten are there."""
    for minute, (name, count) in enumerate((("first", 8), ("second", 4), ("third", 1))):
        shop.record(order(name, line("KOPI", count), at=START + timedelta(minutes=minute)))
    assert {entry.order: entry.reason for entry in seen(shop)} == {
        "first": None,
        "second": Reason.SHORT,
        "third": Reason.SHORT,
    }
    shop.receive("KOPI", 2)  # one is missing still: the newest order's
    assert [entry.order for entry in seen(shop) if entry.reason] == ["third"]


def test_bookings_that_wait(shop: Bench) -> None:
    shop.record(due("A", 9), due("B", 9))
    now_ms = shop.now_ms()
    first, second = shop.write(
        lambda session: reads_bookings.bookable_parcels(session, shop.channels["shopee"], now_ms=now_ms, limit=5)
    )
    claim = shop.write(
        lambda session: bookings.open_claim(
            session, parcel_id=first.parcel_id, attempt=1, reference="R1", step="book", owner="t", request={},
            not_before_settle_ms=now_ms, now_ms=now_ms, vault=shop.ledger.vault,
        )
    )  # fmt: skip
    shop.write(
        lambda session: bookings.note_refusal(
            session, second.parcel_id, "no", now_ms=now_ms, order="B", reject="no_route"
        )
    )
    assert told(shop) == [("A/1", Group.HELD, Reason.CLAIM_OPEN), ("B/1", Group.HELD, Reason.REFUSED)]
    shop.write(lambda session: bookings.settle_by_person(session, claim, "nobody knows", now_ms=now_ms))
    assert told(shop)[0] == ("A/1", Group.HELD, Reason.CLAIM_PERSON)


def test_an_empty_courier_account_holds_own_site_parcels_only(shop: Bench) -> None:
    shop.listing("L-KOPI", {"KOPI": 1}, channel="lazada")
    shop.record(due("market", 9))
    shop.record(order("site", line("L-KOPI", 1), paid_at=START), channel="lazada")
    shop.write(lambda session: raise_finding(session, "courier_balance", "balance", now_ms=shop.now_ms(), channel_id=9))
    assert {entry.order: entry.reason for entry in seen(shop)} == {"market": None, "site": Reason.BALANCE}
    shop.write(lambda session: close_finding(session, "courier_balance", "balance", now_ms=shop.now_ms(), channel_id=9))
    assert {entry.reason for entry in seen(shop)} == {None}


def test_what_left_was_cancelled_or_is_theirs_is_not_in_the_queue(shop: Bench) -> None:
    shop.record(
        order("gone", line("KOPI", units(1, UnitStage.LEFT)), state=OrderState.SHIPPED),
        order("off", line("KOPI", units(2, UnitStage.CANCELLED)), state=OrderState.CANCELLED),
        order("theirs", line("KOPI", 1, ours=False)),
        order("partly", line("KOPI", units(1, UnitStage.CANCELLED), units(2))),
    )
    assert [(entry.order, entry.units) for entry in seen(shop)] == [("partly", 2)]


STATES = [state for state in OrderState if state.open]
PARCELS = [READY, ParcelState.WAITING, BOOKED, ParcelState.PICKED_UP, ParcelState.PROBLEM, ParcelState.CANCELLED]
STAGES = [UnitStage.OPEN, UnitStage.OPEN, UnitStage.CANCELLED, UnitStage.LEFT, UnitStage.UNKNOWN]


@pytest.mark.parametrize("seed", range(6))
def test_every_unit_that_is_reserved_is_in_exactly_one_entry(shop: Bench, seed: int) -> None:
    """Random orders with random parcels: the queue holds what the ledger's own accounts hold for open orders, no more and no less."""
    rng = Random(seed)
    for number in range(25):
        name = f"o{number}"
        if rng.random() < 0.5:
            stages = [rng.choice(STAGES) for _ in range(rng.randint(1, 4))]
            bought = line("KOPI", *(unit(f"{name}-{n}", stage) for n, stage in enumerate(stages)))
            keys = [key.key for key in bought.units]
            cut = rng.randint(0, len(keys))
            inside = [keys[:cut], keys[cut:]]
            parcels = [
                parcel(f"P{name}-{n}", name, rng.choice(PARCELS), unit_keys=tuple(some))
                for n, some in enumerate(inside)
                if some
            ]
        else:
            bought = line("TEH", units(rng.randint(1, 4)), units(rng.randint(1, 2), rng.choice(STAGES)))
            count = rng.randint(1, bought.quantity)
            parcels = [parcel(f"P{name}", name, rng.choice(PARCELS), (bought.key, count))]
        shown = tuple(parcels[: rng.randint(0, len(parcels))])
        shop.record(order(name, bought, state=rng.choice(STATES), parcels=shown))
    held = dict(
        shop.query(
            "SELECT sales_order.remote_id, SUM(reserved) FROM order_position JOIN sales_order ON sales_order.id = order_id "
            "WHERE state NOT IN ('cancelled', 'completed') GROUP BY sales_order.remote_id HAVING SUM(reserved) > 0"
        )
    )
    found: dict[str, int] = {}
    for entry in seen(shop):
        found[entry.order] = found.get(entry.order, 0) + entry.units
    assert found == {name: int(count) for name, count in held.items()}
    assert len({entry.subject for entry in seen(shop)}) == len(seen(shop))


def test_thousands_of_open_orders_are_read_quickly(sqlite_bench: Bench) -> None:
    """5,000 open orders took 0.2 s on a small machine; ten times that would be felt."""
    sqlite_bench.stocked("KOPI", 9_000)
    for start in range(0, 5_000, 500):
        sqlite_bench.record(
            *(due(f"o{n}", n % 90, parcel(f"P{n}", f"o{n}", BOOKED)) for n in range(start, start + 500))
        )
    began = time.perf_counter()
    assert len(seen(sqlite_bench)) == 5_000
    assert time.perf_counter() - began < 2.0
