"""A provider's token endpoint with single-use refresh tokens, kept in a file so that it outlives the processes that ask it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sellersync.connector.contract import Authoriser, Token
from sellersync.domain.errors import AuthNeeded, Temporary, Uncertain, Unrecognised

LIFETIME = timedelta(hours=4)


class TokenServer(Authoriser):
    """Gives "access-N" and "refresh-N"; `rotating` False repeats the same refresh token for ever.

    `faults` are taken one a call: "temporary" (nothing was sent), "lost" (processed, the answer lost), "dropped" (not processed, no
    answer), "html" (a page instead of an answer), "revoked" (refused for good). `during` runs while a call is under way.
    """

    def __init__(self, path: Path, *, rotating: bool = True, takes_s: float = 0.0) -> None:
        self.path = path
        self.rotating = rotating
        self.takes_s = takes_s
        self.faults: list[str] = []
        self.during: Callable[[], None] = lambda: None
        if not path.exists():
            self._save({"number": 1, "asked": 0})

    @property
    def asked(self) -> int:
        """How many refreshes arrived."""
        return int(self._load()["asked"])

    def grant(self) -> bytes:
        """The present pair as the raw body of an answer."""
        number = self._load()["number"]
        return json.dumps({"access": f"access-{number}", "refresh": self._refresh_token(number)}).encode()

    def refresh_at(self, token: Token) -> datetime | None:
        return None if token.access_ends_at is None else token.access_ends_at - LIFETIME / 2

    async def refresh(self, token: Token) -> bytes:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "temporary":
            raise Temporary("no connection")
        state = self._load()
        state["asked"] += 1
        good = token.refresh == self._refresh_token(state["number"]) and fault not in ("revoked", "dropped")
        state["number"] += good
        self._save(state)
        self.during()
        await asyncio.sleep(self.takes_s)
        if fault in ("lost", "dropped"):
            raise Uncertain("token refresh", "no answer")
        if fault == "html":
            return b"<html>maintenance</html>"
        return self.grant() if good else b'{"error": "invalid_refresh_token"}'

    def read_grant(self, raw: bytes, *, now: datetime, previous: Token | None) -> Token:
        try:
            body = json.loads(raw)
        except ValueError:
            raise Unrecognised("a token answer without JSON", "(withheld)") from None
        if "error" in body:
            raise AuthNeeded("the refresh token was refused", todo="consent again")
        return Token(body["access"], body["refresh"], access_ends_at=now + LIFETIME, issued_at=now)

    def _refresh_token(self, number: int) -> str:
        return f"refresh-{number}" if self.rotating else "refresh-for-ever"

    def _load(self) -> dict[str, int]:
        state: dict[str, int] = json.loads(self.path.read_text())
        return state

    def _save(self, state: dict[str, int]) -> None:
        self.path.write_text(json.dumps(state))
