"""Telegram: a bot writes into a chat (Bot API reference, 2026). Text goes out in parts of at most 4,096 characters, files after it.

The limit counts the text after its entities were parsed; in which units is unconfirmed, so the stricter one (UTF-16) is counted here. A
429 names its wait in the body and in the header Retry-After (source of the Bot API server).
"""

from __future__ import annotations

import json
from html import escape
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from sellersync.connector.http import Reply
from sellersync.domain.errors import Unrecognised

from .contract import Delivery, Outcome
from .notifier import Attachment, Message, Notifier, NotifierContext, NotifierSettings
from .web import cut, post

TEXT_UNITS_MAX = 4_096
PARTS_MAX = 4
FILES_MAX = 3
FILE_BYTES_MAX = 50 * 1024 * 1024
CAPTION_CHARS_MAX = 1_024
WAIT_S_MAX = 120.0
"""Longest that one message waits, all its waits together, before it is put off."""
LEFT_OUT = "…"


class TelegramSettings(NotifierSettings):
    """The own keys of a table [notify.NAME] of this kind."""

    chat_id: int | str = Field(
        description="the chat that the bot writes into: its number (groups begin with a minus), or @channelname"
    )
    token: SecretStr = Field(description="the bot's token, from @BotFather")
    thread_id: int | None = Field(default=None, ge=1, description="the topic of a group with topics")
    api_url: str = Field(
        default="https://api.telegram.org", description="where the Bot API is; another address for a server of your own"
    )

    @field_validator("chat_id")
    @classmethod
    def _is_a_chat(cls, chat: int | str) -> int | str:
        if isinstance(chat, str) and not (chat.lstrip("-").isdecimal() or (chat.startswith("@") and len(chat) > 1)):
            raise ValueError("the number of a chat, or @channelname, is expected")
        return chat

    @field_validator("token")
    @classmethod
    def _is_a_token(cls, token: SecretStr) -> SecretStr:
        """What else stands in an address would change whom we call."""
        if not all(char.isascii() and (char.isalnum() or char in ":_-") for char in token.get_secret_value()):
            raise ValueError("a token of @BotFather is expected: digits, a colon, letters")
        return token

    @field_validator("api_url")
    @classmethod
    def _is_protected(cls, url: str) -> str:
        if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise ValueError("an address beginning with https:// is expected (http:// only on this machine)")
        return url.rstrip("/")


class TelegramNotifier(Notifier):
    """One chat."""

    kind = "telegram"
    Settings: ClassVar[type[NotifierSettings]] = TelegramSettings

    def __init__(self, context: NotifierContext) -> None:
        settings: TelegramSettings = context.settings
        self._wire, self._clock = context.wire, context.clock
        self._base = f"{settings.api_url}/bot{settings.token.get_secret_value()}"
        self._to = {"chat_id": str(settings.chat_id)}
        if settings.thread_id is not None:
            self._to["message_thread_id"] = str(settings.thread_id)
        self.send_deadline_s = (PARTS_MAX + FILES_MAX) * context.wire.limits.write_deadline_s + WAIT_S_MAX

    async def send(self, message: Message) -> Delivery:
        """Text, then files. What broke off after its first part arrived is unclear: a repeat would say the first part twice."""
        waits = _Patience()
        for number, (method, fields, files) in enumerate(self._calls(message)):
            answer = await self._call(method, fields, files, message.id, waits)
            if answer.outcome is Outcome.SENT:
                continue
            if number and answer.outcome is not Outcome.UNCLEAR:
                return Delivery(Outcome.UNCLEAR, cut(f"{number} parts of it arrived, then: {answer.detail}"))
            return answer
        return Delivery(Outcome.SENT)

    def _calls(self, message: Message) -> list[tuple[str, dict[str, str], dict[str, tuple[str, bytes, str]]]]:
        shown = [
            {**self._to, "text": text, "parse_mode": "HTML", "link_preview_options": '{"is_disabled": true}'}
            for text in parts(message.subject, message.brief or message.text)
        ]
        calls: list[tuple[str, dict[str, str], dict[str, tuple[str, bytes, str]]]] = [
            ("sendMessage", fields, {}) for fields in shown
        ]
        for file in message.attachments[:FILES_MAX]:
            if len(file.content) <= FILE_BYTES_MAX:
                calls.append(("sendDocument", {**self._to, "caption": file.name[:CAPTION_CHARS_MAX]}, _upload(file)))
        return calls

    async def _call(
        self,
        method: str,
        fields: dict[str, str],
        files: dict[str, tuple[str, bytes, str]],
        reference: str,
        waits: _Patience,
    ) -> Delivery:
        """One call; a wait that the server asks for is waited out, because a 429 took nothing."""
        while True:
            answer = await post(
                self._wire, self._clock, f"{self._base}/{method}", _judge,
                what=f"telegram {method}", reference=reference, fields=fields, files=files or None,
            )  # fmt: skip
            wait_s = answer.again_after_s
            if answer.outcome is not Outcome.LATER or wait_s is None or not waits.take(wait_s):
                return answer
            await self._clock.sleep(wait_s)


