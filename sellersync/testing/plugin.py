"""The pytest plugin of the conformance suites. It adds two options and touches no test that does not use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("sellersync.testing.conformance")

SIZES = ("small", "large")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sellersync", "conformance of connectors")
    group.addoption(
        "--conformance-size",
        choices=SIZES,
        default=SIZES[0],
        help="large: 5,001 orders in a window and twelve seeds, where small stays within seconds.",
    )
    group.addoption("--conformance-json", metavar="FILE", default=None, help="Write one JSON line a test into FILE.")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("conformance_json")
    if path:
        config.pluginmanager.register(_Results(Path(path)), "sellersync-conformance-results")


class _Results:
    """Writes what became of each test: name, docstring, outcome, reason, seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text("", "utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and not (report.when == "setup" and report.outcome != "passed"):
            return
        reason = ""
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        elif report.outcome == "failed":
            reason = report.longreprtext
        line: dict[str, Any] = {
            "test": report.nodeid,
            "outcome": report.outcome,
            "reason": reason,
            "seconds": round(report.duration, 3),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
