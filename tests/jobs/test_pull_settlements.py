"""Settlements in: their own mark and trip; trouble with them is theirs, and orders go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from simulation import Simulation, in_virtual_time, simulate

from sellersync.connector.contract import Mark, Page, Settlement, Stream
from sellersync.domain.errors import AuthNeeded, RateLimited, Temporary
from sellersync.jobs import pull_orders, pull_settlements

SKUS = {"KOPI-250": 30}


class Statements:
    """What a channel settled: rows with the moment from which it shows them, in windows of a day; `spoilt` rows cannot be read."""

    def __init__(self, s: Simulation, slug: str) -> None:
        self.clock = s.clock
        self.rows: list[tuple[datetime, Settlement]] = []
        self.spoilt: list[tuple[datetime, str]] = []
        self.trouble: Exception | None = None
        self.marks: list[datetime] = []
        channel: Any = s.shop(slug).channel
        channel.capabilities = replace(
            channel.capabilities, streams=channel.capabilities.streams | {Stream.SETTLEMENTS}
        )
        self._others = channel.pages
        channel.pages = self.pages

    def settle(self, remote_id: str, net: int, order_id: str = "unknown") -> None:
        now = self.clock.now()
        row = Settlement(remote_id, order_id, now, net, (("sale", net + 1_000), ("fee", -1_000)))
        self.rows.append((now, row))

    def pages(self, stream: Stream, mark: Mark) -> AsyncIterator[Page]:
        if stream is not Stream.SETTLEMENTS:
            return self._others(stream, mark)  # type: ignore[no-any-return]
        return self._settlements(mark)

    async def _settlements(self, mark: Mark) -> AsyncIterator[Page]:
        self.marks.append(mark.at)
        begin, now = mark.at, self.clock.now()
        while begin < now:
            until = min(begin + timedelta(days=1), now)
            found = [row for at, row in self.rows if begin <= at < until]
            skipped = [sentence for at, sentence in self.spoilt if begin <= at < until]
            if self.trouble is not None:
                raise self.trouble
            yield Page(tuple(found), now, closes=until, skipped=tuple(skipped))
            begin = until


def nets(s: Simulation) -> dict[str, int]:
    return {row[0]: row[1] for row in s.query("SELECT remote_id, net FROM settlement")}


def findings(s: Simulation, *kinds: str) -> list[str]:
    rows = s.query("SELECT kind, subject FROM finding WHERE closed_ms IS NULL ORDER BY kind, subject")
    return [row[1] for row in rows if row[0] in kinds]


async def read(s: Simulation, **more: Any) -> dict[str, int]:
    run = await pull_settlements.run(s.app.world, s.shop("shopee"), **more)
    assert run is not None
    assert run.ok, run.error
    return run.counts


def test_they_have_a_mark_of_their_own_and_are_read_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops(SKUS)
            paid = Statements(s, "shopee")
            order = s.order("shopee", {"KOPI-250": 1})
            assert order is not None
            await s.settle(2)
            paid.settle("s1", 90_000, order)
            paid.settle("s2", 40_000)
            await s.clock.sleep(3600)
            orders_mark = s.query("SELECT at_ms FROM mark WHERE stream = 'orders'")
            assert await read(s) == {"new": 2, "of_unknown_orders": 1}
            assert s.query("SELECT at_ms FROM mark WHERE stream = 'orders'") == orders_mark
            paid.settle("s1", 80_000, order)  # shown anew, with another net
            await s.clock.sleep(3600)
            assert await read(s) == {"changed": 1}
            assert paid.marks[1] > paid.marks[0]
            assert nets(s) == {"s1": 80_000, "s2": 40_000}
            await pull_orders.run(s.app.world, s.shop("shopee"))
            assert len(paid.marks) == 2  # a pull of orders reads no settlements

    in_virtual_time(body)


def far_off(s: Simulation) -> Sequence[Exception]:
    until = s.clock.now() + timedelta(hours=1)
    return (
        AuthNeeded("the app lacks the finance permission", todo="ask for it in the console"),
        RateLimited("quota", until=until),
        Temporary("503"),
    )


@pytest.mark.parametrize("which", range(3))
def test_their_trouble_is_told_and_orders_go_on(tmp_path: Path, which: int) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops(SKUS)
            paid = Statements(s, "shopee")
            paid.settle("s1", 90_000)
            await s.clock.sleep(60)
            paid.trouble = far_off(s)[which]
            run = await pull_settlements.run(s.app.world, s.shop("shopee"))
            assert run is not None
            assert run.outcome == ("auth_needed", "rate_limited", "temporary")[which]
            assert findings(s, "settlements_unread") == ["settlements"]
            assert findings(s, "needs_authorisation", "channel_trouble") == []
            [(state, paused)] = s.query("SELECT state, paused_until_ms FROM channel WHERE slug = 'shopee'")
            assert (state, paused) == ("ok", None)
            assert s.order("shopee", {"KOPI-250": 1})
            pulled = await pull_orders.run(s.app.world, s.shop("shopee"))
            assert pulled is not None
            assert pulled.counts["new"] == 1
            paid.trouble = None
            assert (await read(s))["new"] == 1
            assert findings(s, "settlements_unread") == []

    in_virtual_time(body)


def test_trouble_in_the_middle_keeps_what_was_read_and_goes_on_from_there(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops(SKUS)
            paid = Statements(s, "shopee")
            await read(s)
            paid.settle("s1", 1_000)
            await s.clock.sleep(2 * 86_400)
            paid.settle("s2", 2_000)
            await s.clock.sleep(60)
            pages = paid.pages

            async def cut(mark: Mark) -> AsyncIterator[Page]:
                async for page in pages(Stream.SETTLEMENTS, mark):
                    if nets(s):
                        raise Temporary("cut")
                    yield page

            channel: Any = s.shop("shopee").channel
            channel.pages = lambda stream, mark: cut(mark)
            await pull_settlements.run(s.app.world, s.shop("shopee"))
            assert nets(s) == {"s1": 1_000}
            channel.pages = pages
            await read(s)
            assert nets(s) == {"s1": 1_000, "s2": 2_000}

    in_virtual_time(body)


def test_rows_that_cannot_be_read_are_walked_again_until_they_can(tmp_path: Path) -> None:
    """They stand in a finding of their own, so that they neither hold up pushes nor are closed by a pull of orders."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops(SKUS)
            paid = Statements(s, "shopee")
            await read(s)
            paid.spoilt.append((s.clock.now(), "settlement X: no amount"))
            await s.clock.sleep(86_400 + 60)
            await read(s)
            assert findings(s, "settlement_unreadable", "row_unreadable") == ["settlement X: no amount"]
            await pull_orders.run(s.app.world, s.shop("shopee"), replay=True)
            assert findings(s, "settlement_unreadable") == ["settlement X: no amount"]
            when, _ = paid.spoilt.pop()
            paid.rows.append((when, Settlement("sX", "o", when, 5_000)))
            await s.clock.sleep(60)
            assert await read(s) == {}  # an hour has not passed
            assert (await read(s, replay=True))["new"] == 1
            assert findings(s, "settlement_unreadable") == []

    in_virtual_time(body)


def test_a_row_that_nobody_can_read_for_a_month_is_given_up(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops(SKUS)
            paid = Statements(s, "shopee")
            await read(s)
            paid.spoilt.append((s.clock.now(), "settlement X: no amount"))
            await s.clock.sleep(60)
            await read(s)
            for _ in range(30):
                assert findings(s, "settlement_unreadable")
                await s.clock.sleep(86_400)
                await read(s)
            assert findings(s, "settlement_unreadable") == []

    in_virtual_time(body)


def test_channels_without_settlements_are_left_alone(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",), courier=False) as s:
            assert await pull_settlements.run(s.app.world, s.shop("woocommerce"), force=True) is None

    in_virtual_time(body)
