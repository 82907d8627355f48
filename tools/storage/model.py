"""Where recordings, pieces, photos and pictures are kept: one small interface (A032, G11)."""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, Protocol

from core.errors import InvalidInput, NotFound

# What belongs together is cleaned up together.
Folder = Literal["recordings", "segments", "photos", "pictures"]
FOLDERS: Final = ("recordings", "segments", "photos", "pictures")
# Two characters of the name are a folder of their own: no folder gets a million entries.
_KEY: Final = re.compile(rf"(?:{'|'.join(FOLDERS)})/([0-9a-f]{{2}})/\1[0-9a-f]{{30}}\.[a-z0-9]{{1,5}}")
_SUFFIX: Final = re.compile(r"[a-z0-9]{1,5}")


@dataclass(frozen=True)
class Stored:
    """An entry: its key, its size in bytes, and when it was stored."""

    key: str
    size: int
    stored_at: datetime


class Storage(Protocol):
    """Keeps bytes under keys that it generates itself."""

    async def put(self, folder: Folder, suffix: str, content: AsyncIterator[bytes], *, most_bytes: int) -> Stored:
        """Store a stream under a new key: all of it or nothing.

        Raises:
            TooLarge: there are more than `most_bytes`.
            Unavailable: there is no room, or the storage does not answer.
        """
        ...

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Return an entry's bytes as a stream.

        Raises:
            NotFound: there is no such entry.
        """
        ...

    def file(self, key: str) -> AbstractAsyncContextManager[Path]:
        """Lend an entry as a file that can be read while the block lasts, for tools that read files (PyAV).

        Raises:
            NotFound: there is no such entry.
        """
        ...

    async def exists(self, key: str) -> bool:
        """Return whether there is such an entry."""
        ...

    async def delete(self, key: str) -> bool:
        """Delete an entry; return whether there was one."""
        ...

    def signed_url(self, key: str, lifetime: timedelta) -> str:
        """Return an address by which anybody may get the entry for `lifetime`."""
        ...

    async def cleanup(self, folder: Folder, older_than: timedelta) -> list[str]:
        """Delete what was stored longer ago than that; return the keys, so that who refers to them can say so."""
        ...


class OpenStorage(Storage, Protocol):
    """A storage as who opened it has it."""

    async def tidy(self) -> None:
        """Delete what processes that died have left of entries that they never stored to their end."""
        ...

    async def aclose(self) -> None:
        """Wait for what is under way."""
        ...


def new_key(folder: Folder, suffix: str, random: str) -> str:
    """Return the key of a new entry; `random` is 32 hexadecimal digits.

    Raises:
        ValueError: the suffix is none.
    """
    if not _SUFFIX.fullmatch(suffix):
        raise ValueError("a suffix is one to five letters and digits")
    return checked(f"{folder}/{random[:2]}/{random}.{suffix}")


def checked(key: str) -> str:
    """Return a key that this module made; a path of somebody's own is none.

    Raises:
        NotFound: it is no key.
    """
    if not _KEY.fullmatch(key):
        raise not_found()
    return key


def not_found() -> NotFound:
    """Return the error for an entry that is not there."""
    return NotFound("文件不存在或已过期")


def expired() -> InvalidInput:
    """Return the error for an address whose signature is wrong or whose time is over."""
    return InvalidInput("链接无效或已过期", code="LINK_INVALID")
