"""Returns: what providers tell of them, and the documents that the ledger keeps of goods that come back.

A document is about units of one order line. Whatever says that units come back (the order, a parcel, the provider's return, a person)
attaches to the same document, so that a unit is in at most one. `plan_documents` is the rule; stock becomes sellable again only by a
person's grading.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from .stock import Account


class ReturnState(StrEnum):
    """Where a return stands with the provider."""

    REQUESTED = "requested"
    APPROVED = "approved"
    COMING_BACK = "coming_back"
    ARRIVED = "arrived"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    REFUND_ONLY = "refund_only"
    UNKNOWN = "unknown"


class Grade(StrEnum):
    """What a person found in the returned parcel."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    LOST = "lost"

    @property
    def account(self) -> Account:
        """Where graded units stand."""
        return _ACCOUNTS[self]


_ACCOUNTS = {Grade.SELLABLE: Account.AVAILABLE, Grade.DAMAGED: Account.DAMAGED, Grade.LOST: Account.LOST}


@dataclass(frozen=True, slots=True)
class RemoteReturn:
    """A return as the provider shows it. `lines` lists (line key or remote listing, units); amounts are whole rupiah."""

    remote_id: str
    order_id: str
    state: ReturnState
    remote_status: str
    lines: tuple[tuple[str, int], ...]
    refund_amount: int | None
    goods_come_back: bool
    updated_at: datetime
    respond_by: datetime | None = None
    waybill: str = ""
    reason: str = ""


class CancellationState(StrEnum):
    """Where a buyer's or seller's cancellation request stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RemoteCancellation:
    """A cancellation request as the provider shows it; `respond_by` is the moment it is decided without us."""

    remote_id: str
    order_id: str
    state: CancellationState
    remote_status: str
    lines: tuple[tuple[str, int], ...]
    updated_at: datetime
    respond_by: datetime | None = None
    by: str = ""
    reason: str = ""


# ------------------------------------------------------------------------------------------------------------------------ documents


class DocumentState(StrEnum):
    """What became of the goods of a return document."""

    OPEN = "open"  # units are still awaited
    RECEIVED = "received"  # all are here, not all are graded
    GRADED = "graded"
    KEPT = "kept"  # a person says that nothing comes back
    WITHDRAWN = "withdrawn"  # the facts that opened it were taken back

    @property
    def settled(self) -> bool:
        """Nobody has anything left to do."""
        return self not in (DocumentState.OPEN, DocumentState.RECEIVED)


class ReturnCause(StrEnum):
    """Which fact opened a document. The values are shown to people."""

    CANCELLED = "cancelled after it left the shelf"
    FAILED_DELIVERY = "failed delivery"
    BUYER = "returned by the buyer"
    STATUS = "on its way back by the order"
    PERSON = "brought to the desk"


COMING = frozenset({ReturnState.APPROVED, ReturnState.COMING_BACK, ReturnState.ARRIVED})
"""States of a provider's return in which its goods are awaited. A request that nobody answered yet awaits nothing."""
TAKEN_BACK = frozenset({ReturnState.WITHDRAWN, ReturnState.REFUND_ONLY})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that says of units of one line that they come back: those named by `keys` and `units` more that are only counted.

    `remote_id` is the provider's return, `parcel_id` our parcel that failed to be delivered; facts of the order have neither.
    """

    cause: ReturnCause
    keys: frozenset[str] = frozenset()
    units: int = 0
    remote_id: str = ""
    parcel_id: int | None = None
    waybill: str = ""

    @property
    def size(self) -> int:
        return len(self.keys) + self.units

    @property
    def referred(self) -> bool:
        """Does it have a number of its own, apart from the order's?"""
        return bool(self.remote_id) or self.parcel_id is not None

    def told(self, document: ReturnDocument) -> bool:
        """Does the document know of this very return or parcel?"""
        if self.remote_id:
            return document.remote_id == self.remote_id
        return self.parcel_id is not None and document.parcel_id == self.parcel_id

    def fits(self, document: ReturnDocument) -> bool:
        """May a return or parcel be about the goods of a document that another fact opened?"""
        if self.told(document):
            return False
        return not document.remote_id if self.remote_id else document.parcel_id is None


@dataclass(frozen=True, slots=True)
class ReturnDocument:
    """A document as far as the plan needs it; `id` 0 is one that does not exist yet. `received` of `quantity` units are settled with:
    they came in, or were given up on their way."""

    id: int
    quantity: int
    state: DocumentState
    cause: ReturnCause
    received: int = 0
    remote_id: str = ""
    parcel_id: int | None = None
    waybill: str = ""

    @property
    def awaited(self) -> int:
        return self.quantity - self.received if self.state is DocumentState.OPEN else 0


@dataclass(frozen=True, slots=True)
class DocumentPlan:
    """What is to be done about the documents of one line: new ones, known ones with what they learned, and units taken back."""

    opened: tuple[ReturnDocument, ...] = ()
    learned: tuple[ReturnDocument, ...] = ()
    taken_back: tuple[tuple[int, int], ...] = ()  # (document id, units)


def units_due(evidence: Iterable[Evidence]) -> int:
    """How many units of a line come back, by all facts together.

    Facts of different kinds (the order, parcels, provider's returns) tell of the same units as far as they can; two parcels, or two
    returns, are about different ones. Units with names are counted once, whoever names them.
    """
    groups: dict[int, tuple[set[str], int]] = {}
    names: set[str] = set()
    for fact in evidence:
        kind = 1 if fact.remote_id else 2 if fact.parcel_id is not None else 0
        named, counted = groups.get(kind, (set(), 0))
        groups[kind] = (named | fact.keys, counted + fact.units)
        names |= fact.keys
    return max([len(names), *(len(named) + counted for named, counted in groups.values())])


