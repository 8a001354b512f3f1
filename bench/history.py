"""A shop's history of any length as a ledger file, written straight into the tables.

    .venv/bin/python bench/history.py FILE [--orders 200000] [--days 365] [--skus 800] [--seed 1]

The rows agree with each other as those of the product do (`sellersync ledger verify` proves it); only their number is made up.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from sellersync.store import schema, seals

DAY_MS = 86_400_000
END_MS = 1_795_280_400_000  # midnight of 22 November 2026 in Jakarta
CHANNELS = (("shopee", 45), ("tokopedia", 30), ("lazada", 15), ("web", 10))
BATCH = 20_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--orders", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--skus", type=int, default=800)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    write(options.file, orders=options.orders, days=options.days, skus=options.skus, seed=options.seed)
    print(f"{options.file}: {options.file.stat().st_size / 2**20:.0f} MiB in {time.monotonic() - started:.0f} s")
    return 0


def write(file: Path, *, orders: int, days: int, skus: int, seed: int) -> None:
    """Make the ledger. The file must not exist."""
    schema.upgrade(f"sqlite:///{file}")
    with sqlite3.connect(file, isolation_level=None) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("BEGIN")
        History(database, Random(seed), days=days, skus=skus).write(orders)
        database.execute("COMMIT")


class History:
    """One shop. Everything is kept in lists and written in batches."""

    def __init__(self, database: sqlite3.Connection, rng: Random, *, days: int, skus: int) -> None:
        self.database = database
        self.rng = rng
        self.first_ms = END_MS - days * DAY_MS
        self.days = days
        self.skus = skus
        self.pending: dict[str, list[tuple[object, ...]]] = {}
        self.movement = 0
        self.chain = seals.FIRST_HASH
        self.balance: dict[tuple[int, int, str], int] = {}

    def insert(self, table: str, columns: str, *values: object) -> None:
        rows = self.pending.setdefault(f"{table} ({columns})", [])
        rows.append(values)
        if len(rows) >= BATCH:
            self.flush()

    def flush(self) -> None:
        for place, rows in self.pending.items():
            if not rows:
                continue
            marks = ", ".join("?" * len(rows[0]))
            self.database.executemany(f"INSERT INTO {place} VALUES ({marks})", rows)
            rows.clear()

    def write(self, orders: int) -> None:
        self.units_each = 2 * orders // self.skus  # about what is sold of each, so that some run out
        self.catalogue()
        moments = sorted(self.first_ms + self.rng.randrange(self.days * DAY_MS) for _ in range(orders))
        for number, placed_ms in enumerate(moments, start=1):
            self.order(number, placed_ms)
        for (sku, warehouse, account), quantity in self.balance.items():
            self.insert(
                "balance",
                "sku_id, warehouse_id, account, quantity, changed_ms, movement_id",
                sku,
                warehouse,
                account,
                quantity,
                END_MS,
                self.movement,
            )
        for key, value in (("install_id", "0123456789abcdef"), ("epoch", "1"), ("created_ms", str(self.first_ms))):
            self.database.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
        self.flush()

    def catalogue(self) -> None:
        self.insert("warehouse", "id, code, name", 1, "main", "")
        for number, (slug, _) in enumerate(CHANNELS, start=1):
            self.insert(
                "channel",
                "id, provider, remote_shop_id, slug, kind, warehouse_id, created_ms, first_walk_done_ms, failures, state, "
                "trouble, last_pull_ms, last_push_ms",
                number,
                slug,
                slug,
                slug,
                "channel",
                1,
                self.first_ms,
                self.first_ms,
                0,
                "ok",
                "",
                END_MS + 6 * 3_600_000,
                END_MS,
            )
        self.insert(
            "document",
            "id, kind, warehouse_id, at_ms, created_ms, who, note, source",
            1,
            "count",
            1,
            self.first_ms,
            self.first_ms,
            "sari",
            "",
            "person",
        )
        for sku in range(1, self.skus + 1):
            counted = self.rng.randrange(self.units_each, 2 * self.units_each)
            self.insert(
                "sku",
                "id, code, title, barcode, buffer, created_ms",
                sku,
                f"SKU-{sku:05d}",
                f"Barang {sku}",
                "",
                0,
                self.first_ms,
            )
            self.insert(
                "count_line",
                "document_id, sku_id, warehouse_id, at_ms, counted, expected",
                1,
                sku,
                1,
                self.first_ms,
                counted,
                0,
            )
            self.move(sku, counted, "adjustment", "available", self.first_ms, "document", 1, 1, sku, "count")
            if sku % 10:
                self.insert(
                    "cost",
                    "sku_id, since_ms, amount, recorded_ms, who",
                    sku,
                    self.first_ms,
                    9_000 + sku,
                    self.first_ms,
                    "sari",
                )
            for channel in range(1, len(CHANNELS) + 1):
                key = (sku - 1) * len(CHANNELS) + channel
                self.insert(
                    "listing",
                    "id, channel_id, remote_key, seller_sku, title, variation, barcode, price, active, managed, "
                    "recipe_id, first_seen_ms, seen_ms",
                    key,
                    channel,
                    f"L{sku}",
                    f"SKU-{sku:05d}",
                    f"Barang {sku}",
                    "",
                    "",
                    25_000,
                    True,
                    True,
                    key,
                    self.first_ms,
                    self.first_ms,
                )
                self.insert(
                    "recipe", "id, listing_id, version, created_ms, who", key, key, 1, self.first_ms, "exact SKU"
                )
                self.insert("recipe_item", "recipe_id, sku_id, quantity", key, sku, 1)
                self.insert(
                    "target",
                    "id, channel_id, remote_key, location, acked_version, pot_inside, agreed_zero, blocked",
                    key,
                    channel,
                    f"L{sku}",
                    "",
                    0,
                    False,
                    False,
                    "",
                )
                self.insert("listing_target", "listing_id, target_id", key, key)
        self.flush()

    def order(self, number: int, placed_ms: int) -> None:
        rng = self.rng
        channel = rng.choices(range(1, len(CHANNELS) + 1), [weight for _, weight in CHANNELS])[0]
        done = placed_ms < END_MS - 4 * DAY_MS
        cancelled = rng.random() < 0.04
        state = "cancelled" if cancelled else ("completed" if done else "ready")
        seen = placed_ms + rng.randrange(5_000, 90_000)
        self.insert(
            "sales_order",
            "id, channel_id, remote_id, number, storefront, state, remote_status, created_ms, updated_ms, read_started_ms, "
            "digest, paid_ms, seen_ms, changed_ms, cancelled_ms, shipped_ms, ship_by_ms, cod, hold_expired, goods_total, shipping_fee, "
            "payment_method, courier_service, cancel_by, cancel_reason, problems, posted_rev, gone",
            number,
            channel,
            f"{channel}-{number:08d}",
            "",
            "",
            state,
            state.upper(),
            placed_ms,
            placed_ms,
            seen,
            "d",
            placed_ms,
            seen,
            seen,
            placed_ms + 3_600_000 if cancelled else None,
            placed_ms + DAY_MS if done and not cancelled else None,
            placed_ms + 2 * DAY_MS,
            False,
            False,
            None,
            10_000,
            "",
            "",
            "",
            "",
            "",
            2 if done else 1,
            "",
        )
        chosen = rng.sample(range(1, self.skus + 1), rng.choice((1, 1, 1, 2)))
        left = done and not cancelled
        total = 0
        for leg, sku in enumerate(chosen):
            units = rng.choice((1, 1, 1, 2, 3))
            price = 15_000 + sku * 50
            total += price * units
            stage = "cancelled" if cancelled else ("left" if left else "open")
            self.insert(
                "order_line",
                "order_id, line_key, aliases, listing_key, target_key, location, seller_sku, title, quantity, unit_price, "
                "ours, units, left_count, left_keys, return_due, recipe_id, warehouse_id, target_id, held_outside, on_shelf",
                number,
                f"l{leg}",
                "[]",
                f"L{sku}",
                f"L{sku}",
                "",
                f"SKU-{sku:05d}",
                f"Barang {sku}",
                units,
                price,
                True,
                json.dumps([[stage, units, "", "unknown"]]),
                units if left else 0,
                "[]",
                0,
                (sku - 1) * len(CHANNELS) + channel,
                1,
                (sku - 1) * len(CHANNELS) + channel,
                0,
                0 if left or cancelled else units,
            )
            self.move(sku, units, "available", "reserved", seen, "order", number, 1, leg, "ordered")
            if cancelled:
                self.move(sku, units, "reserved", "available", seen + 3_600_000, "order", number, 2, leg, "cancelled")
            elif left:
                self.move(sku, units, "reserved", "shipped", seen + DAY_MS, "order", number, 2, leg, "shipped")
            held = (0, 0) if cancelled else ((0, units) if left else (units, 0))
            self.insert("order_position", "order_id, sku_id, warehouse_id, reserved, shipped", number, sku, 1, *held)
        if not cancelled:
            self.parcel(number, channel, placed_ms, done)
        if left and channel <= 3 and placed_ms < END_MS - 8 * DAY_MS:
            self.settlement(number, channel, placed_ms + 7 * DAY_MS, total)
        self.push(chosen[0], channel, seen)

    def parcel(self, number: int, channel: int, placed_ms: int, done: bool) -> None:
        booked, left = placed_ms + 3_600_000, placed_ms + DAY_MS
        self.insert(
            "parcel",
            "id, channel_id, order_id, number, state, remote_status, remote_id, adopted, waybill, pickup_code, courier, service, "
            "why_chosen, routing_code, created_ms, booked_ms, picked_up_ms, delivered_ms, state_since_ms",
            number,
            channel,
            number,
            1,
            "delivered" if done else "booked",
            "",
            f"P{number}",
            False,
            f"W{number}",
            "",
            "jne",
            "reg",
            "",
            "",
            booked,
            booked,
            left if done else None,
            left + 2 * DAY_MS if done else None,
            left + 2 * DAY_MS if done else booked,
        )

    def settlement(self, number: int, channel: int, at_ms: int, total: int) -> None:
        fee = total // 12
        self.insert(
            "settlement",
            "id, channel_id, remote_id, order_remote_id, settled_ms, net, seen_ms, changed_ms",
            number,
            channel,
            f"S{number}",
            f"{channel}-{number:08d}",
            at_ms,
            total - fee,
            at_ms,
            at_ms,
        )
        self.insert("settlement_part", "settlement_id, name, amount", number, "order_original_price", total)
        self.insert("settlement_part", "settlement_id, name, amount", number, "commission_fee", -fee)

    def push(self, sku: int, channel: int, seen_ms: int) -> None:
        for other in range(1, len(CHANNELS) + 1):
            if other != channel:
                self.insert(
                    "push",
                    "target_id, level, ledger_version, key, attempt, wanted_ms, sent_ms, answered_ms, outcome, detail",
                    (sku - 1) * len(CHANNELS) + other,
                    10,
                    self.movement,
                    f"k{self.movement}",
                    1,
                    seen_ms,
                    seen_ms + 900,
                    seen_ms + 1_500,
                    "applied",
                    "",
                )

    def move(
        self,
        sku: int,
        units: int,
        source: str,
        destination: str,
        at_ms: int,
        kind: str,
        cause: int,
        revision: int,
        leg: int,
        reason: str,
    ) -> None:
        self.movement += 1
        places = {"available": 1, "reserved": 1}
        row = (
            self.movement,
            sku,
            units,
            source,
            places.get(source, 0),
            destination,
            places.get(destination, 0),
            at_ms,
            at_ms,
            kind,
            cause,
            revision,
            leg,
            reason,
            "sync",
        )
        self.insert(
            "movement",
            "id, sku_id, quantity, source, source_warehouse_id, destination, destination_warehouse_id, occurred_ms, "
            "recorded_ms, cause_kind, cause_id, revision, leg, reason, who",
            *row,
        )
        self.chain = seals.link(self.chain, row)
        self.insert("seal", "movement_id, hash, sealed_ms", self.movement, self.chain, at_ms)
        for key, change in (((sku, row[4], source), -units), ((sku, row[6], destination), units)):
            self.balance[key] = self.balance.get(key, 0) + change


if __name__ == "__main__":
    raise SystemExit(main())
