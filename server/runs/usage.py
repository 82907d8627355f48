"""Model usage of a run, by user and role (X025)."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from psycopg import AsyncConnection

from providers.usage import Usage
from server.runs.model import Claim


def as_json(calls: Sequence[Usage]) -> str | None:
    """Return model calls as `platform.note_usage` takes them; None where there were none."""
    return orjson.dumps([asdict(call) for call in calls]).decode() if calls else None


async def insert(connection: AsyncConnection[Any], claimed: Claim, calls: Sequence[Usage]) -> None:
    """Write one row a model call; the run, or its owner, may have been deleted since."""
    if calls:
        parameters = (claimed.run_id, claimed.owner_id, as_json(calls))
        await connection.execute("SELECT platform.note_usage(%s, %s, %s::json)", parameters)
