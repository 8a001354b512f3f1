"""`sellersync report` at the command line: days, weeks, months, and what stands behind a figure."""

from __future__ import annotations

import pytest
from conftest import Desk

from sellersync.store.engine import sqlite_module

DAY = ("--date", "2026-03-02")


def test_a_day_a_week_and_a_month_of_the_same_order(desk: Desk) -> None:
    for words, kind, day in (
        (DAY, "day", "2026-03-02"),
        (("--week", "2026-W10"), "week", "2026-03-02"),
        (("--month", "2026-03"), "month", "2026-03-01"),
    ):
        answer = desk.json("report", *words)
        assert (answer["period"]["kind"], answer["day"], answer["orders"]["total"]["orders"]) == (kind, day, 1)
        assert (answer["products"] is None) == (kind == "day")
    assert desk.json("report", "--date", "2026-03-03")["orders"]["total"]["orders"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--week", "2026-10"), "is no week; expected is a year and its week, like 2026-W47"),
        (("--month", "March"), "is no month; expected is a year and a month, like 2026-11"),
        (("--week", "2026-W10", "--month", "2026-03"), "one of --date, --week and --month, not several"),
        (("--date", "2.3.2026"), "expected is YYYY-MM-DD, today or yesterday"),
        (("--month", "2099-01"), "2099-01 has not begun yet"),
    ],
)
def test_mistakes_are_sentences(desk: Desk, words: tuple[str, ...], said: str) -> None:
    for command in (("report",), ("report", "explain")):
        assert said in desk.run(*command, *words, expect=2)[1]


def test_a_figure_is_explained_by_its_rows(desk: Desk) -> None:
    out, _ = desk.run("report", "explain", "orders.toko.units", *DAY)
    lines = out.splitlines()
    assert lines[:2] == [
        "orders.toko.units: 3",
        "Units ordered; cancelled and unpaid orders and cancelled units are left out.",
    ]
    assert lines[3].split()[:4] == ["order", "INV-901", "toko", "3"]
    assert lines[-1] == "1 rows, 3 in all: the figure."
    answer = desk.json("report", "explain", "orders.toko.units", *DAY)
    assert (answer["value"], answer["total"], answer["how"]) == (3, 3, "sum")
    assert [row["name"] for row in answer["rows"]] == ["INV-901"]
    indonesian, _ = desk.run("report", "explain", "orders.toko.units", *DAY, "--lang", "id")
    assert "Unit yang dipesan; pesanan batal" in indonesian


def test_a_long_list_is_cut_and_says_so(desk: Desk) -> None:
    out, _ = desk.run("report", "explain", "proof.movements", *DAY)
    rows = [line for line in out.splitlines() if line.startswith("rows")]
    out, _ = desk.run("report", "explain", "orders.orders", "--month", "2026-03", "--limit", "1")
    assert "more rows" not in out
    assert len(rows) >= 1


def test_all_names(desk: Desk) -> None:
    out, _ = desk.run("report", "explain", *DAY)
    assert any(line.startswith("orders.toko.units ") for line in out.splitlines())
    names = {one["figure"]: one for one in desk.json("report", "explain", *DAY)}
    assert names["orders.toko.units"]["value"] == 3
    assert names["orders.revenue"]["value"] is None, "no line has a price"
    assert all(one["definition"] for one in names.values())


def test_an_unknown_name(desk: Desk) -> None:
    assert "did you mean orders.toko.units" in desk.run("report", "explain", "orders.toko.unit", *DAY, expect=2)[1]


def test_a_finished_day_is_kept_and_a_change_is_restated(desk: Desk) -> None:
    assert desk.json("report", *DAY)["first_given"] is None
    assert desk.json("report", *DAY)["restated"] == []
    desk.change("UPDATE sales_order SET state = 'cancelled'")
    answer = desk.json("report", *DAY)
    assert answer["first_given"] is not None
    restated = {one["figure"]: (one["was"], one["now"]) for one in answer["restated"]}
    assert restated["orders.toko.units"] == (3, 0)
    assert restated["orders.cancelled"] == (0, 1)
    plain, _ = desk.run("report", *DAY)
    assert "Restated figures" in plain


def test_today_is_not_kept(desk: Desk) -> None:
    desk.json("report")
    desk.json("report", "explain", *DAY)
    assert desk.json("report")["first_given"] is None
    assert desk.json("report", *DAY)["first_given"] is None


def test_the_chain_is_checked_from_where_it_was_found_whole(desk: Desk) -> None:
    desk.change("UPDATE movement SET recorded_ms = recorded_ms - 60000")  # nothing is on its way any more
    desk.run("sync", "seal")
    desk.run("ledger", "verify")
    proof = desk.json("report")["proof"]
    assert (proof["ok"], proof["checked_from"]) == (True, proof["movements"] + 1)
    assert proof["checked_before"] is not None


def test_a_busy_ledger_still_gives_the_report(desk: Desk) -> None:
    """Another process holds the ledger for longer than a write waits."""
    ledger = desk.ledger()
    holder = sqlite_module().connect(str(ledger.url.database), isolation_level=None)
    ledger.close()
    holder.execute("BEGIN IMMEDIATE")
    try:
        out, err = desk.run("report", *DAY)
    finally:
        holder.rollback()
        holder.close()
    assert "2 March 2026" in out
    assert "The figures of this report were not kept: another process holds the ledger" in err
    assert desk.json("report", *DAY)["first_given"] is None
