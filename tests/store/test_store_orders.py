"""Orders into the ledger: what a page, a replay, a late or a partial version does to stock (L2, L3, L5, L7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from ledger_bench import START, Bench, line, order, unit, units

from sellersync.domain.orders import Buyer, Excluded, Order, OrderState, UnitStage
from sellersync.domain.times import to_epoch_ms
from sellersync.store import pages, reads_bookings

OPEN, CANCELLED, LEFT, UNKNOWN = UnitStage.OPEN, UnitStage.CANCELLED, UnitStage.LEFT, UnitStage.UNKNOWN


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """Ten KOPI on the shelf, sold as KOPI."""
    bench.stocked("KOPI", 10)
    return bench


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


# ---------------------------------------------------------------------------------------------------------- the same thing once more


def test_a_replayed_page_changes_nothing(shop: Bench) -> None:
    page = [order(f"A{number}", line("KOPI", 1)) for number in range(3)]
    first = shop.record(*page)
    again = shop.record(*page, read_at=shop.clock.advance(minutes=1))
    assert (first.first, first.movements) == (3, 3)
    assert (again.first, again.newer, again.same, again.movements) == (0, 0, 3, 0)
    assert shop.balances("KOPI") == {"available": 7, "reserved": 3, "adjustment": -10}
    shop.assert_proven()


def test_an_order_twice_on_one_page_counts_once_and_its_newest_version_wins(shop: Bench) -> None:
    old = order("A", line("KOPI", 2))
    new = order("A", line("KOPI", 3), at=START + minutes(1))
    recorded = shop.record(new, old, new)
    assert recorded.first == 1
    assert shop.position("A", "KOPI") == (3, 0)
    shop.assert_proven()


def test_an_older_version_is_refused_and_counted(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", units(2, CANCELLED)), at=START + minutes(5), state=OrderState.CANCELLED))
    late = shop.record(order("A", line("KOPI", 2)), read_at=shop.clock.advance(minutes=9))
    assert (late.older, late.movements) == (1, 0)
    assert shop.available("KOPI") == 10
    assert shop.value("SELECT state FROM sales_order") == "cancelled"


@pytest.mark.parametrize(("read_after_s", "reserved"), [(1, 3), (-1, 2)])
def test_of_two_versions_with_one_time_the_later_read_wins(shop: Bench, read_after_s: int, reserved: int) -> None:
    shop.clock.advance(minutes=1)
    now = shop.clock.now()
    shop.record(order("A", line("KOPI", 2)), read_at=now)
    shop.record(order("A", line("KOPI", 3)), read_at=now + timedelta(seconds=read_after_s))
    assert shop.position("A", "KOPI") == (reserved, 0)


def test_paid_cancelled_paid_reserves_twice(shop: Bench) -> None:
    """State is never in a movement's identity: processing, cancelled, processing really happens."""
    for number, (stage, state) in enumerate(
        [(OPEN, OrderState.READY), (CANCELLED, OrderState.CANCELLED), (OPEN, OrderState.READY)]
    ):
        shop.record(
            order("A", line("KOPI", units(2, stage)), at=START + minutes(number), state=state, created_at=START)
        )
    moved = shop.query("SELECT reason, quantity, revision FROM movement WHERE cause_kind = 'order' ORDER BY id")
    assert moved == [("ordered", 2, 1), ("released", 2, 2), ("ordered", 2, 3)]
    assert shop.balances("KOPI") == {"available": 8, "reserved": 2, "adjustment": -10}
    shop.assert_proven()


def test_b22_paid_before_created_ends_the_same(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2), at=START + minutes(1), paid_at=START + minutes(1), created_at=START))
    shop.record(order("A", line("KOPI", 2), state=OrderState.UNPAID))
    assert shop.value("SELECT state FROM sales_order") == "ready"
    assert shop.position("A", "KOPI") == (2, 0)


