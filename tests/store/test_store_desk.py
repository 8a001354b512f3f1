"""The packing desk in the ledger: labels that stay as they were, bins, pack checks, and hand-overs that take goods off the shelf once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ledger_bench import START, Bench, line, order, parcel, unit, units
from sqlalchemy import text

from sellersync.domain.errors import BadInput
from sellersync.domain.orders import Buyer, Order, OrderState, UnitStage
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.times import to_epoch_ms
from sellersync.store import bins, labels, manifests, packing
from sellersync.store.parcels import update_parcel
from sellersync.store.reads_desk import desk_parcels, find_parcels, manifest_parcels, parcels_by_id

BOOKED, PICKED_UP = ParcelState.BOOKED, ParcelState.PICKED_UP
DAY = timedelta(days=1)


@pytest.fixture
def shop(bench: Bench) -> Bench:
    bench.stocked("KOPI", 50)
    return bench


def booked(remote_id: str, waybill: str = "", state: ParcelState = BOOKED, count: int = 2, **more: Any) -> Order:
    """An order of KOPI whose only package is booked."""
    made = parcel(
        f"P{remote_id}",
        remote_id,
        state,
        ("line-KOPI", count),
        waybill=waybill or f"SPX{remote_id}",
        courier="SPX",
        **more,
    )
    return order(remote_id, line("KOPI", count), state=OrderState.BOOKED, parcels=(made,), total=50_000)


def ids(shop: Bench, *orders: str) -> list[int]:
    return [int(shop.value("SELECT id FROM parcel WHERE remote_id = :r", r=f"P{one}")) for one in orders]


def shelf(shop: Bench) -> tuple[int, int]:
    """(reserved, shipped) units of KOPI."""
    found = shop.balances("KOPI")
    return found.get("reserved", 0), found.get("shipped", 0)


def prepare(shop: Bench, *orders: str) -> int:
    return shop.write(
        lambda session: manifests.prepare_manifest(session, "SPX", ids(shop, *orders), who="sari", now_ms=shop.now_ms())
    )


def hand_over(shop: Bench, number: int, **more: Any) -> manifests.HandedOver:
    at_ms = more.pop("at_ms", shop.now_ms())
    return shop.write(lambda session: manifests.hand_over(session, number, at_ms=at_ms, now_ms=shop.now_ms(), **more))


def track(shop: Bench, remote: RemoteParcel) -> None:
    [found] = [int(row[0]) for row in shop.query("SELECT id FROM parcel WHERE remote_id = :r", r=remote.remote_id)]
    shop.write(lambda session: update_parcel(session, found, remote, now_ms=shop.now_ms()))


# ------------------------------------------------------------------------------------------------------------------------ what is read


def test_what_lies_on_the_desk(shop: Bench) -> None:
    shop.listing("PAKET", {"KOPI": 3, "TEH": 1})
    shop.write(lambda session: bins.set_bin(session, shop.sku("KOPI"), shop.warehouse, " a-01 "))
    bundle = parcel("PB", "B", BOOKED, ("line-PAKET", 2), waybill="SPXB", courier="SPX")
    shop.record(
        booked("A"),
        order(
            "B", line("PAKET", 2), state=OrderState.BOOKED, parcels=(bundle,), ship_by=START + DAY / 2, number="INV-B"
        ),
        booked("C", state=PICKED_UP, picked_up_at=START),
    )
    found = shop.read(desk_parcels)
    assert [(one.order, one.name, one.units, one.own, one.printed_number) for one in found] == [
        ("B", "INV-B", 2, False, "SPXB"),
        ("A", "A", 2, False, "SPXA"),
    ]
    assert [(part.sku, part.quantity, part.bin, part.warehouse) for part in found[0].lines[0].parts] == [
        ("KOPI", 6, "A-01", "main"),
        ("TEH", 2, "", "main"),
    ]
    assert [one.ship_by - START for one in found] == [DAY / 2, DAY]
    assert shop.read(lambda session: desk_parcels(session, channel="lazada")) == []


def test_units_that_were_cancelled_are_not_packed(shop: Bench) -> None:
    """Also those of a parcel that was booked before: two of three units that are only counted, one of two with names."""
    from sellersync.store.reads_bookings import bookable_parcels

    shop.record(order("A", line("KOPI", 3)), order("B", line("KOPI", unit("b1"), unit("b2"))))
    shop.write(lambda session: bookable_parcels(session, shop.channels["shopee"], now_ms=shop.now_ms(), limit=5))
    shop.execute("UPDATE parcel SET state = 'booked', remote_id = 'BK' || id, waybill = 'W' || id")
    shop.record(
        order("A", line("KOPI", 1, units(2, UnitStage.CANCELLED)), at=START + DAY, state=OrderState.BOOKED),
        order("B", line("KOPI", unit("b1", UnitStage.CANCELLED), unit("b2")), at=START + DAY, state=OrderState.BOOKED),
    )
    assert shop.value("SELECT COUNT(*) FROM parcel_unit WHERE live") == 5
    assert [(one.order, one.contents) for one in shop.read(desk_parcels)] == [
        ("A", {"KOPI": 1}),
        ("B", {"KOPI": 1}),
    ]
    number = shop.write(
        lambda session: manifests.prepare_manifest(session, "SPX", [1, 2], who="sari", now_ms=shop.now_ms())
    )
    hand_over(shop, number)
    assert shelf(shop) == (0, 2)
    shop.assert_proven()


def test_a_parcel_is_found_by_what_people_hold_in_hand(shop: Bench) -> None:
    two = (
        parcel("PA1", "A", BOOKED, ("line-KOPI", 1), waybill="SPX1"),
        parcel("PA2", "A", BOOKED, ("line-KOPI", 1), pickup_code="4711"),
    )
    shop.record(
        order("A", line("KOPI", 2), state=OrderState.BOOKED, parcels=two, number="INV/1"), booked("SPX1", "SPX9")
    )

    def found(name: str) -> list[str]:
        return [one.remote_id for one in shop.read(lambda session: find_parcels(session, name))]

    assert found("SPX1") == ["PA1"]  # a waybill decides over an order of that name
    assert found("4711") == ["PA2"]
    assert found("PA2") == ["PA2"]
    assert found("A") == found("INV/1") == ["PA1", "PA2"]
    assert found("A/2") == found("INV/1/2") == ["PA2"]
    assert found("A/3") == found("nothing") == found("") == []


# ------------------------------------------------------------------------------------------------------------------------------- labels


def keep(shop: Bench, which: str, number: str, content: bytes) -> labels.StoredLabel:
    return shop.write(
        lambda session: labels.keep_label(
            session, ids(shop, which)[0], number, content, "application/pdf", kind=labels.CHANNEL, vault=shop.ledger.vault,
            now_ms=shop.now_ms(),
        )
    )  # fmt: skip


def test_a_label_stays_as_it_was_first_stored_and_a_new_waybill_has_its_own(shop: Bench) -> None:
    shop.record(booked("A"))
    first = keep(shop, "A", "SPXA", b"first")
    assert keep(shop, "A", "SPXA", b"second") == first
    assert shop.read(lambda session: labels.read_label(session, first.id, shop.ledger.vault)) == b"first"
    sealed = shop.value("SELECT sealed FROM label")
    assert b"first" not in bytes(sealed)
    parcels = shop.read(lambda session: parcels_by_id(session, ids(shop, "A")))
    assert shop.read(lambda session: labels.stored_labels(session, parcels)) == {parcels[0].id: first}
    track(shop, parcel("PA", "A", BOOKED, waybill="SPXNEW"))
    parcels = shop.read(lambda session: parcels_by_id(session, ids(shop, "A")))
    assert shop.read(lambda session: labels.stored_labels(session, parcels)) == {}
    assert keep(shop, "A", "SPXNEW", b"new").id != first.id


def test_labels_go_some_time_after_their_parcel_came_to_its_end(shop: Bench) -> None:
    shop.record(*(booked(which) for which in "ABCD"))
    for which in "ABCD":
        keep(shop, which, f"SPX{which}", b"x")
    track(shop, parcel("PA", "A", ParcelState.DELIVERED, picked_up_at=START))
    track(shop, parcel("PB", "B", ParcelState.CANCELLED))
    shop.clock.advance(hours=24 * 20)
    track(shop, parcel("PC", "C", ParcelState.DELIVERED, picked_up_at=START))

    def purge() -> list[str]:
        shop.write(lambda session: labels.purge_labels(session, kept_days=30, now_ms=shop.now_ms()))
        return [row[0] for row in shop.query("SELECT waybill FROM label ORDER BY waybill")]

    shop.clock.advance(hours=24 * 9)
    assert purge() == ["SPXA", "SPXB", "SPXC", "SPXD"]
    shop.clock.advance(hours=24 * 2)
    assert purge() == ["SPXC", "SPXD"]
    shop.clock.advance(hours=24 * 20)
    assert purge() == ["SPXD"]  # on its way for all that is known
    shop.clock.advance(hours=24 * labels.STORED_DAYS_MAX)
    assert purge() == []


def test_which_labels_are_to_be_fetched(shop: Bench) -> None:
    combined = RemoteParcel("PZ", ("A", "B"), BOOKED, "booked", unit_keys=("a1", "b1"), waybill="SPXZ")
    shop.record(
        order("A", line("KOPI", unit("a1")), state=OrderState.BOOKED, parcels=(combined,)),
        order("B", line("KOPI", unit("b1")), state=OrderState.BOOKED, parcels=(combined,)),
        booked("C"),
        booked("D", state=ParcelState.READY),
        booked("E", state=PICKED_UP),
        order("F", line("KOPI", 1), state=OrderState.BOOKED, parcels=(parcel("PF", "F", BOOKED, ("line-KOPI", 1)),)),
    )
    shop.record(
        order(
            "G", line("KOPI", 1), state=OrderState.CANCEL_REQUESTED, parcels=(parcel("PG", "G", BOOKED, waybill="X"),)
        )
    )

    def due(again_ms: int = 3_600_000, **more: Any) -> list[tuple[str, str, tuple[str, ...]]]:
        found = shop.read(
            lambda session: labels.labels_to_fetch(
                session, shop.channels["shopee"], now_ms=shop.now_ms(), again_ms=again_ms, limit=10, **more
            )
        )
        return [(remote.remote_id, number, remote.order_ids) for _, number, remote in found]

    assert due() == [("PZ", "SPXZ", ("A", "B")), ("PC", "SPXC", ("C",))]
    shop.write(lambda session: labels.note_label_refused(session, ids(shop, "C")[0], "C", "no", now_ms=shop.now_ms()))
    assert [row[0] for row in due()] == ["PZ"]
    assert due(parcel_ids=ids(shop, "C")) == [("PC", "SPXC", ("C",))]
    shop.clock.advance(minutes=61)
    assert [row[0] for row in due()] == ["PZ", "PC"]
    assert shop.findings("label_refused") == [str(ids(shop, "C")[0])]
    assert shop.read(labels.refused_labels) == {ids(shop, "C")[0]: "no"}
    keep(shop, "C", "SPXC", b"x")
    assert shop.findings("label_refused") == []
    assert [row[0] for row in due()] == ["PZ"]


def test_a_refused_label_matters_no_more_once_the_parcel_has_left(shop: Bench) -> None:
    shop.record(booked("A"), booked("B"))
    for which in "AB":
        shop.write(
            lambda session, w=which: labels.note_label_refused(session, ids(shop, w)[0], w, "no", now_ms=shop.now_ms())
        )  # type: ignore[misc]
    track(shop, parcel("PA", "A", PICKED_UP))
    shop.write(lambda session: labels.close_settled_refusals(session, now_ms=shop.now_ms()))
    assert shop.findings("label_refused") == [str(ids(shop, "B")[0])]


def test_a_label_of_our_own_says_what_was_booked_word_for_word(shop: Bench) -> None:
    """The buyer's address may have changed since; the courier was told the old one."""
    buyer = Buyer(name="Baru", phone="0811", address="Jl. Baru 1", city="Bandung", postal_code="40111")
    shop.record(order("A", line("KOPI", 2, title="Kopi Gayo"), total=75_000, cod=True, buyer=buyer))
    from sellersync.store import bookings
    from sellersync.store.reads_bookings import bookable_parcels

    place = {
        "name": "Lama",
        "phone": "0812",
        "address": "Jl. Lama 9",
        "postal_code": "60243",
        "city": "Surabaya",
        "note": "hijau",
    }
    request = {
        "request": {
            "sender": {**place, "name": "Toko"}, "recipient": place, "company": "jne", "service": "reg", "handover": "drop_off",
            "items": [{"name": "Kopi", "sku": "KOPI", "quantity": 2, "value": 1, "weight_g": 250}], "cod_amount": 75_000,
            "insured_amount": 70_000,
        }
    }  # fmt: skip
    courier = shop.add_channel("biteship", kind="courier")

    def book(session: Any) -> None:
        [found] = bookable_parcels(session, shop.channels["shopee"], now_ms=shop.now_ms(), limit=5)
        claim = bookings.open_claim(
            session, parcel_id=found.parcel_id, attempt=1, reference="R-1", step="book", owner="test", request=request,
            not_before_settle_ms=0, now_ms=shop.now_ms(), vault=shop.ledger.vault, courier_channel_id=courier, cod_amount=75_000,
        )  # fmt: skip
        remote = RemoteParcel("BK1", ("A",), BOOKED, "confirmed", waybill="880012345678901", courier="jne")
        known = bookings.CourierFacts(service="reg", routing_code="SUB-1", cod_amount=75_000)
        bookings.settle_booked(session, claim, remote, now_ms=shop.now_ms(), facts=known)

    def facts() -> Any:
        [found] = shop.read(desk_parcels)
        assert found.own
        return shop.read(
            lambda session: labels.label_facts(
                session, found, vault=shop.ledger.vault, sender=None, default_weight_g=1_000
            )
        )

    shop.write(book)
    said = facts()
    assert (said.number, said.courier, said.service, said.drop_off, said.routing_code) == (
        "880012345678901",
        "jne",
        "reg",
        True,
        "SUB-1",
    )
    assert (said.cod_amount, said.insured, said.weight_g, said.units, said.reference) == (75_000, 70_000, 500, 2, "A")
    assert (said.sender.name, said.recipient.name, said.recipient.address, said.recipient.note) == (
        "Toko",
        "Lama",
        "Jl. Lama 9",
        "hijau",
    )
    assert [item.name for item in said.items] == ["Kopi Gayo"]
    assert "Lama" not in repr(said)
    shop.execute("UPDATE parcel SET waybill = ''")
    with pytest.raises(BadInput, match="no waybill"):
        facts()
    shop.execute("UPDATE parcel SET pickup_code = 'GK-11-2'")
    assert (facts().number, facts().pickup_code) == ("GK-11-2", True)


