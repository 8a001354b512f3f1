"""Many labels in one file: each page looks as it did, nothing broken gets in, the same labels make the same bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from paper import barcodes, facts, pages, picture, size_mm, words
from PIL import Image, ImageChops
from pypdf import PdfReader, PdfWriter

from sellersync.desk.files import private_file, purge_files
from sellersync.desk.label import render
from sellersync.desk.merge import PAGES_A_LABEL_MAX, Merger
from sellersync.domain.errors import BadInput
from sellersync.domain.times import from_epoch_ms
from sellersync.sandbox.kit import small_pdf

PDF = "application/pdf"


def merged(*labels: bytes) -> bytes:
    target = io.BytesIO()
    merger = Merger(target)
    for label in labels:
        merger.add(label, PDF)
    merger.close()
    return target.getvalue()


def own(number: int) -> bytes:
    return render(facts(number=f"00441234{number:04d}"), "id")


def of_pages(count: int, **encrypt: str) -> bytes:
    """A PDF of another writer, with what its pages share."""
    writer = PdfWriter()
    for number in range(count):
        writer.append(PdfReader(io.BytesIO(small_pdf([f"halaman {number}"]))))
    if encrypt:
        writer.encrypt(**encrypt, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_every_page_looks_as_it_did() -> None:
    labels = [own(1), small_pdf(["Shopee", "SPXID1"]), own(2), of_pages(3)]
    whole = merged(*labels)
    assert pages(whole) == 6
    page = 0
    for label in labels:
        for inner in range(pages(label)):
            assert size_mm(whole, page) == size_mm(label, inner)
            difference = ImageChops.difference(picture(whole, page).convert("L"), picture(label, inner).convert("L"))
            assert difference.getbbox() is None, page
            page += 1
    assert [barcodes(whole, page) for page in (0, 2)] == [[("Code128", "004412340001")], [("Code128", "004412340002")]]


def test_a_strict_reader_has_no_complaint() -> None:
    reader = PdfReader(io.BytesIO(merged(own(1), of_pages(2))), strict=True)
    assert len(reader.pages) == 3
    assert "Rani Puspitasari" in reader.pages[0].extract_text()


def test_what_pages_inherit_comes_along() -> None:
    """Some writers keep paper size and fonts in the tree of pages."""
    body = small_pdf(["warisan"]).replace(b"/Type /Pages ", b"/Type /Pages /MediaBox [0 0 200 300] ")
    body = body.replace(b" /MediaBox [0 0 283 425]", b"")
    start = body.index(b"xref\n")
    assert pages(merged(body[:start] + body[start:])) == 1
    assert size_mm(merged(body)) == (70.6, 105.8)
    assert "warisan" in words(merged(body))


def test_the_same_labels_make_the_same_bytes() -> None:
    assert merged(own(1), of_pages(2)) == merged(own(1), of_pages(2))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"%PDF-1.4\n% only a comment\n%%EOF\n", "cannot be read"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 20, "cannot be read"),
        (b"", "comes as application/pdf"),
        (b"<html>label</html>", "comes as application/pdf"),
        (b"^XA^FO50,50^FDhalo^FS^XZ", "comes as application/pdf"),
        (b"\x89PNG\r\n\x1a\nnonsense", "picture cannot be read"),
        (b"PK\x03\x04nonsense", "archive cannot be read"),
    ],
)
def test_what_is_no_label_is_refused_and_leaves_nothing_behind(content: bytes, why: str) -> None:
    target = io.BytesIO()
    merger = Merger(target)
    merger.add(own(1), PDF)
    before = target.tell()
    with pytest.raises(BadInput, match=why):
        merger.add(content, PDF)
    assert target.tell() == before
    merger.add(own(2), PDF)
    merger.close()
    assert target.getvalue() == merged(own(1), own(2))


def test_a_truncated_label_is_refused_or_whole() -> None:
    """Whatever part of a label arrived: the file that it should have gone into stays good."""
    label = own(1)
    for length in range(0, len(label), 211):
        target = io.BytesIO()
        merger = Merger(target)
        try:
            merger.add(label[:length], PDF)
        except BadInput:
            assert merger.pages == 0
        merger.add(own(2), PDF)
        merger.close()
        assert pages(target.getvalue()) == merger.pages


def test_locked_and_endless_documents_are_refused() -> None:
    with pytest.raises(BadInput, match="password"):
        merged(of_pages(1, user_password="rahasia"))
    with pytest.raises(BadInput, match="21 pages"):
        merged(of_pages(PAGES_A_LABEL_MAX + 1))


def test_pictures_and_archives_become_pages() -> None:
    picture_of_label = io.BytesIO()
    picture(own(7)).save(picture_of_label, "PNG")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("2.pdf", own(2))
        packed.writestr("1.pdf", own(1))
    whole = merged(picture_of_label.getvalue(), archive.getvalue())
    assert [barcodes(whole, page)[0][1] for page in range(3)] == ["004412340007", "004412340001", "004412340002"]
    assert size_mm(whole, 0) == (100.0, 150.0)


def test_an_archive_is_bounded() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.pdf", b"\0" * 30_000_000)
    with pytest.raises(BadInput, match="more than a label"):
        merged(bomb.getvalue())
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("b.zip", bomb.getvalue())
    with pytest.raises(BadInput, match="holds an archive"):
        merged(inner.getvalue())


def test_a_picture_keeps_its_shape() -> None:
    wide = io.BytesIO()
    Image.new("L", (400, 100), 0).save(wide, "PNG")
    shown = picture(merged(wide.getvalue()))
    dark = ImageChops.invert(shown.convert("L")).getbbox()
    assert dark is not None
    assert (dark[2] - dark[0]) / (dark[3] - dark[1]) == pytest.approx(4, rel=0.02)


# ------------------------------------------------------------------------------------------------------------------------------ files


def test_files_are_their_owners_alone_and_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "labels" / "labels-spx.pdf"
    with private_file(path) as target:
        assert not path.exists()
        assert [one.stat().st_mode & 0o777 for one in path.parent.iterdir()] == [0o600]
        target.write(b"alamat")
    assert path.read_bytes() == b"alamat"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(BadInput, match="no label"):
        _broken_off(path)
    assert path.read_bytes() == b"alamat"
    assert [one.name for one in path.parent.iterdir()] == ["labels-spx.pdf"]
    with pytest.raises(BadInput, match="cannot be written"), private_file(path / "x.pdf"):
        raise AssertionError("nothing may be written there")


def _broken_off(path: Path) -> None:
    with private_file(path) as target:
        target.write(b"half")
        raise BadInput("no label")


def test_only_old_files_of_the_desk_are_purged(tmp_path: Path) -> None:
    import os

    day = 86_400
    for name, age in (
        ("labels-spx-1.pdf", 31),
        ("manifest-1-spx.csv", 40),
        ("labels-spx-2.pdf", 29),
        ("notes.pdf", 99),
    ):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1_800_000_000 - age * day,) * 2)
    now = from_epoch_ms(1_800_000_000_000, where="test")
    assert purge_files(tmp_path, kept_days=30, now=now) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels-spx-2.pdf", "notes.pdf"]
    assert purge_files(tmp_path / "nowhere", kept_days=30, now=now) == 0


def test_only_commands_that_print_load_the_libraries_of_paper() -> None:
    """The daemon and every other command do without their memory."""
    import subprocess
    import sys

    code = "import sys, sellersync.cli, sellersync.cli.main, sellersync.daemon; print({'reportlab', 'pypdf', 'PIL'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"
