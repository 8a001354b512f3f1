"""Orders into the ledger: one page of a walk in one transaction: rows, movements, parcels, findings and the mark together (L3, L6).

Everything is done for the whole page at once, one statement per kind: a page of a hundred orders costs a few dozen statements.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from sellersync.domain.ids import content_digest
from sellersync.domain.levels import OwnOrderChange, first_effects, later_effects
from sellersync.domain.listings import Effect
from sellersync.domain.orders import (
    Freshness,
    Order,
    OrderLine,
    OrderState,
    UnitStage,
    Version,
    freshness,
    match_lines,
)
from sellersync.domain.stock import Left
from sellersync.domain.times import from_epoch_ms, to_epoch_ms

from .adoption import adopt_parcels
from .bulk import insert_many, new_ids, run_many, select_in
from .expected import move_expected
from .findings import close_many, open_subjects, raise_finding
from .page_catalogue import PageCatalogue
from .parcels import left_by_parcels, tidy_own_parcels
from .posting import (
    LineWork,
    OrderWork,
    load_works,
    pack_keys,
    pack_units,
    post_orders,
    save_lines,
)
from .returns import settle_returns
from .tables import BuyerRow, OrderLineRow, OrderRow
from .vault import Vault

_ORDER = OrderRow.__table__  # type: ignore[attr-defined]
_LINE = OrderLineRow.__table__  # type: ignore[attr-defined]
_BUYER = BuyerRow.__table__  # type: ignore[attr-defined]
BUYER_PURPOSE = "buyer"


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What recording needs to know of a channel: where its orders are taken from and which effects of them are certain."""

    channel_id: int
    warehouse_id: int
    locations: Mapping[str, int] = field(default_factory=dict)
    certain: frozenset[Effect] = frozenset()

    def warehouse_of(self, location: str) -> int | None:
        """The warehouse of a location; `None` when the channel's locations are mapped and this one is not."""
        if not location or not self.locations:
            return self.warehouse_id
        return self.locations.get(location)


@dataclass(slots=True)
class Recorded:
    """What recording a page did."""

    first: int = 0
    newer: int = 0
    same: int = 0
    older: int = 0
    movements: int = 0
    parked_lines: int = 0

    @property
    def changed(self) -> bool:
        return bool(self.first or self.newer)


@dataclass(slots=True)
class _Incoming:
    order: Order
    values: dict[str, Any]  # the columns of its row that the provider decides
    row: Any = None  # the known row, if any
    first: bool = True
    work: OrderWork | None = None
    changes: dict[int, list[OwnOrderChange]] = field(default_factory=dict)  # by target id


def record_orders(
    session: Session,
    rules: ChannelRules,
    orders: Sequence[Order],
    *,
    read_started_at: datetime,
    now_ms: int,
    vault: Vault,
) -> Recorded:
    """Record these versions of orders and post what they do to stock. Older and unchanged versions change nothing (L2)."""
    result = Recorded()
    read_ms = to_epoch_ms(read_started_at)
    incoming = _newest_of_each(orders)
    _known_rows(session, rules.channel_id, incoming)
    work_on: list[_Incoming] = []
    for item in incoming:
        verdict = _freshness(item, read_started_at)
        if verdict is Freshness.SAME:
            result.same += 1
        elif verdict is Freshness.OLDER:
            result.older += 1
        else:
            item.first = verdict is Freshness.FIRST
            work_on.append(item)
    if not work_on:
        return result
    catalogue = PageCatalogue.load(session, rules.channel_id, [item.order for item in work_on])
    fresh = [item for item in work_on if item.first]
    known = [item for item in work_on if not item.first]
    _insert_orders(session, rules, fresh, read_ms=read_ms, now_ms=now_ms)
    new_lines = [_new_line(item, line, rules, catalogue) for item in fresh for line in item.order.lines]
    _update_orders(session, known, read_ms=read_ms, now_ms=now_ms)
    new_lines += _merge_known(session, rules, catalogue, known)
    works = [item.work for item in work_on if item.work is not None]
    for item, work in zip(work_on, works, strict=True):
        left_by_parcels(work, item.order.parcels)
    posted = post_orders(session, works, now_ms=now_ms)
    save_lines(session, (line for work in works for line in work.lines if line.id))
    _insert_lines(session, new_lines)
    _seal_buyers(session, work_on, vault=vault, now_ms=now_ms)
    _move_expected(session, rules, work_on)
    adopt_parcels(
        session,
        rules.channel_id,
        [(work, item.order) for item, work in zip(work_on, works, strict=True)],
        now_ms=now_ms,
    )
    tidy_own_parcels(session, [item.work for item in known if item.work is not None], now_ms=now_ms)
    settle_returns(session, works, now_ms=now_ms)
    result.parked_lines = _note_problems(session, rules, work_on, now_ms=now_ms)
    result.first, result.newer, result.movements = len(fresh), len(known), posted.movements
    return result


