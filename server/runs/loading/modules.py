"""Importing what an entry names: a module by its name, a file under a name of its own."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from server.runs.loading import names
from server.runs.loading.errors import WorkflowError, author_trace
from server.runs.loading.project import Entry, Project

_NOT_IN_A_NAME: Final = re.compile(r"\W")


def open_folders(project: Project) -> None:
    """Let imports look into the project's folders, last: what is installed keeps its meaning."""
    sys.path += [str(folder) for folder in project.folders if str(folder) not in sys.path]
    importlib.invalidate_caches()


def load(project: Project, entry: Entry) -> Any:
    """Return the object that an entry names.

    Raises:
        WorkflowError: it cannot be had; with the traceback where the author's own code failed.
    """
    where = f"{project.file}: graph {entry.name}:"
    module = _of_file(project, entry, where) if entry.is_file else _of_module(project, entry, where)
    try:
        return getattr(module, entry.attribute)
    except AttributeError:
        raise WorkflowError(f"{where} `{entry.source}` has no attribute `{entry.attribute}`") from None


def _of_module(project: Project, entry: Entry, where: str) -> ModuleType:
    top = entry.source.partition(".")[0]
    for folder in project.folders:
        # Its own files are read from the first one on: an import inside may go astray as well.
        file = _module_file(folder, entry.source)
        if file is not None:
            names.check_name(top, folder, f"{where} `{entry.location}` means")
            # Past that check, a package of ours is our own.
            if top not in names.OURS:
                _check_imports(project, file, where)
            break
    return _executed(lambda: importlib.import_module(entry.source), entry, where)


def _module_file(folder: Path, name: str) -> Path | None:
    path = folder.joinpath(*name.split("."))
    return next((file for file in (path / "__init__.py", path.with_name(path.name + ".py")) if file.is_file()), None)


def _of_file(project: Project, entry: Entry, where: str) -> ModuleType:
    file = (project.root / entry.source).resolve()
    if file.suffix != ".py":
        raise WorkflowError(f"{where} `{entry.source}` is no Python file")
    if not file.is_file():
        raise WorkflowError(f"{where} there is no file {file}")
    name = _dotted(project, file, where)
    _check_imports(project, file, where)
    if name is not None:
        return _executed(lambda: importlib.import_module(name), entry, where)
    return _executed(lambda: _by_path(_own_name(project, file), file), entry, where)


def _dotted(project: Project, file: Path, where: str) -> str | None:
    """Return the name under which other files of the project import this one, so that there is one copy of it.

    None where it has none: its top-level name is taken by a package that is not ours, or is no name.
    """
    for folder in sorted(project.folders, key=lambda path: -len(path.parts)):
        if not file.is_relative_to(folder):
            continue
        parts = file.relative_to(folder).with_suffix("").parts
        if not all(part.isidentifier() for part in parts):
            continue
        if parts[0] in names.OURS:
            names.check_name(parts[0], folder, f"{where} `{file}` is in")
        if names.is_theirs(parts[0], folder):
            return ".".join(parts)
    return None


def _own_name(project: Project, file: Path) -> str:
    """Return a module name that holds on other machines as well: checkpoints name their classes by it."""
    with suppress(ValueError):
        return _NOT_IN_A_NAME.sub("_", f"{project.root.name}__{file.relative_to(project.root).with_suffix('')}")
    return _NOT_IN_A_NAME.sub("_", str(file.with_suffix("")))


def _by_path(name: str, file: Path) -> ModuleType:
    there = sys.modules.get(name)
    if there is not None:
        if there.__file__ == str(file):
            return there
        raise WorkflowError(f"{file} and {there.__file__} would both be the module `{name}`. Rename one.")
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module at {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _check_imports(project: Project, file: Path, where: str) -> None:
    try:
        names.check_imports(file, project.folders)
    except WorkflowError as error:
        raise WorkflowError(f"{where} {error}") from None


def _executed(load: Callable[[], ModuleType], entry: Entry, where: str) -> ModuleType:
    try:
        return load()
    except WorkflowError:
        raise
    except ModuleNotFoundError as error:
        if error.name and entry.source.startswith(error.name):
            raise WorkflowError(f"{where} there is no module `{error.name}`") from None
        raise WorkflowError(f"{where} its import failed:\n{author_trace(error)}") from error
    except (Exception, SystemExit) as error:
        raise WorkflowError(f"{where} its import failed:\n{author_trace(error)}") from error
