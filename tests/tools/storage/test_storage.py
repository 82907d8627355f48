"""Storage: generated names, all or nothing, addresses with an end, clean-up (A032, A033, G11, X034)."""

import asyncio
import errno
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

import pytest

from core.errors import InvalidInput, NotFound, TooLarge, Unavailable
from tests.kit.people import SetClock
from tools.storage import local
from tools.storage.local import LocalStorage
from tools.storage.model import new_key
from tools.storage.signing import Signer

SIGNER = Signer(b"s" * 32, "/api/v1/files/")
KEY = f"pictures/ab/{'ab' * 16}.png"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def storage(tmp_path: Path, clock: SetClock) -> LocalStorage:
    return LocalStorage(tmp_path / "files", SIGNER, clock)


async def blocks(*found: bytes) -> AsyncIterator[bytes]:
    for block in found:
        yield block


async def content(storage: LocalStorage, key: str) -> bytes:
    return b"".join([block async for block in await storage.get(key)])


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


class TestEntries:
    async def test_what_was_put_can_be_got_until_it_is_deleted(self, storage: LocalStorage, clock: SetClock) -> None:
        stored = await storage.put("photos", "jpg", blocks(b"a" * 300_000, b"", b"b"), most_bytes=300_001)
        assert (stored.size, stored.stored_at) == (300_001, clock.now())
        assert await content(storage, stored.key) == b"a" * 300_000 + b"b"
        assert await storage.exists(stored.key)
        assert (await storage.delete(stored.key), await storage.delete(stored.key)) == (True, False)
        assert not await storage.exists(stored.key)
        with pytest.raises(NotFound):
            await storage.get(stored.key)

    async def test_names_are_generated_and_private(self, storage: LocalStorage, tmp_path: Path) -> None:
        keys = {(await storage.put("recordings", "wav", blocks(b"x"), most_bytes=9)).key for _ in range(3)}
        assert len(keys) == 3
        assert {path.relative_to(tmp_path / "files").as_posix() for path in files(tmp_path)} == keys
        assert {path.stat().st_mode & 0o777 for path in files(tmp_path)} == {0o600}

    @pytest.mark.parametrize("suffix", ["", "../x", "wav/..", "WAV", "toolong", "a\0"])
    async def test_a_suffix_cannot_lead_elsewhere(self, storage: LocalStorage, suffix: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="suffix"):
            await storage.put("photos", suffix, blocks(b"x"), most_bytes=9)
        assert not (tmp_path / "files").exists()

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "../secret",
            "/etc/passwd",
            "pictures/../secret",
            "pictures/ab/../../x",
            KEY.replace("pictures", "incoming"),
            KEY.replace("ab/", "cd/"),
            KEY + "/x",
            KEY + "\n",
            KEY.upper(),
        ],
    )
    async def test_what_is_no_key_is_not_found(self, storage: LocalStorage, key: str) -> None:
        for action in (storage.get, storage.exists, storage.delete):
            with pytest.raises(NotFound):
                await action(key)
        with pytest.raises(NotFound):
            async with storage.file(key):
                pass

    async def test_an_entry_that_is_deleted_meanwhile_is_read_to_its_end(self, storage: LocalStorage) -> None:
        stored = await storage.put("photos", "jpg", blocks(b"a" * 600_000), most_bytes=10**6)
        stream = await storage.get(stored.key)
        read = len(await anext(stream))
        await storage.delete(stored.key)
        assert read + sum([len(block) async for block in stream]) == 600_000


