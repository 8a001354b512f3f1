"""The couriers' scorecard: unknown stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sellersync.domain.scorecard import Average, Ride, scores

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
NOW = START + timedelta(days=20)


def ride(days: float | None = None, promised_days: float | None = None, **more: object) -> Ride:
    """Picked up at the start, delivered after so many days."""
    return Ride(
        "jne",
        "reg",
        "Jawa Barat",
        picked_up=START,
        delivered=None if days is None else START + timedelta(days=days),
        promised=None if promised_days is None else START + timedelta(days=promised_days),
        **more,  # type: ignore[arg-type]
    )


def test_prices_are_means_of_what_is_known() -> None:
    [score] = scores([ride(quoted=10_000, charged=10_001), ride(charged=10_002, adjusted=12_500), ride()], now=NOW)
    assert (score.quoted, score.charged, score.adjusted) == (Average(10_000, 1), Average(10_002, 2), Average(12_500, 1))


def test_nothing_known_is_none_and_never_zero() -> None:
    [score] = scores([Ride("spx", "", "")], now=NOW)
    assert (score.quoted, score.days_median, score.days_p90, score.on_time) == (Average(None, 0), None, None, None)
    assert (score.parcels, score.days_known, score.promises_known) == (1, 0, 0)


def test_days_from_pickup_to_delivery() -> None:
    [score] = scores([ride(days) for days in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)] + [ride()], now=NOW)
    assert (score.days_median, score.days_p90, score.days_known) == (5.0, 9.0, 10)
    [one] = scores([ride(2.04)], now=NOW)
    assert (one.days_median, one.days_p90) == (2.0, 2.0)


def test_promises_kept_broken_and_still_open() -> None:
    rides = [
        ride(2, 2),  # exactly in time
        ride(3, 2),
        ride(None, 5),  # overdue by now
        ride(None, 30),  # can still be kept
        ride(None, 30, lost=True),
        ride(4),  # nothing was promised
    ]
    [score] = scores(rides, now=NOW)
    assert (score.on_time, score.promises_known, score.lost) == (1 / 4, 4, 1)


def test_groups_and_their_order() -> None:
    found = scores([Ride("a", "x", "1"), Ride("b", "x", "1"), Ride("b", "x", "1"), Ride("b", "x", "2")], now=NOW)
    assert [(score.courier, score.zone, score.parcels) for score in found] == [
        ("b", "1", 2),
        ("a", "1", 1),
        ("b", "2", 1),
    ]
