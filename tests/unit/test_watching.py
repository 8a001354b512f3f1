"""Which parcels on their way need a person, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sellersync.domain.parcels import ParcelState
from sellersync.domain.watching import Trouble, Watched, WatchRules, trouble

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
RULES = WatchRules(uncollected_after=timedelta(hours=24), stuck_after=timedelta(hours=72))


def after(hours: float, state: ParcelState, **more: object) -> Trouble | None:
    """What is wrong so many hours after the last change."""
    return trouble(Watched(state, START, START, **more), RULES, START + timedelta(hours=hours))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "fine_h", "bad_h", "wrong"),
    [
        (ParcelState.BOOKED, 23.9, 24, Trouble.UNCOLLECTED),
        (ParcelState.PICKED_UP, 71.9, 72, Trouble.STUCK),
        (ParcelState.IN_TRANSIT, 71.9, 72, Trouble.STUCK),
        (ParcelState.OUT_FOR_DELIVERY, 71.9, 72, Trouble.STUCK),
    ],
)
def test_silence_becomes_trouble(state: ParcelState, fine_h: float, bad_h: float, wrong: Trouble) -> None:
    assert after(fine_h, state) is None
    assert after(bad_h, state) is wrong


def test_a_parcel_handed_over_by_our_word_is_on_its_way() -> None:
    handed = Watched(ParcelState.BOOKED, START, START - timedelta(hours=20), left_shelf=True)
    assert trouble(handed, RULES, START + timedelta(hours=43)) is None
    assert trouble(handed, RULES, START + timedelta(hours=72)) is Trouble.STUCK


def test_a_promise_that_passed() -> None:
    promised = START + timedelta(hours=48)
    assert after(48, ParcelState.IN_TRANSIT, promised_at=promised) is None
    assert after(48.1, ParcelState.IN_TRANSIT, promised_at=promised) is Trouble.OVERDUE
    assert after(72, ParcelState.IN_TRANSIT, promised_at=promised) is Trouble.STUCK
    assert after(49, ParcelState.DELIVERED, promised_at=promised) is None


def test_stopped_on_the_shelf_is_the_queues_matter_and_on_the_road_ours() -> None:
    assert after(100, ParcelState.PROBLEM) is None
    assert after(100, ParcelState.PROBLEM, left_shelf=True) is Trouble.STUCK


def test_what_ended_badly_is_told_until_it_is_settled_or_old() -> None:
    assert after(1, ParcelState.LOST) is Trouble.LOST
    assert after(1, ParcelState.LOST, settled=True) is None
    assert after(31 * 24, ParcelState.LOST) is None
    assert after(1, ParcelState.RETURNING, settled=True) is Trouble.RETURNING  # it is still on the road
    assert after(1, ParcelState.RETURNED) is Trouble.RETURNING
    assert after(1, ParcelState.RETURNED, settled=True) is None


@pytest.mark.parametrize("state", [ParcelState.DELIVERED, ParcelState.CANCELLED, ParcelState.FAILED, ParcelState.READY])
def test_others_need_nobody(state: ParcelState) -> None:
    assert after(1000, state) is None
