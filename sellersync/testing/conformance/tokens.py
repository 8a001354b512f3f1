"""Rotating tokens: one refresh for all callers, stored before it is used, never repeated blindly (L10)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sellersync.connector.contract import Authoriser, Token
from sellersync.domain.errors import AuthNeeded, SellersyncError, Temporary, Uncertain
from sellersync.sandbox.kit import Event, Fault, FaultKind
from sellersync.testing.rig import MemoryTokens

from . import damage
from .base import not_offered, on_bench
from .bench import Bench
from .damage import Damage
from .faults import HttpFaults, nth
from .messy import every_damage
from .tap import Call, mapped, shape

IN_FLIGHT = 10
STORE_S = 5.0


class SlowStore(MemoryTokens):
    """Storing a new pair takes a while; meanwhile nobody may use it."""

    stored_at_s = 0.0

    async def renewed(self, dead: Token) -> Token:
        async with self._lock:
            current = await self.current()
            if current.serial > dead.serial:
                return current
            assert self.authoriser is not None
            self.refreshes += 1
            raw = await self.authoriser.refresh(current)
            await self._clock.sleep(STORE_S)
            token = self.authoriser.read_grant(raw, now=self._clock.now(), previous=current)
            self.stored_at_s = self._clock.monotonic()
            self._token = replace(token, serial=current.serial + 1)
            return self._token


def authoriser_of(bench: Bench[Any, Any]) -> Authoriser:
    """The authoriser, or the test is left out: keys that never end need none."""
    found: Authoriser | None = bench.connector.authoriser
    if found is None or not found.refreshable:
        not_offered("its keys are static: nothing is renewed")
    return found


async def renewed_grant(bench: Bench[Any, Any], authoriser: Authoriser, token: Token) -> Token:
    """Refresh and read the answer, as the core does."""
    raw = await authoriser.refresh(token)
    return authoriser.read_grant(raw, now=bench.clock.now(), previous=token)


def carries(call: Call, secret: str) -> bool:
    """Does the request show this token anywhere?"""
    request = call.request
    text = f"{request.url} {request.headers!r} {' '.join(request.headers.values())} {request.content.decode('utf-8', 'replace')}"
    return secret in text


class Tokens(HttpFaults):
    """`authoriser`, and how calls use tokens."""

    @on_bench()
    async def test_an_expired_token_with_ten_calls_in_flight_makes_one_refresh(self, bench: Bench[Any, Any]) -> None:
        """B12; the new pair is stored before any call uses it."""
        authoriser_of(bench)
        await self.stage(bench)
        bench.tokens = SlowStore(bench.clock, bench.sim.first_grant())
        await bench.restart()
        usual = await self.look(bench)
        old = await bench.tokens.current()
        if old.access_ends_at is None:
            not_offered("its access tokens do not end")
        await bench.clock.sleep((old.access_ends_at - bench.clock.now()).total_seconds() + 1)
        rotated = len(bench.sim.journal.entries(Event.TOKEN_ROTATED))
        begun = len(bench.tap.calls)
        bench.tap.stall_s = 1.0
        results = await asyncio.gather(*(bench.connector.health() for _ in range(IN_FLIGHT)))
        bench.tap.stall_s = 0.0
        assert len(results) == IN_FLIGHT
        assert len(bench.sim.journal.entries(Event.TOKEN_ROTATED)) - rotated == 1
        assert bench.tokens.refreshes == 1
        new = await bench.tokens.current()
        assert new.serial > old.serial
        assert new.access != old.access
        stored_at_s = bench.tokens.stored_at_s
        early = [call for call in bench.tap.calls[begun:] if carries(call, new.access) and call.at < stored_at_s]
        assert not early, "the new token was used before it was stored"
        assert type(await self.look(bench)) is type(usual)

    @on_bench()
    async def test_a_token_that_another_process_renewed_is_picked_up(self, bench: Bench[Any, Any]) -> None:
        """B11: tokens are never held between calls."""
        authoriser_of(bench)
        await self.stage(bench)
        await self.look(bench)
        old = await bench.tokens.current()
        new = await bench.tokens.renewed(old)
        begun = len(bench.tap.calls)
        await self.look(bench)
        assert not any(carries(call, old.access) for call in bench.tap.calls[begun:])
        assert any(carries(call, new.access) for call in bench.tap.calls[begun:])
        assert bench.tokens.refreshes == 1

    @on_bench()
    async def test_tokens_are_renewed_well_before_their_end(self, bench: Bench[Any, Any]) -> None:
        authoriser = authoriser_of(bench)
        token = await bench.tokens.current()
        due = authoriser.refresh_at(token)
        if token.access_ends_at is None:
            not_offered("its access tokens do not end")
        assert due is not None
        assert due.tzinfo is not None
        assert due < token.access_ends_at - timedelta(minutes=1)
        assert token.refresh_ends_at is None or due < token.refresh_ends_at
        assert token.issued_at is None or token.issued_at <= bench.clock.now()

    @pytest.mark.parametrize(
        "kind",
        [FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY],
    )
    @on_bench()
    async def test_a_lost_reply_to_a_refresh_is_never_repeated(self, bench: Bench[Any, Any], kind: FaultKind) -> None:
        authoriser = authoriser_of(bench)
        token = await bench.tokens.current()
        begun = len(bench.tap.calls)
        bench.sim.faults = [Fault(kind, nth(0))]
        with pytest.raises(SellersyncError) as lost:
            await renewed_grant(bench, authoriser, token)
        assert not isinstance(lost.value, AuthNeeded), "a lost reply does not prove that the authorisation is gone"
        if kind in (FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE, FaultKind.HTTP_500_AFTER):
            assert isinstance(lost.value, Uncertain)
        assert len(bench.tap.calls) - begun == 1, "a refresh is never sent twice by the connector"

    @on_bench()
    async def test_nobody_there_spends_no_token(self, bench: Bench[Any, Any]) -> None:
        authoriser = authoriser_of(bench)
        token = await bench.tokens.current()
        bench.sim.off = True
        with pytest.raises(Temporary):
            await authoriser.refresh(token)
        bench.sim.off = False
        assert (await renewed_grant(bench, authoriser, token)).access

    @on_bench()
    async def test_a_dead_refresh_token_needs_the_seller(self, bench: Bench[Any, Any]) -> None:
        authoriser = authoriser_of(bench)
        token = await bench.tokens.current()
        if not token.refresh:
            not_offered("it is renewed with the app's own keys, not with a refresh token")
        with pytest.raises(AuthNeeded) as needed:
            await renewed_grant(bench, authoriser, replace(token, refresh=token.refresh[::-1]))
        assert needed.value.todo, "the seller is told what to do"

    @on_bench()
    async def test_a_refused_token_is_renewed_once_and_then_the_seller_is_asked(self, bench: Bench[Any, Any]) -> None:
        """A provider that refuses the new token too must not be asked for tokens for ever."""
        authoriser_of(bench)
        await self.stage(bench)
        real = await bench.tokens.current()

        class Stubborn(MemoryTokens):
            async def renewed(self, dead: Token) -> Token:
                self.refreshes += 1
                return replace(real, access="x" * len(real.access), serial=dead.serial + 1)

        bench.tokens = Stubborn(bench.clock, bench.sim.first_grant())
        await bench.restart()
        bench.tokens._token = replace(real, access="y" * len(real.access), serial=1)
        with pytest.raises(AuthNeeded):
            await bench.connector.health()
        assert bench.tokens.refreshes == 1

    @every_damage
    @on_bench()
    async def test_a_damaged_grant_is_never_half_read(self, bench: Bench[Any, Any], harm: Damage) -> None:
        authoriser = authoriser_of(bench)
        token = await bench.tokens.current()
        begun = len(bench.tap.calls)
        raw = await authoriser.refresh(token)
        good = authoriser.read_grant(raw, now=bench.clock.now(), previous=token)
        value = json.loads(raw)
        findings = []
        for spot in damage.spots(bench.tap.calls[begun : begun + 1], harm):

            def change(path: Any, inner: Any, spot: damage.Spot = spot) -> Any:
                changed = harm(inner) if path and shape(path) == spot.path else damage.SAME
                return inner if changed is damage.SAME else changed

            damaged = json.dumps(mapped(value, change)).encode()
            try:
                found = authoriser.read_grant(damaged, now=bench.clock.now(), previous=token)
            except SellersyncError:
                continue
            except Exception as bug:
                findings.append(f"{harm.__name__} at {spot}: crashes: {type(bug).__name__}: {bug}")
                continue
            if found.access.strip() != good.access or found.refresh.strip() not in (good.refresh, ""):
                findings.append(f"{harm.__name__} at {spot}: another token was read")
        assert not findings, "\n".join(findings)
