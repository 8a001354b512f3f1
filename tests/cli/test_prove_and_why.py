"""`prove orders` and `why oversell` at the command line; the channel does not answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from conftest import Desk

from sellersync.store import stock, work


def test_a_channel_that_does_not_answer_is_not_counted(desk: Desk) -> None:
    out, _ = desk.run("prove", "orders", expect=3)
    row = next(line for line in out.splitlines() if line.startswith("toko"))
    assert "not counted" in row
    assert row.split()[3:8] == ["-"] * 5
    assert "no connection" in out
    assert "not counted since" in out
    answer = desk.json("prove", "orders", "--channel", "toko", expect=3)
    assert answer["ok"] is False
    [proof] = answer["proofs"]
    assert (proof["state"], proof["on_channel"], proof["missing"]) == ("not_counted", None, [])
    assert proof["since"]
    desk.run("report")  # the finding has its words


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--date", "soon"), "expected is YYYY-MM-DD"),
        (("--date", "2999-01-01"), "not over yet"),
        (("--channel", "nowhere"), "no channel 'nowhere'"),
    ],
)
def test_days_and_channels_that_do_not_exist(desk: Desk, words: tuple[str, ...], says: str) -> None:
    assert says in desk.run("prove", "orders", *words, expect=2)[1]


def test_a_day_from_before_the_first_pull_is_not_counted(desk: Desk) -> None:
    assert "first pull began" in desk.run("prove", "orders", "--date", "2020-01-01", expect=3)[0]


def test_why_needs_an_order_or_a_day(desk: Desk) -> None:
    assert "--order ID or --day" in desk.run("why", "oversell", expect=2)[1]
    assert "--order ID or --day" in desk.run("why", "oversell", "--order", "901", "--day", "today", expect=2)[1]
    assert "no order 'x'" in desk.run("why", "oversell", "--order", "x", expect=2)[1]
    assert "expected is YYYY-MM-DD" in desk.run("why", "oversell", "--day", "soon", expect=2)[1]


def test_an_order_without_an_oversell(desk: Desk) -> None:
    assert "Nothing was sold beyond the stock by this order" in desk.run("why", "oversell", "--order", "INV-901")[0]
    assert desk.json("why", "oversell", "--day", "2026-03-02") == []


def test_units_that_a_count_did_not_find(desk: Desk) -> None:
    """Two were sold; a first count finds ten, a second one a single unit."""
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    desk.change(f"UPDATE movement SET occurred_ms = {round((now - timedelta(minutes=30)).timestamp() * 1000)}")
    desk.change(f"UPDATE sales_order SET created_ms = {round((now - timedelta(minutes=30)).timestamp() * 1000)}")
    ledger = desk.ledger()
    for minutes, counted in ((10, 10), (20, 1)):
        at_ms = round((now + timedelta(minutes=minutes)).timestamp() * 1000)
        entry = ledger.read_now(
            lambda session, counted=counted: stock.CountEntry(  # type: ignore[misc]
                stock.find_sku(session, "KOPI"), stock.find_warehouse(session, None), counted
            )
        )
        ledger.write_now(
            lambda session, entry=entry, at_ms=at_ms: stock.record_count(  # type: ignore[misc]
                session, [entry], at_ms=at_ms, now_ms=at_ms, who="Sari"
            )
        )
    assert ledger.read_now(work.channels)
    ledger.close()
    [one] = desk.json("why", "oversell", "--order", "901")
    assert (one["sku"], one["units"], one["cause"], one["first"]) == ("KOPI", 1, "count_error", None)
    assert "INV-901" in one["why"]
    assert [step["name"] for step in one["timeline"]][-2:] == ["second_paid", "second_seen"]
    out, err = desk.run("why", "oversell", "--order", "901")
    assert "1 x KOPI, order INV-901 on toko: count" in out
    assert "second paid" in out
    assert "whole seconds" in err
