"""A person's word about a booking whose outcome no machine could find out."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulation import Simulation, in_virtual_time, simulate

from sellersync.domain.errors import BadInput, Temporary
from sellersync.jobs import book_couriers, pull_orders, settle_claim
from sellersync.sandbox.kit import Fault, FaultKind
from sellersync.store import bookings
from sellersync.store.claims import WaitingClaim, waiting_claims

SKUS = {"KOPI-250": 30}


def confirming(method: str, path: str) -> bool:
    return method == "POST" and path.endswith("/confirm")


def shipping(method: str, path: str) -> bool:
    return path.endswith("/ship_order")


def waiting(s: Simulation) -> list[WaitingClaim]:
    return s.app.ledger.read_now(waiting_claims)


async def left_to_a_person(s: Simulation, slug: str) -> WaitingClaim:
    """An order whose booking got no answer and was then given up on."""
    s.order(slug, {"KOPI-250": 1})
    world, shop = s.app.world, s.shop(slug)
    for _ in range(40):  # a booking may wait for the order's free-cancel time
        await pull_orders.run(world, shop)
        await book_couriers.run(world, shop)
        if waiting(s):
            break
        await s.clock.sleep(60)
    [claim] = waiting(s)
    assert claim.state == "open"
    now_ms = world.ledger.now_ms()
    world.ledger.write_now(
        lambda session: bookings.settle_by_person(session, claim.id, "no clear answer", now_ms=now_ms)
    )
    await s.settle(3)
    [claim] = waiting(s)
    assert (claim.state, claim.channel) == ("person", slug)
    return claim


def parcel(s: Simulation) -> tuple[str, str, str]:
    [row] = s.query("SELECT state, remote_id, waybill FROM parcel")
    return row.state, row.remote_id, row.waybill


def open_findings(s: Simulation) -> int:
    return int(s.query("SELECT COUNT(*) FROM finding WHERE kind = 'booking_unsettled' AND closed_ms IS NULL")[0][0])


def test_an_own_site_booking_is_named_by_the_courier_s_id(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops(SKUS)
            assert s.courier is not None
            s.courier.faults.append(Fault(FaultKind.DROP_AFTER, confirming))
            claim = await left_to_a_person(s, "woocommerce")
            assert claim.courier == "biteship"
            assert open_findings(s) == 1
            [(booking_id, _)] = s.courier.bookings().items()
            with pytest.raises(BadInput, match="own booking id"):
                await settle_claim.booked(s.app.world, claim, "0" * 24, who="Sari")
            s.courier.faults.append(Fault(FaultKind.HTTP_500, times=99))
            with pytest.raises(Temporary):
                await settle_claim.booked(s.app.world, claim, booking_id, who="Sari")
            s.courier.faults.clear()
            assert len(waiting(s)) == 1
            await settle_claim.booked(s.app.world, claim, booking_id, who="Sari")
            assert parcel(s)[:2] == ("booked", booking_id)
            assert s.query("SELECT state, detail FROM claim") == [("booked", "booked, says Sari")]
            assert (waiting(s), open_findings(s)) == ([], 0)
            await s.settle(3)
            assert len(s.courier.bookings()) == 1
            with pytest.raises(BadInput, match="any more"):
                await settle_claim.not_booked(s.app.world, claim, who="Sari")

    in_virtual_time(body)


def test_nothing_is_booked_again_before_a_person_says_so_and_then_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops(SKUS)
            assert s.courier is not None
            s.courier.faults.append(Fault(FaultKind.DROP_BEFORE, confirming))
            claim = await left_to_a_person(s, "woocommerce")
            assert s.courier.bookings() == {}
            await settle_claim.not_booked(s.app.world, claim, who="Sari")
            assert (waiting(s), open_findings(s)) == ([], 0)
            await s.settle(3)
            [booked] = s.courier.bookings().values()
            assert booked["reference"] != claim.reference
            assert s.query("SELECT attempt, state FROM claim ORDER BY attempt") == [(1, "dead"), (2, "booked")]

    in_virtual_time(body)


def test_a_cancelled_order_s_parcel_is_given_up_with_its_claim(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await s.start_shops(SKUS)
            assert s.courier is not None
            s.courier.faults.append(Fault(FaultKind.DROP_BEFORE, confirming))
            claim = await left_to_a_person(s, "woocommerce")
            s.sims["woocommerce"].cancel(claim.order)
            await s.settle(3)
            assert parcel(s)[0] == "ready"
            await settle_claim.not_booked(s.app.world, claim, who="Sari")
            assert parcel(s)[0] == "cancelled"
            await s.settle(3)
            assert s.courier.bookings() == {}

    in_virtual_time(body)


@pytest.mark.parametrize("readable", [True, False])
def test_a_marketplace_booking_is_named_by_its_waybill(tmp_path: Path, *, readable: bool) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops(SKUS)
            s.sims["shopee"].faults.append(Fault(FaultKind.DROP_BEFORE, shipping))
            claim = await left_to_a_person(s, "shopee")
            if not readable:
                s.sims["shopee"].faults.append(Fault(FaultKind.HTTP_500, times=99))
            recorded = await settle_claim.booked(s.app.world, claim, "SPXID0123456789", who="Sari")
            assert recorded.waybill == "SPXID0123456789"
            assert parcel(s) == ("booked", claim.parcel_remote_id, "SPXID0123456789")
            assert (waiting(s), open_findings(s)) == ([], 0)

    in_virtual_time(body)
