"""`sellersync parcels list` and `trouble`: what must leave the shelf and when, and what goes wrong on its way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated

import typer

from sellersync.app import desk_rules, watch_rules
from sellersync.desk.words import courier_name
from sellersync.domain.errors import BadInput
from sellersync.domain.parcels import ParcelState
from sellersync.domain.queue import DeskRules, Group, Reason
from sellersync.domain.times import shop_day
from sellersync.domain.watching import Trouble
from sellersync.store import parcel_watch
from sellersync.store.ledger import Session
from sellersync.store.parcel_watch import TroubledParcel
from sellersync.store.reads_desk import parcels_by_id
from sellersync.store.reads_queue import QueueEntry, queue

from .days import day_named
from .desk import is_courier
from .out import ago, as_json, note, say, table, when
from .state import state_of
from .stock import channel_named

GROUPS = {
    Group.LATE: "late: the deadline has passed",
    Group.TODAY: "must leave today",
    Group.LATER: "later",
    Group.HELD: "held",
}
REASONS = {
    Reason.UNREADABLE: "the order could not be understood",
    Reason.CANCEL_REQUESTED: "the buyer asks to cancel: answer first",
    Reason.UNPAID: "not paid",
    Reason.CANCELLING: "its booking is being cancelled",
    Reason.CLAIM_PERSON: "is it booked? say it: sellersync parcels settle",
    Reason.CLAIM_OPEN: "is it booked? being looked up",
    Reason.PROBLEM: "stopped by the courier or channel",
    Reason.CHANNEL_HOLD: "not released by the channel (free-cancel hour, screening)",
    Reason.PENDING_TERMS: "the channel does not let it be booked yet",
    Reason.PARKED_LINE: "a listing in it has no SKU",
    Reason.SHORT: "its goods are short",
    Reason.BALANCE: "waits for courier balance",
    Reason.REFUSED: "its booking was refused",
}
TROUBLES = {
    Trouble.LOST: "lost by the courier",
    Trouble.RETURNING: "coming back undelivered",
    Trouble.UNCOLLECTED: "booked, not collected",
    Trouble.STUCK: "on its way, no change",
    Trouble.OVERDUE: "past the courier's promise",
}
SHOWN_MAX = 100
CONTENTS_CHARS_MAX = 40
States = (*(group.value for group in Group), *(reason.value for reason in Reason), *(one.value for one in ParcelState))


def register(app: typer.Typer) -> None:
    app.command("list")(list_)
    app.command("trouble")(trouble)


def list_(
    context: typer.Context,
    due: Annotated[
        str | None,
        typer.Option(help="Only what must leave on this day: today (with what is late), tomorrow, YYYY-MM-DD."),
    ] = None,
    courier: Annotated[str | None, typer.Option(help="Only couriers whose name holds this.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only this group, reason of being held, or parcel state: late, held, short, booked, ..."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many of each group.")] = SHOWN_MAX,
) -> None:
    """The queue of the packing desk: what lies on the shelf for orders, by the deadline to ship it."""
    options = state_of(context)
    if state is not None and state not in States:
        raise BadInput(f"no state {state!r}; there are: {', '.join(dict.fromkeys(States))}")
    with options.ledger() as (settings, ledger):
        rules, now = desk_rules(settings), ledger.clock.now()
        day = (
            None
            if due is None
            else day_named(due, shop_day(now, rules.zone), option="--due", words=("today", "tomorrow"))
        )

        def read(session: Session) -> list[QueueEntry]:
            only = None if channel is None else channel_named(session, channel).id
            return queue(session, rules, now=now, channel_id=only)

        entries = ledger.read_now(read)
        packed = [entry.parcel_id for entry in entries if entry.packed and entry.parcel_id is not None]
        outdated = {parcel.id for parcel in ledger.read_now(lambda s: parcels_by_id(s, packed)) if parcel.outdated}
    waiting = len(entries)
    entries = [
        entry
        for entry in entries
        if (day is None or entry.due == day)
        and (courier is None or is_courier(entry.courier, courier))
        and (state is None or state in (entry.group, entry.reason, entry.state))
    ]
    if options.json:
        as_json(entries)
        return
    if not entries:
        say(f"Nothing fits; {waiting} in all: sellersync parcels list" if waiting else "Nothing waits to be shipped.")
        return
    for group in Group:
        own = [entry for entry in entries if entry.group is group]
        if own:
            _show(group, own[:limit], len(own), rules, outdated)


def _show(group: Group, entries: Sequence[QueueEntry], total: int, rules: DeskRules, outdated: Collection[int]) -> None:
    held = group is Group.HELD
    table(
        (
            "ship by",
            "leave by",
            "channel",
            "order",
            "units",
            "contents",
            "parcel",
            "courier",
            "waybill",
            "why" if held else "",
        ),
        [
            (
                _moment(entry.deadline, rules),
                _moment(entry.leave_by, rules),
                entry.channel,
                _name(entry),
                entry.units,
                _contents(entry),
                "-" if entry.state is None else entry.state.value,
                courier_name(entry.courier) or entry.service or "-",
                entry.waybill or "-",
                _remark(entry, outdated=entry.parcel_id in outdated),
            )
            for entry in entries
        ],
        title=f"{GROUPS[group]} ({total})",
    )
    say()
    if total > len(entries):
        note(f"{total - len(entries)} more are {group.value}; see them with --limit {total} or --state {group.value}")


def _name(entry: QueueEntry) -> str:
    """The order; its second and further parcels carry their number, as on labels and lists."""
    order = entry.number or entry.order
    return order if entry.parcel in (None, 1) else f"{order}/{entry.parcel}"


def _remark(entry: QueueEntry, *, outdated: bool) -> str:
    words = [] if entry.reason is None else [REASONS[entry.reason]]
    if entry.late and entry.group is Group.HELD:
        words.append("LATE")
    if entry.group is Group.TODAY and entry.cut_off_missed:
        words.append("the last collection is over: bring it to the counter")
    if entry.packed:
        words.append("CHANGED since it was packed: sellersync parcels pack" if outdated else "packed")
    return ", ".join(words)


def _contents(entry: QueueEntry) -> str:
    words = ", ".join(f"{item.units} × {item.seller_sku or item.title}" for item in entry.contents)
    return words if len(words) <= CONTENTS_CHARS_MAX else words[: CONTENTS_CHARS_MAX - 1] + "…"


def _moment(moment: datetime | None, rules: DeskRules) -> str:
    return "unknown" if moment is None else f"{moment.astimezone(rules.zone):%a %d %b %H:%M}"


def trouble(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
) -> None:
    """Parcels on their way that need you: lost, coming back, not collected, stuck, past their promised day."""
    options = state_of(context)
    with options.ledger() as (settings, ledger):
        now, zone = ledger.clock.now(), settings.shop.zone

        def read(session: Session) -> list[TroubledParcel]:
            only = None if channel is None else channel_named(session, channel).id
            return parcel_watch.troubled_parcels(session, watch_rules(settings), now=now, channel_id=only)

        parcels = ledger.read_now(read)
    if options.json:
        as_json(parcels)
        return
    if not parcels:
        say("No parcel on its way needs you.")
        return
    table(
        ("what", "since", "", "channel", "order", "contents", "courier", "waybill", "promised"),
        [
            (TROUBLES[one.trouble], when(one.since, zone), ago(one.since, now), one.channel, one.number or one.order, one.contents,
             " ".join(filter(None, (courier_name(one.courier), one.service))) or "-", one.waybill or "-", when(one.promised, zone))
            for one in parcels
        ],
    )  # fmt: skip
