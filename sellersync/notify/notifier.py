"""What the author of a notifier sees, and all of it: a way to reach staff with reports and alerts.

A package of a stranger registers its class in the entry-point group `sellersync.notifiers`, under the name that `kind` has in the
configuration.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from sellersync.connector.contract import ConnectorSettings
from sellersync.connector.http import Wire
from sellersync.domain.times import Clock

from .contract import Delivery, Mailer, Sender

NotifierSettings = ConnectorSettings
"""Base of a notifier's own settings: the keys of its table [notify.NAME]. Secrets are `SecretStr` fields."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `id` is the same whenever the same message is sent again; `text` and `html` say the same, `brief` says what is
    most important in a few lines. Buyer data stands in none of them."""

    id: str
    kind: str
    """What it is about: report, alert, reminder, solved or test."""
    subject: str
    text: str
    html: str
    brief: str
    language: str
    written_at: datetime
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class NotifierContext:
    """Everything that a notifier gets. `settings` is an instance of its own `Settings`; `mailer` and `sender` are those of [mail],
    `None` while mail is switched off."""

    name: str
    settings: Any
    wire: Wire
    clock: Clock
    mailer: Mailer | None = None
    sender: Sender | None = None


class Notifier(ABC):
    """One way to one reader. Raises nothing for trouble of network or service: the answer says what became of the message."""

    kind: ClassVar[str]
    Settings: ClassVar[type[NotifierSettings]] = NotifierSettings
    needs_mail: ClassVar[bool] = False
    """It sends through the server of [mail]."""
    send_deadline_s: float
    """Bounds the whole of one sending."""

    @abstractmethod
    def __init__(self, context: NotifierContext) -> None: ...

    @abstractmethod
    async def send(self, message: Message) -> Delivery:
        """Send once. `LATER` and `DOWN` only when nothing of it can have arrived: the message is then sent again."""
