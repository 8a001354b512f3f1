"""`sellersync init` and `sellersync run`."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import typer

from sellersync.app import build, new_install_id, open_ledger
from sellersync.domain.errors import BadInput, ConfigError
from sellersync.settings import Settings, load
from sellersync.settings.load import VAULT_KEY
from sellersync.settings.sources import UNIT_PREFIX, env_name, read_toml
from sellersync.store import reads, schema
from sellersync.store.engine import sqlite_warning
from sellersync.store.instance import AlreadyRunning, Instance
from sellersync.store.vault import Vault

from .out import as_json, say
from .state import State, state_of


def register(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("run")(run)


def run(context: typer.Context) -> None:
    """Run the daemon in the foreground until SIGTERM or SIGINT."""
    state = state_of(context)
    state.log(logging.INFO)
    settings = state.settings()
    state.log(logging.INFO)
    from sellersync import daemon  # the scheduler is loaded by nobody else

    raise typer.Exit(daemon.run(settings))


def init(context: typer.Context) -> None:
    """Create the ledger, or bring it to this version's schema; make a vault key where there is none. Harmless to repeat."""
    state = state_of(context)
    key_path = _missing_key(state)
    settings = _with_key(state, key_path) if key_path is not None else state.settings()
    settings.ledger.state_dir.mkdir(parents=True, exist_ok=True)
    before, now = _upgrade(settings)
    ledger = open_ledger(settings)
    try:
        install_id = schema.begin_ledger(ledger, new_install_id())
        place = ledger.describe()
    finally:
        ledger.close()
    app = build(settings)  # channels and warehouses of the configuration are known from now on
    try:
        status = app.ledger.read_now(lambda session: reads.ledger_status(session, app.ledger))
        to_authorise = [
            channel.state.slug
            for channel in status.channels
            if app.connectors.get(channel.state.slug) is not None
            and app.connectors[channel.state.slug].authoriser is not None
            and not channel.authorised
        ]
    finally:
        app.ledger.close()
    if state.json:
        as_json({"ledger": place, "schema": now, "before": before, "install_id": install_id, "authorise": to_authorise,
                 "vault_key_made": str(key_path) if key_path else None})  # fmt: skip
        return
    if key_path is not None:
        say(f"Made the vault key {key_path}. Keep a copy elsewhere: without it tokens and buyer data cannot be read.")
    done = "created" if not before else "already current" if before == now else f"upgraded from schema {before}"
    say(f"The ledger at {place} is {done} (schema {now}).")
    if sqlite_warning():
        say(f"Note: {sqlite_warning()}.")
    _next_steps(to_authorise, first=status.skus == 0)


def _next_steps(to_authorise: list[str], *, first: bool) -> None:
    steps = [f"sellersync auth login {slug}" for slug in to_authorise]
    if first:
        steps += ["sellersync listings pull", "sellersync stock count --file COUNT.csv"]
    say("Next:")
    for step in [*steps, "sellersync run"]:
        say(f"  {step}")


def _upgrade(settings: Settings) -> tuple[str, str]:
    """The schema is changed only while no daemon runs on it."""
    try:
        instance = Instance(settings.ledger.url)
    except AlreadyRunning as daemon:
        try:
            open_ledger(settings).close()
        except ConfigError as old:
            raise ConfigError([*old.problems, f"the daemon runs on this ledger ({daemon}): stop it first"]) from None
        return schema.HEAD, schema.HEAD
    try:
        return schema.upgrade(settings.ledger.url)
    finally:
        instance.release()


# ------------------------------------------------------------------------------------------------------------------- the vault key


def _missing_key(state: State) -> Path | None:
    """Where the vault key is to be made; `None` when there is one, or no directory to put it in."""
    path = state.config_path()
    file = read_toml(path)
    if VAULT_KEY in file or env_name(VAULT_KEY) in os.environ:
        return None
    directory = state.credentials
    if directory is None and os.environ.get("CREDENTIALS_DIRECTORY"):
        directory = Path(os.environ["CREDENTIALS_DIRECTORY"])
    if directory is None and isinstance(file.get("secrets_dir"), str):
        directory = path.parent.absolute() / file["secrets_dir"]
    if directory is None or any((directory / f"{prefix}{VAULT_KEY}").exists() for prefix in ("", UNIT_PREFIX)):
        return None
    return directory / VAULT_KEY


def _with_key(state: State, key_path: Path) -> Settings:
    """The settings with a fresh key, written only when everything else is right and no ledger was sealed with another one."""
    key = Vault.new_key()
    key_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = load(
        state.config_path(), environ={**os.environ, env_name(VAULT_KEY): key}, credentials_dir=state.credentials
    )
    try:
        open_ledger(settings).close()
    except ConfigError:
        pass  # no ledger yet
    else:
        raise BadInput(
            f"the ledger exists, but its vault key {key_path} is gone: put your copy of the key back; a new one would not open it"
        )
    try:
        handle = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as failure:
        raise ConfigError([f"{key_path}: the vault key cannot be written ({failure.strerror})"]) from None
    with os.fdopen(handle, "w") as file:
        file.write(key + "\n")
    return state.settings()
