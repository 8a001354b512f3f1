"""How KiriminAja wants its key: a static key as a bearer token, no signature (API documentation, 2026)."""

from __future__ import annotations


def authorization(key: str) -> str:
    """The `authorization` header."""
    return f"Bearer {key}"
