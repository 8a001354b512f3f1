"""What the commands of the packing desk share: which parcels are meant, and where their files go."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from sellersync.app import desk_rules
from sellersync.desk.words import courier_name
from sellersync.domain.desk import DeskParcel
from sellersync.domain.errors import BadInput
from sellersync.domain.queue import last_collection
from sellersync.domain.times import shop_day
from sellersync.settings import Settings
from sellersync.store.ledger import Session
from sellersync.store.reads_desk import desk_parcels, find_parcels

from .days import day_named
from .stock import channel_named

Due = Annotated[
    str | None,
    typer.Option(help="Only what must leave on this day: today (with what is late), tomorrow, YYYY-MM-DD."),
]
CourierName = Annotated[str | None, typer.Option(help="Only couriers whose name holds this.")]
ChannelName = Annotated[str | None, typer.Option(help="Only this channel.")]
Out = Annotated[Path | None, typer.Option(help="Directory of the files; without it `labels` in [ledger] state_dir.")]


def selected(
    session: Session,
    settings: Settings,
    *,
    now: datetime,
    due: str | None = None,
    courier: str | None = None,
    channel: str | None = None,
) -> list[DeskParcel]:
    """Parcels that have not left the shelf, as far as they are meant, the most urgent first. Raises `BadInput`."""
    rules = desk_rules(settings)
    if channel is not None:
        channel_named(session, channel)
    today = shop_day(now, rules.zone)
    wanted = None if due is None else day_named(due, today, option="--due", words=("today", "tomorrow"))
    promise_ms = round(rules.ship_within / timedelta(milliseconds=1))

    def leaves(parcel: DeskParcel) -> date:
        collection = last_collection(parcel.ship_by, rules.cut_off_of(parcel.courier), rules.zone)
        return max(shop_day(collection, rules.zone), today)

    return [
        parcel
        for parcel in desk_parcels(session, channel=channel, promise_ms=promise_ms)
        if (wanted is None or leaves(parcel) == wanted) and (courier is None or is_courier(parcel.courier, courier))
    ]


def is_courier(courier: str, asked: str) -> bool:
    """Does a courier's name, as the provider or as people write it, hold what was asked for?"""
    return any(asked.strip().lower() in name.lower() for name in (courier, courier_name(courier)))


def named(session: Session, names: list[str]) -> list[DeskParcel]:
    """The parcels of these orders, waybills or ORDER/N, each once. Raises `BadInput`."""
    found: dict[int, DeskParcel] = {}
    for name in names:
        parcels = find_parcels(session, name)
        if not parcels:
            raise BadInput(f"no parcel of {name!r} in the ledger; see `sellersync orders show {name}`")
        found |= {parcel.id: parcel for parcel in parcels}
    return list(found.values())
