"""Secrets never reach a log, an error text or a URL in a log (L13)."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Iterable

_PARAMETER = re.compile(
    r"(?i)\b(access_token|refresh_token|app_secret|client_secret|partner_key|api_key|password|auth_code|sign|consumer_key|"
    r"consumer_secret|oauth_signature|x-tts-access-token|authorization|code(?![\"']?\s*[=:]\s*[\"']?-?\d{1,10}\b))"
    r"([\"']?\s*[=:]\s*[\"']?)((?:basic |bearer )?[^\s&\"',}]+)"
)
"""Parameters that are secret by name. `code` is an authorisation code unless it is a short number: that is an error code."""

SECRETS_KEPT = 64  # the first to come are the keys of the configuration
SECRETS_RECENT_MAX = 64  # what comes later are tokens, two a refresh
SECRET_LENGTH_MIN = 6


class Redactor:
    """Replaces known secret values, and values of parameters that are secret by name.

    The first secrets stay for good; of the many that rotating tokens bring later, the newest.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._kept: list[str] = []
        self._recent: deque[str] = deque(maxlen=SECRETS_RECENT_MAX)
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Learn a secret value. Shorter values than `SECRET_LENGTH_MIN` are ignored: replacing them would shred ordinary text."""
        if len(secret) < SECRET_LENGTH_MIN or secret in self._kept or secret in self._recent:
            return
        (self._kept if len(self._kept) < SECRETS_KEPT else self._recent).append(secret)

    def __call__(self, text: str) -> str:
        for secret in sorted((*self._kept, *self._recent), key=len, reverse=True):
            text = text.replace(secret, "***")
        return _PARAMETER.sub(r"\1\2***", text)


class RedactingFilter(logging.Filter):
    """A last line of defence on the log handlers, tracebacks included; code is written so that it has nothing to do."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = self._redactor(message)
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info:
            record.exc_text = self._redactor(record.exc_text or logging.Formatter().formatException(record.exc_info))
        return True