def test_b30_two_equal_baskets_are_two_orders(shop: Bench) -> None:
    same = Buyer(name="Siti", phone="0812", email="siti@example.com")
    shop.record(
        order("A", line("KOPI", 2), buyer=same, total=90_000), order("B", line("KOPI", 2), buyer=same, total=90_000)
    )
    assert shop.balances("KOPI") == {"available": 6, "reserved": 4, "adjustment": -10}


# ---------------------------------------------------------------------------------------------------------- cancellations and returns


def test_b24_one_of_three_cancelled_gives_one_back(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 3)))
    shop.record(order("A", line("KOPI", 2, units(1, CANCELLED)), at=START + minutes(1)))
    assert shop.balances("KOPI") == {"available": 8, "reserved": 2, "adjustment": -10}


def test_a_named_unit_is_the_one_that_is_cancelled(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", unit("u1", LEFT), unit("u2"), unit("u3"))))
    shop.record(order("A", line("KOPI", unit("u1", LEFT), unit("u2", CANCELLED), unit("u3")), at=START + minutes(1)))
    assert shop.balances("KOPI") == {"available": 8, "reserved": 1, "shipped": 1, "adjustment": -10}
    assert shop.value("SELECT COUNT(*) FROM return_document") == 0


def test_b31_a_cancellation_reverses_and_the_original_stays(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2)))
    before = shop.query("SELECT * FROM movement ORDER BY id")
    shop.record(order("A", line("KOPI", units(2, CANCELLED)), at=START + minutes(1), state=OrderState.CANCELLED))
    assert shop.query("SELECT * FROM movement ORDER BY id")[: len(before)] == before
    assert shop.movements() == len(before) + 1


