"""Couriers' offers, kept for a while: asking costs a few rupiah a call. Keys are digests and hold no buyer data."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session

KEPT_MS_MAX = 86_400_000


def kept_offers(session: Session, key: str, *, since_ms: int) -> str | None:
    """The offers under a key (JSON, as they were given to `keep_offers`), unless they are older than `since_ms`."""
    found = session.execute(
        text("SELECT offers FROM quote WHERE key = :k AND stored_ms >= :since"), {"k": key, "since": since_ms}
    ).scalar()
    return None if found is None else str(found)


def keep_offers(session: Session, key: str, offers: str, *, now_ms: int) -> None:
    """Keep offers, and forget all that nobody believes any more."""
    session.execute(text("DELETE FROM quote WHERE stored_ms < :old"), {"old": now_ms - KEPT_MS_MAX})
    session.execute(
        text(
            "INSERT INTO quote (key, offers, stored_ms) VALUES (:k, :o, :now) "
            "ON CONFLICT (key) DO UPDATE SET offers = excluded.offers, stored_ms = excluded.stored_ms"
        ),
        {"k": key, "o": offers, "now": now_ms},
    )


def drop_offers(session: Session, key: str) -> None:
    """They proved wrong: the next parcel asks again."""
    session.execute(text("DELETE FROM quote WHERE key = :k"), {"k": key})
