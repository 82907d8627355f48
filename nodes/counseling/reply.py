"""Step 2 of a reply: the visitor answers, told while it is written; once more where it falls out of its role."""

from typing import Any

from langgraph.types import StreamWriter

from core.errors import ModelFailed
from nodes.common.attempts import ask
from nodes.common.telling import Telling
from nodes.counseling.prompting import reply_question, stay_in_role
from nodes.counseling.speech import in_role, spoken
from nodes.counseling.state import ReplyState


async def reply(state: ReplyState, *, writer: StreamWriter) -> dict[str, Any]:
    """Ask for the visitor's next words.

    Raises:
        ModelFailed: the model gave no answer, or twice none that a visitor could give.
    """
    telling = Telling(writer, spoken)
    question = reply_question(state["persona"], state["visitor_name"], state["question"])
    answer = await ask("reply", question, on_text=telling.hear, on_restart=telling.begin_again)
    if not in_role(spoken(answer.text, complete=True)):
        telling.begin_again()
        again = stay_in_role(question, answer.text)
        answer = await ask("reply", again, on_text=telling.hear, on_restart=telling.begin_again)
    if not in_role(spoken(answer.text, complete=True)):
        telling.begin_again()
        raise ModelFailed("来访者暂时没有回应，请稍后再试")
    return {"reply": telling.end(answer.text)}
