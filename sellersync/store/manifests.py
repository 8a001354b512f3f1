"""Manifests (serah terima): which parcels one courier takes at once. The hand-over takes their goods off the shelf."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, text
from sqlmodel import Session

from sellersync.domain.desk import DeskParcel, ManifestHead
from sellersync.domain.errors import BadInput
from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import ParcelState
from sellersync.domain.times import from_epoch_ms

from .parcels import note_left
from .reads import at
from .reads_desk import manifest_parcels, parcels_by_id
from .tables_desk import Manifest

_MANIFEST = Manifest.__table__  # type: ignore[attr-defined]

JUST_NOW_MS = 60_000
"""A hand-over that is no older was not dated by a person; the clocks of channels may be ahead of ours."""
WHY_NOT = {
    "cancelled": "cancelled",
    "cancel_requested": "its buyer asks for a cancellation",
    "booking_cancelled": "its booking is being cancelled",
    "held": "its order is held, see `sellersync parcels list`",
    "unsettled": "its booking has no known outcome",
    "not_booked": "no courier is booked",
    "no_waybill": "no waybill yet",
    "gone": "left before",
    "outdated": "its order changed after it was packed: open it and pack it again",
}
"""What `why_not_handed` answers, in words."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What a confirmed hand-over did. `before` are the parcels whose pickup the courier had reported first."""

    manifest_id: int
    parcels: int
    before: int


def why_not_handed(parcel: DeskParcel) -> str:
    """Why the courier must not get this parcel: a key of `WHY_NOT`, "" when it may."""
    if parcel.order_state.value == "cancelled" or not parcel.state.live:
        return "cancelled"
    if parcel.order_state.value == "cancel_requested":
        return "cancel_requested"
    if parcel.called_off:
        return "booking_cancelled"
    if parcel.gone:
        return "gone"
    if parcel.order_state in (OrderState.UNKNOWN, OrderState.UNPAID):
        return "held"
    if parcel.claim:
        return "unsettled"
    if parcel.state not in (ParcelState.BOOKED, ParcelState.PROBLEM):
        return "not_booked"
    if not parcel.printed_number:
        return "no_waybill"
    if parcel.outdated:
        return "outdated"
    return ""


def prepare_manifest(session: Session, courier: str, parcel_ids: Sequence[int], *, who: str, now_ms: int) -> int:
    """Put these parcels on a new manifest. Raises `BadInput` naming those that may not go or stand on another open manifest."""
    parcels = parcels_by_id(session, parcel_ids)
    taken = on_open_manifests(session)
    bad = [f"{parcel.name} ({WHY_NOT[why]})" for parcel in parcels if (why := why_not_handed(parcel))]
    bad += [f"{parcel.name} (on manifest {taken[parcel.id]})" for parcel in parcels if parcel.id in taken]
    if bad:
        raise BadInput(f"no manifest was made; these may not go on it: {', '.join(bad)}")
    if not parcels:
        raise BadInput("no parcel is ready for a manifest")
    manifest_id = session.execute(
        insert(_MANIFEST).returning(_MANIFEST.c.id),
        {"courier": courier, "created_ms": now_ms, "who": who, "handed_ms": None, "note": ""},
    ).scalar_one()
    for parcel_id in sorted(parcel_ids):
        session.execute(text("UPDATE parcel SET manifest_id = :m WHERE id = :p"), {"m": manifest_id, "p": parcel_id})
    return int(manifest_id)


def on_open_manifests(session: Session) -> dict[int, int]:
    """Parcel id -> the manifest that it stands on and that nobody confirmed yet."""
    rows = session.execute(
        text(
            "SELECT parcel.id, manifest.id AS manifest FROM parcel JOIN manifest ON manifest.id = parcel.manifest_id "
            "WHERE manifest.handed_ms IS NULL"
        )
    )
    return {row.id: row.manifest for row in rows}


