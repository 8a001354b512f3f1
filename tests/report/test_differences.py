"""Differences on the page: what a comparison found, and what became of it."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from sellersync.domain.differences import Difference, DifferencePolicy
from sellersync.domain.listings import PushOutcome
from sellersync.report import build
from sellersync.report.model import Differences
from sellersync.report.period import of_day
from sellersync.store import differences, work
from sellersync.store.ledger import Session

from .bookkeeping import JAKARTA, Books, wib


@pytest.fixture
def shop(books: Books) -> Books:
    """Two channels show five KOPI each; a comparison on the 20th finds seven on shopee."""
    for slug in ("shopee", "web"):
        books.channel(slug)
        books.listing(slug, f"{slug}-KOPI", "KOPI")
    books.count("KOPI", 5)
    for slug in ("shopee", "web"):
        books.at(wib(19, 9)).push(slug)
    books.at(wib(20, 10))
    compared(books, 1)
    seen(books, 7)
    return books


def compared(books: Books, numbers: int) -> None:
    def write(session: Session) -> None:
        run = work.start_run(session, "compare_stock", books.channels["shopee"], now_ms=books.now_ms)
        work.end_run(session, run, "ok", now_ms=books.now_ms, counts={"compared": numbers})

    books.ledger.write_now(write)


def seen(books: Books, shown: int, policy: DifferencePolicy = DifferencePolicy.OVERWRITE) -> None:
    """As the trip records what a channel shows: a difference, or none any more."""

    def write(session: Session) -> None:
        channel_id = books.channels["shopee"]
        (target,) = differences.targets_of(session, channel_id)
        if shown == 5:
            differences.close(session, channel_id, target, now_ms=books.now_ms)
            return
        if policy is DifferencePolicy.OVERWRITE:
            differences.forget_expected(session, target.id)
        cause = Difference.EDITED_BY_HAND
        differences.note(session, channel_id, target, cause, policy, shown=shown, now_ms=books.now_ms)

    books.ledger.write_now(write)


def found(books: Books, now: datetime, *, day: int = 20) -> Differences:
    period = of_day(date(2026, 11, day))
    return build(books.ledger, zone=JAKARTA, period=period, now=now, language="id", shop_name="T").differences


def test_what_was_found_and_nothing_was_done_yet(shop: Books) -> None:
    answer = found(shop, wib(21, 7))
    (one,) = answer.first
    assert (one.channel, one.subject, one.cause, one.shown, one.expected) == (
        "shopee",
        "shopee-KOPI",
        "edited_by_hand",
        7,
        5,
    )
    assert (one.state, one.since, one.closed) == ("open", wib(20, 10), None)
    assert [(row.channel, row.compared, row.found, row.open) for row in answer.rows] == [
        ("shopee", 1, 1, 1),
        ("web", 0, 0, 0),
    ]


def test_our_number_is_on_its_way_then_written_over(shop: Books) -> None:
    assert shop.at(wib(20, 11)).push("shopee") == 1
    assert found(shop, wib(21, 7)).first[0].state == "sent"
    shop.at(wib(20, 12))
    seen(shop, 5)
    (one,) = found(shop, wib(21, 7)).first
    assert (one.state, one.closed) == ("overwritten", wib(20, 12))
    assert found(shop, wib(21, 7)).total.open == 0


def test_a_refused_number_writes_nothing_over(shop: Books) -> None:
    shop.at(wib(20, 11)).push("shopee", outcome=PushOutcome.REJECTED)
    assert found(shop, wib(21, 7)).first[0].state == "open"


def test_a_person_adopted_it(shop: Books) -> None:
    shop.at(wib(20, 11)).push("shopee")
    shop.at(wib(20, 11, 30))

    def adopt(session: Session) -> None:
        differences.adopt(session, shop.channels["shopee"], "shopee-KOPI", shown=7, now_ms=shop.now_ms, who="sari")

    shop.ledger.write_now(adopt)
    assert found(shop, wib(21, 7)).first[0].state == "adopted"


def test_it_was_right_again_by_itself(shop: Books) -> None:
    shop.at(wib(20, 13))
    seen(shop, 5)
    assert found(shop, wib(21, 7)).first[0].state == "gone"


def test_one_that_stands_open_is_told_every_day_and_a_closed_one_on_its_days(shop: Books) -> None:
    assert (found(shop, wib(23), day=22).total.open, found(shop, wib(23), day=22).total.found) == (1, 0)
    assert len(found(shop, wib(23), day=22).first) == 1
    shop.at(wib(21, 9))
    seen(shop, 5)
    assert [len(found(shop, wib(24), day=day).first) for day in (19, 20, 21, 22)] == [0, 1, 1, 0]
