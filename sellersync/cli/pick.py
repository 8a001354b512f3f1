"""`sellersync parcels pick`: what to fetch from which bin for the parcels of today."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sellersync.desk.words import courier_name
from sellersync.domain.desk import DeskParcel, PickRow, parts_of, pick_order, pick_rows, to_pick
from sellersync.domain.errors import BadInput
from sellersync.store.ledger import Session

from .desk import ChannelName, CourierName, Due, selected
from .out import as_json, counted, note, say, table
from .state import state_of


def register(app: typer.Typer) -> None:
    app.command("pick")(pick)


def pick(
    context: typer.Context,
    due: Due = None,
    courier: CourierName = None,
    channel: ChannelName = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.pdf|csv", help="Write it into this file instead; an existing one is replaced."),
    ] = None,
) -> None:
    """What to fetch from which bin, bundles taken apart, for all parcels that may be packed and are not yet."""
    state = state_of(context)
    if out is not None and out.suffix.lower() not in (".pdf", ".csv"):
        raise BadInput(f"--out {out}: a name that ends in .pdf or .csv is expected")
    with state.ledger() as (settings, ledger):
        now = ledger.clock.now()

        def read(session: Session) -> list[DeskParcel]:
            return selected(session, settings, now=now, due=due, courier=courier, channel=channel)

        found = ledger.read_now(read)
    parcels = sorted((parcel for parcel in found if to_pick(parcel)), key=pick_order)
    rows = pick_rows(parcels)
    if out is not None and rows:
        from sellersync.desk import sheets
        from sellersync.desk.files import private_file

        if out.suffix.lower() == ".csv":
            content = sheets.pick_csv(rows).encode("utf-8-sig")
        else:
            content = sheets.pick_list(
                rows,
                parcels,
                shop=settings.shop.name,
                language=settings.shop.language,
                zone=settings.shop.zone,
                now=now,
            )
        with private_file(out) as target:
            target.write(content)
    if state.json:
        as_json(
            {
                "rows": rows,
                "parcels": [_contents(parcel) for parcel in parcels],
                "file": str(out) if out is not None and rows else None,
            }
        )
        return
    if not rows:
        say("Nothing to pick.")
        if found:
            note(f"{counted(len(found), 'parcel')} waiting, but packed already or held: sellersync parcels list")
    elif out is not None:
        say(f"{out}: {_summary(rows, parcels)}.")
    else:
        _show(rows, parcels)
    unmapped = [parcel.name for parcel in found if not parcel.mapped]
    if unmapped:
        note(
            f"Not on the list, a listing in them has no SKU: {', '.join(unmapped[:10])}; see sellersync listings unmapped"
        )


def _summary(rows: list[PickRow], parcels: list[DeskParcel]) -> str:
    return f"{counted(sum(row.quantity for row in rows), 'unit')} for {counted(len(parcels), 'parcel')}"


def _contents(parcel: DeskParcel) -> dict[str, object]:
    return {
        "parcel": parcel.name,
        "channel": parcel.channel,
        "courier": parcel.courier,
        "waybill": parcel.printed_number,
        "ship_by": parcel.ship_by,
        "parts": [{"sku": part.sku, "quantity": part.quantity, "bin": part.bin} for part in parts_of(parcel)],
    }


def _show(rows: list[PickRow], parcels: list[DeskParcel]) -> None:
    table(
        ("warehouse", "bin", "SKU", "title", "units", "parcels"),
        [(row.warehouse, row.bin or "-", row.sku, row.title, row.quantity, row.parcels) for row in rows],
        title=f"Pick {_summary(rows, parcels)}",
    )
    say()
    table(
        ("parcel", "channel", "courier", "waybill", "contents"),
        [
            (
                parcel.name,
                parcel.channel,
                courier_name(parcel.courier) or "-",
                parcel.printed_number or "-",
                ", ".join(f"{part.quantity} x {part.sku}" for part in parts_of(parcel)),
            )
            for parcel in parcels
        ],
        title="Sort to parcels",
    )
