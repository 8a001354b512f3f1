"""Recorded replies of a simulator, replayed byte for byte, so that no simulator costs CPU while something is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its reply as they went over the wire."""

    method: str
    url: str
    request_headers: list[tuple[bytes, bytes]]
    request_body: bytes
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(slots=True)
class Tape:
    """What one pull asked and committed, in order: calls, and pages as the number of orders that were new in them."""

    steps: list[Call | int] = field(default_factory=list)

    @property
    def calls(self) -> list[Call]:
        return [step for step in self.steps if isinstance(step, Call)]

    @property
    def orders(self) -> int:
        return sum(step for step in self.steps if isinstance(step, int))


class Recorder(httpx.AsyncBaseTransport):
    """Asks `answer` and keeps every exchange on the tape."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response], tape: Tape) -> None:
        self._answer = answer
        self._tape = tape

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        response = self._answer(request)
        self._tape.steps.append(
            Call(
                request.method,
                str(request.url),
                list(request.headers.raw),
                body,
                response.status_code,
                list(response.headers.raw),
                response.content,
            )
        )
        return response


class Player(httpx.AsyncBaseTransport):
    """Gives the recorded replies in order; another request than the recorded one is an error."""

    def __init__(self, tape: Tape) -> None:
        self._calls = iter(tape.calls)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = next(self._calls, None)
        if call is None or (request.method, str(request.url)) != (call.method, call.url):
            raise AssertionError(f"not on the tape: {request.method} {request.url}")
        return httpx.Response(call.status, headers=call.headers, content=call.body)
