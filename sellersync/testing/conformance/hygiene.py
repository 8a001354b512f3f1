"""Good manners: secrets stay secret, the loop stays free, and a cancelled call leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from sellersync.connector.contract import Token, TokenSource
from sellersync.domain.errors import SellersyncError
from sellersync.sandbox.kit import Fault, FaultKind
from sellersync.testing.virtual import VirtualLoop

from .base import on_bench
from .bench import Bench
from .faults import HttpFaults

BLOCKED_S_MAX = 0.1
ATTEMPTS_MAX = 5
"""A busy machine may stop any process for a moment: only a block that comes every time is the connector's."""
SECRET_LENGTH_MIN = 6
ECHOES = (200, 400, 401, 403, 404, 500)


class Witness(logging.Handler):
    """Collects everything that could reach a log or a terminal."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter().format(record))

    def exception(self, failure: BaseException) -> None:
        self.texts += [str(failure), repr(failure), "".join(traceback.format_exception(failure)), repr(vars(failure))]

    def leaks(self, secrets: set[str]) -> list[str]:
        """Each text that shows a secret, shortened to the place."""
        found = []
        for text in self.texts:
            for secret in secrets:
                at = text.find(secret)
                if at >= 0:
                    found.append(f"...{text[max(at - 60, 0) : at + len(secret) + 20]}...")
        return found


@contextlib.contextmanager
def witness() -> Iterator[Witness]:
    """Listen to every logger at the lowest level."""
    handler, root = Witness(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


async def secrets_of(bench: Bench[Any, Any]) -> set[str]:
    """What must never be seen: secret settings and the tokens of now."""
    settings = bench.connector.context.settings
    values = {getattr(settings, name) for name in type(settings).model_fields}
    secrets = {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
    token = await bench.tokens.current()
    if bench.connector.authoriser is not None:
        secrets |= {token.access, token.refresh, *token.extra.values()}
    return {secret for secret in secrets if len(secret) >= SECRET_LENGTH_MIN}


async def _renew(tokens: TokenSource) -> Token:
    return await tokens.renewed(await tokens.current())


class Hygiene(HttpFaults):
    """Needs `stage` and `look`; `errands` names the other calls that are watched."""

    def errands(self, bench: Any) -> dict[str, Callable[[], Awaitable[Any]]]:
        """Calls by name; each may fail with an error of the contract."""
        known: dict[str, Callable[[], Awaitable[Any]]] = {
            "look": lambda: self.look(bench),
            "health": bench.connector.health,
        }
        if bench.connector.authoriser is not None and bench.connector.authoriser.refreshable:
            known["refresh"] = lambda: _renew(bench.tokens)
        return known

    async def private_words(self, bench: Any) -> set[str]:
        """Buyer data that the staged world contains."""
        return set()

    @on_bench()
    async def test_secrets_are_never_shown_under_faults(self, bench: Bench[Any, Any]) -> None:
        await self.stage(bench)
        secrets = await secrets_of(bench) | await self.private_words(bench)
        with witness() as heard:
            for kind in FaultKind:
                for errand in self.errands(bench).values():
                    bench.sim.faults = [Fault(kind, times=1_000)]
                    try:
                        await errand()
                    except SellersyncError as failure:
                        heard.exception(failure)
                    bench.sim.faults = []
                    await bench.clock.sleep(30)
            heard.texts += [repr(bench.connector), repr(bench.connector.context), repr(bench.wire)]
            heard.texts += [repr(await bench.tokens.current()), repr(bench.connector.context.settings)]
        assert not heard.leaks(secrets)

    @pytest.mark.parametrize("status", ECHOES)
    @pytest.mark.parametrize("shape", ["html", "json", "text"])
    @on_bench()
    async def test_secrets_are_not_quoted_from_error_pages(
        self, bench: Bench[Any, Any], shape: str, status: int
    ) -> None:
        """Proxies and plugins answer with pages that repeat the request: address, headers, body."""
        await self.stage(bench)
        secrets = await secrets_of(bench) | await self.private_words(bench)

        def echo(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            body = request.content.decode("utf-8", "replace")
            said = f"{body} {request.method} {request.url} {dict(request.headers)}"
            if shape == "json":
                return httpx.Response(status, json={"message": said, "error": said, "code": said, "msg": said})
            if shape == "html":
                return httpx.Response(status, html=f"<html><pre>{said}</pre></html>")
            return httpx.Response(status, text=said)

        with witness() as heard:
            for errand in self.errands(bench).values():
                bench.tap.edits = [echo]
                try:
                    result = await errand()
                except SellersyncError as failure:
                    heard.exception(failure)
                else:
                    heard.texts.append(repr(result))
                bench.tap.edits = []
                await bench.clock.sleep(120)
        assert not heard.leaks(secrets)

    @on_bench()
    async def test_the_loop_is_never_blocked(self, bench: Bench[Any, Any]) -> None:
        await self.crowd(bench)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        blocked = []
        for _ in range(ATTEMPTS_MAX):
            await bench.clock.sleep(0.0)
            loop.longest_block_s()
            await self.look(bench)
            await bench.clock.sleep(0.0)  # the turn ends
            blocked.append(loop.longest_block_s())
            if blocked[-1] <= BLOCKED_S_MAX:
                return
        raise AssertionError(f"the loop stood still for {min(blocked):.3f} s each time")

    async def crowd(self, bench: Any) -> None:
        """A world in which `look` has much to read."""
        await self.stage(bench)

    @on_bench()
    async def test_a_cancelled_call_leaves_nothing_open(self, bench: Bench[Any, Any]) -> None:
        await self.stage(bench)
        usual = await self.look(bench)
        for name, errand in self.errands(bench).items():
            for after_s in (1.0, 12.0):  # while the first answer is waited for, and one of the later ones
                bench.tap.stall_s = 10.0
                task = asyncio.ensure_future(errand())
                await bench.clock.sleep(after_s)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, SellersyncError):
                    await task
                bench.tap.stall_s = 0.0
                await bench.clock.sleep(0.1)  # generators that were left half-way are closed by the loop
                assert bench.tap.outstanding == 0, f"{name}: a connection is left open"
                assert asyncio.all_tasks() == {asyncio.current_task()}, f"{name}: a task goes on"
        await bench.clock.sleep(60)
        assert await self.look(bench) == usual, "the connector still works"
