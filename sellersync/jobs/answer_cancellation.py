"""A person's answer to a request to cancel: committed, sent once, recorded; then the order is read again at once (L9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sellersync.domain.errors import (
    AuthNeeded,
    Held,
    NotSupported,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
    Unrecognised,
)
from sellersync.domain.ids import answer_key
from sellersync.store import cancellations
from sellersync.store.cancellations import AnswerState, PendingRequest

from . import pull_orders
from .world import Shop, World

PULL_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer. `read`: the order was read again afterwards."""

    state: AnswerState
    detail: str
    read: bool


async def run(world: World, shop: Shop, request: PendingRequest, *, accept: bool, who: str) -> Answered:
    """Accept or refuse one request.

    An answer without a reply is `UNCLEAR`: it is not sent again, the next pulls find out what became of it. Raises `NotSupported`
    where the channel takes no answers, `BadInput` when the request does not wait for one, `Temporary`, `RateLimited` and `AuthNeeded`
    when nothing was sent.
    """
    if not shop.channel.capabilities.answers_cancellations:
        raise NotSupported(f"{shop.channel.title} takes no answers from here; answer in its seller centre")
    key = answer_key(world.install_id, shop.id, request.request, "accept" if accept else "reject")
    await world.ledger.write(
        lambda session: cancellations.begin_answer(
            session, request.id, accept=accept, key=key, now_ms=world.ledger.now_ms(), who=who
        ),
        name="answer_sent",
    )
    state, detail = AnswerState.DONE, ""
    try:
        await shop.channel.answer_cancellation(request.order, request.request, accept=accept, key=key)
    except Rejected as refused:
        state, detail = AnswerState.REFUSED, refused.why
    except (Uncertain, Unrecognised) as lost:
        state, detail = AnswerState.UNCLEAR, str(lost)
    except (Temporary, RateLimited, AuthNeeded) as nothing_sent:
        await _end(world, shop, request, AnswerState.NONE, f"nothing was sent: {nothing_sent}")
        raise
    await _end(world, shop, request, state, detail)
    return Answered(state, detail, await _read_again(world, shop, request))


async def _end(world: World, shop: Shop, request: PendingRequest, state: AnswerState, detail: str) -> None:
    await world.ledger.write(
        partial(
            cancellations.end_answer,
            channel_id=shop.id,
            request_id=request.id,
            outcome=state,
            detail=detail,
            now_ms=world.ledger.now_ms(),
        ),
        name="answer_ended",
    )


async def _read_again(world: World, shop: Shop, request: PendingRequest) -> bool:
    """The next pull would read it too; now the stock and the booking hear of it at once."""
    try:
        run = await pull_orders.run(world, shop, wait_s=PULL_WAIT_S, force=True, also=[request.order])
    except Held:
        return False
    return run is not None and run.ok
