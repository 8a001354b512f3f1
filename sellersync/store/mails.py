"""Mails to buyers of the own site: which are due, and what became of each. One row an (order, kind, parcel), so that each is sent once.

Due mails are found by looking, not queued by the transaction that learns of an order or a waybill: recording orders stays as it is for
shops that send no mail, and a fact that comes in by any way (pull, booking, tracking, a person) is found in one place. A row is
committed as being sent before the server is called; one that was being sent when the process died is unclear, and only a person
sends it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.orders import Buyer
from sellersync.domain.times import from_epoch_ms

from .findings import close_finding, raise_finding
from .orders import BUYER_PURPOSE
from .posting import in_list
from .reads import at
from .vault import Vault
from .work import get_meta, set_meta

ORDER_CONFIRMATION, SHIPPING_NOTICE = "order_confirmation", "shipping_notice"
QUEUED, SENDING, SENT, REFUSED, UNCLEAR, SKIPPED = "queued", "sending", "sent", "refused", "unclear", "skipped"
STATES = (QUEUED, SENDING, SENT, REFUSED, UNCLEAR, SKIPPED)
NOT_SENT = "mail_not_sent"
NOT_KNOWN = "mail_unclear"
DOWN = "mail_down"
"""Kinds of findings: refused for good, handed over without an answer, and a server that takes nothing."""
SINCE = "mail_since_ms"
ACCEPTED = "('held', 'ready', 'booked', 'shipped', 'delivered', 'completed')"
RETRY_WAIT_MS_MIN = 60_000
RETRY_WAIT_MS_MAX = 3_600_000


def note_switch(session: Session, *, on: bool, now_ms: int) -> None:
    """Keep since when buyers get mail: what was ordered or shipped before is never mailed about, nor what falls into a pause."""
    since = get_meta(session, SINCE)
    if on and not since:
        set_meta(session, SINCE, str(now_ms))
    elif not on and since:
        set_meta(session, SINCE, "")


MessageId = Callable[[str, str, int], str]
"""(remote order id, kind, parcel number) -> the mail's own stable id."""


def queue_due(
    session: Session, channel_ids: Sequence[int], *, language: str, message_id: MessageId, now_ms: int, limit: int
) -> int:
    """Queue mails that are due on these channels (own sites): accepted orders, and their booked parcels with a waybill.

    Only of orders placed since the mails were switched on and since the channel was connected. Returns how many.
    """
    since = get_meta(session, SINCE)
    if not since or not channel_ids:
        return 0
    rows = session.execute(
        text(
            "SELECT sales_order.id, sales_order.remote_id, 'order_confirmation' AS kind, 0 AS parcel_id, 0 AS parcel_number "
            "FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
            f"WHERE sales_order.channel_id IN ({in_list(channel_ids)}) AND sales_order.state IN {ACCEPTED} "
            "AND sales_order.created_ms >= :since AND sales_order.created_ms >= channel.created_ms "
            "AND NOT EXISTS (SELECT 1 FROM mail WHERE mail.order_id = sales_order.id AND mail.kind = 'order_confirmation' "
            "AND mail.parcel_id = 0) "
            "UNION ALL SELECT sales_order.id, sales_order.remote_id, 'shipping_notice', parcel.id, parcel.number "
            "FROM sales_order JOIN channel ON channel.id = sales_order.channel_id JOIN parcel ON parcel.order_id = sales_order.id "
            f"WHERE sales_order.channel_id IN ({in_list(channel_ids)}) AND sales_order.state IN {ACCEPTED} "
            "AND sales_order.created_ms >= :since AND sales_order.created_ms >= channel.created_ms AND parcel.waybill <> '' "
            "AND parcel.state IN ('booked', 'picked_up', 'in_transit', 'out_for_delivery', 'delivered', 'problem', 'pickup_retry') "
            "AND parcel.cancel NOT IN ('asked', 'sent', 'pending', 'done') "
            "AND NOT EXISTS (SELECT 1 FROM mail WHERE mail.order_id = sales_order.id AND mail.kind = 'shipping_notice' "
            "AND mail.parcel_id = parcel.id) ORDER BY 1, 4 LIMIT :n"
        ),
        {"since": int(since), "n": limit},
    ).all()
    for row in rows:
        session.execute(
            _QUEUE,
            {"o": row.id, "k": row.kind, "p": row.parcel_id, "lang": language, "now": now_ms,
             "m": message_id(row.remote_id, row.kind, row.parcel_number)},
        )  # fmt: skip
    return len(rows)


