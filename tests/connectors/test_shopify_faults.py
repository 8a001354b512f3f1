"""Lost replies, web pages instead of data, points used up, and a shop that answers nonsense."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Mark, Page, Stream
from sellersync.domain.errors import (
    AuthNeeded,
    CapExceeded,
    RateLimited,
    Rejected,
    SellersyncError,
    Temporary,
    Uncertain,
    Unrecognised,
)
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig
from sellersync.testing.virtual import START
from sellersync_shopify import api

PAYLOADS = Path(api.__file__).parent / "payloads"


def run(test: Any, **options: Any) -> Any:
    return on_rig("shopify", test, **options)


def stocked(rig: Rig[Any, Any], stock: int = 100) -> str:
    return str(rig.sim.add_product("A", "Teh", price=20_000, stock=stock).remote_key)


async def walk(rig: Rig[Any, Any]) -> list[Page]:
    return [page async for page in rig.connector.pages(Stream.ORDERS, Mark(START))]


def instead(rig: Rig[Any, Any], operation: str, response: Callable[[httpx.Request], httpx.Response]) -> None:
    """Answer the calls of one operation with something of our own."""
    answer = rig.sim.answer

    def meddle(request: httpx.Request) -> httpx.Response:
        mine = f" {operation}".encode() in request.content
        given: httpx.Response = response(request) if mine else answer(request)
        return given

    rig.sim.answer = meddle


def errors(code: str, message: str = "said the shop", **more: Any) -> Callable[[httpx.Request], httpx.Response]:
    body = {"errors": [{"message": message, "extensions": {"code": code}}], **more}
    return lambda request: httpx.Response(200, json=body)


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.DROP_BEFORE,
        FaultKind.DROP_AFTER,
        FaultKind.HTTP_500,
        FaultKind.HTTP_500_AFTER,
        FaultKind.HTML,
        FaultKind.TRUNCATED,
        FaultKind.EMPTY,
        FaultKind.HTTP_429,
        FaultKind.HTTP_429_DATE,
    ],
)
def test_a_walk_survives_a_sick_shop(kind: FaultKind) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = {rig.sim.place_order([(key, 1)]) for _ in range(5)}
        rig.sim.faults.append(Fault(kind, times=2))
        found = {row.remote_id for page in await walk(rig) for row in page.rows}
        assert found == placed

    run(test)


@pytest.mark.parametrize("kind", [FaultKind.HTTP_429, FaultKind.HTTP_429_DATE])
def test_a_long_wait_is_the_jobs_matter(kind: FaultKind) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.faults.append(Fault(kind, retry_after_s=120))
        with pytest.raises(RateLimited) as told:
            await walk(rig)
        assert (told.value.until - START).total_seconds() == pytest.approx(120, abs=2)
        with pytest.raises(RateLimited):
            await walk(rig)
        assert len(rig.requests) == 1

    run(test)


def test_points_used_up_are_waited_for() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        placed = rig.sim.place_order([(stocked(rig), 1)])
        await rig.connector.listings().__anext__()
        rig.sim.drain()
        began = rig.clock.monotonic()
        [page] = await walk(rig)
        assert [row.remote_id for row in page.rows] == [placed]
        throttled = [e for e in rig.sim.journal.entries(Event.REQUEST) if e.data["refused"] == "THROTTLED"]
        assert len(throttled) == 1, "one refusal tells how long"
        assert 5.0 <= rig.clock.monotonic() - began <= 12.0

    run(test)


def test_the_quoted_throttled_answer() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        body = json.loads((PAYLOADS / "throttled.json").read_text())["body"]
        answers = [httpx.Response(200, json=body)]
        answer = rig.sim.answer
        rig.sim.answer = lambda request: answers.pop() if answers else answer(request)
        began = rig.clock.monotonic()
        await rig.connector.health()
        assert rig.clock.monotonic() - began == pytest.approx((752 - 666) / 100 + 0.25, abs=0.01)

    run(test)


def test_a_poor_bucket_is_not_run_dry() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        rig.sim.bucket_max, rig.sim.restore_rate = 1_000.0, 20.0
        rig.sim.drain()
        await rig.clock.sleep(60)
        placed = {rig.sim.place_order([(key, 1)]) for _ in range(40)}
        found = {row.remote_id for page in await walk(rig) for row in page.rows}
        assert found == placed
        assert not [e for e in rig.sim.journal.entries(Event.REQUEST) if e.data["refused"] == "THROTTLED"]

    run(test, settings={"page_size": 5})


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(402, json={"errors": "Unavailable Shop"}), AuthNeeded),
        (httpx.Response(403, json={"errors": "Forbidden"}), AuthNeeded),
        (httpx.Response(404, json={"errors": "Not Found"}), AuthNeeded),
        (httpx.Response(404, text="<html>Not found</html>"), AuthNeeded),
        (httpx.Response(423, json={"errors": "Locked"}), AuthNeeded),
        (httpx.Response(503, json={"errors": "Internal"}), Temporary),
        (httpx.Response(400, json={"errors": "Bad Request"}), Unrecognised),
        (httpx.Response(200, json=[1]), Unrecognised),
        (httpx.Response(200, json={"data": None}), Unrecognised),
        (httpx.Response(200, json={"errors": "of another kind"}), Unrecognised),
    ],
)
def test_answers_that_are_no_answers(response: httpx.Response, error: type[SellersyncError]) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        instead(
            rig, "SellersyncOrders(", lambda request: httpx.Response(response.status_code, content=response.content)
        )
        with pytest.raises(error):
            await walk(rig)

    run(test)


@pytest.mark.parametrize(
    ("code", "reading", "writing"),
    [
        ("THROTTLED", RateLimited, RateLimited),
        ("ACCESS_DENIED", AuthNeeded, AuthNeeded),
        ("SHOP_INACTIVE", AuthNeeded, AuthNeeded),
        ("undefinedField", Rejected, Rejected),
        ("MAX_COST_EXCEEDED", CapExceeded, Rejected),
        ("INTERNAL_SERVER_ERROR", Temporary, Uncertain),
        ("SOMETHING_NEW", Unrecognised, Uncertain),
    ],
)
def test_error_codes(code: str, reading: type[SellersyncError], writing: type[SellersyncError]) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 1)])
        instead(rig, "SellersyncOrders(", errors(code))
        instead(rig, "SellersyncFulfil(", errors(code))
        with pytest.raises(reading):
            await walk(rig)
        await rig.clock.sleep(60)
        with pytest.raises(writing):
            await rig.connector.hand_back(order_id, "JNE1", "JNE")

    run(test)


def test_b18_a_cursor_that_stands_still_is_an_error() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        info = {"hasNextPage": True, "endCursor": "same"}
        body = {"data": {"orders": {"nodes": [], "pageInfo": info}}}
        instead(rig, "SellersyncOrders(", lambda request: httpx.Response(200, json=body))
        with pytest.raises(Temporary, match="cursor"):
            await walk(rig)
        assert len(rig.requests) < 10

    run(test)


def test_one_unreadable_order_sinks_no_other() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = [rig.sim.place_order([(key, 1)]) for _ in range(3)]
        answer = rig.sim.answer

        def torn(request: httpx.Request) -> httpx.Response:
            response: httpx.Response = answer(request)
            if b" SellersyncOrders(" not in request.content:
                return response
            body = response.json()
            body["data"]["orders"]["nodes"][1]["updatedAt"] = "yesterday"
            body["data"]["orders"]["nodes"].append(None)
            return httpx.Response(200, json=body)

        rig.sim.answer = torn
        [page] = await walk(rig)
        assert [row.remote_id for row in page.rows] == [placed[0], placed[2]]
        assert len(page.skipped) == 2
        assert placed[1] in page.skipped[0]
        assert page.closes is not None

    run(test)


def test_our_clock_may_be_wrong() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.clock.skew = timedelta(minutes=-20)
        await rig.clock.sleep(2_000)
        placed = rig.sim.place_order([(stocked(rig), 1)])
        await rig.connector.health()
        pages = await walk(rig)
        assert [row.remote_id for page in pages for row in page.rows] == [placed]
        assert pages[-1].closes is not None
        assert abs(pages[-1].closes - (START + timedelta(seconds=2_000))) <= timedelta(seconds=1)
        assert (await rig.connector.health()).clock_offset_s == pytest.approx(1_200, abs=2)

    run(test)
