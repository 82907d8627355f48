"""The `env` of a `langgraph.json`: variables for its graphs, never for Colloquy itself."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import structlog
from dotenv import dotenv_values
from pydantic import AliasChoices

from core.roles import ROLES
from core.settings import Settings
from server.runs.loading.errors import WorkflowError
from server.runs.loading.project import Project

log = structlog.get_logger(__name__)

# The vendors' own names, which graphs read as well; our settings were read before and do not change by them.
_SHARED: Final = ("GOOGLE_", "OPENAI_", "DASHSCOPE_")
# LangGraph's guard of checkpoints (X023), and what our database driver reads by itself.
_GUARDED: Final = ("LANGGRAPH_STRICT_MSGPACK", "PG")


def apply(project: Project) -> None:
    """Set the variables that the process does not have; names that are Colloquy's settings are left out.

    Raises:
        WorkflowError: the file cannot be read.
    """
    own = frozenset(_settings())
    taken = []
    for name, value in _given(project).items():
        if name in own or name.startswith(_GUARDED):
            taken.append(name)
        else:
            os.environ.setdefault(name, value)
    if taken and not _is_colloquys(project):
        log.warning("langgraph_json_env_not_set", file=str(project.file), names=sorted(taken))


def _is_colloquys(project: Project) -> bool:
    """Tell whether `env` is the file that Colloquy's own settings are read from, where they have their meaning."""
    return project.env == Path(".env").resolve()


def _given(project: Project) -> Mapping[str, str]:
    if not isinstance(project.env, Path):
        return project.env
    # As for `langgraph dev`: nobody commits an `.env`, so there may be none.
    if not project.env.exists():
        if not _is_colloquys(project):
            log.warning("langgraph_json_env_missing", file=str(project.file), env=str(project.env))
        return {}
    try:
        return {name: value for name, value in dotenv_values(project.env).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowError(f"{project.file}: `env`: {project.env} cannot be read") from error


def _settings() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        match field.validation_alias:
            case str(alias):
                yield alias
            case AliasChoices(choices=choices):
                yield from map(str, choices)
            case _ if not name.upper().startswith(_SHARED):
                yield name.upper()
    for role in ROLES:
        for suffix in ("", "_TIMEOUT_SECONDS", "_TEMPERATURE", "_MAX_TOKENS"):
            yield f"MODEL_{role.upper()}{suffix}"
