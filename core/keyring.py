"""Encryption at rest: AES-256-GCM under the newest of several keys, each with an id, so that keys can change (X032)."""

import base64
import os
import re
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
# The id of a key that stands alone.
_UNNAMED: Final = "0"


class KeyringError(Exception):
    """What was encrypted cannot be read: its key is not in the ring, or it was changed."""


@dataclass(frozen=True)
class Keyring:
    """Keys by id, the newest first: that one encrypts, all of them decrypt."""

    keys: dict[str, AESGCM]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `KEY`, or `ID:KEY,ID:KEY,…` with the newest first; a key is base64 of 32 bytes.

        Raises:
            ValueError: it has another form. The message does not hold the text.
        """
        keys: dict[str, AESGCM] = {}
        for part in text.split(","):
            name, colon, encoded = part.strip().rpartition(":")
            key_id = name if colon else _UNNAMED
            if not _ID.fullmatch(key_id) or key_id in keys:
                raise ValueError("each key needs an id of its own: letters, digits, - and _")
            keys[key_id] = AESGCM(_decoded(encoded))
        return cls(keys)

    @property
    def newest(self) -> str:
        """The id of the key that encrypts."""
        return next(iter(self.keys))

    def encrypt(self, plaintext: bytes, purpose: bytes) -> tuple[str, bytes]:
        """Return the newest key's id, and the nonce with the ciphertext. `purpose` has to be given to decrypt, too."""
        key_id, key = next(iter(self.keys.items()))
        nonce = os.urandom(_NONCE_BYTES)
        return key_id, nonce + key.encrypt(nonce, plaintext, purpose)

    def encrypt_text(self, text: str, purpose: str) -> str:
        """Return `<key id>:<base64>`, for a text column."""
        key_id, data = self.encrypt(text.encode(), purpose.encode())
        return f"{key_id}:{base64.b64encode(data).decode()}"

    def decrypt_text(self, stored: str, purpose: str) -> str:
        """Return what `encrypt_text` was given.

        Raises:
            KeyringError: there is no such key, or the text was changed or made for another purpose.
        """
        key_id, _colon, encoded = stored.partition(":")
        try:
            data = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise KeyringError("this is not what encrypt_text returns") from None
        return self.decrypt(key_id, data, purpose.encode()).decode()

    def is_newest(self, stored: str) -> bool:
        """Tell whether a text was encrypted with the newest key."""
        return stored.partition(":")[0] == self.newest

    def decrypt(self, key_id: str, data: bytes, purpose: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            KeyringError: there is no such key, or the data was changed or made for another purpose.
        """
        if key_id not in self.keys:
            raise KeyringError(f"there is no key {key_id} in the ring")
        try:
            return self.keys[key_id].decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], purpose)
        except (InvalidTag, ValueError):
            raise KeyringError(f"this was not encrypted with key {key_id}, or was changed") from None


def new_key() -> str:
    """Return a new key as base64, as `parse` reads it."""
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def _decoded(encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(f"a key is base64 of {_KEY_BYTES} bytes (openssl rand -base64 {_KEY_BYTES})")
    return key
