"""Graphs whose steps write down that they were done: what is to happen once can be counted, whatever crashed."""

import asyncio
import json
import operator
import os
import signal
import time
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from tokens import TOKENS
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    """`label` names what is asked, `steps` of `seconds` each; `done` holds `<label>:<number>` of all that was asked."""

    label: str
    steps: int
    seconds: float
    done: Annotated[list[str], operator.add]


def _record(kind: str, item: str, config: RunnableConfig) -> None:
    line = {"kind": kind, "item": item, "attempt": config["metadata"]["attempt"], "at": time.time(), "pid": os.getpid()}
    # One write to the end of the file: it is whole, also among other processes' writes and after a kill.
    descriptor = os.open(os.environ["FAULTS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
    finally:
        os.close(descriptor)


def _count(state: State) -> int:
    return sum(item.startswith(state["label"] + ":") for item in state.get("done", []))


async def step(state: State, config: RunnableConfig) -> dict[str, Any]:
    number = _count(state)
    item = f"{state['label']}:{number}"
    tell = get_stream_writer()
    _record("begin", item, config)
    for token in range(TOKENS):
        await asyncio.sleep(state["seconds"] / TOKENS)
        tell({"step": number, "token": token})
    _record("end", item, config)
    return {"done": [item]}


def _next(state: State) -> str:
    return "step" if _count(state) < state["steps"] else END


def ask(state: State) -> dict[str, Any]:
    return {"done": [f"{state['label']}:{interrupt('May it be done?')}"]}


def act(state: State, config: RunnableConfig) -> dict[str, Any]:
    _record("begin", f"{state['label']}:act", config)
    return {"done": [f"{state['label']}:act"]}


def die(state: State, config: RunnableConfig) -> dict[str, Any]:
    _record("begin", f"{state['label']}:die", config)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


work = StateGraph(State).add_node(step).add_edge(START, "step").add_conditional_edges("step", _next, ["step", END])
approve = StateGraph(State).add_sequence([ask, act]).add_edge(START, "ask")
deadly = StateGraph(State).add_node(die).add_edge(START, "die")
