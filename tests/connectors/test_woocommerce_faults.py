"""Lost replies, web pages instead of data, limits, and shops that answer nonsense."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from woocommerce_bench import paths, pulled, recording, walk

from sellersync.connector.contract import PushOutcome, TargetKey, Want
from sellersync.connector.http import Reply
from sellersync.domain.errors import AuthNeeded, RateLimited, Rejected, Temporary, Uncertain, Unrecognised
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig
from sellersync.testing.virtual import START
from sellersync_woocommerce.answers import read_json

LOST = [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY]
NOT_DONE = [FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.HTML]


def run(test: Any, **options: Any) -> Any:
    return on_rig("woocommerce", test, **options)


def stocked(rig: Rig[Any, Any], stock: int = 100) -> str:
    return str(rig.sim.add_product("A", "Teh", price=20_000, stock=stock).remote_key)


def writes(method: str, path: str) -> bool:
    return method != "GET"


def instead(rig: Rig[Any, Any], ending: str, response: Callable[[], httpx.Response]) -> None:
    """Answer requests whose path ends so with something of our own."""
    answer = rig.sim.answer

    def meddle(request: httpx.Request) -> httpx.Response:
        return response() if request.url.path.endswith(ending) else answer(request)

    rig.sim.answer = meddle


# -- reads


@pytest.mark.parametrize("kind", [*LOST, *NOT_DONE, FaultKind.HTTP_429, FaultKind.HTTP_429_DATE, FaultKind.PHP_NOTICE])
@pytest.mark.parametrize("times", [1, 2])
def test_a_walk_survives_a_sick_shop(kind: FaultKind, times: int) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        placed = {rig.sim.place_order([(key, 1)]) for _ in range(3)}
        rig.sim.faults.append(Fault(kind, lambda _, path: path.endswith("/orders"), times=times))
        try:
            found = await pulled(rig)
        except RateLimited:
            assert kind in (FaultKind.HTTP_429, FaultKind.HTTP_429_DATE)
            await rig.clock.sleep(5)
            try:
                found = await pulled(rig)
            except RateLimited:
                await rig.clock.sleep(5)
                found = await pulled(rig)
        assert set(found) == placed

    run(test)


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.DROP_AFTER])
def test_a_shop_that_stays_sick_is_left_alone(kind: FaultKind) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.place_order([(stocked(rig), 1)])
        rig.sim.faults.append(Fault(kind, times=100))
        with pytest.raises(Temporary):
            await walk(rig)
        assert len(rig.requests) == 3

    run(test)


def test_retry_after_is_honoured() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.faults.append(Fault(FaultKind.HTTP_429, retry_after_s=120))
        with pytest.raises(RateLimited) as told:
            await walk(rig)
        assert (told.value.until - START).total_seconds() == pytest.approx(120, abs=1)
        with pytest.raises(RateLimited):
            await walk(rig)
        assert len(rig.requests) == 1
        await rig.clock.sleep(121)
        assert (await walk(rig))[-1].closes is not None

    run(test)


def test_maintenance_mode_closes_the_gate_for_as_long_as_it_says() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        page = httpx.Response(
            503, headers={"retry-after": "600", "content-type": "text/html"}, text="<html>Maintenance</html>"
        )
        instead(rig, "/totals", lambda: page)
        with pytest.raises(RateLimited) as told:
            await walk(rig)
        assert (told.value.until - START).total_seconds() == pytest.approx(600, abs=1)

    run(test)


def test_a_firewall_page_is_not_hammered() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        instead(rig, "/totals", lambda: httpx.Response(403, text="<html>blocked</html>"))
        with pytest.raises(RateLimited):
            await walk(rig)
        assert len(rig.requests) == 1

    run(test)


def test_a_refused_permission_needs_the_seller() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        body = {"code": "woocommerce_rest_cannot_view", "message": "Maaf", "data": {"status": 403}}
        instead(rig, "/totals", lambda: httpx.Response(403, json=body))
        with pytest.raises(AuthNeeded, match="Maaf"):
            await walk(rig)
        assert len(rig.requests) == 1

    run(test)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(404, text="<html>Page not found</html>"),
        httpx.Response(404, json={"code": "rest_no_route", "message": "x", "data": {"status": 404}}),
        httpx.Response(301, headers={"location": "https://www.simulator.example/wp-json/?consumer_key=ck_secret"}),
    ],
    ids=["plain permalinks", "no WooCommerce", "moved"],
)
def test_a_wrong_address_needs_the_seller(response: httpx.Response) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        instead(rig, "/totals", lambda: response)
        with pytest.raises(AuthNeeded) as told:
            await walk(rig)
        assert "base_url" in told.value.todo
        assert "ck_secret" not in str(told.value)

    run(test)


def test_a_site_without_woocommerce_is_told() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        instead(
            rig, "/wp-json/", lambda: httpx.Response(200, json={"name": "Blog", "home": "x", "namespaces": ["wp/v2"]})
        )
        with pytest.raises(AuthNeeded, match="no WooCommerce"):
            await rig.connector.health()

    run(test)


def test_a_fatal_error_of_a_plugin_is_tried_again_and_a_worded_refusal_is_not() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        replies = [httpx.Response(500, json={"code": "internal_server_error", "message": "<p>critical</p>"})]
        answer = rig.sim.answer
        rig.sim.answer = lambda request: replies.pop() if replies else answer(request)
        assert (await walk(rig))[-1].closes is not None
        rig.sim.answer = lambda request: httpx.Response(
            500, json={"code": "woocommerce_rest_x", "message": "no", "data": 500}
        )
        before = len(rig.requests)
        with pytest.raises(Rejected):
            await walk(rig)
        assert len(rig.requests) == before + 1

    run(test)


def test_b18_a_shop_that_repeats_a_page_ends_in_a_clean_error() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig, 500)
        for _ in range(250):
            rig.sim.place_order([(key, 1)])
        answer = rig.sim.answer

        def deaf(request: httpx.Request) -> httpx.Response:
            kept = request.url.copy_remove_param("offset")
            response: httpx.Response = answer(httpx.Request(request.method, kept, headers=request.headers))
            return response

        rig.sim.answer = deaf
        with pytest.raises(Temporary):
            await walk(rig)
        assert len(rig.requests) < 20

    run(test)


def test_totals_without_rows_are_not_an_empty_shop() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        instead(rig, "/orders", lambda: httpx.Response(200, headers={"x-wp-total": "7"}, json=[]))
        with pytest.raises(Temporary, match="7 rows"):
            await walk(rig)
        with pytest.raises(Temporary, match="7 rows"):
            await rig.connector.orders_by_id(["1"])

    run(test)


def test_totals_may_be_stripped_by_a_proxy() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig, 500)
        placed = {rig.sim.place_order([(key, 1)]) for _ in range(150)}
        answer = rig.sim.answer

        def stripped(request: httpx.Request) -> httpx.Response:
            response: httpx.Response = answer(request)
            response.headers.pop("x-wp-total", None)
            return response

        rig.sim.answer = stripped
        assert set(await pulled(rig)) == placed

    run(test)


def test_one_unreadable_order_is_told_and_sinks_no_other() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        bad, good = rig.sim.place_order([(key, 1)]), rig.sim.place_order([(key, 1)])
        answer = rig.sim.answer

        def spoilt(request: httpx.Request) -> httpx.Response:
            response: httpx.Response = answer(request)
            if not request.url.path.endswith("/orders"):
                return response
            rows = [
                row if row["id"] == int(good) else {**row, "date_modified_gmt": "kemarin"} for row in response.json()
            ]
            if "include" not in request.url.params:
                rows.append({"status": "processing"})
            return httpx.Response(200, headers={"x-wp-total": str(len(rows))}, json=rows)

        rig.sim.answer = spoilt
        (page,) = await walk(rig)
        assert [row.remote_id for row in page.rows] == [good]
        assert [sentence.partition(":")[0] for sentence in page.skipped] == ["an order without an id", f"order {bad}"]
        assert page.closes is not None
        by_id = await rig.connector.orders_by_id([bad, good, "999"])
        assert ([order.remote_id for order in by_id.found], by_id.gone) == ([good], ("999",))
        assert by_id.skipped[0].startswith(f"order {bad}:")

    run(test)


def test_an_order_deleted_while_its_refunds_are_read_is_told() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        first, second = rig.sim.place_order([(key, 2)]), rig.sim.place_order([(key, 2)])
        rig.sim.refund(first, [(key, 1)])
        answer = rig.sim.answer

        def meddle(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/refunds"):
                rig.sim.delete(first)
            response: httpx.Response = answer(request)
            return response

        rig.sim.answer = meddle
        (page,) = await walk(rig)
        assert [row.remote_id for row in page.rows] == [second]
        assert page.skipped[0].startswith(f"order {first}:")

    run(test)


# -- JSON with noise before it


def _reply(body: str) -> Reply:
    return Reply(200, httpx.Headers(), body.encode(), START, START)


def test_a_recorded_php_warning_before_the_json_is_read_over() -> None:
    assert read_json(_reply(recording("errors")["errors"]["php-notice-before-json"]["body"])) == [{"id": 160}]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('\ufeff[{"id":1}]', [{"id": 1}]),
        ('<br />\n<b>Warning</b>: x[3] in y<br />\n{"update":[]}', {"update": []}),
        ("Notice: a\n[Deprecated] b\n[]", []),
    ],
)
def test_noise_is_read_over(body: str, found: object) -> None:
    assert read_json(_reply(body)) == found


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html></html>",
        '[{"id":1,"refunds":[]',
        '[{"id":1},\n[]',
        "Warning: x in y on line 3 []",
        '\nWarning: x\n[{"id":1',
        "[" * 100_000,
    ],
)
def test_a_cut_body_is_never_mistaken_for_an_empty_list(body: str) -> None:
    with pytest.raises(Unrecognised):
        read_json(_reply(body))


# -- writes


@pytest.mark.parametrize("kind", LOST)
def test_a_push_whose_answer_is_lost_is_unclear_and_may_be_repeated(kind: FaultKind) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        keys = [stocked(rig), rig.sim.add_product("B", "B", price=1, stock=9).remote_key]
        wants = [Want(TargetKey(key), 4, None, "k") for key in keys]
        rig.sim.faults.append(Fault(kind, writes))
        answers = await rig.connector.set_levels(wants)
        assert [(a.target, a.outcome) for a in answers] == [(w.target, PushOutcome.UNCLEAR) for w in wants]
        assert [level.shown for level in await rig.connector.levels([w.target for w in wants])] == [4, 4]
        assert len(rig.sim.journal.entries(Event.LEVEL_SET)) == 2
        again = await rig.connector.set_levels(wants)
        assert {a.outcome for a in again} == {PushOutcome.APPLIED}

    run(test)


@pytest.mark.parametrize("kind", NOT_DONE)
def test_a_push_that_never_arrived_is_not_called_applied(kind: FaultKind) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        rig.sim.faults.append(Fault(kind, writes))
        (answer,) = await rig.connector.set_levels([Want(TargetKey(key), 4, None, "k")])
        assert (answer.outcome, rig.sim.shown(key)) == (PushOutcome.UNCLEAR, 100)
        assert len(rig.requests) == 1

    run(test)


def test_a_push_that_was_never_sent_raises() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        rig.sim.off = True
        with pytest.raises(Temporary):
            await rig.connector.set_levels([Want(TargetKey("11"), 4, None, "k")])

    run(test)


@pytest.mark.parametrize("kind", [FaultKind.HTTP_429, FaultKind.HTTP_429_DATE])
def test_a_limited_push_changed_nothing(kind: FaultKind) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        rig.sim.faults.append(Fault(kind, writes, retry_after_s=30))
        with pytest.raises(RateLimited):
            await rig.connector.set_levels([Want(TargetKey(key), 4, None, "k")])
        assert rig.sim.shown(key) == 100

    run(test)


def test_a_push_is_read_over_a_php_notice() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        rig.sim.faults.append(Fault(FaultKind.PHP_NOTICE, writes))
        (answer,) = await rig.connector.set_levels([Want(TargetKey(key), 4, None, "k")])
        assert (answer.outcome, answer.shown) == (PushOutcome.APPLIED, 4)

    run(test)


def test_an_answer_with_too_few_rows_leaves_the_rest_unclear() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        row = {"id": 11, "manage_stock": True, "stock_quantity": 4}
        instead(rig, "/batch", lambda: httpx.Response(200, json={"update": [row]}))
        answers = await rig.connector.set_levels([Want(TargetKey(key), 4, None, "k") for key in ("11", "12")])
        assert [answer.outcome for answer in answers] == [PushOutcome.APPLIED, PushOutcome.UNCLEAR]
        instead(rig, "/batch", lambda: httpx.Response(200, json=[]))
        (answer,) = await rig.connector.set_levels([Want(TargetKey("11"), 4, None, "k")])
        assert answer.outcome is PushOutcome.UNCLEAR

    run(test)


def test_a_refused_batch_is_refused_row_by_row() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        error = recording("errors")["errors"]["batch-too-many"]
        instead(rig, "/batch", lambda: httpx.Response(413, json=error["body"]))
        answers = await rig.connector.set_levels([Want(TargetKey(key), 4, None, "k") for key in ("11", "12")])
        assert [answer.outcome for answer in answers] == [PushOutcome.REJECTED] * 2
        assert "entity_too_large" in answers[0].why

    run(test)


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_waybill_whose_answer_is_lost_may_be_handed_back_again(kind: FaultKind, method: str) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 1)])
        rig.sim.faults.append(Fault(kind, lambda verb, _: verb == method))
        with pytest.raises(Uncertain):
            await rig.connector.hand_back(order_id, "JNE1", "jne", "Resi JNE1")
        await rig.connector.hand_back(order_id, "JNE1", "jne", "Resi JNE1")
        assert rig.sim.customer_notes(order_id) == ["Resi JNE1"]
        assert (await pulled(rig))[order_id].meta["waybill"] == "JNE1"
        assert paths(rig).count(f"PUT orders/{order_id}") == 1

    run(test)


def test_an_unreadable_answer_tells_nothing_about_the_buyer(caplog: pytest.LogCaptureFixture) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        order_id = rig.sim.place_order([(stocked(rig), 1)])
        buyer = rig.sim.shop.orders[int(order_id)].billing
        rig.sim.faults += [Fault(FaultKind.TRUNCATED, lambda verb, _: verb == "PUT")]
        with caplog.at_level(logging.DEBUG), pytest.raises(Uncertain) as lost:
            await rig.connector.hand_back(order_id, "JNE1", "jne", "Resi JNE1")
        told = f"{lost.value} {caplog.text}"
        assert not [value for value in buyer.values() if len(value) > 3 and value in told]

    run(test)


def test_secrets_are_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        key = stocked(rig)
        texts = []
        with caplog.at_level(logging.DEBUG):
            for kind in FaultKind:
                rig.sim.faults[:] = [Fault(kind, times=9, retry_after_s=60)]
                for call in (walk(rig), rig.connector.hand_back("1", "JNE1", "jne")):
                    try:
                        await call
                    except Exception as failure:  # every class is looked at, ours and others
                        texts.append(f"{failure!r} {failure.__cause__!r}")
                await rig.clock.sleep(100)
        rig.sim.faults.clear()
        told = " ".join(texts) + caplog.text
        assert texts
        assert rig.sim.key.consumer_secret not in told
        assert rig.sim.key.consumer_key not in told
        assert key

    run(test)
