import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.directories import crossable
from tests.kit.processes import command, environment


@pytest.fixture(scope="session")
def migrated() -> Iterator[Path]:
    """A data directory with a database at the current schema, to be copied: a third of a first start's time."""
    with crossable() as path:
        done = command("migrate", environ=environment(path / "data"))
        assert done.returncode == 0, done.stderr
        (path / "data" / "pg" / "socket").rmdir()
        yield path / "data"


@pytest.fixture
def data_dir(migrated: Path) -> Iterator[Path]:
    """A data directory of a server that has not begun to serve yet."""
    with crossable() as path:
        subprocess.run(["cp", "-a", migrated, path / "data dir"], check=True)
        yield path / "data dir"


@pytest.fixture
def no_data_dir() -> Iterator[Path]:
    """A data directory that does not exist yet."""
    with crossable() as path:
        yield path / "data dir"
