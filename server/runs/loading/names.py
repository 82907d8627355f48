"""Names that mean one thing in somebody's project and another in this process.

A project's folder comes last on `sys.path`, so `import tools` in it would find Colloquy's `tools`: a confusing
ImportError at best. What a project's files import is therefore read before any of it is executed.
"""

import ast
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Final

from server.runs.loading.errors import WorkflowError

OURS: Final = frozenset(
    {"checkpoints", "core", "db", "graphs", "jobs", "nodes", "providers", "server", "skills", "tools"}
)
"""The top-level packages of the distribution."""


def check_imports(start: Path, folders: Sequence[Path]) -> None:
    """Follow the imports of a file through a project's folders.

    Raises:
        WorkflowError: one means a file of the project and would get something else.
    """
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        for level, name in _imports(file):
            base = file.parents[level - 1] if level else _folder_of(name, folders)
            if base is None:
                continue
            if not level:
                check_name(name.partition(".")[0], base, f"{file} imports")
            waiting += _files(base, name)


def check_name(top: str, folder: Path, who: str) -> None:
    """See that a top-level name of a project's folder is the one that an import finds.

    Raises:
        WorkflowError: it is taken; the message begins with `who` and says by what.
    """
    found = find(top)
    if found is None or is_within(found, folder):
        return
    theirs = next(path for path in _candidates(folder, top) if path.exists())
    raise WorkflowError(
        f"{who} `{top}`, which is {theirs}, but in this process `{top}` is {_owner(top, found)}. Rename yours."
    )


def is_theirs(top: str, folder: Path) -> bool:
    """Tell whether a top-level name is a module or package of a project's folder, and is found there."""
    found = find(top)
    return found is not None and is_within(found, folder)


def find(top: str) -> ModuleSpec | None:
    """Return what `import top` would give; None where nothing."""
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):  # a module without a spec, such as __main__
        return getattr(sys.modules.get(top), "__spec__", None)


def is_within(spec: ModuleSpec, folder: Path) -> bool:
    """Tell whether a top-level module is a file of a folder, or a package right in it."""
    places = [Path(place).resolve() for place in spec.submodule_search_locations or ()]
    if not places and spec.has_location and spec.origin:
        places = [Path(spec.origin).resolve()]
    return any(place.parent == folder for place in places)


def _owner(top: str, found: ModuleSpec) -> str:
    if top in OURS:
        place = found.origin or next(iter(found.submodule_search_locations or ()), "")
        return f"Colloquy's own package, {place}"
    if top in sys.stdlib_module_names:
        return "the standard library's"
    return found.origin or "another package's"


def _candidates(folder: Path, name: str) -> tuple[Path, ...]:
    return (folder / name / "__init__.py", folder / f"{name}.py", folder / name)


def _folder_of(name: str, folders: Sequence[Path]) -> Path | None:
    top = name.partition(".")[0]
    for folder in folders:
        package, module, namespace = _candidates(folder, top)
        if package.is_file() or module.is_file() or (namespace.is_dir() and any(namespace.glob("*.py"))):
            return folder
    return None


def _files(base: Path, name: str) -> Iterator[Path]:
    """Give the files that the import of a dotted name executes, as far as they are below `base`."""
    for part in name.split(".") if name else ():
        package, module, namespace = _candidates(base, part)
        yield from (file for file in (package, module) if file.is_file())
        base = namespace


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """Give (level, dotted name) for each import of a file; what `from` takes counts, since it may be a module."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return  # its import will tell
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((0, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                yield from ((level, f"{module}.{alias.name}" if module else alias.name) for alias in names)
