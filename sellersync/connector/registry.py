"""Connectors and simulators are found by entry points, ours like a stranger's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoints, entry_points
from typing import Any

from sellersync.domain.errors import ConfigError

from .contract import Channel, Connector, Courier

GROUP = "sellersync.connectors"
SIMULATOR_GROUP = "sellersync.simulators"


@lru_cache(maxsize=8)
def _points(group: str, path: tuple[str, ...]) -> EntryPoints:
    """The entry points of all packages on `path`. Reading them opens every package's metadata and a start asks for many providers: they
    are read once, until the path itself changes."""
    return entry_points(group=group)


def _of(group: str) -> EntryPoints:
    return _points(group, tuple(sys.path))


def installed() -> Mapping[str, str]:
    """Provider name -> where its class lives. Two packages with one provider name are refused."""
    found: dict[str, str] = {}
    for point in _of(GROUP):
        if found.get(point.name, point.value) != point.value:
            raise ConfigError([f"two installed packages claim the provider {point.name!r}: uninstall one of them"])
        found[point.name] = point.value
    return dict(sorted(found.items()))


def connector_class(provider: str) -> type[Connector]:
    """The connector of a provider. Raises `ConfigError` naming what is installed, or why it cannot be loaded."""
    for point in _of(GROUP).select(name=provider):
        try:
            loaded = point.load()
        except (ImportError, AttributeError) as failure:
            raise ConfigError(
                [f"the connector {provider!r} cannot be loaded from {point.value}: {failure}"]
            ) from failure
        if not (isinstance(loaded, type) and issubclass(loaded, Channel | Courier)):
            raise ConfigError([f"the connector {provider!r} at {point.value} is neither a Channel nor a Courier"])
        return loaded
    raise ConfigError([f"no connector {provider!r} is installed; installed are: {', '.join(installed()) or 'none'}"])


def simulator_class(provider: str) -> type[Any]:
    """The simulator that ships with a connector. Raises `ConfigError`."""
    for point in _of(SIMULATOR_GROUP).select(name=provider):
        return point.load()  # type: ignore[no-any-return]
    raise ConfigError([f"the connector {provider!r} ships no simulator"])
