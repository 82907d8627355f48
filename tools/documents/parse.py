"""Reading a document off the event loop: in a process of its own, without secrets, which is killed when it is slow."""

import asyncio
import os
import subprocess
import sys
from typing import Final

import orjson

from tools.documents.model import DocumentRefused, Prepared

SECONDS: Final = 30.0
# Each takes a processor and up to a gigabyte.
_AT_ONCE: Final = 4


class Parser:
    """Reads documents, a few at once.

    Args:
        seconds: how long one document may take.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def parse(self, filename: str, content: bytes) -> Prepared:
        """Return a document's text in pieces, with what each is found by.

        Raises:
            DocumentRefused: it is none that is read, breaks a limit, or took too long.
        """
        async with self._turns:
            return await asyncio.to_thread(_parse, filename, content, self._seconds)


def _parse(filename: str, content: bytes, seconds: float) -> Prepared:
    command = [sys.executable, "-m", "tools.documents.child", filename]
    # Nothing of our environment: keys have no business in a process that reads strangers' files.
    environ = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(  # noqa: S603 - our own program; the name is an argument, and no shell is in between
            command, input=content, capture_output=True, timeout=seconds, env=environ, check=False
        )
    except subprocess.TimeoutExpired:
        raise DocumentRefused("too_slow") from None
    if done.returncode != 0:
        # It was killed, by its own limits or the system's.
        raise DocumentRefused("too_large")
    answer = orjson.loads(done.stdout)
    if "refused" in answer:
        raise DocumentRefused(answer["refused"])
    return Prepared(**answer)