def _newest_of_each(orders: Sequence[Order]) -> list[_Incoming]:
    """A page may carry an order twice; only its newest version counts."""
    newest: dict[str, Order] = {}
    for order in orders:
        known = newest.get(order.remote_id)
        if known is None or order.updated_at >= known.updated_at:
            newest[order.remote_id] = order
    return [_Incoming(order, _order_values(order)) for order in newest.values()]


def _order_values(order: Order) -> dict[str, Any]:
    values = {
        "number": order.number,
        "storefront": order.storefront,
        "state": str(order.state),
        "remote_status": order.remote_status,
        "created_ms": to_epoch_ms(order.created_at),
        "updated_ms": to_epoch_ms(order.updated_at),
        "paid_ms": _ms(order.paid_at),
        "cancelled_ms": _ms(order.cancelled_at),
        "shipped_ms": _ms(order.shipped_at),
        "ship_by_ms": _ms(order.ship_by),
        "cancel_respond_by_ms": _ms(order.cancel_respond_by),
        "hold_expires_ms": _ms(order.hold_expires_at),
        "cod": order.cod,
        "goods_total": order.goods_total,
        "shipping_fee": order.shipping_fee,
        "discount_total": order.discount_total,
        "total": order.total,
        "payment_method": order.payment_method,
        "courier_service": order.courier_service,
        "cancel_by": order.cancel_by,
        "cancel_reason": order.cancel_reason,
        "problems": json.dumps(order.problems, ensure_ascii=False) if order.problems else "",
    }
    values["digest"] = _digest(order, values)
    return values


def _digest(order: Order, values: Mapping[str, Any]) -> str:
    """Tells versions of an order apart by what matters in them."""
    facts: list[object] = [*_TELLING(values)]
    for line in order.lines:
        facts += (line.key, line.listing, line.target, line.location, line.ours, line.unit_price,
                  pack_units(line.units))  # fmt: skip
    for parcel in order.parcels:
        facts += (parcel.remote_id, str(parcel.state), parcel.waybill, parcel.courier, parcel.unit_keys, parcel.units,
                  parcel.pickup_code)  # fmt: skip
    if order.buyer is not None:
        buyer = order.buyer
        facts += (buyer.name, buyer.phone, buyer.address, buyer.postal_code)
    return content_digest(repr(facts))


_VERSION = "id, remote_id, updated_ms, read_started_ms, digest, state, paid_ms, hold_expired, shipped_ms, posted_rev"


def _known_rows(session: Session, channel_id: int, incoming: Sequence[_Incoming]) -> None:
    by_id = {item.order.remote_id: item for item in incoming}
    for row in _rows_of(session, _VERSION, channel_id, incoming):
        by_id[row.remote_id].row = row


def _rows_of(session: Session, columns: str, channel_id: int, items: Sequence[_Incoming]) -> Iterator[Any]:
    """The rows that the ledger holds of these orders."""
    query = f"SELECT {columns} FROM sales_order WHERE channel_id = ? AND remote_id IN"
    return select_in(session, query, [item.order.remote_id for item in items], channel_id)


def _freshness(item: _Incoming, read_started_at: datetime) -> Freshness:
    row = item.row
    if row is None:
        return Freshness.FIRST
    known = Version(from_epoch_ms(row.updated_ms, where=""), from_epoch_ms(row.read_started_ms, where=""), row.digest)
    return freshness(known, Version(item.order.updated_at, read_started_at, item.values["digest"]))


# ------------------------------------------------------------------------------------------------------------------------ first sight


def _insert_orders(
    session: Session, rules: ChannelRules, fresh: Sequence[_Incoming], *, read_ms: int, now_ms: int
) -> None:
    if not fresh:
        return
    ids = new_ids(session, _ORDER, len(fresh))
    for item, order_id in zip(fresh, ids, strict=True):
        item.values |= {"id": order_id, "remote_id": item.order.remote_id}
        item.work = OrderWork(order_id, 0, item.values["updated_ms"], _left_ms(item.order), False, [], new=True)
    fixed = {"channel_id": rules.channel_id, "read_started_ms": read_ms, "seen_ms": now_ms, "changed_ms": now_ms,
             "hold_expired": False, "posted_rev": 0, "gone": ""}  # fmt: skip
    insert_many(session, _ORDER, [item.values for item in fresh], fixed)


