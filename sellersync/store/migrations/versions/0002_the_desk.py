"""The packing desk, requests to cancel, returns and settlements."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "manifest",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("courier", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("handed_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "quote",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("offers", sa.String(), nullable=False),
        sa.Column("stored_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "bin",
        sa.Column("sku_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("warehouse_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sku_id"],
            ["sku.id"],
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"],
            ["warehouse.id"],
        ),
        sa.PrimaryKeyConstraint("sku_id", "warehouse_id"),
    )
    op.create_table(
        "cancellation_request",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("order_remote_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("remote_status", sa.String(), nullable=False),
        sa.Column("lines", sa.String(), nullable=False),
        sa.Column("by_whom", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("respond_by_ms", sa.BigInteger(), nullable=True),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("answer_state", sa.String(), nullable=False),
        sa.Column("answer_key", sa.String(), nullable=False),
        sa.Column("answered_ms", sa.BigInteger(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "remote_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("cancellation_request", schema=None) as batch_op:
        batch_op.create_index("cancellation_order", ["channel_id", "order_remote_id"], unique=False)

    op.create_table(
        "remote_return",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("order_remote_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("remote_status", sa.String(), nullable=False),
        sa.Column("lines", sa.String(), nullable=False),
        sa.Column("refund_amount", sa.Integer(), nullable=True),
        sa.Column("goods_come_back", sa.Boolean(), nullable=False),
        sa.Column("waybill", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("respond_by_ms", sa.BigInteger(), nullable=True),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "remote_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("remote_return", schema=None) as batch_op:
        batch_op.create_index("remote_return_order", ["channel_id", "order_remote_id"], unique=False)

    op.create_table(
        "further_warehouse",
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("warehouse_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"],
            ["warehouse.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id", "warehouse_id"),
    )
    op.create_table(
        "request_count",
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id", "day", "kind"),
    )
    op.create_table(
        "settlement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("order_remote_id", sa.String(), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "remote_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("settlement", schema=None) as batch_op:
        batch_op.create_index("settlement_order", ["channel_id", "order_remote_id"], unique=False)
        batch_op.create_index("settlement_settled", ["settled_ms"], unique=False)

    op.create_table(
        "mail",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("parcel_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id", "kind", "parcel_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("mail", schema=None) as batch_op:
        batch_op.create_index("mail_state", ["state", "next_ms"], unique=False)

    op.create_table(
        "settlement_part",
        sa.Column("settlement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement.id"],
        ),
        sa.PrimaryKeyConstraint("settlement_id", "name"),
    )
    op.create_table(
        "hand_back",
        sa.Column("parcel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("waybill", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parcel_id"],
            ["parcel.id"],
        ),
        sa.PrimaryKeyConstraint("parcel_id"),
    )
    with op.batch_alter_table("hand_back", schema=None) as batch_op:
        batch_op.create_index("hand_back_state", ["state"], unique=False)

    op.create_table(
        "label",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("parcel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("waybill", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("stored_ms", sa.BigInteger(), nullable=False),
        sa.Column("printed_ms", sa.BigInteger(), nullable=True),
        sa.Column("prints", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parcel_id"],
            ["parcel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("parcel_id", "waybill"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "parcel_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("parcel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("remote_status", sa.String(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parcel_id"],
            ["parcel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("parcel_event", schema=None) as batch_op:
        batch_op.create_index("parcel_event_parcel", ["parcel_id", "id"], unique=False)

    op.create_table(
        "return_grade",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("return_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("grade", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("graded_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="return_grade_quantity_positive"),
        sa.ForeignKeyConstraint(
            ["return_id"],
            ["return_document.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("return_grade", schema=None) as batch_op:
        batch_op.create_index("return_grade_return", ["return_id"], unique=False)

    with op.batch_alter_table("job_run", schema=None) as batch_op:
        batch_op.create_index("job_run_started", ["job", "started_ms"], unique=False)

    with op.batch_alter_table("parcel", schema=None) as batch_op:
        batch_op.add_column(sa.Column("state_since_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("packed_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("packed_by", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("packed_as", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("handed_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(
            sa.Column("manifest_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("handover", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("adjusted", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("insured", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("weight_g", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("promised_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("zone", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("cancel", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("cancel_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("cancel_detail", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("cancel_sends", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("rebook", sa.Boolean(), server_default="0", nullable=False))
        batch_op.create_index(batch_op.f("ix_parcel_manifest_id"), ["manifest_id"], unique=False)

    with op.batch_alter_table("push", schema=None) as batch_op:
        batch_op.create_index("push_sent", ["sent_ms"], unique=False)

    with op.batch_alter_table("target", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seen", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("seen_ms", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("return_document", schema=None) as batch_op:
        batch_op.add_column(sa.Column("parcel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(sa.Column("waybill", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("received", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("received_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("received_by", sa.String(), server_default="", nullable=False))
        batch_op.add_column(
            sa.Column("replacement_order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.create_index(batch_op.f("ix_return_document_parcel_id"), ["parcel_id"], unique=False)
