"""Levels out: what the connector says about each want is what buyers see."""

from __future__ import annotations

import re

import pytest

from sellersync.connector.contract import PushOutcome, TargetKey
from sellersync.domain.errors import RateLimited, SellersyncError, Temporary
from sellersync.sandbox.kit import Event, Fault, FaultKind

from .base import Conformance, not_offered, on_bench
from .bench import ChannelBench
from .damage import Damage, each_damage
from .faults import nth
from .messy import every_damage

LOST = (FaultKind.DROP_AFTER, FaultKind.HTTP_500_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.PHP_NOTICE)
"""The write was processed, its answer is spoilt."""
NEVER_ARRIVED = (FaultKind.DROP_BEFORE, FaultKind.HTTP_500, FaultKind.HTML)
"""The write was not processed, and nobody can tell from the answer."""


def stranger(remote_key: str) -> str:
    """A key of the same form that no listing has."""
    return (
        re.sub(r"\d+", lambda digits: str(int(digits[0]) + 777_777), remote_key)
        if re.search(r"\d", remote_key)
        else "no-such-listing"
    )


async def usual_position(bench: ChannelBench, levels: dict[str, int], event: Event) -> tuple[int, int]:
    """(position of the first call that sets levels, number of calls) of an undisturbed push, warmed up by another one."""
    await bench.push({key: level + 1 for key, level in levels.items()})
    begun = len(bench.tap.calls)
    await bench.push(levels)
    calls = bench.tap.calls[begun:]
    positions = [number for number, call in enumerate(calls) if call.did(event)]
    assert positions, "a push of new levels sets none"
    return positions[0], len(calls)


