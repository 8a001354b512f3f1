"""Networks and servers in trouble: reads come back by themselves or fail with the error that says what to do, within bounds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sellersync.domain.errors import RateLimited, SellersyncError, Temporary, Unrecognised
from sellersync.sandbox.kit import Fault, FaultKind

from .base import Conformance, on_bench
from .bench import Bench

PASSING = (
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.HTTP_500,
    FaultKind.HTTP_500_AFTER,
    FaultKind.HTTP_429,
    FaultKind.HTTP_429_DATE,
)
"""Faults after which a read is repeated within the same call."""
SPOILT = (FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.PHP_NOTICE)
"""Answers that are none: repeated, or refused as what they are."""
LASTING: dict[FaultKind, tuple[type[SellersyncError], ...]] = {
    FaultKind.DROP_BEFORE: (Temporary,),
    FaultKind.DROP_AFTER: (Temporary,),
    FaultKind.HTTP_500: (Temporary,),
    FaultKind.HTTP_429: (RateLimited,),
    FaultKind.HTTP_429_DATE: (RateLimited,),
    FaultKind.HTML: (Temporary, Unrecognised),
    FaultKind.TRUNCATED: (Temporary, Unrecognised),
    FaultKind.EMPTY: (Temporary, Unrecognised),
}
CALLS_EACH_MAX = 10
"""Attempts at one request before a call must give up; three is usual."""
PATIENCE_S_MAX = 300.0
"""A call under lasting faults must be over by then (virtual time)."""


def nth(position: int) -> Callable[[str, str], bool]:
    """Matches the request number `position` from now on, counted from 0."""
    seen = -1

    def matches(method: str, path: str) -> bool:
        nonlocal seen
        seen += 1
        return seen == position

    return matches


def without_retry_after(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    """The edit that takes the hint out of a 429."""
    if response.status_code == 429:
        response.headers.pop("retry-after", None)
    return response


class HttpFaults(Conformance):
    """Reads under every fault of the kit. `stage` prepares the world, `look` is a typical read whose results compare as equal."""

    @abstractmethod
    async def stage(self, bench: Any) -> None: ...

    @abstractmethod
    async def look(self, bench: Any) -> Any: ...

    async def _usual(self, bench: Bench[Any, Any]) -> tuple[Any, int]:
        """What is seen without faults, and in how many calls."""
        await self.stage(bench)
        await bench.restart()
        begun = len(bench.tap.calls)
        return await self.look(bench), len(bench.tap.calls) - begun

    @pytest.mark.parametrize("kind", PASSING)
    @on_bench()
    async def test_a_read_survives_a_fault_at_any_call(self, bench: Bench[Any, Any], kind: FaultKind) -> None:
        usual, calls = await self._usual(bench)
        for position in range(calls):
            await bench.restart()
            bench.sim.faults = [Fault(kind, nth(position))]
            assert await self.look(bench) == usual, f"after {kind} at call {position + 1}"

    @pytest.mark.parametrize("kind", SPOILT)
    @on_bench()
    async def test_an_answer_that_is_none_is_never_read_as_empty(self, bench: Bench[Any, Any], kind: FaultKind) -> None:
        usual, calls = await self._usual(bench)
        for position in range(calls):
            await bench.restart()
            bench.sim.faults = [Fault(kind, nth(position))]
            try:
                seen = await self.look(bench)
            except (Temporary, Unrecognised):
                seen = await self.look(bench)
            assert seen == usual, f"after {kind} at call {position + 1}"

    @pytest.mark.parametrize("kind", LASTING)
    @on_bench()
    async def test_a_lasting_fault_gives_up_with_the_right_error(self, bench: Bench[Any, Any], kind: FaultKind) -> None:
        usual, calls = await self._usual(bench)
        await bench.restart()
        bench.sim.faults = [Fault(kind, times=10_000)]
        begun, since = len(bench.tap.calls), bench.clock.monotonic()
        with pytest.raises(LASTING[kind]):
            await self.look(bench)
        assert len(bench.tap.calls) - begun <= CALLS_EACH_MAX * calls
        assert bench.clock.monotonic() - since < PATIENCE_S_MAX
        bench.sim.faults = []
        await bench.clock.sleep(60)
        assert await self.look(bench) == usual, "it works again once the cause is gone"

    @pytest.mark.parametrize("hint", ["seconds", "date", "none"])
    @on_bench()
    async def test_too_many_calls_means_to_wait(self, bench: Bench[Any, Any], hint: str) -> None:
        usual, _ = await self._usual(bench)
        await bench.restart()
        kind = FaultKind.HTTP_429_DATE if hint == "date" else FaultKind.HTTP_429
        bench.sim.faults = [Fault(kind, nth(0), retry_after_s=4)]
        if hint == "none":
            bench.tap.edits.append(without_retry_after)
        begun = len(bench.tap.calls)
        assert await self.look(bench) == usual
        refused, again = bench.tap.calls[begun : begun + 2]
        assert refused.answer is not None
        assert refused.answer.status_code == 429
        assert again.at - refused.at >= (1.0 if hint == "none" else 4.0), "came back too early"

    @pytest.mark.parametrize("kind", [FaultKind.HTTP_429, FaultKind.HTTP_429_DATE])
    @on_bench()
    async def test_a_long_ban_is_told_and_kept(self, bench: Bench[Any, Any], kind: FaultKind) -> None:
        usual, _ = await self._usual(bench)
        await bench.restart()
        bench.sim.faults = [Fault(kind, nth(0), retry_after_s=600)]
        with pytest.raises(RateLimited) as limited:
            await self.look(bench)
        begun = len(bench.tap.calls)
        assert limited.value.until >= bench.clock.now() + timedelta(seconds=590)
        with pytest.raises(RateLimited):
            await self.look(bench)
        assert len(bench.tap.calls) == begun, "nothing is sent while the provider asked to wait"
        await bench.clock.sleep(605)
        assert await self.look(bench) == usual

    @on_bench()
    async def test_nobody_there_is_temporary(self, bench: Bench[Any, Any]) -> None:
        usual, _ = await self._usual(bench)
        await bench.restart()
        bench.sim.off = True
        with pytest.raises(Temporary):
            await self.look(bench)
        bench.sim.off = False
        assert await self.look(bench) == usual

    @pytest.mark.parametrize("skew_s", [-600.0, 600.0])
    @on_bench()
    async def test_a_wrong_clock_of_ours_is_corrected_by_the_date_header(
        self, bench: Bench[Any, Any], skew_s: float
    ) -> None:
        """The first answer, even a refusal, tells the provider's time; what is signed after it is in time."""
        await self.stage(bench)
        await bench.restart()
        begun = len(bench.tap.calls)
        try:
            await self.look(bench)
        except Temporary:
            await self.look(bench)
        assert abs(bench.wire.clock_offset_s + skew_s) <= 2
        assert abs((bench.connector.provider_now() - bench.clock.now()).total_seconds() + skew_s) <= 2
        refused = [
            call
            for call in bench.tap.calls[begun:]
            if call.answer is not None and call.answer.status_code in (401, 403)
        ]
        assert len(refused) <= 1, "signed by the wrong clock again"
