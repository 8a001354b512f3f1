"""The pytest plugin is loaded in every test run on a machine where sellersync is installed: it must not be felt there."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

TIMEOUT_S = 60


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_it_is_registered_and_loads_nothing_else() -> None:
    [point] = entry_points(group="pytest11", name="sellersync")
    assert point.value == "sellersync.testing.plugin"
    code = (
        "import sys, pytest; before = set(sys.modules); import sellersync.testing.plugin; "
        "new = {name for name in set(sys.modules) - before if name.startswith(('sellersync', 'httpx', 'pydantic'))}; "
        "assert new == {'sellersync', 'sellersync.testing', 'sellersync.testing.plugin'}, new"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=TIMEOUT_S, check=False).returncode == 0


def test_other_people_s_tests_do_not_notice_it(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-config --strict-markers\nfilterwarnings = error\n"
    )
    (tmp_path / "test_theirs.py").write_text("def test_one():\n    assert 1\n\ndef test_two():\n    assert 0\n")
    done = run(tmp_path)
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == [
        "pytest.ini",
        "test_theirs.py",
    ]


def test_results_are_written_a_line_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(
        "import pytest\n\ndef test_one():\n    pass\n\ndef test_two():\n    pytest.skip('not offered: no reason')\n\n"
        "@pytest.fixture\ndef broken():\n    raise OSError('no disk')\n\ndef test_three(broken):\n    pass\n"
    )
    run(tmp_path, "--conformance-json", "results.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["passed", "skipped", "failed"]
    assert lines[1]["reason"] == "not offered: no reason"
    assert "no disk" in lines[2]["reason"]
