"""Running the conformance suite for one installed connector, and writing down what came of it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from sellersync.connector.contract import Channel
from sellersync.connector.registry import connector_class, simulator_class
from sellersync.domain.errors import BadInput

TIMEOUT_S = 1_800
REASON_LENGTH_MAX = 300
SIZES = ("small", "large")
AREAS = {
    "walks": "orders in",
    "placed": "counting",
    "messy": "odd answers",
    "money": "money",
    "settlements": "settlements",
    "levels": "levels out",
    "shipping": "shipments",
    "handback": "waybills",
    "parcels": "bookings",
    "deliveries": "tracking",
    "tokens": "tokens",
    "faults": "faults",
    "hygiene": "manners",
    "switches": "both ways",
}
"""Module of the suite -> how the table calls it, in its order."""


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_OFFERED = "not offered"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One behaviour of the suite. `checks` counts its variants; `why` is the reason of a failure or of what is not offered."""

    area: str
    name: str
    outcome: Outcome
    checks: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one run of the suite showed. `at` is aware UTC; versions are those of the installed packages, "" where unknown."""

    provider: str
    title: str
    kind: str
    at: datetime
    size: str
    connector_version: str
    sellersync_version: str
    behaviours: tuple[Behaviour, ...]

    def count(self, outcome: Outcome) -> int:
        return sum(behaviour.outcome is outcome for behaviour in self.behaviours)

    @property
    def good(self) -> bool:
        return bool(self.behaviours) and not self.count(Outcome.FAILED)

    def as_plain(self) -> dict[str, Any]:
        """As the result file holds it."""
        counts = {outcome.name.lower(): self.count(outcome) for outcome in Outcome}
        return {**asdict(self), "at": self.at.astimezone(UTC).isoformat(timespec="seconds"), **counts}


def certify(provider: str, *, at: datetime, size: str = SIZES[0]) -> Certificate:
    """Run the suite against the connector's own simulator, in a process of its own.

    Raises `ConfigError` where no such connector or simulator is installed, `BadInput` where the suite cannot run.
    """
    if importlib.util.find_spec("pytest") is None:
        raise BadInput("the conformance suite needs pytest: pip install pytest")
    cls = connector_class(provider)
    simulator_class(provider)
    kind = "channel" if issubclass(cls, Channel) else "courier"
    with tempfile.TemporaryDirectory(prefix="sellersync-certify-") as folder:
        lines = _run(provider, kind, Path(folder), size)
    return Certificate(
        provider=provider,
        title=cls.title,
        kind=kind,
        at=at,
        size=size,
        connector_version=_version_of(cls.__module__),
        sellersync_version=_version_of("sellersync"),
        behaviours=tuple(_behaviours(lines, kind)),
    )


def write_result(certificate: Certificate, folder: Path) -> Path:
    """Write the dated result file PROVIDER-YYYY-MM-DD.json into `folder`, over an older one of the same day."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{certificate.provider}-{certificate.at.astimezone(UTC):%Y-%m-%d}.json"
    path.write_text(json.dumps(certificate.as_plain(), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def newest_result(provider: str, folder: Path) -> Mapping[str, Any] | None:
    """The newest result file of a provider in `folder`; `None` when there is none that can be read."""
    for path in sorted(folder.glob(f"{provider}-????-??-??.json"), reverse=True):
        try:
            found = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict) and found.get("provider") == provider:
            return found
    return None


# ------------------------------------------------------------------------------------------------------------------------------ inside


def _run(provider: str, kind: str, folder: Path, size: str) -> list[dict[str, Any]]:
    """The result lines of the plugin. Other plugins and other people's settings have no part in it."""
    suite = "ChannelConformance" if kind == "channel" else "CourierConformance"
    test, ini, results = folder / "test_certified.py", folder / "pytest.ini", folder / "results.jsonl"
    test.write_text(
        f"from sellersync.testing.conformance import {suite}\n\n\nclass TestCertified({suite}):\n    provider = {provider!r}\n"
    )
    ini.write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "sellersync.testing.plugin", "-p", "no:cacheprovider"]
    command += ["-c", str(ini), "--rootdir", str(folder), "--tb", "short"]
    command += ["--conformance-size", size, "--conformance-json", str(results), str(test)]
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise BadInput(f"the suite did not end within {TIMEOUT_S} s") from None
    if done.returncode not in (0, 1) or not results.exists():
        raise BadInput(f"the suite could not run:\n{(done.stdout + done.stderr)[-2_000:]}")
    return [json.loads(line) for line in results.read_text("utf-8").splitlines()]


def _behaviours(lines: Sequence[Mapping[str, Any]], kind: str) -> list[Behaviour]:
    """Variants of one behaviour together, in the order of the areas."""
    from .conformance import ChannelConformance, CourierConformance

    suite: type[Any] = ChannelConformance if kind == "channel" else CourierConformance
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault(str(line["test"]).rpartition("::")[2].partition("[")[0], []).append(line)
    found = []
    for name, variants in groups.items():
        module = getattr(suite, name).__module__.rpartition(".")[2]
        found.append(_behaviour(AREAS.get(module, module), name, variants))
    order = list(AREAS.values())
    return sorted(found, key=lambda behaviour: order.index(behaviour.area) if behaviour.area in order else len(order))


def _behaviour(area: str, name: str, variants: Sequence[Mapping[str, Any]]) -> Behaviour:
    words = name.removeprefix("test_").replace("_", " ")
    failed = [line for line in variants if line["outcome"] == "failed"]
    if failed:
        return Behaviour(area, words, Outcome.FAILED, len(variants), _reason(failed[0], len(failed)))
    if all(line["outcome"] == "skipped" for line in variants):
        why = str(variants[0]["reason"]).removeprefix(f"{Outcome.NOT_OFFERED}: ")
        return Behaviour(area, words, Outcome.NOT_OFFERED, len(variants), why[:REASON_LENGTH_MAX])
    return Behaviour(area, words, Outcome.PASSED, sum(line["outcome"] == "passed" for line in variants))


def _reason(line: Mapping[str, Any], count: int) -> str:
    """The first line of the first failure that says what is wrong, and which variant it was."""
    told = [text[1:].strip() for text in str(line["reason"]).splitlines() if text.startswith("E ")]
    variant = re.search(r"\[(.+)\]$", str(line["test"]))
    words = (told[0] if told else str(line["reason"]).strip().splitlines()[-1]).removeprefix("AssertionError: ")
    where = f" [{variant[1]}]" if variant else ""
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"{words[:REASON_LENGTH_MAX]}{where}{more}"


def _version_of(module: str) -> str:
    top = module.partition(".")[0]
    try:
        return version(packages_distributions()[top][0])
    except (KeyError, PackageNotFoundError):
        return ""
