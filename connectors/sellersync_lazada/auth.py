"""Signing, consent and token refresh (Lazada Open Platform, developer guide and API reference, 2026)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx

from sellersync.connector.contract import Authoriser, Context, Token
from sellersync.connector.http import Reply
from sellersync.domain.errors import AuthNeeded, Temporary, Unrecognised
from sellersync.domain.times import to_epoch_ms

from .values import mapping_of, rows_of, text, whole

if TYPE_CHECKING:
    from . import LazadaSettings

REFRESH_AHEAD = timedelta(hours=48)  # the platform's own advice; short tokens are renewed at half life instead
TOKEN_CREATE = "/auth/token/create"
TOKEN_REFRESH = "/auth/token/refresh"
CLOCK_WINDOW_S = 7200.0  # a timestamp further than this from UTC is refused like a wrong signature
AUTHORISE_AGAIN = "Authorise the channel again: sellersync auth login CHANNEL."
GRANT_REFUSALS: Mapping[str, str] = {
    "IllegalRefreshToken": AUTHORISE_AGAIN,
    "InvalidCode": "The consent code is used up, older than 30 minutes or from another host. " + AUTHORISE_AGAIN,
    "AUTH_TYPE_UNSUPPORTED": "This app is of the subscription type, whose tokens cannot be renewed: renew the subscription in the"
    " service market and authorise again, or use an in-house app.",
    "IncompleteSignature": "Check app_key and app_secret in the configuration.",
    "InsufficientPermission": "Give the app the missing permission in the app console.",
}
"""Codes of a refused token call -> what the seller does."""
GRANT_TRANSIENT = frozenset(
    {"901", "513", "6", "1000", "1002", "506", "ServiceTimeout", "ApiCallLimit", "SellerCallLimit", "AppCallLimit"}
)


def sign(path: str, parameters: Mapping[str, str], secret: str) -> str:
    """Signature of a call: upper-case hex HMAC-SHA256 of the path (without `/rest`) and all parameters, sorted by ASCII name, raw.

    `sign` itself is left out. Empty values must not be sent: the documented implementations disagree about them.
    """
    base = path + "".join(f"{name}{parameters[name]}" for name in sorted(parameters) if name != "sign")
    return hmac.new(secret.encode(), base.encode(), hashlib.sha256).hexdigest().upper()


def verify_push(app_key: str, secret: str, body: bytes, authorization: str) -> bool:
    """Is a push message genuine? Its `Authorization` header is the lower-case hex HMAC-SHA256 of app key + raw body."""
    expected = hmac.new(secret.encode(), app_key.encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, authorization.strip())


def signed_request(
    method: str,
    base_url: str,
    path: str,
    business: Mapping[str, str],
    *,
    app_key: str,
    secret: str,
    now: datetime,
    access_token: str = "",
) -> httpx.Request:
    """Build one signed call: GET with everything in the query, POST with the business parameters in a form body.

    Of the four POST shapes that are seen working this one keeps large payloads out of URLs.
    """
    common = {"app_key": app_key, "timestamp": str(to_epoch_ms(now)), "sign_method": "sha256"}
    if access_token:
        common["access_token"] = access_token
    common["sign"] = sign(path, {**common, **business}, secret)
    query = {**common, **business} if method == "GET" else common
    url = f"{base_url.rstrip('/')}{path}?{urlencode(query)}"
    if method == "GET":
        return httpx.Request("GET", url)
    return httpx.Request(
        "POST",
        url,
        content=urlencode(business).encode(),
        headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
    )


def clock_was_off(signed_at: datetime, reply: Reply) -> bool:
    """Was a call refused because it was signed outside the platform's clock window? (Its clock is known now.)"""
    return abs((reply.provider_now - signed_at).total_seconds()) > CLOCK_WINDOW_S - 60.0


