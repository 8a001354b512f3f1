"""The demo's world is one that the product can be pointed at: a valid configuration, and simulators that answer over sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sellersync.clock import SystemClock
from sellersync.connector.contract import Channel, Context, Token
from sellersync.connector.http import Wire
from sellersync.connector.rate import RateGate
from sellersync.connector.registry import connector_class
from sellersync.sandbox.kit import Event
from sellersync.sandbox.scenario import CHANNELS, Scenario
from sellersync.settings import load


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    directory: Path = tmp_path_factory.mktemp("demo")
    with Scenario(directory, seed=3, seconds=5.0, clock=time.time) as scenario:
        yield scenario


def test_the_configuration_is_valid_and_complete(scenario: Scenario) -> None:
    settings = load(scenario.config_path, environ={})
    assert list(settings.channels) == list(CHANNELS)
    assert list(settings.couriers) == ["biteship"]
    assert settings.ledger.url == f"sqlite:///{scenario.ledger_path}"
    assert settings.sender is not None


def test_no_secret_stands_in_the_configuration(scenario: Scenario) -> None:
    text = scenario.config_path.read_text()
    files = list((scenario.directory / "credentials").iterdir())
    assert len(files) >= 6
    for file in files:
        assert file.read_text() not in text
        assert file.stat().st_mode & 0o077 == 0


def test_every_shortened_wait_is_listed(scenario: Scenario) -> None:
    lines = scenario.evidence().shortened
    assert "channels.* poll_s: 60 s -> 1 s" in lines
    assert "jobs book_s: 30 s -> 1 s" in lines
    assert "channels.shopee booking_wait_s: 3600 -> 0" in lines


class StaticTokens:
    def __init__(self, token: Token) -> None:
        self._token = token

    async def current(self) -> Token:
        return self._token

    async def renewed(self, dead: Token) -> Token:
        raise AssertionError("the first token was refused")


@pytest.mark.parametrize("slug", list(CHANNELS))
def test_the_connector_reads_the_shelf_over_its_socket(scenario: Scenario, slug: str) -> None:
    settings = load(scenario.config_path, environ={}).channels[slug]

    async def listings() -> dict[str, Any]:
        clock = SystemClock()
        wire = Wire(slug, clock=clock, rng=Random(1), gate=RateGate(clock, rate_per_s=50.0, burst=50))
        tokens = StaticTokens(Token("static"))
        context = Context(slug, settings.connector, wire, tokens, clock, Random(2))
        channel = connector_class(settings.provider)(context)
        assert isinstance(channel, Channel)
        grant = scenario.grant_path(slug)
        if channel.authoriser is not None and grant is not None:
            token = channel.authoriser.read_grant(grant.read_bytes(), now=clock.now(), previous=None)
            context.tokens._token = token  # type: ignore[attr-defined]
        try:
            return {one.seller_sku: one async for page in channel.listings() for one in page}
        finally:
            await wire.close()

    found = asyncio.run(listings())
    shelf = {product.seller_sku: product for product in scenario.channels[slug].products()}
    assert found.keys() == shelf.keys()
    for sku, listing in found.items():
        assert [target.remote_key for target in listing.targets] == [shelf[sku].remote_key]
    statuses = {entry.data["status"] for entry in scenario.channels[slug].journal.entries(Event.REQUEST)}
    assert 200 in statuses
    assert not statuses & {401, 404, 429, 500}


def test_a_channel_that_is_off_has_no_buyers_and_refuses_connections(tmp_path: Path) -> None:
    with Scenario(tmp_path, seed=3, seconds=5.0, clock=time.time, off={"lazada"}) as scenario:
        assert "lazada" not in {deed.channel for deed in scenario.street.deeds}
        assert scenario.channels["lazada"].off
        assert scenario.config_path.read_text().count("[channels.lazada]") == 1


def test_an_unknown_channel_cannot_be_off(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no channel bukalapak"):
        Scenario(tmp_path, seed=3, seconds=5.0, clock=time.time, off={"bukalapak"})
