"""A chat model that answers with a picture, as a painter: its answer's first picture, decoded."""

import base64
import binascii
from typing import Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from providers.answers import BrokenAnswer
from providers.images.bounds import AnswerTooLarge, cause_of
from providers.images.model import MOST_BYTES, NoPicture

# LangGraph's tag: a picture is no message for those who follow a run's; it would be megabytes in the run's log.
_QUIET: Final[RunnableConfig] = {"tags": ["nostream"]}


class ChatPainter:
    """Paints with the chat model of the role `image`."""

    def __init__(self, model: BaseChatModel) -> None:
        self._model = model

    async def paint(self, description: str) -> bytes:
        """Return the picture as the model gave it.

        Raises:
            NoPicture: the answer holds none, or one that is too large.
            BrokenAnswer: the picture is not whole.
        """
        try:
            message = await self._model.ainvoke([HumanMessage(description)], config=_QUIET)
        except Exception as error:
            if (refused := cause_of(error)) is not None:
                raise refused from None
            raise
        return _decoded(_encoded(message))


def _encoded(message: AIMessage) -> str:
    for block in message.content_blocks:
        encoded = block.get("base64") if block["type"] == "image" else None
        if isinstance(encoded, str) and encoded:
            return encoded
    raise NoPicture("the answer holds no picture")


def _decoded(encoded: str) -> bytes:
    if len(encoded) > MOST_BYTES * 4 // 3 + 4:
        raise AnswerTooLarge("the picture is too large")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BrokenAnswer("The picture is no base64.") from None
