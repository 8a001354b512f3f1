"""The contract between the core and a connector: nouns first, then what each method promises and which error it raises.

A connector never sees the ledger, the scheduler or the configuration of others. Every method is one errand on the wire; errors are
those of `sellersync.domain.errors`. Methods that a connector does not declare in its capabilities are refused before any call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from sellersync.domain.errors import NotSupported
from sellersync.domain.listings import Effect as Effect
from sellersync.domain.listings import LevelAnswer as LevelAnswer
from sellersync.domain.listings import PushOutcome as PushOutcome
from sellersync.domain.listings import RemoteListing as RemoteListing
from sellersync.domain.listings import ShownLevel as ShownLevel
from sellersync.domain.listings import TargetKey as TargetKey
from sellersync.domain.listings import Want as Want
from sellersync.domain.orders import Order
from sellersync.domain.parcels import ParcelState, RemoteParcel
from sellersync.domain.returns import RemoteCancellation, RemoteReturn
from sellersync.domain.settlements import Settlement as Settlement
from sellersync.domain.times import Clock

if TYPE_CHECKING:
    from .http import Wire

# ---------------------------------------------------------------------------------------------------------------- streams and pages


class Stream(StrEnum):
    """What can be walked in time order; each channel has one mark per stream."""

    ORDERS = "orders"
    CANCELLATIONS = "cancellations"
    RETURNS = "returns"
    SETTLEMENTS = "settlements"
    TRASH = "trash"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a stream has been walked: everything changed before `at` (the provider's clock) is in the ledger.

    `progress` is the connector's own text from the last page of an unfinished window ("" at a window's start); a walk may resume
    from it or ignore it.
    """

    at: datetime
    progress: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """An order that the provider no longer shows (trashed, deleted). Evidence for a person; releases nothing by itself."""

    remote_id: str
    how: str
    updated_at: datetime | None = None


