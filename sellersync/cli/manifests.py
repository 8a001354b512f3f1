"""`sellersync parcels manifest`, `manifests` and `handover`: what a courier takes, on paper and in the ledger."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from sellersync.desk.words import courier_name
from sellersync.domain.desk import DeskParcel, ManifestHead, courier_key, pick_order
from sellersync.domain.errors import BadInput
from sellersync.domain.times import to_epoch_ms
from sellersync.settings import Settings
from sellersync.store import manifests as store
from sellersync.store.ledger import Session
from sellersync.store.reads_desk import desk_parcels, manifest_parcels
from sellersync.store.reads_desk import manifests as recent_manifests

from .count import moment
from .desk import ChannelName, Due, Out, named, selected
from .out import as_json, counted, note, say, table, when
from .state import state_of
from .who import who

SHOWN_MAX = 20


def register(app: typer.Typer) -> None:
    app.command("manifest")(manifest)
    app.command("manifests")(manifests)
    app.command("handover")(handover)


def manifest(
    context: typer.Context,
    courier: Annotated[str, typer.Option(help="The courier that takes them: its name or a part of it.")],
    due: Due = None,
    channel: ChannelName = None,
    packed: Annotated[bool, typer.Option("--packed", help="Only parcels that passed the pack check.")] = False,
    out: Out = None,
) -> None:
    """Put all parcels that a courier may take on a manifest: PDF with fields to sign, and CSV. `parcels handover` confirms it."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        now = ledger.clock.now()

        def write(session: Session) -> tuple[ManifestHead, list[DeskParcel], list[tuple[str, str]]]:
            found = selected(session, settings, now=now, due=due, courier=courier, channel=channel)
            taken = store.on_open_manifests(session)
            left_out = [(parcel.name, _why_not(parcel, taken, packed=packed)) for parcel in found]
            going = [parcel.id for parcel, (_, why) in zip(found, left_out, strict=True) if not why]
            names = {courier_name(parcel.courier) for parcel in found if parcel.id in set(going)}
            if not going:
                raise BadInput(
                    f"no parcel of {courier!r} is ready for a manifest"
                    + ("".join(f"\n  {name}: {why}" for name, why in left_out[:SHOWN_MAX]) or _who_has(session))
                )
            title = names.pop() if len(names) == 1 else courier
            number = store.prepare_manifest(session, title, going, who=who(), now_ms=ledger.now_ms())
            parcels = sorted(manifest_parcels(session, number), key=pick_order)
            return store.manifest(session, number), parcels, [row for row in left_out if row[1]]

        head, parcels, left_out = ledger.write_now(write, name="manifest")
        files = _write_files(settings, head, parcels, out or settings.label_dir)
    if state.json:
        as_json(
            {"manifest": head, "files": files, "left_out": [{"parcel": name, "why": why} for name, why in left_out]}
        )
        return
    say(f"Manifest {head.id} for {head.courier}: {counted(head.parcels, 'parcel')}.")
    for file in files:
        say(f"  {file}")
    say(f"When the courier has taken them: sellersync parcels handover {head.id}")
    if left_out:
        note("Not on it: " + "; ".join(f"{name} ({why})" for name, why in left_out[:SHOWN_MAX]))


def _who_has(session: Session) -> str:
    """The couriers whose parcels lie on the desk: perhaps another one was meant."""
    here = Counter(courier_name(parcel.courier) for parcel in desk_parcels(session) if parcel.courier)
    told = ", ".join(f"{name} ({count})" for name, count in here.most_common())
    return f"; on the desk lie those of: {told}" if told else "; no parcel lies on the desk"


def _why_not(parcel: DeskParcel, taken: dict[int, int], *, packed: bool) -> str:
    why = store.why_not_handed(parcel)
    if why:
        return store.WHY_NOT[why]
    if parcel.id in taken:
        return f"on manifest {taken[parcel.id]}"
    return "not packed" if packed and parcel.packed_at is None else ""


def _write_files(settings: Settings, head: ManifestHead, parcels: list[DeskParcel], out: Path) -> list[str]:
    from sellersync.desk import sheets
    from sellersync.desk.files import private_file

    stem = f"manifest-{head.id}-{courier_key(head.courier) or 'courier'}"
    pdf = sheets.manifest(
        head, parcels, shop=settings.shop.name, language=settings.shop.language, zone=settings.shop.zone
    )
    files = []
    for suffix, content in (("pdf", pdf), ("csv", sheets.manifest_csv(head, parcels).encode("utf-8-sig"))):
        path = out / f"{stem}.{suffix}"
        with private_file(path) as target:
            target.write(content)
        files.append(str(path))
    return files


