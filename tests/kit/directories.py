"""Directories for real servers."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def crossable() -> Iterator[Path]:
    """Give a directory that every account can cross, and remove it at the end.

    pytest's own `tmp_path` is closed to others: as root, the embedded server, which runs under an account without
    rights, would have to keep its data elsewhere.
    """
    path = Path(tempfile.mkdtemp(prefix="clq"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
