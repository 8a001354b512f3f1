"""`sellersync auth login CHANNEL --callback`: keys that the provider's own page grants, straight into the credential files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from sellersync.connector.contract import KeyPage
from sellersync.connector.registry import connector_class
from sellersync.domain.errors import BadInput, ConfigError, NotSupported
from sellersync.settings.sources import credentials_directory, read_toml, with_environment
from sellersync.store.vault import Vault

from .catch import CATCH_S_MAX, KeyCatcher
from .out import as_json, note, say
from .state import State

CHALLENGE_LENGTH = 32


def login(state: State, channel: str, *, callback_url: str, port: int | None) -> None:
    """Show the page, wait for the keys, write them down (0600), and try them. The keys are never shown."""
    if port is None:
        raise BadInput("--callback needs --catch PORT: the port of this computer to which the public address leads")
    if urlsplit(callback_url).scheme != "https" or not urlsplit(callback_url).netloc or "%" in callback_url:
        raise BadInput("--callback: a plain https address was expected, such as https://keys.example.com/sellersync")
    table, folder = _channel(state, channel)
    page = _page_of(channel, table)
    if folder is None:
        raise BadInput(
            "where shall the keys be kept? Name the folder with --credentials DIR, or with secrets_dir in the "
            f"configuration; the files will be named {channel}.FIELD"
        )
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise BadInput(f"{folder}: no folder in which keys can be written; nothing was asked for")
    challenge = Vault.new_key()[:CHALLENGE_LENGTH]
    address = page.address(table, callback_url=callback_url, challenge=challenge)

    def keep(body: bytes) -> list[str]:
        return _write(folder, channel, page.read(body, challenge=challenge))

    with KeyCatcher(port, keep) as catcher:
        note("Open this page in a browser, log in as the owner of the shop and agree:")
        note(f"\n  {address}\n")
        note(f"Waiting up to {CATCH_S_MAX // 60} minutes for the keys to come to {callback_url} ...")
        try:
            files = catcher.wait()
        finally:
            for refusal in catcher.refusals:
                note(f"Something else came and was refused: {refusal}.")
    note(f"The keys are kept in {folder}: {', '.join(files)}.")
    try:
        health = state.on_app(lambda app: app.connectors[channel].health())
    except ConfigError as unfinished:  # what else is missing is not this command's matter
        shop, remarks = None, [f"The keys were not tried yet: {problem}" for problem in unfinished.problems]
    else:
        shop, remarks = health.shop_name or health.remote_shop_id, list(health.notes)
    if state.json:
        as_json({"channel": channel, "shop": shop, "files": files, "notes": remarks})
        return
    say(f"Authorised: {shop}" if shop else f"{channel} has its keys. Next: sellersync init")
    for remark in remarks:
        note(remark)


def offered(provider: str) -> bool:
    """Does this connector's provider have such a page?"""
    return connector_class(provider).key_page is not None


def _channel(state: State, channel: str) -> tuple[Mapping[str, Any], Path | None]:
    """The channel's table as it stands, and where secrets are kept. The rest of the configuration need not be whole yet."""
    path = state.config_path()
    try:
        tables = with_environment(read_toml(path), os.environ)
    except ValidationError:
        state.settings()  # says what is wrong
        raise
    if channel not in tables.channels:
        raise BadInput(f"no channel {channel!r} is configured; there are: {', '.join(tables.channels) or 'none'}")
    return tables.channels[channel], credentials_directory(path, tables, os.environ, state.credentials)


def _page_of(channel: str, table: Mapping[str, Any]) -> KeyPage:
    cls = connector_class(str(table.get("provider") or ""))
    if cls.key_page is None:
        raise NotSupported(f"{cls.title} grants no keys by a page of its own; leave --callback out")
    return cls.key_page


def _write(folder: Path, channel: str, keys: Mapping[str, str]) -> list[str]:
    """All files or none, as far as the disk allows: each gets its name once all are written."""
    from sellersync.desk.files import private_file

    names = [f"{channel}.{field}" for field in sorted(keys)]
    with ExitStack() as files:
        for name in names:
            files.enter_context(private_file(folder / name)).write(keys[name.removeprefix(f"{channel}.")].encode())
    return names