def test_a_cancellation_after_the_goods_left_opens_a_return_once_and_nothing_comes_to_the_shelf(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", units(2, LEFT)), state=OrderState.SHIPPED))
    moved = shop.movements()
    cancelled = order("A", line("KOPI", units(2, CANCELLED)), at=START + minutes(1), state=OrderState.CANCELLED)
    shop.record(cancelled)
    shop.record(cancelled, read_at=shop.clock.advance(minutes=5))
    shop.record(order("A", line("KOPI", units(2, CANCELLED)), at=START + minutes(2), state=OrderState.CANCELLED))
    assert shop.movements() == moved + 1
    assert shop.balances("KOPI") == {"available": 8, "returning": 2, "adjustment": -10}
    assert shop.query("SELECT quantity, state FROM return_document") == [(2, "open")]
    assert len(shop.findings("return_due")) == 1


def test_a_cancellation_of_a_number_takes_units_on_the_shelf_first(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", units(1, LEFT), 2)))
    shop.record(order("A", line("KOPI", units(3, CANCELLED)), at=START + minutes(1), state=OrderState.CANCELLED))
    assert shop.balances("KOPI") == {"available": 9, "returning": 1, "adjustment": -10}
    assert shop.query("SELECT quantity FROM return_document") == [(1,)]


def test_the_returns_of_an_order_never_exceed_what_it_shipped(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", units(2, LEFT))))
    for number, cancelled in enumerate((1, 2, 2), start=1):
        shop.record(
            order(
                "A", line("KOPI", units(2 - cancelled, LEFT), units(cancelled, CANCELLED)), at=START + minutes(number)
            )
        )
    assert shop.value("SELECT SUM(quantity) FROM return_document") == 2


@pytest.mark.parametrize(("problems", "available"), [((), 5), (("a line cannot be read",), 4)])
def test_a_line_that_vanished_is_cancelled_unless_parts_of_the_order_are_unreadable(
    shop: Bench, problems: tuple[str, ...], available: int
) -> None:
    shop.stocked("TEH", 5)
    shop.record(order("A", line("KOPI", 2), line("TEH", 1)))
    shop.record(order("A", line("KOPI", 2), at=START + minutes(1), problems=problems))
    assert shop.position("A", "KOPI") == (2, 0)
    assert shop.available("TEH") == available


def test_an_order_that_shows_no_lines_at_all_releases_nothing(shop: Bench) -> None:
    """Units never leave `reserved` because something became unreadable."""
    shop.record(order("A", line("KOPI", 2)))
    shop.record(order("A", at=START + minutes(1), problems=("no lines could be read",)))
    assert shop.position("A", "KOPI") == (2, 0)
    assert shop.findings("order_unreadable") == ["A"]


# ------------------------------------------------------------------------------------------------------------------------ unpaid holds


def unpaid(at_minutes: float = 0, **more: Any) -> Order:
    return order(
        "A",
        line("KOPI", 2),
        at=START + minutes(at_minutes),
        state=OrderState.UNPAID,
        hold_expires_at=START + minutes(60),
        **more,
    )


def test_an_unpaid_hold_expires_and_a_later_payment_reserves_again(shop: Bench) -> None:
    channel = shop.channels["shopee"]
    shop.record(unpaid())
    assert shop.write(lambda session: pages.expire_holds(session, channel, now_ms=shop.now_ms())) == 0
    assert shop.available("KOPI") == 8
    shop.clock.advance(minutes=61)
    assert shop.write(lambda session: pages.expire_holds(session, channel, now_ms=shop.now_ms())) == 1
    assert shop.available("KOPI") == 10
    assert shop.write(lambda session: pages.expire_holds(session, channel, now_ms=shop.now_ms())) == 0
    shop.record(unpaid(30, payment_method="transfer"))
    assert shop.available("KOPI") == 10  # still unpaid: the hold stays expired
    paid = shop.clock.now()
    shop.record(order("A", line("KOPI", 2), at=paid, paid_at=paid, created_at=START))
    assert shop.balances("KOPI") == {"available": 8, "reserved": 2, "adjustment": -10}
    shop.assert_proven()


def test_every_open_order_is_reserved_paid_or_not(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2), state=OrderState.UNPAID))
    shop.clock.advance(hours=1000)
    shop.write(lambda session: pages.expire_holds(session, shop.channels["shopee"], now_ms=shop.now_ms()))
    assert shop.available("KOPI") == 8  # the channel announces its own release


# ------------------------------------------------------------------------------------------------------ what is unknown, parked, not ours


def test_an_unmapped_line_parks_itself_and_holds_the_parcel_while_the_others_reserve(shop: Bench) -> None:
    shop.listing("TEH")
    recorded = shop.record(order("A", line("KOPI", 2), line("TEH", 1)))
    assert recorded.parked_lines == 1
    assert shop.position("A", "KOPI") == (2, 0)
    assert shop.findings("unmapped_listing") == ["TEH"]
    assert bookable(shop) == []
    shop.map("TEH", {"TEH-100": 1})
    assert shop.position("A", "TEH-100") == (1, 0)
    assert shop.findings("unmapped_listing") == []
    assert bookable(shop) == ["A"]


def bookable(shop: Bench) -> list[str]:
    parcels = shop.write(
        lambda session: reads_bookings.bookable_parcels(
            session, shop.channels["shopee"], now_ms=shop.now_ms(), limit=10
        )
    )
    return [parcel.order_remote_id for parcel in parcels]


def test_b32_a_mapping_resolves_waiting_lines_in_the_order_of_their_orders(shop: Bench) -> None:
    shop.listing("TEH")
    later = order("later", line("TEH", 1), at=START + minutes(2))
    earlier = order("earlier", line("TEH", 3), at=START + minutes(1))
    shop.record(later)
    shop.record(earlier)
    assert shop.map("TEH", {"TEH-100": 2}) == 2
    moved = shop.query(
        "SELECT remote_id, quantity FROM movement JOIN sales_order ON sales_order.id = cause_id "
        "WHERE cause_kind = 'order' ORDER BY movement.id"
    )
    assert moved == [("earlier", 6), ("later", 2)]
    assert shop.balances("TEH-100") == {"available": -8, "reserved": 8}
    shop.assert_proven()


def test_a_changed_recipe_touches_only_lines_that_are_not_resolved(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2)))
    shop.map("KOPI", {"KOPI": 1, "SENDOK": 1})
    assert shop.position("A", "KOPI") == (2, 0)
    assert shop.position("A", "SENDOK") == (0, 0)
    shop.record(order("A", line("KOPI", 3), at=START + minutes(1)), order("B", line("KOPI", 1), at=START + minutes(1)))
    assert shop.position("A", "SENDOK") == (0, 0)  # the resolution of A is frozen
    assert shop.position("B", "SENDOK") == (1, 0)
    assert shop.query("SELECT version FROM recipe ORDER BY version") == [(1,), (2,)]


