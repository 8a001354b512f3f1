"""A morning at the packing desk on real sockets: orders of four channels are booked, labelled, picked, packed by scans, handed over and
tracked; buyers of the own site get their waybill and their mails; one parcel comes back.

The daemon and what staff do are processes of their own; what they only look at is read in this one. What is right is decided by the
simulators' books, the mail server and the barcodes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mail_server import MailServer, running
from paper import barcodes, pages, words
from premises import SHELF, Premises
from premises import until as wait_until

from sellersync.sandbox.kit import Event
from sellersync.sandbox.mount import LoopThread

CHANNELS = {"tokopedia": "tokopedia", "shopee": "shopee", "lazada": "lazada", "toko": "woocommerce"}
BUNDLE = {"KOPI-250": 2, "TEKO-01": 1}
COMMAND_TIMEOUT_S = 60.0
until = partial(wait_until, timeout_s=30.0)
"""Four channels, a daemon and commands share few processors."""
GUIDES = [Path(__file__).parents[2] / "docs" / name for name in ("packing-desk.md", "meja-packing.md")]
LOCALE = {"LC_ALL": "C.UTF-8", "COLUMNS": "200"}


class Morning(Premises):
    """Four channels, a courier service and a mail server; commands run as staff run them."""

    mail: MailServer

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.typed: list[tuple[str, ...]] = []

    def staff(self, *words: str, scans: Sequence[str] = (), expect: int = 0) -> str:
        """A command in a process of its own, with a scanner that types `scans`; returns what it printed."""
        self.typed.append(words)
        done = subprocess.run(
            [sys.executable, "-m", "sellersync", *words, "--config", str(self.config)],
            input="".join(f"{scan}\n" for scan in scans),
            env={**os.environ, **LOCALE},
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == expect, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def look(self, *words: str) -> str:
        """A command in this process, which takes a tenth of the time."""
        self.typed.append(words)
        return self.run(*words)

    def told(self, *words: str) -> Any:
        return json.loads(self.look(*words, "--json"))

    def stock(self) -> dict[str, tuple[int, int]]:
        """SKU -> (available, reserved)."""
        return {row["sku"]: (row["available"], row["reserved"]) for row in self.json("stock", "show", *SHELF)}

    def waybills(self) -> dict[str, tuple[str, str]]:
        """Waybill -> (channel or courier, parcel id), in the simulators' books."""
        found = {}
        for slug, outside in {**self.shops, **self.couriers}.items():
            for entry in outside.journal.entries(Event.WAYBILL_ISSUED):
                found[entry.data["waybill"]] = (slug, entry.data["parcel_id"])
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Morning]:
    """An open shop with a bundle; the levels are out and the daemon runs."""
    server, thread, listening = MailServer(), LoopThread(), AsyncExitStack()
    thread.run(listening.enter_async_context(running(server)), timeout_s=5)
    try:
        with Morning(tmp_path, CHANNELS, {"biteship": "biteship"}, jobs={"held_reread_s": 1.0}, poll_s=1.0) as place:
            place.mail = server
            with place.config.open("a") as config:
                config.write(
                    f'\n[mail]\nenabled = true\nbuyers = true\nhost = "127.0.0.1"\nport = {server.port}\n'
                    'security = "none"\nfrom_address = "toko@example.com"\nevery_s = 1\n'
                )
            shopee: Any = place.shops["shopee"]
            shopee.document_delay_s = 0.0  # one that is still being made is asked for every two seconds
            for slug in ("shopee", "toko"):
                product = place.shops[slug].add_product("PAKET-PAGI", "Paket pagi", price=150_000, stock=9)
                place.keys[slug, "PAKET-PAGI"] = product.remote_key
            place.open_shop()
            for slug in ("shopee", "toko"):
                parts = (f"{sku}={count}" for sku, count in BUNDLE.items())
                place.run("listings", "map", slug, place.keys[slug, "PAKET-PAGI"], *parts)
            for sku, code in (("TEKO-01", "A-2"), ("KOPI-250", "A-10")):
                place.look("stock", "bins", "set", sku, code)
            place.start()
            yield place
    finally:
        thread.run(listening.aclose(), timeout_s=5)
        thread.close()


