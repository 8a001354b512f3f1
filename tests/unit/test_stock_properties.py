"""What holds for every order, whatever its versions say and in whatever order they come (L1, L2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stock_book import BANDUNG, COFFEE, MUG, SPOON, Book

from sellersync.domain.orders import Freshness, OrderLine, Unit, UnitStage, Version, freshness
from sellersync.domain.stock import (
    Account,
    Component,
    Left,
    Leg,
    Position,
    PositionKey,
    balances,
    count_legs,
    late_correction,
    legs,
    line_stock,
    shelf_change,
)

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
KEYS = ("u1", "u2", "u3", "u4")
STAGES = st.sampled_from(UnitStage)

Components = tuple[Component, ...]


@dataclass(frozen=True)
class Story:
    """An order's frozen recipes, one a line, and its versions in the provider's order: each one a line's units, line by line."""

    recipes: tuple[Components, ...]
    versions: tuple[tuple[tuple[Unit, ...], ...], ...]
    expired: tuple[bool, ...]

    def lines(self, number: int) -> list[tuple[OrderLine, Components]]:
        return [
            (OrderLine(f"line{index}", f"listing{index}", units), recipe)
            for index, (units, recipe) in enumerate(zip(self.versions[number], self.recipes, strict=True))
        ]


recipes = st.lists(st.builds(Component, st.sampled_from([COFFEE, MUG, SPOON]), st.integers(1, 3)), max_size=2).map(
    tuple
)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Versions without rhyme or reason: stages jump, units vanish and come back. Providers have done worse."""
    line_count = draw(st.integers(1, 3))
    has_ids = [draw(st.booleans()) for _ in range(line_count)]

    def units(named: bool) -> tuple[Unit, ...]:
        if named:
            stages = draw(st.dictionaries(st.sampled_from(KEYS), STAGES, max_size=4))
            return tuple(Unit(stage, 1, key) for key, stage in stages.items())
        counts = draw(st.dictionaries(STAGES, st.integers(1, 3), max_size=3))
        return tuple(Unit(stage, count) for stage, count in counts.items())

    versions = tuple(tuple(units(named) for named in has_ids) for _ in range(draw(st.integers(1, 6))))
    return Story(
        tuple(draw(recipes) for _ in range(line_count)), versions, tuple(draw(st.booleans()) for _ in versions)
    )


def expected_position(story: Story, seen: list[int]) -> dict[PositionKey, Position]:
    """The rules told once more, in other words than the code's: what the last seen version and everything that ever left want."""
    wanted: dict[PositionKey, Position] = {}
    for index, recipe in enumerate(story.recipes):
        looks = [story.versions[number][index] for number in seen]
        left_ids = {unit.key for look in looks for unit in look if unit.key and unit.stage.left_shelf}
        left_count = max(sum(unit.count for unit in look if not unit.key and unit.stage.left_shelf) for look in looks)
        newest = looks[-1]
        wanted_ids = {unit.key for unit in newest if unit.key and unit.stage is not UnitStage.CANCELLED}
        total = sum(unit.count for unit in newest if not unit.key)
        cancelled = sum(unit.count for unit in newest if not unit.key and unit.stage is UnitStage.CANCELLED)
        reserved = len(wanted_ids - left_ids) + max(max(total - left_count, 0) - cancelled, 0)
        if story.expired[seen[-1]]:
            reserved = 0
        for part in recipe:
            here = Position(reserved * part.quantity, (len(left_ids) + left_count) * part.quantity)
            key = (part.sku_id, BANDUNG)
            wanted[key] = wanted.get(key, Position()) + here
    return {key: position for key, position in wanted.items() if position != Position()}


def positions(book: Book) -> dict[PositionKey, Position]:
    return {key: position for key, position in book.posted.get("o", {}).items() if position != Position()}


@given(stories(), st.data())
def test_the_position_follows_from_the_newest_version_and_what_left(story: Story, data: st.DataObject) -> None:
    numbers = st.integers(0, len(story.versions) - 1)
    seen = data.draw(st.lists(numbers, min_size=1, max_size=8), label="versions in the order they are accepted")
    book = Book(coffee=20, mug=20)
    for number in seen:
        book.see("o", *story.lines(number), hold_expired=story.expired[number])
    assert positions(book) == expected_position(story, seen)
    for (sku, _), position in positions(book).items():
        assert book.of(sku, Account.RESERVED) == position.reserved
        assert book.of(sku, Account.SHIPPED) == position.shipped
    book.check()


