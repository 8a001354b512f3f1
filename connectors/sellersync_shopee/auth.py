"""Signing, push verification, consent and token refresh.

Signature rules, token lives and refusal codes: Shopee Open Platform developer guides and API reference (2025-2026).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import httpx

from sellersync.connector.contract import Authoriser, Token
from sellersync.connector.http import Reply, Wire
from sellersync.domain.errors import AuthNeeded, BadInput, Temporary, Unrecognised
from sellersync.domain.times import EPOCH

from .settings import ShopeeSettings

EXCHANGE_PATH = "/api/v2/auth/token/get"
REFRESH_PATH = "/api/v2/auth/access_token/get"

ACCESS_LIFE_S_MAX = 4 * 3600
REFRESH_LIFE_DAYS = 30
REFRESH_BEFORE_END_S = 1800
EPOCH_NOT_DURATION = 1_000_000_000  # `expire_in` is documented as seconds and once sampled as an absolute time

CONSENT_TODO = "Authorise the shop again: sellersync auth login CHANNEL."
GRANT_GONE = frozenset(
    {
        "error_shop_refresh_token",
        "refresh_token_expired",
        "shop_access_expired",
        "shop_no_linked",
        "partner_shop_no_link",
        "shop_banned",
        "invalid_code",
        "invalid_shop_id",
        "invalid_main_acount_id",
    }
)
GRANT_CONFIGURATION = frozenset(
    {
        "error_sign",
        "source_ip_undeclared",
        "error_partner_key_expired",
        "error_api_permission",
        "error_permission",
        "api_suspended",
    }
)
GRANT_LATER = frozenset(
    {"error_server", "error_network", "error_inner", "error_system_busy", "error_rate_limit", "error_limit"}
)


def sign(partner_key: str, *parts: str) -> str:
    """Lower-case hex HMAC-SHA256 over the parts joined without a separator; the key is text, never hex-decoded."""
    return hmac.new(partner_key.encode("ascii"), "".join(parts).encode(), hashlib.sha256).hexdigest()


def sign_public(partner_key: str, partner_id: int, path: str, timestamp: int) -> str:
    """Signature of a public call (`/auth/*`, `/public/*`, `/push/*`)."""
    return sign(partner_key, str(partner_id), path, str(timestamp))


def sign_shop(partner_key: str, partner_id: int, path: str, timestamp: int, access_token: str, shop_id: str) -> str:
    """Signature of a shop call. Parameters and body are not signed."""
    return sign(partner_key, str(partner_id), path, str(timestamp), access_token, shop_id)


class PushForm(StrEnum):
    """Which of the two observed messages a push was signed over."""

    URL_AND_BODY = "url_and_body"  # developer guide
    BODY = "body"  # one live receiver (2026-01)


def verify_push(authorization: str, body: bytes, *, callback_url: str, push_keys: Iterable[str]) -> PushForm | None:
    """Which form a push is signed in, `None` when its signature is wrong.

    `authorization` is the bare header value, `body` the raw bytes, `callback_url` exactly as typed in the console. Sources disagree
    on key and message, so every given key is tried with both forms; all comparisons take constant time.
    """
    messages = {PushForm.URL_AND_BODY: callback_url.encode() + b"|" + body, PushForm.BODY: body}
    found: PushForm | None = None
    for key in push_keys:
        for form, message in messages.items():
            expected = hmac.new(key.encode("ascii"), message, hashlib.sha256).hexdigest()
            if hmac.compare_digest(expected.encode(), authorization.strip().encode()):
                found = found or form
    return found


class ShopeeAuthoriser(Authoriser):
    """A shop's consent and its single-use refresh token: 4 hours of access, 30 days of refresh (API reference, 2026)."""

    refreshable = True
    rotating = True

    def __init__(self, settings: ShopeeSettings, wire: Wire) -> None:
        self._settings = settings
        self._wire = wire

    def consent_url(self, *, state: str, redirect_url: str) -> str:
        """The unsigned consent page; its redirect domain must be declared in the console."""
        query = {
            "partner_id": self._settings.partner_id,
            "auth_type": "seller",
            "redirect_uri": redirect_url,
            "response_type": "code",
            "state": state,
        }
        return f"{self._settings.consent_page_url}?{urlencode(query)}"

    def refresh_at(self, token: Token) -> datetime | None:
        if token.access_ends_at is None:
            return None
        return token.access_ends_at - timedelta(seconds=REFRESH_BEFORE_END_S)

    async def exchange(self, redirect_parameters: Mapping[str, str]) -> bytes:
        code = redirect_parameters.get("code", "")
        if not code:
            raise BadInput("the address after agreeing holds no code=; copy the whole address from the browser")
        owner = "main_account_id" if redirect_parameters.get("main_account_id") else "shop_id"
        if owner == "shop_id":
            self._refuse_other_shop(redirect_parameters)
        body: dict[str, Any] = {"code": code}
        body[owner] = _number(redirect_parameters.get(owner, self._settings.remote_shop_id))
        return await self._token_call(EXCHANGE_PATH, body, what="code exchange")

    async def refresh(self, token: Token) -> bytes:
        self._wire.redact.add(token.refresh)
        body = {"refresh_token": token.refresh, "shop_id": int(self._settings.remote_shop_id)}
        return await self._token_call(REFRESH_PATH, body, what="token refresh")

    def read_grant(self, raw: bytes, *, now: datetime, previous: Token | None) -> Token:
        try:
            answer = json.loads(raw)
        except ValueError:
            raise Unrecognised("token answer without JSON", "(withheld)") from None
        if not isinstance(answer, dict):
            raise Unrecognised("token answer of another shape", "(withheld)")
        code = str(answer.get("error") or "").strip()
        if code:
            _refuse_grant(self._wire.redact(code), self._wire.redact(str(answer.get("message") or "")))
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        if not (isinstance(access, str) and access and isinstance(refresh, str) and refresh):
            raise Unrecognised("token answer without a pair", f"keys {sorted(answer)}")
        self._refuse_other_shop(answer)
        return Token(
            access=access,
            refresh=refresh,
            access_ends_at=_access_end(answer.get("expire_in"), now),
            refresh_ends_at=now + timedelta(days=REFRESH_LIFE_DAYS),
            issued_at=now,
            remote_shop_id=self._settings.remote_shop_id,
        )

    def _refuse_other_shop(self, answer: Mapping[str, Any]) -> None:
        """A grant for another shop must not be stored. An answer that names no shop (a plain code exchange may) is accepted."""
        shops = (
            {str(answer["shop_id"])}
            if answer.get("shop_id")
            else {str(shop) for shop in answer.get("shop_id_list") or ()}
        )
        if shops and self._settings.remote_shop_id not in shops:
            raise AuthNeeded(
                f"the consent is for shop {', '.join(sorted(shops))}, this channel is shop {self._settings.remote_shop_id}",
                todo="Log in as the right shop and agree again, or correct remote_shop_id.",
            )

    async def _token_call(self, path: str, body: dict[str, Any], *, what: str) -> bytes:
        settings = self._settings

        def make(now: datetime) -> httpx.Request:
            timestamp = int(now.timestamp())
            signature = sign_public(settings.partner_key.get_secret_value(), settings.partner_id, path, timestamp)
            query: dict[str, str | int] = {"partner_id": settings.partner_id, "timestamp": timestamp, "sign": signature}
            full = {**body, "partner_id": settings.partner_id}
            return httpx.Request("POST", settings.base_url + path, params=query, json=full)

        def check(reply: Reply) -> bytes:
            return reply.body

        return await self._wire.write(make, check, what=what, reference=what, fresh=True)