# ------------------------------------------------------------------------------------------------------------------------- pack check


def test_a_parcel_is_noted_as_packed_unless_it_changed_meanwhile(shop: Bench) -> None:
    shop.record(booked("A"), booked("B"), booked("C"))
    for which in "ABC":
        assert shop.read(lambda session, w=which: find_parcels(session, w))[0].contents == {"KOPI": 2}  # type: ignore[misc]

    def pack(which: str, contents: dict[str, int] | None = None) -> None:
        number = ids(shop, which)[0]
        shop.write(
            lambda session: packing.note_packed(
                session, number, contents or {"KOPI": 2}, who="sari", now_ms=shop.now_ms()
            )
        )

    pack("A")
    assert shop.query("SELECT packed_ms, packed_by FROM parcel WHERE remote_id = 'PA'") == [(shop.now_ms(), "sari")]
    with pytest.raises(BadInput, match="changed"):
        pack("B", {"KOPI": 1})
    shop.record(order("B", line("KOPI", units(2, UnitStage.CANCELLED)), at=START + DAY, state=OrderState.CANCELLED))
    shop.record(order("C", line("KOPI", 2), at=START + DAY, state=OrderState.CANCEL_REQUESTED))
    for which, why in (("B", "cancelled"), ("C", "cancel_requested")):
        with pytest.raises(BadInput, match=why):
            pack(which)
    assert shop.value("SELECT COUNT(*) FROM parcel WHERE packed_ms IS NOT NULL") == 1


