"""What a trip knows of sending: a message goes out, and the answer says what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from email.message import EmailMessage


class Outcome(StrEnum):
    """What became of a message."""

    SENT = "sent"  # the server has it
    LATER = "later"  # certainly not taken: may be sent again
    DOWN = "down"  # the same, and no other message would fare better now (no connection, no login)
    REFUSED = "refused"  # certainly not taken, and never will be
    UNCLEAR = "unclear"  # it was handed over and no answer came: never sent again by itself (L9)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The answer to one message; `detail` is a sentence without any buyer's data. `again_after_s`: when the other side asked us to come
    back, where it said so."""

    outcome: Outcome
    detail: str = ""
    again_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the shop's mails come from. `reply_to` may be ""."""

    address: str
    name: str
    reply_to: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class Mailer(Protocol):
    """Sends mails. `send_deadline_s` bounds the whole of one sending."""

    send_deadline_s: float

    async def send(self, message: EmailMessage, recipient: str) -> Delivery:
        """Send to one address. Never raises for trouble of network or server."""
        ...