def test_a_morning(place: Morning) -> None:
    orders = _orders_come_in(place)
    parcels = _booked(place, orders)
    _labels(place, parcels)
    _picked_and_packed(place, orders, parcels)
    _buyers_ask_to_cancel(place, orders, parcels)
    _handed_over(place, orders, parcels)
    _on_their_way(place, orders)
    _one_comes_back(place, orders, parcels)
    assert place.json("ledger", "verify")["ok"] is True
    _everything_in_the_guides_was_done(place)
    assert "Traceback" not in place.log.read_text()
    assert [crash for mount in place.mounts.values() for crash in mount.crashes] == []


def _orders_come_in(place: Morning) -> dict[str, str]:
    """What is bought: its name in this test -> order id."""
    tokopedia: Any = place.shops["tokopedia"]
    two = [(place.keys["tokopedia", sku], 1) for sku in SHELF]
    toko = place.shops["toko"]
    kopi, bundle = place.keys["toko", "KOPI-250"], place.keys["toko", "PAKET-PAGI"]
    return {
        "two parcels": tokopedia.place_order(two, split=True),
        "shopee": place.order("shopee", "PAKET-PAGI"),
        "asks to cancel": place.order("shopee", "TEKO-01"),
        "lazada": place.order("lazada", "KOPI-250", 2),
        "cod": toko.place_order([(kopi, 2)], cod=True),
        "bundle": toko.place_order([(bundle, 1)]),
        "comes back": toko.place_order([(kopi, 1)]),
    }


ORDERED = {"KOPI-250": 1 + 2 + 2 + 2 + 2 + 1, "TEKO-01": 1 + 1 + 1 + 1}


def _booked(place: Morning, orders: dict[str, str]) -> list[dict[str, Any]]:
    """The daemon books every order; returns the queue of the desk."""

    numbered = "SELECT COUNT(*) FROM parcel WHERE state = 'booked' AND waybill <> ''"
    until(lambda: place.query(numbered) == [(8,)], what="eight parcels with waybills")
    place.look("parcels", "list", "--due", "today")
    queue: list[dict[str, Any]] = place.json("parcels", "list")
    assert Counter(row["order"] for row in queue) == {
        order: 2 if name == "two parcels" else 1 for name, order in orders.items()
    }
    books = place.waybills()
    assert {row["waybill"] for row in queue} == set(books)
    [cod] = [booking for booking in place.couriers["biteship"].bookings().values() if booking["cod_amount"]]
    [row] = [row for row in queue if row["order"] == orders["cod"]]
    assert cod["waybill"] == row["waybill"]
    assert place.stock() == {sku: (SHELF[sku] - ORDERED[sku], ORDERED[sku]) for sku in SHELF}
    return queue


def _labels(place: Morning, parcels: list[dict[str, Any]]) -> None:
    """Each label is printed once; those of the own site carry the courier's number as a barcode."""
    files: list[dict[str, Any]] = []

    def printed() -> bool:
        answer = json.loads(place.staff("parcels", "labels", "--json"))
        files.extend(answer["files"])
        return sum(sheet["parcels"] for sheet in files) == len(parcels)

    until(printed, what="a label of every parcel")
    assert place.json("parcels", "labels")["files"] == []
    again = place.told("parcels", "labels", "--reprint", parcels[0]["order"], "--out", str(place.folder / "again"))
    assert barcodes(Path(again["files"][0]["file"]).read_bytes())[0][1] == parcels[0]["waybill"]
    scanned, read = set(), ""
    for sheet in files:
        pdf = Path(sheet["file"]).read_bytes()
        assert pages(pdf) == sheet["pages"] == sheet["parcels"]
        for page in range(pages(pdf)):
            scanned |= {text for _, text in barcodes(pdf, page)}
            read += words(pdf, page)
    own = {row["waybill"] for row in parcels if row["channel"] == "toko"}
    assert own <= scanned
    assert [row["waybill"] for row in parcels if row["waybill"] not in read and row["waybill"] not in scanned] == []


