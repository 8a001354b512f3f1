"""Connector packages made by `connectors new`, put where Python and the entry points find them, without pip."""

from __future__ import annotations

from pathlib import Path

import pytest

from sellersync.testing.scaffold import write_package


def install(
    folder: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch, *changes: tuple[str, str, str]
) -> Path:
    """Write a package, change (module, old text, new text) in it, and make it importable; the package's folder."""
    write_package(name, kind, folder)
    root = folder / f"sellersync-{name}"
    package = root / f"sellersync_{name}"
    for module, old, new in changes:
        path = package / f"{module}.py"
        source = path.read_text("utf-8")
        assert source.count(old) == 1, f"{module}.py does not hold once: {old}"
        path.write_text(source.replace(old, new), "utf-8")
    info = root / f"sellersync_{name}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sellersync-{name}\nVersion: 0.1.0\n")
    (info / "top_level.txt").write_text(f"sellersync_{name}\n")
    cls = name.title().replace("_", "")
    (info / "entry_points.txt").write_text(
        f"[sellersync.connectors]\n{name} = sellersync_{name}:{cls}\n"
        f"[sellersync.simulators]\n{name} = sellersync_{name}.sandbox:{cls}Sandbox\n"
    )
    monkeypatch.syspath_prepend(str(root))
    return package
