"""Quick mode: one call of the fast model, one or two sentences (D015, D018)."""

from collections.abc import Callable, Sequence
from typing import Final

from core.errors import ModelFailed
from nodes.common.attempts import ask
from nodes.meta_workflow.prompting import about_quick
from nodes.meta_workflow.prose import clean, shortened
from nodes.meta_workflow.state import Memory, PastTurn

# Two sentences have a tenth of it; a model that does not stop is cut.
_LONGEST_REPLY: Final = 1000


async def reply(
    message: str,
    memory: Memory,
    turns: Sequence[PastTurn],
    on_text: Callable[[str], None] | None = None,
    *,
    on_restart: Callable[[], None] | None = None,
) -> str:
    """Reply to a message, knowing the session's memory and its last turns.

    Args:
        message: what the user says.
        memory: of the session (G36).
        turns: the messages so far, oldest first; the last forty, twenty turns, are shown to the model.
        on_text: is given the model's text piece by piece; the returned reply is the same text without loose ends.
        on_restart: is called before the reply begins anew.

    Raises:
        ModelFailed: the model gave no reply.
    """
    answer = await ask("fast", about_quick(message, memory, turns), on_text=on_text, on_restart=on_restart)
    text = shortened(clean(answer.text, complete=True), _LONGEST_REPLY)
    if not text:
        raise ModelFailed("模型没有给出可用的回答，请稍后再试")
    return text
