"""Whatever moment commits come at, a step's result is not saved before what the step told."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from core.settings import Settings
from server.runs import writer
from server.runs.model import RunRequest, RunStatus, StreamMode
from server.runtime import Runtime

_PAUSES: Final = 7
_STEPS: Final = _PAUSES**2
_WORDS: Final = 2
# Where a commit's parameters hold them.
_WRITES, _EVENTS, _PACKED = 7, 8, 9


class State(TypedDict, total=False):
    step: int
    other: int


def _speaker(channel: str) -> Any:
    async def speak(state: State) -> dict[str, int]:
        step: int = state.get(channel, 0)  # type: ignore[assignment]
        # So that the moments at which it speaks and ends move past those of the commits.
        for pause in divmod(step, _PAUSES)[:: 1 if channel == "step" else -1]:
            for _ in range(pause):
                await asyncio.sleep(0)
            get_stream_writer()({"who": channel, "step": step, "pause": pause})
        return {channel: step + 1}

    return speak


def _told(*channels: str) -> Any:
    builder = StateGraph(State)
    for channel in channels:
        builder.add_node(f"speak {channel}", _speaker(channel))
        builder.add_edge(START, f"speak {channel}")
        builder.add_conditional_edges(
            f"speak {channel}",
            lambda state, channel=channel: f"speak {channel}" if state[channel] < _STEPS else END,
            [f"speak {channel}", END],
        )
    return builder.compile()


talk = _told("step")
duet = _told("step", "other")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": {name: f"{__name__}:{name}" for name in ("talk", "duet")}}))
    return Settings.load({"ENV": "test", "COLLOQUY_CONFIG": str(config)}, dotenv=None)


@pytest.mark.parametrize("delay", [0, 30.0], ids=["at any time", "ahead"])
@pytest.mark.parametrize("workflow", ["talk", "duet"])
async def test_a_result_is_not_saved_before_the_last_words(
    runtime: Runtime, owner: UUID, monkeypatch: pytest.MonkeyPatch, workflow: str, delay: float
) -> None:
    """Else a run that goes on from the result would leave out words that nobody has seen."""
    monkeypatch.setattr(writer, "_DELAY_SECONDS", delay)
    monkeypatch.setattr(writer, "_EVENTS_DELAY_SECONDS", delay)
    commits = await _commits(runtime, owner, monkeypatch, workflow, "custom")
    told: Counter[str] = Counter()
    saved: Counter[str] = Counter()
    for parameters in commits:
        told.update(word["who"] for word in _events(parameters, "custom"))
        saved.update(_results(parameters))
        assert all(saved[channel] * _WORDS <= told[channel] for channel in saved)
    # The last commit is the one of the run's end.
    assert saved["step"] >= _STEPS - 4


async def test_of_steps_side_by_side_none_goes_ahead_before_it_is_told_of(
    runtime: Runtime, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_DELAY_SECONDS", 30.0)
    monkeypatch.setattr(writer, "_EVENTS_DELAY_SECONDS", 30.0)
    told: Counter[str] = Counter()
    saved: Counter[str] = Counter()
    for parameters in await _commits(runtime, owner, monkeypatch, "duet", "updates"):
        told.update(channel for update in _events(parameters, "updates") for one in update.values() for channel in one)
        saved.update(_results(parameters))
        assert all(saved[channel] <= told[channel] for channel in saved)
    assert saved["step"] > 0


async def _commits(
    runtime: Runtime, owner: UUID, monkeypatch: pytest.MonkeyPatch, workflow: str, mode: StreamMode
) -> list[Sequence[Any]]:
    """Return what a run commits before its end."""
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

    monkeypatch.setattr(runtime.lanes, "submit", taken_at_once)
    monkeypatch.setattr(runtime.lanes, "is_calm", lambda _key: True)
    asked = RunRequest(thread_id=uuid4(), owner_id=owner, workflow=workflow, input={}, stream_modes=(mode,))
    result = await runtime.engine.wait(owner, await runtime.engine.start(asked), 20)
    assert result.status == RunStatus.success
    return commits


def _events(parameters: Sequence[Any], name: str) -> list[Any]:
    """Return the data of a commit's events of one kind; as `platform.part` reads them."""
    rows = [row for row in json.loads(parameters[_EVENTS] or "[]") if row["event"] == name]
    return [json.loads(parameters[_PACKED][row["at"] - 1 :][: row["len"]]) for row in rows]


def _results(parameters: Sequence[Any]) -> list[str]:
    """Return the state's channels that a commit's tasks have written."""
    written = json.loads(parameters[_WRITES] or "[]")
    return [row["channel"] for row in written if row["channel"] in State.__annotations__]
