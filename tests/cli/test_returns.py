"""Returns at the desk, as staff meet them: the real command line on a real ledger."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from conftest import PLACED, Desk

from sellersync.domain.orders import Order, OrderLine, OrderState, Unit, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.returns import RemoteReturn, ReturnState
from sellersync.store import orders, remote_returns, work


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """Order 902 went out in two parcels: WB-1 (2 x KOPI) could not be delivered; order 903 (1 x KOPI) is at its buyer."""

    def shipped(remote_id: str, count: int, state: ParcelState, waybill: str) -> Order:
        return Order(
            remote_id=remote_id,
            number=f"INV-{remote_id}",
            state=OrderState.SHIPPED,
            remote_status="completed",
            created_at=PLACED,
            updated_at=PLACED + timedelta(hours=1),
            paid_at=PLACED,
            lines=(OrderLine("1", "11", (Unit(UnitStage.LEFT, count),), target="11", title="Kopi Gayo"),),
            parcels=(
                RemoteParcel(f"P{remote_id}", (remote_id,), state, state.value, (("1", count),), waybill=waybill),
            ),
        )

    ledger = desk.ledger()

    def fill(session: Any) -> None:
        channel = work.channel_by_slug(session, "toko")
        assert channel is not None
        rules = work.rules_of(session, channel.id, frozenset())
        found = [shipped("902", 2, ParcelState.RETURNING, "WB-1"), shipped("903", 1, ParcelState.DELIVERED, "WB-2")]
        orders.record_orders(session, rules, found, read_started_at=PLACED, now_ms=ledger.now_ms(), vault=ledger.vault)

    ledger.write_now(fill)
    ledger.close()
    return desk


def announce(desk: Desk, state: ReturnState = ReturnState.COMING_BACK) -> None:
    """The buyer of order 903 sends the goods back under a waybill of his own."""
    ledger = desk.ledger()

    def write(session: Any) -> None:
        channel = work.channel_by_slug(session, "toko")
        assert channel is not None
        told = RemoteReturn("RMA-7", "903", state, "SHIPPED", (("1", 1),), 50_000, True, PLACED, waybill="BACK-9")
        remote_returns.record_remote_returns(session, channel.id, [told], now_ms=ledger.now_ms())

    ledger.write_now(write)
    ledger.close()


def stock(desk: Desk) -> tuple[int, int, int]:
    """(available, inspect, damaged) of KOPI."""
    row = desk.json("stock", "show", "KOPI")[0]
    return row["available"], row["inspect"], row["damaged"]


def test_a_failed_delivery_from_the_list_to_the_shelf(shop: Desk) -> None:
    before = stock(shop)
    out, _ = shop.run("returns", "list")
    assert "R1" in out
    assert "INV-902" in out
    assert "WB-1" in out
    assert "failed delivery; courier: returning" in out
    out, _ = shop.run("returns", "receive", "WB-1")
    assert "R1: 2 x Kopi Gayo of order INV-902 came back." in out
    out, _ = shop.run("returns", "grade", "R1", "sellable", "--units", "1", "--yes")
    assert "inspect" in out
    assert "available" in out
    assert "Still without a grade: 1." in out
    shop.run("returns", "grade", "R1", "damaged", "--note", "tin is dented", "--yes")
    available, inspect, damaged = stock(shop)
    assert (available - before[0], inspect, damaged) == (1, 0, 1)
    assert "Nothing comes back." in shop.run("returns", "list")[0]
    settled = shop.json("returns", "list", "--state", "graded")
    assert [(g["grade"], g["units"], g["note"]) for g in settled[0]["grades"]] == [
        ("sellable", 1, ""),
        ("damaged", 1, "tin is dented"),
    ]


def test_the_waybill_of_the_buyer_is_scanned(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(shop)
    monkeypatch.setattr("sys.stdin", io.StringIO("BACK-9\nWB-1\n\nBACK-9\nnonsense\n"))
    out, err = shop.run("returns", "receive")
    assert "R2: 1 x Kopi Gayo of order INV-903 came back." in out
    assert "R1: 2 x Kopi Gayo" in out
    assert "BACK-9: R2 came in already" in err
    assert "nothing is known under 'nonsense'" in err
    assert stock(shop)[1] == 3


@pytest.mark.parametrize("name", ["RMA-7", "INV-903", "903", "r2"])
def test_whatever_names_the_return_is_taken(shop: Desk, name: str) -> None:
    announce(shop)
    assert shop.json("returns", "receive", name) == [
        {"name": "R2", "order": "INV-903", "goods": "Kopi Gayo", "units": 1}
    ]


def test_part_of_a_return_comes_in_and_the_rest_stays_with_the_buyer(shop: Desk) -> None:
    shop.run("returns", "receive", "INV-902", "--units", "1")
    out, _ = shop.run("returns", "keep", "R1", "--yes")
    assert "the buyer keeps 1" in out
    out, _ = shop.run("returns", "grade", "R1", "lost", "--yes")
    assert shop.json("ledger", "verify")["problems"] == []


def test_goods_that_nobody_announced_need_a_number(shop: Desk) -> None:
    _, err = shop.run("returns", "receive", "INV-903", expect=2)
    assert "no return of order INV-903 is announced" in err
    assert "--units 11=1" in err
    assert (
        "1 shipped units can still come back" in shop.run("returns", "receive", "INV-903", "--units", "2", expect=2)[1]
    )
    shop.run("returns", "receive", "INV-903", "--units", "11=1")
    announce(shop)
    assert [row["remote_id"] for row in shop.json("returns", "list")] == ["", "RMA-7"]


def test_goods_that_were_never_shipped(shop: Desk) -> None:
    before = stock(shop)[0]
    _, err = shop.run("returns", "receive", "--sku", "KOPI", "2", expect=2)
    assert "--note" in err
    out, _ = shop.run("returns", "receive", "--sku", "KOPI", "2", "--note", "bazaar")
    name = out.split(":")[0]
    assert name.startswith("D")
    assert stock(shop)[1] == 2
    shop.run("returns", "grade", name, "sellable", "--yes")
    assert stock(shop)[0] == before + 2
    assert shop.json("ledger", "verify")["problems"] == []


def test_nothing_is_graded_unasked(shop: Desk) -> None:
    shop.run("returns", "receive", "R1")
    _, err = shop.run("returns", "grade", "R1", "sellable", expect=2)
    assert "--yes" in err
    assert stock(shop)[1] == 2


def test_the_order_shows_its_returns_with_their_grades(shop: Desk) -> None:
    shop.run("returns", "receive", "WB-1")
    shop.run("returns", "grade", "R1", "damaged", "--yes")
    out, _ = shop.run("orders", "show", "INV-902")
    assert "Returns" in out
    assert "2 damaged" in out
    assert shop.json("orders", "show", "INV-902")[0]["returns"][0]["state"] == "graded"


def test_a_replacement_order_is_noted(shop: Desk) -> None:
    shop.run("returns", "replace", "R1", "INV-901")
    assert "replaced by order INV-901" in shop.run("returns", "list")[0]
    assert "that very order" in shop.run("returns", "replace", "R1", "INV-902", expect=2)[1]


def test_the_report_asks_for_the_receipt_and_then_for_the_grade(shop: Desk) -> None:
    def command() -> str:
        needs = {group["kind"]: group["first"][0] for group in shop.json("report")["needs"]["groups"]}
        return str(needs["return_due"]["command"])

    assert command() == "sellersync returns receive R1"
    shop.run("returns", "receive", "R1")
    assert command() == "sellersync returns grade R1 GRADE"


def test_wrong_words_are_told(shop: Desk) -> None:
    assert "no return 'R77'" in shop.run("returns", "grade", "R77", "lost", "--yes", expect=2)[1]
    assert "has not left the shelf" in shop.run("returns", "receive", "INV-901", expect=2)[1]
    assert "expected is a number" in shop.run("returns", "receive", "R1", "--units", "x", expect=2)[1]
    assert "not come in yet" in shop.run("returns", "grade", "R1", "damaged", "--yes", expect=2)[1]
