"""Worked examples of what orders and counts do to stock, one story a test."""

from __future__ import annotations

import pytest
from stock_book import BANDUNG, CANCELLED, COFFEE, LEFT, LOST, MUG, OPEN, SPOON, Book, counted, named, one

from sellersync.domain.orders import OrderLine, Unit, UnitStage
from sellersync.domain.stock import (
    Account,
    Component,
    Left,
    Leg,
    LineStock,
    Position,
    count_legs,
    late_correction,
    legs,
    line_stock,
    sellable,
)

GIFT_BOX = (Component(COFFEE, 2), Component(MUG, 1))


# ------------------------------------------------------------------------------------------------------------------ bundles and oversells


def test_b14_a_bundle_and_a_single_of_one_sku_share_one_demand() -> None:
    """A gift box (two bags and a mug) and a single bag in one order, three bags in stock: all three are promised, once."""
    book = Book(coffee=3, mug=1)
    steps = book.see("o1", (counted(open=1), GIFT_BOX), (counted(open=1), one(COFFEE)))
    assert book.numbers(COFFEE) == (0, 3, 0)
    assert book.numbers(MUG) == (0, 1, 0)
    assert [(step.sku_id, step.quantity) for step in steps] == [(COFFEE, 3), (MUG, 1)], "one movement a SKU"
    book.check()


def test_b14_with_one_bag_in_stock_the_shortage_is_the_sum() -> None:
    book = Book(coffee=1, mug=1)
    book.see("o1", (counted(open=1), GIFT_BOX), (counted(open=1), one(COFFEE)))
    assert book.of(COFFEE, Account.AVAILABLE) == -2
    book.check()


def test_b15_an_oversell_is_recorded() -> None:
    """L5: the second order of the last unit is a fact; it is promised too, and the shortage shows as available below zero."""
    book = Book(coffee=1)
    book.see("shopee 1", (counted(open=1), one(COFFEE)))
    book.see("lazada 1", (counted(open=1), one(COFFEE)))
    assert book.numbers(COFFEE) == (-1, 2, 0)
    book.check()


def test_what_can_be_made_of_what_is_available() -> None:
    assert sellable({COFFEE: 5, MUG: 9}, GIFT_BOX) == 2
    assert sellable({COFFEE: 1, MUG: 9}, GIFT_BOX) == 0
    assert sellable({COFFEE: -1, MUG: 9}, GIFT_BOX) == -1, "a shortage shows"


# ---------------------------------------------------------------------------------------------------------------------- life of an order


def test_an_unpaid_hold_expires_and_a_late_payment_reserves_again() -> None:
    book = Book(coffee=5)
    book.see("o1", (counted(open=2), one(COFFEE)))
    assert book.numbers(COFFEE) == (3, 2, 0), "unpaid orders are reserved like paid ones"
    book.see("o1", (counted(open=2), one(COFFEE)), hold_expired=True)
    assert book.numbers(COFFEE) == (5, 0, 0)
    book.see("o1", (counted(open=2), one(COFFEE)))
    assert book.numbers(COFFEE) == (3, 2, 0)
    book.check()


def test_paid_cancelled_paid_reserves_twice() -> None:
    book = Book(coffee=5)
    for stage, expected in (("open", (4, 1, 0)), ("cancelled", (5, 0, 0)), ("open", (4, 1, 0))):
        book.see("o1", (counted(**{stage: 1}), one(COFFEE)))
        assert book.numbers(COFFEE) == expected
    assert len(book.movements) == 1 + 3, "the count, and each change once"
    book.check()


def test_b16_a_cancellation_twice_releases_once() -> None:
    book = Book(coffee=5)
    book.see("o1", (counted(open=2), one(COFFEE)))
    assert book.see("o1", (counted(cancelled=2), one(COFFEE)))
    assert book.see("o1", (counted(cancelled=2), one(COFFEE))) == []
    assert book.numbers(COFFEE) == (5, 0, 0)
    book.check()


