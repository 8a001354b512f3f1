"""Configuration, init, and what happens before anything starts."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SECRET, Desk

from sellersync.cli import main

FIVE_MISTAKES = """
secrets_dir = "credentials"

[shop]
name = ""
timezone = "Asia/Bandung"

[jobs]
push_s = "soon"
drain = 5

[channels.toko]
provider = "woocomerce"
"""


@pytest.mark.parametrize("command", [("run",), ("sync",), ("status",), ("init",), ("stock", "show")])
def test_five_mistakes_are_five_sentences_and_nothing_starts(fresh: Desk, command: tuple[str, ...]) -> None:
    fresh.config.write_text(FIVE_MISTAKES)
    (fresh.folder / "credentials" / "vault_key").write_text("ab" * 32)
    out, err = fresh.run(*command, expect=2)
    sentences = err.splitlines()
    assert out == ""
    assert len(sentences) == 5
    assert all(str(fresh.config) in sentence for sentence in sentences)
    for place in ("[shop] name", "[shop] timezone", "[jobs] push_s", "[jobs] drain", "[channels.toko] provider"):
        assert any(place in sentence for sentence in sentences), place
    assert not (fresh.folder / "ledger.db").exists()


def test_without_a_configuration_the_places_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SELLERSYNC_CONFIG", raising=False)
    assert main(["status"]) == 2
    assert "/etc/sellersync/sellersync.toml" in capsys.readouterr().err


def test_the_configuration_is_found_in_the_folder_and_in_the_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    assert main(["stock", "show"]) == 0
    monkeypatch.chdir("/")
    monkeypatch.setenv("SELLERSYNC_CONFIG", str(desk.config))
    assert main(["stock", "show"]) == 0


def test_common_options_stand_before_or_after(desk: Desk) -> None:
    for words in (
        ["--config", str(desk.config), "--json", "stock", "show"],
        ["stock", "--json", "show", f"--config={desk.config}"],
        ["stock", "show", "--config", str(desk.config), "--json"],
    ):
        assert main(words) == 0
        assert desk.capsys.readouterr().out.startswith("[")


def test_init_makes_a_key_once_and_is_harmless_to_repeat(fresh: Desk) -> None:
    key = fresh.folder / "credentials" / "vault_key"
    first = fresh.json("init")
    assert first["vault_key_made"] == str(key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert (first["before"], first["schema"]) == ("", first["schema"])
    made = key.read_text()
    second = fresh.json("init")
    assert second["install_id"] == first["install_id"]
    assert second["vault_key_made"] is None
    assert key.read_text() == made


def test_init_never_replaces_a_lost_key(fresh: Desk) -> None:
    fresh.run("init")
    key = fresh.folder / "credentials" / "vault_key"
    key.unlink()
    _, err = fresh.run("init", expect=2)
    assert "put your copy of the key back" in err
    assert not key.exists()


def test_before_init_every_command_names_it(fresh: Desk) -> None:
    (fresh.folder / "credentials" / "vault_key").write_text("ab" * 32)
    for command in (("status",), ("sync",), ("run",), ("stock", "receive", "KOPI", "1")):
        assert "sellersync init" in fresh.run(*command, expect=2)[1]


def test_init_tells_the_next_steps(fresh: Desk) -> None:
    fresh.config.write_text(
        fresh.config.read_text() + '[channels.shopee]\nprovider = "shopee"\nremote_shop_id = "1"\npartner_id = 2\n'
    )
    (fresh.folder / "credentials" / "shopee.partner_key").write_text("k" * 32)
    out, _ = fresh.run("init")
    assert "sellersync auth login shopee" in out
    assert "sellersync auth login toko" not in out  # static keys
    assert out.rstrip().endswith("sellersync run")


def test_as_a_module_and_as_a_process(desk: Desk) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sellersync", "status", "--config", str(desk.config), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1  # an unmapped listing needs somebody
    assert done.stderr == ""
    assert done.stdout.startswith("{")


def test_secrets_stay_out_of_every_output(desk: Desk) -> None:
    out, err = desk.run("sync", "pull", "--verbose", expect=3)
    assert SECRET not in out + err
    assert (desk.folder / "credentials" / "vault_key").read_text().strip() not in out + err


def test_a_bug_is_one_sentence_and_its_traceback_lies_in_a_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError(f"with {SECRET}")

    monkeypatch.setattr("sellersync.store.reads_stock.stock_levels", broken)
    out, err = desk.run("stock", "show", expect=70)
    assert out == ""
    assert err.count("\n") == 1
    file = Path(next(word.rstrip(";") for word in err.split() if "sellersync-bug-" in word))
    assert "ZeroDivisionError" in file.read_text()
    assert SECRET not in file.read_text()
    file.unlink()
    _, err = desk.run("stock", "show", "--verbose", expect=70)
    assert "Traceback" in err


@pytest.mark.parametrize("words", [["nonsense"], ["stock", "nonsense"], ["sync", "everything"], ["stock", "receive"]])
def test_what_is_no_command_is_bad_input(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "Error" in capsys.readouterr().err


def test_the_installed_connectors_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connectors", "list"]) == 0
    out = capsys.readouterr().out
    for name in ("shopee", "tokopedia", "lazada", "woocommerce", "biteship"):
        assert name in out


def test_a_connector_that_cannot_be_loaded_is_listed_as_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "sellersync_half-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sellersync-half\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sellersync.connectors]\nhalf = sellersync_half_missing:Half\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["connectors", "list"]) == 0
    printed = capsys.readouterr().out
    assert "shopee" in printed
    assert "half" in printed
    assert "cannot be loaded" in printed
