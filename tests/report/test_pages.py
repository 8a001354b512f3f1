"""What people see: expectations written by hand, in both languages; foreign text and bad days."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from html.parser import HTMLParser
from io import StringIO

import pytest
from rich.console import Console

from sellersync.domain.times import to_epoch_ms
from sellersync.report import Language, Report, build, render_html, render_json, render_terminal
from sellersync.report.commands import SETTLED
from sellersync.report.reading import clean
from sellersync.store import work
from sellersync.store.findings import close_finding, raise_finding
from sellersync.store.ledger import Session

from .bookkeeping import JAKARTA, Books, fill_day, finding, wib

DAY = date(2026, 11, 20)


def report_of(books: Books, language: Language = "id", *, day: date = DAY, now: datetime | None = None) -> Report:
    return build(books.ledger, zone=JAKARTA, day=day, now=now or wib(21, 7), language=language, shop_name="Toko Kopi")


def on_terminal(report: Report, width: int = 120) -> list[str]:
    out = StringIO()
    render_terminal(report, Console(file=out, width=width, force_terminal=False, color_system=None))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.fixture
def day(books: Books) -> Books:
    return fill_day(books)


GOLDEN_ID = [
    "Laporan harian · Toko Kopi",
    "Jumat, 20 November 2026",
    "Dihitung dari tengah malam sampai tengah malam WIB; stok, paket, dan yang perlu tindakan Anda per 21 Nov 2026 07.00 WIB.",
    "2 hal perlu tindakan Anda",
    "Perlu tindakan Anda",
    "1 × Pembeli minta batal",
    "  Selama itu pesanan tidak dikirim; setelah batas waktu kanal memutuskan tanpa Anda.",
    "  Terima atau tolak; perintah ini menampilkan batas waktu, posisi paketnya, dan cara menjawab.",
    "  • Pesanan S-1 di shopee: salah alamat",
    "    sejak 20 Nov 10.00 (21 jam lalu)  paling lambat 09.00 (2 jam lagi)",
    "    $ sellersync orders cancellations",
    "1 × Terjual lebih dari yang ada",
    "  Semua kanal menampilkan 0; pesanan terbaru tidak dapat dikemas.",
    "  Hitung rak dan masukkan hasilnya; bila barang memang kurang, pesan lagi atau batalkan pesanan terbaru (lihat bagian Stok).",
    "  • KOPI-250: kurang 2 unit",
    "    sejak 20 Nov 09.30 (21 jam 30 mnt lalu)",
    "    $ sellersync stock count KOPI-250 QTY",
    "Temuan pada hari itu: 2 baru, 0 selesai.",
    "Kesehatan kanal",
    "Penjualan diketahui di semua kanal setelah: 32 dtk  (separuhnya (p50); 95 dari 100 setelah 32 dtk; 2 masih menunggu)",
    "Ke mana waktunya (p50): dipesan sampai terlihat 1 mnt, terlihat sampai tercatat di buku 0 dtk, sampai kanal lain menerima "
    "2 dtk.",
    "Angka di kanal lain tidak perlu berubah: 0 kali.",
]

GOLDEN_EN = [
    "Daily report · Toko Kopi",
    "Friday, 20 November 2026",
    "Counted from midnight to midnight WIB; stock, parcels and what needs you as of 21 Nov 2026 07.00 WIB.",
    "2 things need you",
    "Needs you",
    "1 × Buyers ask to cancel",
    "  The order is not shipped meanwhile; after the deadline the channel decides without you.",
    "  Accept or refuse it; the command shows the deadline, how far the parcel is, and how to answer.",
    "  • Order S-1 on shopee: salah alamat",
    "    since 20 Nov 10.00 (21 h ago)  by 09.00 (in 2 h)",
    "    $ sellersync orders cancellations",
    "1 × More sold than is there",
    "  All channels show 0 for it; the newest orders cannot be packed.",
    "  Count the shelf and enter it; if the goods are really missing, order more or cancel the newest orders (listed under Stock).",
    "  • KOPI-250: short by 2",
    "    since 20 Nov 09.30 (21 h 30 min ago)",
    "    $ sellersync stock count KOPI-250 QTY",
    "Findings on this day: 2 new, 0 settled.",
    "Channel health",
]


@pytest.mark.parametrize(("language", "golden"), [("id", GOLDEN_ID), ("en", GOLDEN_EN)])
def test_the_top_of_the_page(day: Books, language: Language, golden: list[str]) -> None:
    lines = [line.rstrip("─ ") for line in on_terminal(report_of(day, language), width=130)]
    assert [line for line in lines if line][: len(golden)] == golden


def section(lines: list[str], title: str) -> list[list[str]]:
    """Cells of the lines of a section."""
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{title} ─"))
    rows = []
    for text in lines[start + 1 :]:
        if re.match(r"^[A-Z][\w ]+ ─{3}", text):
            break
        if text.strip() and not set(text) <= {"─", " "}:
            rows.append(re.split(r"\s{2,}", text.strip()))
    return rows


def test_orders_in_both_languages(day: Books) -> None:
    indonesian = section(on_terminal(report_of(day), width=170), "Pesanan")
    assert indonesian[:4] == [
        ["Pesanan masuk: 3", "(Jum 13 Nov: 1)"],
        ["Nilai barang: Rp96.000", "(ditambah 1 tanpa harga diketahui)"],
        ["Unit: 3"],
        ["Batal: 0"],
    ]
    assert ["shopee", "–", "1", "2", "Rp96.000", "0", "0", "0", "0", "1 (0%)"] in indonesian
    assert ["web", "–", "2", "1", "tidak diketahui", "0", "1", "0", "0", "0 (–)"] in indonesian
    assert ["Jumlah", "3", "3", "Rp96.000 + 1 tidak diketahui", "0", "1", "0", "0", "1 (+200%)"] in indonesian
    english = section(on_terminal(report_of(day, "en"), width=170), "Orders")
    assert ["web", "–", "2", "1", "unknown", "0", "1", "0", "0", "0 (–)"] in english
    assert ["Total", "3", "3", "Rp96.000 + 1 unknown", "0", "1", "0", "0", "1 (+200%)"] in english


def test_stock_and_parcels_on_the_page(day: Books) -> None:
    lines = on_terminal(report_of(day), width=170)
    assert ["KOPI-250", "Kopi Gayo 250 g", "bandung", "2", "W-2 (web) ×1, W-1 (web) ×1"] in section(lines, "Stok")
    parcels = section(lines, "Paket")
    assert ["Harus hari ini: 2", "(Sab 21 Nov)"] in parcels
    assert parcels[-2:] == [
        ["web", "W-1", "belum ada paket", "–", "12.00"],
        ["shopee", "S-1", "belum ada paket", "–", "15.00"],
    ]
    proof = section(lines, "Bukti")
    assert proof[0][0].startswith("Buku terbukti benar: semua saldo yang dihitung ulang dari ")


# ---------------------------------------------------------------------------------------------------------------------- HTML and JSON


class _Outline(HTMLParser):
    """Tags, addresses and visible text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.unbalanced: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            f"{name}={value}" for name, value in attrs if name in ("src", "href", "action") or name.startswith("on")
        ]
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if data.strip() and "style" not in self._open:
            self.text.append(" ".join(data.split()))