Row = Order | RemoteCancellation | RemoteReturn | Settlement | Gone


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a walk. Committed in one transaction with its progress.

    Only the last page of a window carries `closes`: the window's upper bound on the provider's clock; an empty window closes too.
    `read_started_at` is our clock when the read of these rows began. `skipped` are sentences about rows that could not be read at
    all (the window closes nevertheless; each becomes a finding).
    """

    rows: tuple[Row, ...]
    read_started_at: datetime
    progress: str = ""
    closes: datetime | None = None
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrdersById:
    """Answer to a read by id: what was found, which ids the provider does not know (any more), and sentences about orders that were
    found and could not be read."""

    found: tuple[Order, ...]
    gone: tuple[str, ...]
    read_started_at: datetime
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacedOrders:
    """The ids of all orders placed in a window, found by another listing than the walks use; `by_field` is its time field."""

    ids: tuple[str, ...]
    by_field: str


# ----------------------------------------------------------------------------------------------------------------------- shipments


class Handover(StrEnum):
    """How the parcel reaches the courier."""

    PICKUP = "pickup"
    DROP_OFF = "drop_off"


@dataclass(frozen=True, slots=True)
class ParcelRequest:
    """Arrange the shipment of these units of one order.

    `parcel` is the provider's package where it exists beforehand, `None` where arranging creates it. `units` lists (line key, unit
    keys, count); unit keys are empty where units are only counted.
    """

    order_id: str
    reference: str
    units: tuple[tuple[str, tuple[str, ...], int], ...]
    parcel: RemoteParcel | None = None
    handover: Handover = Handover.PICKUP


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The next step of arranging a shipment, fully decided by reads alone (address, slot, mode): committed before it is sent.

    `step` names the wire step, `payload` is everything `arrange` needs to send it, as text; it holds no buyer data.
    """

    request: ParcelRequest
    step: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Arranged:
    """Clear answer to one step. `more` says that another step follows: prepare again with `parcel`."""

    parcel: RemoteParcel
    more: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A label as the provider delivers it."""

    content: bytes
    media_type: str


class SettleBy(StrEnum):
    """How a booking without an answer is settled."""

    LOOKUP = "lookup"  # the provider can be asked by our or its own key
    SAME_REFERENCE_REPEAT = "same_reference_repeat"  # a used reference is refused and the refusal names the booking
    TWO_STEP = "two_step"  # draft, store its id, confirm; only confirm costs money and can be read back
    PERSON = "person"


# ------------------------------------------------------------------------------------------------------------------ authorisation


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """An access token with what belongs to it. Times are aware UTC; `None` means that it does not end.

    `serial` grows with every stored pair, so that a caller can tell whether its token is still the newest. Never in a repr.
    """

    access: str
    refresh: str = ""
    access_ends_at: datetime | None = None
    refresh_ends_at: datetime | None = None
    issued_at: datetime | None = None
    remote_shop_id: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    serial: int = 0

    def __repr__(self) -> str:
        return f"Token(serial={self.serial}, ends={self.access_ends_at})"


class TokenSource(Protocol):
    """Where a connector gets its token, anew for every call (a stored token is never held between calls)."""

    async def current(self) -> Token:
        """The newest stored token. Raises `AuthNeeded` when there is none or it cannot be renewed."""
        ...

    async def renewed(self, dead: Token) -> Token:
        """A token newer than `dead`: renewed by one refresher for all callers and processes. Raises `AuthNeeded`, `Temporary`."""
        ...


class Authoriser(ABC):
    """How a channel's consent and token refresh are spoken on the wire. Storing, locking and journaling are the core's."""

    refreshable: bool = True
    rotating: bool = True
    """The refresh token is single-use: a lost answer can lock the shop out."""
    own_keys: bool = False
    """The first token is asked for with our own keys, without a person's consent: `exchange` takes no parameters."""

    @abstractmethod
    def refresh_at(self, token: Token) -> datetime | None:
        """When the token is to be renewed, well before its end; `None` when it needs no renewal."""

    @abstractmethod
    async def refresh(self, token: Token) -> bytes:
        """Send one refresh and return the raw body of any answer that may contain a new pair, unparsed (the core makes it durable
        before `read_grant`). Never repeated by the connector. Raises `Temporary` (nothing sent), `Uncertain` (no answer)."""

    @abstractmethod
    def read_grant(self, raw: bytes, *, now: datetime, previous: Token | None) -> Token:
        """Parse a raw answer of `refresh` or `exchange`. Raises `AuthNeeded` when it is a refusal, `Temporary` when it may be
        tried again with the same refresh token, `Unrecognised` when it is neither."""

    def consent_url(self, *, state: str, redirect_url: str) -> str:
        """The page on which the seller agrees. Raises `NotSupported` where keys are pasted instead."""
        raise NotSupported("this channel has no consent page; paste its keys into the credential files")

    async def exchange(self, redirect_parameters: Mapping[str, str]) -> bytes:
        """Exchange what came back from the consent page for the raw answer with the first pair. Errors as `refresh`."""
        raise NotSupported("this channel has no consent page; paste its keys into the credential files")


class KeyPage(ABC):
    """A page of the provider that grants static keys: the owner agrees in a browser, and the provider sends the keys to a public
    https address of ours. It is used before any key exists, so it gets the channel's table as the configuration holds it."""

    @abstractmethod
    def address(self, table: Mapping[str, Any], *, callback_url: str, challenge: str) -> str:
        """The page to open. `challenge` comes back with the keys. Raises `BadInput` where the table lacks what the page needs."""

    @abstractmethod
    def read(self, body: bytes, *, challenge: str) -> Mapping[str, str]:
        """The keys in what the provider sent: name of a secret setting -> value. Raises `BadInput` when it answers another challenge
        or holds no such keys; the text never quotes the body."""


