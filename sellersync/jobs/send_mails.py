"""Mails to buyers of the own site: find the due ones, then take, send and settle one after the other.

A mail is committed as being sent before the server is called and is never sent again by itself once it was handed over (L9).
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial

from sellersync.domain.errors import BadInput, ConfigError
from sellersync.notify.contract import Delivery, Mailer, Outcome, Sender
from sellersync.notify.letters import BadAddress, Item, Kind, Letter, compose, masked, message_id, plain_address
from sellersync.store import mails
from sellersync.store.ledger import Session
from sellersync.store.mails import DueMail

from .world import Post, World

log = logging.getLogger("sellersync.jobs")
JOB = "send_mails"
MAILS_MAX = 50
SETTLE_MARGIN_MS = 30_000


async def run(world: World) -> dict[str, int]:
    """Send what is due, at most `MAILS_MAX`. Returns how many of each outcome. Raises `ConfigError` when mail is switched off."""
    post = world.post
    if post is None:
        raise ConfigError(["no mail is sent: [mail] enabled is false"])
    ledger = world.ledger
    own_sites = [shop.id for shop in world.shops if shop.channel.capabilities.own_site]
    counts: dict[str, int] = {}
    unclear = await ledger.write(partial(mails.settle_cut_off, now_ms=ledger.now_ms()), name="mails_cut_off")
    if unclear:
        counts[Outcome.UNCLEAR.value] = unclear
    if post.buyers:
        counts["queued"] = await ledger.write(
            partial(
                mails.queue_due,
                channel_ids=own_sites,
                language=post.language,
                message_id=partial(_message_id, world.install_id, post.sender),
                now_ms=ledger.now_ms(),
                limit=MAILS_MAX,
            ),
            name="queue_mails",
        )
    for _ in range(MAILS_MAX):
        if world.stopping:
            break
        mail = await _take(world, post.mailer)
        if mail is None:
            break
        outcome = await _deliver(world, mail)
        counts[outcome] = counts.get(outcome, 0) + 1
        if outcome == Outcome.DOWN:
            break
    told = {name: count for name, count in counts.items() if count}
    if told:
        log.info("mails: %s", ", ".join(f"{name} {count}" for name, count in sorted(told.items())))
    return told


async def send_test(post: Post, recipient: str, *, install_id: str, now: datetime) -> Delivery:
    """A mail that says that the server works. Raises `BadInput` for what is no address."""
    try:
        address = plain_address(recipient)
    except BadAddress as why:
        raise BadInput(f"--to {recipient!r}: {why}") from None
    letter = Letter(kind=Kind.TEST, language=post.language, shop=post.sender.name)
    own_id = message_id(install_id, now.isoformat(), Kind.TEST, 0, post.sender)
    message = compose(letter, post.sender, address, message_id=own_id, written_at=now)
    return await post.mailer.send(message, address)


def _message_id(install_id: str, sender: Sender, order: str, kind: str, parcel: int) -> str:
    return message_id(install_id, order, Kind(kind), parcel, sender)


async def _take(world: World, mailer: Mailer) -> DueMail | None:
    ledger = world.ledger
    deadline_ms = round(mailer.send_deadline_s * 1000) + SETTLE_MARGIN_MS

    def write(session: Session) -> DueMail | None:
        now_ms = ledger.now_ms()
        mail_id = mails.next_due(session, now_ms=now_ms)
        if mail_id is None:
            return None
        return mails.begin_sending(
            session, mail_id, now_ms=now_ms, deadline_ms=now_ms + deadline_ms, vault=ledger.vault
        )

    return await ledger.write(write, name="begin_mail")


async def _deliver(world: World, mail: DueMail) -> str:
    """Send one mail that is taken, and keep what became of it."""
    ledger, post = world.ledger, world.post
    assert post is not None
    address, why_not = _recipient(mail)
    if why_not:
        skip = partial(mails.note_skipped, mail_id=mail.id, why=why_not, now_ms=ledger.now_ms())
        await ledger.write(skip, name="mail_skipped")
        return mails.SKIPPED
    letter = Letter(
        kind=Kind(mail.kind),
        language=mail.language,
        shop=post.sender.name,
        order=mail.order,
        buyer=mail.buyer.name if mail.buyer else "",
        items=tuple(Item(title, units, price) for title, units, price in mail.items),
        shipping_fee=mail.shipping_fee,
        total=mail.total,
        cod=mail.cod,
        courier=mail.courier,
        waybill=mail.waybill,
    )
    message = compose(letter, post.sender, address, message_id=mail.message_id, written_at=mail.created)
    delivery = await post.mailer.send(message, address)
    settle = partial(_settle, world=world, mail=mail, delivery=delivery, address=masked(address))
    await ledger.write(settle, name="settle_mail")
    return delivery.outcome.value


def _recipient(mail: DueMail) -> tuple[str, str]:
    """(address, "") or ("", why nobody is written to)."""
    if not mail.still_wanted:
        return "", "the order was cancelled meanwhile"
    if mail.buyer is None or mail.buyer.masked or not mail.buyer.email:
        return "", "the order has no mail address"
    try:
        return plain_address(mail.buyer.email), ""
    except BadAddress as why:
        return "", str(why)


def _settle(session: Session, *, world: World, mail: DueMail, delivery: Delivery, address: str) -> None:
    now_ms = world.ledger.now_ms()
    if delivery.outcome is Outcome.SENT:
        mails.note_sent(session, mail.id, now_ms=now_ms)
    elif delivery.outcome is Outcome.REFUSED:
        mails.note_refused(session, mail.id, delivery.detail, address, now_ms=now_ms)
    elif delivery.outcome is Outcome.UNCLEAR:
        mails.note_unclear(session, mail.id, delivery.detail, now_ms=now_ms)
    else:
        assert world.post is not None
        give_up_after_ms = round(world.post.retry_s * 1000)
        mails.note_later(session, mail.id, delivery.detail, address, now_ms=now_ms, give_up_after_ms=give_up_after_ms)
        if delivery.outcome is Outcome.DOWN:
            mails.note_down(session, delivery.detail, now_ms=now_ms)