def outline(html: str) -> _Outline:
    page = _Outline()
    page.feed(html)
    return page


def test_the_html_is_one_file_that_asks_for_nothing(day: Books) -> None:
    html = render_html(report_of(day))
    page = outline(html)
    assert page.unbalanced == []
    assert page.addresses
    assert [address for address in page.addresses if not address.startswith("href=#")] == [], (
        "only jumps inside the page"
    )
    assert not {"script", "link", "img", "iframe", "form"} & set(page.tags)
    assert "url(" not in html
    assert "@import" not in html
    assert html.startswith('<!DOCTYPE html>\n<html lang="id">')
    assert "prefers-color-scheme: dark" in html
    assert re.search(r"@page \{\s+size: A4", html)


def test_html_and_terminal_say_the_same(day: Books) -> None:
    """Every text on the page stands in both."""
    report = report_of(day)
    plain = " ".join(" ".join(on_terminal(report, width=4000)).split())
    missing = [text for text in outline(render_html(report)).text if text not in plain]
    titles = {"Laporan harian · Toko Kopi · Jumat, 20 November 2026"}
    assert [text for text in missing if text not in titles] == []


def test_foreign_text_is_only_text(books: Books) -> None:
    books.channel("shopee")
    evil = "<script>alert(1)</script>[bold]x[/bold]{{7*7}}\x1b[31m\u202egnp.exe\nline two" + "a" * 500
    finding(books, "unmapped_listing", evil, "shopee", title=evil, seller_sku="'; drop")
    books.ledger.write_now(lambda s: work.note_trouble(s, books.channels["shopee"], evil, now_ms=books.now_ms))
    report = report_of(books, day=date(2026, 11, 10))
    html, plain = render_html(report), "\n".join(on_terminal(report))
    assert "<script" not in html
    assert "script" not in outline(html).tags
    for output in (html, plain, json.dumps(render_json(report), ensure_ascii=False)):
        assert "\x1b" not in output
        assert "\u202e" not in output
        assert "49" not in output.replace("{{7*7}}", "")
    assert "[bold]x[/bold]" in plain
    assert "a" * 200 not in plain.replace("\n", "")


