"""`sellersync report` as files: page, spreadsheet, tables, archive."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from conftest import Desk

DAY = ("report", "--date", "2026-03-02")


def test_all_files_of_one_report(desk: Desk, tmp_path: Path) -> None:
    page, book, tables, archive = (tmp_path / name for name in ("r.html", "r.xlsx", "tables", "tables.zip"))
    files = ("--html", str(page), "--xlsx", str(book))
    _, said = desk.run(*DAY, *files, "--csv", str(tables))
    assert [f"Written: {path}" in said for path in (page, book, tables)] == [True] * 3
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    with zipfile.ZipFile(book) as parts:
        assert "xl/workbook.xml" in parts.namelist()
    made = {path.name: path.read_bytes() for path in tables.iterdir()}
    assert made["figures.csv"].startswith(b"name,unit,value\r\n")
    desk.run(*DAY, "--csv", str(archive))
    with zipfile.ZipFile(archive) as parts:
        assert sorted(parts.namelist()) == sorted(made)
    desk.run(*DAY, "--csv", str(tables), "--bom")
    assert (tables / "figures.csv").read_bytes().startswith(b"\xef\xbb\xbfname,unit,value")


@pytest.mark.parametrize("option", ["--html", "--xlsx", "--csv"])
def test_a_place_that_cannot_be_written(desk: Desk, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("")
    _, said = desk.run(*DAY, option, str(tmp_path / "file" / "below"), expect=2)
    assert "cannot be written (Not a directory)" in said