def _number(text: str) -> int:
    if not text.isdigit():
        raise BadInput(f"{text!r} is not a shop number; copy the whole address from the browser")
    return int(text)


def _access_end(expire_in: object, now: datetime) -> datetime:
    """End of the access token; never trusted for more than the documented four hours."""
    try:
        seconds = int(float(str(expire_in)))
    except ValueError:
        seconds = ACCESS_LIFE_S_MAX
    if seconds > EPOCH_NOT_DURATION:
        seconds = int((EPOCH + timedelta(seconds=seconds) - now).total_seconds())
    return now + timedelta(seconds=max(0, min(seconds, ACCESS_LIFE_S_MAX)))


def _refuse_grant(code: str, message: str) -> None:
    """Raise what a refused exchange or refresh asks for."""
    text = message.lower()
    if code in GRANT_LATER or (code == "error_param" and ("timestamp" in text or "not from gateway" in text)):
        raise Temporary(f"Shopee could not answer the token call: {code}")
    if code == "error_auth" and "system error" in text:
        raise Temporary(f"Shopee could not answer the token call: {code}")
    if code in GRANT_CONFIGURATION:
        raise AuthNeeded(
            f"Shopee refuses the app: {code}",
            todo="Check partner_id, partner_key and the IP whitelist of the app in the console.",
        )
    if code in GRANT_GONE or code == "error_auth":
        raise AuthNeeded(f"Shopee refuses the authorisation: {code}", todo=CONSENT_TODO)
    raise Unrecognised("token refusal", f"{code}: {message}")
