"""Each figure of the report, recomputed by other means: plain SQL on the file, or arithmetic on what the test put in."""

from __future__ import annotations

import json
import random
import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sellersync.domain.errors import BadInput
from sellersync.domain.listings import PushOutcome
from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.report import Report, build
from sellersync.report.model import Sales
from sellersync.report.model_money import Amount
from sellersync.report.period import of_day
from sellersync.store import stock
from sellersync.store.ledger import Session

from .bookkeeping import JAKARTA, Books, an_order, line, wib


def report_of(books: Books, day: date, now: datetime, *, zone: ZoneInfo = JAKARTA) -> Report:
    return build(books.ledger, zone=zone, day=day, now=now, language="id", shop_name="Toko Kopi")


def raw(books: Books, query: str, *values: object) -> list[Any]:
    with sqlite3.connect(f"file:{books.path}?mode=ro", uri=True) as connection:
        return connection.execute(query, values).fetchall()


# ---------------------------------------------------------------------------------------------------------------------------- orders


def test_sales_of_a_day(books: Books) -> None:
    books.channel("shopee")
    books.at(wib(20, 12))
    books.order("shopee", an_order("whole", wib(20, 9), [line("A", 2, 10_000), line("B", 1, 5_000)]))
    books.order("shopee", an_order("part", wib(20, 9), [line("A", 3, 10_000, cancelled=1)]))
    books.order("shopee", an_order("gone", wib(20, 9), [line("A", 4, cancelled=4)], state=OrderState.CANCELLED))
    books.order("shopee", an_order("unpaid", wib(20, 9), [line("A", 7, 10_000)], state=OrderState.UNPAID))
    orders = report_of(books, date(2026, 11, 20), wib(21, 7)).orders
    assert orders.total == Sales(orders=4, cancelled=1, unpaid=1, units=5, goods=Amount(45_000, 0))
    assert [row.sales for row in orders.rows] == [orders.total]
    assert orders.cancelled_from_before == 0, "what was placed and cancelled on one day is counted once"


def test_an_unknown_price_is_counted_and_never_zero(books: Books) -> None:
    books.channel("shopee")
    books.at(wib(20, 12))
    books.order("shopee", an_order("priced", wib(20, 9), [line("A", 1, 10_000)]))
    books.order("shopee", an_order("by-total", wib(20, 9), [line("A", 1, None)], goods_total=7_000))
    books.order("shopee", an_order("dark", wib(20, 9), [line("A", 1, None), line("B", 1, 9_000)]))
    books.order("shopee", an_order("part", wib(20, 9), [line("A", 2, None, cancelled=1)], goods_total=20_000))
    assert report_of(books, date(2026, 11, 20), wib(21)).orders.total.goods == Amount(17_000, 2)
    books.channel("web")
    books.order("web", an_order("dark", wib(19, 9), [line("A", 1, None)]))
    assert report_of(books, date(2026, 11, 19), wib(21)).orders.total.goods == Amount(None, 1)
    assert report_of(books, date(2026, 11, 18), wib(21)).orders.total.goods == Amount(0, 0)


def test_storefronts_and_the_same_weekday_before(books: Books) -> None:
    books.channel("tokopedia")
    books.at(wib(13, 12))
    books.order("tokopedia", an_order("1", wib(13, 9), [line("A", 1)], storefront="tiktok-shop"))
    books.channel("web")  # configured on the 13th: that day it was not watched from its beginning
    books.at(wib(20, 12))
    for number, storefront in enumerate(("tiktok-shop", "tokopedia", "tokopedia")):
        books.order("tokopedia", an_order(f"2{number}", wib(20, 9), [line("A", 1)], storefront=storefront))
    orders = report_of(books, date(2026, 11, 20), wib(21)).orders
    assert [(row.channel, row.storefront, row.sales.orders, row.before) for row in orders.rows] == [
        ("tokopedia", "tiktok-shop", 1, Sales(1, 0, 0, 1, Amount(10_000, 0))),
        ("tokopedia", "tokopedia", 2, Sales()),
        ("web", "", 0, None),
    ]
    assert orders.before is None, "a sum with an unknown part is unknown"
    assert orders.before_period == of_day(date(2026, 11, 13))