@pytest.mark.parametrize(
    ("ordered", "after"),
    [
        (counted(open=3), counted(open=2, cancelled=1)),
        (named(u1=OPEN, u2=OPEN, u3=OPEN), named(u1=OPEN, u2=CANCELLED, u3=OPEN)),
        (counted(open=3), counted(open=2)),  # the platform shows the line smaller instead
    ],
)
def test_b24_one_of_three_cancelled(ordered: OrderLine, after: OrderLine) -> None:
    book = Book(coffee=5)
    book.see("o1", (ordered, one(COFFEE)))
    book.see("o1", (after, one(COFFEE)))
    assert book.numbers(COFFEE) == (3, 2, 0)
    assert book.return_due("o1", after) == 0
    book.check()


def test_a_cancellation_by_number_takes_units_on_the_shelf_first() -> None:
    """Two of three left; one cancelled by number is the one on the shelf. A second one can only be a return."""
    book = Book(coffee=5)
    book.see("o1", (counted(left=2, open=1), one(COFFEE)))
    one_cancelled, two_cancelled = counted(left=2, cancelled=1), counted(left=1, cancelled=2)
    book.see("o1", (one_cancelled, one(COFFEE)))
    assert book.numbers(COFFEE) == (3, 0, 2)
    assert book.return_due("o1", one_cancelled) == 0
    book.see("o1", (two_cancelled, one(COFFEE)))
    assert book.numbers(COFFEE) == (3, 0, 2)
    assert book.return_due("o1", two_cancelled) == 1
    book.check()


def test_a_cancellation_that_names_a_unit_acts_on_that_unit() -> None:
    """The named unit left already: it opens a return, and the one on the shelf stays promised."""
    book = Book(coffee=5)
    book.see("o1", (named(u1=LEFT, u2=OPEN), one(COFFEE)))
    after = named(u1=CANCELLED, u2=OPEN)
    book.see("o1", (after, one(COFFEE)))
    assert book.numbers(COFFEE) == (3, 1, 1)
    assert book.return_due("o1", after) == 1
    book.check()


def test_a_split_package_lost_after_pickup() -> None:
    """Two parcels of one order: one arrives, one is lost on the way and its unit cancelled. Nothing comes back by itself."""
    book = Book(coffee=5)
    book.see("o1", (named(u1=OPEN, u2=OPEN), one(COFFEE)))
    book.see("o1", (named(u1=LEFT, u2=OPEN), one(COFFEE)))
    book.see("o1", (named(u1=LOST, u2=LEFT), one(COFFEE)))
    after = named(u1=CANCELLED, u2=UnitStage.DELIVERED)
    assert book.see("o1", (after, one(COFFEE))) == []
    assert book.numbers(COFFEE) == (3, 0, 2)
    assert book.return_due("o1", after) == 1
    book.check()


@pytest.mark.parametrize("left", [counted(left=2), named(u1=LEFT, u2=LEFT)])
@pytest.mark.parametrize("after", ["cancelled", "removed"])
def test_a_cancellation_after_the_shelf_opens_a_return_and_never_restocks(left: OrderLine, after: str) -> None:
    book = Book(coffee=5)
    book.see("o1", (left, one(COFFEE)))
    units = tuple(Unit(CANCELLED, unit.count, unit.key) for unit in left.units) if after == "cancelled" else ()
    gone = OrderLine("line", "listing", units)
    assert book.see("o1", (gone, one(COFFEE))) == []
    assert book.numbers(COFFEE) == (3, 0, 2)
    assert book.return_due("o1", gone) == 2
    book.check()


def test_a_line_that_shrinks_after_shipping_does_not_hide_the_next_shipment() -> None:
    """One line loses a shipped unit while another line of the same SKU ships one: three units have left, whatever is shown."""
    book = Book(coffee=5)
    book.see("o1", (counted(left=2), one(COFFEE)), (counted(open=1), one(COFFEE)))
    book.see("o1", (counted(left=1), one(COFFEE)), (counted(left=1), one(COFFEE)))
    assert book.numbers(COFFEE) == (2, 0, 3)
    book.check()


def test_leaving_the_shelf_is_never_taken_back() -> None:
    """A stage that goes back (a courier's scan is withdrawn, a status is re-read) puts nothing on the shelf."""
    book = Book(coffee=5)
    book.see("o1", (counted(left=1), one(COFFEE)))
    assert book.see("o1", (counted(open=1), one(COFFEE))) == []
    assert book.see("o1", (counted(unknown=1), one(COFFEE))) == []
    assert book.numbers(COFFEE) == (4, 0, 1)


