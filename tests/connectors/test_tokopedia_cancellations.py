"""Tokopedia: answers to requests to cancel, and how a lost one is settled by reading."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sellersync.connector.contract import Mark, Stream
from sellersync.domain.errors import RejectClass, Rejected, Uncertain
from sellersync.domain.orders import OrderState
from sellersync.domain.returns import CancellationState, RemoteCancellation
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig

Env = Rig[Any, Any]
ARRIVED = [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.PHP_NOTICE]
NEVER_ARRIVED = [FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.HTML]


def is_answer(method: str, path: str) -> bool:
    return path.endswith(("/approve", "/reject"))


async def asked(rig: Env) -> tuple[str, str]:
    """(order, request) of a buyer who wants to cancel two units."""
    product = rig.sim.add_product("KOPI-250", "Kopi 250 g", price=70_000, stock=10)
    order_id = rig.sim.place_order([(product.remote_key, 2)])
    await rig.clock.sleep(30)
    return order_id, rig.sim.request_cancel(order_id)


async def shown(rig: Env) -> RemoteCancellation:
    """The request as the stream of cancellations shows it."""
    mark = Mark(rig.clock.now() - timedelta(minutes=5))
    [case] = [row async for page in rig.connector.pages(Stream.CANCELLATIONS, mark) for row in page.rows]
    assert isinstance(case, RemoteCancellation)
    return case


async def state(rig: Env, order_id: str) -> OrderState:
    [order] = (await rig.connector.orders_by_id([order_id])).found
    found: OrderState = order.state
    return found


async def answer_unheard(rig: Env, order_id: str, request_id: str, kind: FaultKind, *, accept: bool) -> None:
    rig.sim.faults = [Fault(kind, is_answer)]
    with pytest.raises(Uncertain) as lost:
        await rig.connector.answer_cancellation(order_id, request_id, accept=accept, key="k1")
    assert lost.value.reference == request_id
    assert sum(is_answer(request.method, request.url.path) for request in rig.requests) == 1


@pytest.mark.parametrize("accept", [True, False])
@pytest.mark.parametrize("kind", ARRIVED)
def test_an_answer_whose_reply_was_lost_shows_in_the_stream_and_in_the_order(kind: FaultKind, accept: bool) -> None:
    async def test(rig: Env) -> None:
        order_id, request_id = await asked(rig)
        pending = await shown(rig)
        assert (pending.state, pending.order_id) == (CancellationState.PENDING, order_id)
        await rig.clock.sleep(20)
        await answer_unheard(rig, order_id, request_id, kind, accept=accept)
        case = await shown(rig)
        # No source names a status for a refused request: it is shown like one that was taken back.
        assert case.state is (CancellationState.ACCEPTED if accept else CancellationState.WITHDRAWN)
        assert case.respond_by is None
        assert case.updated_at > pending.updated_at
        assert await state(rig, order_id) is (OrderState.CANCELLED if accept else OrderState.READY)
        await rig.connector.answer_cancellation(order_id, request_id, accept=accept, key="k1")
        assert len(rig.sim.journal.entries(Event.ORDER_CANCELLED)) == accept

    on_rig("tokopedia", test)


@pytest.mark.parametrize("kind", NEVER_ARRIVED)
def test_an_answer_that_never_arrived_leaves_the_request_pending(kind: FaultKind) -> None:
    async def test(rig: Env) -> None:
        order_id, request_id = await asked(rig)
        await answer_unheard(rig, order_id, request_id, kind, accept=False)
        case = await shown(rig)
        assert (case.state, case.respond_by) == (CancellationState.PENDING, rig.clock.now() + timedelta(days=2))
        assert await state(rig, order_id) is OrderState.CANCEL_REQUESTED
        await rig.connector.answer_cancellation(order_id, request_id, accept=False, key="k1")
        assert await state(rig, order_id) is OrderState.READY

    on_rig("tokopedia", test)


@pytest.mark.parametrize("sticks", [True, False])
def test_a_request_that_is_over_takes_no_other_answer(sticks: bool) -> None:
    async def test(rig: Env) -> None:
        order_id, request_id = await asked(rig)
        rig.sim.withdraw_cancel(request_id)
        with pytest.raises(Rejected) as refused:
            await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k1")
        assert refused.value.reject is RejectClass.NOT_NOW
        assert (await shown(rig)).state is CancellationState.WITHDRAWN
        assert await state(rig, order_id) is OrderState.READY

    on_rig("tokopedia", test, switches={"request_flag_sticks": sticks})


def test_the_key_makes_a_repeated_answer_harmless() -> None:
    async def test(rig: Env) -> None:
        order_id, request_id = await asked(rig)
        for _ in range(2):
            await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k1")
        with pytest.raises(Rejected):
            await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="another")
        keys = [r.url.params.get("idempotency_key") for r in rig.requests if is_answer(r.method, r.url.path)]
        assert keys == ["k1", "k1", "another"]
        assert len(rig.sim.journal.entries(Event.ORDER_CANCELLED)) == 1

    on_rig("tokopedia", test)