@dataclass(frozen=True, slots=True, repr=False)
class DueMail:
    """One mail with what it tells, opened for sending; no repr, because it holds the buyer. Amounts are whole rupiah.

    `items` lists (title, units, price of all of them or `None`).
    """

    id: int
    kind: str
    language: str
    message_id: str
    created: datetime
    attempts: int
    order: str
    buyer: Buyer | None
    items: tuple[tuple[str, int, int | None], ...]
    shipping_fee: int | None
    total: int | None
    cod: bool
    courier: str
    waybill: str
    still_wanted: bool
    """False: the order was cancelled meanwhile, or the parcel given up."""

    def __repr__(self) -> str:
        return f"DueMail({self.id}, sealed)"


def next_due(session: Session, *, now_ms: int) -> int | None:
    """The id of the mail to send next, or `None`."""
    found = session.execute(
        text("SELECT id FROM mail WHERE state = 'queued' AND next_ms <= :now ORDER BY next_ms, id LIMIT 1"),
        {"now": now_ms},
    ).scalar()
    return None if found is None else int(found)


def begin_sending(session: Session, mail_id: int, *, now_ms: int, deadline_ms: int, vault: Vault) -> DueMail | None:
    """Take a mail: from the commit on it counts as being sent, until `deadline_ms`. `None` when another process has it."""
    taken = session.execute(
        text(
            "UPDATE mail SET state = 'sending', attempts = attempts + 1, next_ms = :d WHERE id = :i AND state = 'queued' "
            "AND next_ms <= :now RETURNING id"
        ),
        {"i": mail_id, "d": deadline_ms, "now": now_ms},
    ).scalar()
    return None if taken is None else _due_mail(session, mail_id, vault)


def _due_mail(session: Session, mail_id: int, vault: Vault) -> DueMail:
    row = session.execute(
        text(
            "SELECT mail.*, sales_order.number, sales_order.remote_id, sales_order.state AS order_state, sales_order.total, "
            "sales_order.shipping_fee, sales_order.cod, COALESCE(parcel.courier, '') AS courier, COALESCE(parcel.service, '') AS service, "
            "COALESCE(parcel.waybill, '') AS waybill, COALESCE(parcel.state, '') AS parcel_state, parcel.cod_amount, buyer.sealed "
            "FROM mail JOIN sales_order ON sales_order.id = mail.order_id LEFT JOIN parcel ON parcel.id = mail.parcel_id "
            "LEFT JOIN buyer ON buyer.order_id = mail.order_id WHERE mail.id = :i"
        ),
        {"i": mail_id},
    ).one()
    notice = row.kind == SHIPPING_NOTICE
    wanted = f"'{row.order_state}'" in ACCEPTED and row.parcel_state not in ("cancelled", "failed")
    return DueMail(
        id=row.id,
        kind=row.kind,
        language=row.language,
        message_id=row.message_id,
        created=from_epoch_ms(row.created_ms, where="mail"),
        attempts=row.attempts,
        order=row.number or row.remote_id,
        buyer=None if row.sealed is None else Buyer(**vault.open_json(row.sealed, BUYER_PURPOSE)),
        items=_parcel_items(session, row.parcel_id, row.order_id) if notice else _order_items(session, row.order_id),
        shipping_fee=None if notice else row.shipping_fee,
        total=row.cod_amount if notice else row.total,
        cod=bool(row.cod),
        courier=" ".join(part for part in (row.courier, row.service) if part).upper(),
        waybill=row.waybill,
        still_wanted=wanted,
    )


