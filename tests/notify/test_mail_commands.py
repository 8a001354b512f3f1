"""`sellersync mails test`, as a seller tries the server: the real command line and a real server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from mail_server import running
from mail_shop import MailShop
from test_send_mails import template as template

from sellersync.cli import main


def tried(shop: MailShop, *, to: str = "me@example.com", enabled: bool = False) -> int:
    """The exit code of the command."""

    async def go() -> int:
        async with running(shop.server):
            shop.configure(enabled=enabled)
            words = ["mails", "test", "--to", to, "--config", str(shop.config)]
            return await asyncio.to_thread(main, words)

    return asyncio.run(go())


@pytest.fixture
def shop(tmp_path: Path, template: Path) -> MailShop:
    made = MailShop(tmp_path, "sqlite:///ledger.db")
    made.init(template)
    return made


def test_a_test_mail_arrives_also_while_mails_are_switched_off(shop: MailShop, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    assert tried(shop) == 0
    assert shop.server.recipients == ["me@example.com"]
    assert "Surel percobaan dari Kopi Gayo" in shop.server.mail()["Subject"]
    assert "Sent through 127.0.0.1" in capsys.readouterr().out


def test_a_refusal_is_told_with_an_exit_code(shop: MailShop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.server.rcpt = ["550 no relaying here"]
    assert tried(shop) != 0
    assert "550 no relaying here" in capsys.readouterr().err


def test_what_is_no_address_is_not_tried(shop: MailShop, capsys: pytest.CaptureFixture[str]) -> None:
    assert tried(shop, to="me@example.com, you@example.com") == 2
    assert shop.server.taken == []
