"""The tables. Constraints hold the rules (L1, L3): what must be unique or positive is so in the database, not only in code.

Times are unix milliseconds (`*_ms`), so that both databases compare and index them alike; money is whole rupiah; text enums hold the
values of the domain's StrEnums. Hot paths write these tables with Core statements.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

BigId = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column(BigId, primary_key=True, autoincrement=True)


def _ref(target: str, *, nullable: bool = False, index: bool = False, primary_key: bool = False) -> Column[int]:
    return Column(BigId, ForeignKey(target), nullable=nullable, index=index, primary_key=primary_key)


def _ms(*, nullable: bool = False) -> Column[int]:
    return Column(BigInteger, nullable=nullable)


def _text() -> Column[str]:
    """A text that older rows have as ""."""
    return Column(String, nullable=False, server_default="")


class Meta(SQLModel, table=True):
    """Facts about this ledger: install_id, epoch, created_ms, unit counters."""

    __tablename__ = "meta"
    key: str = Field(primary_key=True)
    value: str


# ------------------------------------------------------------------------------------------------------------------------- catalogue


class ChannelRow(SQLModel, table=True):
    """One configured connection to one remote shop account, or one courier account. The id is never reused."""

    __tablename__ = "channel"
    __table_args__ = (
        UniqueConstraint("provider", "remote_shop_id"),
        UniqueConstraint("slug"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    provider: str
    remote_shop_id: str
    slug: str
    kind: str  # channel | courier
    warehouse_id: int | None = Field(default=None, sa_column=_ref("warehouse.id", nullable=True))
    """Where its orders are taken from unless their location says otherwise."""
    created_ms: int = Field(sa_column=_ms())
    first_walk_done_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    paused_until_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    """Backing off: no calls before this moment (L8)."""
    failures: int = 0
    state: str = "ok"  # ok | trouble | needs_authorisation
    trouble: str = ""
    trouble_since_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    last_pull_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    last_push_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))


class Warehouse(SQLModel, table=True):
    __tablename__ = "warehouse"
    id: int | None = Field(default=None, sa_column=_id())
    code: str = Field(unique=True)
    name: str = ""


class LocationMap(SQLModel, table=True):
    """Which of our warehouses a channel's location is."""

    __tablename__ = "location_map"
    channel_id: int = Field(sa_column=_ref("channel.id", primary_key=True))
    location: str = Field(primary_key=True)
    warehouse_id: int = Field(sa_column=_ref("warehouse.id"))


class FurtherWarehouse(SQLModel, table=True):
    """Another warehouse whose stock a channel without mapped locations shows beside that of its own."""

    __tablename__ = "further_warehouse"
    channel_id: int = Field(sa_column=_ref("channel.id", primary_key=True))
    warehouse_id: int = Field(sa_column=_ref("warehouse.id", primary_key=True))


class Sku(SQLModel, table=True):
    __tablename__ = "sku"
    id: int | None = Field(default=None, sa_column=_id())
    code: str = Field(unique=True)
    title: str = ""
    barcode: str = ""
    weight_g: int | None = None
    cost: int | None = None
    buffer: int = 0
    created_ms: int = Field(sa_column=_ms())


class Listing(SQLModel, table=True):
    __tablename__ = "listing"
    __table_args__ = (UniqueConstraint("channel_id", "remote_key"),)
    id: int | None = Field(default=None, sa_column=_id())
    channel_id: int = Field(sa_column=_ref("channel.id"))
    remote_key: str
    seller_sku: str = ""
    title: str = ""
    variation: str = ""
    barcode: str = ""
    price: int | None = None
    weight_g: int | None = None
    active: bool = True
    managed: bool = True
    recipe_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True))
    """The newest recipe; `None` while unmapped."""
    first_seen_ms: int = Field(sa_column=_ms())
    seen_ms: int = Field(sa_column=_ms())


class Recipe(SQLModel, table=True):
    """What one unit of a listing is made of; versioned rows, never updated."""

    __tablename__ = "recipe"
    __table_args__ = (UniqueConstraint("listing_id", "version"),)
    id: int | None = Field(default=None, sa_column=_id())
    listing_id: int = Field(sa_column=_ref("listing.id"))
    version: int
    created_ms: int = Field(sa_column=_ms())
    who: str


