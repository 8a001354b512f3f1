"""A webhook of the seller's own: each message is one POST of JSON, signed where a secret is given.

The signature is HMAC-SHA256 in lower-case hexadecimal over the header Sellersync-Timestamp (Unix seconds), a full stop and the body; it
stands in the header Sellersync-Signature as `sha256=...`. `id` is the same when the same message is sent again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from sellersync.connector.http import Reply

from .contract import Delivery, Outcome
from .notifier import Message, Notifier, NotifierContext, NotifierSettings
from .web import cut, post

VERSION = 1
ANSWER_CHARS_SHOWN_MAX = 100
PUT_OFF = (408, 425)
"""Refusals that are none: the request was not looked at. 429 is read by the wire."""


class WebhookSettings(NotifierSettings):
    """The own keys of a table [notify.NAME] of this kind."""

    url: SecretStr = Field(description="where messages are posted to; a secret, because who knows it can post there")
    secret: SecretStr | None = Field(default=None, description="what messages are signed with")

    @field_validator("url")
    @classmethod
    def _is_protected(cls, url: SecretStr) -> SecretStr:
        parts = urlsplit(url.get_secret_value())
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost"))
        ):
            raise ValueError("an address beginning with https:// is expected (http:// only on this machine)")
        return url


class WebhookNotifier(Notifier):
    """One address."""

    kind = "webhook"
    Settings: ClassVar[type[NotifierSettings]] = WebhookSettings

    def __init__(self, context: NotifierContext) -> None:
        settings: WebhookSettings = context.settings
        self._wire, self._clock = context.wire, context.clock
        self._url = settings.url.get_secret_value()
        self._secret = settings.secret.get_secret_value() if settings.secret is not None else ""
        self.send_deadline_s = context.wire.limits.write_deadline_s

    async def send(self, message: Message) -> Delivery:
        body = json.dumps(payload(message), ensure_ascii=False, sort_keys=True).encode()
        headers = {"content-type": "application/json"}
        if self._secret:
            stamp = str(int(self._wire.now().timestamp()))
            headers |= {"sellersync-timestamp": stamp, "sellersync-signature": signature(self._secret, stamp, body)}
        return await post(
            self._wire,
            self._clock,
            self._url,
            _judge,
            what="webhook",
            reference=message.id,
            content=body,
            headers=headers,
        )


def payload(message: Message) -> dict[str, object]:
    """The JSON of one message; files in base64."""
    return {
        "version": VERSION,
        "id": message.id,
        "kind": message.kind,
        "subject": message.subject,
        "text": message.text,
        "brief": message.brief,
        "html": message.html,
        "language": message.language,
        "written_at": message.written_at.isoformat(),
        "attachments": [
            {"name": file.name, "media_type": file.media_type, "base64": base64.b64encode(file.content).decode()}
            for file in message.attachments
        ],
    }


def signature(secret: str, stamp: str, body: bytes) -> str:
    """What the header Sellersync-Signature holds."""
    return "sha256=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _judge(reply: Reply) -> Delivery:
    if 200 <= reply.status < 300:
        return Delivery(Outcome.SENT)
    why = cut(f"HTTP {reply.status} {reply.text(ANSWER_CHARS_SHOWN_MAX)}")
    if reply.status >= 500:
        return Delivery(Outcome.UNCLEAR, why)
    if reply.status in PUT_OFF:
        return Delivery(Outcome.LATER, why)
    return Delivery(Outcome.REFUSED, why)
