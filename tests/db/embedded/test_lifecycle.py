import os
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from db.embedded.process import _sync_method
from db.embedded.server import EmbeddedPostgres
from db.url import for_sqlalchemy
from tests.db.embedded.conftest import Make
from tests.db.embedded.support import postmaster, postmasters, value


def test_first_start_serves_psycopg_and_sqlalchemy(make: Make, new_root: Path) -> None:
    url = make(new_root).acquire()
    assert value(url, "SELECT current_database() || '/' || current_user") == "colloquy/colloquy"
    assert str(value(url, "SHOW server_version")).startswith("18.")
    engine = create_engine(for_sqlalchemy(url))
    with engine.connect() as connection:
        assert connection.execute(text("SHOW server_encoding")).scalar_one() == "UTF8"
    engine.dispose()


def test_data_survives_the_last_release(make: Make, root: Path) -> None:
    first = make(root)
    url = first.acquire()
    value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    first.release()
    assert not postmasters(root)
    assert make(root).acquire() == url
    assert value(url, "SELECT answer FROM kept") == 42


def test_acquiring_twice_is_one_use(make: Make, root: Path) -> None:
    user = make(root)
    assert user.acquire() == user.acquire() == user.ensure()
    user.release()
    assert not postmasters(root)
    user.release()


def test_ensure_is_for_users(make: Make, root: Path) -> None:
    with pytest.raises(RuntimeError, match="acquire"):
        make(root).ensure()


def test_the_server_is_out_of_reach_of_our_terminal(make: Make, root: Path) -> None:
    make(root).acquire()
    pid = postmaster(root).pid
    assert os.getsid(pid) == pid != os.getsid(0)


def test_our_environment_stays_ours(make: Make, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    url = make(root).acquire()
    assert value(url, "SELECT 1") == 1
    assert "OPENAI_API_KEY" not in postmaster(root).environ()


@pytest.mark.parametrize(("options", "setting"), [({}, "on"), ({"durable": False}, "off")])
def test_it_is_durable_unless_told_otherwise(
    root: Path, system_dir: Path, options: dict[str, bool], setting: str
) -> None:
    user = EmbeddedPostgres(root, system_dir=system_dir, **options)
    url = user.acquire()
    assert {value(url, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")} == {setting}
    assert value(url, "SHOW listen_addresses") == ""
    user.release()


@pytest.mark.parametrize(
    ("system", "release", "method"),
    [
        ("Linux", "6.18.44-cloud", "syncfs"),
        ("Linux", "5.8", "syncfs"),
        ("Linux", "5.7.19", "fsync"),
        ("Linux", "4.19.0-21-amd64", "fsync"),
        ("Linux", "unheard of", "fsync"),
        ("Darwin", "24.1.0", "fsync"),
    ],
)
def test_files_are_brought_to_the_disk_at_once_only_where_failures_are_told(
    system: str, release: str, method: str
) -> None:
    assert _sync_method(os.uname_result((system, "host", release, "#1", "x86_64"))) == method


def test_a_recovery_brings_files_to_the_disk_as_this_kernel_can(make: Make, root: Path) -> None:
    assert value(make(root).acquire(), "SHOW recovery_init_sync_method") == _sync_method(os.uname())


def test_only_the_password_lets_in(make: Make, new_root: Path) -> None:
    url = make(new_root).acquire()
    secret = (new_root / "password").read_text()
    assert (new_root / "password").stat().st_mode & 0o777 == 0o600
    assert len(secret) >= 43
    for wrong in (url.replace(secret, "wrong"), url.replace(f":{secret}", ":")):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong)
    assert secret not in (new_root / "postgres.log").read_text()
    assert secret not in " ".join(postmaster(new_root).cmdline())
