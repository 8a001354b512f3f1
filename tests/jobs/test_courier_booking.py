"""Own-site parcels: the seller's rules choose, offers are kept, an empty account is one matter, and a booking is cancelled by command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulation import Simulation, in_virtual_time, simulate
from sqlalchemy import text

from sellersync.domain.courier_rules import Prefer, Rule, When
from sellersync.domain.errors import BadInput
from sellersync.jobs import book_couriers, cancel_booking, pull_orders, track_parcels
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.store import cancels
from sellersync.store.balances import balance

SKUS = {"KOPI-250": 60, "TEH-100": 60}
SITE = "woocommerce"


def site(test: Any, folder: Path, **options: Any) -> None:
    async def body() -> None:
        async with simulate(folder, marketplaces=(SITE,), **options) as s:
            await s.start_shops(SKUS)
            await test(s)

    in_virtual_time(body)


async def book(s: Simulation) -> dict[str, int]:
    run = await book_couriers.run(s.app.world, s.shop(SITE))
    assert run is not None
    assert run.ok, run.error
    return run.counts


async def order(s: Simulation, items: dict[str, int] | None = None, **options: Any) -> str:
    order_id = s.order(SITE, items or {"KOPI-250": 1}, **options)
    assert order_id is not None
    await s.clock.sleep(1)
    await pull_orders.run(s.app.world, s.shop(SITE))
    return order_id


def follow(s: Simulation, *rules: Rule, **terms: Any) -> None:
    policy = s.app.world.policy
    s.app.world.policy = replace(policy, courier_rules=rules, courier_terms=replace(policy.courier_terms, **terms))


def parcels(s: Simulation, columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in s.query(f"SELECT {columns} FROM parcel ORDER BY id")]


def findings(s: Simulation, kind: str) -> list[str]:
    return [row[0] for row in s.query("SELECT subject FROM finding WHERE kind = :k AND closed_ms IS NULL", k=kind)]


def requests(s: Simulation, path: str, sim: Any = None) -> int:
    entries = (sim or s.courier).journal.entries(Event.REQUEST)
    return sum(path in entry.data["path"] for entry in entries)


# --------------------------------------------------------------------------------------------------------------- rules and facts


def test_the_rule_that_fits_chooses_and_its_reason_stays_with_the_parcel(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        follow(s, Rule(name="heavy", when=When(weight_g_min=1_000), companies=("jne",), services=("yes",), insure=True))
        await order(s, {"KOPI-250": 1})
        await order(s, {"KOPI-250": 4, "TEH-100": 4})
        await book(s)
        light, heavy = parcels(
            s, "courier, service, why_chosen, quoted, charged, insured, weight_g, handover, zone, "
            "(promised_ms - (SELECT sent_ms FROM claim WHERE parcel_id = parcel.id)) / 86400000"
        )  # fmt: skip
        assert light == ("sicepat", "reg", "cheapest offers=3 of=3", 10_500, 10_500, None, 250, "pickup", light[8], 2)
        assert heavy[:3] == ("jne", "yes", "cheapest offers=1 of=2 rule=heavy")
        assert heavy[5:8] == (8 * 50_000, 2_000, "pickup")
        assert heavy[3] == heavy[4] == 38_000 + 800
        assert heavy[9] == 1
        sent = [booking["price"] for booking in s.courier.bookings().values()]  # type: ignore[union-attr]
        assert sorted(sent) == [10_500, 38_800]
        assert light[8] == light[8].upper() != ""

    site(test, tmp_path)


def test_no_offer_that_will_do_is_a_finding_with_the_reason_and_no_booking(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        follow(s, promise_days_max=0)
        await order(s)
        await book(s)
        [(details,)] = s.query("SELECT details FROM finding WHERE kind = 'booking_refused' AND closed_ms IS NULL")
        assert "3 slower than 0 days" in details
        assert s.courier is not None
        assert s.courier.bookings() == {}
        follow(s, promise_days_max=1, prefer=Prefer.FASTEST)
        await book(s)
        assert parcels(s, "service") == [("yes",)]
        assert findings(s, "booking_refused") == []

    site(test, tmp_path)


def test_cod_is_collected_in_the_amount_of_the_order(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        await order(s, {"KOPI-250": 2}, cod=True)
        await book(s)
        [(total,)] = s.query("SELECT total FROM sales_order")
        assert parcels(s, "cod_amount") == [(total,)]
        assert s.courier is not None
        assert [booking["cod_amount"] for booking in s.courier.bookings().values()] == [total]
        assert findings(s, "cod_differs") == []

    site(test, tmp_path)


def test_a_cod_order_whose_total_changed_while_its_answer_was_lost_is_shown(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await order(s, cod=True)
        s.courier.faults.append(Fault(FaultKind.DROP_AFTER, lambda method, path: path.endswith("/confirm")))
        await book(s)
        s.app.ledger.write_now(lambda session: session.execute(text("UPDATE sales_order SET total = total + 1")))
        await s.clock.sleep(120)
        await book(s)
        [(name, number)] = s.query(
            "SELECT sales_order.remote_id, parcel.number FROM parcel JOIN sales_order ON sales_order.id = order_id"
        )
        assert findings(s, "cod_differs") == [f"{name}/{number}"]

    site(test, tmp_path)


# -------------------------------------------------------------------------------------------------------------------------- offers


def test_offers_are_asked_for_once_an_hour_for_parcels_that_are_alike(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        for _ in range(3):
            await order(s)
        assert (await book(s))["booked"] == 3
        before = requests(s, "/rates/")
        kept = s.query("SELECT COUNT(*) FROM quote")[0][0]
        assert before == kept < 3
        [sealed] = {row[0] for row in s.query("SELECT DISTINCT LENGTH(key) FROM quote")}
        assert sealed == 24
        await s.clock.sleep(3_601)
        s.app.ledger.write_now(
            lambda session: session.execute(text("UPDATE parcel SET state = 'ready', remote_id = '', waybill = ''"))
        )
        await book(s)
        assert requests(s, "/rates/") == 2 * before

    site(test, tmp_path)


def test_an_offer_that_proves_untrue_is_forgotten_and_the_next_attempt_waits(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await order(s)
        s.courier.unknown_postal_codes = frozenset(range(100_000))  # type: ignore[attr-defined]
        asked = requests(s, "/rates/")
        await book(s)
        assert requests(s, "/rates/") == asked + 1
        assert s.query("SELECT COUNT(*) FROM claim")[0][0] == 0  # refused when it was quoted
        s.courier.unknown_postal_codes = frozenset()  # type: ignore[attr-defined]
        await s.clock.sleep(30)

        sim: Any = s.courier

        def refuse(_body: Any) -> Any:
            raise sim._refusal(400, 40002027, "the service does not exist")

        sim._create_draft = refuse
        await book(s)
        assert s.query("SELECT COUNT(*) FROM quote")[0][0] == 0
        assert s.query("SELECT attempt, state FROM claim") == [(1, "dead")]
        await s.clock.sleep(30)
        assert (await book(s)) == {}  # not before a minute is over
        del sim._create_draft
        await s.clock.sleep(31)
        assert (await book(s))["booked"] == 1
        assert s.query("SELECT attempt, state FROM claim ORDER BY id") == [(1, "dead"), (2, "booked")]

    site(test, tmp_path)


# ------------------------------------------------------------------------------------------------------------------------- balance


def test_an_empty_account_is_one_finding_and_its_parcels_are_booked_once_it_can_pay(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        s.courier.set_balance(9_000)
        for _ in range(4):
            await order(s)
        assert (await book(s)) == {"waits_for_balance": 4}
        assert findings(s, "courier_balance") == ["balance"]
        assert findings(s, "booking_refused") == []
        confirms = requests(s, "/confirm")
        assert confirms == 1
        await s.clock.sleep(300)
        await book(s)
        assert requests(s, "/confirm") == confirms
        s.courier.set_balance(1_000_000)
        await s.clock.sleep(601)
        assert (await book(s))["booked"] == 4
        assert findings(s, "courier_balance") == []
        assert len(s.courier.bookings()) == 4

    site(test, tmp_path)


def test_an_account_that_tells_its_balance_is_asked_and_not_tried_in_vain(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        [account] = s.app.world.couriers
        s.courier.set_balance(15_000)
        for _ in range(2):
            await order(s)
        await order(s, cod=True)  # pays for itself
        counts = await book(s)
        assert (counts["booked"], counts["waits_for_balance"]) == (2, 1)
        assert findings(s, "courier_balance") == ["balance"]
        assert requests(s, "request_pickup") == 2
        assert requests(s, "credit/balance") == 1
        await s.clock.sleep(600)
        await book(s)
        assert (requests(s, "request_pickup"), requests(s, "credit/balance")) == (2, 1)
        s.courier.set_balance(500_000)
        await s.clock.sleep(301)
        assert (await book(s))["booked"] == 1
        assert requests(s, "credit/balance") == 2
        assert findings(s, "courier_balance") == []
        told = s.app.ledger.read_now(lambda session: balance(session, account.id))
        assert told is not None
        assert told.amount == 500_000

    site(test, tmp_path, courier_providers=("kiriminaja",))


def test_another_account_carries_what_an_empty_one_cannot(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        s.courier.set_balance(0)  # Biteship does not even quote then
        await order(s)
        assert (await book(s))["booked"] == 1
        assert s.courier.bookings() == {}
        assert findings(s, "courier_balance") == ["balance"]

    site(test, tmp_path, courier_providers=("biteship", "kiriminaja"))


def test_a_lost_booking_that_cannot_be_paid_now_keeps_its_reference_and_is_no_matter_for_a_person(
    tmp_path: Path,
) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await order(s)
        s.courier.faults.append(Fault(FaultKind.DROP_BEFORE, lambda method, path: "request_pickup" in path))
        assert (await book(s))["uncertain"] == 1
        s.courier.set_balance(100)
        await s.clock.sleep(300)
        assert (await book(s))["waits_for_balance"] == 1
        sent = requests(s, "request_pickup")
        for _ in range(10):
            await s.clock.sleep(300)
            assert (await book(s)).get("for_a_person") is None
        assert requests(s, "request_pickup") == sent
        assert findings(s, "courier_balance") == ["balance"]
        s.courier.set_balance(100_000)
        await s.clock.sleep(901)
        assert (await book(s))["booked"] == 1
        assert s.query("SELECT attempt, state FROM claim") == [(1, "booked")]
        assert (findings(s, "courier_balance"), len(s.courier.bookings())) == ([], 1)

    site(test, tmp_path, courier_providers=("kiriminaja",))


# ---------------------------------------------------------------------------------------------------------------- cancel, rebook


def parcel_id(s: Simulation, number: int = 1) -> int:
    return int(s.query("SELECT id FROM parcel WHERE number = :n", n=number)[0][0])


async def cancel(s: Simulation, *, rebook: bool = False, number: int = 1) -> str:
    answer = await cancel_booking.cancel(
        s.app.world, s.shop(SITE), parcel_id(s, number), reason="pickup_delay", rebook=rebook, wait_s=5
    )
    return answer.state


async def track(s: Simulation, after_s: float = 30) -> None:
    await s.clock.sleep(after_s)
    await track_parcels.run(s.app.world, s.shop(SITE))


def live_units(s: Simulation) -> int:
    return int(s.query("SELECT COUNT(*) FROM parcel_unit WHERE live")[0][0])


async def booked(s: Simulation, **options: Any) -> None:
    await order(s, **options)
    await book(s)
    assert parcels(s, "state") == [("booked",)]
    await track(s)  # KiriminAja's waybill comes later


@pytest.mark.parametrize("provider", ["biteship", "kiriminaja"])
def test_a_cancelled_booking_is_not_booked_again_before_somebody_says_so(tmp_path: Path, provider: str) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await booked(s, cod=True)
        assert await cancel(s) == "done"
        assert parcels(s, "state, cancel") == [("cancelled", "done")]
        assert live_units(s) == 0
        await s.settle(3)
        assert len(s.courier.bookings()) == 1
        assert len(parcels(s, "id")) == 1
        s.app.ledger.write_now(lambda session: cancels.want_again(session, 1))
        await s.settle(3)
        assert parcels(s, "number, state") == [(1, "cancelled"), (2, "booked")]
        references = {booking["reference"] for booking in s.courier.bookings().values()}
        assert len(references) == 2

    site(test, tmp_path, courier_providers=(provider,))


def test_rebooking_cancels_first_and_books_anew(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await booked(s)
        assert await cancel(s, rebook=True) == "done"
        await book(s)
        assert parcels(s, "state, cancel") == [("cancelled", "done"), ("booked", "")]
        statuses = sorted(booking["status"] for booking in s.courier.bookings().values())
        assert statuses == ["cancelled", "confirmed"]
        assert live_units(s) == 1

    site(test, tmp_path)


def test_a_pending_cancellation_keeps_its_units_until_the_courier_proves_it(tmp_path: Path) -> None:
    """KiriminAja cancels prepaid parcels up to 48 hours later."""

    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await booked(s)
        assert await cancel(s, rebook=True) == "pending"
        assert live_units(s) == 1
        for _ in range(10):
            await track(s, 4 * 3_600)
            await book(s)
        assert parcels(s, "cancel") == [("pending",)]
        for _ in range(4):
            await track(s, 4 * 3_600)
            await book(s)
        assert parcels(s, "state, cancel") == [("cancelled", "done"), ("booked", "")]
        assert len(s.courier.bookings()) == 2

    site(test, tmp_path, courier_providers=("kiriminaja",))


def test_a_pending_cancellation_that_the_courier_forgets_becomes_a_finding(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        s.courier.cancel_delay_s = 10_000_000.0  # type: ignore[attr-defined]
        await booked(s)
        assert await cancel(s) == "pending"
        for _ in range(14):
            await track(s, 4 * 3_600)
        assert parcels(s, "state, cancel") == [("problem", "refused")]
        assert len(findings(s, "cancel_refused")) == 1
        assert live_units(s) == 1

    site(test, tmp_path, courier_providers=("kiriminaja",))


def test_a_refused_cancellation_leaves_the_booking_and_is_shown(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await booked(s)
        s.courier.answer_cancellations("refused")
        assert await cancel(s, rebook=True) == "refused"
        assert parcels(s, "state, cancel") == [("booked", "refused")]
        assert len(findings(s, "cancel_refused")) == 1
        await s.settle(2)
        assert len(s.courier.bookings()) == 1
        s.courier.answer_cancellations("done")
        assert await cancel(s) == "done"
        assert findings(s, "cancel_refused") == []

    site(test, tmp_path)


@pytest.mark.parametrize("kind", list(FaultKind))
@pytest.mark.parametrize("provider", ["biteship", "kiriminaja"])
def test_a_cancellation_ends_well_whatever_its_call_meets(tmp_path: Path, provider: str, kind: FaultKind) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await booked(s, cod=True)
        s.courier.faults.append(Fault(kind, lambda method, path: "cancel" in path))
        first = await cancel(s, rebook=True)
        assert first in ("done", "asked", "sent")
        for _ in range(8):
            await s.clock.sleep(60)
            await book(s)
        assert parcels(s, "state, cancel") == [("cancelled", "done"), ("booked", "")]
        dead = [booking for booking in s.courier.bookings().values() if booking["status"] in ("cancelled", "300")]
        assert (len(dead), len(s.courier.bookings())) == (1, 2)

    site(test, tmp_path, courier_providers=(provider,))


def test_a_parcel_that_the_courier_took_meanwhile_is_not_cancelled(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await booked(s)
        [booking_id] = s.courier.bookings()
        s.courier.collect(booking_id)
        assert await cancel(s) == "refused"
        assert len(findings(s, "cancel_refused")) == 1
        await track(s, 600)
        with pytest.raises(BadInput, match="picked up; there is nothing to cancel"):
            await cancel(s)
        s.courier.deliver(booking_id)
        await track(s, 4_000)
        assert findings(s, "cancel_refused") == []

    site(test, tmp_path)


def test_an_order_cancelled_after_booking_is_settled_by_cancelling_the_courier(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await booked(s)
        [order_id] = s.placed[SITE]
        s.sims[SITE].cancel(order_id)
        await s.clock.sleep(60)
        await pull_orders.run(s.app.world, s.shop(SITE))
        assert findings(s, "cancelled_but_booked") == [f"{order_id}/1"]
        assert await cancel(s) == "done"
        assert findings(s, "cancelled_but_booked") == []
        await s.settle(2)
        assert len(s.courier.bookings()) == 1
        assert s.balances("KOPI-250") == {"available": 60, "adjustment": -60}

    site(test, tmp_path)


def test_what_nobody_booked_yet_is_given_up_without_a_call(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        follow(s, promise_days_max=0)
        await order(s)
        await book(s)
        calls = len(s.courier.journal.entries(Event.REQUEST))
        assert await cancel(s) == "done"
        follow(s, promise_days_max=None)
        await book(s)
        assert (s.courier.bookings(), len(s.courier.journal.entries(Event.REQUEST))) == ({}, calls)
        assert findings(s, "booking_refused") == []

    site(test, tmp_path)


def test_a_booking_cancelled_in_the_courier_s_own_pages_waits_for_a_person(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await booked(s)
        [booking_id] = s.courier.bookings()
        s.courier.advance(booking_id, "cancelled")
        await track(s, 600)
        await s.settle(2)
        assert len(s.courier.bookings()) == 1
        assert findings(s, "booking_ended") == s.placed[SITE]
        s.app.ledger.write_now(lambda session: cancels.want_again(session, 1))
        await s.settle(2)
        assert len(s.courier.bookings()) == 2
        assert findings(s, "booking_ended") == []

    site(test, tmp_path)


def test_couriers_that_give_up_are_tried_three_times_and_then_a_person(tmp_path: Path) -> None:
    async def test(s: Simulation) -> None:
        assert s.courier is not None
        await order(s)
        for _ in range(5):
            await book(s)
            for booking_id, shown in s.courier.bookings().items():
                if shown["status"] == "confirmed":
                    s.courier.advance(booking_id, "courier_not_found")
            await track(s, 600)
        assert len(s.courier.bookings()) == 3
        assert findings(s, "booking_ended") == s.placed[SITE]

    site(test, tmp_path)


def test_a_marketplace_s_parcel_is_cancelled_in_its_seller_centre(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await s.start_shops(SKUS)
            s.order("shopee", {"KOPI-250": 1})
            for _ in range(80):
                await s.cycle()
                await s.clock.sleep(60)
                if parcels(s, "state") == [("booked",)]:
                    break
            with pytest.raises(BadInput, match="in the seller centre of shopee"):
                await cancel_booking.cancel(
                    s.app.world, s.shop("shopee"), parcel_id(s), reason="", rebook=False, wait_s=1
                )
            assert parcels(s, "state, cancel") == [("booked", "")]

    in_virtual_time(body)
