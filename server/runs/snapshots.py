"""LangGraph's state snapshots, as the protocol's JSON."""

from collections.abc import Mapping
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.types import Interrupt, PregelTask, StateSnapshot

# What a node raised is in the log; its text may hold anything.
FAILED: Final = "The node failed."
_CHECKPOINT_KEYS: Final = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")


def render(snapshot: StateSnapshot) -> dict[str, Any]:
    """Return a snapshot in the protocol's shape: its values as they are in the state, all else as JSON."""
    checkpoint = checkpoint_of(snapshot.config)
    parent = checkpoint_of(snapshot.parent_config)
    return {
        "values": snapshot.values,
        "next": snapshot.next,
        "tasks": [_task(task) for task in snapshot.tasks],
        "metadata": snapshot.metadata,
        "created_at": snapshot.created_at,
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [show_interrupt(item) for item in snapshot.interrupts],
        "checkpoint_id": checkpoint["checkpoint_id"] if checkpoint else None,
        "parent_checkpoint_id": parent["checkpoint_id"] if parent else None,
    }


def pending_interrupts(snapshot: StateSnapshot) -> dict[str, Any]:
    """Return what a thread waits for, as its row keeps it: interrupts by their id, each with its task."""
    return {
        item.id: {**show_interrupt(item), "task_id": task.id} for task in snapshot.tasks for item in task.interrupts
    }


def shown(interrupts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a row's interrupts by id, as the protocol shows each."""
    return {name: {key: item[key] for key in item if key != "task_id"} for name, item in interrupts.items()}


def by_task(interrupts: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return a row's interrupts as the protocol shows them: by task."""
    tasks: dict[str, list[dict[str, Any]]] = {}
    for name, item in interrupts.items():
        tasks.setdefault(item.get("task_id", name), []).append({key: item[key] for key in item if key != "task_id"})
    return tasks


def checkpoint_of(config: RunnableConfig | None) -> dict[str, Any] | None:
    """Return the checkpoint that a config names, or None where it names none."""
    configurable = (config or {}).get("configurable", {})
    return _place(configurable) if configurable.get("checkpoint_id") else None


def _place(configurable: Mapping[str, Any]) -> dict[str, Any]:
    return {"checkpoint_ns": ""} | {key: configurable[key] for key in _CHECKPOINT_KEYS if key in configurable}


def _task(task: PregelTask) -> dict[str, Any]:
    # A subgraph's state is where it can be found, or, where it was asked for, the state itself.
    state, checkpoint = None, None
    if isinstance(task.state, StateSnapshot):
        state = render(task.state)
    elif task.state is not None:
        checkpoint = _place(task.state["configurable"])
    return {
        "id": task.id,
        "name": task.name,
        "path": task.path,
        "error": None if task.error is None else FAILED,
        "interrupts": [show_interrupt(item) for item in task.interrupts],
        "checkpoint": checkpoint,
        "state": state,
        "result": task.result,
    }


def show_failure(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task of a stream without what its node raised."""
    return {**task, "error": FAILED} if task.get("error") is not None else dict(task)


def show_interrupt(item: Interrupt[Any]) -> dict[str, Any]:
    """Return an interrupt as clients know it."""
    shown = {"id": item.id, "value": item.value}
    return shown if item.response_schema is None else shown | {"response_schema": item.response_schema}
