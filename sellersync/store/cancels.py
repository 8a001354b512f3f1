"""Cancelling a booking: the wish is committed first, the call is noted before it is sent, and units are free once the courier proves it.

`parcel.cancel` goes asked -> sent -> done, pending (the courier decides later) or refused. A call without an answer stays sent until
the booking was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.errors import BadInput
from sellersync.domain.parcels import ParcelState, RemoteParcel

from .findings import close_finding, raise_finding
from .parcels import FREE_UNITS, update_parcel
from .posting import in_list

CANCELLABLE = (ParcelState.BOOKED, ParcelState.PROBLEM, ParcelState.UNKNOWN, ParcelState.PICKUP_RETRY)
NOT_BOOKED = (ParcelState.WAITING, ParcelState.READY, ParcelState.PACKED)
DETAIL_LENGTH_MAX = 300
PENDING_MS_MAX = 50 * 3_600_000
"""The longest queue of a courier that we know (KiriminAja: 48 hours), and some patience."""
FAILED_MAX = 3
"""After so many bookings that a courier gave up before the pickup, an order waits for a person."""


@dataclass(frozen=True, slots=True)
class BookedParcel:
    """A parcel as the commands that cancel and book it need it. `courier` is the account's slug, "" for the marketplace's own."""

    parcel_id: int
    channel_id: int
    channel: str
    order_id: int
    order: str
    number: int
    state: ParcelState
    remote_id: str
    waybill: str
    courier_channel_id: int | None
    courier: str
    cancel: str
    cancel_ms: int
    cancel_detail: str
    cancel_sends: int
    rebook: bool
    claimed: bool

    @property
    def name(self) -> str:
        return f"{self.order}/{self.number}"


_PARCELS = (
    "SELECT parcel.*, channel.slug, COALESCE(courier.slug, '') AS courier_slug, sales_order.remote_id AS order_remote_id, "
    "EXISTS (SELECT 1 FROM claim WHERE claim.parcel_id = parcel.id AND claim.state IN ('open', 'person')) AS claimed "
    "FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id JOIN channel ON channel.id = parcel.channel_id "
    "LEFT JOIN channel AS courier ON courier.id = parcel.courier_channel_id "
)


def parcels_of_orders(session: Session, order_ids: Sequence[int]) -> list[BookedParcel]:
    """All parcels of these orders, oldest first."""
    if not order_ids:
        return []
    rows = session.execute(text(f"{_PARCELS} WHERE parcel.order_id IN ({in_list(order_ids)}) ORDER BY parcel.id"))
    return [_parcel(row) for row in rows]


def booked_parcel(session: Session, parcel_id: int) -> BookedParcel:
    """One parcel by our own id."""
    return _parcel(session.execute(text(f"{_PARCELS} WHERE parcel.id = :p"), {"p": parcel_id}).one())


def open_cancels(session: Session, channel_id: int, *, limit: int) -> list[BookedParcel]:
    """Parcels of this channel whose cancellation is to be sent or settled, the oldest wish first; pending ones are settled by tracking."""
    rows = session.execute(
        text(
            f"{_PARCELS} WHERE parcel.channel_id = :c AND parcel.cancel IN ('asked', 'sent') "
            "ORDER BY parcel.cancel_ms, parcel.id LIMIT :n"
        ),
        {"c": channel_id, "n": limit},
    )
    return [_parcel(row) for row in rows]


def _parcel(row: object) -> BookedParcel:
    found = row._mapping  # type: ignore[attr-defined]
    return BookedParcel(
        found["id"], found["channel_id"], found["slug"], found["order_id"], found["order_remote_id"], found["number"],
        ParcelState(found["state"]), found["remote_id"], found["waybill"], found["courier_channel_id"], found["courier_slug"],
        found["cancel"], found["cancel_ms"] or 0, found["cancel_detail"], found["cancel_sends"], bool(found["rebook"]),
        bool(found["claimed"]),
    )  # fmt: skip


def ask_cancel(session: Session, parcel_id: int, *, reason: str, rebook: bool, now_ms: int) -> BookedParcel:
    """A person wants the booking cancelled. A parcel that nobody booked yet is given up at once.

    Raises `BadInput` with the sentence why it cannot be: its booking has no known outcome, the courier has it (by its own word or by
    ours), or it is over.
    """
    parcel = booked_parcel(session, parcel_id)
    if parcel.claimed:
        raise BadInput(
            f"the booking of parcel {parcel.name} has no known outcome yet; settle it first: sellersync parcels claims"
        )
    if parcel.cancel in ("asked", "sent", "pending"):
        _set(session, parcel_id, parcel.cancel, detail=parcel.cancel_detail, since_ms=parcel.cancel_ms, rebook=rebook)
        return booked_parcel(session, parcel_id)
    if parcel.state in NOT_BOOKED:
        session.execute(
            text("UPDATE parcel SET state = 'cancelled', updated_ms = :now WHERE id = :p"),
            {"p": parcel_id, "now": now_ms},
        )
        session.execute(FREE_UNITS, {"p": parcel_id})
        _set(session, parcel_id, "done", detail=reason, since_ms=now_ms, rebook=rebook)
        close_finding(session, "booking_refused", str(parcel_id), now_ms=now_ms)
        return booked_parcel(session, parcel_id)
    if parcel.courier_channel_id is None:
        raise BadInput(
            f"parcel {parcel.name} goes with {parcel.channel}'s own couriers: cancel it in the seller centre of {parcel.channel}"
        )
    if _handed_over(session, parcel_id):
        raise BadInput(
            f"parcel {parcel.name} was handed to the courier; to stop it, ask the courier. If its goods are here after all, take "
            f"them in first: sellersync returns receive {parcel.order} --units N"
        )
    if parcel.state not in CANCELLABLE:
        raise BadInput(
            f"parcel {parcel.name} is {parcel.state.value.replace('_', ' ')}; there is nothing to cancel any more"
        )
    session.execute(text("UPDATE parcel SET cancel_sends = 0 WHERE id = :p"), {"p": parcel_id})
    _set(session, parcel_id, "asked", detail=reason, since_ms=now_ms, rebook=rebook)
    return booked_parcel(session, parcel_id)


def _handed_over(session: Session, parcel_id: int) -> bool:
    """Did a person hand it over, without having taken its goods in again? The courier may not have noticed yet."""
    found = session.execute(
        text(
            "SELECT 1 FROM parcel WHERE id = :p AND handed_ms IS NOT NULL "
            "AND (SELECT COUNT(*) FROM parcel_unit WHERE parcel_unit.parcel_id = parcel.id AND parcel_unit.live) > "
            "(SELECT COALESCE(SUM(received), 0) FROM return_document WHERE return_document.order_id = parcel.order_id)"
        ),
        {"p": parcel_id},
    )
    return found.first() is not None


def want_again(session: Session, order_id: int) -> None:
    """A person wants the goods of given-up parcels sent after all: the next trip makes a new parcel of them."""
    session.execute(
        text("UPDATE parcel SET rebook = TRUE WHERE order_id = :o AND state IN ('cancelled', 'failed')"),
        {"o": order_id},
    )


def begin_send(session: Session, parcel_id: int, *, now_ms: int) -> bool:
    """The cancellation is about to be sent; `False` when nobody wants it any more."""
    changed = session.execute(
        text(
            "UPDATE parcel SET cancel = 'sent', cancel_ms = :now, cancel_sends = cancel_sends + 1 "
            "WHERE id = :p AND cancel = 'asked'"
        ),
        {"p": parcel_id, "now": now_ms},
    )
    return bool(changed.rowcount)  # type: ignore[attr-defined]


def ask_again(session: Session, parcel_id: int, *, now_ms: int, unsent: bool) -> None:
    """The wish still stands: nothing was sent (`unsent`), or the courier shows the booking as alive."""
    session.execute(
        text(
            "UPDATE parcel SET cancel = 'asked', cancel_ms = :now, cancel_sends = cancel_sends - :unsent "
            "WHERE id = :p AND cancel = 'sent'"
        ),
        {"p": parcel_id, "now": now_ms, "unsent": 1 if unsent else 0},
    )


def note_pending(session: Session, parcel_id: int, *, now_ms: int) -> None:
    """The courier took the cancellation and decides later; tracking shows it."""
    parcel = booked_parcel(session, parcel_id)
    _set(session, parcel_id, "pending", detail=parcel.cancel_detail, since_ms=now_ms, rebook=parcel.rebook)


def note_done(session: Session, parcel_id: int, *, now_ms: int) -> None:
    """The courier proved that the booking is dead: its units are free."""
    parcel = booked_parcel(session, parcel_id)
    remote = RemoteParcel(parcel.remote_id, (parcel.order,), ParcelState.CANCELLED, "cancelled")
    update_parcel(session, parcel_id, remote, now_ms=now_ms)
    _set(session, parcel_id, "done", detail=parcel.cancel_detail, since_ms=now_ms, rebook=parcel.rebook)
    close_cancel_findings(session, parcel, now_ms=now_ms)


def note_refused(session: Session, parcel_id: int, why: str, *, now_ms: int) -> None:
    """The booking stands; a person must know."""
    parcel = booked_parcel(session, parcel_id)
    _set(session, parcel_id, "refused", detail=why, since_ms=now_ms, rebook=False)
    raise_finding(session, "cancel_refused", parcel.name, now_ms=now_ms, channel_id=parcel.channel_id,
                  details={"order": parcel.order, "why": why[:DETAIL_LENGTH_MAX]})  # fmt: skip


def note_shown(session: Session, parcel_id: int, remote: RemoteParcel, *, now_ms: int) -> None:
    """What a look at a booked parcel means for a wish to cancel it, and for one that somebody cancelled elsewhere. Call it after the
    parcel itself was brought up to date."""
    parcel = booked_parcel(session, parcel_id)
    if parcel.courier_channel_id is None:
        return
    if remote.state is ParcelState.CANCELLED and parcel.cancel != "done":
        wanted = parcel.cancel in ("asked", "sent", "pending")
        detail = parcel.cancel_detail if wanted else "cancelled at the courier"
        _set(session, parcel_id, "done", detail=detail, since_ms=now_ms, rebook=wanted and parcel.rebook)
        close_cancel_findings(session, parcel, now_ms=now_ms)
        if not wanted:
            _ask_what_next(session, parcel, "cancelled at the courier", now_ms=now_ms)
    elif remote.state is ParcelState.FAILED and _failures(session, parcel.order_id) >= FAILED_MAX:
        _ask_what_next(session, parcel, f"given up by couriers {FAILED_MAX} times", now_ms=now_ms)
    elif parcel.cancel in ("asked", "sent", "pending") and remote.state.left_shelf:
        note_refused(session, parcel_id, "the courier has the parcel already", now_ms=now_ms)
    elif parcel.cancel == "pending" and now_ms - parcel.cancel_ms > PENDING_MS_MAX:
        note_refused(session, parcel_id, "the courier took the cancellation and did not act on it", now_ms=now_ms)
    if remote.state.final:
        close_finding(session, "cancel_refused", parcel.name, channel_id=parcel.channel_id, now_ms=now_ms)
        close_finding(session, "cod_differs", parcel.name, channel_id=parcel.channel_id, now_ms=now_ms)


def note_read(session: Session, parcel_id: int, remote: RemoteParcel, *, now_ms: int) -> None:
    """The booking was read to learn what became of its cancellation."""
    update_parcel(session, parcel_id, remote, now_ms=now_ms)
    note_shown(session, parcel_id, remote, now_ms=now_ms)


def close_cancel_findings(session: Session, parcel: BookedParcel, *, now_ms: int) -> None:
    close_finding(session, "cancelled_but_booked", parcel.name, now_ms=now_ms)
    for kind in ("cancel_refused", "cod_differs"):
        close_finding(session, kind, parcel.name, channel_id=parcel.channel_id, now_ms=now_ms)


def _ask_what_next(session: Session, parcel: BookedParcel, why: str, *, now_ms: int) -> None:
    """Goods that a person must send again or not, unless their order is over anyway."""
    shippable = session.execute(
        text("SELECT 1 FROM sales_order WHERE id = :o AND state IN ('ready', 'booked')"), {"o": parcel.order_id}
    ).first()
    if shippable:
        raise_finding(session, "booking_ended", parcel.order, now_ms=now_ms, channel_id=parcel.channel_id,
                      details={"order": parcel.order, "why": why})  # fmt: skip


def _failures(session: Session, order_id: int) -> int:
    found = session.execute(
        text("SELECT COUNT(*) FROM parcel WHERE order_id = :o AND state = 'failed' AND NOT rebook"), {"o": order_id}
    )
    return int(found.scalar_one())


def _set(session: Session, parcel_id: int, cancel: str, *, detail: str, since_ms: int, rebook: bool) -> None:
    session.execute(
        text("UPDATE parcel SET cancel = :c, cancel_ms = :ms, cancel_detail = :d, rebook = :r WHERE id = :p"),
        {"p": parcel_id, "c": cancel, "ms": since_ms, "d": detail[:DETAIL_LENGTH_MAX], "r": rebook},
    )
