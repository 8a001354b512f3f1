"""SIGKILL at random moments while buyers order; and the way a developer kills by hand, with the variable and the installed command."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from kill_place import DEATH_S_MAX, SETTLE_S_MAX, KillPlace
from premises import until


@contextmanager
def street(place: KillPlace, rng: Random) -> Iterator[None]:
    """Buyers order on all channels and couriers collect, until the block ends."""
    closed = threading.Event()
    failures: list[BaseException] = []

    def walk() -> None:
        try:
            while not closed.wait(rng.uniform(0.05, 0.3)):
                place.buyer(rng.choice(list(place.shops)))
                if rng.random() < 0.3:
                    place.couriers_collect()
        except BaseException as failure:
            failures.append(failure)

    walker = threading.Thread(target=walk, name="street")
    walker.start()
    try:
        yield
    finally:
        closed.set()
        walker.join()
    assert failures == []


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.soak)])
def test_killed_at_random_moments_while_buyers_order(tmp_path: Path, kills: int) -> None:
    rng = Random(kills)
    with KillPlace(tmp_path) as place:
        place.open_shop()
        place.begin()
        place.assert_settles()
        assert place.end(signal.SIGKILL) == -signal.SIGKILL
        with street(place, Random(kills + 1)):
            for _ in range(kills):
                place.begin()
                time.sleep(rng.uniform(0.0, 0.8))
                assert place.end(signal.SIGKILL) == -signal.SIGKILL
        assert len(place.imported()) > kills, "the daemon got nothing done between the kills"
        place.begin()
        place.assert_settles(timeout_s=SETTLE_S_MAX + 2.0 * kills)
        assert place.end() == 0


@pytest.mark.parametrize("die_at", [pytest.param("push_sent:done@2", marks=pytest.mark.soak), "settle_booked:in@2"])
def test_the_variable_kills_the_installed_command_at_the_nth_passing(tmp_path: Path, die_at: str) -> None:
    with KillPlace(tmp_path) as place:
        place.open_shop()
        place.buyers()
        daemon = place.start(environ={"SELLERSYNC_DIE_AT": die_at}, wait=False)
        assert daemon.wait(DEATH_S_MAX) == -signal.SIGKILL
        daemon = place.start()
        place.assert_settles()
        until(lambda: place.state_of("shopee") == "ok", what="a channel without trouble")
        assert place.stop(daemon)[0] == 0