def test_cleaning_keeps_one_line_of_readable_text() -> None:
    assert clean("  Kopi\tGayo \n 250 g ") == "Kopi Gayo 250 g"
    assert clean("a\x00b\u202ec") == "a b c"
    assert clean("x" * 300, chars_max=10) == "xxxxxxxxx…"
    assert clean("Teh 🍵 Rosela") == "Teh 🍵 Rosela"


def test_json_holds_values_and_sentences(day: Books) -> None:
    answer = json.loads(json.dumps(render_json(report_of(day))))
    assert (answer["version"], answer["day"], answer["zone"], answer["running"]) == (
        1,
        "2026-11-20",
        "Asia/Jakarta",
        False,
    )
    assert (answer["since"], answer["until"]) == ("2026-11-19T17:00:00+00:00", "2026-11-20T17:00:00+00:00")
    assert answer["attention"] == 2
    need = answer["needs"]["groups"][0]["first"][0]
    assert need["sentence"] == "Pesanan S-1 di shopee: salah alamat"
    assert need["command"] == "sellersync orders cancellations"
    assert need["deadline"] == "2026-11-21T02:00:00+00:00"
    assert answer["orders"]["total"] == {
        "orders": 3, "cancelled": 0, "unpaid": 1, "units": 3, "goods": {"known": 96_000, "unknown": 1},
    }  # fmt: skip
    web = next(row for row in answer["orders"]["rows"] if row["channel"] == "web")
    assert web["sales"]["goods"] == {"known": None, "unknown": 1}


# -------------------------------------------------------------------------------------------------------------------------- bad days


def test_a_day_without_orders(books: Books) -> None:
    books.channel("shopee")
    books.at(wib(21, 6)).pulled("shopee")
    plain = "\n".join(on_terminal(report_of(books)))
    assert "Tidak ada yang perlu Anda kerjakan." in plain
    assert "Tidak ada pesanan masuk pada hari itu." in plain
    assert "Belum ada SKU yang dihitung" in plain
    assert "Tidak ada stok yang perlu dikirim." in plain
    assert "No order" not in plain


def test_an_empty_ledger_has_a_report(books: Books) -> None:
    for language in ("id", "en"):
        report = report_of(books, language)
        assert outline(render_html(report)).unbalanced == []
        assert on_terminal(report)


def test_a_dead_channel_is_told_everywhere_it_matters(day: Books) -> None:
    day.at(wib(20, 11))
    trouble = "no answer within 30 s"
    day.ledger.write_now(lambda s: work.note_trouble(s, day.channels["web"], trouble, now_ms=day.now_ms))
    day.ledger.write_now(lambda s: s.connection().exec_driver_sql("UPDATE channel SET last_pull_ms = ? WHERE slug = 'web'",
                                                                  (to_epoch_ms(wib(20, 10, 59)),)))  # fmt: skip
    lines = on_terminal(report_of(day), width=170)
    plain = "\n".join(lines)
    assert "web: no answer within 30 s" in plain
    assert "$ sellersync sync pull --channel web" in plain
    assert "web: pesanan terakhir dibaca 20 Nov 10.59. Pesanan sesudahnya belum ada dalam angka ini." in plain
    health = section(lines, "Kesehatan kanal")
    assert [row[1] for row in health if row[0] == "web"] == ["bermasalah sejak 20 Nov 11.00"]
    assert [row[1] for row in health if row[0] == "shopee"] == ["baik"]
    assert any(row[0] == "web (belum lengkap)" for row in section(lines, "Pesanan"))


