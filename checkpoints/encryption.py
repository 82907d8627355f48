"""Checkpoints that nobody reads without the key (X032, X033, G69).

LangGraph's own encrypting serializer sees what goes to the blobs and the pending writes; the saver sends everything
there (see `checkpoints.saver`). What stays readable: ids, channel names, versions, and a checkpoint's metadata.
"""

from dataclasses import dataclass
from typing import Final

from langgraph.checkpoint.serde.base import CipherProtocol, SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from core.keyring import Keyring

_PURPOSE: Final = b"colloquy checkpoint"
_CIPHER: Final = "aes256gcm:"


@dataclass(frozen=True)
class KeyringCipher(CipherProtocol):
    """Our keyring as LangGraph's serializer wants it: the cipher's name says which key it was."""

    keyring: Keyring

    @property
    def newest(self) -> str:
        """The cipher's name with the key that encrypts."""
        return _CIPHER + self.keyring.newest

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Return the cipher's name with the key's id, and the ciphertext."""
        key_id, data = self.keyring.encrypt(plaintext, _PURPOSE)
        return _CIPHER + key_id, data

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            KeyringError: the key is not in the ring, or the data was changed.
        """
        return self.keyring.decrypt(ciphername.removeprefix(_CIPHER), ciphertext, _PURPOSE)


def serializer(keyring: Keyring | None) -> SerializerProtocol:
    """Return what writes and reads checkpoints; with a keyring, also those that were written without one."""
    plain = JsonPlusSerializer()
    # LangGraph's class itself: it knows how to give that one the state classes of a graph (`with_allowlist`).
    return plain if keyring is None else EncryptedSerializer(KeyringCipher(keyring), plain)
