"""The one place that turns errors into sentences with the next step, and into exit codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sellersync.domain import errors

from .codes import Code


def _temporary(error: errors.Temporary) -> str:
    wait = f"in about {error.retry_after_s:.0f} s" if error.retry_after_s else "in a moment"
    return f"{error.why}.\nNothing was changed by this call; run the same command again {wait}. The daemon tries again by itself."


def _limited(error: errors.RateLimited) -> str:
    return f"{error.why}.\nThe provider asks for a pause until {error.until:%H:%M:%S} UTC; nothing was changed. Run the command again then."


def _rejected(error: errors.Rejected) -> str:
    code = f" [{error.code}]" if error.code else ""
    return f"{error.item} was refused: {error.why}{code}.\nRepeating it is useless; correct the cause at the provider first."


def _held(error: errors.Held) -> str:
    return (
        f"{error.what} is being done by {error.owner} right now.\n"
        f"Run the command again in a moment; if that process is gone, its claim ends at {error.until:%H:%M:%S} UTC."
    )


def _config(error: errors.ConfigError) -> str:
    return "\n".join(error.problems)


Words = Callable[[Any], str]

SENTENCES: dict[type[errors.SellersyncError], tuple[Words, Code]] = {
    errors.SellersyncError: (lambda error: f"{error}.\nSee `sellersync status` for what is open.", Code.ATTENTION),
    errors.Temporary: (_temporary, Code.TROUBLE),
    errors.RateLimited: (_limited, Code.TROUBLE),
    errors.QuotaSpent: (
        lambda error: f"{error.why}.\nNothing was sent; the next day begins at {error.until:%H:%M} UTC.",
        Code.TROUBLE,
    ),
    errors.AuthNeeded: (lambda error: f"{error.why}.\n{error.todo}", Code.AUTHORISE),
    errors.TokenDead: (
        lambda error: f"The access token was refused ({error}).\nRun the command again: it is renewed first.",
        Code.TROUBLE,
    ),
    errors.Rejected: (_rejected, Code.ATTENTION),
    errors.Uncertain: (
        lambda error: (
            f"{error.reference}: no clear answer came ({error.why}).\n"
            "It may have happened. Do not repeat it by hand: the daemon finds out by reading, or run `sellersync sync`."
        ),
        Code.TROUBLE,
    ),
    errors.Unrecognised: (
        lambda error: (
            f"{error.what}: the provider sent something unknown: {error.raw[:200]!r}.\n"
            "Nothing was guessed. Look for a newer version of sellersync, or report this sentence."
        ),
        Code.ATTENTION,
    ),
    errors.CapExceeded: (
        lambda error: f"{error}.\nThe provider lists no more than this at once; run `sellersync sync pull` again.",
        Code.TROUBLE,
    ),
    errors.NotSupported: (
        lambda error: f"{error}.\n`sellersync connectors list` shows what each connector can do.",
        Code.INPUT,
    ),
    errors.ConfigError: (_config, Code.INPUT),
    errors.BadInput: (lambda error: str(error), Code.INPUT),
    errors.LeaseLost: (
        lambda error: (
            f"{error}: another process took this work over.\nNothing is lost; run the command again if needed."
        ),
        Code.BUSY,
    ),
    errors.Held: (_held, Code.BUSY),
}


def sentence(error: errors.SellersyncError) -> tuple[str, Code]:
    """What to tell a person about an error, and the exit code."""
    for cls in type(error).__mro__:
        if cls in SENTENCES:
            words, code = SENTENCES[cls]
            return words(error), code
    raise TypeError(f"{type(error).__name__} is no error of ours")
