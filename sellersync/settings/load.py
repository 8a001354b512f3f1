"""Load and check the configuration; every problem becomes one sentence, and all are reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from sellersync.connector.contract import Channel, Connector, ConnectorSettings, Courier
from sellersync.connector.registry import connector_class
from sellersync.domain.errors import ConfigError
from sellersync.notify.registry import notifier_class

from .notify import NotifySettings, NotifyTable
from .sentences import about, expected, key_at, secret_fields, table_name, unknown_key
from .shape import (
    SECTIONS,
    SLUG_PATTERN,
    ChannelSettings,
    ChannelTable,
    CourierSettings,
    CourierTable,
    JobsSettings,
    LedgerSettings,
    SenderSettings,
    Settings,
    Table,
    WarehouseSettings,
    read_vault_key,
)
from .sources import (
    ENV_NESTED,
    ENV_PREFIX,
    Credentials,
    Tables,
    credentials_directory,
    env_name,
    read_credentials,
    read_toml,
    with_environment,
)

T = TypeVar("T", bound=Table)
LEDGER_URL = "ledger.url"
VAULT_KEY = "vault_key"
MAIL_PASSWORD = "mail.password"
FILE = "file"
"""The report's file stands in the list of messages under this name."""
SQLITE = "sqlite:///"


def load(path: Path, *, environ: Mapping[str, str], credentials_dir: Path | None = None) -> Settings:
    """The configuration of `path`, with variables SELLERSYNC_SECTION__KEY laid over it and secrets from the credential files.

    The credential files stand in `credentials_dir`, else in `$CREDENTIALS_DIRECTORY` (set by systemd), else in the file's
    `secrets_dir`. Raises `ConfigError` with every problem found.
    """
    return _Loading(path, environ, credentials_dir).run()


