"""Checkpoints under CHECKPOINT_KEY: whole for who has the key, empty for who reads the tables (X032, X033, G69)."""

import base64
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from checkpoints.encryption import KeyringCipher, serializer
from checkpoints.reencryption import reencrypt
from checkpoints.saver import PooledSaver
from core.keyring import Keyring, KeyringError
from db.database import Database
from db.rewriting import Count
from db.roles import role_url

SECRET = "机密4417"
TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
OLD, NEW = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))


class State(TypedDict, total=False):
    name: str
    score: float
    done: bool
    nothing: None
    turns: list[dict[str, str]]
    messages: Annotated[list[AnyMessage], add_messages]


def listen(state: State) -> State:
    return {
        "score": 4417.5,
        "turns": [{"content": SECRET}],
        "messages": [AIMessage(SECRET)],
        "nothing": None,
        "done": True,
    }


def ask(state: State) -> State:
    return {"name": state["name"] + interrupt({"question": SECRET})}


def _graph() -> Any:
    builder = StateGraph(State)
    builder.add_node("listen", listen)
    builder.add_node("ask", ask)
    builder.add_edge(START, "listen")
    builder.add_edge("listen", "ask")
    builder.add_edge("ask", END)
    return builder.compile()


CONFIG = {"configurable": {"thread_id": "t-1"}}
GRAPH = _graph()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(role_url(database_url, "app"))
    await made.open()
    yield made
    await made.close()


def graph(database: Database, keys: str | None) -> Any:
    serde = serializer(Keyring.parse(keys) if keys else None)
    return GRAPH.copy(update={"checkpointer": PooledSaver(database.pool, serde)})


async def stored(database: Database) -> str:
    """Everything in LangGraph's tables, with bytes as they are."""
    found = []
    async with database.pool.connection() as connection:
        for table in TABLES:
            rows = await (await connection.execute(f"SELECT * FROM checkpoints.{table}".encode())).fetchall()
            found += [
                value.decode("utf-8", errors="ignore") if isinstance(value, bytes) else str(value)
                for row in rows
                for value in row.values()
            ]
    return "\n".join(found)


async def begin(database: Database, keys: str | None) -> None:
    start = {"name": SECRET, "messages": [HumanMessage(SECRET)]}
    await graph(database, keys).ainvoke(start, CONFIG, durability="sync")


async def finish(database: Database, keys: str | None) -> dict[str, Any]:
    result: dict[str, Any] = await graph(database, keys).ainvoke(Command(resume="!"), CONFIG, durability="sync")
    return result


def check(result: dict[str, Any]) -> None:
    assert result["name"] == SECRET + "!"
    assert (result["score"], result["done"], result["nothing"]) == (4417.5, True, None)
    assert result["turns"] == [{"content": SECRET}]
    assert [message.text for message in result["messages"]] == [SECRET, SECRET]


async def test_without_a_key_the_tables_tell_everything(database: Database) -> None:
    """So that the next test is known to be able to fail."""
    await begin(database, None)
    assert SECRET in await stored(database)
    assert "4417.5" in await stored(database)


async def test_with_a_key_the_tables_tell_nothing(database: Database) -> None:
    await begin(database, OLD)
    written = await stored(database)
    assert written
    assert SECRET not in written
    assert "4417" not in written
    check(await finish(database, OLD))
    assert "4417" not in await stored(database)
    states = [snapshot async for snapshot in graph(database, OLD).aget_state_history(CONFIG)]
    assert len(states) == 4
    assert states[0].values["name"] == SECRET + "!"


async def test_a_key_may_change_while_a_thread_waits(database: Database) -> None:
    await begin(database, f"a:{OLD}")
    check(await finish(database, f"b:{NEW},a:{OLD}"))


async def test_what_an_older_key_wrote_comes_under_the_newest(database: Database) -> None:
    """`colloquy reencrypt`: the old key may go, whatever was not used meanwhile."""
    await begin(database, f"a:{OLD}")
    old, new = (KeyringCipher(Keyring.parse(keys)) for keys in (f"a:{OLD}", f"b:{NEW}"))
    name, data = old.encrypt(SECRET.encode())
    insert = "INSERT INTO checkpoints.list_items VALUES ('t-1', '', 'messages', %s, %s, %s)"
    async with database.pool.connection() as connection:
        await connection.execute(insert, (1, f"json+{name}", data))
        await connection.execute(insert, (2, "json", b'"plain"'))
    ring = Keyring.parse(f"b:{NEW},a:{OLD}")
    first = {table: count async for table, count in reencrypt(database.pool, ring)}
    assert first["checkpoints.list_items.blob"] == Count(rewritten=1)
    assert all(count.rewritten and not count.failed for count in first.values())
    assert [count async for _, count in reencrypt(database.pool, ring)] == [Count()] * 3
    async with database.pool.connection() as connection:
        cursor = await connection.execute("SELECT type, blob FROM checkpoints.list_items ORDER BY seq")
        item, plain = await cursor.fetchall()
    assert new.decrypt(item["type"].removeprefix("json+"), item["blob"]) == SECRET.encode()
    assert (plain["type"], plain["blob"]) == ("json", b'"plain"')
    check(await finish(database, f"b:{NEW}"))


async def test_what_cannot_be_read_is_told_and_left(database: Database) -> None:
    await begin(database, f"a:{OLD}")
    before = await stored(database)
    counts = [count async for _, count in reencrypt(database.pool, Keyring.parse(f"b:{NEW}"))]
    assert sum(count.failed for count in counts) > 0
    assert sum(count.rewritten for count in counts) == 0
    assert await stored(database) == before


async def test_a_key_may_come_while_a_thread_waits(database: Database) -> None:
    """What was written in plain text before is read, and what is written from now on is not."""
    await begin(database, None)
    check(await finish(database, OLD))
    state = await graph(database, OLD).aget_state(CONFIG)
    assert state.values["score"] == 4417.5


async def test_without_its_key_a_thread_cannot_be_read(database: Database) -> None:
    await begin(database, f"a:{OLD}")
    with pytest.raises(KeyringError):
        await finish(database, f"b:{NEW}")
    check(await finish(database, f"a:{OLD}"))


async def test_state_classes_of_a_graph_are_still_let_in(database: Database) -> None:
    """LangGraph gives a saver the classes that a graph's state names; that must not switch encryption off."""
    saver = PooledSaver(database.pool, serializer(Keyring.parse(OLD)))
    allowed = saver.with_allowlist([("tests.checkpoints.test_encryption", "State")])
    kind, _ = allowed.serde.dumps_typed("x")
    assert kind.endswith("+aes256gcm:0")
    assert isinstance(allowed, PooledSaver)
