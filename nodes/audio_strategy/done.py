"""Step 9, the last: the strategy with what became of its pictures."""

from typing import Any

from langgraph.types import StreamWriter

from nodes.audio_strategy.progress import finished
from nodes.audio_strategy.records import Visual
from nodes.audio_strategy.state import StrategyState


async def done(state: StrategyState, *, writer: StreamWriter) -> dict[str, Any]:
    """Give the pictures as clients see them: their places in the storage are nobody's business."""
    await finished(writer, state["session_id"], "done", state["steps"])
    return {"visual_data": [_shown(state["painted"][str(one["image_index"])]) for one in state["visual_data"]]}


def _shown(visual: Visual) -> Visual:
    return Visual(
        image_index=visual["image_index"],
        prompt=visual["prompt"],
        status=visual["status"],
        image_url=visual["image_url"],
    )
