"""Sealing: what must not be readable at rest (tokens, buyer data, exact booking requests) is AES-GCM encrypted (L10, L13)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sellersync.domain.errors import ConfigError

KEY_BYTES = 32
_NONCE_BYTES = 12
_pack: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode


class Vault:
    """Seals and opens with one 256-bit key. `purpose` is bound to the ciphertext: a sealed token never opens as buyer data."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ConfigError(
                [f"the vault key must be {KEY_BYTES} bytes as {2 * KEY_BYTES} hex digits, not {len(key)} bytes"]
            )
        self._cipher = AESGCM(key)

    @staticmethod
    def new_key() -> str:
        """A fresh key as hex text."""
        return os.urandom(KEY_BYTES).hex()

    @classmethod
    def from_hex(cls, text: str) -> Vault:
        """A vault from the text of the credential file. Raises `ConfigError`."""
        try:
            return cls(bytes.fromhex(text.strip()))
        except ValueError:
            raise ConfigError(
                [f"the vault key must be {2 * KEY_BYTES} hex digits; `sellersync init` writes one"]
            ) from None

    def seal(self, plain: bytes, purpose: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Raises `ConfigError` when the key is not the one it was sealed with."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
        except InvalidTag:
            raise ConfigError(
                [
                    "the vault key does not open this ledger's sealed data: use the key file that belongs to this database"
                ]
            ) from None

    def seal_json(self, value: Any, purpose: str) -> bytes:
        return self.seal(_pack(value).encode(), purpose)

    def open_json(self, sealed: bytes, purpose: str) -> Any:
        return json.loads(self.open(sealed, purpose))
