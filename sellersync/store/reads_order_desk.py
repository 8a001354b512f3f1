"""What a person at the order desk asks for beside the order itself: whose it is by the end of a phone number, and where its parcels were
seen. Buyer data is opened for comparing and leaves this module masked or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.times import from_epoch_ms

from .orders import BUYER_PURPOSE
from .vault import Vault

PHONE_DIGITS_MIN = 4
PHONE_DIGITS_MAX = 15
PHONE_ORDERS_MAX = 2_000
PHONE_DAYS_MAX = 60
"""So many of the newest orders, and none older than so many days, are searched for a phone number: they are sealed one by one."""


@dataclass(frozen=True, slots=True)
class PhoneSearch:
    """Ids of orders whose buyer's phone ends so, the newest first; how many were searched, and back to when."""

    order_ids: tuple[int, ...]
    searched: int
    since: datetime


def phone_digits(text_: str) -> str:
    """The digits of what a person typed where that may be the end of a phone number, else ""."""
    digits = "".join(character for character in text_ if character.isdigit())
    spelled = all(character.isdigit() or character in "+-. ()" for character in text_)
    return digits if spelled and PHONE_DIGITS_MIN <= len(digits) <= PHONE_DIGITS_MAX else ""


def orders_by_phone(session: Session, digits: str, *, now_ms: int, vault: Vault) -> PhoneSearch:
    """Recent orders of buyers whose phone number ends with these digits; a leading 0 or 62 of a whole number is the same one.

    Marketplaces mask phones: of those only the digits that they leave can be compared.
    """
    since_ms = now_ms - PHONE_DAYS_MAX * 86_400_000
    rows = session.execute(
        text(
            "SELECT sales_order.id, buyer.sealed FROM sales_order JOIN buyer ON buyer.order_id = sales_order.id "
            "WHERE sales_order.created_ms >= :since ORDER BY sales_order.created_ms DESC, sales_order.id DESC LIMIT :n"
        ),
        {"since": since_ms, "n": PHONE_ORDERS_MAX},
    ).all()
    wanted = _national(digits)
    found = tuple(row.id for row in rows if _ends(vault.open_json(row.sealed, BUYER_PURPOSE).get("phone"), wanted))
    return PhoneSearch(found, len(rows), from_epoch_ms(since_ms, where="search"))


def _ends(phone: object, wanted: str) -> bool:
    """Only the unbroken run of digits at the end counts: behind a mask nobody knows what stood before."""
    kept = "".join(character for character in str(phone or "") if character.isdigit() or character == "*")
    return _national(kept.rpartition("*")[2]).endswith(wanted)


def _national(digits: str) -> str:
    """Without 0 or 62 in front of a whole Indonesian number (nine digits and more)."""
    if len(digits) >= 10 and digits.startswith("62"):
        return digits[2:]
    return digits[1:] if len(digits) >= 9 and digits.startswith("0") else digits


@dataclass(frozen=True, slots=True)
class SeenState:
    """A parcel was first seen in this state: `status` is the provider's word."""

    parcel: int
    state: str
    status: str
    seen: datetime


def tracking_of_order(session: Session, order_id: int) -> tuple[SeenState, ...]:
    """Where the order's parcels were seen, in the order of seeing."""
    rows = session.execute(
        text(
            "SELECT parcel.number, parcel_event.state, parcel_event.remote_status, parcel_event.seen_ms FROM parcel_event "
            "JOIN parcel ON parcel.id = parcel_event.parcel_id WHERE parcel.order_id = :o OR parcel.id IN ("
            "SELECT parcel_unit.parcel_id FROM parcel_unit JOIN order_line ON order_line.id = parcel_unit.line_id "
            "WHERE order_line.order_id = :o) ORDER BY parcel_event.id"
        ),
        {"o": order_id},
    )
    return tuple(
        SeenState(row.number, row.state, row.remote_status, from_epoch_ms(row.seen_ms, where="parcel_event"))
        for row in rows
    )
