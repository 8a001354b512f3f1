"""Files with buyer data: readable by their owner alone, whole or not there at all, and deleted when they are no longer needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sellersync.domain.errors import BadInput

MODE = 0o600
FOLDER_MODE = 0o700
OURS = ("labels-*.pdf", "label-*.*", "pick-*.pdf", "pick-*.csv", "manifest-*.pdf", "manifest-*.csv")


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, mode 0600 from its first byte. It gets its name when the block ends well. Raises `BadInput`."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            partial.unlink()
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    except OSError as failure:
        raise BadInput(f"{path} cannot be written ({failure.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        partial.replace(path)
    except OSError as failure:
        raise BadInput(f"{path} cannot be written ({failure.strerror})") from None
    finally:
        with suppress(OSError):
            partial.unlink()


def purge_files(folder: Path, *, kept_days: int, now: datetime) -> int:
    """Delete the desk's files in its own folder that are older than `kept_days`. Returns how many."""
    oldest = (now - timedelta(days=kept_days)).timestamp()
    deleted = 0
    for pattern in OURS:
        for path in folder.glob(pattern):
            with suppress(OSError):
                if path.lstat().st_mtime < oldest:
                    path.unlink()
                    deleted += 1
    return deleted
