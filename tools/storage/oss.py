"""Storage in a bucket of Alibaba's Object Storage Service, by its own client (optional extra `oss`; A032, G11).

The client blocks; it is called in threads of its own, so that a slow bucket cannot take those of others.
"""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, ParamSpec, TypeVar

import alibabacloud_oss_v2 as oss  # type: ignore[import-untyped]
import structlog
from alibabacloud_oss_v2.exceptions import BaseError, ServiceError  # type: ignore[import-untyped]
from requests import RequestException

from core.clock import Clock
from core.errors import NotFound, TooLarge, Unavailable
from tools.storage.model import Folder, Stored, checked, new_key, not_found

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger(__name__)

_THREADS: Final = 8
_CHUNK: Final = 256 * 1024
# What is smaller waits in memory until it is complete, what is larger in a temporary file.
_IN_MEMORY: Final = 1024 * 1024
_NOT_THERE: Final = 404
_ATTEMPTS: Final = 3
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 30
# As many as one request deletes.
_BATCH: Final = 1000


@dataclass(frozen=True)
class Bucket:
    """Where entries are kept, and as whom.

    Attributes:
        name: the bucket's.
        prefix: what all keys there begin with; empty, or ends with a slash.
        region: for example `cn-hangzhou`.
        endpoint: in place of the region's own.
        key_id: of the access key.
        key_secret: of the access key; never shown.
        path_style: whether the bucket's name stands in the path and not in the host, as servers of one's own want it.
    """

    name: str
    prefix: str
    region: str
    endpoint: str | None
    key_id: str
    key_secret: str = field(repr=False)
    path_style: bool = False


