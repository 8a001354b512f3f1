"""Lazada: settlements from bookings that are dated by day, in a zone that is not documented."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from itertools import product as every
from random import Random
from typing import Any

import httpx
import pytest

from sellersync.connector.contract import Mark, Page, Settlement, Stream
from sellersync.domain.errors import SellersyncError, Temporary, Unrecognised
from sellersync.domain.settlements import UNEXPLAINED
from sellersync.testing.rig import Rig, on_rig
from sellersync.testing.virtual import START
from sellersync_lazada import Lazada
from sellersync_lazada.finance import booking_day, part_name, settlements_of
from sellersync_lazada.sandbox import LazadaSandbox

LazadaRig = Rig[Lazada, LazadaSandbox]
PATH = "/rest/finance/transaction/details/get"
HOUR_S = 3600.0


async def walk(rig: LazadaRig, since: datetime = START) -> list[Page]:
    return [page async for page in rig.connector.pages(Stream.SETTLEMENTS, Mark(since))]


def newest(pages: list[Page]) -> dict[str, Settlement]:
    return {row.remote_id: row for page in pages for row in page.rows if isinstance(row, Settlement)}


def books(pages: list[Page]) -> dict[str, tuple[str, int]]:
    return {key: (row.order_id, row.net) for key, row in newest(pages).items()}


def settled_order(rig: LazadaRig, quantity: int = 2) -> str:
    coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=1_000)
    order_id = rig.sim.place_order([(coffee.remote_key, quantity)])
    rig.sim.settle_order(order_id)
    return order_id


@pytest.mark.parametrize("scalars", ["typed", "quoted"])
@pytest.mark.parametrize("dates", ["iso", "words"])
def test_a_settlement_names_its_parts_and_they_sum_to_its_net(dates: str, scalars: str) -> None:
    async def body(rig: LazadaRig) -> None:
        order_id = settled_order(rig)
        (page,) = await walk(rig)
        (row,) = page.rows
        assert isinstance(row, Settlement)
        assert (row.remote_id, row.order_id) == (f"{order_id}:2026-11-21", order_id)
        assert dict(row.parts) == {
            "commission": -7_500,
            "item_price_credit": 150_000,
            "payment_fee": -3_000,
            "shipping_fee_paid_by_customer": 9_000,
        }
        assert row.net == 148_500
        assert row.settled_at == datetime(2026, 11, 21, 5, tzinfo=UTC)
        assert page.closes == START
        assert page.skipped == ()

    on_rig("lazada", body, switches={"finance_dates": dates, "scalars": scalars})


@pytest.mark.parametrize(
    ("asked", "written", "end"), list(every(["wib", "utc"], ["wib", "utc"], ["inclusive", "exclusive"]))
)
def test_nothing_is_lost_or_cut_in_any_zone(asked: str, written: str, end: str) -> None:
    """Bookings at all hours, read in walks at all hours: in the end every settlement is there with its whole net, and on the way none
    ever shows less than it did."""
    switches = {"finance_zone": asked, "finance_date_zone": written, "finance_end": end}

    async def body(rig: LazadaRig) -> None:
        chance = Random(7)
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=10_000)
        placed = [rig.sim.place_order([(coffee.remote_key, 1)]) for _ in range(12)]
        pages: list[Page] = []
        since = START
        for hour in range(24 * 12):
            rig.sim.book(chance.choice(placed), "13", "Item Price Credit", chance.randrange(1, 90_000))
            await rig.clock.sleep(HOUR_S)
            if hour % 7 == 0:
                before = books(pages)
                pages += await walk(rig, since)
                shrunk = [key for key, (_, net) in before.items() if books(pages)[key][1] < net]
                assert not shrunk
                assert pages[-1].closes is not None
                since = pages[-1].closes
        await rig.clock.sleep(48 * HOUR_S)
        pages += await walk(rig, since)
        assert books(pages) == rig.sim.settlements()
        assert all(sum(amount for _, amount in row.parts) == row.net for row in newest(pages).values())

    on_rig("lazada", body, switches=switches)


def test_a_booking_that_shows_late_is_found() -> None:
    async def body(rig: LazadaRig) -> None:
        settled_order(rig)
        first = await walk(rig)
        await rig.clock.sleep(40 * HOUR_S)
        assert books(first) == {}
        assert first[-1].closes is not None
        assert books(await walk(rig, first[-1].closes)) == rig.sim.settlements()

    on_rig("lazada", body, switches={"finance_late_s": 129_600})


def test_a_refund_later_is_a_settlement_of_its_own_day() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id = settled_order(rig)
        await rig.clock.sleep(5 * 24 * HOUR_S)
        rig.sim.correct_settlement(order_id, -75_000)
        rows = newest(await walk(rig))
        assert sorted(rows) == [f"{order_id}:2026-11-21", f"{order_id}:2026-11-26"]
        assert rows[f"{order_id}:2026-11-26"].net == -75_000
        assert dict(rows[f"{order_id}:2026-11-26"].parts) == {"reversal_item_price": -75_000}

    on_rig("lazada", body)


def test_a_long_absence_is_walked_in_weeks_with_a_day_more_on_each_side() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=1_000)
        for _ in range(40):
            rig.sim.settle_order(rig.sim.place_order([(coffee.remote_key, 1)]))
            await rig.clock.sleep(24 * HOUR_S)
        rig.tokens.consent(rig.sim.first_grant())
        pages = await walk(rig)
        assert books(pages) == rig.sim.settlements()
        closes = [page.closes for page in pages]
        assert None not in closes
        assert closes == sorted(closes, key=lambda at: at or START)
        assert closes[-1] == rig.clock.now()
        spans = [dict(request.url.params) for request in rig.requests if request.url.path == PATH]
        days = [(date.fromisoformat(span["start_time"]), date.fromisoformat(span["end_time"])) for span in spans]
        assert all((last - first).days <= 8 for first, last in days)
        assert all(later[0] == earlier[1] - timedelta(days=1) for earlier, later in pairwise(days))

    on_rig("lazada", body)


def test_more_bookings_than_a_page_holds() -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=1_000)
        for _ in range(300):
            rig.sim.settle_order(rig.sim.place_order([(coffee.remote_key, 1)]))
        pages = await walk(rig)
        assert books(pages) == rig.sim.settlements()
        assert len(books(pages)) == 300
        offsets = [dict(request.url.params)["offset"] for request in rig.requests if request.url.path == PATH]
        assert offsets == ["0", "400", "800"]

    on_rig("lazada", body)


@pytest.mark.parametrize("often", [2, 1_000])
def test_a_list_that_moves_while_it_is_read_is_read_again(often: int) -> None:
    async def body(rig: LazadaRig) -> None:
        coffee = rig.sim.add_product("KOPI-250", "Kopi Gayo", price=75_000, stock=1_000)
        placed = [rig.sim.place_order([(coffee.remote_key, 1)]) for _ in range(300)]
        for order_id in placed:
            rig.sim.settle_order(order_id)
        real, struck = rig.sim.answer, 0

        def moving(request: httpx.Request) -> httpx.Response:
            nonlocal struck
            if request.url.path == PATH and struck < often:
                struck += 1
                rig.sim.book(placed[0], "3", "Payment Fee", -1)
                rig.sim.books.insert(0, rig.sim.books.pop())  # the newest stands first
            return real(request)

        rig.sim.answer = moving  # type: ignore[method-assign]
        if often == 2:
            assert books(await walk(rig)) == rig.sim.settlements()
        else:
            with pytest.raises(Temporary, match="changes faster"):
                await walk(rig)
            assert struck < 20

    on_rig("lazada", body)


def test_what_belongs_to_no_order_is_left_out() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id = settled_order(rig)
        rig.sim.book("", "99", "Sponsored Solutions", -50_000)
        (page,) = await walk(rig)
        assert [row.order_id for row in page.rows if isinstance(row, Settlement)] == [order_id]
        assert page.skipped == ()

    on_rig("lazada", body)


def test_without_the_permission_orders_go_on_and_the_mark_stays() -> None:
    async def body(rig: LazadaRig) -> None:
        order_id = settled_order(rig)
        rig.sim.finance_allowed = False
        (page,) = await walk(rig)
        assert (page.rows, page.closes) == ((), None)
        assert any("finance" in sentence for sentence in page.skipped)
        assert any("finance" in note for note in (await rig.connector.health()).notes)
        orders = [page async for page in rig.connector.pages(Stream.ORDERS, Mark(START - timedelta(hours=1)))]
        assert [row.order_id if isinstance(row, Settlement) else row.remote_id for row in orders[0].rows] == [order_id]
        rig.sim.finance_allowed = True
        assert books(await walk(rig)) == rig.sim.settlements()
        assert (await rig.connector.health()).notes == ()

    on_rig("lazada", body)


@pytest.mark.parametrize("code", ["1000012", "501", "ServiceTimeout"])
def test_other_refusals_are_trouble_of_the_stream(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(rig: LazadaRig) -> None:
        real = rig.sim.answer

        def refusing(request: httpx.Request) -> httpx.Response:
            if request.url.path == PATH:
                return httpx.Response(200, json={"code": code, "message": "no", "type": "ISP"})
            return real(request)

        monkeypatch.setattr(rig.sim, "answer", refusing)
        with pytest.raises(SellersyncError):
            await walk(rig)
        assert (await rig.connector.health()).notes == ()

    on_rig("lazada", body)


# --------------------------------------------------------------------------------------------------------------------------- pure


def row(order: Any = "1", amount: Any = "10.00", day: Any = "2026-11-21", name: Any = "Commission") -> dict[str, Any]:
    return {
        "order_no": order,
        "amount": amount,
        "transaction_date": day,
        "fee_name": name,
        "transaction_number": "ID-1",
    }


def read(*rows: dict[str, Any]) -> tuple[dict[str, int], list[str]]:
    skipped: list[str] = []
    found = settlements_of(rows, first=date(2026, 11, 20), last=date(2026, 11, 22), skipped=skipped)
    return {settlement.remote_id: settlement.net for settlement in found}, skipped


def test_an_unreadable_row_takes_its_order_along_and_no_other() -> None:
    for bad in (row(amount="9,99"), row(amount="0.50"), row(amount=None), row(day="yesterday"), row(day=None)):
        found, skipped = read(row(), bad, row(order="2"), row(day="2026-11-22"))
        assert found == {"2:2026-11-21": 10}
        assert len(skipped) == 1
        assert "order 1" in skipped[0]


def test_a_row_that_hides_its_order_takes_its_day_along() -> None:
    found, skipped = read(row(), row(order=None), row(day="2026-11-22"))
    assert found == {"1:2026-11-22": 10}
    assert "ID-1" in skipped[0]
    assert read(row(), row(order="")) == ({"1:2026-11-21": 10}, [])


def test_days_outside_the_window_are_not_told() -> None:
    assert read(row(day="2026-11-19"), row(day="2026-11-23")) == ({}, [])


def test_a_row_without_a_name_leaves_the_sum_unexplained() -> None:
    (found,) = settlements_of(
        [row(), row(name="", amount="5")], first=date(2026, 11, 21), last=date(2026, 11, 21), skipped=[]
    )
    assert found.parts == ((UNEXPLAINED, 15),)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20",
        "20 Nov 2026",
        "20-Nov-2026",
        "20 November 2026",
        "2026-11-20 09:14:03 +0700",
        "2026-11-19T20:00:00+00:00",
        "2026-11-20 09:14:03",
        " 2026-11-20 ",
    ],
)
def test_days_in_every_likely_form(value: str) -> None:
    assert booking_day(value) == date(2026, 11, 20)


@pytest.mark.parametrize("value", ["", None, "20/11/2026", "2026-13-01", "31 Nov 2026", "20 Foo 2026", "soon", {}])
def test_what_is_no_day(value: Any) -> None:
    with pytest.raises(Unrecognised):
        booking_day(value)


def test_names_of_parts_are_the_platform_s_in_snake_case() -> None:
    assert part_name("Item Price Credit") == "item_price_credit"
    assert part_name("Shipping Fee (Paid By Customer)") == "shipping_fee_paid_by_customer"
    assert part_name(" - ") == part_name(None) == ""
