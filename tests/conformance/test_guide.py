"""docs/connector-guide.md is followed literally, in a fresh virtual environment: every command, change and script of it is executed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "connector-guide.md").read_text("utf-8")
TIMEOUT_S = 300


def snippets() -> Iterator[tuple[str, str]]:
    """(language, content) of each fenced block, in order."""
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL):
        yield match[1], match[2]


class Workshop:
    """A developer's folder and virtual environment. Nothing is fetched: sellersync and its dependencies are lent to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        home = folder / "venv"
        venv.create(home, with_pip=False)
        [site] = home.glob("lib/python*/site-packages")
        (site / "lent.pth").write_text(f"{ROOT}\n{ROOT / 'connectors'}\n{sysconfig.get_paths()['purelib']}\n")
        for name in ("pip", "sellersync"):
            command = home / "bin" / name
            command.write_text(f'#!/bin/sh\nexec "{home}/bin/python" -m {name} "$@"\n')
            command.chmod(0o755)
        self.environ = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("PYTHON", "SELLERSYNC", "PYTEST"))
            },
            "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this as "no isolation"
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def run(self, command: str) -> tuple[str, int]:
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=self.folder, env=self.environ, capture_output=True, text=True,
            timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr, done.returncode

    def console(self, block: str) -> None:
        """Each `$ command` with the lines expected after it; `...` stands for anything."""
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *expected = part.rstrip("\n").splitlines()
            wanted_code = 1 if expected and expected[-1] == "[exit 1]" else 0
            output, code = self.run(command)
            assert code == wanted_code, f"$ {command}\n{output[-3000:]}"
            lines = iter(output.splitlines())
            for line in expected:
                if line in ("...", "[exit 1]"):
                    continue
                pattern = re.compile(".*".join(re.escape(piece) for piece in line.strip().split("...")))
                assert any(pattern.search(found) for found in lines), (
                    f"$ {command}\n{line!r} is not in\n{output[-3000:]}"
                )

    def diff(self, block: str) -> None:
        """Apply a change; hunks are found by their context, since the guide counts no lines."""
        path = self.folder / re.findall(r"^\+\+\+ (\S+)$", block, re.MULTILINE)[0]
        source = path.read_text("utf-8")
        for hunk in block.split("@@\n")[1:]:
            rows = hunk.splitlines()
            before = "\n".join(row[1:] for row in rows if not row.startswith("+"))
            after = "\n".join(row[1:] for row in rows if not row.startswith("-"))
            assert source.count(before) == 1, f"{path.name} does not hold once:\n{before}"
            source = source.replace(before, after)
        path.write_text(source, "utf-8")

    def python(self, block: str) -> None:
        """A script; its first line names the file."""
        name = re.match(r"# (\S+\.py)\n", block)
        assert name, "a script begins with its name"
        (self.folder / name[1]).write_text(block, "utf-8")


def test_the_guide_is_followed_literally(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    languages = set()
    for language, content in snippets():
        languages.add(language)
        getattr(workshop, language)(content)
    assert languages == {"console", "diff", "python"}


def test_the_package_of_the_guide_is_outside(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    out, code = workshop.run(
        "sellersync connectors new warung --kind channel && pip install --editable sellersync-warung"
    )
    assert code == 0, out
    out, code = workshop.run("python -c 'import sellersync_warung; print(sellersync_warung.__file__)'")
    assert str(workshop.folder) in out
    assert not str(ROOT).startswith(str(workshop.folder))


@pytest.mark.parametrize("name", re.findall(r"`(sellersync\.[\w.]+)`", GUIDE))
def test_modules_that_the_guide_names_are_there(name: str) -> None:
    if name in ("sellersync.connectors", "sellersync.simulators"):  # entry-point groups
        return
    assert subprocess.run([sys.executable, "-c", f"import {name}"], timeout=60, check=False).returncode == 0