def test_a_late_cancellation_is_shown_on_its_own_day(books: Books) -> None:
    books.channel("shopee")
    books.at(wib(19, 12)).order("shopee", an_order("1", wib(19, 9), [line("A", 1)]))
    cancelled = an_order(
        "1",
        wib(19, 9),
        [line("A", 1, cancelled=1)],
        state=OrderState.CANCELLED,
        updated=wib(20, 8),
        cancelled_at=wib(20, 8),
    )
    books.at(wib(20, 9)).order("shopee", cancelled)
    placed, later = (report_of(books, date(2026, 11, day), wib(21)).orders for day in (19, 20))
    assert (placed.total.cancelled, placed.cancelled_from_before) == (1, 0)
    assert (later.total.cancelled, later.cancelled_from_before) == (0, 1)


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura", "America/New_York"])
@pytest.mark.parametrize("middle", [datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)])
def test_every_order_is_in_exactly_one_day(tmp_path: Path, zone: str, middle: datetime) -> None:
    """Month and year ends, and in New York the night of 25 hours."""
    rng = random.Random(f"{zone}{middle}")
    shop_zone = ZoneInfo(zone)
    books = Books(tmp_path, started=middle - timedelta(days=3))
    books.channel("shopee")
    midnights = [
        datetime(local.year, local.month, local.day, tzinfo=shop_zone)
        for local in ((middle + timedelta(days=number)).astimezone(shop_zone) for number in (-1, 0, 1))
    ]
    moments = [night + timedelta(seconds=rng.choice((-1, 0, 1, -1800, 1800))) for night in midnights for _ in range(4)]
    moments += [middle + timedelta(seconds=rng.randrange(-86_400, 2 * 86_400)) for _ in range(12)]
    books.at(middle + timedelta(days=4))
    for number, moment in enumerate(moments):
        books.order("shopee", an_order(str(number), moment.astimezone(UTC), [line("A", 1 + number % 3, 1_000)]))
    days = [(middle + timedelta(days=number)).astimezone(shop_zone).date() for number in range(-3, 4)]
    for day in days:
        orders = report_of(books, day, books.clock.now(), zone=shop_zone).orders
        of_day = [n for n, moment in enumerate(moments) if moment.astimezone(shop_zone).date() == day]
        assert orders.total.orders == len(of_day)
        assert orders.total.units == sum(1 + n % 3 for n in of_day)
        assert orders.total.goods.known == 1_000 * orders.total.units
        for hour in range(24):
            assert orders.per_hour[hour] == sum(moments[n].astimezone(shop_zone).hour == hour for n in of_day)
    assert sum(report_of(books, day, books.clock.now(), zone=shop_zone).orders.total.orders for day in days) == len(
        moments
    )
    books.close()


def test_a_day_that_has_not_begun_is_refused(books: Books) -> None:
    assert report_of(books, date(2026, 11, 10), wib(10)).running
    with pytest.raises(BadInput, match="2026-11-11 has not begun yet in Asia/Jakarta"):
        report_of(books, date(2026, 11, 11), wib(10, 23, 59))


# --------------------------------------------------------------------------------------------------------------------------- parcels


def test_parcels_of_the_day_and_as_they_stand(books: Books) -> None:
    books.channel("web")
    books.listing("web", "A", "A")
    books.count("A", 100)
    for number, ship_by in enumerate((wib(20, 15), wib(21, 6), wib(21, 15), wib(22, 9))):
        books.at(wib(20, 9)).order("web", an_order(f"o{number}", wib(20, 8), [line("A", 1)], ship_by=ship_by))
    books.at(wib(20, 10)).book("web", reference="r0")  # o0: ship by 20 Nov 15.00
    gone = RemoteParcel("P-r0", ("o0",), ParcelState.PICKED_UP, "picked", waybill="W-r0", picked_up_at=wib(20, 16))
    books.at(wib(20, 17)).track("P-r0", gone)
    books.at(wib(20, 18)).book("web", reference="r1")  # o1: ship by 21 Nov 06.00
    books.at(wib(20, 19)).book("web", reference="r2", settle=False)  # o2: nobody answered
    parcels = report_of(books, date(2026, 11, 20), wib(21, 7)).parcels
    total = parcels.total
    assert (total.booked, total.handed_over, total.handed_over_late, total.delivered) == (2, 1, 1, 0)
    assert [(due.order, due.state, due.waybill) for due in parcels.late] == [("o1", "booked", "W-r1")]
    # o3 is due tomorrow at nine: tomorrow's collection would be too late
    assert [(due.order, due.state) for due in parcels.due_today] == [("o2", "ready"), ("o3", "ready")]
    assert (parcels.late_total, parcels.due_today_total, total.late, total.due_today) == (1, 2, 1, 2)
    assert [(stuck.order, stuck.reference, stuck.for_person) for stuck in parcels.stuck] == [("o2", "r2", False)]
    arrived = RemoteParcel("P-r0", ("o0",), ParcelState.DELIVERED, "done", waybill="W-r0")
    books.at(wib(21, 11)).track("P-r0", arrived)
    following = report_of(books, date(2026, 11, 21), wib(22, 7)).parcels
    assert (following.total.delivered, following.total.booked, following.total.handed_over) == (1, 0, 0)
    assert [due.order for due in following.late] == ["o1", "o2"]
    assert [(due.order, due.state) for due in following.due_today] == [("o3", "ready")]


