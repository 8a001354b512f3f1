"""Signing, webhook verification, consent and token refresh of the TikTok Shop Open API.

Sources: Partner Center pages "sign your API request" (2026-07-06) and "authorization"; both published vectors are in the tests.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from sellersync.connector.contract import Authoriser, Token
from sellersync.connector.http import Wire
from sellersync.domain.errors import AuthNeeded, NotSupported, Temporary, Unrecognised

if TYPE_CHECKING:
    from .settings import TokopediaSettings

LOGIN_AGAIN = "Authorise the shop again: sellersync auth login CHANNEL."
TEMPORARY_CODES = frozenset({36009002, 36009003, 36009007, 36009037})
KEY_CODES = frozenset({36009004, 106001})
ABSOLUTE_SECONDS_MIN = 1_000_000_000
"""`*_expire_in` is an absolute time in spite of its name; a smaller number can only be a time to live."""


def sign(app_secret: str, path: str, query: Mapping[str, str], body: bytes = b"", *, multipart: bool = False) -> str:
    """HMAC-SHA256, lower-case hex, of secret + path + sorted decoded key/value pairs + body + secret.

    `sign` and `access_token` are not signed; the body of a multipart request is not signed either.
    """
    pairs = "".join(key + query[key] for key in sorted(query) if key not in ("sign", "access_token"))
    text = (app_secret + path + pairs).encode() + (b"" if multipart else body) + app_secret.encode()
    return hmac.new(app_secret.encode(), text, hashlib.sha256).hexdigest()


def verify_webhook(app_key: str, app_secret: str, body: bytes, authorization: str) -> bool:
    """Is the `Authorization` header of a delivery right for its raw body?"""
    expected = hmac.new(app_secret.encode(), app_key.encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), authorization.strip().encode())


class TokopediaAuthoriser(Authoriser):
    """Consent on the provider's page, seven days of access, a refresh token that is replaced at each use.

    Whether a used refresh token works again after a lost answer is unconfirmed: it is treated as single-use.
    """

    refreshable = True
    rotating = True

    def __init__(self, settings: TokopediaSettings, wire: Wire) -> None:
        self._settings = settings
        self._wire = wire
        wire.redact.add(settings.app_secret.get_secret_value())

    def refresh_at(self, token: Token) -> datetime | None:
        """Half-way through the access token's life: days are left to authorise again after a lost refresh."""
        if token.access_ends_at is None:
            return None
        begin = token.issued_at or token.access_ends_at - timedelta(days=7)
        return begin + (token.access_ends_at - begin) / 2

    def consent_url(self, *, state: str, redirect_url: str) -> str:
        """The redirect address is configured in the app, not in the link."""
        if not self._settings.service_id:
            raise NotSupported("set service_id (shown on the app's page in the Partner Center) to get the consent link")
        query = httpx.QueryParams({"service_id": self._settings.service_id, "state": state})
        return f"{self._settings.consent_base_url.rstrip('/')}/open/authorize?{query}"

    async def exchange(self, redirect_parameters: Mapping[str, str]) -> bytes:
        """The code lives 30 minutes and works once."""
        code = redirect_parameters.get("code", "")
        if redirect_parameters.get("error") or code in ("", "null"):
            raise AuthNeeded("the seller did not agree on the consent page", todo=LOGIN_AGAIN)
        return await self._token_call("get", {"auth_code": code, "grant_type": "authorized_code"})

    async def refresh(self, token: Token) -> bytes:
        self._wire.redact.add(token.refresh)
        return await self._token_call("refresh", {"refresh_token": token.refresh, "grant_type": "refresh_token"})

    async def _token_call(self, kind: str, parameters: Mapping[str, str]) -> bytes:
        """A GET whose query holds the secrets: its URL must never be logged. It has an effect, so it is sent once."""
        settings = self._settings
        query = {"app_key": settings.app_key, "app_secret": settings.app_secret.get_secret_value(), **parameters}

        def make(now: datetime) -> httpx.Request:
            return httpx.Request("GET", f"{settings.auth_base_url.rstrip('/')}/api/v2/token/{kind}", params=query)

        what = f"token {kind}"
        return await self._wire.write(make, lambda reply: reply.body, what=what, reference=what, fresh=True)

    def read_grant(self, raw: bytes, *, now: datetime, previous: Token | None) -> Token:
        """The raw text is never quoted in an error: it may hold half a token."""
        try:
            envelope = json.loads(raw)
            code, message = int(envelope["code"]), str(envelope.get("message", ""))[:200]
        except (ValueError, KeyError, TypeError):
            raise Unrecognised("the answer to a token request is not readable", f"{len(raw)} bytes") from None
        if code in TEMPORARY_CODES:
            raise Temporary(f"token request: {message} [{code}]")
        if code in KEY_CODES:
            raise AuthNeeded(
                f"the provider refuses the app's keys: {message} [{code}]",
                todo="Compare app_key and app_secret with the app's page in the Partner Center.",
            )
        if code != 0:
            raise AuthNeeded(f"the provider refuses the authorisation: {message} [{code}]", todo=LOGIN_AGAIN)
        return self._read_pair(envelope.get("data"), now, previous)

    def _read_pair(self, data: Any, now: datetime, previous: Token | None) -> Token:
        try:
            access, refresh = _filled(data["access_token"]), _filled(data["refresh_token"])
            access_ends = _end(data["access_token_expire_in"], now)
            refresh_ends = _end(data["refresh_token_expire_in"], now)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise Unrecognised("the answer to a token request lacks the pair or its times", "") from None
        if data.get("user_type", 0) != 0:
            raise AuthNeeded(
                "this authorisation is not a seller's (creator or partner account)",
                todo="Log in with the shop's main account and authorise again: sellersync auth login CHANNEL.",
            )
        self._wire.redact.add(access)
        self._wire.redact.add(refresh)
        return Token(
            access=access,
            refresh=refresh,
            access_ends_at=access_ends,
            refresh_ends_at=refresh_ends,
            issued_at=now,
            remote_shop_id=previous.remote_shop_id if previous else self._settings.remote_shop_id,
            extra={
                "seller_name": str(data.get("seller_name", "")),
                "region": str(data.get("seller_base_region", "")),
                "scopes": ",".join(str(scope) for scope in data.get("granted_scopes") or ()),
            },
        )


def _filled(value: Any) -> str:
    """A token. Raises `ValueError` for anything else than text."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("no token")
    return value.strip()


def _end(value: Any, now: datetime) -> datetime:
    seconds = int(value)
    if seconds < ABSOLUTE_SECONDS_MIN:
        return now + timedelta(seconds=seconds)
    return datetime.fromtimestamp(seconds, UTC)
