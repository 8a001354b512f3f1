"""`sellersync demo`: the product's own daemon against marketplaces on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sellersync.domain.errors import BadInput

from .state import state_of


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    context: typer.Context,
    seconds: Annotated[int, typer.Option(min=5, max=3600, help="How long buyers order.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed brings the same buyers.")] = 1,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep ledger, configuration, log and report here.")
    ] = None,
    off: Annotated[str | None, typer.Option(metavar="CHANNEL", help="A channel that nobody can reach.")] = None,
) -> None:
    """Four marketplaces and a courier on 127.0.0.1, buyers on all of them, and a self-check at the end. Needs no account."""
    from sellersync.sandbox.demo import run_demo

    try:
        code = run_demo(seconds=seconds, seed=seed, json=state_of(context).json, keep=keep, off=off)
    except ValueError as wrong:
        raise BadInput(str(wrong)) from None
    raise typer.Exit(code)