class RecipeItem(SQLModel, table=True):
    __tablename__ = "recipe_item"
    __table_args__ = (CheckConstraint("quantity > 0", name="recipe_item_quantity_positive"),)
    recipe_id: int = Field(sa_column=_ref("recipe.id", primary_key=True))
    sku_id: int = Field(sa_column=_ref("sku.id", primary_key=True))
    quantity: int


class Target(SQLModel, table=True):
    """The thing that has a number on a channel: what is pushed, expected, acknowledged and compared."""

    __tablename__ = "target"
    __table_args__ = (UniqueConstraint("channel_id", "remote_key", "location"),)
    id: int | None = Field(default=None, sa_column=_id())
    channel_id: int = Field(sa_column=_ref("channel.id"))
    remote_key: str
    location: str = ""
    expected: int | None = None
    """The number the channel should show now; `None` is unknown: send a fresh value or read back."""
    acked: int | None = None
    acked_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    acked_version: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    window_from_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    """Provider's clock: start of the pull before the last push. An order change inside the window may have been swallowed by it."""
    window_to_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    pot: int | None = None
    pot_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    floor: int | None = None
    pot_inside: bool = False
    """A refusal "below reserved" proved that the number contains the pot."""
    read_back_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    """After an unclear write: read the number back, but not before this moment."""
    held_level: int | None = None
    """The suddenly-zero guard holds this level until a person agrees."""
    agreed_zero: bool = False
    blocked: str = ""
    """Class of the provider's last refusal, "" when none."""
    blocked_level: int | None = None
    blocked_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    seen: int | None = None
    """The number that the channel showed when its levels were last read."""
    seen_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))


class ListingTarget(SQLModel, table=True):
    __tablename__ = "listing_target"
    listing_id: int = Field(sa_column=_ref("listing.id", primary_key=True))
    target_id: int = Field(sa_column=_ref("target.id", primary_key=True, index=True))


# ---------------------------------------------------------------------------------------------------------------------------- orders


class OrderRow(SQLModel, table=True):
    __tablename__ = "sales_order"
    __table_args__ = (
        UniqueConstraint("channel_id", "remote_id"),
        Index("sales_order_created", "created_ms"),
        Index("sales_order_state", "state"),
        Index("sales_order_changed", "channel_id", "changed_ms"),
    )
    id: int | None = Field(default=None, sa_column=_id())
    channel_id: int = Field(sa_column=_ref("channel.id"))
    remote_id: str
    number: str = ""
    storefront: str = ""
    state: str
    remote_status: str
    created_ms: int = Field(sa_column=_ms())
    updated_ms: int = Field(sa_column=_ms())
    read_started_ms: int = Field(sa_column=_ms())
    digest: str
    paid_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    seen_ms: int = Field(sa_column=_ms())
    """When the ledger first recorded it."""
    changed_ms: int = Field(sa_column=_ms())
    """When the ledger last recorded a newer version."""
    cancelled_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    shipped_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    ship_by_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    cancel_respond_by_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    hold_expires_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    hold_expired: bool = False
    cod: bool = False
    goods_total: int | None = None
    shipping_fee: int | None = None
    discount_total: int | None = None
    total: int | None = None
    payment_method: str = ""
    courier_service: str = ""
    cancel_by: str = ""
    cancel_reason: str = ""
    problems: str = ""
    """JSON list of sentences; an order with problems is parked (L7)."""
    posted_rev: int = 0
    gone: str = ""


class OrderLineRow(SQLModel, table=True):
    __tablename__ = "order_line"
    __table_args__ = (UniqueConstraint("order_id", "line_key"), Index("order_line_listing", "listing_key"))
    id: int | None = Field(default=None, sa_column=_id())
    order_id: int = Field(sa_column=_ref("sales_order.id", index=True))
    line_key: str
    aliases: str
    """JSON list of every key ever seen for this line; keys are added, never exchanged."""
    listing_key: str
    target_key: str
    location: str = ""
    seller_sku: str = ""
    title: str = ""
    quantity: int
    unit_price: int | None = None
    ours: bool = True
    units: str
    """JSON list of [stage, count, key, excluded]."""
    left_count: int = 0
    left_keys: str = "[]"
    return_due: int = 0
    recipe_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True))
    """The frozen resolution; `None` parks the line (L7)."""
    warehouse_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True))
    target_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True, index=True))
    held_outside: int = 0
    """Reserved units that the channel keeps from other buyers outside the number it shows."""
    on_shelf: int = 0
    """Reserved units of this line (in listing units)."""


