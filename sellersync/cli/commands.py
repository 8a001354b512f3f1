"""All commands, put together."""

from __future__ import annotations

from . import (
    auth,
    bins,
    booking,
    connectors,
    demo,
    differences,
    labels,
    ledger,
    listings,
    mails,
    manifests,
    notify,
    orders,
    packing,
    parcels,
    pick,
    plans,
    prove,
    reorder,
    report,
    returns,
    run,
    status,
    stock,
    sync,
    why,
)
from .main import new_app

app = new_app()
for module in (run, sync, status, report, reorder, demo):
    module.register(app)
differences.register(stock.app)
bins.register(stock.app)
plans.register(stock.app)
booking.register(parcels.app)
for module in (labels, pick, packing, manifests):
    module.register(parcels.app)
for name, group in (
    ("orders", orders.app),
    ("order", orders.one),
    ("parcels", parcels.app),
    ("returns", returns.app),
    ("mails", mails.app),
    ("notify", notify.app),
    ("stock", stock.app),
    ("listings", listings.app),
    ("prove", prove.app),
    ("why", why.app),
    ("ledger", ledger.app),
    ("auth", auth.app),
    ("connectors", connectors.app),
):
    app.add_typer(group, name=name)
