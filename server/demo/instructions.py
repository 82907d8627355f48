"""Instructions in Chinese and English: interpreted, shown, confirmed, executed by tool servers."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from server.demo.http import data_of
from server.demo.serving import started
from server.demo.tool_servers import workshop

_LONGEST_SHOWN: Final = 200


async def show_instructions(client: httpx.AsyncClient, examples: Path) -> None:
    """Send the instructions to a server that has the example tool servers plugged in."""
    workspace = workshop(examples)
    directory, settings = await asyncio.to_thread(workspace.__enter__)
    try:
        typer.echo("\ninterpret and execute: a server with the example tool servers is started.")
        async with (
            started(settings | {"EXECUTE_REQUIRE_CONFIRM": "true"}) as address,
            httpx.AsyncClient(base_url=address, headers=client.headers, timeout=60) as own,
        ):
            await _show_all(own, directory)
    finally:
        await asyncio.to_thread(workspace.__exit__, None, None, None)


def _instructions(directory: Path) -> tuple[str, ...]:
    return (
        "把二十三和十九加起来",
        "What time is it in Paris?",
        "记一条笔记：周五下午三点交季度报表",
        f"看看 {directory / 'project'} 仓库的状态",
        f"Read the text file {directory / 'letter.txt'}",
        "把 2 和 3 加起来，然后把结果和 10 相加",
    )


async def _show_all(client: httpx.AsyncClient, directory: Path) -> None:
    user = (await data_of(client.get("/v1/api/me")))["userId"]
    tools: Any = await data_of(client.get("/v1/api/tools"))
    servers = sorted({tool["server"] for tool in tools})
    typer.echo(f"{len(tools)} tools of {len(servers)} servers: {', '.join(servers)}\n")
    for number, words in enumerate(_instructions(directory), 1):
        await _show(client, {"sessionId": f"demo-{os.getpid()}-{number}", "userId": user}, words)


async def _show(client: httpx.AsyncClient, session: dict[str, str], words: str) -> None:
    typer.secho(words, bold=True)
    began = time.perf_counter()
    response = await client.post("/v1/api/interpret", json=session | {"text": words})
    offer = response.json()
    typer.echo(f"  {offer.get('confirmText') or offer}")
    if offer.get("type") != "confirm":
        return
    interpreted = time.perf_counter()
    given = {"action": offer["action"], "params": offer["params"]}
    done = await client.post("/v1/api/execute", json=session | given)
    text = json.dumps(done.json(), ensure_ascii=False)
    typer.echo(f"  {done.status_code} {text[:_LONGEST_SHOWN]}{'…' if len(text) > _LONGEST_SHOWN else ''}")
    executed = time.perf_counter()
    typer.echo(
        f"  interpreted in {interpreted - began:.2f} s by model {response.headers['x-colloquy-model']}, "
        f"executed in {executed - interpreted:.2f} s\n"
    )
