"""`sellersync parcels pack`: a scanner reads an order or waybill, then every item; what is wrong is said at once.

Reads one code a line from standard input, as scanners type them, so that it works from a pipe too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated

import typer

from sellersync.desk.words import Language, courier_name, moment, word
from sellersync.domain.desk import DeskParcel
from sellersync.domain.errors import BadInput
from sellersync.domain.packing import PackCheck, Scan
from sellersync.settings import Settings
from sellersync.store import packing
from sellersync.store.ledger import Ledger
from sellersync.store.reads_desk import find_parcels
from sellersync.store.reads_orders import find_orders

from .codes import Code
from .out import as_json, say
from .state import state_of
from .who import who

PUT_ASIDE = ("BATAL", "CANCEL")
CODE_LENGTH_MAX = 200
CODES_MAX = 100_000
CALLED_OFF = ("cancelled", "cancel_requested")


@dataclass(slots=True)
class Outcome:
    """What became of one parcel. `result`: packed, unfinished, put_aside, already, refused (with `why`)."""

    parcel: str
    result: str
    why: str = ""
    scanned: int = 0
    wrong: int = 0
    missing: dict[str, int] = field(default_factory=dict)


def register(app: typer.Typer) -> None:
    app.command("pack")(pack)


def pack(
    context: typer.Context,
    parcel: Annotated[
        str | None, typer.Argument(help="Order, waybill, or ORDER/N; without it the first scan names it.")
    ] = None,
) -> None:
    """Scan an order or waybill, then each item in it. Wrong items are said at once; a complete parcel is recorded as packed."""
    state = state_of(context)
    with state.ledger() as (settings, ledger):
        desk = _Desk(settings, ledger, quiet=state.json)
        for code in chain([] if parcel is None else [parcel], _codes()):
            desk.take(code)
        desk.end()
    if state.json:
        as_json({"parcels": desk.outcomes, "unknown": desk.unknown})
    if desk.unknown or any(one.result not in ("packed", "already") for one in desk.outcomes):
        raise typer.Exit(Code.ATTENTION)


def _codes() -> Iterator[str]:
    for number, line in enumerate(sys.stdin):
        if number >= CODES_MAX:
            raise BadInput(f"over {CODES_MAX} scans at once; start the command again")
        yield line


class _Desk:
    """The scans of one sitting: none or one parcel is in hand."""

    def __init__(self, settings: Settings, ledger: Ledger, *, quiet: bool) -> None:
        self._language: Language = settings.shop.language
        self._zone = settings.shop.zone
        self._ledger = ledger
        self._quiet = quiet
        self._bell = "\a" if sys.stdout.isatty() else ""
        self._known: dict[str, str] = {}
        self._parcel: DeskParcel | None = None
        self._check = PackCheck({})
        self._now = Outcome("", "")
        self.outcomes: list[Outcome] = []
        self.unknown: list[str] = []
        if sys.stdin.isatty():
            self._say("scan_parcel")

    def take(self, line: str) -> None:
        """One scanned or typed line."""
        code = line.strip()[:CODE_LENGTH_MAX]
        if not code:
            return
        if self._parcel is None:
            self._begin(code)
        elif code.upper() in PUT_ASIDE:
            self._say("put_aside", parcel=self._parcel.name)
            self._finish("put_aside")
        elif (sku := self._known.get(code.upper())) is not None:
            self._item(self._parcel, sku)
        else:
            self._no_goods(self._parcel, code)

    def end(self) -> None:
        """No more scans."""
        if self._parcel is not None:
            self._alarm("missing", parcel=self._parcel.name, missing=self._missing())
            self._finish("unfinished")

    # -- inside

    def _begin(self, code: str) -> None:
        found = self._ledger.read_now(lambda session: find_parcels(session, code))
        waiting = [
            parcel for parcel in found if not parcel.gone and (parcel.packed_at is None or parcel.outdated)
        ] or found
        if len(waiting) > 1:
            names = ", ".join(f"{parcel.order_number or parcel.order}/{parcel.number}" for parcel in waiting)
            self._alarm("several", code=code, names=names)
            self.outcomes.append(Outcome(code, "refused", "several parcels"))
        elif waiting:
            self._open(waiting[0])
        else:
            self._without_parcel(code)

    def _without_parcel(self, code: str) -> None:
        """An order of which nothing can be packed, or a code that nobody knows."""
        orders = self._ledger.read_now(lambda session: find_orders(session, code))
        if not orders:
            self._unknown(code)
            return
        why = orders[0].state if orders[0].state in CALLED_OFF else "no_parcel"
        self._alarm(why, parcel=code)
        self.outcomes.append(Outcome(code, "refused", why))

    def _open(self, parcel: DeskParcel) -> None:
        why = packing.why_not_packed(parcel)
        if why:
            self._alarm(why, parcel=parcel.name)
            self.outcomes.append(Outcome(parcel.name, "refused", why))
            return
        if parcel.outdated:
            self._alarm("outdated", parcel=parcel.name, was=_listed(parcel.packed_as or {}))
        elif parcel.packed_at is not None:
            by = self._ledger.read_now(lambda session: packing.packed_by(session, parcel.id))
            self._say("already", parcel=parcel.name, when=moment(parcel.packed_at, self._zone), who=by)
            self.outcomes.append(Outcome(parcel.name, "already"))
            return
        self._known = self._ledger.read_now(packing.known_codes)
        self._check = PackCheck(parcel.contents)
        self._parcel, self._now = parcel, Outcome(parcel.name, "")
        self._say(
            "begin",
            parcel=parcel.name,
            courier=courier_name(parcel.courier) or "–",
            units=sum(self._check.wanted.values()),
            skus=len(self._check.wanted),
        )
        titles = {part.sku: part.title for line in parcel.lines for part in line.parts}
        for sku, quantity in self._check.wanted.items():
            self._print("  " + word(self._language, "wants", quantity=quantity, sku=sku, title=titles[sku]).rstrip())

    def _item(self, parcel: DeskParcel, sku: str) -> None:
        self._now.scanned += 1
        result = self._check.scan(sku)
        if result is Scan.OK:
            self._say("ok", sku=sku, done=self._check.done(sku), quantity=self._check.wanted[sku])
        else:
            self._now.wrong += 1
            self._alarm(result.value, sku=sku, parcel=parcel.name, quantity=self._check.wanted.get(sku, 0))
        if self._check.complete:
            self._record(parcel)

    def _record(self, parcel: DeskParcel) -> None:
        """All is in it; the order may have changed while it was packed."""
        try:
            self._ledger.write_now(
                lambda session: packing.note_packed(
                    session, parcel.id, self._check.wanted, who=who(), now_ms=self._ledger.now_ms()
                ),
                name="packed",
            )
        except BadInput as refused:
            self._alarm(str(refused), parcel=parcel.name)
            self._now.why = str(refused)
            self._finish("refused")
            return
        self._say("packed", parcel=parcel.name)
        self._finish("packed")

    def _no_goods(self, parcel: DeskParcel, code: str) -> None:
        """Not an item: another parcel's number, this one's again, or nothing we know."""
        found = self._ledger.read_now(lambda session: find_parcels(session, code))
        if any(other.id == parcel.id for other in found):
            self._say("missing", parcel=parcel.name, missing=self._missing())
        elif found:
            self._alarm("in_hand", parcel=parcel.name, missing=self._missing())
        else:
            self._unknown(code)

    def _unknown(self, code: str) -> None:
        self._alarm("unknown_code", code=code)
        self.unknown.append(code)

    def _finish(self, result: str) -> None:
        self._now.result = result
        self._now.missing = self._check.missing
        self.outcomes.append(self._now)
        self._parcel = None

    def _missing(self) -> str:
        return _listed(self._check.missing)

    def _alarm(self, key: str, **values: object) -> None:
        self._print(self._bell + word(self._language, key, **values))

    def _say(self, key: str, **values: object) -> None:
        self._print(word(self._language, key, **values))

    def _print(self, text: str) -> None:
        if not self._quiet:
            say(text)


def _listed(units: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {sku}" for sku, count in units.items())
