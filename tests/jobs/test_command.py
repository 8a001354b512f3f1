"""A command in a process of its own: what it says when it fails, and that it ends with its caller."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from sellersync.domain.errors import Temporary
from sellersync.jobs.command import run_command
from sellersync.settings import Settings, load

CONFIG = """
secrets_dir = "credentials"
[shop]
name = "Kopi"
[ledger]
url = "sqlite:///ledger.db"
state_dir = "state"
"""


def commands() -> list[psutil.Process]:
    """Running children that are commands of ours (the tests' own database server is a child too)."""
    return [child for child in psutil.Process().children() if "-m sellersync" in " ".join(child.cmdline())]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "vault_key").write_text("00" * 32)
    (tmp_path / "sellersync.toml").write_text(CONFIG)
    return load(tmp_path / "sellersync.toml", environ={})


def test_a_command_runs_on_the_same_configuration(settings: Settings) -> None:
    asyncio.run(run_command(settings, ["init"], timeout_s=30))
    assert (settings.path.parent / "ledger.db").exists()


def test_what_went_wrong_is_told(settings: Settings) -> None:
    with pytest.raises(Temporary, match=r"sellersync stock show ended with \d+: .*sellersync init"):
        asyncio.run(run_command(settings, ["stock", "show"], timeout_s=30))


def test_a_command_ends_with_its_caller(settings: Settings) -> None:
    asyncio.run(run_command(settings, ["init"], timeout_s=30))

    async def cancelled() -> None:
        running = asyncio.create_task(run_command(settings, ["run"], timeout_s=30))
        await asyncio.sleep(1)
        assert commands()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert commands() == []

    asyncio.run(cancelled())


def test_a_command_that_takes_too_long_is_ended(settings: Settings) -> None:
    asyncio.run(run_command(settings, ["init"], timeout_s=30))
    with pytest.raises(Temporary, match="took more than 1 seconds"):
        asyncio.run(run_command(settings, ["run"], timeout_s=1))
    assert commands() == []
