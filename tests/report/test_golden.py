"""The report of the golden shop, byte for byte, in other processes with other time zones, locales and hash seeds.

After a wanted change: `.venv/bin/python tests/report/golden_files.py`, then read what it changed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .golden_files import GOLDEN
from .golden_shop import fill_shop

ROOT = Path(__file__).parents[2]
MACHINES = (
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0"},
    {"PYTHONHASHSEED": "77", "TZ": "America/New_York", "LC_ALL": "id_ID.UTF-8", "LANG": "id_ID.UTF-8", "COLUMNS": "31"},
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("shop")
    fill_shop(directory).close()
    return f"sqlite:///{directory / 'ledger.db'}"


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("machine", MACHINES, ids=[one["TZ"] for one in MACHINES])
def test_the_same_bytes_on_any_machine(ledger: str, machine: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "tests/report/golden_files.py", ledger, str(tmp_path)],
        env={**os.environ, **machine},
        check=True,
        cwd=ROOT,
        timeout=60,
    )
    made, golden = contents(tmp_path), contents(GOLDEN)
    assert sorted(made) == sorted(golden)
    changed = [name for name in sorted(made) if made[name] != golden[name]]
    assert changed == [], f"{len(changed)} of {len(made)} files; see the top of this file"
