"""What every part of the demonstration asks for over HTTP."""

from typing import Any


async def data_of(request: Any) -> dict[str, Any]:
    """Await a response of the seeds' form, and return its `data`.

    Raises:
        httpx.HTTPStatusError: it is a refusal.
    """
    response = await request
    response.raise_for_status()
    data: dict[str, Any] = response.json()["data"]
    return data
