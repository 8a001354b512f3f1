"""Reading what a shop answers: JSON with noise before it, error bodies, and what their codes mean.

Messages are translated to the shop's language and may hold HTML: only `code` and the HTTP status are judged.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from sellersync.connector.http import Reply
from sellersync.domain.errors import RejectClass, Unrecognised

NOISE_LINES_MAX = 200
RAW_BYTES_MAX = 80  # enough to recognise a page or a warning, too short to reach an order's buyer
REJECT_CLASSES = {
    "woocommerce_rest_shop_order_invalid_id": RejectClass.UNKNOWN_ORDER,
    "woocommerce_rest_order_invalid_id": RejectClass.UNKNOWN_ORDER,
    "woocommerce_rest_product_invalid_id": RejectClass.UNKNOWN_LISTING,
    "woocommerce_rest_product_variation_invalid_id": RejectClass.UNKNOWN_LISTING,
    "woocommerce_rest_invalid_product_id": RejectClass.UNKNOWN_LISTING,
    "woocommerce_rest_request_entity_too_large": RejectClass.BAD_DATA,
    "rest_invalid_param": RejectClass.BAD_DATA,
    "rest_missing_callback_param": RejectClass.BAD_DATA,
    "rest_invalid_json": RejectClass.BAD_DATA,
}
_TAG = re.compile(r"<[^>]{0,200}>")


def plain_text(message: object) -> str:
    """A provider's message without HTML, bounded."""
    return " ".join(html.unescape(_TAG.sub(" ", str(message))).split())[:200]


def read_json(reply: Reply) -> Any:
    """The body as JSON, also when plugins printed PHP warnings before it (each ends with a line break).

    A cut body is never mistaken for one: only a body that begins with something else than JSON is searched, and only at the
    beginnings of lines. Raises `Unrecognised`.
    """
    text = reply.body.decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    candidates = [text]
    if text[:1] not in ("{", "["):
        lines = text.split("\n", NOISE_LINES_MAX)
        candidates = ["\n".join(lines[at:]) for at in range(1, len(lines)) if lines[at].lstrip()[:1] in ("{", "[")]
    for candidate in candidates:
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    raise Unrecognised(f"HTTP {reply.status} without a JSON body", text[:RAW_BYTES_MAX])


def error_of(reply: Reply) -> tuple[str, str]:
    """(code, message) of an error body; ("", "") when it is none."""
    try:
        body = read_json(reply)
    except Unrecognised:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    return str(body.get("code", "")), plain_text(body.get("message", ""))
