"""Step 7: the strategy is stored, before its pictures are made (G11)."""

from typing import Any, Literal

from langgraph.types import Send, StreamWriter

from nodes.audio_strategy.progress import finished, records
from nodes.audio_strategy.records import Strategy, Visual
from nodes.audio_strategy.state import PictureTask, StrategyState


async def store(state: StrategyState, *, writer: StreamWriter) -> dict[str, Any]:
    """Store it; a repetition stores the same again.

    Raises:
        NotFound: the session was deleted in the meantime.
    """
    strategy = Strategy(
        scene_category=state["scene_category"],
        scene_confidence=state["scene_confidence"],
        applied_skills=state["applied_skills"],
        strategies=state["strategies"],
        visual_data=state["visual_data"],
    )
    await records().save_strategy(state["session_id"], state["strategy_id"], strategy)
    await finished(writer, state["session_id"], "store", state["steps"])
    return {}


def to_pictures(state: StrategyState) -> list[Send] | Literal["done"]:
    """Send each picture to a task of its own, side by side."""
    return [Send("picture", _task(state, visual)) for visual in state["visual_data"]] or "done"


def _task(state: StrategyState, visual: Visual) -> PictureTask:
    draft = state["drafts"][visual["image_index"]]
    return PictureTask(
        session_id=state["session_id"],
        strategy_id=state["strategy_id"],
        visual=visual,
        title=draft["title"],
        lines=[text for text in (draft["insight"], draft["advice"], draft["script"]) if text],
    )