class OssStorage:
    """Keeps entries as objects of a bucket.

    Args:
        bucket: the bucket.
        clock: the time, for addresses and clean-up.
        token: makes the random part of a key, 32 hexadecimal digits.
    """

    def __init__(self, bucket: Bucket, clock: Clock, token: Callable[[], str] = lambda: secrets.token_hex(16)) -> None:
        self._bucket = bucket
        self._clock = clock
        self._token = token
        self._client = oss.Client(_configuration(bucket))
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="oss")

    async def put(self, folder: Folder, suffix: str, content: AsyncIterator[bytes], *, most_bytes: int) -> Stored:
        """Take the whole stream first: what is too large never leaves this machine, and an upload can be repeated."""
        key = new_key(folder, suffix, self._token())
        # Closed at the end of the block.
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as kept:
            size = 0
            async for block in content:
                size += len(block)
                if size > most_bytes:
                    raise TooLarge(f"文件不能超过{most_bytes / 1024**2:.0f}MB")
                await self._thread(kept.write, block)
            await self._thread(self._upload, key, kept)
        return Stored(key, size, self._clock.now())

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Ask for the entry at once; its bytes come as they are read."""
        request = oss.GetObjectRequest(bucket=self._bucket.name, key=self._name(key))
        found = await self._asked(self._client.get_object, request)
        return self._stream(found.body)

    @asynccontextmanager
    async def file(self, key: str) -> AsyncIterator[Path]:
        """Lend a copy, which is deleted when the block ends."""
        name = Path(checked(key)).name
        folder = Path(await self._thread(tempfile.mkdtemp, prefix="colloquy-"))
        try:
            await self._copy(await self.get(key), folder / name)
            yield folder / name
        finally:
            # In a thread of everybody's: ours may be gone already.
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder))

    async def exists(self, key: str) -> bool:
        """Return whether there is such an entry."""
        request = oss.HeadObjectRequest(bucket=self._bucket.name, key=self._name(key))
        try:
            await self._asked(self._client.head_object, request)
        except NotFound:
            return False
        return True

    async def delete(self, key: str) -> bool:
        """Delete an entry; return whether there was one."""
        if not await self.exists(key):
            return False
        request = oss.DeleteObjectRequest(bucket=self._bucket.name, key=self._name(key))
        await self._asked(self._client.delete_object, request)
        return True

    def signed_url(self, key: str, lifetime: timedelta) -> str:
        """Return an address at the bucket by which anybody may get the entry for `lifetime`; nothing is sent."""
        request = oss.GetObjectRequest(bucket=self._bucket.name, key=self._name(key))
        return str(self._client.presign(request, expiration=self._clock.now() + lifetime).url)

    async def cleanup(self, folder: Folder, older_than: timedelta) -> list[str]:
        """Delete old entries of a folder, by the bucket's own times."""
        before = self._clock.now() - older_than
        return await self._asked(self._sweep, f"{self._bucket.prefix}{folder}/", before)

    async def tidy(self) -> None:
        """Do nothing: what is on its way to a bucket has no name on this machine."""

    async def aclose(self) -> None:
        """Wait for what is under way."""
        await asyncio.to_thread(self._threads.shutdown)

    def _name(self, key: str) -> str:
        return self._bucket.prefix + checked(key)

    async def _thread(self, call: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*given, **named))

    async def _asked(self, call: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        try:
            return await self._thread(call, *given, **named)
        except (BaseError, RequestException, OSError) as error:
            raise _understood(error) from None

    async def _copy(self, stream: AsyncIterator[bytes], path: Path) -> None:
        with await self._thread(path.open, "wb") as copy:
            async for block in stream:
                await self._thread(copy.write, block)

    def _upload(self, key: str, kept: IO[bytes]) -> None:
        kept.seek(0)
        request = oss.PutObjectRequest(bucket=self._bucket.name, key=self._name(key), body=kept)
        try:
            self._client.put_object(request)
        except (BaseError, RequestException, OSError) as error:
            raise _understood(error) from None

    async def _stream(self, body: Any) -> AsyncIterator[bytes]:
        blocks: Iterator[bytes] = body.iter_bytes(block_size=_CHUNK)
        try:
            while block := await self._asked(next, blocks, b""):
                yield block
        finally:
            await self._thread(body.close)

    def _sweep(self, prefix: str, before: datetime) -> list[str]:
        listed = self._client.list_objects_v2_paginator().iter_page(
            oss.ListObjectsV2Request(bucket=self._bucket.name, prefix=prefix)
        )
        old = [one.key for page in listed for one in page.contents or [] if one.last_modified.astimezone(UTC) < before]
        for start in range(0, len(old), _BATCH):
            batch = [oss.DeleteObject(key=name) for name in old[start : start + _BATCH]]
            self._client.delete_multiple_objects(
                oss.DeleteMultipleObjectsRequest(bucket=self._bucket.name, objects=batch, quiet=True)
            )
        return [name.removeprefix(self._bucket.prefix) for name in old]


def _configuration(bucket: Bucket) -> oss.config.Config:
    chosen = oss.config.load_default()
    chosen.credentials_provider = oss.credentials.StaticCredentialsProvider(bucket.key_id, bucket.key_secret)
    chosen.region = bucket.region
    chosen.endpoint = bucket.endpoint
    chosen.use_path_style = bucket.path_style
    chosen.retry_max_attempts = _ATTEMPTS
    chosen.connect_timeout = _CONNECT_SECONDS
    chosen.readwrite_timeout = _READ_SECONDS
    return chosen


def _understood(error: Exception) -> NotFound | Unavailable:
    cause = error.unwrap() if hasattr(error, "unwrap") else error
    if isinstance(cause, ServiceError) and cause.status_code == _NOT_THERE and cause.code != "NoSuchBucket":
        return not_found()
    # The service's own message may hold the request that was signed.
    code = cause.code if isinstance(cause, ServiceError) else type(cause).__name__
    log.warning("storage_unavailable", error=code, status=getattr(cause, "status_code", None))
    return Unavailable("存储服务暂时不可用，请稍后再试")
