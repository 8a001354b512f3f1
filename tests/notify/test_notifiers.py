"""Each notifier against a real server on this machine: what arrives, and what each answer, or none, means."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from chat_server import CHAT, SECRET, TOKEN, HookSandbox, TelegramSandbox
from hypothesis import given
from hypothesis import strategies as st
from mail_server import DROP, MailServer, running
from pydantic import SecretStr

from sellersync.clock import SystemClock
from sellersync.connector.http import Wire, WireLimits
from sellersync.connector.rate import RateGate
from sellersync.connector.redact import Redactor
from sellersync.domain.errors import ConfigError
from sellersync.notify import registry
from sellersync.notify.by_mail import MailNotifier, MailNotifierSettings
from sellersync.notify.contract import Delivery, Outcome, Sender
from sellersync.notify.notifier import Attachment, Message, Notifier, NotifierContext
from sellersync.notify.smtp import SmtpMailer, SmtpServer
from sellersync.notify.telegram import PARTS_MAX, TEXT_UNITS_MAX, TelegramNotifier, TelegramSettings, parts
from sellersync.notify.webhook import WebhookNotifier, WebhookSettings
from sellersync.sandbox.kit import Fault, FaultKind
from sellersync.sandbox.mount import LoopThread, Mounted

FILE = Attachment("report-2026-11-20.html", "text/html", "<p>Laporan é</p>".encode())


def message(**more: Any) -> Message:
    values: dict[str, Any] = {
        "id": "ABC123",
        "kind": "report",
        "subject": "Toko Kopi: Laporan <harian> & 2 hal",
        "text": "Semua 1 < 2\nBaris dua",
        "html": "<p>Semua</p>",
        "brief": "Ringkas: 1 < 2 & seterusnya",
        "language": "id",
        "written_at": datetime(2026, 11, 21, 0, 0, tzinfo=UTC),
        "attachments": (FILE,),
    }
    return Message(**{**values, **more})


class Waits(SystemClock):
    """The machine's clock, which jumps where it should sleep."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture(scope="module")
def thread() -> Iterator[LoopThread]:
    made = LoopThread()
    yield made
    made.close()


@pytest.fixture
def telegram(thread: LoopThread) -> Iterator[Mounted]:
    with Mounted(TelegramSandbox(), thread=thread) as mounted:
        yield mounted


@pytest.fixture
def hook(thread: LoopThread) -> Iterator[Mounted]:
    with Mounted(HookSandbox(), thread=thread) as mounted:
        yield mounted


def context(settings: Any, clock: SystemClock | None = None, **more: Any) -> NotifierContext:
    clock = clock or Waits()
    gate = RateGate(clock, rate_per_s=100, burst=100)
    limits = WireLimits(connect_timeout_s=1, read_timeout_s=1, write_deadline_s=2)
    redactor = Redactor([TOKEN, SECRET])
    wire = Wire("n", clock=clock, rng=Random(1), gate=gate, limits=limits, redactor=redactor)
    return NotifierContext("n", settings, wire, clock, **more)


def bot(mounted: Mounted, *, token: str = TOKEN, clock: SystemClock | None = None, **more: Any) -> TelegramNotifier:
    settings = TelegramSettings(
        chat_id=more.pop("chat_id", CHAT), token=SecretStr(token), api_url=mounted.base_url, **more
    )
    return TelegramNotifier(context(settings, clock))


def poster(mounted: Mounted, secret: str | None = SECRET) -> WebhookNotifier:
    url = SecretStr(f"{mounted.base_url}/hook?key=hidden-part-of-it")
    return WebhookNotifier(context(WebhookSettings(url=url, secret=SecretStr(secret) if secret else None)))


def sent(notifier: Notifier, what: Message | None = None) -> Delivery:
    return asyncio.run(notifier.send(what or message()))


# ------------------------------------------------------------------------------------------------------------------------- telegram


def chat(mounted: Mounted) -> TelegramSandbox:
    assert isinstance(mounted.simulator, TelegramSandbox)
    return mounted.simulator


def test_a_chat_gets_the_brief_text_and_the_files(telegram: Mounted) -> None:
    assert sent(bot(telegram)) == Delivery(Outcome.SENT)
    first, second = chat(telegram).chat
    assert first.bold == "Toko Kopi: Laporan <harian> & 2 hal"
    assert first.text.endswith("Ringkas: 1 < 2 & seterusnya")
    assert (second.file, second.content) == (FILE.name, FILE.content)


