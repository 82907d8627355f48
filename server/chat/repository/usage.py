"""SQL of model calls that belong to no run (X025)."""

from collections.abc import Sequence
from uuid import UUID

from providers.usage import Usage
from server.chat.repository.sessions import Connection


async def insert_usage(connection: Connection, owner_id: UUID, calls: Sequence[Usage]) -> None:
    """Write one row a model call of quick mode."""
    for call in calls:
        await connection.execute(
            "INSERT INTO platform.usage (user_id, role, model, input_tokens, output_tokens, latency_ms, failed)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (
                owner_id,
                call.role,
                call.model,
                call.input_tokens,
                call.output_tokens,
                call.latency_ms,
                call.failed,
            ),
        )
