"""The write path: what is committed late, in parts and from memory is what LangGraph itself would have kept."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import StateUpdate

from checkpoints.heads import HeadCache
from core.settings import Settings
from server.runs.model import RunRequest, RunStatus
from server.runs.thread_states import Place, ThreadStates
from server.runtime import Runtime, open_runtime
from server.worker import running_worker
from tests.kit import chat_graphs

GRAPHS = {name: f"tests.kit.chat_graphs:{name}" for name in ("chat", "calls")}
KEY = base64.b64encode(os.urandom(32)).decode()


@pytest.fixture(params=["", KEY], ids=["plain", "encrypted"])
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": GRAPHS}))
    environ = {"ENV": "test", "COLLOQUY_CONFIG": str(config), "CHECKPOINT_KEY": request.param}
    return Settings.load({name: value for name, value in environ.items() if value}, dotenv=None)


async def say(runtime: Runtime, owner: UUID, thread_id: UUID, text: str, workflow: str = "chat") -> dict[str, Any]:
    given: dict[str, Any] = {"asked": text}
    if workflow == "chat":
        given["messages"] = [{"type": "human", "content": text, "id": f"human-{text}"}]
    asked = RunRequest(thread_id=thread_id, owner_id=owner, workflow=workflow, input=given)
    result = await runtime.engine.wait(owner, await runtime.engine.start(asked), 20)
    assert result.status == RunStatus.success
    assert result.output is not None
    return result.output


async def in_memory(texts: list[str]) -> list[Any]:
    """Return the messages after all turns of a conversation, as LangGraph itself keeps them."""
    return [turn async for turn in turns_in_memory(texts)][-1]


async def turns_in_memory(texts: list[str]) -> AsyncIterator[list[Any]]:
    """Yield the messages after each turn."""
    graph = chat_graphs._chat.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    for text in texts:
        await graph.ainvoke({"messages": [HumanMessage(text, id=f"human-{text}")]}, config)
        yield list((await graph.aget_state(config)).values["messages"])


def told(messages: list[Any]) -> list[tuple[str, str]]:
    return [(message.id, message.content) for message in messages]


def said(messages: list[Any]) -> list[tuple[str, str]]:
    return [(str(message["id"]), message["content"]) for message in messages]


TURNS = [*map(str, range(20)), "forget 3", "x", "rewrite 5", "forget 0", "y", "forget 36", "forget 34", "z"]


@pytest.mark.parametrize("remembers", [True, False])
async def test_a_long_conversation_is_kept_as_it_is(
    runtime: Runtime,
    owner: UUID,
    monkeypatch: pytest.MonkeyPatch,
    remembers: bool,  # noqa: FBT001
) -> None:
    """With the newest checkpoint from memory, and read anew for each turn."""
    if not remembers:
        monkeypatch.setattr(HeadCache, "take", lambda *_: None)
    thread = uuid4()
    for text in TURNS:
        await say(runtime, owner, thread, text)
    states = ThreadStates(runtime.database.pool, runtime.workflows, runtime.serde)
    expected = [told(messages) async for messages in turns_in_memory(TURNS)]
    found = await states.read(owner, thread)
    assert told(found["values"]["messages"]) == expected[-1]
    assert found["values"]["turn"] == len(TURNS)
    history = await states.history(owner, thread, limit=1000)
    assert len(history) == 3 * len(TURNS)
    for state, before in zip(history[3::3], reversed(expected[:-1]), strict=True):
        assert told(state["values"]["messages"]) == before


async def test_two_processes_take_turns(runtime: Runtime, owner: UUID, database_url: str, settings: Settings) -> None:
    """What one remembers is not believed after the other has gone on with the thread."""
    thread = uuid4()
    async with open_runtime(settings, database_url) as other, running_worker(other):
        for number in range(24):
            await say(runtime if number % 3 else other, owner, thread, str(number))
    states = ThreadStates(runtime.database.pool, runtime.workflows, runtime.serde)
    messages = (await states.read(owner, thread))["values"]["messages"]
    expected = await in_memory([str(number) for number in range(24)])
    assert [message.content for message in messages] == [message.content for message in expected]


async def test_a_change_from_outside_is_seen(runtime: Runtime, owner: UUID) -> None:
    thread = uuid4()
    for number in range(20):
        await say(runtime, owner, thread, str(number))
    states = ThreadStates(runtime.database.pool, runtime.workflows, runtime.serde)
    await states.update(owner, thread, [StateUpdate({"turn": 100}, "answer")])
    assert (await say(runtime, owner, thread, "next"))["turn"] == 101
    assert len((await states.read(owner, thread))["values"]["messages"]) == 42


async def test_a_message_changed_in_place_does_not_leak_into_the_next_turn(runtime: Runtime, owner: UUID) -> None:
    """LangGraph keeps such a change with the next write of the channel, and so do we; never half of it."""
    thread = uuid4()
    turns = [*map(str, range(20)), "spoil 2", "after"]
    for text in turns:
        output = await say(runtime, owner, thread, text)
    expected = await in_memory(turns)
    assert said(output["messages"]) == [(message.id, message.content) for message in expected]
    states = ThreadStates(runtime.database.pool, runtime.workflows, runtime.serde)
    kept = (await states.read(owner, thread))["values"]["messages"]
    assert [message.content for message in kept] == [message.content for message in expected]


async def test_branches_share_items_and_do_not_touch_one_another(runtime: Runtime, owner: UUID) -> None:
    """A change at an older checkpoint leaves what came after it as it was."""
    thread = uuid4()
    for number in range(20):
        await say(runtime, owner, thread, str(number))
    states = ThreadStates(runtime.database.pool, runtime.workflows, runtime.serde)
    newest = await states.read(owner, thread)
    history = await states.history(owner, thread, limit=1000)
    older = next(state for state in history if state["values"].get("turn") == 17 and not state["next"])
    await states.update(owner, thread, [StateUpdate({"asked": "branch"}, "answer")], Place(older["checkpoint_id"]))
    for text in ("b1", "b2"):
        await say(runtime, owner, thread, text)
    branch = (await states.read(owner, thread))["values"]["messages"]
    assert [message.content for message in branch][-5:] == ["answer 17", "b1", "answer 18", "b2", "answer 19"]
    again = await states.read(owner, thread, Place(newest["checkpoint_id"]))
    assert again["values"]["messages"] == newest["values"]["messages"]


async def test_a_subgraph_with_a_memory_sees_what_is_not_committed_yet(runtime: Runtime, owner: UUID) -> None:
    thread = uuid4()
    for turn in ("a", "b"):
        output = await say(runtime, owner, thread, turn, "calls")
    assert output["heard"] == ["a 1", "a 2", "b 3", "b 4"]


@pytest.mark.parametrize("text", ["nul \0 here", "", "名前"])
async def test_text_that_a_document_cannot_hold_is_kept(runtime: Runtime, owner: UUID, text: str) -> None:
    thread = uuid4()
    for _ in range(2):
        await say(runtime, owner, thread, text, "calls")
    states = ThreadStates(runtime.database.pool, runtime.workflows, runtime.serde)
    assert (await states.read(owner, thread))["values"]["asked"] == text


async def test_a_conversation_grows_linearly_on_disk(runtime: Runtime, owner: UUID) -> None:
    thread = uuid4()

    async def stored() -> int:
        async with runtime.system.pool.connection() as connection:
            total = 0
            for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "list_items"):
                cursor = await connection.execute(
                    f"SELECT coalesce(sum(pg_column_size(t.*)), 0) AS bytes FROM checkpoints.{table} AS t"
                    " WHERE thread_id = %s",
                    (str(thread),),
                )
                row = await cursor.fetchone()
                total += int(row["bytes"]) if row else 0
            return total

    async def grown(turns: range) -> float:
        before = await stored()
        for number in turns:
            await say(runtime, owner, thread, f"a question of some length, number {number}")
        return (await stored() - before) / len(turns)

    early = await grown(range(20, 30))
    await grown(range(30, 120))
    assert await grown(range(120, 130)) < 1.5 * early


async def test_many_runs_at_once_are_all_kept(runtime: Runtime, owner: UUID) -> None:
    threads = [uuid4() for _ in range(100)]
    outputs = await asyncio.gather(*(say(runtime, owner, thread, "hello") for thread in threads))
    assert all(output["turn"] == 1 for output in outputs)
    again = await asyncio.gather(*(say(runtime, owner, thread, "again") for thread in threads))
    assert all(said(output["messages"])[-1] == ("ai-2", "answer 2") for output in again)
