"""Conditional levels under idempotency keys: what is sent, and what each answer proves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest

from sellersync.connector.contract import LevelAnswer, PushOutcome, TargetKey, Want
from sellersync.domain.errors import AuthNeeded, RateLimited, RejectClass
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig

LOST = [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY]


def run(test: Any, **options: Any) -> Any:
    return on_rig("shopify", test, **options)


def stocked(rig: Rig[Any, Any], *numbers: int) -> list[str]:
    added = len(rig.sim.products())
    return [
        str(rig.sim.add_product(f"SKU-{added + at}", f"Barang {at}", price=20_000, stock=number).remote_key)
        for at, number in enumerate(numbers)
    ]


def want(rig: Rig[Any, Any], key: str, level: int, expected: int | None, name: str = "") -> Want:
    return Want(TargetKey(key, rig.sim.main_location), level, expected, f"e1-t{key}-v{name or level}-1")


def writes(rig: Rig[Any, Any]) -> list[dict[str, Any]]:
    """Variables of every stock call."""
    bodies = [json.loads(request.content) for request in rig.requests if b"inventorySetQuantities" in request.content]
    return [body["variables"] for body in bodies]


def outcomes(answers: Sequence[LevelAnswer]) -> list[tuple[PushOutcome, RejectClass | None]]:
    return [(answer.outcome, answer.reject) for answer in answers]


APPLIED = (PushOutcome.APPLIED, None)
UNCLEAR = (PushOutcome.UNCLEAR, None)


def test_the_expected_number_makes_the_write_conditional() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        one, two, three = stocked(rig, 10, 20, 30)
        answers = await rig.connector.set_levels(
            [want(rig, one, 7, 10), want(rig, two, 25, None), want(rig, three, 0, 30)]
        )
        assert outcomes(answers) == [APPLIED] * 3
        assert [answer.shown for answer in answers] == [7, 25, 0]
        assert [rig.sim.shown(key) for key in (one, two, three)] == [7, 25, 0]
        [call] = writes(rig)
        rows = call["input"]["quantities"]
        assert [row["changeFromQuantity"] for row in rows] == [10, None, 30]
        assert call["input"]["name"] == "available"
        UUID(call["key"])

    run(test)


@pytest.mark.parametrize("bad_row", ["sinks_the_call", "alone"])
def test_a_number_that_changed_is_left_alone_and_unknown(bad_row: str) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        one, two = stocked(rig, 10, 20)
        rig.sim.place_order([(one, 1)])
        answers = await rig.connector.set_levels([want(rig, one, 12, 10), want(rig, two, 25, 20)])
        assert outcomes(answers) == [UNCLEAR, APPLIED]
        assert "10 was expected" in answers[0].why
        assert (rig.sim.shown(one), rig.sim.shown(two)) == (9, 25)
        keys = [call["key"] for call in writes(rig)]
        assert len(set(keys)) == len(keys) == (2 if bad_row == "sinks_the_call" else 1)

    run(test, switches={"one_bad_row": bad_row})


@pytest.mark.parametrize("bad_row", ["sinks_the_call", "alone"])
def test_bad_rows_sink_no_other(bad_row: str) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        one, two = stocked(rig, 10, 20)
        second = rig.sim.add_location("Gudang dua")
        wants = [
            want(rig, "999", 5, None),
            want(rig, one, 8, 10),
            Want(TargetKey(one, second), 5, None, "k1"),
            Want(TargetKey(one, "12"), 5, None, "k2"),
            want(rig, two, 1_000_000_001, 20),
            Want(TargetKey("sku-7", second), 5, None, "k3"),
            Want(TargetKey(two), 5, None, "k4"),
        ]
        answers = await rig.connector.set_levels(wants)
        assert [answer.target for answer in answers] == [wanted.target for wanted in wants]
        assert [answer.reject for answer in answers] == [
            RejectClass.UNKNOWN_LISTING,
            None,
            RejectClass.LOCATION,
            RejectClass.LOCATION,
            RejectClass.BAD_DATA,
            RejectClass.UNKNOWN_LISTING,
            RejectClass.LOCATION,
        ]
        assert (rig.sim.shown(one), rig.sim.shown(two)) == (8, 20)
        assert len(rig.sim.journal.entries(Event.LEVEL_SET)) == 1

    run(test, switches={"one_bad_row": bad_row})


def test_a_row_that_is_passed_over_in_silence_is_noticed() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        [one] = stocked(rig, 10)
        second = rig.sim.add_location("Gudang dua")
        answers = await rig.connector.set_levels([want(rig, one, 8, 10), Want(TargetKey(one, second), 5, None, "k1")])
        assert outcomes(answers) == [APPLIED, (PushOutcome.REJECTED, RejectClass.NOT_MANAGED)]

    run(test, switches={"unstocked": "ignored"})


@pytest.mark.parametrize("named", ["no_change", "zero_delta"])
@pytest.mark.parametrize("expected", [None, 10])
def test_a_level_that_is_right_already(named: str, expected: int | None) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        [one] = stocked(rig, 10)
        [answer] = await rig.connector.set_levels([want(rig, one, 10, expected)])
        assert (answer.outcome, answer.shown) == (PushOutcome.APPLIED, 10)

    run(test, switches={"unchanged_level": named})


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_is_unclear(kind: FaultKind) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        one, two = stocked(rig, 10, 20)
        await rig.connector.health()
        rig.sim.faults.append(Fault(kind))
        answers = await rig.connector.set_levels([want(rig, one, 7, 10), want(rig, two, 25, None)])
        assert outcomes(answers) == [UNCLEAR, UNCLEAR]
        assert len(writes(rig)) == 1

    run(test)


def test_a_lost_second_sending_is_unclear_for_its_rows_only() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        one, two = stocked(rig, 10, 20)
        calls = [0]

        def second(method: str, path: str) -> bool:
            calls[0] += 1
            return calls[0] == 2

        rig.sim.faults.append(Fault(FaultKind.DROP_AFTER, second))
        answers = await rig.connector.set_levels([want(rig, "999", 7, None), want(rig, two, 25, 20)])
        assert outcomes(answers) == [(PushOutcome.REJECTED, RejectClass.UNKNOWN_LISTING), UNCLEAR]
        assert rig.sim.shown(one) == 10

    run(test)


def test_a_repeated_key_is_not_a_second_write() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        [one] = stocked(rig, 10)
        wanted = [want(rig, one, 7, 10)]
        assert outcomes(await rig.connector.set_levels(wanted)) == [APPLIED]
        rig.sim.edit_stock(one, 3)
        repeated = await rig.connector.set_levels(wanted)
        assert outcomes(repeated) == [APPLIED], "the shop gives the first result again"
        assert rig.sim.shown(one) == 3
        assert [call["key"] for call in writes(rig)] == [writes(rig)[0]["key"]] * 2
        [clash] = await rig.connector.set_levels([Want(wanted[0].target, 9, 3, wanted[0].key)])
        assert clash.outcome is PushOutcome.UNCLEAR
        assert "IDEMPOTENCY_KEY_PARAMETER_MISMATCH" in clash.why
        await rig.clock.sleep(25 * 3600)
        assert outcomes(await rig.connector.set_levels([want(rig, one, 9, 3, "later")])) == [APPLIED]

    run(test)


def test_batches_are_the_largest_legal_calls() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        keys = stocked(rig, *([5] * 260))
        wants = [want(rig, key, 6, 5) for key in keys]
        batches = rig.connector.level_batches(wants)
        assert [len(batch) for batch in batches] == [250, 10]
        assert [wanted for batch in batches for wanted in batch] == wants
        for batch in batches:
            assert set(outcomes(await rig.connector.set_levels(batch))) == {APPLIED}
        levels = await rig.connector.levels([wanted.target for wanted in wants])
        assert {level.shown for level in levels} == {6}
        assert len(writes(rig)) == 2

    run(test)


def test_out_of_points_nothing_was_written() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        [one] = stocked(rig, 10)
        rig.sim.drain()
        with pytest.raises(RateLimited):
            await rig.connector.set_levels([want(rig, one, 7, 10)])
        assert rig.sim.shown(one) == 10
        assert outcomes(await rig.connector.set_levels([want(rig, one, 7, 10)])) == [APPLIED]

    run(test)


def test_a_missing_scope_needs_the_seller() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        [one] = stocked(rig, 10)
        rig.sim.scopes.discard("write_inventory")
        with pytest.raises(AuthNeeded, match="write_inventory"):
            await rig.connector.set_levels([want(rig, one, 7, 10)])
        assert rig.sim.shown(one) == 10

    run(test)


def test_an_item_that_orders_oversold_shows_below_zero() -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        [one] = stocked(rig, 1)
        rig.sim.edit_stock(one, -2)
        [level] = await rig.connector.levels([TargetKey(one, rig.sim.main_location)])
        assert level.shown == -2
        assert outcomes(await rig.connector.set_levels([want(rig, one, 0, -2)])) == [APPLIED]

    run(test)


@pytest.mark.parametrize("stays", [True, False])
def test_a_change_that_does_not_fit_is_read_back(stays: bool) -> None:
    async def test(rig: Rig[Any, Any]) -> None:
        [one] = stocked(rig, 10)
        answer = rig.sim.answer

        def odd(request: httpx.Request) -> httpx.Response:
            response: httpx.Response = answer(request)
            if b"inventorySetQuantities" not in request.content:
                return response
            if not stays:
                rig.sim.edit_stock(one, 3)
            return httpx.Response(200, content=response.content.replace(b'"delta":-3', b'"delta":-4'))

        rig.sim.answer = odd
        assert outcomes(await rig.connector.set_levels([want(rig, one, 7, 10)])) == [APPLIED if stays else UNCLEAR]

    run(test)
