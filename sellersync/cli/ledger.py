"""`sellersync ledger`: does it prove itself?"""

from __future__ import annotations

import typer

from sellersync.store.seals import note_verified
from sellersync.store.seals import verify as verify_ledger

from .codes import Code
from .out import as_json, say, waiting
from .state import state_of

app = typer.Typer(help="The ledger itself.", no_args_is_help=True)


@app.command("verify")
def verify(context: typer.Context) -> None:
    """Rebuild balances from movement one, check seals and sums. Exit code 1 when something differs."""
    state = state_of(context)
    with state.ledger() as (_, ledger), waiting("rebuilding the balances", quiet=state.json):
        check = ledger.read_now(verify_ledger)
        if not check.problems and check.head is not None:
            head = check.head
            ledger.write_now(lambda session: note_verified(session, head, now_ms=ledger.now_ms()), name="verified")
    if state.json:
        as_json({"ok": not check.problems, "movements": check.movements, "sealed": check.sealed,
                 "balances": check.balances, "problems": check.problems})  # fmt: skip
    else:
        say(f"{check.movements} movements, {check.sealed} of them sealed, {check.balances} balances.")
        for problem in check.problems:
            say(f"- {problem}")
        say("The ledger does NOT prove itself. Keep a copy of the file and look for who changed it." if check.problems
            else "Everything rebuilt from the movements equals what is kept.")  # fmt: skip
    raise typer.Exit(Code.ATTENTION if check.problems else Code.OK)