def test_b9_an_unknown_status_reserves_in_full_and_releases_and_books_nothing(shop: Bench) -> None:
    strange: dict[str, Any] = {"state": OrderState.UNKNOWN, "problems": ("the status HALF_SHIPPED is not known",)}
    shop.record(order("A", line("KOPI", units(2, UNKNOWN)), **strange))
    assert shop.position("A", "KOPI") == (2, 0)
    assert shop.findings("order_unreadable") == ["A"]
    shop.record(order("B", line("KOPI", 3)))
    shop.record(order("B", line("KOPI", units(3, UNKNOWN)), at=START + minutes(1), **strange))
    assert shop.position("B", "KOPI") == (3, 0)
    assert bookable(shop) == []
    shop.record(order("A", line("KOPI", 2), at=START + minutes(2)))
    assert shop.findings("order_unreadable") == ["B"]


def test_units_that_the_platform_ships_itself_stand_in_no_account(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2), line("KOPI", 5, key="theirs", ours=False)))
    shop.record(
        order("A", line("KOPI", 2), line("KOPI", units(5, LEFT), key="theirs", ours=False), at=START + minutes(1))
    )
    assert shop.balances("KOPI") == {"available": 8, "reserved": 2, "adjustment": -10}
    assert shop.value("SELECT COUNT(*) FROM order_line") == 2  # recorded all the same


def test_an_unmapped_location_parks_the_line(shop: Bench) -> None:
    shop.locations = {"JKT": shop.warehouse}
    shop.record(order("A", line("KOPI", 2, location="BDG"), line("KOPI", 1, key="here", location="JKT")))
    assert shop.position("A", "KOPI") == (1, 0)
    assert shop.findings("unmapped_location") == ["BDG"]
    assert bookable(shop) == []


def test_a_resolved_line_keeps_its_resolution_when_its_key_changes(shop: Bench) -> None:
    """A line is found by any key ever seen for it; an unstable key moves no stock."""
    shop.record(order("A", line("KOPI", 2, key="old", aliases=("item-1",))))
    moved = shop.movements()
    shop.record(order("A", line("KOPI", 2, key="new", aliases=("item-1",)), at=START + minutes(1)))
    shop.record(order("A", line("GONE", 2, key="new", aliases=("item-2",)), at=START + minutes(2)))
    assert shop.movements() == moved
    assert shop.value("SELECT COUNT(*) FROM order_line") == 1


# ---------------------------------------------------------------------------------------------------------------- shortages and bundles


def test_b14_a_bundle_and_a_single_of_the_same_item_share_one_demand(shop: Bench) -> None:
    shop.listing("PAKET", {"MADU": 2, "KOPI": 1})
    shop.listing("MADU", {"MADU": 1})
    shop.count("MADU", 1)
    shop.record(order("A", line("PAKET", 1), line("MADU", 1)))
    assert shop.position("A", "MADU") == (3, 0)
    assert shop.value("SELECT COUNT(*) FROM movement WHERE cause_kind = 'order'") == 2  # one a SKU, not one a line
    assert shop.balances("MADU") == {"available": -2, "reserved": 3, "adjustment": -1}
    assert shop.findings("shortage") == ["MADU"]