class BuyerRow(SQLModel, table=True):
    """Buyer data, sealed apart from the order book (L13)."""

    __tablename__ = "buyer"
    order_id: int = Field(sa_column=_ref("sales_order.id", primary_key=True))
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    masked: bool = False
    stored_ms: int = Field(sa_column=_ms())


# ----------------------------------------------------------------------------------------------------------------------------- stock


class Movement(SQLModel, table=True):
    """`quantity` > 0 units of a SKU from one account to another. Never updated, never deleted (L1)."""

    __tablename__ = "movement"
    __table_args__ = (
        UniqueConstraint("cause_kind", "cause_id", "revision", "leg"),
        CheckConstraint("quantity > 0", name="movement_quantity_positive"),
        Index("movement_sku", "sku_id", "occurred_ms"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    sku_id: int = Field(sa_column=_ref("sku.id"))
    quantity: int
    source: str
    source_warehouse_id: int = 0
    """0 stands for "no warehouse", here and in `balance`."""
    destination: str
    destination_warehouse_id: int = 0
    occurred_ms: int = Field(sa_column=_ms())
    recorded_ms: int = Field(sa_column=_ms())
    cause_kind: str  # order | document | return
    cause_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    revision: int
    leg: int
    reason: str
    who: str


class Balance(SQLModel, table=True):
    __tablename__ = "balance"
    __table_args__ = (
        CheckConstraint(
            "quantity >= 0 OR account IN ('available', 'supplier', 'adjustment')", name="balance_not_negative"
        ),
    )
    sku_id: int = Field(sa_column=_ref("sku.id", primary_key=True))
    warehouse_id: int = Field(primary_key=True)
    account: str = Field(primary_key=True)
    quantity: int = 0
    changed_ms: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    movement_id: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    """The newest movement that changed it: the ledger version of everything computed from it."""


class OrderPosition(SQLModel, table=True):
    """Sum of an order's own movements per (SKU, warehouse), kept in the same transaction as they are posted."""

    __tablename__ = "order_position"
    __table_args__ = (CheckConstraint("reserved >= 0 AND shipped >= 0", name="order_position_not_negative"),)
    order_id: int = Field(sa_column=_ref("sales_order.id", primary_key=True))
    sku_id: int = Field(sa_column=_ref("sku.id", primary_key=True, index=True))
    warehouse_id: int = Field(sa_column=_ref("warehouse.id", primary_key=True))
    reserved: int
    shipped: int


class Seal(SQLModel, table=True):
    """Hash chain over the movements up to `movement_id`, written afterwards by one sealer."""

    __tablename__ = "seal"
    movement_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hash: str
    sealed_ms: int = Field(sa_column=_ms())


class Document(SQLModel, table=True):
    """What people do to stock: receipt, count, adjustment, return."""

    __tablename__ = "document"
    __table_args__ = {"sqlite_autoincrement": True}
    id: int | None = Field(default=None, sa_column=_id())
    kind: str
    warehouse_id: int | None = Field(default=None, sa_column=_ref("warehouse.id", nullable=True))
    at_ms: int = Field(sa_column=_ms())
    created_ms: int = Field(sa_column=_ms())
    who: str
    note: str = ""
    source: str = ""


class CountLine(SQLModel, table=True):
    """A count of one SKU in one warehouse: its first one gives the SKU its level there."""

    __tablename__ = "count_line"
    __table_args__ = (CheckConstraint("counted >= 0", name="count_not_negative"),)
    document_id: int = Field(sa_column=_ref("document.id", primary_key=True))
    sku_id: int = Field(sa_column=_ref("sku.id", primary_key=True, index=True))
    warehouse_id: int = Field(sa_column=_ref("warehouse.id"))
    at_ms: int = Field(sa_column=_ms())
    counted: int
    expected: int


class ReturnRow(SQLModel, table=True):
    """Goods that are to come back. Opened by facts, closed by a person's receipt and grading."""

    __tablename__ = "return_document"
    __table_args__ = (UniqueConstraint("order_id", "line_id", "number"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=_id())
    order_id: int = Field(sa_column=_ref("sales_order.id", index=True))
    line_id: int = Field(sa_column=_ref("order_line.id"))
    number: int
    quantity: int
    state: str  # open | received | graded | kept | withdrawn
    why: str
    remote_id: str = ""
    opened_ms: int = Field(sa_column=_ms())
    closed_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    posted_rev: int = 0
    parcel_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True, index=True))
    """The parcel that went out and comes back, where it is known."""
    waybill: str = Field(default="", sa_column=_text())
    """The waybill on the parcel that comes back, where the buyer sends a new one."""
    received: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    """Units that came in, or were given up as lost on their way back."""
    received_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    received_by: str = Field(default="", sa_column=_text())
    replacement_order_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True))


