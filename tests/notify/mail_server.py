"""A real SMTP server on 127.0.0.1 that does what a test wants of it: puts off, refuses, drops the line, keeps silent."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = "250 OK"
DROP = "drop"
SILENCE = "silence"


@dataclass
class MailServer:
    """What it is to do, and what it took. `data` and `rcpt` answer one message each, then OK for ever.

    An answer may be DROP (the line is cut) or SILENCE (no answer); at `data` the message was taken before. `drop_at_data` cuts the line
    at the command DATA, before the message.
    """

    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    drop_at_data: int = 0
    password: str = ""
    port: int = 0
    taken: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    def mail(self, index: int = -1) -> EmailMessage:
        """A message that it took."""
        message = message_from_bytes(self.taken[index], policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    # -- hooks of aiosmtpd

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.rcpt.pop(0) if self.rcpt else OK
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        answer = self.data.pop(0) if self.data else OK
        if answer in (OK, DROP, SILENCE):
            assert isinstance(envelope.content, bytes)
            self.taken.append(envelope.content)
            self.recipients.append(",".join(envelope.rcpt_tos))
        if answer == DROP:
            server.transport.abort()
        elif answer == SILENCE:
            await asyncio.sleep(30)
        return OK if answer in (DROP, SILENCE) else answer

    def authenticate(
        self, server: Any, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword
    ) -> AuthResult:
        self.logins.append(login.login.decode())
        return AuthResult(success=login.password.decode() == self.password, handled=False)


class _Smtp(SMTP):
    async def smtp_DATA(self, arg: str) -> None:
        handler: MailServer = self.event_handler
        if handler.drop_at_data:
            handler.drop_at_data -= 1
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


@asynccontextmanager
async def running(
    server: MailServer, *, tls: ssl.SSLContext | None = None, at_once: bool = False
) -> AsyncIterator[MailServer]:
    """The server on a free port. `tls`: with STARTTLS (required), or from the first byte on with `at_once`."""

    def protocol() -> SMTP:
        more: dict[str, Any] = {}
        if server.password:
            more = {"authenticator": server.authenticate, "auth_required": True}
            if at_once:
                more["auth_require_tls"] = False
        if tls is not None and not at_once:
            more |= {"tls_context": tls, "require_starttls": True}
        with (
            warnings.catch_warnings()
        ):  # it advises against logins without STARTTLS, which TLS from the first byte does not need
            warnings.simplefilter("ignore", UserWarning)
            return _Smtp(server, hostname="localhost", loop=asyncio.get_running_loop(), **more)

    listening = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", server.port, ssl=tls if at_once else None
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.sleep(0)


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context with a certificate of its own making for 127.0.0.1, and the file that a client trusts it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)

    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    trusted = folder / "ca.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, trusted
