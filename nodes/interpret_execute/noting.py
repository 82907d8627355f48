"""Rows of a session's log, keyed so that a step that is made twice is noted once (B019)."""

from langchain_core.runnables import RunnableConfig

from nodes.common.resources import resources
from nodes.interpret_execute.records import InMemoryInterpretRecords, InterpretRecords, SessionStatus


async def note(
    turn: str,
    key: str,
    config: RunnableConfig,
    *,
    status: SessionStatus | None,
    step: str,
    message: str,
    failed: bool = False,
) -> None:
    """Note a step of a turn, and the status that the session has now.

    Args:
        turn: the turn's id.
        key: which step of the turn it is.
        config: of the node that notes it; it names the thread.
        status: the session's new status; None leaves it.
        step: what the log calls the step.
        message: what the log says; no arguments, no results.
        failed: whether the step failed.
    """
    records = resources().repository(InterpretRecords, InMemoryInterpretRecords)
    await records.note(
        thread_of(config),
        f"{turn}:{key}",
        status=status,
        step=step,
        outcome="failed" if failed else "success",
        message=message,
    )


def thread_of(config: RunnableConfig) -> str:
    """Return the thread that a node runs on."""
    return str(config.get("configurable", {}).get("thread_id", ""))
