"""Parcels: made, adopted, split, combined, collected and lost; a unit is in at most one live parcel (L3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_bench import START, Bench, line, order, parcel, unit, units
from sqlalchemy.exc import IntegrityError

from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.store import reads_bookings
from sellersync.store.parcels import update_parcel

READY, BOOKED, PICKED_UP, LOST = ParcelState.READY, ParcelState.BOOKED, ParcelState.PICKED_UP, ParcelState.LOST
CANCELLED = UnitStage.CANCELLED


@pytest.fixture
def shop(bench: Bench) -> Bench:
    bench.stocked("KOPI", 10)
    return bench


def later(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


def named(remote_id: str, order_id: str, state: ParcelState, *keys: str) -> RemoteParcel:
    """A package of the marketplace with units that have the provider's ids."""
    return parcel(remote_id, order_id, state, unit_keys=keys)


def bookable(shop: Bench) -> list[reads_bookings.BookableParcel]:
    return shop.write(
        lambda session: reads_bookings.bookable_parcels(
            session, shop.channels["shopee"], now_ms=shop.now_ms(), limit=10
        )
    )


def contents(shop: Bench) -> dict[str, list[str]]:
    """Package number (or "own-N") -> the live units in it."""
    rows = shop.query(
        "SELECT remote_id, parcel.number, line_key, unit_key FROM parcel_unit JOIN parcel ON parcel.id = parcel_id "
        "JOIN order_line ON order_line.id = line_id WHERE live ORDER BY parcel.id, line_key, unit_key"
    )
    found: dict[str, list[str]] = {}
    for remote_id, number, line_key, unit_key in rows:
        found.setdefault(remote_id or f"own-{number}", []).append(
            f"{line_key}{unit_key}" if unit_key[0] == "#" else unit_key
        )
    return found


def parcel_id(shop: Bench, remote_id: str = "") -> int:
    return int(shop.value("SELECT id FROM parcel WHERE remote_id = :r", r=remote_id))


def track(shop: Bench, remote: RemoteParcel, *, which: str | None = None) -> None:
    """A look at a parcel showed this."""
    found = parcel_id(shop, remote.remote_id if which is None else which)
    shop.write(lambda session: update_parcel(session, found, remote, now_ms=shop.now_ms()))


# ------------------------------------------------------------------------------------------------------------------------- the database


def test_a_unit_in_two_live_parcels_is_refused_by_the_database(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", unit("u1")), parcels=(named("P1", "A", READY, "u1"), named("P2", "A", READY))))
    other = parcel_id(shop, "P2")
    copy = "INSERT INTO parcel_unit (parcel_id, line_id, unit_key, live) SELECT {p}, line_id, unit_key, {live} FROM parcel_unit"
    with pytest.raises(IntegrityError):
        shop.execute(copy.format(p=other, live="TRUE"))
    shop.execute(copy.format(p=other, live="FALSE"))  # one that was given up may remember it


def test_a_package_number_is_used_once_a_channel(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 1), parcels=(parcel("P1", "A", READY, ("line-KOPI", 1)),)))
    with pytest.raises(IntegrityError):
        shop.execute(
            "INSERT INTO parcel (channel_id, order_id, number, state, remote_status, remote_id, adopted, waybill, pickup_code, courier, "
            "service, why_chosen, routing_code, created_ms) SELECT channel_id, order_id, 2, state, '', remote_id, adopted, '', '', '', "
            "'', '', '', 0 FROM parcel"
        )


# ------------------------------------------------------------------------------------------------------------------ made and adopted


def test_an_order_without_a_package_gets_a_parcel_of_our_own_once(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2)), order("B", line("KOPI", 1), state=OrderState.UNPAID))
    for _ in range(2):
        found = bookable(shop)
        assert [(one.order_remote_id, one.lines[0].count) for one in found] == [("A", 2)]
    assert contents(shop) == {"own-1": ["line-KOPI#1", "line-KOPI#2"]}


def test_a_parcel_made_elsewhere_is_adopted(shop: Bench) -> None:
    """Booked in the seller centre, or by an automatic driver call."""
    made = parcel("P1", "A", BOOKED, ("line-KOPI", 2), waybill="SPX1", courier="SPX")
    shop.record(order("A", line("KOPI", 2), state=OrderState.BOOKED, parcels=(made,)))
    assert bookable(shop) == []
    assert shop.query("SELECT remote_id, adopted, waybill, courier, state FROM parcel") == [
        ("P1", True, "SPX1", "SPX", "booked")
    ]
    assert contents(shop) == {"P1": ["line-KOPI#1", "line-KOPI#2"]}


def test_our_own_parcel_takes_the_number_that_the_provider_gives_it(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2)))
    bookable(shop)
    made = parcel("P1", "A", BOOKED, ("line-KOPI", 2), waybill="SPX1")
    shop.record(order("A", line("KOPI", 2), at=START + later(1), state=OrderState.BOOKED, parcels=(made,)))
    assert shop.query("SELECT remote_id, adopted, number FROM parcel") == [("P1", False, 1)]


