"""Which version of an order is newer, and which line is which."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sellersync.domain.orders import (
    Buyer,
    Freshness,
    OrderLine,
    OrderState,
    Unit,
    UnitStage,
    Version,
    freshness,
    match_lines,
)

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def version(updated_s: int, read_s: int, digest: str) -> Version:
    return Version(T0 + timedelta(seconds=updated_s), T0 + timedelta(seconds=read_s), digest)


@pytest.mark.parametrize(
    ("updated_s", "read_s", "digest", "verdict"),
    [
        (9, 99, "a", Freshness.OLDER),  # a lower provider time, however late it is read
        (9, 99, "b", Freshness.OLDER),
        (10, 20, "a", Freshness.SAME),  # the same row again, in an overlapping window
        (10, 19, "a", Freshness.SAME),
        (10, 21, "b", Freshness.NEWER),  # two changes in one second: the later read wins
        (10, 20, "b", Freshness.NEWER),
        (10, 19, "b", Freshness.OLDER),
        (11, 21, "b", Freshness.NEWER),
        (11, 19, "b", Freshness.NEWER),
        (11, 21, "a", Freshness.NEWER),  # the same content at a later time: its time is kept
    ],
)
def test_freshness_of_a_version(updated_s: int, read_s: int, digest: str, verdict: Freshness) -> None:
    known = version(10, 20, "a")
    assert freshness(known, version(updated_s, read_s, digest)) is verdict


def test_the_first_version_is_first() -> None:
    assert freshness(None, version(0, 0, "a")) is Freshness.FIRST


def test_paid_cancelled_paid_survives_a_late_cancellation() -> None:
    """The content of the first and the third version is the same; the second arrives last and must be refused."""
    known = version(1, 1, "paid")
    again = version(3, 3, "paid")
    assert freshness(known, again) is Freshness.NEWER
    assert freshness(again, version(2, 4, "cancelled")) is Freshness.OLDER


versions = st.builds(version, st.integers(0, 5), st.integers(0, 5), st.sampled_from("abc"))


@given(versions, versions)
def test_of_two_versions_at_most_one_is_newer(one: Version, other: Version) -> None:
    verdicts = {freshness(one, other), freshness(other, one)}
    assert verdicts in ({Freshness.SAME}, {Freshness.NEWER, Freshness.OLDER}, {Freshness.NEWER})
    if verdicts == {Freshness.NEWER}:
        assert (one.updated_at, one.read_started_at) == (other.updated_at, other.read_started_at)


@given(st.lists(versions, min_size=1, max_size=8))
def test_the_provider_time_of_what_is_kept_never_goes_back(delivered: list[Version]) -> None:
    known: Version | None = None
    for incoming in delivered:
        if freshness(known, incoming) in (Freshness.FIRST, Freshness.NEWER):
            assert known is None or incoming.updated_at >= known.updated_at
            known = incoming
    assert known is not None
    assert known.updated_at == max(incoming.updated_at for incoming in delivered)


# ---------------------------------------------------------------------------------------------------------------------------- lines


def line(*aliases: str, listing: str = "") -> OrderLine:
    return OrderLine(
        key=aliases[0], listing=listing or aliases[-1], units=(Unit(UnitStage.OPEN, 1),), aliases=tuple(aliases)
    )


def test_lines_are_found_by_their_own_keys() -> None:
    known = [("a1", "shirt:m"), ("a2", "shirt:l")]
    assert match_lines(known, [line("a2", "shirt:l"), line("a1", "shirt:m")]) == [1, 0]


def test_a_new_line_is_new() -> None:
    assert match_lines([("a1", "shirt:m")], [line("a1", "shirt:m"), line("a9", "cap")]) == [0, None]
    assert match_lines([], [line("a1")]) == [None]
    assert match_lines([("a1",)], []) == []


def test_an_unstable_key_does_not_lose_a_line() -> None:
    """Shopee gives a line a new line_item_id now and then; the listing still tells which one it is."""
    assert match_lines([("a1", "shirt:m"), ("a2", "shirt:l")], [line("z2", "shirt:l"), line("z1", "shirt:m")]) == [1, 0]


def test_a_key_that_two_lines_share_swaps_nothing() -> None:
    """Both lines are of one product; only the variation, the weaker key, tells them apart."""
    known = [("a1", "product", "product:m"), ("a2", "product", "product:l")]
    assert match_lines(known, [line("z2", "product", "product:l"), line("z1", "product", "product:m")]) == [1, 0]
    assert match_lines(known, [line("z2", "product", "product:l")]) == [1]


def test_two_lines_of_one_listing_are_matched_in_order() -> None:
    """Nothing tells them apart, and nothing depends on it: they are units of one listing."""
    assert match_lines([("a1", "cap"), ("a2", "cap")], [line("z1", "cap"), line("z2", "cap")]) == [0, 1]
    assert match_lines([("a1", "cap"), ("a2", "cap")], [line("z1", "cap"), line("a1", "cap")]) == [1, 0]


def test_a_listing_deleted_later_is_found_by_the_line_id() -> None:
    assert match_lines([("a1", "product:7")], [line("a1", "")]) == [0]


@st.composite
def baskets(draw: st.DrawFn) -> tuple[list[tuple[str, ...]], list[OrderLine], list[int]]:
    """Known lines of different listings, and the same lines seen again: shuffled, some missing, any of their ids renewed."""
    count = draw(st.integers(1, 6))
    products = [draw(st.sampled_from(["shirt", "cap"])) for _ in range(count)]
    known: list[tuple[str, ...]] = [(f"id{n}", products[n], f"{products[n]}:{n}") for n in range(count)]
    seen = draw(st.permutations(range(count)))[: draw(st.integers(1, count))]
    renewed = [draw(st.booleans()) for _ in seen]
    incoming = [
        line(f"new{n}" if fresh else f"id{n}", products[n], f"{products[n]}:{n}")
        for n, fresh in zip(seen, renewed, strict=True)
    ]
    return known, incoming, list(seen)


@given(baskets())
def test_lines_of_different_listings_are_never_swapped(
    basket: tuple[list[tuple[str, ...]], list[OrderLine], list[int]],
) -> None:
    known, incoming, seen = basket
    assert match_lines(known, incoming) == seen


KEYS = st.sampled_from("abcdef")


@given(
    st.lists(st.sets(KEYS, min_size=1, max_size=3), max_size=5),
    st.lists(st.lists(KEYS, min_size=1, max_size=3), max_size=5),
)
def test_each_known_line_is_used_once_and_only_by_a_shared_key(known: list[set[str]], wires: list[list[str]]) -> None:
    incoming = [line(*aliases) for aliases in wires]
    found = match_lines(known, incoming)
    used = [index for index in found if index is not None]
    assert len(used) == len(set(used))
    assert all(index is None or set(wires[n]) & known[index] for n, index in enumerate(found))
    unused = set(range(len(known))) - set(used)
    assert not [n for n, index in enumerate(found) if index is None and any(set(wires[n]) & known[k] for k in unused)]


# ------------------------------------------------------------------------------------------------------------------------ vocabulary


@pytest.mark.parametrize("stage", UnitStage)
def test_only_units_that_left_have_left(stage: UnitStage) -> None:
    assert stage.left_shelf == (stage.value in {"left", "delivered", "coming_back", "lost"})


def test_an_unknown_state_is_open() -> None:
    """What nobody can read is watched, never closed (L7)."""
    assert OrderState.UNKNOWN.open
    assert [state for state in OrderState if not state.open] == [OrderState.COMPLETED, OrderState.CANCELLED]


def test_a_line_is_named_only_when_every_unit_has_an_id() -> None:
    units = (Unit(UnitStage.OPEN, key="u1"), Unit(UnitStage.OPEN, key="u2"))
    assert OrderLine("k", "l", units).named
    assert OrderLine("k", "l", units).quantity == 2
    assert not OrderLine("k", "l", (*units, Unit(UnitStage.OPEN))).named


def test_buyer_data_never_shows() -> None:
    buyer = Buyer(name="Budi Santoso", phone="081234567890", address="Jalan Melati 5")
    shown = f"{buyer!r} {buyer}"
    assert "Budi" not in shown
    assert "0812" not in shown
