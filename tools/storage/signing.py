"""Addresses that work for a while without a login: key and end of time under an HMAC."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from tools.storage.model import checked, expired

_SHORTEST_SECRET: Final = 32
_LONGEST_LIFETIME: Final = timedelta(days=7)


class Signer:
    """Signs keys.

    Args:
        secret: at least 32 random bytes, used for nothing else.
        base: what addresses begin with, e.g. `/api/v1/files`.

    Raises:
        ValueError: the secret is too short.
    """

    def __init__(self, secret: bytes, base: str) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise ValueError(f"the secret needs at least {_SHORTEST_SECRET} bytes")
        self._secret = secret
        self._base = base.rstrip("/")

    def url(self, key: str, now: datetime, lifetime: timedelta) -> str:
        """Return the address of an entry, good until `now` plus `lifetime` (seven days at most)."""
        if not timedelta(0) < lifetime <= _LONGEST_LIFETIME:
            raise ValueError("a lifetime is more than nothing and at most seven days")
        until = int((now + lifetime).timestamp())
        return f"{self._base}/{checked(key)}?{urlencode({'expires': until, 'signature': self._signature(key, until)})}"

    def check(self, key: str, expires: int, signature: str, now: datetime) -> str:
        """Return the key, if the address was signed here and its time is not over.

        Raises:
            InvalidInput: it was not, or it is.
            NotFound: it is no key.
        """
        right = self._signature(checked(key), expires)
        # In constant time: an answer's delay must not tell how much of a guess is right.
        if not hmac.compare_digest(right.encode(), signature.encode()) or now.timestamp() >= expires:
            raise expired()
        return key

    def _signature(self, key: str, expires: int) -> str:
        digest = hmac.new(self._secret, f"{key}\n{expires}".encode(), hashlib.sha256).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()
