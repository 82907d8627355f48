"""The example calls: recorded, summarised while one looks on, read back."""

import json
import time
from typing import Any

import httpx
import typer

from server.demo.http import data_of, events_of


async def show_calls(client: httpx.AsyncClient, calls: list[dict[str, Any]]) -> None:
    agent = await data_of(client.post("/api/v1/agents", json={"name": calls[0]["agent"]}))
    typer.echo(f"call summary: {len(calls)} calls, agent {agent['name']} ({agent['id']})\n")
    for call in calls:
        created = await data_of(
            client.post(
                "/api/v1/call-records",
                json={"agent_id": agent["id"]}
                | {name: call[name] for name in ("caller_name", "caller_phone", "caller_app", "start_time")},
            )
        )
        changes = {name: call[name] for name in ("end_time", "duration_seconds", "hangup_reason", "messages")}
        await data_of(client.patch(f"/api/v1/call-records/{created['id']}", json=changes))
        await _show_summary(client, created["id"], call)
    page = await data_of(client.get("/api/v1/call-records", params={"agent_id": agent["id"]}))
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
        async for event, data in events_of(response):
            if event == "progress":
                steps.append(data["step"])
            elif event in ("result", "error"):
                answer = data
    seconds = time.perf_counter() - started
    detail = await data_of(client.get(f"/api/v1/call-records/{record_id}"))
    typer.echo(f"  {answer['data']['summary'] if answer['success'] else answer['error']}")
    typer.echo(
        f"  {' → '.join(dict.fromkeys(steps))} · {seconds:.2f} s · model {response.headers['x-colloquy-model']}"
        f" · {detail['metadata']['total_tokens']} tokens · stored: {detail['summary'] is not None}\n"
    )
