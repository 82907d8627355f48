"""SQL of pictures that grow old (A033)."""

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Pictures are as old as their strategy. A trigger gives the keys that go to the sweep of files.
_EXPIRE: Final = text(
    "WITH old AS ("
    " SELECT id, jsonb_array_length(jsonb_path_query_array(visual_data, '$[*].key')) AS keys"
    " FROM audio.strategy_analysis WHERE created_at < :before"
    " AND jsonb_path_exists(visual_data, '$[*].key') ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED),"
    " gone AS (UPDATE audio.strategy_analysis AS strategy SET updated_at = now(), visual_data = ("
    "  SELECT jsonb_agg(CASE WHEN visual ? 'key' THEN visual - 'key' ||"
    '   \'{"status": "deleted", "image_url": null}\'::jsonb ELSE visual END ORDER BY place)'
    "  FROM jsonb_array_elements(strategy.visual_data) WITH ORDINALITY AS each(visual, place))"
    " FROM old WHERE strategy.id = old.id RETURNING old.keys)"
    " SELECT coalesce(sum(keys), 0) FROM gone"
)


async def expire(session: AsyncSession, before: datetime, most: int) -> int:
    """Mark the pictures of at most `most` strategies as deleted; return how many pictures there were."""
    return int(await session.scalar(_EXPIRE, {"before": before, "most": most}) or 0)
