"""A server to show: the one that runs, or one that is started for the time being."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx
import typer

from core.settings import Settings

_START_SECONDS: Final = 60.0
_KEY_VARIABLE: Final = "COLLOQUY_API_KEY"


def key_of(settings: Settings) -> str:
    if key := os.environ.get(_KEY_VARIABLE):
        return key
    file = settings.data_dir / "api-key"
    if not file.exists():
        raise typer.BadParameter(f"set {_KEY_VARIABLE}: there is no development key in {settings.data_dir}")
    return file.read_text(encoding="ascii").strip()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Give the address of the server that runs, or of one that is started for the time being."""
    address = f"http://{settings.host}:{settings.port}"
    async with _asking(address) as client:
        is_there = await _answers(client)
    if is_there:
        yield address
        return
    typer.echo("No server is running: one is started for this demonstration.\n")
    async with started({}) as own:
        yield own


@asynccontextmanager
async def started(extra: Mapping[str, str]) -> AsyncIterator[str]:
    """Start a server on a free port with more settings, give its address, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "serve", "--host", "127.0.0.1", "--port", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "LOG_LEVEL": "warning", **extra},
    )
    try:
        address = f"http://127.0.0.1:{port}"
        await _until_answers(address, process)
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_answers(address: str, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + _START_SECONDS
    # One client for all questions: each of its own would read all certificates anew.
    async with _asking(address) as client:
        while not await _answers(client):
            if process.returncode is not None or time.monotonic() > deadline:
                raise typer.BadParameter("the server did not start; `make run` shows why")
            await asyncio.sleep(0.1)


def _asking(address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=address, timeout=2)


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
