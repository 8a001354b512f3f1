"""The queue of the packing desk, parcels in trouble and the scorecard at the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from conftest import Desk

HOUR_MS = 3_600_000


@pytest.fixture
def mapped(desk: Desk) -> Desk:
    """The order's lines all have a SKU."""
    desk.run("listings", "map", "toko", "12", "KOPI=3")
    desk.run("stock", "count", "KOPI", "50", "--yes")
    return desk


def due_in(desk: Desk, hours: float) -> None:
    """The order's own deadline, from now on."""
    ledger = desk.ledger()
    now_ms = ledger.now_ms()
    ledger.close()
    desk.change(f"UPDATE sales_order SET ship_by_ms = {now_ms + round(hours * HOUR_MS)}")


def with_a_parcel(desk: Desk, state: str, hours_ago: float, **more: object) -> None:
    """A parcel of the order in this state since then."""
    ledger = desk.ledger()
    at = ledger.now_ms() - round(hours_ago * HOUR_MS)
    ledger.close()
    values = {"courier": "jne", "service": "reg", "waybill": "JP123", "zone": "Jawa Barat", **more}
    columns = "".join(f", {name}" for name in values)
    literals = "".join(f", '{value}'" if isinstance(value, str) else f", {value}" for value in values.values())
    desk.change("UPDATE channel SET first_walk_done_ms = 1")
    desk.change(
        "INSERT INTO parcel (channel_id, order_id, number, state, remote_status, remote_id, adopted, pickup_code, why_chosen, "
        f"routing_code, created_ms, booked_ms, state_since_ms{columns}) SELECT channel_id, id, 1, '{state}', '', 'B1', FALSE, '', '', "
        f"'', {at}, {at}, {at}{literals} FROM sales_order"
    )
    desk.change(
        "INSERT INTO parcel_unit (parcel_id, line_id, unit_key, live) SELECT parcel.id, order_line.id, '#1', TRUE FROM parcel, order_line"
    )


def test_late_by_the_shops_promise_and_without_a_sku(desk: Desk) -> None:
    """The order was paid long ago; one of its listings has no SKU."""
    [entry] = desk.json("parcels", "list")
    assert (entry["order"], entry["group"], entry["reason"], entry["late"]) == ("901", "held", "parked_line", True)
    assert entry["deadline"] == "2026-03-03T03:00:00.000Z"
    assert [item["units"] for item in entry["contents"]] == [2, 1]
    out, _ = desk.run("parcels", "list")
    assert "held (1)" in out
    assert "a listing in it has no SKU, LATE" in out


def test_late_then_today_then_later(mapped: Desk) -> None:
    out, _ = mapped.run("parcels", "list")
    assert "late: the deadline has passed (1)" in out
    due_in(mapped, 10 * 24)
    assert mapped.json("parcels", "list")[0]["group"] == "later"
    due_in(mapped, 0.2)
    assert "must leave today (1)" in mapped.run("parcels", "list")[0]


def test_filters(mapped: Desk) -> None:
    for words, found in (
        (("--due", "today"), 1),
        (("--due", "tomorrow"), 0),
        (("--due", "2031-01-01"), 0),
        (("--state", "late"), 1),
        (("--state", "short"), 0),
        (("--channel", "toko"), 1),
        (("--courier", "jne"), 0),
    ):
        assert len(mapped.json("parcels", "list", *words)) == found, words
    assert mapped.run("parcels", "list", "--state", "held")[0].startswith("Nothing fits; 1 in all")
    assert "no state 'lost-ish'" in mapped.run("parcels", "list", "--state", "lost-ish", expect=2)[1]
    assert "--due 'someday'" in mapped.run("parcels", "list", "--due", "someday", expect=2)[1]
    assert "no channel 'nowhere'" in mapped.run("parcels", "list", "--channel", "nowhere", expect=2)[1]


def test_a_booked_parcel_with_its_courier(mapped: Desk) -> None:
    with_a_parcel(mapped, "booked", 1)
    bare, booked = mapped.json("parcels", "list")
    assert (booked["courier"], booked["waybill"], booked["state"], booked["units"]) == ("jne", "JP123", "booked", 2)
    assert (bare["parcel"], bare["units"]) == (None, 1)
    assert [entry["order"] for entry in mapped.json("parcels", "list", "--courier", "JNE")] == ["901"]
    assert len(mapped.json("parcels", "list", "--state", "booked")) == 1


def test_the_seller_says_how_fast_and_when(mapped: Desk) -> None:
    with mapped.config.open("a") as config:
        config.write('\n[desk]\nship_within_h = 48\ncut_off = "12:30"\n')
    [entry] = mapped.json("parcels", "list")
    assert entry["deadline"] == "2026-03-04T03:00:00.000Z"
    with mapped.config.open("a") as config:
        config.write('note_to_buyer = "maybe"\n')
    assert "[desk] note_to_buyer" in mapped.run("parcels", "list", expect=2)[1]


def test_trouble_on_the_way(mapped: Desk) -> None:
    assert mapped.run("parcels", "trouble")[0] == "No parcel on its way needs you.\n"
    with_a_parcel(mapped, "booked", 30)
    [one] = mapped.json("parcels", "trouble", "--channel", "toko")
    assert (one["trouble"], one["order"], one["waybill"]) == ("uncollected", "901", "JP123")
    out, _ = mapped.run("parcels", "trouble")
    assert "booked, not collected" in out
    assert "30 h ago" in out
    assert "Siti" not in out


def test_the_scorecard_says_unknown(mapped: Desk, tmp_path: Path) -> None:
    assert mapped.run("parcels", "scorecard")[0] == "No parcel was booked in the last 90 days.\n"
    with_a_parcel(mapped, "in_transit", 5, quoted=18_000)
    [score] = mapped.json("parcels", "scorecard")
    assert (score["courier"], score["service"], score["zone"], score["parcels"]) == ("jne", "reg", "Jawa Barat", 1)
    assert (score["quoted"], score["charged"]) == ({"mean": 18000, "known": 1}, {"mean": None, "known": 0})
    assert (score["days_median"], score["on_time"]) == (None, None)
    out, _ = mapped.run("parcels", "scorecard", "--days", "7")
    assert out.count("unknown") == 3  # charged, days, on time
    assert "Rp 18.000" in out
    target = tmp_path / "card.csv"
    _, err = mapped.run("parcels", "scorecard", "--out", str(target))
    assert "1 rows in" in err
    [row] = csv.DictReader(target.read_text().splitlines())
    assert (row["quoted_mean"], row["charged_mean"], row["on_time_share"], row["lost"]) == ("18000", "", "", "0")
    assert "cannot be written" in mapped.run("parcels", "scorecard", "--out", str(tmp_path / "no" / "x"), expect=2)[1]
