"""Whose an API key is, as the database knows it now, or as it was known last."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from db.batches import Batches
from server.auth.principal import Principal

_MOST_REMEMBERED: Final = 4096


class Keys:
    """Finds the users of keys by the keys' digests.

    Args:
        read: asks the database for many at a time.
    """

    def __init__(self, read: Callable[[Sequence[bytes]], Awaitable[Mapping[bytes, Principal]]]) -> None:
        self._asked = Batches(read)
        self._remembered: OrderedDict[bytes, Principal] = OrderedDict()

    async def get(self, digest: bytes) -> Principal | None:
        """Return whom a key acts for now; None for an unknown or revoked key, or an inactive user."""
        principal = await self._asked.get(digest)
        self._remembered.pop(digest, None)
        if principal is not None:
            self._remembered[digest] = principal
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return principal

    def remembered(self, digest: bytes) -> Principal | None:
        """Return whom a key acted for when it was asked about last. Nothing may be done for him without a look."""
        return self._remembered.get(digest)
