"""The figures of a report once more, by other means: the raw tables are read whole and counted in plain Python.

Shares no code with the product. Figures that stand in no table (what a forecast says) are not here, nor are the latencies, which
test_exposure.py proves on given moments.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]
FEES = ("commission_fee",)
GROUPS = {
    "order_original_price": "sale",
    "commission_fee": "fees",
    "shipping_fee_paid_by_customer": "shipping",
    "seller_return_refund": "refunds",
    "logistics_reimbursement": "shipping",
    "mystery": "other",
    "unexplained": "unexplained",
}


class Recount:
    """One ledger file, one period [since, until), seen at `now`."""

    def __init__(self, path: Path, since: datetime, until: datetime, now: datetime) -> None:
        self.since, self.until, self.now = (round(moment.timestamp() * 1000) for moment in (since, until, now))
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            connection.row_factory = sqlite3.Row
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            self.tables: dict[str, list[Row]] = {
                name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')] for name in names
            }
        self.slug = {row["id"]: row["slug"] for row in self.tables["channel"]}
        self.selling = [row["slug"] for row in self.tables["channel"] if row["kind"] == "channel"]
        self.order = {row["id"]: row for row in self.tables["sales_order"]}
        self.lines: dict[int, list[Row]] = defaultdict(list)
        for row in self.tables["order_line"]:
            self.lines[row["order_id"]].append(row)
        self.found: dict[str, int | None] = defaultdict(int)

    def inside(self, ms: int | None) -> bool:
        return ms is not None and self.since <= ms < self.until

    def add(self, section: str, measure: str, amount: int, *scopes: str) -> None:
        """Add to the figure over all, and to the one of each scope in turn (channel, then storefront)."""
        for depth in range(len([scope for scope in scopes if scope]) + 1):
            self.found[".".join((section, *scopes[:depth], measure))] += amount  # type: ignore[operator]

    def figures(self) -> dict[str, int | None]:
        for part in (
            *(self.orders, self.parcels, self.returns, self.money, self.pushes, self.findings, self.stock, self.proofs, self.entered),
            self.latencies,
        ):  # fmt: skip
            part()
        return dict(self.found)

    # -- orders

    def units(self, line: Row, *stages: str) -> int:
        return sum(count for stage, count, *_ in json.loads(line["units"]) if not stages or stage in stages)

    def goods(self, order: Row) -> tuple[int, int | None]:
        units, value = 0, 0
        unknown = cancelled = False
        for line in self.lines[order["id"]]:
            wanted = self.units(line) - self.units(line, "cancelled")
            cancelled = cancelled or wanted < self.units(line)
            units += wanted
            if wanted and line["unit_price"] is None:
                unknown = True
            value += wanted * (line["unit_price"] or 0)
        if unknown:
            return units, None if cancelled else order["goods_total"]
        return units, value

    def orders(self) -> None:
        known: set[tuple[str, ...]] = set()
        for order in self.order.values():
            slug, front = self.slug[order["channel_id"]], order["storefront"]
            scopes = (slug, front) if front else (slug,)
            if order["state"] == "cancelled" and order["created_ms"] < self.since:
                moment = order["cancelled_ms"] if order["cancelled_ms"] is not None else order["updated_ms"]
                if self.inside(moment):
                    self.add("orders", "cancelled_from_before", 1, *scopes)
            if not self.inside(order["created_ms"]):
                continue
            self.add("orders", "orders", 1, *scopes)
            if order["state"] in ("cancelled", "unpaid"):
                self.add("orders", order["state"], 1, *scopes)
                continue
            units, value = self.goods(order)
            self.add("orders", "units", units, *scopes)
            for depth in range(len(scopes) + 1):
                if value is not None:
                    known.add(scopes[:depth])
            self.add(
                "orders", "revenue" if value is not None else "revenue_unknown", 1 if value is None else value, *scopes
            )
        for name in [name for name in self.found if name.endswith(".revenue_unknown")]:
            scope = tuple(name.split(".")[1:-1])
            if scope not in known:
                self.found[name.removesuffix("_unknown")] = None  # all of them are unknown

    # -- parcels and returns

    def parcels(self) -> None:
        channel = {row["id"]: row for row in self.tables["channel"]}
        for parcel in self.tables["parcel"]:
            slug = self.slug[parcel["channel_id"]]
            walked = channel[parcel["channel_id"]]["first_walk_done_ms"]
            for column, measure in (("booked", "booked"), ("picked_up", "handed_over"), ("delivered", "delivered")):
                moment = parcel[f"{column}_ms"]
                old = moment == parcel["created_ms"] and (walked is None or moment <= walked)
                if self.inside(moment) and not old:
                    self.add("parcels", measure, 1, slug)
                    due = parcel["ship_by_ms"] or self.order[parcel["order_id"]]["ship_by_ms"]
                    if column == "picked_up" and due is not None and moment > due:
                        self.add("parcels", "handed_over_late", 1, slug)
            if parcel["state"] == "booked" and not parcel["waybill"] and not parcel["pickup_code"]:
                self.add("parcels", "waiting_waybill", 1, slug)
            if parcel["state"] in ("problem", "pickup_retry", "returning", "unknown"):
                self.add("parcels", "trouble", 1, slug)

    def returns(self) -> None:
        graded: dict[int, int] = defaultdict(int)
        document = {row["id"]: row for row in self.tables["return_document"]}
        for row in self.tables["return_grade"]:
            graded[row["return_id"]] += row["quantity"]
            order = self.order[document[row["return_id"]]["order_id"]]
            if self.inside(row["graded_ms"]):
                self.add("returns", row["grade"], row["quantity"], self.slug[order["channel_id"]])
        for row in document.values():
            order = self.order[row["order_id"]]
            slug = self.slug[order["channel_id"]]
            if row["state"] != "withdrawn" and self.inside(row["opened_ms"]):
                self.add("returns", "opened", row["quantity"], slug)
                self.add("orders", "returned", row["quantity"], slug, order["storefront"])
            if row["state"] != "withdrawn" and self.inside(row["received_ms"]):
                self.add("returns", "received", row["received"], slug)
            if row["state"] in ("open", "received"):
                self.add("returns", "open", 1)
                self.add("returns", "ageing", int(row["opened_ms"] < self.now - 14 * 86_400_000))
                self.add("returns", "awaited", row["quantity"] - row["received"] if row["state"] == "open" else 0, slug)
                self.add("returns", "ungraded", row["received"] - graded[row["id"]], slug)
        for row in self.tables["document"]:
            if row["kind"] == "return":
                self._of_no_order(row)

    def _of_no_order(self, document: Row) -> None:
        left = 0
        for move in self.tables["movement"]:
            if move["cause_kind"] == "document" and move["cause_id"] == document["id"]:
                left += move["quantity"] if move["destination"] == "inspect" else -move["quantity"]
                what = {"inspect": "received", "available": "sellable"}.get(move["destination"], move["destination"])
                if self.inside(move["recorded_ms"]):
                    self.add("returns", what, move["quantity"], "-")
        if left:
            self.add("returns", "open", 1)
            self.add("returns", "ageing", int(document["created_ms"] < self.now - 14 * 86_400_000))
            self.add("returns", "ungraded", left, "-")

    # -- money

    def cost(self, order: Row) -> int | None:
        """What the order's goods cost: units that it holds or took, less those that came back to be sold."""
        taken: dict[int, int] = defaultdict(int)
        for line in self.lines[order["id"]]:
            if line["recipe_id"] is None and self.units(line) > self.units(line, "cancelled"):
                return None
        for move in self.tables["movement"]:
            if move["cause_kind"] == "order" and move["cause_id"] == order["id"]:
                taken[move["sku_id"]] += move["quantity"] * (
                    (move["source"] == "available") - (move["destination"] == "available")
                )
            if move["cause_kind"] == "return" and (move["source"], move["destination"]) == ("inspect", "available"):
                document = next(row for row in self.tables["return_document"] if row["id"] == move["cause_id"])
                if document["order_id"] == order["id"]:
                    taken[move["sku_id"]] -= move["quantity"]
        total = 0
        for sku_id, units in taken.items():
            costs = [
                row for row in self.tables["cost"] if row["sku_id"] == sku_id and row["since_ms"] <= order["created_ms"]
            ]
            if units and not costs:
                return None
            total += units * max(costs, key=lambda row: row["since_ms"])["amount"] if units else 0
        return total

    def money(self) -> None:
        parts: dict[int, list[Row]] = defaultdict(list)
        for row in self.tables["settlement_part"]:
            parts[row["settlement_id"]].append(row)
        names = {(row["channel_id"], row["remote_id"]): row for row in self.order.values()}
        known: set[str] = set()
        for row in sorted(self.tables["settlement"], key=lambda row: (row["settled_ms"], row["id"])):
            key = (row["channel_id"], row["order_remote_id"])
            earlier = any(
                (one["settled_ms"], one["id"]) < (row["settled_ms"], row["id"])
                for one in self.tables["settlement"]
                if (one["channel_id"], one["order_remote_id"]) == key
            )
            if not self.inside(row["settled_ms"]):
                continue
            slug = self.slug[row["channel_id"]]
            self.add("money", "settlements", 1, slug)
            self.add("money", "net", row["net"], slug)
            for part in parts[row["id"]]:
                self.add("money", GROUPS[part["name"]], part["amount"], slug)
            order = names.get(key)
            cost: int | None = 0
            if row["order_remote_id"]:
                cost = None if order is None else (0 if earlier else self.cost(order))
            for name, value in (("cost", cost), ("margin", None if cost is None else row["net"] - cost)):
                if value is not None:
                    known |= {f"money.{name}", f"money.{slug}.{name}"}
                self.add("money", name if value is not None else f"{name}_unknown", 1 if value is None else value, slug)
        for name in [name for name in self.found if name.startswith("money.") and name.endswith("_unknown")]:
            if name.removesuffix("_unknown") not in known:
                self.found[name.removesuffix("_unknown")] = None

    # -- the rest

    def pushes(self) -> None:
        target = {row["id"]: self.slug[row["channel_id"]] for row in self.tables["target"]}
        names = {"rejected": "refused", "sent": "open"}
        for row in self.tables["push"]:
            if self.inside(row["sent_ms"]):
                self.add("pushes", "sent", 1, target[row["target_id"]])
                self.add("pushes", names.get(row["outcome"], row["outcome"]), 1, target[row["target_id"]])

    def findings(self) -> None:
        for row in self.tables["finding"]:
            self.add("needs", "total", int(row["closed_ms"] is None))
            self.add("needs", "opened", int(self.inside(row["since_ms"])))
            self.add("needs", "closed", int(self.inside(row["closed_ms"])))
            if row["kind"] == "difference":
                slug = self.slug[row["channel_id"]]
                self.add("differences", "found", int(self.inside(row["since_ms"])), slug)
                self.add("differences", "open", int(row["closed_ms"] is None), slug)
        for row in self.tables["job_run"]:
            if row["job"] == "compare_stock" and self.inside(row["started_ms"]):
                for name in ("compared", "not_comparable"):
                    self.add("differences", name, json.loads(row["counts"]).get(name, 0), self.slug[row["channel_id"]])

    def stock(self) -> None:
        counted = {row["sku_id"] for row in self.tables["count_line"]}
        shelf: dict[int, int] = defaultdict(int)
        by_warehouse: dict[tuple[int, int], int] = defaultdict(int)
        for move in self.tables["movement"]:
            for side, sign in (("destination", 1), ("source", -1)):
                if move[side] == "available":
                    shelf[move["sku_id"]] += sign * move["quantity"]
                    by_warehouse[move["sku_id"], move[f"{side}_warehouse_id"]] += sign * move["quantity"]
        recipes = {row["recipe_id"] for row in self.tables["listing"] if row["active"]}
        on_sale = {row["sku_id"] for row in self.tables["recipe_item"] if row["recipe_id"] in recipes}
        self.found["stock.skus"] = len(counted)
        self.found["stock.sold_out"] = sum(shelf[sku] == 0 and sku in on_sale for sku in counted)
        short = [-units for units in by_warehouse.values() if units < 0]
        self.found["stock.short"], self.found["stock.short_units"] = len(short), sum(short)
        self.found["stock.value"] = 0
        for sku_id, units in shelf.items():
            costs = [row for row in self.tables["cost"] if row["sku_id"] == sku_id and row["since_ms"] <= self.now]
            if units > 0 and costs:
                self.found["stock.value"] += units * max(costs, key=lambda row: row["since_ms"])["amount"]
            self.found["stock.value_unknown"] += int(units > 0 and not costs)  # type: ignore[operator]
        codes = {row["id"]: row["code"] for row in self.tables["sku"]}
        for sku_id, code in codes.items():
            self.found[f"stock.sku.{code}.available"] = shelf[sku_id]

    def entered(self) -> None:
        for document in self.tables["document"]:
            if self.inside(document["created_ms"]):
                kind = document["kind"]
                self.found[f"entered.{kind}.documents"] += 1  # type: ignore[operator]
                for move in self.tables["movement"]:
                    if move["cause_kind"] == "document" and move["cause_id"] == document["id"]:
                        self.found[f"entered.{kind}.units_in"] += move["quantity"] * (
                            move["destination"] == "available"
                        )  # type: ignore[operator]
                        self.found[f"entered.{kind}.units_out"] += move["quantity"] * (move["source"] == "available")  # type: ignore[operator]

    def proofs(self) -> None:
        for name, table in (
            *(("movements", "movement"), ("balances", "balance"), ("sealed", "seal"), ("orders", "sales_order")),
            *(("order_lines", "order_line"), ("skus", "sku"), ("listings", "listing")),
        ):
            self.found[f"proof.{name}"] = len(self.tables[table])
        self.found["proof.counts"] = sum(row["kind"] == "count" for row in self.tables["document"])
        newest: dict[tuple[int, str], Row] = {}
        for row in self.tables["order_proof"]:
            newest[row["channel_id"], row["day"]] = row
        for (channel_id, day), row in newest.items():
            begins = round(datetime.fromisoformat(f"{day}T00:00+07:00").timestamp() * 1000)
            if self.inside(begins):
                for name in ("on_channel", "in_ledger", "repaired"):
                    self.found[f"proof.{self.slug[channel_id]}.{name}"] += row[name]  # type: ignore[operator]
                missing = len(json.loads(row["missing"]))
                self.found[f"proof.{self.slug[channel_id]}.missing"] += missing  # type: ignore[operator]
        for row in self.tables["request_count"]:
            begins = round(datetime.fromisoformat(f"{row['day']}T00:00+00:00").timestamp() * 1000)
            if self.inside(begins):
                self.found[f"health.{self.slug[row['channel_id']]}.requests"] += row["sent"]  # type: ignore[operator]

    def latencies(self) -> None:
        """From placed to seen, of orders that took something from the shelf once their channel was walked."""
        moved = {
            row["cause_id"]
            for row in self.tables["movement"]
            if row["cause_kind"] == "order" and row["revision"] == 1 and row["source"] == "available"
        }
        walked = {row["id"]: row["first_walk_done_ms"] for row in self.tables["channel"]}
        heard: dict[str, list[int]] = defaultdict(list)
        for order in self.order.values():
            if (
                order["id"] in moved
                and self.inside(order["created_ms"])
                and order["seen_ms"] > walked[order["channel_id"]]
            ):
                for scope in ("", f"{self.slug[order['channel_id']]}."):
                    heard[scope].append(order["seen_ms"] - order["created_ms"])
        for scope, samples in heard.items():
            self.found[f"health.{scope}heard_p50"] = _rank(samples, 50)
            self.found[f"health.{scope}heard_p95"] = _rank(samples, 95)


def _rank(samples: Iterable[int], percent: int) -> int:
    """The smallest sample that so many percent do not exceed."""
    ordered = sorted(samples)
    return next(one for one in ordered if sum(other <= one for other in ordered) * 100 >= percent * len(ordered))


COMPUTED: tuple[Callable[[str], bool], ...] = (
    lambda name: name.startswith(("orders.", "returns.", "pushes.", "needs.", "differences.", "entered.")),
    lambda name: (
        name.startswith("parcels.") and name.rpartition(".")[2] not in ("late", "due_today", "stuck", "troubled")
    ),
    lambda name: name.startswith("money.") and not name.startswith("money.sku.") and "courier" not in name,
    lambda name: (
        name.startswith("stock.") and name.rpartition(".")[2] not in ("sold", "below_reorder", "overstock", "dead")
    ),
    lambda name: name.startswith("proof.") and not name.endswith("oversold_units"),
    lambda name: name.startswith("health.") and ("heard" in name or name.endswith("requests")),
)
"""Which figures are counted again here."""