def test_parcels_in_trouble_on_their_way(books: Books) -> None:
    books.channel("web")
    books.listing("web", "A", "A")
    books.count("A", 100)
    for number in range(2):
        books.at(wib(10, 9)).order("web", an_order(f"o{number}", wib(10, 8), [line("A", 2)], ship_by=wib(11, 8)))
        books.at(wib(10, 10)).book("web", reference=f"r{number}")
    gone = RemoteParcel("P-r0", ("o0",), ParcelState.PICKED_UP, "picked", waybill="W-r0", courier="jne")
    books.at(wib(10, 17)).track("P-r0", gone)
    parcels = report_of(books, date(2026, 11, 12), wib(13, 17)).parcels
    assert [(one.trouble.value, one.order, one.courier, one.waybill) for one in parcels.troubled] == [
        ("uncollected", "o1", "", "W-r1"),
        ("stuck", "o0", "jne", "W-r0"),
    ]
    assert [one.since for one in parcels.troubled] == [wib(10, 10), wib(10, 17)]
    assert parcels.troubled[1].contents.startswith("2 × ")
    books.at(wib(13, 18)).track("P-r0", RemoteParcel("P-r0", ("o0",), ParcelState.DELIVERED, "done", waybill="W-r0"))
    assert report_of(books, date(2026, 11, 12), wib(13, 19)).parcels.troubled_total == 1


def test_an_order_without_a_parcel_is_due_too_and_a_cancelled_one_is_not(books: Books) -> None:
    books.channel("shopee")
    books.at(wib(20, 9)).order("shopee", an_order("bare", wib(20, 8), [line("A", 1)], ship_by=wib(20, 12)))
    for number, state in enumerate(
        (OrderState.CANCELLED, OrderState.CANCEL_REQUESTED, OrderState.COMPLETED, OrderState.UNPAID)
    ):
        books.order("shopee", an_order(f"n{number}", wib(20, 8), [line("A", 1)], ship_by=wib(20, 12), state=state))
    parcels = report_of(books, date(2026, 11, 20), wib(20, 13)).parcels
    assert [(due.order, due.state) for due in parcels.late] == [("bare", "")]


def test_parcels_that_the_first_walk_found_are_no_events_of_that_day(books: Books) -> None:
    books.channel("shopee", walked=False)
    old = RemoteParcel("P1", ("1",), ParcelState.DELIVERED, "done", waybill="W1", picked_up_at=wib(5))
    books.at(wib(10, 9)).order(
        "shopee", an_order("1", wib(4), [line("A", 1)], state=OrderState.COMPLETED, parcels=[old])
    )
    books.at(wib(10, 10)).channel("shopee", walked=True)
    new = RemoteParcel("P2", ("2",), ParcelState.BOOKED, "booked")
    books.at(wib(10, 12)).order("shopee", an_order("2", wib(10, 11), [line("A", 1)], parcels=[new]))
    total = report_of(books, date(2026, 11, 10), wib(11)).parcels.total
    assert (total.booked, total.delivered, total.handed_over, total.waiting_waybill) == (1, 0, 0, 1)


# ----------------------------------------------------------------------------------------------------------------------------- stock


