"""All skills of a directory: `<directory>/<skill-id>/SKILL.md` (A005, G03, G04).

Everything here reads or writes files and therefore blocks: call it before the event loop runs, or from a thread.
Nothing is kept: what was changed after a file was read comes from the caller, by skill, as a mapping of field to value.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from skills.document import FIELDS, REFERENCE, Skill, SkillError, check_id, parse, read_field, render

SKILLS: Final = Path(__file__).parent
"""The directory of the skills that come with Colloquy."""

FILE: Final = "SKILL.md"
_LARGEST: Final = 256 * 1024
_QUOTED: Final = re.compile(r"[“\"]([^“”\"\n]+)[”\"]")


@dataclass(frozen=True)
class Loaded:
    """What a directory holds: skills by id, sorted; and why the others were skipped, by the name of their folder."""

    skills: Mapping[str, Skill]
    broken: Mapping[str, str]


class SkillUnknown(SkillError):
    """There is no such skill."""


class SkillExists(SkillError):
    """There is such a skill already."""


class DirectoryNotWritable(SkillError):
    """Skills cannot be added: the directory is read-only here."""


def load_all(directory: Path, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Loaded:
    """Read every skill; one that is broken, or whose overrides are, is left out with its reason (G04).

    A folder without a SKILL.md is no skill, nor is a hidden one.
    """
    skills: dict[str, Skill] = {}
    broken: dict[str, str] = {}
    found = [path.name for path in directory.glob("[!.]*") if os.path.lexists(path / FILE)]
    for folder in sorted(found):
        try:
            skills[folder] = with_overrides(load_one(directory, folder), (overrides or {}).get(folder, {}))
        except SkillError as error:
            broken[folder] = str(error)
    return Loaded(skills, broken)


def load_one(directory: Path, skill_id: str) -> Skill:
    """Read one skill from its file alone, without overrides: this is what reload answers (A038, G04).

    Raises:
        SkillUnknown: there is no such file, or the id can be no folder's.
        SkillError: it is broken, or a reference in it leads nowhere.
    """
    if not os.path.lexists(directory / _folder(skill_id) / FILE):
        raise SkillUnknown(f"there is no skill {skill_id!r}")
    skill = parse(skill_id, _read(directory, skill_id, FILE))
    for reference in skill.references:
        _read(directory, skill_id, reference)
    return skill


def with_overrides(skill: Skill, changes: Mapping[str, Any]) -> Skill:
    """Lay changes over a skill, on top of those that it has; `overrides` of the result is all of them, for keeping.

    Raises:
        SkillError: a field cannot be changed, or a value is none of its kind.
    """
    if not changes:
        return skill
    if unknown := sorted(set(changes) - set(FIELDS)):
        raise SkillError(f"{unknown[0]!r} cannot be changed; only {', '.join(FIELDS)}")
    read = {key: read_field(key, value) for key, value in changes.items()}
    kept = {**skill.overrides, **{key: list(one) if isinstance(one, tuple) else one for key, one in read.items()}}
    if "prompt_template" in read:
        read["body"] = read.pop("prompt_template")
        # Those that a new prompt names and the folder lacks are not there to be loaded.
        read["references"] = tuple(one for one in skill.references if one in read["body"])
    return replace(skill, **read, overrides=kept)


def create(directory: Path, skill_id: str, values: Mapping[str, Any]) -> Skill:
    """Write a new skill's file, whole or not at all; its path comes from its id and from nothing else (W06).

    `values` are fields as in `document.FIELDS`; description, category and prompt_template must be among them.

    Raises:
        SkillExists: the id is taken.
        DirectoryNotWritable: nothing can be written.
        SkillError: the id or a value is wrong, or the prompt names references that a new skill cannot have.
    """
    check_id(skill_id)
    if unknown := sorted(set(values) - set(FIELDS)):
        raise SkillError(f"there is no field {unknown[0]!r}; only {', '.join(FIELDS)}")
    if missing := [key for key in ("description", "category", "prompt_template") if key not in values]:
        raise SkillError(f"{missing[0]} is missing")
    read = {"title": skill_id, **{key: read_field(key, value) for key, value in values.items()}}
    skill = Skill(id=skill_id, name=skill_id, body=read.pop("prompt_template"), **read)
    if skill.body != parse(skill_id, render(skill)).body or REFERENCE.search(skill.body):
        raise SkillError("the prompt of a new skill cannot name references: it has none yet")
    if os.path.lexists(directory / skill_id):
        raise SkillExists(f"there is a skill {skill_id!r} already")
    _write(directory, skill_id, render(skill))
    return load_one(directory, skill_id)


def wanted_references(skill: Skill, transcript: str) -> list[str]:
    """Return the references that a transcript asks for, in the order of the prompt.

    A line of the prompt that names a reference says in quotation marks by which words: one of them is enough.
    """
    said = transcript.casefold()
    wanted: dict[str, None] = {}
    for line in skill.body.splitlines():
        named = [one for one in REFERENCE.findall(line) if one in skill.references]
        if named and any(word.casefold() in said for word in _QUOTED.findall(line)):
            wanted.update(dict.fromkeys(named))
    return list(wanted)


def read_reference(directory: Path, skill: Skill, reference: str) -> str:
    """Read one of the files that a skill's prompt names, when it is wanted.

    Raises:
        SkillError: it is not one of them, or is no longer there.
    """
    if reference not in skill.references:
        raise SkillError(f"{reference!r} is no reference of {skill.id}")
    return _read(directory, skill.id, reference)


def _folder(skill_id: str) -> str:
    try:
        return check_id(skill_id)
    except SkillError as error:
        # A folder that no id can name is reported by what is wrong with its name.
        raise SkillUnknown(str(error)) from None


def _read(directory: Path, skill_id: str, name: str) -> str:
    """Read a regular file inside a skill's folder, wherever links in it point."""
    folder = (directory / skill_id).resolve()
    try:
        path = (folder / name).resolve(strict=True)
        found = path.stat()
    except (OSError, RuntimeError):
        raise SkillError(f"{name} is not there") from None
    if not path.is_relative_to(folder) or not stat.S_ISREG(found.st_mode):
        raise SkillError(f"{name} must be a file in the folder of its skill")
    if found.st_size > _LARGEST:
        raise SkillError(f"{name} has {found.st_size} bytes, {_LARGEST} are allowed")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SkillError(f"{name} is not UTF-8") from None
    except OSError:
        raise SkillError(f"{name} cannot be read") from None


def _write(directory: Path, skill_id: str, text: str) -> None:
    try:
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=directory))
    except OSError:
        raise DirectoryNotWritable("skills cannot be added here: the directory is not writable") from None
    try:
        (draft / FILE).write_text(text, encoding="utf-8")
        draft.chmod(0o755)
        draft.rename(directory / skill_id)
    except OSError:
        with suppress(OSError):
            shutil.rmtree(draft)
        if os.path.lexists(directory / skill_id):
            raise SkillExists(f"there is a skill {skill_id!r} already") from None
        raise DirectoryNotWritable("the skill could not be written") from None
