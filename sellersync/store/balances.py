"""Prepaid balances of courier accounts: what was told last, and which accounts are known to be empty (one finding an account)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.times import from_epoch_ms

from .findings import close_finding, raise_finding
from .work import get_meta, set_meta

SUBJECT = "balance"


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account told last: whole rupiah, `None` where it has no balance to tell (an account that gets invoices)."""

    channel_id: int
    amount: int | None
    asked: datetime

    @property
    def asked_ms(self) -> int:
        return round(self.asked.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class EmptyAccount:
    """An account that could not pay. `needed` is the price of the parcel that it could not pay, 0 when unknown."""

    channel_id: int
    refused_ms: int
    needed: int
    why: str


def balance(session: Session, channel_id: int) -> Balance | None:
    """What this courier account told last, `None` before it was asked."""
    kept = get_meta(session, _key(channel_id))
    if not kept:
        return None
    told = json.loads(kept)
    return Balance(channel_id, told["amount"], from_epoch_ms(told["asked_ms"], where="balance"))


def told_balances(session: Session) -> dict[str, Balance]:
    """What each courier account told last, by its slug."""
    rows = session.execute(text("SELECT id, slug FROM channel WHERE kind = 'courier' ORDER BY id")).all()
    told = {row.slug: balance(session, row.id) for row in rows}
    return {slug: kept for slug, kept in told.items() if kept is not None}


def keep_balance(session: Session, channel_id: int, amount: int | None, *, now_ms: int) -> None:
    """Keep what an account told; one that can pay again, or that has no balance to run out of, is not empty."""
    set_meta(session, _key(channel_id), json.dumps({"amount": amount, "asked_ms": now_ms}))
    empty = empty_account(session, channel_id)
    if empty is not None and (amount is None or amount >= max(empty.needed, 1)):
        note_paid(session, channel_id, now_ms=now_ms)


def note_empty(session: Session, channel_id: int, why: str, *, needed: int, now_ms: int) -> None:
    """The account cannot pay: its parcels wait under this one finding."""
    told = balance(session, channel_id)
    details = {"why": why[:300], "needed": needed or None, "balance": None if told is None else told.amount}
    raise_finding(session, "courier_balance", SUBJECT, channel_id=channel_id, now_ms=now_ms, details=details)


def note_paid(session: Session, channel_id: int, *, now_ms: int) -> None:
    """The account paid, or can: nothing waits for it any more."""
    close_finding(session, "courier_balance", SUBJECT, channel_id=channel_id, now_ms=now_ms)


def empty_account(session: Session, channel_id: int) -> EmptyAccount | None:
    """The open finding of an account, as the bookings need it."""
    row = session.execute(
        text(
            "SELECT seen_ms, details FROM finding WHERE kind = 'courier_balance' AND channel_id = :c AND subject = :s "
            "AND closed_ms IS NULL"
        ),
        {"c": channel_id, "s": SUBJECT},
    ).first()
    if row is None:
        return None
    details = json.loads(row.details)
    return EmptyAccount(channel_id, row.seen_ms, int(details["needed"] or 0), details["why"])


def _key(channel_id: int) -> str:
    return f"courier_balance:{channel_id}"