@given(stories())
def test_a_replay_moves_nothing(story: Story) -> None:
    book = Book(coffee=20)
    for number in range(len(story.versions)):
        book.see("o", *story.lines(number), hold_expired=story.expired[number])
        assert book.see("o", *story.lines(number), hold_expired=story.expired[number]) == []


@given(stories())
def test_every_unit_is_on_the_shelf_left_or_given_back(story: Story) -> None:
    """Per line: no unit is in two places, and a return is due for exactly those that left and are no longer wanted."""
    facts = [Left()] * len(story.recipes)
    for number in range(len(story.versions)):
        for index, (line, _) in enumerate(story.lines(number)):
            facts[index] = facts[index].grown_by(line)
            stock = line_stock(line, facts[index])
            assert min(stock.reserved, stock.shipped, stock.return_due) >= 0
            assert stock.return_due <= stock.shipped
            wanted = sum(unit.count for unit in line.units if unit.stage is not UnitStage.CANCELLED)
            assert stock.reserved + stock.shipped - stock.return_due == wanted


# ----------------------------------------------------------------------------------------------------------- delivery, with freshness

LIVES = (
    [UnitStage.OPEN],
    [UnitStage.OPEN, UnitStage.CANCELLED],
    [UnitStage.OPEN, UnitStage.UNKNOWN, UnitStage.OPEN, UnitStage.LEFT],
    [UnitStage.OPEN, UnitStage.LEFT, UnitStage.DELIVERED, UnitStage.COMING_BACK],
    [UnitStage.OPEN, UnitStage.LEFT, UnitStage.LOST],
    [UnitStage.CANCELLED, UnitStage.OPEN],  # paid, cancelled, paid again
)


@st.composite
def lives(draw: st.DrawFn) -> Story:
    """An order as providers really tell it: each unit walks its life forward, some steps at a time."""
    units = [(key if draw(st.booleans()) else "", draw(st.sampled_from(LIVES))) for key in KEYS]
    named = [unit for unit in units if unit[0]]
    plain = [unit for unit in units if not unit[0]]
    places = dict.fromkeys(range(len(units)), 0)
    versions: list[tuple[tuple[Unit, ...], ...]] = []
    for _ in range(draw(st.integers(1, 6))):
        for index, (_, life) in enumerate(named + plain):
            places[index] = min(places[index] + draw(st.integers(0, 2)), len(life) - 1)
        snapshot = [Unit(life[places[index]], 1, key) for index, (key, life) in enumerate(named + plain)]
        versions.append((tuple(snapshot[: len(named)]), tuple(snapshot[len(named) :])))
    return Story(((Component(COFFEE, 1),), (Component(COFFEE, 2),)), tuple(versions), (False,) * len(versions))


@given(lives(), st.data())
def test_duplicates_delays_and_gaps_end_in_the_same_balance(story: Story, data: st.DataObject) -> None:
    """b01, b22: whatever was delivered in whatever order, once the newest version is in, the balance is that of the newest alone."""
    last = len(story.versions) - 1
    numbers = st.integers(0, last)
    deliveries = data.draw(st.lists(numbers, max_size=12), label="deliveries")
    deliveries.insert(data.draw(st.integers(0, len(deliveries)), label="place of the newest"), last)
    book, known = Book(coffee=20), None
    for read, number in enumerate(deliveries):
        digest = repr(story.versions[number])
        incoming = Version(T0 + timedelta(seconds=number), T0 + timedelta(seconds=100 + read), digest)
        if freshness(known, incoming) in (Freshness.FIRST, Freshness.NEWER):
            known = incoming
            book.see("o", *story.lines(number))
    alone = Book(coffee=20)
    alone.see("o", *story.lines(last))
    assert book.numbers(COFFEE) == alone.numbers(COFFEE)
    book.check()


# ------------------------------------------------------------------------------------------------------------------------------- legs

PLACES = st.tuples(st.integers(1, 3), st.integers(1, 2))
POSITIONS = st.builds(Position, st.integers(0, 9), st.integers(0, 9))


