"""Lazada: listings, levels, and pushes that are refused in part."""

from __future__ import annotations

from urllib.parse import parse_qsl

import httpx
import pytest

from sellersync.connector.contract import PushOutcome, TargetKey, Want
from sellersync.domain.errors import RejectClass
from sellersync.sandbox.kit import Fault, FaultKind
from sellersync.testing.rig import Rig, on_rig
from sellersync_lazada import Lazada
from sellersync_lazada.sandbox import LazadaSandbox

LazadaRig = Rig[Lazada, LazadaSandbox]


def calls(rig: LazadaRig, path: str) -> list[httpx.Request]:
    return [request for request in rig.requests if request.url.path == "/rest" + path]


def query(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.url.query.decode()))


def want(key: str, level: int) -> Want:
    return Want(TargetKey(key), level, None, "k")


@pytest.mark.parametrize("scalars", ["typed", "quoted"])
def test_levels_are_absolute_and_read_back(scalars: str) -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=5) for n in range(3)]
        wants = [want(product.remote_key, level) for product, level in zip(products, (7, 0, 3), strict=True)]
        (batch,) = rig.connector.level_batches(wants)
        answers = await rig.connector.set_levels(batch)
        assert [(answer.outcome, answer.shown) for answer in answers] == [(PushOutcome.APPLIED, n) for n in (7, 0, 3)]
        assert [rig.sim.shown(product.remote_key) for product in products] == [7, 0, 3]
        levels = await rig.connector.levels([one.target for one in wants])
        assert [level.shown for level in levels] == [7, 0, 3]
        assert [level.held_aside for level in levels] == [0, 0, 0]
        assert query(calls(rig, "/product/stock/sellable/update")[0]).keys() == {
            "app_key",
            "timestamp",
            "sign_method",
            "access_token",
            "sign",
        }

    on_rig("lazada", body, switches={"scalars": scalars})


def test_batches_hold_twenty_skus_and_never_more_than_fifty() -> None:
    async def body(rig: LazadaRig) -> list[int]:
        wants = [want(f"{n}:{n}", 1) for n in range(1, 111)]
        return [len(batch) for batch in rig.connector.level_batches(wants)]

    assert on_rig("lazada", body) == [20, 20, 20, 20, 20, 10]
    assert on_rig("lazada", body, settings={"skus_per_push": 50}) == [50, 50, 10]
    with pytest.raises(ValueError, match="50"):
        on_rig("lazada", body, settings={"skus_per_push": 51})


@pytest.mark.parametrize("partial", ["none", "some", "all"])
@pytest.mark.parametrize("detail", ["sku", "field", "absent"])
def test_one_refused_sku_does_not_sink_its_batch(partial: str, detail: str) -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=50) for n in range(8)]
        rig.sim.set_campaign(products[3].remote_key, no_lowering=True)
        answers = await rig.connector.set_levels([want(product.remote_key, 20) for product in products])
        outcomes = [answer.outcome for answer in answers]
        assert outcomes == [PushOutcome.REJECTED if n == 3 else PushOutcome.APPLIED for n in range(8)]
        assert answers[3].reject is RejectClass.CAMPAIGN_LOCKED
        assert [rig.sim.shown(product.remote_key) for product in products] == [50 if n == 3 else 20 for n in range(8)]

    on_rig("lazada", body, switches={"partial_batch": partial, "detail": detail})


def test_many_refused_skus_without_names_end_within_a_bound_of_calls() -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=50) for n in range(20)]
        for product in products:
            rig.sim.set_campaign(product.remote_key, no_lowering=True)
        answers = await rig.connector.set_levels([want(product.remote_key, 20) for product in products])
        assert len(calls(rig, "/product/stock/sellable/update")) <= 12
        assert {answer.outcome for answer in answers} == {PushOutcome.REJECTED, PushOutcome.UNCLEAR}

    on_rig("lazada", body, switches={"detail": "absent"})


def test_below_the_campaign_s_units_is_a_class_of_its_own() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=50)
        rig.sim.set_campaign(coffee.remote_key, units=30)
        (level,) = await rig.connector.levels([TargetKey(coffee.remote_key)])
        assert (level.shown, level.held_aside) == (50, 30)
        (answer,) = await rig.connector.set_levels([want(coffee.remote_key, 10)])
        assert answer.reject is RejectClass.BELOW_RESERVED
        (answer,) = await rig.connector.set_levels([want(coffee.remote_key, 30)])
        assert answer.outcome is PushOutcome.APPLIED

    on_rig("lazada", body)


def test_campaign_units_beside_the_number_leave_it_free() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=50)
        rig.sim.set_campaign(coffee.remote_key, units=30)
        (answer,) = await rig.connector.set_levels([want(coffee.remote_key, 0)])
        assert answer.outcome is PushOutcome.APPLIED
        rig.sim.place_order([(coffee.remote_key, 30)])
        (level,) = await rig.connector.levels([TargetKey(coffee.remote_key)])
        assert (level.shown, level.held_aside) == (0, 0)

    on_rig("lazada", body, switches={"pot": "outside"})


def test_an_unknown_listing_is_told_apart() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=5)
        answers = await rig.connector.set_levels(
            [want(coffee.remote_key, 4), want("7999999999:13999999999", 1), want("not-a-key", 1)]
        )
        assert [answer.outcome for answer in answers] == [
            PushOutcome.APPLIED,
            PushOutcome.REJECTED,
            PushOutcome.REJECTED,
        ]
        assert [answer.reject for answer in answers[1:]] == [RejectClass.UNKNOWN_LISTING, RejectClass.BAD_DATA]
        levels = await rig.connector.levels([TargetKey("7999999999:13999999999")])
        assert levels[0].shown is None

    on_rig("lazada", body)


@pytest.mark.parametrize(
    "kind", [FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.HTML]
)
def test_a_lost_answer_to_a_push_is_unclear_for_each_target(kind: FaultKind) -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=5) for n in range(2)]
        rig.sim.faults.append(Fault(kind, lambda method, path: path.endswith("/sellable/update")))
        answers = await rig.connector.set_levels([want(product.remote_key, 2) for product in products])
        assert [answer.outcome for answer in answers] == [PushOutcome.UNCLEAR] * 2
        assert len(calls(rig, "/product/stock/sellable/update")) == 1

    on_rig("lazada", body)


def test_many_levels_are_read_by_walking_the_list() -> None:
    async def body(rig: LazadaRig) -> None:
        products = [rig.sim.add_product(f"SKU-{n}", f"Barang {n}", price=1000, stock=n) for n in range(70)]
        levels = await rig.connector.levels([TargetKey(product.remote_key) for product in products])
        assert [level.shown for level in levels] == list(range(70))
        assert len(calls(rig, "/products/get")) == 2
        assert calls(rig, "/product/item/get") == []

    on_rig("lazada", body)


def test_listings_name_every_sku_that_is_not_deleted() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=5)
        rig.sim.add_product("KOPI-500", "Kopi Gayo", price=140_000, stock=2, variant_of=coffee.remote_key)
        rig.sim.add_product("OLD", "Lama", price=1, stock=0, status="deleted")
        rig.sim.add_product("HIDDEN", "Disembunyikan", price=1, stock=1, status="inactive")
        found = [listing async for page in rig.connector.listings() for listing in page]
        assert [listing.seller_sku for listing in found] == ["KOPI-250", "KOPI-500", "HIDDEN"]
        assert [listing.active for listing in found] == [True, True, False]
        assert found[0].targets == (TargetKey(coffee.remote_key),)
        assert (found[0].price, found[0].shown, found[0].problem) == (75_000, 5, "")

    on_rig("lazada", body)
