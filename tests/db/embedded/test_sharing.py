import shutil
import signal
from contextlib import ExitStack
from pathlib import Path

from tests.db.embedded.conftest import Make
from tests.db.embedded.support import Client, postmaster, postmasters, value, wait_for


def test_two_processes_share_one_server_and_the_last_one_out_stops_it(root: Path, system_dir: Path) -> None:
    with Client(root, system_dir) as serve, Client(root, system_dir) as worker:
        url = serve.do("acquire")
        server = postmaster(root)
        assert worker.do("acquire") == url
        assert serve.do("release") == "done"
        assert postmaster(root) == server
        assert value(url, "SELECT 1") == 1
        assert worker.do("release") == "done"
        assert not postmasters(root)


def test_a_killed_process_leaves_the_server_to_the_next(make: Make, root: Path, system_dir: Path) -> None:
    with Client(root, system_dir) as client:
        url = client.do("acquire")
        server = postmaster(root)
        client.process.kill()
        client.process.wait()
    heir = make(root)
    assert heir.acquire() == url
    assert postmaster(root) == server
    heir.release()
    assert not postmasters(root)


def test_five_at_once_get_one_server(new_root: Path, system_dir: Path) -> None:
    with ExitStack() as stack:
        clients = [Client(new_root, system_dir) for _ in range(5)]
        for client in clients:
            stack.enter_context(client)
        for client in clients:
            client.say("acquire")
        [url] = {client.answer() for client in clients}
        server = postmaster(new_root)
        assert value(url, "SELECT 1") == 1
        assert (new_root / "postgres.log").read_text().count("starting PostgreSQL") == 1

        server.send_signal(signal.SIGKILL)
        for client in clients:
            client.say("ensure")
        assert {client.answer() for client in clients} == {url}
        assert postmaster(new_root) != server
        assert (new_root / "postgres.log").read_text().count("starting PostgreSQL") == 2

        for client in clients:
            client.say("release")
        assert {client.answer() for client in clients} == {"done"}
        assert not postmasters(new_root)


def test_a_process_killed_during_initdb_is_no_obstacle(make: Make, new_root: Path, system_dir: Path) -> None:
    with Client(new_root, system_dir) as client:
        client.say("acquire")
        wait_for(lambda: list(new_root.glob("data.new-*/base")))
        client.process.kill()
        client.process.wait()
    assert not (new_root / "data").exists()
    url = make(new_root).acquire()
    assert value(url, "SELECT count(*) FROM pg_database WHERE datname IN ('colloquy', 'template0', 'postgres')") == 3
    # An initdb that was still busy may have kept its draft; the next start takes it away.
    for draft in new_root.glob("data.new-*"):
        shutil.rmtree(draft, ignore_errors=True)


def test_a_process_killed_during_the_start_is_no_obstacle(make: Make, root: Path, system_dir: Path) -> None:
    with Client(root, system_dir) as client:
        client.say("acquire")
        wait_for((root / "data" / "postmaster.pid").exists)
        client.process.kill()
        client.process.wait()
    heir = make(root)
    assert value(heir.acquire(), "SELECT 1") == 1
    heir.release()
    assert not postmasters(root)
