"""An hour of sound: probed, cut, drawn, split; the floor is PyAV that decodes it once and looks at nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import av

from bench.audio import made
from tools.audio.parts import plan
from tools.audio.worker import AudioTools


def decode(path: Path) -> float:
    """Decode all of it in this process; give the seconds it took."""
    began = time.perf_counter()
    with av.open(str(path)) as container:
        for _frame in container.decode(audio=0):
            pass
    return time.perf_counter() - began


async def timed(call: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def measure(folder: Path, minutes: int) -> None:
    wav = await asyncio.to_thread(made.wav, folder / "hour.wav", minutes * 60 * made.RATE * 2 + 44)
    mp3 = await asyncio.to_thread(made.mp3, folder / "hour.mp3", minutes)
    for path in (wav, mp3):
        await show(path, minutes)


async def show(path: Path, minutes: int) -> None:
    floor = min([await asyncio.to_thread(decode, path) for _ in range(3)])
    print(f"\n{minutes} minutes, {path.suffix[1:]}, {made.mebibytes(path):.0f} MiB; bare decoding {floor:.2f} s")
    tools = AudioTools()
    middle = minutes * 30.0
    pieces = path.parent / f"parts-{path.suffix[1:]}"
    pieces.mkdir()
    tasks: dict[str, Callable[[], Awaitable[Any]]] = {
        "probe": lambda: tools.probe(path),
        "peaks, 800": lambda: tools.peaks(path, 800),
        "cut 30 s from the middle": lambda: tools.cut(path, middle, middle + 30, pieces / "piece.wav"),
        "parts for a model, one by one": lambda: split(tools, path, minutes, pieces),
    }
    for name, task in tasks.items():
        seconds = min([await timed(task) for _ in range(2)])
        print(f"{name:34} {seconds:7.2f} s   {seconds / floor:6.2f} of bare decoding")


async def split(tools: AudioTools, path: Path, minutes: int, folder: Path) -> None:
    for part in plan(minutes * 60.0):
        for written in await tools.write_parts(path, [part], folder):
            written.unlink()
