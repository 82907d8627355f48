"""`colloquy demo`: every workflow with the examples, over HTTP, as a client would."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx

from core.settings import Settings
from server.demo.audio import show_audio
from server.demo.calls import show_calls
from server.demo.chat import show_chat
from server.demo.counseling import show_counseling
from server.demo.instructions import show_instructions
from server.demo.serving import key_of, running


async def show(settings: Settings, examples: Path) -> None:
    """Take the examples through the server that runs, or one that is started, and print what came."""
    async with running(settings) as address:
        key = await asyncio.to_thread(key_of, settings)
        async with httpx.AsyncClient(base_url=address, headers={"x-api-key": key}, timeout=60) as client:
            await show_calls(client, await asyncio.to_thread(_load, examples / "calls"))
            await show_chat(client, await asyncio.to_thread(_briefs, examples / "deep_chat" / "tuned"))
            await show_audio(client, examples / "audio" / "recordings")
            await show_instructions(client, examples / "mcp")
    await show_counseling()


def _load(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def _briefs(folder: Path) -> list[dict[str, Any]]:
    """Read three briefs: with tags, in English, with a document."""
    chosen = ("01-headphones", "04-english", "05-product-manual")
    return [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in chosen]
