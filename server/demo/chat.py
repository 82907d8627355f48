"""Deep chat: a quick word, then briefs with their documents, while the phases are watched."""

import json
import time
from typing import Any, Final

import httpx
import typer

from server.demo.http import events_of

_API: Final = "/api/v1"
_LONGEST_SHOWN: Final = 160


async def show_chat(client: httpx.AsyncClient, briefs: list[dict[str, Any]]) -> None:
    """Have one conversation a brief, in a new session each."""
    begun = (await client.get(f"{_API}/frontend/session/init")).raise_for_status().json()
    typer.echo(f"\ndeep chat: user {begun['user_id']}\n")
    who = {"user_id": begun["user_id"], "session_id": begun["session_id"]}
    quick = await client.post(f"{_API}/frontend/chat", json=who | {"message": "你好，你能做什么？"})
    typer.secho("你好，你能做什么？", bold=True)
    typer.echo(f"  {quick.raise_for_status().json()['response']}\n")
    for brief in briefs:
        opened = (await client.post(f"{_API}/chat/new", json={"user_id": begun["user_id"]})).raise_for_status().json()
        await _show(client, who | {"session_id": opened["session_id"]}, brief)


async def _show(client: httpx.AsyncClient, who: dict[str, str], brief: dict[str, Any]) -> None:
    typer.secho(brief["message"].replace("\n", " "), bold=True)
    for document in brief.get("documents", []):
        file = {"file": (document["filename"], document["text"].encode())}
        (await client.post(f"{_API}/documents/upload", data=who, files=file)).raise_for_status()
        typer.echo(f"  with {document['filename']}")
    body = who | {"message": brief["message"], "mode": "deep", "tags": brief["tags"]}
    began, first, phases, answer = time.perf_counter(), 0.0, list[str](), dict[str, Any]()
    sse = {"accept": "text/event-stream"}
    async with client.stream("POST", f"{_API}/frontend/chat", json=body, headers=sse) as response:
        async for event, data in events_of(response):
            first = first or time.perf_counter() - began
            if event == "phase":
                phases.append(data["phase"])
            elif event in ("result", "error"):
                answer = data
    if not answer.get("success"):
        typer.echo(f"  {json.dumps(answer, ensure_ascii=False)}\n")
        return
    sections = answer["content_sections"]
    shown = sections["output"].replace("\n", " ")
    typer.echo(f"  {shown[:_LONGEST_SHOWN]}{'…' if len(shown) > _LONGEST_SHOWN else ''}")
    typer.echo(f"  {sections['evaluation'].splitlines()[0].removeprefix('- ') if sections['evaluation'] else ''}")
    typer.echo(
        f"  {' → '.join(dict.fromkeys(phases))} · first event after {first:.2f} s, "
        f"answer after {time.perf_counter() - began:.2f} s · intent {answer['intent']}\n"
    )
