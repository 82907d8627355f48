"""A strategy as a picture of its words: what is drawn where no image model is configured (G11).

It says itself what it is: the label at its foot.
"""

import asyncio
import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from tools.pictures.fonts import drawable, font
from tools.pictures.wrap import wrap

WIDTH: Final = 1080
HEIGHT: Final = 1350
OFFLINE_LABEL: Final = "离线生成 · 文字卡片，非AI绘图"
MOST_LINES: Final = 5

_MARGIN: Final = 96
_PAPER: Final = (250, 248, 244)
_INK: Final = (32, 36, 44)
_FAINT: Final = (110, 114, 122)
_ACCENTS: Final = ((31, 94, 153), (176, 74, 48), (38, 115, 88))
_TITLE: Final = (60, 80, 2)
_LINE: Final = (38, 52, 3)
_LABEL: Final = (26, 36, 1)
_BAR: Final = 18
_NUMBER_WIDTH: Final = 72
_GAP: Final = 24
# A model that writes a book for a card is cut here; rows are counted after.
_LONGEST: Final = 400


@dataclass(frozen=True)
class Card:
    """What stands on a card; `number` counts the cards of one strategy from 0 and chooses the colour."""

    title: str
    lines: list[str]
    number: int = 0
    label: str = OFFLINE_LABEL


async def draw(card: Card) -> bytes:
    """Return the card as PNG, 1080 by 1350 pixels; the same card is the same bytes.

    Title, lines (five at most) and label are wrapped, and cut with an ellipsis where there is no room.
    """
    return await asyncio.to_thread(_draw, card)


def _draw(card: Card) -> bytes:
    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    canvas = ImageDraw.Draw(image)
    accent = _ACCENTS[card.number % len(_ACCENTS)]
    canvas.rectangle((0, 0, WIDTH, _BAR), fill=accent)
    top = _rows(canvas, (_MARGIN, _MARGIN), card.title, _TITLE, accent, bold=True)
    canvas.line((_MARGIN, top + 24, WIDTH - _MARGIN, top + 24), fill=accent, width=3)
    top += 24 + 2 * _GAP
    for number, line in enumerate(card.lines[:MOST_LINES], 1):
        _rows(canvas, (_MARGIN, top), f"{number}.", _LINE, accent, bold=True)
        top = _rows(canvas, (_MARGIN + _NUMBER_WIDTH, top), line, _LINE, _INK) + _GAP
    _rows(canvas, (_MARGIN, HEIGHT - _MARGIN), card.label, _LABEL, _FAINT)
    output = io.BytesIO()
    image.save(output, "PNG")
    return output.getvalue()


def _rows(
    canvas: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    style: tuple[int, int, int],
    colour: tuple[int, int, int],
    *,
    bold: bool = False,
) -> int:
    """Draw a text from a place to the right margin; return where its last row ends. A style is size, height, rows."""
    size, height, rows = style
    left, top = place
    face: ImageFont.FreeTypeFont = font(size)
    for row in wrap(drawable(text[:_LONGEST], face), WIDTH - _MARGIN - left, rows, face.getlength):
        canvas.text((left, top), row, fill=colour, font=face, stroke_width=1 if bold else 0)
        top += height
    return top
