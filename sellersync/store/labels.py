"""Labels: stored sealed as they were first made or fetched, so that a reprint is the same bytes; a new waybill is a new label (L13)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.desk import Address, DeskParcel, LabelFacts, LabelItem
from sellersync.domain.errors import BadInput
from sellersync.domain.orders import OrderState
from sellersync.domain.parcels import ParcelState, RemoteParcel

from .bulk import select_in
from .findings import close_finding, raise_finding
from .orders import BUYER_PURPOSE
from .reads_desk import parcels_by_id
from .vault import Vault

LABEL_PURPOSE = "label"
CLAIM_PURPOSE = "claim"
CHANNEL, OWN = "channel", "own"
STORED_DAYS_MAX = 180
"""Labels go after this many days whatever is known of their parcel."""
DAY_MS = 86_400_000
REFUSED = "label_refused"


@dataclass(frozen=True, slots=True)
class StoredLabel:
    """A label in the ledger, without its content. `number` is the waybill or pickup code that it was made for."""

    id: int
    parcel_id: int
    number: str
    kind: str
    media_type: str
    digest: str
    prints: int


def stored_labels(session: Session, parcels: Sequence[DeskParcel]) -> dict[int, StoredLabel]:
    """Parcel id -> the label of its present number, where there is one."""
    numbers = {parcel.id: parcel.printed_number for parcel in parcels}
    rows = select_in(
        session,
        "SELECT id, parcel_id, waybill, kind, media_type, digest, prints FROM label WHERE parcel_id IN",
        list(numbers),
    )
    return {
        row.parcel_id: StoredLabel(row.id, row.parcel_id, row.waybill, row.kind, row.media_type, row.digest, row.prints)
        for row in rows
        if row.waybill == numbers[row.parcel_id]
    }


def read_label(session: Session, label_id: int, vault: Vault) -> bytes:
    """The label's bytes, as they were when it was stored."""
    sealed = session.execute(text("SELECT sealed FROM label WHERE id = :i"), {"i": label_id}).scalar_one()
    return vault.open(bytes(sealed), LABEL_PURPOSE)


def keep_label(
    session: Session,
    parcel_id: int,
    number: str,
    content: bytes,
    media_type: str,
    *,
    kind: str,
    vault: Vault,
    now_ms: int,
) -> StoredLabel:
    """Store the label of a parcel; when there is one for this number already, that one stays and is answered."""
    session.execute(
        text(
            "INSERT INTO label (parcel_id, waybill, kind, media_type, digest, sealed, stored_ms, prints) "
            "VALUES (:p, :w, :k, :m, :d, :s, :now, 0) ON CONFLICT (parcel_id, waybill) DO NOTHING"
        ),
        {
            "p": parcel_id,
            "w": number,
            "k": kind,
            "m": media_type,
            "d": hashlib.sha256(content).hexdigest(),
            "s": vault.seal(content, LABEL_PURPOSE),
            "now": now_ms,
        },
    )
    close_finding(session, REFUSED, str(parcel_id), now_ms=now_ms)
    row = session.execute(
        text(
            "SELECT id, parcel_id, waybill, kind, media_type, digest, prints FROM label WHERE parcel_id = :p AND waybill = :w"
        ),
        {"p": parcel_id, "w": number},
    ).one()
    return StoredLabel(row.id, row.parcel_id, row.waybill, row.kind, row.media_type, row.digest, row.prints)


def note_printed(session: Session, label_ids: Sequence[int], *, now_ms: int) -> None:
    """These labels are in a file that a person gets."""
    for label_id in sorted(label_ids):
        session.execute(
            text("UPDATE label SET prints = prints + 1, printed_ms = :now WHERE id = :i"),
            {"i": label_id, "now": now_ms},
        )


def drop_label(session: Session, label_id: int) -> None:
    """A label that no program can read is fetched or made anew."""
    session.execute(text("DELETE FROM label WHERE id = :i"), {"i": label_id})


def purge_labels(session: Session, *, kept_days: int, now_ms: int) -> int:
    """Delete the labels of parcels that came to their end `kept_days` days ago, and very old ones. Returns how many."""
    final = ", ".join(f"'{state.value}'" for state in ParcelState if state.final)
    deleted = session.execute(
        text(
            "DELETE FROM label WHERE stored_ms < :oldest OR parcel_id IN (SELECT id FROM parcel "
            f"WHERE delivered_ms < :before OR (state IN ({final}) AND COALESCE(delivered_ms, state_since_ms, updated_ms) < :before))"
        ),
        {"before": now_ms - kept_days * DAY_MS, "oldest": now_ms - STORED_DAYS_MAX * DAY_MS},
    )
    return int(deleted.rowcount)  # type: ignore[attr-defined]