def test_a_long_text_comes_in_parts(telegram: Mounted) -> None:
    lines = [f"Baris {number} <dari> & banyak 😀" for number in range(400)]
    assert sent(bot(telegram), message(brief="\n".join(lines), attachments=())).outcome is Outcome.SENT
    texts = [told.text for told in chat(telegram).chat]
    assert 1 < len(texts) <= PARTS_MAX
    assert "\n".join(texts).splitlines()[1:] == lines


def test_the_wait_of_a_flood_is_honoured(telegram: Mounted) -> None:
    chat(telegram).floods = [3, 7]
    clock = Waits()
    assert sent(bot(telegram, clock=clock)).outcome is Outcome.SENT
    assert [round(wait) for wait in clock.slept if wait >= 1][:1] == [3]
    assert sum(clock.slept) >= 9
    assert len(chat(telegram).chat) == 2


def test_a_flood_beyond_patience_is_put_off_when_nothing_arrived(telegram: Mounted) -> None:
    chat(telegram).floods = [900]
    answer = sent(bot(telegram))
    assert answer.outcome is Outcome.LATER
    assert answer.again_after_s is not None
    assert 890 < answer.again_after_s <= 900


def test_what_broke_off_in_the_middle_is_not_sent_again(telegram: Mounted) -> None:
    chat(telegram).floods, chat(telegram).flood_after = [900], 1
    answer = sent(bot(telegram))
    assert answer.outcome is Outcome.UNCLEAR
    assert "1 parts of it arrived" in answer.detail
    assert len(chat(telegram).chat) == 1


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.HTTP_500_AFTER])
def test_a_lost_answer_is_unclear(telegram: Mounted, kind: FaultKind) -> None:
    chat(telegram).faults = [Fault(kind)]
    answer = sent(bot(telegram), message(attachments=()))
    assert answer.outcome is Outcome.UNCLEAR
    assert len(chat(telegram).chat) == 1
    assert TOKEN not in answer.detail


def test_nobody_there_is_certain(telegram: Mounted) -> None:
    notifier = bot(telegram)
    telegram.stop()
    answer = sent(notifier)
    assert answer.outcome is Outcome.DOWN
    assert TOKEN not in answer.detail


def test_a_wrong_token_stops_this_notifier(telegram: Mounted) -> None:
    answer = sent(bot(telegram, token="123456:another-token"))
    assert (answer.outcome, answer.detail) == (Outcome.DOWN, "401 Unauthorized: is the token right?")


def test_a_wrong_chat_is_refused(telegram: Mounted) -> None:
    assert sent(bot(telegram, chat_id=5)) == Delivery(Outcome.REFUSED, "400 Bad Request: chat not found")
    chat(telegram).refusal = (403, "Forbidden: bot was blocked by the user", {})
    assert sent(bot(telegram)).outcome is Outcome.REFUSED


def test_a_group_that_became_a_supergroup_tells_its_new_number(telegram: Mounted) -> None:
    chat(telegram).refusal = (400, "Bad Request: group chat was upgraded", {"migrate_to_chat_id": -100777})
    answer = sent(bot(telegram))
    assert answer.outcome is Outcome.REFUSED
    assert "-100777" in answer.detail


@given(subject=st.text(max_size=6000), text=st.text(max_size=30_000))
def test_every_part_fits_and_is_well_formed(subject: str, text: str) -> None:
    sandbox = TelegramSandbox()
    pieces = parts(subject or "x", text)
    assert 1 <= len(pieces) <= PARTS_MAX
    for piece in pieces:
        fields = {"chat_id": CHAT, "text": piece, "parse_mode": "HTML"}
        form = httpx.Request("POST", f"http://t/bot{TOKEN}/sendMessage", data=fields)
        answer = sandbox.answer(form).json()
        assert answer["ok"] or "empty" in answer["description"]
        assert len(piece) >= 1


def test_a_text_of_the_largest_size_is_cut_where_it_must_be() -> None:
    assert len(parts("s", "a" * (PARTS_MAX + 3) * TEXT_UNITS_MAX)) == PARTS_MAX
    assert parts("s", "a" * (PARTS_MAX + 3) * TEXT_UNITS_MAX)[-1].endswith("…")


# -------------------------------------------------------------------------------------------------------------------------- webhook


def receiver(mounted: Mounted) -> HookSandbox:
    assert isinstance(mounted.simulator, HookSandbox)
    return mounted.simulator


