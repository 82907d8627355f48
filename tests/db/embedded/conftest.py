import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db.embedded.server import EmbeddedPostgres
from tests.db.embedded.support import postmasters, wait_for
from tests.kit.directories import crossable

# What only root can cause (another account, its own system directory) is no test at all for an ordinary user.
collect_ignore = [] if os.geteuid() == 0 else ["test_as_root.py"]

Make = Callable[..., EmbeddedPostgres]
Plant = Callable[[Path], Path]


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that every account can cross, without what a test left running in it."""
    with crossable() as path:
        yield path
        for process in postmasters(path):
            process.kill()
            process.wait(10)
        # An initdb whose parent was killed may still be writing.
        wait_for(lambda: is_removed(path))


def is_removed(path: Path) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


@pytest.fixture(scope="session")
def plant() -> Iterator[Plant]:
    """Copy the root of a server that ran and stopped to a new place: a quarter of a first start's time."""
    with open_directory() as path:
        seed = path / "pg"
        server = EmbeddedPostgres(seed, durable=False)
        server.acquire()
        server.release()
        for each in (seed / "socket", seed / "users.lock", seed / "start.lock", seed / "postgres.log"):
            shutil.rmtree(each) if each.is_dir() else each.unlink()

        def copy(target: Path) -> Path:
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", seed, target], check=True)
            return target

        yield copy


@pytest.fixture
def place() -> Iterator[Path]:
    with open_directory() as path:
        yield path


@pytest.fixture
def new_root(place: Path) -> Path:
    """A root that does not exist yet."""
    return place / "new"


@pytest.fixture
def root(place: Path, plant: Plant) -> Path:
    """A root whose server ran before."""
    return plant(place / "pg")


@pytest.fixture
def system_dir(place: Path) -> Path:
    return place / "system"


@pytest.fixture
def make(system_dir: Path) -> Iterator[Make]:
    """Make users of a server in this process; whoever is one at the end of the test releases it."""
    made: list[EmbeddedPostgres] = []

    def user(at: Path, *, durable: bool = False, start_timeout: float = 60) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(at, durable=durable, system_dir=system_dir, start_timeout=start_timeout))
        return made[-1]

    yield user
    for each in made:
        each.release()
