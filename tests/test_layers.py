"""Imports follow the floors of the house (docs/tour.md): a module imports only from floors below it, and a library has one door."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS: dict[str, tuple[str, ...]] = {
    "sellersync": (),
    "sellersync.domain": (),
    "sellersync.clock": (),
    "sellersync.store": ("domain",),
    "sellersync.connector": ("domain",),
    "sellersync.settings": ("domain", "connector", "notify"),  # what kinds of notifiers there are, and their keys
    "sellersync.notify": ("domain", "connector"),  # a message is made of values alone; it goes out over connector.http
    "sellersync.jobs": ("domain", "store", "connector", "settings", "notify"),
    "sellersync.forecast": ("domain", "store", "settings"),
    "sellersync.report": ("domain", "store", "settings", "forecast"),
    "sellersync.desk": ("domain",),  # paper is made of values alone
    "sellersync.app": ("domain", "clock", "store", "connector", "settings", "notify", "jobs", "report"),
    "sellersync.outgoing": ("domain", "store", "connector", "settings", "notify", "jobs", "report", "app"),
    "sellersync.daemon": ("domain", "clock", "store", "connector", "settings", "jobs", "report", "desk", "app"),
    "sellersync.web": ("domain", "clock", "store", "connector", "settings", "jobs", "report", "app"),
    "sellersync.cli": (
        *("domain", "clock", "store", "connector", "settings", "jobs", "report", "app", "daemon", "web"),
        "desk",
        "notify",
        "outgoing",  # `sellersync notify`
        "forecast",  # `sellersync reorder`
        "sandbox",  # `sellersync demo`
        "testing",  # `sellersync connectors certify|new`
    ),
    "sellersync.__main__": ("cli",),
    # beside the house
    "sellersync.sandbox": ("domain", "connector", "clock"),
    "sellersync.testing": ("domain", "connector", "sandbox"),
}
"""Part of the product -> the other parts that it may import."""

DOORS: dict[str, tuple[str, ...]] = {
    "sqlmodel": ("sellersync.store",),
    "sqlalchemy": ("sellersync.store",),
    "alembic": ("sellersync.store",),
    "psycopg": ("sellersync.store",),
    "pysqlite3": ("sellersync.store",),
    "sqlite3": (
        "sellersync.store",
        "sellersync.sandbox",
    ),  # the judge reads the ledger's file with nothing of ours between
    "cryptography": ("sellersync.store",),
    "httpx": (
        "sellersync.connector.http",
        "sellersync.notify.web",
        "sellersync.sandbox",
        "sellersync.testing",
        "connectors",
    ),
    "tenacity": ("sellersync.connector.http",),
    "apscheduler": ("sellersync.daemon",),
    "pydantic_settings": ("sellersync.settings",),
    "typer": ("sellersync.cli",),
    "click": ("sellersync.cli",),
    "rich": ("sellersync.cli", "sellersync.report", "sellersync.sandbox"),
    "jinja2": ("sellersync.report", "sellersync.notify.letters"),
    "aiosmtplib": ("sellersync.notify.smtp",),
    "babel": ("sellersync.report",),
    "reportlab": ("sellersync.desk",),
    "pypdf": ("sellersync.desk",),
    "uvicorn": ("sellersync.sandbox", "sellersync.web"),
    "statsforecast": ("sellersync.forecast",),
    "numpy": ("sellersync.forecast",),
    "pandas": ("sellersync.forecast",),
    "xlsxwriter": ("sellersync.report", "sellersync.cli"),
}
"""Library -> the only modules that import it."""

JUDGE = "sellersync.sandbox.judge"


def modules() -> dict[str, Path]:
    """Every module of the product and of the connectors by its dotted name."""
    found: dict[str, Path] = {}
    for base in (ROOT, ROOT / "connectors"):
        for top in sorted(base.glob("sellersync*")):
            if not (top / "__init__.py").exists():
                continue
            for path in sorted(top.rglob("*.py")):
                parts = path.relative_to(base).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str, module: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of everything imported anywhere in the source, for type checking and inside functions too."""
    home = module.split(".") if package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{name}.{alias.name}") for alias in node.names)


