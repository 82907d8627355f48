"""Values of a request that fit into a tool's parameters: numbers, time zones, paths, quoted and other texts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import available_timezones

_QUOTED: Final = re.compile(r"“([^”]+)”|「([^」]+)」|《([^》]+)》|\"([^\"]+)\"|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`")
_NUMBER: Final = re.compile(r"(?<![\w.:/-])[-+]?\d+(?:\.\d+)?(?![\w:/-])|[零一二两三四五六七八九十百千万]+")
_CLOCK: Final = re.compile(r"(?<!\d)([01]?\d|2[0-3])[:：]([0-5]\d)(?!\d)")
_ZONE: Final = re.compile(r"\b[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_]+){1,2}\b")
_PATH: Final = re.compile(
    r"(?<![\w:/])(?:~|\.{1,2})?(?:/[\w.@+-]+)+/?|(?<![\w/])[\w-]+\.[a-z]{1,5}(?![\w/])", re.IGNORECASE
)
_AFTER_COLON: Final = re.compile(r"[:：]\s*(\S.*)$", re.DOTALL)
_EDGES: Final = " \t\r\n,，。.!！?？;；:："
_DIGITS: Final = dict(zip("零一二两三四五六七八九", (0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_UNITS: Final = {"十": 10, "百": 100, "千": 1000}
_TEN_THOUSAND: Final = 10_000
_CITIES: Final = {
    "北京": "Asia/Shanghai",
    "上海": "Asia/Shanghai",
    "香港": "Asia/Hong_Kong",
    "台北": "Asia/Taipei",
    "东京": "Asia/Tokyo",
    "首尔": "Asia/Seoul",
    "新加坡": "Asia/Singapore",
    "迪拜": "Asia/Dubai",
    "伦敦": "Europe/London",
    "巴黎": "Europe/Paris",
    "柏林": "Europe/Berlin",
    "莫斯科": "Europe/Moscow",
    "纽约": "America/New_York",
    "芝加哥": "America/Chicago",
    "洛杉矶": "America/Los_Angeles",
    "悉尼": "Australia/Sydney",
}
# Read while the module is imported: later it would block the event loop.
_KNOWN_ZONES: Final = frozenset(available_timezones())
_AREAS: Final = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Pacific")
_ZONE_CITIES: Final = {
    zone.rpartition("/")[2].replace("_", " ").lower(): zone
    for zone in sorted(_KNOWN_ZONES)
    if zone.split("/")[0] in _AREAS
}
_ZONE_CITY: Final = re.compile(rf"\b(?:{'|'.join(map(re.escape, _ZONE_CITIES))})\b")
_ZONE_NAME: Final = re.compile(r"time_?zone|(?:^|_)tz$", re.IGNORECASE)
_PATH_NAME: Final = re.compile(r"path|file|dir|folder|repo|source|destination", re.IGNORECASE)
_CLOCK_NAME: Final = re.compile(r"time", re.IGNORECASE)


@dataclass
class Found:
    """The values of a request by their kind, in the order in which they stand there; each is used once."""

    text: str
    numbers: list[float | int] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)
    clocks: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    quoted: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, text: str) -> "Found":
        """Find the values of a text."""
        quoted = ["".join(groups) for groups in _QUOTED.findall(text)]
        rest = _QUOTED.sub(" ", text)
        spoken = _CLOCK.sub(" ", rest)
        paths = [path for path in _PATH.findall(rest) if not _ZONE.fullmatch(path.strip("/"))]
        for path in paths:
            spoken = spoken.replace(path, " ")
        return cls(
            text=text,
            numbers=[_number(number) for number in _NUMBER.findall(spoken)],
            zones=_zones(rest),
            clocks=[f"{int(hour):02}:{minute}" for hour, minute in _CLOCK.findall(rest)],
            paths=paths + [one for one in quoted if "/" in one],
            quoted=quoted,
        )

    def take(self, name: str, schema: Mapping[str, Any]) -> Any:
        """Return a value for a parameter, and use it up; None where there is none."""
        if allowed := schema.get("enum"):
            return next((one for one in allowed if str(one).lower() in self.text.lower()), None)
        match schema.get("type"):
            case "integer":
                return self._first_number(whole=True)
            case "number":
                return self._first_number(whole=False)
            case "string":
                return self._text(name)
            case "array" if schema.get("items", {}).get("type") == "string":
                taken, self.quoted = self.quoted or self.paths, []
                return taken or None
        return None

    def _first_number(self, *, whole: bool) -> float | int | None:
        for place, number in enumerate(self.numbers):
            if isinstance(number, int) or not whole:
                return self.numbers.pop(place)
        return None

    def _text(self, name: str) -> str | None:
        if _ZONE_NAME.search(name):
            return _pop(self.zones)
        if _CLOCK_NAME.search(name):
            return _pop(self.clocks)
        if _PATH_NAME.search(name):
            return _pop(self.paths) or _pop(self.quoted)
        if quoted := _pop(self.quoted):
            return quoted
        said = _AFTER_COLON.search(_CLOCK.sub(" ", self.text))
        return said.group(1).strip(_EDGES) or None if said else None


def head_of(text: str) -> str:
    """Return a text without what it quotes and without what follows its colon."""
    return _AFTER_COLON.sub("", _CLOCK.sub(" ", _QUOTED.sub(" ", text)))


def _pop(values: list[str]) -> str | None:
    return values.pop(0) if values else None


def _number(text: str) -> float | int:
    if text[-1] in _DIGITS or text[-1] in _UNITS or text[-1] == "万":
        return _chinese(text)
    return float(text) if "." in text else int(text)


def _chinese(text: str) -> int:
    """Read a number in Chinese characters: 三百零五, 两万, 十二."""
    if not any(unit in text for unit in "十百千万"):
        return int("".join(str(_DIGITS[digit]) for digit in text))
    high, found, low = text.rpartition("万")
    if found:
        return _chinese(high or "一") * _TEN_THOUSAND + (_chinese(low) if low else 0)
    total = digit = 0
    for character in text:
        if character in _UNITS:
            total += (digit or 1) * _UNITS[character]
            digit = 0
        else:
            digit = _DIGITS[character]
    return total + digit


def _zones(text: str) -> list[str]:
    """Return time zones in the order in which the text names them, by their own name or by a city's."""
    places = [
        (match.start(), match.group()) for match in _ZONE.finditer(text) if match.group() in available_timezones()
    ]
    lowered = text.lower()
    taken = {zone for _place, zone in places}
    named = [(text.index(city), zone) for city, zone in _CITIES.items() if city in text]
    named += [(match.start(), _ZONE_CITIES[match.group()]) for match in _ZONE_CITY.finditer(lowered)]
    places += [(place, zone) for place, zone in named if zone not in taken]
    return list(dict.fromkeys(zone for _place, zone in sorted(places)))
