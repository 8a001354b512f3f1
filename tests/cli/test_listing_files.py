"""The mapping as a CSV file, suggestions, and listings that a person should look at."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from conftest import Desk

from sellersync.cli.recipes import parse_recipe, recipe_text
from sellersync.domain.errors import BadInput
from sellersync.domain.listings import RemoteListing, TargetKey
from sellersync.store import listings, work

HEAD = "channel,remote_key,seller_sku,title,recipe\n"


def offer(desk: Desk, *rows: tuple[str, str, str]) -> None:
    """Listings (key, seller SKU, title) of the channel, read as `listings pull` does: row of the run included."""
    ledger = desk.ledger()

    def fill(session: Any) -> None:
        channel = work.channel_by_slug(session, "toko")
        assert channel is not None
        run = work.start_run(session, "pull_listings", channel.id, now_ms=ledger.now_ms())
        found = [RemoteListing(key, sku, title, (TargetKey(key),)) for key, sku, title in rows]
        listings.record_listings(session, channel.id, found, now_ms=ledger.now_ms(), adopt_skus=False)
        work.end_run(session, run, "ok", now_ms=ledger.now_ms())

    ledger.write_now(fill)
    ledger.close()


def made_of(desk: Desk) -> dict[str, dict[str, int]]:
    """Remote key -> recipe, through the file."""
    file = desk.folder / "out.csv"
    desk.run("listings", "export", str(file))
    with file.open(encoding="utf-8-sig", newline="") as text:
        return {row["remote_key"]: parse_recipe(row["recipe"]) if row["recipe"] else {} for row in csv.DictReader(text)}


@pytest.mark.parametrize(
    ("text", "recipe"),
    [
        ("KOPI-250=2+TEH-100=1", {"KOPI-250": 2, "TEH-100": 1}),
        (" KOPI 250 = 2 + TEH = 10 ", {"KOPI 250": 2, "TEH": 10}),
        ("KOPI", {"KOPI": 1}),
        ("A+B=3", {"A+B": 3}),
        ("A=B=3", {"A=B": 3}),
        ("KOPI=2+TEH", None),
        ("KOPI=0", None),
        ("KOPI=-1", None),
        ("KOPI=1,5", None),
        ("KOPI=1+KOPI=2", None),
        ("=2", None),
    ],
)
def test_recipes_as_people_write_them(text: str, recipe: dict[str, int] | None) -> None:
    if recipe is None:
        with pytest.raises(BadInput):
            parse_recipe(text)
        return
    assert parse_recipe(text) == recipe
    assert parse_recipe(recipe_text(recipe)) == recipe


def test_out_to_a_spreadsheet_and_in_again(desk: Desk) -> None:
    offer(desk, ("13", "=cmd()", "@Teh"))
    file = desk.folder / "map.csv"
    assert "3 listings, 2 without a recipe" in desk.run("listings", "export", str(file))[0]
    text = file.read_text("utf-8-sig")
    assert text.splitlines()[1] == "toko,11,KOPI,Kopi Gayo,KOPI=1"
    assert "'=cmd(),'@Teh" in text  # never a formula
    file.write_text("\ufeff" + text.replace("Paket,", "Paket,KOPI=3").replace(",", ";"))
    before = made_of(desk)
    out, err = desk.run("listings", "import", str(file), expect=2)
    assert out.splitlines()[1].split() == ["toko", "12", "unmapped", "KOPI=3"]
    assert "--yes" in err
    assert made_of(desk) == before
    answer = desk.json("listings", "import", str(file), "--yes")
    assert (len(answer["recorded"]), answer["unchanged"], answer["empty"], answer["orders_resolved"]) == (1, 1, 1, 1)
    assert made_of(desk) == {"11": {"KOPI": 1}, "12": {"KOPI": 3}, "13": {}}
    assert desk.json("listings", "import", str(file), "--yes")["recorded"] == []


def test_every_bad_row_is_named_and_nothing_is_half_done(desk: Desk) -> None:
    file = desk.folder / "map.csv"
    rows = [
        "toko,12,,Paket,KOPI=2",  # line 2: good
        "toko,12,,Paket,KOPI=3",
        "nowhere,12,,,KOPI=1",
        "toko,1.2E+15,,,KOPI=1",
        "toko,99,,,KOPI=1",
        "toko,11,,,",
        "toko,11,,,KOPI=two",
        "toko,11,,,kopi=1",
        ",11,,,KOPI=1",
        "toko,11,,,KOPI=1,more",
    ]
    file.write_text(HEAD + "\n".join(rows) + "\n\n")
    _, err = desk.run("listings", "import", str(file), "--yes", expect=2)
    lines = err.splitlines()
    assert [int(line.split("line ")[1].split(":")[0]) for line in lines[:-1]] == list(range(3, 12))
    for said, expected in zip(
        lines,
        ("earlier line", "there are: toko", "format the column as text", "no listing '99'", "mapped to KOPI=1", "SKU=QUANTITY",
         "did you mean KOPI", "are needed", "more cells"),
        strict=False,
    ):  # fmt: skip
        assert expected in said
    assert lines[-1].startswith("Nothing was recorded")
    assert made_of(desk)["12"] == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("key,recipe\n1,A\n", "line 1"),
        (HEAD, "holds no listing"),
        ("", "line 1"),
        (HEAD + '"' + "x" * 200_000, "no CSV"),
    ],
)
def test_a_file_that_is_no_mapping(desk: Desk, text: str, says: str) -> None:
    file = desk.folder / "map.csv"
    file.write_text(text)
    assert says in desk.run("listings", "import", str(file), "--yes", expect=2)[1]


def test_a_place_that_cannot_be_written(desk: Desk, tmp_path: Path) -> None:
    assert "cannot be written" in desk.run("listings", "export", str(tmp_path / "no" / "x.csv"), expect=2)[1]
    desk.run("listings", "export", "x.csv", "--channel", "nowhere", expect=2)


def test_suggestions_have_a_score_and_map_nothing(desk: Desk) -> None:
    offer(desk, ("14", "KOPI-250G", "Kopi Gayo 250 gram"), ("15", "ZZZ", "Sendal jepit"))
    rows = desk.json("listings", "suggest")
    found = {
        row["listing"]["remote_key"]: [(match["code"], match["score"]) for match in row["candidates"]] for row in rows
    }
    assert found["14"][0][0] == "KOPI"
    assert 0.55 <= found["14"][0][1] < 1
    assert found["15"] == []
    assert rows[0]["listing"]["remote_key"] == "12"  # an order waits for it
    out, _ = desk.run("listings", "suggest", "--channel", "toko")
    assert "sellersync listings map toko 14 KOPI" in out
    assert len(desk.json("listings", "suggest", "--limit", "1")) == 1
    assert made_of(desk)["14"] == {}
    desk.run("listings", "suggest", "--channel", "nowhere", expect=2)


def test_duplicates_blanks_and_orphans(desk: Desk) -> None:
    assert {row["kind"] for row in desk.json("listings", "problems")} == {"blank"}  # never read in full: no orphans
    offer(desk, ("11", "KOPI", "Kopi Gayo"), ("16", "kopi ", "Kopi Gayo, hemat"), ("17", "", "Teh"))
    found = [(row["kind"], row["remote_key"], row["with_keys"]) for row in desk.json("listings", "problems")]
    assert found == [
        ("duplicate", "11", ["16"]),
        ("duplicate", "16", ["11"]),
        ("blank", "17", []),
        ("orphan", "12", []),
    ]
    out, _ = desk.run("listings", "problems", "--channel", "toko")
    assert "orphan: the channel did not show it" in out
    desk.run("listings", "problems", "--channel", "nowhere", expect=2)
