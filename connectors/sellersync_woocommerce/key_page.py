"""`/wc-auth/v1/authorize`: the shop's own page that grants a REST key and posts it to a public https address.

Facts: measured on WooCommerce 10.0.2 and read in its source. The shop posts to addresses of the open internet alone, deletes the
key again when the answer is not 200, and hands `user_id` back as it got it.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from sellersync.connector.contract import KeyPage
from sellersync.domain.errors import BadInput

APP_NAME = "sellersync"
SCOPE = "read_write"
KEYS_PAGE = "/wp-admin/admin.php?page=wc-settings&tab=advanced&section=keys"
"""Where the browser goes afterwards: the owner sees the new key in the shop's own list."""
_KEY = {"consumer_key": re.compile("ck_[0-9A-Za-z]{20,128}"), "consumer_secret": re.compile("cs_[0-9A-Za-z]{20,128}")}


class GrantedKeys(KeyPage):
    """The owner agrees with one click; nothing is copied and pasted."""

    def address(self, table: Mapping[str, Any], *, callback_url: str, challenge: str) -> str:
        shop = str(table.get("base_url") or "").rstrip("/")
        if urlsplit(shop).scheme not in ("http", "https"):
            raise BadInput("the channel's base_url is missing: the page belongs to the shop")
        query = {"app_name": APP_NAME, "scope": SCOPE, "user_id": challenge, "return_url": shop + KEYS_PAGE}
        return f"{shop}/wc-auth/v1/authorize?{urlencode({**query, 'callback_url': callback_url})}"

    def read(self, body: bytes, *, challenge: str) -> Mapping[str, str]:
        try:
            sent = json.loads(body)
        except ValueError:
            raise BadInput("what came is no JSON") from None
        if not isinstance(sent, dict) or not hmac.compare_digest(str(sent.get("user_id")).encode(), challenge.encode()):
            raise BadInput("what came answers another login")
        if sent.get("key_permissions") != SCOPE:
            raise BadInput("the key that came may not read and write")
        keys = {name: str(sent.get(name)) for name in _KEY}
        if not all(_KEY[name].fullmatch(value) for name, value in keys.items()):
            raise BadInput("what came holds no key and secret of WooCommerce")
        return keys
