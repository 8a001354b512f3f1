"""Facts that no source confirms are switches: the trips must hold in every position of each of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from simulation import MARKETPLACES, in_virtual_time, simulate
from test_simulation import SKUS, assert_true_outside

from sellersync.connector.registry import simulator_class


def last_positions(provider: str) -> dict[str, Any]:
    return {name: choices[-1] for name, choices in simulator_class(provider).SWITCHES.items()}


def single_positions() -> list[tuple[str, str, Any]]:
    return [
        (provider, name, choice)
        for provider in MARKETPLACES
        for name, choices in simulator_class(provider).SWITCHES.items()
        for choice in choices[1:]
    ]


def trade_with(folder: Path, provider: str, switches: Mapping[str, Any]) -> None:
    async def body() -> None:
        async with simulate(folder, seed=3, marketplaces=(provider,), switches={provider: switches}) as s:
            await s.start_shops(SKUS)
            rng, sim, unpaid = Random(5), s.sims[provider], list[str]()
            for number in range(25):
                await s.clock.sleep(rng.uniform(1, 6))
                kind = rng.random()
                order_id = s.order(
                    provider, {rng.choice(list(SKUS)): rng.randint(1, 2)}, paid=kind < 0.75, cod=kind < 0.15
                )
                if order_id is not None and kind >= 0.75:
                    unpaid.append(order_id)
                elif order_id is not None and rng.random() < 0.2:
                    sim.cancel(order_id)
                if unpaid and rng.random() < 0.5:
                    sim.pay(unpaid.pop(0))
                for parcel in sim.arranged_parcels():
                    if rng.random() < 0.2:
                        sim.hand_over(parcel)
                if number % 2:
                    await s.cycle()
            await s.settle(rounds=40, pause_s=60)
            assert_true_outside(s)

    in_virtual_time(body)


@pytest.mark.parametrize("provider", MARKETPLACES)
def test_all_switches_turned(tmp_path: Path, provider: str) -> None:
    trade_with(tmp_path, provider, last_positions(provider))


@pytest.mark.soak
@pytest.mark.parametrize(("provider", "name", "choice"), single_positions())
def test_each_position_alone(tmp_path: Path, provider: str, name: str, choice: Any) -> None:
    trade_with(tmp_path, provider, {name: choice})
