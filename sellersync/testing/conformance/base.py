"""What every conformance test stands on: a bench in virtual time, and the two ways in which a behaviour is left out.

A connector that does not offer something says so in its declared capabilities, with a reason; a simulator that cannot bring something
about raises `NoHand`. Both are reported with their reason; neither is ever decided by the provider's name.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, ClassVar, NoReturn

import pytest

from sellersync.connector.registry import simulator_class
from sellersync.sandbox.kit import NoHand
from sellersync.testing.virtual import VirtualLoop, run_virtual

from .bench import Bench, build_bench

NOT_OFFERED = "not offered: "
NO_HAND = "the simulator has no hand for it: "
BENCH_ARGUMENTS = {"switches": "switches", "corner": "switches", "skew_s": "skew_s"}
"""Argument of a test -> the option of `build_bench` that it sets."""

SIZES: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    "many": ([130], [230]),  # orders on more than one page
    "crowd": ([160], [5_001]),  # orders beyond the hard caps
    "seed": ([1, 2], range(1, 13)),
}
"""Argument of a test -> its values in the small and in the large suite."""


def not_offered(reason: str) -> NoReturn:
    """Leave a behaviour out because the connector declares that it has none."""
    pytest.skip(f"{NOT_OFFERED}{reason}")


def on_bench(**options: Any) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Run `async def test(self, bench, ...)` in virtual time on a fresh bench.

    `options` go to `build_bench`. Parametrised arguments come after `bench`; those of `BENCH_ARGUMENTS` go to the bench as well.
    """

    def decorate(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        signature = inspect.signature(test)

        def run(self: Conformance, **arguments: Any) -> None:
            bench_options = dict(options)
            bench_options |= {BENCH_ARGUMENTS[name]: arguments[name] for name in BENCH_ARGUMENTS if name in arguments}

            async def body() -> None:
                bench = build_bench(self.bench_class, self.provider, settings=self.settings, **bench_options)
                try:
                    await test(self, bench, **arguments)
                finally:
                    await bench.wire.close()

            try:
                run_virtual(body(), VirtualLoop())
            except NoHand as missing:
                pytest.skip(f"{NO_HAND}{missing}")

        run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
        run.__module__ = test.__module__
        shown = [parameter for name, parameter in signature.parameters.items() if name != "bench"]
        run.__signature__ = signature.replace(parameters=shown, return_annotation=None)  # type: ignore[attr-defined]
        return run

    return decorate


class Conformance:
    """Base of both suites. A connector's test class names its provider, and settings when the simulator's own do not fit."""

    provider: ClassVar[str] = ""
    settings: ClassVar[dict[str, Any]] = {}
    bench_class: ClassVar[type[Bench[Any, Any]]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Tests with an argument `switches` run once for every position of every switch that the simulator declares, those with
        `corner` once with the defaults and once with every switch in its last position."""
        large = metafunc.config.getoption("conformance_size", "small") == "large"
        for name, (small, big) in SIZES.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, big if large else small)
        if "corner" in metafunc.fixturenames:
            last = {name: choices[-1] for name, choices in simulator_class(self.provider).SWITCHES.items()}
            metafunc.parametrize(
                "corner", [{}, last] if last else [{}], ids=["defaults", "all_switched"][: 1 + bool(last)]
            )
        if "switches" in metafunc.fixturenames:
            positions = list(self.positions())
            metafunc.parametrize(
                "switches", positions, ids=["-".join(f"{k}={v}" for k, v in p.items()) or "defaults" for p in positions]
            )

    def positions(self) -> Iterator[dict[str, Any]]:
        """The defaults, then each switch in each other position."""
        yield {}
        for name, choices in simulator_class(self.provider).SWITCHES.items():
            for choice in choices[1:]:
                yield {name: choice}
