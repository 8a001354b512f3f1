"""From a sale on one channel until the others accepted a level that includes it: arithmetic on given moments, and through a ledger."""

from __future__ import annotations

from datetime import date, timedelta

from sellersync.domain.listings import PushOutcome
from sellersync.report import Report, build
from sellersync.report.exposure import Sale, Sent, latency, measure
from sellersync.report.model import Latency
from sellersync.store import work
from sellersync.store.ledger import Session

from .bookkeeping import JAKARTA, Books, an_order, line, wib

SHOPEE, WEB, LAZADA = 1, 2, 3
TARGETS = {7: [(71, SHOPEE), (72, WEB)], 8: [(82, WEB)]}
READY = {SHOPEE: 0, WEB: 0, LAZADA: None}
SALE = Sale(order_id=1, channel_id=SHOPEE, sku_id=7, placed_ms=1_000, seen_ms=3_000, moved_ms=3_500, version=10)


def test_the_first_applied_level_that_includes_the_sale_ends_it() -> None:
    sent = [
        Sent(72, 9, 3_600, 3_700, applied=True),  # older than the sale
        Sent(72, 10, 4_000, 4_200, applied=False),  # refused
        Sent(72, 12, 5_000, 5_300, applied=True),
        Sent(72, 13, 6_000, 6_100, applied=True),
    ]
    measured = measure([SALE], TARGETS, sent, {}, READY)
    assert measured.exposed == {WEB: [4_300]}
    assert (measured.seen, measured.posted, measured.accepted) == ({SHOPEE: [2_000]}, [500], [1_800])
    assert (measured.waiting, measured.not_needed) == ({}, 0)


def test_without_an_answer_the_sale_still_waits() -> None:
    sent = [Sent(72, 10, 4_000, None, applied=False)]
    assert measure([SALE], TARGETS, sent, {}, READY).waiting == {WEB: 1}
    assert measure([SALE], TARGETS, [], {}, READY).waiting == {WEB: 1}, "nothing was even tried"
    assert measure([SALE], TARGETS, sent, {WEB: [(3_900, 4_500)]}, READY).waiting == {WEB: 1}, (
        "a run does not undo a refusal"
    )


def test_a_complete_run_that_sent_nothing_had_nothing_to_send() -> None:
    """A later level for another reason is not the answer to this sale."""
    later = [Sent(72, 40, 90_000, 90_100, applied=True)]
    measured = measure([SALE], TARGETS, later, {WEB: [(3_000, 3_400), (4_000, 4_050)]}, READY)
    assert (measured.exposed, measured.waiting, measured.not_needed) == ({}, {}, 1)
    began_before = {WEB: [(3_000, 3_800), (89_000, 90_200)]}
    assert measure([SALE], TARGETS, later, began_before, READY).exposed == {WEB: [89_100]}


def test_an_order_counts_once_for_each_other_channel_by_its_slowest_number() -> None:
    other = Sale(1, SHOPEE, 8, 1_000, 3_000, 3_500, 11)
    sent = [Sent(72, 11, 4_000, 4_200, applied=True), Sent(82, 11, 4_000, 7_000, applied=True)]
    assert measure([SALE, other], TARGETS, sent, {}, READY).exposed == {WEB: [6_000]}


def test_channels_that_get_no_levels_yet_are_no_sample() -> None:
    assert measure([SALE], TARGETS, [], {}, {SHOPEE: 0, WEB: None}).waiting == {}
    assert measure([SALE], TARGETS, [], {}, {SHOPEE: 0, WEB: 1_001}).waiting == {}


def test_a_provider_clock_ahead_of_ours_gives_no_negative_times() -> None:
    ahead = Sale(1, SHOPEE, 7, placed_ms=9_000, seen_ms=3_000, moved_ms=3_500, version=10)
    measured = measure([ahead], TARGETS, [Sent(72, 10, 4_000, 4_200, applied=True)], {}, READY)
    assert (measured.seen, measured.exposed) == ({SHOPEE: [0]}, {WEB: [0]})


def test_percentiles_are_by_nearest_rank() -> None:
    assert latency([]) == Latency(None, None, None, 0, 0)
    assert latency([5]) == Latency(5, 5, 5, 1, 0)
    assert latency(range(1, 101), 2) == Latency(50, 95, 100, 100, 2)
    assert latency([1, 2, 3]) == Latency(2, 3, 3, 3, 0)


