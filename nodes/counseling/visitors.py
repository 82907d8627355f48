"""The visitors that instances are made of (G65): `visitors/<key>.md`, front matter and a persona in fixed sections."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

SECTIONS: Final = (
    "基本情况",
    "主诉",
    "经历",
    "自动思维",
    "中间信念",
    "核心信念",
    "开放程度",
    "隐瞒的事",
    "说话方式",
    "进展的样子",
    "安全边界",
)
_FIELDS: Final = ("key", "name", "brief")
# Characters of a section, below which it says too little to play a person by.
_SHORTEST_SECTION: Final = 20
LONGEST_PERSONA: Final = 6_000
_DOCUMENT: Final = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)


class TemplateError(ValueError):
    """A visitor's file cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class VisitorTemplate:
    """A row of visitor_templates: `key` from 1, `brief` one line for lists, `core_persona` in Markdown."""

    key: int
    name: str
    brief: str
    core_persona: str

    @property
    def sections(self) -> dict[str, str]:
        """Return the persona's sections by their headings, in order."""
        parts = _HEADING.split(self.core_persona)
        return {heading.strip(): text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def parse(file: str, text: str) -> VisitorTemplate:
    """Read one visitor; `file` is the name that it has.

    Raises:
        TemplateError: a field or a section is missing, or says too little.
    """
    found = _DOCUMENT.fullmatch(text.strip() + "\n")
    if found is None:
        raise TemplateError(f"{file}: it does not begin with front matter between two lines of ---")
    fields = _fields(found[1])
    if missing := [name for name in _FIELDS if not fields.get(name)]:
        raise TemplateError(f"{file}: the front matter lacks {', '.join(missing)}")
    if not fields["key"].isdecimal() or int(fields["key"]) != _number(file):
        raise TemplateError(f"{file}: its key is {fields['key']}")
    template = VisitorTemplate(int(fields["key"]), fields["name"], fields["brief"], found[2].strip())
    if wrong := _wrong(template):
        raise TemplateError(f"{file}: {wrong}")
    return template


def load_all() -> tuple[VisitorTemplate, ...]:
    """Read the visitors that come with the product, by key. Blocking: call it while a module is imported.

    Raises:
        TemplateError: one of them cannot be used, or the keys are not 1, 2, 3 and so on.
    """
    folder = files("nodes.counseling") / "visitors"
    documents = (
        (file.name, file.read_text(encoding="utf-8")) for file in folder.iterdir() if file.name.endswith(".md")
    )
    return numbered(parse(name, text) for name, text in documents)


def numbered(templates: Iterable[VisitorTemplate]) -> tuple[VisitorTemplate, ...]:
    """Return the visitors by key.

    Raises:
        TemplateError: the keys are not 1, 2, 3 and so on, or two visitors have one name.
    """
    ordered = tuple(sorted(templates, key=lambda template: template.key))
    if [template.key for template in ordered] != list(range(1, len(ordered) + 1)):
        raise TemplateError("the visitors' keys are not 1, 2, 3 and so on")
    if len({template.name for template in ordered}) != len(ordered):
        raise TemplateError("two visitors have one name")
    return ordered


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _colon, value in pairs}


def _number(file: str) -> int:
    stem = file.removesuffix(".md")
    return int(stem) if stem.isdecimal() else -1


def _wrong(template: VisitorTemplate) -> str:
    if len(template.core_persona) > LONGEST_PERSONA:
        return f"the persona has more than {LONGEST_PERSONA} characters"
    sections = template.sections
    if tuple(sections) != SECTIONS:
        return f"its sections are not {'、'.join(SECTIONS)}"
    short = [heading for heading, text in sections.items() if len(text) < _SHORTEST_SECTION]
    return f"too short: {'、'.join(short)}" if short else ""


TEMPLATES: Final = load_all()
