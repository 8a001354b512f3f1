"""What the demo refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from sellersync.sandbox.demo import run_demo


def test_an_unknown_channel_to_switch_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_demo(seconds=1, keep=tmp_path, off="bukalapak", json=True) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "there is no channel bukalapak" in err
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_ledger_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ledger.db").write_bytes(b"an earlier one")
    assert run_demo(seconds=1, keep=tmp_path) == 1
    assert "earlier run" in capsys.readouterr().err
    assert (tmp_path / "ledger.db").read_bytes() == b"an earlier one"