def test_a_waybill_once_known_is_not_forgotten(shop: Bench) -> None:
    def version(minute: int, waybill: str) -> Order:
        shown = parcel("P1", "A", BOOKED, ("line-KOPI", 1), waybill=waybill)
        return order("A", line("KOPI", 1), at=START + later(minute), parcels=(shown,))

    shop.record(version(0, "SPX1"))
    shop.record(version(1, ""))
    assert shop.value("SELECT waybill FROM parcel") == "SPX1"


# --------------------------------------------------------------------------------------------------------------- split and combined


def test_an_order_in_two_packages_leaves_the_shelf_package_by_package(shop: Bench) -> None:
    def version(minute: int, first: ParcelState, second: ParcelState) -> Order:
        packages = (
            parcel("P1", "A", first, ("line-KOPI", 2), picked_up_at=START + later(10)),
            parcel("P2", "A", second, ("line-KOPI", 1)),
        )
        return order("A", line("KOPI", 3), at=START + later(minute), parcels=packages)

    shop.record(version(0, READY, READY))
    assert contents(shop) == {"P1": ["line-KOPI#1", "line-KOPI#2"], "P2": ["line-KOPI#3"]}
    shop.record(version(15, PICKED_UP, READY))
    assert shop.balances("KOPI") == {"available": 7, "reserved": 1, "shipped": 2, "adjustment": -10}
    shop.record(version(30, PICKED_UP, PICKED_UP))
    assert shop.balances("KOPI") == {"available": 7, "shipped": 3, "adjustment": -10}
    shop.assert_proven()


def test_a_package_that_is_split_gives_its_units_to_the_new_one(shop: Bench) -> None:
    both = line("KOPI", unit("u1"), unit("u2"))
    shop.record(order("A", both, parcels=(named("P1", "A", READY, "u1", "u2"),)))
    split = (named("P1", "A", READY, "u1"), named("P2", "A", READY, "u2"))
    shop.record(order("A", both, at=START + later(1), parcels=split))
    assert contents(shop) == {"P1": ["u1"], "P2": ["u2"]}
    assert shop.findings("unit_in_two_parcels") == []
    track(shop, named("P1", "A", PICKED_UP, "u1"))
    assert shop.balances("KOPI") == {"available": 8, "reserved": 1, "shipped": 1, "adjustment": -10}


def test_a_package_that_is_replaced_by_others_is_given_up(shop: Bench) -> None:
    both = line("KOPI", unit("u1"), unit("u2"))
    shop.record(order("A", both, parcels=(named("P1", "A", READY, "u1", "u2"),)))
    split = (named("P2", "A", READY, "u1"), named("P3", "A", READY, "u2"))
    shop.record(order("A", both, at=START + later(1), parcels=split))
    assert contents(shop) == {"P2": ["u1"], "P3": ["u2"]}
    assert [one.remote_id for one in bookable(shop)] == ["P2", "P3"]
    assert shop.value("SELECT state FROM parcel WHERE remote_id = 'P1'") == "cancelled"


def test_a_unit_that_the_provider_shows_in_two_packages_needs_a_person(shop: Bench) -> None:
    twice = (named("P1", "A", READY, "u1"), named("P2", "A", READY, "u1"))
    shop.record(order("A", line("KOPI", unit("u1")), parcels=twice))
    assert contents(shop) == {"P1": ["u1"]}
    assert shop.findings("unit_in_two_parcels") == ["P2"]


def test_two_orders_in_one_package_leave_together(shop: Bench) -> None:
    def combined(state: ParcelState) -> RemoteParcel:
        return RemoteParcel("P1", ("A", "B"), state, state.value, unit_keys=("a1", "b1", "b2"), picked_up_at=START)

    lines = {"A": line("KOPI", unit("a1")), "B": line("KOPI", unit("b1"), unit("b2"))}
    shop.record(*(order(which, lines[which], parcels=(combined(READY),)) for which in lines))
    assert contents(shop) == {"P1": ["a1", "b1", "b2"]}
    track(shop, combined(PICKED_UP))
    assert shop.balances("KOPI") == {"available": 7, "shipped": 3, "adjustment": -10}
    assert (shop.position("A", "KOPI"), shop.position("B", "KOPI")) == ((0, 1), (0, 2))


def test_a_combined_package_of_counted_units_ships_no_more_than_each_order_holds(shop: Bench) -> None:
    """Both orders bought the same item: the package's number of that item is not one order's."""
    combined = RemoteParcel(
        "P1", ("A", "B"), PICKED_UP, "picked_up", units=(("item-1", 1), ("item-1", 2)), picked_up_at=START
    )
    shop.record(
        order("A", line("KOPI", 1, aliases=("item-1",)), parcels=(combined,)),
        order("B", line("KOPI", 2, aliases=("item-1",)), parcels=(combined,)),
    )
    assert shop.balances("KOPI") == {"available": 7, "shipped": 3, "adjustment": -10}


