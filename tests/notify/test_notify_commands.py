"""`sellersync notify`, as a seller uses it: the real command line and real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chat_server import TOKEN
from mail_server import running
from news_shop import NewsShop
from test_send_mails import template as template

from sellersync.cli import main
from sellersync.sandbox.kit import Fault, FaultKind


@pytest.fixture
def shop(tmp_path: Path, template: Path) -> Iterator[NewsShop]:
    with NewsShop(tmp_path).open(template) as made:
        made.clock.at = datetime.now(UTC) - timedelta(minutes=10)  # commands read the machine's clock
        yield made


def typed(shop: NewsShop, *words: str) -> int:
    """The exit code of a command, with all servers up."""

    async def go() -> int:
        async with running(shop.mail):
            shop.configure()
            return await asyncio.to_thread(main, [*words, "--config", str(shop.config)])

    return asyncio.run(go())


def listed(shop: NewsShop, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert typed(shop, "notify", "list", "--json") == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("reader", ["owner", "staff", "office"])
def test_a_test_message_arrives(shop: NewsShop, reader: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(shop, "notify", "test", reader) == 0
    assert f"Sent to {reader}" in capsys.readouterr().out
    said = "Percobaan: pesan sellersync sampai di sini."
    texts = [told.text for told in shop.telegram.chat] + [body["text"] for body in shop.hook.got]
    texts += [str(shop.mail.mail(number)["Subject"]) for number in range(len(shop.mail.taken))]
    assert len(texts) == 1
    assert said in texts[0]
    assert [(row["notifier"], row["kind"], row["state"]) for row in listed(shop, capsys)] == [(reader, "test", "sent")]


def test_a_test_that_fails_says_why_without_the_secret(shop: NewsShop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.telegram.refusal = (403, "Forbidden: bot was blocked by the user", {})
    assert typed(shop, "notify", "test", "staff") != 0
    told = capsys.readouterr()
    assert "403 Forbidden: bot was blocked by the user" in told.err
    assert TOKEN not in told.err + told.out
    assert typed(shop, "notify", "test", "nobody") != 0
    assert "there is no table [notify.nobody]; there are: office, owner, staff" in capsys.readouterr().err


def test_what_is_unclear_is_listed_and_settled_by_a_person(shop: NewsShop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.hook.faults = [Fault(FaultKind.DROP_AFTER, times=2)]
    shop.configure('[alerts]\nto = ["office"]')
    shop.opens("shortage", "KOPI", "TEH", short=1)
    shop.wait(minutes=6)
    assert shop.tell() == {"unclear": 2}
    assert typed(shop, "notify", "list", "--state", "unclear") == 0
    told = capsys.readouterr().out
    assert "shortage KOPI" in told
    assert "sellersync notify resend ID" in told
    assert typed(shop, "status") != 0
    assert "Reports and alerts: 2 unclear (sellersync notify list)" in capsys.readouterr().out
    assert typed(shop, "notify", "resend", "1") == 2, "nobody there to agree"
    assert "agree with --yes" in capsys.readouterr().err
    assert typed(shop, "notify", "resend", "1", "--yes") == 0
    assert typed(shop, "notify", "close", "2") == 0
    assert typed(shop, "notify", "close", "2") == 2
    assert typed(shop, "notify", "resend", "99") == 2
    assert typed(shop, "notify", "list", "--state", "odd") == 2
    assert typed(shop, "notify", "send") == 0
    assert [row["state"] for row in listed(shop, capsys)] == ["dropped", "sent"]
    assert len(shop.hook.got) == 3
    assert len({body["id"] for body in shop.hook.got}) == 2, "the same message has the same id"


def test_an_empty_list_says_what_to_do(shop: NewsShop, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(shop, "notify", "list") == 0
    assert "No such message." in capsys.readouterr().out
    assert typed(shop, "notify", "send") == 0
    assert "Nothing is due." in capsys.readouterr().out