class LazadaAuthoriser(Authoriser):
    """Consent in the browser, then a pair of tokens.

    Whether a used refresh token dies is not documented, so it is treated as single-use. Lifetimes are never assumed: each answer
    states them, and the refresh token's own end is kept as stated (the 2026 text says that renewing does not move it).
    """

    rotating = True

    def __init__(self, context: Context, settings: LazadaSettings) -> None:
        self._wire = context.wire
        self._settings = settings

    def refresh_at(self, token: Token) -> datetime | None:
        if not token.refresh or token.access_ends_at is None:
            return None
        ahead = token.access_ends_at - REFRESH_AHEAD
        if token.issued_at is None:
            return ahead
        return max(ahead, token.issued_at + (token.access_ends_at - token.issued_at) / 2)

    def consent_url(self, *, state: str, redirect_url: str) -> str:
        root = self._settings.auth_base_url.rstrip("/").removesuffix("/rest")
        query = {
            "response_type": "code",
            "force_auth": "true",
            "redirect_uri": redirect_url,
            "client_id": self._settings.app_key,
            "state": state,
        }
        return f"{root}/oauth/authorize?{urlencode(query)}"

    async def exchange(self, redirect_parameters: Mapping[str, str]) -> bytes:
        code = redirect_parameters.get("code", "")
        if not code:
            raise AuthNeeded("the consent page came back without a code", todo=AUTHORISE_AGAIN)
        return await self._token_call(TOKEN_CREATE, {"code": code}, what="token create")

    async def refresh(self, token: Token) -> bytes:
        if not token.refresh:
            raise AuthNeeded("Lazada gave a token that cannot be renewed", todo=AUTHORISE_AGAIN)
        self._wire.redact.add(token.refresh)
        return await self._token_call(TOKEN_REFRESH, {"refresh_token": token.refresh}, what="token refresh")

    async def _token_call(self, path: str, business: Mapping[str, str], *, what: str) -> bytes:
        settings = self._settings
        signed_at: list[datetime] = []

        def make(now: datetime) -> httpx.Request:
            signed_at.append(now)
            return signed_request(
                "POST",
                settings.auth_base_url,
                path,
                business,
                app_key=settings.app_key,
                secret=settings.app_secret.get_secret_value(),
                now=now,
            )

        def check(reply: Reply) -> bytes:
            if b"IncompleteSignature" in reply.body[:500] and clock_was_off(signed_at[-1], reply):
                raise Temporary(f"{what}: our clock was off; corrected by the provider's")
            return reply.body

        return await self._wire.write(make, check, what=what, reference=what, fresh=True)

    def read_grant(self, raw: bytes, *, now: datetime, previous: Token | None) -> Token:
        try:
            body = mapping_of(json.loads(raw), where="token answer")
        except (ValueError, RecursionError):
            raise Unrecognised("token answer without a JSON body", "") from None
        code = text(body.get("code"))
        if code != "0":
            _refuse_grant(self._wire.redact(code), self._wire.redact(text(body.get("message"))))
        access = text(body.get("access_token"))
        if not access:
            raise Unrecognised("token answer without an access token", f"keys {sorted(body)}")
        refresh_life_s = whole(body.get("refresh_expires_in") or 0, where="refresh_expires_in")
        shop = _country_user(body)
        return Token(
            access=access,
            refresh=text(body.get("refresh_token")) if refresh_life_s > 0 else "",
            access_ends_at=now + timedelta(seconds=whole(body.get("expires_in"), where="expires_in")),
            refresh_ends_at=now + timedelta(seconds=refresh_life_s) if refresh_life_s > 0 else None,
            issued_at=now,
            remote_shop_id=text(shop.get("seller_id")) or (previous.remote_shop_id if previous else ""),
            extra={"country": text(shop.get("country") or body.get("country"))},
        )


def _refuse_grant(code: str, message: str) -> None:
    if code in GRANT_REFUSALS:
        raise AuthNeeded(f"Lazada refused the token call ({code})", todo=GRANT_REFUSALS[code])
    if code in GRANT_TRANSIENT:
        raise Temporary(f"Lazada put the token call off ({code})")
    raise Unrecognised(f"token answer with code {code!r}", message)


def _country_user(body: Mapping[str, object]) -> Mapping[str, object]:
    """The seller's entry for Indonesia, else the first one; the refresh reference spells the key differently."""
    users = rows_of(body.get("country_user_info") or body.get("country_user_info_list"), where="country_user_info")
    for user in users:
        if text(user.get("country")).lower() == "id":
            return user
    return users[0] if users else {}
