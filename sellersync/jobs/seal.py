"""The sealer: links new movements into the hash chain, so that a later change in the file is noticed. One sealer at a time."""

from __future__ import annotations

from functools import partial

from sellersync.domain.errors import Held
from sellersync.store import seals, work

from .world import World

JOB = "seal"
SETTLE_MS = 2_000
LEASE_MS = 60_000


async def run(world: World, *, settle_ms: int = SETTLE_MS) -> int:
    """Seal what was recorded more than `settle_ms` ago. Returns how many movements; 0 when another process seals."""
    ledger = world.ledger
    try:
        lease = await ledger.write(
            lambda session: work.take_lease(session, JOB, world.owner, now_ms=ledger.now_ms(), ttl_ms=LEASE_MS),
            name="seal_lease",
        )
    except Held:
        return 0
    total = 0
    try:
        while True:
            now_ms = ledger.now_ms()
            sealed = await ledger.write(
                partial(seals.seal_movements, now_ms=now_ms, settled_before_ms=now_ms - settle_ms), name="seal"
            )
            total += sealed
            if sealed < seals.BATCH_ROWS_MAX:
                return total
    finally:
        await ledger.write(partial(work.release_lease, lease=lease), name="seal_release")
