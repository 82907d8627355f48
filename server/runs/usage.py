"""Model usage of a run, by user and role (X025)."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from providers.usage import Usage
from server.runs.model import Claim


async def insert(connection: AsyncConnection[Any], claimed: Claim, calls: Sequence[Usage]) -> None:
    """Write one row a model call; the run, or its owner, may have been deleted since."""
    if not calls:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO platform.usage
              (run_id, user_id, role, model, input_tokens, output_tokens, latency_ms, failed)
            SELECT (SELECT id FROM platform.runs WHERE id = %s), %s, %s, %s, %s, %s, %s, %s
            WHERE EXISTS (SELECT FROM auth.users WHERE id = %s)
            """,
            [
                (
                    claimed.run_id,
                    claimed.owner_id,
                    call.role,
                    call.model,
                    call.input_tokens,
                    call.output_tokens,
                    call.latency_ms,
                    call.failed,
                    claimed.owner_id,
                )
                for call in calls
            ],
        )
