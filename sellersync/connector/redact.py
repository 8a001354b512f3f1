"""Secrets never reach a log, an error text or a URL in a log (L13)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

_PARAMETER = re.compile(
    r"(?i)\b(access_token|refresh_token|app_secret|auth_code|code|sign|consumer_key|consumer_secret|oauth_signature|"
    r"x-tts-access-token|authorization)(\"?\s*[=:]\s*\"?)((?:basic |bearer )?[^\s&\",}]+)"
)


class Redactor:
    """Replaces known secret values, and values of parameters that are secret by name."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Learn a secret value. Values under six characters are ignored: replacing them would shred ordinary text."""
        if len(secret) >= 6 and secret not in self._secrets:
            self._secrets.append(secret)
            self._secrets.sort(key=len, reverse=True)
            del self._secrets[64:]

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _PARAMETER.sub(r"\1\2***", text)


class RedactingFilter(logging.Filter):
    """A last line of defence on the log handlers; code is written so that it has nothing to do."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = self._redactor(message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True
