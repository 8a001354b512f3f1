"""The daemon's own small parts: trips that never overlap, intervals that do not march."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

from sellersync.daemon import Every, Trip
from sellersync.domain.errors import Held, Temporary

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Work:
    """Counts its runs and how many were under way at once; each lasts until `gate` opens."""

    def __init__(self, *failures: Exception | None) -> None:
        self.runs = self.now = self.most = 0
        self.gate = asyncio.Event()
        self.bugs: list[str] = []
        self._failures = list(failures)

    async def run(self) -> None:
        self.runs += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.gate.wait()
            failure = self._failures.pop(0) if self._failures else None
            if failure is not None:
                raise failure
        finally:
            self.now -= 1

    async def keep(self, what: str) -> None:
        self.bugs.append(what)


async def idle(trip: Trip) -> None:
    if trip.task is not None:
        await trip.task


def test_kicks_during_a_run_are_one_more_run() -> None:
    async def body() -> None:
        work = Work()
        trip = Trip("push shopee", work.run, work.keep)
        trip.kick()
        await asyncio.sleep(0)
        for _ in range(5):
            trip.kick()
        await trip.tick()
        work.gate.set()
        await idle(trip)
        assert (work.runs, work.most) == (2, 1)

    asyncio.run(body())


def test_a_tick_during_a_run_adds_none() -> None:
    async def body() -> None:
        work = Work()
        trip = Trip("pull shopee", work.run, work.keep)
        await trip.tick()
        await asyncio.sleep(0)
        await trip.tick()
        work.gate.set()
        await idle(trip)
        await trip.tick()
        await idle(trip)
        assert work.runs == 2

    asyncio.run(body())


def test_no_failure_ends_a_trip_and_only_a_bug_is_kept() -> None:
    async def body() -> None:
        work = Work(Held("pull:1", "other", NOON), Temporary("closed"), ZeroDivisionError("ours"), None)
        work.gate.set()
        trip = Trip("pull shopee", work.run, work.keep)
        for _ in range(4):
            trip.kick()
            await idle(trip)
        assert work.runs == 4
        assert work.bugs == ["ZeroDivisionError: ours"]

    asyncio.run(body())


def test_a_closing_trip_begins_nothing() -> None:
    async def body() -> None:
        work = Work()
        trip = Trip("pull shopee", work.run, work.keep)
        trip.kick()
        await asyncio.sleep(0)
        trip.kick()
        trip.closing = True
        work.gate.set()
        await idle(trip)
        trip.kick()
        await trip.tick()
        assert work.runs == 1
        assert not trip.busy

    asyncio.run(body())


def test_intervals_vary_within_their_share_and_start_soon() -> None:
    every = Every(60.0, 0.1, Random(7))
    assert timedelta(0) <= every.get_next_fire_time(None, NOON) - NOON <= timedelta(seconds=1)
    waits = [(every.get_next_fire_time(NOON, NOON) - NOON).total_seconds() for _ in range(200)]
    assert 54 <= min(waits) < 56
    assert 64 < max(waits) <= 66
    again = Every(60.0, 0.1, Random(7))
    again.get_next_fire_time(None, NOON)
    assert waits == [(again.get_next_fire_time(NOON, NOON) - NOON).total_seconds() for _ in range(200)]