def test_shortages_name_the_newest_orders_that_are_concerned(books: Books) -> None:
    books.channel("shopee")
    books.listing("shopee", "A", "A", title="Kopi")
    books.count("A", 5)
    for number, units in enumerate((3, 1, 2, 2)):  # 8 of 5: 3 short, so the last two orders are concerned
        at = wib(20, 8 + number)
        books.at(at).order("shopee", an_order(f"o{number}", at, [line("A", units)]))
    stock_now = report_of(books, date(2026, 11, 20), wib(21)).stock
    (short,) = stock_now.short
    assert (short.code, short.units, short.warehouse) == ("A", 3, "bandung")
    assert [(order.order, order.units) for order in short.orders] == [("o3", 2), ("o2", 2)]
    assert (stock_now.short_total, stock_now.sold_out_total) == (1, 0)


def test_sold_out_and_lowest_cover(books: Books) -> None:
    books.channel("shopee")
    for sku, units in (("A", 4), ("B", 30), ("C", 9), ("D", 0), ("E", 50)):
        books.listing("shopee", sku, sku)
        books.count(sku, units)
    books.at(wib(19, 9)).order("shopee", an_order("1", wib(19, 9), [line("A", 4), line("B", 2), line("C", 6)]))
    now = report_of(books, date(2026, 11, 20), wib(21)).stock
    assert now.window_days == 7.0
    assert [(level.code, level.sold) for level in now.sold_out] == [("A", 4), ("D", 0)]
    assert [(level.code, level.available, level.cover_days) for level in now.lowest] == [("C", 3, 3.5), ("B", 28, 98.0)]
    assert now.skus == 5


def test_cover_is_unknown_while_the_ledger_is_young(books: Books) -> None:
    books.channel("shopee")
    books.listing("shopee", "A", "A")
    books.count("A", 4)
    books.at(wib(10, 9)).order("shopee", an_order("1", wib(10, 8), [line("A", 1)]))
    now = report_of(books, date(2026, 11, 10), wib(10, 10)).stock
    assert now.window_days is None
    assert [(level.available, level.sold, level.cover_days) for level in now.lowest] == [(3, 1, None)]


def test_what_people_entered(books: Books) -> None:
    books.channel("shopee")
    books.listing("shopee", "A", "A")
    books.at(wib(20, 9)).count("A", 10)
    books.at(wib(20, 10)).count("A", 7)

    def enter(session: Session) -> None:
        sku = stock.find_sku(session, "A")
        for units in (5, 6):
            stock.record_receipt(session, sku, books.warehouse, units, at_ms=books.now_ms, now_ms=books.now_ms, who="a")

    books.ledger.write_now(enter)
    work = report_of(books, date(2026, 11, 20), wib(21)).stock.hand_work
    assert [(one.kind, one.documents, one.units_in, one.units_out) for one in work] == [
        ("count", 2, 10, 3),
        ("receipt", 2, 11, 0),
    ]


# ---------------------------------------------------------------------------------------------------------- pushes, health and proof


def test_levels_sent_by_outcome(books: Books) -> None:
    for slug in ("shopee", "web"):
        books.channel(slug)
        for sku in ("A", "B"):
            books.listing(slug, f"{slug}-{sku}", sku)
    books.count("A", 5)
    books.count("B", 6)
    books.at(wib(20, 9)).push("shopee")
    books.push("web", outcome=PushOutcome.REJECTED)
    books.at(wib(20, 23, 59, 59)).count("A", 4)
    books.push("shopee", outcome=PushOutcome.UNCLEAR, seconds=5)  # sent before midnight, answered after it
    pushes = report_of(books, date(2026, 11, 20), wib(21, 7)).pushes
    assert [(r.channel, r.sent, r.applied, r.refused, r.unclear, r.open) for r in pushes.rows] == [
        ("shopee", 3, 2, 0, 1, 0),
        ("web", 2, 0, 2, 0, 0),
    ]
    assert (pushes.total.sent, pushes.total.applied, pushes.total.refused, pushes.total.unclear) == (5, 2, 2, 1)


def test_a_channel_that_was_not_read_leaves_its_day_incomplete(books: Books) -> None:
    for slug in ("dead", "fine", "half", "never"):
        books.channel(slug)
    books.at(wib(19, 8)).pulled("dead")
    books.at(wib(20, 13)).pulled("half")
    books.at(wib(21, 6)).pulled("fine")
    health = report_of(books, date(2026, 11, 20), wib(21, 7)).health
    assert [(c.slug, c.blind, c.blind_since) for c in health.channels] == [
        ("dead", True, None),
        ("fine", False, None),
        ("half", True, wib(20, 13)),
        ("never", True, None),
    ]
    running = report_of(books, date(2026, 11, 21), wib(21, 6, 10))
    assert [channel.blind for channel in running.health.channels] == [True, False, True, True]


