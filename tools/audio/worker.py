"""Work on recordings off the event loop: in a process of its own, without secrets, which is killed when it is slow."""

import asyncio
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any, Final

import orjson

from core.errors import Unavailable
from tools.audio.model import AudioInfo, AudioRefused, Peaks, Piece
from tools.audio.parts import Part

SECONDS: Final = 120.0
# Each takes a processor; more at once would only make all of them slow.
_AT_ONCE: Final = 2


class AudioTools:
    """Probes, cuts, draws and splits recordings, a few at once.

    Args:
        seconds: how long one task may take, not counting its wait for a turn.

    Every method raises:
        AudioRefused: the recording cannot be used; the reason says why.
        Unavailable: the disk is full.
        FileNotFoundError: there is no such recording, or no folder to write to.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def probe(self, path: Path) -> AudioInfo:
        """Return what a recording is, after decoding all of it."""
        return AudioInfo(**await self._run("probe", path=str(path)))

    async def cut(self, path: Path, start: float, end: float, target: Path) -> Piece:
        """Write a stretch of a recording to `target` as WAV; see `tools.audio.cut`."""
        return Piece(**await self._run("cut", path=str(path), start=start, end=end, target=str(target)))

    async def peaks(self, path: Path, buckets: int) -> Peaks:
        """Return a recording's waveform; see `tools.audio.peaks`."""
        return Peaks(**await self._run("peaks", path=str(path), buckets=buckets))

    async def write_parts(self, path: Path, parts: list[Part], folder: Path) -> list[Path]:
        """Write parts of a recording into `folder`; see `tools.audio.parts`."""
        planned = [dataclasses.asdict(part) for part in parts]
        return [Path(name) for name in await self._run("parts", path=str(path), parts=planned, folder=str(folder))]

    async def _run(self, task: str, **arguments: Any) -> Any:
        request = orjson.dumps({"task": task, **arguments}).decode()
        async with self._turns:
            code, output = await self._ask(request)
        if code != 0:
            # It was killed by its own limits or the system's, or it tripped over the file.
            raise AudioRefused("failed")
        answer = orjson.loads(output)
        if "refused" in answer:
            raise AudioRefused(answer["refused"])
        if "missing" in answer:
            raise FileNotFoundError("the recording, or the folder to write to, is not there")
        if "full" in answer:
            raise Unavailable("存储空间不足，请稍后再试")
        return answer["found"]

    async def _ask(self, request: str) -> tuple[int | None, bytes]:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tools.audio.child",
            request,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # Nothing of our environment: keys have no business in a process that reads strangers' files.
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"},
        )
        try:
            async with asyncio.timeout(self._seconds):
                output, _errors = await child.communicate()
        except TimeoutError:
            raise AudioRefused("too_slow") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return child.returncode, output
