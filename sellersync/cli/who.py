"""Who works at the command line: named in movements and documents."""

from __future__ import annotations

import getpass
import os


def who() -> str:
    """The login name of the person, also behind sudo."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
