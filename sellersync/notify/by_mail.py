"""Reports and alerts as mail, through the server of [mail]: text and HTML of the same, files attached."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE_POLICY
from email.utils import format_datetime
from typing import ClassVar

from pydantic import Field, field_validator

from sellersync.domain.errors import ConfigError

from .contract import Delivery, Mailer, Sender
from .letters import BadAddress, one_line, plain_address
from .notifier import Message, Notifier, NotifierContext, NotifierSettings

SUBJECT_CHARS_MAX = 160


class MailNotifierSettings(NotifierSettings):
    """The own keys of a table [notify.NAME] of this kind."""

    to: str = Field(
        description='the reader\'s address, for example "staf@example.com"; several readers are several tables'
    )

    @field_validator("to")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        try:
            return plain_address(address)
        except BadAddress:
            raise ValueError("one mail address is expected, for example staf@example.com") from None


class MailNotifier(Notifier):
    """One reader by mail. A reader a notifier, so that each gets a message once whatever becomes of the others'."""

    kind = "mail"
    Settings: ClassVar[type[NotifierSettings]] = MailNotifierSettings
    needs_mail = True

    def __init__(self, context: NotifierContext) -> None:
        if context.mailer is None or context.sender is None:
            raise ConfigError(
                [f"[notify.{context.name}] sends through [mail], which is switched off: enabled = true is needed"]
            )
        self._mailer: Mailer = context.mailer
        self._sender: Sender = context.sender
        self._to: str = context.settings.to
        self.send_deadline_s = self._mailer.send_deadline_s

    async def send(self, message: Message) -> Delivery:
        return await self._mailer.send(compose(message, self._sender, self._to), self._to)


def compose(message: Message, sender: Sender, to: str) -> EmailMessage:
    """multipart/alternative of text and HTML, within multipart/mixed where files go along. The same message gives the same headers."""
    mail = EmailMessage(policy=WIRE_POLICY)
    mail["From"] = Address(one_line(sender.name), addr_spec=sender.address)
    mail["To"] = Address(addr_spec=to)
    mail["Subject"] = " ".join(message.subject.split())[:SUBJECT_CHARS_MAX]
    mail["Date"] = format_datetime(message.written_at)
    mail["Message-ID"] = f"<ss.{message.id.lower()}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = message.language
    mail.set_content(message.text, cte="quoted-printable")
    mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    for file in message.attachments:
        main, _, sub = file.media_type.partition("/")
        mail.add_attachment(file.content, maintype=main, subtype=sub, filename=file.name)
    return mail