def _order_items(session: Session, order_id: int) -> tuple[tuple[str, int, int | None], ...]:
    rows = session.execute(
        text("SELECT title, listing_key, units, unit_price FROM order_line WHERE order_id = :o ORDER BY id"),
        {"o": order_id},
    )
    items = []
    for row in rows:
        units = sum(count for stage, count, *_ in json.loads(row.units) if stage != "cancelled")
        if units:
            items.append(
                (row.title or row.listing_key, units, None if row.unit_price is None else row.unit_price * units)
            )
    return tuple(items)


def _parcel_items(session: Session, parcel_id: int, order_id: int) -> tuple[tuple[str, int, int | None], ...]:
    rows = session.execute(
        text(
            "SELECT order_line.id, order_line.title, order_line.listing_key, COUNT(*) AS units FROM parcel_unit "
            "JOIN order_line ON order_line.id = parcel_unit.line_id WHERE parcel_unit.parcel_id = :p AND parcel_unit.live "
            "AND order_line.order_id = :o GROUP BY order_line.id, order_line.title, order_line.listing_key ORDER BY order_line.id"
        ),
        {"p": parcel_id, "o": order_id},
    )
    return tuple((row.title or row.listing_key, int(row.units), None) for row in rows)


# ---------------------------------------------------------------------------------------------------------------- what became of them


def note_sent(session: Session, mail_id: int, *, now_ms: int) -> None:
    """The server has it."""
    _settle(session, mail_id, SENT, "", now_ms=now_ms, sent_ms=now_ms)
    for kind in (NOT_SENT, NOT_KNOWN):
        close_finding(session, kind, str(mail_id), now_ms=now_ms)
    close_finding(session, DOWN, "smtp", now_ms=now_ms)


def note_skipped(session: Session, mail_id: int, why: str, *, now_ms: int) -> None:
    """Nobody is to be written to: no address, or nothing to tell any more."""
    _settle(session, mail_id, SKIPPED, why, now_ms=now_ms)


def note_refused(session: Session, mail_id: int, detail: str, address: str, *, now_ms: int) -> None:
    """The server will never take it. `address` comes masked."""
    _settle(session, mail_id, REFUSED, detail, now_ms=now_ms)
    details = {**_about(session, mail_id), "address": address, "why": detail}
    raise_finding(session, NOT_SENT, str(mail_id), now_ms=now_ms, details=details)


def note_unclear(session: Session, mail_id: int, detail: str, *, now_ms: int) -> None:
    """It was handed over and no answer came; it is not sent again unless a person says so."""
    _settle(session, mail_id, UNCLEAR, detail, now_ms=now_ms)
    details = {**_about(session, mail_id), "why": detail}
    raise_finding(session, NOT_KNOWN, str(mail_id), now_ms=now_ms, details=details)


def note_later(session: Session, mail_id: int, detail: str, address: str, *, now_ms: int, give_up_after_ms: int) -> str:
    """It was certainly not taken: it waits and is tried again, ever more rarely, until it is too old. Returns its state."""
    row = session.execute(text("SELECT created_ms, attempts FROM mail WHERE id = :i"), {"i": mail_id}).one()
    if now_ms - row.created_ms > give_up_after_ms:
        note_refused(session, mail_id, f"given up: {detail}", address, now_ms=now_ms)
        return REFUSED
    wait_ms = min(RETRY_WAIT_MS_MIN * 2 ** min(row.attempts - 1, 10), RETRY_WAIT_MS_MAX)
    _settle(session, mail_id, QUEUED, detail, now_ms=now_ms + wait_ms)
    return QUEUED


def note_down(session: Session, detail: str, *, now_ms: int) -> None:
    """The mail server takes nothing."""
    raise_finding(session, DOWN, "smtp", now_ms=now_ms, details={"why": detail})


def settle_cut_off(session: Session, *, now_ms: int) -> int:
    """Mails that were being sent when their process died, by their deadline: nobody knows whether they arrived. Returns how many."""
    ids = list(
        session.execute(
            text("SELECT id FROM mail WHERE state = 'sending' AND next_ms <= :now"), {"now": now_ms}
        ).scalars()
    )
    for mail_id in ids:
        note_unclear(session, mail_id, "the program ended while it was being sent", now_ms=now_ms)
    return len(ids)