def inside(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def floor_of(module: str) -> str | None:
    """The part of the product that a module belongs to (`sellersync.store`), `None` outside the product."""
    if module == "sellersync" or not module.startswith("sellersync."):
        return module if module == "sellersync" else None
    return ".".join(module.split(".")[:2])


def violations(source: str, module: str, *, package: bool = False) -> list[str]:
    """What the source of a module imports and must not, one sentence each."""
    connector = module.split(".")[0] if module.startswith("sellersync_") else None
    result: list[str] = []
    for line, name in imports(source, module, package=package):
        if connector is not None:
            broken = _in_connector(module, connector, name)
        else:
            broken = _in_house(module, name)
        doors = DOORS.get(name.split(".")[0])
        where = "connectors" if connector is not None else module
        if doors is not None and not any(inside(where, door) for door in doors):
            broken = f"the door of {name.split('.')[0]} is {' or '.join(doors)}"
        if broken:
            result.append(f"{module}:{line} imports {name}: {broken}")
    return result


def _in_house(module: str, name: str) -> str:
    if name.startswith("sellersync_"):
        return "the core never imports a connector by name"
    target, own = floor_of(name), floor_of(module)
    if target is None or own is None or target == own or own == "sellersync":
        return "" if own != "sellersync" or target is None else "the top package imports nothing"
    if target == "sellersync" or target not in FLOORS:
        return ""  # sellersync.__version__
    allowed = FLOORS.get(own, ())
    return (
        ""
        if target.removeprefix("sellersync.") in allowed
        else f"{own} may import {', '.join(allowed) or 'nothing of ours'}"
    )


def _in_connector(module: str, connector: str, name: str) -> str:
    """A connector sees the domain and the contract; its simulator sees the kit, and neither sees the other."""
    leaf = module.split(".")[1] if "." in module else ""
    simulator = leaf.startswith("sandbox")
    if inside(name, connector):
        parts = name.split(".")
        of_simulator = len(parts) > 1 and parts[1].startswith("sandbox")
        own_files = {path.stem for path in (ROOT / "connectors" / connector).glob("*.py")}
        is_file = len(parts) > 1 and parts[1] in own_files
        if simulator and not of_simulator:
            return "a simulator shares no code with its connector"
        if not simulator and of_simulator and is_file:
            return "a connector never imports its simulator"
        return ""
    if name.startswith("sellersync_"):
        return "connectors do not know each other"
    if not inside(name, "sellersync"):
        return ""
    allowed = ("sellersync.sandbox.kit",) if simulator else ("sellersync.domain", "sellersync.connector")
    return "" if any(inside(name, part) for part in allowed) else f"expected is only {' and '.join(allowed)}"


MODULES = modules()


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_floors(module: str) -> None:
    path = MODULES[module]
    assert violations(path.read_text("utf-8"), module, package=path.name == "__init__.py") == []


def test_every_part_has_a_floor() -> None:
    """A new part of the product gets its floor here and its line in docs/tour.md before it is imported anywhere."""
    parts = {floor_of(module) for module in MODULES} - {None}
    assert parts <= set(FLOORS)
    assert {f"sellersync.{part}" for allowed in FLOORS.values() for part in allowed} <= set(FLOORS)


def test_floors_have_no_stairs_down_and_up() -> None:
    """No two parts may import each other, not even round a corner."""
    below: dict[str, set[str]] = {part: {f"sellersync.{name}" for name in allowed} for part, allowed in FLOORS.items()}
    for part in below:
        reached, look = set[str](), set(below[part])
        while look:
            reached |= look
            look = set().union(*(below[name] for name in look)) - reached
        assert part not in reached


def test_the_domain_is_standard_library_only() -> None:
    for module, path in MODULES.items():
        if floor_of(module) in ("sellersync.domain", "sellersync.clock"):
            names = {name.split(".")[0] for _, name in imports(path.read_text("utf-8"), module, package=False)}
            assert names <= {*sys.stdlib_module_names, "sellersync"}, module


def test_renderers_cannot_query() -> None:
    """In report/ only `reading`, what builds, `explain` and `snapshot` read the ledger; renderers get a frozen value."""
    readers = re.compile(r"sellersync\.report\.(reading|build|build_\w+|explain|snapshot)")
    for module, path in MODULES.items():
        if floor_of(module) != "sellersync.report" or readers.fullmatch(module):
            continue
        names = [name for _, name in imports(path.read_text("utf-8"), module, package=path.name == "__init__.py")]
        assert not [name for name in names if inside(name, "sellersync.store")], module


def test_the_judge_shares_no_code_with_the_judged() -> None:
    """Nothing that the judge imports, directly or round a corner, comes from the rest of the product."""
    look, seen = [JUDGE] if JUDGE in MODULES else [], set[str]()
    while look:
        module = look.pop()
        seen.add(module)
        path = MODULES[module]
        for _, name in imports(path.read_text("utf-8"), module, package=path.name == "__init__.py"):
            if not inside(name, "sellersync") and not name.startswith("sellersync_"):
                continue
            assert inside(name, "sellersync.sandbox"), f"{module} imports {name}"
            target = name if name in MODULES else name.rpartition(".")[0]
            if target not in seen:
                look.append(target)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sellersync.domain.stock", "from sellersync.store import tables"),
        ("sellersync.domain.stock", "import sqlalchemy"),
        ("sellersync.store.reads", "from sellersync.connector.contract import Page"),
        ("sellersync.connector.http", "def f():\n    from sellersync.store import ledger"),
        ("sellersync.connector.rate", "import httpx"),
        ("sellersync.jobs.pull_orders", "import httpx"),
        ("sellersync.desk.label", "from sellersync.store import reads_desk"),
        ("sellersync.cli.labels", "import pypdf"),
        ("sellersync.jobs.send_mails", "import aiosmtplib"),
        ("sellersync.jobs.pull_orders", "from sqlalchemy import text"),
        ("sellersync.jobs.pull_orders", "from apscheduler.schedulers.asyncio import AsyncIOScheduler"),
        ("sellersync.jobs.pull_orders", "from ..app import App"),
        ("sellersync.jobs.pull_orders", "from sellersync_shopee import Shopee"),
        ("sellersync.app", "from .cli import main"),
        ("sellersync.settings.load", "from sellersync.store import vault"),
        ("sellersync.sandbox.demo", "from sellersync.jobs import pull_orders"),
        ("sellersync_shopee.api", "from sellersync.settings import load"),
        ("sellersync_shopee.api", "from . import sandbox"),
        ("sellersync_shopee.sandbox", "from .auth import sign"),
        ("sellersync_shopee.sandbox", "from sellersync.domain.orders import Order"),
        ("sellersync_shopee.api", "from sellersync_lazada import auth"),
    ],
)
def test_a_wrong_import_is_caught(module: str, source: str) -> None:
    assert violations(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sellersync.jobs.pull_orders", "from sellersync.store.ledger import Ledger\nimport asyncio"),
        ("sellersync.connector.http", "import httpx, tenacity"),
        ("sellersync_shopee.api", "import httpx\nfrom sellersync.connector.http import Wire\nfrom .auth import sign"),
        ("sellersync_shopee.sandbox", "import httpx\nfrom sellersync.sandbox.kit import Simulator"),
        ("sellersync.cli.main", "import typer\nfrom sellersync import __version__"),
    ],
)
def test_a_right_import_is_let_through(module: str, source: str) -> None:
    assert violations(source, module) == []
