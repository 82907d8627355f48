"""What paints pictures: one small interface, and what goes wrong (G11)."""

from typing import Final, Protocol

MOST_BYTES: Final = 10 * 1024 * 1024
"""Of one picture, as it comes; a vendor's is one to four megabytes."""


class Painter(Protocol):
    """A model that makes a picture of a description."""

    async def paint(self, description: str) -> bytes:
        """Return the picture as the model gave it: nobody has looked yet whether it is one.

        Raises:
            NoPicture: the model declined, or what it gave cannot be used.
        """
        ...


class Cards:
    """Stands where the offline model would paint: it cannot, the workflow draws the words on a card instead."""


class NoPicture(Exception):
    """The answer holds no picture that can be used, and the next one would not either."""