def manifests(
    context: typer.Context,
    number: Annotated[str | None, typer.Argument(metavar="[MANIFEST]", help="Show the parcels of this one.")] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that were not handed over yet.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write this manifest's PDF and CSV again, into this directory.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many.")] = SHOWN_MAX,
) -> None:
    """Manifests, the newest first; with a number, what is on it."""
    state = state_of(context)
    if number is None:
        if out is not None:
            raise BadInput("--out needs the number of a manifest")
        with state.ledger() as (settings, ledger):
            heads = ledger.read_now(lambda session: recent_manifests(session, limit=limit, open_only=open_only))
        if state.json:
            as_json(heads)
        elif not heads:
            say("No manifest yet: sellersync parcels manifest --courier NAME")
        else:
            _list(heads, settings)
        return
    wanted = _number(number)
    with state.ledger() as (settings, ledger):
        head = ledger.read_now(lambda session: store.manifest(session, wanted))
        parcels = sorted(ledger.read_now(lambda session: manifest_parcels(session, wanted)), key=pick_order)
        files = _write_files(settings, head, parcels, out) if out is not None else []
    if state.json:
        rows = [
            {"parcel": parcel.name, "waybill": parcel.printed_number, "state": parcel.state, "left": parcel.gone}
            for parcel in parcels
        ]
        as_json({"manifest": head, "parcels": rows, "files": files})
        return
    _list([head], settings)
    say()
    table(
        ("parcel", "channel", "waybill", "units", "state", "left"),
        [
            (
                parcel.name,
                parcel.channel,
                parcel.printed_number,
                parcel.units,
                parcel.state.value,
                "yes" if parcel.gone else "no",
            )
            for parcel in parcels
        ],
    )
    for file in files:
        say(file)


def _list(heads: list[ManifestHead], settings: Settings) -> None:
    zone = settings.shop.zone
    table(
        ("manifest", "courier", "parcels", "prepared", "by", "handed over", "note"),
        [
            (
                head.id,
                head.courier,
                head.parcels,
                when(head.created_at, zone),
                head.who,
                when(head.handed_at, zone),
                head.note,
            )
            for head in heads
        ],
    )


def handover(
    context: typer.Context,
    number: Annotated[str, typer.Argument(metavar="MANIFEST", help="Its number, or the barcode on it.")],
    at: Annotated[
        str | None,
        typer.Option(help="When the courier took them: HH:MM today, or YYYY-MM-DDTHH:MM, in the shop's zone."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="ORDER", help="This order or waybill stayed here; may be repeated.")
    ] = None,
    void: Annotated[bool, typer.Option("--void", help="Nobody took anything: withdraw the manifest.")] = False,
    remark: Annotated[str, typer.Option("--note", help="For example the driver's name.")] = "",
) -> None:
    """The courier took the parcels of a manifest: their goods leave the shelf."""
    state = state_of(context)
    wanted = _number(number)
    if void and (at is not None or without):
        raise BadInput("--void withdraws the whole manifest; it takes neither --at nor --without")
    with state.ledger() as (settings, ledger):
        if void:
            freed = ledger.write_now(lambda session: store.void_manifest(session, wanted), name="manifest_void")
            if state.json:
                as_json({"manifest": wanted, "withdrawn": True, "parcels": freed})
            else:
                say(f"Manifest {wanted} is withdrawn; {counted(freed, 'parcel')} free for another.")
            return
        at_ms = to_epoch_ms(moment(at, settings.shop.zone, ledger.clock.now()))

        def write(session: Session) -> store.HandedOver:
            on_it = {parcel.id for parcel in manifest_parcels(session, wanted)}
            stay = named(session, without or [])
            strange = [parcel.name for parcel in stay if parcel.id not in on_it]
            if strange:
                raise BadInput(f"not on manifest {wanted}: {', '.join(strange)}")
            ids = {parcel.id for parcel in stay}
            return store.hand_over(session, wanted, at_ms=at_ms, now_ms=ledger.now_ms(), without=ids, note=remark)

        done = ledger.write_now(write, name="handover")
    if state.json:
        as_json(done)
        return
    say(f"Handed over: {counted(done.parcels, 'parcel')} of manifest {wanted}. Their goods have left the shelf.")
    if done.before:
        note(f"Reported as collected before: {done.before}; that moment stays.")


def _number(text: str) -> int:
    digits = text.strip().upper().removeprefix("M-")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 15:
        raise BadInput(f"{text!r}: the number of a manifest is expected; see `sellersync parcels manifests`")
    return int(digits)
