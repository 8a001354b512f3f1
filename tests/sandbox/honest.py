"""An honest bookkeeper: writes, from the simulators' journals, the ledger that a faultless product would have written.

Tests plant one defect in what it wrote and expect the judge to name it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
from sqlalchemy import create_engine
from sqlmodel import Session, SQLModel

from sellersync.sandbox.books import open_ledger
from sellersync.sandbox.judge import Evidence, Verdict, judge
from sellersync.sandbox.kit import CourierSimulator, Event
from sellersync.sandbox.market import World
from sellersync.store import tables as t

from .shop import TinyShop

WAREHOUSE = 1
COLUMNS = (
    "id, sku_id, quantity, source, source_warehouse_id, destination, destination_warehouse_id, occurred_ms, recorded_ms, "
    "cause_kind, cause_id, revision, leg, reason, who"
)


class TinyCourier(CourierSimulator):
    """Bookings made by hand."""

    provider = "tiny-courier"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._bookings: dict[str, dict[str, Any]] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={})

    def bookings(self) -> Mapping[str, Mapping[str, Any]]:
        return self._bookings

    def advance(self, booking_id: str, status: str) -> None:
        booking = self._bookings[booking_id]
        booking["status"] = status
        events = {"cancelled": Event.PARCEL_CANCELLED, "picked": Event.HANDED_OVER, "delivered": Event.DELIVERED}
        self.record(events[status], parcel_id=booking_id, order_id=booking["reference"])

    def book(self, reference: str, order_number: str = "", units: int = 1) -> str:
        booking_id, waybill = f"c{len(self._bookings) + 1}", f"JNEc{len(self._bookings) + 1}"
        self._bookings[booking_id] = {
            "reference": reference,
            "order_number": order_number,
            "waybill": waybill,
            "status": "confirmed",
        }
        items = [("", "", units)]  # a courier knows no listing
        self.record(Event.PARCEL_ARRANGED, parcel_id=booking_id, order_id=reference, items=items, waybill=waybill)
        return booking_id


@dataclass
class Town:
    """Two marketplaces, an own site with its courier, two SKUs and a bundle of them on channel b."""

    now: float = 1_795_219_200.0
    shops: dict[str, TinyShop] = field(default_factory=dict)
    booked: dict[str, str] = field(default_factory=dict)
    """Own-site order -> booking id."""
    given_up: list[tuple[str, str]] = field(default_factory=list)
    """(own-site order, booking id) of bookings that were cancelled."""

    def __post_init__(self) -> None:
        self.world = World({"KOPI": 5, "TEH": 4}, {"PAKET": {"KOPI": 1, "TEH": 1}})
        self.courier = TinyCourier(clock=self.clock, rng=Random(9))
        for slug in ("a", "b", "site"):
            shop = self.shops[slug] = TinyShop(clock=self.clock, rng=Random(1))
            shop.add_product("KOPI", "Kopi Gayo", price=85_000, stock=5)
            shop.add_product("TEH", "Teh Melati", price=30_000, stock=4)
        self.shops["b"].add_product("PAKET", "Paket Kopi dan Teh", price=110_000, stock=4)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def push_all(self) -> None:
        """Set every number to what the sales left."""
        left = Counter(dict(self.world.stock))
        for shop in self.shops.values():
            for entry in shop.journal.entries(Event.ORDER_PLACED, Event.ORDER_CANCELLED):
                sign = 1 if entry.event is Event.ORDER_CANCELLED else -1
                for _, seller_sku, count in entry.data["items"]:
                    for sku, quantity in self.world.parts(seller_sku).items():
                        left[sku] += sign * count * quantity
        for shop in self.shops.values():
            for product in shop.products():
                level = max(0, min(left[sku] // n for sku, n in self.world.parts(product.seller_sku).items()))
                if shop.shown(product.remote_key) != level:
                    shop.set_level(product.remote_key, level)

    def book(self, order_id: str) -> None:
        [placed] = [
            entry
            for entry in self.shops["site"].journal.entries(Event.ORDER_PLACED)
            if entry.data["order_id"] == order_id
        ]
        units = sum(count for _, _, count in placed.data["items"])
        self.booked[order_id] = self.courier.book(f"SS-{order_id}-{len(self.given_up)}", order_id, units)

    def cancel_booking(self, order_id: str) -> None:
        booking_id = self.booked.pop(order_id)
        self.courier.advance(booking_id, "cancelled")
        self.given_up.append((order_id, booking_id))

    def evidence(self, **changes: Any) -> Evidence:
        values: dict[str, Any] = {
            "channels": self.shops,
            "couriers": {"courier": self.courier},
            "world": self.world,
            "own_sites": {"site"},
            "shortened": ["poll_s 60 -> 1"],
        }
        return Evidence(**{**values, **changes})


def judged(town: Town, path: Path, **changes: Any) -> Verdict:
    with open_ledger(path) as connection:
        return judge(town.evidence(**changes), connection)


@contextmanager
def edited(path: Path) -> Iterator[sqlite3.Connection]:
    """A hand in the ledger file."""
    connection = sqlite3.connect(path)
    with connection:
        yield connection
    connection.close()


def keep_books(town: Town, path: Path) -> None:
    """Write the whole ledger of a town into a file, and seal it."""
    write_books(town, f"sqlite:///{path}")
    with edited(path) as file:
        seal(file)


def write_books(town: Town, url: str) -> None:
    """Write the whole ledger of a town into any database, unsealed."""
    engine = create_engine(url)
    with engine.connect() as connection:
        if url.startswith("sqlite"):
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
        SQLModel.metadata.create_all(connection)
        with Session(connection) as session:
            _Keeper(town, session).keep()
            session.commit()
        connection.commit()
    engine.dispose()


def seal(connection: sqlite3.Connection) -> None:
    """Seal all movements afresh."""
    connection.execute("DELETE FROM seal")
    previous = "sellersync"
    for row in connection.execute(f"SELECT {COLUMNS} FROM movement ORDER BY id").fetchall():
        previous = hashlib.sha256((previous + "\n" + "|".join(map(str, row))).encode()).hexdigest()
        connection.execute("INSERT INTO seal (movement_id, hash, sealed_ms) VALUES (?, ?, 0)", (row[0], previous))


class _Keeper:
    def __init__(self, town: Town, session: Session) -> None:
        self.town = town
        self.session = session
        self.sku_ids = {code: number for number, code in enumerate(town.world.stock, 1)}
        self.channel_ids = {slug: number for number, slug in enumerate([*town.shops, "courier"], 1)}
        self.balances: Counter[tuple[int, int, str]] = Counter()
        self.positions: dict[tuple[int, int], list[int]] = {}
        self.targets: dict[tuple[str, str], int] = {}
        self.recipe_of: dict[tuple[str, str], int] = {}
        self.orders = self.parcels = 0
        self.lines: dict[tuple[str, str, str], int] = {}

    def add(self, row: SQLModel) -> None:
        self.session.add(row)
        self.session.flush()

    def keep(self) -> None:
        self._catalogue()
        self.add(t.Document(id=1, kind="count", warehouse_id=WAREHOUSE, at_ms=1, created_ms=1, who="test"))
        for leg, (code, count) in enumerate(self.town.world.stock.items()):
            self.add(
                t.CountLine(
                    document_id=1,
                    sku_id=self.sku_ids[code],
                    warehouse_id=WAREHOUSE,
                    at_ms=1,
                    counted=count,
                    expected=0,
                )
            )
            self._move(code, count, "adjustment", "available", ("document", 1, 1, leg))
        for slug, shop in self.town.shops.items():
            for entry in shop.journal.entries(Event.ORDER_PLACED):
                self._order(slug, entry.data)
        for slug, shop in self.town.shops.items():
            for entry in shop.journal.entries(Event.PARCEL_ARRANGED):
                self._parcel(slug, slug, entry.data["order_id"], entry.data["parcel_id"], entry.data["waybill"])
        for order_id, booking_id in self.town.given_up:
            self._parcel("site", "courier", order_id, booking_id, f"JNE{booking_id}", state="cancelled")
        for order_id, booking_id in self.town.booked.items():
            self._parcel("site", "courier", order_id, booking_id, f"JNE{booking_id}")
        for (sku_id, warehouse, account), quantity in self.balances.items():
            self.add(t.Balance(sku_id=sku_id, warehouse_id=warehouse, account=account, quantity=quantity))

    def _catalogue(self) -> None:
        self.add(t.Warehouse(id=WAREHOUSE, code="main"))
        for slug, number in self.channel_ids.items():
            kind = "courier" if slug == "courier" else "channel"
            self.add(t.ChannelRow(id=number, provider="tiny", remote_shop_id=slug, slug=slug, kind=kind, created_ms=1))
        for code, number in self.sku_ids.items():
            self.add(t.Sku(id=number, code=code, created_ms=1))
        number = 0
        for slug, shop in self.town.shops.items():
            for product in shop.products():
                number += 1
                channel_id = self.channel_ids[slug]
                self.add(
                    t.Listing(
                        id=number,
                        channel_id=channel_id,
                        remote_key=product.remote_key,
                        recipe_id=number,
                        first_seen_ms=1,
                        seen_ms=1,
                    )
                )
                self.add(t.Recipe(id=number, listing_id=number, version=1, created_ms=1, who="test"))
                for code, quantity in self.town.world.parts(product.seller_sku).items():
                    self.add(t.RecipeItem(recipe_id=number, sku_id=self.sku_ids[code], quantity=quantity))
                self.add(t.Target(id=number, channel_id=channel_id, remote_key=product.remote_key))
                self.add(t.ListingTarget(listing_id=number, target_id=number))
                self.targets[slug, product.remote_key] = number

    def _order(self, slug: str, data: Mapping[str, Any]) -> None:
        self.orders += 1
        order_id, remote_id = self.orders, data["order_id"]
        self.add(
            t.OrderRow(
                id=order_id,
                channel_id=self.channel_ids[slug],
                remote_id=remote_id,
                state="ready",
                remote_status="READY",
                created_ms=1,
                updated_ms=1,
                read_started_ms=1,
                digest="d",
                seen_ms=1,
                changed_ms=1,
            )
        )
        cancelled: Counter[str] = Counter()
        for entry in self.town.shops[slug].journal.entries(Event.ORDER_CANCELLED):
            if entry.data["order_id"] == remote_id:
                cancelled.update({key: count for key, _, count in entry.data["items"]})
        leg = 0
        for key, seller_sku, count in data["items"]:
            line_id = len(self.lines) + 1
            self.lines[slug, remote_id, key] = line_id
            self.add(
                t.OrderLineRow(
                    id=line_id,
                    order_id=order_id,
                    line_key=key,
                    aliases="[]",
                    listing_key=key,
                    target_key=key,
                    quantity=count,
                    units="[]",
                    target_id=self.targets[slug, key],
                )
            )
            for code, quantity in self.town.world.parts(seller_sku).items():
                self._move(code, count * quantity, "available", "reserved", ("order", order_id, 1, leg))
                if cancelled[key]:
                    back = cancelled[key] * quantity
                    self._move(code, back, "reserved", "available", ("order", order_id, 2, leg))
                leg += 1
        for (owner, sku_id), (reserved, shipped) in self.positions.items():
            if owner == order_id:
                self.add(
                    t.OrderPosition(
                        order_id=order_id, sku_id=sku_id, warehouse_id=WAREHOUSE, reserved=reserved, shipped=shipped
                    )
                )

    def _parcel(
        self, slug: str, carrier: str, remote_order: str, remote_id: str, waybill: str, *, state: str = "booked"
    ) -> None:
        self.parcels += 1
        number = self.parcels
        lines = {key[2]: line for key, line in self.lines.items() if key[:2] == (slug, remote_order)}
        first = self.session.get_one(t.OrderLineRow, next(iter(lines.values())))
        parcel = t.ParcelRow(
            id=number,
            channel_id=self.channel_ids[slug],
            order_id=first.order_id,
            number=number,
            state=state,
            remote_id=remote_id,
            courier_channel_id=self.channel_ids["courier"] if carrier == "courier" else None,
            waybill=waybill,
            created_ms=1,
        )
        self.add(parcel)
        placed = self.town.shops[slug].journal.entries(Event.ORDER_PLACED, Event.ORDER_CANCELLED)
        for key, line_id in lines.items():
            units = 0
            for entry in placed:
                if entry.data["order_id"] == remote_order:
                    sign = 1 if entry.event is Event.ORDER_PLACED else -1
                    units += sum(sign * count for item, _, count in entry.data["items"] if item == key)
            for unit in range(units):
                self.add(
                    t.ParcelUnit(parcel_id=number, line_id=line_id, unit_key=f"#{unit + 1}", live=state == "booked")
                )

    def _move(self, code: str, quantity: int, source: str, destination: str, cause: tuple[str, int, int, int]) -> None:
        sku_id = self.sku_ids[code]
        places = {"available": WAREHOUSE, "reserved": WAREHOUSE}
        self.add(
            t.Movement(
                sku_id=sku_id,
                quantity=quantity,
                source=source,
                source_warehouse_id=places.get(source, 0),
                destination=destination,
                destination_warehouse_id=places.get(destination, 0),
                occurred_ms=1,
                recorded_ms=1,
                cause_kind=cause[0],
                cause_id=cause[1],
                revision=cause[2],
                leg=cause[3],
                reason="test",
                who="test",
            )
        )
        self.balances[sku_id, places.get(source, 0), source] -= quantity
        self.balances[sku_id, places.get(destination, 0), destination] += quantity
        if cause[0] == "order":
            position = self.positions.setdefault((cause[1], sku_id), [0, 0])
            position[0] += quantity if destination == "reserved" else -quantity