def test_a_webhook_gets_everything_signed(hook: Mounted) -> None:
    assert sent(poster(hook)) == Delivery(Outcome.SENT)
    (body,) = receiver(hook).got
    assert {key: body[key] for key in ("id", "kind", "subject")} == {
        "id": "ABC123",
        "kind": "report",
        "subject": "Toko Kopi: Laporan <harian> & 2 hal",
    }
    assert body["attachments"][0]["name"] == FILE.name
    assert sent(poster(hook, secret=None)).outcome is Outcome.REFUSED, "the receiver wants a signature"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.REFUSED),
        (410, Outcome.REFUSED),
        (302, Outcome.REFUSED),
        (408, Outcome.LATER),
        (429, Outcome.LATER),
        (500, Outcome.UNCLEAR),
        (503, Outcome.UNCLEAR),
    ],
)
def test_what_a_webhooks_answer_means(hook: Mounted, status: int, outcome: Outcome) -> None:
    receiver(hook).answers = [status]
    answer = sent(poster(hook))
    assert answer.outcome is outcome
    assert "hidden-part" not in answer.detail


def test_a_webhook_without_an_answer_is_unclear(hook: Mounted) -> None:
    receiver(hook).faults = [Fault(FaultKind.DROP_AFTER)]
    answer = sent(poster(hook))
    assert answer.outcome is Outcome.UNCLEAR
    assert "hidden-part" not in answer.detail
    assert len(receiver(hook).got) == 1


# ----------------------------------------------------------------------------------------------------------------------------- mail


def mailed(server: MailServer, what: Message | None = None) -> Delivery:
    async def go() -> Delivery:
        async with running(server):
            smtp = SmtpServer("127.0.0.1", server.port, "none", connect_timeout_s=1, answer_timeout_s=1)
            mailer = SmtpMailer(smtp, sender="toko@example.com")
            own = context(
                MailNotifierSettings(to="staf@example.com"), mailer=mailer, sender=Sender("toko@example.com", "Toko")
            )
            return await MailNotifier(own).send(what or message())

    return asyncio.run(go())


def test_a_mail_holds_text_and_html_of_the_same_and_the_file() -> None:
    server = MailServer()
    assert mailed(server) == Delivery(Outcome.SENT)
    mail = server.mail()
    assert server.recipients == ["staf@example.com"]
    assert mail["Subject"] == "Toko Kopi: Laporan <harian> & 2 hal"
    assert mail["Message-ID"] == "<ss.abc123@example.com>"
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert plain.get_content().splitlines() == ["Semua 1 < 2", "Baris dua"]
    assert rich.get_content().strip() == "<p>Semua</p>"
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == (FILE.name, "text/html")
    assert file.get_payload(decode=True) == FILE.content


def test_a_subject_cannot_become_a_header() -> None:
    server = MailServer()
    mailed(server, message(subject="Laporan\r\nBcc: x@example.com\n" + "panjang " * 100))
    mail = server.mail()
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("Laporan Bcc: x@example.com panjang")
    assert server.recipients == ["staf@example.com"]


def test_a_mail_without_an_answer_is_unclear() -> None:
    assert mailed(MailServer(data=[DROP])).outcome is Outcome.UNCLEAR
    assert mailed(MailServer(rcpt=["451 later"])).outcome is Outcome.LATER
    assert mailed(MailServer(rcpt=["550 never"])).outcome is Outcome.REFUSED


@pytest.mark.parametrize("to", ["a@b.co, c@d.co", "nobody", "a@b.co\nBcc: c@d.co"])
def test_a_reader_is_one_address(to: str) -> None:
    with pytest.raises(ValueError, match="one mail address"):
        MailNotifierSettings(to=to)


# ------------------------------------------------------------------------------------------------------------------------- registry


def test_a_stranger_is_found_by_its_entry_point(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pigeon.py").write_text(
        "from sellersync.notify.contract import Delivery, Outcome\n"
        "from sellersync.notify.notifier import Notifier\n"
        "class Pigeon(Notifier):\n"
        "    kind = 'pigeon'\n"
        "    send_deadline_s = 1.0\n"
        "    def __init__(self, context): pass\n"
        "    async def send(self, message): return Delivery(Outcome.SENT)\n"
        "class Stone: pass\n"
    )
    info = tmp_path / "pigeon-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[sellersync.notifiers]\npigeon = pigeon:Pigeon\nstone = pigeon:Stone\ngone = nowhere:X\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert sent(registry.notifier_class("pigeon")(context(None))).outcome is Outcome.SENT
    assert set(registry.kinds()) >= {"mail", "telegram", "webhook", "pigeon"}
    for kind, why in (("stone", "is no Notifier"), ("gone", "cannot be loaded"), ("letter", "is installed")):
        with pytest.raises(ConfigError, match=why):
            registry.notifier_class(kind)
