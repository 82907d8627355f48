"""What kind of picture some bytes are, by decoding them: an answer of a model may be anything (G11).

The bytes are kept as they came. Writing them anew would lose the marks by which a picture says that a model made it.
"""

import asyncio
import io
from threading import BoundedSemaphore
from typing import Final, Literal

from PIL import Image, UnidentifiedImageError

Kind = Literal["png", "jpg", "webp"]

# 80 MB while it is decoded; vendors' largest have 16.8 megapixels.
MOST_PIXELS: Final = 20_000_000
_KINDS: Final[dict[str, Kind]] = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
_TURNS: Final = BoundedSemaphore(2)


class NotAPicture(Exception):
    """The bytes are no picture that can be shown."""


async def kind_of(content: bytes) -> Kind:
    """Return the kind, which is the suffix to store it under.

    Raises:
        NotAPicture: it is no PNG, JPEG or WebP, is broken, or has more than 20 megapixels.
    """
    return await asyncio.to_thread(_decoded, content)


def _decoded(content: bytes) -> Kind:
    try:
        # Only these readers are tried: others of Pillow's start programs or are seldom looked at.
        with _TURNS, Image.open(io.BytesIO(content), formats=tuple(_KINDS)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise NotAPicture("too many pixels")
            image.load()
            return _KINDS[str(image.format)]
    except UnidentifiedImageError:
        raise NotAPicture("another format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise NotAPicture("too many pixels") from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError):
        # Whatever a reader trips over, the picture is broken.
        raise NotAPicture("broken") from None
