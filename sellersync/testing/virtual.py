"""Virtual time: an event loop whose clock jumps to the next timer when nothing is ready, so a day of polling runs in a second."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
START = datetime(2026, 11, 21, 0, 0, 0, tzinfo=UTC)


class _JumpingSelector(selectors.BaseSelector):
    """Never blocks: a wait of N seconds moves the loop's clock by N seconds instead.

    There is no I/O in a virtual run; the loop's own wake-up socket is registered and never becomes ready.
    """

    def __init__(self) -> None:
        self._inner = selectors.DefaultSelector()
        self.seconds = 0.0
        self.longest_block_s = 0.0
        self.excused_s = 0.0
        self._left_at = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        block_s = time.monotonic() - self._left_at - self.excused_s
        self.longest_block_s = max(self.longest_block_s, block_s)
        self.excused_s = 0.0
        try:
            return self._ready(timeout)
        finally:
            self._left_at = time.monotonic()

    def _ready(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("virtual time stands still: every task waits for something that will never happen")
        self.seconds += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def close(self) -> None:
        self._inner.close()

    def get_map(self) -> Any:
        return self._inner.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual seconds, starting at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.seconds

    def longest_block_s(self) -> float:
        """The longest time, in real seconds, for which one turn of the loop kept all others waiting; asking starts anew."""
        longest, self._jumping.longest_block_s = self._jumping.longest_block_s, 0.0
        return longest

    def excuse(self, seconds: float) -> None:
        """Real time of this turn that is not the fault of what is measured (a simulator's work)."""
        self._jumping.excused_s += seconds


class VirtualClock:
    """`domain.times.Clock` on a virtual loop, `start` being second 0. `skew` is added to the wall clock only."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, start: datetime = START, skew: timedelta = timedelta(0)
    ) -> None:
        self._loop = loop
        self._start = start
        self.skew = skew

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._loop.time()) + self.skew

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def epoch_s(self) -> float:
        """The wall clock without skew as unix seconds: what a simulator takes as its own clock."""
        return (self._start + timedelta(seconds=self._loop.time())).timestamp()


def run_virtual(coroutine: Coroutine[Any, Any, T], loop: VirtualLoop | None = None) -> T:
    """Run to completion in virtual time, cancelling what is left."""
    loop = loop or VirtualLoop()
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(coroutine)
    finally:
        if not loop.is_closed():
            loop.close()
