"""`connectors new` writes packages that keep the contract and this project's own strictness."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sellersync.domain.errors import BadInput
from sellersync.testing.certify import Outcome, certify, newest_result, write_result
from sellersync.testing.scaffold import KINDS, write_package
from sellersync.testing.virtual import START

from .packages import install

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_certified_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    name = f"fresh_{kind}"
    install(tmp_path, name, kind, monkeypatch)
    certificate = certify(name, at=START)
    failed = [behaviour for behaviour in certificate.behaviours if behaviour.outcome is Outcome.FAILED]
    assert not failed
    assert certificate.good
    assert certificate.kind == kind
    assert certificate.count(Outcome.PASSED) > 30
    assert all(behaviour.why for behaviour in certificate.behaviours if behaviour.outcome is not Outcome.PASSED)
    assert certificate.connector_version == "0.1.0"
    path = write_result(certificate, tmp_path / "results")
    assert path.name == f"{name}-2026-11-21.json"
    found = newest_result(name, tmp_path / "results")
    assert found is not None
    assert (found["failed"], found["at"]) == (0, "2026-11-21T00:00:00+00:00")
    assert newest_result("another", tmp_path / "results") is None


def test_a_failure_is_written_down_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change = ("__init__", "key=lambda offer: offer.price", "key=lambda offer: -offer.price")
    install(tmp_path, "dear", "courier", monkeypatch, change)
    certificate = certify("dear", at=START)
    assert not certificate.good
    [failed] = [behaviour for behaviour in certificate.behaviours if behaviour.outcome is Outcome.FAILED]
    assert failed.name == "quotes come cheapest first"
    assert "15000" in failed.why


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_as_strict_as_this_project(tmp_path: Path, kind: str) -> None:
    write_package("strict", kind, tmp_path)
    package = tmp_path / "sellersync-strict"
    settings = ["--config", str(ROOT / "pyproject.toml"), str(package)]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *settings], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(package / "sellersync_strict")],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in package.rglob("*.py")}
    assert max(lines.values()) < 400, lines


@pytest.mark.parametrize("name", ["", "Pasar", "1pasar", "pa-sar", "class", "p", "a b", "../x", "x" * 40])
def test_a_name_that_cannot_be_a_provider_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="provider"):
        write_package(name, "channel", tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_package("pasar", "channel", tmp_path)
    with pytest.raises(BadInput, match="exists already"):
        write_package("pasar", "courier", tmp_path)
    with pytest.raises(BadInput, match="no kind"):
        write_package("other", "shop", tmp_path)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["connectors", "certify", "nosuch"], 2),
        (["connectors", "new", "Bad-Name", "--kind", "channel"], 2),
        (["connectors", "new", "fine", "--kind", "shop"], 2),
        (["connectors", "list"], 0),
    ],
)
def test_the_commands_answer_with_their_exit_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    from sellersync.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    told = capsys.readouterr()
    assert told.err if code else "shopee" in told.out
    assert "Traceback" not in told.err
    assert not list(tmp_path.iterdir())
