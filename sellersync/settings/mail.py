"""[mail]: mails to buyers of the own site. Off until the seller switches them on; marketplaces write to their buyers themselves."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from .table import Table

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


class MailSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class MailSettings(Table):
    """[mail]"""

    enabled: bool = Field(default=False, description="true: sellersync sends mail through the server below")
    buyers: bool = Field(
        default=False,
        description="true: buyers of the own site get an order confirmation and a shipping notice, from now on",
    )
    host: str = Field(default="", description="the mail server's name, for example smtp.example.com")
    port: int = Field(default=587, ge=1, le=65535, description="its port: 587 for starttls, 465 for tls")
    security: MailSecurity = Field(
        default=MailSecurity.STARTTLS,
        description="starttls, tls, or none (readable by everybody on the way; only to a server on this machine)",
    )
    allow_unprotected: bool = Field(
        default=False, description='true: security = "none" is accepted for a server elsewhere too'
    )
    ca_file: Path | None = Field(
        default=None, description="certificates that the server's own is checked against; without it this machine's"
    )
    user: str = Field(default="", description="user name at the mail server; its password is a credential file")
    from_address: str = Field(default="", description="the sender's address, for example toko@example.com")
    from_name: str = Field(default="", description="the sender's name; without it the shop's name")
    reply_to: str = Field(default="", description="where answers go; without it to from_address")
    connect_timeout_s: float = Field(default=10.0, gt=0, le=60, description="seconds to wait for a connection")
    answer_timeout_s: float = Field(
        default=60.0, gt=0, le=300, description="seconds to wait for each answer of the mail server"
    )
    every_s: float = Field(default=30.0, ge=1, le=3600, description="seconds between two looks for mails to send")
    retry_h: float = Field(
        default=48.0, gt=0, le=168, description="hours for which a mail is tried that the server puts off"
    )

    @field_validator("from_address", "reply_to")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        if address and not _ADDRESS.fullmatch(address):
            raise ValueError("a mail address is expected, for example toko@example.com")
        return address

    @field_validator("from_name", "host", "user")
    @classmethod
    def _is_one_line(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("one line of text is expected")
        return text

    @model_validator(mode="after")
    def _fits_together(self) -> MailSettings:
        if self.enabled and not (self.host and self.from_address):
            raise ValueError("host and from_address are needed when enabled = true")
        open_elsewhere = self.security is MailSecurity.NONE and self.host not in LOCAL_HOSTS
        if self.host and open_elsewhere and not self.allow_unprotected:
            raise ValueError(
                'security = "none" is meant for a server on this machine; expected is starttls or tls, or allow_unprotected = true'
            )
        return self
