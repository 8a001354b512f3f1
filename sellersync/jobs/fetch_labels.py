"""Labels of marketplace parcels: fetched once the courier is booked, stored sealed, so that printing waits for nobody.

A label that is still being made is asked for again by the next run; one that the channel refuses becomes a finding and rests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from sellersync.connector.contract import Label
from sellersync.domain.errors import Rejected, Temporary
from sellersync.domain.parcels import RemoteParcel
from sellersync.store import labels

from .world import Run, Shop, World, paused, running

JOB = "fetch_labels"
LABELS_A_RUN_MAX = 20
"""Labels share the channel's rate with orders and stock levels, which are more urgent."""
NOT_YET_MAX = 5
"""So many in a row that are not ready, and the channel is left alone until the next run."""
REFUSED_AGAIN_MS = 3_600_000
LABEL_BYTES_MAX = 10 * 1024 * 1024


def offers_labels(shop: Shop) -> bool:
    """Does this channel carry its parcels itself and deliver their labels?"""
    return shop.channel.capabilities.labels and not shop.channel.capabilities.own_site


async def run(
    world: World,
    shop: Shop,
    *,
    wait_s: float = 0.0,
    force: bool = False,
    parcel_ids: Sequence[int] | None = None,
    each: Callable[[int, str], None] = lambda parcel_id, why: None,
) -> Run | None:
    """Fetch the missing labels of one channel: all that are due, or just `parcel_ids`. `each` is told of every parcel that was
    looked at, with the reason why there is no label yet ("" when there is).

    `None` when the channel is backing off (unless `force`).
    """
    if not offers_labels(shop) or (not force and await paused(world, shop.id)):
        return None
    async with running(world, JOB, shop.id, shop.slug, wait_s=wait_s) as run:
        due = await world.ledger.read(
            partial(
                labels.labels_to_fetch,
                channel_id=shop.id,
                now_ms=world.ledger.now_ms(),
                again_ms=REFUSED_AGAIN_MS,
                limit=LABELS_A_RUN_MAX if parcel_ids is None else len(parcel_ids),
                parcel_ids=parcel_ids,
            )
        )
        not_yet = 0
        for parcel_id, number, remote in due:
            try:
                label = await shop.channel.label(remote)
            except Temporary as unready:
                each(parcel_id, unready.why)
                run.count("not_yet")
                not_yet += 1
                if not_yet >= NOT_YET_MAX:
                    break
                continue
            except Rejected as refused:
                each(parcel_id, refused.why)
                await _refuse(world, parcel_id, remote, refused.why, run)
                continue
            not_yet = 0
            each(parcel_id, "")
            await _keep(world, parcel_id, number, remote, label, run)
        await world.ledger.write(
            lambda session: labels.close_settled_refusals(session, now_ms=world.ledger.now_ms()), name="labels_tidied"
        )
    return run


async def _keep(world: World, parcel_id: int, number: str, remote: RemoteParcel, label: Label, run: Run) -> None:
    if not 0 < len(label.content) <= LABEL_BYTES_MAX:
        await _refuse(world, parcel_id, remote, f"the label has {len(label.content)} bytes", run)
        return
    await world.ledger.write(
        lambda session: labels.keep_label(
            session,
            parcel_id,
            number,
            label.content,
            label.media_type,
            kind=labels.CHANNEL,
            vault=world.ledger.vault,
            now_ms=world.ledger.now_ms(),
        ),
        name="label",
    )
    run.count("labels")


async def _refuse(world: World, parcel_id: int, remote: RemoteParcel, why: str, run: Run) -> None:
    run.count("refused")
    await world.ledger.write(
        lambda session: labels.note_label_refused(
            session, parcel_id, remote.order_ids[0], why, now_ms=world.ledger.now_ms()
        ),
        name="label_refused",
    )