def test_what_a_scanner_may_read_on_goods(shop: Bench) -> None:
    shop.listing("single", {"TEH": 1}, barcode="899001")
    shop.listing("dozen", {"TEH": 12}, barcode="899012")
    shop.listing("twice", {"KOPI": 1}, barcode="899001X")
    shop.listing("other", {"TEH": 1}, barcode="899001X")
    shop.execute("UPDATE sku SET barcode = '111222' WHERE code = 'KOPI'")
    codes = shop.read(packing.known_codes)
    assert codes == {"KOPI": "KOPI", "TEH": "TEH", "111222": "KOPI", "899001": "TEH"}


# ------------------------------------------------------------------------------------------------------------------------------- bins


def test_bins_are_said_changed_and_forgotten(shop: Bench) -> None:
    def say(code: str) -> list[tuple[str, str, int]]:
        shop.write(lambda session: bins.set_bin(session, shop.sku("KOPI"), shop.warehouse, code))
        return [(row.sku, row.bin, row.on_shelf) for row in shop.read(bins.bin_rows)]

    assert say("a-1") == [("KOPI", "A-1", 50)]
    assert say("B  2") == [("KOPI", "B 2", 50)]
    assert say("") == [("KOPI", "", 50)]
    with pytest.raises(BadInput, match="20 characters"):
        say("x" * 21)


