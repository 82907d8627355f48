"""Storage in OSS, against a stand-in that recomputes signatures (A032, G11)."""

import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from core.clock import SystemClock
from core.errors import NotFound, TooLarge, Unavailable
from tests.kit.object_store import BUCKET, KEY_ID, KEY_SECRET, REGION, ObjectStore
from tools.storage.oss import Bucket, OssStorage

MISSING = f"pictures/ab/{'ab' * 16}.png"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with ObjectStore() as running:
        yield running


@pytest.fixture
def bucket(store: ObjectStore) -> Bucket:
    store.objects.clear()
    store.failing.clear()
    return Bucket(BUCKET, "colloquy/", REGION, store.address, KEY_ID, KEY_SECRET, path_style=True)


@pytest.fixture
async def storage(bucket: Bucket) -> AsyncIterator[OssStorage]:
    opened = OssStorage(bucket, SystemClock())
    yield opened
    await opened.aclose()


async def blocks(*found: bytes) -> AsyncIterator[bytes]:
    for block in found:
        yield block


async def test_what_was_put_can_be_got_until_it_is_deleted(storage: OssStorage, store: ObjectStore) -> None:
    stored = await storage.put("recordings", "mp3", blocks(b"a" * 2_000_000, b"b"), most_bytes=3_000_000)
    assert stored.size == 2_000_001
    assert list(store.objects) == [f"colloquy/{stored.key}"]
    assert b"".join([block async for block in await storage.get(stored.key)]) == b"a" * 2_000_000 + b"b"
    async with storage.file(stored.key) as path:
        assert path.suffix == ".mp3"
        assert path.stat().st_size == 2_000_001
    assert not path.exists()
    assert (await storage.delete(stored.key), await storage.delete(stored.key)) == (True, False)
    assert not await storage.exists(stored.key)


async def test_what_is_not_there_is_not_found(storage: OssStorage) -> None:
    with pytest.raises(NotFound):
        await storage.get(MISSING)
    with pytest.raises(NotFound):
        async with storage.file(MISSING):
            pass
    with pytest.raises(NotFound):
        await storage.exists("../secret")


async def test_what_is_too_large_is_never_sent(storage: OssStorage, store: ObjectStore) -> None:
    before = len(store.requests)
    with pytest.raises(TooLarge):
        await storage.put("photos", "jpg", blocks(b"a" * 60, b"b" * 60), most_bytes=100)
    assert len(store.requests) == before


async def test_an_upload_is_repeated_when_the_service_fails_once(storage: OssStorage, store: ObjectStore) -> None:
    store.failing += [503, 500]
    stored = await storage.put("photos", "jpg", blocks(b"whole"), most_bytes=100)
    assert store.objects[f"colloquy/{stored.key}"][0] == b"whole"


@pytest.mark.parametrize("status", [503, 403])
async def test_a_service_that_goes_on_failing_is_unavailable(
    storage: OssStorage, store: ObjectStore, status: int
) -> None:
    store.failing += [status] * 9
    with pytest.raises(Unavailable):
        await storage.put("photos", "jpg", blocks(b"x"), most_bytes=100)
    with pytest.raises(Unavailable):
        await storage.get(MISSING)
    with pytest.raises(Unavailable):
        await storage.exists(MISSING)
    assert not store.objects


async def test_a_wrong_secret_and_a_dead_host_are_unavailable(bucket: Bucket, storage: OssStorage) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for wrong in (replace(bucket, key_secret="another"), replace(bucket, endpoint=dead)):
            other = OssStorage(wrong, SystemClock())
            with pytest.raises(Unavailable):
                await other.put("photos", "jpg", blocks(b"x"), most_bytes=100)
            await other.aclose()


async def test_an_address_works_without_a_login_until_its_end(bucket: Bucket, storage: OssStorage) -> None:
    stored = await storage.put("pictures", "png", blocks(b"picture"), most_bytes=100)
    url = storage.signed_url(stored.key, timedelta(minutes=5))
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).content == b"picture"
        assert (await client.get(url.replace("x-oss-expires=", "x-oss-expires=9"))).status_code == 403
        assert (await client.get(url.replace(stored.key[-8:-4], "0000"))).status_code == 403
    assert KEY_SECRET not in url
    assert KEY_SECRET not in repr(bucket)


async def test_clean_up_deletes_what_is_old_in_one_folder(storage: OssStorage, store: ObjectStore) -> None:
    old, other = [
        [(await storage.put(folder, "png", blocks(b"x"), most_bytes=9)).key for _ in range(5)]
        for folder in ("pictures", "photos")
    ]
    fresh = (await storage.put("pictures", "png", blocks(b"x"), most_bytes=9)).key
    for key in (*old, *other):
        store.objects[f"colloquy/{key}"] = (b"x", datetime.now(UTC) - timedelta(days=8))
    assert sorted(await storage.cleanup("pictures", timedelta(days=7))) == sorted(old)
    assert sorted(store.objects) == sorted(f"colloquy/{key}" for key in (*other, fresh))


async def test_a_copy_goes_when_its_reader_fails(storage: OssStorage) -> None:
    stored = await storage.put("recordings", "wav", blocks(b"x"), most_bytes=9)
    lent: list[Path] = []

    async def fail() -> None:
        async with storage.file(stored.key) as path:
            lent.append(path)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert not lent[0].exists()
