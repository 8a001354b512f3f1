"""A ledger for each test, started on 10 November 2026 at midnight, shop time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .bookkeeping import Books, wib


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path, started=wib(10))
    yield books
    books.close()