@dataclass(slots=True)
class _NewLine:
    """A line that is not in the database yet: inserted after posting, with what posting computed for it."""

    order_id: int
    work: LineWork
    recipe_id: int | None
    target_id: int | None

    def values(self) -> dict[str, Any]:
        work, line = self.work, self.work.line
        return {
            "id": work.id,
            "order_id": self.order_id,
            "line_key": line.key,
            "aliases": pack_keys(_all_keys(line)),
            "listing_key": line.listing,
            "target_key": line.target or line.listing,
            "location": line.location,
            "seller_sku": line.seller_sku,
            "title": line.title,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
            "ours": line.ours,
            "units": pack_units(line.units),
            "left_count": work.left.count,
            "left_keys": pack_keys(sorted(work.left.keys)),
            "return_due": work.return_due,
            "recipe_id": self.recipe_id,
            "warehouse_id": work.warehouse_id,
            "target_id": self.target_id,
            "held_outside": work.held_outside,
            "on_shelf": work.on_shelf,
        }


def _new_line(item: _Incoming, line: OrderLine, rules: ChannelRules, catalogue: PageCatalogue) -> _NewLine:
    """Resolve a line that the ledger sees for the first time and add it to its order's work."""
    assert item.work is not None
    recipe_id = catalogue.recipe_of.get(line.listing) if line.ours else None
    components = catalogue.components.get(recipe_id) if recipe_id is not None else None
    target_id = catalogue.target(line)
    work = LineWork(0, line, Left(), components, rules.warehouse_of(line.location))
    item.work.lines.append(work)
    if target_id is not None and line.ours:
        item.changes.setdefault(target_id, []).extend(first_effects(item.order, line))
    return _NewLine(item.work.id, work, recipe_id, target_id)


def _insert_lines(session: Session, lines: Sequence[_NewLine]) -> None:
    if not lines:
        return
    for line, line_id in zip(lines, new_ids(session, _LINE, len(lines)), strict=True):
        line.work.id = line_id
    insert_many(session, _LINE, [line.values() for line in lines])


# ---------------------------------------------------------------------------------------------------------------------- known orders


def _update_orders(session: Session, known: Sequence[_Incoming], *, read_ms: int, now_ms: int) -> None:
    if not known:
        return
    values = [{"i": item.row.id, "read": read_ms, "now": now_ms, **item.values} for item in known]
    session.connection().execute(_UPDATE_ORDER, values)


def _merge_known(
    session: Session, rules: ChannelRules, catalogue: PageCatalogue, known: Sequence[_Incoming]
) -> list[_NewLine]:
    """Bring the lines of known orders to this version. Returns those that are new in it."""
    if not known:
        return []
    works = load_works(session, [item.row.id for item in known])
    additions: list[_NewLine] = []
    aliases: list[dict[str, Any]] = []
    for item in known:
        order = item.order
        work = item.work = works[item.row.id]
        work.occurred_ms = item.values["updated_ms"]
        work.left_ms = _left_ms(order)
        work.hold_expired = bool(item.row.hold_expired) and order.state is OrderState.UNPAID
        matches = match_lines([(line.line.key, *line.line.aliases) for line in work.lines], order.lines)
        new_lines = [line for line, match in zip(order.lines, matches, strict=True) if match is None]
        seen: set[int] = set()
        for line, match in zip(order.lines, matches, strict=True):
            if match is None:
                continue
            seen.add(match)
            state = work.lines[match]
            _note_change(item, state.target_id or catalogue.target(line), state.line, line)
            merged = sorted({*_all_keys(state.line), *_all_keys(line)})
            if set(merged) != {*_all_keys(state.line)}:
                aliases.append({"i": state.id, "aliases": json.dumps(merged)})
            state.line = line
        for index, state in enumerate(work.lines):
            # In a version with unreadable parts a missing line may be one of them: it keeps what it holds (L7).
            if index not in seen and order.lines and not order.problems:
                _note_change(item, state.target_id, state.line, removed := _removed(state.line))
                state.line = removed
        additions.extend(_new_line(item, line, rules, catalogue) for line in new_lines)
        if bool(item.row.hold_expired) != work.hold_expired:
            session.execute(
                text("UPDATE sales_order SET hold_expired = :h WHERE id = :i"), {"h": work.hold_expired, "i": work.id}
            )
    if aliases:
        session.connection().execute(text("UPDATE order_line SET aliases = :aliases WHERE id = :i"), aliases)
    return additions


def _removed(line: OrderLine) -> OrderLine:
    """A line that the provider no longer shows in a readable order was removed from it: its units are cancelled."""
    return replace(line, units=tuple(replace(unit, stage=UnitStage.CANCELLED) for unit in line.units))


