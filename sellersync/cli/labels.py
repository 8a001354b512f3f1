"""`sellersync parcels labels`: fetch or make the labels that are missing, and put them into one file a courier."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sellersync.app import App
from sellersync.desk.words import courier_name
from sellersync.domain.desk import Address, DeskParcel, courier_key, pick_order
from sellersync.domain.errors import BadInput
from sellersync.domain.parcels import ParcelState
from sellersync.jobs import fetch_labels
from sellersync.store import labels as stored
from sellersync.store import work
from sellersync.store.labels import StoredLabel
from sellersync.store.ledger import Session
from sellersync.store.work import HeldLease

from .desk import ChannelName, CourierName, Due, Out, named, selected
from .out import as_json, note, progress, say, table
from .state import State, state_of

if TYPE_CHECKING:
    from sellersync.desk.merge import Merger

TURN_S_MAX = 60.0
LEASE, LEASE_MS = "print_labels", 180_000
RENDERED_AT_ONCE_MAX = 50
NAMED_MAX = 20


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file of labels."""

    file: str
    courier: str
    parcels: int
    pages: int


@dataclass(frozen=True, slots=True)
class Without:
    """A parcel whose label cannot be printed now, and why."""

    order: str
    channel: str
    courier: str
    why: str


@dataclass(slots=True)
class Printed:
    """What one printing made."""

    files: list[Sheet] = field(default_factory=list)
    without: list[Without] = field(default_factory=list)
    printed_before: int = 0
    marked: list[str] = field(default_factory=list)

    def leave_out(self, parcel: DeskParcel, why: str) -> None:
        self.without.append(Without(parcel.name, parcel.channel, parcel.courier, why))


def register(app: typer.Typer) -> None:
    app.command("labels")(labels)


def labels(
    context: typer.Context,
    due: Due = None,
    courier: CourierName = None,
    channel: ChannelName = None,
    out: Out = None,
    reprint: Annotated[
        list[str] | None,
        typer.Option(metavar="ORDER", help="Print this order's or waybill's label again; may be repeated."),
    ] = None,
    purge: Annotated[
        bool,
        typer.Option(
            "--purge", help="Delete labels that are no longer needed ([desk] labels_kept_days), nothing else."
        ),
    ] = False,
) -> None:
    """Labels that were not printed yet, one file a courier, in the order of the bins. The files hold names and addresses."""
    state = state_of(context)
    if purge:
        _purge(state)
        return

    async def errand(app: App) -> Printed:
        now = app.ledger.clock.now()

        def read(session: Session) -> list[DeskParcel]:
            if reprint:
                return named(session, reprint)
            return selected(session, app.settings, now=now, due=due, courier=courier, channel=channel)

        press = _Press(app, out or app.settings.label_dir, quiet=state.json)
        if not reprint:
            async with press.alone():
                return await press.run(await app.ledger.read(read), again=False)
        done = await press.run(await app.ledger.read(read), again=True)
        if not done.files:
            raise BadInput("nothing was printed: " + "; ".join(f"{one.order}: {one.why}" for one in done.without))
        return done

    done = state.on_app(errand)
    if state.json:
        as_json(done)
    else:
        _tell(done)


def _tell(done: Printed) -> None:
    if done.files:
        table(
            ("file", "courier", "parcels", "pages"),
            [(sheet.file, sheet.courier, sheet.parcels, sheet.pages) for sheet in done.files],
        )
    else:
        say("No label to print.")
    if done.without:
        say()
        table(
            ("order", "channel", "courier", "why there is no label yet"),
            [(one.order, one.channel, courier_name(one.courier) or "-", one.why) for one in done.without],
        )
    if done.printed_before:
        note(f"Printed before: {done.printed_before}; again: sellersync parcels labels --reprint ORDER")
    if done.marked:
        note(f"Letters that cannot be printed are marked [?] on: {', '.join(done.marked[:NAMED_MAX])}")


def _purge(state: State) -> None:
    from sellersync.desk.files import purge_files

    with state.ledger() as (settings, ledger):
        kept_days = settings.desk.labels_kept_days
        gone = ledger.write_now(
            lambda session: stored.purge_labels(session, kept_days=kept_days, now_ms=ledger.now_ms()),
            name="labels_purge",
        )
        files = purge_files(settings.label_dir, kept_days=kept_days, now=ledger.clock.now())
    if state.json:
        as_json({"labels": gone, "files": files})
    else:
        say(f"Deleted {gone} stored labels and {files} files.")


