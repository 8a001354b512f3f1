"""Tokens at rest: sealed pairs per channel (the newest and the two before it), and the journal of raw refresh answers (L10).

A raw answer is durable before anybody parses it: on SQLite in a synced file beside the database, on PostgreSQL as a row committed on
its own. `jobs/tokens.py` decides; this module only keeps.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from .ledger import Ledger

TOKEN_PURPOSE = "token"
JOURNAL_PURPOSE = "token-journal"
PAIRS_KEPT = 3
JOURNAL_LINES_MAX = 2_000


def digest_of(refresh_token: str) -> str:
    """How a refresh token is named without telling it."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class StoredPair:
    """The newest pair of a channel; `fields` are the contract's token fields as JSON values."""

    serial: int
    fields: Mapping[str, Any]


def newest_pair(session: Session, ledger: Ledger, channel_id: int) -> StoredPair | None:
    row = session.connection().execute(_NEWEST, {"c": channel_id}).first()
    return None if row is None else StoredPair(row.serial, ledger.vault.open_json(row.sealed, TOKEN_PURPOSE))


def store_pair(
    session: Session,
    ledger: Ledger,
    channel_id: int,
    fields: Mapping[str, Any],
    *,
    made_from: str,
    refresh_token: str,
    now_ms: int,
) -> int | None:
    """Store a new pair if the refresh token it was made from is still the stored one ("" means: a person just consented).

    Returns the new serial, or `None` when another pair took its place meanwhile.
    """
    row = session.execute(
        text("SELECT serial, refresh_digest FROM token WHERE channel_id = :c ORDER BY serial DESC LIMIT 1"),
        {"c": channel_id},
    ).first()
    if made_from and row is not None and row.refresh_digest != made_from:
        return None
    serial = 1 if row is None else row.serial + 1
    session.execute(
        text(
            "INSERT INTO token (channel_id, serial, sealed, made_from, refresh_digest, stored_ms) VALUES (:c, :n, :s, :m, :r, :now)"
        ),
        {
            "c": channel_id,
            "n": serial,
            "s": ledger.vault.seal_json(dict(fields), TOKEN_PURPOSE),
            "m": made_from,
            "r": digest_of(refresh_token) if refresh_token else "",
            "now": now_ms,
        },
    )
    session.execute(
        text("DELETE FROM token WHERE channel_id = :c AND serial <= :n"), {"c": channel_id, "n": serial - PAIRS_KEPT}
    )
    return int(serial)


class Journal:
    """Raw refresh answers, sealed and durable before they are parsed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._path = Path(f"{ledger.url.database}.token-journal") if ledger.sqlite else None

    def append(self, channel_id: int, made_from: str, raw: bytes) -> None:
        """Make a raw answer durable; returns only when it would survive a power loss."""
        sealed = self._ledger.vault.seal(raw, JOURNAL_PURPOSE)
        if self._path is None:
            self._ledger.write_now(
                lambda session: session.execute(
                    text(
                        "INSERT INTO token_journal (channel_id, made_from, sealed, written_ms) VALUES (:c, :m, :s, :now)"
                    ),
                    {"c": channel_id, "m": made_from, "s": sealed, "now": self._ledger.now_ms()},
                ),
                name="token_journal",
            )
            return
        entry = {"channel": channel_id, "made_from": made_from, "sealed": base64.b64encode(sealed).decode()}
        _append_durably(self._path, json.dumps(entry).encode())

    def answers_made_from(self, channel_id: int, made_from: str) -> list[bytes]:
        """Raw answers that were made from this refresh token, oldest first. A torn last line is skipped."""
        if self._path is None:
            rows = self._ledger.read_now(
                lambda session: session.execute(
                    text("SELECT sealed FROM token_journal WHERE channel_id = :c AND made_from = :m ORDER BY id"),
                    {"c": channel_id, "m": made_from},
                ).all()
            )
            return [self._ledger.vault.open(row.sealed, JOURNAL_PURPOSE) for row in rows]
        if not self._path.exists():
            return []
        answers: list[bytes] = []
        for line in self._path.read_bytes().splitlines()[-JOURNAL_LINES_MAX:]:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry["channel"] == channel_id and entry["made_from"] == made_from:
                answers.append(self._ledger.vault.open(base64.b64decode(entry["sealed"]), JOURNAL_PURPOSE))
        return answers


def _append_durably(path: Path, line: bytes) -> None:
    """Add a line and sync it, file and folder. It begins on a line of its own even where a power loss tore the last one."""
    is_new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        whole = b"\n" * torn + line + b"\n"
        if os.write(handle, whole) != len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(handle)
    finally:
        os.close(handle)
    if is_new:
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


_NEWEST = text("SELECT serial, sealed FROM token WHERE channel_id = :c ORDER BY serial DESC LIMIT 1")
