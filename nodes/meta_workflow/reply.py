"""The short way: a greeting gets a sentence, a command gets guidance and is not executed (G35)."""

from typing import Any, Final

from langgraph.types import StreamWriter

from nodes.meta_workflow.events import Telling, tell_phase
from nodes.meta_workflow.quick import reply as quick_reply
from nodes.meta_workflow.state import MetaState, Phase

_NEW_CHAT: Final = (
    "要新建对话，请点击「新建对话」按钮（接口 POST /api/v1/chat/new，传入当前的 user_id）：您的 user_id 不变，"
    "会得到新的 session_id 与 thread_id，这次对话的记忆和文档留在原来的会话里。命令不会在对话中执行，当前对话照常继续。"
)
_OTHER: Final = (
    "这里不执行命令。可以直接用一句话说明您想做什么，例如“为新品写一份推广方案”；想换一个话题重新开始，"
    "请使用「新建对话」（/new_chat 会说明怎么做）。"
)
_ONLY: Final = "1"


async def reply(state: MetaState, *, writer: StreamWriter) -> dict[str, Any]:
    """Answer without a plan.

    Raises:
        ModelFailed: the model gave no reply to a casual message.
    """
    telling = Telling(writer, _ONLY)
    turn = state["turn"]
    if state["intent"] == "command":
        said, text = "识别为命令，给出使用指引", _guidance(turn["message"])
    else:
        said = "识别为闲聊，直接简短回复"
        text = await quick_reply(
            turn["message"], state["memory"], turn["turns"], telling.hear, on_restart=telling.begin_again
        )
    item = Phase(phase="planning", content=said)
    phases = tell_phase(writer, item, len(state["thinking_process"]))
    return {"output": telling.end(text), "thinking_process": phases}


def _guidance(message: str) -> str:
    return _NEW_CHAT if message.split(maxsplit=1)[0].lower() == "/new_chat" else _OTHER