# -------------------------------------------------------------------------------------------------------------------------- hand-over


def test_a_hand_over_takes_the_goods_off_the_shelf_at_its_own_time(shop: Bench) -> None:
    shop.record(booked("A"), booked("B"))
    shop.clock.advance(hours=2)
    number = prepare(shop, "A", "B")
    assert shelf(shop) == (4, 0)
    at_ms = to_epoch_ms(START + timedelta(hours=1))
    assert hand_over(shop, number, at_ms=at_ms) == manifests.HandedOver(number, 2, 0)
    assert shelf(shop) == (0, 4)
    assert shop.query("SELECT DISTINCT occurred_ms FROM movement WHERE destination = 'shipped'") == [(at_ms,)]
    assert shop.query("SELECT DISTINCT handed_ms FROM parcel") == [(at_ms,)]
    assert shop.read(desk_parcels) == []
    shop.assert_proven()
    with pytest.raises(BadInput, match="confirmed before"):
        hand_over(shop, number)
    with pytest.raises(BadInput, match="cannot be taken back"):
        shop.write(lambda session: manifests.void_manifest(session, number))


@pytest.mark.parametrize("named", [False, True])
def test_whoever_says_first_that_a_parcel_left_posts_it_and_nobody_posts_it_again(shop: Bench, named: bool) -> None:
    """Hand-over, tracking and the order's own pages, in every order of two."""
    lines = {which: line("KOPI", *([unit(f"{which}1"), unit(f"{which}2")] if named else [2])) for which in "ABC"}

    def version(which: str, state: ParcelState, minute: int) -> Order:
        more: dict[str, Any] = {"unit_keys": (f"{which}1", f"{which}2")} if named else {"units": (("line-KOPI", 2),)}
        if state is PICKED_UP:
            more["picked_up_at"] = START + timedelta(minutes=minute)
        made = RemoteParcel(f"P{which}", (which,), state, state.value, waybill=f"SPX{which}", **more)
        return order(
            which, lines[which], at=START + timedelta(minutes=minute), state=OrderState.BOOKED, parcels=(made,)
        )

    def gone(which: str) -> list[int]:
        """When this order's goods left the shelf, each movement."""
        rows = shop.query(
            "SELECT occurred_ms FROM movement WHERE destination = 'shipped' AND cause_kind = 'order' AND cause_id = :o ORDER BY id",
            o=shop.order_id(which),
        )
        return [(row[0] - to_epoch_ms(START)) // 60_000 for row in rows]

    shop.record(*(version(which, BOOKED, 0) for which in "ABC"))
    number = prepare(shop, "A", "B", "C")
    shop.clock.advance(minutes=30)
    track(shop, version("A", PICKED_UP, 10).parcels[0])
    shop.record(version("B", PICKED_UP, 20))
    assert shelf(shop) == (2, 4)
    assert hand_over(shop, number) == manifests.HandedOver(number, 3, 2)
    assert (gone("A"), gone("B"), gone("C")) == ([10], [20], [30])
    shop.clock.advance(minutes=30)
    track(shop, version("C", PICKED_UP, 40).parcels[0])
    shop.record(*(version(which, PICKED_UP, 50) for which in "ABC"))
    assert (gone("A"), gone("B"), gone("C")) == ([10], [20], [30])
    assert shelf(shop) == (0, 6)
    shop.assert_proven()


def test_goods_handed_over_stay_shipped_when_the_provider_replaces_the_package(shop: Bench) -> None:
    shop.record(booked("A"))
    hand_over(shop, prepare(shop, "A"))
    other = parcel("PX", "A", BOOKED, ("line-KOPI", 2), waybill="SPXX")
    shop.record(order("A", line("KOPI", 2), at=START + DAY, state=OrderState.BOOKED, parcels=(other,)))
    assert shelf(shop) == (0, 2)
    assert shop.value("SELECT state FROM parcel WHERE remote_id = 'PA'") == "booked"


def test_an_order_cancelled_after_its_hand_over_invents_no_stock(shop: Bench) -> None:
    shop.record(booked("A"))
    hand_over(shop, prepare(shop, "A"))
    shop.record(order("A", line("KOPI", units(2, UnitStage.CANCELLED)), at=START + DAY, state=OrderState.CANCELLED))
    assert shop.available("KOPI") == 48
    assert shop.value("SELECT COUNT(*) FROM return_document") == 1
    shop.assert_proven()


def test_a_parcel_is_on_one_open_manifest_at_most(shop: Bench) -> None:
    shop.record(booked("A"), booked("B"))
    first = prepare(shop, "A")
    with pytest.raises(BadInput, match=rf"A \(on manifest {first}\)"):
        prepare(shop, "A", "B")
    assert shop.value("SELECT COUNT(*) FROM manifest") == 1
    assert shop.write(lambda session: manifests.void_manifest(session, first)) == 1
    second = prepare(shop, "A", "B")
    assert second != first
    assert len(shop.read(lambda session: manifest_parcels(session, second))) == 2


def test_what_must_not_go_is_named_and_nothing_is_recorded(shop: Bench) -> None:
    shop.record(*(booked(which) for which in "ABCD"), booked("E", state=ParcelState.READY))
    with pytest.raises(BadInput, match=r"E \(no courier is booked\)"):
        prepare(shop, "A", "E")
    number = prepare(shop, "A", "B", "C", "D")
    shop.record(order("B", line("KOPI", units(2, UnitStage.CANCELLED)), at=START + DAY, state=OrderState.CANCELLED))
    shop.record(order("C", line("KOPI", 2), at=START + DAY, state=OrderState.CANCEL_REQUESTED))
    with pytest.raises(BadInput, match=r"B \(cancelled\), C \(its buyer asks for a cancellation\)"):
        hand_over(shop, number)
    assert shop.value("SELECT COUNT(*) FROM parcel WHERE handed_ms IS NOT NULL") == 0
    assert hand_over(shop, number, without=ids(shop, "B", "C"), note="Pak Budi").parcels == 2
    assert shop.query("SELECT remote_id FROM parcel WHERE manifest_id IS NULL ORDER BY remote_id") == [
        ("PB",),
        ("PC",),
        ("PE",),
    ]
    assert shop.value("SELECT note FROM manifest") == "Pak Budi"
    with pytest.raises(BadInput, match="would go"):
        hand_over(shop, prepare(shop, *_rest(shop)), without=ids(shop, "F"))
    with pytest.raises(BadInput, match="no manifest 99"):
        hand_over(shop, 99)


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.UNPAID])
def test_what_the_queue_holds_back_is_not_handed_over(shop: Bench, state: OrderState) -> None:
    """A status that nobody knows, or a payment that was taken back, after the courier was booked."""
    shop.record(booked("A"))
    number = prepare(shop, "A")
    shop.record(replace(booked("A"), state=state, updated_at=START + DAY))
    with pytest.raises(BadInput, match=r"A \(its order is held"):
        hand_over(shop, number)
    assert shelf(shop) == (2, 0)


