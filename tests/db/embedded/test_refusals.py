import os
import resource
import shutil
import signal
from pathlib import Path

import pytest

from db.embedded.errors import (
    DiskFullError,
    EmbeddedPostgresError,
    StartError,
    StartTimeoutError,
    WrongVersionError,
)
from tests.db.embedded.conftest import Make
from tests.db.embedded.support import postmaster, postmasters, value


@pytest.fixture
def stopped(make: Make, root: Path) -> Path:
    """The data directory of a cluster that holds a table and is not running."""
    user = make(root)
    value(user.acquire(), "CREATE TABLE kept AS SELECT 42 AS answer")
    user.release()
    return root / "data"


def test_another_major_version_is_left_alone(make: Make, root: Path, stopped: Path) -> None:
    (stopped / "PG_VERSION").write_text("17\n")
    with pytest.raises(WrongVersionError, match=r"PostgreSQL 17.*colloquy backup.*colloquy restore.*DATABASE_URL"):
        make(root).acquire()
    (stopped / "PG_VERSION").write_text("18\n")
    assert value(make(root).acquire(), "SELECT answer FROM kept") == 42


def test_a_half_made_cluster_is_made_again(make: Make, new_root: Path) -> None:
    (new_root / "data" / "base" / "1").mkdir(parents=True)
    (new_root / "data" / "PG_VERSION").write_text("18\n")
    assert value(make(new_root).acquire(), "SELECT 1") == 1


def test_a_damaged_cluster_with_databases_is_not_made_again(make: Make, root: Path, stopped: Path) -> None:
    control = stopped / "global" / "pg_control"
    control.rename(control.with_suffix(".lost"))
    with pytest.raises(EmbeddedPostgresError, match=r"control file is missing.*Restore a backup"):
        make(root).acquire()
    control.with_suffix(".lost").rename(control)
    assert value(make(root).acquire(), "SELECT answer FROM kept") == 42


def test_a_full_disk_is_named(make: Make, root: Path, stopped: Path) -> None:
    # The kernel's own full disk, for the one file that each start writes anew.
    options = stopped / "postmaster.opts"
    options.unlink()
    options.symlink_to("/dev/full")
    with pytest.raises(DiskFullError, match=r"is full\. Free some space"):
        make(root).acquire()


def test_a_failed_start_quotes_the_log(make: Make, root: Path, stopped: Path) -> None:
    with (stopped / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    user = make(root)
    with pytest.raises(StartError, match="no_such_setting") as refused:
        user.acquire()
    assert (root / "password").read_text() not in str(refused.value)
    with pytest.raises(RuntimeError):
        user.ensure()


def test_a_failed_initdb_leaves_nothing(make: Make, new_root: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        with pytest.raises(StartError, match="initdb failed"):
            make(new_root).acquire()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(new_root.glob("data*"))
    assert value(make(new_root).acquire(), "SELECT 1") == 1


def test_a_frozen_server_is_waited_for_and_not_killed(make: Make, root: Path) -> None:
    first = make(root)
    url = first.acquire()
    server = postmaster(root)
    server.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(StartTimeoutError, match="left running"):
            make(root, start_timeout=0.2).acquire()
    finally:
        server.send_signal(signal.SIGCONT)
    assert postmaster(root) == server
    assert first.ensure() == url


def test_a_lost_password_is_explained(make: Make, root: Path, stopped: Path) -> None:
    kept = (root / "password").read_text()
    (root / "password").unlink()
    with pytest.raises(EmbeddedPostgresError, match="restore that file") as refused:
        make(root).acquire()
    assert (root / "password").read_text() not in str(refused.value)
    assert not postmasters(root)
    (root / "password").write_text(kept)
    assert value(make(root).acquire(), "SELECT answer FROM kept") == 42


def test_a_root_that_cannot_be_used_is_explained(make: Make, place: Path) -> None:
    (place / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match=r"set DATA_DIR"):
        make(place / "file" / "pg").acquire()


def test_a_database_that_is_gone_is_not_replaced(make: Make, root: Path, place: Path, stopped: Path) -> None:
    volume = place / "volume"
    volume.mkdir()
    shutil.move(stopped, volume / "data")
    stopped.symlink_to(volume / "data")
    user = make(root)
    assert value(user.acquire(), "SELECT answer FROM kept") == 42
    user.release()
    volume.rename(place / "unmounted")
    with pytest.raises(EmbeddedPostgresError, match="which is gone"):
        make(root).acquire()


def test_a_link_in_place_of_a_file_is_not_followed(make: Make, new_root: Path, place: Path) -> None:
    new_root.mkdir()
    (place / "precious").write_text("precious")
    (new_root / "users.lock").symlink_to(place / "precious")
    with pytest.raises(EmbeddedPostgresError, match=r"users\.lock"):
        make(new_root).acquire()
    assert (place / "precious").read_text() == "precious"
    assert (place / "precious").stat().st_uid == os.geteuid()