def _settle(
    session: Session, mail_id: int, state: str, detail: str, *, now_ms: int, sent_ms: int | None = None
) -> None:
    session.execute(
        text("UPDATE mail SET state = :s, detail = :d, next_ms = :n, sent_ms = :sent WHERE id = :i"),
        {"i": mail_id, "s": state, "d": detail[:300], "n": now_ms, "sent": sent_ms},
    )


def _about(session: Session, mail_id: int) -> dict[str, str]:
    """By what people know a mail."""
    row = session.execute(
        text(
            "SELECT mail.kind, sales_order.number, sales_order.remote_id FROM mail "
            "JOIN sales_order ON sales_order.id = mail.order_id WHERE mail.id = :i"
        ),
        {"i": mail_id},
    ).one()
    return {"order": row.number or row.remote_id, "mail": row.kind}


# ---------------------------------------------------------------------------------------------------------------------------- people


@dataclass(frozen=True, slots=True)
class MailLine:
    """A mail in a list; its address stays sealed."""

    id: int
    state: str
    kind: str
    channel: str
    order: str
    language: str
    attempts: int
    created: datetime
    sent: datetime | None
    next_try: datetime | None
    message_id: str
    detail: str


def mails(session: Session, *, state: str | None = None, order: str | None = None, limit: int) -> list[MailLine]:
    """The newest mails first. Raises `BadInput` for an unknown state."""
    if state is not None and state not in STATES:
        raise BadInput(f"no mail is {state!r}; there are: {', '.join(STATES)}")
    rows = session.execute(
        text(
            "SELECT mail.*, sales_order.number, sales_order.remote_id, channel.slug FROM mail "
            "JOIN sales_order ON sales_order.id = mail.order_id JOIN channel ON channel.id = sales_order.channel_id "
            "WHERE (CAST(:s AS TEXT) IS NULL OR mail.state = CAST(:s AS TEXT)) AND (CAST(:o AS TEXT) IS NULL "
            "OR sales_order.number = CAST(:o AS TEXT) OR sales_order.remote_id = CAST(:o AS TEXT)) ORDER BY mail.id DESC LIMIT :n"
        ),
        {"s": state, "o": order, "n": limit},
    )
    return [
        MailLine(
            row.id, row.state, row.kind, row.slug, row.number or row.remote_id, row.language, row.attempts,
            from_epoch_ms(row.created_ms, where="mail"), at(row.sent_ms), at(row.next_ms) if row.state == QUEUED else None,
            row.message_id, row.detail,
        )
        for row in rows
    ]  # fmt: skip


def send_again(session: Session, mail_id: int, *, now_ms: int) -> str:
    """A person wants a mail sent (again), under its old Message-ID. Returns what it was before.

    Raises `BadInput` for one that is sent, is being sent, or will be sent by itself.
    """
    state = state_of(session, mail_id)
    if state not in (REFUSED, UNCLEAR, SKIPPED):
        raise BadInput(f"mail {mail_id} is {state}; only one that was refused, skipped or is unclear can be sent again")
    session.execute(
        text(
            "UPDATE mail SET state = 'queued', attempts = 0, created_ms = :now, next_ms = :now, detail = '' WHERE id = :i"
        ),
        {"i": mail_id, "now": now_ms},
    )
    for kind in (NOT_SENT, NOT_KNOWN):
        close_finding(session, kind, str(mail_id), now_ms=now_ms)
    return state


def state_of(session: Session, mail_id: int) -> str:
    """Raises `BadInput` for a mail that there is not."""
    state = session.execute(text("SELECT state FROM mail WHERE id = :i"), {"i": mail_id}).scalar()
    if state is None:
        raise BadInput(f"no mail {mail_id}; see `sellersync mails list`")
    return str(state)


_QUEUE = text(
    "INSERT INTO mail (order_id, kind, parcel_id, language, message_id, state, attempts, created_ms, next_ms, detail) "
    "VALUES (:o, :k, :p, :lang, :m, 'queued', 0, :now, :now, '') ON CONFLICT (order_id, kind, parcel_id) DO NOTHING"
)
