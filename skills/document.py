"""One SKILL.md in the Agent Skills open format (https://agentskills.io/specification), read and written (G03).

Front matter: `name` (that of its folder) and `description`; optional `license`, `compatibility`, `allowed-tools` and
`metadata`, a map of texts in which our own keys stand: title, category, priority, enabled, version, keywords.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from skills.scenes import SCENES

LONGEST_ID: Final = 64
LONGEST_DESCRIPTION: Final = 1024
LONGEST_COMPATIBILITY: Final = 500
LONGEST_BODY: Final = 40_000
PRIORITIES: Final = range(-1000, 1001)
ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
REFERENCE: Final = re.compile(r"references/[A-Za-z0-9][A-Za-z0-9._-]*\.md")
_FIELDS: Final = frozenset({"name", "description", "license", "compatibility", "allowed-tools", "metadata"})
_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?\n)---[ \t]*(?:\n(.*))?\Z", re.DOTALL)
_SHORT: Final = 200
_KEYWORDS: Final = 100


class SkillError(Exception):
    """A skill is not as the format or the house wants it; the message is a sentence for its author."""


@dataclass(frozen=True)
class Skill:
    """A skill as it is used; `body` is the prompt, `overrides` what was changed after the file was read (G04)."""

    id: str
    name: str
    title: str
    description: str
    category: str
    body: str
    priority: int = 0
    enabled: bool = True
    version: str = "1.0"
    keywords: tuple[str, ...] = ()
    license: str = ""
    references: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)


def check_id(skill_id: str) -> str:
    """Return an id that can be the name of a folder.

    Raises:
        SkillError: it cannot.
    """
    if len(skill_id) > LONGEST_ID or not ID.fullmatch(skill_id):
        raise SkillError(
            f"the name must be lower case letters and digits with single hyphens between, at most {LONGEST_ID}"
        )
    return skill_id


def parse(skill_id: str, text: str) -> Skill:
    """Read a SKILL.md that lies in the folder `skill_id`. What it refers to is not looked for here.

    Raises:
        SkillError: something is wrong with it; the first thing that is.
    """
    found = _FRONT.match(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    if found is None:
        raise SkillError("it must begin with front matter between two lines of ---")
    front = _mapping(found.group(1), "the front matter")
    if unknown := sorted(set(front) - _FIELDS):
        raise SkillError(f"unknown field {unknown[0]!r}; keys of your own belong under metadata")
    if front.get("name") != check_id(skill_id):
        raise SkillError(f"name must be that of its folder, {skill_id!r}")
    for key, longest in (("license", _SHORT), ("compatibility", LONGEST_COMPATIBILITY), ("allowed-tools", None)):
        if key in front:
            _text(front[key], key, longest)
    metadata = front.get("metadata", {})
    if not isinstance(metadata, dict):
        raise SkillError("metadata must be a map")
    body = (found.group(2) or "").strip()
    values = {"title": skill_id, **metadata, "description": front.get("description"), "prompt_template": body}
    read = {key: read_field(key, value) for key, value in values.items() if key in FIELDS}
    if "category" not in read:
        raise SkillError(f"metadata.category must be one of {', '.join(SCENES)}")
    read["body"] = read.pop("prompt_template")
    references = tuple(dict.fromkeys(REFERENCE.findall(body)))
    return Skill(id=skill_id, name=skill_id, license=front.get("license", ""), references=references, **read)


def render(skill: Skill) -> str:
    """Write a skill as the text of its file; what `parse` makes of it is the same skill."""
    metadata = {
        "title": skill.title,
        "category": skill.category,
        "priority": str(skill.priority),
        "enabled": str(skill.enabled).lower(),
        "version": skill.version,
        "keywords": ", ".join(skill.keywords),
    }
    front: dict[str, Any] = {"name": skill.id, "description": skill.description}
    if skill.license:
        front["license"] = skill.license
    front["metadata"] = metadata
    head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=1000)
    return f"---\n{head}---\n\n{skill.body}\n"


def read_field(key: str, value: Any) -> Any:
    """Read one of a skill's values, from a file or a client.

    Raises:
        SkillError: it is no such value.
    """
    return FIELDS[key](value)


def _mapping(text: str, what: str) -> dict[str, Any]:
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 2}" if mark is not None else ""
        raise SkillError(f"{what} is not YAML{place}") from None
    if not isinstance(read, dict) or not all(isinstance(key, str) for key in read):
        raise SkillError(f"{what} must be a map")
    return read


def _text(value: Any, name: str, longest: int | None) -> str:
    if not isinstance(value, str) or not value.strip():
        raise SkillError(f"{name} must be a text that says something")
    if longest is not None and len(value.strip()) > longest:
        raise SkillError(f"{name} has {len(value.strip())} characters, {longest} are allowed")
    return value.strip()


def _category(value: Any) -> str:
    if not isinstance(value, str) or value not in SCENES:
        raise SkillError(f"category must be one of {', '.join(SCENES)}")
    return value


def _priority(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,5}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in PRIORITIES:
        raise SkillError(f"priority must be a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}")
    return value


def _enabled(value: Any) -> bool:
    known = {"true": True, "false": False}
    found = known.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise SkillError("enabled must be true or false")
    return found


def _version(value: Any) -> str:
    # YAML reads 1.0 as a number.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return _text(str(value) if number else value, "version", 50)


def _keywords(value: Any) -> tuple[str, ...]:
    given = re.split(r"[,，、\n]", value) if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(word, str) for word in given):
        raise SkillError("keywords must be texts, in a list or with commas between")
    words = tuple(dict.fromkeys(word.strip().casefold() for word in given if word.strip()))
    if len(words) > _KEYWORDS or any(len(word) > _SHORT for word in words):
        raise SkillError(f"keywords must be at most {_KEYWORDS}, none longer than {_SHORT} characters")
    return words


FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "title": lambda value: _text(value, "title", _SHORT),
    "description": lambda value: _text(value, "description", LONGEST_DESCRIPTION),
    "category": _category,
    "priority": _priority,
    "enabled": _enabled,
    "version": _version,
    "keywords": _keywords,
    "prompt_template": lambda value: _text(value, "the body", LONGEST_BODY),
}
"""How each value is read that a file gives and that can be changed later."""
