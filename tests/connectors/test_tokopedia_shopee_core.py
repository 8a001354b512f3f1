"""The core with a Tokopedia or a Shopee shop: an answer to a request to cancel whose reply was lost is settled by reading."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))

from simulation import Simulation, in_virtual_time, simulate

from sellersync.jobs import answer_cancellation, pull_settlements
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.store import cancellations
from sellersync.store.cancellations import AnswerState

ENDS = {"tokopedia": ("/approve", "/reject"), "shopee": ("/handle_buyer_cancellation",)}
both_shops = pytest.mark.parametrize("slug", sorted(ENDS))


def sent(s: Simulation, slug: str) -> int:
    """Answers that the marketplace has seen."""
    paths = [str(entry.data["path"]) for entry in s.sims[slug].journal.entries(Event.REQUEST)]
    return sum(path.endswith(ENDS[slug]) for path in paths)


async def asked(s: Simulation, slug: str) -> cancellations.PendingRequest:
    await s.start_shops({"KOPI-250": 10})
    sim: Any = s.sims[slug]
    order_id = s.order(slug, {"KOPI-250": 2})
    assert order_id is not None
    await s.clock.sleep(5)
    sim.request_cancel(order_id)
    await s.settle(2)
    [request] = s.app.ledger.read_now(lambda session: cancellations.pending_requests(session, channel=slug))
    assert (request.order, s.balances("KOPI-250")["reserved"]) == (order_id, 2)
    return request


@both_shops
@pytest.mark.parametrize("accept", [True, False])
@pytest.mark.parametrize("kind", [None, FaultKind.DROP_AFTER])
def test_an_answer_is_settled_by_reading(tmp_path: Path, slug: str, accept: bool, kind: FaultKind | None) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            request = await asked(s, slug)
            if kind is not None:
                s.sims[slug].faults.append(Fault(kind, lambda method, path: path.endswith(ENDS[slug])))
            answered = await answer_cancellation.run(s.app.world, s.shop(slug), request, accept=accept, who="sari")
            assert answered.state is (AnswerState.DONE if kind is None else AnswerState.UNCLEAR)
            await s.clock.sleep(30)
            await s.settle(4)
            [[state, answer_state]] = s.query("SELECT state, answer_state FROM cancellation_request")
            assert answer_state == "done"
            assert state == "accepted" if accept else state in ("rejected", "withdrawn")
            assert sent(s, slug) == 1
            assert s.balances("KOPI-250")["available"] == (10 if accept else 8)
            assert not s.query("SELECT 1 FROM finding WHERE kind = 'cancellation_pending' AND closed_ms IS NULL")

    in_virtual_time(body)


@both_shops
def test_an_answer_that_never_arrived_may_be_given_again(tmp_path: Path, slug: str) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            request = await asked(s, slug)
            s.sims[slug].faults.append(Fault(FaultKind.DROP_BEFORE, lambda method, path: path.endswith(ENDS[slug])))
            answered = await answer_cancellation.run(s.app.world, s.shop(slug), request, accept=True, who="sari")
            assert answered.state is AnswerState.UNCLEAR
            await s.clock.sleep(cancellations.ANSWER_SETTLES_MS / 1000 + 60)
            await s.settle(4)
            [again] = s.app.ledger.read_now(lambda session: cancellations.pending_requests(session, channel=slug))
            assert (again.answer_state, again.detail) == (AnswerState.NONE, cancellations.NOT_ARRIVED)
            answered = await answer_cancellation.run(s.app.world, s.shop(slug), again, accept=True, who="sari")
            assert answered.state is AnswerState.DONE
            await s.settle(2)
            assert s.balances("KOPI-250")["available"] == 10

    in_virtual_time(body)


@both_shops
def test_settlements_in_the_ledger_agree_with_the_marketplace(tmp_path: Path, slug: str) -> None:
    """Twice: a correction changes what is there, or comes beside it; nothing is counted double."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=(slug,), courier=False) as s:
            await s.start_shops({"KOPI-250": 10})
            sim: Any = s.sims[slug]
            placed = [s.order(slug, {"KOPI-250": 1}) for _ in range(3)]
            await s.settle(2)
            for order_id in placed:
                sim.settle_order(order_id)
            for _ in range(2):
                await s.clock.sleep(86_400)
                sim.correct_settlement(placed[0], -1_500)
                await s.clock.sleep(86_400)
                run = await pull_settlements.run(s.app.world, s.shop(slug), force=True)
                assert run is not None
                assert run.ok
                kept = {
                    row[0]: (row[1], row[2])
                    for row in s.query("SELECT remote_id, order_remote_id, net FROM settlement")
                }
                assert kept == sim.settlements()
                unequal = s.query(
                    "SELECT settlement.remote_id FROM settlement JOIN settlement_part ON settlement_id = settlement.id "
                    "GROUP BY settlement.id, settlement.remote_id, net HAVING SUM(amount) <> net"
                )
                assert not unequal

    in_virtual_time(body)