def _rest(shop: Bench) -> list[str]:
    shop.record(booked("F"))
    return ["F"]


def test_no_hand_over_in_the_future(shop: Bench) -> None:
    shop.record(booked("A"))
    number = prepare(shop, "A")
    with pytest.raises(BadInput, match="future"):
        hand_over(shop, number, at_ms=shop.now_ms() + 60_000)
    assert shop.read(lambda session: session.execute(text("SELECT handed_ms FROM manifest")).scalar()) is None


def test_nothing_was_handed_over_before_it_was_ordered(shop: Bench) -> None:
    """Such a moment may lie before a count that saw the goods: they would be counted twice."""
    shop.clock.advance(hours=3)
    shop.record(booked("A"), order_at(shop, "B"))
    number = prepare(shop, "A", "B")
    shop.clock.advance(hours=1)
    at_ms = to_epoch_ms(START + timedelta(hours=2))
    with pytest.raises(BadInput, match=r"not ordered yet: B$"):
        hand_over(shop, number, at_ms=at_ms)
    assert shelf(shop) == (4, 0)
    assert hand_over(shop, number, at_ms=at_ms, without=ids(shop, "B")).parcels == 1
    other = prepare(shop, "B")
    assert hand_over(shop, other).parcels == 1
    assert shelf(shop) == (0, 4)


def order_at(shop: Bench, remote_id: str) -> Order:
    """A booked order that is placed now."""
    made = booked(remote_id)
    return replace(made, created_at=shop.clock.now(), updated_at=shop.clock.now())
