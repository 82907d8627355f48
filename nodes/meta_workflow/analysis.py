"""Step 5: the thinking before the writing, told while it grows."""

from typing import Any, Final

from langgraph.types import StreamWriter

from core.errors import ModelFailed
from nodes.common.attempts import ask
from nodes.meta_workflow.citations import without_unknown
from nodes.meta_workflow.events import GrowingPhase, tell_phase
from nodes.meta_workflow.prompting import about_analysis
from nodes.meta_workflow.prose import clean, shortened
from nodes.meta_workflow.state import MetaState, Phase

_LONGEST_ANALYSIS: Final = 1500


async def analysis(state: MetaState, *, writer: StreamWriter) -> dict[str, Any]:
    """Ask for the analysis.

    Raises:
        ModelFailed: the model gave none.
    """
    index = len(state["thinking_process"])
    growing = GrowingPhase(writer, "analysis", index)
    answer = await ask("analysis", about_analysis(state), on_text=growing.hear, on_restart=growing.begin_again)
    text = without_unknown(shortened(clean(answer.text, complete=True), _LONGEST_ANALYSIS), state["passages"])
    if not text:
        raise ModelFailed("模型没有给出可用的回答，请稍后再试")
    item = Phase(phase="analysis", content=text)
    return {"analysis": text, "thinking_process": tell_phase(writer, item, index)}
