"""How Biteship wants its key: a static key in one header, no token, no signature (API reference, 2026)."""

from __future__ import annotations

from typing import Literal

AuthScheme = Literal["raw", "bearer"]

TEST_KEY_PREFIX = "biteship_test."
LIVE_KEY_PREFIX = "biteship_live."


def authorization(key: str, scheme: AuthScheme) -> str:
    """The `authorization` header. The API reference sends the bare key, a newer help article `Bearer <key>`."""
    return f"Bearer {key}" if scheme == "bearer" else key
