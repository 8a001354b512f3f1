"""`sellersync`: the commands put together, and what happens when one of them cannot go on."""

from __future__ import annotations

import logging
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sellersync import __version__
from sellersync.domain.errors import SellersyncError

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
    orders,
    packing,
    parcels,
    pick,
    plans,
    reorder,
    report,
    returns,
    run,
    status,
    stock,
    sync,
)
from .codes import MEANING, Code
from .out import note
from .sentences import sentence
from .state import CONFIG_VARIABLE, State

VALUED = ("--config", "--credentials")
FLAGS = ("--json", "--verbose")
EPILOG = "\b\nExit codes:\n" + "\n".join(f"{code.value:>4}  {meaning}" for code, meaning in MEANING.items())

app = typer.Typer(
    name="sellersync",
    help="One ledger for every unit of stock: orders in, stock levels out, couriers booked.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
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
    ("parcels", parcels.app),
    ("returns", returns.app),
    ("mails", mails.app),
    ("stock", stock.app),
    ("listings", listings.app),
    ("ledger", ledger.app),
    ("auth", auth.app),
    ("connectors", connectors.app),
):
    app.add_typer(group, name=name)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"sellersync {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help=f"Configuration file (else ${CONFIG_VARIABLE}, ./sellersync.toml, /etc/sellersync/)."),
    ] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="Directory of the credential files (else $CREDENTIALS_DIRECTORY, secrets_dir).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer as one JSON document.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log everything; show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """These options may stand before or after the command."""
    state = context.ensure_object(State)
    state.config, state.credentials, state.json, state.verbose = config, credentials, json, verbose
    state.log(logging.ERROR)


def hoisted(words: Sequence[str]) -> list[str]:
    """The words with the global options, wherever they stand, in front."""
    front: list[str] = []
    rest: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        if word == "--":
            rest += words[index:]
            break
        if word in VALUED and index + 1 < len(words):
            front += [word, words[index + 1]]
            index += 1
        elif word in FLAGS or word.startswith(tuple(f"{name}=" for name in VALUED)):
            front.append(word)
        else:
            rest.append(word)
        index += 1
    return [*front, *rest]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors with a next step become sentences on stderr."""
    state = State()
    try:
        app(args=hoisted(sys.argv[1:] if arguments is None else arguments), prog_name="sellersync", obj=state)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else Code.OK
    except SellersyncError as failure:
        words, code = sentence(failure)
        note(state.redactor(words))
        if state.verbose:
            note(state.redactor(traceback.format_exc()))
        return code
    except KeyboardInterrupt:
        return Code.INTERRUPTED
    except Exception as bug:
        _tell_bug(state, bug)
        return Code.BUG
    return Code.OK


def _tell_bug(state: State, bug: Exception) -> None:
    """One sentence, and where the traceback lies (or the traceback itself with --verbose)."""
    trace = state.redactor("".join(traceback.format_exception(bug)))
    if state.verbose:
        note(trace)
        return
    with tempfile.NamedTemporaryFile("w", prefix="sellersync-bug-", suffix=".txt", delete=False) as file:
        file.write(trace)
    note(
        f"A bug of sellersync: {type(bug).__name__}. The ledger is as it was before. The traceback is in {file.name}; please report it."
    )