def plan_documents(
    shipped: int,
    evidence: Iterable[Evidence],
    documents: Iterable[ReturnDocument],
    *,
    revoked_returns: Collection[str] = (),
    revoked_parcels: Collection[int] = (),
) -> DocumentPlan:
    """What the facts about one line ask of its documents. `shipped` is how many of its units ever left the shelf: documents never
    hold more.

    A fact that is merely gone takes nothing back (an order goes on to COMPLETED while its goods are under way). Taken back is what
    was called off: a return withdrawn or turned into a refund (`revoked_returns`), a parcel delivered after all (`revoked_parcels`), a
    cancellation that is none any more; and only units that nothing else still announces and that have not come in.
    """
    plan = _Plan(shipped, [fact for fact in evidence if fact.size], list(documents))
    plan.take_back(revoked_returns, revoked_parcels)
    plan.cover()
    return DocumentPlan(tuple(plan.opened), tuple(plan.learned.values()), tuple(plan.taken_back))


class _Plan:
    """The documents of one line while a plan is made; `live` ends as they should be."""

    def __init__(self, shipped: int, facts: Sequence[Evidence], documents: Sequence[ReturnDocument]) -> None:
        self.shipped = shipped
        self.facts = facts
        self.live = [document for document in documents if document.state is not DocumentState.WITHDRAWN]
        self.due = min(units_due(facts), shipped)
        self.opened: list[ReturnDocument] = []
        self.learned: dict[int, ReturnDocument] = {}
        self.taken_back: list[tuple[int, int]] = []

    def take_back(self, revoked_returns: Collection[str], revoked_parcels: Collection[int]) -> None:
        cancelled = sum(fact.size for fact in self.facts if fact.cause is ReturnCause.CANCELLED)
        no_longer = self._quantity(document.cause is ReturnCause.CANCELLED for document in self.live) - cancelled
        kept: list[ReturnDocument] = []
        excess = (
            self._quantity(self._announced(one) or _revoked(one, revoked_returns, revoked_parcels) for one in self.live)
            - self.due
        )
        for document in self.live:
            if self._told(document):
                called_off = 0
            elif _revoked(document, revoked_returns, revoked_parcels):
                called_off = document.awaited
            elif document.cause is ReturnCause.CANCELLED:
                called_off = min(document.awaited, max(no_longer, 0))
            else:
                called_off = 0
            units = min(called_off, max(excess, 0))
            if units:
                excess -= units
                no_longer -= units
                self.taken_back.append((document.id, units))
                document = replace(document, quantity=document.quantity - units)
            if document.quantity:
                kept.append(document)
        self.live = kept

    def cover(self) -> None:
        """Attach each fact to documents that may be about its units; open new ones for what is left."""
        missing = self.due - self._quantity(self._announced(document) for document in self.live)
        for fact in sorted(self.facts, key=lambda fact: (not fact.remote_id, fact.parcel_id is None)):
            known = self._attach(fact) if fact.referred else self._known_to_order(fact)
            room = self.shipped - self._quantity(True for _ in self.live)
            units = min(fact.size - known, missing, room)
            if units > 0:
                missing -= units
                new = ReturnDocument(
                    0, units, DocumentState.OPEN, fact.cause, 0, fact.remote_id, fact.parcel_id, fact.waybill
                )
                self.live.append(new)
                self.opened.append(new)

    def _attach(self, fact: Evidence) -> int:
        """How many units the documents have that know of the fact, after those that fit have been told of it."""
        known = sum(document.quantity for document in self.live if fact.told(document))
        for index, document in enumerate(self.live):
            if known >= fact.size or not fact.fits(document) or self._other_units(document, fact):
                continue
            known += document.quantity
            told = replace(
                document,
                remote_id=fact.remote_id or document.remote_id,
                parcel_id=fact.parcel_id if fact.parcel_id is not None else document.parcel_id,
                waybill=fact.waybill or document.waybill,
            )
            self.live[index] = told
            if document in self.opened:
                self.opened[self.opened.index(document)] = told
            else:
                self.learned[document.id] = told
        return known

    def _known_to_order(self, fact: Evidence) -> int:
        """The order tells of every unit that ever came back, whatever else told of it first."""
        return sum(
            len(names & fact.keys) if (names := self._names(document)) and fact.keys else document.quantity
            for document in self.live
        )

    def _names(self, document: ReturnDocument) -> frozenset[str]:
        """The units of a document, where the facts that it knows of name them."""
        return frozenset().union(*(fact.keys for fact in self.facts if fact.told(document)))

    def _other_units(self, document: ReturnDocument, fact: Evidence) -> bool:
        names = self._names(document)
        return bool(names and fact.keys and not names & fact.keys)

    def _told(self, document: ReturnDocument) -> bool:
        """Does a fact of today know of this document by its number?"""
        return any(fact.told(document) for fact in self.facts)

    def _announced(self, document: ReturnDocument) -> bool:
        """May today's facts be about this document? One that came of a return or parcel of which nobody tells any more is past."""
        return self._told(document) or not (document.remote_id or document.parcel_id is not None)

    def _quantity(self, chosen: Iterable[bool]) -> int:
        return sum(document.quantity for document, taken in zip(self.live, chosen, strict=True) if taken)


def _revoked(document: ReturnDocument, returns: Collection[str], parcels: Collection[int]) -> bool:
    return document.remote_id in returns or document.parcel_id in parcels
