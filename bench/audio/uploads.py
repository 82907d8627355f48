"""Uploads: one as large as the limit, and many at once; what becomes of them is awaited too."""

import asyncio
import statistics
import time
from pathlib import Path

import httpx

from bench.audio import made
from bench.audio.memory import watched
from bench.audio.sound import decode
from tests.kit.processes import ROOT, Program, environment, free_port, program, served, until_answers
from tools.audio.worker import AudioTools

UPLOAD = "/api/v1/audio/upload"
# Each of many: half a minute.
SMALL = 30 * made.RATE * 2
VTT = b"WEBVTT\n\n00:00.500 --> 00:01.500\n<v A>Where does it stand?\n\n00:02.000 --> 00:04.000\n<v B>Friday.\n"


async def upload(client: httpx.AsyncClient, path: Path) -> float:
    began = time.perf_counter()
    with path.open("rb") as file:
        response = await client.post(UPLOAD, files={"file": (path.name, file), "transcript": ("t.vtt", VTT)})
    assert response.status_code == 200, response.text
    return time.perf_counter() - began


async def measure(url: str, folder: Path, megabytes: int, count: int) -> None:
    large = await asyncio.to_thread(made.wav, folder / "large.wav", megabytes * 2**20)
    small = await asyncio.to_thread(made.wav, folder / "small.wav", SMALL)
    bare = await bare_uploads(folder, large, small, count)
    environ = environment(
        folder, DATABASE_URL=url, LOG_LEVEL="warning", PYTHONPATH=str(ROOT), RATE_LIMIT_UPLOADS="100000/minute"
    )
    with served(environ, folder / "log") as server:
        key = (folder / "api-key").read_text()
        async with httpx.AsyncClient(base_url=server.address, headers={"x-api-key": key}, timeout=600) as client:
            await upload(client, small)
            await one(client, server, large, bare[0])
            await many(client, server, small, count, bare[1])


async def bare_uploads(folder: Path, large: Path, small: Path, count: int) -> tuple[float, float]:
    """Seconds for the large one, and for all of the many at once, at the floor."""
    port = free_port()
    environ = environment(folder, PYTHONPATH=str(ROOT), FLOOR_FOLDER=str(folder))
    arguments = ("-m", "uvicorn", "bench.audio.floor:app", "--port", str(port), "--log-level", "warning")
    with program(*arguments, environ=environ, output=folder / "floor-log") as running:
        running.address = f"http://127.0.0.1:{port}"
        await asyncio.to_thread(until_answers, running, "/")
        async with httpx.AsyncClient(base_url=running.address, timeout=600) as client:
            alone = min([await upload(client, large) for _ in range(3)])
            began = time.perf_counter()
            await asyncio.gather(*(upload(client, small) for _ in range(count)))
            return alone, time.perf_counter() - began


async def one(client: httpx.AsyncClient, server: Program, path: Path, bare: float) -> None:
    decoding = await asyncio.to_thread(decode, path)
    async with watched(server.process.pid) as memory:
        seconds = min([await upload(client, path) for _ in range(3)])
    floor = bare + decoding
    print(f"\nupload of {made.mebibytes(path):.0f} MiB: {seconds:.2f} s; {memory}")
    print(f"  floor {floor:.2f} s (only written {bare:.2f}, decoded {decoding:.2f}); ratio {seconds / floor:.2f}")


async def many(client: httpx.AsyncClient, server: Program, path: Path, count: int, bare: float) -> None:
    # Every process that decodes has to start; the server lets two at once.
    tools = AudioTools()
    began = time.perf_counter()
    await asyncio.gather(*(tools.probe(path) for _ in range(count)))
    probing = time.perf_counter() - began
    async with watched(server.process.pid) as memory:
        began = time.perf_counter()
        times = sorted(await asyncio.gather(*(upload(client, path) for _ in range(count))))
        seconds = time.perf_counter() - began
        analysed = await until_analysed(client) - began
    p95 = times[min(count - 1, int(count * 0.95))]
    print(f"\n{count} uploads at once of {made.mebibytes(path):.1f} MiB: {seconds:.2f} s; {memory}")
    print(f"  each p50 {statistics.median(times):.2f} s, p95 {p95:.2f} s; all analysed after {analysed:.2f} s")
    floor = bare + probing
    print(f"  floor {floor:.2f} s (only written {bare:.2f}, probed {probing:.2f}); ratio {seconds / floor:.2f}")


async def until_analysed(client: httpx.AsyncClient) -> float:
    """Wait until no recording waits; give the time."""
    while True:
        for status in ("pending", "analyzing"):
            page = (await client.get("/api/v1/tasks/sessions", params={"status": status, "page_size": 1})).json()
            if page["data"]["pagination"]["total"]:
                break
        else:
            return time.perf_counter()
        await asyncio.sleep(0.1)