def test_proof_and_counts_against_the_raw_tables(books: Books) -> None:
    books.channel("shopee")
    books.listing("shopee", "A", "A")
    books.count("A", 5)
    books.at(wib(20, 9)).order("shopee", an_order("1", wib(20, 8), [line("A", 2)]))
    books.seal()
    books.at(wib(20, 10)).order("shopee", an_order("2", wib(20, 9), [line("A", 1)]))
    proof = report_of(books, date(2026, 11, 20), wib(21)).proof
    assert proof.ok
    for figure, table in (
        ("movements", "movement"),
        ("sealed", "seal"),
        ("balances", "balance"),
        ("orders", "sales_order"),
    ):
        assert getattr(proof, figure) == raw(books, f"SELECT COUNT(*) FROM {table}")[0][0], figure
    assert proof.sealed < proof.movements
    assert proof.last_sealed == wib(20, 9)


def test_a_damaged_ledger_needs_you(books: Books) -> None:
    books.channel("shopee")
    books.listing("shopee", "A", "A")
    books.count("A", 5)
    with sqlite3.connect(books.path) as connection:
        connection.execute("UPDATE balance SET quantity = quantity + 1 WHERE account = 'available'")
    connection.close()
    report = report_of(books, date(2026, 11, 10), wib(10))
    assert not report.proof.ok
    assert report.attention == 1
    assert report.proof.problems[0] == "A: available is 6, its movements make 5"


def test_a_generated_fortnight_against_plain_sql(books: Books) -> None:
    rng = random.Random(11)
    slugs = ("shopee", "lazada", "web")
    for slug in slugs:
        books.channel(slug)
        for sku in ("A", "B", "C"):
            books.listing(slug, f"{slug}-{sku}", sku)
    for sku in ("A", "B", "C"):
        books.count(sku, 40)
    for number in range(60):
        placed = wib(11) + timedelta(minutes=rng.randrange(0, 14 * 1440))
        books.at(max(placed, books.clock.now()) + timedelta(seconds=rng.randrange(1, 90)))
        slug = rng.choice(slugs)
        state = rng.choice((OrderState.READY, OrderState.READY, OrderState.UNPAID, OrderState.CANCELLED))
        parts = [
            line(sku, rng.randrange(1, 4), rng.choice((None, 1_500, 20_000)), key=f"{slug}-{sku}")
            for sku in rng.sample(("A", "B", "C"), rng.randrange(1, 3))
        ]
        books.order(slug, an_order(f"o{number}", placed, parts, state=state))
    for day in range(11, 25):
        report = report_of(books, date(2026, 11, day), wib(26))
        a, b = (int(moment.timestamp() * 1000) for moment in (wib(day), wib(day + 1)))
        rows = raw(
            books,
            "SELECT c.slug, o.state, l.units, l.unit_price, o.id FROM sales_order o JOIN channel c ON c.id = o.channel_id "
            "JOIN order_line l ON l.order_id = o.id WHERE o.created_ms >= ? AND o.created_ms < ?", a, b,
        )  # fmt: skip
        for row in report.orders.rows:
            own = [values for values in rows if values[0] == row.channel]
            assert row.sales.orders == len({values[4] for values in own})
            assert row.sales.cancelled == len({values[4] for values in own if values[1] == "cancelled"})
            sold = [values for values in own if values[1] == "ready"]
            units = {id(values): sum(unit[1] for unit in json.loads(str(values[2]))) for values in sold}
            assert row.sales.units == sum(units.values())
            dark = {values[4] for values in sold if values[3] is None}
            known = [values for values in sold if values[4] not in dark]
            expected = sum(units[id(values)] * int(str(values[3])) for values in known)
            assert row.sales.goods == Amount(None if dark and not known else expected, len(dark))
    available: dict[object, object] = dict(
        raw(books, "SELECT s.code, SUM(b.quantity) FROM balance b JOIN sku s ON s.id = b.sku_id "
                   "WHERE b.account = 'available' GROUP BY s.code")
    )  # fmt: skip
    stock_now = report.stock
    assert {short.code: -short.units for short in stock_now.short} == {
        code: quantity for code, quantity in available.items() if int(str(quantity)) < 0
    }
