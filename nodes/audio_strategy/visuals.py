"""Step 6: the strategy as it is stored, with descriptions of at most three pictures. No model is asked (T02)."""

from collections.abc import Sequence
from typing import Any

from nodes.audio_strategy.prompting import picture_of
from nodes.audio_strategy.records import Advice, Visual
from nodes.audio_strategy.state import MOST_VISUALS, Draft, StrategyState
from nodes.common.resources import resources


async def visuals(state: StrategyState) -> dict[str, Any]:
    """Describe the pictures; none where nothing is configured that could make them (G11)."""
    paints = await resources().models.painter() is not None
    return {
        "strategies": [_advice(draft) for draft in state["drafts"]],
        "visual_data": visuals_of(state["drafts"]) if paints else [],
    }


def visuals_of(drafts: Sequence[Draft]) -> list[Visual]:
    """Return the pictures that are to be made, in the order of the advice."""
    return [
        Visual(image_index=index, prompt=picture_of(draft), status="pending", image_url=None)
        for index, draft in enumerate(drafts[:MOST_VISUALS])
    ]


def _advice(draft: Draft) -> Advice:
    return Advice(
        title=draft["title"],
        insight=draft["insight"],
        advice=draft["advice"],
        script=draft["script"],
        quotes=draft["quotes"],
        skills=draft["skills"],
    )
