"""The demo's screen tells what the journals and the ledger say."""

from __future__ import annotations

import dataclasses
import io
import time
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from sellersync.sandbox.judge import Verdict
from sellersync.sandbox.scenario import Scenario
from sellersync.sandbox.screen import draw, ledger_counts, look, plain_line, self_check

from .honest import Town, judged, keep_books


def rendered(what: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=150, force_terminal=False).print(what)
    return out.getvalue()


@pytest.fixture
def town() -> Town:
    town = Town()
    town.shops["a"].place_order([("k-KOPI", 1)])
    town.wait(0.4)
    town.push_all()
    town.shops["a"].arrange("o1")
    return town


@pytest.fixture
def verdict(town: Town, tmp_path: Path) -> Verdict:
    keep_books(town, tmp_path / "ledger.db")
    return judged(town, tmp_path / "ledger.db")


def test_ledger_counts_per_channel(town: Town, verdict: Verdict, tmp_path: Path) -> None:
    assert ledger_counts(tmp_path / "ledger.db") == {"a": {"imported": 1, "booked": 1, "waybills": 1}}
    assert ledger_counts(tmp_path / "none.db") == {}


def test_the_self_check_shows_what_holds_and_what_is_broken(verdict: Verdict) -> None:
    clean = rendered(self_check(verdict))
    assert "1 placed, 1 imported" in clean
    assert "p50 400 ms" in clean
    assert "poll_s 60 -> 1" in clean
    assert "BROKEN" not in clean
    broken = dataclasses.replace(
        verdict, orders={**verdict.orders, "missing": {"a": ["o9"]}}, problems=["a: placed but not in the ledger: o9"]
    )
    text = rendered(self_check(broken))
    assert text.count("BROKEN") == 1
    assert "- a: placed but not in the ledger: o9" in text


def test_the_live_screen(tmp_path: Path) -> None:
    scenario = Scenario(tmp_path, seed=3, seconds=10.0, clock=time.time, off={"lazada"})
    scenario.street.step(10.0)
    glance = look(scenario, 10.0)
    placed = len(scenario.street.placed)
    text = rendered(draw(scenario, glance, "buyers order"))
    assert placed > 20
    assert "lazada off" in text
    assert "order placed" in text
    assert f"placed {placed}" in plain_line(glance)
