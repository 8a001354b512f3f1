"""A connector wired to its own simulator in process, in virtual time: the bench on which connector tests stand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Generic, TypeVar

import httpx

from sellersync.connector.contract import Authoriser, Channel, Connector, Context, Courier, Token
from sellersync.connector.http import Wire, WireLimits
from sellersync.connector.rate import RateGate
from sellersync.connector.redact import Redactor
from sellersync.connector.registry import connector_class, simulator_class
from sellersync.domain.errors import AuthNeeded
from sellersync.sandbox.kit import Simulator

from .virtual import VirtualClock, VirtualLoop, run_virtual

T = TypeVar("T")
S = TypeVar("S", bound=Simulator)
C = TypeVar("C", bound=Connector)


class MemoryTokens:
    """A `TokenSource` in memory: one refresh for all waiters, the new pair kept before it is used."""

    def __init__(self, clock: VirtualClock, grant: bytes | None) -> None:
        self._clock = clock
        self._grant = grant
        self._token: Token | None = None
        self._lock = asyncio.Lock()
        self.authoriser: Authoriser | None = None
        self.refreshes = 0

    def consent(self, grant: bytes | None) -> None:
        """The seller agrees again: what was stored is replaced by the raw answer `grant`."""
        self._grant, self._token = grant, None

    async def current(self) -> Token:
        if self._token is None:
            if self.authoriser is None:
                return Token("static")
            if self._grant is None:
                raise AuthNeeded("no token", todo="authorise")
            self._token = replace(
                self.authoriser.read_grant(self._grant, now=self._clock.now(), previous=None), serial=1
            )
        return self._token

    async def renewed(self, dead: Token) -> Token:
        async with self._lock:
            current = await self.current()
            if current.serial > dead.serial:
                return current
            assert self.authoriser is not None
            self.refreshes += 1
            raw = await self.authoriser.refresh(current)
            token = self.authoriser.read_grant(raw, now=self._clock.now(), previous=current)
            self._token = replace(token, serial=current.serial + 1)
            return self._token


@dataclass
class Rig(Generic[C, S]):
    """A connector, its simulator and their common clock."""

    connector: C
    sim: S
    clock: VirtualClock
    tokens: MemoryTokens
    wire: Wire
    requests: list[httpx.Request] = field(default_factory=list)
    """Every request that reached the simulator, in order (body readable)."""


BASE_URL = "https://simulator.example"


def build_simulator(
    provider: str, clock: VirtualClock, *, seed: int = 1, switches: Mapping[str, Any] | None = None
) -> Simulator:
    """The simulator that ships with a connector, on the true time of `clock`."""
    sim: Simulator = simulator_class(provider)(clock=clock.epoch_s, rng=Random(seed), switches=switches)
    return sim


def connect(
    provider: str,
    sim: Simulator,
    clock: VirtualClock,
    tokens: MemoryTokens,
    transport: httpx.AsyncBaseTransport,
    *,
    seed: int = 1,
    settings: Mapping[str, Any] | None = None,
    limits: WireLimits | None = None,
) -> Connector:
    """The installed connector `provider`, configured as its simulator says, talking through `transport`."""
    cls = connector_class(provider)
    parsed = cls.Settings.model_validate({**sim.configuration(BASE_URL), **(settings or {})})
    wire = Wire(
        provider,
        clock=clock,
        rng=Random(seed + 1),
        gate=RateGate(clock, rate_per_s=1000.0, burst=1000),
        limits=limits,
        redactor=Redactor(),
        transport=transport,
    )
    context = Context(slug=provider, settings=parsed, wire=wire, tokens=tokens, clock=clock, rng=Random(seed + 2))
    connector = cls(context)
    tokens.authoriser = connector.authoriser
    return connector


def build_rig(
    provider: str,
    loop: asyncio.AbstractEventLoop,
    *,
    seed: int = 1,
    switches: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    limits: WireLimits | None = None,
) -> Rig[Any, Any]:
    """Wire the installed connector `provider` to its own simulator."""
    clock = VirtualClock(loop)
    sim = build_simulator(provider, clock, seed=seed, switches=switches)
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        request.read()
        requests.append(request)
        return sim.handle(request)

    tokens = MemoryTokens(clock, sim.first_grant())
    transport = httpx.MockTransport(handler)
    connector = connect(provider, sim, clock, tokens, transport, seed=seed, settings=settings, limits=limits)
    return Rig(connector, sim, clock, tokens, connector.context.wire, requests)


def on_rig(
    provider: str,
    test: Callable[[Rig[Any, Any]], Awaitable[T]],
    **options: Any,
) -> T:
    """Build a rig on a fresh virtual loop and run an async test function on it."""

    async def body() -> T:
        rig = build_rig(provider, asyncio.get_running_loop(), **options)
        assert isinstance(rig.connector, Channel | Courier)
        try:
            return await test(rig)
        finally:
            await rig.wire.close()

    return run_virtual(body(), VirtualLoop())
