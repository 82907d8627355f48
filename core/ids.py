"""The one source of identifiers and secrets, so that tests can know them beforehand (X038)."""

import secrets
from typing import Final, Protocol
from uuid import UUID, uuid4


class IdSource(Protocol):
    """Anything that makes identifiers."""

    def uuid(self) -> UUID:
        """Return a new random UUID."""
        ...

    def digits(self, count: int) -> str:
        """Return a random string of decimal digits that nobody can guess."""
        ...


class RandomIds:
    """Identifiers from the operating system's random source."""

    def uuid(self) -> UUID:
        """Return a new random (version 4) UUID."""
        return uuid4()

    def digits(self, count: int) -> str:
        """Return a random string of decimal digits that nobody can guess."""
        return "".join(secrets.choice("0123456789") for _ in range(count))


API_KEY_PREFIX: Final = "clq_"


def new_api_key() -> str:
    """Return a new API key: the prefix `clq_` and 256 random bits."""
    return API_KEY_PREFIX + new_secret()


def new_secret() -> str:
    """Return 256 random bits as text of 43 characters."""
    return secrets.token_urlsafe(32)
