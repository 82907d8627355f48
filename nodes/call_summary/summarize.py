"""Step 3: the summary itself, told as it comes."""

from typing import Any

from core.errors import ModelFailed
from nodes.call_summary.points import tell
from nodes.call_summary.prompting import summary_messages
from nodes.call_summary.state import State
from nodes.call_summary.telling import Telling, progress, steps_of
from nodes.common.attempts import ask


async def summarize(state: State) -> dict[str, Any]:
    """Ask for the three points.

    Raises:
        ModelFailed: the model gave no answer, or an empty one.
    """
    telling = Telling()
    answer = await ask("summary", summary_messages(state), on_text=telling.hear, on_restart=telling.begin_again)
    if not tell(answer.text):
        raise ModelFailed("模型没有给出内容")
    telling.end(tell(answer.text))
    progress("summarize", steps_of(state["parts"]))
    return {"draft": answer.text, "tokens": {"summarize": answer.total_tokens}}
