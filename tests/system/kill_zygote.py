"""Starts daemons for the crash tests: imports the product once and forks, so that a restart costs a fraction of a second.

Each line on stdin is a JSON object {"config": path, "log": path, "die_at": step or ""}. For each, a child runs `sellersync run`; its
process id goes to stdout at once, its exit code (negative: the signal) when it has ended. The child is the real daemon, with its own
event loop, threads and sockets; only the imports are inherited.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

from sellersync.cli import main as command_line
from sellersync.connector.registry import connector_class
from sellersync.store import ledger

PROVIDERS = ("shopee", "tokopedia", "lazada", "woocommerce", "biteship")


def main() -> None:
    importlib.import_module("sellersync.daemon")
    for provider in PROVIDERS:
        connector_class(provider)
    _say({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_live(order))
        _say({"pid": pid})
        _, status = os.waitpid(pid, 0)
        _say({"code": os.waitstatus_to_exitcode(status)})


def _live(order: dict[str, Any]) -> int:
    """The daemon's whole life."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    ledger.DIE_AT = order["die_at"]  # what the variable SELLERSYNC_DIE_AT sets at an ordinary start
    return command_line(["run", "--config", order["config"]])


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