# ----------------------------------------------------------------------------------------------------------- labels of marketplaces


def labels_to_fetch(
    session: Session,
    channel_id: int,
    *,
    now_ms: int,
    again_ms: int,
    limit: int,
    parcel_ids: Sequence[int] | None = None,
) -> list[tuple[int, str, RemoteParcel]]:
    """Parcels of a marketplace whose label is not stored yet, the oldest booking first: (parcel id, number, parcel as it was shown).

    One that was refused less than `again_ms` ago is left out, unless its id is asked for.
    """
    rows = session.execute(
        text(
            "SELECT parcel.id FROM parcel JOIN sales_order ON sales_order.id = parcel.order_id WHERE parcel.channel_id = :c "
            "AND parcel.courier_channel_id IS NULL AND parcel.remote_id <> '' AND parcel.picked_up_ms IS NULL "
            "AND parcel.handed_ms IS NULL AND parcel.state = 'booked' AND (parcel.waybill <> '' OR parcel.pickup_code <> '') "
            "AND sales_order.state NOT IN ('cancelled', 'cancel_requested') "
            "AND NOT EXISTS (SELECT 1 FROM label WHERE label.parcel_id = parcel.id "
            "AND label.waybill = CASE WHEN parcel.waybill <> '' THEN parcel.waybill ELSE parcel.pickup_code END) "
            "ORDER BY COALESCE(parcel.booked_ms, parcel.created_ms), parcel.id"
        ),
        {"c": channel_id},
    )
    ids = [row.id for row in rows]
    if parcel_ids is not None:
        ids = [one for one in ids if one in set(parcel_ids)]
    else:
        resting = _refused_since(session, now_ms - again_ms)
        ids = [one for one in ids if str(one) not in resting]
    orders = _orders_in(session, ids[:limit])
    return [
        (
            parcel.id,
            parcel.printed_number,
            RemoteParcel(
                remote_id=parcel.remote_id,
                order_ids=tuple(orders.get(parcel.id, ())) or (parcel.order,),
                state=parcel.state,
                remote_status=parcel.remote_status,
                waybill=parcel.waybill,
                courier=parcel.courier,
                pickup_code=parcel.pickup_code,
            ),
        )
        for parcel in parcels_by_id(session, ids[:limit])
    ]


def _refused_since(session: Session, since_ms: int) -> set[str]:
    rows = session.execute(
        text("SELECT subject FROM finding WHERE kind = :k AND closed_ms IS NULL AND seen_ms > :since"),
        {"k": REFUSED, "since": since_ms},
    )
    return {row.subject for row in rows}


def _orders_in(session: Session, parcel_ids: Sequence[int]) -> dict[int, list[str]]:
    """Parcel id -> the provider's ids of the orders in it, the one it was made for first."""
    rows = select_in(
        session,
        "SELECT DISTINCT parcel.id, sales_order.remote_id, CASE WHEN sales_order.id = parcel.order_id THEN 0 ELSE 1 END AS place "
        "FROM parcel JOIN parcel_unit ON parcel_unit.parcel_id = parcel.id AND parcel_unit.live "
        "JOIN order_line ON order_line.id = parcel_unit.line_id JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE parcel.id IN",
        list(parcel_ids),
    )
    found: dict[int, list[str]] = {}
    for row in sorted(rows, key=lambda row: (row.id, row.place, row.remote_id)):
        found.setdefault(row.id, []).append(row.remote_id)
    return found


def note_label_refused(session: Session, parcel_id: int, order: str, why: str, *, now_ms: int) -> None:
    """The channel will not give this label: a person must look in the seller centre."""
    raise_finding(session, REFUSED, str(parcel_id), now_ms=now_ms, details={"order": order, "why": why})


def refused_labels(session: Session) -> dict[int, str]:
    """Parcel id -> why its channel refuses the label."""
    rows = session.execute(
        text("SELECT subject, details FROM finding WHERE kind = :k AND closed_ms IS NULL"), {"k": REFUSED}
    )
    return {int(row.subject): str(json.loads(row.details).get("why") or "") for row in rows}


