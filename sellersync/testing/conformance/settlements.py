"""Settlements in: what the provider paid out or kept, order by order, exact to the rupiah.

A simulator whose connector declares `Stream.SETTLEMENTS` has three hands more, those of `SettlingSimulator`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import httpx
import pytest

from sellersync.connector.contract import Mark, Page, Settlement, Stream
from sellersync.domain.settlements import UNEXPLAINED
from sellersync.sandbox.kit import NoHand
from sellersync.testing.virtual import START

from . import damage
from .base import Conformance, not_offered, on_bench
from .bench import ChannelBench
from .damage import Damage, each_damage
from .messy import every_damage, told
from .money import respelled
from .tap import json_of, mapped, rebuilt
from .walks import DAY_S, check_closes

SHOWN_AFTER_S_MAX = 2 * DAY_S
"""Longest time until a settlement stands in the provider's lists (daily statements)."""
RESPELLED_MIN = 1_000
"""Smaller amounts might be counts or sizes: they are left alone where amounts are written in another way."""


@runtime_checkable
class SettlingSimulator(Protocol):
    """Hands beside those of `MarketplaceSimulator`. No request is involved; what they do may show up to `SHOWN_AFTER_S_MAX` later."""

    def settle_order(self, order_id: str) -> None:
        """The provider settles a paid order, whatever steps that takes (shipped, delivered, completed), with fees of its own."""
        ...

    def correct_settlement(self, order_id: str, amount: int) -> None:
        """The provider pays `amount` rupiah more for a settled order, or takes it back (negative): as its wire shows it, in the
        settlement that is there or in one of its own."""
        ...

    def settlements(self) -> Mapping[str, tuple[str, int]]:
        """The provider's books: remote id of each settlement, as the connector names it -> (order id, net in rupiah)."""
        ...


def settling(bench: ChannelBench) -> SettlingSimulator:
    """The simulator's hands, or the test is left out with the reason."""
    declared = bench.connector.capabilities
    if Stream.SETTLEMENTS not in declared.streams:
        not_offered(declared.unsupported.get("settlements", "it tells no settlements"))
    if not isinstance(bench.sim, SettlingSimulator):
        raise NoHand("settling orders")
    return bench.sim


async def settled_shop(bench: ChannelBench) -> list[str]:
    """Three settled orders, one of them corrected, and one that is not settled yet."""
    sim = settling(bench)
    first, second = bench.products(2)
    placed = [
        bench.sim.place_order([(first.remote_key, 2), (second.remote_key, 1)]),
        bench.sim.place_order([(second.remote_key, 1)]),
        bench.sim.place_order([(first.remote_key, 3)]),
    ]
    bench.sim.place_order([(first.remote_key, 1)])
    for order_id in placed:
        await bench.clock.sleep(60)
        sim.settle_order(order_id)
    await bench.clock.sleep(3_600)
    sim.correct_settlement(placed[0], -1_750)
    await bench.clock.sleep(SHOWN_AFTER_S_MAX)
    return placed


def settlements_in(pages: Iterable[Page]) -> list[Settlement]:
    """All settlement rows, in the order in which they came."""
    return [row for page in pages for row in page.rows if isinstance(row, Settlement)]


def newest(pages: Iterable[Page]) -> dict[str, Settlement]:
    """The last version of each settlement that a walk delivered."""
    return {row.remote_id: row for row in settlements_in(pages)}


def books(rows: Mapping[str, Settlement]) -> dict[str, tuple[str, int]]:
    """Rows as the simulator keeps them."""
    return {key: (row.order_id, row.net) for key, row in rows.items()}


def judge(
    truth: Mapping[str, Settlement], found: Mapping[str, Settlement], sentences: Sequence[str], *, exact: bool = False
) -> str:
    """What is wrong with settlements from damaged replies: one may be told as unreadable or explain less, never say another sum.

    `exact`: the damage left the meaning alone.
    """
    if set(found) - set(truth):
        return f"settlements that do not exist: {sorted(set(found) - set(truth))}"
    for key, true in truth.items():
        row = found.get(key)
        if row is None:
            if not sentences:
                return f"settlement {key} is lost in silence"
            continue
        if row.net != true.net or row.settled_at != true.settled_at or row.order_id not in ("", true.order_id):
            return f"settlement {key} became {row.order_id} {row.net} {row.settled_at}"
        if sum(amount for _, amount in row.parts) != row.net:
            return f"the parts of {key} do not sum to its net"
        wrong = set(row.parts) - set(true.parts)
        if exact and wrong:
            return f"parts {true.parts} became {row.parts}"
        known = {name for name, _ in true.parts} - {UNEXPLAINED}
        if any(name in known for name, _ in wrong):
            return f"parts {true.parts} became {row.parts}"
    return ""


