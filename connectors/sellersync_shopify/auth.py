"""Tokens of the client-credentials grant, and the check of webhook signatures (shopify.dev, 2026).

A token lasts 24 hours and is had again by asking again with the app's own id and secret: nothing rotates, so a lost answer costs
nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx

from sellersync.connector.contract import Authoriser, Token
from sellersync.connector.http import Reply, Wire
from sellersync.domain.errors import AuthNeeded, NotSupported, Temporary, Unrecognised
from sellersync.domain.times import to_epoch_ms

from .settings import ShopifySettings

TOKEN_PATH = "/admin/oauth/access_token"
CHECK_APP = "Check client_id and client_secret: Dev Dashboard > the app > Settings."
GRANT_REFUSALS: Mapping[str, str] = {
    "app_not_installed": "Install the app on the shop: Dev Dashboard > the app > Install.",
    "shop_not_permitted": "The app and the shop must belong to the same organisation in the Dev Dashboard.",
    "application_cannot_be_found": CHECK_APP,
    "invalid_client": CHECK_APP,
    "invalid_request": CHECK_APP,
    "unsupported_grant_type": "Make the app in the Dev Dashboard: only such apps may ask with id and secret alone.",
}
"""Codes of a refused token call (seen in public reports, 2026) -> what the seller does."""
MARK = "client-credentials:"
_CODE = re.compile(r"[a-z_]{1,60}")
_OAUTH_PAGE = re.compile(rb"Oauth error ([a-z_]+)")


def webhook_is_genuine(raw_body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Does `X-Shopify-Hmac-Sha256` belong to the bytes received? Compared in constant time.

    `secrets` are the app's client secrets: after a rotation the old one may sign for up to an hour.
    """
    fits = False
    for secret in secrets:
        digest = hmac.new(secret.encode(), raw_body, hashlib.sha256).digest()
        fits |= hmac.compare_digest(base64.b64encode(digest), signature.strip().encode())
    return fits


class ShopifyAuthoriser(Authoriser):
    """There is no consent page and no refresh token: `exchange` and `refresh` are the same question.

    `Token.refresh` is only a mark that this grant can be had again with the app's own keys; it differs for every grant, so that an
    answer kept in a journal is never taken for the answer to a later question.
    """

    rotating = False
    own_keys = True

    def __init__(self, wire: Wire, settings: ShopifySettings) -> None:
        self._wire = wire
        self._settings = settings

    def refresh_at(self, token: Token) -> datetime | None:
        if token.issued_at is None or token.access_ends_at is None:
            return None
        return token.issued_at + (token.access_ends_at - token.issued_at) / 2

    def consent_url(self, *, state: str, redirect_url: str) -> str:
        raise NotSupported("Shopify needs no consent page: the app's client id and secret are enough")

    async def exchange(self, redirect_parameters: Mapping[str, str]) -> bytes:
        return await self._ask()

    async def refresh(self, token: Token) -> bytes:
        if not token.refresh.startswith(MARK):
            raise AuthNeeded("the stored token was not had with the app's own keys", todo=CHECK_APP)
        return await self._ask()

    async def _ask(self) -> bytes:
        settings = self._settings

        def make(now: datetime) -> httpx.Request:
            form = {
                "grant_type": "client_credentials",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret.get_secret_value(),
            }
            return httpx.Request(
                "POST",
                f"{settings.address}{TOKEN_PATH}",
                content=urlencode(form).encode(),
                headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
            )

        def check(reply: Reply) -> bytes:
            if reply.status >= 500:
                raise Temporary(f"token: HTTP {reply.status}")
            return reply.body

        return await self._wire.write(make, check, what="token", reference="token")

    def read_grant(self, raw: bytes, *, now: datetime, previous: Token | None) -> Token:
        body = _grant_body(raw)
        if body.get("error"):
            told = str(body["error"])
            refusal = told if _CODE.fullmatch(told) else "for a reason that is no code"
            raise AuthNeeded(f"Shopify refused a token ({refusal})", todo=GRANT_REFUSALS.get(refusal, CHECK_APP))
        given, life_s = body.get("access_token"), body.get("expires_in")
        access = given.strip() if isinstance(given, str) else ""
        if not access:
            raise Unrecognised("token answer without an access token", f"keys {sorted(body)}")
        if type(life_s) is not int or life_s <= 0:
            raise Unrecognised("token answer without a lifetime", repr(life_s))
        self._wire.redact.add(access)
        return Token(
            access=access,
            refresh=f"{MARK}{to_epoch_ms(now)}:{hashlib.sha256(access.encode()).hexdigest()[:16]}",
            access_ends_at=now + timedelta(seconds=life_s),
            issued_at=now,
            remote_shop_id=self._settings.remote_shop_id,
            extra={"scope": str(body.get("scope") or "")},
        )


def _grant_body(raw: bytes) -> Mapping[str, Any]:
    """The answer as an object; an error page of the token endpoint names its code in its text."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        page = _OAUTH_PAGE.search(raw)
        if page is None:
            raise Temporary("the token endpoint sent something else than data") from None
        return {"error": page[1].decode()}
    if not isinstance(body, dict):
        raise Unrecognised("token answer of another kind", type(body).__name__)
    return body
