import sys
from pathlib import Path

import pytest

from sellersync.store import schema

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "store"))
sys.path.insert(0, str(TESTS / "jobs"))


@pytest.fixture
def sqlite_path(tmp_path: Path) -> str:
    """The URL of a ledger with the newest schema and nothing in it."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    schema.upgrade(url)
    return url
