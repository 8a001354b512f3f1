"""A connector package to begin with: it passes the suite at once against its own simulator of an invented wire.

The templates are filled in by `write_package`; a test generates both kinds, checks them as strictly as this project and certifies them.
"""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from sellersync.domain.errors import BadInput

KINDS = ("channel", "courier")
SUITES = {"channel": "ChannelConformance", "courier": "CourierConformance"}
_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")


def write_package(name: str, kind: str, folder: Path) -> list[Path]:
    """Write `folder`/sellersync-NAME with a connector, its simulator, its test and its pyproject.toml; the files in order.

    Raises `BadInput` for a name that cannot be a provider's, an unknown kind, or a folder that exists.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise BadInput(
            f"{name!r} cannot be a provider's name: lower-case letters, digits and _ were expected, a letter first"
        )
    if kind not in KINDS:
        raise BadInput(f"{kind!r} is no kind of connector; there are {' and '.join(KINDS)}")
    root = folder / f"sellersync-{name}"
    if root.exists():
        raise BadInput(f"{root} exists already; choose another folder with --to")
    package = root / f"sellersync_{name}"
    contents = {
        root / "pyproject.toml": "pyproject.toml",
        root / "README.md": f"{kind}_readme.md",
        package / "__init__.py": f"{kind}_init.py",
        package / "api.py": f"{kind}_api.py",
        package / "mapping.py": f"{kind}_mapping.py",
        package / "sandbox.py": f"{kind}_sandbox.py",
        root / "tests" / "test_conformance.py": "test_conformance.py",
    }
    title = name.replace("_", " ").title()
    values = {"name": name, "cls": title.replace(" ", ""), "title": title, "suite": SUITES[kind]}
    for path, template in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        source = files(__name__).joinpath("templates", f"{template}.tmpl").read_text("utf-8")
        path.write_text(Template(source).substitute(values), "utf-8")
    marker = package / "py.typed"
    marker.write_text("", "utf-8")
    return [*contents, marker]