def report_of(books: Books) -> Report:
    return build(books.ledger, zone=JAKARTA, day=date(2026, 11, 20), now=wib(21, 7), language="en", shop_name="Shop")


def sold(books: Books, number: int, units: int = 1) -> None:
    """An order on shopee: seen 30 s after it was placed."""
    placed = wib(20, 9) + timedelta(minutes=number)
    books.at(placed + timedelta(seconds=30))
    books.order("shopee", an_order(f"o{number}", placed, [line("A", units, key="shopee-A")]))


def test_through_a_real_ledger(books: Books) -> None:
    for slug in ("lazada", "shopee", "web"):
        books.channel(slug)
        books.listing(slug, f"{slug}-A", "A")
    books.count("A", 50)
    for slug in ("lazada", "shopee", "web"):
        books.at(wib(20, 8)).push(slug)
    sold(books, 0)
    books.push("web", seconds=2)  # 32 s after it was placed
    sold(books, 1)
    books.push("web", seconds=4)  # 34 s
    sold(books, 2)
    books.push("web", seconds=1, outcome=PushOutcome.UNCLEAR)
    health = report_of(books).health
    web = next(channel for channel in health.channels if channel.slug == "web")
    lazada = next(channel for channel in health.channels if channel.slug == "lazada")
    shopee = next(channel for channel in health.channels if channel.slug == "shopee")
    assert web.exposed == Latency(32_000, 34_000, 34_000, 2, waiting=1)
    assert lazada.exposed == Latency(None, None, None, 0, waiting=3)
    assert shopee.heard == Latency(30_000, 30_000, 30_000, 3)
    assert shopee.exposed == Latency(None, None, None, 0)
    assert health.accepted == Latency(2_000, 4_000, 4_000, 2)
    assert health.exposed == Latency(32_000, 34_000, 34_000, 2, waiting=4)


def test_a_bundle_that_another_part_holds_down_needs_no_level(books: Books) -> None:
    for slug in ("shopee", "web"):
        books.channel(slug)
    books.listing("shopee", "shopee-A", "A")
    books.listing("shopee", "shopee-B", "B")
    books.listing("web", "web-set", "", title="Set")
    books.bundle("web", "web-set", {"A": 1, "B": 1})
    books.count("A", 50)
    books.count("B", 3)
    books.at(wib(20, 8)).push("web")
    sold(books, 0)
    assert books.push("web") == 0
    sold(books, 9, units=47)  # 2 left: now A is what holds the set down
    assert books.push("web", seconds=5) == 1
    health = report_of(books).health
    assert health.exposed == Latency(35_000, 35_000, 35_000, 1)
    assert health.not_needed == 1


def two_channels(books: Books) -> None:
    for slug in ("shopee", "web"):
        books.channel(slug)
        books.listing(slug, f"{slug}-A", "A")
    books.count("A", 50)
    books.at(wib(20, 8)).push("web")


def test_what_an_order_takes_later_is_no_part_of_its_first_sale(books: Books) -> None:
    two_channels(books)
    sold(books, 0)
    books.push("web", seconds=2)
    more = an_order("o0", wib(20, 9), [line("A", 3, key="shopee-A")], updated=wib(20, 11))
    books.at(wib(20, 12)).order("shopee", more)
    health = report_of(books).health
    assert health.exposed == Latency(32_000, 32_000, 32_000, 1)
    assert health.posted.max_ms == 0


def test_a_run_that_waited_for_a_pull_proves_nothing(books: Books) -> None:
    two_channels(books)
    sold(books, 0)

    def waited(session: Session) -> None:
        run = work.start_run(session, "push_stock", books.channels["web"], now_ms=books.now_ms + 1)
        work.end_run(session, run, "ok", now_ms=books.now_ms + 2, counts={"waiting_for_pull": 1})

    books.ledger.write_now(waited)
    health = report_of(books).health
    assert (health.exposed.waiting, health.not_needed) == (1, 0)


def test_orders_of_the_first_walk_are_no_sample(books: Books) -> None:
    """They were placed before anything could be known of them."""
    two_channels(books)
    books.channel("lazada", walked=False)
    books.listing("lazada", "lazada-A", "A")
    books.at(wib(20, 10)).order("lazada", an_order("l1", wib(20, 8, 30), [line("A", 1, key="lazada-A")]))
    books.channel("lazada", walked=True)
    health = report_of(books).health
    assert (health.heard.samples, health.exposed.samples, health.exposed.waiting) == (0, 0, 0)