def test_three_thousand_findings_are_still_one_page(books: Books) -> None:
    books.channel("shopee")
    books.channel("web")

    def many(session: Session) -> None:
        for number in range(3000):
            kind = ("unmapped_listing", "order_unreadable", "uncounted")[number % 3]
            channel_id = books.channels["web" if number % 5 else "shopee"]
            raise_finding(session, kind, f"k{number:04d}", channel_id=channel_id, now_ms=books.now_ms + number)
        for kind in SETTLED:
            raise_finding(session, kind, "last", channel_id=books.channels["web"], now_ms=books.now_ms + 5000)

    books.ledger.write_now(many)
    report = report_of(books)
    assert report.needs.total == 3000 + len(SETTLED)
    html, lines = render_html(report), on_terminal(report)
    assert len(html.encode()) < 80_000
    assert len(lines) < 100 + 8 * len(SETTLED), "the page grows with the kinds, not with the findings"
    page = " ".join(outline(html).text)
    assert "1.001 Produk tanpa SKU" in page
    assert "dan 999 lagi:" in page
    assert "sellersync listings unmapped" in page
    first = [need.subject for need in next(g for g in report.needs.groups if g.kind == "unmapped_listing").first[:2]]
    assert first == ["k0000", "k0003"], "the oldest first"
    assert "k0003" in page
    assert "k0006" not in page
    everything = render_json(report)["needs"]["groups"]
    assert sum(len(group["first"]) for group in everything) == 3000 + len(SETTLED)


def test_the_nearest_deadline_comes_first_and_closed_findings_are_gone(books: Books) -> None:
    books.channel("shopee")
    for subject, deadline in (("late", wib(20, 6)), ("soon", wib(21, 8)), ("never", None)):
        finding(books, "cancellation_pending", subject, "shopee", deadline=deadline, reason="x")
    finding(books, "cancellation_pending", "settled", "shopee", deadline=wib(20), reason="x")
    shopee = books.channels["shopee"]
    books.at(wib(20, 12)).ledger.write_now(
        lambda s: close_finding(s, "cancellation_pending", "settled", now_ms=books.now_ms, channel_id=shopee)
    )
    report = report_of(books)
    (group,) = report.needs.groups
    assert [need.subject for need in group.first] == ["late", "soon", "never"]
    assert (report.needs.total, report.needs.opened, report.needs.closed) == (3, 0, 1)
    plain = "\n".join(on_terminal(report))
    assert "paling lambat 20 Nov 06.00 (terlambat 1 hari 1 jam)" in plain


def test_findings_that_hold_our_own_row_ids_name_the_order(day: Books) -> None:
    """Staff know an order by the channel's number, never by a row of ours."""
    order_row = day.ledger.read_now(
        lambda s: s.connection().exec_driver_sql("SELECT id FROM sales_order WHERE remote_id = 'W-1'").scalar_one()
    )
    finding(day, "return_due", f"order {order_row} line 1", units=1, title="Kopi")
    finding(day, "cancelled_but_booked", "S-1/1")
    report = report_of(day)
    said = {
        group.kind: render_json(report)["needs"]["groups"][place]["first"][0]
        for place, group in enumerate(report.needs.groups)
    }
    assert said["return_due"]["sentence"] == "Pesanan W-1 di web: 1 unit Kopi"
    assert said["return_due"]["command"] == "sellersync orders show W-1"
    assert said["cancelled_but_booked"]["sentence"] == "Pesanan S-1 di shopee"


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_any_terminal_width(day: Books, width: int) -> None:
    lines = on_terminal(report_of(day), width=width)
    assert max(len(line) for line in lines) <= width
    assert any("sellersync orders cancellations" in line for line in lines)


# ------------------------------------------------------------------------------------------------------------------------- reading


def test_building_changes_nothing(day: Books) -> None:
    before = day.path.read_bytes(), sorted(path.name for path in day.path.parent.iterdir())
    assert report_of(day) == report_of(day)
    assert (day.path.read_bytes(), sorted(path.name for path in day.path.parent.iterdir())) == before
