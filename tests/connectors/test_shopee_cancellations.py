"""Shopee: answers to requests to cancel, and how a lost one is settled by reading the order."""

from __future__ import annotations

from typing import Any

import pytest

from sellersync.domain.errors import RejectClass, Rejected, Temporary, Uncertain
from sellersync.domain.orders import OrderState, UnitStage
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import on_rig

ANSWER = "handle_buyer_cancellation"
ARRIVED = [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.PHP_NOTICE]
NEVER_ARRIVED = [FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.HTML]


def calls(rig: Any) -> int:
    return sum(request.url.path.endswith(ANSWER) for request in rig.requests)


async def asked(rig: Any, items: int | None = None) -> str:
    """An order of two units whose buyer asks to cancel it, or `items` units of it."""
    product = rig.sim.add_product("KOPI", "Kopi", price=45_000, stock=10)
    order_id: str = rig.sim.place_order([(product.remote_key, 2)])
    rig.sim.request_cancel(order_id, None if items is None else [(product.remote_key, items)])
    return order_id


async def state(rig: Any, order_id: str) -> OrderState:
    [order] = (await rig.connector.orders_by_id([order_id])).found
    found: OrderState = order.state
    return found


async def answer_unheard(rig: Any, order_id: str, kind: FaultKind, *, accept: bool) -> None:
    rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith(ANSWER)))
    with pytest.raises(Uncertain) as lost:
        await rig.connector.answer_cancellation(order_id, order_id, accept=accept, key="k")
    assert lost.value.reference == order_id
    assert calls(rig) == 1, "never repeated by the connector"


@pytest.mark.parametrize("accept", [True, False])
@pytest.mark.parametrize("kind", ARRIVED)
def test_an_answer_whose_reply_was_lost_shows_in_the_order(kind: FaultKind, accept: bool) -> None:
    async def body(rig: Any) -> None:
        order_id = await asked(rig)
        await answer_unheard(rig, order_id, kind, accept=accept)
        assert await state(rig, order_id) is (OrderState.CANCELLED if accept else OrderState.READY)
        with pytest.raises(Rejected) as again:
            await rig.connector.answer_cancellation(order_id, order_id, accept=accept, key="k")
        assert again.value.reject is RejectClass.ALREADY_DONE
        assert len(rig.sim.journal.entries(Event.ORDER_CANCELLED)) == accept

    on_rig("shopee", body)


@pytest.mark.parametrize("kind", NEVER_ARRIVED)
def test_an_answer_that_never_arrived_leaves_the_order_waiting(kind: FaultKind) -> None:
    async def body(rig: Any) -> None:
        order_id = await asked(rig)
        await answer_unheard(rig, order_id, kind, accept=True)
        assert await state(rig, order_id) is OrderState.CANCEL_REQUESTED
        await rig.connector.answer_cancellation(order_id, order_id, accept=True, key="k")
        assert await state(rig, order_id) is OrderState.CANCELLED

    on_rig("shopee", body)


def test_nothing_is_sent_when_the_order_cannot_be_read_before() -> None:
    async def body(rig: Any) -> None:
        order_id = await asked(rig)
        rig.sim.off = True
        with pytest.raises(Temporary):
            await rig.connector.answer_cancellation(order_id, order_id, accept=True, key="k")
        rig.sim.off = False
        assert await state(rig, order_id) is OrderState.CANCEL_REQUESTED

    on_rig("shopee", body)


def test_a_request_for_a_part_of_an_order_is_answered_in_seller_centre() -> None:
    """The answer call is documented for orders in IN_CANCEL; such an order keeps its status."""

    async def body(rig: Any) -> None:
        order_id = await asked(rig, items=1)
        with pytest.raises(Rejected) as refused:
            await rig.connector.answer_cancellation(order_id, order_id, accept=True, key="k")
        assert refused.value.reject is RejectClass.NOT_SUPPORTED
        assert "Seller Centre" in refused.value.why
        [order] = (await rig.connector.orders_by_id([order_id])).found
        assert order.state is OrderState.CANCEL_REQUESTED
        assert sum(unit.count for unit in order.lines[0].units if unit.stage is UnitStage.OPEN) == 2

        with pytest.raises(Rejected) as unknown:
            await rig.connector.answer_cancellation("261121ZZZZZZZZ", "261121ZZZZZZZZ", accept=True, key="k")
        assert unknown.value.reject is RejectClass.UNKNOWN_ORDER
        assert calls(rig) == 0

    on_rig("shopee", body)


def test_a_request_that_was_answered_elsewhere_is_told_so() -> None:
    """The buyer or Seller Centre is faster: between our look and our answer, too."""

    async def body(rig: Any) -> None:
        order_id = await asked(rig)
        rig.sim.inject(ANSWER, "order.cancel_order_invalid_status", "the order is not in cancel")
        with pytest.raises(Rejected) as refused:
            await rig.connector.answer_cancellation(order_id, order_id, accept=False, key="k")
        assert refused.value.reject is RejectClass.ALREADY_DONE

    on_rig("shopee", body)
