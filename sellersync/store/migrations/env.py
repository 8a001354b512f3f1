"""Alembic's entry: runs on the connection that `schema.upgrade` hands over, in one transaction."""

from alembic import context
from sqlmodel import SQLModel

import sellersync.store.tables
import sellersync.store.tables_desk
import sellersync.store.tables_report
import sellersync.store.tables_trade  # noqa: F401 - these fill the metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