@dataclass(frozen=True, slots=True)
class Health:
    """Is the shop reachable and for how long? `notes` are sentences for the report (holiday mode, frozen shop, foreign region)."""

    remote_shop_id: str
    shop_name: str
    authorisation_ends_at: datetime | None = None
    clock_offset_s: float = 0.0
    notes: tuple[str, ...] = ()


# -------------------------------------------------------------------------------------------------------------------- capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCapabilities:
    """What a channel can do, as data. Every wait and limit carries its unit in its name (L14)."""

    streams: frozenset[Stream]
    own_site: bool = False
    """Paid orders are shipped by a courier that we book, not through the channel's logistics."""
    first_walk: timedelta = timedelta(days=15)
    """How far back the first walk of a stream goes."""
    visibility_delay_s: float = 0.0
    """Longest known time until a change is visible in lists."""
    overlap_s: float = 300.0
    """How far a window reaches back behind the mark."""
    booking_read_lag_s: float = 0.0
    """Longest known time until a booking is visible when read back."""
    write_settles_s: float = 60.0
    """Longest known processing time of a level write whose answer was lost."""
    settle_by: SettleBy = SettleBy.LOOKUP
    whole_item_writes: bool = False
    """A level write must carry every location of the remote key."""
    locations: bool = False
    level_max: int = 999_999
    can_show_zero: bool = True
    can_decrease: bool = True
    campaign_pots: bool = False
    """Units may be held aside outside the shown number; levels are read before they are raised."""
    certain: frozenset[Effect] = frozenset()
    arranges: bool = True
    labels: bool = True
    answers_cancellations: bool = False
    counts_placed: bool = False
    """The orders placed in a window can be listed by their time of creation: the proof that no walk left one out."""
    hands_back: bool = False
    """The own site is told the waybill of a parcel that we booked, so that the buyer gets it."""
    consent: bool = True
    verified: str = "simulator only"
    unsupported: Mapping[str, str] = field(default_factory=dict)
    """What the provider offers and this connector does not: name -> reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierCapabilities:
    """What a courier service can do, as data."""

    settle_by: SettleBy
    reference_length_max: int = 30
    booking_read_lag_s: float = 0.0
    cod: bool = False
    balance: bool = False
    verified: str = "simulator only"
    unsupported: Mapping[str, str] = field(default_factory=dict)


# ----------------------------------------------------------------------------------------------------------------- the two contracts


class ConnectorSettings(BaseModel):
    """Base of a connector's own settings: the keys of its table in the configuration file.

    A field's description is shown to the seller when the value is wrong. Secrets are `SecretStr` fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a connector gets from the core. `settings` is an instance of the connector's own `Settings`."""

    slug: str
    settings: Any
    wire: Wire
    tokens: TokenSource
    clock: Clock
    rng: Random


class Connector(ABC):
    """Common to channels and couriers."""

    provider: ClassVar[str]
    title: ClassVar[str]
    """As people write it: "Tokopedia & TikTok Shop"."""
    Settings: ClassVar[type[ConnectorSettings]]
    key_page: ClassVar[KeyPage | None] = None
    """Where static keys are granted instead of pasted."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def provider_now(self) -> datetime:
        """The provider's clock as last seen in its answers: windows and marks are measured with it."""
        return self.context.wire.now()

    @property
    def authoriser(self) -> Authoriser | None:
        """How tokens are renewed; `None` where static keys are used."""
        return None

    @abstractmethod
    async def health(self) -> Health:
        """Who are we talking to and for how long? One cheap read. Raises `AuthNeeded`, `Temporary`."""


