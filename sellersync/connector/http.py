"""The one door to httpx: time-outs always, a rate gate per channel, retries of reads only, answer -> error class.

A connector hands two plain functions to `Wire.read` or `Wire.write`: `make` builds (and signs) the request for a given moment, anew
for every attempt; `check` turns the reply into a value or raises one of `domain.errors`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, TypeVar

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from sellersync.domain.errors import (
    AuthNeeded,
    RateLimited,
    SellersyncError,
    Temporary,
    TokenDead,
    Uncertain,
    Unrecognised,
)
from sellersync.domain.times import Clock

from .contract import Token, TokenSource
from .rate import RateGate, http_date, retry_after_s
from .redact import Redactor

# Both write whole URLs at INFO, and URLs carry signatures and tokens.
for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)
T = TypeVar("T")
Transport = httpx.AsyncBaseTransport
"""What carries requests: the network, or a simulator in process."""

BODY_BYTES_MAX = 32 * 1024 * 1024
CLOCK_OFFSET_S_MIN = 2.0  # the Date header counts whole seconds: smaller differences are noise
STANDARD_HEADERS = {"user-agent": "sellersync", "accept": "*/*", "accept-encoding": "gzip, deflate"}
"""Added where a request has none: firewalls of shared hosts turn callers without a name away."""
RATE_LIMIT_WAIT_S = 5.0  # when a provider says "too many" without saying for how long


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Bounds of one channel's HTTP traffic, in seconds and counts."""

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    read_deadline_s: float = 60.0
    write_deadline_s: float = 60.0
    read_attempts_max: int = 3
    retry_wait_s_max: float = 8.0
    connections_max: int = 6
    keepalive_s: float = 90.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `provider_now` is the provider's clock (Date header), or our corrected clock where it sends none."""

    status: int
    headers: httpx.Headers
    body: bytes
    provider_now: datetime
    started_at: datetime

    def json(self) -> Any:
        """The body as JSON whatever the status says. Raises `Unrecognised` with the beginning of the body (HTML, cut, empty, nested
        beyond reason)."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unrecognised(f"HTTP {self.status} without a JSON body", self.text(200)) from None

    def text(self, length_max: int = 10_000) -> str:
        return self.body[:length_max].decode("utf-8", "replace")


@cache
def shared_ssl_context() -> ssl.SSLContext:
    """One TLS context for all clients: each costs 47 ms and 4 MiB."""
    return ssl.create_default_context()


class Wire:
    """All HTTP traffic of one channel."""

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        rng: Random,
        gate: RateGate,
        limits: WireLimits | None = None,
        redactor: Redactor | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.limits = limits or WireLimits()
        self.redact = redactor or Redactor()
        self.calls = 0
        self._clock = clock
        self._rng = rng
        self._gate = gate
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._offset = timedelta(0)

    # -- time

    def now(self) -> datetime:
        """Our clock corrected by the provider's Date header: sign with this."""
        return self._clock.now() + self._offset

    @property
    def clock_offset_s(self) -> float:
        """How far the provider's clock is ahead of ours, as last seen."""
        return self._offset.total_seconds()

    # -- calls

    async def read(self, make: Callable[[datetime], httpx.Request], check: Callable[[Reply], T], *, what: str) -> T:
        """A call without effect: repeated within the limits on `Temporary` and `RateLimited`, unless the other side asked for a longer
        wait than `retry_wait_s_max`: the job comes back by itself."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._worth_repeating),
            stop=stop_after_attempt(self.limits.read_attempts_max),
            wait=self._retry_wait_s,
            sleep=self._clock.sleep,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                reply = await self._send(make, what=what, reference=None, fresh=False)
                self._refuse_server_trouble(reply, what, reference=None)
                try:
                    return check(reply)
                except SellersyncError as failure:
                    self._clean(failure)
                    raise
        raise AssertionError("tenacity returned without an outcome")

    async def write(
        self,
        make: Callable[[datetime], httpx.Request],
        check: Callable[[Reply], T],
        *,
        what: str,
        reference: str,
        fresh: bool = False,
    ) -> T:
        """A call with an effect: sent once. No answer, a 5xx or an unreadable answer is `Uncertain(reference)`.

        Only a failure before a byte was sent is `Temporary`. `fresh` takes a connection of its own: a reused one may be closed by
        the server at its idle limit, after which nobody knows whether the request arrived.
        """
        reply = await self._send(make, what=what, reference=reference, fresh=fresh)
        self._refuse_server_trouble(reply, what, reference=reference)
        try:
            return check(reply)
        except Unrecognised as unreadable:
            raise Uncertain(reference, self.redact(f"{what}: unreadable answer: {unreadable}")) from None
        except SellersyncError as failure:
            self._clean(failure)
            raise

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    # -- inside

    def _told_s(self, error: BaseException) -> float | None:
        """How long the other side asked us to wait, `None` where it did not say."""
        if isinstance(error, RateLimited):
            return max((error.until - self._clock.now()).total_seconds(), 0.0)
        return error.retry_after_s if isinstance(error, Temporary) else None

    def _worth_repeating(self, error: BaseException) -> bool:
        told_s = self._told_s(error)
        return isinstance(error, Temporary | RateLimited) and (told_s or 0.0) <= self.limits.retry_wait_s_max

    def _retry_wait_s(self, state: RetryCallState) -> float:
        """As told, else exponential with jitter; the random numbers come from outside."""
        error = state.outcome.exception() if state.outcome else None
        told_s = self._told_s(error) if error else None
        if told_s is not None:
            return told_s
        ceiling = min(self.limits.retry_wait_s_max, 0.5 * 2.0**state.attempt_number)
        return self._rng.uniform(ceiling / 4, ceiling)

    def _new_client(self) -> httpx.AsyncClient:
        limits = self.limits
        return httpx.AsyncClient(
            transport=self._transport,
            verify=shared_ssl_context() if self._transport is None else True,
            timeout=httpx.Timeout(limits.read_timeout_s, connect=limits.connect_timeout_s),
            limits=httpx.Limits(
                max_connections=limits.connections_max,
                max_keepalive_connections=limits.connections_max,
                keepalive_expiry=limits.keepalive_s,
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def _send(
        self, make: Callable[[datetime], httpx.Request], *, what: str, reference: str | None, fresh: bool
    ) -> Reply:
        await self._gate.enter(write=reference is not None)
        if self._client is None and not fresh:
            self._client = self._new_client()
        client = self._new_client() if fresh else self._client
        assert client is not None
        deadline_s = self.limits.read_deadline_s if reference is None else self.limits.write_deadline_s
        started_at = self._clock.now()
        self.calls += 1
        try:
            async with asyncio.timeout(deadline_s):
                request = make(self.now())
                for name, value in STANDARD_HEADERS.items():
                    request.headers.setdefault(name, value)
                response = await client.send(request, stream=True)
                provider_now = self._learn_clock(response, started_at)
                try:
                    body = await self._read_body(response, what, reference)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as failure:
            raise Temporary(self.redact(f"{what}: no connection ({type(failure).__name__})")) from None
        except (httpx.RequestError, TimeoutError) as failure:  # not only transport: a body that cannot be unpacked, too
            raise self._unanswered(what, reference, f"no answer ({type(failure).__name__})") from None
        finally:
            if fresh:
                await client.aclose()
        return Reply(response.status_code, response.headers, body, provider_now, started_at)

    async def _read_body(self, response: httpx.Response, what: str, reference: str | None) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > BODY_BYTES_MAX:
                raise self._unanswered(what, reference, f"answer over {BODY_BYTES_MAX} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    def _learn_clock(self, response: httpx.Response, started_at: datetime) -> datetime:
        """The provider's clock from the headers, which have just arrived. The offset moves only when the Date cannot fit it: a slow
        answer shows a time anywhere between its request and its arrival."""
        shown = http_date(response.headers.get("date", ""))
        if shown is None:
            return started_at + self._offset
        least, most = shown - self._clock.now(), shown + timedelta(seconds=1) - started_at
        if not least <= self._offset <= most:
            middle = least + (most - least) / 2
            self._offset = middle if abs(middle.total_seconds()) > CLOCK_OFFSET_S_MIN else timedelta(0)
        return shown

    def _refuse_server_trouble(self, reply: Reply, what: str, *, reference: str | None) -> None:
        """429 and non-JSON 5xx are the same everywhere; a 5xx with a JSON body is the connector's to read."""
        if reply.status == 429:
            wait = retry_after_s(reply.headers.get("retry-after"), now=reply.provider_now)
            raise self.rate_limited(f"{what}: too many calls", wait)
        if reply.status >= 500 and reply.body.lstrip()[:1] not in (b"{", b"["):
            if reference is not None:
                raise Uncertain(reference, f"{what}: HTTP {reply.status}")
            wait = retry_after_s(reply.headers.get("retry-after"), now=reply.provider_now)
            if wait is not None and wait > self.limits.retry_wait_s_max:
                raise self.rate_limited(f"{what}: HTTP {reply.status}", wait)
            raise Temporary(f"{what}: HTTP {reply.status}", retry_after_s=wait)

    def rate_limited(self, why: str, wait_s: float | None = None) -> RateLimited:
        """Shut the gate for `wait_s` (or a default) and return the error to raise; for limits that come inside an envelope too."""
        until = self._clock.now() + timedelta(seconds=RATE_LIMIT_WAIT_S if wait_s is None else wait_s)
        self._gate.shut_until(until)
        return RateLimited(why, until=until)

    def _clean(self, failure: SellersyncError) -> None:
        """Take secrets out of an error that quotes the answer: a proxy's page may repeat our whole request."""
        failure.args = tuple(self.redact(part) if type(part) is str else part for part in failure.args)
        for name, value in vars(failure).items():
            if type(value) is str:
                setattr(failure, name, self.redact(value))

    def _unanswered(self, what: str, reference: str | None, why: str) -> Exception:
        text = self.redact(f"{what}: {why}")
        return Temporary(text) if reference is None else Uncertain(reference, text)


async def with_token(tokens: TokenSource, call: Callable[[Token], Awaitable[T]]) -> T:
    """Run `call` with the current token; on `TokenDead` renew once and run it once more (the refused call had no effect)."""
    token = await tokens.current()
    try:
        return await call(token)
    except TokenDead:
        token = await tokens.renewed(token)
    try:
        return await call(token)
    except TokenDead as dead:
        raise AuthNeeded(
            f"the provider refuses a token that was just renewed ({dead})",
            todo="Authorise the channel again: sellersync auth login CHANNEL.",
        ) from None
