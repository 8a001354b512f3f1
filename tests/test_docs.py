"""What the docs say is there: commands with their options, make targets, links, paths, dependencies, and a lock file that binds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from sellersync.cli.commands import app
from sellersync.cli.main import FLAGS, VALUED

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]
GUIDES = [*DOCS, *sorted(ROOT.glob("connectors/*/README.md"))]
TOPS = ("sellersync/", "connectors/", "config/", "systemd/", "tests/", "docs/", "bench/")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

_BLOCK_COMMAND = re.compile(r"^(?: {4,}|> ?)(?:[$#] )?(?:\S*/)?sellersync ([a-z].*)$", re.MULTILINE)
_SPAN_COMMAND = re.compile(r"`sellersync ([a-z][^`]*)`")
_MAKE = re.compile(r"(?:`|^ {4})make ([a-z]+)", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_PATH = re.compile(r"`([a-z_./A-Z0-9-]+)`")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ---------------------------------------------------------------------------------------------------------------------------- commands


def commands(text: str) -> list[str]:
    """What is written after `sellersync` in code blocks and code spans, comments and placeholders of the syntax taken away."""
    found = [*_BLOCK_COMMAND.findall(text), *_SPAN_COMMAND.findall(text)]
    return sorted({re.split(r"\s#|\s\\$|[;|&]", command.replace("\\|", " "))[0].strip() for command in found})


def complaint(command: str) -> str:
    """Why this cannot be typed; "" when it can. Only names are checked: commands and options, not values."""
    here: Any = typer.main.get_command(app)
    known = {*VALUED, *FLAGS}
    valued = False
    for word in command.replace("[", " ").replace("]", " ").split():
        if valued and not word.startswith("-"):  # the value of an option
            valued = False
        elif re.match(r"--?[a-z]", word):  # not the placeholder -N
            option = word.split("=")[0]
            own = {
                spelling: parameter
                for parameter in here.params
                for spelling in (*parameter.opts, *parameter.secondary_opts)
            }
            if option not in known | own.keys() | {"--help"}:
                return f"{here.name} has no option {option}"
            valued = "=" not in word and (option in VALUED or (option in own and not own[option].is_flag))
        elif hasattr(here, "commands"):
            if word not in here.commands:
                return f"{here.name} has no command {word!r}"
            here = here.commands[word]
    return ""


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_every_command_that_the_docs_show_exists(path: Path) -> None:
    wrong = {command: why for command in commands(path.read_text("utf-8")) if (why := complaint(command))}
    assert not wrong


def test_the_readme_shows_commands() -> None:
    """A change of style must not leave the test above with nothing to look at."""
    assert {"init", "run", "status"} <= set(commands((ROOT / "README.md").read_text("utf-8")))


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("status", ""),
        ("stock count --file shelf.csv --json", ""),
        ("stock weigh", "stock has no command 'weigh'"),
        ("report --html page.html --json", ""),
        ("demo --minutes 3", "demo has no option --minutes"),
    ],
)
def test_the_check_can_fail(command: str, why: str) -> None:
    assert complaint(command) == why


def test_every_make_target_that_the_docs_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for path in GUIDES for target in _MAKE.findall(path.read_text("utf-8"))}
    assert {"demo", "test"} <= named <= targets


# ------------------------------------------------------------------------------------------------------------------- links and paths


def references() -> Iterator[tuple[str, str]]:
    """(document, path from the root) of every relative link and every path of this repository in a code span."""
    for path in GUIDES:
        text = path.read_text("utf-8")
        for link in _LINK.findall(text):
            if "://" not in link and not link.startswith("mailto:"):
                yield name(path), (path.parent / link).resolve().relative_to(ROOT).as_posix()
        for span in _PATH.findall(text):
            if span.startswith(TOPS):
                yield name(path), span


@pytest.mark.parametrize(("document", "target"), sorted(set(references())))
def test_every_link_and_path_leads_somewhere(document: str, target: str) -> None:
    assert (ROOT / target).exists(), f"{document} names {target}, which is not there"


# ----------------------------------------------------------------------------------------------------------------------- dependencies


def dependencies() -> set[str]:
    """Names of everything that pyproject.toml asks for, extras included."""
    extras = [entry for group in PROJECT["optional-dependencies"].values() for entry in group]
    return {re.split(r"[\[<>=!~; ]", entry)[0].lower() for entry in [*PROJECT["dependencies"], *extras]}


def test_every_dependency_has_its_reason_and_every_reason_its_dependency() -> None:
    text = (ROOT / "docs" / "why.md").read_text("utf-8")
    section = text.partition("\n## The parts\n")[2].partition("\n## ")[0]
    entries = re.split(r"\n- ", section)[1:]
    assert entries
    reasoned = {word for entry in entries for word in re.findall(r"`([a-z0-9-]+)`", entry.partition(".")[0])}
    extras = set(PROJECT["optional-dependencies"])
    assert dependencies() - reasoned == set(), "without a reason in docs/why.md"
    assert reasoned - dependencies() - extras == set(), "explained in docs/why.md, but no dependency"


LOCKS = ("requirements.lock", "requirements-dev.lock")


def locked(lock: str) -> dict[str, str]:
    """Name -> its whole entry in a lock file."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {re.split(r"[\[= ;]", line)[0].lower(): line for line in lines}


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_host_and_binds_every_file(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--index|--extra-index|--find-links|--trusted-host| @ ", text)
    loose = [entry for entry in locked(lock).values() if "==" not in entry or "--hash=sha256:" not in entry]
    assert not loose


def test_the_locks_hold_every_dependency_in_the_same_version() -> None:
    product, everything = (locked(lock) for lock in LOCKS)
    assert dependencies() - everything.keys() == set()
    versions = {name: entry.split()[0] for name, entry in everything.items()}
    assert {name: entry.split()[0] for name, entry in product.items()}.items() <= versions.items()


def test_the_changelog_knows_this_version() -> None:
    assert f"\n## {PROJECT['version']}\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")
