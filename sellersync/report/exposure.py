"""How long other channels showed too high a number after a sale, as the ledger knows it: pure arithmetic on what was read.

From the moment an order is placed on one channel until another channel accepts a level that includes it, that other channel may sell
the same unit again. The judge of the truth is the marketplace; the ledger knows the moments that passed through it, which is what
staff can act on day by day.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .model import Latency


@dataclass(frozen=True, slots=True)
class Sale:
    """Units of one SKU leave the shelf because of one order; times in unix milliseconds, `version` is its movement's id."""

    order_id: int
    channel_id: int
    sku_id: int
    placed_ms: int
    seen_ms: int
    moved_ms: int
    version: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A level sent to a target; it includes every movement up to `version`."""

    target_id: int
    version: int
    sent_ms: int
    answered_ms: int | None
    applied: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """What one order took. `what`: heard | posted | accepted | exposed | waiting | not_needed; `channel_id` is the channel that heard of
    it, or had to; `ms` is 0 where nothing was measured."""

    what: str
    channel_id: int
    order_id: int
    ms: int


@dataclass(slots=True)
class Measured:
    """Milliseconds, one per order: placed until seen (by selling channel), seen until posted; and one per order and other channel:
    posted until accepted, and placed until accepted (by the channel that had to learn of it)."""

    seen: dict[int, list[int]] = field(default_factory=dict)
    posted: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    exposed: dict[int, list[int]] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    not_needed: int = 0
    """Orders times other channels whose number did not have to change."""
    samples: list[Sample] = field(default_factory=list)
    """All of the above, one by one."""


def measure(
    sales: Sequence[Sale],
    targets: Mapping[int, Sequence[tuple[int, int]]],
    sent: Iterable[Sent],
    complete_runs: Mapping[int, Sequence[tuple[int, int]]],
    ready_since_ms: Mapping[int, int | None],
) -> Measured:
    """Measure every order against every other channel that sells one of its SKUs.

    `targets`: SKU id -> (target id, channel id). `complete_runs`: channel id -> (started, ended) of push runs that left nothing waiting.
    `ready_since_ms`: since when levels are sent to a channel at all; orders placed before are no sample there.
    """
    by_target: dict[int, list[Sent]] = {}
    for one in sent:
        by_target.setdefault(one.target_id, []).append(one)
    measured = Measured()
    by_order: dict[int, list[Sale]] = {}
    for sale in sales:
        by_order.setdefault(sale.order_id, []).append(sale)
    for parts in by_order.values():
        first = parts[0]
        moved_ms = max(part.moved_ms for part in parts)
        heard, posted = max(first.seen_ms - first.placed_ms, 0), max(moved_ms - first.seen_ms, 0)
        measured.seen.setdefault(first.channel_id, []).append(heard)
        measured.posted.append(posted)
        measured.samples.append(Sample("heard", first.channel_id, first.order_id, heard))
        measured.samples.append(Sample("posted", first.channel_id, first.order_id, posted))
        numbers: dict[int, list[tuple[Sale, int]]] = {}
        for part in parts:
            for target_id, channel_id in targets.get(part.sku_id, ()):
                ready = ready_since_ms.get(channel_id)
                if channel_id != first.channel_id and ready is not None and ready <= first.placed_ms:
                    numbers.setdefault(channel_id, []).append((part, target_id))
        for channel_id, wanted in numbers.items():
            ends = [
                _accepted(by_target.get(target, ()), part, complete_runs.get(channel_id, ())) for part, target in wanted
            ]
            _count(measured, channel_id, first, moved_ms, ends)
    return measured


def _count(measured: Measured, channel_id: int, sale: Sale, moved_ms: int, ends: Sequence[int | None]) -> None:
    needed = [end for end in ends if end != NOT_NEEDED]
    if not needed:
        measured.not_needed += 1
        measured.samples.append(Sample("not_needed", channel_id, sale.order_id, 0))
        return
    known = [end for end in needed if end is not None]
    if len(known) < len(needed):
        measured.waiting[channel_id] = measured.waiting.get(channel_id, 0) + 1
        measured.samples.append(Sample("waiting", channel_id, sale.order_id, 0))
        return
    exposed, accepted = max(max(known) - sale.placed_ms, 0), max(max(known) - moved_ms, 0)
    measured.exposed.setdefault(channel_id, []).append(exposed)
    measured.accepted.append(accepted)
    measured.samples.append(Sample("exposed", channel_id, sale.order_id, exposed))
    measured.samples.append(Sample("accepted", channel_id, sale.order_id, accepted))


NOT_NEEDED = -1


def _accepted(sent: Sequence[Sent], sale: Sale, runs: Sequence[tuple[int, int]]) -> int | None:
    """When a target's number first included the sale; `NOT_NEEDED` when it did not have to change, `None` while nobody knows.

    The first complete push run after the posting brings every number to what it should be: what it did not send needed no sending.
    """
    including = [one for one in sent if one.version >= sale.version]
    applied = min((one.answered_ms for one in including if one.applied and one.answered_ms is not None), default=None)
    place = bisect_left(runs, (sale.moved_ms, 0))
    checked = runs[place][1] if place < len(runs) else None
    if checked is None or (applied is not None and applied <= checked):
        return applied
    tried = any(one.sent_ms <= checked for one in including)
    return applied if tried else NOT_NEEDED


def latency(samples: Iterable[int], waiting: int = 0) -> Latency:
    """Percentiles by nearest rank; `None` without samples."""
    ordered = sorted(samples)
    if not ordered:
        return Latency(None, None, None, 0, waiting)
    return Latency(_rank(ordered, 50), _rank(ordered, 95), ordered[-1], len(ordered), waiting)


def _rank(ordered: Sequence[int], percent: int) -> int:
    return ordered[max(1, -(-len(ordered) * percent // 100)) - 1]