def _picked_and_packed(place: Morning, orders: dict[str, str], parcels: list[dict[str, Any]]) -> None:
    file = place.folder / "pick.pdf"
    picked = place.told("parcels", "pick", "--out", str(file))
    assert [(row["bin"], row["sku"], row["quantity"]) for row in picked["rows"]] == [
        ("A-2", "TEKO-01", ORDERED["TEKO-01"]),
        ("A-10", "KOPI-250", ORDERED["KOPI-250"]),
    ]
    assert "TEKO-01" in words(file.read_bytes())
    contents = {one["waybill"]: {part["sku"]: part["quantity"] for part in one["parts"]} for one in picked["parcels"]}
    waybill = {row["order"]: row["waybill"] for row in parcels}
    said = place.staff("parcels", "pack", scans=[waybill[orders["cod"]], "teko-01", "KOPI-250", "KOPI-250"])
    assert "WRONG ITEM: TEKO-01 does not belong into parcel" in said
    assert said.splitlines()[-1].startswith("DONE")
    scans = []
    for number, goods in contents.items():
        if number not in (waybill[orders["cod"]], waybill[orders["asks to cancel"]]):
            scans += [number, *(sku for sku, count in goods.items() for _ in range(count))]
    assert place.staff("parcels", "pack", scans=scans).count("DONE") == 6
    assert [one["waybill"] for one in place.json("parcels", "pick")["parcels"]] == [waybill[orders["asks to cancel"]]]


def _buyers_ask_to_cancel(place: Morning, orders: dict[str, str], parcels: list[dict[str, Any]]) -> None:
    """Two, after the labels were printed: until a person answers, their parcels are neither packed nor handed over."""
    order, other = orders["asks to cancel"], orders["shopee"]
    shopee: Any = place.shops["shopee"]
    shopee.request_cancel(order)
    shopee.request_cancel(other)
    asked = "SELECT COUNT(*) FROM sales_order WHERE state = 'cancel_requested'"
    until(lambda: place.query(asked) == [(2,)], what="two requests to cancel")
    [number] = [row["waybill"] for row in parcels if row["order"] == order]
    said = place.staff("parcels", "pack", scans=[number, "TEKO-01"], expect=1)
    assert said.startswith("DO NOT SHIP: THE BUYER OF")
    said = place.look("orders", "cancellations")
    assert order in said
    assert other in said
    place.staff("orders", "cancellations", "accept", order, "--yes")
    place.staff("orders", "cancellations", "reject", other, "--yes")
    until(lambda: place.stock()["TEKO-01"][1] == ORDERED["TEKO-01"] - 1, what="the goods of the cancelled one are free")
    until(lambda: place.query(asked) == [(0,)], what="the other one is to be shipped")


def _handed_over(place: Morning, orders: dict[str, str], parcels: list[dict[str, Any]]) -> None:
    """One manifest a courier; its goods leave the shelf at the hand-over, and only then."""
    before = place.stock()
    place.staff("parcels", "handover", _manifest(place, "SPX Standard"), "--void")
    taken: set[str] = set()
    for courier in sorted({row["courier"] for row in parcels} - {"sicepat"}):
        if not any(courier.startswith(other) for other in taken):  # J&T Express takes those of J&T Express ID along
            place.staff("parcels", "handover", _manifest(place, courier), "--note", "Pak Budi")
            taken.add(courier)
    place.staff("parcels", "handover", _manifest(place, "sicepat"), "--without", orders["bundle"])
    assert {sku: reserved for sku, (_, reserved) in place.stock().items()} == BUNDLE
    place.staff("parcels", "handover", _manifest(place, "SiCepat"))
    assert place.stock() == {sku: (free, 0) for sku, (free, _) in before.items()}
    assert place.look("parcels", "list").strip() == "Nothing waits to be shipped."
    assert place.json("parcels", "manifests", "--open") == []


def _manifest(place: Morning, courier: str) -> str:
    """A new manifest's number; it stands as a barcode on its paper."""
    answer = place.told("parcels", "manifest", "--courier", courier, "--packed")
    number = str(answer["manifest"]["id"])
    [pdf] = [file for file in answer["files"] if file.endswith(".pdf")]
    assert f"M-{number}" in {text for _, text in barcodes(Path(pdf).read_bytes())}
    return number


