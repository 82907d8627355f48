"""Quick mode: one call of the fast model, one or two sentences (D015, D018)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import HumanMessage

from core.errors import ModelFailed
from nodes.common.attempts import ask
from nodes.common.prompts import as_data


async def reply(
    message: str,
    memory: Mapping[str, Any],
    turns: Sequence[Mapping[str, Any]],
    on_text: Callable[[str], None] | None = None,
    *,
    on_restart: Callable[[], None] | None = None,
) -> str:
    """Reply to a message."""
    said = "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
    prompt = "\n".join((as_data("memory", str(dict(memory))), as_data("turns", said), as_data("message", message)))
    answer = await ask("fast", [HumanMessage(prompt)], on_text=on_text, on_restart=on_restart)
    if not answer.text.strip():
        raise ModelFailed("模型没有给出可用的回答，请稍后再试")
    return answer.text.strip()
