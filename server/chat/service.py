"""The parts of deep chat, made once in the application's lifespan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from server.chat.answers import Answers
from server.chat.documents import DocumentService
from server.chat.sessions import SessionManager
from server.chat.turns import Turns
from server.runtime import Runtime


@dataclass(frozen=True)
class Chat:
    """Sessions, documents, and what is said."""

    sessions: SessionManager
    documents: DocumentService
    turns: Turns
    answers: Answers


@asynccontextmanager
async def open_chat(runtime: Runtime) -> AsyncIterator[Chat]:
    """Make the parts; at the end, answers under way get a moment."""
    manager = SessionManager(runtime)
    turns = Turns(runtime, manager)
    answers = Answers(runtime, turns)
    try:
        yield Chat(manager, DocumentService(runtime, manager), turns, answers)
    finally:
        await answers.stop()


def chat_of(request: Request) -> Chat:
    """Return the parts that the app's lifespan made."""
    chat: Chat = request.app.state.chat
    return chat


CurrentChat = Annotated[Chat, Depends(chat_of)]
