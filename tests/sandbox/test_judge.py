"""The self-check can fail: a clean town passes, and every planted defect is named."""

from __future__ import annotations

import ast
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from sellersync.sandbox import judge as judge_module
from sellersync.sandbox.judge import Verdict, judge
from sellersync.sandbox.kit import Event

from .honest import Town, edited, judged, keep_books, seal, write_books


@pytest.fixture
def town() -> Town:
    """A day of sales without a mistake: single units, a bundle, a partial cancellation, an unpaid order, an own-site parcel."""
    town = Town()
    a, b, site = town.shops.values()
    first = a.place_order([("k-KOPI", 1)])
    town.wait(0.8)
    town.push_all()
    town.wait(0.2)
    second = b.place_order([("k-PAKET", 1), ("k-TEH", 1)])
    town.wait(0.5)
    town.push_all()
    b.cancel(second, items=[("k-TEH", 1)])
    town.wait(0.5)
    town.push_all()
    own = site.place_order([("k-KOPI", 2)], paid=False)
    town.wait(0.3)
    town.push_all()
    site.pay(own)
    a.place_order([("k-TEH", 1)], paid=False)
    town.wait(1.0)
    town.push_all()
    a.arrange(first)
    b.arrange(second, [("k-PAKET", 1)])
    town.book(own)
    town.wait(1.0)
    a.hand_over("p1")
    return town


@pytest.fixture
def ledger(town: Town, tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    keep_books(town, path)
    return path


def problems(verdict: Verdict, *words: str) -> None:
    """The verdict is not ok, and one sentence holds all the words."""
    assert not verdict.ok
    assert any(all(word in sentence for word in words) for sentence in verdict.problems), verdict.problems


def test_the_judge_shares_nothing_with_the_product() -> None:
    """Besides the kit of the simulators and the standard library it imports only its own modules."""
    folder = Path(judge_module.__file__).parent
    own = {"judge", "books", "exposure", "market", "shipments", "kit"}
    for name in sorted(own - {"kit"}):
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1, name
                assert node.module in own, name
            elif isinstance(node, ast.ImportFrom):
                assert str(node.module).split(".")[0] in sys.stdlib_module_names, name
            elif isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names, name


def test_a_ledger_on_either_database(town: Town, ledger_url: str) -> None:
    """The same ledger and the same planted defect, on SQLite and on PostgreSQL."""
    write_books(town, ledger_url)
    url = make_url(ledger_url)
    with closing(connect(url)) as connection:
        assert judge(town.evidence(), connection).problems == []
    with closing(connect(url)) as connection:
        connection.cursor().execute(
            "UPDATE movement SET quantity = quantity + 1 WHERE cause_kind = 'order' AND cause_id = 1"
        )
        connection.commit()
    with closing(connect(url)) as connection:
        problems(judge(town.evidence(), connection), "balance of KOPI in available", "its movements make")


def connect(url: URL) -> Any:
    """A plain DB-API connection."""
    if url.get_backend_name() == "sqlite":
        return sqlite3.connect(str(url.database))
    import psycopg

    return psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database)


def test_a_clean_town_passes(town: Town, ledger: Path) -> None:
    verdict = judged(town, ledger)
    assert verdict.problems == []
    assert verdict.ok
    assert verdict.orders["placed"] == verdict.orders["imported"] == {"a": 2, "b": 1, "site": 1}
    assert verdict.levels["equal"] == verdict.levels["targets"] == 7
    assert verdict.parcels["bookable_units"] == verdict.parcels["arranged"] == 4
    assert verdict.parcels["waybills"] == 3
    assert verdict.oversells == []
    assert list(json.loads(json.dumps(verdict.as_json()))) == [
        "orders", "movements", "levels", "parcels", "oversells", "exposure_ms", "requests", "shortened", "ok", "problems",
    ]  # fmt: skip


