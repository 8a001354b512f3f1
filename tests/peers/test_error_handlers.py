"""The handlers of errors must not fail themselves: errors without a word in them, at every place that tells or treats one."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from rich.console import Console
from simulation import Simulation, in_virtual_time, simulate

from sellersync.cli.sentences import sentence
from sellersync.connector.http import Reply, Wire
from sellersync.connector.rate import RateGate
from sellersync.daemon import Trip
from sellersync.domain import errors
from sellersync.domain.times import shop_day
from sellersync.jobs import pull_orders
from sellersync.jobs.world import running
from sellersync.report.build import build
from sellersync.report.terminal import render_terminal
from sellersync.testing.virtual import VirtualClock, VirtualLoop, run_virtual

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
EMPTY: list[errors.SellersyncError] = [
    errors.SellersyncError(),
    errors.Temporary(""),
    errors.RateLimited("", until=NOW),
    errors.QuotaSpent("", until=NOW),
    errors.AuthNeeded("", todo=""),
    errors.TokenDead(),
    errors.Rejected("", ""),
    errors.Uncertain("", ""),
    errors.Unrecognised("", ""),
    errors.CapExceeded(),
    errors.NotSupported(),
    errors.ConfigError([]),
    errors.BadInput(),
    errors.LeaseLost(),
    errors.Held("", "", NOW),
]


def test_b28_every_empty_error_still_becomes_a_sentence() -> None:
    classes = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert {type(error) for error in EMPTY} == classes
    for error in EMPTY:
        words, code = sentence(error)
        assert isinstance(words, str)
        assert int(code) != 0


def test_b28_a_run_that_ends_with_an_empty_error_is_kept_and_followed_by_one_that_works(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops({"KOPI-250": 5})
            for error in [*EMPTY, Exception(), RuntimeError()]:
                await failing(s, error)
                after = await pull_orders.run(s.app.world, s.shop("shopee"), force=True)
                assert after is not None
                assert after.ok

    in_virtual_time(body)


async def failing(s: Simulation, error: Exception) -> None:
    """A run that ends with this error: it is kept, its lease is given back, and the report can be made."""
    shop = s.shop("shopee")

    async def run() -> None:
        async with running(s.app.world, "pull_orders", shop.id, shop.slug):
            raise error

    if isinstance(error, errors.SellersyncError):
        await run()
    else:
        with pytest.raises(type(error)):
            await run()
    outcome, ended_ms = s.query("SELECT outcome, ended_ms FROM job_run ORDER BY id DESC LIMIT 1")[0]
    assert outcome not in ("ok", "running"), error
    assert ended_ms is not None
    assert s.query("SELECT name FROM lease WHERE owner <> ''") == []
    zone, now = ZoneInfo("Asia/Jakarta"), s.clock.now()
    report = build(s.app.ledger, zone=zone, day=shop_day(now, zone), now=now, language="en", shop_name="")
    console = Console(record=True, file=io.StringIO(), width=100)
    render_terminal(report, console)
    assert "shopee" in console.export_text()


def test_b28_a_trip_that_fails_without_a_word_is_told_and_goes_again() -> None:
    ran, told = [], []

    async def errand() -> None:
        ran.append(1)
        raise Exception

    async def on_bug(what: str) -> None:
        told.append(what)

    async def body() -> None:
        trip = Trip("pull", errand, on_bug)
        for _ in range(2):
            await trip.tick()
            assert trip.task is not None
            await trip.task
        assert (len(ran), told) == (2, ["Exception: "] * 2)

    asyncio.run(body())


@pytest.mark.parametrize(
    "failure", [httpx.ReadError, httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError, httpx.DecodingError]
)
def test_b28_a_connection_that_breaks_without_a_word_is_the_right_error(failure: type[httpx.RequestError]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise failure("", request=request)

    async def body() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        gate = RateGate(clock, rate_per_s=100.0, burst=100)
        wire = Wire("shop", clock=clock, rng=Random(1), gate=gate, transport=httpx.MockTransport(handler))

        def make(now: datetime) -> httpx.Request:
            return httpx.Request("POST", "https://shop.example/")

        def check(reply: Reply) -> Any:
            raise AssertionError("there was no answer")

        with pytest.raises(errors.Temporary):
            await wire.read(make, check, what="")
        expected = errors.Temporary if failure is httpx.ConnectError else errors.Uncertain
        with pytest.raises(expected):
            await wire.write(make, check, what="", reference="")
        await wire.close()

    run_virtual(body(), VirtualLoop())