class TestAllOrNothing:
    async def test_too_many_bytes(self, storage: LocalStorage, tmp_path: Path) -> None:
        with pytest.raises(TooLarge):
            await storage.put("photos", "jpg", blocks(b"a" * 9, b"b"), most_bytes=9)
        assert not files(tmp_path)

    async def test_a_sender_who_breaks_off(self, storage: LocalStorage, tmp_path: Path) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"a"
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            await storage.put("photos", "jpg", broken(), most_bytes=9)
        assert not files(tmp_path)

    async def test_a_task_that_is_cancelled_while_its_entry_gets_its_name(
        self, storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who was cancelled knows no key: nobody else could delete it."""
        named, publish = threading.Event(), local._publish

        def publish_slowly(*given: Any) -> None:
            publish(*given)
            named.set()
            time.sleep(0.2)

        monkeypatch.setattr(local, "_publish", publish_slowly)
        task = asyncio.create_task(storage.put("photos", "jpg", blocks(b"x"), most_bytes=9))
        await asyncio.to_thread(named.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert files(tmp_path) == []

    async def test_a_task_that_is_cancelled(self, storage: LocalStorage, tmp_path: Path) -> None:
        started = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"a"
            started.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(storage.put("photos", "jpg", endless(), most_bytes=9))
        await started.wait()
        assert not any(path.is_relative_to(tmp_path / "files/photos") for path in files(tmp_path))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not files(tmp_path)

    async def test_a_full_disk(self, storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Full:
            """A file on a disk without room: writing works, flushing does not."""

            def __init__(self, file: BinaryIO) -> None:
                self._file = file

            def flush(self) -> None:
                raise OSError(errno.ENOSPC, "no space left")

            def __getattr__(self, name: str) -> Any:
                return getattr(self._file, name)

        create = local._create
        monkeypatch.setattr(local, "_create", lambda path: Full(create(path)))
        with pytest.raises(Unavailable):
            await storage.put("photos", "jpg", blocks(b"a"), most_bytes=9)
        assert not files(tmp_path)


class TestAddresses:
    def parts(self, url: str) -> tuple[str, int, str]:
        split = urlsplit(url)
        query = parse_qs(split.query)
        return split.path.removeprefix("/api/v1/files/"), int(query["expires"][0]), query["signature"][0]

    def test_an_address_is_good_until_its_end(self, storage: LocalStorage, clock: SetClock) -> None:
        key, expires, signature = self.parts(storage.signed_url(KEY, timedelta(minutes=5)))
        assert key == KEY
        clock.move(seconds=299)
        assert SIGNER.check(key, expires, signature, clock.now()) == KEY
        clock.move(seconds=1)
        with pytest.raises(InvalidInput):
            SIGNER.check(key, expires, signature, clock.now())

    def test_nothing_of_it_can_be_changed(self, storage: LocalStorage, clock: SetClock) -> None:
        key, expires, signature = self.parts(storage.signed_url(KEY, timedelta(minutes=5)))
        other = KEY.replace("pictures", "photos")
        for changed in (
            (other, expires, signature),
            (key, expires + 1, signature),
            (key, expires, signature[:-1]),
            (key, expires, ""),
            (key, expires, "ü"),
        ):
            with pytest.raises(InvalidInput):
                SIGNER.check(*changed, clock.now())
        with pytest.raises(InvalidInput):
            Signer(b"t" * 32, "/").check(key, expires, signature, clock.now())
        with pytest.raises(NotFound):
            SIGNER.check("../x", expires, signature, clock.now())

    @pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=7, seconds=1)])
    def test_bounds(self, storage: LocalStorage, lifetime: timedelta) -> None:
        with pytest.raises(ValueError, match="lifetime"):
            storage.signed_url(KEY, lifetime)
        with pytest.raises(ValueError, match="secret"):
            Signer(b"short", "/")


class TestCleanup:
    async def test_old_entries_of_one_folder(self, storage: LocalStorage, clock: SetClock) -> None:
        old = await storage.put("pictures", "png", blocks(b"a"), most_bytes=9)
        photo = await storage.put("photos", "png", blocks(b"a"), most_bytes=9)
        clock.move(days=7)
        new = await storage.put("pictures", "png", blocks(b"a"), most_bytes=9)
        assert await storage.cleanup("pictures", timedelta(days=7)) == []
        clock.move(seconds=1)
        assert await storage.cleanup("pictures", timedelta(days=7)) == [old.key]
        assert [await storage.exists(one.key) for one in (old, photo, new)] == [False, True, True]

    async def test_what_a_dead_process_left(self, storage: LocalStorage, tmp_path: Path, clock: SetClock) -> None:
        left = tmp_path / "files/incoming/x"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half")
        clock.time = datetime.now(UTC)
        await storage.cleanup("pictures", timedelta(minutes=1))
        assert left.exists()
        clock.move(days=1, minutes=1)
        assert await storage.cleanup("pictures", timedelta(minutes=1)) == []
        assert not left.exists()

    async def test_nothing_was_ever_stored(self, storage: LocalStorage) -> None:
        assert await storage.cleanup("pictures", timedelta(days=1)) == []


def test_a_key() -> None:
    assert new_key("pictures", "png", "ab" * 16) == KEY
