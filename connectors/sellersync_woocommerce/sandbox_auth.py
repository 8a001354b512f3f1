"""What the simulated shop checks before it answers: keys over TLS, OAuth 1.0a one-legged signatures everywhere else.

Facts: measured on WooCommerce 10.0.2. Keys are looked at only over TLS; without TLS an unsigned call is a stranger's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

import httpx

from sellersync.sandbox.kit import Refusal

WINDOW_S = 15 * 60
OAUTH_FIELDS = (
    "oauth_consumer_key",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
)
_DIGESTS = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}
_HEADER_FIELD = re.compile(r'(oauth_[a-z_-]*)="([^"]*)"')
Permissions = Literal["read", "write", "read_write"]


@dataclass(slots=True)
class Key:
    """A REST key of the shop."""

    consumer_key: str
    consumer_secret: str
    permissions: Permissions = "read_write"


def json_refusal(status: int, code: str, message: str, home: str) -> Refusal:
    """An error as WordPress words it."""
    body = {"code": code, "message": message, "data": {"status": status}}
    headers = {
        "link": f'<{home}/wp-json/>; rel="https://api.w.org/"',
        "content-type": "application/json; charset=UTF-8",
    }
    return Refusal(code, httpx.Response(status, headers=headers, json=body))


class Doorman:
    """Authenticates requests; remembers nonces for 15 minutes."""

    def __init__(self, keys: list[Key]) -> None:
        self.keys = keys
        self._nonces: dict[str, int] = {}

    def authenticate(
        self, request: httpx.Request, query: Sequence[tuple[str, str]], *, home: str, now_s: int
    ) -> Key | None:
        """The key of the caller, `None` for a stranger. Raises `Refusal` for what is wrong in itself."""
        key = self._by_basic_or_query(request, query, home) if request.url.scheme == "https" else None
        if key is None:
            key = self._by_signature(request, query, home, now_s)
        if key is None:
            return None
        writes = request.method in ("POST", "PUT", "PATCH", "DELETE")
        needed = "write" if writes else "read"
        if needed not in key.permissions:
            raise self._wrong(f"The API key provided does not have {needed} permissions.", home)
        return key

    def _find(self, consumer_key: str) -> Key | None:
        return next((key for key in self.keys if key.consumer_key == consumer_key), None)

    def _by_basic_or_query(self, request: httpx.Request, query: Sequence[tuple[str, str]], home: str) -> Key | None:
        fields = dict(query)
        name, secret = fields.get("consumer_key", ""), fields.get("consumer_secret", "")
        header = request.headers.get("authorization", "")
        if not (name and secret) and header.lower().startswith("basic "):
            try:
                name, _, secret = base64.b64decode(header[6:], validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
        key = self._find(name)
        if key is None:
            return None
        if not hmac.compare_digest(key.consumer_secret.encode(), secret.encode()):
            raise self._wrong("Consumer secret is invalid.", home)
        return key

    def _by_signature(
        self, request: httpx.Request, query: Sequence[tuple[str, str]], home: str, now_s: int
    ) -> Key | None:
        header = request.headers.get("authorization", "")
        given = {name: value for name, value in query if name in OAUTH_FIELDS}
        if header.lower().startswith("oauth "):
            given |= {name: unquote(value) for name, value in _HEADER_FIELD.findall(header) if name in OAUTH_FIELDS}
        if not given:
            return None
        missing = [name for name in OAUTH_FIELDS if not given.get(name)]
        if missing:
            raise json_refusal(
                401,
                "woocommerce_rest_authentication_missing_parameter",
                f"Missing OAuth parameter {', '.join(missing)}",
                home,
            )
        key = self._find(given["oauth_consumer_key"])
        if key is None:
            raise self._wrong("Consumer key is invalid.", home)
        digest = _DIGESTS.get(given["oauth_signature_method"])
        if digest is None:
            raise self._wrong("Invalid signature - signature method is invalid.", home)
        signed = [pair for pair in query if pair[0] != "oauth_signature"]
        signed += [
            (name, given[name]) for name in OAUTH_FIELDS if name != "oauth_signature" and name not in dict(query)
        ]
        bracketed = any(name.endswith("[]") for name, _ in query)
        base = "&".join(
            quote(part, safe="")
            for part in (
                request.method,
                f"{home}{request.url.path}",
                "&".join(sorted(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in signed)),
            )
        )
        mac = hmac.new(f"{key.consumer_secret}&".encode(), base.encode(), digest).digest()
        expected = base64.b64encode(mac).decode()
        if bracketed or not hmac.compare_digest(expected.encode(), given["oauth_signature"].encode()):
            raise self._wrong("Invalid signature - provided signature does not match.", home)
        self._check_moment(given["oauth_timestamp"], given["oauth_nonce"], home, now_s)
        return key

    def _check_moment(self, timestamp: str, nonce: str, home: str, now_s: int) -> None:
        if not timestamp.isdigit() or abs(now_s - int(timestamp)) > WINDOW_S:
            raise self._wrong("Invalid timestamp.", home)
        if self._nonces.get(nonce, -1) >= now_s - WINDOW_S:
            raise self._wrong("Invalid nonce - nonce has already been used.", home)
        while self._nonces:
            oldest = next(iter(self._nonces))
            if self._nonces[oldest] >= now_s - 2 * WINDOW_S:
                break
            del self._nonces[oldest]
        self._nonces.pop(nonce, None)
        self._nonces[nonce] = int(timestamp)

    def _wrong(self, message: str, home: str) -> Refusal:
        return json_refusal(401, "woocommerce_rest_authentication_error", message, home)
