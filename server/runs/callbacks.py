"""What a run hears of its graph's steps: it looks at its fence as late as can be, and learns where the graph waits."""

import asyncio
from typing import Any, Protocol
from uuid import UUID

from langgraph.callbacks import GraphCallbackHandler, GraphInterruptEvent

from providers.usage import UsageCollector


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


class RunCallbacks(UsageCollector, GraphCallbackHandler):
    """Notes a run's model calls, tells when its graph waits, and lets a step begin only while the run has its thread.

    The saver looks at the fence when it takes a checkpoint, but from there to the next step's first line a busy process
    may need many milliseconds, and be frozen in them. What is left is one turn of the event loop.

    One handler for all of it: LangChain asks each of them at each beginning and end.

    Args:
        fenced: holds the run's fence.
        run_id: the run's, which its graph has too. A step may call a graph with a thread of its own, which stops alone.
    """

    ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True
    # A lost fence ends the step.
    raise_error = True

    def __init__(self, fenced: Fenced, run_id: UUID) -> None:
        super().__init__()
        self._fenced = fenced
        self._run_id = run_id
        self.has_stopped = False
        """Whether the graph waits: for an answer, or at a node where it was told to stop."""
        self._loop = asyncio.get_running_loop()

    @property
    def ignore_chain(self) -> bool:  # type: ignore[override]
        """Whether LangChain need not call: a step is a chain to it, and a call takes longer than this look."""
        return self._fenced.is_certain

    def on_interrupt(self, event: GraphInterruptEvent) -> None:
        """Note that the graph waits."""
        self.has_stopped |= event.run_id == self._run_id

    async def on_chain_start(self, *_given: Any, **_named: Any) -> None:
        """Look at the fence.

        Raises:
            FenceLost: another process has claimed a run on the thread since.
        """
        # Chains that a step calls in a thread come with a loop of that thread, which the writer does not know.
        if asyncio.get_running_loop() is self._loop:
            await self._fenced.hold()