# ---------------------------------------------------------------------------------------------------------------- pushes and bookings


class Push(SQLModel, table=True):
    """One want: committed as sent before the call. Sent without an answer is unclear."""

    __tablename__ = "push"
    __table_args__ = (
        UniqueConstraint("target_id", "key", "attempt"),
        Index("push_target", "target_id", "id"),
        Index("push_sent", "sent_ms"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    target_id: int = Field(sa_column=_ref("target.id"))
    level: int
    expected: int | None = None
    ledger_version: int = Field(sa_column=Column(BigInteger, nullable=False))
    key: str
    attempt: int = 1
    wanted_ms: int = Field(sa_column=_ms())
    """When the ledger first wanted this level: the recording time of the movement that caused it, or of the decision."""
    sent_ms: int = Field(sa_column=_ms())
    answered_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    outcome: str = "sent"  # sent | applied | rejected | unclear
    shown: int | None = None
    detail: str = ""


class ParcelRow(SQLModel, table=True):
    __tablename__ = "parcel"
    __table_args__ = (
        Index(
            "parcel_remote",
            "channel_id",
            "remote_id",
            unique=True,
            sqlite_where=text("remote_id <> ''"),
            postgresql_where=text("remote_id <> ''"),
        ),
        Index("parcel_state", "state"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    channel_id: int = Field(sa_column=_ref("channel.id"))
    """The channel that sold the goods."""
    order_id: int = Field(sa_column=_ref("sales_order.id", index=True))
    """The order it was made for; combined parcels hold units of others too (see parcel_unit)."""
    number: int
    state: str
    remote_status: str = ""
    remote_id: str = ""
    """The marketplace's package number, or the courier's booking id."""
    courier_channel_id: int | None = Field(default=None, sa_column=_ref("channel.id", nullable=True))
    """The courier account that carries it; `None` for the marketplace's own logistics."""
    adopted: bool = False
    waybill: str = ""
    pickup_code: str = ""
    courier: str = ""
    service: str = ""
    why_chosen: str = ""
    quoted: int | None = None
    charged: int | None = None
    cod_amount: int | None = None
    routing_code: str = ""
    ship_by_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    created_ms: int = Field(sa_column=_ms())
    booked_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    waybill_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    picked_up_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    delivered_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    tracked_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    updated_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    state_since_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    """When it was first seen in its present state."""
    packed_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    packed_by: str = Field(default="", sa_column=_text())
    packed_as: str = Field(default="", sa_column=_text())
    """What was scanned into it, as JSON {SKU code: units}; when the order changes afterwards, it must be opened."""
    handed_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    """When we handed it to the courier, by our own word."""
    manifest_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True, index=True))
    handover: str = Field(default="", sa_column=_text())  # "" | pickup | drop_off
    adjusted: int | None = None
    """What the courier charges after weighing it again, where that differs from `charged`; whole rupiah."""
    insured: int | None = None
    weight_g: int | None = None
    promised_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    """When the courier promised to deliver it at the latest."""
    zone: str = Field(default="", sa_column=_text())
    """Where it goes, as coarse as a province: for rules and scorecards, no address."""
    cancel: str = Field(default="", sa_column=_text())  # "" | asked | sent | pending | done | refused
    """A person's wish to cancel the booking, and what became of it; `sent` is committed before the call."""
    cancel_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    """When it came into that state."""
    cancel_detail: str = Field(default="", sa_column=_text())
    """The reason that is told to the courier; afterwards what the courier said."""
    cancel_sends: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    rebook: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default="0"))
    """Once its booking is proven dead, its goods go into a new parcel by themselves."""