def _note_change(item: _Incoming, target_id: int | None, before: OrderLine, after: OrderLine) -> None:
    """What this version may have done to the number that the channel shows for the line's target."""
    if target_id is None or not after.ours:
        return
    paid_now = item.order.paid_at is not None and item.row.paid_ms is None
    changes = later_effects(before, after, at=item.order.updated_at, paid_now=paid_now)
    if changes:
        item.changes.setdefault(target_id, []).extend(changes)


# -------------------------------------------------------------------------------------------------------- consequences of the versions


def _move_expected(session: Session, rules: ChannelRules, items: Sequence[_Incoming]) -> None:
    changes: dict[int, list[OwnOrderChange]] = {}
    for item in items:
        for target_id, of_target in item.changes.items():
            changes.setdefault(target_id, []).extend(of_target)
    move_expected(session, changes, certain=rules.certain)


def _seal_buyers(session: Session, items: Sequence[_Incoming], *, vault: Vault, now_ms: int) -> None:
    values = []
    for item in items:
        buyer = item.order.buyer
        if buyer is None or item.work is None:
            continue
        fields = {name: getattr(buyer, name) for name in buyer.__slots__}
        values.append((item.work.id, vault.seal_json(fields, BUYER_PURPOSE), int(buyer.masked), now_ms))
    run_many(session, _UPSERT_BUYER, values)


def _note_problems(session: Session, rules: ChannelRules, items: Sequence[_Incoming], *, now_ms: int) -> int:
    """Parked orders and lines become findings (L7); readable again, they are closed."""
    parked = 0
    unmapped: dict[str, dict[str, Any]] = {}
    troubled = open_subjects(session, "order_unreadable", channel_id=rules.channel_id)
    for item in items:
        order = item.order
        subject = order.remote_id
        if order.problems:
            raise_finding(session, "order_unreadable", subject, channel_id=rules.channel_id, now_ms=now_ms,
                          details={"problems": list(order.problems)})  # fmt: skip
        elif subject in troubled:
            close_many(session, "order_unreadable", [subject], channel_id=rules.channel_id, now_ms=now_ms)
        assert item.work is not None
        for line in item.work.lines:
            if not line.line.ours:
                continue
            if line.components is None:
                parked += 1
                unmapped[line.line.listing] = {
                    "title": line.line.title,
                    "seller_sku": line.line.seller_sku,
                    "order": subject,
                }
            elif line.warehouse_id is None:
                parked += 1
                raise_finding(session, "unmapped_location", line.line.location, channel_id=rules.channel_id, now_ms=now_ms,
                              details={"order": subject})  # fmt: skip
    for listing, details in unmapped.items():
        raise_finding(session, "unmapped_listing", listing, channel_id=rules.channel_id, now_ms=now_ms, details=details)
    return parked


def _all_keys(line: OrderLine) -> list[str]:
    return list(dict.fromkeys((line.key, *line.aliases)))


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_epoch_ms(instant)


def _left_ms(order: Order) -> int | None:
    """When the goods left the shelf, as far as the provider says: first pickup of its parcels, else the shipping time."""
    times = [parcel.picked_up_at for parcel in order.parcels if parcel.picked_up_at is not None]
    if order.shipped_at is not None:
        times.append(order.shipped_at)
    return to_epoch_ms(min(times)) if times else None


_TELLING = itemgetter(
    "state", "remote_status", "paid_ms", "ship_by_ms", "total", "shipping_fee", "cod", "hold_expires_ms",
    "cancel_respond_by_ms", "cancel_reason", "problems",
)  # fmt: skip
_UPDATE_ORDER = text(
    "UPDATE sales_order SET number = :number, storefront = :storefront, state = :state, remote_status = :remote_status, "
    "created_ms = :created_ms, updated_ms = :updated_ms, read_started_ms = :read, digest = :digest, "
    "paid_ms = COALESCE(:paid_ms, paid_ms), cancelled_ms = COALESCE(:cancelled_ms, cancelled_ms), "
    "shipped_ms = COALESCE(:shipped_ms, shipped_ms), ship_by_ms = COALESCE(:ship_by_ms, ship_by_ms), "
    "cancel_respond_by_ms = :cancel_respond_by_ms, hold_expires_ms = :hold_expires_ms, cod = :cod, goods_total = :goods_total, "
    "shipping_fee = :shipping_fee, discount_total = :discount_total, total = :total, payment_method = :payment_method, "
    "courier_service = :courier_service, cancel_by = :cancel_by, cancel_reason = :cancel_reason, problems = :problems, "
    "changed_ms = :now, gone = '' WHERE id = :i"
)
_UPSERT_BUYER = (
    "INSERT INTO buyer (order_id, sealed, masked, stored_ms) VALUES (?, ?, ? = 1, ?) "
    "ON CONFLICT (order_id) DO UPDATE SET sealed = excluded.sealed, masked = excluded.masked, stored_ms = excluded.stored_ms"
)
