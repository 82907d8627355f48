"""Step 4: are request, key information and outcome covered? A rule, and one repair where they are not."""

from typing import Any, Literal

from core.errors import ModelFailed
from nodes.call_summary.points import missing_in, tell
from nodes.call_summary.prompting import repair_messages
from nodes.call_summary.state import State
from nodes.call_summary.telling import Telling, progress, steps_of
from nodes.common.attempts import Answer, ask


def check(state: State) -> dict[str, Any]:
    """Note which points the draft does not cover."""
    return {"missing": missing_in(state["draft"])}


def to_repair(state: State) -> Literal["repair", "persist"]:
    """Repair what is missing, once."""
    return "repair" if state["missing"] else "persist"


async def repair(state: State) -> dict[str, Any]:
    """Ask once more, and keep the better of both answers; a failure here does not lose the first one."""
    telling = Telling()
    telling.replace(tell(state["draft"]))
    try:
        answer = await ask(
            "summary",
            repair_messages(state, state["missing"]),
            on_text=telling.hear,
            on_restart=telling.begin_again,
        )
    except ModelFailed:
        answer = Answer("", 0)
    better = answer.text if tell(answer.text) else state["draft"]
    if len(missing_in(state["draft"])) < len(missing_in(better)):
        better = state["draft"]
    telling.end(tell(better))
    progress("repair", steps_of(state["parts"]))
    return {"draft": better, "missing": missing_in(better), "tokens": {"repair": answer.total_tokens}}
