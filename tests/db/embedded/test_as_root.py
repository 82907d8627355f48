import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from db.embedded.account import Account, server_account
from db.embedded.binaries import copy_programs, find_programs
from db.embedded.errors import EmbeddedPostgresError
from tests.db.embedded.conftest import Make, Plant
from tests.db.embedded.support import REPOSITORY, Client, postmaster, postmasters, value

SITE = Path(psutil.__file__).parents[1]
# An ordinary user: it needs a name, because initdb asks for one.
DAEMON = 1


def ordinary(path: Path) -> Path:
    """Give a directory of mode 0700 to the ordinary user."""
    path.mkdir(mode=0o700)
    os.chown(path, DAEMON, DAEMON)
    return path


def test_the_server_never_runs_as_root(make: Make, new_root: Path) -> None:
    make(new_root).acquire()
    account = server_account(new_root)
    assert account.uid != 0
    assert set(postmaster(new_root).uids()) == {account.uid}
    assert set(postmaster(new_root).gids()) == {account.gid}
    assert (new_root / "data").stat().st_uid == account.uid
    assert (new_root / "password").stat().st_uid == 0


def test_a_root_out_of_reach_gets_its_data_elsewhere(make: Make, place: Path, system_dir: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    user = make(closed / "pg")
    value(user.acquire(), "CREATE TABLE kept AS SELECT 42 AS answer")
    data = (closed / "pg" / "data").readlink()
    assert data.is_relative_to(system_dir)
    assert (data.parent / "used-by").read_text() == f"{closed / 'pg'}\n"
    assert closed.stat().st_mode & 0o777 == 0o700
    user.release()
    assert value(make(closed / "pg").acquire(), "SELECT answer FROM kept") == 42

    # Thrown away and begun anew, it does not find the old one.
    postmaster(place).kill()
    shutil.rmtree((closed / "pg" / "socket").readlink())
    shutil.rmtree(closed / "pg")
    assert value(make(closed / "pg").acquire(), "SELECT to_regclass('kept') IS NULL") is True


def test_a_root_that_went_out_of_reach_is_explained(make: Make, plant: Plant, place: Path) -> None:
    user = make(plant(place / "open" / "pg"))
    (place / "open").chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="x permission"):
        user.acquire()
    assert (place / "open").stat().st_mode & 0o777 == 0o700


def test_programs_out_of_reach_are_copied_once(place: Path, system_dir: Path) -> None:
    programs = copy_programs(SITE, system_dir)
    made = programs.stat().st_ctime_ns
    assert copy_programs(SITE, system_dir) == programs
    assert programs.stat().st_ctime_ns == made
    assert not list(system_dir.glob(".copy-*"))
    account = server_account(place)
    for name in ("postgres", "initdb"):
        done = subprocess.run(
            [programs / name, "--version"],
            capture_output=True,
            text=True,
            cwd="/",
            check=True,
            **account.popen_options(),
        )
        assert "(PostgreSQL) 18." in done.stdout


def test_programs_within_reach_are_used_in_place(place: Path, system_dir: Path) -> None:
    own = Account(0, 0, switched=False)
    assert find_programs(own, system_dir).is_relative_to(SITE)
    assert not system_dir.exists()


def test_a_system_directory_of_somebody_else_is_refused(system_dir: Path) -> None:
    ordinary(system_dir)
    with pytest.raises(EmbeddedPostgresError, match="root owns"):
        copy_programs(SITE, system_dir)
    os.chown(system_dir, 0, 0)
    system_dir.chmod(0o777)
    with pytest.raises(EmbeddedPostgresError, match="root owns"):
        copy_programs(SITE, system_dir)


def test_an_ordinary_user(place: Path, system_dir: Path) -> None:
    # As in a virtualenv of the user's own: the one of these tests may be below /root.
    package = copy_programs(SITE, system_dir).parents[1]
    (package / "__init__.py").touch()
    root = ordinary(place / "theirs") / "pg"
    with Client(root, system_dir, uid=DAEMON, site=package.parent) as client:
        url = client.do("acquire")
        assert url.startswith("postgresql://colloquy:")
        assert value(url, "SELECT 1") == 1
        assert set(postmaster(root).uids()) == {DAEMON}
        server = postmaster(root)
        server.kill()
        assert client.do("ensure") == url
        assert client.do("release") == "done"
        assert not postmasters(root)


def test_root_and_a_user_in_turn(make: Make, place: Path, system_dir: Path) -> None:
    package = copy_programs(SITE, system_dir).parents[1]
    (package / "__init__.py").touch()
    root = ordinary(place / "theirs") / "pg"
    ordinary(root)
    user = make(root)
    value(user.acquire(), "CREATE TABLE kept AS SELECT 42 AS answer")
    assert set(postmaster(root).uids()) == {DAEMON}
    with Client(root, system_dir, uid=DAEMON, site=package.parent) as client:
        url = client.do("acquire")
        user.release()
        assert value(url, "SELECT answer FROM kept") == 42
        assert client.do("release") == "done"
        assert not postmasters(root)
    assert {path.stat().st_uid for path in root.iterdir()} == {DAEMON}


def test_a_user_is_told_that_the_database_is_roots(make: Make, root: Path, system_dir: Path) -> None:
    make(root).acquire()
    with Client(root, system_dir, uid=DAEMON) as client:
        assert "Run as the owner of that directory" in client.do("acquire")


def test_root_without_the_right_to_trace_processes(root: Path, system_dir: Path) -> None:
    """Containers drop CAP_SYS_PTRACE: root then sees no working directory of another account's process."""
    command = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", sys.executable, "-W", "error"]
    script = (
        "from pathlib import Path; import sys; from db.embedded.server import EmbeddedPostgres as E; import psutil; "
    )
    script += "e = E(Path(sys.argv[1]), durable=False, system_dir=Path(sys.argv[2])); e.acquire(); "
    script += "pid = int((Path(sys.argv[1]) / 'data/postmaster.pid').read_text().split()[0]); "
    script += "psutil.Process(pid).kill(); e.ensure(); e.release()"
    done = subprocess.run([*command, "-c", script, root, system_dir], cwd=REPOSITORY, check=False)
    assert done.returncode == 0
    assert not postmasters(root)


def test_accounts_reach_what_their_permissions_say(place: Path) -> None:
    inner = place / "group" / "inner"
    inner.mkdir(parents=True)
    os.chown(place / "group", 0, DAEMON)
    (place / "group").chmod(0o710)
    assert Account(12345, DAEMON, switched=True).can_reach(inner)
    assert not Account(12345, 12345, switched=True).can_reach(inner)
    os.chown(place / "group", 12345, DAEMON)
    (place / "group").chmod(0o071)
    assert not Account(12345, DAEMON, switched=True).can_reach(inner)
