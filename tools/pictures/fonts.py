"""The font of rendered pictures: Noto Sans SC (OFL-1.1), from the package `pylopdf-fonts-zh-cn`.

Which fonts a machine has is its own affair; a picture must not depend on it, and on most servers there is no Chinese
one at all.
"""

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from PIL import ImageFont

_PACKAGE: Final = "pylopdf_fonts_zh_cn"
_FILE: Final = "NotoSansSC-Regular.otf"
# No font has a glyph for it: what is drawn is the sign for a missing one.
_UNASSIGNED: Final = "\U0010ffff"


@cache
def font_path() -> Path:
    """Return where the font's file is."""
    return Path(str(resources.files(_PACKAGE) / _FILE))


def font(size: int) -> ImageFont.FreeTypeFont:
    """Load the font; its rows are laid out the same on every machine, whatever libraries it has."""
    return ImageFont.truetype(str(font_path()), size, layout_engine=ImageFont.Layout.BASIC)


def drawable(text: str, drawn_with: ImageFont.FreeTypeFont) -> str:
    """Return the text without the characters that the font has not (emoji): boxes tell nobody anything."""
    missing = _glyph(drawn_with, _UNASSIGNED)
    kept = {
        character: character if character.isspace() or _glyph(drawn_with, character) != missing else ""
        for character in set(text)
    }
    return "".join(kept[character] if character.isprintable() else " " for character in text)


def _glyph(drawn_with: ImageFont.FreeTypeFont, character: str) -> bytes:
    return bytes(drawn_with.getmask(character))
