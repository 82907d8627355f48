import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core import logging
from tests.kit.imports import undone

GRAPH = """\
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

class State(TypedDict, total=False):
    text: str

def node(state: State) -> State:
    return {"text": "{text}"}

builder = StateGraph(State).add_node(node).add_edge(START, "node")
graph = builder.compile()
"""

Write = Callable[..., Path]
Logged = Callable[[], str]


def graph_file(text: str = "", before: str = "", after: str = "") -> str:
    return before + GRAPH.replace("{text}", text) + after


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    with undone():
        yield


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a project: its files by path, and what its langgraph.json says; gives that file."""

    def written(files: dict[str, str], folder: str = "project", **config: Any) -> Path:
        root = tmp_path / folder
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        root.mkdir(exist_ok=True)
        (root / "langgraph.json").write_text(json.dumps(config))
        return root / "langgraph.json"

    return written


@pytest.fixture
def log() -> Iterator[Logged]:
    """Give what was logged so far, as JSON lines."""
    stream = io.StringIO()
    logging.configure("debug", "json", stream=stream)

    def read() -> str:
        logging.flush()
        return stream.getvalue()

    yield read
    logging.configure("debug", "json")
