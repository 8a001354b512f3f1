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

from . import run
from .codes import MEANING, Code
from .out import note
from .sentences import sentence
from .state import CONFIG_VARIABLE, State

DAEMON = "run"
VALUED = ("--config", "--credentials")
FLAGS = ("--json", "--verbose")
EPILOG = "\b\nExit codes:\n" + "\n".join(f"{code.value:>4}  {meaning}" for code, meaning in MEANING.items())


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"sellersync {__version__}")
        raise typer.Exit


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


def new_app() -> typer.Typer:
    """The command line with its global options and no command yet."""
    app = typer.Typer(
        name="sellersync",
        help="One ledger for every unit of stock: orders in, stock levels out, couriers booked.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(options)
    return app


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
        words = hoisted(sys.argv[1:] if arguments is None else arguments)
        _app_for(words)(args=words, prog_name="sellersync", obj=state)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else Code.OK
    except SellersyncError as failure:
        told, code = sentence(failure)
        note(state.redactor(told))
        if state.verbose:
            note(state.redactor(traceback.format_exc()))
        return code
    except KeyboardInterrupt:
        return Code.INTERRUPTED
    except Exception as bug:
        _tell_bug(state, bug)
        return Code.BUG
    return Code.OK


def _app_for(words: Sequence[str]) -> typer.Typer:
    """All commands; for the daemon its own alone, because what the others import would stay in its memory for good."""
    if words[-1:] == [DAEMON] and not set(words[-2:-1]) & set(VALUED):
        app = new_app()
        run.register(app)
        return app
    from .commands import app as all_commands

    return all_commands


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
