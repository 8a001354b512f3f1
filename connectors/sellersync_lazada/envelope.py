"""The platform's envelopes: reading an answer, and what a refusal in it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sellersync.connector.http import Reply
from sellersync.domain.errors import RejectClass, Rejected, SellersyncError, Temporary, Unrecognised

from .codes import ROW_BUSY, ROW_DONE, ROW_REFUSALS
from .values import first, mapping_of, text, truth

CALL_LIMIT_WAIT_S = 3.0
BAN_WAIT_S_MIN = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed envelope: `body` is the whole JSON object."""

    body: Mapping[str, Any]
    reply: Reply

    @property
    def code(self) -> str:
        return text(self.body.get("code"))

    @property
    def message(self) -> str:
        return text(self.body.get("message"))

    @property
    def data(self) -> Any:
        return self.body.get("data")

    @property
    def result(self) -> Mapping[str, Any]:
        return mapping_of(self.body.get("result"), where="result")


def parse(reply: Reply, path: str, *, read: bool) -> Answer:
    """The envelope of an answer. A read without one (blocked, cut, empty) is `Temporary`, a write `Unrecognised`."""
    try:
        return Answer(mapping_of(reply.json(), where=path), reply)
    except Unrecognised as unreadable:
        if read:
            raise Temporary(f"{path}: {unreadable.what}, no answer of the platform's") from None
        raise


def ban_s(message: str) -> float:
    """How long a throttle lasts: "this ban will last 3 seconds" when it says so."""
    found = re.search(r"last (\d+) second", message)
    return max(float(found.group(1)), BAN_WAIT_S_MIN) if found else CALL_LIMIT_WAIT_S


def result_data(answer: Answer, path: str) -> Mapping[str, Any]:
    refuse_result(answer.result, path)
    return mapping_of(answer.result.get("data"), where=f"{path} result.data")


def refuse_result(result: Mapping[str, Any], path: str) -> None:
    """`success: false` means that the whole call failed; both spellings of its code are documented."""
    if truth(result.get("success")):
        return
    code = text(first(result, "error_code", "errorCode"))
    why = text(first(result, "error_msg", "errorMsg")) or "no reason given"
    raise row_refusal(path, code, why, retry=False)


def row_refusal(item: str, code: str, why: str, *, retry: bool) -> SellersyncError:
    """The error for a refused row of a fulfilment call (`item_err_code`, `msg`, `retry`): this row was certainly not done."""
    if code in ROW_BUSY or (retry and code not in ROW_DONE):
        return Temporary(f"{item}: {why} [{code}]")
    return Rejected(item, why, ROW_REFUSALS.get(code, RejectClass.OTHER), code=code)
