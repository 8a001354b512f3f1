"""The order desk: one order by anything a caller may name, the end of a phone number among it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from conftest import Desk

from sellersync.store import reads_order_desk
from sellersync.store.orders import BUYER_PURPOSE


def placed_now(desk: Desk) -> None:
    desk.change(f"UPDATE sales_order SET created_ms = {time.time_ns() // 1_000_000 - 3_600_000}")


def second_order(desk: Desk, phone: str) -> None:
    """Order 902 of another buyer."""
    columns = [row[0] for row in read(desk, "SELECT name FROM pragma_table_info('sales_order')")]
    kept = ", ".join(column for column in columns if column not in ("id", "remote_id", "number"))
    desk.change(f"INSERT INTO sales_order (id, remote_id, number, {kept}) SELECT 2, '902', '', {kept} FROM sales_order")
    ledger = desk.ledger()

    def write(session: Any) -> None:
        from sqlalchemy import text

        buyer = {"name": "Budi", "phone": phone, "city": "Garut"}
        session.execute(
            text("INSERT INTO buyer (order_id, sealed, masked, stored_ms) VALUES (2, :s, FALSE, 1)"),
            {"s": ledger.vault.seal_json(buyer, BUYER_PURPOSE)},
        )

    ledger.write_now(write)
    ledger.close()


def read(desk: Desk, sql: str) -> list[Any]:
    from sqlalchemy import text

    ledger = desk.ledger()
    rows = ledger.read_now(lambda session: list(session.execute(text(sql)).all()))
    ledger.close()
    return rows


@pytest.mark.parametrize("words", [("order", "show"), ("orders", "show")])
def test_one_order_in_full(desk: Desk, words: tuple[str, str]) -> None:
    out, _ = desk.run(*words, "INV-901")
    assert "payment   paid" in out
    assert "S*** R***, ***766, Bandung" in out
    assert desk.json(*words, "901")[0]["head"]["number"] == "INV-901"


def test_where_its_parcels_were_seen(desk: Desk) -> None:
    desk.change(
        "INSERT INTO parcel (channel_id, order_id, number, state, remote_status, remote_id, adopted, waybill, pickup_code, courier, "
        "service, why_chosen, routing_code, created_ms) VALUES (1, 1, 1, 'in_transit', '', '', FALSE, 'JNE77', '', 'jne', 'reg', '', '', 1)"
    )
    for state, status, at in (("booked", "confirmed", 1_000), ("in_transit", "on the way", 2_000)):
        desk.change(
            f"INSERT INTO parcel_event (parcel_id, state, remote_status, seen_ms) VALUES (1, '{state}', '{status}', {at})"
        )
    assert [row["state"] for row in desk.json("order", "show", "JNE77")[0]["tracking"]] == ["booked", "in_transit"]
    assert "on the way" in desk.run("order", "show", "JNE77")[0]


@pytest.mark.parametrize("typed", ["7766", "887766", "0812-9988-7766", "+62 812 9988 7766", "6281299887766"])
def test_the_end_of_a_phone_number_finds_its_order(desk: Desk, typed: str) -> None:
    placed_now(desk)
    out, err = desk.run("order", "show", typed)
    assert "Order INV-901" in out
    assert "1299887766" not in out + err


def test_several_buyers_are_listed_masked(desk: Desk) -> None:
    second_order(desk, "+6285500007766")
    placed_now(desk)
    out, _ = desk.run("order", "show", "7766")
    assert "INV-901" in out
    assert "902" in out
    assert "S*** R***, ***766, Bandung" in out
    assert "B***, ***766, Garut" in out
    assert "Siti" not in out
    assert "88776" not in out
    assert "order show ID" in out
    assert [order["head"]["remote_id"] for order in desk.json("order", "show", "7766")] == ["902", "901"]
    assert [order["head"]["remote_id"] for order in desk.json("order", "show", "87766")] == ["901"]


def test_an_id_comes_before_a_phone_unless_it_must_be_one(desk: Desk) -> None:
    placed_now(desk)
    desk.change("UPDATE sales_order SET number = '4444'")
    second_order(desk, "081200004444")
    assert desk.json("order", "show", "4444")[0]["head"]["remote_id"] == "901"
    assert desk.json("order", "show", "4444", "--phone")[0]["head"]["remote_id"] == "902"


def test_what_was_not_found_says_what_was_searched(desk: Desk) -> None:
    err = desk.run("order", "show", "7766", expect=2)[1]  # placed months ago
    assert "no phone ends so among the newest 0 orders" in err
    assert "7766" in err
    assert "phone" not in desk.run("order", "show", "766", expect=2)[1]
    assert "at least 4 digits" in desk.run("order", "show", "766", "--phone", expect=2)[1]
    assert "phone" not in desk.run("order", "show", "INV-7766", expect=2)[1]


def test_digits_behind_a_mask_are_compared_only_as_far_as_they_are_shown(desk: Desk) -> None:
    second_order(desk, "(+62)812*****77")
    placed_now(desk)
    assert [order["head"]["remote_id"] for order in desk.json("order", "show", "99887766")] == ["901"]
    desk.run("order", "show", "0077", expect=2)


def test_the_search_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    second_order(desk, "081211112222")
    placed_now(desk)
    monkeypatch.setattr(reads_order_desk, "PHONE_ORDERS_MAX", 1)
    assert [order["head"]["remote_id"] for order in desk.json("order", "show", "2222")] == ["902"]
    desk.run("order", "show", "7766", expect=2)
