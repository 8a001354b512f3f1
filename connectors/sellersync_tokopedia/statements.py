"""Settlements in: the lines of the shop's daily statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sellersync.domain.errors import RejectClass, Rejected, Temporary, Unrecognised
from sellersync.domain.settlements import Settlement

from . import mapping_finance
from .api import Api
from .mapping import text

LINE_PAGES_MAX = 200


async def read_statements(api: Api, rows: Sequence[Any]) -> tuple[tuple[Settlement, ...], tuple[str, ...]]:
    """All lines of the listed statements, and a sentence for each line or statement that cannot be read.

    Raises `Temporary` when a statement breaks off, `Rejected` NOT_SUPPORTED when the app may not read it.
    """
    settled: dict[str, Settlement] = {}
    skipped: list[str] = []
    for row in rows:
        try:
            of = mapping_finance.statement(row)
            lines = await _lines(api, of.id)
        except (Unrecognised, AttributeError, Rejected) as unreadable:
            if isinstance(unreadable, Rejected) and unreadable.reject is RejectClass.NOT_SUPPORTED:
                raise
            skipped.append(f"a statement cannot be read: {str(unreadable)[:200]}")
            continue
        for line in lines:
            try:
                found = mapping_finance.settlement(line, of)
                settled[found.remote_id] = found
            except (Unrecognised, AttributeError) as unreadable:
                known = " ".join(text(line, name) for name in ("order_id", "id")) if isinstance(line, dict) else ""
                skipped.append(f"statement {of.id}, line {known.strip() or '?'}: {str(unreadable)[:200]}")
    return tuple(settled.values()), tuple(skipped)


async def _lines(api: Api, statement_id: str) -> list[Any]:
    lines: list[Any] = []
    token, seen = "", {""}
    for _ in range(LINE_PAGES_MAX):
        answer = await api.statement_transactions(statement_id, page_token=token)
        rows = answer.rows("transactions")
        lines += rows
        token = text(answer.data, "next_page_token")
        if not token or not rows:
            told = answer.data.get("total_count")
            if isinstance(told, int) and len(lines) < told:
                raise Temporary(f"statement {statement_id}: {len(lines)} of {told} lines were delivered")
            return lines
        if token in seen:
            raise Temporary("the provider repeats a page token")
        seen.add(token)
    raise Temporary(f"statement {statement_id} has more than {LINE_PAGES_MAX} pages")