def _shipped(place: Morning) -> list[tuple[Any, ...]]:
    """(SKU, units) that the movements took from `reserved` to `shipped`."""
    return place.query(
        "SELECT sku.code, SUM(movement.quantity) FROM movement JOIN sku ON sku.id = movement.sku_id "
        "WHERE movement.destination = 'shipped' GROUP BY sku.code ORDER BY sku.code"
    )


def _on_their_way(place: Morning, orders: dict[str, str]) -> None:
    """The couriers collect and deliver; nothing leaves the shelf a second time, and each buyer of the own site heard once."""
    left = {**ORDERED, "TEKO-01": ORDERED["TEKO-01"] - 1}
    assert _shipped(place) == sorted(left.items())
    for slug in ("tokopedia", "shopee", "lazada"):
        for parcel in place.shops[slug].arranged_parcels():
            place.shops[slug].hand_over(parcel)
            place.shops[slug].deliver(parcel)
    biteship = place.couriers["biteship"]
    for booking in biteship.bookings():
        biteship.collect(booking)
    goods = [orders[name] for name in ("cod", "bundle", "comes back")]
    by_order = {
        row[0]: row[1]
        for row in place.query(
            "SELECT sales_order.remote_id, parcel.remote_id FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id"
        )
    }
    for order in goods[:2]:
        biteship.deliver(by_order[order])
    until(
        lambda: place.query("SELECT COUNT(*) FROM parcel WHERE state = 'delivered'") == [(6,)],
        what="six deliveries seen",
    )
    assert _shipped(place) == sorted(left.items())
    toko: Any = place.shops["toko"]
    waybills = {row["reference"]: row["waybill"] for row in biteship.bookings().values()}
    notes = [note for order in goods for note in toko.customer_notes(order)]
    assert sorted(note.rpartition(" ")[2] for note in notes) == sorted(waybills.values())
    until(lambda: len(place.mail.taken) == 2 * len(goods), what="two mails for each buyer")
    bodies = [place.mail.mail(index).as_string() for index in range(len(place.mail.taken))]
    for waybill in waybills.values():
        assert sum(waybill in body for body in bodies) == 1
    assert {row["state"] for row in place.json("mails", "list")} == {"sent"}


def _one_comes_back(place: Morning, orders: dict[str, str], parcels: list[dict[str, Any]]) -> None:
    order = orders["comes back"]
    place.look("parcels", "trouble")
    [number] = [row["waybill"] for row in parcels if row["order"] == order]
    _, booking = place.waybills()[number]
    place.couriers["biteship"].advance(booking, "return_in_transit")
    until(lambda: place.query("SELECT COUNT(*) FROM return_document") == [(1,)], what="the return is announced")
    free = place.stock()["KOPI-250"][0]
    assert f"of order {order} came back" in place.staff("returns", "receive", number)
    assert place.stock()["KOPI-250"] == (free, 0)
    [case] = place.told("returns", "list")
    place.staff("returns", "grade", case["name"], "sellable", "--yes")
    assert place.stock()["KOPI-250"] == (free + 1, 0)
    level = free + 1
    until(lambda: set(place.shown("KOPI-250").values()) == {level}, what="the channels offer it again")
    card = place.json("parcels", "scorecard")
    assert sum(score["parcels"] for score in card) == 7
    assert sum(score["returned"] for score in card) == 1


def _everything_in_the_guides_was_done(place: Morning) -> None:
    shown = [re.findall(r"^ {4}sellersync (.+)$", guide.read_text("utf-8"), re.MULTILINE) for guide in GUIDES]
    assert shown[0] == shown[1]
    assert len(shown[0]) > 15
    assert [line for line in shown[0] if not any(_is_typed(line.split(), words) for words in place.typed)] == []


def _is_typed(shown: list[str], words: tuple[str, ...]) -> bool:
    """Was this line of a guide typed, with a value for each word in capitals?"""
    rest = iter(words)
    return all(any(word == given or word.isupper() or word == "pick.pdf" for given in rest) for word in shown)
