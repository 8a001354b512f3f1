"""One message to a real SMTP server on this machine: what each answer means, and what no answer means."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mail_server import DROP, SILENCE, MailServer, certificate, running

from sellersync.notify.contract import Delivery, Outcome, Sender
from sellersync.notify.letters import Item, Kind, Letter, compose, message_id
from sellersync.notify.smtp import SmtpMailer, SmtpServer

SENDER = Sender("toko@example.com", "Toko Kopi")
LETTER = Letter(Kind.ORDER_CONFIRMATION, "id", "Toko Kopi", "INV-1", "Siti", (Item("Kopi", 1, 48_000),), total=48_000)


async def _send(mailer: SmtpMailer, to: str = "siti@example.com") -> Delivery:
    own_id = message_id("install", "901", Kind.ORDER_CONFIRMATION, 0, SENDER)
    at = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    return await mailer.send(compose(LETTER, SENDER, to, message_id=own_id, written_at=at), to)


def mailer_of(server: MailServer, **more: Any) -> SmtpMailer:
    values: dict[str, Any] = {"security": "none", "connect_timeout_s": 2.0, "answer_timeout_s": 2.0, **more}
    return SmtpMailer(SmtpServer("127.0.0.1", server.port, **values), sender=SENDER.address)


def sent_to(server: MailServer, times: int = 1, **more: Any) -> list[Delivery]:
    """The answers to so many sendings of one message."""

    async def go() -> list[Delivery]:
        async with running(server):
            return [await _send(mailer_of(server, **more)) for _ in range(times)]

    return asyncio.run(go())


def test_a_message_arrives_as_it_was_written() -> None:
    server = MailServer()
    assert sent_to(server) == [Delivery(Outcome.SENT)]
    assert server.recipients == ["siti@example.com"]
    mail = server.mail()
    assert mail["Subject"] == "Pesanan INV-1 kami terima"
    assert mail["Message-ID"] == message_id("install", "901", Kind.ORDER_CONFIRMATION, 0, SENDER)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Rp48.000" in body.get_content()


@pytest.mark.parametrize("where", ["rcpt", "data"])
@pytest.mark.parametrize(
    ("answer", "outcome"), [("451 try again later", Outcome.LATER), ("550 no such user here", Outcome.REFUSED)]
)
def test_an_answer_is_certain(where: str, answer: str, outcome: Outcome) -> None:
    server = MailServer(**{where: [answer]})
    first, second = sent_to(server, times=2)
    assert first == Delivery(outcome, answer)
    assert second == Delivery(Outcome.SENT)
    assert len(server.taken) == 1


def test_a_line_that_drops_before_the_message_took_nothing() -> None:
    server = MailServer(drop_at_data=1)
    first, second = sent_to(server, times=2)
    assert (first.outcome, second.outcome) == (Outcome.LATER, Outcome.SENT)
    assert len(server.taken) == 1


@pytest.mark.parametrize("how", [DROP, SILENCE])
def test_a_lost_answer_to_the_message_is_unclear(how: str) -> None:
    server = MailServer(data=[how])
    (delivery,) = sent_to(server, answer_timeout_s=0.3)
    assert delivery.outcome is Outcome.UNCLEAR
    assert "handed over" in delivery.detail
    assert len(server.taken) == 1


def test_the_words_of_a_server_are_kept_without_addresses() -> None:
    (delivery,) = sent_to(MailServer(rcpt=["550 5.1.1 <siti@example.com>: unknown"]))
    assert "siti" not in delivery.detail
    assert delivery.detail.startswith("550 5.1.1")


def test_no_server_is_no_trouble_of_the_message() -> None:
    async def go() -> Delivery:
        async with running(server := MailServer()):
            pass
        return await _send(mailer_of(server))

    assert asyncio.run(go()).outcome is Outcome.DOWN


def with_tls(folder: Path, server: MailServer, *, at_once: bool, **more: Any) -> Delivery:
    context, trusted = certificate(folder)

    async def go() -> Delivery:
        async with running(server, tls=context, at_once=at_once):
            security = "tls" if at_once else "starttls"
            return await _send(mailer_of(server, **{"security": security, "ca_file": trusted, **more}))

    return asyncio.run(go())


@pytest.mark.parametrize("at_once", [True, False])
def test_protected_and_logged_in(tmp_path: Path, at_once: bool) -> None:
    server = MailServer(password="rahasia")
    assert with_tls(tmp_path, server, at_once=at_once, user="toko", password="rahasia") == Delivery(Outcome.SENT)
    assert server.logins == ["toko"]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, at_once: bool) -> None:
    server = MailServer()
    delivery = with_tls(tmp_path, server, at_once=at_once, ca_file=None)
    assert delivery.outcome is Outcome.DOWN
    assert "certificate" in delivery.detail.lower()
    assert server.taken == []


def test_a_server_without_tls_gets_no_password(tmp_path: Path) -> None:
    server = MailServer()
    (delivery,) = sent_to(server, security="starttls", user="toko", password="rahasia")
    assert delivery.outcome is Outcome.DOWN
    assert server.logins == []


def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    server = MailServer(password="rahasia")
    delivery = with_tls(tmp_path, server, at_once=True, user="toko", password="salah-sekali")
    assert delivery.outcome is Outcome.DOWN
    assert "535" in delivery.detail
    assert "salah" not in delivery.detail
    assert "rahasia" not in repr(SmtpServer("h", 1, "none", "u", "rahasia"))


def test_a_missing_certificate_file_is_told(tmp_path: Path) -> None:
    (delivery,) = sent_to(MailServer(), security="tls", ca_file=tmp_path / "none.pem")
    assert delivery.outcome is Outcome.DOWN
