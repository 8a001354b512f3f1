"""Bookings without a known outcome at the command line."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Desk

from sellersync.store import bookings, reads_bookings


@pytest.fixture
def claimed(desk: Desk) -> Desk:
    """The order's parcel was sent to be booked, and no answer came."""
    desk.run("listings", "map", "toko", "12", "KOPI=3")
    ledger = desk.ledger()

    def claim(session: Any) -> None:
        now_ms = ledger.now_ms()
        [parcel] = reads_bookings.bookable_parcels(session, 1, now_ms=now_ms, limit=5)
        bookings.open_claim(
            session, parcel_id=parcel.parcel_id, attempt=1, reference="REF-1", step="book", owner="test", request={},
            not_before_settle_ms=now_ms, now_ms=now_ms, vault=ledger.vault,
        )  # fmt: skip

    ledger.write_now(claim)
    ledger.close()
    return desk


@pytest.fixture
def asked(claimed: Desk) -> Desk:
    """And no machine can find out."""
    ledger = claimed.ledger()
    ledger.write_now(lambda session: bookings.settle_by_person(session, 1, "no clear answer", now_ms=ledger.now_ms()))
    ledger.close()
    return claimed


def test_a_claim_that_is_looked_up_is_not_settled_by_a_person(claimed: Desk) -> None:
    [row] = claimed.json("parcels", "claims")
    assert (row["state"], row["order"], row["reference"]) == ("open", "901", "REF-1")
    assert "look-up" in claimed.run("parcels", "claims", "--channel", "toko")[0]
    _, err = claimed.run("parcels", "settle", "901", "--not-booked", "--yes", expect=2)
    assert "still looked up by itself" in err


def test_no_claim(desk: Desk) -> None:
    assert desk.run("parcels", "claims")[0] == "Every booking has a known outcome.\n"
    assert "no booking of 901" in desk.run("parcels", "settle", "901", "--not-booked", "--yes", expect=2)[1]
    assert "no order '77'" in desk.run("parcels", "settle", "77", "--booked", "X", expect=2)[1]
    desk.run("parcels", "claims", "--channel", "nowhere", expect=2)


@pytest.mark.parametrize("words", [(), ("--booked", "X", "--not-booked"), ("--booked", "")])
def test_a_person_says_one_thing(asked: Desk, words: tuple[str, ...]) -> None:
    assert "say what you found" in asked.run("parcels", "settle", "901", *words, expect=2)[1]


def test_not_booked_is_asked_twice(asked: Desk) -> None:
    out, _ = asked.run("parcels", "claims")
    assert "sellersync parcels settle 901 --not-booked" in out
    assert "sellersync parcels settle 901 --booked WAYBILL" in asked.run("report")[0]
    assert "paid twice" in asked.run("parcels", "settle", "901", "--not-booked", expect=2)[1]
    assert [row["state"] for row in asked.json("parcels", "claims")] == ["person"]
    out, _ = asked.run("parcels", "settle", "INV-901", "--not-booked", "--yes")
    assert "booked again" in out
    assert asked.json("parcels", "claims") == []


def test_booked_with_a_waybill(asked: Desk) -> None:
    answer = asked.json("parcels", "settle", "REF-1", "--booked", "JP123")
    assert answer == {
        "order": "901",
        "parcel": 1,
        "reference": "REF-1",
        "booked": True,
        "waybill": "JP123",
        "state": "booked",
    }
    [order] = asked.json("orders", "show", "JP123")
    assert [(row["state"], row["waybill"]) for row in order["parcels"]] == [("booked", "JP123")]
    assert [row["state"] for row in order["claims"]] == ["booked"]
    assert asked.json("parcels", "claims") == []
