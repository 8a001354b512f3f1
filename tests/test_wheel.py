"""The wheel: built, installed elsewhere, and compared with the tree. What is missing there is missing for every user."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 180
DATA = ("py.typed", "README.md", "payloads/*", "templates/*", "*.mako")


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def packages() -> dict[str, Path]:
    """Import packages of the tree by name: the product and each connector beside it."""
    found = [ROOT / "sellersync", *sorted((ROOT / "connectors").glob("sellersync_*"))]
    return {path.name: path for path in found if (path / "__init__.py").exists()}


def is_data(path: Path, package: Path) -> bool:
    below = path.relative_to(package)
    return path.is_file() and any(below.match(pattern) for pattern in DATA)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the tree (a build leaves traces), installed into a directory of its own without dependencies."""
    home = tmp_path_factory.mktemp("wheel")
    source = home / "source"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "tests")
    )
    python = sys.executable
    run(python, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(home / "dist"), str(source))
    [wheel] = (home / "dist").glob("*.whl")
    target = home / "site"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(wheel))
    return target


@pytest.mark.parametrize("name", packages())
def test_every_module_and_data_file_is_in_it(installed: Path, name: str) -> None:
    package = packages()[name]
    wanted = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.suffix == ".py" or is_data(path, package)
    }
    found = {path.relative_to(installed / name).as_posix() for path in (installed / name).rglob("*") if path.is_file()}
    assert wanted <= found
    assert "py.typed" in found


def test_nothing_else_is_in_it(installed: Path) -> None:
    """Above all no top-level package `connectors` or `tests`: other distributions own such names."""
    tops = {path.name for path in installed.iterdir() if path.name not in ("bin", "__pycache__")}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(packages())


def test_entry_points_name_classes_that_are_there(installed: Path) -> None:
    [info] = installed.glob("sellersync-*.dist-info")
    points = PathDistribution(info).entry_points
    assert {point.name for point in points.select(group="console_scripts")} == {"sellersync"}
    connectors = points.select(group="sellersync.connectors")
    simulators = points.select(group="sellersync.simulators")
    assert {point.value.split(":")[0] for point in connectors} == {name for name in packages() if name != "sellersync"}
    assert {point.name for point in connectors} == {point.name for point in simulators}
    for point in (*connectors, *simulators):
        code = "import sys; sys.path.insert(0, sys.argv[1]); import importlib; "
        code += "module = importlib.import_module(sys.argv[2]); assert module.__file__.startswith(sys.argv[1]); "
        code += "getattr(module, sys.argv[3])"
        run(sys.executable, "-c", code, str(installed), point.module, point.attr)


def test_the_licence_and_readme_came_along(installed: Path) -> None:
    [info] = installed.glob("sellersync-*.dist-info")
    metadata = PathDistribution(info).metadata
    assert metadata["Name"] == "sellersync"
    assert metadata["License-Expression"] == "Apache-2.0"
    if (ROOT / "README.md").exists():
        assert (ROOT / "README.md").read_text("utf-8").strip() in str(metadata.json["description"])
