"""Looks at a run's fence as late as LangGraph allows: when a step's own code is about to begin."""

import asyncio
from typing import Any, Protocol

from langchain_core.callbacks import AsyncCallbackHandler


class Fenced(Protocol):
    """What holds a run's fence."""

    @property
    def is_certain(self) -> bool:
        """Whether the run has its thread for certain."""
        ...

    async def hold(self) -> None:
        """Look where it is not certain.

        Raises:
            FenceLost: another process has claimed a run on the thread since.
        """
        ...


class StepGuard(AsyncCallbackHandler):
    """A LangChain callback that lets a step begin only while its run has its thread.

    The saver looks when it takes a checkpoint, but from there to the next step's first line a busy process may need
    many milliseconds, and be frozen in them. What is left is one turn of the event loop.

    Args:
        fenced: holds the run's fence.
    """

    ignore_llm = ignore_chat_model = ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True
    raise_error = True
    run_inline = True

    def __init__(self, fenced: Fenced) -> None:
        self._fenced = fenced
        self._loop = asyncio.get_running_loop()

    @property
    def ignore_chain(self) -> bool:
        """Whether LangChain need not call: a step is a chain to it, and a call takes longer than this look."""
        return self._fenced.is_certain

    async def on_chain_start(self, *_given: Any, **_named: Any) -> None:
        """Look at the fence.

        Raises:
            FenceLost: another process has claimed a run on the thread since.
        """
        # Chains that a step calls in a thread come with a loop of that thread, which the writer does not know.
        if asyncio.get_running_loop() is self._loop:
            await self._fenced.hold()
