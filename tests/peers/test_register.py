"""The register of defects that comparable systems had: 35 rows, and each has a test that is named after it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = 35
NAMED = re.compile(r"^test_b0*([1-9][0-9]*)_")


def rows_with_a_test() -> set[int]:
    """Numbers of the rows named by a test function that does something."""
    found: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            named = NAMED.match(node.name)
            if named and any(isinstance(part, ast.Assert | ast.With | ast.Call) for part in ast.walk(node)):
                found.add(int(named[1]))
    return found


def test_every_row_of_the_register_has_a_test() -> None:
    assert rows_with_a_test() == set(range(1, ROWS + 1))
