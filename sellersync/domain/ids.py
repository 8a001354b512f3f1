"""Keys and references that must be the same again tomorrow, derived from facts and never from a local counter."""

from __future__ import annotations

import base64
import hashlib


def short_digest(*parts: str, length: int) -> str:
    """Upper-case base32 digest of the parts, `length` characters: letters and digits that every provider accepts."""
    raw = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=20).digest()
    return base64.b32encode(raw).decode()[:length]


def booking_reference(
    install_id: str, channel_id: int, remote_order_id: str, parcel_no: int, attempt: int, *, length_max: int
) -> str:
    """The reference of one booking attempt.

    Derived from (install, channel, order, parcel number, attempt), so a restored backup derives it again instead of inventing a new
    one. Begins with a letter prefix (some services demand it) and fits `length_max`, which must be at least 12.
    """
    if length_max < 12:
        raise ValueError(f"a booking reference needs 12 characters, the connector allows {length_max}")
    tail = f"-{attempt}"
    room = min(length_max, 24) - len("SS") - len(tail)
    return "SS" + short_digest(install_id, str(channel_id), remote_order_id, str(parcel_no), length=room) + tail


def push_key(epoch: int, target_id: int, ledger_version: int) -> str:
    """Idempotency key of one push: from epoch and ledger version, never from the number (a level may return)."""
    return f"e{epoch}-t{target_id}-v{ledger_version}"


def answer_key(install_id: str, channel_id: int, request_id: str, answer: str) -> str:
    """Idempotency key of our answer to a request to cancel: the same answer again is the same key."""
    return "SC" + short_digest(install_id, str(channel_id), request_id, answer, length=22)


def content_digest(text: str) -> str:
    """Digest that tells two versions of a remote document apart."""
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