# ------------------------------------------------------------------------------------------------------------------ leaving the shelf


def test_a_pickup_seen_by_tracking_is_known_to_the_order_for_good(shop: Bench) -> None:
    """The fact comes from whoever says it first; a later look never takes goods back to the shelf."""
    waiting = parcel("P1", "A", BOOKED, ("line-KOPI", 2))
    shop.record(order("A", line("KOPI", 2), parcels=(waiting,)))
    track(shop, parcel("P1", "A", PICKED_UP, ("line-KOPI", 2), picked_up_at=START + later(5)))
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}
    track(shop, waiting)
    assert shop.value("SELECT state FROM parcel") == "picked_up"
    shop.record(order("A", line("KOPI", 2), at=START + later(9), parcels=(waiting,)))
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}
    shop.assert_proven()


def test_a_parcel_cancelled_after_its_pickup_keeps_its_units(shop: Bench) -> None:
    """Each of two parcels holds one unit; when the second leaves, two have left."""
    packages = (parcel("P1", "A", BOOKED, ("line-KOPI", 1)), parcel("P2", "A", BOOKED, ("line-KOPI", 1)))
    shop.record(order("A", line("KOPI", 2), parcels=packages))
    track(shop, parcel("P1", "A", PICKED_UP, picked_up_at=START))
    track(shop, parcel("P1", "A", ParcelState.CANCELLED))
    track(shop, parcel("P2", "A", PICKED_UP, picked_up_at=START))
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}


def test_a_package_without_a_list_of_units_takes_the_whole_order_along(shop: Bench) -> None:
    shop.record(
        order("A", line("KOPI", 2), line("KOPI", unit("u1"), key="named"), parcels=(parcel("P1", "A", BOOKED),))
    )
    gone = parcel("P1", "A", PICKED_UP, picked_up_at=START)
    shop.record(
        order("A", line("KOPI", 2), line("KOPI", unit("u1"), key="named"), at=START + later(5), parcels=(gone,))
    )
    assert shop.balances("KOPI") == {"available": 7, "shipped": 3, "adjustment": -10}


def test_a_parcel_lost_after_its_pickup_opens_a_return_only_when_the_order_is_cancelled(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2), parcels=(parcel("P1", "A", BOOKED, ("line-KOPI", 2)),)))
    track(shop, parcel("P1", "A", LOST, ("line-KOPI", 2), picked_up_at=START))
    assert shop.balances("KOPI") == {"available": 8, "shipped": 2, "adjustment": -10}
    assert shop.value("SELECT COUNT(*) FROM return_document") == 0
    cancelled = order("A", line("KOPI", units(2, CANCELLED)), at=START + later(60), state=OrderState.CANCELLED)
    shop.record(cancelled)
    assert shop.balances("KOPI") == {"available": 8, "returning": 2, "adjustment": -10}
    assert shop.query("SELECT quantity, state FROM return_document") == [(2, "open")]


# --------------------------------------------------------------------------------------------------- orders that change under a parcel


def test_an_unbooked_parcel_follows_a_partly_cancelled_order(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 3)))
    assert bookable(shop)[0].lines[0].count == 3
    shop.record(order("A", line("KOPI", 2, units(1, CANCELLED)), at=START + later(1)))
    assert [(one.number, one.lines[0].count) for one in bookable(shop)] == [(1, 2)]


def test_a_cancelled_order_gives_its_unbooked_parcel_up_and_may_come_back(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2)))
    bookable(shop)
    shop.record(order("A", line("KOPI", units(2, CANCELLED)), at=START + later(1), state=OrderState.CANCELLED))
    assert contents(shop) == {}
    assert bookable(shop) == []
    shop.record(order("A", line("KOPI", 2), at=START + later(2)))
    assert [(one.number, one.lines[0].count) for one in bookable(shop)] == [(2, 2)]


def test_a_package_that_the_provider_cancelled_frees_its_units_for_another(shop: Bench) -> None:
    two = line("KOPI", unit("u1"), unit("u2"))
    shop.record(order("A", two, parcels=(named("P1", "A", BOOKED, "u1", "u2"),)))
    again = (named("P1", "A", ParcelState.CANCELLED, "u1", "u2"), named("P2", "A", READY, "u1", "u2"))
    shop.record(order("A", two, at=START + later(1), parcels=again))
    assert contents(shop) == {"P2": ["u1", "u2"]}
    assert shop.findings("unit_in_two_parcels") == []


def test_a_booked_parcel_of_a_cancelled_order_needs_a_person(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 1)))
    bookable(shop)
    shop.execute("UPDATE parcel SET state = 'booked', remote_id = 'BOOKING-1'")
    shop.record(order("A", line("KOPI", units(1, CANCELLED)), at=START + later(1), state=OrderState.CANCELLED))
    assert shop.findings("cancelled_but_booked") == ["A/1"]
    assert contents(shop) == {"BOOKING-1": ["line-KOPI#1"]}
