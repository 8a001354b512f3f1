"""A command of ours in a process of its own: what it loads and reads does not stay in the daemon's memory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

from sellersync.domain.errors import Temporary
from sellersync.settings import Settings

SAID_CHARS_MAX = 200
GRACE_S = 5.0
BUG_CODE = 70
"""Exit code of a command that failed by a bug of ours."""


async def run_command(settings: Settings, words: Sequence[str], *, timeout_s: float) -> None:
    """Run `sellersync WORDS` on the same configuration and wait for its end. Raises `Temporary` with what it said when it ends in any
    other way than well or takes too long, `RuntimeError` when it ran into a bug. When the caller is
    cancelled it is asked to end, at last killed."""
    options = ["--config", str(settings.path)]
    if settings.credentials_dir is not None:
        options += ["--credentials", str(settings.credentials_dir)]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sellersync", *options, *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the one who waits for it
    )
    try:
        async with asyncio.timeout(timeout_s):
            _, told = await child.communicate()
    except TimeoutError:
        raise Temporary(f"sellersync {words[0]} took more than {timeout_s:.0f} seconds") from None
    finally:
        if child.returncode is None:
            await _ended(child)
    if child.returncode:
        said = " ".join(told.decode("utf-8", "replace").split())[-SAID_CHARS_MAX:]
        sentence = f"sellersync {' '.join(words[:2])} ended with {child.returncode}: {said}"
        raise RuntimeError(sentence) if child.returncode == BUG_CODE else Temporary(sentence)


async def _ended(child: asyncio.subprocess.Process) -> None:
    """A process that sends finishes the message that is under way."""
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(GRACE_S):
            await child.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
