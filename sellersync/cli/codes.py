"""Exit codes of every command; docs/cli.md lists the same."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """What a script may rely on."""

    OK = 0
    ATTENTION = 1
    INPUT = 2
    TROUBLE = 3
    AUTHORISE = 4
    BUG = 70
    BUSY = 75
    INTERRUPTED = 130


MEANING = {
    Code.OK: "done",
    Code.ATTENTION: "a check failed, or something needs you",
    Code.INPUT: "bad input or configuration; nothing was changed",
    Code.TROUBLE: "a channel or the database is unwell; the same command may work later",
    Code.AUTHORISE: "a channel must be authorised",
    Code.BUG: "a bug of sellersync",
    Code.BUSY: "another process does this work right now",
    Code.INTERRUPTED: "interrupted by you",
}
