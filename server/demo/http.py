"""What every part of the demonstration asks for over HTTP."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx


async def data_of(request: Any) -> dict[str, Any]:
    """Await a response of the seeds' form, and return its `data`.

    Raises:
        httpx.HTTPStatusError: it is a refusal.
    """
    response = await request
    response.raise_for_status()
    data: dict[str, Any] = response.json()["data"]
    return data


async def events_of(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield a stream's events: name and data."""
    event = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield event, json.loads(line.removeprefix("data: "))
