"""What is taken for a picture."""

import io
import struct
import zlib

import pytest
from PIL import Image

from tools.pictures.kind import MOST_PIXELS, NotAPicture, kind_of


def written(form: str, side: int = 64) -> bytes:
    output = io.BytesIO()
    Image.radial_gradient("L").resize((side, side)).save(output, form)
    return output.getvalue()


def claiming(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that says it is as large as that."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(("form", "kind"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
async def test_pictures(form: str, kind: str) -> None:
    assert await kind_of(written(form)) == kind


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'></svg>",
        written("GIF"),
        written("BMP"),
        written("PNG")[:300],
        written("JPEG")[:300],
        written("WEBP")[:200],
        claiming(MOST_PIXELS, 2),
        claiming(60_000, 60_000),
    ],
    ids=["empty", "html", "svg", "gif", "bmp", "cut png", "cut jpeg", "cut webp", "too large", "a bomb"],
)
async def test_no_pictures(content: bytes) -> None:
    with pytest.raises(NotAPicture):
        await kind_of(content)