def manifest(session: Session, manifest_id: int) -> ManifestHead:
    """One manifest. Raises `BadInput`."""
    row = session.execute(text("SELECT * FROM manifest WHERE id = :m"), {"m": manifest_id}).first()
    if row is None:
        raise BadInput(f"no manifest {manifest_id}; see `sellersync parcels manifests`")
    count = session.execute(text("SELECT COUNT(*) FROM parcel WHERE manifest_id = :m"), {"m": manifest_id}).scalar_one()
    created = from_epoch_ms(row.created_ms, where="manifest")
    return ManifestHead(row.id, row.courier, created, row.who, at(row.handed_ms), int(count), row.note)


def hand_over(
    session: Session, manifest_id: int, *, at_ms: int, now_ms: int, without: Collection[int] = (), note: str = ""
) -> HandedOver:
    """The courier took the parcels of a manifest, except those `without` (parcel ids): their goods left the shelf at `at_ms`.

    Whoever says first that a parcel left decides when: what tracking reported before is not posted again, and what it reports later
    changes nothing. Raises `BadInput`, and nothing is done, when it was confirmed before or holds a parcel that must not go.
    """
    head = manifest(session, manifest_id)
    if head.handed_at is not None:
        raise BadInput(f"manifest {manifest_id} was confirmed before; see `sellersync parcels manifests {manifest_id}`")
    if at_ms > now_ms:
        raise BadInput("a hand-over cannot lie in the future")
    stay = set(without)
    going = [parcel for parcel in manifest_parcels(session, manifest_id) if parcel.id not in stay]
    bad = [
        f"{parcel.name} ({WHY_NOT[why]})"
        for parcel in going
        if not parcel.gone and (why := why_not_handed(parcel)) and why != "unsettled"
    ]
    if bad:
        raise BadInput(
            f"nothing was recorded; these must not go: {', '.join(bad)}. Keep them here and add --without for each"
        )
    early = _ordered_after(session, manifest_id, at_ms) - stay if now_ms - at_ms > JUST_NOW_MS else set()
    if early:
        names = ", ".join(parcel.name for parcel in going if parcel.id in early)
        raise BadInput(f"nothing was recorded; at that time these were not ordered yet: {names}")
    if not going:
        raise BadInput(f"no parcel of manifest {manifest_id} would go; withdraw it with --void")
    for parcel_id in sorted(stay):
        session.execute(
            text("UPDATE parcel SET manifest_id = NULL WHERE id = :p AND manifest_id = :m"),
            {"p": parcel_id, "m": manifest_id},
        )
    before = 0
    for parcel in sorted(going, key=lambda parcel: parcel.id):
        session.execute(
            text("UPDATE parcel SET handed_ms = :at, updated_ms = :now WHERE id = :p"),
            {"at": at_ms, "now": now_ms, "p": parcel.id},
        )
        if parcel.gone:
            before += 1
        else:
            note_left(session, parcel.id, left_ms=at_ms, now_ms=now_ms)
    session.execute(
        text("UPDATE manifest SET handed_ms = :at, note = :n WHERE id = :m"),
        {"at": at_ms, "n": note[:300], "m": manifest_id},
    )
    return HandedOver(manifest_id, len(going), before)


def _ordered_after(session: Session, manifest_id: int, at_ms: int) -> set[int]:
    """Parcels of a manifest that cannot have left at this moment. Taken for true, it would lie before a count of the shelf that saw
    their goods, and the ledger would count them twice."""
    rows = session.execute(
        text(
            "SELECT parcel.id FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id "
            "WHERE parcel.manifest_id = :m AND sales_order.created_ms > :at"
        ),
        {"m": manifest_id, "at": at_ms},
    )
    return {row.id for row in rows}


def void_manifest(session: Session, manifest_id: int) -> int:
    """Withdraw a manifest that was only prepared: its parcels are free for another. Returns how many. Raises `BadInput`."""
    head = manifest(session, manifest_id)
    if head.handed_at is not None:
        raise BadInput(f"manifest {manifest_id} was handed over; that cannot be taken back")
    session.execute(text("UPDATE parcel SET manifest_id = NULL WHERE manifest_id = :m"), {"m": manifest_id})
    session.execute(text("DELETE FROM manifest WHERE id = :m"), {"m": manifest_id})
    return head.parcels
