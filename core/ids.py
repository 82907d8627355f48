"""The one source of identifiers and secrets, so that tests can know them beforehand (X038)."""

import secrets
from typing import Protocol
from uuid import UUID, uuid4


class IdSource(Protocol):
    """Anything that makes identifiers."""

    def uuid(self) -> UUID:
        """Return a new random UUID."""
        ...


class RandomIds:
    """Identifiers from the operating system's random source."""

    def uuid(self) -> UUID:
        """Return a new random (version 4) UUID."""
        return uuid4()


def new_api_key() -> str:
    """Return a new API key: the prefix `clq_` and 256 random bits."""
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


API_KEY_PREFIX = "clq_"