class Settlements(Conformance):
    """`pages` of the stream of settlements."""

    @on_bench()
    async def test_settled_orders_arrive_exactly_once_with_the_providers_net(
        self, bench: ChannelBench, many: int
    ) -> None:
        sim = settling(bench)
        product = bench.product(stock=3 * many)
        placed = [bench.sim.place_order([(product.remote_key, 1 + number % 2)]) for number in range(many)]
        await bench.clock.sleep(60)
        for order_id in placed[1:]:
            sim.settle_order(order_id)
        await bench.clock.sleep(SHOWN_AFTER_S_MAX)
        pages = await bench.walk(stream=Stream.SETTLEMENTS)
        rows = settlements_in(pages)
        assert sorted((row.remote_id, (row.order_id, row.net)) for row in rows) == sorted(sim.settlements().items())
        assert {row.order_id for row in rows} == set(placed[1:]), "orders that are not settled are no rows"
        assert len(settlements_in(pages)) == len([row for page in pages for row in page.rows]), "rows of another kind"
        assert not told(pages)
        check_closes(pages, START, bench.clock.now())

    @on_bench()
    async def test_the_parts_of_a_settlement_sum_to_its_net(self, bench: ChannelBench) -> None:
        await settled_shop(bench)
        rows = newest(await bench.walk(stream=Stream.SETTLEMENTS))
        assert books(rows) == settling(bench).settlements()
        for row in rows.values():
            assert type(row.net) is int
            assert row.settled_at.tzinfo is not None
            assert START < row.settled_at <= bench.clock.now()
            assert sum(amount for _, amount in row.parts) == row.net, row
            names = [name for name, _ in row.parts]
            assert len(names) == len(set(names)), "a name stands for one part"
            assert all(type(amount) is int and name for name, amount in row.parts)
        explained = [row for row in rows.values() if row.parts and UNEXPLAINED not in dict(row.parts)]
        assert explained, "no settlement is explained by its parts"

    @on_bench()
    async def test_resuming_from_any_mark_loses_no_settlement(self, bench: ChannelBench, many: int) -> None:
        """The process dies after a page was committed; the provider goes on settling."""
        sim = settling(bench)
        product = bench.product(stock=2 * many)
        placed = [bench.sim.place_order([(product.remote_key, 1)]) for _ in range(many)]
        later = placed[-6:]
        for number, order_id in enumerate(placed[:-6]):
            sim.settle_order(order_id)
            await bench.clock.sleep(4 * 3600.0 * (number % 9 == 0))
        await bench.clock.sleep(SHOWN_AFTER_S_MAX)
        for cut in range(len(later)):
            pages: list[Page] = []
            mark = Mark(START)
            async for page in bench.connector.pages(Stream.SETTLEMENTS, mark):
                pages.append(page)
                mark = Mark(mark.at, page.progress) if page.closes is None else Mark(page.closes)
                if len(pages) > cut:
                    break
            await bench.restart()
            sim.settle_order(later[cut])
            await bench.clock.sleep(SHOWN_AFTER_S_MAX)
            bench.tokens.consent(bench.sim.first_grant())  # authorisations of two weeks end meanwhile
            rest = await bench.walk(mark.at, Stream.SETTLEMENTS, mark.progress)
            assert books(newest([*pages, *rest])) == sim.settlements(), f"lost after a crash behind page {cut + 1}"

    @on_bench()
    async def test_a_later_change_of_a_settlement_arrives(self, bench: ChannelBench) -> None:
        """A refund, a fee corrected: days after the order was settled and read."""
        sim = settling(bench)
        product = bench.product()
        placed = [bench.sim.place_order([(product.remote_key, 1)]) for _ in range(3)]
        await bench.clock.sleep(60)
        for order_id in placed:
            sim.settle_order(order_id)
        await bench.clock.sleep(SHOWN_AFTER_S_MAX)
        pages = await bench.walk(stream=Stream.SETTLEMENTS)
        assert books(newest(pages)) == sim.settlements()
        before = sum(row.net for row in newest(pages).values())
        for amount in (-2_500, 12_000):
            await bench.clock.sleep(3 * DAY_S)
            sim.correct_settlement(placed[1], amount)
            await bench.clock.sleep(SHOWN_AFTER_S_MAX)
            closed = pages[-1].closes
            assert closed is not None
            pages += await bench.walk(closed, Stream.SETTLEMENTS)
            assert books(newest(pages)) == sim.settlements()
        rows = newest(pages).values()
        assert sum(row.net for row in rows) == before + 9_500
        assert all(sum(amount for _, amount in row.parts) == row.net for row in rows)
        assert {row.order_id for row in rows} == set(placed)

    @on_bench()
    async def test_a_pause_of_forty_days_loses_no_settlement(self, bench: ChannelBench) -> None:
        sim = settling(bench)
        product = bench.product()
        for day in range(40):
            if day % 4 == 0:
                sim.settle_order(bench.sim.place_order([(product.remote_key, 1)]))
            await bench.clock.sleep(DAY_S)
        bench.tokens.consent(bench.sim.first_grant())  # what was authorised before the pause may have ended
        pages = await bench.walk(stream=Stream.SETTLEMENTS)
        assert books(newest(pages)) == sim.settlements()
        check_closes(pages, START, bench.clock.now())

    @on_bench()
    async def test_one_unreadable_settlement_sinks_no_other(self, bench: ChannelBench) -> None:
        placed = await settled_shop(bench)
        truth = newest(await bench.walk(stream=Stream.SETTLEMENTS))
        bad = placed[1]
        await bench.restart()

        def edit(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            def change(path: Any, value: Any) -> Any:
                if not (isinstance(value, Mapping) and bad in {str(cell) for cell in value.values()}):
                    return value
                return {key: cell if str(cell) == bad else {"torn": [1]} for key, cell in value.items()}

            value = json_of(response)
            return response if value is None else rebuilt(response, mapped(value, change))

        bench.tap.edits = [edit]
        pages = await bench.walk(stream=Stream.SETTLEMENTS)
        assert newest(pages) == {key: row for key, row in truth.items() if row.order_id != bad}
        assert [sentence for sentence in told(pages) if bad in sentence], "an unreadable settlement is lost in silence"

    @every_damage
    @on_bench()
    async def test_a_damaged_settlement_is_never_guessed(self, bench: ChannelBench, harm: Damage) -> None:
        await settled_shop(bench)
        begun = len(bench.tap.calls)
        truth = newest(await bench.walk(stream=Stream.SETTLEMENTS))
        calls = bench.tap.calls[begun:]

        async def run() -> str:
            pages = await bench.walk(stream=Stream.SETTLEMENTS)
            return judge(truth, newest(pages), told(pages), exact=harm in damage.HARMLESS)

        findings = await each_damage(bench, calls, harm, run)
        assert not findings, "\n".join(findings)

    @pytest.mark.parametrize(
        "spell",
        [
            pytest.param(lambda number: f"{number}.00", id="text_with_cents"),
            pytest.param(lambda number: float(number), id="float"),
            pytest.param(lambda number: f" {number} ", id="blanks"),
        ],
    )
    @on_bench()
    async def test_settled_amounts_are_the_same_in_every_spelling(
        self, bench: ChannelBench, spell: Callable[[int], Any]
    ) -> None:
        truth = await self._amounts(bench)
        bench.tap.edits = [respelled(_numbers(truth), spell)]
        assert newest(await bench.walk(stream=Stream.SETTLEMENTS)) == truth

    @pytest.mark.parametrize(
        "spell",
        [
            pytest.param(lambda number: f"{number}.50", id="text_with_half_a_rupiah"),
            pytest.param(lambda number: number + 0.25, id="fraction"),
            pytest.param(lambda number: f"{number // 1000}.{number % 1000:03}", id="indonesian_thousands"),
            pytest.param(lambda number: f"Rp{number}", id="currency_sign"),
            pytest.param(lambda number: float("nan"), id="not_a_number"),
        ],
    )
    @on_bench()
    async def test_a_settled_amount_that_is_not_whole_is_never_rounded(
        self, bench: ChannelBench, spell: Callable[[int], Any]
    ) -> None:
        truth = await self._amounts(bench)
        bench.tap.edits = [respelled(_numbers(truth), spell)]
        pages = await bench.walk(stream=Stream.SETTLEMENTS)
        assert not judge(truth, newest(pages), told(pages))
        rounded = [row for row in newest(pages).values() if abs(row.net) >= RESPELLED_MIN]
        assert not rounded, "a sum that is not whole was taken for one that is"

    @on_bench()
    async def test_settlements_hold_in_every_position(self, bench: ChannelBench, switches: dict[str, Any]) -> None:
        await settled_shop(bench)
        rows = newest(await bench.walk(stream=Stream.SETTLEMENTS))
        assert books(rows) == settling(bench).settlements()
        for row in rows.values():
            assert UNEXPLAINED not in dict(row.parts), "the provider's own rows explain it"
            assert sum(amount for _, amount in row.parts) == row.net

    async def _amounts(self, bench: ChannelBench) -> dict[str, Settlement]:
        await settled_shop(bench)
        truth = newest(await bench.walk(stream=Stream.SETTLEMENTS))
        assert _numbers(truth), "settlements without any amount"
        await bench.restart()
        return truth


def _numbers(rows: Mapping[str, Settlement]) -> set[int]:
    """Every amount of some size, with both signs: costs are shown either way."""
    amounts = {abs(amount) for row in rows.values() for amount in (row.net, *(part for _, part in row.parts))}
    return {sign * amount for amount in amounts if amount >= RESPELLED_MIN for sign in (1, -1)}
