"""Logging of every command, set up in one place: to stderr, redacted, without the HTTP libraries' URLs."""

from __future__ import annotations

import logging
import os
import sys

from sellersync.connector.redact import RedactingFilter, Redactor

QUIET = ("httpx", "httpcore", "apscheduler", "tzlocal", "asyncio")
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
FORMAT_IN_JOURNAL = "%(levelname)s %(name)s: %(message)s"  # the journal keeps the time itself


def set_up(redactor: Redactor, *, level: int) -> None:
    """Log from `level` on. Called again when the secrets are known; the former handlers are replaced."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT_IN_JOURNAL if os.environ.get("JOURNAL_STREAM") else FORMAT))
    handler.addFilter(RedactingFilter(redactor))
    root = logging.getLogger()
    for former in [known for known in root.handlers if getattr(known, "of_sellersync", False)]:
        root.removeHandler(former)
    handler.of_sellersync = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
