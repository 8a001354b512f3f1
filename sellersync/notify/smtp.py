"""Mail by SMTP. The only home of aiosmtplib, which is loaded when the first mail goes out.

The answer of a server is certain (RFC 5321): 2xx has it, 4xx and 5xx have not. What counts is what happens without an answer: until the
message itself is written nothing can have been taken, from then on it may have been.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as WIRE_POLICY
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .contract import Delivery, Outcome

if TYPE_CHECKING:
    from aiosmtplib import SMTP

DETAIL_CHARS_MAX = 200
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server. `security`: starttls, tls or none. The password never appears in a repr."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 60.0


class SmtpMailer:
    """`Mailer` over one connection a message: shops send few, and a fresh connection holds no old trouble."""

    def __init__(self, server: SmtpServer, *, sender: str) -> None:
        self._server = server
        self._sender = sender
        self.send_deadline_s = 2 * server.connect_timeout_s + 4 * server.answer_timeout_s

    async def send(self, message: EmailMessage, recipient: str) -> Delivery:
        """Send to one address; see `Mailer`."""
        attempt = _Attempt(self._server, self._sender)
        try:
            async with asyncio.timeout(self.send_deadline_s):
                return await attempt.run(message.as_bytes(policy=WIRE_POLICY), recipient)
        except TimeoutError:
            return attempt.lost("no answer in time")


class _Attempt:
    """One message on its way. `handed_over`: the message itself has been written."""

    def __init__(self, server: SmtpServer, sender: str) -> None:
        self._server = server
        self._sender = sender
        self.handed_over = False

    async def run(self, wire: bytes, recipient: str) -> Delivery:
        import aiosmtplib

        server = self._server
        try:
            smtp = aiosmtplib.SMTP(
                hostname=server.host,
                port=server.port,
                timeout=server.answer_timeout_s,
                use_tls=server.security == "tls",
                start_tls=server.security == "starttls",
                tls_context=self._tls(),
                local_hostname="localhost",
            )
        except (OSError, ssl.SSLError, ValueError) as failure:
            return Delivery(Outcome.DOWN, _cut(f"{server.host}: {failure}"))
        try:
            try:
                await smtp.connect(timeout=server.connect_timeout_s)
                if server.user:
                    await smtp.login(server.user, server.password)
                await smtp.mail(self._sender)  # a sender that it does not let through is no trouble of one message
            except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as failure:
                return Delivery(Outcome.DOWN, _cut(f"{server.host}:{server.port}: {_reason(failure)}"))
            try:
                await smtp.rcpt(recipient)
                self._watch(smtp)
                await smtp.data(wire)
            except aiosmtplib.SMTPResponseException as refusal:
                return self._answered(refusal.code, _cut(f"{refusal.code} {refusal.message}"))
            except (aiosmtplib.SMTPException, OSError, ValueError) as failure:
                return self.lost(_reason(failure))
            return await self._goodbye(smtp)
        finally:
            smtp.close()

    def _answered(self, code: int, detail: str) -> Delivery:
        """An answer that is not the usual one."""
        outcome = {2: Outcome.SENT, 4: Outcome.LATER, 5: Outcome.REFUSED}.get(code // 100)
        if outcome is None or (outcome is Outcome.SENT and not self.handed_over):
            return self.lost(detail)
        return Delivery(outcome, detail)

    def lost(self, why: str) -> Delivery:
        """No answer came."""
        if self.handed_over:
            return Delivery(Outcome.UNCLEAR, _cut(f"handed over, but the answer got lost: {why}"))
        return Delivery(Outcome.LATER, _cut(f"{self._server.host}: {why}"))

    def _tls(self) -> ssl.SSLContext | None:
        if self._server.security == "none":
            return None
        return ssl.create_default_context(cafile=self._server.ca_file)

    def _watch(self, smtp: SMTP) -> None:
        """Note when the message itself is written: the command DATA alone hands nothing over."""
        protocol = smtp.protocol
        assert protocol is not None
        write = protocol.write

        def watched(data: bytes) -> None:
            self.handed_over = self.handed_over or data != b"DATA\r\n"
            write(data)

        protocol.write = watched  # type: ignore[method-assign]

    async def _goodbye(self, smtp: SMTP) -> Delivery:
        """The message was taken; how the connection ends changes nothing."""
        import aiosmtplib

        try:
            async with asyncio.timeout(self._server.connect_timeout_s):
                await smtp.quit()
        except (aiosmtplib.SMTPException, OSError):
            pass
        return Delivery(Outcome.SENT)


def _reason(failure: BaseException) -> str:
    said = str(failure).strip(" :") or type(failure).__name__
    if failure.__cause__ is not None and str(failure.__cause__) not in said:
        said = f"{said}: {failure.__cause__}"
    code = getattr(failure, "code", None)
    return f"{code} {said}" if isinstance(code, int) and str(code) not in said else said


def _cut(text: str) -> str:
    """A server's words without addresses, on one line."""
    return _ADDRESS.sub("(address)", " ".join(text.split()))[:DETAIL_CHARS_MAX]
