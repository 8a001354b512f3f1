"""The wire between a connector and its simulator, in the suite's hands: counted, edited, stalled."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from sellersync.domain.times import Clock
from sellersync.sandbox.kit import Entry, Event, Simulator
from sellersync.testing.virtual import VirtualLoop

JsonPath = tuple[str | int, ...]
Edit = Callable[[httpx.Request, httpx.Response], httpx.Response]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the connector sent. `at` is seconds of virtual time, `effects` what the simulator journalled while it answered,
    `answer` is `None` where it got none."""

    request: httpx.Request
    answer: httpx.Response | None
    at: float
    effects: tuple[Entry, ...]

    @property
    def name(self) -> tuple[str, str]:
        """(method, path)."""
        return self.request.method, self.request.url.path

    def did(self, event: Event) -> bool:
        return any(entry.event is event for entry in self.effects)


class Tap(httpx.AsyncBaseTransport):
    """A transport that asks the simulator and remembers everything.

    `edits` change replies on their way back; `stall_s` lets the connector wait for each answer; `outstanding` counts requests and
    bodies that are still open.
    """

    def __init__(self, sim: Simulator, clock: Clock) -> None:
        self.sim = sim
        self.clock = clock
        self.calls: list[Call] = []
        self.edits: list[Edit] = []
        self.before: list[Callable[[httpx.Request], None]] = []
        self.stall_s = 0.0
        self.outstanding = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.outstanding += 1
        try:
            await self.clock.sleep(self.stall_s)  # a network lets others run, even when it is quick
            response = self._answer(request)
        except BaseException:
            self.outstanding -= 1
            raise
        body = _Body(response.content, self)
        return httpx.Response(response.status_code, headers=response.headers, stream=body, request=request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        for look in self.before:
            look(request)
        begun = time.monotonic()
        seen = len(self.sim.journal.entries())
        answer: httpx.Response | None = None
        try:
            answer = self.sim.handle(request)
            for edit in self.edits:
                answer = edit(request, answer)
        finally:
            effects = tuple(self.sim.journal.entries()[seen:])
            self.calls.append(Call(request, answer, self.clock.monotonic(), effects))
            loop = asyncio.get_running_loop()
            if isinstance(loop, VirtualLoop):
                loop.excuse(time.monotonic() - begun)
        return answer

    def named(self, name: tuple[str, str]) -> list[Call]:
        """All calls of a method and path, in order."""
        return [call for call in self.calls if call.name == name]

    def with_effect(self, event: Event) -> list[Call]:
        """All calls that made this happen, in order."""
        return [call for call in self.calls if call.did(event)]


class _Body(httpx.AsyncByteStream):
    """The body of an answer; closing it ends the call."""

    def __init__(self, content: bytes, tap: Tap) -> None:
        self._content, self._tap, self._open = content, tap, True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._tap.outstanding -= 1


# -------------------------------------------------------------------------------------------------------------------------- JSON edits


def json_of(response: httpx.Response) -> Any:
    """The body as JSON, `None` where it is none."""
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def rebuilt(response: httpx.Response, value: Any) -> httpx.Response:
    """The same answer with another JSON body."""
    headers = [(key, text) for key, text in response.headers.multi_items() if key.lower() != "content-length"]
    return httpx.Response(response.status_code, headers=headers, content=json.dumps(value).encode())


def leaves(value: Any, path: JsonPath = ()) -> Iterator[tuple[JsonPath, Any]]:
    """(path, value) of everything that is no object and no list; empty objects and lists too."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def shape(path: JsonPath) -> JsonPath:
    """The path without list positions: what the field is, not which row it stands in."""
    return tuple("*" if isinstance(step, int) else step for step in path)


DROPPED = object()
"""Given as a replacement: the field is left out."""


def mapped(value: Any, change: Callable[[JsonPath, Any], Any], path: JsonPath = ()) -> Any:
    """A copy in which `change(path, value)` replaces every leaf and, before them, every object and list."""
    value = change(path, value)
    if isinstance(value, dict):
        inner = {key: mapped(child, change, (*path, key)) for key, child in value.items()}
        return {key: child for key, child in inner.items() if child is not DROPPED}
    if isinstance(value, list):
        children = [mapped(child, change, (*path, index)) for index, child in enumerate(value)]
        return [child for child in children if child is not DROPPED]
    return value
