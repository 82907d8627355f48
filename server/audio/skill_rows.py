"""A skill as a row of the table, and back (A049, G04, W06)."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import structlog

from db.models.skills import SkillRow
from skills import catalog
from skills.catalog import FILE, Loaded
from skills.document import Skill, SkillError
from skills.scenes import OTHER

log = structlog.get_logger(__name__)

_DIRECTORIES: Final = 4


def as_skill(row: SkillRow) -> Skill:
    """Return the skill that a row holds."""
    details = row.details
    return Skill(
        id=row.skill_id,
        name=row.skill_id,
        title=row.name,
        description=row.description,
        category=row.category,
        body=row.prompt_template,
        priority=row.priority,
        enabled=row.enabled,
        version=row.version,
        keywords=tuple(details.get("keywords", ())),
        references=tuple(details.get("references", ())),
        overrides=details.get("overrides", {}),
    )


def as_row(skill: Skill) -> dict[str, Any]:
    """Return the row of a skill."""
    details = {
        "keywords": list(skill.keywords),
        "references": list(skill.references),
        "overrides": dict(skill.overrides),
    }
    return {
        "skill_id": skill.id,
        "name": skill.title,
        "description": skill.description,
        "category": skill.category,
        "skill_path": f"{skill.id}/{FILE}",
        "priority": skill.priority,
        "enabled": skill.enabled,
        "version": skill.version,
        "prompt_template": skill.body,
        "metadata": details,
        "problem": None,
    }


def overridden(skill: Skill, known: SkillRow | None) -> dict[str, Any]:
    """Return the row of a file's skill with what was changed before; changes that no longer fit are dropped."""
    changes = known.details.get("overrides", {}) if known is not None else {}
    try:
        return as_row(catalog.with_overrides(skill, changes))
    except SkillError as error:
        log.warning("skill_overrides_dropped", skill_id=skill.id, problem=str(error))
        return as_row(skill)


def broken(folder: str, problem: str, known: SkillRow | None) -> dict[str, Any]:
    """Return the row of a skill that cannot be read: what was known of it, and why."""
    if known is not None:
        return as_row(as_skill(known)) | {"problem": problem}
    nothing = Skill(id=folder, name=folder, title=folder, description="", category=OTHER, body="", enabled=False)
    return as_row(nothing) | {"problem": problem}


def load(directory: Path) -> Loaded:
    """Read a directory; files that are as they were are not parsed again. Blocking."""
    found = sorted([*directory.glob(f"[!.]*/{FILE}"), *directory.glob("[!.]*/references/*")])
    return _loaded(directory, tuple((str(path), *_state(path)) for path in found))


@lru_cache(maxsize=_DIRECTORIES)
def _loaded(directory: Path, _state: tuple[tuple[str, int, int, int], ...]) -> Loaded:
    return catalog.load_all(directory)


def _state(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns
