"""Tokopedia: levels out."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import LevelAnswer, PushOutcome, TargetKey, Want
from sellersync.domain.errors import RejectClass
from sellersync.sandbox.kit import Event, Fault, FaultKind, Product, SoldOut
from sellersync.testing.rig import Rig, on_rig

Env = Rig[Any, Any]
UPDATE = "/inventory/update"


def want(product: Product | str, level: int, expected: int | None = None, location: str = "") -> Want:
    key = product if isinstance(product, str) else product.remote_key
    return Want(TargetKey(key, location), level, expected, key="e1-t1-v1")


async def push(rig: Env, *wants: Want) -> list[LevelAnswer]:
    return [answer for batch in rig.connector.level_batches(wants) for answer in await rig.connector.set_levels(batch)]


def updates(rig: Env) -> list[Any]:
    return [json.loads(request.content) for request in rig.requests if request.url.path.endswith(UPDATE)]


def summary(answers: list[LevelAnswer]) -> list[tuple[str, int | None, RejectClass | None]]:
    return [(answer.outcome.value, answer.shown, answer.reject) for answer in answers]


def two_variants(rig: Env) -> tuple[Product, Product]:
    first = rig.sim.add_product("A", "Kaos", price=50_000, stock=3)
    return first, rig.sim.add_product("A-L", "Kaos L", price=50_000, stock=4, variant_of=first.remote_key)


def test_levels_are_absolute_and_one_product_is_one_call() -> None:
    async def test(rig: Env) -> None:
        first, second = two_variants(rig)
        other = rig.sim.add_product("B", "Topi", price=20_000, stock=5)
        answers = await push(rig, want(first, 7), want(other, 9), want(second, 8))
        assert summary(answers) == [("applied", 7, None), ("applied", 8, None), ("applied", 9, None)]
        assert [len(body["skus"]) for body in updates(rig)] == [2, 1]
        assert "warehouse_id" not in updates(rig)[0]["skus"][0]["inventory"][0]
        assert [rig.sim.shown(p.remote_key) for p in (first, second, other)] == [7, 8, 9]
        (event, *_) = rig.sim.journal.entries(Event.LEVEL_SET)
        assert (event.data["before"], event.data["level"], event.data["remote_key"]) == (3, 7, first.remote_key)

    on_rig("tokopedia", test)


def test_batches_hold_at_most_a_hundred_skus_and_keep_locations_together() -> None:
    async def test(rig: Env) -> None:
        wants = [want(f"1:{sku}", 1, location=place) for sku in range(250) for place in ("77", "78")]
        batches = rig.connector.level_batches(wants)
        assert [len(batch) for batch in batches] == [200, 200, 100]
        for batch in batches:
            skus = [w.target.remote_key for w in batch]
            assert all(skus.count(key) == 2 for key in skus)

    on_rig("tokopedia", test)


def test_one_refused_sku_at_code_0_does_not_sink_the_others() -> None:
    async def test(rig: Env) -> None:
        first, _ = two_variants(rig)
        unknown = first.remote_key.split(":")[0] + ":999"
        answers = await push(rig, want(first, 7), want(unknown, 8))
        assert summary(answers) == [("applied", 7, None), ("rejected", None, RejectClass.UNKNOWN_LISTING)]
        (gone,) = await push(rig, want("999:998", 3))
        assert gone.reject is RejectClass.UNKNOWN_LISTING

    on_rig("tokopedia", test)


def test_every_warehouse_of_a_sku_goes_in_one_row() -> None:
    async def test(rig: Env) -> None:
        second = rig.sim.add_warehouse()
        first = rig.sim.world.warehouses[0]
        product = rig.sim.add_product("A", "Kaos", price=50_000, stock=0, shown={first: 1, second: 4})
        answers = await push(rig, want(product, 5, location=first), want(product, 6, location=second))
        assert summary(answers) == [("applied", 5, None), ("applied", 6, None)]
        assert (rig.sim.shown(product.remote_key, first), rig.sim.shown(product.remote_key, second)) == (5, 6)
        (lone,) = await push(rig, want(product, 9, location=first))
        assert (lone.outcome, lone.reject) == (PushOutcome.REJECTED, RejectClass.LOCATION)
        (strange, known) = await push(rig, want(product, 9, location="123"), want(product, 9, location=first))
        assert strange.reject is known.reject is RejectClass.LOCATION
        assert "12052097" in strange.why
        assert rig.sim.shown(product.remote_key, first) == 5

    on_rig("tokopedia", test)


def test_more_than_the_provider_takes_is_clamped_and_said() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("A", "Kaos", price=50_000, stock=0)
        assert rig.connector.capabilities.level_max == 99_999
        (answer,) = await push(rig, want(product, 150_000))
        assert (answer.shown, rig.sim.shown(product.remote_key)) == (99_999, 99_999)

    on_rig("tokopedia", test)


@pytest.mark.parametrize(
    "kind", [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.HTML]
)
def test_a_lost_answer_is_unclear_for_every_item_and_read_back(kind: FaultKind) -> None:
    async def test(rig: Env) -> None:
        first, second = two_variants(rig)
        rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith(UPDATE)))
        answers = await push(rig, want(first, 7), want(second, 8))
        assert {answer.outcome for answer in answers} == {PushOutcome.UNCLEAR}
        assert len(updates(rig)) == 1
        levels = await rig.connector.levels([TargetKey(first.remote_key), TargetKey(second.remote_key)])
        assert [level.shown for level in levels] == ([3, 4] if kind is FaultKind.HTML else [7, 8])

    on_rig("tokopedia", test)


def test_levels_of_unknown_targets_are_none() -> None:
    async def test(rig: Env) -> None:
        (level,) = await rig.connector.levels([TargetKey("1:2")])
        assert level.shown is None

    on_rig("tokopedia", test)


def test_levels_are_read_in_batches_of_600() -> None:
    async def test(rig: Env) -> None:
        products = [rig.sim.add_product(f"S{n}", "x", price=1, stock=n) for n in range(1300)]
        levels = await rig.connector.levels([TargetKey(product.remote_key) for product in products])
        assert [level.shown for level in levels] == list(range(1300))
        assert [r.url.path for r in rig.requests].count("/product/202309/inventory/search") == 3

    on_rig("tokopedia", test)


# ------------------------------------------------------------------------------------------------------------------------ zero


def test_zero_is_sent_as_zero_where_it_is_accepted() -> None:
    async def test(rig: Env) -> None:
        first, second = two_variants(rig)
        assert summary(await push(rig, want(first, 0), want(second, 5))) == [("applied", 0, None), ("applied", 5, None)]
        assert rig.sim.shown(first.remote_key) == 0
        assert not any("activate" in request.url.path for request in rig.requests)

    on_rig("tokopedia", test, switches={"level_zero": "accepted"})


@pytest.mark.parametrize("zero", ["refused_item", "refused_call"])
def test_a_refused_zero_hides_a_product_nobody_may_buy_and_shows_it_again(zero: str) -> None:
    async def test(rig: Env) -> None:
        first, second = two_variants(rig)
        answers = await push(rig, want(first, 0), want(second, 0))
        assert summary(answers) == [("applied", 0, None), ("applied", 0, None)]
        assert rig.sim.shown(first.remote_key) == rig.sim.shown(second.remote_key) == 0
        for storefront in ("tokopedia", "tiktok_shop"):
            with pytest.raises(SoldOut):
                rig.sim.place_order([(first.remote_key, 1)], storefront=storefront)
        (level,) = await rig.connector.levels([TargetKey(first.remote_key)])
        assert level.shown == 0
        again = await push(rig, want(first, 0, None), want(second, 0, None))
        assert {answer.outcome for answer in again} == {PushOutcome.APPLIED}
        assert summary(await push(rig, want(first, 6, 0), want(second, 7, 0))) == [
            ("applied", 6, None),
            ("applied", 7, None),
        ]
        assert (rig.sim.shown(first.remote_key), rig.sim.shown(second.remote_key)) == (6, 7)
        assert rig.sim.place_order([(first.remote_key, 1)], storefront="tokopedia")

    on_rig("tokopedia", test, switches={"level_zero": zero})


@pytest.mark.parametrize("zero", ["refused_item", "refused_call"])
def test_a_refused_zero_is_reported_while_a_sister_sku_is_sold(zero: str) -> None:
    async def test(rig: Env) -> None:
        first, second = two_variants(rig)
        answers = await push(rig, want(first, 0), want(second, 9))
        assert summary(answers) == [("rejected", None, RejectClass.ZERO_REFUSED), ("applied", 9, None)]
        (alone,) = await push(rig, want(first, 0))
        assert alone.reject is RejectClass.ZERO_REFUSED
        assert (rig.sim.shown(first.remote_key), rig.sim.shown(second.remote_key)) == (3, 9)

    on_rig("tokopedia", test, switches={"level_zero": zero})


def test_after_a_restart_our_hidden_product_is_shown_again_and_the_sellers_is_not() -> None:
    async def test(rig: Env) -> None:
        ours = rig.sim.add_product("A", "Kaos", price=50_000, stock=3)
        sellers = rig.sim.add_product("B", "Topi", price=50_000, stock=3)
        await push(rig, want(ours, 0))
        listing = rig.sim.world.listings[sellers.extra["product_id"]]
        rig.sim.world.set_status(listing, ("TIKTOK_SHOP", "TOKOPEDIA"), "SELLER_DEACTIVATED")
        restarted = type(rig.connector)(rig.connector.context)
        for product in (ours, sellers):
            (batch,) = restarted.level_batches([want(product, 5, 0)])
            (answer,) = await restarted.set_levels(batch)
            assert answer.outcome is PushOutcome.APPLIED
        assert (rig.sim.shown(ours.remote_key), rig.sim.shown(sellers.remote_key)) == (5, 0)

    on_rig("tokopedia", test, switches={"level_zero": "refused_item"})


def test_a_hidden_product_stays_hidden_while_a_sister_sku_has_to_stay_at_zero() -> None:
    async def test(rig: Env) -> None:
        first, second = two_variants(rig)
        await push(rig, want(first, 0), want(second, 0))
        (answer,) = await push(rig, want(first, 6, 0))
        assert answer.reject is RejectClass.ZERO_REFUSED
        assert rig.sim.shown(second.remote_key) == 0

    on_rig("tokopedia", test, switches={"level_zero": "refused_item"})


def test_a_product_on_one_storefront_is_hidden_there() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("A", "Kaos", price=50_000, stock=3, platforms=("TOKOPEDIA",))
        (answer,) = await push(rig, want(product, 0))
        assert (answer.outcome, rig.sim.shown(product.remote_key)) == (PushOutcome.APPLIED, 0)
        (deactivation,) = [r for r in rig.requests if r.url.path.endswith("/deactivate")]
        assert json.loads(deactivation.content)["listing_platforms"] == ["TOKOPEDIA"]

    on_rig("tokopedia", test, switches={"level_zero": "refused_call"})


def test_a_lost_answer_while_hiding_is_unclear() -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("A", "Kaos", price=50_000, stock=3)
        rig.sim.faults.append(Fault(FaultKind.DROP_AFTER, lambda method, path: path.endswith("/deactivate")))
        (answer,) = await push(rig, want(product, 0))
        assert answer.outcome is PushOutcome.UNCLEAR

    on_rig("tokopedia", test, switches={"level_zero": "refused_item"})


# ------------------------------------------------------------------------------------------------------------------- campaigns


@pytest.mark.parametrize(("pot", "shown", "held", "floor"), [("outside", 6, 4, None), ("inside", 10, 0, 4)])
def test_a_campaign_pot_is_read_with_the_levels(pot: str, shown: int, held: int, floor: int | None) -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("A", "Kaos", price=50_000, stock=10)
        rig.sim.lock_campaign(product.remote_key, 4)
        (level,) = await rig.connector.levels([TargetKey(product.remote_key)])
        assert (level.shown, level.held_aside, level.floor) == (shown, held, floor)

    on_rig("tokopedia", test, switches={"campaign_pot": pot})


@pytest.mark.parametrize("level", [0, 3])
def test_a_level_below_what_a_campaign_holds_names_the_floor(level: int) -> None:
    async def test(rig: Env) -> None:
        product = rig.sim.add_product("A", "Kaos", price=50_000, stock=10)
        rig.sim.lock_campaign(product.remote_key, 4)
        (answer,) = await push(rig, want(product, level))
        assert (answer.reject, answer.floor) == (RejectClass.CAMPAIGN_LOCKED, 4)
        assert summary(await push(rig, want(product, 4))) == [("applied", 4, None)]

    on_rig("tokopedia", test, switches={"campaign_pot": "inside"})


@pytest.mark.parametrize("errors", [{"not": "a list"}, [{"code": 12052037, "message": "?"}], ["text"]])
def test_errors_that_name_no_sku_leave_everything_unclear(errors: object) -> None:
    async def test(rig: Env) -> None:
        first, second = two_variants(rig)
        answer = rig.sim.answer

        def spoilt(request: httpx.Request) -> httpx.Response:
            response: httpx.Response = answer(request)
            if not request.url.path.endswith(UPDATE):
                return response
            return httpx.Response(200, json={"code": 0, "message": "Success", "data": {"errors": errors}})

        rig.sim.answer = spoilt
        answers = await push(rig, want(first, 7), want(second, 8))
        assert {answer.outcome for answer in answers} == {PushOutcome.UNCLEAR}

    on_rig("tokopedia", test)
