"""Where this process keeps recordings, pieces, photos and pictures: what STORAGE_URL says (A032, G11)."""

import hashlib
import hmac
from typing import Final

from core.clock import Clock
from core.settings import Settings
from tools.storage.local import LocalStorage
from tools.storage.model import Storage
from tools.storage.signing import Signer

FILES: Final = "/api/v1/files"
_LABEL: Final = b"colloquy signed files"


def signer_from(secret: str) -> Signer:
    """Return what signs addresses, with a key of its own that follows from the secret of tokens."""
    return Signer(hmac.new(secret.encode(), _LABEL, hashlib.sha256).digest(), FILES)


def storage_from(settings: Settings, secret: str, clock: Clock) -> Storage:
    """Return the storage that the settings name.

    Several processes share it, so a local one needs a directory that all of them see.

    Args:
        settings: `STORAGE_URL` and `DATA_DIR`.
        secret: the one that signs tokens.
        clock: the time, for addresses and clean-up.
    """
    return LocalStorage(settings.data_dir / "storage", signer_from(secret), clock)