class _Press:
    """One printing: what is missing is fetched or made and stored, then every file is written and its labels noted as printed."""

    def __init__(self, app: App, out: Path, *, quiet: bool) -> None:
        self._app = app
        self._out = out
        self._quiet = quiet
        self._done = Printed()
        self._lease: HeldLease | None = None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Two people who print at once would print each label twice, and two parcels would carry one waybill. Raises `Held`."""
        ledger, owner = self._app.ledger, self._app.world.owner
        lease = await ledger.write(
            lambda session: work.take_lease(session, LEASE, owner, now_ms=ledger.now_ms(), ttl_ms=LEASE_MS),
            name="print",
        )
        self._lease = lease
        try:
            yield
        finally:
            await ledger.write(lambda session: work.release_lease(session, lease), name="printed")

    async def run(self, parcels: Sequence[DeskParcel], *, again: bool) -> Printed:
        ready = [parcel for parcel in parcels if not self._unready(parcel, again=again)]
        labels = await self._app.ledger.read(partial(stored.stored_labels, parcels=ready))
        missing = [parcel for parcel in ready if parcel.id not in labels and not parcel.gone]
        for parcel in ready:
            if parcel.gone and parcel.id not in labels:
                self._done.leave_out(parcel, "it has left, and its label is not kept any more")
        if missing:
            await self._fetch([parcel for parcel in missing if not parcel.own])
            await self._make([parcel for parcel in missing if parcel.own])
            labels = await self._app.ledger.read(partial(stored.stored_labels, parcels=ready))
        to_print = [parcel for parcel in ready if parcel.id in labels and (again or not labels[parcel.id].prints)]
        self._done.printed_before = sum(parcel.id in labels for parcel in ready) - len(to_print)
        if to_print:
            await self._write_all(to_print, labels)
        return self._done

    def _unready(self, parcel: DeskParcel, *, again: bool) -> bool:
        """Has the parcel no label now? It is named with the reason."""
        why = ""
        if parcel.called_off:
            why = "cancelled or asked to be cancelled: do not ship"
        elif parcel.claim:
            why = "its booking has no known outcome: sellersync parcels claims"
        elif parcel.state in (ParcelState.WAITING, ParcelState.READY, ParcelState.PACKED, ParcelState.PICKUP_RETRY):
            why = "no courier is booked yet"
        elif not parcel.printed_number:
            why = "the courier has given no waybill yet"
        elif parcel.gone and not again:
            why = "it has left already"
        elif parcel.state is not ParcelState.BOOKED and not again:
            why = "it was stopped by the courier or the channel: sellersync parcels trouble"
        if why:
            self._done.leave_out(parcel, why)
        return bool(why)

    # -- what is missing

    async def _fetch(self, parcels: Sequence[DeskParcel]) -> None:
        """Labels of marketplaces, channel by channel; one channel's trouble is its own."""
        said: dict[int, str] = {}
        with progress(quiet=self._quiet) as bar:
            for slug in sorted({parcel.channel for parcel in parcels}):
                ids = [parcel.id for parcel in parcels if parcel.channel == slug]
                task = bar.add(f"labels of {slug}", total=len(ids))
                said |= await self._fetch_from(slug, ids, partial(bar.update, task, advance=1))
        here = await self._app.ledger.read(partial(stored.stored_labels, parcels=parcels))
        refused = await self._app.ledger.read(stored.refused_labels)
        for parcel in parcels:
            if parcel.id not in here:
                self._done.leave_out(parcel, self._app.redactor(refused.get(parcel.id) or said[parcel.id]))

    async def _fetch_from(self, slug: str, ids: list[int], step: Callable[[], None]) -> dict[int, str]:
        """Parcel id -> why there is no label, for all of `ids`."""
        shop = next((shop for shop in self._app.world.shops if shop.slug == slug), None)
        if shop is None:
            return dict.fromkeys(ids, f"{slug} is not configured")
        if not fetch_labels.offers_labels(shop):
            return dict.fromkeys(ids, f"{slug} delivers no labels")
        said: dict[int, str] = {}

        def each(parcel_id: int, why: str) -> None:
            said[parcel_id] = f"not ready at {slug}: {why}"
            step()

        run = await fetch_labels.run(self._app.world, shop, wait_s=TURN_S_MAX, force=True, parcel_ids=ids, each=each)
        rest = (
            f"{slug}: {run.error}"
            if run is not None and not run.ok
            else f"not asked for, {slug} is not ready; try again"
        )
        return {one: said.get(one, rest) for one in ids}

    async def _make(self, parcels: Sequence[DeskParcel]) -> None:
        """Labels of our own, stored in batches as they are made."""
        from sellersync.desk.label import MEDIA_TYPE, render, unprintable

        ledger, settings = self._app.ledger, self._app.settings
        sender = None if settings.sender is None else _sender(settings.sender.model_dump())
        with progress(quiet=self._quiet) as bar:
            task = bar.add("making labels", total=len(parcels))
            for start in range(0, len(parcels), RENDERED_AT_ONCE_MAX):
                batch = parcels[start : start + RENDERED_AT_ONCE_MAX]
                made: list[tuple[DeskParcel, bytes]] = []
                for parcel in batch:
                    try:
                        facts = await ledger.read(
                            partial(
                                stored.label_facts,
                                parcel=parcel,
                                vault=ledger.vault,
                                sender=sender,
                                default_weight_g=self._app.world.policy.default_weight_g,
                            )
                        )
                        made.append((parcel, render(facts, settings.shop.language)))
                    except BadInput as refused:
                        self._done.leave_out(parcel, str(refused))
                        continue
                    if unprintable(facts):
                        self._done.marked.append(parcel.name)
                await ledger.write(partial(self._keep, made=made, media_type=MEDIA_TYPE), name="labels_made")
                bar.update(task, advance=len(batch))

    def _keep(self, session: Session, made: Sequence[tuple[DeskParcel, bytes]], media_type: str) -> None:
        ledger = self._app.ledger
        self._prolong(session)
        for parcel, content in made:
            stored.keep_label(
                session,
                parcel.id,
                parcel.printed_number,
                content,
                media_type,
                kind=stored.OWN,
                vault=ledger.vault,
                now_ms=ledger.now_ms(),
            )

    # -- the files

    async def _write_all(self, parcels: Sequence[DeskParcel], labels: dict[int, StoredLabel]) -> None:
        stamp = self._app.ledger.clock.now().astimezone(self._app.settings.shop.zone)
        couriers = sorted({courier_name(parcel.courier) for parcel in parcels})
        with progress(quiet=self._quiet) as bar:
            for courier in couriers:
                own = sorted((parcel for parcel in parcels if courier_name(parcel.courier) == courier), key=pick_order)
                task = bar.add(f"printing {courier or 'labels'}", total=len(own))
                await self._write(courier, own, labels, stamp, partial(bar.update, task, advance=1))

    async def _write(
        self,
        courier: str,
        parcels: Sequence[DeskParcel],
        labels: dict[int, StoredLabel],
        stamp: datetime,
        step: Callable[[], None],
    ) -> None:
        from sellersync.desk.files import private_file
        from sellersync.desk.merge import Merger

        path = self._out / f"labels-{courier_key(courier) or 'no-courier'}-{stamp:%Y%m%d-%H%M%S}.pdf"
        inside: list[int] = []
        with private_file(path) as target:
            merger = Merger(target)
            for parcel in parcels:
                if await self._append(merger, parcel, labels[parcel.id], stamp):
                    inside.append(labels[parcel.id].id)
                step()
            merger.close()
        if not inside:
            path.unlink()
            return
        await self._note_printed(inside)
        self._done.files.append(Sheet(str(path), courier, len(inside), merger.pages))

    async def _append(self, merger: Merger, parcel: DeskParcel, label: StoredLabel, stamp: datetime) -> bool:
        """Put a label into the file. One in another format gets a file of its own; a broken one is forgotten and fetched anew."""
        ledger = self._app.ledger
        content = await ledger.read(partial(stored.read_label, label_id=label.id, vault=ledger.vault))
        try:
            merger.add(content, label.media_type)
        except BadInput as broken:
            suffix = OTHER_FORMATS.get(label.media_type.partition(";")[0].strip())
            if suffix is None:
                await ledger.write(partial(stored.drop_label, label_id=label.id), name="label_dropped")
                self._done.leave_out(parcel, f"{broken}; it is asked for again next time")
            else:
                await self._apart(parcel, label, content, stamp, suffix)
            return False
        return True

    async def _apart(
        self, parcel: DeskParcel, label: StoredLabel, content: bytes, stamp: datetime, suffix: str
    ) -> None:
        from sellersync.desk.files import private_file

        path = self._out / f"label-{courier_key(parcel.name)}-{stamp:%Y%m%d-%H%M%S}.{suffix}"
        with private_file(path) as target:
            target.write(content)
        await self._note_printed([label.id])
        self._done.files.append(Sheet(str(path), courier_name(parcel.courier), 1, 1))

    async def _note_printed(self, label_ids: Sequence[int]) -> None:
        ledger = self._app.ledger

        def write(session: Session) -> None:
            stored.note_printed(session, label_ids, now_ms=ledger.now_ms())
            self._prolong(session)

        await ledger.write(write, name="labels_printed")

    def _prolong(self, session: Session) -> None:
        if self._lease is not None:
            work.check_lease(session, self._lease, now_ms=self._app.ledger.now_ms(), ttl_ms=LEASE_MS)


OTHER_FORMATS = {"text/html": "html", "application/zpl": "zpl", "x-application/zpl": "zpl", "text/plain": "zpl"}
"""Labels that no PDF can hold are written as they came."""


def _sender(place: dict[str, object]) -> Address:
    names = ("name", "phone", "address", "district", "city", "province", "postal_code")
    return Address(**{name: str(place.get(name) or "") for name in names})
