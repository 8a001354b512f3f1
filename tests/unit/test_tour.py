"""docs/tour.md is true: every path that it names is there, and every module of the house stands in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOUR = (ROOT / "docs" / "tour.md").read_text("utf-8")
TOPS = ("sellersync/", "connectors/", "config/", "systemd/", "tests/", "docs/", "bench/")
DESIGNED = " (designed)"


def named_paths() -> list[str]:
    return sorted({name for name in re.findall(r"`([^`\s]+)`", TOUR) if name.startswith(TOPS)})


def home_of(part: str) -> str:
    """The text that describes a part: its own section, or the paragraphs from its first mention to the next part's."""
    name = re.escape(f"`{part}/`")
    start = re.search(rf"(?m)^## .*: {name}", TOUR) or re.search(rf"(?m)^{name} is ", TOUR)
    assert start, f"docs/tour.md has no section for {part}/"
    end = re.search(r"(?m)^(## |`sellersync/\w+/` is )", TOUR[start.end() :])
    return TOUR[start.end() : start.end() + end.start()] if end else TOUR[start.end() :]


def parts() -> list[str]:
    folders = [path for path in sorted((ROOT / "sellersync").iterdir()) if (path / "__init__.py").exists()]
    return [path.relative_to(ROOT).as_posix() for path in folders]


@pytest.mark.parametrize("name", named_paths())
def test_every_path_is_there_or_marked_as_designed(name: str) -> None:
    marked = f"`{name}`{DESIGNED}" in TOUR
    there = (ROOT / name).exists()
    assert there or marked, f"docs/tour.md names {name}, which is not there"
    assert not (there and marked), (
        f"{name} is built: take '{DESIGNED.strip()}' away in docs/tour.md and list its modules"
    )


@pytest.mark.parametrize("part", parts())
def test_every_module_stands_in_its_section(part: str) -> None:
    section = home_of(part)
    modules = {path.name for path in (ROOT / part).glob("*.py") if path.name != "__init__.py"}
    listed = set(re.findall(r"`(\w+\.py)`", section))
    assert modules <= listed, f"docs/tour.md does not know {sorted(modules - listed)} of {part}/"
    if not part.startswith("sellersync/connector"):  # that section tells of the connectors' files too
        assert listed <= modules, f"docs/tour.md lists {sorted(listed - modules)}, which {part}/ has not"


def test_every_single_module_and_every_connector_is_named() -> None:
    wanted = [path for path in (ROOT / "sellersync").glob("*.py") if path.name != "__init__.py"]
    wanted += [path for path in (ROOT / "connectors").glob("sellersync_*") if (path / "__init__.py").exists()]
    for path in wanted:
        name = path.relative_to(ROOT).as_posix() + ("/" if path.is_dir() else "")
        assert f"`{name}`" in TOUR, name
