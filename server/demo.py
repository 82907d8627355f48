"""`colloquy demo`: the examples, taken through a running server over HTTP, as a client would."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from core.settings import Settings

_START_SECONDS: Final = 60.0
_KEY_VARIABLE: Final = "COLLOQUY_API_KEY"


async def show(settings: Settings, examples: Path) -> None:
    """Record each example call, summarise it, read it back, and print what came."""
    async with _server(settings) as address:
        key = await asyncio.to_thread(_key, settings)
        async with httpx.AsyncClient(base_url=address, headers={"x-api-key": key}, timeout=60) as client:
            await _show_calls(client, await asyncio.to_thread(_load, examples / "calls"))


async def _show_calls(client: httpx.AsyncClient, calls: list[dict[str, Any]]) -> None:
    agent = await _data(client.post("/api/v1/agents", json={"name": calls[0]["agent"]}))
    typer.echo(f"call summary: {len(calls)} calls, agent {agent['name']} ({agent['id']})\n")
    for call in calls:
        created = await _data(
            client.post(
                "/api/v1/call-records",
                json={"agent_id": agent["id"]}
                | {name: call[name] for name in ("caller_name", "caller_phone", "caller_app", "start_time")},
            )
        )
        changes = {name: call[name] for name in ("end_time", "duration_seconds", "hangup_reason", "messages")}
        await _data(client.patch(f"/api/v1/call-records/{created['id']}", json=changes))
        await _show_summary(client, created["id"], call)
    page = await _data(client.get("/api/v1/call-records", params={"agent_id": agent["id"]}))
    summarised = sum(record["summary"] is not None for record in page["records"])
    typer.echo(f"list: {page['pagination']['total']} calls of this agent, {summarised} with a summary")


async def _show_summary(client: httpx.AsyncClient, record_id: str, call: dict[str, Any]) -> None:
    path = f"/api/v1/call-records/{record_id}/generate-summary"
    typer.secho(f"{call['title']}  ({len(call['messages'])} turns)", bold=True)
    started = time.perf_counter()
    steps: list[str] = []
    async with client.stream("POST", path, headers={"accept": "text/event-stream"}) as response:
        if response.status_code != httpx.codes.OK:
            error = json.loads(await response.aread())["error"]
            typer.echo(f"  {response.status_code} {error['code']}: {error['message']}\n")
            return
        async for event, data in _events(response):
            if event == "progress":
                steps.append(data["step"])
            elif event in ("result", "error"):
                answer = data
    seconds = time.perf_counter() - started
    detail = await _data(client.get(f"/api/v1/call-records/{record_id}"))
    typer.echo(f"  {answer['data']['summary'] if answer['success'] else answer['error']}")
    typer.echo(
        f"  {' → '.join(dict.fromkeys(steps))} · {seconds:.2f} s · model {response.headers['x-colloquy-model']}"
        f" · {detail['metadata']['total_tokens']} tokens · stored: {detail['summary'] is not None}\n"
    )


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    event = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield event, json.loads(line.removeprefix("data: "))


async def _data(request: Any) -> dict[str, Any]:
    response = await request
    response.raise_for_status()
    data: dict[str, Any] = response.json()["data"]
    return data


def _load(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def _key(settings: Settings) -> str:
    if key := os.environ.get(_KEY_VARIABLE):
        return key
    file = settings.data_dir / "api-key"
    if not file.exists():
        raise typer.BadParameter(f"set {_KEY_VARIABLE}: there is no development key in {settings.data_dir}")
    return file.read_text(encoding="ascii").strip()


@asynccontextmanager
async def _server(settings: Settings) -> AsyncIterator[str]:
    """Give the address of the server that runs, or of one that is started for the time being."""
    address = f"http://{settings.host}:{settings.port}"
    if await _answers(address):
        yield address
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    typer.echo("No server is running: one is started for this demonstration.\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "serve", "--host", "127.0.0.1", "--port", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        env=os.environ | {"LOG_LEVEL": "warning"},
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
    while not await _answers(address):
        if process.returncode is not None or time.monotonic() > deadline:
            raise typer.BadParameter("the server did not start; `make run` shows why")
        await asyncio.sleep(0.1)


async def _answers(address: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=2) as client:
            return (await client.get(f"{address}/health")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
