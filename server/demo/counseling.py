"""Counseling: a student who is on the list logs in, trains with his visitor, and ends the session."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from server.demo.mailbox import Mailbox, mailbox
from server.demo.serving import started

_STUDENT: Final = "student@example.edu"
_LIST: Final = f"email,role,classId,assignedVisitor\n{_STUDENT},student,1,1\n"
_SAID: Final = ("最近睡得怎么样？", "轮到你发言的时候，脑子里先冒出来的是哪句话？")
_ASSIGNMENT: Final = "记录三次想躲开的场合，写下当时闪过的念头"
_LONGEST_SHOWN: Final = 120


async def show_counseling() -> None:
    """Start a server with a database and a list of its own: nobody is enrolled anywhere else."""
    typer.echo("counseling: a server with an empty database is started, and a list with one student imported.\n")
    async with mailbox() as codes, _school(codes) as address, httpx.AsyncClient(base_url=address, timeout=60) as client:
        await _log_in(client, codes)
        await _show_session(client)


@asynccontextmanager
async def _school(codes: Mailbox) -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="colloquy-demo-") as made:
        directory = Path(made)
        # As root, the embedded server runs under another account, which has to reach its files.
        await asyncio.to_thread(directory.chmod, 0o711)
        settings = {
            "DATA_DIR": str(directory / "data"),
            "DATABASE_URL": "",
            "DB_URL": "",
            "CODE_GATEWAY_URL": codes.url,
        }
        people = directory / "people.csv"
        await asyncio.to_thread(people.write_text, _LIST, encoding="utf-8")
        async with started(settings) as address:
            await _import(people, settings)
            yield address


async def _import(people: Path, settings: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "import-whitelist", str(people)),
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "LOG_LEVEL": "warning", **settings},
    )
    if await process.wait():
        raise typer.BadParameter("the list of people could not be imported")


async def _log_in(client: httpx.AsyncClient, codes: Mailbox) -> None:
    (await client.post("/auth/request-code", json={"email": _STUDENT})).raise_for_status()
    entered = await client.post("/auth/verify-code", json={"email": _STUDENT, "code": await codes.code()})
    client.headers["authorization"] = f"Bearer {entered.raise_for_status().json()['token']}"


async def _show_session(client: httpx.AsyncClient) -> None:
    me = (await client.get("/me")).raise_for_status().json()
    begun = await _posted(client, "/sessions/start", {"visitorInstanceId": me["visitorInstanceIds"][0]})
    path = f"/sessions/{begun['sessionId']}"
    typer.secho(f"{_STUDENT}, session {begun['sessionNumber']}", bold=True)
    for words in _SAID:
        await _posted(client, f"{path}/messages", {"speaker": "user", "content": words})
        typer.echo(f"  student: {words}\n  visitor: {_short((await _posted(client, f'{path}/reply', None))['reply'])}")
    began = time.perf_counter()
    left = await _posted(client, f"{path}/finalize", {"assignment": _ASSIGNMENT})
    typer.echo(f"  diary: {_short(left['diary'])}")
    typer.echo(f"  remembers: {_short(left['ltm']['thisweek_focus'])}")
    typer.echo(f"  finalized in {time.perf_counter() - began:.2f} s\n")


async def _posted(client: httpx.AsyncClient, path: str, body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.post(path, json=body)).raise_for_status().json()
    return answer


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line[:_LONGEST_SHOWN] + ("…" if len(line) > _LONGEST_SHOWN else "")
