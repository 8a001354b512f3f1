"""The product's commands and its daemon as processes, played here by small Python programs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sellersync.sandbox.house import House, HouseError

PROGRAM = """
import signal, sys, time
word = sys.argv[1]
print("said", *sys.argv[1:], flush=True)
if word == "fail":
    print("no such channel", file=sys.stderr)
    sys.exit(3)
if word == "run":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(60)
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    package = tmp_path / "sellersync"
    package.mkdir()
    (package / "__main__.py").write_text(PROGRAM)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    return House(tmp_path / "sellersync.toml", environ)


def test_a_command_gets_the_configuration(house: House) -> None:
    assert house.run("listings", "pull").strip() == f"said listings pull --config {house.config_path}"


def test_a_failing_command_says_why(house: House) -> None:
    with pytest.raises(HouseError, match="ended with 3: no such channel"):
        house.run("fail")
    assert house.run("fail", check=False).startswith("said fail")


def test_the_daemon_is_stopped_by_a_signal(house: House) -> None:
    house.start()
    deadline = time.monotonic() + 10
    while "said run" not in house.last_words():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert house.exit_code is None
    assert house.stop() == 0
    assert house.pid is None
    assert house.stop() == 0


def test_a_daemon_that_died_is_noticed(house: House) -> None:
    house.start()
    assert house.pid is not None
    os.kill(house.pid, 9)
    deadline = time.monotonic() + 10
    while house.exit_code is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert house.stop() == -9