class Channel(Connector):
    """A marketplace or an own site. A channel whose settings change a capability sets its own on the instance."""

    capabilities: ChannelCapabilities

    @abstractmethod
    def pages(self, stream: Stream, mark: Mark) -> AsyncIterator[Page]:
        """Walk everything that changed since `mark`, window by window, oldest window first.

        Each window overlaps the mark by the declared overlap and ends with a page that carries `closes`. A hard cap of the provider
        splits the window (L6). Raises `Temporary`, `RateLimited`, `AuthNeeded`, `CapExceeded`.
        """

    @abstractmethod
    async def orders_by_id(self, ids: Sequence[str]) -> OrdersById:
        """Read orders by the provider's ids, in the largest legal batches. One unknown id does not sink the others."""

    async def placed(self, since: datetime, until: datetime) -> PlacedOrders:
        """All orders created in [since, until), whatever became of them. Splits windows at the provider's hard caps (L6).

        Raises `Temporary`, `RateLimited`, `AuthNeeded`, `CapExceeded`.
        """
        raise NotSupported(f"{self.title} does not list orders by their time of creation")

    @abstractmethod
    def listings(self) -> AsyncIterator[tuple[RemoteListing, ...]]:
        """All listings with a stock number or without, page by page."""

    @abstractmethod
    async def levels(self, targets: Sequence[TargetKey]) -> tuple[ShownLevel, ...]:
        """What the channel shows for each target now, and what it holds aside."""

    @abstractmethod
    def level_batches(self, wants: Sequence[Want]) -> list[tuple[Want, ...]]:
        """Cut wants into the largest legal calls. Pure; keeps the order of the first want of each batch."""

    @abstractmethod
    async def set_levels(self, batch: Sequence[Want]) -> tuple[LevelAnswer, ...]:
        """Send one batch made by `level_batches`; one answer per want, in the same order.

        A lost or unreadable answer is UNCLEAR per item, never an exception: only what certainly changed nothing raises (`Temporary`,
        `RateLimited`, `AuthNeeded`).
        """

    async def prepare(self, request: ParcelRequest) -> Arrangement:
        """Decide the next step of arranging a shipment by reads alone.

        Raises `Temporary` (not yet), `Rejected`; with ALREADY_DONE it was arranged elsewhere: `parcels` shows it, and it is adopted.
        """
        raise NotSupported(f"{self.title} does not arrange shipments")

    async def arrange(self, arrangement: Arrangement) -> Arranged:
        """Send one prepared step, once. Raises `Rejected` (certainly not done), `Uncertain` (settle by reading), `Temporary`
        (nothing was sent)."""
        raise NotSupported(f"{self.title} does not arrange shipments")

    async def parcels(self, order_ids: Sequence[str]) -> tuple[RemoteParcel, ...]:
        """All parcels of these orders as the provider shows them now; decides open claims, feeds tracking and waybills."""
        raise NotSupported(f"{self.title} has no parcels")

    async def label(self, parcel: RemoteParcel) -> Label:
        """The label of a booked parcel. Raises `Temporary` while it is being made."""
        raise NotSupported(f"{self.title} delivers no labels")

    async def answer_cancellation(self, order_id: str, cancellation_id: str, *, accept: bool, key: str) -> None:
        """Accept or refuse a buyer's cancellation request. Raises `Rejected`, `Uncertain`."""
        raise NotSupported(f"{self.title} takes no answers to cancellations")

    async def hand_back(self, order_id: str, waybill: str, courier: str, note: str = "") -> None:
        """Tell the own site the waybill of an order's parcel, and its buyer `note` exactly once ("" tells nobody).

        Harmless to repeat: what the site knows already is not written again. Raises `Rejected` (the site will never take it),
        `Uncertain` and `Temporary` (repeat it later).
        """
        raise NotSupported(f"{self.title} is not told waybills")


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """A contact at an address. `postal_code` is five digits in Indonesia; coordinates are degrees. Never in a repr."""

    name: str
    phone: str
    address: str
    postal_code: str = ""
    district: str = ""
    city: str = ""
    province: str = ""
    email: str = ""
    note: str = ""
    latitude: float | None = None
    longitude: float | None = None
    area_id: str = ""

    def __repr__(self) -> str:
        return "Place(sealed)"


