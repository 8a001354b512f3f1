"""The ledger: the only home of sqlmodel, sqlalchemy and alembic.

`tables` (what is kept), `engine` (how SQLite and PostgreSQL are opened), `ledger` (the one write seam), one module a group of writes
(`orders`, `stock`, `pushes`, `bookings`, `work`, `listings`), `reads` (every query), `tokens` and `vault` (secrets at rest).
"""