class _Patience:
    """How long one message may still wait."""

    def __init__(self) -> None:
        self._left_s = WAIT_S_MAX

    def take(self, wait_s: float) -> bool:
        if max(wait_s, 1.0) > self._left_s:
            return False
        self._left_s -= max(wait_s, 1.0)
        return True


def _upload(file: Attachment) -> dict[str, tuple[str, bytes, str]]:
    return {"document": (file.name, file.content, file.media_type)}


def _judge(reply: Reply) -> Delivery:
    """`{"ok": true, ...}` or `{"ok": false, "error_code", "description", "parameters"}`. 429 never comes here."""
    answer = reply.json()
    if not isinstance(answer, dict):
        raise Unrecognised("telegram", json.dumps(answer)[:100])
    if reply.status < 300 and answer.get("ok") is True:
        return Delivery(Outcome.SENT)
    why = cut(f"{reply.status} {answer.get('description', '')}")
    if reply.status >= 500 or reply.status < 400:
        return Delivery(Outcome.UNCLEAR, why)
    if reply.status in (401, 404):  # the bot itself: no other message would fare better
        return Delivery(Outcome.DOWN, f"{why}: is the token right?")
    given = answer.get("parameters")
    if isinstance(given, dict) and given.get("migrate_to_chat_id"):
        return Delivery(Outcome.REFUSED, cut(f"{why}: the chat_id is {given['migrate_to_chat_id']} from now on"))
    return Delivery(Outcome.REFUSED, why)


def parts(subject: str, text: str) -> list[str]:
    """The HTML of each message, the subject bold on top of the first. Cut between lines where that is possible; never within a
    character, nor within an escape, because escaping follows."""
    head = _first(subject, TEXT_UNITS_MAX // 4)
    pieces, room = [""], TEXT_UNITS_MAX - _units(head) - 2
    for line in text.strip().splitlines():
        for piece in _slices(line):
            if _units(pieces[-1]) + _units(piece) + 1 > room:
                pieces.append("")
                room = TEXT_UNITS_MAX - 2
            pieces[-1] += f"{piece}\n"
    if len(pieces) > PARTS_MAX:
        pieces = [*pieces[: PARTS_MAX - 1], f"{_first(pieces[PARTS_MAX - 1], room - 2).rstrip()}\n{LEFT_OUT}"]
    bodies = [escape(piece.strip(), quote=False) for piece in pieces]
    shown = [f"<b>{escape(head, quote=False)}</b>\n{bodies[0]}".strip(), *bodies[1:]]
    return [body for body in shown if body]


def _slices(line: str) -> list[str]:
    """A line in pieces that fit below a subject."""
    room = TEXT_UNITS_MAX // 2
    slices = []
    while _units(line) > room:
        slices.append(_first(line, room))
        line = line[len(slices[-1]) :]
    return [*slices, line]


def _first(text: str, units_max: int) -> str:
    """As many whole characters as fit."""
    cut_off = text[:units_max]
    while _units(cut_off) > units_max:
        cut_off = cut_off[:-1]
    return cut_off


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)
