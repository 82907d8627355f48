"""A builder with sync nodes, a dataclass as its state and one as its context."""

import os
import time
from pathlib import Path
from typing import Any

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from .state import Line, Order, Terms

TAX = float(os.environ["ORDERS_TAX"])


def read(state: Order) -> dict[str, Any]:
    if state.log:
        with Path(state.log).open("a", encoding="utf-8") as file:
            file.write("read\n")
    count, _space, sku = state.wish.partition(" ")
    return {"lines": [Line(sku=sku, count=int(count))]}


def wait(state: Order) -> dict[str, Any]:
    time.sleep(state.seconds)
    return {}


def confirm(state: Order) -> dict[str, Any]:
    interrupt({"lines": len(state.lines)})
    return {}


def add_up(state: Order, runtime: Runtime[Terms]) -> dict[str, Any]:
    discount = runtime.context.discount if runtime.context else 0
    return {"total": sum(line.count for line in state.lines) * (1 + TAX) * (1 - discount)}


builder = StateGraph(Order, context_schema=Terms)
builder.add_sequence([read, wait, confirm, add_up])
builder.add_edge(START, "read")
