"""Tables of the packing desk: where goods lie, labels, hand-overs, what buyers and own sites are told, what came back."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from .tables import _id, _ms, _ref


class Bin(SQLModel, table=True):
    """Where a SKU lies in a warehouse: the order in which pickers walk is the order of the codes."""

    __tablename__ = "bin"
    sku_id: int = Field(sa_column=_ref("sku.id", primary_key=True))
    warehouse_id: int = Field(sa_column=_ref("warehouse.id", primary_key=True))
    code: str


class QuoteRow(SQLModel, table=True):
    """A courier account's offers for one route and weight, kept for a while. `key` is a digest and holds no buyer data."""

    __tablename__ = "quote"
    key: str = Field(primary_key=True)
    offers: str
    stored_ms: int = Field(sa_column=_ms())


class LabelRow(SQLModel, table=True):
    """The label of a parcel as it was first made or fetched, sealed: a reprint is the same bytes. A new waybill is a new label."""

    __tablename__ = "label"
    __table_args__ = (UniqueConstraint("parcel_id", "waybill"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=_id())
    parcel_id: int = Field(sa_column=_ref("parcel.id"))
    waybill: str
    """The waybill (or pickup code) printed on it."""
    kind: str  # channel | own
    media_type: str
    digest: str
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    stored_ms: int = Field(sa_column=_ms())
    printed_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    prints: int = 0


class Manifest(SQLModel, table=True):
    """One hand-over of parcels to one courier (serah terima). Its parcels point at it."""

    __tablename__ = "manifest"
    __table_args__ = {"sqlite_autoincrement": True}
    id: int | None = Field(default=None, sa_column=_id())
    courier: str
    created_ms: int = Field(sa_column=_ms())
    who: str
    handed_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    """When the courier took the parcels; `None` while it is only prepared."""
    note: str = ""


class ParcelEvent(SQLModel, table=True):
    """Each state that a parcel was seen in, in the order of seeing."""

    __tablename__ = "parcel_event"
    __table_args__ = (Index("parcel_event_parcel", "parcel_id", "id"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=_id())
    parcel_id: int = Field(sa_column=_ref("parcel.id"))
    state: str
    remote_status: str = ""
    seen_ms: int = Field(sa_column=_ms())


class HandBack(SQLModel, table=True):
    """A waybill that the own site is to be told of; the newest waybill of a parcel counts."""

    __tablename__ = "hand_back"
    __table_args__ = (Index("hand_back_state", "state"),)
    parcel_id: int = Field(sa_column=_ref("parcel.id", primary_key=True))
    waybill: str
    state: str = "due"  # due | done | refused
    attempts: int = 0
    next_ms: int = Field(sa_column=_ms())
    done_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    detail: str = ""


class MailRow(SQLModel, table=True):
    """A mail to a buyer of the own site; committed as being sent before it is. `parcel_id` 0 stands for the whole order."""

    __tablename__ = "mail"
    __table_args__ = (
        UniqueConstraint("order_id", "kind", "parcel_id"),
        Index("mail_state", "state", "next_ms"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    order_id: int = Field(sa_column=_ref("sales_order.id"))
    kind: str  # order_confirmation | shipping_notice
    parcel_id: int = 0
    language: str
    message_id: str
    state: str = "queued"  # queued | sending | sent | refused | unclear
    attempts: int = 0
    created_ms: int = Field(sa_column=_ms())
    next_ms: int = Field(sa_column=_ms())
    sent_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    detail: str = ""


class ReturnGrade(SQLModel, table=True):
    """What a person found: units of one return document, graded. One row a decision, never changed."""

    __tablename__ = "return_grade"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="return_grade_quantity_positive"),
        Index("return_grade_return", "return_id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=_id())
    return_id: int = Field(sa_column=_ref("return_document.id"))
    grade: str  # sellable | damaged | lost
    quantity: int
    graded_ms: int = Field(sa_column=_ms())
    who: str
    note: str = ""
