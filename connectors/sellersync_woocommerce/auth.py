"""Keys on the wire: HTTP Basic over TLS, OAuth 1.0a one-legged over plain HTTP, and the check of webhook signatures.

Facts: measured on WooCommerce 10.0.2. Nothing here expires, so there is no authoriser.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from random import Random
from urllib.parse import quote

SIGNATURE_METHOD = "HMAC-SHA256"
TIMESTAMP_WINDOW_S = 15 * 60  # either way; nonces are remembered as long


def encode(text: str) -> str:
    """RFC 3986 percent encoding, as OAuth 1.0a demands it."""
    return quote(text, safe="")


def encode_query(parameters: Mapping[str, str]) -> str:
    """A query string in the given order."""
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in parameters.items())


def base_string(method: str, url: str, parameters: Mapping[str, str]) -> str:
    """METHOD & URL without query & sorted parameters (query and oauth_*, without the signature)."""
    pairs = "&".join(sorted(f"{encode(name)}={encode(value)}" for name, value in parameters.items()))
    return "&".join((method.upper(), encode(url), encode(pairs)))


def sign(method: str, url: str, parameters: Mapping[str, str], consumer_secret: str) -> str:
    """OAuth 1.0a signature (HMAC-SHA256). `url` is what the shop believes its own address is; a JSON body is not signed."""
    message = base_string(method, url, parameters).encode()
    digest = hmac.new(f"{consumer_secret}&".encode(), message, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def oauth_parameters(
    method: str,
    url: str,
    query: Mapping[str, str],
    *,
    consumer_key: str,
    consumer_secret: str,
    now: datetime,
    nonce: str,
) -> dict[str, str]:
    """The oauth_* parameters of one sending. A nonce works once: every retry is signed anew."""
    parameters = {
        "oauth_consumer_key": consumer_key,
        "oauth_timestamp": str(int(now.timestamp())),
        "oauth_nonce": nonce,
        "oauth_signature_method": SIGNATURE_METHOD,
    }
    parameters["oauth_signature"] = sign(method, url, {**query, **parameters}, consumer_secret)
    return parameters


def oauth_header(parameters: Mapping[str, str]) -> str:
    """`Authorization: OAuth ...`, which keeps the key out of access logs."""
    return "OAuth " + ", ".join(f'{name}="{encode(value)}"' for name, value in parameters.items())


def basic_header(consumer_key: str, consumer_secret: str) -> str:
    """`Authorization: Basic ...`; looked at over TLS only."""
    return "Basic " + base64.b64encode(f"{consumer_key}:{consumer_secret}".encode()).decode()


def new_nonce(rng: Random) -> str:
    """32 hex digits."""
    return f"{rng.getrandbits(128):032x}"


def webhook_is_genuine(raw_body: bytes, signature: str, secret: str) -> bool:
    """Does `X-WC-Webhook-Signature` belong to the bytes received? Compared in constant time."""
    digest = hmac.new(secret.encode(), raw_body, hashlib.sha256).digest()
    return hmac.compare_digest(base64.b64encode(digest), signature.encode())
