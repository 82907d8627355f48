"""Storage in a directory of this machine."""

import asyncio
import errno
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from core.clock import Clock
from core.errors import TooLarge, Unavailable
from tools.storage.model import Folder, Stored, checked, new_key, not_found
from tools.storage.signing import Signer

_CHUNK: Final = 256 * 1024
_INCOMING: Final = "incoming"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# A process that died left it; nobody uploads for so long.
_ABANDONED: Final = timedelta(days=1)


class LocalStorage:
    """Keeps entries as files below a directory, which is made when it is needed.

    Args:
        root: the directory; nothing else may write there.
        signer: signs addresses; who serves them checks them with it.
        clock: the time, for addresses and clean-up.
        token: makes the random part of a key, 32 hexadecimal digits.
    """

    def __init__(
        self, root: Path, signer: Signer, clock: Clock, token: Callable[[], str] = lambda: secrets.token_hex(16)
    ) -> None:
        self._root = root
        self._signer = signer
        self._clock = clock
        self._token = token

    async def put(self, folder: Folder, suffix: str, content: AsyncIterator[bytes], *, most_bytes: int) -> Stored:
        """Write to a file of its own, then give it its name: nobody ever sees half of an entry."""
        key = new_key(folder, suffix, self._token())
        incoming = self._root / _INCOMING / key.replace("/", "-")
        try:
            file = await asyncio.to_thread(_create, incoming)
            try:
                size = await _copy(content, file, most_bytes)
                await asyncio.to_thread(_flush, file)
            finally:
                await asyncio.to_thread(file.close)
            stamp = self._clock.now()
            await self._name(incoming, key, stamp)
        except OSError as error:
            if error.errno in _FULL:
                raise Unavailable("存储空间不足，请稍后再试") from None
            raise
        finally:
            # After a success there is nothing under this name.
            await asyncio.shield(asyncio.to_thread(incoming.unlink, missing_ok=True))
        return Stored(key, size, stamp)

    async def _name(self, incoming: Path, key: str, stamp: datetime) -> None:
        path = self._root / key
        naming = asyncio.create_task(asyncio.to_thread(_publish, incoming, path, stamp.timestamp()))
        try:
            await asyncio.shield(naming)
        except asyncio.CancelledError:
            # A thread is not cancelled with its task, and who was cancelled does not know the key.
            await asyncio.gather(naming, return_exceptions=True)
            await asyncio.to_thread(_unlink, path)
            raise

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Open the entry at once; an entry that is deleted meanwhile is still read to its end."""
        path = self._root / checked(key)
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except (FileNotFoundError, NotADirectoryError):
            raise not_found() from None
        return _stream(file)

    @asynccontextmanager
    async def file(self, key: str) -> AsyncIterator[Path]:
        """Lend the entry itself: it is not to be written to."""
        if not await self.exists(key):
            raise not_found()
        yield self._root / checked(key)

    async def exists(self, key: str) -> bool:
        """Return whether there is such an entry."""
        return await asyncio.to_thread((self._root / checked(key)).is_file)

    async def delete(self, key: str) -> bool:
        """Delete an entry; return whether there was one."""
        return await asyncio.to_thread(_unlink, self._root / checked(key))

    def signed_url(self, key: str, lifetime: timedelta) -> str:
        """Return an address by which anybody may get the entry for `lifetime`."""
        return self._signer.url(key, self._clock.now(), lifetime)

    def signed_key(self, key: str, expires: int, signature: str) -> str:
        """Return the key of an address that was signed here, if its time is not over.

        Raises:
            InvalidInput: it was not, or it is.
            NotFound: it is no key.
        """
        return self._signer.check(key, expires, signature, self._clock.now())

    async def cleanup(self, folder: Folder, older_than: timedelta) -> list[str]:
        """Delete old entries of a folder, and what was never uploaded to its end."""
        await self.tidy()
        found = await asyncio.to_thread(_sweep, self._root / folder, self._clock.now() - older_than)
        return [str(path.relative_to(self._root)) for path in found]

    async def tidy(self) -> None:
        """Delete what was received a day ago and never got its name."""
        await asyncio.to_thread(_sweep, self._root / _INCOMING, self._clock.now() - _ABANDONED)

    async def aclose(self) -> None:
        """Do nothing: files are open only while they are written or read."""


async def _copy(content: AsyncIterator[bytes], file: BinaryIO, most_bytes: int) -> int:
    size = 0
    async for block in content:
        size += len(block)
        if size > most_bytes:
            raise TooLarge(f"文件不能超过{most_bytes / 1024**2:.0f}MB")
        await asyncio.to_thread(file.write, block)
    return size


async def _stream(file: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while block := await asyncio.to_thread(file.read, _CHUNK):
            yield block
    finally:
        file.close()


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _publish(incoming: Path, path: Path, stamp: float) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.utime(incoming, (stamp, stamp))
    incoming.replace(path)
    # A name is durable when its directory is.
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _sweep(folder: Path, before: datetime) -> list[Path]:
    return [path for path in _files(folder) if _is_older(path, before) and _unlink(path)]


def _files(folder: Path) -> Iterator[Path]:
    for parent, _folders, names in os.walk(folder):
        yield from (Path(parent) / name for name in sorted(names))


def _is_older(path: Path, before: datetime) -> bool:
    with suppress(FileNotFoundError):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) < before
    return False
