"""The other side of the notifiers on real sockets: a Telegram Bot API that checks what the real one checks, and a webhook receiver.

Telegram by the Bot API reference (2026): text of 1 to 4096 characters after entities were parsed, unknown tags and bare `<` refused, a
429 with `parameters.retry_after` and the header Retry-After (source of the Bot API server).
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
import time
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message as Part
from random import Random
from typing import Any
from urllib.parse import parse_qs

import httpx

from sellersync.sandbox.kit import Simulator

TOKEN = "123456:made-up-token-of-the-test"
CHAT = "-1009"
SECRET = "made-up-webhook-secret"
TAGS = re.compile(r"</?(b|i|u|s|code|pre)>")
CAPTION_CHARS_MAX = 1024


@dataclass(frozen=True)
class Told:
    """One message that a chat shows: its text without markup, and the file that came with it."""

    text: str
    file: str = ""
    content: bytes = b""
    bold: str = ""


class TelegramSandbox(Simulator):
    """One bot, one chat. `floods` answers 429 with these waits first, `refusal` refuses with (status, description, parameters)."""

    provider = "telegram"

    def __init__(self) -> None:
        super().__init__(clock=time.time, rng=Random(1))
        self.chat: list[Told] = []
        self.floods: list[int] = []
        self.flood_after = 0
        """So many messages pass before the floods begin."""
        self.refusal: tuple[int, str, dict[str, Any]] | None = None
        self.requests = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        found = re.fullmatch(r"/bot([^/]+)/(sendMessage|sendDocument)", request.url.path)
        if found is None:
            return _error(404, "Not Found")
        if found[1] != TOKEN:
            return _error(401, "Unauthorized")
        if self.floods and len(self.chat) >= self.flood_after:
            wait = self.floods.pop(0)
            refused = _error(429, f"Too Many Requests: retry after {wait}", {"retry_after": wait})
            refused.headers["retry-after"] = str(wait)
            return refused
        if self.refusal is not None:
            return _error(*self.refusal)
        fields, files = _form(request)
        if fields.get("chat_id") != CHAT:
            return _error(400, "Bad Request: chat not found")
        return self._message(fields) if found[2] == "sendMessage" else self._document(fields, files)

    def _message(self, fields: dict[str, str]) -> httpx.Response:
        raw = fields.get("text", "")
        assert fields.get("parse_mode") == "HTML"
        bare = TAGS.sub("", raw)
        if "<" in bare or ">" in bare or re.search(r"&(?!(lt|gt|amp|quot);)", bare):
            return _error(400, "Bad Request: can't parse entities")
        shown = html.unescape(bare)
        if not shown.strip():
            return _error(400, "Bad Request: message text is empty")
        if len(shown) > 4096:
            return _error(400, "Bad Request: message is too long")
        bold = re.search(r"<b>(.*?)</b>", raw, re.DOTALL)
        self.chat.append(Told(shown, bold=html.unescape(bold[1]) if bold else ""))
        return _ok(len(self.chat))

    def _document(self, fields: dict[str, str], files: dict[str, tuple[str, bytes]]) -> httpx.Response:
        if "document" not in files:
            return _error(400, "Bad Request: there is no document in the request")
        if len(fields.get("caption", "")) > CAPTION_CHARS_MAX:
            return _error(400, "Bad Request: message caption is too long")
        name, content = files["document"]
        self.chat.append(Told(fields.get("caption", ""), name, content))
        return _ok(len(self.chat))


class HookSandbox(Simulator):
    """A receiver that checks the signature over the raw body, as any receiver should. `answers` are statuses, then 204 for ever."""

    provider = "webhook"

    def __init__(self, *, signed: bool = True) -> None:
        super().__init__(clock=time.time, rng=Random(1))
        self.got: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.signed = signed

    def answer(self, request: httpx.Request) -> httpx.Response:
        stamp = request.headers.get("sellersync-timestamp", "")
        wanted = (
            "sha256=" + hmac.new(SECRET.encode(), f"{stamp}.".encode() + request.content, hashlib.sha256).hexdigest()
        )
        if self.signed and request.headers.get("sellersync-signature") != wanted:
            return httpx.Response(401, text="bad signature")
        if request.headers.get("content-type") != "application/json":
            return httpx.Response(415)
        status = self.answers.pop(0) if self.answers else 204
        if status < 300:
            self.got.append(json.loads(request.content))
        return httpx.Response(status, text="" if status == 204 else "no")


def _ok(number: int) -> httpx.Response:
    return httpx.Response(200, json={"ok": True, "result": {"message_id": number}})


def _error(status: int, description: str, parameters: dict[str, Any] | None = None) -> httpx.Response:
    more = {"parameters": parameters} if parameters else {}
    return httpx.Response(status, json={"ok": False, "error_code": status, "description": description, **more})


def _form(request: httpx.Request) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    """Fields and files of a form in either encoding."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}, {}
    parsed = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.content)
    fields: dict[str, str] = {}
    files: dict[str, tuple[str, bytes]] = {}
    for part in parsed.get_payload():
        assert isinstance(part, Part)
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        file_name = part.get_filename()
        if file_name is None:
            fields[str(name)] = content.decode()
        else:
            files[str(name)] = (file_name, content)
    return fields, files