def close_settled_refusals(session: Session, *, now_ms: int) -> None:
    """A refused label matters no more once its parcel has left or its order is off."""
    rows = session.execute(
        text(
            "SELECT finding.subject FROM finding JOIN parcel ON CAST(parcel.id AS TEXT) = finding.subject "
            "JOIN sales_order ON sales_order.id = parcel.order_id WHERE finding.kind = :k AND finding.closed_ms IS NULL "
            "AND (parcel.picked_up_ms IS NOT NULL OR parcel.handed_ms IS NOT NULL OR parcel.state NOT IN ('booked', 'problem') "
            "OR sales_order.state = 'cancelled')"
        ),
        {"k": REFUSED},
    ).all()
    for row in rows:
        close_finding(session, REFUSED, row.subject, now_ms=now_ms)


# ----------------------------------------------------------------------------------------------------------------- labels of our own


def label_facts(
    session: Session, parcel: DeskParcel, *, vault: Vault, sender: Address | None, default_weight_g: int
) -> LabelFacts:
    """What the label of an own-site parcel says: what was booked, word for word, where the booking was ours.

    Raises `BadInput` with the reason why there can be no label.
    """
    if not parcel.printed_number:
        raise BadInput("the courier has given no waybill yet")
    if parcel.order_state is OrderState.CANCELLED:
        raise BadInput("the order is cancelled")
    if not parcel.printed_number.isascii() or not parcel.printed_number.isprintable():
        raise BadInput("its waybill has characters that no barcode can carry")
    sealed = session.execute(
        text("SELECT sealed FROM claim WHERE parcel_id = :p AND state = 'booked' ORDER BY id DESC LIMIT 1"),
        {"p": parcel.id},
    ).scalar()
    booked: Mapping[str, Any] = {}
    if sealed is not None:
        booked = vault.open_json(bytes(sealed), CLAIM_PURPOSE).get("request") or {}
    row = session.execute(
        text("SELECT routing_code, cod_amount, insured, weight_g, handover, order_id FROM parcel WHERE id = :p"),
        {"p": parcel.id},
    ).one()
    own_sender = _address(booked["sender"]) if booked.get("sender") else sender
    if own_sender is None:
        raise BadInput("no [sender] in the configuration")
    recipient = _address(booked["recipient"]) if booked.get("recipient") else _buyer(session, row.order_id, vault)
    if recipient is None or not recipient.address:
        raise BadInput("the order has no address")
    cod_amount = row.cod_amount if row.cod_amount is not None else booked.get("cod_amount")
    if cod_amount is None and parcel.cod:
        cod_amount = parcel.cod_amount
        if cod_amount is None:
            raise BadInput("the amount that the buyer pays on delivery is not known")
    items = _items(booked, parcel)
    return LabelFacts(
        number=parcel.printed_number,
        pickup_code=not parcel.waybill,
        courier=parcel.courier,
        service=parcel.service or str(booked.get("service") or ""),
        drop_off=(row.handover or booked.get("handover")) == "drop_off",
        routing_code=row.routing_code,
        cod_amount=cod_amount or None,
        insured=row.insured if row.insured is not None else booked.get("insured_amount"),
        weight_g=row.weight_g or _weight(booked, parcel, default_weight_g),
        sender=own_sender,
        recipient=recipient,
        items=items,
        reference=parcel.name,
    )


def _address(place: Mapping[str, Any]) -> Address:
    names = ("name", "phone", "address", "district", "city", "province", "postal_code", "note")
    return Address(**{name: str(place.get(name) or "") for name in names})


def _buyer(session: Session, order_id: int, vault: Vault) -> Address | None:
    sealed = session.execute(text("SELECT sealed FROM buyer WHERE order_id = :o"), {"o": order_id}).scalar()
    return None if sealed is None else _address(vault.open_json(bytes(sealed), BUYER_PURPOSE))


def _items(booked: Mapping[str, Any], parcel: DeskParcel) -> tuple[LabelItem, ...]:
    """Titles as the ledger has them: a booking cuts them short."""
    if parcel.lines:
        return tuple(LabelItem(line.title or line.seller_sku, line.seller_sku, line.units) for line in parcel.lines)
    return tuple(LabelItem(item["name"], item.get("sku") or "", item["quantity"]) for item in booked.get("items") or ())


def _weight(booked: Mapping[str, Any], parcel: DeskParcel, default_weight_g: int) -> int:
    """Grams that were booked, by the courier's rule of grams a unit."""
    booked_g = sum(int(item["weight_g"]) * int(item["quantity"]) for item in booked.get("items") or ())
    return booked_g or default_weight_g * max(parcel.units, 1)
