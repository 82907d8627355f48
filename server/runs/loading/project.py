"""What a `langgraph.json` says, checked; nothing of it is imported yet."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import structlog

from server.runs.loading.errors import WorkflowError

log = structlog.get_logger(__name__)

_HONOURED: Final = frozenset({"graphs", "dependencies", "env", "$schema"})
_IN_AN_ENTRY: Final = frozenset({"path", "description"})
_REQUIREMENT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Entry:
    """One graph of a file: `source` is a module (`pkg.module`) or a file (`./agent/graph.py`)."""

    name: str
    source: str
    attribute: str
    description: str | None

    @property
    def location(self) -> str:
        """Where it is, as the file says."""
        return f"{self.source}:{self.attribute}"

    @property
    def is_file(self) -> bool:
        """Whether it names a file rather than a module."""
        return self.source.endswith(".py") or "/" in self.source


@dataclass(frozen=True)
class Project:
    """A `langgraph.json`: `folders` are what imports look into, its own folder first."""

    file: Path
    entries: tuple[Entry, ...]
    folders: tuple[Path, ...]
    env: Path | Mapping[str, str]

    @property
    def root(self) -> Path:
        """The folder that paths are relative to."""
        return self.file.parent


def read(file: Path) -> Project:
    """Read and check a `langgraph.json`; what cannot be honoured is named in one warning.

    Raises:
        WorkflowError: the file is missing or malformed; the message names it and says what is wrong.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise WorkflowError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise WorkflowError(f"{file} is no JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("graphs"), dict):
        raise WorkflowError(f"{file} must be an object with a `graphs` object")
    if not content["graphs"]:
        raise WorkflowError(f"{file} names no graph: `graphs` is empty")
    root = file.resolve().parent
    ignored = sorted(content.keys() - _HONOURED)
    entries = tuple(_entry(file, name, value, ignored) for name, value in content["graphs"].items())
    folders, missing = _dependencies(file, root, content.get("dependencies", []))
    env = _env(file, root, content.get("env", {}))
    if ignored or missing:
        log.warning("langgraph_json_not_honoured", file=str(file), keys=ignored, not_installed=missing)
    return Project(root / file.name, entries, folders, env)


def _entry(file: Path, name: str, value: Any, ignored: list[str]) -> Entry:
    given = value if isinstance(value, dict) else {"path": value}
    location, description = given.get("path"), given.get("description")
    if not name or not isinstance(location, str) or not isinstance(description, str | None):
        raise WorkflowError(f'{file}: graph {name} must be "module:attribute" or {{"path": …, "description": …}}')
    ignored += sorted(f"graphs.{name}.{key}" for key in given.keys() - _IN_AN_ENTRY)
    source, colon, attribute = location.rpartition(":")
    if not colon or not source or not attribute.isidentifier():
        raise WorkflowError(
            f"{file}: graph {name}: `{location}` must have the form package.module:attribute or ./file.py:attribute"
        )
    return Entry(name, source, attribute, description)


def _dependencies(file: Path, root: Path, given: Any) -> tuple[tuple[Path, ...], list[str]]:
    """Return the folders to import from, and the requirements that are not installed."""
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise WorkflowError(f"{file}: `dependencies` must be a list of folders and requirements")
    folders, missing = [root], []
    for item in given:
        folder = (root / item).resolve()
        if folder.is_dir():
            folders.append(folder)
        elif item.startswith((".", "/")):
            raise WorkflowError(f"{file}: dependency {item}: there is no such folder")
        elif not _installed(item):
            missing.append(item)
    return tuple(dict.fromkeys(folders)), missing


def _installed(requirement: str) -> bool:
    name = _REQUIREMENT.match(requirement)
    try:
        return name is not None and distribution(name[0]) is not None
    except PackageNotFoundError:
        return False


def _env(file: Path, root: Path, given: Any) -> Path | Mapping[str, str]:
    if isinstance(given, str):
        return root / given
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise WorkflowError(f"{file}: `env` must be a file's path, or an object of strings")
    return given