@given(st.dictionaries(PLACES, POSITIONS), st.dictionaries(PLACES, POSITIONS))
def test_legs_take_what_is_posted_to_what_is_wanted(
    posted: dict[PositionKey, Position], growth: dict[PositionKey, Position]
) -> None:
    wanted = {
        key: Position(
            growth.get(key, Position()).reserved,
            posted.get(key, Position()).shipped + growth.get(key, Position()).shipped,
        )
        for key in {*posted, *growth}
    }
    steps = legs(posted, wanted)
    moved = balances(steps)
    for key in wanted:
        before, after = posted.get(key, Position()), wanted[key]
        assert before.reserved + moved.get((*key, Account.RESERVED), 0) == after.reserved
    for sku in {sku for sku, _ in wanted}:
        shipped = sum(wanted[key].shipped - posted.get(key, Position()).shipped for key in wanted if key[0] == sku)
        assert moved.get((sku, None, Account.SHIPPED), 0) == shipped
    assert legs(wanted, wanted) == []
    assert steps == legs(dict(reversed(posted.items())), dict(reversed(wanted.items()))), "one fixed order"
    assert sum(moved.values()) == 0


@given(st.dictionaries(PLACES, POSITIONS, min_size=1), st.data())
def test_shipped_never_falls(posted: dict[PositionKey, Position], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(posted)))
    fewer = {**posted, key: Position(posted[key].reserved, posted[key].shipped - 1)}
    with pytest.raises(ValueError, match="shipped cannot fall"):
        legs(posted, fewer)


# ------------------------------------------------------------------------------------------------------------------------------ counts


@dataclass(frozen=True)
class Happening:
    """Units that really crossed the shelf at `at`, which the ledger is told at `told`. `change` > 0: goods came in."""

    at: int
    told: int
    change: int


happenings = st.builds(
    lambda at, late, change: Happening(at, at + late, change),
    st.integers(0, 50),
    st.integers(0, 40),
    st.integers(-4, 4).filter(bool),
)


@given(
    st.integers(0, 20), st.integers(-5, 5), st.lists(happenings, max_size=10), st.sets(st.integers(0, 60), max_size=3)
)
def test_a_count_makes_the_ledger_true_however_late_it_is_told(
    shelf: int, error: int, story: list[Happening], count_times: set[int]
) -> None:
    """The ledger is wrong by `error`; after a count and all late news its shelf is what really lies there."""
    counts = sorted(time + 0.5 for time in count_times)
    moved: list[tuple[float, Leg]] = []  # when it happened, what was posted

    def ledger_shelf(as_of: float) -> int:
        return shelf + error + sum(shelf_change(leg) for at, leg in moved if at <= as_of)

    def truth(as_of: float) -> int:
        return shelf + sum(h.change for h in story if h.at <= as_of)

    events: list[tuple[float, int, Happening | None]] = [(count, 0, None) for count in counts]
    events += [(h.told, 1 + n, h) for n, h in enumerate(story)]
    for now, _, happening in sorted(events, key=lambda event: event[:2]):
        if happening is None:
            on_shelf = max(truth(now), 0)
            if on_shelf != truth(now):
                return  # nobody can take more from a shelf than lies there
            moved += [(now, leg) for leg in count_legs(COFFEE, BANDUNG, on_shelf, ledger_shelf(now)).legs]
            continue
        if happening.change > 0:
            leg = Leg(COFFEE, happening.change, Account.SUPPLIER, Account.AVAILABLE, None, BANDUNG)
        else:
            leg = Leg(COFFEE, -happening.change, Account.AVAILABLE, Account.SHIPPED, BANDUNG, None)
        moved.append((happening.at, leg))
        seen_by = [count for count in counts if happening.at < count < now]
        if seen_by:
            opposite = late_correction(leg)
            assert opposite is not None
            moved.append((seen_by[0], opposite))
    assert ledger_shelf(1000) == truth(1000) + (0 if counts else error)


@given(st.integers(0, 100), st.integers(-100, 100))
def test_a_count_posts_exactly_the_difference(counted_units: int, shelf_then: int) -> None:
    result = count_legs(COFFEE, BANDUNG, counted_units, shelf_then)
    assert shelf_then + sum(shelf_change(leg) for leg in result.legs) == counted_units
    assert len(result.legs) == (counted_units != shelf_then)