class Levels(Conformance):
    """`levels`, `level_batches` and `set_levels`."""

    @on_bench()
    async def test_levels_are_read_as_buyers_see_them(self, bench: ChannelBench) -> None:
        products = [bench.product(stock=stock) for stock in (0, 1, 7, 250)]
        targets = [want.target for want in bench.wants({product.remote_key: 0 for product in products})]
        shown = await bench.connector.levels(targets)
        assert [level.target for level in shown] == targets, "one answer a target, in order"
        assert [level.shown for level in shown] == [0, 1, 7, 250]
        assert all(level.held_aside in (None, 0) for level in shown)
        assert await bench.connector.levels([]) == ()

    @on_bench()
    async def test_a_target_that_does_not_exist_shows_nothing(self, bench: ChannelBench) -> None:
        product = bench.product(stock=5)
        known, unknown = (want.target for want in bench.wants({product.remote_key: 0, stranger(product.remote_key): 0}))
        shown = await bench.connector.levels([unknown, known])
        assert [level.shown for level in shown] == [None, 5]

    @on_bench()
    async def test_listings_are_all_there_once(self, bench: ChannelBench) -> None:
        products = bench.products(120)
        pages = [page async for page in bench.connector.listings()]
        rows = [row for page in pages for row in page]
        assert sorted(row.key for row in rows) == sorted(product.remote_key for product in products)
        by_key = {product.remote_key: product for product in products}
        for row in rows:
            product = by_key[row.key]
            assert (row.seller_sku, row.price) == (product.seller_sku, product.price)
            assert product.remote_key in {target.remote_key for target in row.targets}
            assert row.active
            assert row.managed
            assert not row.problem

    @on_bench()
    async def test_many_levels_are_all_applied(self, bench: ChannelBench) -> None:
        levels = {product.remote_key: 3 + number for number, product in enumerate(bench.products(60))}
        wants = bench.wants(levels)
        batches = bench.connector.level_batches(wants)
        assert sorted(want.key for batch in batches for want in batch) == sorted(want.key for want in wants)
        assert wants.index(batches[0][0]) == 0, "the most urgent want goes first"
        answers = await bench.push(levels)
        assert {answer.outcome for answer in answers.values()} == {PushOutcome.APPLIED}
        bench.check_answers(levels, dict.fromkeys(levels, 100), answers)
        assert bench.connector.level_batches([]) == []

    @on_bench()
    async def test_zero_is_shown_as_nothing_to_buy(self, bench: ChannelBench) -> None:
        if not bench.connector.capabilities.can_show_zero:
            not_offered(bench.connector.capabilities.unsupported.get("level 0", "can_show_zero is declared false"))
        product = bench.product(stock=5)
        answers = await bench.push({product.remote_key: 0}, expected=5)
        bench.check_answers({product.remote_key: 0}, {product.remote_key: 5}, answers)
        assert answers[product.remote_key].outcome is PushOutcome.APPLIED
        assert bench.sim.shown(product.remote_key) == 0
        answers = await bench.push({product.remote_key: 4}, expected=0)
        assert answers[product.remote_key].outcome is PushOutcome.APPLIED
        assert bench.sim.shown(product.remote_key) == 4

    @on_bench()
    async def test_one_bad_listing_does_not_sink_the_others(self, bench: ChannelBench) -> None:
        good = [product.remote_key for product in bench.products(4, stock=9)]
        levels = {good[0]: 1, good[1]: 2, stranger(good[0]): 3, good[2]: 4, good[3]: 5}
        before = dict.fromkeys(good, 9)
        answers = await bench.push(levels)
        bench.check_answers(levels, before, answers)
        assert answers[stranger(good[0])].outcome is PushOutcome.REJECTED
        assert not [key for key in good if answers[key].outcome is PushOutcome.REJECTED], "a good listing was sunk"
        left = {key: levels[key] for key in good if answers[key].outcome is not PushOutcome.APPLIED}
        answers = await bench.push(left) if left else {}
        assert all(answer.outcome is PushOutcome.APPLIED for answer in answers.values())
        assert [bench.sim.shown(key) for key in good] == [1, 2, 4, 5]

    @on_bench()
    async def test_keys_that_are_not_ours_are_rejected_not_crashed(self, bench: ChannelBench) -> None:
        for key in ("", "x", "1:2:3", "-", "abc:def"):
            wants = bench.wants({key: 3})
            try:
                for batch in bench.connector.level_batches(wants):
                    answers = await bench.connector.set_levels(batch)
                    assert [answer.outcome for answer in answers] == [PushOutcome.REJECTED]
            except SellersyncError:
                continue

    @pytest.mark.parametrize("kind", [*LOST, *NEVER_ARRIVED])
    @on_bench()
    async def test_a_lost_answer_is_unclear_and_nothing_is_repeated(self, bench: ChannelBench, kind: FaultKind) -> None:
        keys = [product.remote_key for product in bench.products(2, stock=9)]
        position, usual = await usual_position(bench, dict.fromkeys(keys, 8), Event.LEVEL_SET)
        levels = {keys[0]: 3, keys[1]: 4}
        begun = len(bench.tap.calls)
        bench.sim.faults = [Fault(kind, nth(position))]
        answers = await bench.push(levels)
        assert bench.sim.faults[0].times == 0, "the fault struck nothing"
        spent = bench.tap.calls[begun:]
        assert len(spent) <= usual, "the connector sent something again"
        bench.check_answers(levels, dict.fromkeys(keys, 8), answers)
        outcomes = {answer.outcome for answer in answers.values()}
        assert PushOutcome.REJECTED not in outcomes
        if kind is not FaultKind.PHP_NOTICE:
            assert PushOutcome.UNCLEAR in outcomes
        assert all(answer.why for answer in answers.values() if answer.outcome is PushOutcome.UNCLEAR)
        again = await bench.push(levels)
        assert {answer.outcome for answer in again.values()} == {PushOutcome.APPLIED}

    @pytest.mark.parametrize("kind", [FaultKind.HTTP_429, FaultKind.HTTP_429_DATE])
    @on_bench()
    async def test_too_many_calls_change_nothing(self, bench: ChannelBench, kind: FaultKind) -> None:
        key = bench.product(stock=9).remote_key
        position, _ = await usual_position(bench, {key: 8}, Event.LEVEL_SET)
        bench.sim.faults = [Fault(kind, nth(position), retry_after_s=30)]
        with pytest.raises((RateLimited, Temporary)):
            await bench.push({key: 3})
        assert bench.sim.shown(key) == 8
        await bench.clock.sleep(35)
        assert (await bench.push({key: 3}))[key].outcome is PushOutcome.APPLIED

    @on_bench()
    async def test_nobody_there_changes_nothing(self, bench: ChannelBench) -> None:
        key = bench.product(stock=9).remote_key
        bench.sim.off = True
        with pytest.raises(Temporary):
            await bench.push({key: 3})
        bench.sim.off = False
        assert (await bench.push({key: 3}))[key].outcome is PushOutcome.APPLIED

    @every_damage
    @on_bench()
    async def test_a_damaged_answer_to_a_push_is_never_guessed(self, bench: ChannelBench, harm: Damage) -> None:
        good = [product.remote_key for product in bench.products(2, stock=50)]
        bad = stranger(good[0])
        begun = len(bench.tap.calls)
        await bench.push({good[0]: 40, bad: 3, good[1]: 41})
        calls = list(bench.tap.calls[begun:])
        round_number = 0

        async def run() -> str:
            nonlocal round_number
            round_number += 1
            levels = {good[0]: 40 + round_number, bad: 3, good[1]: 41 + round_number}
            before = {key: bench.sim.shown(key) for key in good}
            answers = await bench.push(levels)
            try:
                bench.check_answers(levels, before, answers)
                assert answers[bad].outcome is not PushOutcome.APPLIED, (
                    "a listing that does not exist was reported as applied"
                )
            except AssertionError as wrong:
                return str(wrong).splitlines()[0]
            return ""

        findings = await each_damage(bench, calls, harm, run)
        assert not findings, "\n".join(findings)

    @on_bench()
    async def test_the_level_survives_a_restart_of_the_connector(self, bench: ChannelBench) -> None:
        key = bench.product(stock=9).remote_key
        await bench.push({key: 6})
        await bench.restart()
        [level] = await bench.connector.levels([TargetKey(key, next(iter(bench.sim.products()[0].shown), ""))])
        assert level.shown == 6
