import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from db.url import for_psycopg, for_sqlalchemy
from tests.db.embedded.conftest import Make, Plant
from tests.db.embedded.support import value


def serves(url: str) -> bool:
    engine = create_engine(for_sqlalchemy(url))
    with engine.connect() as connection:
        ours: object = connection.execute(text("SELECT 1")).scalar_one()
    rendered = for_psycopg(engine.url.render_as_string(hide_password=False))
    engine.dispose()
    return ours == value(url, "SELECT 1") == value(rendered, "SELECT 1")


@pytest.mark.parametrize("name", ["with a space", "数据 50%, a+b & c=d#e '$HOME'"])
def test_any_path_will_do(make: Make, plant: Plant, place: Path, name: str) -> None:
    user = make(plant(place / name / "pg"))
    url = user.acquire()
    assert serves(url)
    socket = (place / name / "pg" / "socket").readlink()
    user.release()
    assert not socket.exists()
    assert user.acquire() == url


def test_a_very_long_path(make: Make, plant: Plant, place: Path) -> None:
    root = place / ("long" * 30) / ("longer" * 30) / "pg"
    url = make(plant(root)).acquire()
    assert serves(url)
    socket = (root / "socket").readlink()
    assert len(str(socket)) < 90
    assert socket.stat().st_mode & 0o777 == 0o700


def test_a_short_plain_path_keeps_its_socket(make: Make, root: Path) -> None:
    assert f"host={root}/socket&" in make(root).acquire()
    assert (root / "socket").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("ours", [True, False])
def test_a_temporary_socket_directory_that_others_can_write_to_is_left(
    make: Make, plant: Plant, place: Path, *, ours: bool
) -> None:
    root = place / "with a space"
    user = make(plant(root))
    first = user.acquire()
    user.release()
    taken = (root / "socket").readlink()
    taken.mkdir()
    if ours:
        shutil.chown(taken, (root / "data").stat().st_uid)
    taken.chmod(0o777)
    second = user.acquire()
    assert second != first
    assert serves(second)
    taken.rmdir()


def test_a_root_that_was_moved(make: Make, plant: Plant, place: Path) -> None:
    user = make(plant(place / "before"))
    value(user.acquire(), "CREATE TABLE kept AS SELECT 42 AS answer")
    user.release()
    shutil.move(place / "before", place / "after all that")
    assert value(make(place / "after all that").acquire(), "SELECT answer FROM kept") == 42
