"""Photos of strangers: by content, within limits, without what cameras write into them (G12, X034)."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from core.errors import TooLarge
from tools.photos.clean import LONGEST_SIDE, MOST_BYTES, PhotoCleaner, PhotoRefused

FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, FORMATS[kind], **options)
    return output.getvalue()


def halves(width: int = 60, height: int = 40) -> Image.Image:
    """Red at the left, blue at the right."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def is_red(image: Image.Image, place: tuple[int, int]) -> bool:
    red, _green, blue, *_ = image.convert("RGBA").getpixel(place)  # type: ignore[misc]
    return bool(red > 200 and blue < 60)


@pytest.mark.parametrize("kind", FORMATS)
async def test_a_photo_keeps_its_kind_and_its_pixels(kind: str) -> None:
    photo = await PhotoCleaner().clean(encoded(halves(), kind))
    image = opened(photo.content)
    assert (photo.kind, photo.width, photo.height, image.format) == (kind, 60, 40, FORMATS[kind])
    assert is_red(image, (5, 20))
    assert not is_red(image, (55, 20))


@pytest.mark.parametrize("kind", FORMATS)
async def test_nothing_is_left_of_what_the_camera_wrote(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(0x8825)[2] = (31.0, 13.0, 0.0)
    options: dict[str, Any] = {"exif": exif, "icc_profile": b"Secret profile"}
    if kind == "png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Comment", "Secret words", zip=True)
    content = encoded(halves(), kind, **options)
    assert b"Secret" in content
    photo = await PhotoCleaner().clean(content + b"Secret appendix")
    assert b"Secret" not in photo.content
    image = opened(photo.content)
    assert not image.getexif()
    assert not {"icc_profile", "exif", "comment", "Comment"} & set(image.info)


async def test_it_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    photo = await PhotoCleaner().clean(encoded(halves(), "jpg", exif=exif, quality=95))
    assert (photo.width, photo.height) == (40, 60)
    assert is_red(opened(photo.content), (20, 5))


async def test_a_large_one_is_made_smaller() -> None:
    photo = await PhotoCleaner().clean(encoded(halves(5000, 1000), "jpg"))
    assert (photo.width, photo.height) == (LONGEST_SIDE, round(LONGEST_SIDE / 5))


@pytest.mark.parametrize(
    ("kind", "mode"), [("jpg", "CMYK"), ("jpg", "L"), ("png", "P"), ("png", "I;16"), ("png", "LA")]
)
async def test_other_modes_of_colour(kind: str, mode: str) -> None:
    image = halves().convert("L") if mode == "I;16" else halves()
    photo = await PhotoCleaner().clean(encoded(image.convert(mode), kind))
    assert opened(photo.content).mode in ("RGB", "RGBA")


async def test_transparency_stays() -> None:
    photo = await PhotoCleaner().clean(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 10)), "png"))
    assert opened(photo.content).getpixel((3, 3)) == (255, 0, 0, 10)


async def test_of_a_moving_picture_the_first() -> None:
    content = encoded(halves(), "webp", save_all=True, append_images=[Image.new("RGB", (60, 40), "green")] * 3)
    photo = await PhotoCleaner().clean(content)
    assert not getattr(opened(photo.content), "is_animated", False)


def bomb(width: int, height: int) -> bytes:
    """A png of a few bytes that says it is large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def gif() -> bytes:
    output = io.BytesIO()
    halves().save(output, "GIF")
    return output.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "unsupported"),
        ("照片".encode() * 50, "unsupported"),
        (gif(), "unsupported"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported"),
        (encoded(halves(), "jpg")[:200], "broken"),
        (encoded(halves(), "png")[:100], "broken"),
        (encoded(halves(), "webp")[:40], "broken"),
        (bomb(100, 100), "broken"),
        (encoded(halves(15, 100), "png"), "dimensions"),
        (bomb(7000, 7000), "dimensions"),
        (bomb(10_000, 10_000), "dimensions"),
        (bomb(100_000, 100_000), "dimensions"),
    ],
)
async def test_what_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(PhotoRefused) as refused:
        await PhotoCleaner().clean(content)
    assert refused.value.reason == reason
    assert refused.value.status == 400


async def test_too_many_bytes() -> None:
    with pytest.raises(TooLarge):
        await PhotoCleaner().clean(bytes(MOST_BYTES + 1))