def test_exposure_is_the_time_until_a_level_includes_the_order(town: Town, ledger: Path) -> None:
    exposure = judged(town, ledger).exposure_ms
    # first order: 0.8 s on two channels; second: 0.5 s on two; own site: 0.3 s on two; the last: 1.0 s on two
    assert (exposure["samples"], exposure["p50"], exposure["p95"]) == (8, 500.0, 1000.0)
    assert exposure["open"] == 0
    assert exposure["unit_seconds"] > 0.8 * 3


def test_a_lost_order(town: Town, ledger: Path) -> None:
    order = town.shops["a"].place_order([("k-KOPI", 1)])
    town.push_all()
    verdict = judged(town, ledger)
    problems(verdict, "a: placed but not in the ledger", order)
    problems(verdict, "KOPI", "the sales leave 0")
    problems(verdict, "never arranged")


def test_an_order_imported_twice(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("CREATE TABLE copy AS SELECT * FROM sales_order")
        file.execute("DROP TABLE sales_order")
        file.execute("ALTER TABLE copy RENAME TO sales_order")
        file.execute("INSERT INTO sales_order SELECT * FROM sales_order WHERE id = 1")
        file.execute("UPDATE sales_order SET id = 99 WHERE rowid = (SELECT MAX(rowid) FROM sales_order)")
    problems(judged(town, ledger), "a: more than once in the ledger", "o1")


def test_an_order_imported_under_another_channel(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("UPDATE sales_order SET channel_id = 2, remote_id = 'x1' WHERE id = 1")
    verdict = judged(town, ledger)
    problems(verdict, "b: in the ledger but never placed", "x1")
    problems(verdict, "a: placed but not in the ledger", "o1")


def test_a_stale_push(town: Town, ledger: Path) -> None:
    town.shops["b"].set_level("k-KOPI", 4)
    verdict = judged(town, ledger)
    problems(verdict, "b: k-KOPI shows 4, the ledger wants 1")
    assert verdict.levels["differing"] == [
        {"channel": "b", "target": "k-KOPI", "location": "", "shown": 4, "wanted": 1}
    ]


def test_a_buffer_and_units_held_outside_belong_to_the_level(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("UPDATE sku SET buffer = 1 WHERE code = 'KOPI'")
    problems(judged(town, ledger), "a: k-KOPI shows 1, the ledger wants 0")
    with edited(ledger) as file:
        file.execute("UPDATE order_line SET held_outside = 1 WHERE target_key = 'k-KOPI'")
    verdict = judged(town, ledger)
    assert {row["channel"] for row in verdict.levels["differing"]} == {"b"}


def test_an_uncounted_sku_has_no_level(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("DELETE FROM count_line WHERE sku_id = 2")
    verdict = judged(town, ledger)
    assert verdict.levels["targets"] == 3
    assert len(verdict.levels["unpushed"]) == 4


def test_a_doubled_booking_on_a_marketplace(town: Town, ledger: Path) -> None:
    town.shops["a"].arrange("o1")
    verdict = judged(town, ledger)
    problems(verdict, "booked more than once", "a o1 k-KOPI")
    problems(verdict, "parcels that the ledger does not know", "a p2")


def test_a_parcel_arranged_again_under_its_own_number(town: Town, ledger: Path) -> None:
    shop = town.shops["a"]
    shop.record(Event.PARCEL_ARRANGED, parcel_id="p1", order_id="o1", items=[("k-KOPI", "KOPI", 1)], waybill="WB1")
    problems(judged(town, ledger), "arranged again while already arranged", "a p1")


def test_a_doubled_booking_at_the_courier(town: Town, ledger: Path) -> None:
    town.courier.book("SS-o1-2")
    problems(judged(town, ledger), "parcels that the ledger does not know as booked", "courier c2")


def test_a_cancelled_booking_leaves_its_units_unbooked(town: Town, ledger: Path) -> None:
    town.courier.advance("c1", "cancelled")
    verdict = judged(town, ledger)
    problems(verdict, "never arranged", "site o1 k-KOPI")
    problems(verdict, "booked in the ledger, unknown to the carrier", "courier c1")


class TestCancelledBookings:
    """The own site's order o1 is booked at the courier as c1."""

    def kept(self, town: Town, tmp_path: Path) -> Path:
        keep_books(town, tmp_path / "ledger.db")
        return tmp_path / "ledger.db"

    def cancelled_by_the_buyer(self, town: Town) -> None:
        town.shops["site"].cancel("o1")
        town.wait(0.5)
        town.push_all()

    def test_a_rebooked_parcel_is_fine(self, town: Town, tmp_path: Path) -> None:
        town.cancel_booking("o1")
        town.book("o1")
        verdict = judged(town, self.kept(town, tmp_path))
        assert verdict.problems == []
        assert (verdict.parcels["cancelled"], verdict.parcels["at_carriers"], verdict.parcels["waybills"]) == (1, 3, 3)

    def test_a_cancelled_order_with_a_cancelled_booking_is_fine(self, town: Town, tmp_path: Path) -> None:
        self.cancelled_by_the_buyer(town)
        town.cancel_booking("o1")
        verdict = judged(town, self.kept(town, tmp_path))
        assert verdict.problems == []
        assert (verdict.parcels["bookable_units"], verdict.parcels["at_carriers"]) == (2, 2)

    def test_a_cancelled_order_whose_booking_lives_is_not(self, town: Town, tmp_path: Path) -> None:
        self.cancelled_by_the_buyer(town)
        verdict = judged(town, self.kept(town, tmp_path))
        problems(verdict, "booked at the courier although the buyer cancelled", "site o1 c1")
        assert verdict.parcels["unwanted"] == [["site", "o1", "c1"]]

    def test_a_booking_that_was_collected_before_the_order_was_cancelled(self, town: Town, tmp_path: Path) -> None:
        town.courier.advance("c1", "picked")
        self.cancelled_by_the_buyer(town)
        assert judged(town, self.kept(town, tmp_path)).parcels["unwanted"] == []

    def test_a_rebooked_parcel_that_is_booked_twice(self, town: Town, tmp_path: Path) -> None:
        """The second booking is not in the ledger."""
        town.cancel_booking("o1")
        town.book("o1")
        path = self.kept(town, tmp_path)
        town.book("o1")
        verdict = judged(town, path)
        problems(verdict, "parcels that the ledger does not know as booked", "courier c3")
        problems(verdict, "booked at the courier for more units than were ordered", "site o1")
        assert verdict.parcels["doubled"] == [["site", "o1"]]

    def test_a_double_booking_that_the_ledger_hides(self, town: Town, tmp_path: Path) -> None:
        """The ledger calls the first booking cancelled; at the courier it lives."""
        town.given_up.append(("o1", town.booked.pop("o1")))
        town.book("o1")
        verdict = judged(town, self.kept(town, tmp_path))
        problems(verdict, "booked at the courier for more units than were ordered", "site o1")
        problems(verdict, "parcels that the ledger does not know as booked", "courier c1")

    def test_a_booking_that_only_the_ledger_thinks_alive(self, town: Town, tmp_path: Path) -> None:
        town.cancel_booking("o1")
        town.book("o1")
        path = self.kept(town, tmp_path)
        town.courier.advance("c2", "cancelled")
        verdict = judged(town, path)
        problems(verdict, "never arranged", "site o1 k-KOPI")
        problems(verdict, "booked in the ledger, unknown to the carrier", "courier c2")

    def test_units_that_a_dead_parcel_keeps(self, town: Town, tmp_path: Path) -> None:
        town.cancel_booking("o1")
        path = self.kept(town, tmp_path)
        with edited(path) as file:
            file.execute("UPDATE parcel_unit SET live = 1")
        verdict = judged(town, path)
        problems(verdict, "units held by a parcel that was given up", "site 4")
        problems(verdict, "in no parcel", "site o1 k-KOPI")

    def test_one_waybill_on_two_living_parcels(self, town: Town, tmp_path: Path) -> None:
        second = town.shops["site"].place_order([("k-TEH", 1)])
        town.wait(0.5)
        town.push_all()
        town.book(second)
        path = self.kept(town, tmp_path)
        assert judged(town, path).problems == []
        with edited(path) as file:
            file.execute("UPDATE parcel SET waybill = 'JNEc1' WHERE remote_id = 'c2'")
        verdict = judged(town, path)
        problems(verdict, "one waybill for several parcels", "courier JNEc1")
        problems(verdict, "waybills that differ", "courier c2")


def test_a_paid_order_without_a_parcel(town: Town, ledger: Path) -> None:
    town.shops["a"].pay("o2")
    problems(judged(town, ledger), "in no parcel", "a o2 k-TEH")


def test_a_wrong_waybill(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("UPDATE parcel SET waybill = 'WB9' WHERE remote_id = 'p1' AND channel_id = 1")
    problems(judged(town, ledger), "waybills that differ", "a p1")


def test_an_edited_movement(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("UPDATE movement SET quantity = quantity + 1 WHERE cause_kind = 'order' AND cause_id = 1")
    verdict = judged(town, ledger)
    problems(verdict, "is not the one that was sealed")
    problems(verdict, "balance of KOPI in available", "its movements make")
    problems(verdict, "order positions differ", "1")


def test_an_edited_reason_is_seen_by_the_seal_alone(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("UPDATE movement SET reason = 'gift' WHERE id = 2")
    assert judged(town, ledger).problems == ["movement 2 is not the one that was sealed"]


def test_a_deleted_movement(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("DELETE FROM movement WHERE id = 3")
    problems(judged(town, ledger), "seal of movement 3, which is not there")


def test_seals_may_lag_but_not_skip(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("DELETE FROM seal WHERE movement_id > 3")
    assert judged(town, ledger).ok
    with edited(ledger) as file:
        file.execute("DELETE FROM seal WHERE movement_id = 2")
    problems(judged(town, ledger), "movement 2 has no seal although a later one has")


def test_an_edited_balance(town: Town, ledger: Path) -> None:
    with edited(ledger) as file:
        file.execute("UPDATE balance SET quantity = quantity + 2 WHERE sku_id = 1 AND account = 'available'")
    verdict = judged(town, ledger)
    problems(verdict, "balance of KOPI in available is 3, its movements make 1")
    problems(verdict, "accounts do not add up to zero: KOPI")


def test_a_consistent_forgery_is_seen_by_the_sales(town: Town, ledger: Path) -> None:
    """Movement, balance, position and seals all changed to fit each other: only the marketplaces' own truth contradicts."""
    with edited(ledger) as file:
        file.execute("UPDATE movement SET quantity = 2 WHERE cause_kind = 'order' AND cause_id = 1")
        file.execute("UPDATE balance SET quantity = quantity - 1 WHERE sku_id = 1 AND account = 'available'")
        file.execute("UPDATE balance SET quantity = quantity + 1 WHERE sku_id = 1 AND account = 'reserved'")
        file.execute("UPDATE order_position SET reserved = 2 WHERE order_id = 1")
        seal(file)
    verdict = judged(town, ledger)
    problems(verdict, "order o1 holds 2 x KOPI, the buyer's order wants 1")
    problems(verdict, "KOPI: the ledger has 0 available, the sales leave 1")
    assert not any("sealed" in sentence or "balance" in sentence for sentence in verdict.problems)


def test_a_channel_that_is_off_is_not_held_against_the_ledger(town: Town, ledger: Path) -> None:
    town.shops["b"].set_level("k-TEH", 9)
    assert not judged(town, ledger).ok
    assert judged(town, ledger, off={"b"}).levels["differing"] == []


class TestOversells:
    """Five KOPI; both channels show them."""

    def drained(self) -> Town:
        town = Town()
        town.shops["site"].place_order([("k-KOPI", 4)])
        town.wait(1)
        town.push_all()
        return town

    def judged(self, town: Town, tmp_path: Path) -> Verdict:
        for slug, shop in town.shops.items():
            for entry in shop.journal.entries(Event.ORDER_PLACED):
                town.book(entry.data["order_id"]) if slug == "site" else shop.arrange(entry.data["order_id"])
        keep_books(town, tmp_path / "ledger.db")
        return judged(town, tmp_path / "ledger.db")

    def test_a_race_for_the_last_unit_is_allowed(self, tmp_path: Path) -> None:
        town = self.drained()
        town.shops["a"].place_order([("k-KOPI", 1)])
        town.wait(0.25)
        town.shops["b"].place_order([("k-KOPI", 1)])
        town.wait(0.5)
        town.push_all()
        verdict = self.judged(town, tmp_path)
        assert verdict.ok, verdict.problems
        assert verdict.oversells == [
            {
                "sku": "KOPI",
                "units": 1,
                "first": {"channel": "a", "order": "o1", "after_ms": 0.0},
                "second": {"channel": "b", "order": "o1", "after_ms": 250.0},
                "accepted_ms": None,
                "allowed": True,
                "why": "the second sale came before the channel accepted a level that includes the first",
            }
        ]

    def test_an_oversell_after_the_acceptance_is_not(self, tmp_path: Path) -> None:
        """b had accepted 0, then a push without a cause raised it to 1, and b sold."""
        town = self.drained()
        town.shops["a"].place_order([("k-KOPI", 1)])
        town.wait(0.25)
        town.push_all()
        town.wait(1.0)
        town.shops["b"].set_level("k-KOPI", 1)
        town.wait(1.0)
        town.shops["b"].place_order([("k-KOPI", 1)])
        town.wait(0.5)
        town.push_all()
        verdict = self.judged(town, tmp_path)
        problems(verdict, "oversell of 1 x KOPI by order o1 on b", "had been accepted before the second")
        assert verdict.oversells[0]["first"] == {"channel": "a", "order": "o1", "after_ms": 0.0}
        assert verdict.oversells[0]["second"]["after_ms"] == 2250.0

    def test_an_oversell_through_a_bundle_is_found(self, tmp_path: Path) -> None:
        town = self.drained()
        town.shops["a"].place_order([("k-KOPI", 1)])
        town.wait(0.1)
        town.shops["b"].place_order([("k-PAKET", 1)])
        town.wait(0.1)
        town.push_all()
        verdict = self.judged(town, tmp_path)
        assert verdict.ok, verdict.problems
        assert [(o["sku"], o["units"], o["allowed"]) for o in verdict.oversells] == [("KOPI", 1, True)]

    def test_a_level_that_swallowed_an_own_sale(self, tmp_path: Path) -> None:
        """b sells one; a push that does not know it sets b back; b sells the unit again before the next push."""
        town = self.drained()
        b = town.shops["b"]
        b.place_order([("k-KOPI", 1)])
        b.set_level("k-KOPI", 1)
        town.wait(0.2)
        b.place_order([("k-KOPI", 1)])
        town.wait(0.2)
        town.push_all()
        verdict = self.judged(town, tmp_path)
        assert verdict.ok, verdict.problems
        assert verdict.oversells[0]["first"]["order"] == "o1"

    def test_a_channel_that_sells_more_than_it_shows(self, tmp_path: Path) -> None:
        town = self.drained()
        keep_books(town, tmp_path / "ledger.db")
        a = town.shops["a"]
        a.record(Event.ORDER_PLACED, order_id="o7", items=[("k-KOPI", "KOPI", 3)], paid=True, cod=False)
        verdict = judged(town, tmp_path / "ledger.db")
        problems(verdict, "oversell of 2 x KOPI by order o7 on a")
        assert not verdict.oversells[0]["allowed"]
        assert verdict.oversells[0]["units"] == 2