class ParcelUnit(SQLModel, table=True):
    """A unit in a parcel: the provider's unit id, or "#n" for the n-th counted unit of a line. One live parcel per unit (L3)."""

    __tablename__ = "parcel_unit"
    __table_args__ = (
        Index(
            "parcel_unit_live",
            "line_id",
            "unit_key",
            unique=True,
            sqlite_where=text("live"),
            postgresql_where=text("live"),
        ),
    )
    parcel_id: int = Field(sa_column=_ref("parcel.id", primary_key=True))
    line_id: int = Field(sa_column=_ref("order_line.id", primary_key=True))
    unit_key: str = Field(primary_key=True)
    live: bool = True


class Claim(SQLModel, table=True):
    """One attempt to book a parcel, committed before the call. At most one open claim a parcel; a reference is used once."""

    __tablename__ = "claim"
    __table_args__ = (
        UniqueConstraint("reference"),
        Index(
            "claim_open",
            "parcel_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    parcel_id: int = Field(sa_column=_ref("parcel.id", index=True))
    attempt: int
    reference: str
    state: str  # open | booked | dead | person
    step: str
    """Which step was last committed as being sent; for two-step couriers: draft, drafted, confirm."""
    sends: int = 0
    draft_id: str = ""
    booking_id: str = ""
    owner: str
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """The exact request, sealed."""
    created_ms: int = Field(sa_column=_ms())
    sent_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    not_before_settle_ms: int = Field(sa_column=_ms())
    settled_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    looks: int = 0
    detail: str = ""


# --------------------------------------------------------------------------------------------------------------------- work and trust


class MarkRow(SQLModel, table=True):
    __tablename__ = "mark"
    channel_id: int = Field(sa_column=_ref("channel.id", primary_key=True))
    stream: str = Field(primary_key=True)
    at_ms: int = Field(sa_column=_ms())
    progress: str = ""
    walk_started_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    walks: int = 0


class Lease(SQLModel, table=True):
    """Who does a job now, until when; the fence grows with every taking."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    owner: str
    until_ms: int = Field(sa_column=_ms())
    fence: int = 0


class TokenRow(SQLModel, table=True):
    """A channel's token pairs, newest serial last; the two previous ones are kept."""

    __tablename__ = "token"
    channel_id: int = Field(sa_column=_ref("channel.id", primary_key=True))
    serial: int = Field(primary_key=True)
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    made_from: str = ""
    """Digest of the refresh token that this pair was made from."""
    refresh_digest: str = ""
    stored_ms: int = Field(sa_column=_ms())


class TokenJournal(SQLModel, table=True):
    """Raw refresh answers on PostgreSQL, committed on their own before they are parsed (SQLite uses a synced file)."""

    __tablename__ = "token_journal"
    id: int | None = Field(default=None, sa_column=_id())
    channel_id: int = Field(sa_column=_ref("channel.id"))
    made_from: str
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    written_ms: int = Field(sa_column=_ms())


class JobRun(SQLModel, table=True):
    __tablename__ = "job_run"
    __table_args__ = (
        Index("job_run_job", "job", "channel_id", "id"),
        Index("job_run_started", "job", "started_ms"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    job: str
    channel_id: int | None = Field(default=None, sa_column=_ref("channel.id", nullable=True))
    started_ms: int = Field(sa_column=_ms())
    ended_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    outcome: str = "running"  # running | ok | temporary | rate_limited | auth_needed | error | interrupted
    counts: str = "{}"
    error: str = ""


class Finding(SQLModel, table=True):
    """Something that is wrong, since when, and what a person must do. One open row per (kind, channel, subject)."""

    __tablename__ = "finding"
    __table_args__ = (
        Index(
            "finding_open",
            "kind",
            "channel_id",
            "subject",
            unique=True,
            sqlite_where=text("closed_ms IS NULL"),
            postgresql_where=text("closed_ms IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    kind: str
    channel_id: int = 0
    """0 when it concerns no channel (a partial unique index does not see NULLs as equal)."""
    subject: str
    details: str = "{}"
    """JSON: values for the sentence templates in `report/words`."""
    since_ms: int = Field(sa_column=_ms())
    seen_ms: int = Field(sa_column=Column(BigInteger, nullable=False))
    deadline_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    closed_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))


class RequestCount(SQLModel, table=True):
    """Calls sent to a provider on one day of its own quota clock (UTC), so that a daily budget survives a restart."""

    __tablename__ = "request_count"
    channel_id: int = Field(sa_column=_ref("channel.id", primary_key=True))
    day: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    sent: int = 0


NO_WAREHOUSE = 0
