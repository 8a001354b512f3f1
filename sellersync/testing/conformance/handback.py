"""Waybills handed back: the own site shows the one of our booking, and its buyer is mailed about it exactly once.

A simulator whose connector declares `hands_back` has two hands more, those of `HandBackSimulator`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import pytest

from sellersync.domain.errors import RejectClass, Rejected, SellersyncError, Temporary, Uncertain
from sellersync.sandbox.kit import Fault, FaultKind, NoHand

from .base import Conformance, not_offered, on_bench
from .bench import ChannelBench, build_bench
from .damage import Damage, damaging, spots
from .faults import nth
from .levels import LOST, NEVER_ARRIVED, stranger
from .messy import every_damage

COURIER, NOTE = "JNE", "Paket Anda dikirim"
REPEATS_MAX = 3
AGAIN_S = 600.0
"""How long the core waits at least before it hands the same waybill back again."""


@runtime_checkable
class HandBackSimulator(Protocol):
    """Hands beside those of `MarketplaceSimulator`."""

    def shown_waybills(self, order_id: str) -> Sequence[str]:
        """The waybills that the site shows for an order now."""
        ...

    def waybill_mails(self, order_id: str) -> Sequence[str]:
        """What the buyer was mailed about the shipping of an order, oldest first: each text, or the waybill that it is about."""
        ...


def handing_back(bench: ChannelBench) -> HandBackSimulator:
    """The simulator's hands, or the test is left out with the reason."""
    can = bench.connector.capabilities
    if not can.hands_back:
        why = "its parcels have the provider's own waybills" if can.arranges else "hands_back is declared false"
        not_offered(can.unsupported.get("waybills", why))
    if not isinstance(bench.sim, HandBackSimulator):
        raise NoHand("telling which waybills are shown and mailed")
    return bench.sim


async def handed_back(bench: ChannelBench, order_id: str, waybill: str, *, note: str = NOTE) -> None:
    """Hand a waybill back as the core does: again later for as long as it may not have arrived."""
    for _ in range(REPEATS_MAX):
        try:
            await bench.connector.hand_back(order_id, waybill, COURIER, note)
        except (Uncertain, Temporary):
            await bench.clock.sleep(AGAIN_S)
            continue
        return
    raise AssertionError(f"the waybill could not be handed back in {REPEATS_MAX} attempts")


def check_told_once(sim: HandBackSimulator, order_id: str, waybill: str) -> str:
    """What is wrong with a waybill that was handed back ("" is nothing)."""
    shown, mails = list(sim.shown_waybills(order_id)), list(sim.waybill_mails(order_id))
    if shown != [waybill]:
        return f"the site shows {shown}, not {waybill}"
    if len(mails) != 1 or waybill not in mails[0]:
        return f"the buyer was mailed {mails}, not once about {waybill}"
    return ""


class HandBack(Conformance):
    """`hand_back`."""

    @on_bench()
    async def test_a_waybill_that_is_handed_back_again_is_told_once(self, bench: ChannelBench) -> None:
        sim = handing_back(bench)
        orders = [await bench.ready_order() for _ in range(2)]
        for number, order in enumerate(orders):
            for _ in range(REPEATS_MAX):
                await bench.connector.hand_back(order.remote_id, f"JNE000{number}", COURIER, NOTE)
                await bench.restart()
        for number, order in enumerate(orders):
            assert not check_told_once(sim, order.remote_id, f"JNE000{number}")

    @on_bench()
    async def test_without_a_note_nobody_is_mailed(self, bench: ChannelBench) -> None:
        sim = handing_back(bench)
        order = await bench.ready_order()
        await bench.connector.hand_back(order.remote_id, "JNE0001", "")
        assert list(sim.shown_waybills(order.remote_id)) == ["JNE0001"]
        assert not sim.waybill_mails(order.remote_id)

    @pytest.mark.parametrize("kind", [*LOST, *NEVER_ARRIVED])
    @on_bench()
    async def test_a_waybill_with_a_lost_answer_is_told_once(self, bench: ChannelBench, kind: FaultKind) -> None:
        """A fault at each call in turn, then the same waybill again."""
        sim = handing_back(bench)
        begun = len(bench.tap.calls)
        await handed_back(bench, (await bench.ready_order()).remote_id, "JNE0000")
        for position in range(len(bench.tap.calls) - begun):
            order_id = (await bench.ready_order()).remote_id
            bench.sim.faults = [Fault(kind, nth(position))]
            await handed_back(bench, order_id, f"JNE100{position}")
            bench.sim.faults = []
            complaint = check_told_once(sim, order_id, f"JNE100{position}")
            assert not complaint, f"{kind} at call {position}: {complaint}"

    @on_bench()
    async def test_a_waybill_for_an_unknown_order_is_rejected(self, bench: ChannelBench) -> None:
        sim = handing_back(bench)
        order = await bench.ready_order()
        for order_id in (stranger(order.remote_id), "no such order"):
            with pytest.raises(Rejected) as refused:
                await bench.connector.hand_back(order_id, "JNE0001", COURIER, NOTE)
            assert refused.value.reject is RejectClass.UNKNOWN_ORDER
        assert not sim.shown_waybills(order.remote_id)
        assert not sim.waybill_mails(order.remote_id)

    @every_damage
    @on_bench()
    async def test_a_damaged_answer_to_a_waybill_tells_nobody_twice(self, bench: ChannelBench, harm: Damage) -> None:
        """Each field of each answer damaged in turn, each time in a fresh shop; then the same waybill again."""
        handing_back(bench)
        order = await bench.ready_order()
        begun = len(bench.tap.calls)
        await handed_back(bench, order.remote_id, "JNE0001")
        findings = []
        for spot in spots(bench.tap.calls[begun:], harm, bench.sim.OMITS_WHEN_EMPTY):
            fresh = build_bench(ChannelBench, self.provider, settings=self.settings)
            try:
                order = await fresh.ready_order()
                fresh.tap.edits = [damaging(spot, harm)]
                complaint = await self._attempt(fresh, order.remote_id)
                fresh.tap.edits = []
                await handed_back(fresh, order.remote_id, "JNE0001")
                complaint = complaint or check_told_once(handing_back(fresh), order.remote_id, "JNE0001")
            finally:
                await fresh.wire.close()
            if complaint:
                findings.append(f"{harm.__name__} at {spot}: {complaint}")
        assert not findings, "\n".join(findings)

    async def _attempt(self, bench: ChannelBench, order_id: str) -> str:
        """A null may say that there is no such order; no other damage is a refusal: the core would give the waybill up."""
        try:
            await bench.connector.hand_back(order_id, "JNE0001", COURIER, NOTE)
        except Rejected as refused:
            return "" if refused.reject is RejectClass.UNKNOWN_ORDER else f"became a refusal: {refused}"
        except SellersyncError:
            return ""
        except Exception as bug:
            return f"crashes: {type(bug).__name__}: {bug}"
        return ""

    @on_bench()
    async def test_waybills_hold_in_every_position(self, bench: ChannelBench, switches: dict[str, Any]) -> None:
        sim = handing_back(bench)
        order = await bench.ready_order()
        for _ in range(2):
            await handed_back(bench, order.remote_id, "JNE0001")
        assert not check_told_once(sim, order.remote_id, "JNE0001")
        assert (await bench.order(order.remote_id)).lines[0].units, "the order is still read"
