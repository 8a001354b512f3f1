"""One POST over `connector.http.Wire`, and its answer as a `Delivery`. The notifiers' only user of httpx, to build requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from sellersync.connector.http import Reply, Wire
from sellersync.domain.errors import RateLimited, Temporary, Uncertain
from sellersync.domain.times import Clock

from .contract import Delivery, Outcome

DETAIL_CHARS_MAX = 200
Files = Mapping[str, tuple[str, bytes, str]]
"""Field -> (file name, content, media type)."""


async def post(
    wire: Wire,
    clock: Clock,
    url: str,
    judge: Callable[[Reply], Delivery],
    *,
    what: str,
    reference: str,
    content: bytes | None = None,
    fields: Mapping[str, str] | None = None,
    files: Files | None = None,
    headers: Mapping[str, str] | None = None,
) -> Delivery:
    """Send once, on a connection of its own. `judge` reads an answer below 500, or of 500 and above with a JSON body."""

    def make(_: object) -> httpx.Request:
        return httpx.Request(
            "POST", url, content=content, data=fields, files=dict(files) if files else None, headers=headers
        )

    try:
        return await wire.write(make, judge, what=what, reference=reference, fresh=True)
    except RateLimited as wait:
        after_s = max((wait.until - clock.now()).total_seconds(), 0.0)
        return Delivery(Outcome.LATER, cut(wire.redact(wait.why)), again_after_s=after_s)
    except Temporary as failure:
        return Delivery(Outcome.DOWN, cut(wire.redact(failure.why)), again_after_s=failure.retry_after_s)
    except Uncertain as lost:
        return Delivery(Outcome.UNCLEAR, cut(wire.redact(lost.why)))


def cut(text: str) -> str:
    """Foreign words on one line of bounded length."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:DETAIL_CHARS_MAX]
