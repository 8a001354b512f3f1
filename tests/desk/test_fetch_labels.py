"""Labels of the marketplaces, from their simulators into files; what is still being made, refused, cancelled, or of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paper import barcodes, pages, words
from simulation import Simulation, in_virtual_time, simulate

from sellersync.cli.labels import Printed, _Press
from sellersync.domain.desk import DeskParcel
from sellersync.jobs import fetch_labels
from sellersync.sandbox.kit import Fault, FaultKind
from sellersync.store.reads_desk import desk_parcels, find_parcels

SKUS = {"KOPI-250": 40, "TEH-100": 40}
MARKETS = ("shopee", "tokopedia", "lazada")


async def booked(s: Simulation, *slugs: str, each: int = 1) -> None:
    """An order of every channel, its courier booked, its waybill known."""
    await s.start_shops(SKUS)
    for slug in slugs:
        for _ in range(each):
            assert s.order(slug, {"KOPI-250": 2, "TEH-100": 1}) is not None
    for _ in range(8):
        await s.settle(4, pause_s=120.0)
        if all(parcel.waybill for parcel in parcels(s)) and len(parcels(s)) == len(slugs) * each:
            return
    raise AssertionError([(parcel.channel, parcel.state, parcel.waybill) for parcel in parcels(s)])


def parcels(s: Simulation) -> list[DeskParcel]:
    return s.app.ledger.read_now(desk_parcels)


def stored(s: Simulation) -> list[tuple[Any, ...]]:
    """(channel, waybill of the label, waybill of the parcel, prints) of every label."""
    return [
        tuple(row)
        for row in s.query(
            "SELECT slug, label.waybill, parcel.waybill AS now, prints FROM label JOIN parcel ON parcel.id = parcel_id "
            "JOIN channel ON channel.id = parcel.channel_id ORDER BY slug, label.id"
        )
    ]


def content(file: str) -> bytes:
    return Path(file).read_bytes()


def mode(file: str) -> int:
    return Path(file).stat().st_mode & 0o777


async def press(s: Simulation, out: Path, which: list[DeskParcel] | None = None, *, again: bool = False) -> Printed:
    return await _Press(s.app, out, quiet=True).run(parcels(s) if which is None else which, again=again)


def test_every_marketplace_label_is_fetched_once_and_kept(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=MARKETS, courier=False) as s:
            await booked(s, *MARKETS)
            for _ in range(2):
                for slug in MARKETS:
                    run = await fetch_labels.run(s.app.world, s.shop(slug))
                    assert run is not None
                    assert run.ok, run.error
            rows = stored(s)
            assert [row[0] for row in rows] == sorted(MARKETS)
            assert all(label == now and prints == 0 for _, label, now, prints in rows)

    in_virtual_time(body)


def test_a_label_that_is_still_being_made_is_there_the_next_time(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("tokopedia",), courier=False) as s:
            await booked(s, "tokopedia")
            s.sims["tokopedia"].label_delay_s = 90.0  # type: ignore[attr-defined]
            run = await fetch_labels.run(s.app.world, s.shop("tokopedia"))
            assert run is not None
            assert (run.ok, run.counts, stored(s)) == (True, {"not_yet": 1}, [])
            made = await press(s, tmp_path / "out")
            assert made.files == []
            assert ["not ready at tokopedia" in one.why for one in made.without] == [True]
            await s.clock.sleep(100)
            await fetch_labels.run(s.app.world, s.shop("tokopedia"))
            assert len(stored(s)) == 1
            assert s.query("SELECT COUNT(*) FROM finding WHERE kind = 'label_refused'")[0][0] == 0

    in_virtual_time(body)


def test_trouble_of_one_channel_leaves_the_labels_of_the_others(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee", "lazada"), courier=False) as s:
            await booked(s, "shopee", "lazada", each=2)
            s.sims["shopee"].faults.append(Fault(FaultKind.HTTP_500, times=500))
            made = await press(s, tmp_path / "out")
            assert [(sheet.parcels, sheet.pages) for sheet in made.files] == [(2, 2)]
            assert {one.channel for one in made.without} == {"shopee"}
            assert len(made.without) == 2

    in_virtual_time(body)


def test_the_files_hold_every_label_once_and_a_reprint_is_the_same(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path) as s:
            await booked(s, *MARKETS, "woocommerce")
            out = tmp_path / "out"
            made = await press(s, out)
            assert made.without == []
            assert sum(sheet.pages for sheet in made.files) == 4
            assert all(mode(sheet.file) == 0o600 for sheet in made.files)
            said = " ".join(
                words(pdf, page) for pdf in (content(sheet.file) for sheet in made.files) for page in range(pages(pdf))
            )
            for parcel in parcels(s):
                assert parcel.waybill in said
            [own] = [parcel for parcel in parcels(s) if parcel.channel == "woocommerce"]
            assert own.own
            codes = [barcodes(content(sheet.file)) for sheet in made.files if sheet.parcels == 1]
            assert [("Code128", own.waybill)] in codes
            again = await press(s, out)
            assert (again.files, again.printed_before) == ([], 4)
            for slug in s.sims:
                s.sims[slug].faults.append(Fault(FaultKind.HTTP_500, times=500))  # a reprint asks nobody
            named = s.app.ledger.read_now(lambda session: find_parcels(session, own.waybill))
            await s.clock.sleep(1)
            first = await press(s, out, named, again=True)
            await s.clock.sleep(1)
            second = await press(s, out, named, again=True)
            assert first.files[0].file != second.files[0].file
            assert content(first.files[0].file) == content(second.files[0].file)
            assert [row[3] for row in stored(s)] == [1, 1, 1, 3]

    in_virtual_time(body)


def test_a_changed_waybill_has_a_label_of_its_own(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await booked(s, "woocommerce")
            await press(s, tmp_path / "out")
            assert s.courier is not None
            [booking] = s.courier.bookings()
            number = s.courier.change_waybill(booking)
            await s.settle(3, pause_s=900.0)
            assert [parcel.waybill for parcel in parcels(s)] == [number]
            made = await press(s, tmp_path / "out")
            assert barcodes(content(made.files[0].file)) == [("Code128", number)]
            assert [(row[1] == number, row[3]) for row in stored(s)] == [(False, 1), (True, 1)]

    in_virtual_time(body)


def test_no_label_is_printed_for_what_is_called_off_or_not_booked(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("woocommerce",)) as s:
            await booked(s, "woocommerce", each=2)
            await press(s, tmp_path / "out")
            cancelled, kept = parcels(s)
            s.sims["woocommerce"].cancel(cancelled.order)
            await s.settle(2)
            assert s.courier is not None
            s.courier.off = True
            assert s.order("woocommerce", {"TEH-100": 1}) is not None
            await s.settle(2)
            made = await press(s, tmp_path / "out", again=True)
            assert [sheet.parcels for sheet in made.files] == [1]
            why = {one.order: one.why for one in made.without}
            assert "do not ship" in why[cancelled.name]
            assert sorted(why.values())[1:] == ["no courier is booked yet"]
            assert kept.name not in why

    in_virtual_time(body)


def test_a_label_that_nobody_can_read_is_fetched_again(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await booked(s, "shopee", each=2)
            await fetch_labels.run(s.app.world, s.shop("shopee"))
            broken = s.app.ledger.vault.seal(b"%PDF-1.4 half a", "label")
            from sqlalchemy import text

            s.app.ledger.write_now(
                lambda session: (
                    session.execute(text("UPDATE label SET sealed = :s WHERE id = 1"), {"s": broken}) and None
                )
            )
            made = await press(s, tmp_path / "out")
            assert [sheet.pages for sheet in made.files] == [1]
            assert "cannot be read" in made.without[0].why
            whole = await press(s, tmp_path / "out")
            assert [sheet.pages for sheet in whole.files] == [1]
            assert whole.without == []

    in_virtual_time(body)


def test_a_refused_label_is_a_finding_that_rests_and_ends_with_its_parcel(tmp_path: Path) -> None:
    """Shopee prints only between arrangement and pickup; the courier came before we asked."""

    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await booked(s, "shopee", each=2)
            gone, here = parcels(s)
            s.sims["shopee"].hand_over(gone.remote_id)
            run = await fetch_labels.run(s.app.world, s.shop("shopee"))
            assert run is not None
            assert run.counts == {"labels": 1, "refused": 1}
            assert [row[1] for row in stored(s)] == [here.waybill]
            finding = "SELECT subject FROM finding WHERE kind = 'label_refused' AND closed_ms IS NULL"
            assert [row[0] for row in s.query(finding)] == [str(gone.id)]
            run = await fetch_labels.run(s.app.world, s.shop("shopee"))
            assert run is not None
            assert run.counts == {}
            made = await press(s, tmp_path / "out", [gone])
            assert "does not allow printing" in made.without[0].why
            await s.settle(3, pause_s=600.0)
            await fetch_labels.run(s.app.world, s.shop("shopee"))
            assert s.query(finding) == []

    in_virtual_time(body)


def test_a_label_in_another_format_gets_a_file_of_its_own(tmp_path: Path) -> None:
    async def body() -> None:
        async with simulate(tmp_path, marketplaces=("shopee",), courier=False) as s:
            await booked(s, "shopee", each=2)
            await fetch_labels.run(s.app.world, s.shop("shopee"))
            page = s.app.ledger.vault.seal(b"<html>label</html>", "label")
            from sqlalchemy import text

            change = text("UPDATE label SET sealed = :s, media_type = 'text/html; charset=utf-8' WHERE id = 1")
            s.app.ledger.write_now(lambda session: session.execute(change, {"s": page}) and None)
            made = await press(s, tmp_path / "out")
            assert sorted((sheet.file.rpartition(".")[2], sheet.parcels) for sheet in made.files) == [
                ("html", 1),
                ("pdf", 1),
            ]
            [html] = [sheet.file for sheet in made.files if sheet.file.endswith("html")]
            assert (content(html), mode(html)) == (b"<html>label</html>", 0o600)
            assert [row[3] for row in stored(s)] == [1, 1]

    in_virtual_time(body)
