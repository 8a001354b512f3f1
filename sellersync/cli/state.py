"""What the global options say, and how commands get from there to settings, ledger and app."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import typer

from sellersync.app import App, build, open_ledger
from sellersync.connector.redact import Redactor
from sellersync.domain.errors import ConfigError
from sellersync.settings import Settings, load
from sellersync.store.ledger import Ledger

from . import logs

T = TypeVar("T")
CONFIG_VARIABLE = "SELLERSYNC_CONFIG"
CONFIG_PLACES = (Path("sellersync.toml"), Path("/etc/sellersync/sellersync.toml"))


@dataclass(slots=True)
class State:
    """The global options of one invocation."""

    config: Path | None = None
    credentials: Path | None = None
    json: bool = False
    verbose: bool = False
    redactor: Redactor = field(default_factory=Redactor)

    def log(self, level: int) -> None:
        logs.set_up(self.redactor, level=logging.DEBUG if self.verbose else level)

    def config_path(self) -> Path:
        """The configuration file. Raises `ConfigError` with the places that were looked at."""
        if self.config is not None:
            return self.config
        if os.environ.get(CONFIG_VARIABLE):
            return Path(os.environ[CONFIG_VARIABLE])
        for path in CONFIG_PLACES:
            if path.exists():
                return path
        raise ConfigError(
            [
                f"no configuration file: neither --config nor ${CONFIG_VARIABLE} names one, and there is no "
                f"{' and no '.join(str(path) for path in CONFIG_PLACES)}; copy config/sellersync.example.toml and edit it"
            ]
        )

    def settings(self) -> Settings:
        """The whole configuration, checked. Raises `ConfigError`."""
        settings = load(self.config_path(), environ=os.environ, credentials_dir=self.credentials)
        for secret in settings.secret_values():
            self.redactor.add(secret)
        return settings

    @contextmanager
    def ledger(self) -> Iterator[tuple[Settings, Ledger]]:
        """Settings and the ledger, for commands that only look. Nothing is written."""
        settings = self.settings()
        ledger = open_ledger(settings)
        try:
            yield settings, ledger
        finally:
            ledger.close()

    def on_app(self, errand: Callable[[App], Awaitable[T]]) -> T:
        """Build the app, run `errand` on it, close it."""
        settings = self.settings()

        async def body() -> T:
            app = build(settings)
            self.redactor = app.redactor
            self.log(logging.ERROR)
            try:
                return await errand(app)
            finally:
                await app.close()

        return asyncio.run(body())


def state_of(context: typer.Context) -> State:
    """The global options of this invocation."""
    state = context.find_object(State)
    assert state is not None
    return state
