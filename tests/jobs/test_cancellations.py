"""Requests to cancel and a person's answers, against the simulators: of a channel with a stream of them and of one without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulation import Simulation, in_virtual_time, simulate

from sellersync.domain.errors import BadInput, NotSupported, Temporary
from sellersync.jobs import answer_cancellation
from sellersync.jobs.answer_cancellation import Answered
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.store.cancellations import AnswerState, PendingRequest, pending_requests

SKUS = {"KOPI-250": 30}
SLUGS = ("shopee", "tokopedia", "lazada")
REFUSED = {"shopee": "rejected", "tokopedia": "withdrawn", "lazada": "rejected"}
"""TikTok Shop has one word for a request that was refused and one that was taken back."""
WORDS = ("/handle_buyer_cancellation", "/approve", "/reject", "/cancel/seller/decide")


def is_answer(method: str, path: str) -> bool:
    return any(path.endswith(word) for word in WORDS)


def answers_seen(s: Simulation, slug: str) -> int:
    """Answers that the simulator processed or refused."""
    entries = s.sims[slug].journal.entries(Event.REQUEST)
    return sum(is_answer(entry.data["method"], entry.data["path"]) for entry in entries)


def waiting(s: Simulation) -> list[PendingRequest]:
    return list(s.app.ledger.read_now(pending_requests))


async def asked(s: Simulation, slug: str) -> str:
    """An order whose buyer asks to cancel it; the ledger knows."""
    await s.start_shops(SKUS)
    order = s.order(slug, {"KOPI-250": 4})
    assert order is not None
    sim: Any = s.sims[slug]
    if slug == "tokopedia":
        sim.release_hold(order)
    sim.request_cancel(order)
    await s.settle(2)
    return order


async def answer(s: Simulation, slug: str, *, accept: bool) -> Answered:
    [request] = waiting(s)
    return await answer_cancellation.run(s.app.world, s.shop(slug), request, accept=accept, who="Sari")


def arranged(s: Simulation, slug: str) -> int:
    return len(s.sims[slug].journal.entries(Event.PARCEL_ARRANGED))


def state(s: Simulation) -> tuple[str, str, str]:
    return tuple(s.query("SELECT state, answer, answer_state FROM cancellation_request")[0])


def findings(s: Simulation) -> list[str]:
    rows = s.query("SELECT subject FROM finding WHERE kind = 'cancellation_pending' AND closed_ms IS NULL")
    return [row[0] for row in rows]


@pytest.mark.parametrize("slug", SLUGS)
def test_accepted_the_goods_are_free_at_once_and_nothing_was_booked(tmp_path: Path, slug: str) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            order = await asked(s, slug)
            assert findings(s) == [order]
            assert s.balances("KOPI-250")["reserved"] == 4
            assert arranged(s, slug) == 0
            answered = await answer(s, slug, accept=True)
            assert answered == Answered(AnswerState.DONE, "", read=True)
            assert s.balances("KOPI-250") == {"available": 30, "adjustment": -30}
            await s.settle(2)
            assert state(s) == ("accepted", "accept", "done")
            assert (findings(s), waiting(s), arranged(s, slug)) == ([], [], 0)
            assert s.query("SELECT answered_by FROM cancellation_request")[0][0] == "Sari"

    in_virtual_time(body)


@pytest.mark.parametrize("slug", SLUGS)
def test_refused_the_order_goes_on_and_is_booked(tmp_path: Path, slug: str) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            await asked(s, slug)
            assert (await answer(s, slug, accept=False)).state is AnswerState.DONE
            await s.settle(3)
            assert state(s) == (REFUSED[slug], "reject", "done")
            assert findings(s) == []
            assert arranged(s, slug) == 1

    in_virtual_time(body)


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("accept", [True, False])
def test_an_answer_that_arrived_without_a_reply_is_settled_by_reading(tmp_path: Path, slug: str, accept: bool) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            await asked(s, slug)
            s.sims[slug].faults.append(Fault(FaultKind.DROP_AFTER, is_answer))
            answered = await answer(s, slug, accept=accept)
            assert answered.state is AnswerState.UNCLEAR
            await s.settle(3)
            assert state(s) == (("accepted", "accept", "done") if accept else (REFUSED[slug], "reject", "done"))
            assert answers_seen(s, slug) == 1
            assert findings(s) == []

    in_virtual_time(body)


@pytest.mark.parametrize("slug", SLUGS)
def test_an_answer_that_never_arrived_is_not_sent_again_by_itself(tmp_path: Path, slug: str) -> None:
    """Only after ten minutes does reading prove that it is lost; then a person may answer again. The order waits all the time."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            order = await asked(s, slug)
            s.sims[slug].faults.append(Fault(FaultKind.DROP_BEFORE, is_answer))
            assert (await answer(s, slug, accept=False)).state is AnswerState.UNCLEAR
            await s.settle(4, pause_s=60)
            with pytest.raises(BadInput, match="no reply"):
                await answer(s, slug, accept=False)
            assert findings(s) == [order]
            await s.settle(8, pause_s=60)
            assert state(s) == ("pending", "reject", "")
            assert arranged(s, slug) == 0
            assert (await answer(s, slug, accept=False)).state is AnswerState.DONE
            await s.settle(3)
            assert arranged(s, slug) == 1
            assert answers_seen(s, slug) == 2

    in_virtual_time(body)


@pytest.mark.parametrize("slug", SLUGS)
def test_withdrawn_before_our_answer_the_channel_refuses_it(tmp_path: Path, slug: str) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            order = await asked(s, slug)
            [request] = waiting(s)
            sim: Any = s.sims[slug]
            if slug == "shopee":
                sim.answer_cancel(order, accept=False)
            else:
                sim.withdraw_cancel(request.request)
            answered = await answer(s, slug, accept=True)
            assert answered.state is AnswerState.REFUSED
            assert answered.detail
            assert answered.read
            await s.settle(2)
            assert state(s)[0] == "withdrawn"
            assert findings(s) == []
            assert s.balances("KOPI-250").get("reserved", 0) + s.balances("KOPI-250").get("shipped", 0) == 4

    in_virtual_time(body)


@pytest.mark.parametrize("slug", SLUGS)
def test_where_nothing_was_sent_the_request_waits_as_before(tmp_path: Path, slug: str) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            order = await asked(s, slug)
            [request] = waiting(s)
            shop = s.shop(slug)

            async def unreachable(*_: Any, **__: Any) -> None:
                raise Temporary("no route to host")

            before, shop.channel.answer_cancellation = shop.channel.answer_cancellation, unreachable  # type: ignore[method-assign]
            with pytest.raises(Temporary):
                await answer_cancellation.run(s.app.world, shop, request, accept=True, who="Sari")
            shop.channel.answer_cancellation = before  # type: ignore[method-assign]
            assert state(s) == ("pending", "accept", "")
            assert findings(s) == [order]
            assert (await answer(s, slug, accept=True)).state is AnswerState.DONE

    in_virtual_time(body)


def test_a_channel_that_takes_no_answers_shows_the_request_and_is_sent_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            channel = s.shop("shopee").channel
            channel.capabilities = replace(channel.capabilities, answers_cancellations=False)
            order = await asked(s, "shopee")
            assert findings(s) == [order]
            with pytest.raises(NotSupported, match="seller centre"):
                await answer(s, "shopee", accept=True)
            assert state(s) == ("pending", "", "")
            assert answers_seen(s, "shopee") == 0

    in_virtual_time(body)
