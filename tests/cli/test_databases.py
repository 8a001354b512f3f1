"""Every question and every document at the command line, once on each database: the answers are the same."""

from __future__ import annotations

import re

import pytest
from conftest import Desk

WORK: tuple[tuple[tuple[str, ...], int], ...] = (
    (("stock", "receive", "KOPI", "10", "--note", "SJ-17"), 0),
    (("stock", "adjust", "KOPI", "-3", "--reason", "fell down"), 0),
    (("stock", "count", "KOPI", "12", "--yes"), 0),
    (("listings", "unmapped"), 0),
    (("listings", "unmapped", "--channel", "toko"), 0),
    (("listings", "map", "toko", "12", "KOPI=3"), 0),
    (("stock", "show"), 0),
    (("stock", "show", "KOPI", "--short"), 0),
    (("stock", "history", "KOPI", "--limit", "3"), 0),
    (("stock", "agree-zero", "toko"), 0),
    (("orders", "list"), 0),
    (("orders", "list", "--channel", "toko", "--state", "ready", "--day", "2026-03-02"), 0),
    (("orders", "show", "INV-901"), 0),
    (("orders", "show", "902"), 2),
    (("orders", "accept", "toko"), 2),
    (("sync", "pull"), 3),
    (("sync", "push"), 0),
    (("ledger", "verify"), 0),
    (("auth", "status"), 0),
    (("status",), 1),
    (("init",), 0),
)
PASSING = re.compile(r'"\d{4}-\d\d-\d\dT[^"]*"')
OWN = ("ledger", "install_id", "now", "vault_key_made")
ANSWERS: dict[tuple[str, ...], list[str]] = {}


@pytest.fixture
def url(ledger_url: str) -> str:
    return ledger_url


def test_both_databases_give_the_same_answers(desk: Desk) -> None:
    """The first database writes the answers down, the second must repeat them."""
    for words, code in WORK:
        out, _ = desk.run(*words, "--json", expect=code)
        lines = PASSING.sub('"TIME"', out).splitlines()
        kept = [line for line in lines if line.split('"')[1:2] not in [[key] for key in OWN]]
        assert kept == ANSWERS.setdefault(words, kept), words
