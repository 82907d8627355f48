import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.db.embedded.conftest import Make, Plant
from tests.db.embedded.support import Client, postmaster, postmasters, value, wait_for


def kill(process: psutil.Process) -> None:
    process.send_signal(signal.SIGKILL)


def is_frozen(pid: int) -> bool:
    """Every thread has stopped: the one that waits for the child is the last to notice."""
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    return set(states) == {"T"}


@contextmanager
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stale(root: Path, pid: int) -> None:
    """Leave the files of a dead server behind, with the number of a process that lives."""
    started = int(psutil.Process(pid).create_time())
    lines = f"{pid}\n{root / 'data'}\n{started}\n5432\n{root / 'socket'}\n\n  1  1\nready   \n"
    (root / "data" / "postmaster.pid").write_text(lines)
    (root / "socket").mkdir(mode=0o700)
    shutil.chown(root / "socket", (root / "data").stat().st_uid)
    (root / "socket" / ".s.PGSQL.5432.lock").write_text(lines)


def test_ensure_brings_a_killed_server_back(make: Make, root: Path) -> None:
    user = make(root, durable=True)
    url = user.acquire()
    value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    dead = postmaster(root)
    kill(dead)
    assert user.ensure() == url
    assert postmaster(root) != dead
    assert value(url, "SELECT answer FROM kept") == 42


def test_another_process_than_the_one_that_started_it_brings_it_back(make: Make, root: Path, system_dir: Path) -> None:
    with Client(root, system_dir) as client:
        url = client.do("acquire")
        user = make(root)
        user.acquire()
        dead = postmaster(root)
        # Frozen, the parent does not notice its child's death, which stays a process with a number.
        client.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: is_frozen(client.process.pid))
        kill(dead)
        assert user.ensure() == url
        assert dead.status() == psutil.STATUS_ZOMBIE
        assert value(url, "SELECT 1") == 1
        client.process.send_signal(signal.SIGCONT)
        assert client.do("ensure") == url


def test_a_busy_child_of_a_killed_server_is_ended_first(make: Make, root: Path) -> None:
    user = make(root)
    url = user.acquire()

    def count() -> None:
        with suppress(psycopg.OperationalError):
            value(url, "SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 1000) b")

    busy = threading.Thread(target=count)
    busy.start()
    while not value(
        url,
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 1000)%' "
        "AND pid <> pg_backend_pid() AND state = 'active'",
    ):
        time.sleep(0.01)
    kill(postmaster(root))
    assert user.ensure() == url
    busy.join(10)
    assert not busy.is_alive()
    assert value(url, "SELECT 1") == 1


def test_a_stale_pid_file_harms_no_stranger(make: Make, root: Path) -> None:
    user = make(root)
    with stranger() as innocent:
        stale(root, innocent.pid)
        url = user.acquire()
        assert value(url, "SELECT 1") == 1
        user.release()
        assert innocent.poll() is None


def test_a_stale_pid_file_harms_no_other_postgres(make: Make, plant: Plant, root: Path, place: Path) -> None:
    other, user = make(plant(place / "other")), make(root)
    other_url = other.acquire()
    innocent = postmaster(place / "other")
    stale(root, innocent.pid)
    url = user.acquire()
    user.release()
    assert url != other_url
    assert postmaster(place / "other") == innocent
    assert value(other_url, "SELECT 1") == 1


def test_a_pid_file_with_another_start_time_is_not_believed(make: Make, root: Path) -> None:
    user = make(root)
    user.acquire()
    pid_file = root / "data" / "postmaster.pid"
    true = pid_file.read_text()
    lines = true.splitlines()
    lines[2] = str(int(lines[2]) - 3600)
    pid_file.write_text("\n".join(lines) + "\n")
    server = postmaster(root)
    user.release()
    assert server.is_running()

    pid_file.write_text(true)
    user.acquire()
    user.release()
    assert not postmasters(root)


def test_a_clock_that_was_set_does_not_hide_the_server(make: Make, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = make(root)
    user.acquire()
    truth = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: truth(process) + 3600)
    user.ensure()
    user.release()
    assert not postmasters(root)


def test_a_lost_socket_is_made_again(make: Make, root: Path) -> None:
    user = make(root)
    url = user.acquire()
    (root / "socket" / ".s.PGSQL.5432").unlink()
    assert user.ensure() == url
    assert value(url, "SELECT 1") == 1
