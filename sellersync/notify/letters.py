"""What the mails to buyers say, in Indonesian and English: text and simple HTML from one letter. Pure; the only home of templates here.

Nothing that a buyer or a provider wrote can become a header or markup: header values are one printable line, HTML is escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE_POLICY
from email.utils import format_datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from sellersync.domain.ids import short_digest

from .contract import Sender

if TYPE_CHECKING:
    from jinja2 import Environment

NAME_CHARS_MAX = 80
ADDRESS_CHARS_MAX = 254


class Kind(StrEnum):
    """What a mail is about. The values are the names of the templates and of the rows."""

    ORDER_CONFIRMATION = "order_confirmation"
    SHIPPING_NOTICE = "shipping_notice"
    TEST = "test"


SUBJECTS: dict[str, dict[Kind, str]] = {
    "id": {
        Kind.ORDER_CONFIRMATION: "Pesanan {order} kami terima",
        Kind.SHIPPING_NOTICE: "Pesanan {order} dikirim",
        Kind.TEST: "Surel percobaan dari {shop}",
    },
    "en": {
        Kind.ORDER_CONFIRMATION: "We have received your order {order}",
        Kind.SHIPPING_NOTICE: "Your order {order} is on its way",
        Kind.TEST: "Test mail of {shop}",
    },
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of goods; `price` is whole rupiah for all of its units, `None` when unknown."""

    title: str
    units: int
    price: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """What one mail tells. Holds a buyer's name, so it has no repr. Amounts are whole rupiah, `None` when unknown (and not shown)."""

    kind: Kind
    language: str
    shop: str
    order: str = ""
    buyer: str = ""
    items: tuple[Item, ...] = ()
    shipping_fee: int | None = None
    total: int | None = None
    cod: bool = False
    courier: str = ""
    waybill: str = ""

    def __repr__(self) -> str:
        return f"Letter({self.kind.value}, sealed)"


class BadAddress(ValueError):
    """Not an address that mail can be sent to. Holds nothing of it."""


def message_id(install_id: str, order: str, kind: Kind, parcel: int, sender: Sender) -> str:
    """The same for the same mail of the same installation, so that a repeated one can be recognised."""
    return f"<ss.{short_digest(install_id, order, kind.value, str(parcel), length=24).lower()}@{sender.domain}>"


def compose(letter: Letter, sender: Sender, recipient: str, *, message_id: str, written_at: datetime) -> EmailMessage:
    """The whole mail. The same arguments give the same headers. Raises `BadAddress`."""
    message = EmailMessage(policy=WIRE_POLICY)
    message["From"] = Address(one_line(sender.name), addr_spec=sender.address)
    message["To"] = _address(letter.buyer, recipient)
    if sender.reply_to:
        message["Reply-To"] = Address(addr_spec=sender.reply_to)
    subject = SUBJECTS[letter.language][letter.kind].format(order=letter.order, shop=letter.shop)
    message["Subject"] = one_line(subject)
    message["Date"] = format_datetime(written_at)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_render(letter, "txt"), cte="quoted-printable")
    message.add_alternative(_render(letter, "html"), subtype="html", cte="quoted-printable")
    message["Content-Language"] = letter.language
    return message


def one_line(text: str) -> str:
    """Text without line breaks and other control characters, of a length that fits a header."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:NAME_CHARS_MAX]


def plain_address(text: str) -> str:
    """An address as it is used on the wire, its domain in ASCII. Raises `BadAddress` for everything else, list or injected line."""
    local, at, domain = text.strip().rpartition("@")
    try:
        spelled = f"{local}@{domain.encode('idna').decode('ascii')}"
        parsed = Address(addr_spec=spelled)
    except (UnicodeError, HeaderParseError, ValueError, IndexError):
        raise BadAddress("it is no mail address") from None
    if not at or not local or "." not in domain or parsed.addr_spec != spelled or not spelled.isascii():
        raise BadAddress("it is no mail address")
    if len(spelled) > ADDRESS_CHARS_MAX or not spelled.isprintable() or " " in spelled:
        raise BadAddress("it is no mail address")
    return spelled


def masked(address: str) -> str:
    """An address that tells its owner from others and nobody else: s***@example.com."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}" if local else "***"


def rupiah(amount: int) -> str:
    """Rp1.250.000"""
    return f"Rp{amount:,}".replace(",", ".")


def _address(name: str, address: str) -> Address:
    return Address(one_line(name), addr_spec=plain_address(address))


def _render(letter: Letter, form: str) -> str:
    template = _templates(form == "html").get_template(f"{letter.kind.value}.{letter.language}.{form}")
    return template.render(letter=letter)


@cache
def _templates(escaped: bool) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("sellersync.notify"),
        autoescape=escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["rupiah"] = rupiah
    environment.filters["line"] = one_line
    return environment