def test_skipped_states_end_in_the_same_balance() -> None:
    """The first thing we ever see of an order may be its delivery."""
    book = Book(coffee=5)
    [step] = book.see("o1", (counted(delivered=2), one(COFFEE)))
    assert (step.source, step.destination, step.reason) == (Account.AVAILABLE, Account.SHIPPED, "left unseen")
    assert book.numbers(COFFEE) == (3, 0, 2)
    book.check()


def test_b09_an_unknown_stage_reserves_in_full_and_releases_nothing() -> None:
    book = Book(coffee=5)
    book.see("o1", (counted(unknown=2), one(COFFEE)))
    assert book.numbers(COFFEE) == (3, 2, 0)
    book.see("o2", (counted(open=1), one(COFFEE)))
    assert book.see("o2", (counted(unknown=1), one(COFFEE))) == []
    book.check()


def test_units_that_the_platform_ships_stand_in_no_account() -> None:
    book = Book(coffee=5)
    for stage in ("open", "left", "cancelled"):
        line = OrderLine("line", "listing", (Unit(UnitStage(stage), 2),), ours=False)
        assert book.see("o1", (line, one(COFFEE))) == []
    assert book.numbers(COFFEE) == (5, 0, 0)


def test_units_that_turn_out_to_be_the_platforms_release_what_was_reserved() -> None:
    book = Book(coffee=5)
    book.see("o1", (counted(left=1, open=1), one(COFFEE)))
    theirs = OrderLine("line", "listing", (Unit(LEFT, 2),), ours=False)
    book.see("o1", (theirs, one(COFFEE)))
    assert book.numbers(COFFEE) == (4, 0, 1)
    book.check()


# ------------------------------------------------------------------------------------------------------------------- mapping and recipes


def test_b32_a_mapping_after_the_order() -> None:
    """An unmapped line moves nothing; when it is mapped, what the order wants by now is posted."""
    book = Book(coffee=5)
    assert book.see("o1", (counted(open=2), ())) == []
    book.see("o1", (counted(open=2), one(COFFEE)))
    assert book.numbers(COFFEE) == (3, 2, 0)
    assert book.see("o2", (counted(left=1), ())) == []
    book.see("o2", (counted(left=1), one(COFFEE)))
    assert book.numbers(COFFEE) == (2, 2, 1)
    book.check()


def test_one_unmapped_line_does_not_stop_the_others() -> None:
    book = Book(coffee=5)
    book.see("o1", (counted(open=1), ()), (counted(open=2), one(COFFEE)))
    assert book.numbers(COFFEE) == (3, 2, 0)


def test_a_recipe_changed_while_an_order_is_open() -> None:
    """The open order keeps the recipe it was resolved with; re-resolving it on purpose exchanges what is still on the shelf."""
    book = Book(coffee=5, mug=5, spoon=5)
    new_box = (Component(COFFEE, 1), Component(SPOON, 1))
    book.see("old", (counted(open=1), GIFT_BOX))
    book.see("new", (counted(open=1), new_box))
    assert book.numbers(COFFEE) == (2, 3, 0)
    book.see("old", (counted(open=1), new_box))
    assert (book.numbers(COFFEE), book.numbers(MUG), book.numbers(SPOON)) == ((3, 2, 0), (5, 0, 0), (3, 2, 0))
    book.check()


def test_what_has_left_cannot_be_resolved_anew() -> None:
    """Exchanging the recipe of shipped goods would invent stock; the rule refuses instead of guessing."""
    shipped_as_coffee = {(COFFEE, BANDUNG): Position(shipped=1)}
    with pytest.raises(ValueError, match="shipped cannot fall from 1 to 0"):
        legs(shipped_as_coffee, {(MUG, BANDUNG): Position(shipped=1)})


def test_the_same_sku_in_two_warehouses_is_two_positions() -> None:
    steps = legs({(COFFEE, 1): Position(2)}, {(COFFEE, 2): Position(2)})
    assert [(s.source, s.source_warehouse_id, s.destination_warehouse_id, s.quantity) for s in steps] == [
        (Account.RESERVED, 1, 1, 2),
        (Account.AVAILABLE, 2, 2, 2),
    ]