@dataclass(frozen=True, slots=True)
class ParcelItem:
    """One kind of thing in a parcel: value in whole rupiah and weight in grams are per unit, sizes in cm."""

    name: str
    sku: str
    quantity: int
    value: int
    weight_g: int
    length_cm: int | None = None
    width_cm: int | None = None
    height_cm: int | None = None


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    origin: Place
    destination: Place
    items: tuple[ParcelItem, ...]
    companies: tuple[str, ...]
    cod_amount: int | None = None
    insured_amount: int | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """One service's offer. `price` is what it costs in whole rupiah; `days` the promised (fastest, slowest) or `None`."""

    company: str
    service: str
    name: str
    price: int
    days: tuple[int, int] | None = None
    cod: bool = False
    cod_fee: int | None = None
    insurance_fee: int | None = None
    instant_waybill: bool = False
    handovers: tuple[Handover, ...] = (Handover.PICKUP,)


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """Book one parcel. `reference` is ours, unique per attempt."""

    reference: str
    order_number: str
    sender: Place
    recipient: Place
    items: tuple[ParcelItem, ...]
    company: str
    service: str
    handover: Handover = Handover.PICKUP
    cod_amount: int | None = None
    insured_amount: int | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as the courier shows it. `waybill` may be "" and may change later; `price` is provisional."""

    booking_id: str
    reference: str
    state: ParcelState
    remote_status: str
    company: str
    service: str
    waybill: str = ""
    tracking_id: str = ""
    price: int | None = None
    routing_code: str = ""
    destination_postal_code: str = ""
    cod_amount: int | None = None
    picked_up_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DraftState:
    """A draft as the courier shows it: confirmed drafts name their booking."""

    draft_id: str
    confirmed: bool
    booking_id: str = ""
    reference: str = ""
    exists: bool = True


@dataclass(frozen=True, slots=True)
class CourierCancel:
    """Answer to a cancellation: done at once, pending, or refused with the courier's reason."""

    done: bool
    pending: bool = False
    why: str = ""


class Courier(Connector):
    """A courier service or aggregator that we book ourselves."""

    capabilities: CourierCapabilities

    @abstractmethod
    async def quote(self, request: QuoteRequest) -> tuple[Quote, ...]:
        """Offers for a parcel, cheapest first. Raises `Rejected` (no route, bad address, insufficient balance), `Temporary`."""

    async def draft(self, request: BookingRequest) -> DraftState:
        """First step of a two-step booking; costs nothing. Raises `Rejected` (REFERENCE_USED when the reference is taken),
        `Uncertain`, `Temporary`."""
        raise NotSupported(f"{self.title} has no drafts")

    async def read_draft(self, draft_id: str) -> DraftState:
        """What became of a draft."""
        raise NotSupported(f"{self.title} has no drafts")

    async def confirm(self, draft_id: str, reference: str) -> Booking:
        """Second step: books and pays. Raises `Rejected` (certainly not booked), `Uncertain`."""
        raise NotSupported(f"{self.title} has no drafts")

    async def book(self, request: BookingRequest) -> Booking:
        """Book and pay in one call (one-step couriers). A refusal because the reference is used is `Rejected` REFERENCE_USED with
        `details["booking_id"]`. Raises `Uncertain`."""
        raise NotSupported(f"{self.title} books in two steps")

    async def find(self, reference: str) -> Booking | None:
        """The booking with our reference (LOOKUP couriers), `None` when the courier does not know it."""
        raise NotSupported(f"{self.title} cannot search by reference")

    @abstractmethod
    async def booking(self, booking_id: str) -> Booking:
        """A booking by the courier's id, with its present state: this is also how parcels are tracked."""

    @abstractmethod
    async def cancel(self, booking_id: str, reason: str) -> CourierCancel:
        """Cancel a booking. Raises `Uncertain`."""

    async def balance(self) -> int:
        """Prepaid balance in whole rupiah."""
        raise NotSupported(f"{self.title} does not tell the balance")
