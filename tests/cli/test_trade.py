"""Payouts, requests to cancel and returns at the command line. The own site is on no network: what would be sent to it stays here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import Desk

from sellersync.domain.returns import CancellationState, RemoteCancellation, RemoteReturn, ReturnState
from sellersync.domain.settlements import Settlement
from sellersync.store import cancellations, remote_returns, settlements, work

DAY = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)


@pytest.fixture
def trade(desk: Desk) -> Desk:
    """Order 901 with two settlements, a return and a request to cancel; and a settlement of an order that nobody knows."""
    ledger = desk.ledger()

    def fill(session: Any) -> None:
        channel = work.channel_by_slug(session, "toko")
        assert channel is not None
        rows = [
            Settlement("s1", "901", DAY, 150_000, (("sale", 170_000), ("commission", -20_000))),
            Settlement("s2", "901", DAY + timedelta(days=1), -5_000, (("late_fee", -5_000),)),
            Settlement("s3", "777", DAY + timedelta(days=2), 40_000, (("sale", 40_000),)),
        ]
        settlements.record_settlements(session, channel.id, rows, now_ms=ledger.now_ms())
        asked = RemoteCancellation(
            "C1",
            "901",
            CancellationState.PENDING,
            "PENDING",
            (),
            DAY,
            respond_by=DAY,
            by="buyer",
            reason="salah alamat",
        )
        cancellations.record_cancellations(session, channel.id, [asked], read_ms=0, now_ms=ledger.now_ms())
        back = RemoteReturn(
            "R1",
            "901",
            ReturnState.COMING_BACK,
            "SHIPPED",
            (("1", 2),),
            170_000,
            True,
            DAY,
            waybill="JNE9",
            reason="pecah",
        )
        remote_returns.record_remote_returns(session, channel.id, [back], now_ms=ledger.now_ms())

    ledger.write_now(fill)
    ledger.close()
    return desk


# ------------------------------------------------------------------------------------------------------------------------- payouts


def test_payouts_with_their_parts_and_the_sums(trade: Desk) -> None:
    out, _ = trade.run("orders", "settlements")
    lines = [line for line in out.splitlines() if line]
    assert "toko" in lines[1]
    assert "777" in lines[1]
    assert "unknown order" in lines[1]
    assert "sale Rp 170.000, commission Rp -20.000" in lines[3]
    assert lines[3].split()[1] == "INV-901"
    [net] = [line.split() for line in lines if " net" in line and "toko" in line]
    assert net == ["toko", "3", "1", "net", "Rp", "185.000"]
    answer = trade.json("orders", "settlements")
    assert answer["sums"] == [
        {
            "channel": "toko",
            "settlements": 3,
            "unknown_orders": 1,
            "net": 185_000,
            "parts": {"sale": 210_000, "commission": -20_000, "late_fee": -5_000},
        }
    ]


def test_days_are_the_shops_and_both_belong_to_the_window(trade: Desk) -> None:
    def remote_ids(*words: str) -> list[str]:
        return [row["remote_id"] for row in trade.json("orders", "settlements", *words)["settlements"]]

    assert remote_ids("--from", "2026-03-05") == ["s3", "s2"]
    assert remote_ids("--to", "2026-03-04") == ["s1"]
    assert remote_ids("--from", "2026-03-05", "--to", "2026-03-05") == ["s2"]
    assert remote_ids("--channel", "toko", "--limit", "1") == ["s3"]
    assert trade.json("orders", "settlements", "--limit", "1")["sums"][0]["settlements"] == 3
    out, _ = trade.run("orders", "settlements", "--from", "2027-01-01")
    assert "sync settlements" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from", "tomorrow"), "--from 'tomorrow': expected is YYYY-MM-DD"),
        (("--from", "2026-03-05", "--to", "2026-03-04"), "--to lies before --from"),
        (("--channel", "nowhere"), "there are: toko"),
    ],
)
def test_a_wrong_choice_is_a_sentence(trade: Desk, words: tuple[str, ...], says: str) -> None:
    assert says in trade.run("orders", "settlements", *words, expect=2)[1]


# ---------------------------------------------------------------------------------------------------------------- requests to cancel


def test_requests_are_listed_with_how_to_answer(trade: Desk) -> None:
    out, _ = trade.run("orders", "cancellations")
    assert "salah alamat" in out
    assert "2026-03-04 10:00:00" in out
    assert "not booked" in out
    assert "sellersync orders cancellations accept INV-901" in out
    [row] = trade.json("orders", "cancellations", "--channel", "toko")
    assert (row["request"], row["units"], row["answer_state"]) == ("C1", None, "")
    assert "there are: toko" in trade.run("orders", "cancellations", "--channel", "x", expect=2)[1]


def test_an_answer_is_asked_for_and_a_channel_that_takes_none_is_named(trade: Desk) -> None:
    _, err = trade.run("orders", "cancellations", "accept", "901", expect=2)
    assert "nothing was sent" in err
    assert "salah alamat" in err
    assert "--yes" in err
    _, err = trade.run("orders", "cancellations", "reject", "INV-901", "--yes", expect=2)
    assert "seller centre" in err
    _, err = trade.run("orders", "cancellations", "accept", "902", "--yes", expect=2)
    assert "no request to cancel '902'" in err
    [row] = trade.json("orders", "cancellations")
    assert (row["answer"], row["answer_state"]) == ("", "")


def test_several_requests_of_an_order_are_named_by_their_ids(trade: Desk) -> None:
    trade.change(
        "INSERT INTO cancellation_request (channel_id, remote_id, order_remote_id, state, remote_status, lines, by_whom, reason, "
        "updated_ms, seen_ms, answer, answer_state, answer_key, answered_by, detail) SELECT channel_id, 'C2', order_remote_id, "
        "state, remote_status, lines, by_whom, reason, 0, 0, 'reject', 'unclear', 'k', 'Sari', '' FROM cancellation_request"
    )
    assert "C1, C2" in trade.run("orders", "cancellations", "accept", "901", "--yes", expect=2)[1]
    out, _ = trade.run("orders", "cancellations")
    assert "reject: no reply: being looked up" in out
    trade.change("UPDATE cancellation_request SET state = 'accepted'")
    assert "No request" in trade.run("orders", "cancellations")[0]


# ------------------------------------------------------------------------------------------------------------------------ one order


def test_an_order_shows_its_requests_returns_and_payouts(trade: Desk) -> None:
    out, _ = trade.run("orders", "show", "901")
    for words in ("Requests to cancel", "Returns on the channel", "coming_back (SHIPPED)", "JNE9", "Settlements"):
        assert words in out
    assert "late fee Rp -5.000" in out
    [order] = trade.json("orders", "show", "901")
    assert [row["net"] for row in order["settlements"]] == [150_000, -5_000]
    assert order["cancellations"][0]["reason"] == "salah alamat"
    assert order["remote_returns"][0]["remote_id"] == "R1"


def test_reading_payouts_of_a_channel_that_has_none(trade: Desk) -> None:
    answer = trade.json("sync", "settlements")
    assert [(row["channel"], row["outcome"]) for row in answer["results"]] == [("toko", "none")]
    assert answer["ok"]
