"""Lazada: buyers' requests to cancel, and the seller's answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Mark, Page, Stream
from sellersync.domain.errors import RejectClass, Rejected, Temporary, Uncertain
from sellersync.domain.orders import Order, OrderState, UnitStage
from sellersync.domain.returns import CancellationState, RemoteCancellation
from sellersync.sandbox.kit import Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig
from sellersync.testing.virtual import START
from sellersync_lazada import Lazada
from sellersync_lazada.cancellations import STATES, cancellation_of
from sellersync_lazada.sandbox import LazadaSandbox

LazadaRig = Rig[Lazada, LazadaSandbox]
DECIDE = "/order/reverse/cancel/seller/decide"
LOST = [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY]


async def requests_in(rig: LazadaRig, mark: Mark | None = None) -> list[RemoteCancellation]:
    pages: list[Page] = [
        page async for page in rig.connector.pages(Stream.CANCELLATIONS, mark or Mark(START - timedelta(days=1)))
    ]
    assert not [sentence for page in pages for sentence in page.skipped]
    rows = [row for page in pages for row in page.rows]
    assert all(isinstance(row, RemoteCancellation) for row in rows)
    return [row for row in rows if isinstance(row, RemoteCancellation)]


async def order_of(rig: LazadaRig, order_id: str) -> Order:
    (order,) = (await rig.connector.orders_by_id([order_id])).found
    return order


async def asked(rig: LazadaRig, *, quantity: int = 2, **options: Any) -> tuple[str, str]:
    """(order id, request id) of a paid order that its buyer wants to cancel."""
    coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
    order_id = rig.sim.place_order([(coffee.remote_key, quantity)])
    if options.pop("one", False):
        options["items"] = [(coffee.remote_key, 1)]
    return order_id, rig.sim.request_cancel(order_id, **options)


def decisions(rig: LazadaRig) -> list[httpx.Request]:
    return [request for request in rig.requests if request.url.path == "/rest" + DECIDE]


def test_a_request_that_waits_tells_its_deadline() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig, respond_within_s=3600)
        (seen,) = await requests_in(rig)
        assert (seen.remote_id, seen.order_id, seen.state) == (request_id, order_id, CancellationState.PENDING)
        assert seen.remote_status == "REQUEST_INITIATE"
        assert seen.respond_by == START + timedelta(hours=1)
        assert seen.updated_at == START
        (line,) = (await order_of(rig, order_id)).lines
        assert seen.lines == ((line.key, 2),)
        assert (seen.by, seen.reason) == ("buyer", "Berubah pikiran")

    on_rig("lazada", body)


@pytest.mark.parametrize("scalars", ["typed", "quoted"])
@pytest.mark.parametrize("accept", [True, False])
def test_an_answer_arrives_once_and_shows(accept: bool, scalars: str) -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        await rig.clock.sleep(60)
        await rig.connector.answer_cancellation(order_id, request_id, accept=accept, key="k-1")
        (sent,) = decisions(rig)
        assert dict(sent.url.params)["reverse_order_id"] == request_id
        assert dict(sent.url.params)["agree_cancel"] == ("true" if accept else "false")
        assert "reason_code" not in dict(sent.url.params)
        (seen,) = await requests_in(rig, Mark(rig.clock.now() - timedelta(seconds=5)))
        assert seen.state is (CancellationState.ACCEPTED if accept else CancellationState.REJECTED)
        assert seen.respond_by is None
        order = await order_of(rig, order_id)
        assert order.state is (OrderState.CANCELLED if accept else OrderState.READY)
        assert rig.sim.shown(order.lines[0].listing) == (10 if accept else 8)

    on_rig("lazada", body, switches={"scalars": scalars})


def test_answering_the_same_again_does_nothing_and_otherwise_is_refused() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        await rig.connector.answer_cancellation(order_id, request_id, accept=False, key="k-1")
        await rig.connector.answer_cancellation(order_id, request_id, accept=False, key="k-2")
        with pytest.raises(Rejected, match="rejected already") as refused:
            await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-3")
        assert refused.value.reject is RejectClass.ALREADY_DONE
        assert len(decisions(rig)) == 1

    on_rig("lazada", body)


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("accept", [True, False])
def test_a_lost_answer_is_uncertain_and_settled_by_the_stream(kind: FaultKind, accept: bool) -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        assert (await requests_in(rig))[0].state is CancellationState.PENDING
        await rig.clock.sleep(300)
        rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith(DECIDE)))
        with pytest.raises(Uncertain) as lost:
            await rig.connector.answer_cancellation(order_id, request_id, accept=accept, key="k-1")
        assert lost.value.reference == "k-1"
        (seen,) = await requests_in(rig, Mark(START + timedelta(minutes=4)))
        assert seen.state is (CancellationState.ACCEPTED if accept else CancellationState.REJECTED)
        await rig.connector.answer_cancellation(order_id, request_id, accept=accept, key="k-2")
        assert len(decisions(rig)) == 1

    on_rig("lazada", body)


def test_an_answer_that_never_arrived_may_be_given_again() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        rig.sim.faults.append(Fault(FaultKind.DROP_BEFORE, lambda method, path: path.endswith(DECIDE)))
        with pytest.raises(Uncertain):
            await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-1")
        assert (await requests_in(rig))[0].state is CancellationState.PENDING
        await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-2")
        assert (await order_of(rig, order_id)).state is OrderState.CANCELLED

    on_rig("lazada", body)


def test_nothing_is_sent_while_the_request_cannot_be_read() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        path = "/reverse/getreverseordersforseller"
        rig.sim.faults.append(Fault(FaultKind.HTML, lambda method, called: called.endswith(path), times=10))
        with pytest.raises(Temporary):
            await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-1")
        assert decisions(rig) == []

    on_rig("lazada", body)


def test_a_refusal_that_needs_a_reason_is_for_the_seller_centre() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        with pytest.raises(Rejected, match="seller centre") as refused:
            await rig.connector.answer_cancellation(order_id, request_id, accept=False, key="k-1")
        assert refused.value.reject is RejectClass.SELLER_MUST_ACT
        assert (await requests_in(rig))[0].state is CancellationState.PENDING
        await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-2")
        assert (await order_of(rig, order_id)).state is OrderState.CANCELLED

    on_rig("lazada", body, switches={"refusal_reason": "required"})


def test_a_request_that_nobody_answered_is_accepted_by_the_platform() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig, respond_within_s=600)
        await rig.clock.sleep(601)
        (seen,) = await requests_in(rig)
        assert (seen.state, seen.remote_status) == (CancellationState.ACCEPTED, "CANCEL_SUCCESS")
        assert seen.updated_at > START
        with pytest.raises(Rejected, match="accepted already"):
            await rig.connector.answer_cancellation(order_id, request_id, accept=False, key="k-1")

    on_rig("lazada", body)


def test_a_buyer_may_keep_the_order_after_all() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        rig.sim.withdraw_cancel(request_id)
        (seen,) = await requests_in(rig)
        assert seen.state is CancellationState.WITHDRAWN
        assert (await order_of(rig, order_id)).state is OrderState.READY
        with pytest.raises(Rejected, match="withdrawn already"):
            await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-1")

    on_rig("lazada", body)


def test_a_request_for_one_unit_names_one_unit() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig, quantity=3, one=True)
        (seen,) = await requests_in(rig)
        (line,) = (await order_of(rig, order_id)).lines
        assert seen.lines == ((line.key, 1),)
        await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-1")
        order = await order_of(rig, order_id)
        stages = sorted(unit.stage for unit in order.lines[0].units)
        assert stages == [UnitStage.CANCELLED, UnitStage.OPEN, UnitStage.OPEN]
        assert order.state is OrderState.READY

    on_rig("lazada", body)


def test_accepting_for_one_packed_unit_takes_its_package_along() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        order_id = rig.sim.place_order([(coffee.remote_key, 3)])
        order = rig.sim.orders[order_id]
        rig.sim.new_package(order, order.items[:2])
        request_id = rig.sim.request_cancel(order_id, items=[(coffee.remote_key, 1)])
        await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-1")
        seen = await order_of(rig, order_id)
        assert seen.lines[0].cancelled == 2
        assert rig.sim.shown(coffee.remote_key) == 9

    on_rig("lazada", body)


@pytest.mark.parametrize("request_id", ["880000000000999", "not-a-number", ""])
def test_an_unknown_request_is_refused_before_any_answer(request_id: str) -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, _ = await asked(rig)
        with pytest.raises(Rejected) as refused:
            await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-1")
        assert refused.value.reject is RejectClass.UNKNOWN_ORDER
        assert decisions(rig) == []

    on_rig("lazada", body)


def test_a_request_of_another_order_and_a_return_are_no_requests_to_cancel() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        other, _ = await asked(rig)
        with pytest.raises(Rejected):
            await rig.connector.answer_cancellation(other, request_id, accept=True, key="k-1")
        rig.sim.open_return(order_id)
        wanted = str(rig.sim.reverses[-1].reverse_order_id)
        with pytest.raises(Rejected):
            await rig.connector.answer_cancellation(order_id, wanted, accept=True, key="k-2")
        assert decisions(rig) == []
        assert {row.order_id for row in await requests_in(rig)} == {order_id, other}

    on_rig("lazada", body)


def test_a_state_without_a_known_meaning_is_kept_and_not_answered() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        rig.sim.reverses[0].status = "BRAND_NEW_WORD"
        (seen,) = await requests_in(rig)
        assert (seen.state, seen.remote_status) == (CancellationState.UNKNOWN, "BRAND_NEW_WORD")
        with pytest.raises(Temporary, match="seller centre"):
            await rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-1")
        assert decisions(rig) == []

    on_rig("lazada", body)


@pytest.mark.parametrize(("shown", "rows"), [("no", 0), ("yes", 1)])
def test_a_cancellation_that_nobody_had_to_answer(shown: str, rows: int) -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10)
        rig.sim.cancel(rig.sim.place_order([(coffee.remote_key, 2)]), by="seller")
        found = await requests_in(rig)
        assert [(row.state, row.by) for row in found] == [(CancellationState.ACCEPTED, "seller")] * rows

    on_rig("lazada", body, switches={"direct_cancel_reverse": shown})


def test_many_requests_are_paged_and_returns_left_out() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=100)
        wanted = set()
        for _ in range(23):
            order_id = rig.sim.place_order([(coffee.remote_key, 1)])
            wanted.add(rig.sim.request_cancel(order_id))
            rig.sim.open_return(order_id)
        assert {row.remote_id for row in await requests_in(rig)} == wanted
        lists = [request for request in rig.requests if request.url.path.endswith("/getreverseordersforseller")]
        assert len(lists) == 3
        assert {dict(request.url.params)["request_type_list"] for request in lists} == {'["CANCEL"]'}

    on_rig("lazada", body)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"code": "0", "data": {"tip_type": "error", "tip_content": "too late"}}, Rejected),
        ({"code": "0", "result": {"success": False, "error_msg": "too late"}}, Rejected),
        ({"code": "0", "result": {"success": "perhaps"}}, Uncertain),
        ({"code": "106", "message": "E0106: ROC internal error"}, Uncertain),
        ({"code": "ServiceTimeout", "message": "x"}, Uncertain),
        ({"code": "0", "data": None}, None),
        ({"code": "0", "data": {"tip_type": "success"}}, None),
        ({"code": "0", "result": {"success": "true"}}, None),
    ],
)
def test_every_answer_to_an_answer_has_its_class(
    answer: dict[str, Any], error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(rig: LazadaRig) -> None:
        order_id, request_id = await asked(rig)
        real = rig.sim.answer

        def spoilt(request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json=answer) if request.url.path.endswith(DECIDE) else real(request)

        monkeypatch.setattr(rig.sim, "answer", spoilt)
        sent = rig.connector.answer_cancellation(order_id, request_id, accept=True, key="k-1")
        if error is None:
            await sent
        else:
            with pytest.raises(error):
                await sent

    on_rig("lazada", body)


def test_lines_that_differ_keep_a_request_open_or_unclear() -> None:
    def row(*statuses: str) -> dict[str, Any]:
        lines = [
            {"reverse_status": status, "trade_order_line_id": number, "return_order_line_gmt_modified": 1795200000000}
            for number, status in enumerate(statuses)
        ]
        return {"reverse_order_id": 1, "trade_order_id": 2, "request_type": "CANCEL", "reverse_order_lines": lines}

    assert cancellation_of(row("CANCEL_SUCCESS", "REQUEST_INITIATE"), {}).state is CancellationState.PENDING
    assert cancellation_of(row("CANCEL_SUCCESS", "AGREE_CANCEL_ORDER"), {}).state is CancellationState.ACCEPTED
    assert cancellation_of(row("CANCEL_SUCCESS", "REQUEST_REJECT"), {}).state is CancellationState.UNKNOWN
    assert cancellation_of(row("REFUND_REJECT"), {}).state is CancellationState.UNKNOWN
    assert set(STATES.values()) == set(CancellationState) - {CancellationState.UNKNOWN}
