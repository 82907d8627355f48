"""Breaking a text into rows of a width, as Chinese and Western typesetting do."""

import re
from collections.abc import Callable, Iterator
from typing import Final

_OPENING: Final = re.escape("（「『“‘《〈【([{")
_CLOSING: Final = re.escape("，。！？；：、）」』”’》〉】)]},.!?;:…—·％%")
_WORD: Final = r"(?:(?![\u2e80-\U0003ffff])[\w'’@#&+/=-])+"
# No row begins with a closing mark or ends with an opening one, so marks go with their word or character.
_UNIT: Final = re.compile(rf"[{_OPENING}]*(?:{_WORD}|\S)[{_CLOSING}]*|\s+")
_ELLIPSIS: Final = "…"


def wrap(text: str, width: float, rows: int, width_of: Callable[[str], float]) -> list[str]:
    """Return at most `rows` rows, none wider than `width`; what does not fit is replaced by an ellipsis."""
    broken = list(_rows(" ".join(text.split()), width, width_of))
    if len(broken) <= rows:
        return broken
    last = broken[rows - 1]
    while last and width_of(last + _ELLIPSIS) > width:
        last = last[:-1]
    return [*broken[: rows - 1], last.rstrip() + _ELLIPSIS]


def _rows(text: str, width: float, width_of: Callable[[str], float]) -> Iterator[str]:
    row = ""
    for unit in _units(text, width, width_of):
        if row and width_of((row + unit).rstrip()) > width:
            yield row.rstrip()
            row = ""
        row += unit if row else unit.lstrip()
    if row.strip():
        yield row.rstrip()


def _units(text: str, width: float, width_of: Callable[[str], float]) -> Iterator[str]:
    for unit in _UNIT.findall(text):
        if width_of(unit) <= width:
            yield unit
        else:
            yield from unit
