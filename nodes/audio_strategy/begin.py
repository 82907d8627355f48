"""Step 0: see that there is an analysed recording, and begin all of the run's channels anew (X020)."""

from typing import Any
from uuid import UUID

from core.errors import InvalidInput
from nodes.audio_strategy.progress import records
from nodes.audio_strategy.state import StrategyInput


async def begin(state: StrategyInput) -> dict[str, Any]:
    """Look at the recording before anything is paid for.

    Raises:
        InvalidInput: there is no session's id, or the strategy's is no UUID.
        NotFound: there is no such session of this user.
        Conflict: its analysis is not completed (G08).
    """
    if not state.get("session_id") or not _is_uuid(state.get("strategy_id")):
        raise InvalidInput("session_id 不能为空，strategy_id 须为 UUID")
    await records().analysed(state["session_id"])
    return {
        "scene_category": "",
        "scene_confidence": 0.0,
        "applied_skills": [],
        "strategies": [],
        "visual_data": [],
        "steps": 0,
        "chosen": [],
        "outcomes": None,
        "drafts": [],
        "painted": None,
    }


def _is_uuid(value: object) -> bool:
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False
