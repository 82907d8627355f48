"""Whatever moment commits come at, a step's result is not saved before what the step told."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from core.settings import Settings
from server.runs import writer
from server.runs.model import RunRequest, RunStatus
from server.runtime import Runtime

_PAUSES: Final = 7
_STEPS: Final = _PAUSES**2
_WORDS: Final = 2
# Where a commit's parameters hold them.
_WRITES, _EVENTS = 7, 8


class State(TypedDict, total=False):
    step: int


async def speak(state: State) -> State:
    step = state.get("step", 0)
    # So that the moments at which it speaks and ends move past those of the commits.
    for pause in divmod(step, _PAUSES):
        for _ in range(pause):
            await asyncio.sleep(0)
        get_stream_writer()({"step": step, "pause": pause})
    return {"step": step + 1}


def _next(state: State) -> str:
    return "speak" if state["step"] < _STEPS else END


_builder = StateGraph(State).add_node(speak).add_edge(START, "speak")
talk = _builder.add_conditional_edges("speak", _next, ["speak", END]).compile()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": {"talk": f"{__name__}:talk"}}))
    return Settings.load({"ENV": "test", "COLLOQUY_CONFIG": str(config)}, dotenv=None)


async def test_a_result_is_not_saved_before_the_last_words(
    runtime: Runtime, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run that goes on from the result would leave out words that nobody has seen."""
    monkeypatch.setattr(writer, "_DELAY_SECONDS", 0)
    monkeypatch.setattr(writer, "_EVENTS_DELAY_SECONDS", 0)
    commits: list[Sequence[Any]] = []
    submit = runtime.lanes.submit

    def taken_at_once(
        key: UUID, statement: Any, parameters: Sequence[Any], *rest: Any, **named: Any
    ) -> "asyncio.Future[Any]":
        if statement != writer._COMMIT:
            return submit(key, statement, parameters, *rest, **named)
        commits.append(parameters)
        answer = asyncio.get_running_loop().create_future()
        answer.set_result({"outcome": "kept"})
        return answer

    def gone_ahead(key: UUID, statement: Any, parameters: Callable[[], Sequence[Any]]) -> "asyncio.Future[Any]":
        return taken_at_once(key, statement, parameters())

    monkeypatch.setattr(runtime.lanes, "submit", taken_at_once)
    monkeypatch.setattr(runtime.lanes, "go_ahead", gone_ahead)
    asked = RunRequest(thread_id=uuid4(), owner_id=owner, workflow="talk", input={}, stream_modes=("custom",))
    result = await runtime.engine.wait(owner, await runtime.engine.start(asked), 20)
    assert result.status == RunStatus.success
    told, saved = 0, 0
    for parameters in commits:
        told += sum(row["event"] == "custom" for row in json.loads(parameters[_EVENTS] or "[]"))
        written = json.loads(parameters[_WRITES] or "[]")
        saved += sum(row["channel"] == "step" for row in written)
        assert saved * _WORDS <= told
    # The last commit is the one of the run's end.
    assert saved >= _STEPS - 1