def test_a_shortage_is_shown_until_it_is_gone(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 11)))
    assert shop.findings("shortage") == ["KOPI"]
    shop.receive("KOPI", 1)
    assert shop.findings("shortage") == []
    assert shop.available("KOPI") == 0


# ---------------------------------------------------------------------------------------------------------------------- buyers, marks


def test_buyer_data_is_sealed_and_opens_only_for_a_booking(shop: Bench) -> None:
    buyer = Buyer(name="Siti Rahma", phone="081234567890", address="Jalan Melati 5", note="pagar hijau")
    shop.record(order("A", line("KOPI", 1), buyer=buyer))
    for table in ("sales_order", "order_line", "buyer", "finding"):
        everything = repr(shop.query(f"SELECT * FROM {table}"))
        assert "Siti" not in everything
        assert "Melati" not in everything
    found = shop.read(lambda session: reads_bookings.recipient(session, shop.order_id("A"), shop.ledger.vault))
    assert found == buyer


def test_an_order_that_the_channel_no_longer_shows_releases_nothing(shop: Bench) -> None:
    shop.record(order("A", line("KOPI", 2)))
    now_ms = shop.now_ms()
    for remote_id in ("A", "never seen"):
        shop.write(
            lambda session, which=remote_id: pages.note_gone(  # type: ignore[misc]
                session, shop.channels["shopee"], which, "in the trash", now_ms=now_ms, read_ms=now_ms
            )
        )
    assert shop.position("A", "KOPI") == (2, 0)
    assert shop.findings("order_gone") == ["A"]


def test_open_orders_are_read_again_waiting_ones_often(shop: Bench) -> None:
    shop.record(
        order("ready", line("KOPI", 1)),
        order("held", line("KOPI", 1), state=OrderState.HELD),
        order("done", line("KOPI", units(1, UnitStage.DELIVERED)), state=OrderState.COMPLETED),
    )

    def due() -> list[str]:
        return shop.read(
            lambda session: pages.orders_to_reread(
                session, shop.channels["shopee"], now_ms=shop.now_ms(), held_ms=60_000, open_ms=86_400_000, limit=10
            )
        )

    assert due() == []
    shop.clock.advance(minutes=2)
    assert due() == ["held"]
    shop.clock.advance(hours=24)
    assert sorted(due()) == ["held", "ready"]


def test_units_kept_from_other_buyers_outside_the_number_belong_to_the_target(shop: Bench) -> None:
    """WooCommerce keeps a pending order's units from other buyers without lowering the number that its interface shows."""
    held = units(2, OPEN, Excluded.NO)
    shop.record(order("A", line("KOPI", held), state=OrderState.UNPAID, hold_expires_at=START + minutes(60)))
    assert shop.plan().send[0].level == 10  # 8 available + 2 that the channel holds back by itself
    shop.clock.advance(minutes=61)
    shop.write(lambda session: pages.expire_holds(session, shop.channels["shopee"], now_ms=shop.now_ms()))
    assert shop.plan().send[0].level == 10
    paid = order("A", line("KOPI", units(2, OPEN, Excluded.YES)), at=shop.clock.now(), created_at=START)
    shop.record(paid)
    assert shop.plan().send[0].level == 8


def test_times_of_the_ledger_are_milliseconds_of_the_provider(shop: Bench) -> None:
    shop.clock.advance(minutes=30)
    shop.record(order("A", line("KOPI", units(1, LEFT)), shipped_at=START + minutes(7), at=START + minutes(9)))
    happened, recorded = shop.query("SELECT occurred_ms, recorded_ms FROM movement WHERE destination = 'shipped'")[0]
    assert happened == to_epoch_ms(START + minutes(7))
    assert recorded == to_epoch_ms(START + minutes(30))
