"""A first count from what a channel shows: its number, the units of its open orders that the number leaves out and that still lie on
the shelf, and its campaign stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sellersync.app import App
from sellersync.domain.errors import Temporary
from sellersync.domain.listings import ShownLevel, TargetKey
from sellersync.domain.times import to_epoch_ms
from sellersync.jobs import pull_orders
from sellersync.jobs.world import Shop
from sellersync.store import reads_stock
from sellersync.store.reads_stock import CountableTarget
from sellersync.store.stock import CountEntry

TURN_S_MAX = 60.0
TARGETS_MAX = 200
ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """What a channel's numbers say about the shelf at `at_ms`. `silent`: targets that tell of no single SKU; `unclear`: SKUs whose
    listings show different numbers."""

    entries: tuple[CountEntry, ...]
    at_ms: int
    silent: tuple[str, ...]
    unclear: tuple[str, ...]


async def read_channel(app: App, shop: Shop) -> ChannelCount:
    """Read the channel's numbers between two pulls of its orders that bring nothing new, so that both are of one moment.

    Raises `Temporary` when the channel cannot be read or sells too fast.
    """
    await _pull(app, shop)
    for _ in range(ATTEMPTS_MAX):
        targets, silent = await app.ledger.read(lambda session: reads_stock.countable_targets(session, shop.id))
        levels = await _levels(shop, [target.key for target in targets])
        if not await _pull(app, shop):
            at_ms = min((to_epoch_ms(level.read_started_at) for level in levels.values()), default=app.ledger.now_ms())
            return _counted(targets, silent, levels, at_ms)
    raise Temporary(f"{shop.slug} sells while it is read; run the command again at a quiet hour")


async def _pull(app: App, shop: Shop) -> bool:
    """Pull the orders; did anything change?"""
    run = await pull_orders.run(app.world, shop, wait_s=TURN_S_MAX, force=True)
    if run is None or not run.ok:
        raise Temporary(f"{shop.slug} cannot be read now: {run.error if run else 'it is backing off'}")
    return any(run.counts.get(name) for name in ("new", "changed", "movements"))


async def _levels(shop: Shop, keys: Sequence[TargetKey]) -> dict[TargetKey, ShownLevel]:
    levels: dict[TargetKey, ShownLevel] = {}
    for start in range(0, len(keys), TARGETS_MAX):
        for level in await shop.channel.levels(keys[start : start + TARGETS_MAX]):
            levels[level.target] = level
    return levels


def _counted(
    targets: Sequence[CountableTarget], silent: Sequence[str], levels: dict[TargetKey, ShownLevel], at_ms: int
) -> ChannelCount:
    mute = set(silent)
    numbers: dict[tuple[int, int], set[int]] = {}
    for target in targets:
        level = levels.get(target.key)
        if level is None or level.shown is None:
            mute.add(target.key.remote_key)
            continue
        # A pot that cannot be read counts as none: a count that is too low sells too little, never too much.
        number = level.shown + target.held_by_orders + (level.held_aside or 0)
        numbers.setdefault((target.sku_id, target.warehouse_id), set()).add(number)
    codes = {target.sku_id: target.sku for target in targets}
    return ChannelCount(
        tuple(CountEntry(*key, found.pop()) for key, found in numbers.items() if len(found) == 1),
        at_ms,
        tuple(sorted(mute)),
        tuple(sorted(codes[key[0]] for key, found in numbers.items() if len(found) > 1)),
    )
