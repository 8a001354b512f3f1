"""The example configuration is true: it loads, and every setting stands in it with a line of explanation."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from sellersync.connector.registry import connector_class
from sellersync.settings import Settings, load
from sellersync.settings.sentences import secret_fields
from sellersync.settings.shape import SECTIONS, ChannelTable, CourierTable, WarehouseSettings
from sellersync.settings.sources import Tables

EXAMPLE = Path(__file__).parents[2] / "config" / "sellersync.example.toml"
TEXT = EXAMPLE.read_text("utf-8")
RAW = tomllib.loads(TEXT)
PLACES: dict[str, type[BaseModel]] = {
    **SECTIONS,
    "warehouses.bandung": WarehouseSettings,
    "channels.shopee": ChannelTable,
    "couriers.biteship": CourierTable,
}
ACCOUNTS = [(section, slug) for section in ("channels", "couriers") for slug in RAW[section]]


def part(section: str) -> str:
    """The text between a table's header and the next header."""
    return TEXT.split(f"\n[{section}]\n", 1)[1].split("\n[", 1)[0]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The example with made-up credential files: exactly those that its comments name."""
    named = re.findall(r"[a-z][a-z0-9-]*\.[a-z_]+", "\n".join(re.findall(r"Credential files?: (.*)", TEXT)))
    for name in named:
        (tmp_path / name).write_text("made-up-secret-of-the-test")
    (tmp_path / "vault_key").write_text("00" * 32)
    return load(EXAMPLE, environ={}, credentials_dir=tmp_path)


def test_the_example_loads_with_the_credential_files_it_names(settings: Settings) -> None:
    assert [channel.provider for channel in settings.channels.values()] == [
        "shopee",
        "tokopedia",
        "lazada",
        "woocommerce",
    ]
    assert [courier.provider for courier in settings.couriers.values()] == ["biteship"]
    assert settings.sender is not None


@pytest.mark.parametrize(("section", "key"), [(s, k) for s, model in PLACES.items() for k in model.model_fields])
def test_every_key_stands_in_its_table_with_an_explanation(section: str, key: str) -> None:
    lines = part(section).splitlines()
    stands = rf"(# )?({key} = |\[\[{section}\.{key}\]\])"
    at = [number for number, line in enumerate(lines) if re.match(stands, line)]
    assert len(at) == 1, f"[{section}] {key} must stand once in the example"
    explained = next(line for line in reversed(lines[: at[0]]) if not re.match(r"\w+ = ", line))
    assert explained.startswith("# "), f"[{section}] {key} has no explanation above it"


def test_every_plain_key_and_every_table_stands_in_it() -> None:
    for name, field in Tables.model_fields.items():
        if name in ("secrets_dir", "allow_inline_secrets"):
            assert f"\n# {name} = " in TEXT
        elif name == "vault_key":
            assert "#   vault_key " in TEXT
        else:
            assert name in RAW, f"[{name}] is missing ({field.description})"


@pytest.mark.parametrize(("section", "model"), SECTIONS.items())
def test_values_shown_are_the_defaults(section: str, model: type[BaseModel]) -> None:
    """Keys that may be left out show the value that they have then; what differs must be marked as needed."""
    shown: dict[str, Any] = model.model_validate(RAW[section]).model_dump()
    for key, field in model.model_fields.items():
        if key not in RAW[section] or section == "sender":
            continue
        if field.default is PydanticUndefined:
            assert re.search(rf"# Needed\..*\n{key} = ", part(section))
        else:
            assert shown[key] == field.default, f"[{section}] {key}"


@pytest.mark.parametrize(("section", "slug"), ACCOUNTS)
def test_a_connector_shows_what_it_needs(section: str, slug: str) -> None:
    model = connector_class(RAW[section][slug]["provider"]).Settings
    text = part(f"{section}.{slug}")
    for key, field in model.model_fields.items():
        if not field.is_required():
            continue
        if key in secret_fields(model):
            assert f"{slug}.{key}" in text
        else:
            assert key in RAW[section][slug]


@pytest.mark.parametrize("provider", sorted({RAW[section][slug]["provider"] for section, slug in ACCOUNTS}))
def test_every_setting_of_a_connector_is_described(provider: str) -> None:
    model = connector_class(provider).Settings
    assert not [key for key, field in model.model_fields.items() if not field.description]
