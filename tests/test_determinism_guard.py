"""Time, chance and waiting come from outside everywhere, so that one seed replays one run (semantics: determinism).

Only the modules named in OWNERS read the machine's clock, wait on it or throw dice of their own, each for the reason given.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FORBIDDEN = (
    *(
        f"time.{name}"
        for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep")
    ),
    *(f"time.{name}" for name in ("process_time", "localtime", "gmtime", "ctime")),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
    "asyncio.sleep",
    "uuid.uuid1",
    "uuid.uuid4",
    "os.urandom",
    "secrets",
    "random",
)
"""Dotted names; a module's name forbids everything in it."""

HARMLESS = ("random.Random",)  # a generator made from a seed; without one it is caught below

OWNERS: dict[str, tuple[tuple[str, ...], str]] = {
    "sellersync/clock.py": (
        ("datetime.datetime.now", "time.monotonic", "asyncio.sleep"),
        "the one place that reads the machine's clock and sleeps",
    ),
    "sellersync/testing/virtual.py": (("asyncio.sleep",), "sleeps on a virtual loop, where waiting takes no time"),
    "sellersync/app.py": (
        ("random.Random", "secrets.token_hex"),
        "where no seed is given, chance begins here; an install and a process need names that nobody else has",
    ),
    "sellersync/store/vault.py": (("os.urandom",), "keys and nonces of the encryption must not be predictable"),
    "sellersync/store/ledger.py": (
        ("time.sleep", "random.Random"),
        "the writer thread backs off before it reruns a transaction that PostgreSQL refused; no result depends on it",
    ),
    "sellersync/sandbox/scenario.py": (("secrets.token_hex",), "each demo seals its ledger with a key of its own"),
    "sellersync/sandbox/": (
        ("time.time", "time.monotonic", "time.sleep", "asyncio.sleep", "datetime.datetime.now"),
        "sockets, buyers and the demo live in real time",
    ),
    "sellersync/testing/": (("time.time", "time.monotonic", "time.sleep"), "real sockets in tests"),
    "sellersync/cli/": (
        ("time.time", "time.monotonic", "time.sleep", "datetime.datetime.now"),
        "a person waits in real time; commands hand the machine's clock to the app",
    ),
}
"""Path, or folder ending in a slash -> (what it may use, why)."""


def sources() -> list[str]:
    """Every source file of the product and its connectors, from the root."""
    found = [path for base in ("sellersync", "connectors") for path in sorted((ROOT / base).rglob("*.py"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def uses(source: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each forbidden thing that the source uses, whatever it calls it."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {(alias.asname or alias.name): f"{node.module}.{alias.name}" for alias in node.names}
    seedless = {
        id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and not (node.args or node.keywords)
    }
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if id(node) in inner or not isinstance(node, ast.Name | ast.Attribute):
            continue
        name = _dotted(node, names)
        if name in HARMLESS and id(node) not in seedless:
            continue
        if any(name == entry or name.startswith(f"{entry}.") for entry in FORBIDDEN):
            yield node.lineno, name


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return ""
    return ".".join([names[node.id], *reversed(parts)])


def allowed(path: str) -> set[str]:
    """The forbidden names that this file may use."""
    found: set[str] = set()
    for owner, (names, _) in OWNERS.items():
        if path == owner or (owner.endswith("/") and path.startswith(owner)):
            found.update(names)
    return found


@pytest.mark.parametrize("path", sources())
def test_clock_chance_and_sleep_come_from_outside(path: str) -> None:
    found = [(line, name) for line, name in uses((ROOT / path).read_text("utf-8")) if name not in allowed(path)]
    assert not found, f"{path}: take a Clock or a Random as an argument instead"


def test_owners_exist_and_need_what_they_own() -> None:
    """An exception that nobody needs any more is taken back."""
    for owner, (names, reason) in OWNERS.items():
        assert reason
        if owner.endswith("/"):
            continue
        path = ROOT / owner
        if path.exists():
            used = {name for _, name in uses(path.read_text("utf-8"))}
            assert set(names) <= used, owner


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import monotonic as tick\ntick()",
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "from datetime import datetime\ndatetime.utcnow()",
        "from datetime import date\nf = date.today",
        "import random\nrandom.choice([1])",
        "from random import shuffle\nshuffle([])",
        "from random import Random\nRandom()",
        "import random\nrandom.SystemRandom()",
        "from uuid import uuid4\nuuid4()",
        "import asyncio\nasync def f():\n    await asyncio.sleep(1)",
        "import secrets\nsecrets.token_hex()",
        "import os\nos.urandom(4)",
        "def f(now=__import__):\n    import time\n    return time.sleep",
    ],
)
def test_each_way_round_is_caught(source: str) -> None:
    assert list(uses(source))


@pytest.mark.parametrize(
    "source",
    [
        "from random import Random\nRandom(7)",
        "import random\nrng: random.Random = random.Random(1)",
        "from datetime import datetime\ndatetime.fromtimestamp(0)",
        "import time\n",
        "import asyncio\nasyncio.timeout(3)",
        "self.clock.sleep(1)",
        "now = clock.now()",
    ],
)
def test_what_takes_its_time_from_outside_is_let_through(source: str) -> None:
    assert not list(uses(source))