class _Loading:
    """One pass over one configuration. Problems are gathered; nothing raises before the end, except a file that is no TOML."""

    def __init__(self, path: Path, environ: Mapping[str, str], credentials_dir: Path | None) -> None:
        self.path = path
        self.problems: list[str] = []
        self.variables = {name.upper() for name in environ if name.upper().startswith(ENV_PREFIX)}
        self.file = read_toml(path)
        self.tables = self._tables(environ)
        self.credentials = self._credentials(environ, credentials_dir)
        self.known_credentials = {VAULT_KEY, LEDGER_URL, MAIL_PASSWORD}
        self.unchecked: set[str] = set()
        self.disabled: set[str] = set()
        self.classes: dict[str, type[Connector]] = {}

    def run(self) -> Settings:
        ledger_table = self._ledger_table()
        report_table = dict(self.tables.report)
        if isinstance(report_table.get("dir"), str):
            report_table["dir"] = self._beside(report_table["dir"])
        mail_table, mail_password = self._mail()
        raw = {name: getattr(self.tables, name) for name in SECTIONS}
        raw |= {"ledger": ledger_table, "report": report_table, "mail": mail_table}
        parts: dict[str, Any] = {
            name: self._table(model, raw[name], (name,))
            for name, model in SECTIONS.items()
            if name != "sender" or raw["sender"]
        }
        vault_key = self._vault_key()
        warehouses = self._warehouses()
        jobs = parts["jobs"] or JobsSettings()
        channels = _present(
            (slug, self._channel(slug, table, tuple(warehouses), jobs)) for slug, table in self.tables.channels.items()
        )
        couriers = _present((slug, self._courier(slug, table)) for slug, table in self.tables.couriers.items())
        notifiers = _present((name, self._notifier(name, table)) for name, table in self.tables.notify.items())
        self._across(channels, couriers)
        self._messages(parts, notifiers)
        self._leftover_credentials()
        if self.problems:
            raise ConfigError([self._without_secrets(problem) for problem in self.problems])
        assert vault_key is not None
        return Settings(
            path=self.path,
            warehouses=warehouses,
            channels=channels,
            couriers=couriers,
            vault_key=vault_key,
            mail_password=mail_password,
            notify=notifiers,
            credentials_dir=self.credentials.directory,
            disabled=frozenset(self.disabled),
            **{"sender": None, **parts},
        )

    # -- sources

    def _tables(self, environ: Mapping[str, str]) -> Tables:
        """All tables. What should be a table and is not is reported and left out, so that the others are still checked."""
        try:
            tables = with_environment(self.file, environ)
        except ValidationError as failure:
            kept: dict[str, Any] = {name: dict(v) if isinstance(v, dict) else v for name, v in self.file.items()}
            broken: set[str] = set()
            for error in failure.errors(include_input=False):
                place = tuple(str(part) for part in error["loc"])
                self.problems.append(f"{self._at(place)}: {expected(error)}")
                broken.add(place[0])
                if len(place) > 1:
                    kept[place[0]].pop(place[1], None)
                else:
                    kept.pop(place[0], None)
            tables = with_environment(kept, {n: v for n, v in environ.items() if _section(n) not in broken})
        for key in tables.model_extra or {}:
            self.problems.append(unknown_key(self._at((key,)), key, Tables.model_fields))
        for name in sorted(self.variables):
            if ENV_NESTED in name and _section(name) not in Tables.model_fields:
                self.problems.append(unknown_key(f"environment variable {name}", _section(name), Tables.model_fields))
        return tables

    def _credentials(self, environ: Mapping[str, str], given: Path | None) -> Credentials:
        credentials = read_credentials(credentials_directory(self.path, self.tables, environ, given))
        self.problems += credentials.problems
        return credentials

    # -- places and small checks

    def _at(self, place: tuple[str, ...]) -> str:
        variable = env_name(*place)
        return f"environment variable {variable}" if variable in self.variables else key_at(str(self.path), place)

    def _beside(self, path: str) -> Path:
        return self.path.parent.absolute() / path

    def _table(self, model: type[T], table: Mapping[str, Any], place: tuple[str, ...]) -> T | None:
        try:
            return model.model_validate(table)
        except ValidationError as failure:
            whole = f"{self.path}: {table_name(place)}"
            self.problems += about(failure, model, lambda key: self._at((*place, key)), table=whole)
            return None

    def _secret_in_file(self, place: tuple[str, ...], credential: str) -> bool:
        """Report a secret that stands in the file itself (`place`); True when it may not be used."""
        if self.tables.allow_inline_secrets or self._at(place).startswith("environment"):
            return False
        self.problems.append(
            f"{self._at(place)} is a secret and does not belong into this file: "
            f"write it into the file {credential} in {self.credentials.place}"
        )
        return True

    # -- sections

    def _ledger_table(self) -> dict[str, Any]:
        """[ledger] with its URL from the credential file, where there is one, and relative paths beside the configuration."""
        table = dict(self.tables.ledger)
        url = self.credentials.values.get(LEDGER_URL) or table.get("url")
        if isinstance(url, str):
            in_file = LEDGER_URL not in self.credentials.values
            if in_file and _password(url) and self._secret_in_file(("ledger", "url"), LEDGER_URL):
                url = LedgerSettings().url
            file = url.removeprefix(SQLITE)
            table["url"] = SQLITE + str(self._beside(file)) if url.startswith(SQLITE) and file else url
        if isinstance(table.get("state_dir"), str):
            table["state_dir"] = self._beside(table["state_dir"])
        return table

    def _mail(self) -> tuple[dict[str, Any], SecretStr | None]:
        """[mail] with a path beside the configuration, and the password of its user."""
        table = dict(self.tables.mail)
        password = self.credentials.values.get(MAIL_PASSWORD)
        if isinstance(inline := table.pop("password", None), str) and password is None:
            if self._secret_in_file(("mail", "password"), MAIL_PASSWORD):
                return table, None
            password = inline
        if table.get("user") and not password and MAIL_PASSWORD not in self.credentials.unreadable:
            self.problems.append(
                f"{self.credentials.place}: the credential file {MAIL_PASSWORD} is missing: {self._at(('mail', 'user'))} needs it"
            )
        if isinstance(table.get("ca_file"), str):
            table["ca_file"] = self._beside(table["ca_file"])
        return table, SecretStr(password) if password else None

    def _vault_key(self) -> SecretStr | None:
        text = self.credentials.values.get(VAULT_KEY)
        if text is None and self.tables.vault_key is not None:
            if self._secret_in_file((VAULT_KEY,), VAULT_KEY):
                return None
            text = self.tables.vault_key
        if text is None:
            if VAULT_KEY not in self.credentials.unreadable:
                self.problems.append(
                    f"{self.credentials.place}: the credential file {VAULT_KEY} is missing: it seals tokens and buyer data; "
                    f"make it once with: openssl rand -hex 32 > {VAULT_KEY}"
                )
            return None
        try:
            read_vault_key(text)
        except ValueError as failure:
            self.problems.append(f"{self.credentials.place}: the credential file {VAULT_KEY}: {failure}")
            return None
        return SecretStr(text)

    def _warehouses(self) -> dict[str, WarehouseSettings]:
        tables = self.tables.warehouses or {"main": {}}
        for code in tables:
            self._check_slug(("warehouses", code))
        return _present((code, self._table(WarehouseSettings, t, ("warehouses", code))) for code, t in tables.items())

    def _check_slug(self, place: tuple[str, str]) -> None:
        if not re.match(SLUG_PATTERN, place[1]):
            self.problems.append(
                f"{self.path}: {table_name(place)}: a name of lower-case letters, digits and hyphens is expected, at most 40"
            )

    # -- channels and couriers

    def _channel(
        self, slug: str, table: Mapping[str, Any], warehouses: tuple[str, ...], jobs: JobsSettings
    ) -> ChannelSettings | None:
        place = ("channels", slug)
        common, connector = self._provided(ChannelTable, place, table)
        if common is None:
            return None
        sells_from = self._sells_from(place, common, warehouses)
        for key, code in (
            *(("warehouse", code) for code in sells_from),
            *((f"locations.{k}", v) for k, v in common.locations.items()),
        ):
            if code not in warehouses:
                self.problems.append(
                    f"{self._at((*place, key))}: {code!r} is no warehouse; expected is one of {', '.join(warehouses)}"
                )
        cls = self.classes.get(slug)
        if common.locations and cls is not None and issubclass(cls, Channel) and not cls.capabilities.locations:
            self.problems.append(
                f"{self._at((*place, 'locations'))}: {cls.title} keeps one number a listing, no locations"
            )
        if connector is None:
            return None
        return ChannelSettings(
            slug=slug,
            provider=common.provider,
            poll_s=common.poll_s,
            push_s=jobs.push_s if common.push_s is None else common.push_s,
            jitter=common.jitter,
            warehouse=next(iter(sells_from), ""),
            more_warehouses=sells_from[1:],
            locations=common.locations,
            first_walk_days=common.first_walk_days,
            connector=connector,
        )

    def _sells_from(self, place: tuple[str, str], common: ChannelTable, warehouses: tuple[str, ...]) -> tuple[str, ...]:
        """The codes of the warehouses that a channel sells from, the one that its orders are taken from first."""
        at = self._at((*place, "warehouse"))
        if common.warehouse is None:
            return warehouses[:1]
        codes = common.warehouse
        if not codes:
            self.problems.append(f"{at}: the list is empty; expected is at least one of {', '.join(warehouses)}")
        if len(set(codes)) < len(codes):
            self.problems.append(f"{at}: a warehouse stands there twice; expected is each code once")
        if len(codes) > 1 and common.locations:
            self.problems.append(
                f"{at}: {len(codes)} warehouses, and locations of their own besides; expected is a single code, "
                "the other warehouses belong into locations"
            )
        return codes

    def _courier(self, slug: str, table: Mapping[str, Any]) -> CourierSettings | None:
        common, connector = self._provided(CourierTable, ("couriers", slug), table)
        if common is None or connector is None:
            return None
        return CourierSettings(slug=slug, provider=common.provider, connector=connector)

    def _provided(
        self, model: type[T], place: tuple[str, str], table: Mapping[str, Any]
    ) -> tuple[T | None, ConnectorSettings | None]:
        """The common keys of a channel's or courier's table, and its connector's own; `None` for what is wrong or switched off."""
        slug = place[1]
        self._check_slug(place)
        own = {key: value for key, value in table.items() if key not in model.model_fields}
        common = self._table(model, {key: value for key, value in table.items() if key not in own}, place)
        if table.get("enabled", True) in (False, "false"):
            self.disabled.add(slug)
            return None, None
        provider = table.get("provider")
        if not isinstance(provider, str) or not provider:
            self.unchecked.add(slug)
            return common, None
        try:
            cls = connector_class(provider)
        except ConfigError as failure:
            self.unchecked.add(slug)
            self.problems += [f"{self._at((*place, 'provider'))}: {problem}" for problem in failure.problems]
            return common, None
        section = "couriers" if issubclass(cls, Courier) else "channels"
        if section != place[0]:
            self.unchecked.add(slug)
            self.problems.append(f"{self._at((*place, 'provider'))}: {cls.title} belongs under [{section}.{slug}]")
            return common, None
        self.classes[slug] = cls
        return common, self._connector_settings(cls.Settings, place, own, common_keys=model.model_fields)

    def _connector_settings(
        self, model: type[ConnectorSettings], place: tuple[str, str], own: Mapping[str, Any], common_keys: Iterable[str]
    ) -> ConnectorSettings | None:
        slug = place[1]
        secrets = secret_fields(model)
        data = dict(own)
        said: set[str] = set()
        for key in model.model_fields:
            credential = f"{slug}.{key}"
            self.known_credentials.add(credential)
            if key in secrets and key in own and self._secret_in_file((*place, key), credential):
                said.add(key)
            elif credential in self.credentials.values:
                data[key] = self.credentials.values[credential]
            elif credential in self.credentials.unreadable:
                said.add(key)

        def at(key: str) -> str:
            if f"{slug}.{key}" in self.credentials.values or (key in secrets and key not in own):
                return f"{self.credentials.place}: the credential file {slug}.{key}"
            return self._at((*place, key))

        try:
            settings = model.model_validate(data)
        except ValidationError as failure:
            whole = f"{self.path}: {table_name(place)}"
            known = {*common_keys, *model.model_fields} - secrets
            self.problems += about(failure, model, at, table=whole, known=known, skip=said)
            return None
        return None if said else settings

    # -- notifiers

    def _notifier(self, name: str, table: Mapping[str, Any]) -> NotifySettings | None:
        place = ("notify", name)
        self._check_slug(place)
        own = {key: value for key, value in table.items() if key not in NotifyTable.model_fields}
        common = self._table(NotifyTable, {key: value for key, value in table.items() if key not in own}, place)
        if table.get("enabled", True) in (False, "false"):
            self.disabled.add(name)
            return None
        kind = table.get("kind")
        if not isinstance(kind, str) or not kind:
            self.unchecked.add(name)
            return None
        try:
            cls = notifier_class(kind)
        except ConfigError as failure:
            self.unchecked.add(name)
            self.problems += [f"{self._at((*place, 'kind'))}: {problem}" for problem in failure.problems]
            return None
        settings = self._connector_settings(cls.Settings, place, own, common_keys=NotifyTable.model_fields)
        if cls.needs_mail and self.tables.mail.get("enabled", False) not in (True, "true"):
            self.problems.append(
                f"{self._at((*place, 'kind'))}: it sends through the server of [mail]; expected is enabled = true there"
            )
        if common is None or settings is None:
            return None
        return NotifySettings(name=name, kind=kind, attach=common.attach, own=settings)

    def _messages(self, parts: Mapping[str, Any], notifiers: Mapping[str, NotifySettings]) -> None:
        """Every reader that is named has a table, and every table a name of its own."""
        for name in sorted(set(self.tables.notify) & (set(self.tables.channels) | set(self.tables.couriers))):
            self.problems.append(
                f"{self.path}: [notify.{name}]: a channel or courier has this name; expected is another one"
            )
        if FILE in self.tables.notify:
            self.problems.append(f"{self.path}: [notify.{FILE}]: this name is taken; expected is another one")
        for section, keys in (("report", ("send_to", "weekly_to", "monthly_to")), ("alerts", ("to",))):
            for key in keys if parts[section] is not None else ():
                names: tuple[str, ...] = getattr(parts[section], key)
                at = self._at((section, key))
                if len(set(names)) < len(names):
                    self.problems.append(f"{at}: a name stands there twice; expected is each once")
                for name in sorted(set(names) - set(self.tables.notify)):
                    known = ", ".join(sorted(self.tables.notify)) or "none"
                    self.problems.append(f"{at}: there is no table [notify.{name}]; there are: {known}")
                for name in sorted(set(names) & self.disabled & set(self.tables.notify)):
                    self.problems.append(f"{at}: [notify.{name}] is switched off (enabled = false)")

    # -- across the tables

    def _across(self, channels: Mapping[str, ChannelSettings], couriers: Mapping[str, CourierSettings]) -> None:
        for slug in sorted(set(self.tables.channels) & set(self.tables.couriers)):
            self.problems.append(f"{self.path}: [couriers.{slug}]: a channel has this name; expected is another one")
        accounts = [("channels", slug, c.provider, c.connector) for slug, c in channels.items()]
        accounts += [("couriers", slug, c.provider, c.connector) for slug, c in couriers.items()]
        shops: dict[tuple[str, str], str] = {}
        for section, slug, provider, connector in accounts:
            shop = getattr(connector, "remote_shop_id", None)
            if shop is None:
                continue
            name = table_name((section, slug))
            first = shops.setdefault((provider, str(shop)), name)
            if first != name:
                self.problems.append(
                    f"{self._at((section, slug, 'remote_shop_id'))}: {first} is the same shop; expected is one table for each shop"
                )
        own_sites = [
            slug
            for slug in self.tables.channels
            if (cls := self.classes.get(slug)) is not None and issubclass(cls, Channel) and cls.capabilities.own_site
        ]
        if own_sites and couriers and not self.tables.sender:
            needed = ", ".join(name for name, field in SenderSettings.model_fields.items() if field.is_required())
            self.problems.append(
                f"{self.path}: [sender] is missing: couriers collect the parcels of {', '.join(own_sites)} there; "
                f"expected are {needed}"
            )

    def _leftover_credentials(self) -> None:
        silent = self.unchecked | self.disabled
        for name in sorted({*self.credentials.values, *self.credentials.unreadable} - self.known_credentials):
            if name.split(".", 1)[0] not in silent:
                at = f"{self.credentials.place}: the credential file {name}"
                self.problems.append(unknown_key(at, name, self.known_credentials))

    def _without_secrets(self, sentence: str) -> str:
        """A connector's own check may quote a value; a secret is taken out."""
        for secret in self.credentials.values.values():
            if len(secret) >= 6:
                sentence = sentence.replace(secret, "***")
        return sentence


def _section(variable: str) -> str:
    """The table that a variable SELLERSYNC_SECTION__KEY belongs to ("" for any other variable)."""
    name = variable.upper()
    return name.removeprefix(ENV_PREFIX).split(ENV_NESTED)[0].lower() if name.startswith(ENV_PREFIX) else ""


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


V = TypeVar("V")


def _present(items: Iterable[tuple[str, V | None]]) -> dict[str, V]:
    return {name: value for name, value in items if value is not None}
