"""Where settings come from: the TOML file, the environment, and the credential files. Reading only; nothing is judged here."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from sellersync.domain.errors import ConfigError

ENV_PREFIX = "SELLERSYNC_"
ENV_NESTED = "__"
CREDENTIAL_BYTES_MAX = 64 * 1024
UNIT_PREFIX = "sellersync_"
"""systemd names the files of a whole directory ID_FILENAME (`LoadCredential=sellersync:/etc/sellersync/credentials`)."""

NAMED = ("warehouses", "channels", "couriers", "notify")
"""Tables of tables: their second level is a name that the seller chose."""


class Tables(BaseSettings):
    """The file's tables, unjudged, with the environment laid over them."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_NESTED, extra="allow", hide_input_in_errors=True
    )
    secrets_dir: str | None = None
    allow_inline_secrets: bool = False
    vault_key: str | None = None
    shop: dict[str, Any] = {}
    ledger: dict[str, Any] = {}
    warehouses: dict[str, dict[str, Any]] = {}
    channels: dict[str, dict[str, Any]] = {}
    couriers: dict[str, dict[str, Any]] = {}
    sender: dict[str, Any] = {}
    booking: dict[str, Any] = {}
    jobs: dict[str, Any] = {}
    report: dict[str, Any] = {}
    notify: dict[str, dict[str, Any]] = {}
    alerts: dict[str, Any] = {}
    stock: dict[str, Any] = {}
    compare: dict[str, Any] = {}
    desk: dict[str, Any] = {}
    mail: dict[str, Any] = {}
    http: dict[str, Any] = {}


class _Environment(EnvSettingsSource):
    """The environment that was handed in, not the process's own. A value is text unless it is written as a JSON list or table."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return _json_or_text(value)

    def explode_env_vars(self, field_name: str, field: FieldInfo, env_vars: Mapping[str, str | None]) -> dict[str, Any]:
        return {
            key: _json_or_text(value) for key, value in super().explode_env_vars(field_name, field, env_vars).items()
        }


def _json_or_text(value: Any) -> Any:
    """A JSON list or table decoded, also inside a table; everything else as it is, to be judged with its key."""
    if isinstance(value, dict):
        return {key: _json_or_text(inner) for key, inner in value.items()}
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def env_name(*place: str) -> str:
    """The variable that sets the key at this place: SELLERSYNC_CHANNELS__SHOPEE_MAIN__POLL_S."""
    return ENV_PREFIX + ENV_NESTED.join(place).upper().replace("-", "_")


def read_toml(path: Path) -> dict[str, Any]:
    """The file as it stands. Raises `ConfigError` when it cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as failure:
        raise ConfigError([f"{path}: the configuration file cannot be read ({failure.strerror})"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: the configuration file is not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as failure:
        raise ConfigError([f"{path}: not valid TOML: {failure}"]) from None


def with_environment(table: Mapping[str, Any], environ: Mapping[str, str]) -> Tables:
    """The file's tables with the environment laid over them. Raises pydantic's `ValidationError` for what is no table."""

    class Layered(Tables):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return _Environment(settings_cls, _named_as_in_file(environ, table)), init_settings

    return Layered(**table)


def _named_as_in_file(environ: Mapping[str, str], table: Mapping[str, Any]) -> dict[str, str]:
    """Variables cannot hold hyphens: CHANNELS__SHOPEE_MAIN means the channel `shopee-main` when the file has it."""
    result: dict[str, str] = {}
    for name, value in environ.items():
        place = name.lower().removeprefix(ENV_PREFIX.lower()).split(ENV_NESTED)
        if name.upper().startswith(ENV_PREFIX) and len(place) > 2 and place[0] in NAMED:
            slug = place[1].replace("_", "-")
            if isinstance(table.get(place[0]), Mapping) and slug in table[place[0]]:
                place[1] = slug
            name = ENV_PREFIX + ENV_NESTED.join(place)
        result[name] = value
    return result


@dataclass(slots=True)
class Credentials:
    """Secrets by file name (`shopee-main.partner_key`, `vault_key`), where they were looked for, and what is wrong with the files."""

    directory: Path | None
    values: dict[str, str] = field(default_factory=dict, repr=False)
    unreadable: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        return str(self.directory) if self.directory else "the credentials directory (--credentials DIR)"


def credentials_directory(
    path: Path, tables: Tables, environ: Mapping[str, str], given: Path | None = None
) -> Path | None:
    """Where the credential files of the configuration at `path` stand: as given, as systemd says, or in its `secrets_dir`."""
    if given is not None:
        return given
    if environ.get("CREDENTIALS_DIRECTORY"):
        return Path(environ["CREDENTIALS_DIRECTORY"])
    return None if tables.secrets_dir is None else path.parent.absolute() / tables.secrets_dir


def read_credentials(directory: Path | None) -> Credentials:
    """Read a flat directory of one-secret files; the text is taken without surrounding white space."""
    found = Credentials(directory)
    if directory is None:
        return found
    try:
        paths = sorted(directory.iterdir())
    except OSError as failure:
        found.problems.append(f"{directory}: the credentials directory cannot be read ({failure.strerror})")
        return found
    for path in paths:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            found.problems.append(f"{path}: a directory; credential files stand side by side, named SLUG.FIELD")
            continue
        name = path.name.removeprefix(UNIT_PREFIX)
        try:
            found.values[name] = _secret_text(path)
        except ValueError as failure:
            found.unreadable.add(name)
            found.problems.append(f"{path}: the credential file {failure}")
    return found


def _secret_text(path: Path) -> str:
    try:
        if path.stat().st_size > CREDENTIAL_BYTES_MAX:
            raise ValueError(f"is over {CREDENTIAL_BYTES_MAX} bytes")
        text = path.read_text("utf-8").strip()
    except OSError as failure:
        raise ValueError(f"cannot be read ({failure.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not text:
        raise ValueError("is empty")
    return text
