"""`sellersync connectors`: what is installed and what it can do."""

from __future__ import annotations

import typer

from sellersync.connector.contract import Channel, Courier
from sellersync.connector.registry import connector_class, installed

from .out import as_json, table
from .state import state_of

app = typer.Typer(help="Installed connectors.", no_args_is_help=True)


@app.command("list")
def list_(context: typer.Context) -> None:
    """Channels and couriers that this installation can speak to, how each was verified, and what it leaves out."""
    state = state_of(context)
    rows = []
    for provider in installed():
        cls = connector_class(provider)
        assert issubclass(cls, Channel | Courier)
        kind = "channel" if issubclass(cls, Channel) else "courier"
        can = cls.capabilities
        rows.append({"provider": provider, "title": cls.title, "kind": kind, "verified": can.verified,
                     "unsupported": dict(can.unsupported)})  # fmt: skip
    if state.json:
        as_json(rows)
        return
    table(
        ("provider", "title", "kind", "verified", "leaves out"),
        [
            (row["provider"], row["title"], row["kind"], row["verified"], ", ".join(row["unsupported"]) or "-")
            for row in rows
        ],
    )
