"""A person's photo: checked by its content, turned upright, made smaller, and written anew without metadata (G12)."""

import asyncio
import io
from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import InvalidInput, TooLarge

Kind = Literal["jpg", "png", "webp"]
Refusal = Literal["unsupported", "broken", "dimensions"]

MOST_BYTES: Final = 5 * 1024 * 1024
# 40 megapixels are 160 MB while they are decoded; a file of 5 MB can claim a hundred times that.
MOST_PIXELS: Final = 40_000_000
SHORTEST_SIDE: Final = 16
# What is kept: enough for a portrait on any screen.
LONGEST_SIDE: Final = 2_048
_QUALITY: Final = 88
_KINDS: Final[dict[str, Kind]] = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
_AT_ONCE: Final = 2

_SENTENCES: Final[dict[Refusal, str]] = {
    "unsupported": "照片应为jpg、png或webp格式",
    "broken": "照片文件已损坏，无法读取",
    "dimensions": f"照片的边长应不小于{SHORTEST_SIDE}像素，总像素不超过{MOST_PIXELS // 10_000}万",
}


class PhotoRefused(InvalidInput):
    """A photo cannot be used; `reason` says why in one word, the message in a sentence for the client."""

    default_code = "PHOTO_INVALID"

    def __init__(self, reason: Refusal) -> None:
        super().__init__(_SENTENCES[reason])
        self.reason: Refusal = reason


@dataclass(frozen=True)
class Photo:
    """A photo written anew: its bytes, their kind (which is the suffix to store them under), and its size in pixels."""

    content: bytes
    kind: Kind
    width: int
    height: int


class PhotoCleaner:
    """Cleans photos off the event loop, a few at once."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def clean(self, content: bytes) -> Photo:
        """Return the photo without anything that is not to be seen.

        Raises:
            TooLarge: there are more than 5 MB.
            PhotoRefused: it is no jpg, png or webp, cannot be read, or has too few or too many pixels.
        """
        if len(content) > MOST_BYTES:
            raise TooLarge(f"照片不能超过{MOST_BYTES // 1024**2}MB")
        async with self._turns:
            return await asyncio.to_thread(_clean, content)


def _clean(content: bytes) -> Photo:
    try:
        # Only these readers are tried: others of Pillow's start programs or are seldom looked at.
        with Image.open(io.BytesIO(content), formats=tuple(_KINDS)) as image:
            kind = _KINDS[str(image.format)]
            if min(image.size) < SHORTEST_SIDE or image.width * image.height > MOST_PIXELS:
                raise PhotoRefused("dimensions")
            upright = _upright(image)
    except UnidentifiedImageError:
        raise PhotoRefused("unsupported") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise PhotoRefused("dimensions") from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError):
        # Whatever a reader trips over, the file is broken.
        raise PhotoRefused("broken") from None
    return _written(upright, kind)


def _upright(image: Image.Image) -> Image.Image:
    """Decode the first picture, at no more than the size that is kept, as the camera was held."""
    image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
    image.load()
    turned = ImageOps.exif_transpose(image)
    turned.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return turned.convert("RGBA" if turned.has_transparency_data else "RGB")


def _written(image: Image.Image, kind: Kind) -> Photo:
    # A new picture has nothing of the old one but its pixels: no place, no camera, no thumbnail of what was cut off.
    fresh = Image.new(image.mode, image.size)
    fresh.paste(image)
    output = io.BytesIO()
    if kind == "jpg":
        fresh.convert("RGB").save(output, "JPEG", quality=_QUALITY, optimize=True)
    elif kind == "png":
        fresh.save(output, "PNG")
    else:
        fresh.save(output, "WEBP", quality=_QUALITY)
    return Photo(output.getvalue(), kind, fresh.width, fresh.height)