# ------------------------------------------------------------------------------------------------------------------------------- counts


def test_a_first_count_gives_the_first_level() -> None:
    book = Book()
    book.see("o1", (counted(open=2), one(COFFEE)))
    assert book.numbers(COFFEE) == (-2, 2, 0), "sold before it was ever counted"
    book.count(COFFEE, 10)
    assert book.numbers(COFFEE) == (8, 2, 0), "ten on the shelf, two of them promised"
    book.check()


def test_a_count_of_zero_is_a_count() -> None:
    result = count_legs(COFFEE, BANDUNG, 0, 0)
    assert (result.counted, result.expected, result.legs) == (0, 0, ())


@pytest.mark.parametrize(("counted_units", "expected"), [(12, (10, 2, 0)), (9, (7, 2, 0)), (10, (8, 2, 0))])
def test_a_count_moves_only_the_difference(counted_units: int, expected: tuple[int, int, int]) -> None:
    book = Book(coffee=10)
    book.see("o1", (counted(open=2), one(COFFEE)))
    book.count(COFFEE, counted_units)
    assert book.numbers(COFFEE) == expected
    book.check()


def test_a_count_cannot_be_negative() -> None:
    with pytest.raises(ValueError, match="cannot be negative: -1"):
        count_legs(COFFEE, BANDUNG, -1, 0)


def test_a_count_while_orders_move() -> None:
    """Ten on the shelf, two promised. The courier takes them at 8:00, staff count eight at 9:00, the pickup is told at 10:00.

    The count finds two missing; the late pickup would take them a second time, so its opposite is posted with it.
    """
    book = Book(coffee=10)
    book.see("o1", (counted(open=2), one(COFFEE)))
    book.count(COFFEE, 8)
    assert book.numbers(COFFEE) == (6, 2, 0)
    [pickup] = book.see("o1", (counted(left=2), one(COFFEE)))
    opposite = late_correction(pickup)
    assert opposite is not None
    assert (opposite.source, opposite.destination, opposite.quantity) == (Account.ADJUSTMENT, Account.AVAILABLE, 2)
    book.movements.append(opposite)
    assert book.numbers(COFFEE) == (8, 0, 2)
    assert book.shelf(COFFEE) == 8, "what staff saw"
    book.check()


def test_goods_that_arrived_before_the_count_and_are_entered_after_it() -> None:
    late_receipt = Leg(COFFEE, 5, Account.SUPPLIER, Account.AVAILABLE, None, BANDUNG, "receipt")
    opposite = late_correction(late_receipt)
    assert opposite is not None
    assert (opposite.source, opposite.destination, opposite.quantity) == (Account.AVAILABLE, Account.ADJUSTMENT, 5)


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        (Account.AVAILABLE, Account.RESERVED),
        (Account.RESERVED, Account.AVAILABLE),
        (Account.SHIPPED, Account.RETURNING),
        (Account.INSPECT, Account.DAMAGED),
    ],
)
def test_what_does_not_cross_the_shelf_is_no_concern_of_a_count(source: Account, destination: Account) -> None:
    assert late_correction(Leg(COFFEE, 1, source, destination, BANDUNG, BANDUNG)) is None


# ----------------------------------------------------------------------------------------------------------------------- small refusals


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_movement_moves_something(quantity: int) -> None:
    with pytest.raises(ValueError, match="positive quantity"):
        Leg(COFFEE, quantity, Account.AVAILABLE, Account.RESERVED, BANDUNG, BANDUNG)


def test_an_empty_line_wants_nothing() -> None:
    assert line_stock(OrderLine("line", "listing", ()), Left()) == LineStock(0, 0, 0)


def test_the_sticky_fact_grows_and_is_kept_when_nothing_is_new() -> None:
    fact = Left().grown_by(named(u1=LEFT, u2=OPEN))
    assert fact == Left(0, frozenset({"u1"}))
    assert fact.grown_by(named(u1=OPEN, u2=OPEN)) is fact
    assert fact.grown_by(named(u1=OPEN, u2=LOST)) == Left(0, frozenset({"u1", "u2"}))
    assert Left(3).grown_by(counted(left=2)) == Left(3)
